"""Keys between canvas and fields: in by Enter, back by Escape, and undo is the document's wherever one is."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.window_helpers import PlayedPool, answer_next_box, close_window, open_window, template

from tests.gui_helpers import CTRL, NONE, SHIFT  # isort: skip

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox

from engine.network import Network
from engine.storage import file

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


def trained(window) -> Network:
    """What the newest run was given."""
    return file.loads(window.workers.pool.runs[-1].document)


def test_training_takes_what_is_still_being_typed(window):
    line = field(window)
    hands.type_text("77")
    hands.key(line, Qt.Key.Key_F5)
    assert trained(window).nodes["fc1"].fields["out_features"] == 77
    assert line.hasFocus()


def test_the_train_button_takes_the_epochs_that_were_typed(window):
    epochs = window.toolbar.epochs
    epochs.setFocus()
    epochs.selectAll()
    hands.type_text("321")
    QTest.mouseClick(window.toolbar.train_button, Qt.MouseButton.LeftButton)
    assert trained(window).recipe.epochs == 321


def test_saving_and_closing_take_what_is_still_being_typed(window, tmp_path):
    path = tmp_path / "mine.layerlab"
    window.document.save(path)
    line = field(window)
    hands.type_text("77")
    hands.key(line, Qt.Key.Key_S, CTRL)
    assert file.read(path).nodes["fc1"].fields["out_features"] == 77
    line.selectAll()
    hands.type_text("78")
    asked: list[str] = []
    answer_next_box(QMessageBox.StandardButton.Cancel, asked)
    window.close()
    assert len(asked) == 1
    assert window.isVisible()
    assert window.document.network.nodes["fc1"].fields["out_features"] == 78


def test_a_note_that_is_being_written_is_saved_too(window, tmp_path):
    path = tmp_path / "mine.layerlab"
    window.document.save(path)
    window.canvas.setFocus()
    hands.key(window.canvas, Qt.Key.Key_N, CTRL | SHIFT)
    hands.type_text("Remember")
    window.commands["file.save"].trigger()  # as the menu does, which leaves the keyboard there
    assert [note["text"] for note in file.read(path).view["notes"].values()] == ["Remember"]


def test_undo_from_the_menu_takes_back_the_last_step_and_not_what_is_being_typed(window):
    window.selection.set(("fc1",))
    window.canvas.placing.nudge(8, 0)
    steps = window.document.undo_stack.index()
    field(window)
    hands.type_text("77")
    window.commands["edit.undo"].trigger()
    assert window.document.undo_stack.index() == steps - 1
