"""A panel that stood behind another's tab shows what one shows that was always seen."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("PySide6")
import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDockWidget, QLabel, QMainWindow

from engine.host import protocol
from engine.network import Data, Network
from gui.document import Document
from gui.panels import CurvesPanel, DataPanel, PredictionsPanel
from gui.panels.panel import Panel
from gui.panels.trend import Trend, TrendPlot
from gui.session import Session
from tests.test_data_panel import Looks
from tests.test_panels import FakeWorkers, begin, drawn, example, metric

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("light")]


class Tabs:
    """Two docks, one behind the other: the panel's, and another."""

    def __init__(self, qtbot: Any, panel: Panel) -> None:
        self._qtbot, self._panel = qtbot, panel
        self._window = QMainWindow()
        qtbot.addWidget(self._window)
        self._own, self._other = QDockWidget("own"), QDockWidget("other")
        for dock, widget in ((self._own, panel), (self._other, QLabel("other"))):
            self._window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
            dock.setWidget(widget)
        self._window.tabifyDockWidget(self._own, self._other)
        self._window.resize(700, 500)
        self._window.show()
        self.front()

    def front(self) -> None:
        """Bring the panel to the front."""
        self._own.raise_()
        self._qtbot.waitUntil(lambda: self._panel.in_view)

    def behind(self) -> None:
        """Bring the other one to the front."""
        self._other.raise_()
        self._qtbot.waitUntil(lambda: not self._panel.in_view)


def answer(workers: FakeWorkers) -> None:
    """Answer all that has been asked."""
    for request, (_, first, count) in list(workers.asked.items()):
        examples = tuple(example(first + i, i % 3, i % 3) for i in range(min(count, 30)))
        workers.answered.emit(request, protocol.Predicted(request, ("a", "b", "c"), examples))


@pytest.mark.parametrize("away", [False, True])
def test_when_a_run_has_ended_its_best_weights_are_asked_as_soon_as_predictions_are_seen(
    qtbot: Any, away: bool
) -> None:
    session, workers = Session(), FakeWorkers()
    tabs = Tabs(qtbot, PredictionsPanel(session, workers))
    begin(session)
    session.take(protocol.WeightsKept((4,)))
    qtbot.waitUntil(lambda: 4 in workers.steps.values())
    answer(workers)
    if away:
        tabs.behind()
    session.set_state("finished")
    assert (None in workers.steps.values()) is not away
    tabs.front()
    qtbot.waitUntil(lambda: None in workers.steps.values())
    assert workers.evaluated == 1
    answer(workers)
    tabs.behind()
    tabs.front()
    QApplication.processEvents()
    assert workers.evaluated == 1  # nothing is new


def test_predictions_follow_the_step_that_was_chosen_while_they_were_not_seen(qtbot: Any) -> None:
    session, workers = Session(), FakeWorkers()
    tabs = Tabs(qtbot, PredictionsPanel(session, workers))
    begin(session)
    session.take(protocol.WeightsKept((4, 8)))
    session.set_state("finished")
    answer(workers)
    tabs.behind()
    session.seek(4)
    assert 4 not in workers.steps.values()
    tabs.front()
    qtbot.waitUntil(lambda: 4 in workers.steps.values())


def test_data_chosen_just_before_the_panel_went_behind_are_looked_at_when_it_is_back(qtbot: Any) -> None:
    document, looks = Document(Network()), Looks()
    document.edit(replace(document.network, recipe=replace(document.network.recipe, data=Data("iris"))), "a")
    panel = DataPanel(document, Session(), looks)
    tabs = Tabs(qtbot, panel)
    qtbot.waitUntil(lambda: len(looks.asked) == 1)
    looks.answer(Data("iris"))
    document.edit(replace(document.network, recipe=replace(document.network.recipe, data=Data("wine"))), "b")
    panel.flush()
    assert panel._rest.isActive()
    tabs.behind()
    qtbot.waitUntil(lambda: not panel._rest.isActive())
    tabs.front()
    qtbot.waitUntil(lambda: len(looks.asked) == 2)


def test_the_pointer_may_rest_on_a_curve_that_the_next_run_has_none_of(qtbot: Any) -> None:
    session = Session()
    panel = CurvesPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    begin(session)
    metric(session, 3, accuracy=0.5)
    panel.flush()
    begin(session)
    metric(session, 3, mae=0.5)
    drawing = panel.refresh()
    next(drawing)
    panel._hover(3.0)  # between two charts
    assert set(panel.charts) == {"accuracy", "mae"}
    list(drawing)
    assert set(panel.charts) == {"mae"}


def test_the_values_above_a_curve_are_those_that_there_is_room_for(qtbot: Any) -> None:
    session = Session()
    panel = CurvesPanel(session)
    panel.setFixedSize(640, 300)
    tabs = Tabs(qtbot, panel)
    tabs.behind()
    begin(session)
    for split in ("train", "validation"):
        metric(session, 3, split, loss=0.06407, accuracy=0.9747)
    session.set_state("finished")
    tabs.front()
    qtbot.waitUntil(lambda: len(panel.charts) == 2)
    QApplication.processEvents()
    said = {name: chart.readout.text() for name, chart in panel.charts.items()}
    panel.flush()
    assert said == {name: chart.readout.text() for name, chart in panel.charts.items()}
    assert "Training" not in said["accuracy"]  # two names are wider than half the panel


def test_a_curve_is_as_wide_as_it_is_in_the_range_that_is_shown_and_not_in_the_one_before(qtbot: Any) -> None:
    session = Session()
    panel = CurvesPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    trend = TrendPlot(Trend("Norm", lambda observation, name: 0.0, "accent"))
    qtbot.addWidget(trend)
    begin(session)
    for scale in (1.0, 1000.0, 1e6):  # each rises by many heights of the range before
        steps, values = np.arange(1.0, 5.0), scale * np.arange(1.0, 5.0)
        trend.show_values(steps, values, (1.0, 4.0))
        assert trend.curve.opts["pen"].widthF() == 2.0
        metric(session, round(10 + np.log10(scale)), loss=scale)
        panel.flush()
        (line,) = panel.charts["loss"].lines.values()
        assert line.smooth.opts["pen"].widthF() == line.smooth.full_width


def test_the_curve_of_the_run_before_goes_to_its_end_though_nobody_looked(qtbot: Any) -> None:
    session = Session()
    panel = CurvesPanel(session)
    tabs = Tabs(qtbot, panel)
    begin(session)
    metric(session, 1, loss=3.0)
    qtbot.waitUntil(lambda: "loss" in panel.charts)
    tabs.behind()
    metric(session, 2, loss=2.0)
    session.set_state("finished")
    begin(session)
    metric(session, 1, loss=1.0)
    tabs.front()
    panel.flush()
    assert drawn(panel.charts["loss"].lines[1, "train"].smooth) == ([1, 2], [3.0, 2.0])
