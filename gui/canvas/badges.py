"""Errors seen from far away: a badge on each card that has one, as large on the screen from however far."""

from __future__ import annotations

import math
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPixmap, QPolygonF

from gui.canvas.look import Look
from gui.canvas.node_item import NodeItem

#: Side of a badge, and how near two may be, in pixels: of more errors in one spot one is shown.
SIDE, APART = 14.0, 7


class Badges:
    """The cards that are wrong."""

    def __init__(self) -> None:
        self._wrong: dict[NodeItem, None] = {}

    def put(self, item: NodeItem, wrong: bool) -> None:
        """Whether a card has an error."""
        if wrong:
            self._wrong[item] = None
        else:
            self._wrong.pop(item, None)

    def clear(self) -> None:
        """No card has any more, for there is none."""
        self._wrong.clear()

    def paint(self, painter: QPainter, tools: Look) -> None:
        """Mark the upper right corner of each."""
        if not self._wrong:
            return
        corners = painter.worldTransform().map(QPolygonF([item.far_rect.topRight() for item in self._wrong]))
        device = painter.device()
        view = QRectF(0, 0, device.width(), device.height()).adjusted(-SIDE, -SIDE, SIDE, SIDE)
        picture = _picture(tools, device.devicePixelRatioF())
        half, shown = QPointF(SIDE / 2, SIDE / 2), set[tuple[int, int]]()
        painter.save()
        painter.resetTransform()
        for corner in corners.toList():
            spot = (int(corner.x()) // APART, int(corner.y()) // APART)
            if spot not in shown and view.contains(corner):
                shown.add(spot)
                painter.drawPixmap(corner - half, picture)
        painter.restore()


@lru_cache(maxsize=4)
def _picture(tools: Look, ratio: float) -> QPixmap:
    """A disc with an exclamation mark, and a ring that sets it off from whatever it lies on."""
    picture = QPixmap(math.ceil(SIDE * ratio), math.ceil(SIDE * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(tools.surface, 1.5))
    painter.setBrush(tools.error)
    middle = SIDE / 2
    painter.drawEllipse(QPointF(middle, middle), middle - 1, middle - 1)
    painter.fillRect(QRectF(middle - 1, middle - 4, 2, 5), tools.surface)
    painter.fillRect(QRectF(middle - 1, middle + 2, 2, 2), tools.surface)
    painter.end()
    return picture
