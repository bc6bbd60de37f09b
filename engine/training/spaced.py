"""A few values out of many, evenly spaced, without a copy of the rest."""

from __future__ import annotations

import math
from functools import lru_cache

from torch import Tensor


def spaced(tensor: Tensor, most: int, kept: int = 0) -> Tensor:
    """At most `most` values of `tensor`, evenly spaced in memory: its first `kept` dimensions, and one more.

    A view wherever the values lie without gaps, in whatever order: images with their channels innermost too.
    """
    shape, stride = tuple(tensor.shape), tensor.stride()
    count, step, order = _plan(shape[kept:], stride[kept:], most)
    if order is None:
        return tensor.as_strided((*shape[:kept], count), (*stride[:kept], step))
    stored = tensor.permute(*range(kept), *(kept + dim for dim in order))
    return stored.flatten(kept)[..., ::step]


@lru_cache(maxsize=4096)
def _plan(
    shape: tuple[int, ...], stride: tuple[int, ...], most: int
) -> tuple[int, int, tuple[int, ...] | None]:
    """How many values, how far apart; and, where there are gaps between them, the dimensions as they lie."""
    order = sorted(range(len(shape)), key=lambda dim: -stride[dim])
    step = spacing(tuple(shape[dim] for dim in order), most)
    whole, dense = 1, True
    for dim in reversed(order):
        dense = dense and (shape[dim] == 1 or stride[dim] == whole)
        whole *= shape[dim]
    return math.ceil(whole / step), step, None if dense else tuple(order)


def spacing(shape: tuple[int, ...], most: int) -> int:
    """The spacing at which at most `most` values of this shape are taken.

    It shares no factor with the size of a row, so that no column is left out.
    """
    sizes = [size for size in shape if size != 1]
    stride = max(1, math.ceil(math.prod(sizes) / most))
    if stride > 1 and len(sizes) > 1:
        while math.gcd(stride, sizes[-1]) > 1:
            stride += 1
    return stride
