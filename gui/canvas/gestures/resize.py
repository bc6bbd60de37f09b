"""Giving a frame or note another size by its corner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt

from engine import edit_view
from gui.canvas.gestures.base import Gesture
from gui.canvas.gestures.move import GRID

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class Resize(Gesture):
    """Drag the corner; the size keeps to the grid unless Ctrl is held."""

    reason = "Resize"

    def __init__(self, canvas: Canvas, at: QPointF, id: str) -> None:
        super().__init__(canvas, at)
        self.item = self.scene.marks[id]
        self.mark = self.item.mark
        self._size = self.mark.rect[2:]
        shown = self.item.rect
        self._shown = (shown.width(), shown.height())

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Show it at the size that the cursor asks for."""
        grid = 1.0 if modifiers & Qt.KeyboardModifier.ControlModifier else GRID
        away = at - self.origin
        self._size = (
            max(edit_view.SMALLEST, round((self._shown[0] + away.x()) / grid) * grid),
            max(edit_view.SMALLEST, round((self._shown[1] + away.y()) / grid) * grid),
        )
        self.item.resize(*self._size)

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Tell the document."""
        x, y, *_ = self.mark.rect
        changed = self.mark._replace(rect=(x, y, *self._size))
        self.canvas.editor.attempt(
            f"Resize {self.item.id}",
            lambda network: edit_view.set_mark(network, self.item.id, changed, block=self.canvas.block),
        )

    def cancel(self) -> None:
        """As large as it was."""
        self.item.resize(*self.mark.rect[2:])
