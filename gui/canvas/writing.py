"""Writing on the canvas: a frame's title or a note's text, edited where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QPlainTextEdit

from engine import edit_view
from engine.edit_view import Frame, Note
from gui.canvas import look
from gui.canvas.marks import TITLE, FrameItem

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class Writer(QPlainTextEdit):
    """One editor for all marks: Ctrl+Enter (a title: Enter) or a click elsewhere keeps, Escape leaves."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._id: str | None = None
        self._line = False
        self.setObjectName("writer")
        self.setTabChangesFocus(True)
        self.setFont(look.font(13))
        #: The note was made for these words, by the last step.
        self._fresh = False
        self.hide()

    def write(self, id: str, fresh: bool = False) -> None:
        """Edit the words of a frame or note; a `fresh` note that is left goes again."""
        item = self._canvas.drawing.marks.get(id)
        if item is None:
            return
        self.keep()
        self._id, self._line = id, isinstance(item, FrameItem)
        self._fresh = fresh and not self._line
        mark = item.mark
        self.setPlainText(mark.title if isinstance(mark, Frame) else mark.text)
        self.setPlaceholderText("Title" if self._line else "Markdown: **bold**, - a list, # a heading")
        self.setAccessibleName("Title of the frame" if self._line else "Text of the note, in Markdown")
        area = self._canvas.mapFromScene(item.rect).boundingRect()
        height = max(36, round(TITLE * self._canvas.zoom_factor)) if self._line else max(88, area.height())
        box = QRect(area.topLeft(), area.size()).intersected(self._canvas.viewport().rect())
        box.setSize(box.size().expandedTo(box.size().__class__(200, height)))
        if isinstance(item, FrameItem):
            box.setHeight(height)
            if item.title.captioned:
                box.moveBottom(area.top())  # from far away a title is written above its frame
        room = self._canvas.viewport().rect()
        box.moveTopLeft(
            QPoint(
                max(0, min(box.x(), room.width() - box.width())),
                max(0, min(box.y(), room.height() - box.height())),
            )
        )
        self.setGeometry(box)
        self.selectAll()
        self.show()
        self.raise_()
        self.setFocus()

    def keep(self) -> None:
        """Tell the document what was written."""
        id, self._id = self._id, None
        if id is None:
            return
        words = self.toPlainText().strip()
        self.hide()
        block = self._canvas.block
        mark = edit_view.marks(self._canvas.network, block).get(id)
        if mark is None:
            return
        changed: Frame | Note
        if isinstance(mark, Frame):
            changed = mark._replace(title=" ".join(words.split()))
        else:
            changed = mark._replace(text=words)
        if changed != mark:
            self._canvas.editor.attempt(
                f"Write {id}", lambda network: edit_view.set_mark(network, id, changed, block=block)
            )

    def leave(self) -> None:
        """Forget what was written."""
        if self._id is not None:
            self._id = None
            self.hide()
            self._canvas.setFocus()
            if self._fresh:
                self._canvas.document.undo_stack.undo()

    def event(self, event: QEvent) -> bool:
        """Letters are for the text, not for the canvas's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves, Enter keeps a title, Ctrl+Enter keeps a note."""
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        elif enter and (self._line or ctrl):
            self.keep()
            self._canvas.setFocus()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A click elsewhere keeps what was written."""
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self.keep()
