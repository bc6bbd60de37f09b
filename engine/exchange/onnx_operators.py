"""What ONNX's operators are in torch: functions of the tensors and the operator's attributes.

Each is called with the node's inputs (None where one is left out) and its attributes by name, and
does what https://onnx.ai/onnx/operators says. Layers with weights are in
:mod:`engine.exchange.onnx_layers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Attributes = Mapping[str, Any]
Operator = Callable[..., Any]


class NotInTorch(Exception):
    """An operator, or a setting of one, that is not translated; the message says which."""


def numbers(value: Any) -> list[int]:
    """Whole numbers that arrive as a tensor or as an attribute."""
    return [int(v) for v in (value.reshape(-1).tolist() if isinstance(value, Tensor) else value)]


class Merged:
    """A tensor ``[N, H, …]`` whose first two dimensions were made one.

    Exporters do so around batched products; where the two are parted again, nothing has happened.
    """

    def __init__(self, whole: Tensor) -> None:
        self.whole = whole

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor as it is meant."""
        first, second, *rest = self.whole.shape
        return (first * second, *rest)

    def plain(self) -> Tensor:
        """The tensor as it is meant."""
        return self.whole.flatten(0, 1)


class Directions:
    """A recurrent layer's output ``[L, N, D · H]``, as ONNX has it: ``[L, D, N, H]``, or transposed."""

    def __init__(self, output: Tensor, count: int, transposed: bool = False) -> None:
        self.output, self.count, self.transposed = output, count, transposed

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor as it is meant."""
        length, batch, width = self.output.shape
        middle = (batch, self.count) if self.transposed else (self.count, batch)
        return (length, *middle, width // self.count)

    def plain(self) -> Tensor:
        """The tensor as it is meant."""
        parted: Tensor = self.output.unflatten(2, (self.count, -1))
        return parted if self.transposed else parted.transpose(1, 2)


def _reshape(x: Any, shape: Tensor, allowzero: int = 0) -> Any:
    wanted = numbers(shape)
    if isinstance(x, Directions) and x.transposed and len(wanted) == 3:
        return x.output
    if isinstance(x, Merged):
        sides = list(x.whole.shape)
        if len(wanted) == len(sides) and all(w in (-1, s) for w, s in zip(wanted, sides, strict=True)):
            return x.whole
        x = x.plain()
    sizes = [x.shape[i] if size == 0 and not allowzero else size for i, size in enumerate(wanted)]
    if x.dim() == 4 and len(sizes) == 3 and sizes[1:] == list(x.shape[2:]):
        return Merged(x)
    return x.reshape(sizes)


def _transpose(x: Any, perm: Sequence[int] | None = None) -> Any:
    if isinstance(x, Directions) and list(perm or ()) == [0, 2, 1, 3]:
        return Directions(x.output, x.count, not x.transposed)
    if isinstance(x, Merged) and list(perm or ()) == [0, 2, 1]:
        return Merged(x.whole.transpose(2, 3))
    x = x.plain() if isinstance(x, Merged | Directions) else x
    return x.permute(tuple(perm) if perm else tuple(reversed(range(x.dim()))))


def _squeeze(x: Any, axes: Any = None) -> Any:
    if isinstance(x, Directions):
        if axes is not None and numbers(axes) == [1] and x.count == 1 and not x.transposed:
            return x.output
        x = x.plain()
    places = [d for d in range(x.dim()) if x.shape[d] == 1] if axes is None else numbers(axes)
    for dim in sorted((place % x.dim() for place in places), reverse=True):
        x = x.squeeze(dim)
    return x


def _unsqueeze(x: Tensor, axes: Any) -> Tensor:
    places = numbers(axes)
    rank = x.dim() + len(places)
    for dim in sorted(place % rank for place in places):
        x = x.unsqueeze(dim)
    return x


def _slice(x: Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Tensor:
    begins, stops = numbers(starts), numbers(ends)
    places = list(range(len(begins))) if axes is None else numbers(axes)
    strides = [1] * len(begins) if steps is None else numbers(steps)
    index: list[slice] = [slice(None)] * x.dim()
    for begin, stop, place, step in zip(begins, stops, places, strides, strict=True):
        size = x.shape[place]
        if step < 0:
            chosen = range(size)[begin : None if stop < -size else stop : step]
            x = x.index_select(place, torch.tensor(list(chosen), dtype=torch.int64))
            continue
        index[place] = slice(max(begin, -size) or None, None if stop >= size else max(stop, -size), step)
    return x[tuple(index)]


def _at(axis: int, place: Any) -> tuple[Any, ...]:
    """An index at `place` of dimension `axis`."""
    return (*[slice(None)] * axis, place)


def _gather(x: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
    axis %= x.dim()
    if indices.dim() == 0:
        return x[_at(axis, int(indices))]
    if x.dim() == 1 or not x.is_floating_point():  # sizes and the like
        return x.index_select(axis, indices.reshape(-1)).reshape(
            *x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]
        )
    if indices.numel() == 1 and indices.dim() == 1:
        place = int(indices) % x.shape[axis]
        return x[_at(axis, slice(place, place + 1))]
    return torch.index_select(x, axis, indices.reshape(-1))


def _split(x: Tensor, split: Any = None, axis: int = 0, num_outputs: int | None = None) -> Any:
    if split is not None:
        return torch.split(x, numbers(split), dim=axis)
    count = num_outputs or 2
    return torch.split(x, -(-x.shape[axis] // count), dim=axis)


def _clip(x: Tensor, low: Any = None, high: Any = None, **older: float) -> Tensor:
    low = older.get("min") if low is None else float(low)
    high = older.get("max") if high is None else float(high)
    if low == 0 and high == 6:
        return F.relu6(x)
    if low == 0 and high is None:
        return F.relu(x)
    if low is None or high is None:
        raise NotInTorch("Clip on one side")
    return F.hardtanh(x, low, high)


def reduction(name: str) -> Operator:
    """``ReduceMean`` and its kin: axes as an attribute, or since opset 18 as an input."""

    def reduce(x: Tensor, given: Any = None, axes: Any = None, keepdims: int = 1, **more: int) -> Tensor:
        if given is None and axes is None and more.get("noop_with_empty_axes"):
            return x
        places = given if axes is None else axes
        dims = list(range(x.dim())) if places is None else [d % x.dim() for d in numbers(places)]
        function = getattr(torch.Tensor, name)
        result: Tensor = function(x, dims, bool(keepdims)) if name != "prod" else function(x)
        return result

    return reduce


def sides(pads: Sequence[int]) -> list[int]:
    """ONNX's ``[begin…, end…]`` as :func:`torch.nn.functional.pad` wants it: the last dimension first."""
    half = len(pads) // 2
    return [pad for dim in reversed(range(half)) for pad in (pads[dim], pads[dim + half])]


