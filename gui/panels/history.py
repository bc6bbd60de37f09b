"""What was done, step by step: a click goes back to that state, or forward again."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QUndoView, QVBoxLayout, QWidget

from gui.document import Document
from gui.theme import SPACE, theme


class HistoryPanel(QWidget):
    """The undo stack as a list; the saved state bears a mark."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = QUndoView(document.undo_stack, self)
        self.view.setEmptyLabel("As it was opened")
        self.view.setAccessibleName("History of edits")
        self.view.setToolTip("Click a step to go back to it; Ctrl+Z and Ctrl+Shift+Z walk")
        self.view.setUniformItemSizes(True)
        self.view.setSpacing(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 0)
        column.addWidget(self.view)
        theme.changed.connect(self._dress)
        self._dress()

    def sizeHint(self) -> QSize:
        """As the other panels at the side."""
        return QSize(320, 400)

    def _dress(self) -> None:
        self.view.setCleanIcon(QIcon(theme.icon("mdi6.content-save-check-outline", "good")))
