"""The inspector: what it shows of the selection, and what a person's hands in it do."""

import itertools

import msgspec
import pytest
import torch
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QEnterEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from engine import catalog, edit
from engine.analysis import analyze
from engine.catalog import LAYERS
from engine.compile.resolve import construct
from engine.data.view import view as look_at
from engine.findings import Analysis, Problem
from engine.host.protocol import CurvePreview, DataLooked, Failed, InitPreview, Variants, WhatIf
from engine.host.what_if import what_if
from engine.network import Choice, Data, Edge, End, Network, Node, Recipe, Training
from gui.document import Document
from gui.inspector import Inspector
from gui.inspector.plots import Curve, CurvePlot, ticks
from gui.inspector.sliding import adapt, axes_of, slide
from gui.recipe import RecipePanel
from gui.selection import Selection

pytestmark = pytest.mark.gui


class FakeWorkers(QObject):
    """Counts what is asked; the test answers."""

    answered = Signal(int, object)

    def __init__(self):
        super().__init__()
        self.asked = []

    def _ask(self, *what):
        self.asked.append(what)
        return len(self.asked)

    def preview_init(self, node, parameter):
        return self._ask("init", node, parameter)

    def preview_activation(self, id, fields):
        return self._ask("activation", id, fields)

    def preview_binarizer(self, id, fields):
        return self._ask("binarizer", id, fields)

    def look_at_estimator(self, node, place, run=None):
        return self._ask("estimator", node, place, run)

    def what_if(self, node, block, path, field, values):
        return self._ask("what_if", node, block, path, field, values)

    def look_at_data(self, path=None):
        return self._ask("look", path)

    def respond(self, run, split, index, *, step=None):
        return self._ask("respond", run, split, index, *([] if step is None else [step]))

    def newest_run(self):
        return None

    def number(self, *what):
        """The newest request that begins like this."""
        return max(i for i, asked in enumerate(self.asked, 1) if asked[: len(what)] == what)


def chain(**nodes):
    names = list(nodes)
    edges = tuple(Edge(End(a), End(b)) for a, b in itertools.pairwise(names))
    return Network(name="Test", nodes=nodes, edges=edges)


NETWORK = chain(
    image=Node("Input", {"shape": [1, 8, 8]}),
    conv1=Node("Conv2d", {"out_channels": 16, "kernel_size": [3, 3]}, activation=Choice("Tanh")),
    conv2=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]}),
    flat=Node("Flatten"),
    fc=Node("Linear", {"out_features": 10}),
    out=Node("Output"),
)


class Bench:
    def __init__(self, qtbot, network, workers=None):
        self.document, self.selection = Document(network), Selection()
        self.workers = workers or FakeWorkers()
        self.inspector = Inspector(self.document, self.selection, self.workers)
        qtbot.addWidget(self.inspector)
        self.inspector.resize(300, 900)
        self.inspector.show()
        qtbot.waitExposed(self.inspector)
        self.document.changed.connect(self.analyze)
        self.analyze()

    def analyze(self, *_):
        self.inspector.set_analysis(analyze(self.document.network))

    def select(self, *ids):
        self.selection.set(ids)
        return self.inspector.panel

    @property
    def panel(self):
        return self.inspector.panel

    def node(self, id):
        return self.document.network.nodes[id]

    def type(self, name, text, key=Qt.Key.Key_Return):
        line = self.panel.fields.form.editor(name).line
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, text)
        QTest.keyClick(line, key)
        return line


@pytest.fixture
def bench(qtbot):
    return Bench(qtbot, NETWORK)


def shown_text(widget):
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())


def test_the_empty_selection_shows_the_network_and_its_totals(bench):
    summary = bench.panel.summary
    assert summary.name.text() == "Test"
    # conv1 16·1·9 + 16, conv2 8·16·9 + 8, fc 8·4·4·10 + 10
    assert summary.figures.values()["Parameters"] == f"{160 + 1160 + 1290:,}"


