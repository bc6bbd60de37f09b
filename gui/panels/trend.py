"""A figure of one parameter or layer over time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine.host.protocol import Observation
from gui.panels.plot import DOTS, Plot, drawable
from gui.panels.series import Array, bounds, figure, padded
from gui.panels.words import Line
from gui.theme import SPACE, theme


@dataclass(frozen=True)
class Trend:
    """A figure of the chosen parameter over time."""

    title: str
    of: Callable[[Observation, str], float]
    #: Token of the curve's colour.
    color: str
    log: bool = False
    #: A range to mark.
    band: tuple[float, float] | None = None
    #: How its values read.
    format: Callable[[float], str] = figure


class TrendPlot(QWidget):
    """A trend's title and curve."""

    def __init__(self, trend: Trend) -> None:
        super().__init__()
        self.trend = trend
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.Base)
        self.title = Line(trend.title)
        self.title.setProperty("role", "muted")
        self.title.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        self.plot = Plot(f"{trend.title} over time")
        self.plot.axes["left"].log = trend.log
        self.plot.axes["left"].format = trend.format
        self.plot.setMinimumHeight(44)
        self.plot.axes["bottom"].whole = True
        self.curve = self.plot.curve(trend.color, 2.0)
        self.dots = self.plot.dots(trend.color)
        self.band = pg.LinearRegionItem(orientation="horizontal", movable=False)
        self.band.setZValue(-50)
        self.band.setVisible(trend.band is not None)
        if trend.band:
            self.band.setRegion([math.log10(edge) if trend.log else edge for edge in trend.band])
        self.plot.addItem(self.band, ignoreBounds=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.title)
        column.addWidget(self.plot, 1)
        self.follow_theme()

    def show_values(self, steps: Array, values: Array, span: tuple[float, float]) -> None:
        """Draw the trend over `span` of steps; where nothing is told of what is chosen, leave its room."""
        self.setVisible(bool(np.isfinite(values).any()))
        parts = [values] if self.trend.band is None else [values, np.array(self.trend.band)]
        lo, hi = bounds(parts, self.trend.log) or ((0.1, 1.0) if self.trend.log else (0.0, 1.0))
        if self.trend.log:
            lo, hi = math.log10(lo), math.log10(hi)
        lo, hi = padded(lo, hi) if lo or hi else (-0.06, 1.0)  # zero throughout: as far as a share goes
        drawn = drawable(values, lo, hi, self.trend.log)
        self.plot.show_range(span, (lo, hi))
        self.plot.draw(self.curve, steps, drawn)
        shown = np.isfinite(drawn) if len(steps) <= DOTS else np.zeros(len(steps), bool)
        self.dots.setData(steps[shown], drawn[shown])
        known = len(values) > 0 and bool(np.isfinite(values[-1]))
        self.title.say(self.trend.title, self.trend.format(float(values[-1])) if known else "")

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.plot.follow_theme()
        self.plot.paint_curve(self.curve, self.trend.color, 2.0)
        self.dots.setBrush(theme.color(self.trend.color))
        shade = theme.color("good")
        shade.setAlphaF(0.14)
        self.band.setBrush(pg.mkBrush(shade))
        for line in self.band.lines:
            line.setPen(pg.mkPen(None))
