"""Undo and redo select again what was selected when the document was in that state."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt

from engine import edit, edit_view
from engine.edit_view import Note
from engine.network import Edge, End
from gui.selection import Chosen
from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain
from tests.gui_helpers import CTRL, SHIFT

pytestmark = pytest.mark.gui

Key = Qt.Key


@pytest.fixture
def b(qtbot) -> Bench:
    network = chain("Input", "Conv2d", "ReLU", "Flatten")
    network, _ = edit_view.add_mark(network, Note((0.0, 220.0, 240.0, 96.0), "words"))
    return Bench(qtbot, network)


def chosen(b: Bench) -> tuple[object, ...]:
    return b.selection.nodes, b.selection.edges, b.selection.marks


def undo(b: Bench) -> None:
    b.document.undo_stack.undo()


def redo(b: Bench) -> None:
    b.document.undo_stack.redo()


def shown(b: Bench) -> set[str]:
    """The cards that are drawn as selected."""
    return {id for id, item in b.canvas.drawing.nodes.items() if item.selected}


WIRE = Edge(End("conv1"), End("relu1"))
WHAT = {
    "a layer": (("conv1",), (), ()),
    "layers": (("relu1", "conv1"), (), ()),
    "a wire": ((), (WIRE,), ()),
    "a note": ((), (), ("note1",)),
    "all kinds": (("flatten1",), (WIRE,), ("note1",)),
}


@pytest.mark.parametrize("what", WHAT)
def test_what_was_deleted_and_comes_back_is_selected_as_it_was(b, what):
    b.selection.set(*WHAT[what])
    hands.key(b.canvas, Key.Key_Delete)
    assert chosen(b) == ((), (), ())
    undo(b)
    assert chosen(b) == WHAT[what], "in the same order: the last is what the inspector shows"
    assert shown(b) == set(WHAT[what][0])
    hands.key(b.canvas, Key.Key_Delete)
    undo(b)
    assert chosen(b) == WHAT[what]


def test_redo_selects_what_was_selected_when_that_was_undone(b):
    hands.click(b.port, b.node("conv1"))
    hands.key(b.canvas, Key.Key_D, CTRL)
    assert b.selection.nodes == ("conv2",)
    undo(b)
    assert b.selection.nodes == ("conv1",)
    redo(b)
    assert b.selection.nodes == ("conv2",)
    hands.click(b.port, b.node("flatten1"))
    undo(b)
    assert b.selection.nodes == ("conv1",)
    redo(b)
    assert b.selection.nodes == ("flatten1",)


def test_what_is_clicked_after_an_undo_is_not_what_the_edit_was_made_with(b):
    hands.click(b.port, b.node("conv1"))
    hands.key(b.canvas, Key.Key_Delete)
    undo(b)
    hands.click(b.port, b.node("flatten1"))
    redo(b)
    undo(b)
    assert b.selection.nodes == ("conv1",)


def test_an_edit_and_another_selection_are_walked_back_to_where_the_edit_was_made(b):
    hands.drag(b.port, b.node("relu1"), b.node("relu1") + QPoint(0, 90))
    hands.click(b.port, b.node("flatten1"))
    undo(b)
    assert b.selection.nodes == ("relu1",)


def test_a_layer_that_was_renamed_stays_selected_both_ways(b):
    b.selection.set(("conv1",))
    b.document.edit(edit.rename(b.network, "conv1", "stem"), "Rename")
    b.selection.set(("stem",))
    undo(b)
    assert b.selection.nodes == ("conv1",)
    redo(b)
    assert b.selection.nodes == ("stem",)


def test_a_gesture_that_goes_in_steps_is_walked_back_to_what_was_selected_as_it_began(b):
    hands.click(b.port, b.node("conv1"))
    for _ in range(3):
        hands.key(b.canvas, Key.Key_Down, CTRL)
    assert b.document.undo_stack.count() == 1
    hands.click(b.port, b.empty())
    undo(b)
    assert b.selection.nodes == ("conv1",)


def test_a_gesture_that_is_taken_back_leaves_the_selection_that_it_began_with(b):
    b.selection.set(("conv1", "relu1"))
    b.document.edit(edit.move(b.network, {"conv1": (0.0, 500.0)}), "Move", "drag")
    b.document.cancel_merge()
    assert b.selection.nodes == ("conv1", "relu1")
    assert not b.document.undo_stack.canUndo()


def test_what_was_collapsed_from_within_is_selected_again_outside(b):
    b.selection.set(("conv1", "relu1"))
    hands.key(b.canvas, Key.Key_B, CTRL)
    (use,) = b.selection.nodes
    b.canvas.interior.enter(use)
    assert b.canvas.block is not None
    undo(b)
    assert b.canvas.block is None
    assert b.selection.nodes == ("conv1", "relu1")
    assert shown(b) == {"conv1", "relu1"}


def test_in_another_graph_than_the_edits_the_selection_stays_what_it_is(b):
    b.selection.set(("conv1", "relu1"))
    hands.key(b.canvas, Key.Key_B, CTRL)
    (use,) = b.selection.nodes
    b.canvas.interior.enter(use)
    b.selection.set(("conv1",))
    hands.key(b.canvas, Key.Key_Down, CTRL)
    b.canvas.interior.leave()
    b.selection.set(("flatten1",))
    undo(b)
    assert (b.canvas.block, b.selection.nodes) == (None, ("flatten1",))


def test_a_jump_in_the_history_selects_what_was_selected_there(b):
    stack = b.document.undo_stack
    for id in ("conv1", "relu1", "flatten1"):
        hands.click(b.port, b.node(id))
        hands.drag(b.port, b.node(id), b.node(id) + QPoint(0, 90))
    hands.click(b.port, b.empty() + QPoint(0, 100))
    stack.setIndex(1)
    assert b.selection.nodes == ("relu1",)
    stack.setIndex(3)
    assert b.selection.nodes == ()
    stack.setIndex(0)
    assert b.selection.nodes == ("conv1",)


def test_who_listens_hears_of_one_change_of_the_selection_per_step(b):
    b.selection.set(("conv1",))
    hands.key(b.canvas, Key.Key_Delete)
    heard: list[Chosen] = []
    b.selection.changed.connect(lambda: heard.append(b.selection.chosen))
    undo(b)
    redo(b)
    assert [told.nodes for told in heard] == [("conv1",), ()]
    assert b.document.undo_stack.count() == 1


def test_pasted_layers_are_selected_again_by_redo_and_what_was_copied_by_undo(b):
    b.selection.set(("conv1", "relu1"), (), ("note1",))
    hands.key(b.canvas, Key.Key_C, CTRL)
    hands.key(b.canvas, Key.Key_V, CTRL)
    pasted = chosen(b)
    assert pasted == (("conv2", "relu2"), (), ("note2",))
    hands.click(b.port, b.node("conv2"), modifiers=SHIFT)
    left = chosen(b)
    undo(b)
    assert chosen(b) == (("conv1", "relu1"), (), ("note1",))
    redo(b)
    assert chosen(b) == left == (("relu2",), (), ("note2",))
