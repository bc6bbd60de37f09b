"""The initialisation laboratory's panel: what it asks, what it shows, what Use does."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from pytestqt.qtbot import QtBot

from engine.analysis import analyze
from engine.host.protocol import Failed, Measured
from engine.lab import LabReport
from engine.network import Network, Node
from engine.training import lab_init
from gui.document import Document
from gui.panels import InitLabPanel
from tests.networks import chain, choice

pytestmark = pytest.mark.gui


class Hosts(QObject):
    """Notes what is asked; the test answers."""

    answered = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str | None, int]] = []

    def laboratory(self, schemes: str | None = None, race: int = 0) -> int:
        self.asked.append((schemes, race))
        return len(self.asked)


@pytest.fixture
def network() -> Network:
    layers = [(f"fc{i}", Node("Linear", {"out_features": 32}, activation=choice("ReLU"))) for i in range(6)]
    return chain(
        ("flat", Node("Flatten")), *layers, ("head", Node("Linear", {"out_features": 10})), shape=(1, 8, 8)
    )


@pytest.fixture
def report(network: Network) -> LabReport:
    return lab_init.compare(network, lab_init.parsed("kaiming_normal:nonlinearity=relu,normal:std=0.001"))


@pytest.fixture
def panel(qtbot: QtBot, network: Network) -> InitLabPanel:
    hosts = Hosts()
    view = InitLabPanel(Document(network), hosts)
    hosts.setParent(view)
    qtbot.addWidget(view)
    view.resize(1000, 420)
    view.set_analysis(analyze(network))
    view.show()
    return view


def hosts_of(panel: InitLabPanel) -> Hosts:
    found = panel.findChild(Hosts)
    assert isinstance(found, Hosts)
    return found


def answer(panel: InitLabPanel, report: LabReport) -> None:
    hosts = hosts_of(panel)
    hosts.answered.emit(len(hosts.asked), Measured(len(hosts.asked), report))
    panel.flush()


def test_it_says_what_it_would_do_and_asks_when_told(qtbot: QtBot, panel: InitLabPanel) -> None:
    assert panel.is_empty
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    assert hosts_of(panel).asked == [(None, 0)]
    assert not panel.begin.isEnabled()


def test_the_answer_fills_a_row_per_scheme_and_chooses_the_best(
    qtbot: QtBot, panel: InitLabPanel, report: LabReport
) -> None:
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    answer(panel, report)
    assert panel.list.rowCount() == 3
    verdicts = [panel.list.item(row, 1).text() for row in range(3)]  # type: ignore[union-attr]
    assert verdicts == [scheme.verdict for scheme in report.schemes]
    assert panel.chosen is not None
    assert panel.chosen.scheme == report.best == "kaiming_normal"


def test_use_is_one_step_of_undo(
    qtbot: QtBot, panel: InitLabPanel, report: LabReport, network: Network
) -> None:
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    answer(panel, report)
    qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton)
    document = panel._document
    assert document.network.nodes["fc0"].init["weight"].id == "kaiming_normal"
    assert document.network.nodes["head"].init["weight"].id == "kaiming_normal"
    document.undo_stack.undo()
    assert document.network == network


def test_a_failure_is_told_and_can_be_tried_again(qtbot: QtBot, panel: InitLabPanel) -> None:
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    hosts_of(panel).answered.emit(1, Failed(1, "The MNIST files are not here yet."))
    assert panel.is_empty
    assert "MNIST" in panel.empty.hint.text()
    assert panel.begin.isEnabled()


def test_a_change_to_the_drawing_marks_the_figures_as_old(
    qtbot: QtBot, panel: InitLabPanel, report: LabReport, network: Network
) -> None:
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    answer(panel, report)
    panel._document.edit(chain(("flat", Node("Flatten")), shape=(1, 8, 8)), "Other")
    assert "before the last change" in panel.told.text()


def test_schemes_are_named_as_on_the_command_line_or_ticked(qtbot: QtBot, panel: InitLabPanel) -> None:
    panel.schemes.line.setText("orthogonal, normal:std=0.02")
    panel.schemes.menu.aboutToShow.emit()
    ticked = {id for id, action in panel.schemes.actions_.items() if action.isChecked()}
    assert ticked == {"orthogonal", "normal"}
    panel.schemes.actions_["sparse"].trigger()
    panel.schemes.actions_["orthogonal"].trigger()
    assert panel.schemes.chosen() == "normal:std=0.02, sparse:sparsity=0.1"
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    assert hosts_of(panel).asked == [("normal:std=0.02, sparse:sparsity=0.1", 0)]


def test_a_scheme_that_is_none_is_told_and_not_asked(panel: InitLabPanel, report: LabReport) -> None:
    panel._question(0)
    answer(panel, report)
    panel.schemes.line.setText("ortogonal")
    panel.measure.click()
    assert "Did you mean 'orthogonal'" in panel.told.text()
    assert len(hosts_of(panel).asked) == 1


def test_the_race_takes_the_steps_that_are_set(panel: InitLabPanel, report: LabReport) -> None:
    panel._question(0)
    answer(panel, report)
    assert (panel.steps.minimum(), panel.steps.maximum()) == (50, 500)
    panel.steps.setValue(250)
    panel.race.click()
    assert hosts_of(panel).asked[-1] == (None, 250)


def test_every_layer_has_its_verdict_with_evidence_and_a_click_names_it(
    qtbot: QtBot, panel: InitLabPanel, report: LabReport
) -> None:
    panel._question(0)
    answer(panel, report)
    row = next(i for i, scheme in enumerate(report.schemes) if scheme.scheme == "normal")
    panel.list.selectRow(row)
    shown = panel.layers.list
    layers = report.schemes[row].layers
    assert [shown.index(i, 1).data() for i in range(len(layers))] == [layer.verdict for layer in layers]
    assert [shown.index(i, 2).data() for i in range(len(layers))] == [layer.evidence for layer in layers]
    with qtbot.waitSignal(panel.found) as signal:
        panel.layers.clicked.emit(shown.index(3, 0))
    assert signal.args == [layers[3].node]


def test_mean_dead_and_saturated_share_are_drawn_by_depth_too(panel: InitLabPanel, report: LabReport) -> None:
    panel._question(0)
    answer(panel, report)
    box = panel.shown["Activations by depth"]
    for name, measure in (("Mean", "mean"), ("dead", "dead"), ("Saturated", "saturated")):
        box.setCurrentIndex(next(i for i in range(box.count()) if name in box.itemText(i)))
        panel.flush()
        curves = panel._curves["Activations by depth"]
        drawn = curves[1].getData()[1]
        expected = [getattr(layer, measure) for layer in report.schemes[1].layers]
        assert drawn.tolist() == pytest.approx(expected, abs=1e-6)
    gradients = panel.shown["Gradients by depth"]
    assert [gradients.itemText(i).split()[0] for i in range(gradients.count())] == [
        "Length",
        "Spread",
        "Mean",
    ]


def test_one_scheme_with_two_sets_of_fields_is_two_rows_and_two_curves(
    panel: InitLabPanel, network: Network
) -> None:
    schemes = lab_init.parsed("normal:std=0.001,normal:std=0.2")
    both, raced = lab_init.compare(network, schemes), lab_init.race(network, schemes, 3)
    assert list(raced.losses) == ["current", "normal std=0.001", "normal std=0.2"]
    assert both.best in ("current", "normal std=0.2")
    panel._question(0)
    answer(panel, both)
    assert [panel.list.item(i, 0).text() for i in range(3)] == list(raced.losses)  # type: ignore[union-attr]
    panel.list.selectRow(2)
    panel.use.click()
    assert panel._document.network.nodes["fc0"].init["weight"] == choice("normal", std=0.2)


def test_its_figures_are_saved_as_data(panel: InitLabPanel, report: LabReport, tmp_path: Path) -> None:
    panel.measure.click()
    answer(panel, report)
    panel.save_table(tmp_path / "lab.csv")
    rows = list(csv.DictReader((tmp_path / "lab.csv").open()))
    assert len(rows) == sum(len(scheme.layers) for scheme in report.schemes)
    last = report.schemes[-1].layers[-1]
    assert rows[-1]["node"] == last.node
    assert float(rows[-1]["gradient_norm"]) == last.gradient_norm
    assert float(rows[-1]["std"]) == last.std
