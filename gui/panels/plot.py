"""One plot in the house's look: quiet axes, own grid lines, fixed ranges, a cross-hair.

pyqtgraph draws; what it is slow at is done here (its own grid costs 35 ms a frame, ranges found
anew for every frame cost as much as the curves). Ranges are set by the panel until the user zooms
or pans; a double click gives them back.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QFrame, QWidget

from gui.panels.axis import Axis
from gui.panels.series import Array
from gui.theme import theme

#: Pixels of the numbers on the left: the same everywhere, so that plots above one another line up.
LEFT = 50

#: A curve of no more points than this shows each of them.
DOTS = 60

#: A curve that travels more than this many heights of the plot is drawn a pixel wide.
TRAVEL = 12.0


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


class Curve(pg.PlotCurveItem):  # type: ignore[misc]
    """A line that takes up all that is seen: to find its bounds for every frame costs more than drawing."""

    def boundingRect(self) -> QRectF:
        """All that is seen."""
        return _seen(self)


class Dots(pg.ScatterPlotItem):  # type: ignore[misc]
    """Dots that take up all that is seen, and nothing where there are none."""

    def boundingRect(self) -> QRectF:
        """All that is seen."""
        return _seen(self)

    def paint(self, painter: QPainter, *options: Any) -> None:
        """Draw them, if there are any."""
        if len(self.data):
            super().paint(painter, *options)


def _seen(item: Any) -> QRectF:
    box = item.getViewBox()
    return QRectF(box.viewRect()) if isinstance(box, pg.ViewBox) else QRectF()


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """A plot whose panel sets its ranges and asks for cheap curves."""

    #: Where the pointer is on the x axis; None when it has left.
    hovered = Signal(object)
    #: The user asked for all again.
    released = Signal()

    def __init__(self, name: str, parent: QWidget | None = None, vertical_grid: bool = False) -> None:
        self.axes = {"left": Axis("left", 30), "bottom": Axis("bottom", 58)}
        super().__init__(parent, axisItems=dict(self.axes), enableMenu=False)
        self.setAccessibleName(name)
        self.setMinimumWidth(80)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # no key does anything in it, so Tab passes it by
        self._adopt()
        self.view = self.getPlotItem().getViewBox()
        self.vertical_grid = vertical_grid
        #: Whether the user chose the range.
        self.held = False
        #: While a button is held: what was seen before, and whether the user had chosen that.
        self._held_from: tuple[tuple[list[float], list[float]], bool] | None = None
        #: The drag was taken back, and the button is still held.
        self._taken_back = False
        self.getPlotItem().hideButtons()
        self.view.disableAutoRange()
        self.view.setDefaultPadding(0)
        self.axes["left"].setWidth(LEFT)
        self.view.sigRangeChangedManually.connect(self._hold)
        for name in ("top", "right"):  # never shown, and told of every range
            self.getAxis(name).unlinkFromView()
        self._grid = Grid(self)
        self.addItem(self._grid, ignoreBounds=True)
        self.view.sigRangeChanged.connect(self._grid.prepareGeometryChange)
        self.cross = pg.InfiniteLine(angle=90, movable=False)
        self.cross.setZValue(50)
        self.cross.hide()
        self.addItem(self.cross, ignoreBounds=True)
        self.scene().sigMouseMoved.connect(self._moved)
        Plot.follow_theme(self)

    def _adopt(self) -> None:
        """Let the plot's own menu end with it: pyqtgraph leaves that to Python's collector, in any order."""
        item = self.getPlotItem()
        item.ctrlMenu.setParent(self, item.ctrlMenu.windowFlags())
        item.stateGroup.setParent(item)

    # ------------------------------------------------------------------ looks

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.setBackground(theme.color("surface"))
        for axis in self.axes.values():
            axis.setPen(QPen(Qt.PenStyle.NoPen))
            axis.setTextPen(theme.color("muted"))
        self.cross.setPen(pg.mkPen(theme.color("muted"), width=1))
        self._grid.update()

    def dots(self, color: str) -> Dots:
        """Dots in a token's colour, for a curve of few points."""
        item = Dots(size=5, pen=None, brush=theme.color(color))
        self.addItem(item, ignoreBounds=True)
        return item

    def curve(self, color: str, width: float = 1.0, strength: float = 1.0) -> Curve:
        """A line in a token's colour."""
        item = Curve(connect="finite", antialias=True)
        self.paint_curve(item, color, width, strength)
        self.addItem(item, ignoreBounds=True)
        return item

    def draw(self, item: pg.PlotCurveItem, x: Array, y: Array) -> None:
        """Give a curve its points; one that goes up and down a lot gets a line a pixel wide.

        The outline of a wide line costs a hundred times as much (275 ms against 1.1 ms for 600
        points of noise), and where the line covers itself nobody sees the difference.
        """
        if not len(x):
            if item.xData is not None and len(item.xData):
                item.clear()
            return
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
                # At once: found out while painting, it would have all painted a second time.
                self.view.updateMatrix()

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

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag what is seen."""
        if event.buttons() == event.button():  # with another one it goes on
            self._held_from, self._taken_back = (self.view.viewRange(), self.held), False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on, unless that was taken back."""
        if not self._taken_back:
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Stay there."""
        super().mouseReleaseEvent(event)
        if self._taken_back:  # by the release it has moved once more
            self._take_back()
        if not event.buttons():
            self._held_from, self._taken_back = None, False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc while dragging shows what was seen before."""
        if event.key() == Qt.Key.Key_Escape and self._held_from is not None:
            self._taken_back = True
            self._take_back()
        else:
            super().keyPressEvent(event)

    def _take_back(self) -> None:
        assert self._held_from is not None
        (x, y), held = self._held_from
        self.view.setRange(xRange=x, yRange=y, padding=0)
        self.held = held

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
