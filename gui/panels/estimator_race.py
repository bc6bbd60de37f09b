"""A page of the binarization laboratory: estimators trained for a moment on the same batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.catalog import BINARIZERS
from engine.lab import Race
from engine.lab_binary import REAL, USUAL
from gui.narrow import Number
from gui.panels.plot import Plot, drawable
from gui.panels.series import bounds, exponential_average, figure, padded
from gui.theme import SPACE, theme

#: Steps of a race at least, at first and at most.
STEPS = (50, 100, 500)
#: How much of the mean stays at each step of a curve: one batch's loss says little.
_DECAY = 0.9

_NAME = Qt.ItemDataRole.UserRole


class RacePage(QWidget):
    """Which estimators run, their curves, and the choice of one."""

    #: Race these (as the command line writes them) for so many steps.
    asked = Signal(str, int)
    #: Put this estimator wherever one stands.
    used = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.raced: Race | None = None
        self._curves: list[pg.PlotCurveItem] = []
        self.list = QListWidget()
        self.list.setAccessibleName("Estimators that race")
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        for id, entry in BINARIZERS.items():
            item = QListWidgetItem(entry.title)
            item.setData(_NAME, id)
            item.setToolTip(f"{id}: forward {entry.forward}, backward {entry.backward}\n{entry.lesson}")
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if id in USUAL else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.currentRowChanged.connect(self.refresh)
        self.list.itemChanged.connect(self._changed)
        self.steps = Number(minimum=STEPS[0], maximum=STEPS[2], value=STEPS[1], step=50)
        self.steps.setSuffix(" steps")
        self.steps.setAccessibleName("Steps of the race")
        self.race = QPushButton("Race")
        self.race.setToolTip(
            "Train with each for a moment: the same seed, the same batches in the same order."
        )
        self.race.clicked.connect(lambda: self.asked.emit(",".join(self.chosen()), self.steps.value()))
        self.use = QPushButton("Use")
        self.use.setToolTip(
            "Put the selected estimator wherever one stands and this one may. One step of undo."
        )
        self.use.clicked.connect(lambda: self.used.emit(self.current or ""))
        self.told = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.told.setProperty("role", "muted")
        self.plot = Plot("Race: loss by step")
        self.plot.axes["bottom"].whole = True
        self.plot.axes["left"].log = True
        self._arrange()
        self._ready = False
        self.refresh()

    def _arrange(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(2 * SPACE)
        row.addWidget(self.race)
        row.addWidget(self.steps)
        row.addStretch()
        row.addWidget(self.use)
        left = QVBoxLayout()
        left.setContentsMargins(3 * SPACE, 2 * SPACE, SPACE, 2 * SPACE)
        left.setSpacing(2 * SPACE)
        left.addLayout(row)
        left.addWidget(self.list, 1)
        left.addWidget(self.told)
        title = QLabel("Training loss by step, smoothed. Dashed: as it is, and (grey) without estimators")
        title.setProperty("role", "heading")
        right = QVBoxLayout()
        right.setContentsMargins(SPACE, 2 * SPACE, 3 * SPACE, 2 * SPACE)
        right.setSpacing(SPACE)
        right.addWidget(title)
        right.addWidget(self.plot, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addLayout(left, 2)
        whole.addLayout(right, 3)

    # ------------------------------------------------------------------ choosing

    def chosen(self) -> list[str]:
        """The estimators that are ticked."""
        return [str(item.data(_NAME)) for item in self._items() if item.checkState() == Qt.CheckState.Checked]

    @property
    def current(self) -> str | None:
        """The estimator of the selected row."""
        item = self.list.currentItem()
        return None if item is None else str(item.data(_NAME))

    def _items(self) -> list[QListWidgetItem]:
        return [self.list.item(row) for row in range(self.list.count())]

    def set_ready(self, ready: bool) -> None:
        """Whether a race may be asked for now."""
        self._ready = ready
        self._enable()

    def _changed(self, _item: QListWidgetItem) -> None:
        self._enable()

    def _enable(self) -> None:
        self.race.setEnabled(self._ready and bool(self.chosen()))
        self.use.setEnabled(self._ready and self.current is not None)

    # ------------------------------------------------------------------ showing

    def show_race(self, raced: Race) -> None:
        """Draw the curves, and select the winner among the estimators."""
        self.raced = raced
        ends = {name: self._end(losses) for name, losses in raced.losses.items()}
        running = {name: ends[name] for name in self._names() if name in ends}
        words = [f"{name} {figure(ends[name])}" for name in ("current", REAL) if name in ends]
        if running:
            best = min(running, key=lambda name: running[name])
            self.list.setCurrentRow(self._names().index(best))
            words.insert(0, f"{BINARIZERS[best].title} is lowest: {figure(running[best])}")
        self.told.setText(
            f"After {raced.steps} steps: {'; '.join(words)}. One seed, one rate: a first impression."
        )
        self.refresh()

    @staticmethod
    def _end(losses: Sequence[float]) -> float:
        return float(exponential_average(np.array(losses), _DECAY)[0][-1])

    def _names(self) -> list[str]:
        return [str(item.data(_NAME)) for item in self._items()]

    def _color(self, name: str) -> QColor:
        if name == REAL:
            return theme.color("muted")
        if name == "current":
            return theme.color("text")
        colors = theme.tokens.series
        running = [other for other in self._names() if self.raced is None or other in self.raced.losses]
        return QColor(colors[running.index(name) % len(colors)])

    def refresh(self) -> None:
        """Draw curves, and their colours in the list."""
        self._enable()
        for item in self._curves:
            self.plot.removeItem(item)
        self._curves = []
        losses = {} if self.raced is None else self.raced.losses
        self.list.blockSignals(True)
        for row in self._items():
            name = str(row.data(_NAME))
            picture = QPixmap(12, 12)
            picture.fill(self._color(name) if name in losses else Qt.GlobalColor.transparent)
            row.setIcon(QIcon(picture))
            title = BINARIZERS[name].title
            row.setText(f"{title}   {figure(self._end(losses[name]))}" if name in losses else title)
        self.list.blockSignals(False)
        smooth = {name: exponential_average(np.array(row), _DECAY)[0] for name, row in losses.items()}
        span = bounds(list(smooth.values()), log=True)
        if span is None:
            return
        lo, hi = padded(*np.log10(span))
        for name, values in smooth.items():
            strong = name == self.current
            item = pg.PlotCurveItem(connect="finite", antialias=True)
            style = Qt.PenStyle.DashLine if name in (REAL, "current") else Qt.PenStyle.SolidLine
            item.setPen(pg.mkPen(self._color(name), width=2 if strong else 1, style=style))
            item.setData(np.arange(1, len(values) + 1, dtype=np.float64), drawable(values, lo, hi, log=True))
            item.setZValue(10 if strong else 1)
            self.plot.addItem(item, ignoreBounds=True)
            self._curves.append(item)
        self.plot.show_range((1, max(map(len, smooth.values()))), (lo, hi))

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.plot.follow_theme()
        self.refresh()
