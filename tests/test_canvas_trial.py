"""Errors appear while one drags: what would come of it is analysed before the button is let go."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests import window_helpers
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import ALT, CTRL, SHIFT  # isort: skip

from msgspec.structs import replace
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu

from engine import edit
from engine.analysis import analyze
from engine.findings import Analysis
from engine.network import Edge, End, Network
from gui.canvas import Palette, trial
from gui.canvas.menus import offer_repairs

pytestmark = pytest.mark.gui

#: What torch asks of a 2-D convolution: channels, height and width beside the batch.
RANK = "Conv2d takes 3 dimensions beside the batch"


def flattened() -> Network:
    """Pixels in a row, and a convolution that nothing feeds."""
    network = chain("Input", "Flatten", "Output")
    return edit.add_node(network, "conv1", edit.new_node("Conv2d"), (300.0, 300.0))


@pytest.fixture
def bench(qtbot):
    def make(network: Network) -> Bench:
        b = Bench(qtbot, network)
        b.canvas.set_analysis(analyze(network))
        b.canvas.trial.wanted.connect(lambda tried: b.canvas.trial.show(analyze(tried)))
        return b

    return make


def severity(b: Bench, id: str) -> set[str]:
    return {problem.code for problem in b.canvas.drawing.nodes[id].card.problems}


def test_a_wire_over_a_layer_that_cannot_take_its_shape_says_so_before_it_is_dropped(bench):
    b = bench(flattened())
    before = b.network
    hands.drag(b.port, b.output("flatten1"), b.input("conv1"), drop=False)
    assert b.network is before, "nothing is made yet"
    assert b.canvas.toast.isVisible()
    assert RANK in b.canvas.toast.text()
    assert "Ctrl+. can" in b.canvas.toast.text()
    assert "rank" in severity(b, "conv1")
    pen = b.canvas.drawing.sketch.pen()
    assert pen.color() == b.canvas.drawing.look.error
    hands.release(b.port, b.input("conv1"))
    assert "flatten1 → conv1" in b.edges
    assert "rank" in severity(b, "conv1"), "it stays shown until the new analysis comes"
    b.undo_and_redo(before)


def test_a_wire_that_fits_is_drawn_as_one_and_shows_the_shape_that_would_come(bench):
    b = bench(flattened())
    assert b.canvas.drawing.nodes["conv1"].card.tensor() is None
    hands.drag(b.port, b.output("input1"), b.input("conv1"), drop=False)
    assert b.canvas.drawing.sketch.pen().color() == b.canvas.drawing.look.accent
    assert not b.canvas.toast.isVisible()
    # 1 × 8 × 8 through 16 windows of 3 × 3 without padding: 8 − 3 + 1.
    assert b.canvas.drawing.nodes["conv1"].card.tensor().shape == (16, 6, 6)


@pytest.mark.parametrize("end", ["away", "escape"])
def test_what_was_only_tried_leaves_no_trace(bench, end):
    b = bench(flattened())
    before, shown = b.network, severity(b, "conv1")
    hands.drag(b.port, b.output("flatten1"), b.input("conv1"), drop=False)
    assert severity(b, "conv1") != shown
    if end == "away":
        hands.move(b.port, b.empty())
    else:
        hands.key(b.canvas, Qt.Key.Key_Escape)
    assert severity(b, "conv1") == shown
    assert not b.canvas.toast.isVisible()
    assert b.network is before
    assert b.document.undo_stack.count() == 0


def test_a_wires_end_that_is_brought_elsewhere_is_tried_too(bench):
    b = bench(flattened())
    wire = b.canvas.drawing.wires[Edge(End("flatten1"), End("output1"))]
    hands.drag(b.port, b.at(wire.way.pointAtPercent(0.9)), b.input("conv1"), modifiers=SHIFT, drop=False)
    assert RANK in b.canvas.toast.text()


def test_a_card_held_over_a_wire_that_it_does_not_fit_says_so(bench):
    b = bench(flattened())
    over = b.wire("flatten1", "output1")
    hands.drag(b.port, b.node("conv1"), over + QPoint(0, 20), drop=False)
    assert RANK in b.canvas.toast.text()
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert not b.canvas.toast.isVisible()


@pytest.mark.parametrize("where", ["wire", "selected"])
def test_a_layer_from_the_palette_says_what_would_be_wrong_where_it_hangs(qtbot, bench, where):
    b = bench(chain("Input", "Flatten", "Output"))
    palette = Palette()
    qtbot.addWidget(palette)
    palette.search.setText("conv2d")
    data = palette.layers.mimeData([palette.layers.currentItem()])
    b.selection.set(("flatten1",) if where == "selected" else ())
    at = b.wire("flatten1", "output1") if where == "wire" else b.empty()
    hands.hang(b.port, data, at)
    assert RANK in b.canvas.toast.text()
    assert set(b.network.nodes) == {"input1", "flatten1", "output1"}
    hands.hang(b.port, data, b.wire("input1", "flatten1") if where == "wire" else b.node("input1"))
    hands.leave(b.port)
    assert not b.canvas.toast.isVisible()


def test_of_a_drawing_too_large_for_a_frame_nothing_is_tried(bench, monkeypatch):
    b = bench(flattened())
    asked = []
    b.canvas.trial.wanted.connect(asked.append)
    monkeypatch.setattr(trial, "MOST", 3)
    hands.drag(b.port, b.output("flatten1"), b.input("conv1"))
    assert asked == []
    assert "flatten1 → conv1" in b.edges


def test_inside_a_block_what_is_tried_is_said_by_the_names_there(bench):
    b = bench(edit.connect(flattened(), End("input1"), End("conv1")))
    b.selection.set(("flatten1", "conv1"))
    hands.key(b.canvas, Qt.Key.Key_B, CTRL)
    b.canvas.set_analysis(analyze(b.network))
    use = b.selection.current
    hands.key(b.canvas, Qt.Key.Key_Down, ALT)
    assert b.canvas.block is not None
    hands.drag(b.port, b.output("flatten1"), b.input("conv1"), drop=False)
    assert b.canvas.toast.text().startswith("conv1: ")
    assert use not in b.canvas.toast.text().partition(":")[0]
    hands.key(b.canvas, Qt.Key.Key_Escape)


def test_ctrl_dot_offers_the_way_out_of_what_was_just_dropped_whatever_is_selected(bench):
    b = bench(flattened())
    b.selection.set(("input1",))
    hands.drag(b.port, b.output("flatten1"), b.input("conv1"))
    b.canvas.set_analysis(analyze(b.network))
    assert {repair.text for repair in b.canvas.editor.repairs()} >= {"Take conv1 out"}


def test_in_the_window_the_analysis_host_answers_while_the_button_is_held(qtbot, tmp_path):
    window = window_helpers.open_window(tmp_path, network=flattened())
    try:
        qtbot.waitUntil(lambda: window.workers.current, timeout=60_000)
        canvas, drawing = window.canvas, window.canvas.drawing
        canvas.fit()
        start = canvas.mapFromScene(drawing.nodes["flatten1"].output_point(0))
        end = canvas.mapFromScene(drawing.nodes["conv1"].input_point(0))
        hands.drag(canvas.viewport(), start, end, drop=False)
        qtbot.waitUntil(lambda: RANK in canvas.toast.text(), timeout=30_000)
        hands.release(canvas.viewport(), end)
        qtbot.waitUntil(lambda: window.workers.current, timeout=30_000)
        assert any(problem.code == "rank" for problem in window.workers.analysis.errors)
        assert "rank" in {problem.code for problem in drawing.nodes["conv1"].card.problems}
    finally:
        window_helpers.close_window(window)


def menu_of(b: Bench) -> list[str]:
    shown = [menu for menu in b.canvas.findChildren(QMenu) if menu.isVisible()]
    return [action.text() for menu in shown for action in menu.actions()]


def test_ways_out_that_are_asked_for_while_they_are_tried_are_offered_then(bench):
    b = bench(flattened())
    network = edit.connect(b.network, End("flatten1"), End("conv1"))
    b.document.edit(network, "Connect")
    whole = analyze(network)
    found = replace(whole, problems=tuple(replace(p, repairs=()) for p in whole.problems))
    b.canvas.set_analysis(found, searched=False)
    offer_repairs(b.canvas)
    assert not menu_of(b)
    assert not b.canvas.toast.isVisible(), "nobody says yet that there are none"
    b.canvas.set_analysis(whole)
    assert menu_of(b) == [r.text for p in whole.problems for r in p.repairs][:12] != []
    for menu in b.canvas.findChildren(QMenu):
        menu.close()
    b.canvas.set_analysis(whole)
    assert not menu_of(b), "once"


def test_ways_out_that_were_asked_for_are_not_offered_of_another_drawing(bench):
    b = bench(flattened())
    b.canvas.set_analysis(Analysis(), searched=False)
    offer_repairs(b.canvas)
    network = edit.connect(b.network, End("flatten1"), End("conv1"))
    b.document.edit(network, "Connect")
    b.canvas.set_analysis(analyze(network))
    assert not menu_of(b)


@pytest.mark.parametrize("meanwhile", ["another is selected", "something is dragged"])
def test_ways_out_that_were_asked_for_do_not_come_between_what_one_does_by_now(bench, meanwhile):
    b = bench(flattened())
    network = edit.connect(b.network, End("flatten1"), End("conv1"))
    b.document.edit(network, "Connect")
    b.canvas.set_analysis(Analysis(), searched=False)
    offer_repairs(b.canvas)
    if meanwhile == "another is selected":
        b.selection.set(("flatten1",))
    else:
        hands.press(b.port, b.node("flatten1"))
        hands.move(b.port, b.node("flatten1") + QPoint(40, 40))
    b.canvas.set_analysis(analyze(network))
    assert not menu_of(b)
    b.canvas.hands.cancel()
    b.canvas.set_analysis(analyze(network))
    assert not menu_of(b), "nor later"


def test_where_no_way_out_was_found_one_is_told_so(bench):
    b = bench(flattened())
    b.canvas.set_analysis(Analysis())
    offer_repairs(b.canvas)
    assert b.canvas.toast.isVisible()


def test_ways_out_that_are_asked_for_right_after_an_edit_are_waited_for(bench):
    b = bench(flattened())
    b.canvas.set_analysis(Analysis())
    network = edit.connect(b.network, End("flatten1"), End("conv1"))
    b.document.edit(network, "Connect")
    offer_repairs(b.canvas)
    assert not b.canvas.toast.isVisible(), "what was found is of before the edit"
    b.canvas.set_analysis(analyze(network))
    assert menu_of(b)
    for menu in b.canvas.findChildren(QMenu):
        menu.close()
