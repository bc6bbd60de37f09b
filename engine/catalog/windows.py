"""What convolution and pooling share: sliding windows, their fields and the rules that torch enforces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.catalog.entry import Fix, Inputs, Settings, Verdict
from engine.catalog.fields import Size

#: Words for one to three dimensions.
AXES = {1: "Length", 2: "Height and width", 3: "Depth, height and width"}
#: Dimension names behind N and C.
NAMES = {1: "L", 2: "H W", 3: "D H W"}
OUT_NAMES = {1: "L'", 2: "H' W'", 3: "D' H' W'"}
#: What one step along a dimension is called.
UNITS = {1: "steps", 2: "px", 3: "px"}


def each(value: Any, dims: int) -> tuple[int, ...]:
    """A window field as one number per dimension (1-D fields are plain numbers)."""
    return tuple(value) if isinstance(value, tuple) else (value,) * dims


def plain(values: Sequence[int]) -> Any:
    """Numbers per dimension as a field holds them: a list, or a lone number in 1-D."""
    return list(values) if len(values) > 1 else values[0]


def kernel(dims: int, start: int, hi: int = 255) -> Size:
    """The window's size."""
    return Size(
        "kernel_size",
        start=plain([start] * dims),
        dims=dims,
        lo=1,
        hi=hi,
        unit=UNITS[dims],
        doc=f"{AXES[dims]} of the window.",
    )


def steps(name: str, default: int | None, dims: int, doc: str, lo: int = 0, **options: Any) -> Size:
    """A field with one number per dimension and a default that is the same for each."""
    standard = default if default is None or dims == 1 else (default,) * dims
    return Size(name, standard, dims=dims, lo=lo, unit=UNITS[dims], doc=doc, **{"hi": 1024} | options)


def window_fits(f: Settings, x: Inputs) -> Verdict | None:
    """The window, spread by dilation, must fit into the padded input."""
    if isinstance(f.padding, str):
        if f.padding == "same":
            return None
        padding = (0,) * len(x.spatial)
    else:
        padding = each(f.padding, len(x.spatial))
    dims = len(x.spatial)
    sizes = each(f.kernel_size, dims)
    spread = each(getattr(f, "dilation", 1), dims)
    fitting = [
        max(1, min(k, (s + 2 * p - 1) // d + 1))
        for k, p, d, s in zip(sizes, padding, spread, x.spatial, strict=True)
    ]
    needed = [
        max(p, -(-(d * (k - 1) + 1 - s) // 2))
        for k, p, d, s in zip(sizes, padding, spread, x.spatial, strict=True)
    ]
    for k, p, d, size in zip(sizes, padding, spread, x.spatial, strict=True):
        reach = d * (k - 1) + 1
        if reach > size + 2 * p:
            fixes = [Fix(f"Set kernel_size to {plain(fitting)}", {"kernel_size": plain(fitting)})]
            if hasattr(f, "padding_mode"):
                fixes.insert(0, Fix(f"Set padding to {plain(needed)}", {"padding": plain(needed)}))
            return Verdict(
                "kernel_size",
                f"the window ({reach}) is larger than its padded input ({size} + 2·{p} = {size + 2 * p}). "
                "Lower kernel_size or raise padding.",
                fixes,
            )
    return None


def half_padding(f: Settings, x: Inputs) -> Verdict | None:
    """Pooling pads by half its window at most."""
    dims = len(x.spatial)
    most = [k // 2 for k in each(f.kernel_size, dims)]
    for p, half in zip(each(f.padding, dims), most, strict=True):
        if p > half:
            return Verdict(
                "padding",
                f"padding ({p}) may be at most half the window ({half}).",
                (Fix(f"Set padding to {plain(most)}", {"padding": plain(most)}),),
            )
    return None