def test_before_the_first_analysis_nothing_is_said_about_problems(qtbot):
    inspector = Inspector(Document(NETWORK), Selection(), FakeWorkers())
    qtbot.addWidget(inspector)
    inspector.show()
    assert inspector.panel.summary.figures.values() == {"Problems": "being looked for …"}
    inspector.set_analysis(Analysis())  # of the drawing before this one
    assert inspector.panel.summary.figures.values() == {"Problems": "being looked for …"}
    inspector.set_analysis(analyze(NETWORK))
    assert inspector.panel.summary.figures.values()["Problems"] == "none"


def test_the_network_is_renamed_and_the_name_is_never_read_as_markup(bench):
    name = bench.panel.summary.name
    name.setFocus()
    name.selectAll()
    QTest.keyClicks(name, "<b>Big</b> & co")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert bench.document.network.name == "<b>Big</b> & co"
    assert name.text() == "<b>Big</b> & co"


def test_an_empty_network_says_what_to_do_first(qtbot):
    bench = Bench(qtbot, Network())
    assert "palette" in shown_text(bench.panel)


def test_a_selected_wire_shows_the_tensor_that_flows_through(bench):
    bench.selection.set((), (Edge(End("conv1"), End("conv2")),))
    figures = bench.panel.summary.figures.values()
    assert figures["Shape"] == "16 × 6 × 6"
    assert figures["Memory"] == "2.25 KiB"


def test_the_header_shows_kind_shapes_and_cost(bench):
    header = bench.select("conv1").header
    assert header.name.text() == "conv1"
    assert "Convolution" in header.kind.text()
    values = header.figures.values()
    assert values["Input"] == "1 × 8 × 8"
    assert values["Output"] == "16 × 6 × 6"
    assert values["Parameters"] == "160"
    assert values["MACs"] == f"{16 * 9 * 36:,}"


def test_renaming_in_the_header_keeps_wires_and_selection(bench):
    name = bench.select("conv1").header.name
    name.setFocus()
    name.selectAll()
    QTest.keyClicks(name, "stem")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert "stem" in bench.document.network.nodes
    assert Edge(End("image"), End("stem")) in bench.document.network.edges
    assert bench.selection.nodes == ("stem",)
    assert bench.panel.header.name.text() == "stem"


def test_an_id_that_cannot_be_is_kept_and_explained(bench):
    name = bench.select("conv1").header.name
    name.setFocus()
    name.selectAll()
    QTest.keyClicks(name, "fc")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert "conv1" in bench.document.network.nodes
    assert name.text() == "fc"
    assert "already a node 'fc'" in bench.panel.header.trouble.text()
    QTest.keyClick(name, Qt.Key.Key_Escape)
    assert name.text() == "conv1"
    assert not bench.panel.header.trouble.isVisible()


def test_a_field_is_explained_where_it_stands_and_nothing_below_it_moves(bench, qtbot):
    part = bench.select("conv1").fields
    below = bench.panel.what_if

    def said(words):
        qtbot.waitUntil(lambda: words in part.explanation.text())

    qtbot.waitUntil(lambda: below.y() > 0)
    said("Slide out_channels learned windows")  # the layer, while one is at no field
    at = below.y()
    row, at_row = part.form.row("kernel_size"), QPointF(5, 5)
    QApplication.sendEvent(row, QEnterEvent(at_row, at_row, QPointF(row.mapToGlobal(at_row))))
    said("Height and width of the window")
    said("1 to 255")  # its range
    part.form.editor("stride").line.setFocus()
    said("Default: 1")  # the keyboard came last
    QApplication.sendEvent(row, QEvent(QEvent.Type.Leave))
    said("Default: 1")  # and stays
    part.form.editor("stride").line.clearFocus()
    said("Slide out_channels")
    assert below.y() == at


def test_an_edited_field_is_one_undo_step_and_undo_brings_the_editor_back(bench):
    bench.select("conv1")
    line = bench.type("out_channels", "32")
    assert bench.node("conv1").fields["out_channels"] == 32
    assert bench.panel.header.figures.values()["Output"] == "32 × 6 × 6"
    assert bench.document.undo_stack.count() == 1
    bench.document.undo_stack.undo()
    assert line.text() == "16"
    assert bench.document.network == NETWORK


def test_a_value_that_is_the_default_is_left_out_of_the_file(bench):
    bench.select("conv1")
    bench.type("stride", "2")
    assert bench.node("conv1").fields["stride"] == 2
    bench.type("stride", "1")
    assert "stride" not in bench.node("conv1").fields