def same_pads(x: Tensor, kernel: Sequence[int], attributes: Attributes) -> list[int]:
    """The pads that ``auto_pad`` stands for, else those that are given."""
    dims = len(kernel)
    auto = attributes.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        return list(attributes.get("pads") or [0] * (2 * dims)) if auto == "NOTSET" else [0] * (2 * dims)
    strides = attributes.get("strides") or [1] * dims
    dilations = attributes.get("dilations") or [1] * dims
    begins, ends = [], []
    for size, window, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        total = max(0, (-(-size // stride) - 1) * stride + dilation * (window - 1) + 1 - size)
        less = total // 2
        begins.append(less if auto == "SAME_UPPER" else total - less)
        ends.append(total - begins[-1])
    return [*begins, *ends]


def _pool(kind: str) -> Operator:
    def pool(x: Tensor, **attributes: Any) -> Tensor:
        kernel = tuple(attributes["kernel_shape"])
        strides = tuple(attributes.get("strides") or [1] * len(kernel))
        pads = same_pads(x, kernel, attributes)
        half = len(kernel)
        padding: Any = tuple(pads[:half])
        counts = bool(attributes.get("count_include_pad", 0))
        if pads[:half] != pads[half:]:
            if kind == "avg" and not counts:
                raise NotInTorch("AveragePool with uneven padding that is not counted")
            x = F.pad(x, sides(pads), value=0.0 if kind == "avg" else float("-inf"))
            padding = 0
        ceil = bool(attributes.get("ceil_mode", 0))
        function = getattr(F, f"{kind}_pool{half}d")
        if kind == "max":
            dilations = tuple(attributes.get("dilations") or [1] * half)
            result: Tensor = function(x, kernel, strides, padding, dilations, ceil_mode=ceil)
            return result
        return function(x, kernel, strides, padding, ceil, counts)  # type: ignore[no-any-return]

    return pool


def _whole_pool(kind: str) -> Operator:
    def pool(x: Tensor) -> Tensor:
        found: Tensor = getattr(F, f"adaptive_{kind}_pool{x.dim() - 2}d")(x, 1)
        return found

    return pool


def _pad(x: Tensor, pads: Any = None, value: Any = None, axes: Any = None, mode: str = "constant") -> Tensor:
    given = numbers(pads)
    if axes is not None:
        places, count = [place % x.dim() for place in numbers(axes)], len(numbers(axes))
        full = [0] * (2 * x.dim())
        for number, place in enumerate(places):
            full[place], full[place + x.dim()] = given[number], given[number + count]
        given = full
    found = sides(given)
    while len(found) > 2 and found[-2:] == [0, 0]:
        found = found[:-2]
    if not any(found):
        return x
    kind = {"edge": "replicate", "reflect": "reflect", "wrap": "circular"}.get(mode, "constant")
    return F.pad(
        x, found, mode=kind, value=float(value) if value is not None and kind == "constant" else None
    )


def _resize(x: Tensor, roi: Any = None, scales: Any = None, sizes: Any = None, **attributes: Any) -> Tensor:
    mode = attributes.get("mode", "nearest")
    place = attributes.get("coordinate_transformation_mode", "half_pixel")
    kinds = {
        "nearest": "nearest",
        "linear": ("linear", "bilinear", "trilinear")[x.dim() - 3],
        "cubic": "bicubic",
    }
    if mode == "nearest" and (place, attributes.get("nearest_mode", "round_prefer_floor")) != (
        "asymmetric",
        "floor",
    ):
        whole = scales is not None and all(float(s) == int(s) for s in scales.tolist())
        if not whole:
            raise NotInTorch(f"Resize to the nearest of {place} places")
    if mode != "nearest" and place not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        raise NotInTorch(f"Resize with {place}")
    corners = None if mode == "nearest" else place == "align_corners"
    if sizes is not None and len(numbers(sizes)):
        return F.interpolate(x, size=numbers(sizes)[2:], mode=kinds[mode], align_corners=corners)
    factors = [float(factor) for factor in scales.tolist()[2:]]
    factor: Any = factors[0] if len(set(factors)) == 1 else factors
    return F.interpolate(x, scale_factor=factor, mode=kinds[mode], align_corners=corners)


def _where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    if y.numel() == 1 and x.dim() >= condition.dim() and x.numel() > 1:
        return x.masked_fill(~condition, float(y))
    if x.numel() == 1 and y.dim() >= condition.dim() and y.numel() > 1:
        return y.masked_fill(condition, float(x))
    return torch.where(condition, x, y)


def _power(x: Tensor, exponent: Tensor) -> Tensor:
    if exponent.numel() == 1 and float(exponent) == 2:
        return x**2
    return x**exponent


def _expand(x: Tensor, shape: Tensor) -> Tensor:
    wanted = numbers(shape)
    rank = max(len(wanted), x.dim())
    ones = [1] * (rank - len(wanted)) + wanted
    own = [1] * (rank - x.dim()) + list(x.shape)
    return x.expand([max(a, b) for a, b in zip(ones, own, strict=True)])


def _flatten(x: Tensor, axis: int = 1) -> Tensor:
    if axis != 1:
        raise NotInTorch(f"Flatten at dimension {axis}")
    return torch.flatten(x, 1)


def _scalar(value: Any) -> Any:
    """A lone number, so that arithmetic with it is arithmetic with a number."""
    return (
        float(value)
        if isinstance(value, Tensor) and value.dim() == 0 and value.is_floating_point()
        else value
    )


def _arithmetic(function: Callable[[Any, Any], Any]) -> Operator:
    def run(a: Tensor, b: Tensor) -> Any:
        first, second = _scalar(a), _scalar(b)
        # Of two lone numbers a tensor must stay one.
        return (
            function(a, b)
            if not isinstance(first, Tensor) and not isinstance(second, Tensor)
            else function(first, second)
        )

    return run


def _divide(a: Any, b: Any) -> Any:
    whole = isinstance(a, Tensor) and isinstance(b, Tensor) and not a.is_floating_point()
    return torch.div(a, b, rounding_mode="floor") if whole and not b.is_floating_point() else a / b


def _cast(x: Tensor, to: int, **more: Any) -> Tensor:
    return x.to(DTYPES[to])


def _triangle(x: Tensor, k: Any = None, upper: int = 1) -> Tensor:
    return (torch.triu if upper else torch.tril)(x, 0 if k is None else int(k))


def _filled(shape: Tensor, value: Any = None) -> Tensor:
    return torch.zeros(numbers(shape)) if value is None else value.new_full(numbers(shape), value.item())


#: ONNX's numbers of element types.
DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64,
    9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip


def _softmax(x: Tensor, axis: int = -1) -> Tensor:
    return torch.softmax(x, axis)


OPERATORS: dict[str, Operator] = {
    "Identity": lambda x: x,
    "Dropout": lambda x, *_, **__: x,
    "Cast": _cast,
    "Relu": F.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "Mish": F.mish,
    "Softsign": F.softsign,
    "Softplus": F.softplus,
    "Selu": lambda x, **_: F.selu(x),
    "Elu": lambda x, alpha=1.0: F.elu(x, alpha),
    "Celu": lambda x, alpha=1.0: F.celu(x, alpha),
    "LeakyRelu": lambda x, alpha=0.01: F.leaky_relu(x, alpha),
    "HardSwish": F.hardswish,
    "HardSigmoid": lambda x, **_: F.hardsigmoid(x),
    "Gelu": lambda x, approximate="none": F.gelu(x, approximate=approximate),
    "Swish": lambda x, **_: F.silu(x),
    "Clip": _clip,
    "Softmax": _softmax,
    "LogSoftmax": lambda x, axis=-1: torch.log_softmax(x, axis),
    "Add": _arithmetic(lambda a, b: a + b),
    "Sub": _arithmetic(lambda a, b: a - b),
    "Mul": _arithmetic(lambda a, b: a * b),
    "Div": _arithmetic(_divide),
    "Neg": lambda x: -x,
    "Pow": _power,
    "Sqrt": torch.sqrt,
    "Exp": torch.exp,
    "Log": torch.log,
    "Abs": torch.abs,
    "Erf": torch.erf,
    "Reciprocal": lambda x: 1 / x,
    "MatMul": torch.matmul,
    "Einsum": lambda *xs, equation: torch.einsum(equation, *xs),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Concat": lambda *xs, axis: torch.cat(xs, dim=axis),
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Expand": _expand,
    "Pad": _pad,
    "Resize": _resize,
    "DepthToSpace": lambda x, blocksize, mode="DCR": _depth_to_space(x, blocksize, mode),
    "MaxPool": _pool("max"),
    "AveragePool": _pool("avg"),
    "GlobalAveragePool": _whole_pool("avg"),
    "GlobalMaxPool": _whole_pool("max"),
    "ReduceMean": reduction("mean"),
    "ReduceSum": reduction("sum"),
    "ReduceMax": reduction("amax"),
    "ReduceMin": reduction("amin"),
    "ReduceLogSumExp": reduction("logsumexp"),
    "ReduceProd": reduction("prod"),
    "Where": _where,
    "Equal": torch.eq,
    "Less": torch.lt,
    "Greater": torch.gt,
    "LessOrEqual": torch.le,
    "GreaterOrEqual": torch.ge,
    "Not": torch.logical_not,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "Max": lambda *xs: torch.maximum(*xs),
    "Min": lambda *xs: torch.minimum(*xs),
    "Trilu": _triangle,
    "Range": lambda start, limit, delta: torch.arange(start.item(), limit.item(), delta.item()),
    "Shape": lambda x, start=0, end=None: torch.tensor(list(x.shape)[start:end]),
    "Size": lambda x: torch.tensor(x.numel()),
    "ConstantOfShape": _filled,
    "CastLike": lambda x, like, **_: x.to(like.dtype),
}  # fmt: skip


def _depth_to_space(x: Tensor, blocksize: int, mode: str) -> Tensor:
    if mode != "CRD":
        raise NotInTorch("DepthToSpace in the order DCR")
    return F.pixel_shuffle(x, blocksize)


#: Operators that understand values which are not plain tensors.
KNOWING = frozenset({"Reshape", "Transpose", "Squeeze", "Shape", "Identity"})
