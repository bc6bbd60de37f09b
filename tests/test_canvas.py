"""Each gesture on the canvas, with real mouse and key events; undo and redo give equal documents."""

from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import ALT, CTRL, SHIFT  # isort: skip

from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication

from engine import diff, edit
from engine.findings import Analysis, NodeReport, Problem, Repair, Tensor
from engine.network import Edge, End, Network, Node
from gui.canvas import Mark, Palette, card, layout

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


# ---------------------------------------------------------------------------- adding


def test_a_layer_dragged_from_the_palette_lands_under_the_cursor(qtbot, bench):
    b = bench()
    palette = Palette()
    qtbot.addWidget(palette)
    palette.search.setText("input")
    data = palette.layers.mimeData([palette.layers.currentItem()])
    before = b.network
    hands.drop(b.port, data, QPoint(400, 300))
    assert [node.type for node in b.network.nodes.values()] == ["Input"]
    assert b.canvas.drawing.nodes["input1"].rect.contains(b.canvas.mapToScene(QPoint(400, 300)))
    assert b.selection.nodes == ("input1",)
    b.undo_and_redo(before)


def test_a_layer_added_while_one_is_selected_wires_itself_to_it_and_covers_nothing(bench):
    b = bench(chain("Input", "Flatten"))
    b.selection.set(("input1",))
    before = b.network
    b.canvas.add_layer("Conv2d")
    assert "input1 → conv1" in b.edges
    rects = [item.rect for item in b.canvas.drawing.nodes.values()]
    assert not any(a.intersects(c) for i, a in enumerate(rects) for c in rects[:i])
    new = b.canvas.drawing.nodes["conv1"].rect
    assert new.left() > b.canvas.drawing.nodes["input1"].rect.right()
    b.undo_and_redo(before)


def test_three_layers_are_drawn_by_keyboard_alone(bench):
    b = bench()
    for word in ("input", "conv2d", "flatten"):
        hands.key(b.canvas, Qt.Key.Key_Tab)
        hands.type_text(word)
        hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert b.edges == {"input1 → conv1", "conv1 → flatten1"}
    assert b.canvas.hasFocus()


def test_double_click_on_empty_ground_searches_and_adds_there(bench):
    b = bench(chain("Input"))
    place = b.empty()
    hands.double_click(b.port, place)
    assert b.canvas.adder.popup.isVisible()
    hands.type_text("max pool")
    before = b.network
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert "max_pool1" in b.network.nodes
    assert b.canvas.drawing.nodes["max_pool1"].rect.contains(b.canvas.mapToScene(place))
    b.undo_and_redo(before)


def test_escape_closes_the_search_and_adds_nothing(bench):
    b = bench()
    hands.key(b.canvas, Qt.Key.Key_Tab)
    hands.type_text("conv")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert not b.canvas.adder.popup.isVisible()
    assert b.network.nodes == {}
    assert b.canvas.hasFocus()


def test_a_wire_dropped_on_empty_ground_offers_only_layers_that_take_its_shape(bench):
    b = bench(chain("Input", "Flatten"))
    b.canvas.set_analysis(Analysis({"flatten1": NodeReport({"output": Tensor((64,))})}))
    before = b.network
    hands.drag(b.port, b.output("flatten1"), b.empty())
    assert b.canvas.adder.popup.isVisible()
    offered = [
        b.canvas.adder.popup.layers.item(i).data(Qt.ItemDataRole.UserRole)
        for i in range(b.canvas.adder.popup.layers.count())
    ]
    assert "Linear" in offered
    assert "Conv2d" not in offered  # it takes images: four dimensions
    assert "Input" not in offered  # it takes nothing
    hands.type_text("linear")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert "flatten1 → linear1" in b.edges
    b.undo_and_redo(before)


def test_a_layer_dropped_from_the_palette_on_a_wire_goes_into_it(qtbot, bench):
    b = bench(chain("Input", "Flatten"))
    palette = Palette()
    qtbot.addWidget(palette)
    palette.search.setText("dropout")
    before = b.network
    hands.drop(b.port, palette.layers.mimeData([palette.layers.currentItem()]), b.wire("input1", "flatten1"))
    assert b.edges == {"input1 → dropout1", "dropout1 → flatten1"}
    b.undo_and_redo(before)


