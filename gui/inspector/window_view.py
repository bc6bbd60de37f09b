"""The window of a convolution or pooling, seen moving over its input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEasingCurve, QEvent, QPointF, QRectF, QSize, Qt, QTimer, QVariantAnimation
from PySide6.QtGui import QColor, QHideEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.inspector.sliding import Axis
from gui.theme import SPACE, family_color, theme

#: Milliseconds that the window stands, and that it moves.
_STAND, MOVE = 520, 140
#: Cells of the input that are shown along an axis, padding included, unless the window is larger.
_SHOWN = 14
#: The same where the cells show a real example: a digit can be made out.
_SHOWN_REAL = 36
#: About how long the window takes for all of its way over a real example, in milliseconds.
_TOUR = 20_000
#: Pixels between the grids, above them, and of the largest cell's side.
_GAP, _CAPTION, _LARGEST = 8 * SPACE, 6 * SPACE, 18


class WindowView(QWidget):
    """Input with padding on the left, output on the right, the window moving in step.

    A transposed convolution is the same seen from behind: its output is on the left.

    It stops when hidden; with the pointer over an output the window goes there and waits.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMouseTracking(True)
        self.setAccessibleName("The window moving over the input")
        self._rows = self._columns = Axis(0, 0, 0, (), "")
        self._group = "Other"
        #: What the cells of both grids hold, coarser where there are many.
        self.source: NDArray[np.float32] | None = None
        self.result: NDArray[np.float32] | None = None
        self._index = 0
        self._held = False
        self._timer = QTimer(self)
        self._timer.setInterval(_STAND)
        self._timer.timeout.connect(self._advance)
        self._glide = QVariantAnimation(self)
        self._glide.setDuration(MOVE)
        self._glide.setEasingCurve(QEasingCurve.Type.InOutQuad)
        self._glide.setStartValue(0.0)
        self._glide.setEndValue(1.0)
        self._glide.valueChanged.connect(self.update)
        self._from = QRectF()
        theme.changed.connect(self.update)

    def set_axes(self, axes: Sequence[Axis], group: str) -> None:
        """Show the last two `axes` in the colour of `group`; one axis is a single row."""
        single = Axis(1, 0, 0, ((0,),), "")
        rows, columns = (axes[-2], axes[-1]) if len(axes) > 1 else (single, axes[-1])
        if (rows, columns, group) == (self._rows, self._columns, self._group):
            return
        self._rows, self._columns, self._group = rows, columns, group
        self._index = 0
        self._from = QRectF()
        self._glide.stop()
        self.updateGeometry()
        self.update()
        self._run()

    def set_values(self, source: NDArray[np.float32] | None, result: NDArray[np.float32] | None) -> None:
        """Fill the cells with real values ``[rows, columns]`` (coarser where there are many); None: none."""
        before = self.source is None
        self.source, self.result = source, result
        if before != (source is None):
            self._index = 0
            self._from = QRectF()
            self.updateGeometry()
            self._run()
        self.update()

    @property
    def running(self) -> bool:
        """Whether it moves."""
        return self._timer.isActive()

    @property
    def cropped(self) -> bool:
        """Whether only a corner of the input is shown."""
        return any(self._span(axis) < axis.padded for axis in (self._rows, self._columns))

    def sizeHint(self) -> QSize:
        """As high as a square input needs, within reason."""
        return QSize(240, self.heightForWidth(240))

    def heightForWidth(self, width: int) -> int:
        """What both grids need beside each other."""
        rows, columns = self._span(self._rows), self._span(self._columns)
        cells = max(1, columns + self._outputs(self._columns))
        cell = min(float(_LARGEST), (width - _GAP - 2) / cells)
        high = max(rows, self._outputs(self._rows), 1) * cell
        return math.ceil(min(45.0 * SPACE, high)) + _CAPTION + 2

    def minimumSizeHint(self) -> QSize:
        """Narrow docks are fine."""
        return QSize(120, 12 * SPACE)

    # ------------------------------------------------------------------ movement

    def showEvent(self, event: QShowEvent) -> None:
        """Go on."""
        super().showEvent(event)
        self._run()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop: what nobody sees costs nothing."""
        super().hideEvent(event)
        self._timer.stop()
        self._glide.stop()

    def changeEvent(self, event: QEvent) -> None:
        """A larger font asks for another height."""
        super().changeEvent(event)
        self.updateGeometry()

    def _run(self) -> None:
        total = self._outputs(self._rows) * self._outputs(self._columns)
        several = total > 1
        self._timer.setInterval(
            _STAND if self.source is None else max(60, min(_STAND, _TOUR // max(1, total)))
        )
        if self.isVisible() and several and not self._held:
            self._timer.start()
        else:
            self._timer.stop()

    def _advance(self) -> None:
        total = self._outputs(self._rows) * self._outputs(self._columns)
        self._go((self._index + 1) % total if total else 0)

    def _go(self, index: int) -> None:
        if index != self._index:
            self._from = self._window(self._index)
            self._index = index
            if self._timer.interval() > MOVE:
                self._glide.start()
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Over an output: show which input it reads."""
        _, out, cell = self._frames()
        columns = self._outputs(self._columns)
        if cell and out.contains(event.position()) and columns:
            row = int((event.position().y() - out.top()) / cell)
            column = int((event.position().x() - out.left()) / cell)
            self._held = True
            self._timer.stop()
            self._go(min(row, self._outputs(self._rows) - 1) * columns + min(column, columns - 1))
        elif self._held:
            self.leaveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Move on."""
        self._held = False
        self._run()

    # ------------------------------------------------------------------ geometry

    def _span(self, axis: Axis) -> int:
        """Cells of the padded input that are shown."""
        step = axis.windows[1][0] - axis.windows[0][0] if axis.output > 1 else 0
        return min(axis.padded, max(_SHOWN if self.source is None else _SHOWN_REAL, axis.reach + step))

    def _first(self, axis: Axis) -> int:
        """The first cell that is shown, padding below 0: of a real example the middle is."""
        skipped = 0 if self.source is None else (axis.padded - self._span(axis)) // 2
        return skipped - axis.before

    def _shown(self, axis: Axis) -> list[int]:
        """The numbers of the windows that lie wholly in what is shown."""
        first = self._first(axis)
        end = max(first + self._span(axis), 1)
        found = [n for n, window in enumerate(axis.windows) if window[0] >= first and window[-1] < end]
        return found or list(range(min(1, axis.output)))

    def _outputs(self, axis: Axis) -> int:
        """Windows that lie wholly in what is shown."""
        return len(self._shown(axis))

    def _frames(self) -> tuple[QRectF, QRectF, float]:
        """Rectangles of input and output, and the side of a cell."""
        rows, columns = self._span(self._rows), self._span(self._columns)
        out_rows, out_columns = self._outputs(self._rows), self._outputs(self._columns)
        gap, top = float(_GAP), float(_CAPTION)
        width, height = self.width() - gap - 2, self.height() - top - 2
        cell = min(width / max(1, columns + out_columns), height / max(1, rows, out_rows), float(_LARGEST))
        left = 1 + (width - cell * (columns + out_columns)) / 2
        return (
            QRectF(left, top, columns * cell, rows * cell),
            QRectF(left + columns * cell + gap, top, out_columns * cell, out_rows * cell),
            cell,
        )

    def _window(self, index: int) -> QRectF:
        """The window's outline at output `index`, in input cells."""
        columns = self._outputs(self._columns)
        if not columns or not self._rows.output:
            return QRectF()
        row = self._rows.windows[self._shown(self._rows)[index // columns]]
        column = self._columns.windows[self._shown(self._columns)[index % columns]]
        return QRectF(column[0], row[0], column[-1] - column[0] + 1, row[-1] - row[0] + 1)

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both grids and the window between them."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        source, out, cell = self._frames()
        accent = QColor(family_color(theme.tokens, self._group))
        left, right = ("output", "input") if self._columns.spreads else ("input", "output")
        self._caption(painter, source, _sizes(self._rows, self._columns, "size"), left)
        self._caption(painter, out, _sizes(self._rows, self._columns, "output"), right)
        self._input(painter, source, cell)
        self._output(painter, out, cell, accent)
        if self._rows.output and self._columns.output:
            self._draw_window(painter, source, out, cell, accent)

    def _caption(self, painter: QPainter, frame: QRectF, sizes: str, name: str) -> None:
        painter.setPen(theme.color("muted"))
        metrics = painter.fontMetrics()
        text = f"{name} {sizes}"
        if metrics.horizontalAdvance(text) > max(frame.width(), self.width() / 2 - 2 * SPACE):
            text = sizes
        width = metrics.horizontalAdvance(text)
        left = min(max(frame.center().x() - width / 2, 0), self.width() - width)
        painter.drawText(QPointF(left, frame.top() - SPACE - metrics.descent()), text)

    def _input(self, painter: QPainter, frame: QRectF, cell: float) -> None:
        left, top = self._first(self._columns), self._first(self._rows)
        whole = QRectF(
            frame.left() - left * cell,
            frame.top() - top * cell,
            self._columns.size * cell,
            self._rows.size * cell,
        )
        real = whole.intersected(frame)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("raised"))
        painter.drawRect(frame)
        painter.setBrush(theme.color("surface"))
        painter.drawRect(real)
        if self.source is not None:
            _paint_values(painter, self.source, whole, real)
        self._lines(painter, frame, cell)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.color("muted"), 1))
        painter.drawRect(real)

    def _output(self, painter: QPainter, frame: QRectF, cell: float, accent: QColor) -> None:
        columns = self._outputs(self._columns)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("surface"))
        painter.drawRect(frame)
        if self.result is not None:
            self._paint_result(painter, frame, cell, columns)
            self._lines(painter, frame, cell)
            return
        painter.setBrush(_faint(accent, 60))
        for index in range(self._index):
            row, column = divmod(index, columns)
            painter.drawRect(QRectF(frame.left() + column * cell, frame.top() + row * cell, cell, cell))
        self._lines(painter, frame, cell)

    def _paint_result(self, painter: QPainter, frame: QRectF, cell: float, columns: int) -> None:
        """What has been passed stands out; what is to come is there, faintly."""
        if self.result is None:
            return
        left, top = self._shown(self._columns)[0], self._shown(self._rows)[0]
        whole = QRectF(
            frame.left() - left * cell,
            frame.top() - top * cell,
            self._columns.output * cell,
            self._rows.output * cell,
        )
        painter.setOpacity(0.3)
        _paint_values(painter, self.result, whole, frame)
        painter.setOpacity(1.0)
        row, column = divmod(self._index + 1, columns)
        _paint_values(
            painter, self.result, whole, QRectF(frame.left(), frame.top(), frame.width(), row * cell)
        )
        passed = QRectF(frame.left(), frame.top() + row * cell, column * cell, cell)
        _paint_values(painter, self.result, whole, passed)

    def _lines(self, painter: QPainter, frame: QRectF, cell: float) -> None:
        if cell < 4:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.color("line"), 1))
            painter.drawRect(frame)
            return
        line = theme.color("line")
        line.setAlpha(255 if self.source is None else 70)
        painter.setPen(QPen(line, 1))
        for column in range(round(frame.width() / cell) + 1):
            x = frame.left() + column * cell
            painter.drawLine(QPointF(x, frame.top()), QPointF(x, frame.bottom()))
        for row in range(round(frame.height() / cell) + 1):
            y = frame.top() + row * cell
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))

    def _draw_window(
        self, painter: QPainter, source: QRectF, out: QRectF, cell: float, accent: QColor
    ) -> None:
        columns = self._outputs(self._columns)
        index = min(self._index, max(0, self._outputs(self._rows) * columns - 1))
        goal = self._window(index)
        moving = self._glide.state() == QVariantAnimation.State.Running and not self._from.isNull()
        share = float(self._glide.currentValue()) if moving else 1.0
        start = self._from if moving else goal
        place = QRectF(
            start.x() + (goal.x() - start.x()) * share,
            start.y() + (goal.y() - start.y()) * share,
            start.width() + (goal.width() - start.width()) * share,
            start.height() + (goal.height() - start.height()) * share,
        )
        origin = QPointF(
            source.left() + (place.x() - self._first(self._columns)) * cell,
            source.top() + (place.y() - self._first(self._rows)) * cell,
        )
        outline = QRectF(origin.x(), origin.y(), place.width() * cell, place.height() * cell)
        row, column = divmod(index, columns)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_faint(accent, 130 if self.source is None else 70))
        for tap_row in self._rows.windows[self._shown(self._rows)[row]]:
            for tap_column in self._columns.windows[self._shown(self._columns)[column]]:
                x = origin.x() + (tap_column - goal.x()) * cell
                y = origin.y() + (tap_row - goal.y()) * cell
                painter.drawRect(QRectF(x, y, cell, cell).adjusted(0.5, 0.5, -0.5, -0.5))
        target = QRectF(out.left() + column * cell, out.top() + row * cell, cell, cell)
        painter.setPen(QPen(_faint(accent, 120), 1, Qt.PenStyle.DashLine))
        painter.drawLine(outline.topRight(), target.topLeft())
        painter.drawLine(outline.bottomRight(), target.bottomLeft())
        painter.setPen(QPen(accent, 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(outline)
        painter.setBrush(accent if self.result is None else Qt.BrushStyle.NoBrush)
        painter.drawRect(target.adjusted(1, 1, -1, -1))


def _paint_values(painter: QPainter, values: NDArray[np.float32], whole: QRectF, part: QRectF) -> None:
    """Paint values over `whole`, and of that what lies in `part`: ink above zero, its counterpart below."""
    if part.isEmpty():
        return
    ground, above, below = (theme.color(name) for name in ("surface", "text", "validation"))
    strength = np.abs(values) / max(float(np.abs(values).max()), 1e-12)
    pixels = np.empty((*values.shape, 4), np.uint8)
    for channel, name in enumerate(("blue", "green", "red")):
        start, high, low = (getattr(color, name)() for color in (ground, above, below))
        pixels[..., channel] = start + (np.where(values >= 0, high, low) - start) * strength
    pixels[..., 3] = 255
    image = QImage(
        pixels.tobytes(), values.shape[1], values.shape[0], 4 * values.shape[1], QImage.Format.Format_RGB32
    )
    painter.save()
    painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
    painter.drawImage(whole, image)
    painter.restore()


def _sizes(rows: Axis, columns: Axis, name: str) -> str:
    sizes = [getattr(axis, name) for axis in (rows, columns) if axis.working]
    return " × ".join(map(str, sizes))


def _faint(color: QColor, alpha: int) -> QColor:
    faint = QColor(color)
    faint.setAlpha(alpha)
    return faint
