"""Which layer a function of torch is: ``F.relu``, ``x + y``, ``x.view(…)``, ``x[:, 0]``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.catalog import LAYERS
from engine.exchange.modules import one_factor
from engine.exchange.recording import Made, Recorder, Source, Unsupported, flat

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
        _turned(recorder, x, [*range(x.dim() - 2), x.dim() - 1, x.dim() - 2], result)
    elif result is not x:
        _unchanged(recorder, x, result)


# ---------------------------------------------------------------------------- single functions


def _view(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    x = args[0]
    flow = recorder.of(x)
    if flow.lifted:
        if list(result.shape) == [1, *x.shape]:
            recorder.know(result, flow.source)
            return
        raise Unsupported(f"of a tensor of shape {list(x.shape)} that is the same for all examples")
    if result.shape == x.shape:
        recorder.know(result, recorder.exact(x))
        return
    if result.dim() == 0 or result.shape[0] != x.shape[0]:
        raise Unsupported(
            f"from {list(x.shape)} to {list(result.shape)}, which mixes the batch with the rest"
        )
    if result.dim() == 2:
        made = recorder.add("Flatten", {}, {"input": recorder.exact(x)})
    else:
        made = recorder.add("Reshape", {"shape": list(result.shape[1:])}, {"input": recorder.exact(x)})
    recorder.give(made, result)


def _permute(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    dims = kwargs.get("dims", args[1:])
    _turned(recorder, args[0], dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims, result)


def _transpose(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    x = args[0]
    first, second = (*args[1:], *(kwargs[name] for name in ("dim0", "dim1") if name in kwargs))
    order = list(range(x.dim()))
    order[first], order[second] = order[second], order[first]
    _turned(recorder, x, order, result)


def _turned(recorder: Recorder, x: Tensor, dims: Sequence[int], result: Tensor) -> None:
    source, order = recorder.order(x)
    recorder.permuted(result, source, [order[dim] for dim in dims])


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


def _join(type: str) -> Callable[..., None]:
    def handle(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        parts = list(args[0] if args else kwargs["tensors"])
        dim = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
        flows = [recorder.flow(part) for part in parts]
        if type == "Concat" and len(parts) == 2 and dim == 1 and flows[0] is not None and flows[0].repeated:
            token = flows[0].source.made
            if token.type == "Parameter" and list(token.fields["shape"][:-1]) == [1]:
                recorder.made.remove(token)
                made = recorder.add("ClassToken", {}, {"input": recorder.exact(parts[1])}, word=token.word)
                made.state["weight"] = token.state["weight"].reshape(-1)
                recorder.give(made, result)
                return
        inputs = {str(number): recorder.exact(part) for number, part in enumerate(parts)}
        recorder.give(recorder.add(type, {"dim": dim}, inputs), result)

    return handle


def _split(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    dim = args[2] if len(args) > 2 else kwargs.get("dim", 0)
    sizes = [part.shape[dim] for part in result]
    made = recorder.add("Split", {"split_size": sizes, "dim": dim}, {"input": recorder.exact(args[0])})
    recorder.give(made, result)


def _unbind(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
    dim = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    source, order = recorder.order(args[0])
    at = order[dim]
    rest = [d - (d > at) for d in order if d != at]
    for index, part in enumerate(result):
        made = recorder.add("Select", {"dim": at, "index": index}, {"input": source})
        recorder.permuted(part, Source(made, "output"), rest)


def _item(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
    """``x[:, 0]``, ``x[..., 1:3]``, ``x[:, None]``: selections, slices and new dimensions, one by one."""
    x, index = args
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(isinstance(part, Tensor | list) for part in parts):
        raise Unsupported("by a list of places")
    known = sum(part is not None and part is not Ellipsis for part in parts)
    if any(part is Ellipsis for part in parts):
        at = next(i for i, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (x.dim() - known)
    moved = recorder.flow(x)
    if moved is not None and moved.moved and isinstance(parts[0], int):
        # The batch has been moved behind what is picked here: pick it where it was.
        at = moved.moved[0]
        made = recorder.add("Select", {"dim": at, "index": parts[0]}, {"input": moved.source})
        picked = result if len(parts) == 1 else recorder.keep(x[parts[0]])
        recorder.permuted(picked, Source(made, "output"), [d - (d > at) for d in moved.moved[1:]])
        if len(parts) > 1:
            _item(recorder, (picked, tuple(parts[1:])), kwargs, result)
        return
    flow = recorder.of(x)
    if flow.lifted and parts[:1] == [None] and all(part == slice(None) for part in parts[1:]):
        recorder.know(result, flow.source)
        return
    source, dim = recorder.exact(x), 0
    sizes = list(x.shape)
    for part in parts:
        cut: Made | None = None
        if part is None:
            cut = recorder.add("Unsqueeze", {"dim": dim}, {"input": source})
            sizes.insert(dim, 1)
            dim += 1
        elif isinstance(part, slice):
            begin, end, step = part.indices(sizes[dim])
            if (begin, end, step) != (0, sizes[dim], 1):
                fields = {"dim": dim, "start": part.start or 0, "end": part.stop, "step": step}
                cut = recorder.add("Slice", fields, {"input": source})
                sizes[dim] = len(range(begin, end, step))
            dim += 1
        else:
            cut = recorder.add("Select", {"dim": dim, "index": int(part)}, {"input": source})
            del sizes[dim]
        if cut is not None:
            source = Source(cut, "output")
    recorder.know(result, source)


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


def _weighted(type: str, names: tuple[str, ...]) -> Callable[..., None]:
    """Functions that are given their weights: ``F.linear(x, weight, bias)``."""

    def handle(recorder: Recorder, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Tensor) -> None:
        given = dict(zip(names, args, strict=False)) | dict(kwargs)
        state = {
            name: given[name]
            for name in ("weight", "bias", "running_mean", "running_var")
            if given.get(name) is not None
        }
        if any(recorder.flow(tensor) is not None for tensor in state.values()):
            raise Unsupported("with weights that are computed")
        x, weight = given["input"], state.get("weight")
        fields: dict[str, Any] = {}
        kind = type
        if type in ("Linear", "Embedding"):
            assert weight is not None
            if type == "Linear":
                fields = {"out_features": weight.shape[0], "bias": "bias" in state}
            else:
                fields = {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1]}
                fields["padding_idx"] = given.get("padding_idx")
        elif type == "Conv":
            assert weight is not None
            kind = f"Conv{weight.dim() - 2}d"
            fields = {
                name: given[name] for name in ("stride", "padding", "dilation", "groups") if name in given
            }
            fields |= {
                "out_channels": weight.shape[0],
                "kernel_size": list(weight.shape[2:]) if weight.dim() > 3 else weight.shape[2],
                "bias": "bias" in state,
            }
        elif type == "LayerNorm":
            fields = {"dims": len(given["normalized_shape"]), "eps": given.get("eps", 1e-5)}
            fields |= {"elementwise_affine": weight is not None, "bias": "bias" in state}
        elif type == "GroupNorm":
            fields = {"num_groups": given["num_groups"], "eps": given.get("eps", 1e-5)}
            fields["affine"] = weight is not None
        else:
            if "running_mean" not in state:
                raise Unsupported("by the batch's own statistics")
            kind = f"BatchNorm{max(1, x.dim() - 2)}d"
            fields = {"eps": given.get("eps", 1e-5), "affine": weight is not None}
            state["num_batches_tracked"] = torch.tensor(0)
        flow = recorder.of(x)
        passes = flow.lifted and type in ("Linear", "Embedding", "LayerNorm")
        source = flow.source if passes else recorder.exact(x)
        word = recorder.name_of(weight) if weight is not None else None
        made = recorder.add(kind, fields, {"input": source}, word=word or kind.lower(), state=state)
        recorder.give(made, result, passes)

    return handle


_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_HANDLERS: dict[str, Callable[..., None]] = {
    "view": _view,
    "reshape": _view,
    "view_as": _view,
    "permute": _permute,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "matmul": _matmul,
    "bmm": _matmul,
    "rmatmul": _matmul_reversed,
    "cat": _join("Concat"),
    "concat": _join("Concat"),
    "concatenate": _join("Concat"),
    "stack": _join("Stack"),
    "split": _split,
    "unbind": _unbind,
    "getitem": _item,
    "neg": _negative,
    "pow": _power,
    "square": _power,
    "masked_fill": _masked_fill,
    "scaled_dot_product_attention": _attention,
    "pad": _pad,
    "linear": _weighted("Linear", ("input", "weight", "bias")),
    "conv1d": _weighted("Conv", _CONV),
    "conv2d": _weighted("Conv", _CONV),
    "conv3d": _weighted("Conv", _CONV),
    "embedding": _weighted("Embedding", ("input", "weight", "padding_idx")),
    "layer_norm": _weighted("LayerNorm", ("input", "normalized_shape", "weight", "bias", "eps")),
    "group_norm": _weighted("GroupNorm", ("input", "num_groups", "weight", "bias", "eps")),
    "batch_norm": _weighted(
        "BatchNorm", ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
    ),
}
