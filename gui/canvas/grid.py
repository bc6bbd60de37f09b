"""The dots of the ground."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap

#: Between two dots, in scene units.
GRID = 32
#: Dots of one picture. It begins at a dot whose number this divides, whatever is painted: so each dot
#: is rounded to the same pixel, be all painted or a part.
_TOGETHER = 64


def draw(painter: QPainter, rect: QRectF, zoom: float, ratio: float, color: int) -> None:
    """Copy rows of dots to where rows are: a thousand round points cost forty times as much."""
    width = GRID * _TOGETHER
    columns = range(math.floor(rect.left() / width), math.floor(rect.right() / width) + 1)
    rows = range(math.floor(rect.top() / GRID), math.ceil(rect.bottom() / GRID) + 1)
    dots = _dots(zoom * GRID * ratio, ratio, color)
    transform = painter.worldTransform()
    painter.resetTransform()
    for row in rows:
        for column in columns:
            place = transform.map(QPointF(column * width, row * GRID))
            at = QPointF(round(place.x() * ratio) / ratio, round(place.y() * ratio) / ratio)
            painter.drawPixmap(at, dots)
    painter.setWorldTransform(transform)


@lru_cache(maxsize=8)
def _dots(step: float, ratio: float, color: int) -> QPixmap:
    """A row of the grid's dots, `step` pixels of the screen apart."""
    size = max(1, round(2 * ratio))
    row = QPixmap(math.ceil(step * (_TOGETHER - 1)) + size, size)
    row.setDevicePixelRatio(ratio)
    row.fill(Qt.GlobalColor.transparent)
    painter = QPainter(row)
    painter.scale(1 / ratio, 1 / ratio)
    for number in range(_TOGETHER):
        painter.fillRect(round(number * step), 0, size, size, QColor.fromRgb(color))
    painter.end()
    return row
