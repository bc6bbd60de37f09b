"""One figure of a run as curves, those of the runs before it faintly behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gui.panels.figures import SHARES, metric_title, percent, split_color, split_title
from gui.panels.plot import DOTS, Plot, drawable
from gui.panels.readout import Readout, Word
from gui.panels.series import Array, Track, bounds, duration, figure, padded, thin
from gui.theme import SPACE, theme

#: What is said of a figure that has not been measured yet.
NOT_YET = "–"

#: A run before that reaches further than so many times what this one does is left out of the range.
DWARFS = 2.0


class Line:
    """One split's curve: the smooth line, the measured values faint behind it, a dot for each of few."""

    def __init__(self, plot: Plot, color: str, faint: bool = False) -> None:
        self._plot = plot
        self._color = color
        self._faint = faint
        self.raw = plot.curve(color)
        self.smooth = plot.curve(color)
        self.dots = plot.dots(color)
        self.follow_theme()

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self._plot.paint_curve(self.raw, self._color, 1.0, 0.3)
        self._plot.paint_curve(
            self.smooth, self._color, 1.0 if self._faint else 2.0, 0.45 if self._faint else 1
        )
        self.dots.setBrush(theme.color(self._color))

    def show_thinned(
        self,
        smooth: tuple[Array, Array],
        raw: tuple[Array, Array],
        lo: float,
        hi: float,
        log: bool,
        few: bool,
    ) -> None:
        """Draw these points in a range that is known; `raw` is empty without smoothing."""
        y = drawable(smooth[1], lo, hi, log)
        self._plot.draw(self.smooth, smooth[0], y)
        self._plot.draw(self.raw, raw[0], drawable(raw[1], lo, hi, log))
        if few and not self._faint:
            self.dots.setData(smooth[0], y)
        elif len(self.dots.data):
            self.dots.clear()

    def clear(self) -> None:
        """Draw nothing."""
        self.raw.clear()
        self.smooth.clear()
        self.dots.clear()


