"""A few values out of many, evenly spaced, without a copy of the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor


def as_stored(tensor: Tensor, kept: int = 0) -> Tensor:
    """`tensor` with all but its first `kept` dimensions in the order in which they lie in memory.

    Flattened, images with their channels innermost are then a view like any other.
    """
    if tensor.is_contiguous():
        return tensor
    strides = tensor.stride()
    rest = sorted(range(kept, tensor.dim()), key=lambda dim: -strides[dim])
    return tensor.permute(*range(kept), *rest)


def spacing(count: int, most: int, last: Sequence[int]) -> int:
    """The spacing at which at most `most` of `count` values are taken.

    It shares no factor with the `last` dimension, so that no column is left out.
    """
    stride = max(1, math.ceil(count / most))
    if stride > 1:
        while math.gcd(stride, *last) > 1:
            stride += 1
    return stride
