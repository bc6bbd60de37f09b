"""A binarized network as one bit per weight, and the program that runs it with NumPy alone.

What is written is a program of few operations (:mod:`engine.exchange.packing` makes it) in a
safetensors file, and ``assets/runtime/packed.py`` beside it, which reads and runs it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from torch import Tensor, nn

from engine import assets
from engine.exchange.packing import Packing, pack
from engine.network import Network
from engine.problems import NetworkProblem
from engine.storage.atomic import write_bytes

#: Examples that the proof compares, at most, and those of the timing.
_PROVED = 512
_TIMED = (1, 64)


def export_packed(
    network: Network, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    """Write `model` packed to `output` and its program beside it, read both back and compare.

    Parameters
    ----------
    network
        The document that `model` was built from.
    model
        The trained module, on the CPU.
    output
        The safetensors file; the program gets the same name with ``.py``.
    examples
        The model's inputs, ``[N, …]`` each, on which the two are compared.

    Returns
    -------
    dict
        "file", "runtime", "layers" (sizes by binarized node), "size" (bytes of float32 parameters and
        of the file, and the ratio where binarized), "proof" (how far outputs differ on how many
        examples, and whether all predictions are the same), "speed" (ms a batch of both).

    Raises
    ------
    NetworkProblem
        If a layer has no packed form, or what was written does not give what the model gives.
    OSError
        If the files cannot be written.
    """
    if output.suffix == ".py":
        raise NetworkProblem(
            f"{output}: the program gets that name; give the file another, such as .safetensors."
        )
    runtime = output.with_suffix(".py")
    model.eval()
    packing = pack(network, model)
    write_bytes(output, file_bytes(packing, network.name))
    write_bytes(runtime, assets.path("runtime/packed.py").read_bytes())
    packed = load_packed(output, runtime)
    proof = _proof(model, packed, [tensor[:_PROVED] for tensor in examples])
    float_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
    binary = list(packing.layers.values())
    before = sum(layer["float_bytes"] for layer in binary)
    after = sum(layer["packed_bytes"] for layer in binary)
    return {
        "file": str(output),
        "runtime": str(runtime),
        "layers": packing.layers,
        "size": {
            "float_bytes": float_bytes,
            "file_bytes": output.stat().st_size,
            "ratio": float_bytes / output.stat().st_size,
            "binarized_ratio": before / after if after else None,
        },
        "proof": proof,
        "speed": [_timed(model, packed, [tensor[:count] for tensor in examples]) for count in _TIMED],
    }


def file_bytes(packing: Packing, name: str) -> bytes:
    """The safetensors file: the tensors, and the program in its metadata."""
    header = {
        "format": "layerlab-packed",
        "version": 1,
        "name": name,
        "inputs": packing.inputs,
        "outputs": packing.outputs,
        "steps": packing.steps,
    }
    tensors = {key: np.ascontiguousarray(value) for key, value in packing.tensors.items()}
    plain: bytes = safetensors.numpy.save(tensors)
    data = plain[8 + int.from_bytes(plain[:8], "little") :]
    metadata = {
        "layerlab_packed": json.dumps(header, ensure_ascii=False),
        "sha256": hashlib.sha256(data).hexdigest(),
        "written_by": "layerlab",
    }
    saved: bytes = safetensors.numpy.save(tensors, metadata)
    return saved


def load_packed(file: Path, runtime: Path) -> Callable[..., Any]:
    """The packed network in `file`, run by the program in `runtime`."""
    spec = importlib.util.spec_from_file_location("packed_network", runtime)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Callable[..., Any] = module.PackedNetwork(file)
    return loaded


def _outputs(result: Any) -> Mapping[str, Any]:
    return result if isinstance(result, dict) else {"": result}


def _proof(model: nn.Module, packed: Callable[..., Any], examples: Sequence[Tensor]) -> dict[str, Any]:
    with torch.inference_mode():
        expected = _outputs(model(*examples))
    found = _outputs(packed(*[tensor.numpy() for tensor in examples]))
    largest, scale, same, equal = 0.0, 0.0, True, True
    for name, value in expected.items():
        theirs, ours = value.numpy(), found[name]
        if theirs.shape != ours.shape:
            raise NetworkProblem(f"The packed network gives {list(ours.shape)} for {list(theirs.shape)}.")
        largest = max(largest, float(np.abs(theirs - ours).max(initial=0)))
        scale = max(scale, float(np.abs(theirs).max(initial=0)))
        equal = equal and bool(np.array_equal(theirs, ours))
        if theirs.ndim >= 2:
            same = same and bool((theirs.argmax(1) == ours.argmax(1)).all())
    close = largest <= 1e-3 * max(scale, 1.0)
    if not (same or close):
        raise NetworkProblem(
            f"The packed network is another: outputs differ by up to {largest:.3g}, predictions too. "
            "Please report this network."
        )
    count = len(examples[0])
    return {"examples": count, "largest_difference": largest, "equal": equal, "same_predictions": same}


def _timed(model: nn.Module, packed: Callable[..., Any], examples: Sequence[Tensor]) -> dict[str, Any]:
    arrays = [tensor.numpy() for tensor in examples]
    with torch.inference_mode():
        float_ms = _median_ms(lambda: model(*examples))
    return {"batch": len(arrays[0]), "torch_ms": float_ms, "packed_ms": _median_ms(lambda: packed(*arrays))}


def _median_ms(run: Callable[[], Any], times: int = 5) -> float:
    run()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return 1000 * sorted(taken)[times // 2]
