"""How every layer responds to one example, and what the network makes of every point of a plane.

Before training too: then the weights are those that training would begin with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.compile import build
from engine.compile.plan import CompiledNetwork, Line
from engine.data import Dataset, load
from engine.host.protocol import Boundary, Excerpt, Mapped, Respond, Responded, Response
from engine.network import Network
from engine.problems import DataProblem
from engine.runs import RunFolder
from engine.training import weights
from engine.training.activations import Watch
from engine.training.distributions import distributions

#: Channels of one node that are shown, and the longest side of a map.
_CHANNELS, _SIDE = 16, 32
#: An example of up to so many values is handed out with what it gives.
_FEW = 4096
#: Features of a flat output that are shown.
_FEATURES = 256


def model_of(network: Network, run: str | None, step: int | None = None) -> tuple[nn.Module, str]:
    """The network with a run's weights (:meth:`RunFolder.weights_at`) where they fit, and which they are.

    Without a run, or where it has none yet, as first drawn.
    """
    model = build(network, seed=network.recipe.seed).eval()
    if run is None:
        return model, "as first drawn"
    found = RunFolder(Path(run)).weights_at(step)
    if found is None:
        return model, "as first drawn: the run has written no weights yet"
    file, which = found
    trained = weights.load(file)
    own = model.state_dict()
    fitting = {name: t for name, t in trained.items() if name in own and own[name].shape == t.shape}
    model.load_state_dict(fitting, strict=False)
    missing = len(own) - len(fitting)
    return model, which + (f", but {missing} of {len(own)} tensors as first drawn" if missing else "")


def _inputs(network: Network) -> list[tuple[str, tuple[int, ...], str | None]]:
    return [
        (id, tuple(node.fields.get("shape", ())), node.fields.get("column"))
        for id, node in network.nodes.items()
        if node.type == "Input"
    ]


def _example(network: Network, dataset: Dataset, split: str, index: int) -> tuple[list[Tensor], float | None]:
    """One example's inputs, ``[1, …]`` each, and its target."""
    chosen = dataset.splits.get(split)
    if chosen is None:
        raise DataProblem(f"The data have no {split!r} split. They have {', '.join(dataset.splits)}.")
    found = []
    for id, shape, column in _inputs(network):
        name = column or next(iter(chosen.inputs))
        if name not in chosen.inputs:
            raise DataProblem(f"{id} › column: the data have no column {name!r}.")
        example: Any = chosen.inputs[name][index : index + 1]
        if not len(example):
            raise DataProblem(f"The {split} split has no example {index}: it has {len(chosen.targets)}.")
        if tuple(example.shape[1:]) != shape:
            raise DataProblem(
                f"{id} › shape: the data's examples are {list(example.shape[1:])}, "
                f"the Input is {list(shape)}. Set shape to {list(example.shape[1:])}."
            )
        found.append(example)
    target: Any = chosen.targets[index]
    return found, float(target) if target.numel() == 1 else None


def respond(request: Respond, network: Network) -> Responded:
    """What every node gives for one example of the data, or for `request.values`.

    Raises
    ------
    NetworkProblem
        If the network has errors.
    DataProblem, FileProblem
        If the data, or the run's weights, cannot be had.
    """
    model, note = model_of(network, request.run, request.step)
    classes: tuple[str, ...] = ()
    target: float | None = None
    if request.values:
        ((_, shape, _),) = _one_input(network)
        if len(request.values) != torch.Size(shape).numel():
            raise DataProblem(f"The network reads {list(shape)}, and got {len(request.values)} values.")
        inputs = [torch.tensor(request.values, dtype=torch.float32).reshape(1, *shape)]
    else:
        dataset = load(network.recipe.data, network.recipe.seed)
        classes = dataset.description.class_names
        inputs, target = _example(network, dataset, request.split, request.index)
    watch = _Watch(model)
    with torch.inference_mode(), _watched(model, watch):
        output = model(*inputs)
    outputs = {
        id: tensor
        for (id, _, _), tensor in zip(_inputs(network), inputs, strict=True)
        if tensor.is_floating_point()
    }
    outputs |= watch.outputs()
    told, into = distributions(outputs), distributions(watch.into)
    first = next(iter(output.values())) if isinstance(output, dict) else output
    scores = first[0].float()
    likely = scores.softmax(0) if scores.dim() == 1 and len(scores) > 1 else None
    return Responded(
        request.request,
        {
            node: Response(told[node], _seen(tensor), tuple(tensor.shape[1:]), into.get(node))
            for node, tensor in outputs.items()
        },
        note,
        classes,
        target,
        () if likely is None else tuple(likely.tolist()),
        () if request.values else _values(inputs),
    )


