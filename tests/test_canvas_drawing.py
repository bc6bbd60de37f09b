"""How the canvas draws: pictures of cards are true and soon sharp, and much that is new comes in slices."""

import gc
import weakref

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from engine import diff, edit
from engine.network import Edge, End
from gui.canvas import Canvas, Mark, arrivals, pictures
from gui.canvas.edge_item import EdgeItem
from gui.canvas.far import FarPainter
from gui.canvas.levels import FAR
from gui.canvas.node_item import NodeItem
from gui.document import Document
from gui.selection import Selection
from tests import gui_helpers as hands
from tests.benchmarks.canvas import analysis_of, network_of
from tests.canvas_bench import Bench, chain

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def pixels(bench: Bench) -> np.ndarray:
    """What is seen."""
    image = bench.port.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    seen = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return seen[:, : 4 * image.width()].reshape(image.height(), image.width(), 4)[..., :3].astype(int)


def drawn(bench: Bench, monkeypatch) -> np.ndarray:
    """What is seen where nothing is painted from pictures."""
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "LARGEST", 0.0)
        return pixels(bench)


@pytest.mark.parametrize("state", ["plain", "selected", "hovered", "wrong", "edited"])
def test_cards_painted_from_pictures_look_as_drawn(bench, monkeypatch, state):
    b = bench(chain("Input", "Conv2d", "BatchNorm2d", "Output"))
    b.canvas.zoom_reset()
    b.canvas.set_analysis(analysis_of(b.network))
    pixels(b)  # there are pictures of all now
    if state == "selected":
        b.selection.set(("conv1",))
    elif state == "hovered":
        b.canvas.hands.hover(b.canvas.drawing.nodes["conv1"])
    elif state == "wrong":
        b.document.edit(edit.set_field(b.network, "conv1", "kernel_size", "five"), "Edit")
    elif state == "edited":
        b.document.edit(edit.set_field(b.network, "conv1", "kernel_size", [5, 5]), "Edit")
    difference = np.abs(pixels(b) - drawn(b, monkeypatch)).max(axis=2)
    assert (difference > 40).mean() < 0.0005  # rounding at the rims of translucent shapes


def test_while_one_zooms_contents_are_stretched_and_sharp_once_it_rests(bench, qtbot, monkeypatch):
    b = bench(chain("Input", "Conv2d", "BatchNorm2d", "Output"))
    b.canvas.zoom_reset()
    qtbot.waitUntil(lambda: not b.canvas.zooming)
    pixels(b)
    cards = b.canvas.drawing.nodes.values()
    before = {item.id: item.picture.scale for item in cards}
    for _ in range(3):
        b.canvas.zoom(1.05)
    assert b.canvas.zooming
    b.port.repaint()
    assert {item.id: item.picture.scale for item in cards} == before
    qtbot.waitUntil(lambda: all(item.picture.scale.factor == b.canvas.zoom_factor for item in cards))
    assert not b.canvas.zooming
    assert (np.abs(pixels(b) - drawn(b, monkeypatch)).max(axis=2) > 120).mean() < 0.01


def test_a_jump_to_another_zoom_is_sharp_at_once(bench, qtbot, monkeypatch):
    b = bench(chain("Input", "Conv2d", "Output"))
    qtbot.waitUntil(lambda: not b.canvas.zooming)
    b.canvas.fit()
    pixels(b)
    b.canvas.zoom_reset()
    assert not b.canvas.zooming
    monkeypatch.setattr(pictures, "BUDGET", 60.0)
    b.port.repaint()
    assert {item.picture.scale.factor for item in b.canvas.drawing.nodes.values()} == {1.0}


def test_a_picture_of_the_canvas_is_whole_and_sharp_in_the_middle_of_a_zoom_or_a_paste(
    bench, qtbot, monkeypatch
):
    b = bench(network_of(400))
    b.selection.set(list(b.network.nodes)[:300])
    b.canvas.editor.copy()
    b.canvas.editor.paste()
    for _ in range(3):
        b.canvas.zoom(1.05)
    drawing = b.canvas.drawing
    assert b.canvas.zooming
    assert drawing.arrivals
    seen = pixels(b)
    assert not drawing.busy
    qtbot.waitUntil(lambda: not b.canvas.zooming)
    assert (np.abs(seen - pixels(b)).max(axis=2) > 120).mean() < 0.01
    assert (np.abs(seen - drawn(b, monkeypatch)).max(axis=2) > 120).mean() < 0.01


