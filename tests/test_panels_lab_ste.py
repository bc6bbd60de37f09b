"""The binarization laboratory's panel: what it shows live and after, what it asks, what a click does."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QListWidget, QTableView
from pytestqt.qtbot import QtBot

import engine
from engine import lab_binary as lab
from engine.analysis import analyze
from engine.binary_cost import binary_costs, total
from engine.host.protocol import BinaryMeasured, Event, Failed, Metrics, Observation, RunStarted, RunState
from engine.lab import Race
from engine.network import Network, Node, Recipe
from engine.training import lab_binary
from gui.binarizing import BinarizeDialog
from gui.document import Document
from gui.panels import BinaryLabPanel
from gui.panels.estimators import remark
from gui.panels.measures import MEASURES, Reader
from gui.panels.signs import INPUT
from gui.selection import Selection
from gui.session import Session
from tests.gui_helpers import click
from tests.networks import chain, choice
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui

BOTH = {"weight": choice("ste_sign"), "input": choice("ste_sign")}


def drawn(**binarize: object) -> Network:
    return chain(
        ("flat", Node("Flatten")),
        ("norm0", Node("BatchNorm1d")),
        ("fc1", Node("Linear", {"out_features": 16, "bias": False}, binarize=binarize or BOTH)),  # type: ignore[arg-type]
        ("norm1", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(epochs=20, optimizer=choice("Adam", lr=0.02)),
    )


@pytest.fixture(scope="module")
def network() -> Network:
    return drawn()


@pytest.fixture(scope="module")
def events(network: Network, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What a real run tells."""
    told: list[Event] = []
    engine.train(network, run_dir=str(tmp_path_factory.mktemp("runs")), device="cpu", emit=told.append)
    return [e for e in told if isinstance(e, Metrics | Observation | RunStarted | RunState)]


@pytest.fixture(scope="module")
def report(network: Network) -> lab.BinaryReport:
    return lab_binary.measure(network, samples=8)


class Hosts(QObject):
    """Notes what is asked; the test answers."""

    answered = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str | None, int, str | None]] = []

    def binary_laboratory(self, run: str | None = None, race: int = 0, estimators: str | None = None) -> int:
        self.asked.append((run, race, estimators))
        return len(self.asked)

    def answer(self, event: object) -> None:
        self.answered.emit(len(self.asked), event)


class Bench:
    """A panel with all that it listens to."""

    def __init__(self, qtbot: QtBot, network: Network) -> None:
        self.document, self.selection = Document(network), Selection()
        self.session, self.hosts = Session(), Hosts()
        self.panel = BinaryLabPanel(self.document, self.selection, self.session, self.hosts)
        qtbot.addWidget(self.panel)
        self.panel.resize(1140, 600)
        self.panel.set_analysis(analyze(network))
        self.panel.show()
        self.panel.flush()

    def tell(self, events: list[Event]) -> None:
        self.session.begin(self.document.network, "run")
        for event in events:
            self.session.take(event)
        self.panel.flush()
        self.panel.signs.flush()


@pytest.fixture
def bench(qtbot: QtBot, network: Network) -> Bench:
    return Bench(qtbot, network)


