"""Small plots that paint themselves: a curve with its derivative, a histogram with its density.

A preview is a few hundred points, so a plain widget is crisper and far cheaper than a plot
library's scene.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.inspector.words import number_text
from gui.theme import SPACE, family_color, theme


def ticks(lo: float, hi: float, most: int = 4) -> list[float]:
    """Round numbers from `lo` to `hi`, at most `most` and a few of them."""
    if not (math.isfinite(lo) and math.isfinite(hi)) or hi <= lo:
        return []
    rough = (hi - lo) / max(1, most)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


@dataclass(frozen=True)
class Curve:
    """One line of a plot. `color` names a token of the theme or a family of layers."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    color: str
    dashed: bool = False
    filled: bool = False


class Plot(QWidget):
    """Axes, grid, legend and the value under the pointer; subclasses draw what is inside."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.message = ""
        #: Held while painting, for :meth:`place`.
        self._area, self._ranges = QRectF(), (0.0, 1.0, 0.0, 1.0)
        self._pointer: float | None = None
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """High enough to read, as wide as there is room."""
        return QSize(240, 128 + 2 * self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        """Narrow docks are fine."""
        return QSize(96, self.sizeHint().height())

    def set_message(self, message: str) -> None:
        """Say why there is nothing to see; "" takes it away."""
        self.message = message
        self.update()

    # ------------------------------------------------------------------ what subclasses give

    def ranges(self) -> tuple[float, float, float, float] | None:
        """``(x lo, x hi, y lo, y hi)`` of the data; None where there is none."""
        return None

    def legend(self) -> list[tuple[str, str, bool]]:
        """``(name, color, dashed)`` of each line."""
        return []

    def draw(self, painter: QPainter, area: QRectF) -> None:
        """Draw the data into `area`."""

    def read(self, x: float) -> str:
        """What to say about the value at `x`."""
        return ""

    # ------------------------------------------------------------------ painting

    def small_font(self) -> QFont:
        """Tick labels are a little smaller than text."""
        font = QFont(self.font())
        if font.pixelSize() > 0:
            font.setPixelSize(max(9, round(font.pixelSize() * 0.85)))
        else:
            font.setPointSizeF(font.pointSizeF() * 0.85)
        return font

    def area(self) -> QRectF:
        """Where the data is drawn."""
        line = self.fontMetrics().height()
        top = line + SPACE if self.legend() else 2.0 * SPACE
        ranges = self.ranges()
        marks = ticks(ranges[2], ranges[3], 4) if ranges else []
        metrics = QFontMetricsF(self.small_font())
        widest = max((metrics.horizontalAdvance(_tick_text(value)) for value in marks), default=0.0)
        left = max(6.0 * SPACE, widest + 2.5 * SPACE)
        return QRectF(self.rect()).adjusted(left, top, -2 * SPACE, -line - SPACE)

    def place(self, x: float, y: float) -> QPointF:
        """Data to pixels, while painting."""
        area = self._area
        x_lo, x_hi, y_lo, y_hi = self._ranges
        return QPointF(
            area.left() + (x - x_lo) / (x_hi - x_lo) * area.width(),
            area.bottom() - (y - y_lo) / (y_hi - y_lo) * area.height(),
        )

    def color(self, name: str) -> QColor:
        """The colour of a token, or of a family of layers."""
        known = name in vars(theme.tokens)
        return theme.color(name) if known else QColor(family_color(theme.tokens, name))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint ground, grid, data, legend, reading."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.color("line"), 1))
        painter.setBrush(theme.color("surface"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        ranges = self.ranges()
        if self.message or ranges is None:
            painter.setPen(theme.color("muted"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(12, 8, -12, -8), flags, self.message)
            return
        painter.setFont(self.small_font())
        area = self.area()
        self._area, self._ranges = area, ranges
        self._axes(painter, area)
        painter.save()
        painter.setClipRect(area.adjusted(-1, -1, 1, 1))
        self.draw(painter, area)
        painter.restore()
        self._legend(painter)
        self._reading(painter, area)

    def _axes(self, painter: QPainter, area: QRectF) -> None:
        ranges = self.ranges()
        assert ranges is not None
        x_lo, x_hi, y_lo, y_hi = ranges
        height = painter.fontMetrics().height()
        for value in ticks(y_lo, y_hi, 4):
            y = round(self.place(x_lo, value).y()) + 0.5
            painter.setPen(QPen(theme.color("line" if value == 0 else "grid"), 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(theme.color("muted"))
            box = QRectF(0, y - height / 2, area.left() - SPACE, height)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, _tick_text(value)
            )
        for value in ticks(x_lo, x_hi, max(2, int(area.width() // 48))):
            x = round(self.place(value, y_lo).x()) + 0.5
            painter.setPen(QPen(theme.color("line" if value == 0 else "grid"), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            text = _tick_text(value)
            width = painter.fontMetrics().horizontalAdvance(text)
            left = min(max(x - width / 2, 2), self.width() - width - 2)
            painter.setPen(theme.color("muted"))
            painter.drawText(QPointF(left, area.bottom() + height), text)

    def _legend(self, painter: QPainter) -> None:
        x = self._area.left()
        y = SPACE + painter.fontMetrics().height() / 2
        for name, color, dashed in self.legend():
            style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
            painter.setPen(QPen(self.color(color), 2, style))
            painter.drawLine(QPointF(x, y), QPointF(x + 3.5 * SPACE, y))
            painter.setPen(theme.color("text"))
            width = painter.fontMetrics().horizontalAdvance(name)
            box = QRectF(x + 4.5 * SPACE, y - 10, width + 2, 20)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, name)
            x += width + 7 * SPACE

    def _reading(self, painter: QPainter, area: QRectF) -> None:
        ranges = self.ranges()
        if self._pointer is None or ranges is None:
            return
        x_lo, x_hi, _, _ = ranges
        value = x_lo + (self._pointer - area.left()) / area.width() * (x_hi - x_lo)
        text = self.read(value)
        if not text or not x_lo <= value <= x_hi:
            return
        painter.setPen(QPen(theme.color("muted"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(self._pointer, area.top()), QPointF(self._pointer, area.bottom()))
        metrics = painter.fontMetrics()
        width, height = metrics.horizontalAdvance(text) + 3 * SPACE, metrics.height() + SPACE
        left = min(max(self._pointer - width / 2, area.left()), max(area.left(), area.right() - width))
        box = QRectF(left, area.top(), width, height)
        painter.setPen(QPen(theme.color("line"), 1))
        painter.setBrush(theme.color("raised"))
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme.color("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer with the reading."""
        self._pointer = event.position().x()
        self.update()

    def leaveEvent(self, event: object) -> None:
        """Take the reading away."""
        self._pointer = None
        self.update()


