"""Loss, accuracy and every other figure of the run, training beside validation."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from gui.actions import local
from gui.narrow import Pick
from gui.panels.bar import Bar
from gui.panels.chart import Chart, nearest
from gui.panels.figures import History
from gui.panels.panel import Panel
from gui.panels.series import figure
from gui.session import Session
from gui.slider import Slider

#: The x axis: what the box says, the column it reads.
AXES = (("Step", "step"), ("Epoch", "epoch"), ("Time", "seconds"))

#: Runs before this one that stay in view, and marks of one kind that a chart bears.
EARLIER, MARKS = 4, 12

#: The least size of one plot; with less room, plots stand below one another and scroll. (At 1280 × 800 loss
#: and accuracy are both whole.)
LEAST_WIDTH, LEAST_HEIGHT = 230, 104


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
        self._history = History(session.metrics, session.network, session.run)
        #: The runs before, the newest last.
        self._earlier: list[History] = []
        self._at: float | None = None
        #: Charts in a row, and which they are.
        self._arranged: tuple[int | str, ...] = ()
        self.charts: dict[str, Chart] = {}

        self.axis = Pick()
        self.axis.setAccessibleName("Horizontal axis")
        self.axis.setToolTip("What the horizontal axis counts")
        for title, key in AXES:
            self.axis.addItem(title, key)
        self.log = QCheckBox("Log")
        self.log.setToolTip("Logarithmic vertical axis")
        self.smoothing = Slider()
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
        session.state_changed.connect(self._turn)
        for signal in (session.state_changed, session.sought, session.weights_kept, session.edited):
            signal.connect(self.request)
        self.flush()

    @property
    def decay(self) -> float:
        """Share of the past in the smoothed curve: 0 … 0.99."""
        return float(self.smoothing.value() / 100)

    def refresh(self) -> Iterator[None]:
        """Draw what has come in, a chart at a time."""
        self._turn()
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
            earlier = [history.splits(metric) for history in self._before]
            new = chart.show_tracks(tracks, earlier, column, self.log.isChecked(), self.decay)
            chart.show_marks(marks)
            chart.show_kept(kept)
            self._say_values(metric)
            if new:
                yield

    def _turn(self) -> None:
        """Where another run is shown, keep the one before; so too one that was shown for a moment only."""
        if self._session.metrics is not self._history.source:
            self._history.read()  # to its end, which may have come while nobody looked
            if self._history.tracks:
                self._earlier = [*self._earlier, self._history][-EARLIER:]
            self._history = History(self._session.metrics, self._session.network, self._session.run)
            self._earlier = [history for history in self._earlier if not self._history.tells_again(history)]

    @property
    def _before(self) -> list[History]:
        """The runs before that are shown."""
        if not self.compare.isChecked():
            return []
        return [history for history in self._earlier if history.compares_with(self._history)]

    def _say_values(self, metric: str) -> None:
        """Say the values under the pointer, else those of the step that is looked at."""
        column, tracks = self.axis.currentData(), self._history.splits(metric)
        if not tracks:  # of the run before: its chart goes when those of this one are made
            return
        at, looked = self._at, self._session.at
        if at is not None:
            near = [x[nearest(x, at)] for x in (track.column(column) for track in tracks.values())]
            at, looked = float(min(near, key=lambda place: abs(place - at))), None
        elif looked is not None:
            at = self._place(looked, column)
        earlier = [history.splits(metric) for history in self._before]
        names = [history.run for history in self._before]
        still = self._session.state not in ("starting", "running")
        reached = self._session.step if still else 0
        self.charts[metric].show_values(tracks, earlier, column, at, looked, reached, names)

    def _place(self, step: int, column: str) -> float:
        """Where a step is on the horizontal axis; between two that are told of, in proportion."""
        metrics = self._session.metrics
        if column == "step" or not metrics:
            return float(step)
        after = min(bisect.bisect_left(metrics, step, key=lambda event: event.step), len(metrics) - 1)
        ends = metrics[max(after - 1, 0)], metrics[after]
        steps = [event.step for event in ends]
        return float(np.interp(step, steps, [getattr(event, column) for event in ends]))

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
                chart.setParent(self._grid.parentWidget())  # with which it ends, also before it has its place
                chart.plot.hovered.connect(self._hover)
                chart.plot.released.connect(self._release)
                chart.resized.connect(self._say_values)
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
        for metric in self.charts:
            self._say_values(metric)

    def _moved(self, *_: object) -> None:
        if any(chart.plot.held for chart in self.charts.values()):
            self.request()

    def _release(self, *_: object) -> None:
        for chart in self.charts.values():
            chart.plot.held = False
        self.request()

    def _smoothed(self, value: int) -> None:
        told = (
            f"Smoothing {value / 100:.2f}: share of the past in each point of a line; values stay as measured"
        )
        self.smoothing.setToolTip(told)
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
        """Every value of the runs that are shown."""
        self._turn()
        return ("run", "step", "epoch", "seconds", "split", "metric", "value"), (
            (history.run, event.step, event.epoch, event.seconds, event.split, name, value)
            for history in (*self._before, self._history)
            for event in history.source
            for name, value in event.values.items()
        )