def test_a_scrub_is_one_undo_step(bench):
    bench.select("conv1")
    label = bench.panel.fields.form.row("out_channels").label
    start = QPoint(5, 5)
    QTest.mousePress(label, Qt.MouseButton.LeftButton, pos=start)
    for way in (12, 24, 36, 60):
        QTest.mouseMove(label, start + QPoint(way, 0))
    QTest.mouseRelease(label, Qt.MouseButton.LeftButton, pos=start + QPoint(60, 0))
    assert bench.node("conv1").fields["out_channels"] == 26
    assert bench.document.undo_stack.count() == 1
    bench.document.undo_stack.undo()
    assert bench.document.network == NETWORK


def test_a_cancelled_scrub_leaves_no_undo_step(bench):
    bench.select("conv1")
    label = bench.panel.fields.form.row("out_channels").label
    QTest.mousePress(label, Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    QTest.mouseMove(label, QPoint(65, 5))
    QTest.keyClick(label, Qt.Key.Key_Escape)
    assert bench.document.network == NETWORK
    assert not bench.document.undo_stack.canUndo()


def test_text_that_says_no_value_outlives_a_look_at_another_layer(bench):
    bench.select("conv1")
    bench.type("out_channels", "lots")
    bench.select("fc")
    bench.select("conv1")
    assert bench.panel.fields.form.editor("out_channels").line.text() == "lots"
    assert "whole number" in bench.panel.fields.form.row("out_channels").message.text()
    assert bench.document.network == NETWORK


def test_text_being_typed_goes_to_its_own_layer_when_another_is_selected(bench):
    bench.select("conv1")
    line = bench.panel.fields.form.editor("out_channels").line
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "32")
    bench.select("conv2")
    assert bench.node("conv1").fields["out_channels"] == 32
    assert bench.node("conv2").fields["out_channels"] == 8


def test_a_problem_is_shown_at_its_field_and_a_click_mends_it(bench):
    bench.select("conv2")
    bench.type("kernel_size", "9")
    row = bench.panel.fields.form.row("kernel_size")
    assert "larger than its padded input" in row.message.text()
    button = bench.panel.problems.findChildren(QPushButton)[0]
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not analyze(bench.document.network).errors
    assert not bench.panel.problems.isVisible()
    bench.document.undo_stack.undo()
    assert bench.node("conv2").fields["kernel_size"] == 9


def test_problems_of_one_layer_are_not_shown_at_the_next_of_its_kind(bench):
    bench.document.edit(edit.set_field(bench.document.network, "conv2", "kernel_size", [31, 31]), "Edit")
    problems = bench.select("conv2").problems
    assert problems.isVisible()
    bench.select("conv1")
    assert not problems.isVisible()
    assert not problems.findChildren(QPushButton, options=Qt.FindChildOption.FindDirectChildrenOnly)
    bench.select("conv2")
    assert problems.isVisible()


def test_several_layers_are_edited_at_once_as_one_step(bench):
    bench.select("conv1", "conv2")
    assert bench.panel.fields.form.editor("out_channels").line.text() == ""
    bench.type("out_channels", "12")
    assert bench.node("conv1").fields["out_channels"] == 12
    assert bench.node("conv2").fields["out_channels"] == 12
    assert bench.document.undo_stack.count() == 1


def test_layers_of_different_kinds_share_only_equal_fields(bench):
    bench.select("conv1", "fc")
    names = set(bench.panel.fields.form.fields)
    both = {f.name for f in LAYERS["Conv2d"].fields} & {f.name for f in LAYERS["Linear"].fields}
    assert names <= both


def choose(box, id):
    """Open the list, walk to the row, take it."""
    box.setFocus()
    box.showPopup()
    index = box.findData(id)
    while box.view().currentIndex().row() != index:
        down = box.view().currentIndex().row() < index
        QTest.keyClick(box.view(), Qt.Key.Key_Down if down else Qt.Key.Key_Up)
    QTest.keyClick(box.view(), Qt.Key.Key_Return)


