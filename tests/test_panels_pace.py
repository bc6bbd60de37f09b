"""The window answers while panels draw: they take turns, long work has breaks, axes are cheap and the same."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("PySide6")
import numpy as np
import pyqtgraph as pg
from msgspec.structs import replace
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QPainter, QPicture
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow

from engine.diagnosis import Curves, Record, diagnose
from engine.host.protocol import Metrics, Observation, RunStarted, decode_event, encode
from engine.network import Network
from gui.asking import APART, BY_HAND, TIMES, Asking
from gui.panels import CurvesPanel, HealthPanel
from gui.panels.judge import Judge
from gui.panels.measures import MEASURES, Reader
from gui.panels.panel import Panel
from gui.panels.plot import Plot
from gui.session import Session
from gui.theme import theme
from tests.diagnosis_table import trained
from tests.sick_networks import healthy, sick

pytestmark = pytest.mark.gui


class Parts(Panel):
    """Draws in three parts."""

    done: int = 0

    def __init__(self, order: list[Panel]) -> None:
        super().__init__("Parts", "mdi6.grid")
        self.order = order

    def refresh(self) -> Iterator[None]:
        """Note that it is its turn."""
        for _ in range(3):
            self.order.append(self)
            self.done += 1
            yield


def test_panels_that_are_late_at_once_do_not_work_in_the_same_breath(qtbot: Any) -> None:
    order: list[Panel] = []
    panels = [Parts(order) for _ in range(3)]
    for each in panels:
        qtbot.addWidget(each)
        each.show()
    order.clear()
    for each in panels:
        each.request()
    for each in panels:  # as after a long absence: all timers are due
        each._timer.stop()
        each._tick()
    assert len(order) <= 1
    qtbot.waitUntil(lambda: len(order) == 9)
    assert all(each.done == 6 for each in panels)  # three parts when shown, three now


def test_a_panel_behind_anothers_tab_rests_and_catches_up_when_it_comes_to_the_front(qtbot: Any) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    order: list[Panel] = []
    front, behind = docks = [QDockWidget(name) for name in ("front", "behind")]
    panels = [Parts(order) for _ in docks]
    for dock, panel in zip(docks, panels, strict=True):
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
        dock.setWidget(panel)
    window.tabifyDockWidget(*docks)
    front.raise_()
    window.show()
    qtbot.waitUntil(lambda: panels[0].in_view and not panels[1].in_view)
    qtbot.waitUntil(lambda: not panels[0]._timer.isActive())
    order.clear()
    for panel in panels:
        panel.request()
    qtbot.waitUntil(lambda: order.count(panels[0]) == 3)
    assert panels[1] not in order
    assert not panels[1]._timer.isActive()
    behind.raise_()
    qtbot.waitUntil(lambda: order.count(panels[1]) == 3)
    order.clear()
    panels[0].request()
    panels[1].request()
    qtbot.waitUntil(lambda: order.count(panels[1]) == 3)
    assert panels[0] not in order


def test_an_answer_that_had_the_data_read_does_not_hold_up_the_next_question(
    qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("gui.asking.time.perf_counter", lambda: now[0])
    parent = QObject()
    asking = Asking(parent)

    def rests(took: float) -> float:
        asking.asked()
        now[0] += took
        asking.answered()
        return asking._free - now[0]

    assert rests(3.0) == APART
    assert rests(0.2) == pytest.approx(TIMES * 0.2)
    assert rests(0.3) == pytest.approx(TIMES * 0.2)
    assert rests(0.3) == pytest.approx(TIMES * 0.3)
    asking.soon()
    assert asking._timer.remainingTime() == pytest.approx(1000 * TIMES * 0.3, abs=200)
    asking.at_once()  # somebody looks back, and waits
    assert asking._timer.remainingTime() <= 1000 * BY_HAND


def test_curves_read_as_they_grow_are_those_of_all_metrics_at_once() -> None:
    metrics: list[Metrics] = []
    curves = Curves(metrics)
    for step in range(1, 40):
        split = "train" if step % 3 else "validation"
        metrics.append(Metrics(step, step / 10, split, {"loss": 1 / step, "accuracy": step / 40}, 0.0))
        if step % 7 == 0:
            curves.read()
    curves.read()
    for split in ("train", "validation"):
        wanted = [(m.step, m.values["loss"]) for m in metrics if m.split == split]
        assert list(curves.of(split, "loss")) == wanted
    assert list(curves.of("test", "loss")) == []


def test_a_run_examined_in_pieces_shows_what_it_shows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    patient = next(p for p in sick() if p.code == "vanishing-gradient")
    record, _ = trained(replace(patient.network, recipe=replace(patient.network.recipe, epochs=3)))
    assert record.shapes is not None
    session = Session()
    session.begin(patient.network, "runs/one")
    session.take(RunStarted("runs/one", "cpu", 1, record.steps_per_epoch, 0, record.shapes, 100, 10, 1))
    for event in (*record.metrics, *record.observations):
        session.take(event)
    monkeypatch.setattr("gui.panels.judge.PIECE", -1.0)  # a break after each
    judge = Judge(session)
    assert judge.due
    assert len(list(judge.examine())) == 10
    wanted = diagnose(
        Record(
            patient.network,
            record.metrics,
            tuple(session.seen()),
            record.shapes,
            record.steps_per_epoch,
        )
    )
    assert "vanishing-gradient" in {finding.code for finding in wanted}
    assert judge.findings == wanted
    assert not judge.due


@pytest.mark.parametrize("orientation", ["left", "bottom"])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("span", [(-3.0, 2.5), (0.0, 0.04), (-1.0, 14000.0)])
def test_an_axis_puts_its_numbers_where_pyqtgraphs_own_does(
    qtbot: Any, orientation: str, log: bool, span: tuple[float, float]
) -> None:
    plot = Plot("p")
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.show()
    axis = plot.axes[orientation]
    axis.log = log and span[1] < 10  # 10 ** 14000 is no number
    plot.show_range(span, span)
    plot.grab()
    picture = QPicture()
    painter = QPainter(picture)
    mine = axis.generateDrawSpecs(painter)
    theirs = pg.AxisItem.generateDrawSpecs(axis, painter)
    painter.end()
    assert mine is not None
    assert len(theirs[2]) >= 2
    assert [text for _, text in mine[2]] == [text for _, _, text in theirs[2]]
    for (rect, _), (wanted, _, _) in zip(mine[2], theirs[2], strict=True):
        assert rect.getRect() == pytest.approx(wanted.getRect())


def test_what_a_run_tells_is_not_walked_by_the_collector_of_cycles() -> None:
    network = healthy()[0].network
    record, _ = trained(replace(network, recipe=replace(network.recipe, epochs=2)))
    told = [decode_event(encode(event)) for event in (*record.metrics, *record.observations)]
    gc.collect()  # containers of nothing that is tracked are let go
    seen: list[object] = list(told)
    while seen:
        value = seen.pop()
        assert not gc.is_tracked(value), type(value)
        seen += gc.get_referents(value) if isinstance(value, dict | tuple) else []
        seen += [getattr(value, name) for name in getattr(value, "__struct_fields__", ())]


def test_a_new_range_is_painted_once(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = Plot("p")
    qtbot.addWidget(plot)
    plot.show()
    curve = plot.curve("accent")
    painted: list[object] = []
    paint = Plot.paintEvent
    monkeypatch.setattr(Plot, "paintEvent", lambda self, event: (painted.append(event), paint(self, event)))
    qtbot.waitUntil(lambda: bool(painted))
    for end in (2.0, 3.0, 4.0):
        qtbot.wait(1)
        painted.clear()
        plot.draw(curve, np.array([0.0, end]), np.array([0.0, end]))
        plot.show_range((0.0, end), (0.0, end))
        qtbot.waitUntil(lambda: bool(painted))
        QApplication.processEvents()
        QApplication.processEvents()
        assert len(painted) == 1


def test_a_chart_of_which_nothing_new_is_told_is_let_be(qtbot: Any) -> None:
    from tests.test_panels import begin, metric

    session = Session()
    shown = CurvesPanel(session)
    qtbot.addWidget(shown)
    shown.resize(900, 400)
    begin(session)
    for step in range(10):
        metric(session, step, loss=1.0 / (step + 1), accuracy=step / 10)
    shown.flush()
    metric(session, 10, loss=0.05)
    assert len(list(shown.refresh())) == 1  # the loss alone
    assert shown.charts["loss"].lines[0, "train"].smooth.getData()[0][-1] == 10
    assert list(shown.refresh()) == []
    shown.log.setChecked(True)
    assert len(list(shown.refresh())) == 2


def test_a_canvas_is_coloured_anew_only_when_there_is_something_new(qtbot: Any) -> None:
    from gui.document import Document
    from gui.selection import Selection
    from tests.test_panels import begin, observe

    session = Session()
    shown = HealthPanel(Document(Network()), Selection(), session)
    qtbot.addWidget(shown)
    marked: list[object] = []
    shown.marked.connect(marked.append)
    begin(session)
    observe(session, 10)
    shown.chooser.setCurrentIndex(2)
    shown.flush()
    assert len(marked) == 1
    session.take(Metrics(20, 0.2, "train", {"loss": 1.0}, 1.0))
    shown.flush()
    assert len(marked) == 1
    observe(session, 30)
    shown.flush()
    assert len(marked) == 2
    theme.choose("dark")
    shown.flush()
    theme.choose("light")
    assert len(marked) == 3


def test_many_cards_are_coloured_some_at_a_time_and_none_is_forgotten(qtbot: Any) -> None:
    from gui.document import Document
    from gui.selection import Selection
    from tests.test_panels import begin
    from tests.test_panels_series import distribution

    def look(step: int) -> Observation:
        gradients = {f"n{i}.weight": distribution(np.full(4, float(step + i))) for i in range(30)}
        return Observation(step, step / 10, gradients, gradients)

    session = Session()
    shown = HealthPanel(Document(Network()), Selection(), session)
    qtbot.addWidget(shown)
    begin(session)
    session.take(look(1))
    shown.chooser.setCurrentIndex(2)
    shown.flush()
    marked: list[dict[str, Any]] = []
    shown.marked.connect(marked.append)
    session.take(look(2))
    parts = shown.refresh()
    next(parts)
    assert sum("step 2" in mark.tip for mark in marked[-1].values()) == 12
    shown.flush()  # as a picture asks for, with the rest still to come
    assert [sum("step 2" in mark.tip for mark in each.values()) for each in marked[1:]] == [24, 30]
    assert marked[-1] == Reader().marks(MEASURES[1], session.seen())
    assert marked[-1]["n3"].text == "10"  # the norm of four fives
