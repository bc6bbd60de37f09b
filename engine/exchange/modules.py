"""From a module of torch.nn back to the layer that it is, with its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.catalog import LAYERS, Layer

if TYPE_CHECKING:
    from engine.exchange.recording import Recorder, Source

#: Layers of ours that are named as a class of torch.nn without being it.
_OURS = frozenset({"Parameter"})
#: Layers that work value by value or on the last dimension, so that a row for all examples may pass.
_FOR_ALL = frozenset({"Linear", "Embedding", "Dropout", "Identity", "LayerNorm", "RMSNorm"})


def layer_of(module: nn.Module) -> str | None:
    """The layer that `module` is; None for a user's module, and for those that merely hold others."""
    for kind in type(module).__mro__:
        if kind.__module__.startswith("torch.nn.modules."):
            name = kind.__name__
            known = name in LAYERS and name not in _OURS
            return name if known and type(module).forward is kind.forward else None  # type: ignore[attr-defined]
    return None


def fields_of(module: nn.Module, layer: Layer) -> dict[str, Any]:
    """The fields of `layer` as `module` has them."""
    special = _SPECIAL.get(layer.id, {})
    found: dict[str, Any] = {}
    for field in layer.fields:
        if field.name in special:
            found[field.name] = special[field.name](module)
        elif field.name == "bias" and not isinstance(getattr(module, "bias", None), bool):
            found["bias"] = getattr(module, "bias", None) is not None
        elif hasattr(module, field.name):
            found[field.name] = getattr(module, field.name)
    return found


def plain(layer: Layer, fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` as a file holds them, without those that say what is assumed anyway."""
    kept = {}
    for field in layer.fields:
        if field.name not in fields:
            continue
        value = fields[field.name]
        if isinstance(value, tuple | torch.Size):
            value = list(value)
        if field.kind == "shape" and isinstance(value, int):
            value = [value]
        if isinstance(value, list) and field.kind == "size" and len(set(map(str, value))) == 1:
            value = value[0]
        if field.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if field.required or field.check(value) or field.canonical(value) != field.canonical(field.default):
            kept[field.name] = value
    if kept.get("stride") is not None and "Pool" in layer.id and kept["stride"] == kept.get("kernel_size"):
        del kept["stride"]
    return kept


_ATTENTION: dict[str, Callable[[Any], Any]] = {
    "bias": lambda m: m.in_proj_bias is not None,
    "add_bias_kv": lambda m: m.bias_k is not None,
}
_TRANSFORMER: dict[str, Callable[[Any], Any]] = {
    "nhead": lambda m: m.self_attn.num_heads,
    "dim_feedforward": lambda m: m.linear1.out_features,
    "dropout": lambda m: m.dropout.p,
    "activation": lambda m: _activation_name(m.activation),
    "layer_norm_eps": lambda m: m.norm1.eps,
    "bias": lambda m: m.linear1.bias is not None,
}
_SPECIAL: dict[str, dict[str, Callable[[Any], Any]]] = {
    "LayerNorm": {"dims": lambda m: len(m.normalized_shape)},
    "RMSNorm": {"dims": lambda m: len(m.normalized_shape)},
    "MultiheadAttention": _ATTENTION,
    "TransformerEncoderLayer": _TRANSFORMER,
    "TransformerDecoderLayer": _TRANSFORMER,
    "Upsample": {"scale_factor": lambda m: one_factor(m.scale_factor)},
}


def _activation_name(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__).lower()
    return "gelu" if function is F.gelu else name


def one_factor(value: Any) -> Any:
    """A scale factor that may be given per dimension, as the one number that it then is."""
    if isinstance(value, tuple | list):
        return float(value[0]) if len(set(value)) == 1 else value
    return value


def note(recorder: Recorder, module: Any, type: str, path: str, args: Any, kwargs: Any, result: Any) -> None:
    """Record a call of `module`, which is a layer of `type`.

    Raises
    ------
    Unsupported
        If it was called in a way that the layer does not know.
    """
    from engine.exchange.recording import Source, Unsupported, flat

    layer = LAYERS[type]
    ports = [port.name for port in layer.inputs]
    given = {"output_size", "attn_mask", "key_padding_mask", "src_mask", "src_key_padding_mask", "mask"}
    for name, value in kwargs.items():
        if name in given and value is not None:
            raise Unsupported(f"it is given {name}")
        if name == "is_causal" and value:
            raise Unsupported("it is given is_causal")
    if getattr(module, "return_indices", False):
        raise Unsupported("it returns indices")
    tensors = [t for t in flat(args) if t is not None] + [
        kwargs[name] for name in (*ports, "hx", "src") if isinstance(kwargs.get(name), Tensor)
    ]
    if len(tensors) > len(ports):
        raise Unsupported(f"it is called with {len(tensors)} tensors")
    if layer.group == "Recurrent":
        tensors = [*tensors[:1], *(t for t in tensors[1:] if recorder.flow(t) or bool(t.any()))]
    batch_second = getattr(_rules(module), "batch_first", True) is False
    if batch_second:
        # The layer takes the batch first; states and results of a recurrent one stay as torch has them.
        count = 1 if layer.group == "Recurrent" else len(tensors)
        for number, tensor in enumerate(tensors[:count]):
            source, order = recorder.order(tensor)
            turned = recorder.keep(tensor.transpose(0, 1))
            recorder.permuted(turned, source, [order[1], order[0], *order[2:]])
            tensors[number] = turned
    known = recorder.flow(tensors[0])
    # What works along the last dimension alone does not mind where the batch is.
    moved = known.moved if known is not None and (type in _FOR_ALL or layer.is_activation) else ()
    if known is not None and moved and moved[-1] == len(moved) - 1 and "dim" not in vars(module):
        made = recorder.add(
            type, fields_of(module, layer), {ports[0]: known.source}, path=path, state=_state(module)
        )
        recorder.permuted(result, Source(made, made.outputs[0]), moved)
        return
    flow = recorder.of(tensors[0])
    passes = flow.lifted and (type in _FOR_ALL or layer.is_activation)
    inputs: dict[str, Source] = {
        port: flow.source if passes else recorder.exact(tensor)
        for port, tensor in zip(ports, tensors, strict=False)
    }
    made = recorder.add(type, fields_of(module, layer), inputs, path=path, state=_state(module))
    results = flat(result)
    recorder.give(made, results, lifted=passes)
    if batch_second and results[0] is not None:
        recorder.permuted(results[0], Source(made, made.outputs[0]), [1, 0, *range(2, results[0].dim())])


def _state(module: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that its state_dict has, themselves."""
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: state[name] for name in module.state_dict()}


def _rules(module: Any) -> Any:
    """The module that says whether the batch comes first."""
    return getattr(module, "self_attn", module)
