"""Loss, accuracy and every other figure of the run, training beside validation."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from engine.host import protocol
from gui.actions import local
from gui.panels.bar import Bar
from gui.panels.panel import Panel
from gui.panels.plot import DOTS, Plot, drawable
from gui.panels.readout import Readout, Word
from gui.panels.series import Array, Track, bounds, duration, figure, padded, thin
from gui.session import Session
from gui.theme import SPACE, theme

#: The x axis: what the box says, the column it reads.
AXES = (("Step", "step"), ("Epoch", "epoch"), ("Time", "seconds"))

#: Metrics in the order in which they are shown; others follow by name.
ORDER = ("loss", "accuracy")

#: Metrics that are shares, shown in percent and never beyond 0 … 100 %.
SHARES = ("accuracy",)

#: Runs before this one that stay in view, and marks of one kind that a chart bears.
EARLIER, MARKS = 4, 12

#: The least size of one plot; with less room, plots stand below one another and scroll.
LEAST_WIDTH, LEAST_HEIGHT = 230, 120


def split_color(split: str) -> str:
    """The token of a split's colour."""
    return {"train": "train", "validation": "validation"}.get(split, "good")


def split_title(split: str) -> str:
    """A split as people say it."""
    return {"train": "Training", "validation": "Validation", "test": "Test"}.get(split, split)


def percent(value: float) -> str:
    """A share as text."""
    return f"{100 * value:.4g} %" if np.isfinite(value) else figure(value)


class History:
    """All curves of one run, by (metric, split), read from the session's list as it grows."""

    def __init__(self, metrics: list[protocol.Metrics]) -> None:
        self.source = metrics
        self._read = 0
        self.tracks: dict[tuple[str, str], Track] = {}

    def read(self) -> None:
        """Take in what is new."""
        points: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
        for event in self.source[self._read :]:
            for name, value in event.values.items():
                points.setdefault((name, event.split), []).append(
                    (event.step, event.epoch, event.seconds, value)
                )
        for key, found in points.items():
            self.tracks.setdefault(key, Track()).extend(found)
        self._read = len(self.source)

    @property
    def metrics(self) -> list[str]:
        """The metrics' names in the order of display."""
        names = {name for name, _ in self.tracks}
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def splits(self, metric: str) -> dict[str, Track]:
        """The curves of one metric by split: training first."""
        found = {split: track for (name, split), track in self.tracks.items() if name == metric}
        return {split: found[split] for split in sorted(found, key=_split_order)}


