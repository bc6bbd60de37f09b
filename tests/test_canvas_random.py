"""Many random gestures: undo leads to the start, redo to the end, and the drawing always agrees."""

from __future__ import annotations

import gc
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import gui_helpers as hands

from tests.gui_helpers import ALT, CTRL, NONE, SHIFT  # isort: skip

from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from engine import edit_view
from engine.analysis import analyze
from engine.network import Network
from gui.canvas import Canvas
from gui.canvas.edge_item import EdgeItem
from gui.canvas.marks import MarkItem
from gui.canvas.node_item import NodeItem
from gui.canvas.palette import MIME
from gui.document import Document
from gui.selection import Selection

pytestmark = pytest.mark.gui

TYPES = ("Input", "Conv2d", "ReLU", "Add", "Concat", "Linear", "Flatten", "Output")
KEYS = (
    (Qt.Key.Key_Delete, NONE),
    (Qt.Key.Key_D, CTRL),
    (Qt.Key.Key_C, CTRL),
    (Qt.Key.Key_V, CTRL),
    (Qt.Key.Key_X, CTRL),
    (Qt.Key.Key_A, CTRL),
    (Qt.Key.Key_L, CTRL),
    (Qt.Key.Key_Right, NONE),
    (Qt.Key.Key_Up, CTRL),
    (Qt.Key.Key_F, NONE),
    (Qt.Key.Key_Escape, NONE),
    (Qt.Key.Key_G, CTRL),
    (Qt.Key.Key_N, CTRL | SHIFT),
    (Qt.Key.Key_G, CTRL | SHIFT),
    (Qt.Key.Key_B, CTRL),
    (Qt.Key.Key_B, CTRL | SHIFT),
    (Qt.Key.Key_B, ALT),
    (Qt.Key.Key_Down, ALT),
    (Qt.Key.Key_Up, ALT),
    (Qt.Key.Key_A, CTRL | SHIFT),
    (Qt.Key.Key_Left, CTRL | SHIFT),
    (Qt.Key.Key_Right, CTRL | SHIFT),
    (Qt.Key.Key_Delete, SHIFT),
    (Qt.Key.Key_Down, SHIFT),
    (Qt.Key.Key_A, ALT),
    (Qt.Key.Key_C, ALT),
    (Qt.Key.Key_S, ALT),
    (Qt.Key.Key_H, ALT | SHIFT),
    (Qt.Key.Key_V, ALT | SHIFT),
    (Qt.Key.Key_M, NONE),
    (Qt.Key.Key_Period, CTRL),
    (Qt.Key.Key_Tab, NONE),
    (Qt.Key.Key_Z, CTRL),
)
KINDS = ("add", "drop", "drag", "drag", "drag", "click", "double", "wheel", "cancel", "key", "key", "key")
#: One gesture: what is done, where it begins and ends, with which key held, and a number to choose by.
SHARE = st.floats(0, 1, allow_nan=False, exclude_max=True)
PLACE = st.tuples(SHARE, SHARE, SHARE)
GESTURE = st.tuples(
    st.sampled_from(KINDS),
    PLACE,
    PLACE,
    st.sampled_from([NONE, NONE, NONE, CTRL, SHIFT, ALT]),
    SHARE,
)