def test_an_activation_is_chosen_and_its_curve_is_the_newest_answer(bench, qtbot):
    bench.select("fc")
    part = bench.panel.activation
    part.set_open(True)
    choose(part.choice.box, "ReLU")
    assert bench.node("fc").activation == Choice("ReLU")
    qtbot.waitUntil(lambda: ("activation", "ReLU", {}) in bench.workers.asked)
    number = bench.workers.number("activation", "ReLU")
    xs = (-1.0, 0.0, 1.0)
    bench.workers.answered.emit(number - 1 or 99, CurvePreview(number - 1, xs, (9.0, 9.0, 9.0), xs))
    assert not part.plot.curves
    bench.workers.answered.emit(number, CurvePreview(number, xs, (0.0, 0.0, 1.0), (0.0, 0.0, 1.0)))
    assert part.plot.curves[0].y == (0.0, 0.0, 1.0)
    choose(part.choice.box, None)
    assert bench.node("fc").activation is None


def test_an_activations_range_is_told(bench):
    bench.select("conv1")
    assert bench.panel.activation.range.values() == {"Values": "−1 … 1"}


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (Choice("Hardtanh", {"max_val": 2.5}), "−1 … 2.5"),
        (Choice("ELU", {"alpha": 0.5}), "−0.5 … ∞"),
        (Choice("Hardtanh", {"max_val": "high"}), None),
    ],
)
def test_the_range_is_told_in_the_numbers_of_the_fields(bench, choice, told):
    bench.document.edit(edit.set_activation(bench.document.network, "fc", choice), "Choose")
    part = bench.select("fc").activation
    if told is None:
        assert "max_val" in part.plot.message
    else:
        assert part.range.values() == {"Values": told}


def test_a_scheme_is_chosen_drawn_and_described(bench, qtbot):
    bench.select("fc")
    part = bench.panel.init
    part.set_open(True)
    choose(part.editor.box, "xavier_uniform")
    assert bench.node("fc").init["weight"] == Choice("xavier_uniform")
    qtbot.waitUntil(lambda: ("init", "fc", "weight") in bench.workers.asked)
    number = bench.workers.number("init", "fc", "weight")
    edges, counts = (-1.0, 0.0, 1.0), (50, 50)
    event = InitPreview(
        number, "xavier_uniform", (10, 128), edges, counts, (0.5, 0.5), 0.0, 0.577, -1.0, 1.0, 128, 10, 100
    )
    qtbot.waitUntil(lambda: part._preview.waiting == number)
    bench.workers.answered.emit(number, event)
    # Density of 50 of 100 values in a bin of width 1.
    assert part.plot.heights == (0.5, 0.5)
    assert part.figures.values()["Fan in, out"] == "128,  10"
    assert "Glorot" in shown_text(part)
    bench.document.undo_stack.undo()
    assert part.editor.box.currentText() == "torch's default"


def test_a_failed_draw_is_explained_in_place(bench, qtbot):
    bench.select("fc")
    part = bench.panel.init
    qtbot.waitUntil(lambda: ("init", "fc", "weight") in bench.workers.asked)
    qtbot.waitUntil(lambda: part._preview.waiting is not None)
    bench.workers.answered.emit(part._preview.waiting, Failed(1, "The layer has no input yet."))
    assert part.plot.message == "The layer has no input yet."


def test_a_change_upstream_asks_for_a_new_draw(bench, qtbot):
    bench.select("fc")
    qtbot.waitUntil(lambda: ("init", "fc", "weight") in bench.workers.asked)
    before = len(bench.workers.asked)
    network = edit.set_field(bench.document.network, "conv2", "out_channels", 4)
    bench.document.edit(network, "Upstream")
    qtbot.waitUntil(lambda: ("init", "fc", "weight") in bench.workers.asked[before:])


def test_a_scheme_that_does_not_fit_the_parameter_cannot_be_chosen(bench):
    bench.select("fc")
    part = bench.panel.init
    part.parameters.choose("bias")
    box = part.editor.box
    item = box.model().item(box.findData("xavier_uniform"))
    assert not item.isEnabled()
    assert "at least 2 dimensions" in item.toolTip()
    assert box.model().item(box.findData("zeros")).isEnabled()


