"""Series of numbers as plots need them: kept in columns, smoothed, thinned to the pixels, ranged.

Pure NumPy, no Qt. A series may hold NaN and infinities: they are gaps, never a crash and never a
range that hides everything else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Beyond this many times the bulk of the values, a value is a spike and does not set the range.
SPIKE = 1e3


class Track:
    """One curve as it grows: where each value stands by step, epoch and seconds."""

    COLUMNS = ("step", "epoch", "seconds", "value")

    def __init__(self) -> None:
        self._rows = np.empty((64, len(self.COLUMNS)))
        self._smooth = np.empty(64)
        self._smoothed = 0
        self._decay = 0.0
        #: Running sums of the exponential average: of the values, and of the weights given so far.
        self._sums = (0.0, 0.0)
        self.size = 0

    def extend(self, points: list[tuple[float, float, float, float]]) -> None:
        """Add points, each (step, epoch, seconds, value)."""
        size = self.size + len(points)
        if size > len(self._rows):
            room = max(size, 2 * len(self._rows))
            self._rows = np.concatenate([self._rows[: self.size], np.empty((room - self.size, 4))])
            self._smooth = np.concatenate([self._smooth, np.empty(room - len(self._smooth))])
        self._rows[self.size : size] = points
        self.size = size

    def column(self, name: str) -> Array:
        """All numbers of one of :attr:`COLUMNS`: a view, valid until more is added."""
        return self._rows[: self.size, self.COLUMNS.index(name)]

    def smoothed(self, decay: float) -> Array:
        """The values' exponential average; only what is new is computed. NaN where the value is."""
        values = self.column("value")
        if decay <= 0:
            return np.where(np.isfinite(values), values, np.nan)
        if decay != self._decay:
            self._decay, self._smoothed, self._sums = decay, 0, (0.0, 0.0)
        if self._smoothed < self.size:
            new, self._sums = exponential_average(values[self._smoothed :], decay, self._sums)
            self._smooth[self._smoothed : self.size] = new
            self._smoothed = self.size
        return self._smooth[: self.size]


def exponential_average(
    values: Array, decay: float, before: tuple[float, float] = (0.0, 0.0)
) -> tuple[Array, tuple[float, float]]:
    """Exponential moving average, corrected for its start.

    With weights ``decay**k`` on the value `k` points back, ``y[t] = Σ decay**k x[t-k] / Σ decay**k``
    over the finite values. A constant series stays exactly that constant.

    Parameters
    ----------
    values
        The new points, shape [n].
    decay
        0 (no smoothing) up to, not including, 1.
    before
        What an earlier call returned, to go on from there.

    Returns
    -------
    averages, state
        Shape [n], NaN where `values` is not finite; and the state for the next call.
    """
    finite = np.isfinite(values)
    total = _decayed_sum(np.where(finite, values, 0.0), decay)
    weight = _decayed_sum(finite.astype(np.float64), decay)
    fading = decay ** np.arange(1, len(values) + 1)
    total += fading * before[0]
    weight += fading * before[1]
    averages = np.full(len(values), np.nan)
    np.divide(total, weight, out=averages, where=finite)
    return averages, (float(total[-1]), float(weight[-1]))


def _decayed_sum(values: Array, decay: float) -> Array:
    """``s[t] = x[t] + decay * s[t-1]`` by doubling: log2(n) passes over the array, no Python loop."""
    sums = values.copy()
    shift, factor = 1, decay
    while shift < len(sums) and factor > 1e-18:
        sums[shift:] += factor * sums[:-shift].copy()
        shift, factor = 2 * shift, factor * factor
    return sums


def thin(x: Array, y: Array, lo: float, hi: float, width: int) -> tuple[Array, Array]:
    """What is seen of a curve between `lo` and `hi` on `width` pixels.

    Each pixel column keeps its least and its greatest value, so the line covers what all points
    would cover, and no spike is lost. One point either side of the range is kept, so that lines
    run out of the picture. `x` must not fall.
    """
    first = max(int(np.searchsorted(x, lo, "left")) - 1, 0)
    last = min(int(np.searchsorted(x, hi, "right")) + 1, len(x))
    x, y = x[first:last], y[first:last]
    if len(x) <= 2 * width or not hi > lo:
        return x, y
    # Points outside fall into the columns before the first and after the last.
    pixel = np.searchsorted(x, np.linspace(lo, hi, width + 1))
    starts = np.unique(np.concatenate([[0], pixel[pixel < len(x)]]))
    ends = np.append(starts[1:], len(x)) - 1
    least, most = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    falling = y[ends] < y[starts]
    thin_y = np.empty(2 * len(starts))
    thin_y[0::2] = np.where(falling, most, least)
    thin_y[1::2] = np.where(falling, least, most)
    thin_x = np.empty(2 * len(starts))
    thin_x[0::2], thin_x[1::2] = x[starts], x[ends]
    return thin_x, thin_y


def bounds(parts: list[Array], log: bool = False) -> tuple[float, float] | None:
    """Least and greatest value that a plot should show, spikes left out; None if there is nothing.

    With `log`, only positive values count.
    """
    values = np.concatenate([np.empty(0), *parts])
    values = values[np.isfinite(values)]
    if log:
        values = values[values > 0]
    if not len(values):
        return None
    if not log:
        bulk = float(np.quantile(np.abs(values), 0.9))
        calm = values[np.abs(values) <= SPIKE * bulk] if bulk > 0 else values
        values = calm if len(calm) else values
    return float(values.min()), float(values.max())


def padded(lo: float, hi: float, share: float = 0.06) -> tuple[float, float]:
    """The range with room at both ends; a range of no width gets some."""
    span = hi - lo
    if not span > 1e-12 * max(abs(lo), abs(hi)):
        span = 0.1 * abs(lo) or 1.0
        return lo - span, hi + span
    return lo - share * span, hi + share * span


def figure(value: float) -> str:
    """A number for reading: about four digits, never wider than ``-1.234e-05``."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 3 - int(np.floor(np.log10(abs(value)))))
        text = f"{value:,.{min(digits, 5)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``0.4 s``, ``12 s``, ``3:05``, ``1:02:00``."""
    if abs(seconds) < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