def test_where_many_cards_come_into_view_their_contents_come_in_slices(bench, qtbot, monkeypatch):
    b = bench(network_of(100))
    b.canvas.zoom_reset()
    qtbot.waitUntil(lambda: not b.canvas.zooming)
    b.canvas.drawing.pictures.clear()
    monkeypatch.setattr(pictures, "BUDGET", 0.0)
    b.port.repaint()
    assert not any(item.picture for item in b.canvas.drawing.nodes.values())
    monkeypatch.setattr(pictures, "BUDGET", 0.001)
    shown = b.canvas.drawing.nodes_in(b.canvas.visible_rect())
    qtbot.waitUntil(lambda: all(b.canvas.drawing.nodes[id].picture for id in shown))


def test_pictures_take_no_more_room_than_they_may(bench, monkeypatch):
    b = bench(chain(*["Linear"] * 8))
    b.canvas.fit()
    pixels(b)
    kept = [item for item in b.canvas.drawing.nodes.values() if item.picture is not None]
    assert len(kept) == 8
    monkeypatch.setattr(pictures, "LIMIT", 1)
    for item in b.canvas.drawing.nodes.values():
        item.touch()
    pixels(b)
    assert sum(item.picture is not None for item in b.canvas.drawing.nodes.values()) == 1


def test_a_large_paste_is_one_step_and_comes_slice_by_slice(bench, qtbot):
    b = bench(network_of(400))
    b.selection.set(list(b.network.nodes)[:300])
    b.canvas.editor.copy()
    before = b.network
    b.canvas.editor.paste()
    assert len(b.network.nodes) == 700
    assert b.selection.nodes == tuple(list(b.network.nodes)[400:])
    waiting = [len(b.canvas.drawing.expected())]
    assert waiting[0] == 300
    box = b.canvas.drawing.content()
    while waiting[-1]:
        QApplication.processEvents()
        waiting.append(len(b.canvas.drawing.expected()))
    assert waiting == sorted(waiting, reverse=True)
    assert len(waiting) > 2
    assert all(b.canvas.drawing.nodes[id].selected for id in b.selection.nodes)
    now = b.canvas.drawing.content()
    assert abs(now.bottom() - box.bottom()) < arrivals.HEIGHT  # its height was a guess until it came
    assert now.topLeft() == box.topLeft()
    b.undo_and_redo(before)


@pytest.mark.parametrize("ask", ["nodes", "wires", "node_at"])
def test_whoever_asks_for_what_is_still_to_come_has_it_all(bench, ask):
    b = bench(network_of(400))
    b.selection.set(list(b.network.nodes)[:300])
    b.canvas.editor.copy()
    b.canvas.editor.paste()
    drawing = b.canvas.drawing
    assert drawing.arrivals
    if ask == "node_at":
        id = b.selection.nodes[-1]
        x, y = b.network.positions()[id]
        assert drawing.node_at(QPointF(x + 40, y + 40)).id == id
        assert drawing.nodes[id].at == (x, y)
    else:
        getattr(drawing, ask)
    assert not drawing.arrivals
    b.agrees()


def test_an_edit_while_cards_are_still_to_come_finds_them(bench):
    b = bench(network_of(400))
    b.selection.set(list(b.network.nodes)[:300])
    b.canvas.editor.copy()
    b.canvas.editor.paste()
    b.canvas.editor.remove_selection()
    b.agrees()
    b.document.undo_stack.undo()
    b.document.undo_stack.undo()
    b.agrees()
    assert len(b.network.nodes) == 400


def test_edges_between_says_what_came_and_went_also_of_doubled_ones():
    a, b, c = (Edge(End(x), End(y)) for x, y in ("pq", "qr", "rs"))
    assert diff.edges_between((a, b, c), (a, c)) == ([b], [])
    assert diff.edges_between((a, c), (a, b, c)) == ([], [b])
    assert diff.edges_between((a, b), (a, c)) == ([b], [c])
    assert diff.edges_between((a, a), (a,)) == ([], [])
    assert diff.edges_between((a, b), (b, a)) == ([], [])


def test_a_closed_canvas_lets_go_of_its_document(qtbot):
    def used() -> tuple[weakref.ref, ...]:
        document, selection = Document(chain("Input", "Conv2d", "Output")), Selection()
        canvas = Canvas(document, selection)
        canvas.show()
        selection.set(("conv1",))
        selection.show_block(None)
        canvas.grab()
        canvas.close()
        canvas.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        return weakref.ref(document), weakref.ref(selection), weakref.ref(canvas)

    held = used()
    gc.collect()
    assert [ref() is None for ref in held] == [True, True, True]