def test_weights_are_binarized_with_forward_and_backward_drawn(bench, qtbot):
    bench.select("fc")
    part = bench.panel.binarize
    part.set_open(True)
    choose(part.places["weight"].choice.box, "ste_sign")
    assert bench.node("fc").binarize == {"weight": Choice("ste_sign")}
    qtbot.waitUntil(lambda: ("binarizer", "ste_sign", {}) in bench.workers.asked)
    estimator = part.places["weight"]
    number = bench.workers.number("binarizer")
    qtbot.waitUntil(lambda: estimator._preview.waiting == number)
    bench.workers.answered.emit(
        number, CurvePreview(number, (-2.0, 0.0, 2.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 0.0))
    )
    assert estimator.forward.curves[0].y == (-1.0, 1.0, 1.0)
    assert list(estimator.forward.curves[1].y) == [-1.0, 1.0, 1.0]
    assert estimator.backward.curves[0].y == (0.0, 1.0, 0.0)


def test_going_back_to_an_entry_brings_its_fields_back(bench):
    bench.select("fc")
    part = bench.panel.binarize
    part.set_open(True)
    box = part.places["weight"].choice.box
    choose(box, "ste_sign")
    form = part.places["weight"].choice.form
    form.edited.emit("clip_value", 2.5, "")
    choose(box, None)
    choose(box, "ste_sign")
    assert bench.node("fc").binarize["weight"] == Choice("ste_sign", {"clip_value": 2.5})


def test_freezing_and_thawing_leaves_no_trace_in_the_file(bench):
    bench.select("fc")
    part = bench.panel.training
    part.set_open(True)
    QTest.mouseClick(part.form.editor("frozen").switch, Qt.MouseButton.LeftButton)
    assert bench.node("fc").training == Training(frozen=True)
    QTest.mouseClick(part.form.editor("frozen").switch, Qt.MouseButton.LeftButton)
    assert bench.node("fc").training is None


def test_the_learning_rate_factor_takes_numbers_only(bench):
    bench.select("fc")
    part = bench.panel.training
    part.set_open(True)
    line = part.form.editor("lr_multiplier").line
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "true")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert bench.node("fc").training is None
    assert line.text() == "true"
    line.selectAll()
    QTest.keyClicks(line, "0.1")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert bench.node("fc").training == Training(lr_multiplier=0.1)


def test_the_window_moves_while_it_is_seen_and_stops_when_hidden(bench):
    part = bench.select("conv1").window_part
    part.set_open(True)
    assert part.view.running
    part.set_open(False)
    assert not part.view.running
    part.set_open(True)
    assert part.view.running
    bench.inspector.hide()
    assert not part.view.running


def test_the_output_size_is_worked_out_in_numbers(bench):
    part = bench.select("conv1").window_part
    assert part.working.text() == "⌊(8 + 2·0 − 1·(3 − 1) − 1) / 1⌋ + 1 = 6"


@pytest.mark.parametrize("size", [1, 5, 8, 13])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("ceil", [False, True])
def test_the_windows_counted_are_torchs(size, kernel, stride, padding, ceil):
    for dilation in (1, 2):
        if dilation * (kernel - 1) + 1 > size + 2 * padding or padding > kernel // 2:
            continue
        x = torch.zeros(1, 1, size, 1)
        y = torch.nn.functional.max_pool2d(
            x, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1), ceil_mode=ceil
        )
        assert slide(size, kernel, stride, padding, dilation, ceil).output == y.shape[2]


@pytest.mark.parametrize(("size", "output"), [(7, 3), (8, 5), (4, 4), (10, 1)])
def test_adaptive_windows_read_what_torch_reads(size, output):
    x = torch.arange(float(size))[None, None]
    pooled = torch.nn.functional.adaptive_avg_pool1d(x, output)[0, 0].tolist()
    means = [sum(window) / len(window) for window in adapt(size, output).windows]
    assert means == pytest.approx(pooled)


def windowed():
    for type, layer in LAYERS.items():
        if layer.group in ("Convolution", "Pooling") and not type.startswith("Fractional"):
            for fields in (
                {},
                {"stride": 2},
                {"padding": 1},
                {"dilation": 2},
                {"output_padding": 1, "stride": 2},
            ):
                if fields.keys() <= {field.name for field in layer.fields}:
                    yield pytest.param(type, layer.start() | fields, id=f"{type}-{fields}")


