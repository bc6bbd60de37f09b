"""Placing by key: nudges carry frames, a laid out selection covers nothing, cards keep to grid and neighbours."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import ALT, CTRL, SHIFT  # isort: skip

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication

from engine import edit, edit_view
from engine.edit_view import Frame
from gui.canvas import card, layout

pytestmark = pytest.mark.gui

ALIGNED = {  # key -> what is equal afterwards, of a card's rectangle
    Qt.Key.Key_A: lambda rect: rect.left(),
    Qt.Key.Key_C: lambda rect: rect.center().x(),
    Qt.Key.Key_D: lambda rect: rect.right(),
    Qt.Key.Key_W: lambda rect: rect.top(),
    Qt.Key.Key_M: lambda rect: rect.center().y(),
    Qt.Key.Key_S: lambda rect: rect.bottom(),
}


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def scattered() -> Bench:
    """Three cards of different heights, where no two lines are the same."""
    network = chain("Input", "Conv2d", "Flatten")
    return edit.move(network, {"input1": (0, 0), "conv1": (250, 90), "flatten1": (808, 216)})


@pytest.mark.parametrize("key", list(ALIGNED))
def test_each_key_of_alignment_brings_the_cards_to_its_line(bench, key):
    b = bench(scattered())
    hands.key(b.canvas, Qt.Key.Key_A, CTRL)
    before = b.network
    hands.key(b.canvas, key, ALT)
    b.canvas.stop_animation()
    lines = [ALIGNED[key](item.rect) for item in b.canvas.drawing.nodes.values()]
    assert lines == pytest.approx([lines[0]] * 3)
    b.undo_and_redo(before)


@pytest.mark.parametrize("key", [Qt.Key.Key_H, Qt.Key.Key_V])
def test_each_key_of_distribution_makes_the_gaps_equal(bench, key):
    b = bench(scattered())
    hands.key(b.canvas, Qt.Key.Key_A, CTRL)
    before = b.network
    hands.key(b.canvas, key, ALT | SHIFT)
    b.canvas.stop_animation()
    rects = [item.rect for item in b.canvas.drawing.nodes.values()]
    across = key == Qt.Key.Key_H
    ends = [(r.left(), r.right()) if across else (r.top(), r.bottom()) for r in rects]
    gaps = [after[0] - first[1] for first, after in pairwise(ends)]
    assert gaps[0] == pytest.approx(gaps[1])
    b.undo_and_redo(before)


def test_a_selection_that_is_laid_out_covers_no_other_card(bench):
    network = chain("Input", "Conv2d", "ReLU", "Flatten", "Output")
    network = edit.move(
        network, {"conv1": (0, 120), "relu1": (0, 240), "flatten1": (250, 60), "output1": (500, 130)}
    )
    b = bench(network)
    b.selection.set(("input1", "conv1", "relu1"))
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_L, CTRL)
    b.canvas.stop_animation()
    rects = [item.rect for item in b.canvas.drawing.nodes.values()]
    assert not any(a.intersects(c) for i, a in enumerate(rects) for c in rects[:i])
    row = [b.canvas.drawing.nodes[id].rect.x() for id in ("input1", "conv1", "relu1")]
    assert row == sorted(row)
    kept = ("flatten1", "output1")
    assert {id: b.network.positions()[id] for id in kept} == {id: before.positions()[id] for id in kept}
    b.undo_and_redo(before)


def test_a_frame_is_nudged_with_what_stands_in_it(bench):
    network, id = edit_view.add_mark(chain("Input", "Conv2d"), Frame((260.0, -40.0, 300.0, 240.0)))
    b = bench(network)
    b.selection.set((), (), (id,))
    before = b.network
    for _ in range(3):
        hands.key(b.canvas, Qt.Key.Key_Right, CTRL)
    assert edit_view.marks(b.network)[id].rect[:2] == (284.0, -40.0)
    assert b.network.positions()["conv1"] == [324.0, 0.0]
    assert b.network.positions()["input1"] == [0.0, 0.0]
    b.undo_and_redo(before)


def test_cards_keep_to_the_grid_unless_ctrl_is_held(bench):
    b = bench(chain("Input", "Conv2d"))
    start = b.node("conv1")
    for held, on_grid in ((None, True), (CTRL, False)):
        before = b.network
        hands.press(b.port, b.node("conv1"))
        for step in (QPoint(20, 300), QPoint(43, 331)):
            hands.move(b.port, start + step, modifiers=held or hands.NONE)
        hands.release(b.port, start + QPoint(43, 331))
        x, y = b.network.positions()["conv1"]
        assert (x % 8 == 0 and y % 8 == 0) == on_grid, (x, y)
        b.undo_and_redo(before)
        b.document.undo_stack.undo()


def test_guides_show_what_a_card_is_brought_in_line_with_and_go_with_the_hand(bench):
    b = bench(chain("Input", "Conv2d"))
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(120, 3), drop=False)
    assert not b.canvas.drawing.guides.path().isEmpty()
    assert b.canvas.drawing.nodes["conv1"].rect.y() == b.canvas.drawing.nodes["input1"].rect.y()
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert b.canvas.drawing.guides.path().isEmpty()


@pytest.mark.parametrize(
    "name",
    """cut copy duplicate delete delete_gap select_upstream select_downstream select_path recolor straighten
    block unpack enter leave repair edit align_left align_centre align_right align_top align_middle align_bottom
    distribute_across distribute_down nudge_left_ctrl nudge_down_shift""".split(),
)
def test_what_needs_a_selection_says_so_where_there_is_none(bench, name):
    b = bench(chain("Input", "Conv2d"))
    before = b.network
    b.canvas.command(name).trigger()
    assert b.network is before
    assert b.messages, f"{name} says nothing"


@pytest.mark.parametrize("cursor", ["over a card", "elsewhere"])
def test_what_is_searched_by_key_comes_where_there_is_room_near_the_cursor_or_the_middle(qtbot, cursor):
    b = Bench(qtbot, chain("Input", "Conv2d", "ReLU", "Flatten", "Output"))
    b.canvas.fit()
    here = b.node("flatten1") if cursor == "over a card" else None
    b.canvas.cursor_point = lambda: None if here is None else b.canvas.mapToScene(here)
    wanted = b.canvas.visible_rect().center() if here is None else b.canvas.mapToScene(here)
    hands.key(b.canvas, Qt.Key.Key_Tab)
    hands.type_text("dropout")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    drawing = b.canvas.drawing
    (made,) = b.selection.nodes
    rect = drawing.nodes[made].rect
    assert not any(rect.intersects(item.rect) for id, item in drawing.nodes.items() if id != made)
    assert abs(rect.center().x() - wanted.x()) <= card.WIDTH
    assert abs(rect.center().y() - wanted.y()) <= 2 * rect.height()


def test_a_free_place_is_taken_as_it_is_and_else_the_nearest_one_of_all():
    taken = [(0.0, 0.0, 100.0, 50.0), (150.0, 0.0, 100.0, 50.0)]
    gap = layout.NODE_GAP / 2
    assert layout.nearest(taken, 500.0, 0.0, 100.0, 50.0) == (500.0, 0.0)
    assert layout.nearest(taken, 5.0, 30.0, 100.0, 50.0) == (5.0, 50.0 + gap)
    assert layout.nearest(taken, 5.0, -30.0, 100.0, 50.0) == (5.0, -50.0 - gap)
    assert layout.nearest(taken, 240.0, 5.0, 100.0, 50.0) == (250.0 + gap, 5.0)


def test_in_a_dense_crowd_a_free_place_is_found_beyond_it():
    draw = random.Random(1)
    taken = [
        (204.0 * column + draw.uniform(-8, 8), 125.0 * row + draw.uniform(-8, 8), float(card.WIDTH), 90.0)
        for column in range(40)
        for row in range(25)
    ]
    x, y = layout.nearest(taken, 4000.0, 1500.0, card.WIDTH, 90.0)
    assert not layout.overlap([(x, y, float(card.WIDTH), 90.0)], taken)


def test_a_piece_from_another_window_covers_nothing_though_the_cursor_is_over_a_card(qtbot):
    first, other = (Bench(qtbot, chain("Input", "Conv2d", "ReLU", "Flatten")) for _ in range(2))
    first.selection.set(first.network.nodes)
    first.canvas.command("copy").trigger()
    cursor = other.canvas.mapToScene(other.node("relu1"))
    other.canvas.cursor_point = lambda: cursor
    before = dict(other.network.nodes)
    other.canvas.command("paste").trigger()
    drawing = other.canvas.drawing
    pasted = set(other.network.nodes) - set(before)
    assert len(pasted) == 4
    rects = {id: item.rect for id, item in drawing.nodes.items()}
    assert not any(rects[new].intersects(rects[old]) for new in pasted for old in before)
    assert abs(drawing.content(pasted).center().x() - cursor.x()) <= card.WIDTH
    assert abs(drawing.content(pasted).center().y() - cursor.y()) <= 300
    for id in pasted:
        assert other.canvas.visible_rect().contains(rects[id])


def test_where_nothing_is_in_the_way_a_piece_comes_to_the_cursor(qtbot):
    b = Bench(qtbot, chain("Input", "Conv2d"))
    b.selection.set(("conv1",))
    hands.key(b.canvas, Qt.Key.Key_C, CTRL)
    b.canvas.editor.paste(QPointF(100.0, 500.0))
    (pasted,) = b.selection.nodes
    assert b.canvas.drawing.positions()[pasted] == (100.0, 500.0)
