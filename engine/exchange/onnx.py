"""A network as ONNX, proved by running it in ONNX Runtime where that is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.exchange.proof import COMPARED, NotTheSame, difference, run
from engine.network import Network
from engine.problems import FileProblem, NetworkProblem
from engine.storage import write_bytes

#: What a runtime with other kernels may differ by, beside the largest output.
_TOLERANCE = 1e-3

#: A file above this size cannot be one message of ONNX's format.
_MOST_BYTES = 2_000_000_000


def export_onnx(
    network: Network, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    """Write `model` as one ONNX file with its weights inside and a free batch size.

    The file is checked, and where ONNX Runtime is installed it is run on `examples`, also at
    another batch size, and the outputs are compared.

    Raises
    ------
    FileProblem
        If the optional packages are not installed.
    NetworkProblem
        If torch cannot say the network in ONNX.
    NotTheSame
        If the file's outputs are not the network's.
    """
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise FileProblem(
            f"Writing ONNX needs {' and '.join(missing)}. Install Layerlab with its optional packages: "
            "pip install 'layerlab[onnx]'."
        )
    inputs = [id for id, node in network.nodes.items() if node.type == "Input"]
    outputs = [id for id, node in network.nodes.items() if node.type == "Output"]
    batch = [tensor[:COMPARED] for tensor in examples]
    data = _written(model.eval(), batch, inputs, outputs)
    write_bytes(output, data)
    return {
        "file": str(output),
        "bytes": len(data),
        "inputs": inputs,
        "outputs": outputs,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "proof": _proof(output, model, batch, inputs),
    }


def _written(nets: nn.Module, batch: Sequence[Tensor], inputs: list[str], outputs: list[str]) -> bytes:
    free = torch.export.Dim("batch")
    dynamic = tuple({0: free} for _ in batch)
    # The exporter tells its story on standard output, which belongs to the one JSON object.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        try:
            program = torch.onnx.export(
                _Flat(nets),
                tuple(tensor[:2] for tensor in batch),
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=(dynamic,),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # whatever the exporter stumbled over
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise NetworkProblem(f"torch cannot write this network as ONNX: {reason[0]}") from error
    assert program is not None
    proto = program.model_proto
    if proto.ByteSize() > _MOST_BYTES:
        raise NetworkProblem("The network is larger than the 2 GB that one ONNX file can hold.")
    data: bytes = proto.SerializeToString()
    return data


class _Flat(nn.Module):
    """Gives several outputs in a row, which ONNX names one by one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> Any:
        """Run the model."""
        result = self.model(*inputs)
        return tuple(result.values()) if isinstance(result, dict) else result


def _proof(output: Path, model: nn.Module, batch: Sequence[Tensor], inputs: list[str]) -> dict[str, Any]:
    import onnx

    onnx.checker.check_model(onnx.load(output), full_check=True)
    if importlib.util.find_spec("onnxruntime") is None:
        return {"checked": True, "runtime": None}
    import onnxruntime

    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    largest = 0.0
    for count in {1, 3, len(batch[0])}:
        some = [tensor[:count] for tensor in batch]
        ours = run(model, some)
        given = {name: tensor.numpy() for name, tensor in zip(inputs, some, strict=True)}
        found = [torch.from_numpy(values) for values in session.run(None, given)]
        gap = difference(ours, dict(zip(ours, found, strict=True)))
        scale = max(1.0, *(float(value.abs().max()) for value in ours.values()))
        if gap > _TOLERANCE * scale:
            raise NotTheSame(
                f"{output}: in ONNX Runtime its outputs differ by {gap:.2g} at a batch of {count}."
            )
        largest = max(largest, gap)
    return {
        "checked": True,
        "runtime": onnxruntime.__version__,
        "examples": len(batch[0]),
        "largest_difference": largest,
    }
