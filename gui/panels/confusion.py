"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from engine.host.protocol import Predicted
from gui.theme import theme


def confusion(predicted: Predicted) -> NDArray[np.int64]:
    """Counts by target (row) and prediction (column), shape [classes, classes].

    Examples without a target or a predicted class are left out.
    """
    pairs = [
        (int(example.target), example.predicted)
        for example in predicted.predictions
        if example.target is not None and example.predicted is not None
    ]
    size = max([len(predicted.classes), *(max(pair) + 1 for pair in pairs)])
    counts = np.zeros((size, size), dtype=np.int64)
    for target, answer in pairs:
        counts[target, answer] += 1
    return counts


class Confusion(QWidget):
    """The confusion matrix: rows are what is right, columns what was predicted, shades the row's shares."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.counts = np.zeros((0, 0), dtype=np.int64)
        self.classes: tuple[str, ...] = ()
        #: How many are right, and whose answers they are.
        self.told = ""
        self.setAccessibleName("Confusion matrix")
        self.setMouseTracking(True)

    def minimumSizeHint(self) -> QSize:
        """Small: numbers are left out where they have no room."""
        return QSize(120, 100)

    def show_predicted(self, predicted: Predicted) -> None:
        """Count these."""
        counts = confusion(predicted)
        self.show_counts(counts, predicted.classes, predicted.weights if counts.any() else "")

    def show_counts(self, counts: NDArray[np.int64], classes: Sequence[str], note: str = "") -> None:
        """Show counts by class (row) and answer (column); `note` says whose, or why there are none."""
        self.counts = counts
        self.classes = tuple(classes[i] if i < len(classes) else str(i) for i in range(len(counts)))
        total, right = int(counts.sum()), int(np.trace(counts))
        self.told = f"{right:,} of {total:,} right" + (f" · {note}" if note else "") if total else note
        self.setAccessibleDescription(self.told)
        self.update()

    def _field(self) -> QRectF:
        """Where the cells lie."""
        left = 16 + min(self.width() // 4, max((self._advance(name) for name in self.classes), default=0) + 8)
        right = 64
        top, bottom = 24, 26
        return QRectF(left, top, max(self.width() - left - right, 1), max(self.height() - top - bottom, 1))

    def _advance(self, text: str) -> int:
        return self.fontMetrics().horizontalAdvance(text)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the cells, the names and each class' share of right answers."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.color("surface"))
        size = len(self.counts)
        painter.setPen(theme.color("muted"))
        if not self.counts.sum():
            centred = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect(), centred, self.told or "No classes to compare, or more than 64")
            return
        field = self._field()
        wide, high = field.width() / size, field.height() / size
        totals = self.counts.sum(axis=1)
        centre = Qt.AlignmentFlag.AlignCenter
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        metrics = painter.fontMetrics()
        painter.drawText(QRectF(field.right(), 0, 60, 24), right, "Right")
        below = QRectF(field.left(), field.bottom() + 4, self.width() - field.left() - 4, 20)
        told = f"Rows: what is right. Columns: what was predicted.   {self.told}"
        if metrics.horizontalAdvance(told) > below.width():
            told = self.told
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(
            below, left, metrics.elidedText(told, Qt.TextElideMode.ElideLeft, int(below.width()))
        )
        self._paint_cells(painter, field, wide >= metrics.horizontalAdvance("0000") and high >= 15)
        for row in range(size):
            top = field.top() + row * high
            if high >= 12:
                painter.setPen(theme.color("muted"))
                name = metrics.elidedText(
                    self.classes[row], Qt.TextElideMode.ElideRight, int(field.left()) - 16
                )
                painter.drawText(QRectF(0, top, field.left() - 8, high), right, name)
                if totals[row]:
                    told = f"{100 * self.counts[row, row] / totals[row]:.1f} %"
                    painter.drawText(QRectF(field.right(), top, 60, high), right, told)
        painter.setPen(theme.color("muted"))
        for column in range(size):
            if wide >= 12:
                name = metrics.elidedText(self.classes[column], Qt.TextElideMode.ElideRight, int(wide))
                painter.drawText(QRectF(field.left() + column * wide, 0, wide, 24), centre, name)

    def _paint_cells(self, painter: QPainter, field: QRectF, written: bool) -> None:
        """Draw the cells, as one picture where none bears a number: of 64 classes there are 4,096."""
        size = len(self.counts)
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        colors = shades(shares)
        wide, high = field.width() / size, field.height() / size
        columns = [field.left() + column * wide for column in range(size)]
        rows = [field.top() + row * high for row in range(size)]
        if not written:
            data = colors.tobytes()  # a picture only borrows them
            painter.drawImage(field, QImage(data, size, size, 3 * size, QImage.Format.Format_RGB888))
            painter.setPen(QPen(theme.color("surface"), 1))
            lines = [QLineF(x, field.top(), x, field.bottom()) for x in columns]
            painter.drawLines([*lines, *(QLineF(field.left(), y, field.right(), y) for y in rows)])
            return
        strong, text = theme.color("accent_text"), theme.color("text")
        for row, column in np.ndindex(size, size):
            cell = QRectF(columns[column], rows[row], wide, high).adjusted(0.5, 0.5, -0.5, -0.5)
            painter.fillRect(cell, QColor(*colors[row, column].tolist()))
            if count := int(self.counts[row, column]):
                painter.setPen(strong if shares[row, column] > 0.55 else text)
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, f"{count:,}")

    def at(self, place: QPoint) -> tuple[int, int] | None:
        """Row and column under the pointer."""
        field = self._field()
        size = len(self.counts)
        if not size or not field.contains(place):
            return None
        row = int((place.y() - field.top()) / field.height() * size)
        column = int((place.x() - field.left()) / field.width() * size)
        return min(row, size - 1), min(column, size - 1)

    def event(self, event: QEvent) -> bool:
        """Say a cell in words."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            cell = self.at(event.pos())
            if cell is not None:
                row, column = cell
                QToolTip.showText(
                    event.globalPos(),
                    f"{self.counts[row, column]:,} of {self.counts[row].sum():,} examples of "
                    f"{self.classes[row]} were taken for {self.classes[column]}",
                    self,
                )
                return True
        return super().event(event)


def shades(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Cells' colours, shape [rows, columns, 3], by their shares of the row.

    From the ground towards the accent where right, on the diagonal, towards the error colour elsewhere.
    """
    colors = [theme.color(name) for name in ("raised", "accent", "error")]
    ground, right, wrong = (np.array([c.red(), c.green(), c.blue()], np.float64) for c in colors)
    full = np.where(np.eye(len(shares), dtype=bool)[..., None], right, wrong)
    return (ground + np.sqrt(shares)[..., None] * (full - ground)).round().astype(np.uint8)
