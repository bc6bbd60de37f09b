"""Frames, notes and bends of wires: with real mouse and keys, undo and redo giving equal documents."""

from __future__ import annotations

import json

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import ALT, CTRL, SHIFT  # isort: skip

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu

from engine import edit, edit_view
from engine.edit_view import Frame, Note
from engine.network import Edge, End, Network
from gui.canvas.marks import FrameTitle, Words

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def marks(b: Bench) -> dict:
    return edit_view.marks(b.network)


def title(b: Bench, id: str = "frame1") -> QPoint:
    """A place on a frame's title."""
    return b.at(b.canvas.drawing.marks[id].rect.topLeft() + QPointF(60, 14))


def framed(b: Bench) -> None:
    """Put conv1 and flatten1 of a chain into a frame called Stem."""
    b.selection.set(("conv1", "flatten1"))
    hands.key(b.canvas, Qt.Key.Key_G, CTRL)
    hands.type_text("Stem")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)


def test_a_frame_is_put_around_what_is_selected_and_named_at_once(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    before = b.network
    framed(b)
    assert marks(b)["frame1"].title == "Stem"
    drawing = b.canvas.drawing
    assert drawing.marks["frame1"].rect.contains(drawing.content(["conv1", "flatten1"]))
    assert not drawing.marks["frame1"].rect.intersects(drawing.nodes["input1"].rect)
    assert b.canvas.hasFocus()
    b.undo_and_redo(replace_title(before, b))
    assert b.network.nodes == before.nodes
    b.document.undo_stack.undo()
    b.document.undo_stack.undo()
    assert b.network == before


def replace_title(before: Network, b: Bench) -> Network:
    """The network with the frame as it was before it was named."""
    return edit_view.set_mark(before, "frame1", marks(b)["frame1"]._replace(title=""))


def test_a_frame_dragged_by_its_title_carries_its_nodes_its_notes_and_their_bends(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    framed(b)
    edge = Edge(End("conv1"), End("flatten1"))
    b.document.edit(edit_view.set_bends(b.network, {edge: [(520.0, 60.0)]}), "Bend")
    before, places = b.network, b.network.positions()
    hands.drag(b.port, title(b), title(b) + QPoint(80, 160))
    after = b.network.positions()
    shifts = {id: (after[id][0] - places[id][0], after[id][1] - places[id][1]) for id in places}
    assert shifts["input1"] == (0, 0)
    assert shifts["conv1"] == shifts["flatten1"] != (0, 0)
    dx, dy = shifts["conv1"]
    assert edit_view.bends(b.network)[edge] == ((520 + dx, 60 + dy),)
    old, new = edit_view.marks(before)["frame1"].rect, marks(b)["frame1"].rect
    assert new == (old[0] + dx, old[1] + dy, *old[2:])
    b.undo_and_redo(before)


def test_a_wire_across_a_frames_title_neither_hides_it_nor_takes_the_hand_away(bench):
    b = bench(chain("Input", "Flatten"))
    rect = b.canvas.drawing.nodes["flatten1"].rect
    y = b.canvas.drawing.nodes["flatten1"].input_point(0).y()
    frame = Frame((rect.left() - 90, y - 16, 400.0, 160.0), "Reading", "blue")
    network, id = edit_view.add_mark(b.network, frame)
    b.document.edit(network, "Add a frame")
    item = b.canvas.drawing.marks[id]
    spot = item.rect.topLeft() + QPointF(24, 16)
    assert b.canvas.drawing.wire_at(spot, 7) is not None, "the wire runs over the title"
    order = b.canvas.drawing.items(spot)
    assert order.index(item.title) < order.index(b.canvas.drawing.wires[Edge(End("input1"), End("flatten1"))])
    before = b.network
    hands.drag(b.port, b.at(spot), b.at(spot) + QPoint(0, 80))
    assert edit_view.marks(b.network)[id].rect[1] > frame.rect[1] + 40
    assert edit_view.bends(b.network) == {}
    b.undo_and_redo(before)


def test_escape_puts_a_dragged_frame_and_all_it_carries_back(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    framed(b)
    before, shown = b.network, b.canvas.drawing.positions()
    rect = b.canvas.drawing.marks["frame1"].rect
    hands.drag(b.port, title(b), title(b) + QPoint(80, 160), drop=False)
    assert b.canvas.drawing.positions() != shown
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert b.network is before
    assert b.canvas.drawing.positions() == shown
    assert b.canvas.drawing.marks["frame1"].rect == rect


def test_a_rubber_band_can_begin_inside_a_frame(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    framed(b)
    inside = b.at(b.canvas.drawing.marks["frame1"].rect.bottomLeft() + QPointF(8, -8))
    hands.drag(b.port, inside, b.node("conv1"))
    assert b.selection.nodes == ("conv1",)
    assert b.selection.marks == ()


@pytest.mark.parametrize("kind", ["frame", "note"])
def test_the_corner_resizes(bench, kind):
    mark = Frame((0, 200, 400, 200)) if kind == "frame" else Note((0, 200, 240, 120), "words")
    network, id = edit_view.add_mark(chain("Input", "Conv2d"), mark)
    b = bench(network)
    b.canvas.zoom_reset()
    b.canvas.centerOn(200, 200)
    corner = b.at(b.canvas.drawing.marks[id].rect.bottomRight() - QPointF(5, 5))
    hands.drag(b.port, corner, corner + QPoint(64, 32))
    _, _, width, height = marks(b)[id].rect
    assert (width, height) == (mark.rect[2] + 64, mark.rect[3] + 32)
    b.undo_and_redo(network)


def test_a_note_is_written_where_it_stands_and_escape_leaves_it(bench):
    b = bench(chain("Input"))
    hands.key(b.canvas, Qt.Key.Key_N, CTRL | SHIFT)
    hands.type_text("Why **stride** 2?")
    before = b.network
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return, CTRL)
    assert marks(b)["note1"].text == "Why **stride** 2?"
    b.undo_and_redo(before)
    hands.double_click(b.port, b.at(b.canvas.drawing.marks["note1"].rect.center()))
    hands.type_text("something else")
    kept = b.network
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert b.network is kept
    assert not b.canvas.writer.isVisible()


def test_escape_takes_a_note_back_that_was_just_begun(bench):
    b = bench(chain("Input"))
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_N, CTRL | SHIFT)
    hands.type_text("on second thoughts")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert b.network == before
    assert not b.canvas.drawing.marks
    assert b.canvas.hasFocus()


def test_letters_typed_into_a_note_are_no_shortcuts(bench):
    b = bench(chain("Input", "Conv2d"))
    b.selection.set(("conv1",))
    hands.key(b.canvas, Qt.Key.Key_N, CTRL | SHIFT)
    hands.type_text("fm")
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Backspace)
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return, CTRL)
    assert marks(b)["note1"].text == "f"
    assert set(b.network.nodes) == {"input1", "conv1"}


