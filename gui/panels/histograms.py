"""Histograms over time: many distributions, each with bins of its own, on one common axis.

Pure NumPy. Counts are conserved: what a histogram holds is what its column of the picture holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.host.protocol import Distribution
from gui.panels.series import Array, padded

#: Bins of the common axis, at least and at most: few values in many bins are a comb, not a shape.
BINS = (16, 128)

#: Columns of the picture.
COLUMNS = 300

#: The share of values at either end that does not set the axis when it lies far out …
TAIL = 0.005

#: … that is, when it would make the axis this many times as long.
FAR = 2.5


def resample(distribution: Distribution, edges: Array) -> Array:
    """Counts of `distribution` over the bins between `edges`, as fractions of its own bins.

    Within a bin of its own its values are taken to lie evenly. What lies beyond `edges` is counted
    in the first and the last bin, so the sum is the distribution's own.
    """
    counts = np.asarray(distribution.counts, dtype=np.float64)
    total = counts.sum()
    own = np.linspace(distribution.lo, distribution.hi, len(counts) + 1)
    if not np.all(np.diff(own) > 0):  # all values are the same, or as good as
        found = np.zeros(len(edges) - 1)
        place = int(np.searchsorted(edges, distribution.lo, "right")) - 1
        found[min(max(place, 0), len(found) - 1)] = total
        return found
    below = np.interp(edges, own, np.concatenate([[0.0], np.cumsum(counts)]))
    below[0], below[-1] = 0.0, total
    return np.diff(below)


def resampled(distributions: Sequence[Distribution], edges: Array) -> list[Array]:
    """:func:`resample` of each; at once, for after a change of the axis there are hundreds."""
    sizes = {len(distribution.counts) for distribution in distributions}
    if len(distributions) < 4 or len(sizes) > 1:
        return [resample(distribution, edges) for distribution in distributions]
    counts = np.array([distribution.counts for distribution in distributions], dtype=np.float64)
    bins = counts.shape[1]
    lo = np.array([[distribution.lo] for distribution in distributions])
    span = np.array([[distribution.hi] for distribution in distributions]) - lo
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        plain = (np.diff(lo + span * np.arange(bins + 1) / bins) > 0).all(axis=1)
        places = np.clip(np.nan_to_num((edges - lo) / span * bins), 0.0, bins)
    whole = np.minimum(places.astype(np.intp), bins - 1)
    below = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    found = np.take_along_axis(below, whole, 1) + (places - whole) * np.take_along_axis(counts, whole, 1)
    found[:, 0], found[:, -1] = 0.0, below[:, -1]
    rows = np.diff(found, axis=1)
    return [
        row if good else resample(distribution, edges)
        for row, good, distribution in zip(rows, plain, distributions, strict=True)
    ]


def limits(distribution: Distribution) -> Array:
    """Least value, greatest value, and the values between which all but the tails lie; NaN where empty."""
    below = np.concatenate([[0.0], np.cumsum(distribution.counts)])
    if not below[-1] or not np.isfinite(distribution.hi - distribution.lo):
        return np.full(4, np.nan)
    own = np.linspace(distribution.lo, distribution.hi, len(below))
    tails = np.interp([TAIL * below[-1], (1 - TAIL) * below[-1]], below, own)
    return np.array([distribution.lo, distribution.hi, *tails])


def extent(found: Array) -> tuple[float, float]:
    """The range of a common axis: all values, unless thin tails would make it :data:`FAR` times as long.

    `found` has a row of :func:`limits` per distribution, shape [n, 4].
    """
    found = found[np.isfinite(found[:, 0])]
    if not len(found):
        return -1.0, 1.0
    lo, hi = float(found[:, 0].min()), float(found[:, 1].max())
    least, most = float(np.quantile(found[:, 2], 0.05)), float(np.quantile(found[:, 3], 0.95))
    if hi - lo > FAR * (most - least) > 0:
        return padded(least, most, 0.25)
    return padded(lo, hi, 0.04)


class Heat:
    """The columns of one tensor's picture: computed once each, as long as the axis holds."""

    def __init__(self) -> None:
        self.edges: Array = np.linspace(-1.0, 1.0, BINS[0] + 1)
        self._columns: dict[int, Array] = {}
        self._limits: dict[int, Array] = {}

    def clear(self) -> None:
        """Begin anew."""
        self._columns, self._limits = {}, {}

    def update(self, steps: Sequence[int], distributions: Sequence[Distribution]) -> Array:
        """Counts per column and bin, shape [steps, bins]; :attr:`edges` are their common axis."""
        known = self._limits
        self._limits = {
            step: known[step] if step in known else limits(distribution)
            for step, distribution in zip(steps, distributions, strict=True)
        }
        found = np.array(list(self._limits.values()))
        lo, hi = extent(found)
        now_lo, now_hi = self.edges[0], self.edges[-1]
        if not self._columns or lo < now_lo or hi > now_hi or now_hi - now_lo > 2.5 * (hi - lo):
            sample = max(sum(distribution.counts) for distribution in distributions)
            # As many bins as the sample bears, over the width that one histogram has of the axis.
            widths = found[:, 3] - found[:, 2]
            widths = widths[widths > 0]
            width = float(np.median(widths)) if len(widths) else hi - lo
            bins = int(np.clip(2.5 * np.sqrt(sample) * (hi - lo) / width, *BINS))
            self.edges = np.linspace(*padded(lo, hi, 0.08), bins + 1)
            self._columns = {}
        new = {s: d for s, d in zip(steps, distributions, strict=True) if s not in self._columns}
        columns = self._columns | dict(zip(new, resampled(list(new.values()), self.edges), strict=True))
        self._columns = {step: columns[step] for step in steps}
        return np.array([self._columns[step] for step in steps])


def spread_out(steps: Sequence[int], matrix: Array, columns: int = COLUMNS) -> tuple[Array, float, float]:
    """The picture on an even axis of steps: each column shows the newest histogram up to there.

    Returns
    -------
    picture, first, last
        Shape [columns, bins], and the steps at its left and right edge.
    """
    places = np.asarray(steps, dtype=np.float64)
    first = float(places[0])
    last = float(places[-1] + (places[-1] - first) / max(len(places) - 1, 1))
    if last <= first:
        last = first + 1.0
    centres = first + (np.arange(columns) + 0.5) * (last - first) / columns
    index = np.clip(np.searchsorted(places, centres, "right") - 1, 0, len(places) - 1)
    return matrix[index], first, last
