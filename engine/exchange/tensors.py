"""A network's weights as a safetensors file, proved by loading it into a model built anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from engine.compile import build
from engine.exchange.proof import COMPARED, NotTheSame, equal, run
from engine.network import Network
from engine.training import weights


def export_safetensors(
    network: Network, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    """Write exactly the state_dict of `model` (buffers too) to `output`, and prove it.

    The file is read again and loaded strictly into a second model, built from another seed, whose
    outputs on `examples` must then be those of `model` to the last bit.

    Raises
    ------
    NotTheSame
        If they are not.
    OSError
        If the file cannot be written.
    """
    weights.save(output, model.state_dict())
    loaded = weights.load(output)
    twin = build(network, seed=network.recipe.seed + 1)
    twin.load_state_dict(loaded)
    batch = [tensor[:COMPARED] for tensor in examples]
    if not equal(run(model, batch), run(twin, batch)):
        raise NotTheSame(f"{output}: a model that reads it gives other outputs.")
    return {
        "file": str(output),
        "tensors": len(loaded),
        "bytes": output.stat().st_size,
        "sha256": weights.digest(loaded),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "proof": {"examples": len(batch[0]) if batch else 0, "outputs": "equal to the last bit"},
    }
