"""ONNX's operators with weights as modules of torch.nn, which hold these weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.exchange.onnx_operators import Directions, NotInTorch, same_pads, sides

Attributes = Mapping[str, Any]
#: Makes a module of constant inputs (None where one is left out or computed) and attributes.
Maker = Callable[[Sequence[Any], Attributes], nn.Module | None]


def _with(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    """`module` with these parameters and buffers; a Parameter is shared and not copied."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if name in module._buffers:
            module._buffers[name] = tensor.detach().clone()
        else:
            module._parameters[name] = tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor)
    return module


def _conv(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    weight, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
    if weight is None or weight.dim() > 5:
        return None
    dims, kernel = weight.dim() - 2, tuple(weight.shape[2:])
    pads = list(attributes.get("pads") or [0] * (2 * dims))
    even = pads[:dims] == pads[dims:] and attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    groups = attributes.get("group", 1)
    kind = getattr(nn, f"Conv{dims}d")
    module = kind(
        weight.shape[1] * groups,
        weight.shape[0],
        kernel,
        tuple(attributes.get("strides") or [1] * dims),
        tuple(pads[:dims]) if even and attributes.get("auto_pad", "NOTSET") == "NOTSET" else 0,
        tuple(attributes.get("dilations") or [1] * dims),
        groups,
        bias is not None,
    )
    return _with(module, weight=weight, bias=bias)


def _transposed(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    weight, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
    if weight is None or weight.dim() > 5:
        return None
    dims, groups = weight.dim() - 2, attributes.get("group", 1)
    pads = list(attributes.get("pads") or [0] * (2 * dims))
    if pads[:dims] != pads[dims:] or attributes.get("auto_pad", "NOTSET") != "NOTSET":
        raise NotInTorch("ConvTranspose with uneven padding")
    kind = getattr(nn, f"ConvTranspose{dims}d")
    module = kind(
        weight.shape[0],
        weight.shape[1] * groups,
        tuple(weight.shape[2:]),
        tuple(attributes.get("strides") or [1] * dims),
        tuple(pads[:dims]),
        tuple(attributes.get("output_padding") or [0] * dims),
        groups,
        bias is not None,
        tuple(attributes.get("dilations") or [1] * dims),
    )
    return _with(module, weight=weight, bias=bias)


def linear(weight: Tensor, bias: Tensor | None) -> nn.Module:
    """A Linear of ``[out, in]`` weights."""
    return _with(nn.Linear(weight.shape[1], weight.shape[0], bias is not None), weight=weight, bias=bias)


def turned(weight: Tensor) -> Tensor:
    """The transpose of a matrix; of a transposed parameter, the parameter itself."""
    base = getattr(weight, "turned_of", None)
    return base if base is not None else weight.detach().t().contiguous()


def _gemm(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    weight, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
    plain = attributes.get("alpha", 1.0) == 1 and attributes.get("beta", 1.0) == 1
    if weight is None or not plain or attributes.get("transA", 0):
        return None
    weight = weight if attributes.get("transB", 0) else turned(weight)
    return linear(weight, None if bias is None else bias.reshape(-1) if bias.dim() != 1 else bias)


def _norm(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    _, weight, bias, mean, variance = inputs[:5]
    if any(tensor is None for tensor in inputs[1:5]):
        return None
    epsilon = attributes.get("epsilon", 1e-5)
    module = nn.BatchNorm2d(len(weight), epsilon, 1 - attributes.get("momentum", 0.9))
    return _with(module, weight=weight, bias=bias, running_mean=mean, running_var=variance)


def _layer_norm(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    weight, bias = inputs[1], inputs[2] if len(inputs) > 2 else None
    if weight is None:
        return None
    module = nn.LayerNorm(tuple(weight.shape), attributes.get("epsilon", 1e-5), bias=bias is not None)
    return _with(module, weight=weight, bias=bias)


def _rms_norm(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    weight = inputs[1]
    if weight is None:
        return None
    return _with(nn.RMSNorm(tuple(weight.shape), attributes.get("epsilon", 1e-5)), weight=weight)


def _group_norm(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    _, weight, bias = inputs[:3]
    if weight is None or bias is None:
        return None
    module = nn.GroupNorm(attributes["num_groups"], len(weight), attributes.get("epsilon", 1e-5))
    return _with(module, weight=weight, bias=bias)


def _instance_norm(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    _, weight, bias = inputs[:3]
    if weight is None or bias is None:
        return None
    module = nn.InstanceNorm2d(len(weight), attributes.get("epsilon", 1e-5), affine=True)
    return _with(module, weight=weight, bias=bias)


def _prelu(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    slope = inputs[1]
    if slope is None:
        return None
    values = slope.reshape(-1)
    return _with(nn.PReLU(len(values)), weight=values)


def _embedding(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
    weight = inputs[0]
    if (
        weight is None
        or weight.dim() != 2
        or attributes.get("axis", 0) != 0
        or not weight.is_floating_point()
    ):
        return None
    return _with(nn.Embedding(*weight.shape), weight=weight)


#: ONNX's order of gates, in torch's.
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}


def recurrent(kind: str) -> Maker:
    """LSTM, GRU and RNN of one layer."""

    def make(inputs: Sequence[Any], attributes: Attributes) -> nn.Module | None:
        weights, recurrent_weights = inputs[1:3]
        biases = inputs[3] if len(inputs) > 3 else None
        if weights is None or recurrent_weights is None:
            return None
        if attributes.get("direction", "forward") == "reverse" or attributes.get("layout", 0):
            raise NotInTorch(f"{kind} that runs backwards alone, or with the batch first")
        if kind == "GRU" and not attributes.get("linear_before_reset", 0):
            raise NotInTorch("GRU that resets before its product")
        if len(inputs) > 4 and inputs[4] is not None:
            raise NotInTorch(f"{kind} with lengths of sequences")
        hidden = attributes["hidden_size"]
        both = len(weights) == 2
        module = getattr(nn, kind)(weights.shape[2], hidden, bias=biases is not None, bidirectional=both)
        for number, end in enumerate(("", "_reverse") if both else ("",)):
            tensors = {f"weight_ih_l0{end}": weights[number], f"weight_hh_l0{end}": recurrent_weights[number]}
            if biases is not None:
                half = len(biases[number]) // 2
                tensors |= {
                    f"bias_ih_l0{end}": biases[number][:half],
                    f"bias_hh_l0{end}": biases[number][half:],
                }
            for name, tensor in tensors.items():
                parts = tensor.detach().split(hidden)
                with torch.no_grad():
                    getattr(module, name).copy_(torch.cat([parts[gate] for gate in _GATES[kind]]))
        return module  # type: ignore[no-any-return]

    return make


#: Operator -> what makes its module; None from it: the operator is run on tensors.
LAYERS: dict[str, Maker] = {
    "Conv": _conv,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "BatchNormalization": _norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "SimplifiedLayerNormalization": _rms_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "PRelu": _prelu,
    "Gather": _embedding,
    **{kind: recurrent(kind) for kind in _GATES},
}


def run(type: str, module: nn.Module, inputs: Sequence[Any], attributes: Attributes) -> Any:
    """What the operator gives, with its weights in `module`."""
    if type == "Gather":
        return module(inputs[1])
    x = inputs[0]
    if isinstance(module, nn.RNNBase):
        states = [state for state in inputs[5:7] if state is not None]
        if any(bool(state.any()) for state in states):
            raise NotInTorch(f"{type} with a first state")
        output, last = module(x)
        ends = last if isinstance(last, tuple) else (last,)
        return (Directions(output, 2 if module.bidirectional else 1), *ends)
    if type == "Conv" and isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        pads = same_pads(x, module.kernel_size, attributes)
        half = len(pads) // 2
        if pads[:half] != pads[half:] or tuple(pads[:half]) != tuple(module.padding):
            x = F.pad(x, sides(pads))
    return module(x)


def fitted(module: nn.Module, x: Tensor) -> nn.Module:
    """A batch or instance norm of 2 dimensions as that of the dimensions that `x` has."""
    for kind, kinds in (
        (nn.BatchNorm2d, (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)),
        (nn.InstanceNorm2d, (nn.InstanceNorm1d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)),
    ):
        if type(module) is kind:
            module.__class__ = kinds[x.dim() - 2]  # type: ignore[assignment]
    return module
