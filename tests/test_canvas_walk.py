"""LeNet-5 from an empty canvas: by keyboard alone in ≤ 40 chords, by mouse in ≤ 25 gestures, counted."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench
from tests.window_helpers import PlayedPool, close_window, open_window

from PySide6.QtCore import QPoint, Qt  # isort: skip
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

import engine
from engine.analysis import analyze
from engine.catalog import LAYERS
from engine.network import Network
from gui.canvas import phrase
from gui.forms import Row

pytestmark = pytest.mark.gui

#: LeNet-5 for 28 × 28 digits, after LeCun et al. (1998), with ReLU and max pooling: type -> what is set.
LENET = (
    ("Input", {"shape": [1, 28, 28]}, None),
    ("Conv2d", {"out_channels": 6, "kernel_size": [5, 5], "padding": [2, 2]}, "ReLU"),
    ("MaxPool2d", {"kernel_size": [2, 2]}, None),
    ("Conv2d", {"out_channels": 16, "kernel_size": [5, 5]}, "ReLU"),
    ("MaxPool2d", {"kernel_size": [2, 2]}, None),
    ("Flatten", {}, None),
    ("Linear", {"out_features": 120}, "ReLU"),
    ("Linear", {"out_features": 84}, "ReLU"),
    ("Linear", {"out_features": 10}, None),
    ("Output", {}, None),
)
#: Its parameters: 6·(25+1) + 16·(6·25+1) + 120·(400+1) + 84·(120+1) + 10·(84+1).
PARAMETERS = 61_706


def is_lenet(network: Network) -> None:
    """Every layer, field, activation and wire is there, and it computes."""
    made = [
        (node.type, dict(node.fields), node.activation and node.activation.id)
        for node in network.nodes.values()
    ]
    assert made == [(type, fields, activation) for type, fields, activation in LENET]
    ids = list(network.nodes)
    assert {str(edge) for edge in network.edges} == {f"{a} → {b}" for a, b in pairwise(ids)}
    analysis = analyze(network)
    # The recipe still names the digits of 8 × 8; what the walk draws is the network.
    assert {problem.code for problem in analysis.errors} <= {"data-shape"}
    assert analysis.totals["parameters"] == PARAMETERS
    assert sum(parameter.numel() for parameter in engine.build(network).parameters()) == PARAMETERS


def test_lenet_by_keyboard_alone_in_at_most_40_chords(qtbot):
    b = Bench(qtbot)
    chords = 0
    said = (
        "input 1 28 28",
        "conv2d 6 5x5 pad 2 relu",
        "maxpool2d",
        "conv2d 16 5x5 relu",
        "maxpool2d",
        "flatten",
        "linear 120 relu",
        "linear 84 relu",
        "linear 10",
        "output",
    )
    for words in said:
        hands.key(QApplication.focusWidget(), Qt.Key.Key_Tab)
        hands.type_text(words)
        hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
        chords += 3
    is_lenet(b.network)
    assert chords <= 40
    rects = [item.rect for item in b.canvas.drawing.nodes.values()]
    assert not any(a.intersects(c) for i, a in enumerate(rects) for c in rects[:i])


class Mouse:
    """A hand with a mouse in the whole window, and a count of what it did."""

    def __init__(self, qtbot, folder: Path) -> None:
        self.window = open_window(folder, PlayedPool())
        self.window.resize(1920, 1080)
        self.window.begin_empty()
        self.window.activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is self.window)
        qtbot.waitUntil(lambda: self.window.canvas.width() > 1000)
        self.palette, self.inspector = self.window.palette_view, self.window.inspector
        self.canvas, self.document = self.window.canvas, self.window.document
        self.gestures = 0

    @property
    def network(self) -> Network:
        return self.document.network

    def node(self, id: str) -> QPoint:
        """A place on a card that is no port."""
        return self.canvas.mapFromScene(self.canvas.drawing.nodes[id].rect.center())

    def drop(self, type: str, at: QPoint) -> None:
        """Drag a layer from where it stands in the palette, without searching or scrolling."""
        layers = self.palette.layers
        row = next(
            layers.item(i)
            for i in range(layers.count())
            if layers.item(i).data(Qt.ItemDataRole.UserRole) == type
        )
        assert layers.viewport().rect().contains(layers.visualItemRect(row)), f"{type} is out of sight"
        hands.drop(self.canvas.viewport(), layers.mimeData([row]), at)
        self.gestures += 1

    def row(self, name: str) -> Row:
        """A field's row in the inspector, as it is seen after the last gesture."""
        QApplication.processEvents()
        return next(
            row for row in self.inspector.findChildren(Row) if row.field.name == name and row.isVisible()
        )

    def scrub(self, name: str, steps: int) -> None:
        """Drag a field's label sideways."""
        label = self.row(name).label
        assert label.visibleRegion().contains(label.rect()), f"{name} is out of sight"
        start = label.rect().center()
        hands.drag(label, start, start + QPoint(6 * steps, 0), steps=max(2, abs(steps)))
        self.gestures += 1

    def click(self, line: QLineEdit, share: float) -> None:
        """Click into a line."""
        QTest.mouseClick(
            line, Qt.MouseButton.LeftButton, pos=QPoint(round(line.width() * share), line.height() // 2)
        )
        self.gestures += 1

    def turn(self, line: QLineEdit, number: int, notches: int) -> None:
        """Turn the wheel over one of the numbers in a line."""
        at = [match.start() for match in re.finditer(r"\d+", line.text())][number]
        x = next(x for x in range(line.width()) if line.cursorPositionAt(QPoint(x, line.height() // 2)) > at)
        for _ in range(notches):
            hands.wheel(line, QPoint(x, line.height() // 2), 120)
        self.gestures += 1


@pytest.fixture
def mouse(qtbot, tmp_path):
    hand = Mouse(qtbot, tmp_path)
    yield hand
    close_window(hand.window)


def test_lenet_by_mouse_in_at_most_25_gestures(mouse):
    spot = QPoint(120, 100)
    for type, fields, activation in LENET:
        mouse.drop(type, spot)
        id = mouse.window.selection.current
        if type == "Input":
            line = mouse.row("shape").editor.line
            mouse.click(line, 0.5)
            for side in (1, 2):  # the wheel over each of the two sides
                mouse.turn(line, side, 20)
        else:
            for name, value in fields.items():
                start = mouse.network.nodes[id].fields.get(name, [0, 0])
                steps = value[0] - start[0] if isinstance(value, list) else value - start
                if steps:
                    mouse.scrub(name, steps)
        if activation:
            mouse.drop(activation, mouse.node(id))
        spot += QPoint(190, 0) if spot.x() < 900 else QPoint(120 - spot.x(), 190)
    is_lenet(mouse.network)
    assert mouse.gestures <= 25, mouse.gestures


# ---------------------------------------------------------------------------- what may be said of a layer


@pytest.mark.parametrize(
    ("words", "fields", "activation"),
    [
        ("conv2d 6 5x5 pad 2 relu", {"out_channels": 6, "kernel_size": [5, 5], "padding": [2, 2]}, "ReLU"),
        ("conv2d 6 kernel=3,5", {"out_channels": 6, "kernel_size": [3, 5]}, None),
        (
            "conv2d 6 5 2 1",
            {"out_channels": 6, "kernel_size": [5, 5], "stride": [2, 2], "padding": [1, 1]},
            None,
        ),
        ("linear 10 bias=false", {"out_features": 10, "bias": False}, None),
        ("dropout 0.25", {"p": 0.25}, None),
    ],
)
def test_what_follows_a_layers_name_sets_its_fields(words, fields, activation):
    said = phrase.split(words)
    layer = next(layer for layer in LAYERS.values() if layer.id.lower() == said.query)
    reading = phrase.read(layer, said.words)
    assert (reading.trouble, reading.fields, reading.activation) == ("", fields, activation)


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("linear 10 20 30 wings=2", "Linear"),
        ("conv2d 6 -5x5", "kernel_size"),
        ("conv2d 6 stride", "stride needs a value"),
    ],
)
def test_what_is_not_understood_is_said_and_nothing_is_added(qtbot, words, trouble):
    b = Bench(qtbot)
    hands.key(b.canvas, Qt.Key.Key_Tab)
    hands.type_text(words)
    assert trouble in b.canvas.adder.popup.hint.text()
    hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert b.network.nodes == {}
    assert b.canvas.adder.popup.isVisible()


@pytest.mark.parametrize(
    "words", ["3x3", "3x3x3x3", "1,2", "x", "-1", "1e9", "0.5", "true", "3x", "nan", "32 3x3"]
)
def test_whatever_is_typed_behind_any_layers_name_is_understood_or_explained(words):
    for layer in LAYERS.values():
        reading = phrase.read(layer, tuple(words.split()))
        for name, value in reading.fields.items():
            declared = next(field for field in layer.fields if field.name == name)
            assert declared.check(value) is None
        assert reading.trouble or reading.fields or reading.activation or not layer.fields


def test_an_activation_dropped_on_a_card_becomes_that_layers_own(mouse):
    mouse.canvas.add_layer("Linear")
    before = mouse.network
    mouse.drop("ReLU", mouse.node("linear1"))
    assert mouse.network.nodes["linear1"].activation.id == "ReLU"
    assert set(mouse.network.nodes) == {"linear1"}
    after = mouse.network
    mouse.document.undo_stack.undo()
    assert mouse.network == before
    mouse.document.undo_stack.redo()
    assert mouse.network == after
    mouse.canvas.add_layer("Output")
    mouse.drop("ReLU", mouse.node("output1"))  # it takes none: a layer of its own
    assert "relu1" in mouse.network.nodes