@pytest.mark.parametrize(("type", "fields"), list(windowed()))
def test_the_output_size_worked_out_is_torchs_for_every_layer_with_a_window(type, fields):
    size = [4, *[12, 11, 13][: int(type[-2])]]
    network = chain(image=Node("Input", {"shape": size}), x=Node(type, fields))
    told = analyze(network).shapes["x"][1:]
    axes = axes_of(LAYERS[type], fields, size[1:])
    assert len(axes) == len(told)
    for axis, output in zip(axes, told, strict=True):
        assert (axis.size if axis.spreads else axis.output) == output
        assert axis.working.endswith(f"= {output}") or f"→ {output}:" in axis.working


def test_same_padding_keeps_the_size():
    axes = axes_of(LAYERS["Conv2d"], {"out_channels": 1, "kernel_size": 4, "padding": "same"}, (9, 9))
    layer = torch.nn.Conv2d(1, 1, 4, padding="same")
    assert [axis.output for axis in axes] == list(layer(torch.zeros(1, 1, 9, 9)).shape[2:])


def test_every_layer_can_be_looked_at(bench):
    bench.document.replace(Network(nodes={f"{type}_x": edit.new_node(type) for type in LAYERS}))
    for type, layer in LAYERS.items():
        panel = bench.select(f"{type}_x")
        assert panel.header.name.text() == f"{type}_x"
        assert set(panel.fields.form.fields) == {field.name for field in layer.fields}


def test_the_ranges_told_of_activations_are_torchs():
    x = torch.linspace(-1000, 1000, 2_000_001)
    for id, layer in catalog.ACTIVATIONS.items():
        assert layer.values, id
        if (layer.fields and any(field.name == "dim" for field in layer.fields)) or layer.ranks:
            continue
        settings = layer.settings(layer.start())
        call = layer.call(settings, catalog.Inputs(input=catalog.Spec((4, 1))))
        y = construct(call)(x[:, None]).detach()
        told = layer.values
        for field in layer.fields:
            told = told.replace(field.name, f"{getattr(settings, field.name)}")
        bounds = told.replace("−", "-").replace("--", "").split(" … ")
        if len(bounds) == 2:
            for bound, found in zip(bounds, (y.min(), y.max()), strict=True):
                if "∞" in bound:
                    assert abs(found) > 5
                else:
                    assert float(bound) == pytest.approx(float(found), abs=0.006), id


def test_an_unknown_layer_is_shown_with_its_fields_kept(bench):
    bench.document.replace(Network(nodes={"x": Node("Conv9d", {"deep": 3})}))
    panel = bench.select("x")
    assert "Conv9d" in panel.header.kind.text()
    assert "deep = 3" in shown_text(panel.fields)


def test_nothing_is_wider_than_a_narrow_dock(bench, qtbot):
    bench.inspector.resize(260, 900)
    for id in ("conv1", "fc", "image"):
        panel = bench.select(id)
        for section in (panel.binarize, panel.training, panel.about):
            section.set_open(True)
        qtbot.waitUntil(lambda: bench.inspector.viewport().width() == bench.panel.width())
        QApplication.processEvents()  # one panel serves all, and what is written anew is laid out in a moment
        for label in panel.findChildren(QLabel):
            if label.isVisible() and label.text() and not label.wordWrap():
                assert label.width() >= label.sizeHint().width(), label.text()


def test_a_wrapped_field_name_gets_the_height_that_it_needs(bench, qtbot):
    bench.inspector.setStyleSheet("* { font-size: 24px; }")
    bench.inspector.resize(260, 900)
    label = bench.select("conv1").fields.form.row("out_channels").label
    qtbot.waitUntil(lambda: label.heightForWidth(label.width()) > 1.5 * label.fontMetrics().height())
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()))


def test_ticks_are_round_and_few():
    assert ticks(-5, 5, 4) == [-5, 0, 5]
    assert ticks(0, 1, 4) == pytest.approx([0, 0.5, 1])
    assert ticks(1, 1) == []


# ---------------------------------------------------------------------------- recipe