# ---------------------------------------------------------------------------- wires


@pytest.mark.parametrize("how", ["palette", "card"])
def test_what_comes_into_a_wire_finds_room_and_the_cards_behind_it_give_way(qtbot, bench, how):
    network = chain("Input", "ReLU", "Tanh", "Output")
    network = edit.move(network, layout.arrange(network))
    if how == "card":
        network = edit.add_node(network, "free", edit.new_node("Sigmoid"), (100.0, 400.0))
    b = bench(network)
    before, row = b.network, ["input1", "relu1", "tanh1", "output1"]
    if how == "palette":
        data = QMimeData()
        data.setData("application/x-layerlab-layer", b"Sigmoid")
        hands.drop(b.port, data, b.wire("relu1", "tanh1"))
    else:
        hands.drag(b.port, b.node("free"), b.wire("relu1", "tanh1"))
    (id,) = set(b.network.nodes) - set(row)
    assert {f"relu1 → {id}", f"{id} → tanh1"} <= b.edges
    rects = [b.canvas.drawing.nodes[name].rect for name in ["input1", "relu1", id, "tanh1", "output1"]]
    assert all(right.left() - left.right() >= 32 for left, right in pairwise(rects))
    assert len({rect.y() for rect in rects}) == 1  # the wires stay straight
    assert rects[0].topLeft() == QPointF(*before.positions()["input1"])  # what was before it stays
    b.undo_and_redo(before)


@pytest.mark.parametrize("backward", [False, True])
def test_a_wire_is_drawn_from_port_to_port_either_way(bench, backward):
    b = bench(edit.remove(chain("Input", "Conv2d"), edges=[Edge(End("input1"), End("conv1"))]))
    before = b.network
    ends = [b.output("input1"), b.input("conv1")]
    hands.drag(b.port, *(reversed(ends) if backward else ends))
    assert b.edges == {"input1 → conv1"}
    b.undo_and_redo(before)


def test_a_wire_snaps_to_a_port_nearby_and_to_the_free_port_of_a_card(bench):
    network = edit.add_node(chain("Input"), "sum", edit.new_node("Add"), (300.0, 0.0))
    b = bench(network)
    hands.drag(b.port, b.output("input1"), b.input("sum", 1) + QPoint(-14, 9))
    assert b.edges == {"input1 → sum.other"}
    before = b.network
    hands.drag(b.port, b.output("input1"), b.node("sum") + QPoint(40, -20))
    assert b.edges == {"input1 → sum.other", "input1 → sum.input"}
    b.undo_and_redo(before)


@pytest.mark.parametrize("zoom", [1.0, 0.4])
@pytest.mark.parametrize("side", ["left", "top", "right", "bottom"])
def test_a_wire_dropped_just_beside_a_card_is_meant_for_it(bench, side, zoom):
    b = bench(chain("Input", "Conv2d", "ReLU"))
    before = edit.remove(b.network, edges=b.network.edges)
    b.document.edit(before, "Cut")
    b.canvas.zoom(zoom / b.canvas.zoom_factor)
    low = b.canvas.drawing.nodes["conv1"].rect.adjusted(20, 60, -20, 0)  # away from its ports
    middle = low.center()
    place = {
        "left": QPointF(low.left() - 30, low.bottom() - 4),
        "top": QPointF(middle.x(), low.top() - 60 - 12),
        "right": QPointF(low.right() + 20 + 10, low.bottom() - 4),
        "bottom": QPointF(middle.x(), low.bottom() + 12),
    }[side]
    assert b.canvas.drawing.node_at(place) is None
    hands.drag(b.port, b.output("input1"), b.at(place))
    assert b.edges == {"input1 → conv1"}
    assert not b.canvas.adder.popup.isVisible()
    b.undo_and_redo(before)


def test_a_wire_dropped_between_cards_still_asks_which_layer_comes_there(bench):
    b = bench(chain("Input", "Conv2d"))
    b.canvas.zoom_reset()
    under = b.canvas.drawing.nodes["conv1"].rect.bottomLeft() + QPointF(40, 40)
    hands.drag(b.port, b.output("input1"), b.at(under))
    assert b.canvas.adder.popup.isVisible()


