"""The inspector beside a real example: the window over the real input, and where real values fall on a curve."""

import gc
import weakref

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtWidgets import QApplication

from engine import edit
from engine.analysis import analyze
from engine.compile import build
from engine.data import load
from engine.host.previews import preview_activation
from engine.host.protocol import Failed, Respond
from engine.network import Block, Choice, Data, Edge, End, Node
from engine.training.responses import respond
from gui.document import Document
from gui.inspector import Inspector
from gui.inspector.example import REST
from gui.selection import Selection
from gui.session import Session
from tests import gui_helpers as hands
from tests.networks import chain
from tests.test_inspector import NETWORK, Bench, FakeWorkers

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return Bench(qtbot, NETWORK)


def answer(bench):
    """What a host says to the newest question for an example."""
    number = bench.workers.number("respond")
    bench.workers.answered.emit(number, respond(Respond(number, b""), bench.document.network))


def open_window(bench, qtbot, id="conv1"):
    """The window's view of a layer, as large as it wants to be."""
    part = bench.select(id).window_part
    part.set_open(True)
    part.fetch.click()
    answer(bench)
    qtbot.waitUntil(lambda: part.view.width() > 200 and part.view.height() > 80)
    return part.view


def layers(network):
    """The first validation example, and what the first convolution makes of it, before and after its activation."""
    model = build(network, seed=network.recipe.seed).eval()
    image = load(network.recipe.data, network.recipe.seed).splits["validation"].inputs["input"][:1]
    with torch.no_grad():
        into = model.conv1(image)
        return image[0].numpy(), into[0].numpy(), torch.tanh(into)[0].numpy()


def test_the_window_moves_over_what_the_layer_really_reads_and_fills_in_what_it_gives(bench):
    part = bench.select("conv1").window_part
    assert part.view.source is None
    part.fetch.click()
    assert bench.workers.asked[-1] == ("respond", None, "validation", 0)
    assert not part.fetch.isEnabled()
    answer(bench)
    image, _, given = layers(bench.document.network)
    assert part.view.source.shape == (8, 8)
    assert np.abs(part.view.source - image[0]).max() <= np.abs(image).max() / 254 + 1e-6  # 8 bits
    assert part.view.result.shape == (6, 6)
    assert np.abs(part.view.result - given[0]).max() <= np.abs(given).max() / 254 + 1e-6
    assert part.fetch.isHidden()
    assert "channel 1 of 16" in part.note.text()
    assert "as first drawn" in part.note.text()
    assert part.view.running


def test_pixels_of_the_example_are_seen_in_the_cells(bench, qtbot):
    view = open_window(bench, qtbot)
    source, _, cell = view._frames()
    image = view.grab().toImage()
    ratio = image.devicePixelRatio()
    row, column = 7, 5  # not under the window, which begins at the top left

    def seen(frame, row, column):
        x, y = frame.left() + (column + 0.5) * cell, frame.top() + (row + 0.5) * cell
        return image.pixelColor(round(x * ratio), round(y * ratio)).lightnessF()

    strength = view.source / np.abs(view.source).max()
    places = [(r, c) for r in range(4, 8) for c in range(8)]
    lightness = np.array([seen(source, r, c) for r, c in places])
    inked = np.array([strength[r, c] for r, c in places])
    assert np.corrcoef(lightness, inked)[0, 1] < -0.95  # ink on a light ground
    assert seen(source, row, column) == pytest.approx(lightness[places.index((row, column))])


def test_the_second_layer_reads_what_the_first_gives(bench):
    part = bench.select("conv2").window_part
    part.fetch.click()
    answer(bench)
    _, _, given = layers(bench.document.network)
    assert np.abs(part.view.source - given[0]).max() <= np.abs(given).max() / 254 + 1e-6


def test_the_pointer_over_an_output_brings_the_window_to_what_it_reads(bench, qtbot):
    view = open_window(bench, qtbot)
    _, out, cell = view._frames()
    hands.move(view, QPoint(round(out.left() + 3.5 * cell), round(out.top() + 2.5 * cell)))
    window = view._window(view._index)
    assert (window.y(), window.x(), window.height(), window.width()) == (2, 3, 3, 3)
    assert not view.running  # it waits


def test_an_edit_sends_the_example_through_again_and_other_data_do_not(bench, qtbot):
    part = bench.select("conv1").window_part
    part.fetch.click()
    answer(bench)
    asked = len(bench.workers.asked)
    bench.document.edit(edit.set_field(bench.document.network, "conv1", "kernel_size", [5, 5]), "Edit")
    qtbot.waitUntil(lambda: any(what[0] == "respond" for what in bench.workers.asked[asked:]))
    answer(bench)
    assert part.view.result.shape == (4, 4)
    network = bench.document.network
    wines = replace(network.recipe.data, source="wine")
    bench.document.edit(edit.set_recipe(network, replace(network.recipe, data=wines)), "Other data")
    assert part.view.source is None
    assert not part.fetch.isHidden()