def _split_order(split: str) -> tuple[int, str]:
    order = ("train", "validation", "test")
    return (order.index(split) if split in order else len(order), split)


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

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.name = metric
        self.share = metric in SHARES
        self.format = percent if self.share else figure
        title = metric.replace("_", " ")
        self.plot = Plot(f"{title}: curves")
        self.plot.setToolTip(
            "Drag to move, Ctrl + wheel to zoom, double click to see all.\n"
            "Triangles: weights are kept that a run can branch from."
        )
        self.title = QLabel(title[:1].upper() + title[1:])
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.title.setProperty("role", "heading")
        self.readout = Readout(f"{title}: values")
        #: By the run (0: this one, 1: the one before …) and the split.
        self.lines: dict[tuple[int, str], Line] = {}
        self.marks: list[pg.InfiniteLine] = []
        self._marked: tuple[object, ...] = ()
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
    ) -> None:
        """Draw the run's curves, and those of the runs before it faintly behind them."""
        every = [(0, split, track) for split, track in tracks.items()]
        for age, found in enumerate(reversed(earlier), 1):
            every += [(age, split, track) for split, track in found.items()]
        least = min((float(track.column(column)[0]) for _, _, track in every), default=0.0)
        most = max((float(track.column(column)[-1]) for _, _, track in every), default=1.0)
        span = (least, most) if most > least else (least - 0.5, least + 0.5)
        left, right = self.plot.view.viewRange()[0] if self.plot.held else span
        width = self.plot.columns

        drawn = []
        for old, split, track in every:
            x = track.column(column)
            values = track.column("value")
            # A few points are shown as measured.
            calm = decay if track.size > DOTS else 0.0
            smooth = thin(x, track.smoothed(calm), left, right, width // 2)
            raw = thin(x, values, left, right, width) if calm > 0 and not old else (x[:0], x[:0])
            drawn.append((old, split, track, smooth, raw))
        parts = [curve[1] for _, _, _, smooth, raw in drawn for curve in (smooth, raw)]
        lo, hi = bounds(parts, log) or ((0.1, 1.0) if log else (0.0, 1.0))
        if log:
            lo, hi = np.log10(lo), np.log10(hi)
        lo, hi = padded(lo, hi)
        if self.share and not log:
            hi = min(hi, 1.02)

        self._axes(column, log)
        for old, split, track, smooth, raw in drawn:
            line = self.lines.get((old, split))
            if line is None:
                line = Line(self.plot, "muted" if old else split_color(split), bool(old))
                self.lines[old, split] = line
            line.show_thinned(smooth, raw, lo, hi, log, track.size <= DOTS)
        for key in self.lines.keys() - {(old, split) for old, split, *_ in drawn}:
            self.lines[key].clear()
        self._mark_broken(tracks, column)
        self.plot.show_range(padded(*span, 0.02), (float(lo), float(hi)))

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
        if places or len(self.kept.data):
            self.kept.setData(places, [bottom + 0.025 * (top - bottom)] * len(places))

    def show_values(self, tracks: dict[str, Track], column: str, at: float | None) -> None:
        """Say the values at the cross-hair, else the newest."""
        self.plot.show_cross(at)
        words: list[Word] = []
        names = self.width() >= 130 + 130 * len(tracks)
        for split, track in tracks.items():
            index = track.size - 1 if at is None else nearest(track.column(column), at)
            value = float(track.column("value")[index])
            words.append(Word("●", split_color(split)))
            if names:
                words.append(Word(split_title(split)))
            words.append(Word(self.format(value), strong=True, last=True))
        if at is not None and tracks:
            track = next(iter(tracks.values()))
            where = float(track.column(column)[nearest(track.column(column), at)])
            text = duration(where) if column == "seconds" else f"{column} {figure(where)}"
            words.insert(0, Word(text, "muted", last=True))
        self.readout.show_words(words)


def nearest(x: Array, at: float) -> int:
    """Index of the point nearest to `at`; `x` does not fall."""
    index = int(np.searchsorted(x, at))
    if index == 0:
        return 0
    return index if index < len(x) and x[index] - at < at - x[index - 1] else index - 1


class CurvesPanel(Panel):
    """Every metric of the run as curves over steps, epochs or time.

    Parameters
    ----------
    session
        The run that is shown; the run before it stays, faintly, for comparison.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Curves", "mdi6.chart-line", parent)
        self._session = session
        self._history = History(session.metrics)
        #: The runs before, the newest last.
        self._earlier: list[History] = []
        self._at: float | None = None
        #: Charts in a row, and which they are.
        self._arranged: tuple[int | str, ...] = ()
        self.charts: dict[str, Chart] = {}

        self.axis = QComboBox()
        self.axis.setAccessibleName("Horizontal axis")
        self.axis.setToolTip("What the horizontal axis counts")
        for title, key in AXES:
            self.axis.addItem(title, key)
        self.log = QCheckBox("Log")
        self.log.setToolTip("Logarithmic vertical axis")
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setAccessibleName("Smoothing")
        self.smoothing.setRange(0, 99)
        self.smoothing.setMinimumWidth(48)
        self.smoothing.setMaximumWidth(160)
        self._smooth_title = QLabel("Smooth")
        self._smooth_title.setMinimumWidth(1)
        self.compare = QAction("Show the runs before", self, checkable=True, checked=True)
        self.reset = QAction("Show all (double click)", self)
        local(self.compare, self, "Ctrl+P, B")
        local(self.reset, self, "Ctrl+P, A")

        self._grid = QGridLayout()
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(1)
        body = QWidget()
        body.setLayout(self._grid)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(body)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(
            Bar(
                self.axis,
                self.log,
                self._smooth_title,
                self.smoothing,
                None,
                self.menu_button(self.reset, self.compare),
            )
        )
        column.addWidget(self._scroll, 1)

        self.axis.currentIndexChanged.connect(self._release)
        self.log.toggled.connect(self._release)
        self.smoothing.valueChanged.connect(self._smoothed)
        self.compare.toggled.connect(self.request)
        self.reset.triggered.connect(self._release)
        session.metrics_added.connect(self.request)
        for signal in (session.state_changed, session.sought, session.weights_kept, session.edited):
            signal.connect(self.request)
        self.flush()

    @property
    def decay(self) -> float:
        """Share of the past in the smoothed curve: 0 … 0.99."""
        return float(self.smoothing.value() / 100)

    def refresh(self) -> Iterator[None]:
        """Draw what has come in, a chart at a time."""
        if self._session.metrics is not self._history.source:
            if self._history.tracks:
                self._earlier = [*self._earlier, self._history][-EARLIER:]
            self._history = History(self._session.metrics)
        self._history.read()
        if not self._history.tracks:
            self._say_empty()
            return
        self.show_content()
        yield from self._make(self._history.metrics)
        self._arrange(self._history.metrics)
        column = self.axis.currentData()
        marks = self._marks(column)
        kept = [self._place(step, column) for step in self._session.kept]
        for metric, chart in list(self.charts.items()):
            tracks = self._history.splits(metric)
            if not tracks:  # another run has begun since the chart before
                return
            before = self._earlier if self.compare.isChecked() else []
            earlier = [history.splits(metric) for history in before]
            chart.show_tracks(tracks, earlier, column, self.log.isChecked(), self.decay)
            chart.show_marks(marks)
            chart.show_kept(kept)
            chart.show_values(tracks, column, self._at)
            yield

    def _place(self, step: int, column: str) -> float:
        """Where a step is on the horizontal axis."""
        metrics = self._session.metrics
        if column == "step" or not metrics:
            return float(step)
        at = bisect.bisect_left(metrics, step, key=lambda event: event.step)
        return float(getattr(metrics[min(at, len(metrics) - 1)], column))

    def _marks(self, column: str) -> list[tuple[float, str, str]]:
        """Where the best weights were had, the learning rate changed, the drawing was edited, and
        which step is looked at."""
        found = []

        def place(step: int) -> float:
            return self._place(step, column)

        track = self._history.tracks.get(("loss", "validation"))
        if track is not None and np.isfinite(track.column("value")).any():
            least = int(track.column("step")[np.nanargmin(track.column("value"))])
            found.append((place(least), "good", f"Least validation loss: step {least:,}"))
        rate: float | None = None
        changes = []
        for observation in self._session.observations:
            if rate is not None and observation.learning_rate not in (None, rate):
                text = f"Learning rate {figure(rate)} → {figure(observation.learning_rate or 0.0)}"
                changes.append((place(observation.step), "warning", f"{text} at step {observation.step:,}"))
            rate = observation.learning_rate
        # A rate that changes at every step is a curve, and no event.
        found += changes if len(changes) <= MARKS else []
        edits = [
            (place(step), "error", f"Edited at step {step:,}: {what}") for step, what in self._session.edits
        ]
        found += edits[-MARKS:]
        if self._session.origin:
            found.append((place(0), "error", self._session.origin))
        if self._session.at is not None:
            found.append((place(self._session.at), "accent", f"Step {self._session.at:,} is looked at"))
        return found

    def _say_empty(self) -> None:
        if self._session.active:
            self.show_empty("Waiting for the first step", "Curves begin as soon as training has.")
        elif self._session.state == "failed":
            self.show_empty("The run failed", self._session.message or "It ended before its first step.")
        else:
            self.show_empty("No curves yet", "Press Train (F5): loss and accuracy are drawn here, live.")

    def _make(self, metrics: list[str]) -> Iterator[None]:
        """A chart for each metric that has none, with a break after each: a plot is slow to make."""
        for metric in metrics:
            if metric not in self.charts:
                chart = self.charts[metric] = Chart(metric)
                chart.plot.hovered.connect(self._hover)
                chart.plot.released.connect(self._release)
                chart.plot.view.sigXRangeChanged.connect(self._moved)
                yield

    def _arrange(self, metrics: list[str]) -> None:
        """The charts side by side as far as there is room."""
        for metric in [name for name in self.charts if name not in metrics]:
            self.charts.pop(metric).deleteLater()
        most = min(len(metrics), max(1, self._scroll.width() // LEAST_WIDTH))
        # Rows of the same length, so that none ends in a hole.
        across = -(-len(metrics) // -(-len(metrics) // most))
        if (across, *metrics) == self._arranged:
            return
        self._arranged = (across, *metrics)
        rows = -(-len(metrics) // across)
        height = LEAST_HEIGHT if rows > 1 else 80
        for index, metric in enumerate(metrics):
            self.charts[metric].setMinimumHeight(height)
            self._grid.addWidget(self.charts[metric], index // across, index % across)
        for index in range(max(self._grid.columnCount(), across)):
            self._grid.setColumnStretch(index, int(index < across))

    # ------------------------------------------------------------------ the user's hand

    def _hover(self, at: float | None) -> None:
        self._at = at
        column = self.axis.currentData()
        for metric, chart in self.charts.items():
            chart.show_values(self._history.splits(metric), column, at)

    def _moved(self, *_: object) -> None:
        if any(chart.plot.held for chart in self.charts.values()):
            self.request()

    def _release(self, *_: object) -> None:
        for chart in self.charts.values():
            chart.plot.held = False
        self.request()

    def _smoothed(self, value: int) -> None:
        self.smoothing.setToolTip(f"Smoothing {value / 100:.2f}: share of the past in each point")
        self.request()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the charts to the room."""
        super().resizeEvent(event)
        self._smooth_title.setVisible(self.width() >= 360)
        self.request()

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for chart in self.charts.values():
            chart.follow_theme()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Every value of the run."""
        return ("step", "epoch", "seconds", "split", "metric", "value"), (
            (event.step, event.epoch, event.seconds, event.split, name, value)
            for event in self._session.metrics
            for name, value in event.values.items()
        )
