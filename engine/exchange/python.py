"""A network as one Python file, proved to be the same model by running what was written."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from engine.compile import source
from engine.exchange.proof import COMPARED, NotTheSame, equal, named
from engine.network import Network
from engine.storage import write_bytes


def export_python(
    network: Network, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    """Write `network` as Python source to `output`, and the weights of `model` beside it.

    Both files are then read again: the source is run, the weights are loaded into it strictly and
    out of it again, and outputs and gradients on `examples` must be the same to the last bit.

    Parameters
    ----------
    network
        A sound document.
    model
        Its compiled form, with the weights to export.
    output
        The file to write; the weights go to the same name with ``.pt``, which torch alone reads.
    examples
        A batch for each input.

    Returns
    -------
    dict
        ``file``, ``weights_file``, ``class``, ``lines``, ``parameters`` and ``proof``.

    Raises
    ------
    NotTheSame
        If the proof fails.
    OSError
        If a file cannot be written.
    """
    weights = output.with_suffix(".pt")
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}, buffer)
    write_bytes(output, source(network).encode())
    write_bytes(weights, buffer.getvalue())
    text = output.read_text(encoding="utf-8")
    twin = instance(text)
    try:
        twin.load_state_dict(torch.load(weights, weights_only=True))
        model.load_state_dict(twin.state_dict())
    except RuntimeError as error:
        raise NotTheSame(f"{output}: the weights do not fit the printed model: {error}") from error
    return {
        "file": str(output),
        "weights_file": str(weights),
        "class": type(twin).__name__,
        "lines": len(text.splitlines()),
        "parameters": sum(parameter.numel() for parameter in twin.parameters()),
        "proof": _proof(output, model, twin, examples),
    }


def instance(text: str) -> nn.Module:
    """An instance of the last class that the source `text` defines.

    `text` is run, so it must be what :func:`engine.source` has printed.
    """
    module = ModuleType("exported")
    exec(compile(text, "<exported>", "exec"), module.__dict__)
    classes = [value for value in vars(module).values() if isinstance(value, type)]
    own = [value for value in classes if value.__module__ == "exported" and issubclass(value, nn.Module)]
    made: nn.Module = own[-1]()
    return made


def _proof(output: Path, model: nn.Module, twin: nn.Module, examples: Sequence[Tensor]) -> dict[str, Any]:
    batch = [tensor[:COMPARED] for tensor in examples]
    outputs, gradients = _ran(model, batch)
    others, other_gradients = _ran(twin, batch)
    for what, ours, theirs in (
        ("outputs", outputs, others),
        ("gradients", gradients, other_gradients),
    ):
        if not equal(ours, theirs):
            raise NotTheSame(f"{output}: read back, its {what} are not those of the network.")
    return {
        "examples": len(batch[0]) if batch else 0,
        "state_dict": "loads both ways",
        "outputs": "equal to the last bit",
        "gradients": "equal to the last bit",
    }


def _ran(model: nn.Module, batch: Sequence[Tensor]) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
    """Outputs, and the parameters' gradients of their sum; in evaluation mode, so that nothing is drawn."""
    model.eval()
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    outputs = named(model(*batch))
    found: tuple[Tensor | None, ...] = ()
    if parameters:
        total = torch.stack([value.float().sum() for value in outputs.values()]).sum()
        found = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    gradients = {name: g for name, g in zip(parameters, found, strict=False) if g is not None}
    return {name: value.detach() for name, value in outputs.items()}, gradients
