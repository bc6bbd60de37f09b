"""Hands for tests: synthetic mouse and keys that go the same way as a person's."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

LEFT = Qt.MouseButton.LeftButton
MIDDLE = Qt.MouseButton.MiddleButton
NONE = Qt.KeyboardModifier.NoModifier
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


def send_mouse(
    widget: QWidget,
    kind: QEvent.Type,
    at: QPoint,
    button: Qt.MouseButton = LEFT,
    modifiers: Qt.KeyboardModifier = NONE,
) -> None:
    """One mouse event at `at` in the widget's coordinates."""
    moving = kind == QEvent.Type.MouseMove
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else button
    event = QMouseEvent(
        kind,
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        Qt.MouseButton.NoButton if moving else button,
        held,
        modifiers,
    )
    QApplication.sendEvent(widget, event)


def press(widget: QWidget, at: QPoint, button=LEFT, modifiers=NONE) -> None:
    send_mouse(widget, QEvent.Type.MouseButtonPress, at, button, modifiers)


def move(widget: QWidget, at: QPoint, button=LEFT, modifiers=NONE) -> None:
    send_mouse(widget, QEvent.Type.MouseMove, at, button, modifiers)


def release(widget: QWidget, at: QPoint, button=LEFT, modifiers=NONE) -> None:
    send_mouse(widget, QEvent.Type.MouseButtonRelease, at, button, modifiers)


def click(widget: QWidget, at: QPoint, button=LEFT, modifiers=NONE) -> None:
    press(widget, at, button, modifiers)
    release(widget, at, button, modifiers)


def double_click(widget: QWidget, at: QPoint) -> None:
    click(widget, at)
    send_mouse(widget, QEvent.Type.MouseButtonDblClick, at)
    release(widget, at)


def drag(
    widget: QWidget, start: QPoint, end: QPoint, button=LEFT, modifiers=NONE, steps: int = 6, drop=True
) -> None:
    """Press, move in steps, release."""
    press(widget, start, button, modifiers)
    for step in range(1, steps + 1):
        move(widget, start + (end - start) * step / steps, button, modifiers)
    if drop:
        release(widget, end, button, modifiers)


def wheel(
    widget: QWidget,
    at: QPoint,
    angle: int,
    modifiers=NONE,
    pixels: QPoint | None = None,
    across: int = 0,
    phase=Qt.ScrollPhase.NoScrollPhase,
) -> None:
    """Turn the wheel by `angle` eighths of a degree, tilt it `across`, or push a touchpad by `pixels`."""
    event = QWheelEvent(
        QPointF(at),
        QPointF(widget.mapToGlobal(at)),
        pixels or QPoint(),
        QPoint(across, angle),
        Qt.MouseButton.NoButton,
        modifiers,
        phase,
        False,
    )
    QApplication.sendEvent(widget, event)


def hang(widget: QWidget, data: QMimeData, at: QPoint) -> None:
    """Drag `data` in from elsewhere and hold it at `at`."""
    copy = Qt.DropAction.CopyAction
    QApplication.sendEvent(widget, QDragEnterEvent(at, copy, data, LEFT, NONE))
    QApplication.sendEvent(widget, QDragMoveEvent(at, copy, data, LEFT, NONE))


def leave(widget: QWidget) -> None:
    """Take away what hangs."""
    QApplication.sendEvent(widget, QDragLeaveEvent())


def drop(widget: QWidget, data: QMimeData, at: QPoint) -> None:
    """Drag `data` in from elsewhere and let it fall at `at`."""
    hang(widget, data, at)
    QApplication.sendEvent(widget, QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, LEFT, NONE))


def key(widget: QWidget, which: Qt.Key, modifiers=NONE) -> None:
    """Press and release a key, through the shortcut system."""
    QTest.keyClick(widget, which, modifiers)


def type_text(text: str) -> None:
    """Type into whatever has the focus."""
    target = QApplication.focusWidget()
    assert target is not None, "nothing has the focus"
    QTest.keyClicks(target, text)
