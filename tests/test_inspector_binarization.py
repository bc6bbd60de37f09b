"""The inspector on binarization: real values on the curves, live and afterwards, and why a plain sign learns nothing."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("PySide6")
from PySide6.QtCore import QObject, Signal

from engine import edit
from engine.analysis import analyze
from engine.host.protocol import BinaryInput, BinaryWeight, Distribution, EstimatorSeen, Failed, Observation
from engine.templates import template
from gui.document import Document
from gui.inspector import Inspector
from gui.selection import Selection
from gui.session import Session

pytestmark = pytest.mark.gui

NETWORK = template("digits_binarized_mlp").network
COUNTS = tuple(range(64))


def values(lo: float, hi: float) -> Distribution:
    return Distribution(lo, hi, COUNTS, 0.01, 0.5, 3.0, 0.0)


def answer(number: int, node: str = "fc2", place: str = "input") -> EstimatorSeen:
    return EstimatorSeen(
        number, node, place, "as first drawn", 64, values(-3.0, 3.0), 0.336, 0.0411, 0.0,
        ("fc1.weight", "fc2.weight", "fc3.weight"), ("fc3.weight",), 3,
    )  # fmt: skip


class Workers(QObject):
    """Notes what is asked; has a run."""

    answered = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.session = Session()
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("preview_", "what_if", "look_")):
            return lambda *what: self.asked.append((name, *what)) or len(self.asked)
        raise AttributeError(name)

    def looks(self) -> list[tuple[Any, ...]]:
        return [what[1:] for what in self.asked if what[0] == "look_at_estimator"]


class Bench:
    def __init__(self, qtbot: Any) -> None:
        self.qtbot = qtbot
        self.document, self.selection, self.workers = Document(NETWORK), Selection(), Workers()
        self.inspector = Inspector(self.document, self.selection, self.workers)  # type: ignore[arg-type]
        qtbot.addWidget(self.inspector)
        self.inspector.set_analysis(analyze(NETWORK))
        self.selection.set(("fc2",))
        self.inspector.show()
        self.part.set_open(True)

    @property
    def part(self) -> Any:
        return self.inspector.panel.binarize  # type: ignore[union-attr]

    @property
    def input(self) -> Any:
        return self.part.places["input"]

    def answer(self, event: object = None) -> None:
        """Wait for the question about the input, and answer it."""
        self.qtbot.waitUntil(lambda: self.input._look.waiting is not None)
        number = self.input._look.waiting
        self.workers.answered.emit(number, answer(number) if event is None else event)


@pytest.fixture
def bench(qtbot: Any) -> Any:
    made = Bench(qtbot)
    yield made
    made.part.set_open(False)


def test_where_real_values_fall_is_drawn_and_what_a_plain_sign_would_do_is_said(bench: Any) -> None:
    bench.answer()
    for plot in (bench.input.forward, bench.input.backward):
        edges, shares = plot.falls
        assert (edges[0], edges[-1]) == (-3.0, 3.0)
        assert shares == tuple(count / sum(COUNTS) for count in COUNTS)
    shown = bench.input.figures.values()
    assert shown["Gradient masked"] == "33.6%"
    assert shown["Gradient behind it"] == "0.0411"
    assert shown["… by a plain sign"] == "0"
    words = bench.input.plain.text()
    assert "3 of 3 weight matrices get a gradient" in words
    assert "with plain signs 1: fc3" in words
    assert "64 examples (as first drawn)" in words


def test_what_was_found_in_one_document_is_not_shown_in_another_of_the_same_names(bench: Any) -> None:
    bench.answer()
    assert bench.input.figures.isVisible()
    bench.selection.set()
    other = edit.set_field(NETWORK, "fc1", "out_features", 32)
    bench.document.replace(other)
    bench.inspector.set_analysis(analyze(other))
    bench.selection.set(("fc2",))
    assert not bench.input.figures.isVisible()
    assert not bench.input.plain.isVisible()
    assert not bench.input.forward.falls[1]
    bench.selection.set()
    bench.document.replace(NETWORK)
    bench.inspector.set_analysis(analyze(NETWORK))
    bench.selection.set(("fc2",))
    assert bench.input.figures.values()["Gradient masked"] == "33.6%"  # it is known


def test_nothing_is_asked_while_folded_and_one_thing_at_a_time(bench: Any, qtbot: Any) -> None:
    bench.answer()
    asked = len(bench.workers.looks())
    bench.part.set_open(False)
    edit = bench.document.network
    from engine import edit as edits
    from tests.networks import choice

    bench.document.edit(edits.set_binarize(edit, "fc2", "input", choice("approx_sign")), "Other")
    bench.inspector.refresh()
    assert len(bench.workers.looks()) == asked
    bench.part.set_open(True)
    qtbot.waitUntil(lambda: bench.input._look.waiting is not None)
    waited = bench.input._look.waiting
    bench.document.edit(edits.set_binarize(edit, "fc2", "input", choice("swish_sign")), "Another")
    bench.inspector.refresh()
    assert bench.input._look.waiting == waited
    # The answer to the question that is out of date brings the next one.
    bench.workers.answered.emit(waited, answer(waited))
    qtbot.waitUntil(lambda: bench.input._look.waiting not in (None, waited))


def test_a_run_that_goes_on_shows_its_own_values(bench: Any) -> None:
    bench.answer()
    session = bench.workers.session
    session.begin(NETWORK, "run")
    session.set_state("running")
    weight = BinaryWeight(0.01, 0.5, 0.05, 0.0, 0.25, (1,) * 17, (), 64)
    session.take(
        Observation(
            120, 1.0, {"fc2.weight": values(-0.2, 0.2)}, {},
            binary_weights={"fc2.weight": weight},
            binary_inputs={"fc2": BinaryInput(values(-5.0, 4.0), 0.5, 0.4)},
        )
    )  # fmt: skip
    edges = bench.input.forward.falls[0]
    assert (edges[0], edges[-1]) == (-5.0, 4.0)
    assert bench.input.figures.values()["Gradient masked"] == "40.0%"
    of_weight = bench.part.places["weight"]
    assert of_weight.forward.falls[0][-1] == pytest.approx(0.2)
    assert of_weight.figures.values()["Gradient masked"] == "25.0%"
    # When it is over, its weights are looked at on a batch.
    session.set_state("finished")
    bench.qtbot.waitUntil(lambda: ("fc2", "input", "run") in bench.workers.looks())


def test_why_it_cannot_be_looked_at_is_said(bench: Any) -> None:
    bench.answer(Failed(0, "The MNIST files are not here yet."))
    assert bench.input.plain.text() == "The MNIST files are not here yet."
    assert bench.input.forward.falls == ((), ())
