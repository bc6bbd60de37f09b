"""What panels say where there is little room, nothing to show yet, or something wrong."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")
from msgspec.structs import replace
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QApplication, QPushButton

from engine import diff
from engine.findings import Analysis, NodeReport, Problem, Repair, Tensor
from engine.host import protocol
from engine.network import Data, Network, Node, Recipe
from gui.diagnosing import carried
from gui.document import Document
from gui.narrow import Pick
from gui.panels import (
    CurvesPanel,
    GradientsPanel,
    PredictionsPanel,
    ProblemsPanel,
    ResponsesPanel,
    WeightsPanel,
)
from gui.panels.measures import MEASURES
from gui.panels.plane import Plane
from gui.panels.words import Line
from gui.scrubber import Scrubber
from gui.selection import Selection
from gui.session import Session
from gui.theme import theme
from tests.networks import chain
from tests.sick_networks import dense
from tests.test_diagnosis_panels import Host
from tests.test_panels import FakeWorkers, begin, drawn, example, metric, observe

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("light")]


def shown(qtbot: Any, panel: Any, width: int = 700, height: int = 420) -> Any:
    qtbot.addWidget(panel)
    panel.resize(width, height)
    panel.show()
    return panel


def test_a_line_without_room_is_cut_before_its_figure_and_says_the_whole_when_pointed_at(qtbot: Any) -> None:
    line = shown(qtbot, Line(), 400, 20)
    line.say("Cosine to the step before", "0.3125")
    assert line.shown() == "Cosine to the step before  0.3125"
    line.resize(110, 20)
    assert line.shown().endswith("…  0.3125")
    assert line.fontMetrics().horizontalAdvance(line.shown()) <= 110
    assert line.toolTip() == "Cosine to the step before  0.3125"


# ---------------------------------------------------------------------------- curves


@pytest.mark.parametrize(
    ("before", "now", "both"),
    [
        (2.3, 61_185.0, True),  # one that explodes after a calm one
        (61_185.0, 2.3, False),  # a calm one is not pressed flat by what exploded before
        (0.05, 2.3, True),  # one that does not learn after one that did
    ],
)
def test_this_run_is_seen_whatever_the_one_before_it_did(
    qtbot: Any, before: float, now: float, both: bool
) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session))
    for loss, steps in ((before, 40), (now, 3)):
        begin(session)
        for step in range(1, steps):
            metric(session, step, loss=loss)
        curves.flush()
    low, high = curves.charts["loss"].plot.view.viewRange()[1]
    assert low <= now <= high
    assert (low <= before <= high) == both


@pytest.mark.parametrize(("data", "compared"), [("digits", True), ("wine", False)])
def test_a_run_on_other_data_is_nothing_to_compare_with(qtbot: Any, data: str, compared: bool) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session))
    for source, loss in (("digits", 3.0), (data, 5.0)):
        session.begin(Network(recipe=Recipe(data=Data(source))), f"runs/{source}")
        metric(session, 1, loss=loss)
        curves.flush()
    lines = curves.charts["loss"].lines
    assert drawn(lines[0, "train"].smooth) == ([1], [5.0])
    assert ((1, "train") in lines) == compared


def test_a_run_that_is_opened_again_is_not_compared_with_itself(qtbot: Any) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session), 900)
    told = {
        run: [protocol.Metrics(step, step / 4, "train", {"loss": loss / step}, 1.0) for step in (1, 2, 3, 4)]
        for run, loss in (("runs/a", 1.0), ("runs/b", 2.0))
    }
    session.begin(Network(), "runs/a")
    for event in told["runs/a"][:3]:  # its end comes when it is opened
        session.take(event)
    for run in ("runs/b", "runs/a"):
        session.recall(Network(), run, told[run], protocol.RunState("finished", 4))
        curves.flush()
    assert [row[0] for row in curves.table()[1]] == 4 * ["b"] + 4 * ["a"]
    assert [line.split(":")[0] for line in curves.charts["loss"].readout.toolTip().splitlines()[1:]] == [
        "Training",
        "Grey, b",
    ]


def test_the_values_are_those_of_the_step_that_is_looked_at_and_of_runs_before(qtbot: Any) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session), 900)
    for factor in (2.0, 1.0):
        begin(session)
        for step in range(1, 9):
            metric(session, step, loss=factor / step)
        curves.flush()
    session.seek(4)
    curves.flush()
    readout = curves.charts["loss"].readout.text()
    assert readout.split()[:5] == ["step", "4", "●", "Training", "0.25"]
    assert "before: 0.5" in readout
    assert "Grey, one: training 0.5" in curves.charts["loss"].readout.toolTip().splitlines()
    session.seek(None)
    curves.flush()
    assert curves.charts["loss"].readout.text().endswith(" 0.125")


def test_figures_are_written_as_people_write_them(qtbot: Any) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session))
    begin(session)
    metric(session, 1, "validation", mae=0.5, r2=0.25, top5=0.75)
    curves.flush()
    titles = {name: chart.title.text() for name, chart in curves.charts.items()}
    assert titles == {"mae": "MAE", "r2": "R²", "top5": "Top-5 accuracy"}
    assert "75 %" in curves.charts["top5"].readout.text()


# ---------------------------------------------------------------------------- time


def test_the_slider_follows_whoever_looks_at_another_step(qtbot: Any) -> None:
    session = Session()
    begin(session)
    for step in (2, 4, 8, 16):
        observe(session, step)
    scrubber = shown(qtbot, Scrubber(session))
    session.seek(4)  # as a film does
    assert scrubber.slider.value() == 1
    assert scrubber.where.text() == "step 4 of 16"
    session.seek(None)
    assert scrubber.slider.value() == 3
    assert scrubber.where.text() == "step 16 (newest)"
    metric(session, 50, loss=1.0)  # the run goes on, and has not been looked at since
    assert scrubber.where.text() == "step 16 of 50, newest look"


def test_no_panel_shows_a_figure_that_came_after_the_step_that_is_looked_at(qtbot: Any) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session), 900)
    begin(session)
    for step in (1, 10, 20, 23, 33, 43):
        metric(session, step, loss=100.0 + step)
        if step == 23:
            metric(session, step, "validation", loss=523.0)
    for step in (2, 42, 43):
        observe(session, step)
    weights = shown(qtbot, WeightsPanel(session, Selection()), 900)
    curves.flush()
    said = curves.charts["loss"].readout

    def values() -> list[str]:
        curves.flush()
        weights.flush()
        assert weights.figures.text().startswith(f"step\u00a0{session.at}")
        return said.text().split()

    for axis in range(3):
        curves.axis.setCurrentIndex(axis)
        session.seek(2)
        assert values() == "step 2 ● Training 101 ● Validation –".split()
        session.seek(42)
        assert values() == "step 42 ● Training 133 ● Validation 523".split()
        session.seek(43)
        assert values() == "step 43 ● Training 143 ● Validation 523".split()


def test_what_a_slow_validation_measured_belongs_to_its_step(qtbot: Any) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session), 900)
    begin(session)
    session.take(protocol.Metrics(23, 1.0, "train", {"loss": 2.0}, 4.0))
    session.take(protocol.Metrics(23, 1.0, "validation", {"loss": 3.0}, 9.0))
    observe(session, 23)
    observe(session, 46)
    session.seek(23)
    curves.axis.setCurrentIndex(2)
    curves.flush()
    assert curves.charts["loss"].readout.text().split() == "step 23 ● Training 2 ● Validation 3".split()


def test_it_is_told_which_steps_a_value_is_of(qtbot: Any) -> None:
    session = Session()
    curves = shown(qtbot, CurvesPanel(session), 900)
    begin(session)
    for step in (1, 64, 128):
        session.take(protocol.Metrics(step, step / 64, "train", {"loss": 2.0, "lr": 0.1}, 1.0))
    session.take(protocol.Metrics(64, 1.0, "validation", {"loss": 3.0}, 1.0))
    for step in (2, 100, 130):
        observe(session, step)

    def of(metric: str) -> list[str]:
        curves.flush()
        return curves.charts[metric].readout.toolTip().splitlines()[1:]

    session.seek(100)
    assert of("loss") == ["Training: the mean of steps 2 to 64.", "Validation: measured at step 64."]
    assert of("lr") == ["Training: measured at step 64."]
    assert curves.charts["loss"].plot.toolTip() == ""  # it would cover what is pointed at
    session.seek(2)
    assert of("loss") == ["Training: step 1."]  # there was no validation yet
    session.seek(None)
    session.set_state("running")
    curves.flush()
    assert "to step" not in curves.charts["loss"].readout.text()  # it is on its way
    session.set_state("paused")
    curves.flush()
    assert curves.charts["loss"].readout.text().startswith("to step 128 ● Training 2")


# ---------------------------------------------------------------------------- health


def test_what_is_no_number_is_no_healthy_colour() -> None:
    for measure in MEASURES:
        assert measure.color(float("nan")) == theme.color("error")


def test_repairs_are_seen_without_scrolling_below_one_problem(qtbot: Any) -> None:
    document = Document(Network(nodes={"fc": Node("Linear")}))
    panel = shown(qtbot, ProblemsPanel(document, Selection()), 400, 220)
    repair = Repair("Do it", (diff.Change(("name",), "", "Done"),))
    problem = Problem("error", "code", "fc", None, "Long words. " * 12, (repair,), lesson="Why. " * 60)
    panel.set_analysis(Analysis(problems=(problem,)))
    panel.flush()
    QApplication.processEvents()
    (button,) = [b for b in panel.findChildren(QPushButton) if b.text() == "Do it"]
    assert button.visibleRegion().boundingRect() == button.rect()


# ---------------------------------------------------------------------------- asking


def test_before_an_answer_panels_say_that_they_ask_and_after_a_failure_why(qtbot: Any) -> None:
    workers, host = FakeWorkers(), Host()
    session = Session()
    predictions = PredictionsPanel(session, workers)
    begin(session)
    shown(qtbot, predictions)
    session.set_state("finished")
    predictions.flush()
    assert predictions.said.isVisible()
    assert predictions.said.title.text().startswith("Asking")
    request = list(workers.asked)[-1]
    workers.answered.emit(request, protocol.Failed(request, "The data are gone."))
    predictions.flush()
    assert predictions.said.hint.text() == "The data are gone."

    drawing = chain(("fc", dense(2, None)), shape=(2,))
    responses = shown(qtbot, ResponsesPanel(Document(drawing), Session(), Selection(), host))
    responses.flush()
    assert responses.said.isVisible()
    assert responses.said.title.text().startswith("Asking")
    qtbot.waitUntil(lambda: bool(host.asked))
    host.answered.emit(1, protocol.Failed(1, "The data are gone."))
    responses.flush()
    assert responses.said.hint.text() == "The data are gone."


# ---------------------------------------------------------------------------- the plane


def plane(classes: int, values: list[float], targets: list[float], units: int = 1) -> protocol.Mapped:
    points = tuple((0.1 * i, 0.0, target) for i, target in enumerate(targets))
    return protocol.Mapped(
        1, (-1.0, 0.0), (1.0, 2.0), 2, tuple(values), classes, points, "best weights", units
    )


def test_a_plane_that_cannot_be_drawn_any_more_is_not_shown_any_more(qtbot: Any, tmp_path: Any) -> None:
    host, selection = Host(), Selection()
    document = Document(chain(("hidden", dense(3)), ("fc", dense(2, None)), shape=(2,)))
    panel = shown(qtbot, ResponsesPanel(document, Session(), selection, host))
    panel.mode.setCurrentIndex(panel.mode.findData("plane"))
    selection.set(["hidden"])
    qtbot.waitUntil(lambda: bool(host.asked) and host.asked[-1][1:] == ("hidden", 0))
    host.answered.emit(len(host.asked), plane(0, [-0.5, 0.0, 0.25, 1.0], [0, 1], units=3))
    panel.flush()
    assert panel.plane.isVisible()
    assert panel.unit.maximum() == 2  # three units, the first has number 0
    assert panel.status.text() == "best weights · blue -0.5 … orange 1"
    panel.save_table(tmp_path / "plane.csv")
    rows = list(csv.reader((tmp_path / "plane.csv").open()))
    assert rows[0][:3] == ["x", "y", "value"]
    assert [[float(cell) for cell in row[:3]] for row in rows[1:]] == [
        [-1, 0, -0.5],
        [1, 0, 0],
        [-1, 2, 0.25],
        [1, 2, 1],
    ]
    recipe = document.network.recipe
    document.edit(replace(document.network, recipe=replace(recipe, data=Data("diabetes"))), "Other data")
    panel.flush()
    assert not panel.plane.isVisible()
    assert panel.plane.mapped is None


def test_the_output_card_stands_for_the_network_on_the_plane(qtbot: Any) -> None:
    host, selection = Host(), Selection()
    drawing = chain(("fc", dense(2, None)), shape=(2,))
    panel = shown(qtbot, ResponsesPanel(Document(drawing), Session(), selection, host))
    panel.mode.setCurrentIndex(panel.mode.findData("plane"))
    selection.set(["out"])
    qtbot.waitUntil(lambda: bool(host.asked))
    assert host.asked[-1][1] is None
    assert not panel.unit.isEnabled()


def test_measured_targets_have_the_colours_of_the_values_and_classes_their_own(qtbot: Any) -> None:
    view = shown(qtbot, Plane())
    view.show_mapped(plane(0, [0.0, 1.0, 2.0, 4.0], [0.0, 4.0, 2.5]))
    ends = [theme.color("train"), theme.color("validation")]
    brushes = [brush.color() for brush in view.points.data["brush"]]
    assert brushes[:2] == ends
    assert brushes[2] not in ends
    view.show_mapped(plane(2, [0.9, 1.9, 0.6, 1.7], [1.0, 0.0]))
    assert [brush.color() for brush in view.points.data["brush"]] == ends[::-1]
    least = np.asarray(view.image.image)
    assert least.shape == (2, 2, 3)


def test_the_words_of_a_repair_are_seen_whole_in_a_narrow_panel(qtbot: Any) -> None:
    document = Document(Network(nodes={"fc": Node("Linear")}))
    panel = shown(qtbot, ProblemsPanel(document, Selection()), 260, 400)
    words = "ReLU, He initialisation and a learning rate of 0.02 in every layer"
    repair = Repair(words, (diff.Change(("name",), "", "Done"),))
    panel.set_analysis(Analysis(problems=(Problem("error", "code", "fc", None, "Bad.", (repair,)),)))
    panel.flush()
    QApplication.processEvents()
    (button,) = panel.buttons
    assert button.text().replace("\n", " ") == words
    assert "\n" in button.text()
    assert button.visibleRegion().boundingRect() == button.rect()
    panel.resize(900, 400)
    QApplication.processEvents()
    assert button.text() == words


def test_what_is_initialised_otherwise_is_told_to_be_drawn_anew() -> None:
    trained = {"fc1.weight": (8, 4), "fc1.bias": (8,)}
    shapes = {"weight": (8, 4), "bias": (8,)}
    drawn = Analysis(nodes={"fc1": NodeReport({"output": Tensor((8,))}, shapes)})
    found = carried(trained, drawn, {"fc1.weight"})
    assert found == {"kept": ("fc1.bias",), "new": ("fc1.weight",), "dropped": (), "open": ()}


# ---------------------------------------------------------------------------- data


def rows_of(panel: Any, path: Any) -> list[list[str]]:
    panel.save_table(path)
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_saved_gradients_have_what_the_panel_draws(qtbot: Any, tmp_path: Any) -> None:
    session = Session()
    begin(session)
    observe(session, 0)
    observe(session, 10)
    panel = shown(qtbot, GradientsPanel(session, Selection()))
    head, *rows = rows_of(panel, tmp_path / "gradients.csv")
    assert head[-2:] == ["update_ratio", "cosine"]
    told = {(o.step, name): ratio for o in session.observations for name, ratio in o.updates.items()}
    assert {(int(row[0]), row[2]): float(row[-2]) for row in rows} == told


def test_saved_predictions_are_those_of_the_page_that_is_shown(qtbot: Any, tmp_path: Any) -> None:
    session, workers = Session(), FakeWorkers()
    begin(session)
    panel = shown(qtbot, PredictionsPanel(session, workers))
    answers = protocol.Predicted(0, ("a", "b", "c"), (example(0, 1, 1), example(1, 2, 1), example(2, 0, 0)))
    panel._show_whole(answers)
    panel._show_figures({"train": {"loss": 0.5}, "test": {"loss": 0.25}})
    panel.tabs.setCurrentIndex(1)
    panel.flush()
    assert rows_of(panel, tmp_path / "counts.csv") == [
        ["target", "a", "b", "c"],
        ["a", "1", "0", "0"],
        ["b", "0", "1", "1"],
        ["c", "0", "0", "0"],
    ]
    panel.tabs.setCurrentIndex(2)
    assert rows_of(panel, tmp_path / "figures.csv") == [
        ["split", "Loss"],
        ["Training", "0.5"],
        ["Test", "0.25"],
    ]


def test_the_words_of_an_empty_panel_stand_below_its_picture(qtbot: Any) -> None:
    panel = shown(qtbot, CurvesPanel(Session()), 1200, 300)
    QApplication.processEvents()
    picture, hint = panel.empty._picture, panel.empty.hint
    assert abs(picture.geometry().center().x() - hint.geometry().center().x()) <= 1
    assert hint.width() <= 400


@pytest.mark.parametrize("words", ["Validation", "Update ratio", "Test"])
def test_a_choice_of_its_own_size_is_not_cut(qtbot: Any, words: str) -> None:
    box = Pick()
    box.addItem(words)
    shown(qtbot, box)
    box.resize(box.sizeHint())
    QApplication.processEvents()
    whole = box.grab().toImage()
    box.resize(box.sizeHint().width() + 40, box.height())
    QApplication.processEvents()
    roomy = box.grab().toImage()
    left = QRect(0, 0, whole.width() - 30, whole.height())  # without the arrow
    assert not box.shortened
    assert whole.copy(left) == roomy.copy(left)


def test_examples_that_are_still_owed_are_awaited_in_words(qtbot: Any) -> None:
    session, workers = Session(), FakeWorkers()
    panel = PredictionsPanel(session, workers)
    begin(session)
    shown(qtbot, panel)
    session.set_state("finished")
    panel.flush()
    whole, page = list(workers.asked)[-2:]
    workers.answered.emit(whole, protocol.Predicted(whole, (), (example(0, 1, 1),)))
    panel.flush()
    assert panel.said.isVisible()  # the matrix has come, the pictures have not
    panel.tabs.setCurrentIndex(2)
    assert panel.measuring.isVisible()
    panel.tabs.setCurrentIndex(0)
    workers.answered.emit(page, protocol.Predicted(page, (), (example(0, 1, 1),)))
    panel.flush()
    assert panel.cards.isVisible()


def test_a_network_that_measures_says_its_value_beside_the_right_one(qtbot: Any) -> None:
    from engine.training.responses import respond

    drawing = chain(("fc", dense(1, None)), shape=(10,), recipe=Recipe(data=Data("diabetes")))
    host = Host()
    panel = shown(qtbot, ResponsesPanel(Document(drawing), Session(), Selection(), host))
    qtbot.waitUntil(lambda: bool(host.asked))
    answer = respond(protocol.Respond(1, b""), drawing)
    host.answered.emit(1, answer)
    said, right = [line for line in panel.answer.text().splitlines() if line]
    assert said.startswith("says: ")
    assert float(said.removeprefix("says: ")) == pytest.approx(answer.nodes["fc"].values.mean, abs=1e-3)
    assert right.startswith("right: ")