def _tick_text(value: float) -> str:
    return number_text(0.0 if abs(value) < 1e-12 else float(f"{value:.6g}"))


class CurvePlot(Plot):
    """Functions of one variable."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.curves: tuple[Curve, ...] = ()
        self._limits: tuple[float, float, float, float] | None = None
        #: Edges of bins, and the share of values in each: where on the axis real values fall.
        self.falls: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
        self._fallen = ("", "accent")
        #: The curves' lines on the screen, and where that is: they are painted more often than made.
        self._lines: tuple[object, list[list[QPolygonF]]] = (None, [])
        #: So, too, the bars of the values under them.
        self._bars: tuple[object, list[QRectF]] = (None, [])

    def set_falls(
        self, edges: Sequence[float], counts: Sequence[int], name: str = "", color: str = "accent"
    ) -> None:
        """Show under the curves where values fall, called `name` in the legend; none: nothing."""
        self._fallen = (name, color)
        total = sum(counts)
        self.falls = (tuple(edges), tuple(count / total for count in counts) if total else ())
        self._bars = (None, [])
        self.update()

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Show these."""
        self.curves = tuple(curves)
        self._limits = _limits(self.curves)
        self._lines = (None, [])
        self.set_message("" if self._limits else "There is nothing to draw.")

    def ranges(self) -> tuple[float, float, float, float] | None:
        """The union of all curves, with a little room."""
        return self._limits

    def legend(self) -> list[tuple[str, str, bool]]:
        """Every named curve, and the values under them."""
        curves = [(curve.name, curve.color, curve.dashed) for curve in self.curves if curve.name]
        return [*curves, (*self._fallen, False)] if self._fallen[0] and self.falls[1] else curves

    def draw(self, painter: QPainter, area: QRectF) -> None:
        """Draw where values fall, and each curve, broken where it is not finite."""
        self._draw_falls(painter, area)
        where = (area.getRect(), self._ranges)
        if self._lines[0] != where:
            self._lines = (where, [self._pieces(curve) for curve in self.curves])
        for curve, pieces in zip(self.curves, self._lines[1], strict=True):
            color = self.color(curve.color)
            for piece in pieces:
                if curve.filled and piece.size() > 1:
                    zero = self.place(0, 0).y()
                    whole = QPolygonF(piece)
                    whole.append(QPointF(piece.last().x(), zero))
                    whole.append(QPointF(piece.first().x(), zero))
                    fill = QColor(color)
                    fill.setAlpha(40)
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(fill)
                    painter.drawPolygon(whole)
                style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
                painter.setPen(QPen(color, 1.6 if curve.dashed else 2, style))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawPolyline(piece)

    def _draw_falls(self, painter: QPainter, area: QRectF) -> None:
        edges, shares = self.falls
        if not shares or self._limits is None:
            return
        fill = self.color(self._fallen[1])
        fill.setAlpha(70)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        where = (area.getRect(), self._ranges)
        if self._bars[0] != where:
            high = 0.45 * area.height() / max(shares)
            bars = []
            for share, left, right in zip(shares, edges, edges[1:], strict=False):
                start, end = self.place(left, 0).x(), self.place(right, 0).x()
                bars.append(QRectF(start, area.bottom() - share * high, max(end - start, 0.5), share * high))
            self._bars = (where, [bar.intersected(area) for bar in bars if bar.intersects(area)])
        painter.drawRects(self._bars[1])

    def _pieces(self, curve: Curve) -> list[QPolygonF]:
        pieces: list[list[QPointF]] = [[]]
        for x, y in zip(curve.x, curve.y, strict=False):
            if math.isfinite(y):
                pieces[-1].append(self.place(x, y))
            elif pieces[-1]:
                pieces.append([])
        return [QPolygonF(piece) for piece in pieces if piece]

    def read(self, x: float) -> str:
        """Each curve's value at the pointer."""
        said = []
        for curve in self.curves:
            if curve.name and curve.x:
                near = min(range(len(curve.x)), key=lambda i: abs(curve.x[i] - x))
                said.append(number_text(float(f"{curve.y[near]:.3g}")))
        return f"x = {number_text(float(f'{x:.3g}'))}:  " + ",  ".join(said)


