"""Health, activations, filters, responses and scrubber, fed with the events of a real run."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PySide6")
from msgspec.structs import replace
from PySide6.QtCore import QObject, QPointF, Qt, Signal
from PySide6.QtWidgets import QMainWindow

import engine
from engine import edit
from engine.findings import Analysis, Problem
from engine.host import protocol
from engine.network import Block, Edge, End, Network, Node
from gui.diagnosing import carried, said
from gui.docks import Docks
from gui.document import Document
from gui.panels import ActivationsPanel, FiltersPanel, GradientsPanel, HealthPanel, ResponsesPanel
from gui.panels.judge import Judge, Standing
from gui.panels.measures import MEASURES, Reader
from gui.panels.pictures import laid_out, values_of
from gui.scrubber import Scrubber
from gui.selection import Selection
from gui.session import Session
from gui.theme import theme
from tests.diagnosis_table import every_other_step
from tests.sick_networks import convolutional, dense, network

pytestmark = [pytest.mark.gui, pytest.mark.usefixtures("light")]


def events_of(drawn: Any) -> list[Any]:
    events: list[Any] = []
    with tempfile.TemporaryDirectory() as folder, every_other_step():
        engine.train(drawn, device="cpu", run_dir=folder, emit=events.append)
    return events


@pytest.fixture(scope="module")
def trained() -> tuple[Any, list[Any]]:
    drawn = convolutional("c", epochs=2)
    return drawn, events_of(drawn)


def told(drawn: Any, events: list[Any]) -> Session:
    session = Session()
    session.begin(drawn, "runs/one")
    for event in events:
        session.take(event)
    return session


@pytest.fixture
def session(trained: tuple[Any, list[Any]]) -> Session:
    return told(*trained)


def shown(qtbot: Any, panel: Any) -> Any:
    qtbot.addWidget(panel)
    panel.resize(700, 420)
    panel.show()
    panel.flush()
    return panel


def test_activations_are_listed_in_the_order_in_which_they_run(qtbot: Any, session: Session) -> None:
    selection = Selection()
    panel = shown(qtbot, ActivationsPanel(session, selection))
    assert panel.parameters.list.names == ("conv1", "pool", "conv2", "flat", "fc")
    last = session.seen()[-1].activations["conv1"]
    assert "12 units" in panel.heading.text()
    assert f"{100 * last.dead:.4g}" in panel.figures.text().replace("\u00a0", " ")
    selection.set(["fc"])
    panel.flush()
    assert panel.parameters.list.names == ("fc",)


def test_the_cosine_of_successive_gradients_is_drawn(qtbot: Any, session: Session) -> None:
    panel = shown(qtbot, GradientsPanel(session, Selection()))
    name = panel.parameters.name
    trend = next(t for t in panel.trend_plots if t.trend.title.startswith("Cosine"))
    wanted = [o.cosines[name] for o in session.seen() if name in o.cosines]
    y = [v for v in trend.curve.getData()[1] if np.isfinite(v)]
    assert y[-1] == pytest.approx(wanted[-1])


def test_looking_at_an_earlier_step_binds_every_panel(qtbot: Any, session: Session) -> None:
    panel = shown(qtbot, ActivationsPanel(session, Selection()))
    scrubber = Scrubber(session)
    qtbot.addWidget(scrubber)
    scrubber.show()
    kept = session.observations
    scrubber.slider.setValue(3)
    panel.flush()
    assert session.at == kept[3].step
    assert panel.heat_plot.view.viewRange()[0][1] == pytest.approx(kept[3].step, abs=2)
    assert f"step {kept[3].step:,}" in scrubber.where.text()
    scrubber.slider.setValue(scrubber.slider.maximum())
    assert session.at is None


def test_a_film_plays_to_the_newest_step(qtbot: Any, session: Session) -> None:
    scrubber = Scrubber(session)
    qtbot.addWidget(scrubber)
    scrubber._film.setInterval(0)
    scrubber.play.setChecked(True)
    qtbot.waitUntil(lambda: not scrubber.play.isChecked())
    assert session.at is None
    assert scrubber.slider.value() == scrubber.slider.maximum()


def test_the_measures_on_the_canvas_are_the_observations_own(session: Session) -> None:
    last = session.seen()[-1]
    gradients = next(m for m in MEASURES if m.title == "Gradient norm")
    both = np.hypot(last.gradients["conv1.weight"].norm, last.gradients["conv1.bias"].norm)
    assert gradients.of(last)["conv1"] == pytest.approx(both)
    marks = Reader().marks(gradients, session.seen())
    assert list(marks) == ["conv1", "conv2", "fc"]
    assert marks["fc"].color.startswith("#")
    assert len(marks["fc"].history) == min(40, len(session.seen()))
    dead = next(m for m in MEASURES if m.title == "Dead units")
    assert dead.color(0.9).name() == theme.color("error").name()
    assert dead.color(0.0).name() == theme.color("good").name()


def test_health_lists_the_doctors_findings_and_a_repair_is_one_undo_step(qtbot: Any) -> None:
    ill = network("ill", [dense(48, "Sigmoid") for _ in range(10)], epochs=3)
    document = Document(ill)
    session = told(ill, events_of(ill))
    panel = shown(qtbot, HealthPanel(document, Selection(), session))
    codes = [finding.code for finding in panel.findings]
    assert "vanishing-gradient" in codes
    marks: list[Any] = []
    panel.marked.connect(marks.append)
    panel.chooser.setCurrentIndex(1)
    panel.flush()
    assert set(marks[-1]) == {*(f"h{i}" for i in range(1, 11)), "fc"}
    repair = next(f for f in panel.findings if f.code == "vanishing-gradient").repairs[0]
    assert panel.repair(repair)
    assert document.network.nodes["h1"].activation.id == "ReLU"
    document.undo_stack.undo()
    assert document.network == ill


def test_a_well_network_gets_no_diagnosis(qtbot: Any, session: Session) -> None:
    assert session.network is not None
    panel = shown(qtbot, HealthPanel(Document(session.network), Selection(), session))
    assert panel.findings == ()
    assert panel.list.is_empty


def until(events: list[Any], step: int) -> list[Any]:
    """What a run has told up to a step."""
    return [event for event in events if getattr(event, "step", 0) <= step]


def test_before_the_rules_can_tell_the_doctor_says_what_they_wait_for(
    qtbot: Any, trained: tuple[Any, list[Any]]
) -> None:
    drawn, events = trained
    session = told(drawn, until(events, 2))
    panel = shown(qtbot, HealthPanel(Document(drawn), Selection(), session))
    said = panel.list.empty
    assert said.title.text() == "Too early to tell"
    # Of ten rules saturation (ReLU alone) and stuck signs (none are binary) concern it not; a gradient
    # that explodes shows at the first look.
    assert said.hint.text().startswith("1 of 8 rules can tell at step 2. The others need ")
    assert "5 training points (1 so far), 3 looks (1 so far)" in said.hint.text()
    assert "step 50" in said.hint.text()
    assert "5 validations (0 so far)" in said.hint.text()
    rules = panel.list.toolTip().splitlines()
    assert len(rules) == 10
    assert "Gradients explode from the first step: not found" in rules
    assert "A layer does not learn: needs 3 looks (1 so far)" in rules
    assert "A binarized layer is stuck: does not concern this network" in rules
    for event in events:
        if 2 < getattr(event, "step", 0) <= 46 and not isinstance(event, protocol.RunState):
            session.take(event)
    assert said.icon == "mdi6.timer-sand"  # and no tick: nothing is well yet
    last = "The others need step 50 and 5 validations (2 so far), about step 115, beyond this run's end."
    qtbot.waitUntil(lambda: said.hint.text().endswith(last))  # a run under way is given its rest


def test_a_run_too_short_for_some_rules_says_so_when_it_has_ended(
    qtbot: Any, trained: tuple[Any, list[Any]]
) -> None:
    drawn, events = trained
    session = told(drawn, events)
    panel = shown(qtbot, HealthPanel(Document(drawn), Selection(), session))
    assert panel.list.empty.title.text() == "Nothing found, in so short a run"
    assert panel.list.empty.hint.text().startswith("5 of 8 rules could tell at step 46. The others would")
    ill = network("ill", [dense(48, "Sigmoid") for _ in range(10)], epochs=6)
    session = told(ill, events_of(ill))
    panel = shown(qtbot, HealthPanel(Document(ill), Selection(), session))
    assert panel.findings
    assert panel.standing.text() == "8 of 8 rules could tell at step 138"
    button = panel.list.buttons[0]
    first = panel.findings[0].repairs[0]
    assert button.toolTip().splitlines()[:2] == ["Do this (it can be undone):", str(first.changes[0])]
    assert panel.standing.toolTip().count(": found") == len({f.code for f in panel.findings})


def test_a_tab_says_how_much_the_doctor_has_found_though_another_stands_before_it(qtbot: Any) -> None:
    ill = network("ill", [dense(48, "Sigmoid") for _ in range(10)], epochs=3)
    events = events_of(ill)
    session = told(ill, [])
    window = QMainWindow()
    qtbot.addWidget(window)
    docks = Docks(window)
    panel = HealthPanel(Document(ill), Selection(), session)
    docks.fill("health", panel)
    panel.counted.connect(lambda number: docks.count("health", number))
    window.resize(1280, 800)
    window.show()
    qtbot.waitUntil(lambda: docks["weights"].seen and not panel.in_view)
    for event in events:
        session.take(event)
    qtbot.waitUntil(lambda: docks["health"].windowTitle() == f"Health · {len(panel.findings)}")
    assert panel.findings
    session.begin(ill, "runs/two")
    qtbot.waitUntil(lambda: docks["health"].windowTitle() == "Health")


def test_three_findings_are_seen_at_once_where_colours_have_a_scale_in_a_small_window(qtbot: Any) -> None:
    drawn = network("ill", [dense(48) for _ in range(3)])
    panel = HealthPanel(Document(drawn), Selection(), told(drawn, []))
    shown(qtbot, panel)
    panel.resize(319, 266)  # what it has in a window of 1280 × 800
    panel.chooser.setCurrentIndex(1)
    problems = tuple(Problem("warning", f"code-{i}", f"Something {i}", node=f"h{i}") for i in range(4))
    panel.list.set_analysis(Analysis(problems=problems))
    panel.list.flush()
    qtbot.waitUntil(lambda: panel.list.list.viewport().height() >= 3 * 28)
    assert panel.legend.isVisible()
    assert panel.list.message.isVisible()
    assert (
        panel.list.list.visualRect(panel.list.model.index(2, 0)).bottom()
        < panel.list.list.viewport().height()
    )


def test_filters_show_the_newest_weights_and_their_gradient(qtbot: Any, session: Session) -> None:
    panel = shown(qtbot, FiltersPanel(session, Selection()))
    assert panel.chooser.currentText() == "conv1.weight"
    excerpt = session.seen()[-1].weight_excerpts["conv1.weight"]
    _, rows = panel.table()
    rows = list(rows)
    wanted = values_of(excerpt).ravel().tolist()
    assert [row[3] for row in rows if row[0] == "weight"] == wanted
    assert panel.weight.grab().toImage().pixelColor(panel.weight.rect().center()).isValid()


def test_kernels_are_laid_in_a_table_of_output_and_input_channels() -> None:
    kernels = np.arange(2 * 3 * 2 * 2, dtype=float).reshape(2, 3, 2, 2)
    table = laid_out(kernels)
    assert table.shape == (5, 8)
    assert table[0:2, 3:5].tolist() == kernels[0, 1].tolist()
    assert table[3:5, 6:8].tolist() == kernels[1, 2].tolist()
    assert np.isnan(table[2]).all()


class Host(QObject):
    """Stands in for the window's workers, and answers when told to."""

    answered = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Any] = []
        self.steps: list[int | None] = []

    def respond(
        self, run: Any, split: str = "validation", index: int = 0, values: Any = (), step: Any = None
    ) -> int:
        self.asked.append((run, split, index, tuple(values)))
        self.steps.append(step)
        return len(self.asked)

    def boundary(self, run: Any, node: Any = None, unit: int = 0, step: Any = None) -> int:
        self.asked.append((run, node, unit))
        return len(self.asked)


