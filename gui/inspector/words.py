"""Numbers and shapes as the inspector writes them."""

from __future__ import annotations

from collections.abc import Sequence


def shape_text(shape: Sequence[int]) -> str:
    """``16 × 8 × 8``; a tensor without dimensions is a scalar."""
    return " × ".join(map(str, shape)) if shape else "scalar"


def count_text(count: int) -> str:
    """``1,234``, ``1.23 M``: exact while it is short."""
    for size, name in ((10**12, "T"), (10**9, "G"), (10**6, "M")):
        if count >= size:
            return f"{count / size:.3g} {name}" if count < 1000 * size else f"{count / size:,.0f} {name}"
    return f"{count:,}"


def number_text(value: float) -> str:
    """Four significant digits, with a true minus sign."""
    return f"{value:.4g}".replace("-", "−")
