"""A network as one Python file, proved to be the same model by running what was written."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from engine.catalog import LAYERS
from engine.compile import source
from engine.exchange.proof import COMPARED, NotTheSame, difference, equal, named
from engine.exchange.script import script
from engine.network import Block, Network
from engine.storage import write_bytes
from engine.training.task import Task

#: What fused attention may differ by, beside the largest value.
_ROUNDING = 1e-5


def export_python(
    network: Network, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    """Write `network` as Python source to `output`, and the weights of `model` beside it.

    Both files are then read again: the source is run, the weights are loaded into it strictly and
    out of it again, and outputs and gradients on `examples` must be the same to the last bit; where
    there is attention, within rounding, which the report then says.

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
    return _exported(network, source(network), model, output, examples)


def export_training(
    network: Network, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    """As :func:`export_python`, with the data and the training that the recipe asks for.

    Run as a program the file trains, from the weights that :func:`engine.train` begins with; where
    those of `model` are others, they stand in ``NAME.start.pt``. What was printed is read again: its
    examples must be the training's own, but for rounding where they are standardised.

    Raises
    ------
    NetworkProblem
        If the recipe asks for what is not printed, or does not fit its data.
    DataProblem
        If the data cannot be had.
    NotTheSame
        If the proof fails.
    """
    task = Task.of(network, torch.device("cpu"))
    first = equal(task.model.state_dict(), model.state_dict())
    weights, start = output.with_suffix(".pt"), output.with_suffix(".start.pt")
    printed = script(network, task, output, weights if first else start)
    if not first:
        _save(printed.start, start)
    if printed.data.tensors is not None:
        _save(printed.data.tensors, output.with_suffix(".data.pt"))
    report = _exported(network, printed.text, model, output, examples)
    found = _module(printed.text, output).examples()
    same = exact = found.keys() == task.dataset.splits.keys()
    for name, split in task.dataset.splits.items():
        ours = [*task.inputs(split), *(head.labels(split) for head in task.heads)]
        pairs = [(a[:], b) for a, b in zip(ours, found.get(name, ()), strict=False)]
        same = same and len(pairs) == len(ours) and all(_alike(a, b) for a, b in pairs)
        exact = exact and all(torch.equal(a, b) for a, b in pairs)
    if not same:
        raise NotTheSame(f"{output}: read back, its examples are not those of the recipe.")
    counts = {name: len(columns[0]) for name, columns in found.items()}
    needs = {"needs": ["torch", *printed.needs], "start_file": str(weights if first else start)}
    as_told = "to the last bit" if exact else "but for rounding"
    return {**report, **needs, "proof": {**report["proof"], "data": counts, "data_equal": as_told}}


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether two columns are the same; means may have been summed in another order."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return torch.allclose(a, b, rtol=1e-5, atol=1e-6) if a.is_floating_point() else torch.equal(a, b)


def _save(value: Any, path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    write_bytes(path, buffer.getvalue())


def _exported(
    network: Network, text: str, model: nn.Module, output: Path, examples: Sequence[Tensor]
) -> dict[str, Any]:
    weights = output.with_suffix(".pt")
    write_bytes(output, text.encode())
    _save({name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}, weights)
    text = output.read_text(encoding="utf-8")
    twin = instance(text, output)
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
        "proof": _proof(output, model, twin, examples, attends=_attends(network)),
    }


def instance(text: str, path: Path = Path("exported.py")) -> nn.Module:
    """An instance of the last class that the source `text`, which stands at `path`, defines.

    `text` is run, so it must be what :func:`engine.source` has printed.
    """
    classes = [value for value in vars(_module(text, path)).values() if isinstance(value, type)]
    own = [value for value in classes if value.__module__ == "exported" and issubclass(value, nn.Module)]
    made: nn.Module = own[-1]()
    return made


def _module(text: str, path: Path) -> ModuleType:
    module = ModuleType("exported")
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), module.__dict__)
    return module


def _proof(
    output: Path, model: nn.Module, twin: nn.Module, examples: Sequence[Tensor], *, attends: bool
) -> dict[str, Any]:
    batch = [tensor[:COMPARED] for tensor in examples]
    outputs, gradients = _ran(model, batch)
    others, other_gradients = _ran(twin, batch)
    said = {}
    for what, ours, theirs in (
        ("outputs", outputs, others),
        ("gradients", gradients, other_gradients),
    ):
        if equal(ours, theirs):
            said[what] = "equal to the last bit"
            continue
        gap = difference(ours, theirs)
        scale = max((float(value.abs().max()) for value in ours.values() if value.numel()), default=0.0)
        if not attends or gap > _ROUNDING * max(1.0, scale):
            raise NotTheSame(f"{output}: read back, its {what} are not those of the network.")
        said[what] = f"equal but for the rounding of fused attention, {gap:.2g}"
    return {"examples": len(batch[0]) if batch else 0, "state_dict": "loads both ways", **said}


def _attends(network: Network) -> bool:
    """Whether it has attention: torch's fused one adds in an order that follows the place in memory."""
    graphs: list[Network | Block] = [network, *network.blocks.values()]
    types = {node.type for graph in graphs for node in graph.nodes.values()}
    return any(LAYERS[type].group == "Attention" for type in types & LAYERS.keys())


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