def test_every_layer_responds_to_what_is_drawn_with_the_mouse(qtbot: Any) -> None:
    from engine.training.responses import respond

    drawn = convolutional("c")
    host, selection = Host(), Selection()
    panel = shown(qtbot, ResponsesPanel(Document(drawn), Session(), selection, host))
    panel.mode.setCurrentIndex(panel.mode.findData("draw"))
    qtbot.waitUntil(lambda: bool(host.asked))
    asked = len(host.asked)
    assert panel.pad.values.shape == (8, 8)
    qtbot.mousePress(panel.pad, Qt.MouseButton.LeftButton, pos=panel.pad.rect().center())
    ink = panel.pad.values.max()
    assert ink > 0.7
    assert len(host.asked) == asked  # one question at a time
    answer = respond(protocol.Respond(asked, b"", values=host.asked[-1][3]), drawn)
    host.answered.emit(asked, answer)
    assert len(host.asked) == asked + 1  # the stroke drawn meanwhile is asked for now
    assert max(host.asked[-1][3]) == ink
    assert list(panel.cells.responded.nodes) == ["image", "conv1", "pool", "conv2", "flat", "fc"]
    best = int(np.argmax(answer.probabilities))
    assert panel.answer.text().splitlines()[0].endswith(str(best))
    panel.cells.clicked.emit("conv2")
    assert selection.nodes == ("conv2",)
    panel.pad.stroke(QPointF(panel.pad.rect().center()), -1.0)
    assert panel.pad.values.max() < ink


