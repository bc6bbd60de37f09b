"""Multiply–accumulate operations of one forward, by family of layers."""

from __future__ import annotations

import math
from typing import Any

from torch import nn

from engine.catalog import Apply, Call, Inputs, Spec


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
    if isinstance(call, Apply) and call.target == "torch.matmul":
        return math.prod(output.shape) * inputs.features
    return 0