def test_a_click_elsewhere_keeps_what_was_written(bench):
    b = bench(chain("Input"))
    hands.key(b.canvas, Qt.Key.Key_N, CTRL | SHIFT)
    hands.type_text("kept")
    b.canvas.setFocus()
    assert marks(b)["note1"].text == "kept"


def test_a_note_runs_no_html_and_loads_no_picture(tmp_path):
    picture = tmp_path / "secret.png"
    picture.write_bytes(b"x")
    words = Words(f"![x]({picture}) <b>bold</b> <img src='{picture.as_uri()}'>", 200)
    assert "<b>bold</b>" in words.toPlainText()
    assert words.loadResource(2, picture.as_uri()) is None


@pytest.mark.parametrize("kind", ["frame", "note"])
def test_frames_and_notes_are_deleted_duplicated_and_copied_into_another_window(bench, kind):
    mark = Frame((0, 200, 400, 200), "A", "teal") if kind == "frame" else Note((0, 200, 240, 120), "words")
    network, id = edit_view.add_mark(chain("Input"), mark)
    b = bench(network)
    b.selection.set((), (), (id,))
    hands.key(b.canvas, Qt.Key.Key_D, CTRL)
    assert len(marks(b)) == 2
    b.undo_and_redo(network)
    b.selection.set((), (), (id,))
    hands.key(b.canvas, Qt.Key.Key_C, CTRL)
    before = b.network
    hands.key(b.canvas, Qt.Key.Key_Delete)
    assert id not in marks(b)
    assert set(b.network.nodes) == {"input1"}
    b.undo_and_redo(before)
    other = bench()
    hands.key(other.canvas, Qt.Key.Key_V, CTRL)
    (pasted,) = marks(other).values()
    assert pasted[1:] == mark[1:]


