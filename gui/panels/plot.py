"""One plot in the house's look: quiet axes, own grid lines, fixed ranges, a cross-hair.

pyqtgraph draws; what it is slow at is done here (its own grid costs 35 ms a frame, ranges found
anew for every frame cost as much as the curves). Ranges are set by the panel until the user zooms
or pans; a double click gives them back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QFrame, QWidget

from gui.panels.series import Array, figure
from gui.theme import TYPE, theme

#: Pixels of an axis' type.
AXIS_TYPE = TYPE[0]

#: Pixels of the numbers on the left: the same everywhere, so that plots above one another line up.
LEFT = 50

#: A curve of no more points than this shows each of them.
DOTS = 60

#: A curve that travels more than this many heights of the plot is drawn a pixel wide.
TRAVEL = 12.0


class Axis(pg.AxisItem):  # type: ignore[misc]
    """An axis of numbers only: no line, no ticks, no unit factors such as "(x1e-05)".

    With `log`, positions are powers of ten.
    """

    def __init__(self, orientation: str, count: int) -> None:
        super().__init__(orientation, maxTickLength=0)
        self.format: Callable[[float], str] = figure
        self.log = False
        #: Whether it counts whole things, such as steps.
        self.whole = False
        self._count = count
        self.enableAutoSIPrefix(False)
        self.setStyle(tickTextOffset=6, hideOverlappingLabels=True, autoExpandTextSpace=True)
        font = QFont()
        font.setPixelSize(AXIS_TYPE)
        self.setTickFont(font)

    def tickValues(self, least: float, most: float, size: float) -> list[tuple[float, list[float]]]:
        """Round positions, as many as have room."""
        if not (math.isfinite(least) and math.isfinite(most) and most > least):
            return []
        room = max(3.0 if self.orientation == "left" else 1.5, size / self._count)
        if not self.log:
            return [_even(least, most, min(room, most - least) if self.whole else room)]
        if most - least < 0.7:  # within a decade: round values
            step, values = _even(10.0**least, 10.0**most, room)
            return [(step, [math.log10(value) for value in values if value > 0])]
        step = float(max(1, math.ceil((most - least) / room)))
        first, last = math.floor(least / step), math.ceil(most / step)
        marks = (1, 2, 5) if 3 * (most - least) <= room else (1, 3) if 2 * (most - least) <= room else (1,)
        places = [i * step + math.log10(m) for i in range(first, last + 1) for m in marks]
        return [(step, [place for place in places if least <= place <= most])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """The numbers as text."""
        return [self.format(10.0**value if self.log else value) for value in values]

    def drawPicture(self, painter: QPainter, line: Any, ticks: Any, texts: Any) -> None:
        """Draw the numbers, without ticks."""
        super().drawPicture(painter, line, [], texts)


def _even(least: float, most: float, room: float) -> tuple[float, list[float]]:
    """Round numbers from `least` to `most` in even steps, about `room` of them."""
    raw = (most - least) / room
    base = float(10 ** math.floor(math.log10(raw)))
    step = next(base * nice for nice in (1, 2, 5, 10) if base * nice >= raw * 0.999)
    first, last = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9)
    return step, [index * step for index in range(first, min(last, first + 100) + 1)]


class Grid(pg.GraphicsObject):  # type: ignore[misc]
    """Hairlines at the axes' ticks."""

    def __init__(self, plot: Plot) -> None:
        super().__init__()
        self._plot = plot
        self.setZValue(-100)

    def boundingRect(self) -> QRectF:
        """All that is seen."""
        return QRectF(self._plot.view.viewRect())

    def paint(self, painter: QPainter, *options: Any) -> None:
        """Draw the lines, a pixel wide whatever the scale."""
        rect = self._plot.view.viewRect()
        pen = QPen(theme.color("grid"), 0)
        painter.setPen(pen)
        for _, values in self._plot.axes["left"].tickValues(
            rect.top(), rect.bottom(), self._plot.view.height()
        ):
            for y in values:
                painter.drawLine(QPointF(rect.left(), y), QPointF(rect.right(), y))
        if self._plot.vertical_grid:
            ticks = self._plot.axes["bottom"].tickValues(rect.left(), rect.right(), self._plot.view.width())
            for _, values in ticks:
                for x in values:
                    painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()))


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """A plot whose panel sets its ranges and asks for cheap curves."""

    #: Where the pointer is on the x axis; None when it has left.
    hovered = Signal(object)
    #: The user asked for all again.
    released = Signal()

    def __init__(self, name: str, parent: QWidget | None = None, vertical_grid: bool = False) -> None:
        self.axes = {"left": Axis("left", 30), "bottom": Axis("bottom", 58)}
        super().__init__(parent, axisItems=dict(self.axes))
        self.setAccessibleName(name)
        self.setMinimumWidth(80)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.view = self.getPlotItem().getViewBox()
        self.vertical_grid = vertical_grid
        #: Whether the user chose the range.
        self.held = False
        self.getPlotItem().hideButtons()
        self.setMenuEnabled(False)
        self.view.disableAutoRange()
        self.view.setDefaultPadding(0)
        self.axes["left"].setWidth(LEFT)
        self.view.sigRangeChangedManually.connect(self._hold)
        self._grid = Grid(self)
        self.addItem(self._grid, ignoreBounds=True)
        self.view.sigRangeChanged.connect(self._grid.prepareGeometryChange)
        self.cross = pg.InfiniteLine(angle=90, movable=False)
        self.cross.setZValue(50)
        self.cross.hide()
        self.addItem(self.cross, ignoreBounds=True)
        self.scene().sigMouseMoved.connect(self._moved)
        Plot.follow_theme(self)

    # ------------------------------------------------------------------ looks

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.setBackground(theme.color("surface"))
        for axis in self.axes.values():
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTextPen(theme.color("muted"))
        self.cross.setPen(pg.mkPen(theme.color("muted"), width=1))
        self._grid.update()

    def dots(self, color: str) -> pg.ScatterPlotItem:
        """Dots in a token's colour, for a curve of few points."""
        item = pg.ScatterPlotItem(size=5, pen=None, brush=theme.color(color))
        self.addItem(item, ignoreBounds=True)
        return item

    def curve(self, color: str, width: float = 1.0, strength: float = 1.0) -> pg.PlotCurveItem:
        """A line in a token's colour."""
        item = pg.PlotCurveItem(connect="finite", antialias=True)
        self.paint_curve(item, color, width, strength)
        self.addItem(item, ignoreBounds=True)
        return item

    def draw(self, item: pg.PlotCurveItem, x: Array, y: Array) -> None:
        """Give a curve its points; one that goes up and down a lot gets a line a pixel wide.

        The outline of a wide line costs a hundred times as much (275 ms against 1.1 ms for 600
        points of noise), and where the line covers itself nobody sees the difference.
        """
        bottom, top = self.view.viewRange()[1]
        travel = float(np.nansum(np.abs(np.diff(y)))) / ((top - bottom) or 1.0)
        pen = item.opts["pen"]
        width = 1.0 if travel > TRAVEL else item.full_width
        if pen.widthF() != width:
            item.setPen(pg.mkPen(pen.color(), width=width))
        item.setData(x, y)

    @staticmethod
    def paint_curve(item: pg.PlotCurveItem, color: str, width: float = 1.0, strength: float = 1.0) -> None:
        """Give a curve its pen. A weak one is mixed with the ground: translucent ink costs ten times more."""
        item.full_width = width
        item.setPen(pg.mkPen(mixed(color, strength), width=width))

    # ------------------------------------------------------------------ range

    def show_range(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Show this, unless the user chose what to see."""
        if not self.held:
            (left, right), (bottom, top) = self.view.viewRange()
            if (left, right, bottom, top) != (*x, *y):
                self.view.setRange(xRange=x, yRange=y, padding=0)

    def release(self) -> None:
        """Forget the user's range."""
        self.held = False
        self.released.emit()

    def _hold(self, *_: object) -> None:
        self.held = True

    @property
    def columns(self) -> int:
        """Width of the drawing in pixels."""
        return max(50, int(self.view.width()))

    # ------------------------------------------------------------------ pointer

    def _moved(self, position: QPointF) -> None:
        inside = self.view.sceneBoundingRect().contains(position)
        self.hovered.emit(self.view.mapSceneToView(position).x() if inside else None)

    def leaveEvent(self, event: Any) -> None:
        """Take the cross-hair away."""
        super().leaveEvent(event)
        self.hovered.emit(None)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show all again."""
        super().mouseDoubleClickEvent(event)
        self.release()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom with Ctrl; a bare wheel scrolls the panel."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(event)
        else:
            event.ignore()

    def show_cross(self, x: float | None) -> None:
        """Set the cross-hair, or take it away."""
        self.cross.setVisible(x is not None)
        if x is not None:
            self.cross.setPos(x)


def mixed(name: str, strength: float) -> QColor:
    """A token's colour, mixed with the plots' ground."""
    ink, ground = theme.color(name), theme.color("surface")

    def mix(a: int, b: int) -> int:
        return round(b + strength * (a - b))

    return QColor(
        mix(ink.red(), ground.red()), mix(ink.green(), ground.green()), mix(ink.blue(), ground.blue())
    )


def drawable(y: Array, lo: float, hi: float, log: bool = False) -> Array:
    """Values as a painter can take them: logarithms where asked, far spikes cut off, gaps as NaN.

    `lo` and `hi` are the range in what is drawn (powers of ten with `log`). Qt's rasteriser loses
    its footing at coordinates like 1e38; a line that leaves the picture by ten heights looks the same.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if log:
            y = np.where(y > 0, np.log10(np.where(y > 0, y, 1.0)), np.nan)
        span = max(hi - lo, 1e-300)
        return np.where(np.isfinite(y), np.clip(y, lo - 10 * span, hi + 10 * span), np.nan)