def test_what_becomes_of_trained_weights_is_told_by_name_and_shape() -> None:
    trained = {"fc1.weight": (8, 4), "fc1.bias": (8,), "fc2.weight": (2, 8), "old.weight": (3, 3)}
    some = engine.findings.Tensor((8,))
    report = lambda **shapes: engine.findings.NodeReport({"output": some}, shapes)  # noqa: E731
    drawn = Analysis(
        nodes={
            "fc1": report(weight=(8, 4), bias=(8,)),
            "fc2": report(weight=(2, 9)),
            "new": report(weight=(1,)),
        }
    )
    found = carried(trained, drawn)
    assert found["kept"] == ("fc1.weight", "fc1.bias")
    assert found["new"] == ("fc2.weight", "new.weight")
    assert found["dropped"] == ("fc2.weight", "old.weight")
    assert said(found).startswith("2 of its parameters keep their weights, 2 are drawn anew")


def test_what_stands_behind_an_error_is_not_called_dropped(trained: tuple[Any, list[Any]]) -> None:
    drawn, _ = trained
    shapes = dict(engine.build(drawn).named_parameters())
    parameters = {name: tuple(tensor.shape) for name, tensor in shapes.items()}
    found = carried(parameters, engine.analyze(edit.remove(drawn, ["pool"])))
    assert found["kept"] == ("conv1.weight", "conv1.bias")
    assert found["dropped"] == ()
    assert found["open"] == ("conv2.weight", "conv2.bias", "fc.weight", "fc.bias")
    assert said(found) == (
        "2 of its parameters keep their weights, what becomes of 4 shows when the drawing has no errors."
    )
    found = carried(parameters, engine.analyze(edit.remove(drawn, ["conv1"])))
    assert found["dropped"] == ("conv1.weight", "conv1.bias")


