"""Where undo and redo change something out of view, the view goes there; else it stays where it is."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QPoint, QPointF

from engine import edit, edit_view
from engine.edit_view import Frame
from engine.network import Edge, End
from gui.canvas.glide import STEP_MS
from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

pytestmark = pytest.mark.gui

FAR_AWAY = QPointF(3000, 0)


@pytest.fixture
def b(qtbot) -> Bench:
    b = Bench(qtbot, chain("Input", *["ReLU"] * 12, "Output"))
    b.canvas.zoom_reset()
    b.canvas.look_at(QPointF(0, 0))
    b.qtbot = qtbot  # type: ignore[attr-defined]
    return b


def settle(b: Bench) -> None:
    b.qtbot.waitUntil(lambda: b.canvas.resting)  # type: ignore[attr-defined]


def sees(b: Bench, id: str) -> bool:
    return b.canvas.visible_rect().contains(b.canvas.drawing.nodes[id].rect)


def change(b: Bench, what: str) -> None:
    """Change something around relu1, at the left."""
    network = b.network
    match what:
        case "a field":
            network = edit.set_field(network, "relu1", "inplace", True)
        case "a place":
            network = edit.move(network, {"relu1": (300.0, 40.0)})
        case "a layer deleted":
            network = edit.remove(network, ["relu1"])
        case "a wire cut":
            network = edit.remove(network, edges=[Edge(End("relu1"), End("relu2"))])
        case "a frame":
            network, _ = edit_view.add_mark(network, Frame((280.0, -60.0, 300.0, 240.0), "stem"))
        case "a wire led":
            wire = Edge(End("relu1"), End("relu2"))
            network = edit_view.set_bends(network, {wire: ((520.0, 200.0),)})
    assert network != b.network
    b.document.edit(network, what)


WHAT = ("a field", "a place", "a layer deleted", "a wire cut", "a frame", "a wire led")


@pytest.mark.parametrize("what", WHAT)
def test_the_view_goes_to_what_is_undone_and_to_what_is_done_again(b, what):
    change(b, what)
    for walk in (b.document.undo_stack.undo, b.document.undo_stack.redo):
        b.canvas.look_at(FAR_AWAY)
        assert not sees(b, "relu2")
        zoom = b.canvas.zoom_factor
        walk()
        settle(b)
        assert b.canvas.visible_rect().intersects(b.canvas.drawing.content(["relu2"])) or what == "a frame"
        assert b.canvas.visible_rect().contains(QPointF(300 + 80, 20))
        assert b.canvas.zoom_factor == zoom, "as closely as one looked"


@pytest.mark.parametrize("what", WHAT)
def test_what_is_in_view_does_not_move(b, what):
    change(b, what)
    for walk in (b.document.undo_stack.undo, b.document.undo_stack.redo):
        there = b.canvas.outlook
        walk()
        settle(b)
        assert b.canvas.outlook == there


def test_a_part_in_view_is_enough(b):
    b.document.edit(edit.move(b.network, {"relu1": (300.0, 60.0), "relu12": (3600.0, 60.0)}), "Move")
    there = b.canvas.outlook
    b.document.undo_stack.undo()
    settle(b)
    assert sees(b, "relu1")
    assert b.canvas.outlook == there


@pytest.mark.parametrize("what", ["taken away", "changed"])
def test_one_of_hundreds_in_view_is_enough(qtbot, what):
    many = [f"relu{number}" for number in range(1, 550)]
    b = Bench(qtbot, chain("Input", *["ReLU"] * 600, "Output"))
    b.qtbot = qtbot  # type: ignore[attr-defined]
    b.canvas.zoom_reset()
    network, place = b.network, QPointF(*b.canvas.drawing.positions()["relu545"])
    if what == "taken away":
        network = edit.remove(network, many)
    else:
        for id in many:
            network = edit.set_field(network, id, "inplace", True)
    b.document.edit(network, what)
    for walk in (b.document.undo_stack.undo, b.document.undo_stack.redo):
        b.canvas.look_at(place)
        settle(b)
        there = b.canvas.outlook
        walk()
        settle(b)
        assert b.canvas.outlook == there


def test_of_more_than_has_room_the_nearest_is_looked_at(b):
    b.document.edit(edit.move(b.network, {"input1": (0.0, 60.0), "relu12": (3600.0, 60.0)}), "Move")
    b.canvas.look_at(QPointF(2700, 0))
    assert not sees(b, "relu12")
    b.document.undo_stack.undo()
    settle(b)
    assert sees(b, "relu12")


def test_a_jump_in_the_history_moves_once_and_only_where_all_of_it_is_out_of_view(b):
    for id in ("relu1", "relu12", "relu2"):
        x, y = b.canvas.drawing.positions()[id]
        b.document.edit(edit.move(b.network, {id: (x, y + 50)}), "Move")
    b.canvas.look_at(QPointF(3600, 0))
    there = b.canvas.outlook
    b.document.undo_stack.setIndex(0)
    settle(b)
    assert b.canvas.outlook == there


def test_the_recipe_is_nowhere_on_the_canvas(b):
    recipe = msgspec.structs.replace(b.network.recipe, epochs=7)
    b.document.edit(edit.set_recipe(b.network, recipe), "Epochs")
    there = b.canvas.outlook
    b.document.undo_stack.undo()
    settle(b)
    assert b.canvas.outlook == there


def test_escape_in_a_gesture_moves_nothing_but_takes_it_back(b):
    b.canvas.look_at(FAR_AWAY)
    there = b.canvas.outlook
    b.document.edit(edit.set_field(b.network, "relu1", "inplace", True), "Scrub", "scrub")
    b.document.cancel_merge()
    settle(b)
    assert b.canvas.outlook == there


def test_a_hand_at_a_card_is_not_led_away(b):
    change(b, "a field")
    b.canvas.look_at(FAR_AWAY)
    there = b.canvas.outlook
    hands.drag(b.port, b.node("relu10"), b.node("relu10") + QPoint(0, 60), drop=False)
    b.document.undo_stack.undo()
    settle(b)
    assert b.canvas.outlook == there


def test_who_scrolls_meanwhile_goes_where_they_want(b):
    change(b, "a field")
    b.canvas.look_at(FAR_AWAY)
    b.document.undo_stack.undo()
    b.qtbot.waitUntil(lambda: b.canvas.glide.under_way)
    hands.wheel(b.port, QPoint(400, 300), 0, across=120, pixels=QPoint(40, 0))
    assert not b.canvas.glide.under_way


def test_it_goes_softly_and_is_there_within_150_ms(b):
    assert STEP_MS < 150
    change(b, "a field")
    b.canvas.look_at(FAR_AWAY)
    seen: list[int] = []
    b.canvas.looked.connect(lambda: seen.append(b.canvas.scroll_position().x()))
    b.document.undo_stack.undo()
    settle(b)
    assert seen == sorted(seen, reverse=True), "straight there"
    assert seen[0] != seen[-1]


def test_what_only_comes_to_be_written_down_has_not_changed(qtbot):
    """Where the canvas placed cards by itself, the first layer that is added writes down all their places."""
    network = chain("Input", *["ReLU"] * 12, "Output")
    b = Bench(qtbot, msgspec.structs.replace(network, view={}))
    b.qtbot = qtbot  # type: ignore[attr-defined]
    b.canvas.zoom_reset()
    assert not b.network.positions()
    b.selection.set(("relu12",))
    b.canvas.add_layer("Dropout")
    assert len(b.network.positions()) == 15
    b.canvas.look_at(QPointF(*b.canvas.drawing.positions()["input1"]))
    settle(b)
    assert not sees(b, "relu12")
    b.document.undo_stack.undo()
    settle(b)
    assert sees(b, "relu12"), "where the layer stood, and its wire"