class Chart(QWidget):
    """One metric: a title with the values, and the plot below it."""

    #: There is room for other words: its metric.
    resized = Signal(str)

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.name = metric
        self.share = metric in SHARES
        self.format = percent if self.share else figure
        title = metric_title(metric)
        self.plot = Plot(f"{title}: curves")
        self.title = QLabel(title)
        # Not the plot's: it would cover the values that are pointed at.
        self.title.setToolTip(
            "Drag to move, Ctrl + wheel to zoom, double click to see all.\n"
            "Triangles: weights are kept that a run can branch from."
        )
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setProperty("role", "heading")
        self.readout = Readout(f"{title}: values")
        #: By the run (0: this one, 1: the one before …) and the split.
        self.lines: dict[tuple[int, str], Line] = {}
        self.marks: list[pg.InfiniteLine] = []
        #: What curves, marks and triangles were drawn of.
        self._shown: tuple[object, ...] = ()
        self._marked: tuple[object, ...] = ()
        self._kept: tuple[object, ...] = ()
        self.kept = self.plot.dots("muted")
        self.kept.setSymbol("t1")
        self.broken = pg.InfiniteLine(angle=90, movable=False)
        self.broken.hide()
        self.plot.addItem(self.broken, ignoreBounds=True)

        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        head = QHBoxLayout()
        head.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        head.addWidget(self.title)
        head.addWidget(self.readout, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.plot, 1)
        self.follow_theme()

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.plot.follow_theme()
        self.kept.setBrush(theme.color("muted"))
        self.broken.setPen(pg.mkPen(theme.color("error"), width=1, style=Qt.PenStyle.DashLine))
        for line in self.lines.values():
            line.follow_theme()

    def show_tracks(
        self,
        tracks: dict[str, Track],
        earlier: Sequence[dict[str, Track]],
        column: str,
        log: bool,
        decay: float,
    ) -> bool:
        """Draw the run's curves, and those of the runs before it faintly behind them; False: they were."""
        every = [(0, split, track) for split, track in tracks.items()]
        for age, found in enumerate(reversed(earlier), 1):
            every += [(age, split, track) for split, track in found.items()]
        least = min((float(track.column(column)[0]) for _, _, track in every), default=0.0)
        most = max((float(track.column(column)[-1]) for _, _, track in every), default=1.0)
        span = (least, most) if most > least else (least - 0.5, least + 0.5)
        left, right = self.plot.view.viewRange()[0] if self.plot.held else span
        width = self.plot.columns
        told = tuple((old, split, track, track.size) for old, split, track in every)
        shown = (told, column, log, decay, left, right, width, self.plot.held, theme.tokens.name)
        if shown == self._shown:
            return False
        self._shown = shown

        drawn = []
        for old, split, track in every:
            x = track.column(column)
            values = track.column("value")
            # A few points are shown as measured.
            calm = decay if track.size > DOTS else 0.0
            smooth = thin(x, track.smoothed(calm), left, right, width // 2)
            raw = thin(x, values, left, right, width) if calm > 0 and not old else (x[:0], x[:0])
            drawn.append((old, split, track, smooth, raw))
        runs: dict[int, list[Array]] = {}
        for old, *_, smooth, raw in drawn:
            runs.setdefault(old, []).extend((smooth[1], raw[1]))
        lo, hi = _reach(list(runs.values()), log)
        if log:
            lo, hi = np.log10(lo), np.log10(hi)
        lo, hi = padded(lo, hi)
        if self.share and not log:
            hi = min(hi, 1.02)

        self._axes(column, log)
        self.plot.show_range(padded(*span, 0.02), (float(lo), float(hi)))
        for old, split, track, smooth, raw in drawn:
            line = self.lines.get((old, split))
            if line is None:
                line = Line(self.plot, "muted" if old else split_color(split), bool(old))
                self.lines[old, split] = line
            line.show_thinned(smooth, raw, lo, hi, log, track.size <= DOTS)
        for key in self.lines.keys() - {(old, split) for old, split, *_ in drawn}:
            self.lines[key].clear()
        self._mark_broken(tracks, column)
        return True

    def _axes(self, column: str, log: bool) -> None:
        left, bottom = self.plot.axes["left"], self.plot.axes["bottom"]
        bottom.format = duration if column == "seconds" else figure
        bottom.whole = column == "step"
        left.format, left.log = self.format, log

    def _mark_broken(self, tracks: dict[str, Track], column: str) -> None:
        places = [
            float(track.column(column)[bad[0]])
            for track in tracks.values()
            if len(bad := np.flatnonzero(~np.isfinite(track.column("value"))))
        ]
        self.broken.setVisible(bool(places))
        if places:
            self.broken.setPos(min(places))

    def show_marks(self, places: Sequence[tuple[float, str, str]]) -> None:
        """Thin lines at (place, token of the colour, tooltip)."""
        if (shown := (theme.tokens.name, *places)) == self._marked:
            return
        self._marked = shown
        while len(self.marks) < len(places):
            line = pg.InfiniteLine(angle=90, movable=False)
            line.setZValue(-60)
            self.plot.addItem(line, ignoreBounds=True)
            self.marks.append(line)
        for line, (place, color, tip) in zip(self.marks, places, strict=False):
            line.setPen(pg.mkPen(theme.color(color), width=1, style=Qt.PenStyle.DotLine))
            line.setPos(place)
            line.setToolTip(tip)
            line.show()
        for line in self.marks[len(places) :]:
            line.hide()

    def show_kept(self, places: Sequence[float]) -> None:
        """Small triangles on the lower edge, where weights are kept that a run can branch from."""
        bottom, top = self.plot.view.viewRange()[1]
        if (shown := (bottom, top, *places)) == self._kept:
            return
        self._kept = shown
        if places or len(self.kept.data):
            self.kept.setData(places, [bottom + 0.025 * (top - bottom)] * len(places))

    def show_values(
        self,
        tracks: dict[str, Track],
        earlier: Sequence[dict[str, Track]],
        column: str,
        at: float | None,
        step: int | None = None,
        reached: int = 0,
        names: Sequence[str] = (),
    ) -> None:
        """Say the values at a place, those of the runs before it too; else the newest.

        A value that came later is none of this place's. With a `step`, `at` is where that one is;
        what was measured at it counts, though measuring took its time. A run that stands still at step
        `reached`, beyond the last point, is told where that is. `names` are those of the runs before.
        """
        self.plot.show_cross(at)
        words: list[Word] = []
        of: list[str] = []
        told = "".join(f"●   {split_title(split)} {8 * '0'}" for split in tracks)
        room = self.width() - self.title.sizeHint().width() - 6 * SPACE
        titled = self.title.fontMetrics().horizontalAdvance(told) <= room  # in its heavier letters
        for split, track in tracks.items():
            index = track.size - 1
            if at is not None:
                index = known(*((track.column(column), at) if step is None else (track.column("step"), step)))
            words.append(Word("●", split_color(split)))
            if titled:
                words.append(Word(split_title(split)))
            words.append(Word(self._said(track, index), strong=True, last=True))
            of.append(_measured(self.name, split, track, index))
        told_to = int(max((track.column("step")[-1] for track in tracks.values()), default=0))
        if at is None and told_to < reached:
            words.insert(0, Word(f"to step {told_to:,}", "muted", last=True))
        # Of the split that a run is judged by: the last, validation.
        judged = list(tracks)[-1] if tracks else ""
        past = []
        for found, name in zip(reversed(earlier), reversed(names), strict=True):
            if judged in found:
                track = found[judged]
                index = track.size - 1 if at is None else known(track.column(column), at)
                past.append(self._said(track, index))
                of.append(f"Grey, {name}: {split_title(judged).lower()} {past[-1]}")
        if at is not None and tracks:
            if step is not None or column == "step":
                text = f"step {at if step is None else step:,.0f}"
            else:
                text = duration(at) if column == "seconds" else f"{column} {figure(at)}"
            words.insert(0, Word(text, "muted", last=True))
            if past and titled:
                words.append(Word(f"before: {', '.join(past)}", "muted"))
        self.readout.show_words(words, "\n".join(filter(None, of)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell of it."""
        super().resizeEvent(event)
        self.resized.emit(self.name)

    def _said(self, track: Track, index: int) -> str:
        return self.format(float(track.column("value")[index])) if index >= 0 else NOT_YET


def _measured(metric: str, split: str, track: Track, index: int) -> str:
    """Which steps a point is of: what is counted while training is a mean since the point before."""
    if index < 0:
        return ""
    steps = track.column("step")
    last = int(steps[index])
    if split != "train" or metric == "lr":
        return f"{split_title(split)}: measured at step {last:,}."
    first = int(steps[index - 1]) + 1 if index else last
    return f"{split_title(split)}: " + (
        f"the mean of steps {first:,} to {last:,}." if first < last else f"step {last:,}."
    )


def _reach(runs: Sequence[list[Array]], log: bool) -> tuple[float, float]:
    """A range for the first of `runs`, and for those of the others that do not dwarf it."""
    found = [ends for parts in runs if (ends := bounds(parts, log)) is not None]
    if not found:
        return (0.1, 1.0) if log else (0.0, 1.0)
    (lo, hi), *others = found
    room = math.inf if log else DWARFS * max(hi - lo, abs(lo), abs(hi))
    near = [end for other in others for end in other if lo - room <= end <= hi + room]
    return min([lo, *near]), max([hi, *near])


def nearest(x: Array, at: float) -> int:
    """Index of the point nearest to `at`; `x` does not fall."""
    index = int(np.searchsorted(x, at))
    if index == 0:
        return 0
    return index if index < len(x) and x[index] - at < at - x[index - 1] else index - 1


def known(x: Array, at: float) -> int:
    """Index of the last point up to `at`, -1 where there is none; `x` does not fall."""
    return int(np.searchsorted(x, at, "right")) - 1
