"""What is told of many times of one thing: the median, the 95th percentile and the worst."""

from __future__ import annotations

import statistics
from typing import Any


def summary(times: list[float]) -> dict[str, Any]:
    """Of milliseconds, and how many they are."""
    ordered = sorted(times)
    return {
        "median ms": statistics.median(ordered),
        "p95 ms": ordered[round(0.95 * (len(ordered) - 1))],
        "worst ms": ordered[-1],
        "times": len(ordered),
    }


def lines(figures: dict[str, Any]) -> list[str]:
    """A line for each :func:`summary` among `figures`, below a heading."""
    width = max(34, 2 + max(map(len, figures), default=0))
    found = [f"{'':<{width}}{'median':>10}{'p95':>10}{'worst':>10}{'of':>6}"]
    for name, values in figures.items():
        if isinstance(values, dict) and "median ms" in values:
            cells = "".join(f"{values[key]:>7.1f} ms" for key in ("median ms", "p95 ms", "worst ms"))
            found.append(f"{name:<{width}}{cells}{values['times']:>6}")
    return found