def far_and_near(b: Bench, view: str) -> None:
    b.canvas.fit()
    if view == "near":
        b.canvas.zoom_reset()
    QApplication.processEvents()


@pytest.mark.parametrize("view", ["far", "near"])
def test_what_an_undo_takes_away_is_gone_at_once_for_whoever_looks(bench, qtbot, view):
    b = bench(network_of(600))
    far_and_near(b, view)
    seen, drawing = pixels(b), b.canvas.drawing
    b.canvas.editor.select_all()
    b.canvas.editor.remove_selection()
    assert drawing.departures
    assert drawing.nodes == {} == drawing.wires
    assert drawing.content().isNull()
    centre = QPointF(*b.canvas.visible_rect().center().toTuple())
    assert drawing.node_at(centre) is None is drawing.wire_at(centre, 500.0)
    assert drawing.nodes_in(b.canvas.visible_rect()) == []
    assert drawing.departures
    b.canvas.scroll_to(b.canvas.scroll_position() + QPoint(700, 300))
    empty = pixels(b)
    assert not drawing.departures
    assert (np.abs(empty - empty[400, 640]).max(axis=2) > 40).mean() < 0.02  # but for the empty state's words
    b.document.undo_stack.undo()
    b.canvas.scroll_to(b.canvas.scroll_position() - QPoint(700, 300))
    b.selection.set()
    b.canvas.drawing.complete()  # before it is fitted to the view: heights are guesses until then
    far_and_near(b, view)
    assert (np.abs(seen - pixels(b)).max(axis=2) > 120).mean() < 0.01
    b.agrees()


def test_cards_that_are_let_go_slice_by_slice_are_never_painted_where_one_looks(bench, qtbot):
    b = bench(network_of(600))
    far_and_near(b, "near")
    b.canvas.editor.select_all()
    b.canvas.editor.remove_selection()
    for step in range(6):
        b.canvas.scroll_to(b.canvas.scroll_position() + QPoint(900, 500 * (step % 2)))
        b.port.repaint()
        area = b.canvas.visible_rect()
        assert not [item for item in b.canvas.drawing.items(area) if isinstance(item, NodeItem | EdgeItem)]
    qtbot.waitUntil(lambda: not b.canvas.drawing.busy)
    assert not [item for item in b.canvas.drawing.items() if isinstance(item, NodeItem | EdgeItem)]


@pytest.mark.parametrize("view", ["far", "near"])
@pytest.mark.parametrize("ask", ["rest", "nodes", "press", "undo", "picture"])
def test_many_cards_that_an_edit_moves_glide_and_all_arrive(bench, qtbot, view, ask):
    b = bench(network_of(300))
    before = b.network
    far_and_near(b, view)
    moved = {id: (x + 40.0, y + 30.0) for id, (x, y) in before.positions().items()}
    with b.canvas.animated():
        b.document.edit(edit.move(before, moved), "Move")
    assert b.canvas.drawing.positions() == moved  # whatever the cards show on their way
    assert not b.canvas.drawn
    for _ in range(3):
        QApplication.processEvents()
    if ask == "press":
        hands.click(b.port, b.empty())
        assert b.canvas.drawing.nodes  # a press has them all there
        assert not b.canvas.drawing.arrivals
    elif ask == "picture":
        pixels(b)
    elif ask == "undo":
        b.document.undo_stack.undo()
    elif ask == "nodes":
        assert len(b.canvas.drawing.nodes) == 300
    qtbot.waitUntil(lambda: b.canvas.drawn)
    wanted = before.positions() if ask == "undo" else moved
    for id, item in b.canvas.drawing.nodes.items():
        assert item.at == tuple(wanted[id]) == (item.far_rect.x(), item.far_rect.y()) == item.pos().toTuple()
    for wire in b.canvas.drawing.wires.values():
        assert wire.routed
        assert (wire.way.elementAt(0).x, wire.way.elementAt(0).y) == pytest.approx(wire.start.toTuple())
        last = wire.way.elementAt(wire.way.elementCount() - 1)
        assert (last.x, last.y) == pytest.approx(wire.end.toTuple())
    b.agrees()


