"""A run that has ended is opened again: what it told is shown as when it ran."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

import engine
from engine.host.protocol import Confused, Event, Metrics, Observation, RunStarted, frame
from engine.network import Network
from engine.problems import FileProblem
from engine.runs import RunFolder, create, read_events
from gui import past
from gui.past import recall
from gui.session import Session
from tests.window_helpers import PlayedPool, boxes, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """A run's folder, and what it told when it ran."""
    told: list[Event] = []
    folder = tmp_path_factory.mktemp("home") / "runs"
    result = engine.train(
        template("digits_binarized_mlp"), epochs=2, run_dir=str(folder), device="cpu", emit=told.append
    )
    return Path(result["run"]), told


def test_curves_and_observations_are_those_that_were_told(trained: tuple[Path, list[Event]]) -> None:
    path, told = trained
    session = Session()
    recall(session, path)
    assert session.state == "finished"
    assert not session.active
    assert session.metrics == [event for event in told if isinstance(event, Metrics)]
    assert session.begun == next(event for event in told if isinstance(event, RunStarted))
    seen = [event for event in told if isinstance(event, Observation)]
    assert session.observations
    assert all(observation in seen for observation in session.observations)
    assert session.observations[0].binary_weights.keys() == {"fc1.weight", "fc2.weight"}
    assert session.network == engine.load(RunFolder(path).network)
    assert session.result is not None
    assert session.result["state"] == "finished"
    assert session.kept == tuple(RunFolder(path).kept_steps())


def test_the_confusion_matrix_of_a_recorded_step_is_that_of_its_validation(
    trained: tuple[Path, list[Event]],
) -> None:
    path, told = trained
    session = Session()
    recall(session, path)
    first, last = [event for event in told if isinstance(event, Confused)]
    assert session.confusion() == last
    session.seek(last.step - 1)
    assert session.confusion() == first
    session.seek(last.step)
    assert session.confusion() == last
    session.seek(first.step - 1)
    assert session.confusion() is None


def test_a_run_without_recorded_matrices_still_opens(
    trained: tuple[Path, list[Event]], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(trained[0], old)
    record = RunFolder(old).observations
    kept = [event for event in read_events(record) if not isinstance(event, Confused)]
    record.write_bytes(b"".join(map(frame, kept)))
    session = Session()
    recall(session, old)
    assert session.confusion() is None
    assert session.observations


def test_what_is_no_run_leaves_the_session_as_it_was(
    trained: tuple[Path, list[Event]], tmp_path: Path
) -> None:
    session = Session()
    recall(session, trained[0])
    metrics = session.metrics
    with pytest.raises(FileProblem, match="is no run"):
        recall(session, tmp_path)
    (tmp_path / "network.layerlab").write_bytes(RunFolder(trained[0]).network.read_bytes())
    with pytest.raises(FileProblem, match="before its first step"):
        recall(session, tmp_path)
    assert session.metrics is metrics


def test_the_run_menu_opens_it_and_the_laboratory_shows_its_signs(
    qtbot: QtBot, trained: tuple[Path, list[Event]], tmp_path: Path
) -> None:
    window = open_window(tmp_path, PlayedPool(), Network())
    try:
        window.workers.runs_folder = trained[0].parent
        menu = window.menus.past.menu
        menu.aboutToShow.emit()
        first = menu.actions()[0]
        assert trained[0].name in first.text()
        assert "finished" in first.text()
        first.trigger()
        # Nothing was drawn: its network is.
        assert window.document.network.nodes == template("digits_binarized_mlp").nodes
        window.commands["run.lab_ste"].trigger()
        qtbot.waitUntil(lambda: not window.lab_ste.is_empty)
        qtbot.waitUntil(lambda: not window.lab_ste.signs.is_empty)
        assert window.lab_ste.signs.parameters.list.names[0] == "fc1.weight"
        window.menus.past.open(tmp_path)
        assert "is no run" in boxes(window)[0].informativeText()
    finally:
        close_window(window)


def test_a_network_that_is_saved_after_it_was_trained_still_lists_those_runs(
    trained: tuple[Path, list[Event]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "runs_folder", lambda path: tmp_path / ("unsaved" if path is None else "saved"))
    names = [create(tmp_path / "unsaved", "My net").path.name for _ in range(2)]
    other = create(tmp_path / "unsaved", "My net 2").path.name
    for name in (*names, other):
        shutil.copytree(trained[0], tmp_path / "unsaved" / name, dirs_exist_ok=True)
    window = open_window(tmp_path, PlayedPool(), Network(name="My net"))
    try:
        window.workers.runs_folder = None
        window.document.save(tmp_path / "net.layerlab")
        window.menus.past.menu.aboutToShow.emit()
        actions = {action.text(): action for action in window.menus.past.menu.actions()}
        shown = [text.split("   ")[0] for text in actions if "   " in text]
        assert sorted(shown) == sorted(names)
        next(action for text, action in actions.items() if "   " in text).trigger()
        assert Path(window.session.run or "").parent == tmp_path / "unsaved"
    finally:
        close_window(window)
