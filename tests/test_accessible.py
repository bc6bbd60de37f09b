"""What everyone can use: names for screen readers, keys for every action, text half as large again."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QSlider,
    QWidget,
)
from window_helpers import PlayedPool, close_window, open_window, template

from engine.catalog import LAYERS
from gui.canvas import Palette
from gui.document import Document
from gui.inspector import Inspector
from gui.recipe import RecipePanel
from gui.selection import Selection
from tests import inspector_pictures
from tests.test_inspector import Bench, FakeWorkers, Network, Node

pytestmark = pytest.mark.gui

CONTROLS = (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox, QSlider, QAbstractItemView)


def nameless(root: QWidget) -> list[str]:
    """Controls that take the keyboard and of which a screen reader could say nothing."""
    found = []
    for widget in root.findChildren(QWidget):
        if widget.window() is not root.window():
            continue  # the list of a box that is folded up: the box has the name
        if not isinstance(widget, CONTROLS) or not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            continue
        inner = isinstance(widget.parent(), QComboBox | QAbstractSpinBox) or widget.objectName().startswith(
            "qt_"
        )
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        if not inner and not widget.accessibleName() and not text:
            found.append(f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}")
    return found


def test_every_control_of_the_panels_of_each_group_of_layers_has_a_name(qtbot):
    first = {layer.group: layer.id for layer in reversed(LAYERS.values())}
    network = Network(nodes={f"n_{number}": Node(id) for number, id in enumerate(first.values())})
    bench = Bench(qtbot, network)
    for id in network.nodes:
        bench.selection.set((id,))
        assert nameless(bench.inspector) == [], network.nodes[id].type


def test_every_control_of_palette_and_recipe_has_a_name(qtbot):
    palette, recipe = Palette(), RecipePanel(Document(inspector_pictures.lenet()))
    for widget in (palette, recipe):
        qtbot.addWidget(widget)
        widget.show()
        assert nameless(widget) == []


@pytest.mark.parametrize("id", ["Conv2d", "LSTM", "MaxPool2d", "Linear", "MultiheadAttention", "Input"])
def test_the_inspector_survives_text_half_as_large_again(qtbot, id):
    before = QApplication.font()
    large = QFont(before)
    large.setPointSizeF(before.pointSizeF() * 1.5)
    QApplication.setFont(large)
    try:
        inspector = Inspector(
            Document(Network(nodes={"layer": Node(id)})), selection := Selection(), FakeWorkers()
        )
        qtbot.addWidget(inspector)
        inspector.setFont(large)
        inspector.resize(300, 900)
        inspector.show()
        selection.set(("layer",))
        qtbot.waitExposed(inspector)
        QApplication.processEvents()
        body = inspector.widget()
        assert body is not None
        assert body.width() <= inspector.viewport().width()
        for widget in body.findChildren(QWidget):
            if widget.isVisible() and not widget.findChildren(QWidget):
                right = widget.mapTo(body, widget.rect().topRight()).x()
                assert right <= body.width(), f"{type(widget).__name__} {widget.accessibleName()} is cut off"
                if isinstance(widget, QLabel | QAbstractButton | QLineEdit) and widget.text():
                    assert widget.height() >= widget.fontMetrics().height(), widget.text()
    finally:
        QApplication.setFont(before)


def test_every_action_of_the_canvas_has_a_key_and_stands_in_the_command_palette(qtbot, tmp_path):
    window = open_window(tmp_path, PlayedPool(), template())
    try:
        listed = {command.action for command in window.menus.commands()}
        assert window.canvas.commands
        assert [action.objectName() for action in window.canvas.commands if action not in listed] == []
        assert [action.objectName() for action in window.canvas.commands if not action.shortcuts()] == []
        assert nameless(window.inspector) == []
    finally:
        close_window(window)