def _values(inputs: Sequence[Tensor]) -> tuple[float, ...]:
    """An example as what a Respond may bring: the numbers of one Input; of more, or of others, nothing."""
    if len(inputs) != 1 or not inputs[0].is_floating_point() or inputs[0].numel() > _FEW:
        return ()
    return tuple(inputs[0].flatten().tolist())


class _Watch(Watch):
    """Sees what comes into the activations inside nodes too."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        #: Node -> what comes into its activation.
        self.into: dict[str, Tensor] = {}

    def __call__(self, line: Line, result: Any) -> None:
        if line.child and line.child[-1].endswith("__activation") and line.node in self._found:
            self.into[line.node] = self._found[line.node][0]
        super().__call__(line, result)


def _watched(model: nn.Module, watch: Watch) -> Any:
    assert isinstance(model, CompiledNetwork)
    return model.watched(watch)


def _one_input(network: Network) -> Sequence[tuple[str, tuple[int, ...], str | None]]:
    found = _inputs(network)
    if len(found) != 1:
        raise DataProblem("This can be done with a network of one Input only.")
    return found


def _seen(output: Tensor) -> Excerpt:
    """One example's output to be looked at: maps ``(channels, 1, height, width)``, else ``(1, features)``."""
    one = output[0].float()
    if one.dim() >= 3:
        maps = one.reshape(one.shape[0], -1, one.shape[-1])[:_CHANNELS]
        maps = maps[:, :: -(-maps.shape[1] // _SIDE), :: -(-maps.shape[2] // _SIDE)].unsqueeze(1)
    elif one.dim() == 2:
        maps = one[:: -(-one.shape[0] // _SIDE), :: -(-one.shape[1] // _SIDE)]
    else:
        flat = one.reshape(1, -1)
        maps = flat[:, :: -(-flat.shape[1] // _FEATURES)]
    scale = float(maps.abs().amax().nan_to_num(0.0, 0.0, 0.0))
    values = (maps * (127 / scale if scale else 0.0)).nan_to_num(0.0, 127.0, -127.0)
    data = values.round().clamp(-127, 127).to(torch.int8).cpu().numpy().tobytes()
    return Excerpt(tuple(maps.shape), scale, data)


# ---------------------------------------------------------------------------- a plane


def boundary(request: Boundary, network: Network) -> Mapped:
    """What the network, or one unit of a node, gives at every point of the plane of its two inputs.

    Raises
    ------
    DataProblem
        If the network does not read two numbers, or there is no such unit.
    """
    ((id, shape, _),) = _one_input(network)
    if shape != (2,):
        raise DataProblem(
            f"{id} reads {list(shape)}: a plane can be drawn of a network that reads two numbers."
        )
    model, note = model_of(network, request.run, request.step)
    dataset = load(network.recipe.data, network.recipe.seed)
    split = dataset.splits["train"]
    points: Any = next(iter(split.inputs.values()))[:1000]
    targets: Any = split.targets[:1000]
    low, high = points.amin(dim=0), points.amax(dim=0)
    room = 0.15 * (high - low)
    low, high = low - room, high + room
    x = torch.linspace(float(low[0]), float(high[0]), request.size)
    y = torch.linspace(float(low[1]), float(high[1]), request.size)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
    watch = Watch(model)
    with torch.inference_mode(), _watched(model, watch):
        output = model(grid)
    classes, units = 0, 1
    if request.node is None:
        first: Tensor = next(iter(output.values())) if isinstance(output, dict) else output
        if dataset.description.classes and first.dim() == 2 and first.shape[1] > 1:
            classes = first.shape[1]
            likely = first.softmax(1)
            # Class number plus how sure it is, 0 … 1: one number per point.
            values = likely.argmax(1) + likely.amax(1).clamp_max(0.999)
        else:
            values = first.reshape(len(grid), -1)[:, 0]
    else:
        outputs: Mapping[str, Tensor] = watch.outputs()
        if request.node not in outputs:
            raise DataProblem(f"{request.node}: gives nothing that could be drawn.")
        flat = outputs[request.node].reshape(len(grid), -1)
        units = flat.shape[1]
        if not 0 <= request.unit < flat.shape[1]:
            raise DataProblem(f"{request.node}: has {flat.shape[1]} units; there is no unit {request.unit}.")
        values = flat[:, request.unit]
    return Mapped(
        request.request,
        (float(x[0]), float(y[0])),
        (float(x[-1]), float(y[-1])),
        request.size,
        tuple(values.float().nan_to_num(0.0).tolist()),
        classes,
        tuple(
            (float(p[0]), float(p[1]), float(t))
            for p, t in zip(points, targets.reshape(len(points), -1)[:, 0], strict=True)
        ),
        note,
        units,
    )