def test_the_drawing_from_far_away_follows_every_edit_as_if_it_were_made_anew(bench):
    b = bench(network_of(300))
    b.canvas.fit()
    canvas, stack, ids = b.canvas, b.document.undo_stack, list(b.network.nodes)
    assert canvas.drawing.detail == FAR
    b.selection.set(ids[:100])
    canvas.editor.copy()
    acts = [
        lambda: b.selection.set(ids[10:200]),
        canvas.editor.paste,
        lambda: b.selection.set(ids[:100]),  # which lie beneath what was pasted
        canvas.editor.select_all,
        lambda: b.selection.set([id for id in b.network.nodes if id not in ids]),  # what was pasted
        lambda: canvas.set_analysis(analysis_of(b.network)),
        stack.undo,
        lambda: b.selection.set((), list(b.network.edges)[:40]),
        lambda: b.document.edit(edit.move(b.network, {ids[5]: (900.0, -400.0)}), "Move"),
        lambda: canvas.set_overlay({id: Mark("#cc3311", "0.1") for id in ids[20:60]}),
        lambda: b.document.edit(edit.remove(b.network, ids[30:90]), "Remove"),
        stack.undo,
        lambda: b.selection.set(ids[50:120]),
        canvas.editor.remove_selection,
        stack.undo,
        lambda: b.selection.set(ids[50:250]),
        lambda: canvas.drawing.show_graph(b.network, None, view=canvas.visible_rect()),
        lambda: b.selection.set(),
        lambda: canvas.set_overlay(None),
        lambda: b.document.edit(edit.set_field(b.network, ids[1], "kernel_size", "five"), "Edit"),
        canvas.interior.collapse,
        stack.undo,
        lambda: b.selection.set(b.network.nodes, list(b.network.edges)[:3]),
        canvas.editor.remove_selection,
        lambda: canvas.add_layer("Conv2d", (0.0, 0.0)),
        stack.undo,
        stack.undo,
        stack.redo,
        stack.undo,
        lambda: b.selection.set(ids[:3]),
    ]
    for number, act in enumerate(acts):
        act()
        shown = pixels(b)
        kept, canvas.drawing.far = canvas.drawing.far, FarPainter(canvas.drawing)
        canvas.drawing.far.forget()
        anew = pixels(b)
        canvas.drawing.far = kept
        assert (np.abs(shown - anew).max(axis=2) > 60).mean() < 0.001, number


def test_from_far_away_the_screen_is_painted_where_one_scrolls_and_selects_and_edits(bench, qtbot):
    b = bench(network_of(300))
    b.canvas.fit()
    qtbot.waitUntil(lambda: b.canvas.resting)
    painted: list[int] = []
    paint = b.canvas.drawing.far.paint
    b.canvas.drawing.far.paint = lambda painter: (painted.append(1), paint(painter))
    ids = list(b.network.nodes)
    for act in (
        lambda: b.canvas.scroll_to(b.canvas.scroll_position() + QPoint(9, 5)),
        lambda: b.selection.set(ids[:3]),
        lambda: b.document.edit(edit.move(b.network, {ids[5]: (900.0, -400.0)}), "Move"),
        b.document.undo_stack.undo,
        lambda: b.canvas.zoom(1.01),
        b.canvas.editor.remove_selection,
    ):
        qtbot.waitUntil(lambda: b.canvas.resting)
        QApplication.processEvents()
        painted.clear()
        act()
        qtbot.waitUntil(lambda: bool(painted))


def test_the_index_is_as_deep_as_the_cards_are_many_however_they_come(bench):
    b = bench(network_of(10))
    for count in (3000, 12000):
        b.document.replace(network_of(count))
        depth = b.canvas.drawing.bspTreeDepth()
        assert count <= 2**depth <= 4 * count  # Qt's own would suit the first slice


def test_a_look_into_the_drawing_never_has_thousands_sorted_in_at_once(bench, qtbot, monkeypatch):
    """Deselecting all after an undo took 40 ms: whatever had come till then was put into Qt's index by it."""
    b = bench(network_of(600))
    waiting: list[int] = []
    sort_in = b.canvas.drawing.sort_in
    arrivals = b.canvas.drawing.arrivals
    monkeypatch.setattr(b.canvas.drawing, "sort_in", lambda: (waiting.append(len(arrivals)), sort_in()))
    b.canvas.editor.select_all()
    b.canvas.editor.remove_selection()
    b.document.undo_stack.undo()
    assert len(arrivals) == 600
    qtbot.waitUntil(lambda: not arrivals)
    assert waiting == sorted(waiting, reverse=True)
    assert waiting[-1] == 0
    most = max(before - after for before, after in zip((600, *waiting), waiting, strict=False))
    assert most < 600, "what has come is sorted in slice by slice"
