"""Which layer a function of torch is: ``F.relu``, ``x + y``, ``x.view(…)``, ``x[:, 0]``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.catalog import LAYERS
from engine.exchange import rearranging, weighted
from engine.exchange.modules import one_factor
from engine.exchange.rearranging import turned
from engine.exchange.recording import Recorder, Source, Unsupported, flat

#: Function -> layer, and the arguments behind the input that are its fields.
_LAYERS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (layer, ())
        for name, layer in {
            "relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "Tanh", "silu": "SiLU", "mish": "Mish",
            "relu6": "ReLU6", "hardswish": "Hardswish", "hardsigmoid": "Hardsigmoid", "selu": "SELU",
            "softsign": "Softsign", "tanhshrink": "Tanhshrink", "logsigmoid": "LogSigmoid",
        }.items()
    },
    "gelu": ("GELU", ("approximate",)),
    "leaky_relu": ("LeakyReLU", ("negative_slope",)),
    "elu": ("ELU", ("alpha",)),
    "celu": ("CELU", ("alpha",)),
    "glu": ("GLU", ("dim",)),
    "softplus": ("Softplus", ("beta", "threshold")),
    "hardtanh": ("Hardtanh", ("min_val", "max_val")),
    "softmax": ("Softmax", ("dim",)),
    "log_softmax": ("LogSoftmax", ("dim",)),
    "dropout": ("Dropout", ("p",)),
    "dropout2d": ("Dropout2d", ("p",)),
    "pixel_shuffle": ("PixelShuffle", ("upscale_factor",)),
    "interpolate": ("Upsample", ("size", "scale_factor", "mode", "align_corners")),
    "flatten": ("Flatten", ("start_dim", "end_dim")),
    "unflatten": ("Unflatten", ("dim", "unflattened_size")),
    "unsqueeze": ("Unsqueeze", ("dim",)),
    "squeeze": ("Squeeze", ("dim",)),
    "select": ("Select", ("dim", "index")),
    "chunk": ("Chunk", ("chunks", "dim")),
    "mean": ("Mean", ("dim", "keepdim")),
    "sum": ("Sum", ("dim", "keepdim")),
    "amax": ("Max", ("dim", "keepdim")),
    "max": ("Max", ("dim", "keepdim")),
    "amin": ("Min", ("dim", "keepdim")),
    "min": ("Min", ("dim", "keepdim")),
    "logsumexp": ("LogSumExp", ("dim", "keepdim")),
    **{
        f"{kind}_pool{dims}d": (f"{layer}{dims}d", fields)
        for dims in (1, 2, 3)
        for kind, layer, fields in (
            ("max", "MaxPool", ("kernel_size", "stride", "padding", "dilation", "ceil_mode")),
            ("avg", "AvgPool", ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")),
            ("adaptive_avg", "AdaptiveAvgPool", ("output_size",)),
            ("adaptive_max", "AdaptiveMaxPool", ("output_size",)),
        )
    },
}  # fmt: skip
#: What torch's function assumes where the layer assumes something else.
_ASSUMED: dict[str, dict[str, Any]] = {"flatten": {"start_dim": 0}, "chunk": {"dim": 0}}
#: Value by value, so that a row for all examples may pass.
_BY_VALUE = frozenset({"ReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Dropout"})
_ARITHMETIC = {
    "add": "Add", "sub": "Subtract", "subtract": "Subtract", "mul": "Multiply", "multiply": "Multiply",
    "div": "Divide", "divide": "Divide", "truediv": "Divide", "true_divide": "Divide",
}  # fmt: skip
_UNCHANGED = frozenset(
    "contiguous clone detach to float type type_as cpu cuda double_ requires_grad_ alias".split()
)
#: Give tensors that say nothing of the input's values.
_FRESH = frozenset(
    "new_zeros new_ones new_full new_empty new_tensor zeros_like ones_like full_like empty_like "
    "size stride dim numel __len__ is_floating_point shape".split()
)
#: Rearrange a parameter, which is then learned as it comes out.
_REARRANGED = frozenset(
    "view reshape unsqueeze squeeze expand expand_as flatten contiguous to float type repeat "
    "getitem view_as permute transpose".split()
)


def note(
    recorder: Recorder,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    tensors: Sequence[Tensor],
    result: Any,
) -> None:
    """Record one call of `func`; what is no layer becomes a node of unknown type, and is said."""
    results = [tensor for tensor in flat(result) if tensor is not None]
    name = _name(func)
    if not results or name in _FRESH:
        return
    try:
        if not any(recorder.flow(tensor) for tensor in tensors) and _of_parameter(
            recorder, name, tensors, results
        ):
            return
        handler = _HANDLERS.get(name)
        if name == "get":
            _attribute(recorder, func, args[0], result)
        elif handler is not None:
            handler(recorder, args, kwargs, result)
        elif name in _ARITHMETIC:
            _arithmetic(recorder, _ARITHMETIC[name], args[0], args[1], kwargs, result)
        elif name.startswith("r") and name[1:] in _ARITHMETIC:
            _arithmetic(recorder, _ARITHMETIC[name[1:]], args[1], args[0], kwargs, result)
        elif name in _UNCHANGED:
            _unchanged(recorder, args[0], result)
        elif name in _LAYERS:
            _layer(recorder, name, args, kwargs, result)
        else:
            raise Unsupported("")
    except Unsupported as reason:
        path = recorder.scope[-1] if recorder.scope else ""
        recorder.refuse(name, str(reason), tensors, result, path)
    except (TypeError, ValueError, LookupError, AttributeError):
        # Arguments that none of the above expects: no reason to end, since the node can say so.
        path = recorder.scope[-1] if recorder.scope else ""
        recorder.refuse(name, "called in a way that is not known", tensors, result, path)


def _name(func: Any) -> str:
    """``add`` for ``torch.add``, ``x + y``, ``x += y`` and ``x.add_(y)``."""
    name = str(getattr(func, "__name__", ""))
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
        if name.startswith("i") and name[1:] in (*_ARITHMETIC, "matmul"):
            name = name[1:]
    return name.rstrip("_") if not name.startswith("_") else name


def _of_parameter(recorder: Recorder, name: str, tensors: Sequence[Tensor], results: list[Tensor]) -> bool:
    """Whether this merely rearranges a parameter."""
    if name not in _REARRANGED or len(tensors) != 1:
        return False
    (parameter,), (result,) = tensors, results[:1]
    if result is parameter:
        return True
    if name in ("expand", "repeat") and result.shape[0] == recorder.batch and parameter.shape[0] == 1:
        if result.shape[1:] == parameter.shape[1:]:
            source = recorder.exact(parameter)
            recorder.know(result, source, repeated=True)
            return True
        return False
    if result.numel() == parameter.numel():
        recorder.reshaped(parameter, result)
        return True
    return False


# ---------------------------------------------------------------------------- general forms


def _layer(
    recorder: Recorder, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
) -> None:
    type, names = _LAYERS[name]
    given = dict(zip(names, args[1:], strict=False)) | {k: v for k, v in kwargs.items() if k in names}
    given = _ASSUMED.get(name, {}) | {k: v for k, v in given.items() if v is not None}
    layer = LAYERS[type]
    x = args[0] if args else kwargs["input"]
    if type == "Upsample":
        given["scale_factor"] = one_factor(given.get("scale_factor"))
        given = {k: v for k, v in given.items() if v is not None}
        if kwargs.get("antialias") or kwargs.get("recompute_scale_factor"):
            raise Unsupported("antialias and recompute_scale_factor")
    if name in ("max", "min", "mean", "sum") and "dim" not in given:
        given["dim"] = list(range(x.dim()))
    if any(isinstance(value, Tensor) for value in given.values()):
        raise Unsupported("of two tensors")
    missing = [f.name for f in layer.fields if f.required and f.name not in given]
    if missing:
        raise Unsupported(f"without {missing[0]}")
    flow = recorder.of(x)
    passes = flow.lifted and type in _BY_VALUE
    source = flow.source if passes else recorder.exact(x)
    made = recorder.add(type, given, {"input": source}, word=_word(name))
    recorder.give(
        made, result[0] if name in ("max", "min") and not isinstance(result, Tensor) else result, passes
    )


def _word(name: str) -> str:
    return {"max": "max", "amax": "max", "adaptive_avg_pool2d": "avgpool", "max_pool2d": "maxpool"}.get(
        name, name
    )


def _arithmetic(
    recorder: Recorder, type: str, first: Any, second: Any, kwargs: Mapping[str, Any], result: Tensor
) -> None:
    if kwargs.get("alpha", 1) != 1 or kwargs.get("rounding_mode"):
        raise Unsupported("with alpha or rounding_mode")
    rank = result.dim()
    orders = {flow.moved for x in (first, second) if isinstance(x, Tensor)
              and x.dim() and (flow := recorder.flow(x)) is not None}  # fmt: skip
    plain = [x for x in (first, second) if isinstance(x, Tensor) and recorder.flow(x) is None and x.dim()]
    if len(orders) == 1 and not plain and (order := orders.pop()):
        # Both have the batch in the same other place, where it may stay.
        sources = [
            flow.source
            if isinstance(x, Tensor) and (flow := recorder.flow(x))
            else recorder.stretched(x, rank)
            for x in (first, second)
        ]
        made = recorder.add(type, {}, dict(zip(("input", "other"), sources, strict=True)), word=type.lower())
        recorder.permuted(result, Source(made, "output"), order)
        return
    inputs = {"input": recorder.stretched(first, rank + 1), "other": recorder.stretched(second, rank + 1)}
    lifted = [isinstance(x, Tensor) and recorder.of(x).lifted for x in (first, second)
              if isinstance(x, Tensor) and recorder.flow(x)]  # fmt: skip
    if not all(lifted):
        for x in (first, second):
            if isinstance(x, Tensor) and (flow := recorder.flow(x)) and flow.lifted and x.dim() >= rank:
                raise Unsupported(f"a tensor of shape {list(x.shape)} that is the same for all examples")
    made = recorder.add(type, {}, inputs, word=type.lower())
    recorder.give(made, result, lifted=bool(lifted) and all(lifted))


def _unchanged(recorder: Recorder, x: Tensor, result: Tensor) -> None:
    if result.dtype != x.dtype:
        raise Unsupported(f"from {x.dtype} to {result.dtype}")
    known = recorder.flow(x)
    if known is not None and known.moved:
        recorder.permuted(result, known.source, known.moved)
        return
    flow = recorder.of(x)
    recorder.know(result, flow.source, flow.lifted, flow.repeated)


def _attribute(recorder: Recorder, func: Any, x: Tensor, result: Any) -> None:
    if func in (torch.Tensor.T.__get__, torch.Tensor.mT.__get__):  # type: ignore[attr-defined]
        turned(recorder, x, [*range(x.dim() - 2), x.dim() - 1, x.dim() - 2], result)
    elif result is not x:
        _unchanged(recorder, x, result)


# ---------------------------------------------------------------------------- single functions


def _matmul(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    first, second = args[0], args[1] if len(args) > 1 else kwargs["other"]
    if min(first.dim(), second.dim()) < 2:
        raise Unsupported("with a vector")
    inputs = {
        "input": recorder.stretched(first, result.dim()),
        "other": recorder.stretched(second, result.dim()),
    }
    recorder.give(recorder.add("MatMul", {}, inputs), result)


def _matmul_reversed(
    recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor
) -> None:
    _matmul(recorder, (args[1], args[0]), kwargs, result)


def _negative(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    _arithmetic(recorder, "Multiply", args[0], -1.0, {}, result)


def _power(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    exponent = args[1] if len(args) > 1 else kwargs.get("exponent", 2)
    if exponent != 2:
        raise Unsupported(f"to {exponent}")
    _arithmetic(recorder, "Multiply", args[0], args[0], {}, result)


def _masked_fill(
    recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor
) -> None:
    """A fixed mask: what is hidden by −∞ is that added; by other numbers, a product and a sum."""
    x, mask = args[0], args[1] if len(args) > 1 else kwargs["mask"]
    value = float(args[2] if len(args) > 2 else kwargs["value"])
    if recorder.flow(mask) is not None:
        raise Unsupported("with a mask that depends on the input")
    if math.isinf(value):
        hidden = torch.zeros(mask.shape).masked_fill(mask, value)
        _arithmetic(recorder, "Add", x, hidden, {}, result)
        return
    kept = (~mask).float()
    passing = x * kept
    _arithmetic(recorder, "Multiply", x, kept, {}, passing)
    _arithmetic(recorder, "Add", passing, mask.float() * value, {}, result)


def _attention(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    if given.get("attn_mask") is not None or given.get("enable_gqa"):
        raise Unsupported("with attn_mask or enable_gqa")
    inputs = {port: recorder.exact(given[port]) for port in ("query", "key", "value")}
    fields = {"is_causal": bool(given.get("is_causal", False)), "scale": given.get("scale")}
    recorder.give(recorder.add("ScaledDotProductAttention", fields, inputs, word="attention"), result)


def _pad(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    names = ("input", "pad", "mode", "value")
    given = dict(zip(names, args, strict=False)) | dict(kwargs)
    mode, sides, x = given.get("mode", "constant"), list(given["pad"]), given["input"]
    kinds = {
        "constant": "Constant",
        "reflect": "Reflection",
        "replicate": "Replication",
        "circular": "Circular",
    }
    dims = x.dim() - 2
    if mode not in kinds or len(sides) > 2 * dims or dims < 1:
        raise Unsupported(f"of {list(x.shape)} by {sides} ({mode})")
    fields: dict[str, Any] = {"padding": sides + [0] * (2 * dims - len(sides))}
    if mode == "constant":
        fields["value"] = float(given.get("value") or 0.0)
    recorder.give(recorder.add(f"{kinds[mode]}Pad{dims}d", fields, {"input": recorder.exact(x)}), result)


_HANDLERS: dict[str, Callable[..., None]] = {
    **rearranging.HANDLERS,
    **weighted.HANDLERS,
    "matmul": _matmul,
    "bmm": _matmul,
    "rmatmul": _matmul_reversed,
    "neg": _negative,
    "pow": _power,
    "square": _power,
    "masked_fill": _masked_fill,
    "scaled_dot_product_attention": _attention,
    "pad": _pad,
}