def test_a_wire_that_would_close_a_circle_is_refused_with_a_reason(bench):
    b = bench(chain("Input", "Conv2d", "Conv2d"))
    before = b.network
    hands.drag(b.port, b.output("conv2"), b.input("conv1"))
    assert b.network is before
    assert "circle" in b.messages[-1]
    assert b.canvas.toast.isVisible()


def test_shift_dragging_a_wires_end_brings_it_elsewhere(bench):
    network = edit.add_node(chain("Input", "Conv2d"), "flat", edit.new_node("Flatten"), (300.0, 260.0))
    b = bench(network)
    before = b.network
    hands.drag(b.port, b.input("conv1"), b.input("flat"), modifiers=SHIFT)
    assert b.edges == {"input1 → flat"}
    b.undo_and_redo(before)


def test_shift_dragging_a_wires_end_away_cuts_it(bench):
    b = bench(chain("Input", "Conv2d"))
    before = b.network
    hands.drag(b.port, b.input("conv1"), b.empty(), modifiers=SHIFT)
    assert b.edges == set()
    b.undo_and_redo(before)


# ---------------------------------------------------------------------------- moving


def test_dragging_a_card_moves_it_as_one_step(bench):
    b = bench(chain("Input", "Conv2d"))
    before, steps = b.network, b.document.undo_stack.count()
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(90, 150), steps=12)
    assert b.document.undo_stack.count() == steps + 1
    x, y = b.network.positions()["conv1"]
    scale = b.canvas.zoom_factor
    assert abs(x - (300 + 90 / scale)) <= 8  # within one step of the grid
    assert abs(y - 150 / scale) <= 8
    b.undo_and_redo(before)


def test_all_selected_cards_move_together(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    b.selection.set(("input1", "conv1"))
    before = b.network
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(0, 120))
    p = b.network.positions()
    assert p["input1"][1] == p["conv1"][1] > 60
    assert p["conv1"][0] - p["input1"][0] == 300
    assert p["flatten1"] == [600, 0]
    b.undo_and_redo(before)


def test_a_card_is_attracted_by_its_neighbours_line(bench):
    network = edit.move(chain("Input", "Conv2d"), {"conv1": (303.0, 203.0)})
    b = bench(network)
    scale = b.canvas.zoom_factor
    start = b.node("conv1")
    hands.drag(b.port, start, start + QPoint(0, round(-199 * scale)))
    assert b.network.positions()["conv1"][1] == 0  # level with the input, 4 units before it was reached


def test_a_free_card_dropped_on_a_wire_goes_into_it(bench):
    network = edit.add_node(chain("Input", "Flatten"), "relu", edit.new_node("ReLU"), (0.0, 300.0))
    b = bench(network)
    before = b.network
    grip = b.node("relu")
    port = b.at(b.canvas.drawing.nodes["relu"].rect.center() * 0 + QPointF(84, 324))
    hands.drag(b.port, grip, b.wire("input1", "flatten1") + (grip - port))
    assert b.edges == {"input1 → relu", "relu → flatten1"}
    b.undo_and_redo(before)


def test_alt_drag_leaves_the_original_and_drops_a_copy(bench):
    b = bench(chain("Input", "Conv2d"))
    before = b.network
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(0, 200), modifiers=ALT)
    assert b.network.nodes["conv2"] == b.network.nodes["conv1"]
    assert b.network.positions()["conv1"] == [300, 0]
    assert b.network.positions()["conv2"][1] > 100
    assert b.selection.nodes == ("conv2",)
    b.undo_and_redo(before)


def test_alt_that_comes_while_a_card_hangs_leaves_the_original_too(bench):
    """Where the desktop takes a drag that begins with Alt for moving windows."""
    b = bench(chain("Input", "Conv2d"))
    before = b.network
    start = b.node("conv1")
    hands.drag(b.port, start, start + QPoint(0, 120), drop=False)
    hands.move(b.port, start + QPoint(0, 200), modifiers=ALT)
    assert b.canvas.drawing.positions()["conv1"] == (300, 0)
    hands.release(b.port, start + QPoint(0, 200))
    assert b.network.nodes["conv2"] == b.network.nodes["conv1"]
    assert b.network.positions()["conv1"] == [300, 0]
    assert b.network.positions()["conv2"][1] > 100
    b.undo_and_redo(before)


