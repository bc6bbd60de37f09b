"""Histograms over time: many distributions, each with bins of its own, on one common axis.

Pure NumPy. Counts are conserved: what a histogram holds is what its column of the picture holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.host.protocol import Distribution
from gui.panels.series import Array, padded

#: Bins of the common axis.
BINS = 128

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


def extent(distributions: Sequence[Distribution]) -> tuple[float, float]:
    """The range of a common axis: all values, unless thin tails would make it :data:`FAR` times as long."""
    usable = [d for d in distributions if np.isfinite(d.lo) and np.isfinite(d.hi) and sum(d.counts)]
    if not usable:
        return -1.0, 1.0
    full = min(d.lo for d in usable), max(d.hi for d in usable)
    tails = np.array([_tails(d) for d in usable])
    bulk = float(np.quantile(tails[:, 0], 0.05)), float(np.quantile(tails[:, 1], 0.95))
    if full[1] - full[0] > FAR * (bulk[1] - bulk[0]) > 0:
        return padded(*bulk, 0.25)
    return padded(*full, 0.04)


def _tails(distribution: Distribution) -> tuple[float, float]:
    """The values between which all but the tails lie."""
    below = np.concatenate([[0.0], np.cumsum(distribution.counts)])
    own = np.linspace(distribution.lo, distribution.hi, len(below))
    least, most = np.interp([TAIL * below[-1], (1 - TAIL) * below[-1]], below, own)
    return float(least), float(most)


class Heat:
    """The columns of one tensor's picture: computed once each, as long as the axis holds."""

    def __init__(self) -> None:
        self.edges: Array = np.linspace(-1.0, 1.0, BINS + 1)
        self._columns: dict[int, Array] = {}

    def clear(self) -> None:
        """Begin anew."""
        self._columns = {}

    def update(self, steps: Sequence[int], distributions: Sequence[Distribution]) -> Array:
        """Counts per column and bin, shape [steps, BINS]; :attr:`edges` are their common axis."""
        lo, hi = extent(distributions)
        now_lo, now_hi = self.edges[0], self.edges[-1]
        if not self._columns or lo < now_lo or hi > now_hi or now_hi - now_lo > 2.5 * (hi - lo):
            self.edges = np.linspace(*padded(lo, hi, 0.08), BINS + 1)
            self._columns = {}
        kept = {
            step: self._columns[step] if step in self._columns else resample(distribution, self.edges)
            for step, distribution in zip(steps, distributions, strict=True)
        }
        self._columns = kept
        return np.array(list(kept.values())) if kept else np.empty((0, BINS))


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
