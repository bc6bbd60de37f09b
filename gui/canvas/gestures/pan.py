"""Pushing the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF, Qt

from gui.canvas.gestures.base import Gesture

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class Pan(Gesture):
    """Middle button, or space and left button."""

    reason = "Pan"

    def __init__(self, canvas: Canvas, at: QPointF, cursor: QPoint) -> None:
        super().__init__(canvas, at)
        self._cursor = cursor
        self._start = canvas.outlook
        canvas.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the cursor, in pixels: the scene moves under it."""
        cursor = self.canvas.mapFromScene(at)
        self.canvas.scroll_to(self.canvas.scroll_position() - (cursor - self._cursor))
        self._cursor = cursor

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Stay here."""
        self.canvas.viewport().unsetCursor()

    def cancel(self) -> None:
        """Go back to where it began."""
        self.canvas.look_from(self._start)
        self.canvas.viewport().unsetCursor()