@pytest.mark.parametrize("what", ["move", "connect", "select"])
def test_the_right_button_cancels_a_gesture_and_opens_no_menu(bench, what):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    before, shown = b.network, b.canvas.drawing.positions()
    begin = {"move": b.node("conv1"), "connect": b.output("input1"), "select": b.empty()}[what]
    end, right = begin + QPoint(60, 90), Qt.MouseButton.RightButton
    hands.drag(b.port, begin, end, drop=False)
    hands.press(b.port, end, right)
    asked = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, end, b.port.mapToGlobal(end))
    QApplication.sendEvent(b.port, asked)
    assert QApplication.activePopupWidget() is None
    assert b.canvas.gesture is None
    hands.release(b.port, end, right)
    hands.move(b.port, end + QPoint(40, 40))
    hands.release(b.port, end)
    assert b.network is before
    assert b.canvas.drawing.positions() == shown
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(0, 90))
    assert b.network.positions()["conv1"] != before.positions()["conv1"], "the next gesture is as ever"


def test_a_gesture_whose_end_went_elsewhere_is_cancelled_and_hangs_on_no_cursor(bench):
    b = bench(chain("Input", "Conv2d"))
    before, shown = b.network, b.canvas.drawing.positions()
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(60, 90), drop=False)
    hands.move(b.port, QPoint(300, 300), Qt.MouseButton.NoButton)
    assert b.canvas.gesture is None
    assert b.network is before
    assert b.canvas.drawing.positions() == shown


# ---------------------------------------------------------------------------- selecting and removing


def test_click_box_and_ctrl_select(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    hands.click(b.port, b.node("input1"))
    assert b.selection.nodes == ("input1",)
    hands.click(b.port, b.node("flatten1"), modifiers=CTRL)
    assert b.selection.nodes == ("input1", "flatten1")
    hands.click(b.port, b.node("input1"), modifiers=CTRL)
    assert b.selection.nodes == ("flatten1",)
    box = b.canvas.drawing.content(("conv1", "flatten1")).adjusted(-20, -20, 20, 20)
    hands.drag(b.port, b.at(box.topLeft()), b.at(box.bottomRight()))
    assert set(b.selection.nodes) == {"conv1", "flatten1"}
    hands.click(b.port, b.empty())
    assert b.selection.nodes == ()


def test_a_wire_is_selected_by_a_click_and_deleted_by_the_key(bench):
    b = bench(chain("Input", "Conv2d"))
    hands.click(b.port, b.wire("input1", "conv1"))
    assert b.selection.edges == (Edge(End("input1"), End("conv1")),)
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_Delete)
    assert b.edges == set()
    b.undo_and_redo(before)


