"""Maps before training, as the fields of a layer change: told anew, or told why not; never old ones as new."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PySide6.QtCore import QObject, Signal

from engine import edit
from engine.compile import build
from engine.data import load
from engine.host.protocol import Failed, Respond
from engine.host.server import explain
from engine.network import Choice, Data, Network, Node, Recipe
from engine.problems import DataProblem, NetworkProblem
from engine.training.responses import respond
from gui.document import Document
from gui.panels import ResponsesPanel
from gui.panels.responses import BEFORE
from gui.selection import Selection
from gui.session import Session
from tests.networks import chain

pytestmark = pytest.mark.gui

NETWORK = edit.set_recipe(
    chain(
        ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3}, activation=Choice("ReLU"))),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    ),
    Recipe(data=Data("digits"), loss=Choice("CrossEntropyLoss"), optimizer=Choice("Adam")),
)


class Host(QObject):
    """Answers when it is told to, with what the engine finds of the document as it was when it was asked."""

    answered = Signal(int, object)

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document = document
        self.asked: list[Network] = []
        #: Draws what has come in.
        self.shown = lambda: None

    def respond(self, run, split="validation", index=0, values=(), step=None) -> int:
        self.asked.append(self.document.network)
        return len(self.asked)

    def boundary(self, run, node=None, unit=0, step=None) -> int:
        return self.respond(run)

    def answer(self, failing: Exception | None = None) -> None:
        number = len(self.asked)
        try:
            if failing is not None:
                raise failing
            event = respond(Respond(number, b""), self.asked[-1])
        except (NetworkProblem, DataProblem, RuntimeError) as problem:
            event = Failed(number, explain(problem, batches=False))
        self.answered.emit(number, event)
        self.shown()


@pytest.fixture
def walk(qtbot):
    """A panel that shows an example's maps, and its host."""
    document = Document(NETWORK)
    host = Host(document)
    panel = ResponsesPanel(document, Session(), Selection(), host)
    qtbot.addWidget(panel)
    host.shown = panel.flush
    panel.resize(520, 420)
    panel.show()
    qtbot.waitUntil(lambda: len(host.asked) == 1)
    host.answer()
    assert panel.shown.currentWidget() is panel._scroll
    return panel, host, qtbot


def make(walk, after: Network) -> None:
    """Edit, and see at once that what is shown is of before; then wait until it is asked again."""
    panel, host, qtbot = walk
    asked, shown = len(host.asked), panel.cells.responded is not None
    panel._document.edit(after, "Edit")
    if shown:
        assert panel.status.text() == BEFORE
    qtbot.waitUntil(lambda: len(host.asked) == asked + 1)
    assert host.asked[-1] is after


def torchs_own(network: Network) -> np.ndarray:
    """The convolution's maps of the first validation example, by torch."""
    model = build(network, seed=network.recipe.seed).eval()
    image = load(network.recipe.data, network.recipe.seed).splits["validation"].inputs["input"][:1]
    seen = {}
    model.conv.register_forward_hook(lambda module, inputs, output: seen.update(conv=output))
    with torch.inference_mode():
        model(image)
    activation = network.nodes["conv"].activation
    function = {"ReLU": torch.relu, "Tanh": torch.tanh}[activation.id]
    return function(seen["conv"])[0].numpy()


@pytest.mark.parametrize(
    "change",
    [
        lambda n: edit.set_field(n, "conv", "stride", 2),
        lambda n: edit.set_field(n, "conv", "kernel_size", 5),
        lambda n: edit.set_field(n, "conv", "out_channels", 7),
        lambda n: edit.set_activation(n, "conv", Choice("Tanh")),
    ],
    ids=["stride", "kernel", "channels", "activation"],
)
def test_maps_follow_each_edit_and_equal_torchs_own(walk, change) -> None:
    panel, host, _ = walk
    after = change(NETWORK)
    make(walk, after)
    host.answer()
    assert "before the edit" not in panel.status.text()
    found = panel.cells.responded.nodes["conv"]
    expected = torchs_own(after)
    assert found.shape == expected.shape
    values = np.frombuffer(found.seen.values, np.int8).reshape(expected.shape) * (found.seen.scale / 127)
    assert np.abs(values - expected).max() <= found.seen.scale / 127


def test_an_edit_that_cannot_be_is_told_in_the_place_of_the_maps_until_it_is_mended(walk) -> None:
    panel, host, _ = walk
    make(walk, edit.set_field(NETWORK, "conv", "kernel_size", 31))
    host.answer()
    assert panel.cells.responded is None
    assert panel.shown.currentWidget() is panel.said
    assert "conv" in panel._trouble
    assert "kernel" in panel._trouble
    make(walk, NETWORK)
    host.answer()
    assert panel.shown.currentWidget() is panel._scroll


def test_data_that_are_not_there_are_told_in_the_place_of_the_maps(walk, tmp_path) -> None:
    panel, host, qtbot = walk
    missing = Data("mnist", {"folder": str(tmp_path / "nowhere")})
    after = edit.set_recipe(NETWORK, Recipe(data=missing, loss=NETWORK.recipe.loss))
    panel._document.edit(after, "Edit")
    assert panel.cells.responded is None  # at once: they were of other examples
    qtbot.waitUntil(lambda: host.asked[-1] is after)
    host.answer()
    assert panel.shown.currentWidget() is panel.said
    assert str(tmp_path / "nowhere") in panel._trouble


def test_memory_that_ran_out_is_told_in_the_place_of_the_maps_with_a_way_out(walk) -> None:
    panel, host, _ = walk
    make(walk, edit.set_field(NETWORK, "conv", "out_channels", 60_000))
    try:
        torch.empty(10**15)
    except RuntimeError as problem:
        host.answer(failing=problem)
    assert panel.shown.currentWidget() is panel.said
    assert panel._trouble == "Memory ran out. Make the network smaller, or close other programs."
    make(walk, NETWORK)
    host.answer()
    assert panel.shown.currentWidget() is panel._scroll


def test_an_answer_to_what_was_drawn_before_is_not_shown_as_that_of_the_drawing(walk) -> None:
    panel, host, qtbot = walk
    make(walk, edit.set_field(NETWORK, "conv", "stride", 2))
    last = edit.set_field(NETWORK, "conv", "stride", 3)
    panel._document.edit(last, "Edit")  # while an answer is owed
    host.answer()
    assert panel.status.text() == BEFORE
    assert panel.cells.responded.nodes["conv"].shape == (4, 3, 3)
    qtbot.waitUntil(lambda: host.asked[-1] is last)
    host.answer()
    assert panel.status.text() != BEFORE
    assert panel.cells.responded.nodes["conv"].shape == (4, 2, 2)


def test_maps_of_before_an_edit_are_pale(walk) -> None:
    panel, host, qtbot = walk
    fresh = panel.cells.grab().toImage()
    make(walk, edit.set_activation(NETWORK, "conv", Choice("Tanh")))
    pale = panel.cells.grab().toImage()
    assert pale != fresh
    panel._document.undo_stack.undo()
    host.answer()  # of before the undo
    assert panel.status.text() == BEFORE
    qtbot.waitUntil(lambda: host.asked[-1] is panel._document.network)
    host.answer()
    assert panel.cells.grab().toImage() == fresh
