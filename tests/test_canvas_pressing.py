"""What is under the cursor is what a press, a click, a menu and a tooltip mean, also from far away."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QHelpEvent
from PySide6.QtWidgets import QApplication, QMenu

from engine import edit, edit_view
from engine.edit_view import Frame
from engine.findings import Analysis, Problem
from engine.network import Edge, End
from gui.canvas import hands as canvas_hands
from gui.canvas.levels import COARSE, FAR, MIDDLE, NEAR
from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain
from tests.gui_helpers import CTRL

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def look(b: Bench, zoom: float, at: QPointF, detail: int) -> None:
    """Look at a place from a distance, at a level of detail that is meant."""
    b.canvas.zoom(zoom / b.canvas.zoom_factor)
    b.canvas.centerOn(at)
    b.port.grab()
    assert b.canvas.drawing.detail == detail


def marked(network, *marks):
    for mark in marks:
        network, _ = edit_view.add_mark(network, mark)
    return network


def ask_for_menu(b: Bench, at: QPoint) -> list[str]:
    """The entries of the menu at a place."""
    asked = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, b.port.mapToGlobal(at))
    QApplication.sendEvent(b.port, asked)
    menu = b.canvas.findChildren(QMenu)[-1]
    entries = [action.text() for action in menu.actions()]
    menu.close()
    return entries


def wide():
    """Two layers far from one another, a wire led closely above a third, and one so far aside that one can
    step back from them."""
    network = edit.move(chain("Input", "ReLU", "ReLU"), {"relu1": (3000.0, 0.0), "relu2": (1400.0, 0.0)})
    network = edit.remove(network, (), network.edges[1:])
    network = edit_view.set_bends(network, {network.edges[0]: [(1484.0, -40.0)]})
    return edit.add_node(network, "aside", edit.new_node("ReLU"), (-30000.0, 0.0))


def test_from_afar_a_click_beside_a_selected_card_is_one_on_the_wire_there(bench):
    b = bench(wide())
    look(b, 0.15, QPointF(1484.0, 0.0), FAR)
    edge, beside = b.network.edges[0], b.at(QPointF(1484.0, -40.0))
    before = b.network.positions()
    b.selection.set(("relu2",))
    hands.click(b.port, beside)
    assert (b.selection.nodes, b.selection.edges) == ((), (edge,))
    b.selection.set(("relu2",))
    hands.drag(b.port, beside, beside + QPoint(0, 60))
    moved = {id for id, at in b.network.positions().items() if tuple(at) != tuple(before[id])}
    assert moved == {"relu2"}, "but dragged from there it is the card"


def test_from_afar_where_no_port_can_be_taken_none_is_pointed_at_and_a_card_says_what_is_wrong(
    bench, monkeypatch
):
    b = bench(wide())
    b.canvas.set_analysis(Analysis({}, (Problem("error", "shape", "It does not fit.", "relu2"),)))
    look(b, 0.1, QPointF(1484.0, 0.0), FAR)
    card = b.node("relu2")
    hands.move(b.port, card, button=Qt.MouseButton.NoButton)
    assert b.port.cursor().shape() != Qt.CursorShape.CrossCursor
    said: list[str] = []
    monkeypatch.setattr(canvas_hands.QToolTip, "showText", lambda at, text, *_: said.append(text))
    QApplication.sendEvent(b.port, QHelpEvent(QEvent.Type.ToolTip, card, b.port.mapToGlobal(card)))
    assert "It does not fit." in said[0]


def test_what_was_a_caption_far_away_takes_no_press_above_its_frame_from_nearer(bench):
    b = bench(marked(wide(), Frame((0, 0, 9000, 3000), "Backbone")))
    title = b.canvas.drawing.marks["frame1"].title
    look(b, 0.02, QPointF(0.0, 0.0), FAR)
    high = title.written.center()
    assert high.y() < -300
    look(b, 0.25, QPointF(0.0, high.y() - 1300.0), COARSE)
    assert not b.canvas.visible_rect().intersects(title.sceneBoundingRect())
    assert b.canvas.visible_rect().contains(high)
    assert b.canvas.drawing.caption_at(high) is None
    b.canvas.centerOn(0.0, 0.0)
    b.port.grab()
    assert b.canvas.drawing.caption_at(title.written.center()) is not None
    assert title.written.top() > -100


def test_of_two_captions_in_one_place_a_press_takes_the_one_that_is_seen(bench):
    frames = [Frame((0, 300, 4000, 3000), title) for title in ("Below", "Above")]
    b = bench(marked(wide(), *frames))
    look(b, 0.25, QPointF(0.0, 300.0), COARSE)
    above = b.canvas.drawing.marks["frame2"]
    hands.click(b.port, b.at(above.title.written.center()))
    assert b.selection.marks == ("frame2",)


def test_the_menu_of_a_caption_is_its_frames_though_a_card_lies_below(bench):
    b = bench(marked(wide(), Frame((1300, 100, 4000, 3000), "Backbone")))
    look(b, 0.15, QPointF(1484.0, 0.0), FAR)
    caption = b.canvas.drawing.marks["frame1"].title.written
    below = QPointF(1410.0, caption.center().y())
    assert b.canvas.drawing.node_at(below) is not None
    assert "Next frame colour" in ask_for_menu(b, b.at(below))
    assert (b.selection.nodes, b.selection.marks) == ((), ("frame1",))


@pytest.mark.parametrize("what", ["card", "frame", "wire"])
def test_what_is_pressed_and_then_undone_is_not_dragged(bench, what):
    b = bench(chain("Input"))
    after = marked(chain("Input", "ReLU"), Frame((0, 300, 600, 300), "Stem"))
    b.document.edit(after, "Draw")
    b.canvas.fit()
    at = {
        "card": lambda: b.node("relu1"),
        "frame": lambda: b.at(QPointF(60.0, 312.0)),
        "wire": lambda: b.wire("input1", "relu1"),
    }[what]()
    hands.press(b.port, at)
    b.document.undo_stack.undo()
    before = b.network
    hands.move(b.port, at + QPoint(40, 40))
    hands.release(b.port, at + QPoint(40, 40))
    assert b.network is before
    assert Edge(End("input1"), End("relu1")) not in b.network.edges


@pytest.mark.parametrize(("zoom", "detail"), [(0.15, FAR), (0.25, COARSE), (0.45, MIDDLE), (1.0, NEAR)])
@pytest.mark.parametrize("end", ["source", "target"])
def test_a_wire_that_is_seen_beside_a_cards_port_can_be_clicked_from_however_far(bench, end, zoom, detail):
    b = bench(wide())
    edge = b.network.edges[0]
    b.document.edit(edit_view.set_bends(b.network, {edge: ()}), "Straighten")
    source, target = (b.canvas.drawing.nodes[id] for id in ("input1", "relu1"))
    port, way = (source.output_point(0), 8) if end == "source" else (target.input_point(0), -8)
    look(b, zoom, port, detail)
    beside = b.at(port) + QPoint(way, 0)
    hands.click(b.port, beside)
    assert (b.selection.nodes, b.selection.edges) == ((), (edge,))
    hands.click(b.port, beside, modifiers=CTRL)
    assert b.selection.edges == (edge,)
    hands.click(b.port, b.at(port) + QPoint(-way, 0))
    assert b.selection.nodes == (edge.source.node if end == "source" else edge.target.node,)


def test_a_drag_from_beside_a_port_where_a_wire_leaves_draws_another_wire(bench):
    b = bench(wide())
    look(b, 0.45, QPointF(300.0, 0.0), MIDDLE)
    hands.drag(b.port, b.output("input1") + QPoint(4, 0), b.input("relu2"))
    assert b.edges == {"input1 → relu1", "input1 → relu2"}


def test_a_click_on_a_ports_circle_is_one_on_its_card(bench):
    b = bench(wide())
    look(b, 1.0, QPointF(300.0, 0.0), NEAR)
    hands.click(b.port, b.output("input1") + QPoint(3, 0))
    assert (b.selection.nodes, b.selection.edges) == (("input1",), ())