def test_delete_heals_the_chain_and_shift_delete_does_not(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    before = b.network
    hands.click(b.port, b.node("conv1"))
    hands.key(b.canvas, Qt.Key.Key_Delete)
    assert b.edges == {"input1 → flatten1"}
    assert b.selection.nodes == ()
    b.undo_and_redo(before)
    b.document.undo_stack.undo()
    b.selection.set(("conv1",))
    hands.key(b.canvas, Qt.Key.Key_Delete, SHIFT)
    assert b.edges == set()


def test_select_all_and_along_the_wires(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    hands.key(b.canvas, Qt.Key.Key_A, CTRL)
    assert set(b.selection.nodes) == set(b.network.nodes)
    b.selection.set(("conv1",))
    hands.key(b.canvas, Qt.Key.Key_Right, CTRL | SHIFT)
    assert set(b.selection.nodes) == {"conv1", "flatten1"}


def test_arrow_keys_walk_along_wires(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    b.selection.set(("input1",))
    hands.key(b.canvas, Qt.Key.Key_Right)
    hands.key(b.canvas, Qt.Key.Key_Right)
    assert b.selection.nodes == ("flatten1",)
    hands.key(b.canvas, Qt.Key.Key_Left)
    assert b.selection.nodes == ("conv1",)


def test_enter_asks_the_inspector_for_the_first_field(qtbot, bench):
    b = bench(chain("Input", "Conv2d"))
    b.selection.set(("conv1",))
    with qtbot.waitSignal(b.canvas.edit_requested) as asked:
        hands.key(b.canvas, Qt.Key.Key_Return)
    assert asked.args == ["conv1"]


# ---------------------------------------------------------------------------- clipboard


def test_copy_and_paste_keep_the_wires_inside_and_give_fresh_ids(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    b.selection.set(("conv1", "flatten1"))
    hands.key(b.canvas, Qt.Key.Key_C, CTRL)
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_V, CTRL)
    assert set(b.network.nodes) - set(before.nodes) == {"conv2", "flatten2"}
    assert "conv2 → flatten2" in b.edges
    assert set(b.selection.nodes) == {"conv2", "flatten2"}
    b.undo_and_redo(before)


def test_cut_heals_and_pastes_into_another_window(bench):
    b, other = bench(chain("Input", "Conv2d", "Flatten")), bench()
    before = b.network
    b.selection.set(("conv1",))
    b.canvas.command("cut").trigger()
    assert b.edges == {"input1 → flatten1"}
    other.canvas.command("paste").trigger()
    assert other.network.nodes == {"conv1": before.nodes["conv1"]}
    b.undo_and_redo(before)


def test_pasting_something_else_says_so(bench):
    b = bench()
    for text in ("hello", '{"format": "layerlab-fragment", "nodes": 3}', "[1]", ""):
        QApplication.clipboard().setText(text)
        hands.key(b.canvas, Qt.Key.Key_V, CTRL)
        assert b.network.nodes == {}
    assert len(b.messages) == 4


def test_duplicate_by_key(bench):
    b = bench(chain("Input", "Conv2d"))
    b.selection.set(("conv1",))
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_D, CTRL)
    assert b.network.nodes["conv2"] == b.network.nodes["conv1"]
    b.undo_and_redo(before)


# ---------------------------------------------------------------------------- placing


def test_a_document_without_positions_is_laid_out_and_stays_clean(bench):
    network = chain("Input", "Conv2d", "ReLU", "Flatten", "Linear", "Output")
    bare = replace(network, view={})
    b = bench()
    b.document.replace(bare)
    assert b.network is bare
    assert b.document.clean
    assert b.document.undo_stack.count() == 0
    rects = [item.rect for item in b.canvas.drawing.nodes.values()]
    assert not any(a.intersects(c) for i, a in enumerate(rects) for c in rects[:i])
    before = b.network
    hands.drag(b.port, b.node("relu1"), b.node("relu1") + QPoint(0, 160))
    assert set(b.network.positions()) == set(b.network.nodes)  # the others' places are written with it
    b.undo_and_redo(before)


def test_arrange_is_one_step(qtbot, bench):
    network = edit.move(chain("Input", "Conv2d", "Flatten"), {"conv1": (10.0, 10.0), "flatten1": (0.0, 5.0)})
    b = bench(network)
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_L, CTRL)
    qtbot.waitUntil(lambda: b.canvas._animation is None)
    p = b.canvas.drawing.positions()
    assert p["input1"][0] < p["conv1"][0] < p["flatten1"][0]
    b.undo_and_redo(before)


def test_align_and_distribute(qtbot, bench):
    network = edit.move(
        chain("Input", "Conv2d", "Flatten"),
        {"input1": (0.0, 0.0), "conv1": (250.0, 90.0), "flatten1": (800.0, 40.0)},
    )
    b = bench(network)
    b.canvas.command("select_all").trigger()
    before = b.network
    b.canvas.command("align_top").trigger()
    assert {y for _, y in b.network.positions().values()} == {0.0}
    b.undo_and_redo(before)
    before = b.network
    b.canvas.command("distribute_across").trigger()
    assert b.network.positions()["conv1"][0] == 400.0
    b.undo_and_redo(before)


def test_nudges_by_key_merge_into_one_step(bench):
    b = bench(chain("Input", "Conv2d"))
    b.selection.set(("conv1",))
    before = b.network
    for _ in range(5):
        hands.key(b.canvas, Qt.Key.Key_Down, CTRL)
    assert b.network.positions()["conv1"] == [300, 40]
    b.undo_and_redo(before)


# ---------------------------------------------------------------------------- showing


def test_analysis_puts_shapes_on_cards_and_marks_problems(bench):
    b = bench(chain("Input", "Conv2d"))
    analysis = Analysis(
        {"input1": NodeReport({"output": Tensor((1, 8, 8))}), "conv1": NodeReport()},
        (Problem("error", "window-fits", "the window is too large", "conv1", "kernel_size"),),
    )
    b.canvas.set_analysis(analysis)
    shown = b.canvas.drawing.nodes
    assert card.shape_text(shown["input1"].card.tensor()) == "1×8×8"
    assert b.canvas.drawing.wires[Edge(End("input1"), End("conv1"))].dimensions == 3
    assert shown["conv1"].card.severity == "error"


def test_cards_show_their_share_of_the_costliest(bench):
    b = bench(chain("Input", "Conv2d", "Conv2d"))
    found = {"conv1": NodeReport(macs=250, parameter_count=1160), "conv2": NodeReport(macs=1000)}
    b.canvas.set_analysis(Analysis(found))
    shown = b.canvas.drawing.nodes
    assert (shown["conv1"].card.cost, shown["conv2"].card.cost) == (0.25, 1.0)
    assert "1,160 parameters" in card.cost_text(shown["conv1"].card)
    b.canvas.set_analysis(Analysis({**found, "conv2": NodeReport(macs=500)}))
    assert shown["conv1"].card.cost == 0.5  # though its own cost is what it was


def test_an_edit_elsewhere_shows_on_the_card_at_once(bench):
    b = bench(chain("Input", "Conv2d"))
    item = b.canvas.drawing.nodes["conv1"]
    b.document.edit(edit.set_field(b.network, "conv1", "out_channels", 99), "Set out_channels")
    assert b.canvas.drawing.nodes["conv1"] is item
    assert item.card.fields.startswith("99 · 3×3")


def test_ids_from_files_are_text_and_never_markup(bench):
    evil = "<img src=x><b>conv</b>"
    b = bench(Network(nodes={evil: Node("Conv2d"), "in": Node("Input")}, edges=(Edge(End("in"), End(evil)),)))
    b.canvas.grab()
    assert b.canvas.drawing.nodes[evil].text.id.startswith("<img")
    b.selection.set((evil,))
    b.canvas.command("delete").trigger()
    assert evil not in b.network.nodes


def test_unknown_layers_dangling_wires_and_wrong_values_are_drawn(bench):
    network = Network(
        nodes={
            "a": Node("NoSuchLayer", {"x": [1, {"y": 2}]}),
            "b": Node("Conv2d", {"out_channels": "many", "kernel_size": None}),
            "c": Node("Add"),
        },
        edges=(Edge(End("a"), End("b")), Edge(End("ghost"), End("b")), Edge(End("b"), End("c", "nonsense"))),
        view={"positions": {"a": ["x", None], "b": 7}},
    )
    b = bench(network)
    b.canvas.grab()
    assert set(b.canvas.drawing.nodes) == {"a", "b", "c"}
    assert len(b.canvas.drawing.wires) == 2


@pytest.mark.parametrize("zoom", [1.0, 0.4, 0.25, 0.1])
def test_every_level_of_detail_paints_the_cards(bench, zoom):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    b.canvas.set_zoom(zoom)
    b.canvas.centerOn(b.canvas.drawing.content().center())
    picture = b.canvas.grab().toImage()
    stripe = b.at(b.canvas.drawing.nodes["conv1"].rect.topLeft()) + QPoint(1, round(30 * zoom))
    ground = b.canvas.drawing.look.canvas.rgb()
    assert any(picture.pixel(stripe + QPoint(dx, 0)) != ground for dx in range(3))


def test_every_action_has_text_shortcut_tooltip_icon_and_a_name_of_its_own(bench):
    b = bench()
    names = [action.objectName() for action in b.canvas.commands]
    keys = [key.toString() for action in b.canvas.commands for key in action.shortcuts()]
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys)
    for action in b.canvas.commands:
        assert action.text()
        assert not action.icon().isNull()
        assert action.shortcut().toString() in action.toolTip() or action.toolTip().endswith(")")
        assert action.shortcutContext() == Qt.ShortcutContext.WidgetWithChildrenShortcut


