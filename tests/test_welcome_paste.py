"""Ctrl+V on the welcome begins a network with what was copied, or says what can be pasted."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from engine import edit, edit_view
from engine.edit_view import Note
from engine.network import Network
from engine.storage import file
from tests import gui_helpers as hands
from tests.gui_helpers import CTRL
from tests.networks import alone
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    """With the canvas still to come: what is pasted waits for it."""
    shown = open_window(tmp_path, PlayedPool(), whole=False)
    shown.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is shown)
    yield shown
    QApplication.clipboard().clear()
    close_window(shown)


def paste(window, text: str) -> None:
    """Press Ctrl+V where the keyboard is."""
    QApplication.clipboard().setText(text)
    hands.key(QApplication.focusWidget() or window, Qt.Key.Key_V, CTRL)


@pytest.mark.parametrize("whole", [True, False])
def test_a_copied_piece_opens_as_a_new_network(window, whole):
    network = template()
    if whole:
        window.complete()
    paste(window, "Hello,\n" + json.dumps(edit.copy(network, list(network.nodes)), indent=2))
    document = window.document
    assert document.network.nodes == network.nodes
    assert document.network.edges == network.edges
    assert (document.path, document.clean) == (None, False), "closing asks about it"
    assert not window.welcoming
    assert window.workbench.isVisible()
    assert set(window.selection.nodes) == set(network.nodes)
    QApplication.processEvents()
    assert window.canvas.hasFocus()
    assert window.canvas.visible_rect().contains(window.canvas.drawing.content())
    document.undo_stack.undo()
    assert document.network == Network()
    assert window.workbench.isVisible(), "as after any undo down to nothing"


def test_a_copied_note_opens_too(window):
    network, note = edit_view.add_mark(Network(), Note((0.0, 0.0, 240.0, 96.0), "words"))
    paste(window, json.dumps({**edit.copy(network, []), **edit_view.copy_marks(network, [note])}))
    assert not window.welcoming
    assert window.selection.marks == (note,)


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[1]", file.dumps(alone("Conv2d")).decode(), '{"format": "layerlab-fragment", "nodes": 3}'],
    ids=["nothing", "words", "JSON", "a whole file", "a broken piece"],
)
def test_anything_else_is_answered_in_a_line_that_goes_with_the_welcome(window, text):
    paste(window, text)
    assert window.welcoming
    said = window.banners.text("said")
    assert "clipboard" in said or "piece" in said
    assert "\n" not in said
    assert window.banners.isVisible()
    paste(window, json.dumps(edit.copy(alone("Conv2d"), list(alone("Conv2d").nodes))))
    assert not window.welcoming
    assert window.banners.text("said") is None


def test_what_was_said_on_the_welcome_is_not_said_where_one_draws(window):
    paste(window, "hello")
    window.begin_empty()
    QApplication.processEvents()
    assert not window.welcoming
    assert not window.canvas.toast.isVisible()
    assert window.status.currentMessage() == ""