def test_observations_of_a_run_of_100_000_steps_stay_bounded(session: Session) -> None:
    one = session.seen()[-1]
    long = Session()
    long.begin(replace(session.network, name="long"), "runs/long")
    for step in range(0, 100_000, 10):
        long.take(replace(one, step=step))
    assert len(long.observations) <= 400
    assert long.observations[0].step == 0
    assert long.seen()[-1].step == 99_990


@pytest.mark.full
def test_every_panel_has_a_picture_with_a_real_runs_data_light_and_dark(tmp_path: Any) -> None:
    from PySide6.QtGui import QImage

    from tests.panel_pictures import draw

    pictures = draw(tmp_path)
    assert len(pictures) == 26
    for path in pictures:
        image = QImage(str(path))
        assert (
            len({image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)})
            > 8
        )


def test_gradients_of_all_layers_are_one_plot_on_a_logarithmic_scale(qtbot: Any, session: Session) -> None:
    selection = Selection()
    panel = shown(qtbot, GradientsPanel(session, selection))
    panel.through_depth.setChecked(True)
    selection.set(["conv1"])  # all are seen, whatever is selected
    panel.flush()
    norms, ratios = panel.depth_plots.plots
    last, first = session.seen()[-1], session.seen()[0]
    names = list(session.begun.parameters)
    wanted = [np.log10(last.gradients[name].norm) for name in names]
    assert norms.now.getData()[1] == pytest.approx(wanted)
    assert norms.first.getData()[1] == pytest.approx([np.log10(first.gradients[n].norm) for n in names])
    assert ratios.now.getData()[1] == pytest.approx([np.log10(last.updates[name]) for name in names])
    assert [norms.plot.axes["bottom"].format(i) for i in range(2)] == ["conv1.weight", "conv1.bias"]
    pointed: list[str] = []
    selection.pointed.connect(pointed.append)
    spot = norms.plot.view.mapViewToScene(norms.dots.points()[2].pos())
    qtbot.mouseClick(norms.plot.viewport(), Qt.MouseButton.LeftButton, pos=norms.plot.mapFromScene(spot))
    assert pointed == ["conv2"]
    assert panel.parameters.name == names[2]
    assert selection.nodes == ("conv1",)


