"""Nodes that are gone from the drawing but not from the run that trains it: outlines where they stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from gui.canvas import card, look
from gui.canvas.levels import NEAR

if TYPE_CHECKING:
    from gui.canvas.items import Items

HEIGHT = 64.0


class Ghosts(QGraphicsItem):
    """All outlines in one item, behind cards and wires; nothing can be done with them."""

    def __init__(self, owner: Items) -> None:
        super().__init__()
        self._owner = owner
        #: Id -> (upper left corner, what is said of it).
        self.gone: dict[str, tuple[tuple[float, float], str]] = {}
        self.setZValue(-1)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)

    def show_gone(self, gone: Mapping[str, tuple[tuple[float, float], str]]) -> None:
        """Outline these, and no others."""
        if dict(gone) != self.gone:
            self.prepareGeometryChange()
            self.gone = dict(gone)
            self.update()

    def _boxes(self) -> dict[str, QRectF]:
        return {id: QRectF(x, y, card.WIDTH, HEIGHT) for id, ((x, y), _) in self.gone.items()}

    def boundingRect(self) -> QRectF:
        """Around all of them."""
        found = QRectF()
        for box in self._boxes().values():
            found = found.united(box)
        return found.adjusted(-4, -4, 4, 4) if self.gone else found

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """A dashed outline, the id struck out, and what becomes of its weights."""
        tools = self._owner.look
        color = QColor(tools.error)
        for id, box in self._boxes().items():
            painter.setPen(QPen(color, 1.5, Qt.PenStyle.DashLine))
            painter.setBrush(look.mixed(color, tools.surface, 0.08))
            painter.drawRoundedRect(box, 8, 8)
            near = self._owner.detail == NEAR
            large, small = (13, 11) if near else (22, 16)
            painter.setPen(tools.muted)
            painter.setFont(look.font(large, bold=True))
            words = look.elided(id, large, card.WIDTH - 28, bold=True)
            line = box.top() + (24 if near else 28)
            painter.drawText(QPointF(box.left() + 14, line), words)
            width = look.metrics(large, bold=True).horizontalAdvance(words)
            middle = line - large * 0.35
            painter.drawLine(QPointF(box.left() + 14, middle), QPointF(box.left() + 14 + width, middle))
            painter.setPen(color)
            painter.setFont(look.font(small))
            told = look.elided(self.gone[id][1] if near else "dropped", small, card.WIDTH - 28)
            painter.drawText(QPointF(box.left() + 14, line + 24), told)