def test_an_example_that_cannot_be_had_is_explained_in_place(bench):
    part = bench.select("conv1").window_part
    part.fetch.click()
    bench.workers.answered.emit(bench.workers.number("respond"), Failed(1, "The data cannot be read: gone."))
    assert "The data cannot be read: gone." in part.note.text()
    assert part.fetch.isEnabled()


@pytest.mark.parametrize("activation", ["Tanh", "ReLU", "Sigmoid"])
def test_real_values_fall_where_torch_says_on_the_curve(bench, qtbot, activation):
    bench.document.edit(edit.set_activation(bench.document.network, "conv1", Choice(activation)), "Edit")
    part = bench.select("conv1").activation
    qtbot.waitUntil(lambda: any(what[:2] == ("activation", activation) for what in bench.workers.asked))
    number = bench.workers.number("activation", activation)
    bench.workers.answered.emit(number, preview_activation(number, activation, {}))
    part.fetch.click()
    answer(bench)
    _, into, _ = layers(bench.document.network)
    edges, shares = part.plot.falls
    assert (edges[0], edges[-1]) == pytest.approx((into.min(), into.max()), rel=1e-5)
    assert sum(shares) == pytest.approx(1)
    exact = torch.tensor(into.ravel(), requires_grad=True)
    getattr(torch.nn, activation)()(exact).sum().backward()
    flat = float((exact.grad.abs() < 0.05).float().mean())
    told = part.range.values()["Where it is flat"]
    assert int(told.removesuffix("%")) / 100 == pytest.approx(flat, abs=0.04)  # within a bin at either side


def test_within_a_block_it_is_said_of_which_use_the_values_are(qtbot):
    conv = Node("Conv2d", {"out_channels": 1, "kernel_size": 3, "padding": 1}, activation=Choice("ReLU"))
    body = Block(
        nodes={"x": Node("Input"), "conv": conv, "y": Node("Output")},
        edges=(Edge(End("x"), End("conv")), Edge(End("conv"), End("y"))),
    )
    network = chain(
        ("twice", Node("Block", block="Body", repeat=2)),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )
    bench = Bench(qtbot, replace(network, blocks={"Body": body}))
    bench.selection.show_block("Body")
    part = bench.select("conv").activation
    part.fetch.click()
    answer(bench)
    assert part.said.text().startswith("Bars: what comes in at twice.0.conv, the first of 2 uses. ")


def test_an_activation_that_is_a_layer_shows_what_the_layer_before_it_gives(qtbot):
    network = edit.insert_on_edge(
        edit.add_node(NETWORK, "act", Node("ReLU")),
        next(edge for edge in NETWORK.edges if edge.source.node == "conv2"),
        "act",
    )
    bench = Bench(qtbot, network)
    part = bench.select("act").activation
    part.fetch.click()
    answer(bench)
    edges, shares = part.plot.falls
    assert edges[0] < 0 < edges[-1]  # a convolution's outputs lie on both sides
    assert sum(shares) == pytest.approx(1)


def test_a_closed_inspector_lets_go_of_its_document(qtbot):
    def used():
        document, selection = Document(NETWORK), Selection()
        inspector = Inspector(document, selection, FakeWorkers())
        inspector.show()
        for id in NETWORK.nodes:
            selection.set((id,))
        inspector.close()
        inspector.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        return weakref.ref(document), weakref.ref(inspector)

    held = used()
    gc.collect()
    assert [ref() is None for ref in held] == [True, True]


def looked(bench):
    """How often an example was asked for."""
    return sum(what[0] == "respond" for what in bench.workers.asked)


def test_an_example_comes_by_itself_while_someone_looks(bench, qtbot):
    part = bench.select("conv1").window_part
    part.set_open(True)
    qtbot.waitUntil(lambda: looked(bench) == 1)
    answer(bench)
    assert part.view.source.shape == (8, 8)
    assert part.fetch.isHidden()
    sees = bench.panel.sees
    sees.set_open(True)
    qtbot.waitUntil(lambda: any(what[0] == "look" for what in bench.workers.asked))
    bench.select("conv2")
    bench.select("conv1")
    qtbot.wait(2 * REST)
    assert looked(bench) == 1  # it is there already