def _limits(curves: Sequence[Curve]) -> tuple[float, float, float, float] | None:
    xs = [x for curve in curves for x in curve.x if math.isfinite(x)]
    ys = [y for curve in curves for y in curve.y if math.isfinite(y)]
    if not xs or not ys or max(xs) <= min(xs):
        return None
    lo, hi = min(*ys, 0.0), max(*ys, 0.0)
    room = (hi - lo) * 0.08 or 1.0
    return min(xs), max(xs), lo - room, hi + room


class HistogramPlot(Plot):
    """Counts of a draw as a density, with the theoretical density over it."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.edges: tuple[float, ...] = ()
        self.heights: tuple[float, ...] = ()
        self.density: tuple[float, ...] = ()
        self.accent = "accent"

    def set_histogram(
        self,
        edges: Sequence[float],
        counts: Sequence[int],
        density: Sequence[float] = (),
        accent: str = "accent",
    ) -> None:
        """Show `counts` over ``len(edges) − 1`` bins; `density` (1/unit) is given at their centres."""
        total = sum(counts)
        self.edges, self.accent = tuple(edges), accent
        self.heights = tuple(
            count / total / (right - left) if total and right > left else 0.0
            for count, left, right in zip(counts, edges, edges[1:], strict=False)
        )
        self.density = tuple(density) if len(density) == len(self.heights) else ()
        self.set_message("" if self.ranges() else "There is nothing to draw.")

    def ranges(self) -> tuple[float, float, float, float] | None:
        """All bins, from zero to a little above the highest."""
        if len(self.edges) < 2 or self.edges[-1] <= self.edges[0] or not any(self.heights):
            return None
        finite = [value for value in self.density if math.isfinite(value)]
        room = (self.edges[-1] - self.edges[0]) * 0.04
        top = max(*self.heights, *finite, 0.0)
        return self.edges[0] - room, self.edges[-1] + room, 0.0, top * 1.12

    def legend(self) -> list[tuple[str, str, bool]]:
        """The draw, and the theory where there is one."""
        return [("drawn", self.accent, False), *([("theory", "text", False)] if self.density else [])]

    def draw(self, painter: QPainter, area: QRectF) -> None:
        """Draw bars, then the density."""
        fill = self.color(self.accent)
        fill.setAlpha(120)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        bars = []
        for height, left, right in zip(self.heights, self.edges, self.edges[1:], strict=False):
            if height:
                top, base = self.place(left, height), self.place(right, 0)
                bars.append(QRectF(top, QPointF(max(base.x() - 0.5, top.x() + 1), base.y())))
        painter.drawRects(bars)
        if self.density:
            painter.setPen(QPen(theme.color("text"), 1.6))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            centres = [(a + b) / 2 for a, b in zip(self.edges, self.edges[1:], strict=False)]
            painter.drawPolyline(
                QPolygonF(
                    [self.place(x, y) for x, y in zip(centres, self.density, strict=True) if math.isfinite(y)]
                )
            )

    def read(self, x: float) -> str:
        """The bin under the pointer."""
        for height, left, right in zip(self.heights, self.edges, self.edges[1:], strict=False):
            if left <= x <= right:
                share = height * (right - left)
                return f"{number_text(left)} … {number_text(right)}: {share:.1%}"
        return ""
