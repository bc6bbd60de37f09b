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


def spacing(shape: Sequence[int], most: int) -> int:
    """The spacing at which at most `most` values of this shape are taken.

    It shares no factor with the size of a row, so that no column is left out.
    """
    sizes = [size for size in shape if size != 1]
    stride = max(1, math.ceil(math.prod(sizes) / most))
    if stride > 1 and len(sizes) > 1:
        while math.gcd(stride, sizes[-1]) > 1:
            stride += 1
    return stride
