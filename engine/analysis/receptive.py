"""Receptive fields: how much of the input one output can see.

A layer that slides a window sees, for ``e + 1`` places in a row behind it, ``stride·e + reach`` places
before it; one that enlarges by ``s`` and spreads each place over ``reach`` sees at most
``⌈(e + reach − s)/s⌉ + 1``. Composed from the output back to the input, with e = 0 at the output, this is
the receptive field; without enlarging layers it is the known r ← r + (reach − 1)·jump,
jump ← jump·stride (Araujo, Norris and Sim 2019, Distill, doi 10.23915/distill.00021). It is the most that
can be seen: a layer that steps over enlarged places may see less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import NamedTuple

from engine.catalog import Inputs, Layer
from engine.network import Node

#: How many old points one new point is made of.
_BLENDS = {"nearest": 1, "linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4}


class Window(NamedTuple):
    """What a layer does to the receptive field, per spatial dimension."""

    #: Places from the first that is seen to the last; of an enlarging layer: that one place is spread over.
    reach: tuple[int | Fraction, ...]
    #: Places that it moves on by; of an enlarging layer: times that it enlarges.
    stride: tuple[int | Fraction, ...]
    enlarges: bool = False


class Sight(NamedTuple):
    """In one dimension: what ``e + 1`` places in a row see, less one: ``scale·e + offset``, and on."""

    scale: int = 1
    offset: int = 0
    #: Before that a layer that enlarges: its reach less its factor, its factor, and what came before it.
    before: tuple[int | Fraction, int | Fraction, Sight] | None = None

    @property
    def size(self) -> int:
        """Of one place: the receptive field, in places of the input."""
        sight, extent = self, self.offset
        while sight.before is not None:
            spread, factor, sight = sight.before
            extent = sight.scale * max(0, math.ceil((extent + spread) / factor)) + sight.offset
        return extent + 1

    def behind(self, reach: int | Fraction, stride: int | Fraction, enlarges: bool) -> Sight:
        """The same behind one more layer."""
        if enlarges:
            return Sight(before=(reach - stride, stride, self))
        return Sight(self.scale * int(stride), self.scale * (int(reach) - 1) + self.offset, self.before)


#: Per spatial dimension.
Field = tuple[Sight, ...]


def window(layer: Layer, node: Node, inputs: Inputs) -> Window | None:
    """What `layer` does, given what arrives; None: it looks at single places."""
    count = len(inputs.shape) - 2 if inputs else 0
    if layer.id.startswith("Adaptive"):
        return Window(inputs.spatial, (1,) * count)
    settings = layer.settings(node.fields)

    def each(value: object) -> tuple[int, ...]:
        return value if isinstance(value, tuple) else (value,) * count  # type: ignore[return-value]

    if layer.id == "Upsample":
        sizes = each(settings.size if settings.size is None or len(settings.size) > 1 else settings.size[0])
        factors = tuple(
            Fraction(settings.scale_factor).limit_denominator(1 << 20)
            if new is None
            else Fraction(new, max(1, old))
            for new, old in zip(sizes, inputs.spatial, strict=True)
        )
        # By an odd factor every new point in the middle is an old one, and takes nothing from the others.
        blends = _BLENDS[settings.mode]
        odd = [blends > 1 and factor.denominator == 1 and factor.numerator % 2 == 1 for factor in factors]
        spread = tuple(factor * blends - lost for factor, lost in zip(factors, odd, strict=True))
        return Window(spread, factors, enlarges=True)
    if layer.id == "PixelShuffle":
        return Window(each(settings.upscale_factor), each(settings.upscale_factor), enlarges=True)
    if layer.id == "PixelUnshuffle":
        return Window(each(settings.downscale_factor), each(settings.downscale_factor))
    kernel = getattr(settings, "kernel_size", None)
    if kernel is None:
        return None
    stride = getattr(settings, "stride", 1)
    dilation = each(getattr(settings, "dilation", 1))
    reach = tuple(d * (k - 1) + 1 for d, k in zip(dilation, each(kernel), strict=True))
    return Window(reach, each(kernel if stride is None else stride), "Transpose" in layer.id)


def start(count: int) -> Field:
    """Of an Input: every place sees itself."""
    return (Sight(),) * count


def widest(fields: Iterable[Field]) -> Field:
    """Of what several inputs see, that which sees most."""
    return max(fields, key=lambda field: [sight.size for sight in field])


def behind(field: Field, window: Window | None) -> Field:
    """`field` behind a layer that looks through `window`."""
    if window is None:
        return field
    return tuple(
        sight.behind(reach, stride, window.enlarges)
        for sight, reach, stride in zip(field, window.reach, window.stride, strict=True)
    )
