"""One panel speaks of all layers: what it says of one is what a new one would, whatever was looked at before."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QToolButton, QWidget
from test_inspector import NETWORK, Bench

from engine import edit
from engine.catalog import LAYERS
from engine.network import Choice, Network, Node
from gui.inspector import inspector as module
from tests.networks import alone

pytestmark = pytest.mark.gui


def gathered() -> Network:
    """A layer of each group and kind of panel, with and without what a layer may have."""
    types = ("Conv2d", "Linear", "ReLU", "PReLU", "MaxPool2d", "BatchNorm2d", "LSTM", "Embedding", "Add")
    network = Network()
    for type in types:
        found = alone(type)
        node = next(node for node in found.nodes.values() if node.type == type)
        network = edit.add_node(network, type.lower(), node)
    wrong = {"out_channels": "lots", "kernel_size": 3, "strange": 5}
    network = edit.add_node(network, "wrong", Node("Conv2d", wrong))
    full = Node(
        "Linear",
        {"out_features": 3},
        activation=Choice("Tanh"),
        init={"weight": Choice("orthogonal", {"gain": 2.0})},
        binarize={"weight": Choice("ste_sign")},
    )
    return edit.add_node(network, "full", full)


def shown(widget: QWidget) -> list[str]:
    """All that can be read, from top to bottom."""
    said = []
    for child in widget.findChildren(QWidget):
        if not child.isVisibleTo(widget):
            continue
        top = child.mapTo(widget, child.rect().topLeft())
        if isinstance(child, QLabel | QLineEdit | QToolButton):
            said.append((top.y(), top.x(), f"{type(child).__name__} {child.text()}"))
        elif isinstance(child, QComboBox):
            said.append((top.y(), top.x(), f"list {child.currentText()}"))
    return [text for _, _, text in sorted(said)]


def settled(bench: Bench) -> list[str]:
    for _ in range(3):
        QApplication.processEvents()
    return shown(bench.inspector.panel)


def test_after_any_other_layer_the_panel_says_what_a_new_one_says(qtbot) -> None:
    network = gathered()
    alone_said = {}
    for id in network.nodes:
        fresh = Bench(qtbot, network)
        fresh.select(id)
        alone_said[id] = settled(fresh)
        fresh.inspector.close()
    assert len({tuple(said) for said in alone_said.values()}) == len(network.nodes)
    bench = Bench(qtbot, network)
    ids = list(network.nodes)
    for stride in (1, 3, 7):  # each of them after others
        for place in range(len(ids)):
            id = ids[place * stride % len(ids)]
            bench.select(id)
            assert settled(bench) == alone_said[id], id


def test_all_layers_share_one_panel_and_each_kind_keeps_its_form(qtbot) -> None:
    bench = Bench(qtbot, gathered())
    conv, form = bench.select("conv2d"), bench.panel.fields
    assert bench.select("linear") is conv
    assert bench.panel.fields is not form
    assert bench.select("wrong") is conv  # another convolution
    assert bench.panel.fields is form


def test_of_the_forms_those_used_last_are_kept(qtbot, monkeypatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 3)
    bench = Bench(qtbot, gathered())
    for id in bench.document.network.nodes:
        bench.select(id)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert len(bench.panel.findChildren(type(bench.panel.fields))) == 3
    assert bench.panel.fields.form.editor("out_features").line.text() == "3"


def test_what_is_unfinished_in_one_layer_waits_there_while_others_are_looked_at(qtbot) -> None:
    bench = Bench(qtbot, gathered())
    bench.select("linear")
    line = bench.type("out_features", "many")
    before = bench.document.network
    for id in ("full", "conv2d", "relu"):
        bench.select(id)
        assert "many" not in "\n".join(shown(bench.panel))
    bench.select("linear")
    assert line.text() == "many"
    assert bench.document.network is before


def test_every_layer_of_the_catalogue_is_shown_after_every_other(qtbot) -> None:
    network = Network()
    for type in LAYERS:
        node = next((node for node in alone(type).nodes.values() if node.type == type), None)
        if node is not None:
            network = edit.add_node(network, type.lower(), node)
    bench = Bench(qtbot, network)
    for id, node in network.nodes.items():
        panel = bench.select(id)
        assert panel.header.name.text() == id
        assert list(panel.fields.form.fields) == [field.name for field in LAYERS[node.type].fields]


def test_what_an_analysis_adds_lies_over_nothing_even_before_the_next_event(qtbot) -> None:
    bench = Bench(qtbot, NETWORK)
    panel = bench.select("conv1")
    settled(bench)
    for kernel, wrong in ((5, False), (30, True), (31, True), (2, False)):
        network = edit.set_field(bench.document.network, "conv1", "kernel_size", kernel)
        bench.document.edit(network, "Drag", "drag 1")
        assert panel.problems.isVisible() == wrong
        parts = sorted((part.y(), part.geometry().bottom()) for part in panel._parts if part.isVisible())
        assert all(above[1] < below[0] for above, below in pairwise(parts)), kernel
    assert bench.document.undo_stack.count() == 1