def test_the_empty_canvas_says_what_to_do_first(bench):
    b = bench()
    assert b.canvas.empty.isVisible()
    b.canvas.add_layer("Input")
    assert not b.canvas.empty.isVisible()


# ---------------------------------------------------------------------------- mending and renaming


def test_a_repair_is_taken_from_the_card(bench):
    b = bench(chain("Input", "Conv2d"))
    mended = edit.set_field(b.network, "conv1", "padding", [1, 1])
    way_out = Repair("Set padding to [1, 1]", diff.changes(b.network, mended))
    problem = Problem("error", "window-fits", "the window is too large", "conv1", "kernel_size", (way_out,))
    b.canvas.set_analysis(Analysis({}, (problem,)))
    b.selection.set(("conv1",))
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_Period, CTRL)
    menu = QApplication.activePopupWidget()
    assert menu.actions()[0].text() == "Set padding to [1, 1]"
    hands.key(menu, Qt.Key.Key_Return)
    assert b.network == mended
    b.undo_and_redo(before)


def test_a_renamed_card_stays_where_it_is(bench):
    b = bench(replace(chain("Input", "Conv2d", "Flatten"), view={}))
    before = b.canvas.drawing.positions()
    b.document.edit(edit.rename(b.network, "conv1", "stem"), "Rename")
    after = b.canvas.drawing.positions()
    assert after["stem"] == before["conv1"]
    assert after["flatten1"] == before["flatten1"]
    b.document.undo_stack.undo()
    assert b.canvas.drawing.positions() == before


