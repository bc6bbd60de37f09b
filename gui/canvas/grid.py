"""The dots of the ground."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap

#: Between two dots, in scene units.
GRID = 32


def draw(painter: QPainter, rect: QRectF, zoom: float, ratio: float, color: int) -> None:
    """Copy a row of dots to where rows are: a thousand round points cost forty times as much."""
    left, top = math.floor(rect.left() / GRID) * GRID, math.floor(rect.top() / GRID) * GRID
    count = math.ceil((rect.right() - left) / GRID) + 1
    row = _dots(zoom * GRID * ratio, 1 << (count - 1).bit_length(), ratio, color)
    transform = painter.worldTransform()
    painter.resetTransform()
    source = QRectF(0, 0, (math.ceil(count * zoom * GRID) + 2) * ratio, row.height())
    for number in range(math.ceil((rect.bottom() - top) / GRID) + 1):
        place = transform.map(QPointF(left, top + number * GRID))
        at = QPointF(round(place.x() * ratio) / ratio, round(place.y() * ratio) / ratio)
        painter.drawPixmap(at, row, source)
    painter.setWorldTransform(transform)


@lru_cache(maxsize=8)
def _dots(step: float, count: int, ratio: float, color: int) -> QPixmap:
    """A row of the grid's dots, `step` pixels of the screen apart."""
    size = max(1, round(2 * ratio))
    row = QPixmap(math.ceil(step * count) + 2 * size, size)
    row.setDevicePixelRatio(ratio)
    row.fill(Qt.GlobalColor.transparent)
    painter = QPainter(row)
    painter.scale(1 / ratio, 1 / ratio)
    for number in range(count):
        painter.fillRect(round(number * step), 0, size, size, QColor.fromRgb(color))
    painter.end()
    return row
