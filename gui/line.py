"""A line of text whose Ctrl+Z is the document's once the line has nothing of its own to take back."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit


class Line(QLineEdit):
    """Qt's own keeps undo and redo to itself even where it can do neither."""

    def event(self, event: QEvent) -> bool:
        """Leave to the window's shortcuts what the line cannot do."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            undo, redo = QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo
            if (event.matches(undo) and not self.isUndoAvailable()) or (
                event.matches(redo) and not self.isRedoAvailable()
            ):
                event.ignore()
                return True
        return super().event(event)