# ---------------------------------------------------------------------------- a measure over the cards


@pytest.mark.parametrize("zoom", [1.0, 0.4, 0.25, 0.08])
def test_a_measure_colours_its_cards_from_near_and_far(bench, zoom):
    b = bench(chain("Input", "Conv2d"))
    b.canvas.set_zoom(zoom)
    b.canvas.centerOn(b.canvas.drawing.content().center())
    place = b.at(b.canvas.drawing.nodes["conv1"].rect.center() + QPointF(40, -20))
    plain = b.canvas.grab().toImage().pixelColor(place)
    b.canvas.set_overlay({"conv1": Mark("#d00000", "0.31", (1.0, float("nan"), 0.5), "a third is dead")})
    marked = b.canvas.grab().toImage().pixelColor(place)
    assert marked.red() - marked.green() > plain.red() - plain.green() + 20
    b.canvas.set_overlay(None)
    assert b.canvas.grab().toImage().pixelColor(place) == plain


def test_what_a_measure_says_of_a_card_is_read_while_the_card_is_selected(bench):
    b = bench(chain("Input", "Conv2d"))
    b.canvas.set_zoom(1.0)
    rect = b.canvas.drawing.nodes["conv1"].rect
    b.canvas.centerOn(rect.center())
    b.selection.set(("conv1",))
    below = QRect(
        b.at(QPointF(rect.left() + 20, rect.bottom() + 7)), b.at(rect.bottomRight() + QPointF(-14, 14))
    )
    plain = b.canvas.grab().toImage().copy(below)
    b.canvas.set_overlay({"conv1": Mark("#d00000", "new")})  # as an edit of the selected layer says
    assert b.canvas.grab().toImage().copy(below) != plain


def test_a_measure_stays_with_its_node_through_edits(bench):
    b = bench(chain("Input", "Conv2d"))
    b.canvas.set_overlay({"conv1": Mark("#d00000")})
    b.selection.set(("conv1",))
    b.canvas.command("delete").trigger()
    b.document.undo_stack.undo()
    assert b.canvas.drawing.nodes["conv1"].mark == Mark("#d00000")


def test_a_click_on_the_bulb_of_a_card_offers_its_repairs(bench):
    b = bench(chain("Input", "Conv2d"))
    mended = edit.set_field(b.network, "conv1", "padding", [1, 1])
    way_out = Repair("Set padding to [1, 1]", diff.changes(b.network, mended))
    problem = Problem("error", "window-fits", "the window is too large", "conv1", "kernel_size", (way_out,))
    b.canvas.set_analysis(Analysis({}, (problem,)))
    b.canvas.grab()
    hands.click(b.port, b.at(b.canvas.drawing.nodes["conv1"].rect.topRight() + QPointF(-16, 17)))
    menu = QApplication.activePopupWidget()
    assert [action.text() for action in menu.actions()] == ["Set padding to [1, 1]"]
    hands.key(menu, Qt.Key.Key_Return)
    assert b.network == mended