@pytest.fixture
def recipe(qtbot):
    document = Document(NETWORK)
    panel = RecipePanel(document)
    qtbot.addWidget(panel)
    panel.resize(300, 900)
    panel.show()
    qtbot.waitExposed(panel)
    return document, panel


def test_the_recipe_shows_the_documents_own(recipe):
    _document, panel = recipe
    assert panel.length.editor("epochs").line.text() == str(Recipe().epochs)
    assert panel.optimizer.box.currentText() == catalog.OPTIMIZERS["Adam"].title


def test_another_optimizer_and_its_rate_are_two_undo_steps(recipe):
    document, panel = recipe
    choose(panel.optimizer.box, "AdamW")
    line = panel.optimizer.form.editor("lr").line
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "3e-4")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert document.network.recipe.optimizer == Choice("AdamW", {"lr": 3e-4})
    document.undo_stack.undo()
    assert line.text() == "0.001"


def test_another_data_source_drops_the_split_of_the_old_one(recipe):
    document, panel = recipe
    panel.split.edited.emit("validation", 0.3, "")
    assert document.network.recipe.data.split == {"validation": 0.3}
    choose(panel.data.box, "mnist")
    assert document.network.recipe.data == Data("mnist")


def test_epochs_take_whole_numbers_only(recipe):
    document, panel = recipe
    line = panel.length.editor("epochs").line
    for text in ("2.5", "0", "many"):
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, text)
        QTest.keyClick(line, Qt.Key.Key_Return)
        assert line.text() == text
        assert panel.length.row("epochs").message.text()
        assert document.network.recipe.epochs == Recipe().epochs
    line.selectAll()
    QTest.keyClicks(line, "25")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert document.network.recipe.epochs == 25


def test_options_of_training_are_forms_and_defaults_leave_the_file(recipe):
    document, panel = recipe
    names = {name for form in panel.options.values() for name in form.fields}
    assert {"clip_norm", "accumulate", "ema_decay", "patience", "validate_every", "precision"} <= names
    panel.options["steps"].edited.emit("accumulate", 4, "")
    assert document.network.recipe.options == {"accumulate": 4}
    panel.options["averaging"].edited.emit("ema_decay", 0.99, "")
    assert panel.options["averaging"].row("ema_decay").changed
    document.undo_stack.undo()
    panel.options["steps"].edited.emit("accumulate", 1, "")
    assert document.network.recipe.options == {}


def test_another_document_does_not_inherit_unfinished_texts(recipe):
    document, panel = recipe
    line = panel.length.editor("epochs").line
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "many")
    QTest.keyClick(line, Qt.Key.Key_Return)
    document.replace(NETWORK)
    assert line.text() == str(Recipe().epochs)
    assert not panel.length.row("epochs").message.text()


def test_a_problem_of_the_recipe_is_marked_at_its_own_field_alone(recipe):
    document, panel = recipe
    wrong = Recipe(optimizer=Choice("SGD", {"momentum": "much"}), epochs=0)
    document.edit(edit.set_recipe(document.network, wrong), "Spoil")
    panel.set_analysis(analyze(document.network))
    assert "'much' is not a number" in panel.optimizer.form.row("momentum").message.text()
    assert panel.length.row("epochs").message.text()
    assert not panel.length.row("seed").message.text()
    panel.set_analysis(
        Analysis(problems=(Problem("warning", "x", "Look here.", field="recipe.optimizer.lr"),))
    )
    assert panel.optimizer.form.row("lr").message.text() == "Look here."
    assert panel.optimizer.form.editor("lr").line.property("severity") == "warning"


# ---------------------------------------------------------------------------- what if


