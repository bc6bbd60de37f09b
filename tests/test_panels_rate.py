"""The learning rate panel: what it asks, what it shows, what Use does."""

from __future__ import annotations

import math

import pytest
from PySide6.QtCore import QObject, Qt, Signal
from pytestqt.qtbot import QtBot

from engine.analysis import analyze
from engine.host.protocol import Failed, RateFound
from engine.network import Network, Node
from engine.training import find_rate
from gui.document import Document
from gui.panels import RatePanel
from gui.recipe import RecipePanel
from tests.networks import chain, choice

pytestmark = pytest.mark.gui


class Hosts(QObject):
    """Notes what is asked; the test answers."""

    answered = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def find_rate(self, device: str = "auto") -> int:
        self.asked.append(device)
        return len(self.asked)


@pytest.fixture
def network() -> Network:
    layers = [("fc1", Node("Linear", {"out_features": 32}, activation=choice("ReLU")))]
    return chain(
        ("flat", Node("Flatten")), *layers, ("fc2", Node("Linear", {"out_features": 10})), shape=(1, 8, 8)
    )


@pytest.fixture(scope="module")
def found() -> RateFound:
    """What the engine really finds for a small network."""
    body = (("flat", Node("Flatten")), ("fc2", Node("Linear", {"out_features": 10})))
    curve = find_rate(chain(*body, shape=(1, 8, 8)), device="cpu", steps=60)
    return RateFound(1, curve.rates, curve.losses, curve.suggestion)


@pytest.fixture
def panel(qtbot: QtBot, network: Network) -> RatePanel:
    hosts = Hosts()
    view = RatePanel(Document(network), hosts, lambda: "cpu")
    hosts.setParent(view)
    qtbot.addWidget(view)
    view.resize(600, 400)
    view.set_analysis(analyze(network))
    view.show()
    return view


def hosts_of(panel: RatePanel) -> Hosts:
    hosts = panel.findChild(Hosts)
    assert isinstance(hosts, Hosts)
    return hosts


def find(qtbot: QtBot, panel: RatePanel, answer: object) -> None:
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    hosts_of(panel).answered.emit(len(hosts_of(panel).asked), answer)
    panel.flush()


def test_it_says_what_it_does_and_asks_on_the_windows_device(qtbot: QtBot, panel: RatePanel) -> None:
    assert panel.is_empty
    qtbot.mouseClick(panel.begin, Qt.MouseButton.LeftButton)
    assert hosts_of(panel).asked == ["cpu"]
    assert not panel.begin.isEnabled()


def test_the_curve_and_both_rates_are_drawn_where_they_are(
    qtbot: QtBot, panel: RatePanel, found: RateFound
) -> None:
    find(qtbot, panel, found)
    x, y = panel._curve.getData()
    assert [10**v for v in x] == pytest.approx(found.rates)
    assert min(y) == pytest.approx(min(found.losses))
    assert found.suggestion is not None
    assert panel._marks["good"].value() == pytest.approx(math.log10(found.suggestion), abs=0.03)
    assert panel._marks["muted"].value() == pytest.approx(-3)  # Adam's
    (left, right), _ = panel.plot.view.viewRange()
    assert left <= math.log10(found.suggestion) <= right


def test_use_sets_the_rate_in_one_step_of_undo(
    qtbot: QtBot, panel: RatePanel, found: RateFound, network: Network
) -> None:
    find(qtbot, panel, found)
    qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton)
    document = panel._document
    rate = document.network.recipe.optimizer.fields["lr"]
    assert rate == pytest.approx(found.suggestion, rel=0.06)
    assert not panel.use.isEnabled()  # it is used
    document.undo_stack.undo()
    assert document.network == network
    assert panel.use.isEnabled()


def test_a_loss_that_falls_nowhere_offers_nothing(qtbot: QtBot, panel: RatePanel) -> None:
    find(qtbot, panel, RateFound(1, (1e-6, 1e-5, 1e-4), (1.0, 1.1, 1.2), None))
    assert "fell at no rate" in panel.told.text()
    assert not panel.use.isEnabled()


def test_a_failure_is_told_and_can_be_tried_again(qtbot: QtBot, panel: RatePanel) -> None:
    find(qtbot, panel, Failed(1, "The MNIST files are not here yet."))
    assert "MNIST" in panel.empty.hint.text()
    assert panel.begin.isEnabled()


def test_the_figures_can_be_saved_as_a_table(
    qtbot: QtBot, panel: RatePanel, found: RateFound, tmp_path
) -> None:
    find(qtbot, panel, found)
    panel.save_table(tmp_path / "rate.csv")
    rows = (tmp_path / "rate.csv").read_text().splitlines()
    assert rows[0] == "rate,loss"
    assert len(rows) == len(found.rates) + 1


def test_the_recipe_leads_there(qtbot: QtBot, network: Network) -> None:
    recipe = RecipePanel(Document(network))
    qtbot.addWidget(recipe)
    from PySide6.QtWidgets import QPushButton

    (button,) = [b for b in recipe.findChildren(QPushButton) if "learning rate" in b.text()]
    with qtbot.waitSignal(recipe.rate_wanted):
        button.click()
