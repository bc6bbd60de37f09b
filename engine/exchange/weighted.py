"""Functions that are given their weights, told as the layers that would have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from engine.exchange.recording import Recorder, Unsupported


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
#: Function -> what tells of its calls.
HANDLERS: dict[str, Callable[..., None]] = {
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
