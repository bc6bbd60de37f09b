"""A figure of every layer at once, on a logarithmic scale: how it goes through the depth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from gui.panels.parameters import Measure
from gui.panels.plot import Plot
from gui.panels.series import Array, figure, padded
from gui.panels.words import Line
from gui.theme import SPACE, theme

#: Letters of a name that an axis has room for.
LETTERS = 14


class DepthPlot(QWidget):
    """One measure: a line with a dot per layer, from input to output; faint, what it was at first."""

    #: A layer was clicked.
    chosen = Signal(str)

    def __init__(self, measure: Measure, title: str) -> None:
        super().__init__()
        self._measure = measure
        self._names: tuple[str, ...] = ()
        self.title = Line(f"{measure.title} by layer")
        self.title.setProperty("role", "muted")
        self.title.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        self.plot = Plot(f"{title}: {measure.title.lower()} through depth", vertical_grid=True)
        self.plot.setMinimumHeight(80)
        self.plot.axes["left"].log = True
        self.plot.axes["bottom"].whole = True
        self.plot.axes["bottom"].format = self._name
        self.first = self.plot.curve(measure.color, 1.0, 0.4)
        self.now = self.plot.curve(measure.color, 2.0)
        self.dots = self.plot.dots(measure.color)
        self.dots.setSize(7)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        #: The healthy range, where there is one.
        self.band: pg.LinearRegionItem | None = None
        if measure.band is not None:
            self.band = pg.LinearRegionItem(orientation="horizontal", movable=False)
            self.band.setZValue(-50)
            self.band.setRegion([math.log10(edge) for edge in measure.band])
            self.plot.addItem(self.band, ignoreBounds=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.title)
        column.addWidget(self.plot, 1)
        self.follow_theme()

    def _name(self, place: float) -> str:
        number = round(place)
        if number != place or not 0 <= number < len(self._names):
            return ""
        name = self._names[number]
        return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"

    def show_figures(
        self,
        names: Sequence[str],
        now: Mapping[str, float],
        first: Mapping[str, float],
        chosen: str | None,
    ) -> None:
        """Draw these; what is zero or no number leaves a gap."""
        self._names = tuple(names)
        x = np.arange(len(names), dtype=np.float64)
        lines = [_logarithms(names, found) for found in (now, first)]
        there = np.isfinite(lines[0])
        band = self._measure.band
        colors = [
            "accent"
            if name == chosen
            else self._measure.color
            if band is None or band[0] <= now.get(name, math.nan) <= band[1]
            else "warning"
            for name in names
        ]
        brushes = [pg.mkBrush(theme.color(c)) for c, shown in zip(colors, there, strict=True) if shown]
        self.dots.setData(x[there], lines[0][there], brush=brushes)
        edges = [np.log10(band)] if band is not None else []
        every = np.concatenate([*(line[np.isfinite(line)] for line in lines), *edges])
        low, high = padded(float(every.min()), float(every.max())) if len(every) else (-1.0, 0.0)
        self.plot.show_range((-0.5, max(len(names) - 0.5, 0.5)), (low, high))
        for curve, y in zip((self.now, self.first), lines, strict=True):
            self.plot.draw(curve, x, y)
        shown = [value for name in names if (value := now.get(name, 0.0)) > 0]
        if shown:
            self.plot.setToolTip(
                f"From {figure(min(shown))} to {figure(max(shown))}. A click on a dot chooses its layer."
            )

    def _clicked(self, event: Any) -> None:
        """Choose the layer under the pointer."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        number = round(self.plot.view.mapSceneToView(event.scenePos()).x())
        if 0 <= number < len(self._names):
            self.chosen.emit(self._names[number])

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.plot.follow_theme()
        self.plot.paint_curve(self.first, self._measure.color, 1.0, 0.4)
        self.plot.paint_curve(self.now, self._measure.color, 2.0)
        if self.band is not None:
            ground = QColor(theme.color("good"))
            ground.setAlphaF(0.15)
            self.band.setBrush(ground)
            for line in self.band.lines:
                line.setPen(pg.mkPen(None))


class DepthPlots(QWidget):
    """A plot per measure, one above another, so that layers stand above layers."""

    chosen = Signal(str)

    def __init__(self, measures: Sequence[Measure], title: str) -> None:
        super().__init__()
        self.plots = [DepthPlot(measure, title) for measure in measures]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for plot in self.plots:
            plot.chosen.connect(self.chosen)
            column.addWidget(plot, 1)

    def show_figures(
        self,
        names: Sequence[str],
        now: Sequence[Mapping[str, float]],
        first: Sequence[Mapping[str, float]],
        chosen: str | None,
    ) -> None:
        """Draw what each measure is now, and was at first."""
        for plot, new, old in zip(self.plots, now, first, strict=True):
            plot.show_figures(names, new, old, chosen)

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for plot in self.plots:
            plot.follow_theme()


def _logarithms(names: Sequence[str], found: Mapping[str, float]) -> Array:
    values = np.array([found.get(name, math.nan) for name in names], dtype=np.float64)
    good = np.isfinite(values) & (values > 0)
    return np.where(good, np.log10(np.where(good, values, 1.0)), np.nan)