def click_row(view: QTableView | QListWidget, row: int) -> None:
    rect = view.visualRect(view.model().index(row, 0))
    click(view.viewport(), rect.topLeft() + QPoint(10, rect.height() // 2))


class TestEmpty:
    def test_a_real_network_is_offered_to_be_binarized(self, qtbot: QtBot, network: Network) -> None:
        bench = Bench(qtbot, lab.without_estimators(network))
        assert bench.panel.is_empty
        assert "Nothing is binarized" in bench.panel.empty.title.text()
        with qtbot.waitSignal(bench.panel.binarize_wanted):
            qtbot.mouseClick(bench.panel.binarize, Qt.MouseButton.LeftButton)
        bench.document.edit(network, "Binarize")
        bench.panel.flush()
        assert not bench.panel.is_empty

    def test_before_a_run_the_signs_say_how_to_see_them(self, bench: Bench) -> None:
        bench.panel.signs.flush()
        assert bench.panel.signs.is_empty
        assert "Press Train" in bench.panel.signs.empty.hint.text()


class TestSigns:
    def test_weights_and_inputs_are_listed_with_the_flips_of_the_last_looks(
        self, bench: Bench, events: list[Event]
    ) -> None:
        bench.tell(events)
        signs = bench.panel.signs
        assert signs.parameters.list.names == ("fc1.weight", "fc1" + INPUT)
        seen = [e for e in events if isinstance(e, Observation)]
        begun = next(e for e in events if isinstance(e, RunStarted))
        recent = [o.binary_weights["fc1.weight"].flip_rate for o in seen[-5:]]
        (measured,) = signs.parameters.list.values
        assert measured["fc1.weight"] == pytest.approx(
            100 * begun.steps_per_epoch * sum(recent) / len(recent)
        )
        # What has no flips shows none.
        assert "fc1" + INPUT not in measured

    def test_the_figures_are_those_of_the_newest_look(self, bench: Bench, events: list[Event]) -> None:
        bench.tell(events)
        newest = [e for e in events if isinstance(e, Observation)][-1].binary_weights["fc1.weight"]
        curves = {plot.trend.title: plot.curve.getData()[1] for plot in bench.panel.signs.trend_plots}
        assert curves["Flips a step"][-1] == pytest.approx(newest.flip_rate)
        assert curves["Near zero"][-1] == pytest.approx(newest.near_zero)
        assert f"{newest.followed:,} weights" in bench.panel.signs.flopping.text()

    def test_a_click_on_a_flip_flopping_weight_selects_its_layer(
        self, bench: Bench, events: list[Event]
    ) -> None:
        begun = [e for e in events if isinstance(e, RunStarted)]
        last = [e for e in events if isinstance(e, Observation)][-1]
        restless = replace(
            last.binary_weights["fc1.weight"],
            per_weight=(1022, 0, 0, 0, 0, 0, 0, 1, 0, 1, *[0] * 7),
            restless=((130, 9), (3, 7)),
        )
        bench.tell([*begun, replace(last, binary_weights={"fc1.weight": restless})])
        listed = bench.panel.signs.restless
        # 130 is row 2, column 2 of 16 x 64.
        assert [listed.item(i).text() for i in range(2)] == ["[2, 2]   9 of 16", "[0, 3]   7 of 16"]
        assert "2 of 1,024 weights" in bench.panel.signs.flopping.text()
        bench.selection.set([])
        click_row(listed, 0)
        assert list(bench.selection.nodes) == ["fc1"]

    def test_an_ended_run_is_still_shown_and_saved(
        self, bench: Bench, events: list[Event], tmp_path: Path
    ) -> None:
        bench.tell(events)
        assert not bench.session.active
        bench.panel.save_table(tmp_path / "signs.csv")
        rows = (tmp_path / "signs.csv").read_text().splitlines()
        seen = [e for e in events if isinstance(e, Observation)]
        assert rows[0].startswith("step,epoch,name,flip_rate")
        assert len(rows) == 1 + 2 * len(seen)

    def test_the_canvas_is_coloured_by_the_flips_of_each_layer(self, events: list[Event]) -> None:
        (measure,) = [measure for measure in MEASURES if measure.title == "Sign flips"]
        seen = [e for e in events if isinstance(e, Observation)]
        marks = Reader().marks(measure, seen)
        assert marks.keys() == {"fc1"}
        assert marks["fc1"].text == f"{100 * seen[-1].flips['fc1.weight']:.3g} %"


class TestEstimators:
    def test_it_asks_with_the_runs_weights_and_shows_every_place(
        self, qtbot: QtBot, bench: Bench, report: lab.BinaryReport, events: list[Event]
    ) -> None:
        page = bench.panel.estimators
        bench.panel.tabs.setCurrentWidget(page)
        qtbot.mouseClick(page.measure, Qt.MouseButton.LeftButton)
        assert bench.hosts.asked == [(None, 0, None)]
        assert not page.measure.isEnabled()
        bench.hosts.answer(BinaryMeasured(1, report=report))
        assert page.measure.isEnabled()
        model = page.list.model()
        assert [model.index(row, 0).data() for row in range(2)] == ["fc1" + INPUT, "fc1.weight"]
        assert f"{report.places[0].bits:.3f}" == model.index(0, 2).data()
        assert "as first drawn" in page.told.text()
        bench.tell(events)
        bench.session.run = "the run"
        qtbot.mouseClick(page.measure, Qt.MouseButton.LeftButton)
        assert bench.hosts.asked[-1] == ("the run", 0, None)

    def test_a_click_selects_the_layer_and_says_what_its_estimator_does(
        self, bench: Bench, report: lab.BinaryReport
    ) -> None:
        page = bench.panel.estimators
        bench.panel.tabs.setCurrentWidget(page)
        bench.panel.ask()
        bench.hosts.answer(BinaryMeasured(1, report=report))
        click_row(page.list, 1)
        assert list(bench.selection.nodes) == ["fc1"]
        assert "g·1[|x| ≤ clip_value]" in page.told.text()

    def test_a_failure_is_told_and_can_be_tried_again(self, qtbot: QtBot, bench: Bench) -> None:
        page = bench.panel.estimators
        bench.panel.tabs.setCurrentWidget(page)
        qtbot.mouseClick(page.measure, Qt.MouseButton.LeftButton)
        bench.hosts.answer(Failed(1, "The MNIST files are not here yet."))
        assert "MNIST" in page.headline.text()
        assert page.measure.isEnabled()

    def test_a_change_to_the_drawing_marks_the_figures_as_old(
        self, bench: Bench, report: lab.BinaryReport, network: Network
    ) -> None:
        bench.panel.ask()
        bench.hosts.answer(BinaryMeasured(1, report=report))
        bench.document.edit(lab.with_estimator(network, choice("approx_sign")), "Other")
        assert "before the last change" in bench.panel.estimators.told.text()

    def test_what_is_worst_is_said_first(self, report: lab.BinaryReport) -> None:
        good = replace(report.places[0], cosine=0.8, masked=0.1, bits=1.0, coordinates=400)
        blind, masked = replace(good, name="fc7", cosine=0.02), replace(good, name="fc8", masked=0.9)
        # Of nine coordinates such a cosine says nothing yet: its error is a third.
        assert remark([replace(blind, coordinates=9)]) == remark([good])
        assert "fc7" in remark([good, masked, blind])
        assert "fc8 loses 90 %" in remark([good, masked])
        assert remark([good]) == "Every gradient points where the loss falls."


class TestSize:
    def test_sizes_follow_the_drawing_without_being_asked(self, bench: Bench, network: Network) -> None:
        page = bench.panel.costs
        whole = total(binary_costs(network, analyze(network)))
        model = page.list.model()
        rows = [model.index(row, 0).data() for row in range(model.rowCount())]
        assert rows == ["norm0", "fc1", "norm1", "fc2", "Total"]
        assert f"{whole.real_bytes / whole.packed_bytes:.3g} × smaller" in page.headline.text()
        fc1 = rows.index("fc1")
        assert model.index(fc1, 4).data() == "32 ×"
        assert model.index(fc1, 5).data() == "1.024 k"
        bench.document.edit(drawn(weight=choice("ste_sign")), "Real inputs")
        bench.panel.set_analysis(analyze(bench.document.network))
        bench.panel.flush()
        assert (model.index(fc1, 5).data(), model.index(fc1, 6).data()) == ("", "1.024 k")
        assert not bench.hosts.asked

    def test_a_click_selects_the_layer(self, bench: Bench) -> None:
        bench.panel.tabs.setCurrentWidget(bench.panel.costs)
        click_row(bench.panel.costs.list, 3)
        assert list(bench.selection.nodes) == ["fc2"]


class TestRace:
    def test_it_asks_for_what_is_ticked_and_use_is_one_step_of_undo(
        self, qtbot: QtBot, bench: Bench, network: Network
    ) -> None:
        page = bench.panel.race
        bench.panel.tabs.setCurrentWidget(page)
        for item in page._items():
            wanted = item.data(Qt.ItemDataRole.UserRole) in ("approx_sign", "twn")
            item.setCheckState(Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked)
        page.steps.setValue(60)
        qtbot.mouseClick(page.race, Qt.MouseButton.LeftButton)
        assert bench.hosts.asked == [(None, 60, "approx_sign,twn")]
        losses = {
            "current": (2.0, 1.0, 0.9),
            "real": (2.0, 0.5, 0.4),
            "approx_sign": (2.0, 0.8, 0.5),
            "twn": (2.0, 1.5, 1.4),
        }
        bench.hosts.answer(BinaryMeasured(1, race=Race(3, losses)))
        assert page.current == "approx_sign"
        assert len(page._curves) == 4
        assert "is lowest" in page.told.text()
        qtbot.mouseClick(page.use, Qt.MouseButton.LeftButton)
        assert bench.document.network.nodes["fc1"].binarize == {
            "weight": choice("approx_sign"),
            "input": choice("approx_sign"),
        }
        assert bench.document.undo_stack.count() == 1
        bench.document.undo_stack.undo()
        assert bench.document.network == network

    def test_without_a_tick_there_is_no_race(self, bench: Bench) -> None:
        page = bench.panel.race
        for item in page._items():
            item.setCheckState(Qt.CheckState.Unchecked)
        assert not page.race.isEnabled()


def test_in_the_window_the_button_opens_the_dialog_that_binarizes(qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window(tmp_path, PlayedPool(), template("digits_mlp"))
    try:
        window.commands["run.lab_ste"].trigger()
        panel = window.lab_ste
        qtbot.waitUntil(panel.isVisible)
        qtbot.mouseClick(panel.binarize, Qt.MouseButton.LeftButton)
        (dialog,) = window.findChildren(BinarizeDialog)
        assert dialog.isVisible()
        dialog.reject()
    finally:
        close_window(window)
