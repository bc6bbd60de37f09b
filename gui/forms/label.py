"""A field's name, which is dragged to change its number."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from gui.forms.editors import Editor
from gui.forms.scrub import can_scrub, gesture, scrubbed

#: Pixels of drag that make one step.
_PIXELS_PER_STEP = 6


class ScrubLabel(QLabel):
    """A field's name. Dragging it sideways changes the number: Shift finer, Ctrl coarser, Esc cancels."""

    def __init__(self, editor: Editor, parent: QWidget | None = None) -> None:
        # Zero-width spaces let a long name wrap behind its underscores.
        super().__init__(editor.field.name.replace("_", "_\u200b"), parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        # Before the wrapping, which adds "height for width" to the policy.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setWordWrap(True)
        self.setBuddy(editor)
        self._editor = editor
        #: Where a drag began, with the value and whether it was not all owners'.
        self._from: tuple[float, Any, bool] | None = None
        self._travel = 0.0
        self._key = ""
        if can_scrub(editor.field):
            self.setCursor(Qt.CursorShape.SizeHorCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag."""
        if event.button() == Qt.MouseButton.LeftButton and can_scrub(self._editor.field):
            value = self._editor.value
            self._from = (event.position().x(), value, self._editor.mixed)
            self._travel = 0.0
            self._key = gesture("scrub")
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Change the number by the way from where the drag began."""
        if self._from is None:
            return
        x, value, _ = self._from
        speed = 1.0
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            speed = 0.2
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            speed = 5.0
        self._travel = (event.position().x() - x) * speed / _PIXELS_PER_STEP
        moved = scrubbed(self._editor.field, value, round(self._travel))
        if moved != self._editor.value:
            self._editor.committed.emit(moved, self._key)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End the drag; a mere click goes to the editor."""
        if self._from is None:
            return
        self._from = None
        self._editor.ended.emit()
        if abs(self._travel) < 0.5:
            self._editor.setFocus(Qt.FocusReason.MouseFocusReason)

    def let_go(self) -> None:
        """End a drag where it is: what the field belongs to is another, or is not shown any longer."""
        if self._from is not None:
            self._from = None
            self._editor.ended.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is held that is not seen."""
        self.let_go()
        super().hideEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc while dragging goes back to where the drag began."""
        if event.key() == Qt.Key.Key_Escape and self._from is not None:
            _, value, mixed = self._from
            self._from = None
            if mixed and not self._editor.mixed:
                self._editor.cancelled.emit()
            else:
                self._editor.committed.emit(value, self._key)
                self._editor.ended.emit()
        else:
            super().keyPressEvent(event)
