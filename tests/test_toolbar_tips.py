"""What the status bar says of a toolbar's button while the cursor rests on it is true of what it does next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from engine import edit
from gui.window import Window
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    shown = open_window(tmp_path, PlayedPool(), template("lenet5_mnist"))
    yield shown
    close_window(shown)


def pointed_at(window: Window, name: str) -> QToolButton:
    button = window.toolbar.findChild(QToolButton, name)
    assert button is not None
    QTest.mouseMove(window.windowHandle(), QPoint(4, window.height() // 2))
    QTest.mouseMove(window.windowHandle(), button.mapTo(window, button.rect().center()))
    QApplication.processEvents()
    return button


def test_undo_says_what_it_would_undo_next_and_in_the_end_nothing(window: Window) -> None:
    for id in ("conv1", "conv2"):
        window.document.edit(edit.move(window.document.network, {id: (0.0, 400.0)}), f"Move {id}")
    button = pointed_at(window, "edit.undo")
    assert button.underMouse()
    assert window.status.currentMessage() == "Undo: Move conv2"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.status.currentMessage() == "Undo: Move conv1"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.status.currentMessage() == ""


def test_what_something_else_says_meanwhile_stays(window: Window) -> None:
    window.document.edit(edit.move(window.document.network, {"conv1": (0.0, 400.0)}), "Move conv1")
    button = pointed_at(window, "edit.undo")
    window.status.showMessage("Saved.")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert window.status.currentMessage() == "Saved."
