"""The panels, fed as the window feeds them, against the numbers that went in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

pytest.importorskip("PySide6")
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication

from engine import diff
from engine.findings import Analysis, Problem, Repair
from engine.host import protocol
from engine.network import Network, Node
from gui.document import Document
from gui.panels import CurvesPanel, GradientsPanel, PredictionsPanel, ProblemsPanel, WeightsPanel
from gui.panels.confusion import Confusion, confusion
from gui.panels.distributions import owned
from gui.selection import Selection
from gui.session import MAX_OBSERVATIONS, Session
from gui.theme import theme
from tests.test_panels_series import distribution

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("light")]

SHAPES = {"conv1.weight": (8, 1, 3, 3), "conv1.bias": (8,), "fc.weight": (10, 32), "fc.bias": (10,)}


@pytest.fixture
def session() -> Session:
    return Session()


def begin(session: Session) -> None:
    network = Network(nodes={"conv1": Node("Conv2d"), "relu": Node("ReLU"), "fc": Node("Linear")})
    session.begin(network, "runs/one")
    session.take(protocol.RunStarted("runs/one", "cpu", 3, 100, 0, SHAPES, 1437, 360, 1))
    session.set_state("running")


def metric(session: Session, step: int, split: str = "train", **values: float) -> None:
    session.take(protocol.Metrics(step, step / 100, split, values, step / 50))


def observe(session: Session, step: int) -> dict[str, dict[str, np.ndarray]]:
    """Feed one observation of real tensors; they come back for comparison."""
    rng = np.random.default_rng(step)
    weights = {name: rng.normal(size=shape) for name, shape in SHAPES.items()}
    gradients = {name: 1e-3 * rng.normal(size=shape) for name, shape in SHAPES.items()}
    session.take(
        protocol.Observation(
            step,
            step / 100,
            {name: distribution(values) for name, values in weights.items()},
            {name: distribution(values) for name, values in gradients.items()},
            {name: 1e-3 * (index + 1) for index, name in enumerate(SHAPES)},
        )
    )
    return {"weights": weights, "gradients": gradients}


def drawn(item: Any) -> tuple[list[float], list[float]]:
    x, y = item.getData()
    return ([], []) if x is None else (list(x), list(y))


# ---------------------------------------------------------------------------- curves


@pytest.fixture
def curves(qtbot: Any, session: Session) -> CurvesPanel:
    panel = CurvesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(700, 300)
    panel.show()
    return panel


def test_before_a_run_the_panel_says_what_to_do(curves: CurvesPanel) -> None:
    assert curves.is_empty
    assert "F5" in curves.empty.hint.text()


def test_curves_hold_the_figures_that_came_in(qtbot: Any, curves: CurvesPanel, session: Session) -> None:
    begin(session)
    for step in range(50):
        metric(session, step, loss=2.0 / (step + 1), accuracy=step / 50)
    metric(session, 49, "validation", loss=0.5, accuracy=0.75)
    qtbot.waitUntil(lambda: not curves.is_empty)
    curves.flush()
    assert list(curves.charts) == ["loss", "accuracy"]
    lines = curves.charts["loss"].lines
    x, y = drawn(lines[0, "train"].smooth)
    assert x == list(range(50))
    assert y == pytest.approx([2.0 / (step + 1) for step in range(50)])
    assert drawn(lines[0, "validation"].smooth) == ([49], [0.5])
    assert "75 %" in curves.charts["accuracy"].readout.text()


def test_loss_and_accuracy_are_whole_in_the_room_of_a_first_window(
    qtbot: Any, curves: CurvesPanel, session: Session
) -> None:
    curves.resize(320, 264)  # what a window of 1280 × 800 leaves for it
    begin(session)
    for step in range(1, 5):
        metric(session, step, loss=1 / step, accuracy=step / 5)
    curves.flush()
    qtbot.waitUntil(lambda: len(curves.charts) == 2 and all(c.isVisible() for c in curves.charts.values()))
    bar = curves._scroll.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() == 0)


def test_a_long_curve_is_drawn_with_few_points_and_every_spike(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    values = np.random.default_rng(0).uniform(0.5, 1.0, 100_000)
    values[77_777] = 1.5
    session.metrics += [
        protocol.Metrics(step, step / 100, "train", {"loss": float(value)}, step / 50)
        for step, value in enumerate(values)
    ]
    curves.flush()
    x, y = drawn(curves.charts["loss"].lines[0, "train"].smooth)
    assert len(x) < 2 * curves.width()
    assert (min(y), max(y)) == (values.min(), 1.5)


def test_nan_infinity_and_1e38_leave_the_rest_in_view(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    for step, value in enumerate([1.0, 0.9, 0.8, 1e38, 0.7, float("inf"), float("nan"), *[0.6] * 20]):
        metric(session, step, loss=value)
    curves.flush()
    chart = curves.charts["loss"]
    bottom, top = chart.plot.view.viewRange()[1]
    assert bottom < 0.6
    assert 1.0 < top < 1.2
    assert chart.broken.isVisible()
    assert chart.broken.value() == 5
    curves.grab()


def test_the_logarithmic_axis_shows_powers_of_ten(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    for step in range(5):
        metric(session, step, loss=10.0**-step)
    metric(session, 5, loss=0.0)
    curves.log.setChecked(True)
    curves.flush()
    chart = curves.charts["loss"]
    _, y = drawn(chart.lines[0, "train"].smooth)
    assert y[:5] == pytest.approx([0, -1, -2, -3, -4])
    assert np.isnan(y[5])
    axis = chart.plot.axes["left"]
    _, places = axis.tickValues(-4, 0, 300)[0]
    assert "0.01" in axis.tickStrings(places, 1, 1)


@pytest.mark.parametrize(("index", "factor"), [(0, 1.0), (1, 0.01), (2, 0.02)])
def test_the_horizontal_axis_counts_steps_epochs_or_seconds(
    curves: CurvesPanel, session: Session, index: int, factor: float
) -> None:
    begin(session)
    for step in range(20):
        metric(session, step, loss=1.0)
    curves.axis.setCurrentIndex(index)
    curves.flush()
    x, _ = drawn(curves.charts["loss"].lines[0, "train"].smooth)
    assert x == pytest.approx([step * factor for step in range(20)])


def test_the_cross_hair_reads_the_nearest_point_in_every_plot(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    for step in range(0, 100, 10):
        metric(session, step, loss=step / 10, accuracy=step / 100)
    curves.flush()
    curves.charts["loss"].plot.hovered.emit(42.0)
    assert curves.charts["loss"].readout.text().split() == ["step", "40", "●", "Training", "4"]
    assert curves.charts["accuracy"].readout.text().endswith(" 40 %")
    assert "step 40" in curves.charts["accuracy"].readout.text()
    curves.charts["loss"].plot.hovered.emit(None)
    assert curves.charts["loss"].readout.text() == "● Training 9"


def test_a_range_chosen_by_hand_stays_until_it_is_released(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    for step in range(100):
        metric(session, step, loss=1.0 + step)
    curves.flush()
    plot = curves.charts["loss"].plot
    plot.view.sigRangeChangedManually.emit(plot.view.state["mouseEnabled"])
    plot.view.setRange(xRange=(20, 30), yRange=(20, 30), padding=0)
    metric(session, 100, loss=500.0)
    curves.flush()
    assert plot.view.viewRange()[0] == pytest.approx([20, 30])
    plot.release()
    curves.flush()
    assert plot.view.viewRange()[0][1] > 100


def test_the_run_before_stays_faintly_and_can_be_hidden(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    metric(session, 1, loss=3.0)
    metric(session, 2, loss=2.0)
    curves.flush()
    begin(session)
    metric(session, 1, loss=5.0)
    curves.flush()
    lines = curves.charts["loss"].lines
    assert drawn(lines[1, "train"].smooth) == ([1, 2], [3.0, 2.0])
    assert drawn(lines[0, "train"].smooth) == ([1], [5.0])
    curves.compare.setChecked(False)
    curves.flush()
    assert drawn(lines[1, "train"].smooth) == ([], [])


def test_a_hidden_panel_draws_nothing_and_catches_up(curves: CurvesPanel, session: Session) -> None:
    begin(session)
    metric(session, 0, loss=1.0)
    curves.flush()
    curves.hide()
    for step in range(1, 50):
        metric(session, step, loss=1.0)
    QApplication.processEvents()
    assert len(drawn(curves.charts["loss"].lines[0, "train"].smooth)[0]) == 1
    curves.show()
    assert len(drawn(curves.charts["loss"].lines[0, "train"].smooth)[0]) == 50


def test_many_figures_make_one_repaint(
    qtbot: Any, curves: CurvesPanel, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(session)
    curves.flush()
    sizes: list[int] = []
    monkeypatch.setattr(curves, "refresh", lambda: sizes.append(len(session.metrics)))
    for step in range(1000):
        metric(session, step, loss=1.0)
    qtbot.waitUntil(lambda: bool(sizes))
    assert sizes == [1000]


def test_curves_are_saved_as_csv_and_picture(curves: CurvesPanel, session: Session, tmp_path: Path) -> None:
    begin(session)
    metric(session, 7, "validation", loss=0.25)
    curves.save_table(tmp_path / "curves.csv")
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines == ["run,step,epoch,seconds,split,metric,value", "one,7,0.07,0.14,validation,loss,0.25"]
    curves.save_picture(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


# ---------------------------------------------------------------------------- weights and gradients


@pytest.mark.parametrize("kind", ["weights", "gradients"])
def test_histograms_norms_and_figures_are_those_of_the_tensors(
    qtbot: Any, session: Session, kind: str
) -> None:
    panel = (WeightsPanel if kind == "weights" else GradientsPanel)(session, Selection())
    qtbot.addWidget(panel)
    panel.resize(900, 400)
    panel.show()
    assert panel.is_empty
    begin(session)
    tensors = [observe(session, step)[kind]["fc.weight"] for step in range(0, 100, 10)]
    panel.flush()
    panel.parameters.choose("fc.weight")
    panel.flush()
    picture = panel.image.image**2
    np.testing.assert_allclose(picture.sum(axis=1), 1.0)
    mapped = panel.image.mapToParent(panel.image.boundingRect()).boundingRect()
    edges = mapped.top() + np.linspace(0, 1, picture.shape[1] + 1) * mapped.height()
    for column, values in ((0, tensors[0]), (-1, tensors[-1])):
        share_below = [(values < edge).mean() for edge in edges[1:]]
        # Within one of its own bins a histogram does not know where the values lie.
        own_bin = np.histogram(values, 64)[0].max() / values.size
        np.testing.assert_allclose(np.cumsum(picture[column]), share_below, atol=own_bin)
    _, norms = drawn(panel.trend_plots[0].curve)
    expected = np.array([np.linalg.norm(values) for values in tensors])
    assert norms == pytest.approx(list(np.log10(expected) if kind == "gradients" else expected))
    _, means = drawn(panel.mean)
    assert means == pytest.approx([values.mean() for values in tensors])
    assert "zeros\u00a00\u00a0%" in panel.figures.text()
    assert panel.heading.text().startswith("fc.weight   10 × 32")


def test_weights_are_drawn_against_those_that_the_run_began_with(qtbot: Any, session: Session) -> None:
    begin(session)
    narrow = {name: distribution(np.linspace(-0.5, 0.5, int(np.prod(s)))) for name, s in SHAPES.items()}
    assert session.begun is not None
    session.take(msgspec.structs.replace(session.begun, weights=narrow))
    observe(session, 2)
    # Resumed, its story has a second beginning: the first one stays.
    session.take(
        msgspec.structs.replace(session.begun, step=2, weights={"conv1.weight": distribution(np.ones(4))})
    )
    observe(session, 40)
    panel = WeightsPanel(session, Selection())
    qtbot.addWidget(panel)
    panel.resize(500, 400)
    panel.show()
    qtbot.waitUntil(lambda: not panel.is_empty)
    panel.flush()
    assert "step 40 (filled)" in panel.now_plot.toolTip()
    assert "step 0 (line)" in panel.now_plot.toolTip()
    shares, places = drawn(panel.first)
    seen = [place for share, place in zip(shares, places, strict=True) if share > 0]
    edge = 1.01 * (0.5 + float(panel.bars.opts["height"]))
    assert -edge <= min(seen) < -0.4
    assert 0.4 < max(seen) <= edge  # normal values reach further
    session.seek(2)
    panel.flush()
    assert "step 2 (filled)" in panel.now_plot.toolTip()
    assert "step 0 (line)" in panel.now_plot.toolTip()


def test_the_selection_filters_the_parameters(qtbot: Any, session: Session) -> None:
    selection = Selection()
    panel = WeightsPanel(session, selection)
    qtbot.addWidget(panel)
    begin(session)
    observe(session, 0)
    panel.flush()
    assert panel.parameters.list.names == tuple(SHAPES)
    selection.set(["fc"])
    panel.flush()
    assert panel.parameters.list.names == ("fc.weight", "fc.bias")
    assert panel.parameters.name == "fc.weight"
    selection.set(["relu"])
    panel.flush()
    assert panel.parameters.list.names == tuple(SHAPES)
    assert "relu" in panel.note.text()
    assert panel.parameters.name == "fc.weight"


@pytest.mark.parametrize(
    ("parameter", "nodes", "block", "expected"),
    [
        ("conv1.weight", ["conv1"], None, True),
        ("conv1.weight", ["conv"], None, False),
        ("fc__activation.weight", ["fc"], None, True),
        ("layer1.0.conv1.weight", ["layer1"], None, True),
        ("layer1.0.conv1.weight", ["conv1"], None, False),
        ("layer1.0.conv1.weight", ["conv1"], "Basic", True),
        ("conv1.weight", [], None, False),
    ],
)
def test_parameters_belong_to_nodes_by_path(
    parameter: str, nodes: list[str], block: str | None, expected: bool
) -> None:
    assert owned(parameter, nodes, block) is expected


def test_a_double_click_on_a_parameter_selects_its_node(qtbot: Any, session: Session) -> None:
    selection = Selection()
    panel = GradientsPanel(session, selection)
    qtbot.addWidget(panel)
    begin(session)
    observe(session, 0)
    panel.flush()
    panel.parameters.doubleClicked.emit(panel.parameters.list.index(2, 0))
    assert selection.nodes == ("fc",)


def test_the_newest_observation_is_shown_even_when_it_is_not_kept(qtbot: Any, session: Session) -> None:
    panel = WeightsPanel(session, Selection())
    qtbot.addWidget(panel)
    begin(session)
    for step in range(403):
        observe(session, step)
    last = observe(session, 1000)["weights"]["conv1.weight"]
    panel.flush()
    assert session.observations[-1].step < 1000
    _, norms = drawn(panel.trend_plots[0].curve)
    assert norms[-1] == pytest.approx(np.linalg.norm(last))


def test_update_ratios_are_listed_as_sent(qtbot: Any, session: Session) -> None:
    panel = GradientsPanel(session, Selection())
    qtbot.addWidget(panel)
    begin(session)
    observe(session, 0)
    panel.flush()
    cells = [panel.parameters.list.index(row, 2).data() for row in range(4)]
    assert cells == ["0.001", "0.002", "0.003", "0.004"]


def test_gradients_that_are_not_finite_are_said_and_nothing_breaks(qtbot: Any, session: Session) -> None:
    panel = GradientsPanel(session, Selection())
    qtbot.addWidget(panel)
    panel.resize(900, 400)
    panel.show()
    begin(session)
    observe(session, 0)
    nan = float("nan")
    bad = protocol.Distribution(nan, nan, (0,) * 64, nan, nan, nan, 0.0, 72)
    session.take(protocol.Observation(1, 0.01, dict.fromkeys(SHAPES, bad), dict.fromkeys(SHAPES, bad)))
    panel.flush()
    assert "NaN" in panel.figures.text()
    panel.grab()


# ---------------------------------------------------------------------------- problems


def broken() -> tuple[Document, Problem]:
    network = Network(nodes={"conv1": Node("Conv2d", {"out_channels": 8, "kernel_size": [31, 31]})})
    mended = msgspec.structs.replace(
        network, nodes={"conv1": Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]})}
    )
    repair = Repair("Set kernel_size to 3", diff.changes(network, mended))
    problem = Problem("error", "window-fits", "the window is too large.", "conv1", "kernel_size", (repair,))
    return Document(network), problem


def test_a_repair_is_applied_by_its_button_and_undone(qtbot: Any) -> None:
    document, problem = broken()
    panel = ProblemsPanel(document, Selection())
    qtbot.addWidget(panel)
    panel.set_analysis(Analysis(problems=(problem,)))
    before = document.network
    qtbot.mouseClick(panel.buttons[0], Qt.MouseButton.LeftButton)
    assert document.network.nodes["conv1"].fields["kernel_size"] == [3, 3]
    assert document.undo_stack.undoText() == "Set kernel_size to 3"
    document.undo_stack.undo()
    assert document.network == before


def test_a_click_selects_the_node_and_the_worst_stands_first(qtbot: Any) -> None:
    document, problem = broken()
    selection = Selection()
    panel = ProblemsPanel(document, selection)
    qtbot.addWidget(panel)
    with qtbot.waitSignal(panel.count_changed) as counted:
        panel.set_analysis(Analysis(problems=(Problem("warning", "w", "odd."), problem)))
    assert counted.args == [1, 1]
    assert [found.severity for found in panel.model.problems] == ["error", "warning"]
    panel.list.clicked.emit(panel.model.index(0, 0))
    assert selection.nodes == ("conv1",)


def test_no_problems_is_said(qtbot: Any) -> None:
    document, _ = broken()
    panel = ProblemsPanel(document, Selection())
    qtbot.addWidget(panel)
    panel.set_analysis(Analysis())
    panel.flush()
    assert panel.is_empty
    assert panel.empty.title.text() == "No problems"


def test_a_repair_that_no_longer_fits_changes_nothing(qtbot: Any) -> None:
    document, problem = broken()
    panel = ProblemsPanel(document, Selection())
    qtbot.addWidget(panel)
    panel.set_analysis(Analysis(problems=(problem,)))
    document.edit(Network(), "Delete conv1")
    panel.buttons[0].click()
    assert document.network == Network()
    assert "no longer fits" in panel.message.text()


# ---------------------------------------------------------------------------- predictions


class FakeWorkers(QObject):
    answered = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[int, tuple[str, int, int]] = {}
        #: The step whose weights were asked for, by request.
        self.steps: dict[int, int | None] = {}
        self.evaluated = 0

    def predict(
        self,
        run: str,
        split: str = "validation",
        first: int = 0,
        count: int = 16,
        pictures: bool = True,
        step: int | None = None,
    ) -> int:
        request = len(self.asked) + self.evaluated + 1
        self.asked[request], self.steps[request] = (split, first, count), step
        return request

    def evaluate(self, run: str) -> int:
        self.evaluated += 1
        return len(self.asked) + self.evaluated


def example(index: int, predicted: int, target: int) -> protocol.Prediction:
    probabilities = [0.1, 0.1, 0.1]
    probabilities[predicted] = 0.8
    outputs = (0.0, 1.0, 2.0)
    picture = bytes(range(64))
    return protocol.Prediction(
        index, outputs, tuple(probabilities), predicted, float(target), picture, (8, 8)
    )


def test_the_confusion_matrix_counts_target_by_prediction() -> None:
    pairs = [(0, 0), (0, 1), (1, 1), (2, 1), (2, 2), (2, 2)]
    examples = tuple(example(index, predicted, target) for index, (target, predicted) in enumerate(pairs))
    counts = confusion(protocol.Predicted(1, ("a", "b", "c"), examples))
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 2]]


@pytest.mark.parametrize("size", [4, 64])
def test_a_cell_is_the_darker_the_larger_its_share_of_the_row(qtbot: Any, size: int) -> None:
    counts = np.ones((size, size), dtype=np.int64)
    counts[0, 0] = 9 * (size - 1)  # nine tenths of its row
    shown = Confusion()
    qtbot.addWidget(shown)
    shown.resize(900, 800)
    shown.show_counts(counts, ())
    picture = shown.grab().toImage()
    field = shown._field()

    def wanted(token: str, share: float) -> list[float]:
        ground, full = (theme.color(name).getRgb()[:3] for name in ("raised", token))
        return [g + share**0.5 * (f - g) for g, f in zip(ground, full, strict=True)]

    for row, column in ((0, 0), (0, size - 1), (size - 1, 1), (size - 1, size - 1)):
        x = field.left() + (column + 0.25) * field.width() / size
        y = field.top() + (row + 0.35) * field.height() / size
        share = counts[row, column] / counts[row].sum()
        color = picture.pixelColor(round(x), round(y)).getRgb()[:3]
        assert color == pytest.approx(wanted("accent" if row == column else "error", share), abs=1)


def test_a_long_run_with_two_outputs_keeps_matrices_of_both(session: Session) -> None:
    begin(session)
    for step in range(2 * MAX_OBSERVATIONS):
        for output in ("kind", "age"):
            session.take(protocol.Confused(step, "validation", output, (), (1, 0, 0, 1)))
    assert len(session.confusions) <= MAX_OBSERVATIONS
    steps = {name: [c.step for c in session.confusions if c.output == name] for name in ("kind", "age")}
    assert steps["kind"][0] == steps["age"][0] == 0
    assert steps["kind"][-1] == steps["age"][-1] == 2 * MAX_OBSERVATIONS - 1
    assert len(set(steps["kind"]) ^ set(steps["age"])) <= 1


def test_predictions_are_asked_for_when_a_run_has_ended_and_shown(qtbot: Any, session: Session) -> None:
    workers = FakeWorkers()
    panel = PredictionsPanel(session, workers)
    qtbot.addWidget(panel)
    panel.resize(600, 400)
    panel.show()
    assert panel.is_empty
    begin(session)
    session.set_state("finished")
    assert workers.evaluated == 1
    for request, (split, first, count) in list(workers.asked.items()):
        assert split == "validation"
        examples = tuple(example(first + i, i % 3, i % 3) for i in range(min(count, 30)))
        workers.answered.emit(request, protocol.Predicted(request, ("a", "b", "c"), examples))
    panel.flush()
    assert not panel.is_empty
    assert panel.model.rowCount() == 24
    assert panel.confusion.counts.trace() == 30
    assert panel.next.isEnabled()
    assert not panel.previous.isEnabled()
    panel.grab()


def test_a_failure_is_said_and_an_answer_to_others_is_not_taken(qtbot: Any, session: Session) -> None:
    workers = FakeWorkers()
    panel = PredictionsPanel(session, workers)
    qtbot.addWidget(panel)
    panel.show()
    begin(session)
    panel.ask()
    workers.answered.emit(999, protocol.Failed(999, "not for me"))
    page = list(workers.asked)[-1]
    workers.answered.emit(page, protocol.Failed(page, "There are no best weights yet."))
    assert panel.status.text() == "There are no best weights yet."


# ---------------------------------------------------------------------------- all


@pytest.mark.parametrize("choice", ["light", "dark"])
@pytest.mark.parametrize("size", [(320, 200), (1920, 400)])
def test_every_panel_paints_at_every_size_in_both_themes(
    qtbot: Any, session: Session, choice: str, size: tuple[int, int]
) -> None:
    theme.choose(choice)
    document, problem = broken()
    problems = ProblemsPanel(document, Selection())
    panels = [
        CurvesPanel(session),
        WeightsPanel(session, Selection()),
        GradientsPanel(session, Selection()),
        PredictionsPanel(session, FakeWorkers()),
        problems,
    ]
    begin(session)
    for step in range(80):
        metric(session, step, loss=1 / (step + 1), accuracy=step / 80)
    observe(session, 0)
    observe(session, 10)
    problems.set_analysis(Analysis(problems=(problem,)))
    for panel in panels:
        qtbot.addWidget(panel)
        panel.resize(*size)
        panel.show()
        panel.flush()
        assert (panel.width(), panel.height()) == size
        assert panel.accessibleName()
        image = panel.grab().toImage()
        assert len({image.pixel(x, y) for x in range(0, size[0], 3) for y in range(0, size[1], 3)}) > 5


def test_ridges_swell_where_the_values_are(qtbot: Any, session: Session) -> None:
    panel = WeightsPanel(session, Selection())
    qtbot.addWidget(panel)
    panel.resize(900, 400)
    panel.show()
    begin(session)
    for step in range(100):
        observe(session, step)
    panel.as_ridges.setChecked(True)
    panel.flush()
    assert panel.ridges.isVisible()
    assert not panel.image.isVisible()
    assert len(panel.ridges.polygons) == 40
    first = panel.ridges.polygons[0]
    swell = [(first.at(i).x(), first.at(i).y()) for i in range(first.size())]
    peak = max(swell)[1]
    assert abs(peak) < 1  # the mode of a standard normal draw of 72 values
    panel.grab()


def test_the_worst_examples_come_first_when_asked(qtbot: Any, session: Session) -> None:
    workers = FakeWorkers()
    panel = PredictionsPanel(session, workers)
    qtbot.addWidget(panel)
    panel.show()
    begin(session)
    panel.ask()
    whole = next(request for request, (_, _, count) in workers.asked.items() if count > 24)
    examples = (example(0, 1, 1), example(1, 2, 0), example(2, 0, 0))
    workers.answered.emit(whole, protocol.Predicted(whole, ("a", "b", "c"), examples))
    panel.order.setCurrentText("Worst first")
    assert panel.model.predicted.predictions[0].index == 1
    assert not panel.next.isEnabled()
    panel.order.setCurrentText("Best first")
    assert panel.model.predicted.predictions[-1].index == 1


def test_predicted_values_are_drawn_against_true_ones(qtbot: Any, session: Session) -> None:
    workers = FakeWorkers()
    panel = PredictionsPanel(session, workers)
    qtbot.addWidget(panel)
    panel.show()
    begin(session)
    panel.ask()
    whole = next(request for request, (_, _, count) in workers.asked.items() if count > 24)
    values = ((1.0, 1.5), (2.0, 1.75), (3.0, float("nan")))
    examples = tuple(
        protocol.Prediction(index, (output,), target=target) for index, (target, output) in enumerate(values)
    )
    workers.answered.emit(whole, protocol.Predicted(whole, (), examples))
    assert drawn(panel.agreement.points) == ([1.0, 2.0], [1.5, 1.75])
    assert drawn(panel.agreement.residuals) == ([1.0, 2.0], [0.5, -0.25])
    assert panel.tabs.tabText(1) == "Agreement"
    panel.tabs.setCurrentIndex(1)
    panel.grab()


def test_predicted_and_true_values_are_those_of_the_step_that_is_looked_at(
    qtbot: Any, session: Session
) -> None:
    workers = FakeWorkers()
    panel = PredictionsPanel(session, workers)
    qtbot.addWidget(panel)
    panel.show()
    begin(session)
    panel.tabs.setCurrentIndex(1)
    session.take(protocol.WeightsKept((2, 40)))

    def compared(step: int) -> bool:
        for request, (_, _, count) in list(workers.asked.items()):
            note = f"weights of step {workers.steps[request]}"
            examples = (protocol.Prediction(0, (1.0 + (workers.steps[request] or 0),), target=1.0),)
            if request in (panel._page, panel._whole):
                told = examples if count > 24 else ()
                workers.answered.emit(request, protocol.Predicted(request, (), told, weights=note))
        return drawn(panel.agreement.points) == ([1.0], [1.0 + step])

    for looked_at, step in ((None, 40), (2, 2), (39, 2), (40, 40)):
        session.seek(looked_at)
        qtbot.waitUntil(lambda step=step: compared(step))
        assert panel.agreement._titles[0].text().endswith(f"weights of step {step}")


@pytest.mark.parametrize("width", [182, 320, 900])
def test_the_heat_map_fills_its_plot_at_every_width(qtbot: Any, session: Session, width: int) -> None:
    panel = GradientsPanel(session, Selection())
    qtbot.addWidget(panel)
    panel.resize(width, 540)
    panel.show()
    begin(session)
    for step in range(0, 100, 10):
        observe(session, step)
    panel.flush()
    QApplication.processEvents()
    assert panel.width() == width
    picture = panel.image.mapToParent(panel.image.boundingRect()).boundingRect()
    (left, right), (bottom, top) = panel.heat_plot.view.viewRange()
    assert (left, right, bottom, top) == pytest.approx(
        (picture.left(), picture.right(), picture.top(), picture.bottom())
    )
    if panel.now_plot.isVisible():
        assert panel.now_plot.view.viewRange()[1] == pytest.approx([bottom, top])
