"""Where a window stands as it slides: plain arithmetic, one axis at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.catalog import Layer


@dataclass(frozen=True)
class Axis:
    """One axis of a sliding window.

    `windows` has, for each output, the input places that it reads; places below 0 or from `size`
    on are padding.
    """

    size: int
    before: int
    after: int
    windows: tuple[tuple[int, ...], ...]
    #: The output size, worked out in numbers.
    working: str
    #: A transposed convolution: `windows` has, for each input, the output places that it spreads
    #: to, and `size` is the output's.
    spreads: bool = False

    @property
    def output(self) -> int:
        """How many places the window stands at: the output's size, or the input's where it spreads."""
        return len(self.windows)

    @cached_property
    def padded(self) -> int:
        """Places that there are with padding, and that a window reads."""
        last = max((window[-1] for window in self.windows), default=0) + 1
        return self.before + max(self.size + self.after, last)

    @cached_property
    def reach(self) -> int:
        """Places from the first to the last that the widest window reads."""
        return max((max(window) - min(window) + 1 for window in self.windows), default=1)


#: The general rule, in words of the fields.
SLIDING_RULE = "out = ⌊(in + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1"
SPREADING_RULE = (
    "out = (in − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1; "
    "each input spreads over a window of the output"
)
ADAPTIVE_RULE = "window i reads from ⌊i·in / out⌋ to ⌈(i + 1)·in / out⌉"


def slide(size: int, kernel: int, stride: int, padding: int | str, dilation: int, ceil: bool = False) -> Axis:
    """The windows of a convolution or pooling, as torch counts them."""
    reach = dilation * (kernel - 1) + 1
    if padding == "same":
        before = (reach - 1) // 2
        after = reach - 1 - before
        room = size + reach - 1 - reach
        working = f"“same” keeps {size}"
    else:
        before = after = 0 if isinstance(padding, str) else padding
        room = size + 2 * before - reach
        working = ""
    count = -(-room // stride) + 1 if ceil else room // stride + 1
    # torch drops a last window that would begin in the padding behind the input.
    if ceil and (count - 1) * stride >= size + before:
        count -= 1
    count = max(0, count)
    if not working:
        left, right = "⌈⌉" if ceil else "⌊⌋"
        inner = f"({size} + 2·{before} − {dilation}·({kernel} − 1) − 1) / {stride}"
        working = f"{left}{inner}{right} + 1 = {count}"
    starts = (index * stride - before for index in range(count))
    windows = tuple(tuple(start + tap * dilation for tap in range(kernel)) for start in starts)
    return Axis(size, before, after, windows, working)


def adapt(size: int, output: int | None) -> Axis:
    """The windows of adaptive pooling: as even as they can be."""
    count = size if output is None else output
    windows = tuple(
        tuple(range(index * size // count, -(-(index + 1) * size // count))) for index in range(count)
    )
    widths = sorted({len(window) for window in windows})
    wide = " or ".join(map(str, widths))
    return Axis(size, 0, 0, windows, f"{size} → {count}: each window reads {wide}")


def spread(size: int, kernel: int, stride: int, padding: int, dilation: int, extra: int) -> Axis:
    """The windows that a transposed convolution writes to; `extra` is its output_padding."""
    output = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
    working = f"({size} − 1)·{stride} − 2·{padding} + {dilation}·({kernel} − 1) + {extra} + 1 = {output}"
    starts = (index * stride - padding for index in range(size))
    windows = tuple(tuple(start + tap * dilation for tap in range(kernel)) for start in starts)
    return Axis(output, padding, 0, windows, working, spreads=True)


def axes_of(layer: Layer, fields: Mapping[str, Any], spatial: Sequence[int]) -> tuple[Axis, ...]:
    """The axes of a layer that slides a window; empty for one that does not, or with wrong fields."""
    names = {field.name for field in layer.fields}
    if layer.group not in ("Convolution", "Pooling") or layer.check(fields) or not spatial:
        return ()
    settings = vars(layer.settings(fields))
    if "output_size" in names:
        if "kernel_size" in names:
            # Fractional pooling: its windows stand at random.
            return ()
        sizes = _each(settings["output_size"], len(spatial))
        return tuple(adapt(size, output) for size, output in zip(spatial, sizes, strict=False))
    if "kernel_size" not in names:
        return ()
    kernels = _each(settings["kernel_size"], len(spatial))
    strides = _each(settings.get("stride"), len(spatial))
    paddings = _each(settings.get("padding", 0), len(spatial))
    dilations = _each(settings.get("dilation", 1), len(spatial))
    if "output_padding" in names:
        extras = _each(settings["output_padding"], len(spatial))
        every = zip(spatial, kernels, strides, paddings, dilations, extras, strict=False)
        return tuple(spread(*axis) for axis in every)
    ceil = bool(settings.get("ceil_mode", False))
    return tuple(
        slide(size, kernel, kernel if stride is None else stride, padding, dilation, ceil)
        for size, kernel, stride, padding, dilation in zip(
            spatial, kernels, strides, paddings, dilations, strict=False
        )
    )


def _each(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,) * count
