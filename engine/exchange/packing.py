"""A trained network lowered to the few operations of the packed form.

Signs stay bits as far as they go: a binarizer behind pooling or flattening moves in front of it, and
one behind batch normalisation becomes a threshold. Thresholds are found by bisection with the model's
own modules, over the whole numbers from −K to K where a sum of K products of signs arrives, and
over the floats elsewhere; so no rounding of a formula can move one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.catalog import Inputs
from engine.compile import estimators
from engine.compile.builder import lowered
from engine.compile.expand import Step, Value
from engine.compile.lower import Operation
from engine.network import Network
from engine.problems import NetworkProblem

#: Estimators whose forward is the sign and nothing else.
_SIGNS = (
    estimators.SteSign,
    estimators.IdentitySte,
    estimators.LBSign,
    estimators.ApproxSign,
    estimators.SwishSign,
    estimators.EdeTanh,
)
#: Layers that do nothing in evaluation.
_NOTHING = frozenset(
    {"Identity", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"}
)
#: Beyond this no sum gets, and normalising it does not overflow.
_FARTHEST = 1e30

Stage = Callable[[Tensor], Tensor]


class _Made(NamedTuple):
    """How a value of the program came about."""

    #: "signs", "sum" (of products of signs: whole numbers), "real".
    kind: str = "real"
    #: The value it was made from, where a sign may move in front of the operation.
    source: str = ""
    #: What was done per channel, as torch does it (monotone in each value).
    stage: Stage | None = None
    #: What was done to places alone: the operation and its fields.
    moved: tuple[str, dict[str, Any]] | None = None
    #: Of a sum: how many products, and the node.
    terms: int = 0
    node: str = ""


class Packing(NamedTuple):
    """The program and its tensors."""

    inputs: list[dict[str, Any]]
    outputs: dict[str, str]
    steps: list[dict[str, Any]]
    tensors: dict[str, NDArray[Any]]
    #: Binarized node -> "weights", "float_bytes", "packed_bytes".
    layers: dict[str, dict[str, int]]


def pack(network: Network, model: nn.Module) -> Packing:
    """The packed form of `model`, which was built from `network` and is in evaluation mode.

    Raises
    ------
    NetworkProblem
        If the network has errors, or a layer that has no packed form.
    """
    packer = _Packer(model)
    with torch.no_grad():
        for step, operation, inputs in lowered(network):
            packer.step(step, operation, inputs)
    return packer.done()


class _Packer:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.inputs: list[dict[str, Any]] = []
        self.outputs: dict[str, str] = {}
        self.steps: list[dict[str, Any]] = []
        self.tensors: dict[str, NDArray[Any]] = {}
        self.layers: dict[str, dict[str, int]] = {}
        self.names: dict[Value, str] = {}
        self.made: dict[str, _Made] = {}
        #: Channels and number of dimensions of each value, the batch included.
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.signs: dict[str, str] = {}

    def done(self) -> Packing:
        """What of it all leads to an output."""
        wanted = set(self.outputs.values())
        steps = []
        for step in reversed(self.steps):
            if step["output"] in wanted:
                wanted.update(step["inputs"])
                steps.append(step)
        used = {value for step in steps for value in step.values() if isinstance(value, str)}
        tensors = {name: value for name, value in self.tensors.items() if name in used}
        for id, layer in self.layers.items():
            own = [name for name in tensors if name.rpartition(".")[0] == id]
            layer["packed_bytes"] = sum(tensors[name].nbytes for name in own)
        return Packing(self.inputs, self.outputs, steps[::-1], tensors, self.layers)

    # ------------------------------------------------------------------------ emitting

    def emit(self, op: str, inputs: list[str], output: str, made: _Made | None = None, **fields: Any) -> str:
        """Add a step; fields that are tensors are stored under "NODE.field"."""
        step: dict[str, Any] = {"op": op, "inputs": inputs, "output": output}
        for key, value in fields.items():
            if isinstance(value, Tensor | np.ndarray):
                node = (made.node if made is not None and made.node else output) or output
                name = f"{node}.{key}"
                array = value.detach().numpy() if isinstance(value, Tensor) else value
                self.tensors[name] = array
                value = name
            step[key] = value
        self.steps.append(step)
        self.made[output] = made or _Made()
        return output

    def step(self, step: Step, operation: Operation, inputs: Inputs) -> None:
        """Add one node."""
        path, type = step.path, step.node.type
        if type == "Input":
            self.names[Value(path, 0)] = path
            self.inputs.append({"name": path, "shape": list(step.node.fields["shape"])})
            self.made[path] = _Made()
            return
        sources = [self.names[value] for value in step.inputs.values() if value is not None]
        if type == "Output":
            self.outputs[path] = sources[0]
            return
        if operation.input is not None:
            sources[0] = self.binarized(path, sources[0], inputs)
        made = self.layer(path, type, operation, sources, inputs)
        if operation.activation is not None:
            rank = len(inputs.shape)
            module = self.model.get_submodule(f"{path}__activation")
            assert step.node.activation is not None
            made = self.activation(f"{path}__activation", step.node.activation.id, module, made, rank)
        self.names[Value(path, 0)] = made

    def refuse(self, path: str, what: str) -> NetworkProblem:
        return NetworkProblem(
            f"{path}: {what} has no packed form yet. Export with --to python or onnx instead."
        )

    # ------------------------------------------------------------------------ signs

    def binarized(self, path: str, source: str, inputs: Inputs) -> str:
        """The input of node `path` as signs."""
        module = self.model.get_submodule(f"{path}__input")
        if isinstance(module, estimators.RSign):
            rank = len(inputs.shape)
            bias = module.bias.detach()
            along_channels = rank == 2 or bias.dim() == rank - 1
            if not along_channels:
                raise self.refuse(path, "a learned threshold along the last of several dimensions")

            def moved(x: Tensor) -> Tensor:
                return x + bias

            name = f"{path}__moved"
            self.emit("affine", [source], name, self.chained(source, moved), shift=bias.flatten())
            return self.signs_of(name, len(bias.flatten()), rank)
        if not isinstance(module, _SIGNS):
            raise self.refuse(path, f"the input binarizer {type(module).__name__} (not ±1)")
        return self.signs_of(source, inputs.channels, len(inputs.shape))

    def chained(self, source: str, stage: Stage) -> _Made:
        return _Made(source=source, stage=stage)

    def signs_of(self, value: str, channels: int, rank: int) -> str:
        """The signs of `value`, taken as early as possible."""
        if value in self.signs:
            return self.signs[value]
        made = self.made[value]
        if made.kind == "signs":
            return value
        output = f"{value}__signs"
        if made.moved is not None:
            op, fields = made.moved
            inner = self.signs_of(made.source, fields.get("_channels", channels), fields.get("_rank", rank))
            kept = {key: item for key, item in fields.items() if not key.startswith("_")}
            self.emit(op, [inner], output, _Made("signs"), **kept)
        elif made.stage is not None:
            self.threshold(value, output, channels, rank)
        else:
            self.emit("sign", [value], output, _Made("signs"))
        self.signs[value] = output
        return output

    def threshold(self, value: str, output: str, channels: int, rank: int) -> None:
        """Everything per channel since the last sum, and the sign behind it, as one comparison."""
        stages: list[Stage] = []
        root = value
        while self.made[root].stage is not None:
            stage = self.made[root].stage
            assert stage is not None
            stages.insert(0, stage)
            root = self.made[root].source
        made = self.made[root]
        shape = (1, channels, *[1] * (rank - 2))

        def positive(keys: Tensor) -> Tensor:
            x = keys.float() if made.kind == "sum" else _floats(keys)
            x = x.reshape(shape)
            for stage in stages:
                x = stage(x)
            return (x >= 0).expand(shape).flatten()

        far = made.terms if made.kind == "sum" else int(_keys(torch.tensor([_FARTHEST]))[0])
        low, high, rising = bisect(positive, channels, far)
        keys = torch.where(rising, high, low)
        bound = keys.int() if made.kind == "sum" else _floats(keys)
        fields = {"threshold": bound, "rising": rising.byte()}
        self.emit("threshold", [root], output, _Made("signs", node=made.node or output), **fields)

    # ------------------------------------------------------------------------ layers

    def layer(self, path: str, type: str, operation: Operation, sources: list[str], inputs: Inputs) -> str:
        """Add the layer itself; returns the value that it makes."""
        if type in _NOTHING:
            return sources[0]
        rank = len(inputs.shape)
        module: Any = self.model.get_submodule(path) if "" in operation.children else None
        if type == "Linear" or type in ("Conv1d", "Conv2d", "Conv3d"):
            return self.product(path, module, operation, sources, rank)
        if type.startswith("BatchNorm"):
            return self.normalisation(path, module, sources[0])
        if type == "Scale" and module.weight.numel() == 1:
            factor = module.weight.detach().reshape(1)
            made = self.chained(sources[0], lambda x: x * factor)
            return self.emit("affine", sources, path, made, scale=factor)
        if type == "Flatten":
            fields = {"start": module.start_dim, "end": module.end_dim}
            inner = {"_channels": inputs.channels, "_rank": rank}
            return self.emit(
                "flatten",
                sources,
                path,
                _Made(source=sources[0], moved=("flatten", {**fields, **inner})),
                **fields,
            )
        if type.startswith(("MaxPool", "AvgPool")):
            return self.pooling(path, type, module, sources, rank)
        if type.startswith("AdaptiveAvgPool") and _all_ones(module.output_size):
            return self.emit("global_average", sources, path)
        if type.startswith("ConstantPad"):
            return self.bordered(path, module, sources[0], inputs)
        if type == "Add":
            return self.emit("add", sources, path)
        if type == "Concat":
            assert operation.call is not None
            return self.emit("concatenate", sources, path, dim=int(operation.call.kwargs.get("dim", 1)))
        return self.activation(path, type, module, sources[0], rank)

    def product(self, path: str, layer: Any, operation: Operation, sources: list[str], rank: int) -> str:
        """Linear and convolutions, binarized or not."""
        linear = isinstance(layer, nn.Linear)
        op = "linear" if linear else "conv"
        fields: dict[str, Any] = {} if linear else self.window(path, layer)
        if not linear:
            fields["groups"] = layer.groups
            if layer.padding_mode == "replicate":
                fields["border"] = "edge"
            elif layer.padding_mode != "zeros" and any(fields["padding"]):
                raise self.refuse(path, f"padding_mode {layer.padding_mode!r}")
        weight, bias = layer.weight.detach(), layer.bias
        split = None
        if operation.weight is not None:
            weight = self.model.get_submodule(f"{path}__weight")(weight).detach()
            split = _signs_and_scale(weight)
        if split is None:
            real = {} if bias is None else {"bias": bias}
            return self.emit(op, sources, path, _Made(node=path), weight=weight.flatten(1), **real, **fields)
        signs, scale = split
        terms = signs.shape[1]
        of_signs = self.made[sources[0]].kind == "signs"
        self.layers[path] = {"weights": weight.numel(), "float_bytes": 4 * weight.numel(), "packed_bytes": 0}
        bits = np.packbits(signs.numpy(), axis=-1)
        name = path if scale is None and bias is None else f"{path}__sum"
        made = _Made("sum" if of_signs else "real", terms=terms, node=path)
        self.emit(f"binary_{op}", sources, name, made, weight=bits, terms=terms, **fields)
        if name == path:
            return path
        return self.rescaled(path, name, scale, bias, rank, along_last=linear and rank > 2)

    def rescaled(
        self, path: str, source: str, scale: Tensor | None, bias: Tensor | None, rank: int, along_last: bool
    ) -> str:
        """What a scale per output and a bias do to a sum."""
        given: dict[str, Any] = {}
        if scale is not None:
            given["scale"] = scale
        if bias is not None:
            given["shift"] = bias.detach()
        if along_last:
            return self.emit("features", [source], path, _Made(node=path), **given)
        shape = (-1, *[1] * (rank - 2))

        def stage(x: Tensor) -> Tensor:
            y = x if scale is None else x * scale.reshape(shape)
            return y if bias is None else y + bias.reshape(shape)

        made = _Made(source=source, stage=stage, node=path)
        return self.emit("affine", [source], path, made, **given)

    def normalisation(self, path: str, module: Any, source: str) -> str:
        """Batch normalisation by its running statistics."""
        if module.running_mean is None:
            raise self.refuse(path, "normalisation without running statistics")
        scale = (module.running_var.double() + module.eps).rsqrt()
        if module.weight is not None:
            scale = scale * module.weight.double()
        shift = -module.running_mean.double() * scale
        if module.bias is not None:
            shift = shift + module.bias.double()
        return self.emit(
            "affine", [source], path, self.chained(source, module), scale=scale.float(), shift=shift.float()
        )

    def bordered(self, path: str, module: Any, source: str, inputs: Inputs) -> str:
        """A border of one value; its sign goes around signs."""
        sides = [int(side) for side in module.padding]
        fields = {
            "padding": [sides[i : i + 2] for i in range(0, len(sides), 2)][::-1],
            "value": float(module.value),
        }
        inner = {"_channels": inputs.channels, "_rank": len(inputs.shape)}
        made = _Made(source=source, moved=("pad", {**fields, **inner}))
        return self.emit("pad", [source], path, made, **fields)

    def pooling(self, path: str, type: str, module: Any, sources: list[str], rank: int) -> str:
        if module.ceil_mode or getattr(module, "return_indices", False):
            raise self.refuse(path, f"{type} with ceil_mode")
        fields = {**self.window(path, module), "groups": 1}
        if type.startswith("MaxPool"):
            made = self.made[sources[0]]
            moved = _Made(made.kind, sources[0], None, ("max_pool", fields), made.terms, made.node)
            if made.kind == "sum":
                # The largest of whole numbers is one: what follows still finds its threshold among them.
                moved = moved._replace(moved=None, source="")
            return self.emit("max_pool", sources, path, moved, **fields)
        if any(fields["padding"]) and not module.count_include_pad:
            raise self.refuse(path, f"{type} with count_include_pad off")
        if getattr(module, "divisor_override", None):
            raise self.refuse(path, f"{type} with divisor_override")
        return self.emit("average_pool", sources, path, **fields)

    def window(self, path: str, module: Any) -> dict[str, Any]:
        """Kernel, stride, padding and dilation, one number per dimension."""
        digits = [int(c) for c in type(module).__name__ if c.isdigit()]
        dims = digits[0]

        def each(value: Any) -> list[int]:
            return [int(v) for v in value] if isinstance(value, tuple | list) else [int(value)] * dims

        kernel, dilation = each(module.kernel_size), each(getattr(module, "dilation", 1))
        padding = module.padding
        if padding == "valid":
            padding = 0
        elif padding == "same":
            reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
            if any(r % 2 for r in reach):
                raise self.refuse(path, "“same” padding of an even window")
            padding = [r // 2 for r in reach]
        return {
            "kernel_size": kernel,
            "stride": each(module.stride),
            "padding": each(padding),
            "dilation": dilation,
        }

    def activation(self, path: str, type: str, module: Any, source: str, rank: int) -> str:
        fields: dict[str, Any] = {}
        op = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}.get(type, "")
        monotone = True
        if type == "LeakyReLU":
            op, fields, monotone = "leaky_relu", {"slope": module.negative_slope}, module.negative_slope >= 0
        elif type in ("Hardtanh", "ReLU6"):
            op, fields = "clip", {"lo": float(module.min_val), "hi": float(module.max_val)}
        elif type == "Softmax":
            op, fields, monotone = "softmax", {"dim": module.dim}, False
        if not op:
            raise self.refuse(path, type)
        made = self.chained(source, module) if monotone else None
        return self.emit(op, [source], path, made, **fields)


# ---------------------------------------------------------------------------- numbers


def _all_ones(size: Any) -> bool:
    return all(side == 1 for side in (size if isinstance(size, tuple | list) else (size,)))


def _signs_and_scale(weight: Tensor) -> tuple[Tensor, Tensor | None] | None:
    """The signs [out x K] of a weight that is ±a_c, and a (None where all are 1); None if it is another."""
    flat = weight.flatten(1)
    scale = flat[:, 0].abs()
    if not bool((flat.abs() == scale[:, None]).all()) or not bool((scale > 0).all()):
        return None
    return flat >= 0, None if bool((scale == 1).all()) else scale.clone()


def bisect(positive: Callable[[Tensor], Tensor], channels: int, far: int) -> tuple[Tensor, Tensor, Tensor]:
    """Where a monotone condition changes between −far and far, per channel.

    Parameters
    ----------
    positive
        Takes int64 keys [channels] and says for each whether the condition holds.
    channels
        How many.
    far
        The largest key.

    Returns
    -------
    tuple
        (low, high, rising): neighbours between which it changes, and whether it holds above. Where it
        always holds, `high` is −far and `rising` true; where it never does, `high` is far + 1.
    """
    low = torch.full((channels,), -far, dtype=torch.int64)
    high = torch.full((channels,), far, dtype=torch.int64)
    at_low, at_high = positive(low), positive(high)
    constant = at_low == at_high
    rising = at_high | constant
    while bool((high - low > 1).any()):
        middle = (low + high) // 2
        below = positive(middle) == at_low
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    high = torch.where(constant, torch.where(at_low, -far, far + 1), high)
    return low, high, rising


def _keys(values: Tensor) -> Tensor:
    """Floats to whole numbers in the same order."""
    bits = values.float().view(torch.int32).long()
    return torch.where(bits >= 0, bits, -(bits & 0x7FFFFFFF))


def _floats(keys: Tensor) -> Tensor:
    """The inverse of :func:`_keys`."""
    bits = torch.where(keys >= 0, keys, -keys - (1 << 31))
    return bits.to(torch.int32).view(torch.float32)
