"""Keys between canvas and fields: in by Enter, back by Escape, and undo is the document's wherever one is."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.window_helpers import PlayedPool, close_window, open_window, template

from tests.gui_helpers import CTRL, NONE, SHIFT  # isort: skip

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool(), template())
    shown.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is shown)
    shown.canvas.setFocus()
    yield shown
    close_window(shown)


def field(window) -> QLineEdit:
    """Into the first field of a linear layer, by Enter on the canvas."""
    window.selection.set(("fc1",))
    hands.key(window.canvas, Qt.Key.Key_Return)
    line = QApplication.focusWidget()
    assert isinstance(line, QLineEdit)
    return line


def test_what_a_field_was_given_is_taken_back_from_within_the_field(window):
    before = window.document.network
    line = field(window)
    hands.type_text("77")
    hands.key(line, Qt.Key.Key_Return)
    assert window.document.network.nodes["fc1"].fields["out_features"] == 77
    hands.key(line, Qt.Key.Key_Z, CTRL)
    assert window.document.network == before
    hands.key(line, Qt.Key.Key_Z, CTRL | SHIFT)
    assert window.document.network.nodes["fc1"].fields["out_features"] == 77


def test_words_that_are_still_being_typed_are_taken_back_first(window):
    window.selection.set(("fc1",))
    window.canvas.placing.nudge(8, 0)
    moved = window.document.network
    line = field(window)
    hands.type_text("77")
    hands.key(line, Qt.Key.Key_Z, CTRL)
    assert window.document.network is moved
    assert line.text() != "77"


def test_escape_leads_from_a_field_back_to_the_canvas(window):
    line = field(window)
    hands.type_text("77")
    hands.key(line, Qt.Key.Key_Escape, NONE)  # forgets what was typed
    assert line.hasFocus()
    hands.key(line, Qt.Key.Key_Escape, NONE)
    assert window.canvas.hasFocus()
    hands.key(window.canvas, Qt.Key.Key_Right)
    assert window.selection.nodes != ("fc1",)


def test_the_number_of_epochs_is_taken_back_from_within_its_field(window):
    before = window.document.network
    epochs = window.toolbar.epochs
    epochs.setFocus()
    epochs.selectAll()
    hands.type_text("7")
    hands.key(epochs, Qt.Key.Key_Return)
    assert window.document.network.recipe.epochs == 7
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Z, CTRL)
    assert window.document.network == before
