"""What was done, step by step: a click goes back to that state, or forward again."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize
from PySide6.QtGui import QIcon, QPalette
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QUndoView, QVBoxLayout, QWidget

from gui.document import Document
from gui.theme import SPACE, theme


class HistoryPanel(QWidget):
    """The undo stack as a list; the saved state bears a mark, what was undone is faint and slanted."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = QUndoView(document.undo_stack, self)
        self.view.setItemDelegate(_Steps(document, self.view))
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


class _Steps(QStyledItemDelegate):
    """Steps that were undone, and may be done again, differ from those that are done."""

    def __init__(self, document: Document, parent: QWidget) -> None:
        super().__init__(parent)
        self._stack = document.undo_stack

    def initStyleOption(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Row 0 is the document as it was opened, row N what step N made of it."""
        super().initStyleOption(option, index)
        if index.row() > self._stack.index():
            option.font.setItalic(True)
            option.palette.setColor(QPalette.ColorRole.Text, theme.color("muted"))
