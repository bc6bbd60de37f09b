"""Several layers at once: what differs reads "mixed", and an edit gives all of them the same, as one step."""

from __future__ import annotations

import itertools

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox

from engine import edit_blocks
from engine.catalog.fields import Text
from engine.network import Argument, Choice, Edge, End, Network, Node, Training
from gui.forms.editors import LineEditor
from tests import gui_helpers as hands
from tests.test_inspector import Bench, choose

pytestmark = pytest.mark.gui


def chain(**nodes: Node) -> Network:
    edges = tuple(Edge(End(a), End(b)) for a, b in itertools.pairwise(nodes))
    return Network(name="Test", nodes=nodes, edges=edges)


ONE = {"out_channels": 16, "kernel_size": [3, 3], "bias": True, "padding_mode": "zeros"}
TWO = {"out_channels": 8, "kernel_size": [5, 5], "bias": False, "padding_mode": "reflect"}
NETWORK = chain(
    image=Node("Input", {"shape": [1, 16, 16]}),
    one=Node(
        "Conv2d",
        ONE,
        activation=Choice("LeakyReLU", {"negative_slope": 0.2}),
        init={"weight": Choice("normal", {"mean": 1.0, "std": 0.5})},
        binarize={"weight": Choice("ste_sign", {"clip_value": 0.5})},
        training=Training(frozen=True),
    ),
    two=Node("Conv2d", TWO, activation=Choice("Tanh"), init={"weight": Choice("zeros")}),
    flat=Node("Flatten"),
    fc=Node("Linear", {"out_features": 10}),
    out=Node("Output"),
)


@pytest.fixture
def bench(qtbot) -> Bench:
    shown = Bench(qtbot, NETWORK)
    shown.select("one", "two")
    return shown


def steps(bench: Bench) -> int:
    return bench.document.undo_stack.count()


def undone(bench: Bench) -> bool:
    """Whether one step back leads to the start, and one forward to the same again."""
    after = bench.document.network
    bench.document.undo_stack.undo()
    back = bench.document.network == NETWORK
    bench.document.undo_stack.redo()
    return back and bench.document.network == after and steps(bench) == 1


@pytest.mark.parametrize(
    ("name", "text", "value"), [("out_channels", "12", 12), ("kernel_size", "7 × 5", [7, 5])]
)
def test_numbers_and_pairs(bench, name, text, value):
    line = bench.panel.fields.form.editor(name).line
    assert (line.text(), line.placeholderText()) == ("", "mixed")
    bench.type(name, text)
    assert [bench.node(id).fields[name] for id in ("one", "two")] == [value] * 2
    assert line.text() != ""
    assert undone(bench)


def test_an_empty_field_left_alone_changes_nothing(bench):
    line = bench.panel.fields.form.editor("out_channels").line
    line.setFocus()
    QTest.keyClick(line, Qt.Key.Key_Return)
    QTest.keyClick(line, Qt.Key.Key_Tab)
    assert bench.document.network == NETWORK
    assert line.placeholderText() == "mixed"


def test_expressions(bench):
    bench.select("one")
    bench.type("out_channels", "= width")
    bench.select("one", "two")
    line = bench.panel.fields.form.editor("out_channels").line
    assert (line.text(), line.placeholderText()) == ("", "mixed")
    bench.type("out_channels", "= width * 2")
    both = {str(bench.node(id).fields["out_channels"]) for id in ("one", "two")}
    assert both == {"{'expr': 'width * 2'}"}
    assert line.text() == "= width * 2"


def test_switches(bench):
    row = bench.panel.fields.form.row("bias")
    switch = row.editor.switch
    if not row.isVisible():
        bench.panel.fields.form._more.click()
    assert switch.checkState() == Qt.CheckState.PartiallyChecked
    assert row.message.text() == "mixed"
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert switch.checkState() == Qt.CheckState.Checked
    assert row.message.text() == ""
    assert all(bench.node(id).fields.get("bias", True) is True for id in ("one", "two"))
    assert undone(bench)


def test_words_out_of_a_few(bench):
    box = bench.panel.fields.form.editor("padding_mode").box
    assert mixed(box)
    choose(box, "circular")
    assert [bench.node(id).fields["padding_mode"] for id in ("one", "two")] == ["circular"] * 2
    assert undone(bench)


def test_text(qtbot):
    editor = LineEditor(Text("label", "", doc="Words."))
    qtbot.addWidget(editor)
    editor.show_value("one", mixed=True)
    assert (editor.line.text(), editor.line.placeholderText()) == ("", "mixed")
    editor.show_value("one")
    assert editor.line.text() == "one"


def mixed(box: QComboBox) -> bool:
    """Whether it says so, to the eye too."""
    said, picture = box.placeholderText(), box.grab().toImage()
    box.setPlaceholderText(" ")  # without any, Qt would choose the first row
    seen = box.grab().toImage() != picture
    box.setPlaceholderText(said)
    return box.currentIndex() == -1 and said == "mixed" and seen


def test_activations(bench):
    part = bench.panel.activation
    assert mixed(part.choice.box)
    assert not part.plot.isVisible()
    assert part.choice.form is None
    choose(part.choice.box, "ELU")
    assert [bench.node(id).activation for id in ("one", "two")] == [Choice("ELU")] * 2
    assert part.choice.box.currentData() == "ELU"
    assert part.plot.isVisibleTo(part)
    assert undone(bench)