def test_a_click_in_a_panel_shows_the_node_on_the_canvas(qtbot: Any, session: Session) -> None:
    from gui.canvas import Canvas

    assert session.network is not None
    selection = Selection()
    canvas = Canvas(Document(session.network), selection)
    qtbot.addWidget(canvas)
    canvas.resize(300, 200)
    canvas.show()
    canvas.set_zoom(2.0)
    canvas.reveal(["image"])
    panel = shown(qtbot, GradientsPanel(session, selection))
    row = panel.parameters.list.names.index("fc.weight")
    place = panel.parameters.visualRect(panel.parameters.list.index(row, 0)).center()
    qtbot.mouseClick(panel.parameters.viewport(), Qt.MouseButton.LeftButton, pos=place)
    card = canvas.drawing.nodes["fc"]
    assert card.hovered
    assert canvas.visible_rect().intersects(card.rect)
    assert selection.nodes == ()
    qtbot.waitUntil(lambda: not card.hovered)
    filters = shown(qtbot, FiltersPanel(session, selection))
    qtbot.mouseClick(filters.weight, Qt.MouseButton.LeftButton)
    assert canvas.drawing.nodes["conv1"].hovered


def test_a_figure_that_is_not_told_takes_no_room(qtbot: Any, session: Session) -> None:
    panel = shown(qtbot, ActivationsPanel(session, Selection()))
    assert [plot.trend.title for plot in panel.trend_plots if plot.isVisible()] == [
        "Dead units",
        "Effective rank",
    ]


def test_responses_follow_the_step_that_is_looked_at(qtbot: Any, session: Session) -> None:
    host = Host()
    assert session.network is not None
    panel = shown(qtbot, ResponsesPanel(Document(session.network), session, Selection(), host))
    session.set_state("finished")
    assert session.kept

    def asked(step: int | None) -> bool:
        """Whether this step's weights have been asked; what is owed is answered."""
        if panel._asked is not None:
            host.answered.emit(panel._asked, protocol.Responded(panel._asked, {}, "", (), None, ()))
        return bool(host.steps) and host.steps[-1] == step

    for looked_at, step in ((None, None), (session.kept[0], session.kept[0]), (None, None)):
        session.seek(looked_at)  # of a run that has ended the best weights respond
        qtbot.waitUntil(lambda step=step: asked(step), timeout=20_000)


def test_one_rule_that_waits_is_spoken_of_as_one(qtbot: Any, trained: tuple[Any, list[Any]]) -> None:
    drawn, events = trained
    judge = Judge(told(drawn, events))
    well = Standing("Found nowhere", True, False, ())
    judge.standing = (well, well, Standing("Overfitting", True, False, ("5 validations (3 so far)",)))
    assert judge.said().hint.endswith("The other would have needed 5 validations (3 so far).")
    assert judge.said().icon != "mdi6.check-circle-outline"
    judge.standing = (well, well)
    assert judge.said().title == "Nothing found"
    assert judge.said().icon == "mdi6.check-circle-outline"


def test_a_blocks_nodes_are_coloured_by_their_own_figures_and_not_by_those_of_their_names() -> None:
    conv = Node("Conv2d", {"out_channels": 4, "kernel_size": 3})
    inside = Block(
        nodes={"in": Node("Input"), "conv1": conv, "out": Node("Output")},
        edges=(Edge(End("in"), End("conv1")), Edge(End("conv1"), End("out"))),
    )
    drawn = Network(
        nodes={
            "conv1": conv,
            "layer": Node("Block", block="Body", repeat=2),
            "tail": Node("Block", block="Other"),
        },
        blocks={"Body": inside, "Other": inside},
    )
    norms = {"conv1": 100.0, "layer.0.conv1": 1.0, "layer.1.conv1": 3.0, "tail.conv1": 50.0}
    gradients = {
        f"{path}.weight": protocol.Distribution(-1, 1, (0,) * 64, 0, 1, n, 0) for path, n in norms.items()
    }
    seen = [protocol.Observation(7, 0.1, {}, gradients)]
    measure = next(m for m in MEASURES if m.title == "Gradient norm")
    reader = Reader()
    assert {n: m.text for n, m in reader.marks(measure, seen, "Body", drawn).items()} == {"conv1": "2"}
    told = reader.marks(measure, seen, "Body", drawn)["conv1"].tip
    assert told == "Gradient norm 2, the median of 2 uses, at step 7"
    assert reader.marks(measure, seen, "Other", drawn)["conv1"].tip == "Gradient norm 50 at step 7"
    whole = reader.marks(measure, seen, None, drawn)
    assert whole["conv1"].tip == "Gradient norm 100 at step 7"
    assert whole["layer"].tip == "Gradient norm 2, the median of 2 layers in it, at step 7"
