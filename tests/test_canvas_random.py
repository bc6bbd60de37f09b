"""Many random gestures: undo leads to the start, redo to the end, and the drawing always agrees."""

from __future__ import annotations

import random

import pytest

from tests import gui_helpers as hands

from tests.gui_helpers import ALT, CTRL, NONE, SHIFT  # isort: skip

from PySide6.QtCore import QPoint, Qt, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from engine.network import Network
from gui.canvas import Canvas
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
)


class Hand:
    """Does something at random where something is."""

    def __init__(self, canvas: Canvas, seed: int) -> None:
        self.canvas = canvas
        self.random = random.Random(seed)

    def place(self) -> QPoint:
        """On a card, a port, a wire, or anywhere."""
        drawing, chance = self.canvas.drawing, self.random.random()
        if drawing.nodes and chance < 0.75:
            item = self.random.choice(list(drawing.nodes.values()))
            points = [item.rect.center()]
            points += [item.output_point(i) for i in range(len(item.card.outputs))]
            points += [item.input_point(i) for i in range(len(item.card.inputs))]
            return self.canvas.mapFromScene(self.random.choice(points))
        if drawing.wires and chance < 0.85:
            wire = self.random.choice(list(drawing.wires.values()))
            return self.canvas.mapFromScene(wire.way.pointAtPercent(self.random.random()))
        return QPoint(self.random.randrange(1280), self.random.randrange(800))

    def act(self) -> None:
        port, chance = self.canvas.viewport(), self.random.random()
        modifiers = self.random.choice((NONE, NONE, NONE, CTRL, SHIFT, ALT))
        if chance < 0.25 and len(self.canvas.drawing.nodes) < 40:
            self.canvas.add_layer(self.random.choice(TYPES))
        elif chance < 0.65:
            hands.drag(port, self.place(), self.place(), modifiers=modifiers, steps=3)
        elif chance < 0.75:
            hands.click(port, self.place(), modifiers=modifiers)
        elif chance < 0.8:
            hands.wheel(port, self.place(), self.random.choice((-120, 120)))
        elif chance < 0.85:
            hands.drag(port, self.place(), self.place(), modifiers=modifiers, steps=2, drop=False)
            hands.key(self.canvas, Qt.Key.Key_Escape)
        else:
            which, modifiers = self.random.choice(KEYS)
            if which == Qt.Key.Key_V and len(self.canvas.drawing.nodes) > 40:
                return
            hands.key(self.canvas, which, modifiers)
        if self.canvas.adder.popup.isVisible():
            if self.random.random() < 0.5:
                hands.key(self.canvas.adder.popup.search, Qt.Key.Key_Return)
            else:
                hands.key(self.canvas.adder.popup.search, Qt.Key.Key_Escape)


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 150), (2, 150), pytest.param(3, 2000, marks=pytest.mark.full)]
)
def test_random_gestures_undo_to_the_start_and_redo_to_the_end(qtbot, seed, count):
    QApplication.clipboard().clear()
    start = Network()
    document = Document(start)
    canvas = Canvas(document, Selection())
    qtbot.addWidget(canvas)
    canvas.resize(1280, 800)
    canvas.show()
    warnings: list[str] = []
    before = qInstallMessageHandler(lambda kind, context, text: warnings.append(text))
    hand = Hand(canvas, seed)
    try:
        for _ in range(count):
            hand.act()
            assert set(canvas.drawing.nodes) == set(document.network.nodes)
            assert set(canvas.drawing.wires) == set(document.network.edges)
            assert set(canvas.selection.nodes) <= set(document.network.nodes)
    finally:
        qInstallMessageHandler(before)
    canvas.stop_animation()
    end, stack = document.network, document.undo_stack
    assert stack.count() > count / 10
    while stack.canUndo():
        stack.undo()
    assert document.network == start
    assert canvas.drawing.nodes == {}
    while stack.canRedo():
        stack.redo()
    assert document.network == end
    places = canvas.drawing.positions()
    assert {id: list(at) for id, at in places.items()} == dict(end.positions())
    assert [text for text in warnings if "propagateSizeHints" not in text] == []
