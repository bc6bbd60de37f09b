"""The canvas's keys wherever no text is being typed: they pass what has the focus and no use for them.

Those that take something away are its own alone: in a panel they may be meant for what is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from PySide6.QtCore import QEvent, QKeyCombination, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QWidget,
)

if TYPE_CHECKING:
    from gui.window import Window

_TEXT = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox)
#: What Enter presses, chooses or opens; it must do nothing else there as well.
_ENTERED = (QAbstractButton, QAbstractItemView, QComboBox, QTabBar)
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
#: Commands for which the canvas must have the keyboard.
_TAKES_AWAY = ("canvas.cut", "canvas.delete", "canvas.delete_gap")
#: Keys from here on have no character: a Shift with them means something.
_NAMED = 0x01000000


def typing(widget: QWidget | None) -> bool:
    """Whether what has the focus takes text."""
    return isinstance(widget, _TEXT) or (isinstance(widget, QComboBox) and widget.isEditable())


@runtime_checkable
class Keeps(Protocol):
    """A text that holds its words until it is told to keep them."""

    def keep(self) -> None:
        """Tell the document."""


def finish_typing() -> None:
    """Take what is being typed, as if Enter had been pressed: a command means what is seen.

    The keyboard stays where it is: keys, menus and the toolbar's buttons leave it there, too.
    """
    focus = QApplication.focusWidget()
    if isinstance(focus, QAbstractSpinBox):
        focus.interpretText()
    elif isinstance(focus, QLineEdit):
        focus.editingFinished.emit()
    elif isinstance(focus, Keeps):
        focus.keep()


def action_for(event: QKeyEvent, actions: Iterable[QAction], focus: QWidget | None) -> QAction | None:
    """The action whose shortcut was pressed where `focus` left the key alone; None: no such key there.

    Tab stays the way from control to control; a text keeps its keys, and so does what Enter presses.
    """
    key = event.key()
    if typing(focus) or key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab):
        return None
    if key in _ENTER and isinstance(focus, _ENTERED):
        return None
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    pressed = [QKeySequence(QKeyCombination(modifiers, Qt.Key(key)))]
    if key < _NAMED and not chr(key).isalnum():  # "+" takes Shift on some keyboards
        bare = modifiers & ~Qt.KeyboardModifier.ShiftModifier
        pressed.append(QKeySequence(QKeyCombination(bare, Qt.Key(key))))
    enabled = [action for action in actions if action.isEnabled() and action.objectName() not in _TAKES_AWAY]
    return next(
        (action for keys in pressed for action in enabled if keys in action.shortcuts()),
        None,
    )


class Keyboard(QObject):
    """Where a window's keys go: to the canvas, wherever nothing else has a use for them."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        window.installEventFilter(self)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._focus_changed)

    def to_canvas(self) -> None:
        """Give the keyboard to the canvas, once there is one and it is what is shown."""
        if self._window.desk.count() and not self._window.welcoming:
            self._window.canvas.setFocus()

    def _focus_changed(self, before: QWidget | None, now: QWidget | None) -> None:
        """What had the keyboard has given it up, or is gone."""
        if now is None and QApplication.activeWindow() is self._window:
            self.to_canvas()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A key that nothing in the window took: Escape leads back to the canvas, the others are its own."""
        window = self._window
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        if not window.desk.count() or window.welcoming:
            return False
        if event.key() == Qt.Key.Key_Escape:
            window.activateWindow()  # from a panel that was torn off
            self.to_canvas()
            return True
        action = action_for(event, window.canvas.commands, QApplication.focusWidget())
        if action is not None:
            action.trigger()
        return action is not None
