"""Blocks on the canvas: collapse and unpack, in and out, with real mouse and keys."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import ALT, CTRL, SHIFT  # isort: skip

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolButton

from engine import edit, edit_blocks
from engine.analysis import analyze
from engine.network import End

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def collapsed(b: Bench) -> str:
    """conv1 and relu1 of a chain as a block; the id of its use."""
    b.selection.set(("conv1", "relu1"))
    hands.key(b.canvas, Qt.Key.Key_B, CTRL)
    return b.selection.nodes[0]


def names(b: Bench) -> list[str]:
    """What the path on the canvas says."""
    crumbs = b.canvas.interior.breadcrumb
    if not crumbs.isVisible():
        return []
    return [*(button.text() for button in buttons(b)), crumbs.name.text()]


def buttons(b: Bench) -> list[QToolButton]:
    """The drawings above this one."""
    crumbs = b.canvas.interior.breadcrumb
    return [button for button in crumbs.findChildren(QToolButton) if not button.isHidden()]


def test_the_selection_collapses_to_a_block_and_unpacks_again(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Flatten", "Output"))
    before, totals = b.network, analyze(b.network).totals
    use = collapsed(b)
    assert b.network.nodes[use].block == "Block1"
    assert b.edges == {f"input1 → {use}", f"{use} → flatten1", "flatten1 → output1"}
    assert analyze(b.network).totals == totals
    b.undo_and_redo(before)
    b.selection.set((use,))
    packed = b.network
    hands.key(b.canvas, Qt.Key.Key_B, CTRL | SHIFT)
    assert set(b.network.nodes) == set(before.nodes)
    assert b.edges == {str(edge) for edge in before.edges}
    assert analyze(b.network).totals == totals
    assert b.network.positions() == before.positions(), "where they stood"
    b.undo_and_redo(packed)


def test_where_a_block_has_no_room_to_be_unpacked_the_others_give_way_in_their_order(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Flatten", "Output"))
    use = collapsed(b)
    hands.key(b.canvas, Qt.Key.Key_L, CTRL)  # close together
    b.canvas.stop_animation()
    b.selection.set((use,))
    packed = b.network
    hands.key(b.canvas, Qt.Key.Key_B, CTRL | SHIFT)
    rects = [item.rect for item in b.canvas.drawing.nodes.values()]
    assert not any(a.intersects(c) for i, a in enumerate(rects) for c in rects[:i])
    row = sorted(b.network.nodes, key=lambda id: b.canvas.drawing.nodes[id].rect.x())
    assert row == ["input1", "conv1", "relu1", "flatten1", "output1"]
    b.undo_and_redo(packed)


def test_what_cannot_be_a_block_is_refused_with_a_reason(bench):
    b = bench(chain("Input", "Conv2d"))
    b.selection.set(("input1", "conv1"))
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_B, CTRL)
    assert b.network is before
    assert "input1" in b.messages[-1]


@pytest.mark.parametrize("how", ["double click", "key"])
def test_a_block_is_entered_and_left_and_its_inside_is_edited(bench, how):
    b = bench(chain("Input", "Conv2d", "ReLU", "Flatten", "Output"))
    use = collapsed(b)
    if how == "double click":
        hands.double_click(b.port, b.node(use))
    else:
        hands.key(b.canvas, Qt.Key.Key_Down, ALT)
    assert b.selection.block == "Block1"
    assert {"conv1", "relu1"} < set(b.canvas.drawing.nodes)
    assert names(b)[-1] == "Block1"
    before = b.network
    b.selection.set(("conv1",))
    hands.key(b.canvas, Qt.Key.Key_Tab)
    hands.type_text("dropout 0.25")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert "dropout1" in b.network.blocks["Block1"].nodes
    after = b.network
    b.document.undo_stack.undo()
    assert b.network == before
    assert b.selection.block == "Block1"
    b.document.undo_stack.redo()
    assert b.network == after
    hands.key(b.canvas, Qt.Key.Key_Up, ALT)
    assert b.selection.block is None
    assert b.selection.nodes == (use,)
    assert names(b) == []


def test_inside_a_block_the_shapes_of_the_use_that_was_entered_are_shown(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Flatten", "Output"))
    use = collapsed(b)
    b.selection.set((use,))
    hands.key(b.canvas, Qt.Key.Key_D, CTRL)
    second = b.selection.nodes[0]
    b.document.edit(edit.connect(b.network, End(use), End(second)), "Connect")
    b.canvas.set_analysis(analyze(b.network))
    seen = []
    for id in (use, second):
        b.canvas.interior.enter(id)
        seen.append(b.canvas.drawing.nodes["conv1"].card.tensor().shape)
        b.canvas.interior.leave()
    assert seen == [(16, 6, 6), (16, 4, 4)]  # 8 − 2 = 6, and 6 − 2 = 4


def test_nested_blocks_show_the_way_down_and_lead_back(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Conv2d", "Output"))
    inner = collapsed(b)
    b.selection.set((inner, "conv2"))
    hands.key(b.canvas, Qt.Key.Key_B, CTRL)
    outer = b.selection.nodes[0]
    b.canvas.interior.enter(outer)
    b.canvas.interior.enter(inner)
    assert names(b) == [b.network.name, "Block2", "Block1"]
    assert b.canvas.use == f"{outer}.{inner}"
    buttons(b)[0].click()
    assert b.selection.block is None
    assert b.selection.nodes == (outer,)


def test_a_block_is_renamed_where_it_stands(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Output"))
    use = collapsed(b)
    b.canvas.interior.enter(use)
    before, name = b.network, b.canvas.interior.breadcrumb.name
    name.selectAll()
    QTest.keyClicks(name, "Stem")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert set(b.network.blocks) == {"Stem"}
    assert b.network.nodes[use].block == "Stem"
    assert b.selection.block == "Stem"
    b.document.undo_stack.undo()
    assert b.network == before
    assert b.selection.block == "Block1"  # what was open stays open
    assert names(b) == [b.network.name, "Block1"]
    assert b.canvas.use == use
    b.document.undo_stack.redo()
    assert b.selection.block == "Stem"
    assert names(b) == [b.network.name, "Stem"]
    b.document.undo_stack.undo()
    b.document.undo_stack.undo()  # of the block's making
    assert b.selection.block is None
    assert not b.network.blocks


def test_inside_of_two_blocks_the_outer_one_can_be_renamed_and_back(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Conv2d", "Output"))
    inner = collapsed(b)
    b.selection.set((inner, "conv2"))
    hands.key(b.canvas, Qt.Key.Key_B, CTRL)
    (outer,) = b.selection.nodes
    b.canvas.interior.enter(outer)
    b.canvas.interior.enter(inner)
    b.document.edit(edit_blocks.rename_block(b.network, "Block2", "Stage"), "Rename")
    assert names(b) == [b.network.name, "Stage", "Block1"]
    b.document.undo_stack.undo()
    assert names(b) == [b.network.name, "Block2", "Block1"]
    assert b.canvas.use == f"{outer}.{inner}"


def test_a_block_of_the_network_is_found_by_the_search_and_used_again(bench):
    b = bench(chain("Input", "Conv2d", "ReLU", "Output"))
    use = collapsed(b)
    b.selection.set((use,))
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_Tab)
    hands.type_text("block1")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    (second,) = set(b.network.nodes) - set(before.nodes)
    assert b.network.nodes[second].block == "Block1"
    assert f"{use} → {second}" in b.edges
    b.undo_and_redo(before)


def test_select_the_paths_between(bench):
    network = chain("Input", "Conv2d", "ReLU", "Flatten", "Output")
    network = edit.add_node(network, "aside", edit.new_node("Conv2d"), (300.0, 300.0))
    network = edit.connect(network, End("input1"), End("aside"))
    b = bench(network)
    b.selection.set(("input1", "flatten1"))
    hands.key(b.canvas, Qt.Key.Key_A, CTRL | SHIFT)
    assert set(b.selection.nodes) == {"input1", "conv1", "relu1", "flatten1"}
    assert len(b.selection.edges) == 3
    b.selection.set(("aside", "flatten1"))
    hands.key(b.canvas, Qt.Key.Key_A, CTRL | SHIFT)
    assert "No path" in b.messages[-1]