def test_choosing_what_some_have_already_keeps_their_own_fields(bench):
    choose(bench.panel.activation.choice.box, "LeakyReLU")
    assert bench.node("one").activation == NETWORK.nodes["one"].activation
    assert bench.node("two").activation == Choice("LeakyReLU")
    slope = bench.panel.activation.choice.form.editor("negative_slope").line
    assert (slope.text(), slope.placeholderText()) == ("", "mixed")


def test_a_field_of_one_scheme_is_set_in_all_and_leaves_the_others_as_they_are(bench):
    choose(bench.panel.init.editor.box, "normal")
    form = bench.panel.init.editor.form
    assert all(form.editor(name).line.placeholderText() == "mixed" for name in ("mean", "std"))
    line = form.editor("std").line
    line.setFocus()
    QTest.keyClicks(line, "0.25")
    QTest.keyClick(line, Qt.Key.Key_Return)
    one, two = (bench.node(id).init["weight"].fields for id in ("one", "two"))
    assert (one, two) == ({"mean": 1.0, "std": 0.25}, {"std": 0.25})


def test_initialisations(bench):
    part = bench.panel.init
    assert mixed(part.editor.box)
    assert "differently" in part.plot.message
    choose(part.editor.box, "orthogonal")
    assert {bench.node(id).init["weight"].id for id in ("one", "two")} == {"orthogonal"}
    assert undone(bench)


def test_only_parameters_that_all_have_are_offered(bench):
    assert bench.panel.init.names() == ("weight",)  # `two` has no bias
    bench.select("one")
    assert set(bench.panel.init.names()) == {"weight", "bias"}


def test_binarizers(bench):
    part = bench.panel.binarize
    part.set_open(True)
    weight = part.places["weight"]
    assert mixed(weight.choice.box)
    assert not weight.forward.isVisible()
    choose(weight.choice.box, None)
    assert [bench.node(id).binarize for id in ("one", "two")] == [{}, {}]
    assert undone(bench)


def test_the_share_in_training(bench):
    part = bench.panel.training
    part.set_open(True)
    switch = part.form.editor("frozen").switch
    assert switch.checkState() == Qt.CheckState.PartiallyChecked
    assert part.form.row("frozen").message.text() == "mixed"
    QTest.mouseClick(switch, Qt.MouseButton.LeftButton)
    assert [bench.node(id).training for id in ("one", "two")] == [Training(frozen=True)] * 2
    assert undone(bench)


def test_what_not_all_have_is_not_offered(bench):
    bench.select("flat", "out")
    panel = bench.panel
    assert not panel.activation.isVisible()
    bench.select("fc", "flat")
    for part in (bench.panel.init, bench.panel.binarize, bench.panel.training):
        assert not part.isVisible()
    bench.select("flat", "fc")
    for part in (bench.panel.init, bench.panel.binarize, bench.panel.training):
        assert not part.isVisible()


def test_layers_of_different_types_share_fields_that_take_the_same_values(bench):
    bench.select("one", "fc")
    assert set(bench.panel.fields.form.fields) == {"bias"}
    assert bench.panel.fields.explanation.text() == "", "neither layer's own words speak of both"
    bench.panel.fields.form.edited.emit("bias", False, "")
    assert [bench.node(id).fields["bias"] for id in ("one", "fc")] == [False] * 2
    assert undone(bench)
    bench.select("one", "two")
    assert "out_channels" in bench.panel.fields.explanation.text()


def test_a_window_is_set_in_a_convolution_and_a_pooling_at_once(qtbot):
    pooled = chain(one=Node("Conv2d", dict(ONE)), pool=Node("MaxPool2d", {"kernel_size": [2, 2]}))
    shown = Bench(qtbot, pooled)
    shown.select("one", "pool")
    shown.type("kernel_size", "3 × 3")
    assert [shown.node(id).fields["kernel_size"] for id in ("one", "pool")] == [[3, 3]] * 2
    assert "padding" not in shown.panel.fields.form.fields, "a pooling takes no words there"
    assert "stride" not in shown.panel.fields.form.fields, "left out it means something else in each"


@pytest.mark.parametrize("leave", [Qt.Key.Key_Escape, None])
def test_a_drag_over_the_name_of_what_differs_is_one_step_or_none(bench, leave):
    label = bench.panel.fields.form.row("out_channels").label
    start = QPoint(5, 5)
    hands.drag(label, start, start + QPoint(60, 0), drop=False)
    assert bench.node("one").fields["out_channels"] == bench.node("two").fields["out_channels"]
    if leave is not None:
        QTest.keyClick(QApplication.focusWidget(), leave)
        hands.release(label, start + QPoint(60, 0))
        assert bench.document.network == NETWORK
        assert (steps(bench), bench.document.undo_stack.canRedo()) == (0, False)
        line = bench.panel.fields.form.editor("out_channels").line
        assert (line.text(), line.placeholderText()) == ("", "mixed")
    else:
        hands.release(label, start + QPoint(60, 0))
        assert undone(bench)


def test_the_arguments_of_several_uses_of_a_block(qtbot):
    network, use = edit_blocks.make_block(NETWORK, ("one",), "stem")
    network = edit_blocks.set_argument(network, "stem", "width", Argument(default=4))
    again = edit_blocks.new_use(network, "stem")
    nodes = {**network.nodes, "again": again}
    nodes[use] = Node("Block", {"width": 8}, block="stem")
    bench = Bench(qtbot, Network(name="Test", nodes=nodes, edges=network.edges, blocks=network.blocks))
    bench.select(use, "again")
    line = bench.panel.fields.form.editor("width").line
    assert (line.text(), line.placeholderText()) == ("", "mixed")
    bench.type("width", "16")
    assert [bench.node(id).fields["width"] for id in (use, "again")] == [16, 16]