def test_files_that_the_document_names_are_read_only_when_asked(qtbot, tmp_path):
    data = Data("csv", {"path": str(tmp_path / "secret.csv")})
    bench = Bench(qtbot, replace(NETWORK, recipe=replace(NETWORK.recipe, data=data)))
    bench.analyze = lambda *_: None
    bench.inspector.set_analysis(replace(analyze(NETWORK), problems=()))
    part = bench.select("conv1").window_part
    part.set_open(True)
    qtbot.wait(2 * REST)
    assert looked(bench) == 0
    part.fetch.click()
    assert looked(bench) == 1


def test_a_large_network_is_sent_an_example_only_when_asked(qtbot):
    network = edit.set_field(NETWORK, "fc", "out_features", 50_000)  # 16 · 8 · 50,000 weights and more
    bench = Bench(qtbot, network)
    part = bench.select("conv1").window_part
    part.set_open(True)
    qtbot.wait(2 * REST)
    assert looked(bench) == 0


def test_nobody_is_told_why_an_example_cannot_be_had_that_nobody_asked_for(bench, qtbot):
    part = bench.select("conv1").window_part
    part.set_open(True)
    qtbot.waitUntil(lambda: looked(bench) == 1)
    bench.workers.answered.emit(bench.workers.number("respond"), Failed(1, "There is no such file."))
    assert "no such file" not in part.note.text()
    assert part.fetch.isEnabled()
    part.fetch.click()
    bench.workers.answered.emit(bench.workers.number("respond"), Failed(2, "There is no such file."))
    assert "There is no such file." in part.note.text()


def test_while_a_network_is_wrong_no_old_example_stands_in_its_window(bench, qtbot):
    part = bench.select("conv1").window_part
    part.set_open(True)
    qtbot.waitUntil(lambda: looked(bench) == 1)
    answer(bench)
    bench.document.edit(edit.set_field(bench.document.network, "conv2", "kernel_size", [31, 31]), "Edit")
    qtbot.waitUntil(lambda: part.view.source is None)
    bench.document.undo_stack.undo()
    qtbot.waitUntil(lambda: looked(bench) == 2)


def test_the_example_follows_the_weights_of_a_run_and_of_the_step_that_is_looked_at(qtbot):
    class WithRun(FakeWorkers):
        def __init__(self):
            super().__init__()
            self.session = Session()

    bench = Bench(qtbot, NETWORK, WithRun())
    session = bench.workers.session
    part = bench.select("conv1").window_part
    part.set_open(True)
    qtbot.waitUntil(lambda: looked(bench) == 1)
    answer(bench)
    session.state, session.kept = "running", [20, 40]
    session.weights_kept.emit([20, 40])
    qtbot.waitUntil(lambda: bench.workers.asked[-1] == ("respond", None, "validation", 0, 40))
    answer(bench)
    session.at = 25
    session.sought.emit(session.at)
    qtbot.waitUntil(lambda: bench.workers.asked[-1] == ("respond", None, "validation", 0, 20))
    answer(bench)
    before = looked(bench)
    session.weights_kept.emit([20, 40])  # of no concern while step 25 is looked at
    bench.inspector.hide()
    session.at = None
    session.sought.emit(session.at)
    qtbot.wait(2 * REST)
    assert looked(bench) == before  # nobody looks
    bench.inspector.show()
    qtbot.waitUntil(lambda: looked(bench) == before + 1)


def settle(bench, qtbot):
    """Answer until nothing is owed."""
    while bench.inspector.pending:
        if bench.inspector._desk.example.waiting:
            answer(bench)
        qtbot.wait(20)


@pytest.mark.parametrize(
    ("field", "value"),
    [("stride", [2, 2]), ("kernel_size", [5, 5]), ("padding", [1, 1]), ("dilation", [2, 2])],
)
def test_values_of_before_an_edit_do_not_stand_in_a_window_of_other_sizes(bench, qtbot, field, value):
    view = open_window(bench, qtbot)
    settle(bench, qtbot)
    asked = looked(bench)
    bench.document.edit(edit.set_field(bench.document.network, "conv1", field, value), "Edit")
    assert view.source is None
    qtbot.waitUntil(lambda: looked(bench) > asked)
    answer(bench)
    assert view.source is not None


def test_values_of_before_an_edit_that_changes_no_size_are_said_to_be_that(bench, qtbot):
    view = open_window(bench, qtbot)
    settle(bench, qtbot)
    part, asked = bench.panel.window_part, looked(bench)
    kept = view.result.copy()
    network = edit.set_init(bench.document.network, "conv1", "weight", Choice("ones"))
    bench.document.edit(network, "Edit")
    assert (view.result == kept).all()
    assert "As before the edit" in part.note.text()
    qtbot.waitUntil(lambda: looked(bench) > asked)
    answer(bench)
    assert "before the edit" not in part.note.text()
    assert not (view.result == kept).all()