def test_alt_drag_copies_a_frame_with_what_stands_in_it(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    framed(b)
    before = b.network
    hands.drag(b.port, title(b), title(b) + QPoint(0, 220), modifiers=ALT)
    assert set(b.network.nodes) - set(before.nodes) == {"conv2", "flatten2"}
    assert {mark.title for mark in marks(b).values()} == {"Stem"}
    assert "conv2 → flatten2" in b.edges
    b.undo_and_redo(before)


def test_recolouring_goes_round_and_merges_into_one_step(bench):
    network, id = edit_view.add_mark(chain("Input"), Frame((0, 200, 400, 200)))
    b = bench(network)
    b.selection.set((), (), (id,))
    seen = set()
    for _ in edit_view.COLORS[1:]:
        hands.key(b.canvas, Qt.Key.Key_G, CTRL | SHIFT)
        seen.add(marks(b)[id].color)
    assert seen == set(edit_view.COLORS[1:])
    b.undo_and_redo(network)


# ---------------------------------------------------------------------------- bends


def bent(b: Bench, source: str = "input1", target: str = "conv1") -> tuple:
    return edit_view.bends(b.network).get(Edge(End(source), End(target)), ())


def test_a_wire_is_led_through_a_point_by_dragging_it_and_straightened_again(bench):
    b = bench(chain("Input", "Conv2d"))
    before = b.network
    grip = b.wire("input1", "conv1")
    hands.drag(b.port, grip, grip + QPoint(0, 120))
    ((x, y),) = bent(b)
    assert y > 60
    wire = next(iter(b.canvas.drawing.wires.values()))
    assert wire.distance(QPointF(x, y)) < 0.5
    b.undo_and_redo(before)
    before = b.network
    hands.drag(b.port, b.at(QPointF(x, y)), b.at(QPointF(x, y)) + QPoint(40, 40))
    assert bent(b) != ((x, y),)
    b.undo_and_redo(before)
    before = b.network
    hands.double_click(b.port, b.at(QPointF(*bent(b)[0])))
    assert bent(b) == ()
    b.undo_and_redo(before)


def test_double_click_on_a_wire_bends_it_there(bench):
    b = bench(chain("Input", "Conv2d"))
    before = b.network
    hands.double_click(b.port, b.wire("input1", "conv1"))
    assert len(bent(b)) == 1
    assert not b.canvas.adder.popup.isVisible()
    b.undo_and_redo(before)


def test_escape_leads_a_wire_as_it_was(bench):
    b = bench(chain("Input", "Conv2d"))
    before, way = b.network, next(iter(b.canvas.drawing.wires.values())).way
    grip = b.wire("input1", "conv1")
    hands.drag(b.port, grip, grip + QPoint(0, 120), drop=False)
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert b.network is before
    assert next(iter(b.canvas.drawing.wires.values())).way == way


@pytest.mark.parametrize("how", ["paste", "duplicate", "alt-drag"])
def test_copies_of_led_wires_are_led_as_they_are(bench, how):
    b = bench(chain("Input", "ReLU", "Output"))
    edge = Edge(End("input1"), End("relu1"))
    b.document.edit(edit_view.set_bends(b.network, {edge: [(200.0, 160.0), (240.0, 120.0)]}), "Bend")
    before = b.network
    b.selection.set(("input1", "relu1"))
    if how == "paste":
        hands.key(b.canvas, Qt.Key.Key_C, CTRL)
        assert "200.0" in QApplication.clipboard().text()
        hands.key(b.canvas, Qt.Key.Key_V, CTRL)
    elif how == "duplicate":
        hands.key(b.canvas, Qt.Key.Key_D, CTRL)
    else:
        start = b.node("relu1")
        hands.drag(b.port, start, start + QPoint(60, 200), modifiers=ALT)
    first, second = b.selection.nodes
    (dx, dy) = (b.network.positions()[first][i] - before.positions()["input1"][i] for i in (0, 1))
    copied = edit_view.bends(b.network)[Edge(End(first), End(second))]
    assert copied == ((200.0 + dx, 160.0 + dy), (240.0 + dx, 120.0 + dy))
    assert edit_view.bends(b.network)[edge] == edit_view.bends(before)[edge]
    wire = b.canvas.drawing.wires[Edge(End(first), End(second))]
    assert [(point.x(), point.y()) for point in wire.bends] == list(copied)
    b.undo_and_redo(before)


@pytest.mark.parametrize("bends", [7, {"a > b": "x"}, {"input1 > nobody": [[1, 2]]}, {"": []}])
def test_bends_of_a_mailed_piece_that_make_no_sense_are_passed_over(bench, bends):
    b = bench(chain("Input", "ReLU"))
    b.selection.set(("input1", "relu1"))
    b.canvas.editor.copy()
    piece = json.loads(QApplication.clipboard().text())
    QApplication.clipboard().setText(json.dumps({**piece, "bends": bends}))
    b.canvas.editor.paste()
    assert len(b.network.nodes) == 4
    assert edit_view.bends(b.network) == {}


def test_the_straighten_command_frees_the_selected_wire(bench):
    edge = Edge(End("input1"), End("conv1"))
    network = edit_view.set_bends(chain("Input", "Conv2d"), {edge: [(230, 90), (260, 120)]})
    b = bench(network)
    b.selection.set((), (edge,))
    hands.key(b.canvas, Qt.Key.Key_B, ALT)
    assert bent(b) == ()
    b.undo_and_redo(network)


def test_bends_follow_a_renamed_node_and_go_with_their_wire():
    edge = Edge(End("input1"), End("conv1"))
    network = edit_view.set_bends(chain("Input", "Conv2d"), {edge: [(230, 90)]})
    renamed = edit.rename(network, "conv1", "stem")
    assert edit_view.bends(renamed) == {Edge(End("input1"), End("stem")): ((230.0, 90.0),)}
    assert edit_view.bends(edit.remove(network, ["conv1"])) == {}
    assert edit_view.bends(edit.remove(network, edges=[edge])) == {}


@pytest.mark.parametrize("junk", [7, {"frame1": 3}, {"frame1": {"rect": ["a", 1, 2, 3]}}, [[1, 2]]])
def test_what_makes_no_sense_in_a_file_is_passed_over_and_kept(bench, junk):
    view = {"frames": junk, "notes": junk, "bends": junk}
    b = bench(Network(nodes=chain("Input").nodes, view=view))
    assert b.canvas.drawing.marks == {}
    assert b.network.view == view


def test_a_titles_extent_changes_only_once_qt_has_been_told(bench, monkeypatch):
    b = bench(edit_view.add_mark(chain("Input"), Frame((0.0, 0.0, 400.0, 300.0), "Stem"))[0])
    title = b.canvas.drawing.marks["frame1"].title
    before, told = title.boundingRect(), []
    tell = FrameTitle.prepareGeometryChange
    monkeypatch.setattr(
        FrameTitle, "prepareGeometryChange", lambda item: told.append(item.boundingRect()) or tell(item)
    )
    b.canvas.drawing.marks["frame1"].resize(700.0, 300.0)
    assert told == [before]
    assert title.boundingRect().width() == 700.0


@pytest.mark.parametrize("which", ["frame", "note"])
def test_the_menu_of_a_frame_or_note_speaks_of_it_and_of_nothing_selected_before(bench, which):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    framed(b)
    b.document.edit(edit_view.set_mark(b.network, "note1", Note((300.0, 400.0, 200.0, 80.0), "Why")), "Note")
    before, id = b.network, f"{which}1"
    b.selection.set(("conv1",))
    place = title(b) if which == "frame" else b.at(b.canvas.drawing.marks["note1"].rect.center())
    menu = menu_at(b, place)
    assert b.selection.nodes == ()
    assert b.selection.marks == (id,)
    next(entry for entry in menu.actions() if entry.text() == "Delete").trigger()
    menu.close()
    assert set(marks(b)) == {"frame1", "note1"} - {id}
    assert b.network.nodes == before.nodes
    b.undo_and_redo(before)


def menu_at(b: Bench, place: QPoint) -> QMenu:
    """The menu that a click of the right button opens."""
    hands.click(b.port, place, Qt.MouseButton.RightButton)
    asked = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, b.port.mapToGlobal(place))
    QApplication.sendEvent(b.port, asked)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def test_from_far_away_a_frames_title_is_edited_above_the_frame_and_covers_none_of_its_cards(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    framed(b)
    b.canvas.set_zoom(0.15)
    b.canvas.centerOn(b.canvas.drawing.marks["frame1"].rect.center())
    b.canvas.writer.write("frame1")
    box = b.canvas.writer.geometry()
    for item in b.canvas.drawing.nodes.values():
        assert not box.intersects(b.canvas.mapFromScene(item.rect).boundingRect())
    assert box.intersects(b.canvas.mapFromScene(b.canvas.drawing.marks["frame1"].rect).boundingRect())
