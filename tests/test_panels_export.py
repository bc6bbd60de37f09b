"""What panels save can be read by others; several runs and their marks are seen together."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import polars
import pytest

pytest.importorskip("PySide6")
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QMenu

from engine.host import protocol
from engine.network import Network
from gui.document import Document
from gui.panels import CurvesPanel, ProblemsPanel
from gui.selection import Selection
from gui.session import Session

pytestmark = pytest.mark.gui


def run(session: Session, name: str, scale: float, rates: tuple[float, ...] = ()) -> None:
    session.begin(Network(), name)
    session.take(protocol.RunStarted(name, "cpu", 3, 10, 0, {}, 100, 20, 1))
    for step in range(1, 31):
        session.take(protocol.Metrics(step, step / 10, "train", {"loss": scale / step}, step / 5))
        if step % 10 == 0:
            worse = scale * (0.5 if step == 20 else 0.9)
            session.take(protocol.Metrics(step, step / 10, "validation", {"loss": worse}, step / 5))
    for number, rate in enumerate(rates):
        session.take(protocol.Observation(10 * number + 2, number, {}, {}, learning_rate=rate))


@pytest.fixture
def panel(qtbot: Any) -> CurvesPanel:
    session = Session()
    panel = CurvesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(600, 300)
    panel.show()
    for number in range(3):
        run(session, f"runs/{number}", 3.0 - number, (0.1, 0.1, 0.01))
        panel.flush()
    return panel


def test_the_runs_before_stay_in_view_behind_this_one(panel: CurvesPanel) -> None:
    lines = panel.charts["loss"].lines
    first = {age: float(lines[age, "train"].smooth.getData()[1][0]) for age in range(3)}
    assert first == {0: 1.0, 1: 2.0, 2: 3.0}
    panel.compare.setChecked(False)
    panel.flush()
    assert lines[1, "train"].smooth.getData()[0] is None


def test_marks_show_the_least_validation_loss_and_where_the_learning_rate_changed(panel: CurvesPanel) -> None:
    shown = [line for line in panel.charts["loss"].marks if line.isVisible()]
    assert [(line.value(), line.toolTip().split(":")[0]) for line in shown] == [
        (20.0, "Least validation loss"),
        (22.0, "Learning rate 0.1 → 0.01 at step 22"),
    ]
    panel.axis.setCurrentIndex(2)
    panel.flush()
    assert panel.charts["loss"].marks[0].value() == pytest.approx(4.0)


def test_marks_show_edits_and_where_weights_are_kept(panel: CurvesPanel) -> None:
    session = panel._session
    session.set_state("paused")
    session.note_edit("~ nodes.fc1.fields.out_features: 8 → 9")
    session.note_edit("+ nodes.fc9")
    session.take(protocol.WeightsKept((2, 12)))
    session.set_state("finished")
    session.note_edit("no matter: the run has ended")
    panel.flush()
    tips = [line.toolTip() for line in panel.charts["loss"].marks if line.isVisible()]
    edits = [tip for tip in tips if tip.startswith("Edited")]
    assert edits == ["Edited at step 30: ~ nodes.fc1.fields.out_features: 8 → 9; + nodes.fc9"]
    assert panel.charts["loss"].kept.getData()[0].tolist() == [2, 12]
    session.begin(Network(), "runs/branch")
    session.origin = "Branched from step 12"
    session.take(protocol.Metrics(1, 0.1, "train", {"loss": 1.0}, 0.1))
    panel.flush()
    marks = panel.charts["loss"].marks
    assert [(line.value(), line.toolTip()) for line in marks if line.isVisible()] == [
        (0.0, "Branched from step 12")
    ]


def test_data_are_saved_as_csv_and_as_parquet_with_the_same_values(
    panel: CurvesPanel, tmp_path: Path
) -> None:
    panel.save_table(tmp_path / "curves.csv")
    panel.save_table(tmp_path / "curves.parquet")
    rows = list(csv.DictReader((tmp_path / "curves.csv").open()))
    frame = polars.read_parquet(tmp_path / "curves.parquet")
    assert frame.columns == ["run", "step", "epoch", "seconds", "split", "metric", "value"]
    assert frame["value"].to_list() == [float(row["value"]) for row in rows]
    assert len(rows) == 3 * 33
    seen = [(row["run"], float(row["value"])) for row in rows if row["split"] == "train"]
    assert seen == [(str(run), (3.0 - run) / step) for run in range(3) for step in range(1, 31)]
    panel.compare.setChecked(False)
    panel.save_table(tmp_path / "alone.csv")
    assert {row["run"] for row in csv.DictReader((tmp_path / "alone.csv").open())} == {"2"}


def test_the_picture_is_saved_as_svg_with_its_lines_as_lines(panel: CurvesPanel, tmp_path: Path) -> None:
    panel.save_vectors(tmp_path / "curves.svg")
    tree = ElementTree.parse(tmp_path / "curves.svg")
    tags = [element.tag.rpartition("}")[2] for element in tree.iter()]
    assert tags[0] == "svg"
    assert {"path", "polyline"} & set(tags)
    assert any("Loss" in (element.text or "") for element in tree.iter())


def test_a_picture_of_a_small_panel_shows_all_of_it_and_leaves_the_panel_as_it_was(
    qtbot: Any, panel: CurvesPanel, tmp_path: Path
) -> None:
    session = panel._session
    for step in range(31, 34):
        figures = dict.fromkeys(("loss", "accuracy", "f1", "top5", "lr"), 1.0 / step)
        session.take(protocol.Metrics(step, step / 10, "train", figures, step / 5))
    panel.resize(314, 274)
    panel.flush()
    qtbot.waitUntil(lambda: panel._scroll.verticalScrollBar().maximum() > 0)
    bar = panel._scroll.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    before, scrolled = panel._pages.size(), bar.value()
    assert scrolled > 0
    image = panel.picture().toImage()
    ratio = image.devicePixelRatio()
    assert image.width() / ratio >= 820
    qtbot.waitUntil(lambda: bar.value() == scrolled)
    panel.save_vectors(tmp_path / "curves.svg")
    words = [element.text for element in ElementTree.parse(tmp_path / "curves.svg").iter() if element.text]
    for title in ("Loss", "Accuracy", "F1", "Top-5 accuracy", "Lr"):
        assert title in words
    assert panel._pages.size() == before
    qtbot.waitUntil(bar.isVisible)
    qtbot.waitUntil(lambda: bar.value() == scrolled)
    assert panel._menu_button is not None
    assert panel._menu_button.graphicsEffect() is None


def test_a_panel_without_a_menu_button_has_the_menu_at_the_right_mouse_button(qtbot: Any) -> None:
    window, dock = QMainWindow(), QDockWidget()
    qtbot.addWidget(window)
    found = ProblemsPanel(Document(Network()), Selection())
    dock.setWidget(found)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    window.show()
    place = found.rect().center()
    QApplication.sendEvent(
        found, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, found.mapToGlobal(place))
    )
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    words = [action.text() for action in menu.actions() if action.text()]
    assert words == [
        "Tear off",
        "Save picture as PNG…",
        "Save picture as SVG…",
        "Save data as CSV…",
        "Save data as Parquet…",
    ]
    menu.close()


def test_a_panel_is_torn_off_and_put_back(qtbot: Any, panel: CurvesPanel) -> None:
    window, dock = QMainWindow(), QDockWidget()
    qtbot.addWidget(window)
    dock.setWidget(panel)
    window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
    other = QDockWidget()
    window.tabifyDockWidget(dock, other)
    window.resize(500, 400)
    window.show()
    panel.tear_off()
    assert dock.isFloating()
    assert panel.torn_off
    screen = dock.screen().availableGeometry()
    assert dock.width() >= min(720, screen.width())  # in its own window there is room
    assert screen.contains(dock.geometry())
    menu = panel._menu_button.menu()
    menu.aboutToShow.emit()
    assert "Put back" in [action.text() for action in menu.actions()]
    panel.tear_off()
    assert not dock.isFloating()
    qtbot.waitUntil(lambda: not panel.visibleRegion().isEmpty())  # in front of its neighbours
    menu.aboutToShow.emit()
    assert "Tear off" in [action.text() for action in menu.actions()]
    panel.setParent(None)  # each goes by itself
