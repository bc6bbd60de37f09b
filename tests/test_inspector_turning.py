"""One panel speaks of all layers: what it says of one is what a new one would, whatever was looked at before."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QToolButton, QWidget
from test_inspector import NETWORK, Bench, chain

from engine import edit
from engine.catalog import LAYERS
from engine.host.protocol import CurvePreview, DataLooked, InitPreview
from engine.network import Choice, Network, Node
from gui.inspector import inspector as module
from gui.inspector.preview import Preview
from tests import gui_helpers as hands
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
    """All that can be read, from top to bottom, with what the pointer has said there."""
    said = []
    for child in widget.findChildren(QWidget):
        if not child.isVisibleTo(widget):
            continue
        top = child.mapTo(widget, child.rect().topLeft())
        if isinstance(child, QLabel | QLineEdit | QToolButton):
            said.append((top.y(), top.x(), f"{type(child).__name__} {child.text()} ({child.toolTip()})"))
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


#: Two convolutions with activations of their own, and one more that is like the second.
ACTIVE = chain(
    image=Node("Input", {"shape": [1, 16, 16]}),
    first=Node("Conv2d", {"out_channels": 4, "kernel_size": [3, 3]}, activation=Choice("GELU")),
    second=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]}, activation=Choice("ReLU")),
    third=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]}, activation=Choice("ReLU")),
    dense=Node("Linear", {"out_features": 3}),
    out=Node("Output"),
)


def answer_previews(bench: Bench, qtbot) -> None:
    """Answer the newest draw and the newest curve."""
    qtbot.waitUntil(lambda: not any(p._timer.isActive() for p in bench.panel.findChildren(Preview)))
    draw, curve = bench.workers.number("init"), bench.workers.number("activation")
    drawn = InitPreview(
        draw, "default", (4, 1, 3, 3), (0.0, 1.0, 2.0), (1, 2), (), 0.25, 0.5, -1.0, 1.0, 9, 36, 36
    )
    bench.workers.answered.emit(draw, drawn)
    bench.workers.answered.emit(
        curve, CurvePreview(curve, (0.0, 1.0), (0.0, 1.0), (1.0, 1.0), "Said of this curve.")
    )


def test_a_draw_and_a_curve_of_one_layer_are_not_shown_as_another_s(qtbot) -> None:
    bench = Bench(qtbot, ACTIVE)
    panel = bench.select("first")
    answer_previews(bench, qtbot)
    assert panel.init.figures.values()["Mean ± std"] == "0.25 ± 0.5"
    assert panel.activation.note.text() == "Said of this curve."
    bench.select("second")
    assert set(panel.init.figures.values().values()) == {"–"}
    assert not panel.activation.note.isVisible()
    assert not panel.activation.plot.curves
    bench.select("first")  # what was answered is there again
    assert panel.init.figures.values()["Mean ± std"] == "0.25 ± 0.5"
    assert panel.activation.note.text() == "Said of this curve."


def test_whose_draw_it_is_is_said_of_several_layers_alone(qtbot) -> None:
    bench = Bench(qtbot, ACTIVE)
    panel = bench.select("second", "third")
    answer_previews(bench, qtbot)
    assert panel.init.note.text() == "The draw of third."
    bench.select("third")
    answer_previews(bench, qtbot)
    assert panel.init.figures.values()["Mean ± std"] == "0.25 ± 0.5"
    assert panel.init.note.text() == ""


def test_a_curve_that_two_layers_share_stays(qtbot) -> None:
    bench = Bench(qtbot, ACTIVE)
    panel = bench.select("second")
    answer_previews(bench, qtbot)
    bench.select("third")
    assert panel.activation.plot.curves
    assert panel.activation.note.isVisible()


def test_answers_that_come_when_nothing_is_selected_any_more_are_there_when_it_is_again(qtbot) -> None:
    bench = Bench(qtbot, ACTIVE)
    panel = bench.select("first")
    qtbot.waitUntil(lambda: any(asked[0] == "activation" for asked in bench.workers.asked))
    curve = bench.workers.number("activation")
    bench.select()
    bench.workers.answered.emit(curve, CurvePreview(curve, (0.0, 1.0), (0.0, 1.0), (1.0, 1.0), "Late."))
    bench.select("first")
    assert panel.activation.plot.curves
    assert panel.activation.note.text() == "Late."


def test_data_that_come_when_nothing_is_selected_any_more_are_no_trouble(qtbot) -> None:
    bench = Bench(qtbot, ACTIVE)
    panel = bench.select("second")
    panel.sees.fetch.click()
    look = bench.workers.number("look")
    bench.select()
    bench.workers.answered.emit(look, DataLooked(look, SimpleNamespace(samples=())))
    bench.select("second")
    assert panel.sees.fetch.isEnabled()


@pytest.mark.parametrize("other", ["second", "dense"])
def test_a_drag_ends_where_another_layer_is_looked_at(qtbot, other: str) -> None:
    bench = Bench(qtbot, ACTIVE)
    bench.select("first")
    label = bench.panel.fields.form.row("stride").label
    at = label.rect().center()
    hands.press(label, at)
    hands.move(label, at + QPoint(30, 0))
    assert bench.node("first").fields["stride"] != 1
    before = bench.document.network
    bench.select(other)  # by an arrow key, say
    hands.move(label, at + QPoint(60, 0))
    hands.release(label, at + QPoint(60, 0))
    assert bench.document.network is before


def test_what_was_typed_into_one_of_several_and_undone_at_once_is_not_shown_any_more(qtbot) -> None:
    bench = Bench(qtbot, NETWORK)
    bench.document.changed.disconnect(bench.analyze)  # no answer yet
    bench.select("conv1")
    bench.inspector.activateWindow()
    line = bench.panel.fields.form.editor("kernel_size").line
    before = line.text()
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    line.selectAll()
    QTest.keyClicks(line, "7")
    bench.select("conv2", "conv1")
    several = bench.panel.fields.form.editor("kernel_size").line
    assert (bench.document.undo_stack.count(), several.text()) == (1, "")
    bench.document.undo_stack.undo()
    assert several.text() == before
