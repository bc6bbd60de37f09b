"""Multiply–accumulate operations of one forward, by family of layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from engine.catalog import Apply, Call, Inputs, Spec
from engine.compile.modules import SelfAttention


def macs(call: Call | Apply | None, module: nn.Module | None, inputs: Inputs, output: Spec) -> int:
    """MACs of the whole batch that `inputs` and `output` speak of.

    Matrix products count one per multiplied pair; element-wise work (normalisation, activation,
    pooling, bias) counts nothing, as is the custom of published figures.
    """
    layer: Any = module
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        per_input = layer.out_channels // layer.groups * math.prod(layer.kernel_size)
        return math.prod(inputs.shape) * int(per_input)
    if isinstance(module, nn.modules.conv._ConvNd):
        per_output = layer.in_channels // layer.groups * math.prod(layer.kernel_size)
        return math.prod(output.shape) * int(per_output)
    if isinstance(module, nn.Linear):
        return math.prod(output.shape) * module.in_features
    if isinstance(module, nn.Bilinear):
        return math.prod(output.shape) * module.in1_features * (module.in2_features + 1)
    if isinstance(module, nn.RNNBase):
        matrices = sum(p.numel() for name, p in module.named_parameters() if name.startswith("weight"))
        return inputs.shape[0] * inputs.shape[1] * matrices
    if isinstance(module, nn.MultiheadAttention):
        return _attention(module, *(spec.shape for spec in inputs.values()))
    if isinstance(module, SelfAttention):
        batch, length, features = inputs.shape
        return batch * length * features * (4 * features + 2 * length)
    if isinstance(module, nn.TransformerEncoderLayer):
        x = inputs.shape
        return _attention(module.self_attn, x, x, x) + _perceptron(module, x)
    if isinstance(module, nn.TransformerDecoderLayer):
        x, memory = inputs["tgt"].shape, inputs["memory"].shape
        both = _attention(module.self_attn, x, x, x) + _attention(module.multihead_attn, x, memory, memory)
        return both + _perceptron(module, x)
    if isinstance(call, Apply) and call.target == "torch.matmul":
        return math.prod(output.shape) * inputs.features
    return 0


def _attention(
    module: nn.MultiheadAttention, query: Sequence[int], key: Sequence[int], value: Sequence[int]
) -> int:
    """Four projections, the scores of each pair of places, and the mixture of values."""
    batch, length, features = query
    places = key[1] + (module.bias_k is not None) + module.add_zero_attn
    projected = 2 * length * features * features + key[1] * key[2] * features + value[1] * value[2] * features
    return batch * int(projected + 2 * length * places * features)


def _perceptron(module: nn.Module, x: Sequence[int]) -> int:
    layer: Any = module
    return math.prod(x) * 2 * int(layer.linear1.out_features)
