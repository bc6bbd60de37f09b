"""Selecting with a rubber band."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainterPath, QPen

from gui.canvas.gestures.base import Gesture

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class RubberBand(Gesture):
    """Drag over empty ground: layers that it touches, frames and notes that it encloses are selected.

    With Ctrl or Shift they are added to what is selected.
    """

    reason = "Select"

    def __init__(self, canvas: Canvas, at: QPointF, add: bool) -> None:
        super().__init__(canvas, at)
        selection = canvas.selection
        self._before = (selection.nodes, selection.edges, selection.marks)
        self._kept = (selection.nodes, selection.marks) if add else ((), ())
        if not add:
            canvas.selection.set()

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Select what the frame touches now."""
        area = QRectF(self.origin, at).normalized()
        path = QPainterPath()
        path.addRect(area)
        pen = QPen(self.scene.look.accent, 1.0)
        pen.setCosmetic(True)
        fill = QColor(self.scene.look.accent)
        fill.setAlpha(28)
        self.scene.sketch.setPen(pen)
        self.scene.sketch.setBrush(fill)
        self.scene.sketch.setPath(path)
        marks = [id for id, item in self.scene.marks.items() if area.contains(item.rect)]
        self.canvas.selection.set((*self._kept[0], *self.scene.nodes_in(area)), (), (*self._kept[1], *marks))

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Keep the selection."""
        self._clear()

    def cancel(self) -> None:
        """Select what was selected before."""
        self._clear()
        self.canvas.selection.set(*self._before)

    def _clear(self) -> None:
        self.scene.sketch.setPath(QPainterPath())
