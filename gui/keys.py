"""The canvas's keys wherever no text is being typed: they pass what has the focus and no use for them."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QKeyCombination, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTabBar,
    QTextEdit,
    QWidget,
)

_TEXT = (QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox)
#: What Enter presses, chooses or opens; it must do nothing else there as well.
_ENTERED = (QAbstractButton, QAbstractItemView, QComboBox, QTabBar)
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
#: Keys from here on have no character: a Shift with them means something.
_NAMED = 0x01000000


def typing(widget: QWidget | None) -> bool:
    """Whether what has the focus takes text."""
    return isinstance(widget, _TEXT) or (isinstance(widget, QComboBox) and widget.isEditable())


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
    enabled = [action for action in actions if action.isEnabled()]
    return next(
        (action for keys in pressed for action in enabled if keys in action.shortcuts()),
        None,
    )