class Hand:
    """Does a gesture where something is."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas

    def place(self, where: tuple[float, float, float]) -> QPoint:
        """On a card, a port, a wire, a frame or note, or anywhere."""
        drawing, (kind, which, along) = self.canvas.drawing, where
        if drawing.nodes and kind < 0.65:
            item = list(drawing.nodes.values())[int(which * len(drawing.nodes))]
            points = [item.rect.center()]
            points += [item.output_point(i) for i in range(len(item.card.outputs))]
            points += [item.input_point(i) for i in range(len(item.card.inputs))]
            return self.canvas.mapFromScene(points[int(along * len(points))])
        if drawing.wires and kind < 0.8:
            wire = list(drawing.wires.values())[int(which * len(drawing.wires))]
            return self.canvas.mapFromScene(wire.way.pointAtPercent(along))
        if drawing.marks and kind < 0.92:
            mark = list(drawing.marks.values())[int(which * len(drawing.marks))]
            corner = mark.rect.bottomRight() - QPointF(5, 5)
            title = mark.rect.topLeft() + QPointF(40, 12)
            return self.canvas.mapFromScene(corner if along < 0.3 else title)
        return QPoint(int(which * 1280), int(along * 800))

    def act(self, gesture: tuple) -> None:
        """Do one gesture."""
        kind, begin, end, modifiers, number = gesture
        canvas, port = self.canvas, self.canvas.viewport()
        many = len(canvas.drawing.nodes) > 40
        if kind == "add" and not many:
            canvas.add_layer(TYPES[int(number * len(TYPES))])
        elif kind == "drop" and not many:
            self.drop(TYPES[int(number * len(TYPES))], self.place(end))
        elif kind == "drag":
            if not (many and modifiers == ALT):
                hands.drag(port, self.place(begin), self.place(end), modifiers=modifiers, steps=3)
        elif kind == "click":
            hands.click(port, self.place(begin), modifiers=modifiers)
        elif kind == "double":
            hands.double_click(port, self.place(begin))
        elif kind == "wheel":
            hands.wheel(port, self.place(begin), 120 if number < 0.5 else -120)
        elif kind == "cancel":
            hands.drag(port, self.place(begin), self.place(end), modifiers=modifiers, steps=2, drop=False)
            hands.key(canvas, Qt.Key.Key_Escape)
        elif kind == "key":
            which, modifiers = KEYS[int(number * len(KEYS))]
            if which == Qt.Key.Key_Z:
                canvas.document.undo_stack.undo()
            elif not (many and which in (Qt.Key.Key_V, Qt.Key.Key_D)):
                hands.key(canvas, which, modifiers)
        self._answer(number)

    def drop(self, type: str, at: QPoint) -> None:
        """Let a layer from the palette fall: on empty ground, a wire or a card."""
        data = QMimeData()
        data.setData(MIME, type.encode())
        hands.drop(self.canvas.viewport(), data, at)

    def _answer(self, number: float) -> None:
        """Close what has opened: the search, or a note that wants its words."""
        popup, writer = self.canvas.adder.popup, self.canvas.writer
        yes = number < 0.5
        if popup.isVisible():
            hands.key(popup.search, Qt.Key.Key_Return if yes else Qt.Key.Key_Escape)
            popup.dismiss()
        if writer.isVisible():
            if yes:
                writer.setPlainText(f"words {number:.3f}")
                writer.keep()
            else:
                writer.leave()
        menu = QApplication.activePopupWidget()
        if menu is not None:
            menu.close()


def shown_agrees(canvas: Canvas) -> None:
    """The drawing shows just what the document says of the graph that is open."""
    canvas.stop_animation()
    network, block = canvas.network, canvas.block
    graph = network.graph(block)
    assert set(canvas.drawing.nodes) == set(graph.nodes)
    assert set(canvas.drawing.wires) == set(graph.edges)
    assert set(canvas.selection.nodes) <= set(graph.nodes)
    marks = edit_view.marks(network, block)
    assert set(canvas.drawing.marks) == set(marks)
    bends = edit_view.bends(network, block)
    for edge, wire in canvas.drawing.wires.items():
        shown = [number for point in wire.bends for number in (point.x(), point.y())]
        assert shown == pytest.approx([number for point in bends.get(edge, ()) for number in point])


def items_alive() -> int:
    """How many cards, wires, frames and notes Python holds."""
    gc.collect()
    kinds = (NodeItem, EdgeItem, MarkItem)
    return sum(issubclass(type(thing), kinds) for thing in gc.get_objects())


def live(qtbot, gestures: list) -> None:
    """Do all gestures, then undo to the start and redo to the end."""
    QApplication.clipboard().clear()
    alive = items_alive()
    start = Network()
    selection = Selection()
    document = Document(start, selection=selection)
    canvas = Canvas(document, selection)
    canvas.resize(1280, 800)
    canvas.show()
    canvas.setFocus()
    # What hangs on the cursor is analysed on the way, as in the window.
    canvas.trial.wanted.connect(lambda tried: canvas.trial.show(analyze(tried)))
    warnings: list[str] = []
    before = qInstallMessageHandler(lambda kind, context, text: warnings.append(text))
    hand = Hand(canvas)
    try:
        for gesture in gestures:
            hand.act(gesture)
            shown_agrees(canvas)
        canvas.stop_animation()
        end, stack = document.network, document.undo_stack
        while stack.canRedo():
            stack.redo()
        end, chosen = document.network, selection.chosen
        while stack.canUndo():
            stack.undo()
        assert document.network == start
        assert canvas.drawing.nodes == {} == canvas.drawing.marks
        canvas.hands.forget()
        assert items_alive() <= alive, "cards or wires that were removed are still held"
        while stack.canRedo():
            stack.redo()
        assert document.network == end
        assert selection.chosen == chosen or selection.block != chosen.block
        shown_agrees(canvas)
        places = canvas.drawing.positions()
        shown = end.positions(canvas.block)
        assert {id: list(places[id]) for id in places} == {id: list(at) for id, at in shown.items()}
    finally:
        qInstallMessageHandler(before)
        canvas.close()
        canvas.deleteLater()
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert [text for text in warnings if "propagateSizeHints" not in text] == []


QUIET = settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@settings(QUIET, max_examples=12, derandomize=True)
@given(gestures=st.lists(GESTURE, min_size=20, max_size=60))
def test_random_gestures_undo_to_the_start_and_redo_to_the_end(qtbot, gestures):
    live(qtbot, gestures)


@pytest.mark.full
@settings(QUIET, max_examples=40)
@given(gestures=st.lists(GESTURE, min_size=50, max_size=50))
def test_2000_random_gestures_undo_to_the_start_and_redo_to_the_end(qtbot, gestures):
    live(qtbot, gestures)


@pytest.mark.full
@pytest.mark.parametrize("seed", [3])
def test_2000_random_gestures_in_one_document_undo_to_the_start_and_redo_to_the_end(qtbot, seed):
    draw = random.Random(seed)
    gestures = [
        (
            draw.choice(KINDS),
            (draw.random(), draw.random(), draw.random()),
            (draw.random(), draw.random(), draw.random()),
            draw.choice([NONE, NONE, NONE, CTRL, SHIFT, ALT]),
            draw.random(),
        )
        for _ in range(2000)
    ]
    live(qtbot, gestures)