def test_three_strides_stand_beside_each_other_and_one_is_taken(qtbot):
    bench = Bench(qtbot, NETWORK)
    bench.selection.set(("conv1",))
    part = bench.inspector.panel.what_if
    part.set_open(True)
    part.refresh()
    qtbot.waitUntil(lambda: any(asked[0] == "what_if" for asked in bench.workers.asked))
    asked = next(asked for asked in bench.workers.asked if asked[0] == "what_if")
    request = WhatIf(1, b"", *asked[1:])
    answer = what_if(request, bench.document.network)
    bench.workers.answered.emit(bench.workers.number("what_if"), answer)
    # 8 pixels, window 3: 6 places at stride 1, 3 at 2, 2 at 4 (floor of 5/stride, plus 1)
    assert [cells[0].text().replace("\u200b", "") for cells in part.cells] == ["16×6×6", "16×3×3", "16×2×2"]
    # conv2 (window 3) behind it: sees 3 + 2·stride; at stride 4 its window does not fit into 2 × 2
    assert [cells[2].text() for cells in part.cells[:2]] == ["5 × 5", "7 × 7"]
    assert "conv2" in part.note.text()
    before = bench.document.network
    part.buttons[1].click()
    assert bench.document.network.nodes["conv1"].fields["stride"] == 2
    assert part.buttons[1].isChecked()
    bench.document.undo_stack.undo()
    assert bench.document.network == before


def test_strides_are_asked_for_anew_where_the_recipe_differs_and_not_where_it_is_back(qtbot):
    bench = Bench(qtbot, NETWORK)
    bench.select("conv1").what_if.set_open(True)
    part = bench.panel.what_if

    def asked():
        return sum(name == "what_if" for name, *_ in bench.workers.asked)

    qtbot.waitUntil(lambda: asked() == 1)
    answer = what_if(WhatIf(1, b"", "conv1", None, "conv1", "stride", (1, 2, 4)), NETWORK)
    bench.workers.answered.emit(bench.workers.number("what_if"), answer)
    recipe = msgspec.structs.replace(NETWORK.recipe, data=Data("csv", {"path": "a.csv"}))
    bench.document.edit(edit.set_recipe(NETWORK, recipe), "Set the data")
    qtbot.waitUntil(lambda: asked() == 2)
    other = Variants(2, tuple(msgspec.structs.replace(v, macs=7) for v in answer.variants))
    bench.workers.answered.emit(bench.workers.number("what_if"), other)
    assert [cells[1].text() for cells in part.cells[:2]] == ["7", "7"]
    bench.document.undo_stack.undo()
    qtbot.waitUntil(lambda: part.cells[0][1].text() != "7")  # what was found of it before
    assert asked() == 2


# ---------------------------------------------------------------------------- what it sees


def test_the_receptive_field_is_drawn_on_a_real_example(qtbot):
    bench = Bench(qtbot, NETWORK)
    bench.selection.set(("conv2",))
    part = bench.inspector.panel.sees
    part.set_open(True)
    assert part.view.field == (5, 5)  # two windows of 3
    assert "5 × 5 of the 8 × 8" in part.words.text()
    part.view.resize(202, 82)
    whole, seen = part.view.frames()
    assert (whole.width(), whole.height()) == (80, 80)
    assert (seen.left() - whole.left(), seen.top() - whole.top()) == (10, 10)  # (8 − 5) // 2 pixels of 10
    assert (seen.width(), seen.height()) == (50, 50)
    part.fetch.click()
    recipe = bench.document.network.recipe
    view = look_at(recipe.data, recipe.seed)
    bench.workers.answered.emit(bench.workers.number("look"), DataLooked(1, view))
    first = next(sample for sample in view.samples if sample.picture)
    image = part.view.image
    shown = [image.pixelColor(x, y).red() for y in range(8) for x in range(8)]
    assert shown == list(first.picture)
    assert part.fetch.isHidden()


def test_a_curve_is_drawn_anew_where_its_plot_is_another(qtbot):
    def pictured(plot, width, curve):
        plot.resize(width, 150)
        plot.set_curves((curve,))
        return plot.grab().toImage()

    rising, falling = (
        Curve("f", (0.0, 1.0, 2.0), y, "accent", filled=True) for y in ((0.0, 1.0, 4.0), (4.0, 1.0, 0.0))
    )
    plot = CurvePlot("Curve")
    qtbot.addWidget(plot)
    seen = [pictured(plot, 200, rising), pictured(plot, 200, falling), pictured(plot, 300, falling)]
    plot.resize(200, 150)
    seen.append(plot.grab().toImage())
    for found, width, curve in zip(
        seen, (200, 200, 300, 200), (rising, falling, falling, falling), strict=True
    ):
        fresh = CurvePlot("Curve")
        qtbot.addWidget(fresh)
        assert found == pictured(fresh, width, curve)
    assert seen[0] != seen[1]
