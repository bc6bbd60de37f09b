"""A document that is opened again goes on with the run that it has left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

import engine
from engine.host.protocol import Metrics, Progress, RunStarted, RunState
from engine.runs import RunFolder, create, newest
from engine.storage import file
from engine.training import Control
from gui import resuming
from gui.past import recall
from gui.running import story
from gui.session import Session
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the digits template that was stopped, and has a checkpoint."""
    control, runs = Control(), str(tmp_path_factory.mktemp("runs"))

    def emit(event: object) -> None:
        if isinstance(event, Progress) and event.step:
            control.stop()

    result = engine.train(template(), run_dir=runs, device="cpu", control=control, emit=emit)
    assert result["state"] == "stopped"
    return Path(result["run"])


def _killed(run: Path) -> Path:
    """The same run as if its process had been killed."""
    folder = RunFolder(run)
    folder.result.unlink()
    facts = msgspec.json.decode(folder.facts.read_bytes())
    folder.facts.write_bytes(msgspec.json.encode({**facts, "started": "before the last restart"}))
    return run


@pytest.fixture
def home(tmp_path: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a saved document, beside it a run of it."""
    monkeypatch.setattr(resuming, "SOON_MS", 0)
    monkeypatch.setattr(resuming, "AGAIN_MS", 20)
    file.write(template(), tmp_path / "net.layerlab")
    shutil.copytree(stopped, tmp_path / "net.runs" / stopped.name)
    return tmp_path


@pytest.fixture
def window(tmp_path: Path):
    pool = PlayedPool()
    window = open_window(tmp_path, pool)
    window.workers.runs_folder = None
    window.played = pool
    yield window
    close_window(window)


def test_a_run_whose_window_was_closed_goes_on_with_one_click(
    home: Path, stopped: Path, window, qtbot: QtBot
) -> None:
    action = window.running.resume_action
    assert not action.isEnabled()
    window.files.open_path(home / "net.layerlab")
    qtbot.waitUntil(action.isEnabled)
    run = home / "net.runs" / stopped.name
    step = RunFolder(run).checkpointed()
    assert step == RunFolder(run).read_result()["steps"]
    assert f"was stopped at step {step}" in action.toolTip()
    assert f"was stopped at step {step}" in window.status.currentMessage()
    QTest.keyClick(window, Qt.Key.Key_F5, Qt.KeyboardModifier.ControlModifier)
    (begun,) = window.played.runs
    assert (begun.folder, begun.how["resume"]) == (str(run), True)
    assert file.loads(begun.document) == window.document.network
    # What it had told before stays in sight, as of any run before.
    curves = window.docks["curves"].widget()
    told = Session()
    recall(told, run)
    assert curves._earlier[-1].source == told.metrics
    assert told.metrics


def test_a_run_that_was_killed_goes_on_too(home: Path, stopped: Path, window, qtbot: QtBot) -> None:
    run = _killed(home / "net.runs" / stopped.name)
    assert RunFolder(run).state() == "interrupted"
    window.files.open_path(home / "net.layerlab")
    qtbot.waitUntil(window.running.resume_action.isEnabled)
    assert "was interrupted at step" in window.running.resume_action.toolTip()
    window.running.resume_action.trigger()
    assert window.played.runs[0].folder == str(run)


def test_a_run_that_is_ending_yet_is_waited_for(home: Path, stopped: Path, window, qtbot: QtBot) -> None:
    folder = RunFolder(home / "net.runs" / stopped.name)
    result = folder.result.read_bytes()
    folder.claim({})  # a process that lives trains it
    assert folder.state() == "running"
    window.files.open_path(home / "net.layerlab")
    qtbot.waitUntil(window.resuming._soon.isActive)
    window.resuming.look()
    assert not window.running.resume_action.isEnabled()
    folder.result.write_bytes(result)
    qtbot.waitUntil(window.running.resume_action.isEnabled)


def test_what_cannot_be_gone_on_with_is_not_offered(home: Path, stopped: Path, window, qtbot: QtBot) -> None:
    folder = RunFolder(home / "net.runs" / stopped.name)

    def offered() -> bool:
        window.files.open_path(home / "net.layerlab")
        window.resuming.look()
        return window.running.resume_action.isEnabled()

    assert offered()
    result = folder.read_result()
    folder.result.write_bytes(msgspec.json.encode({**result, "state": "finished"}))
    assert not offered(), "it is done"
    folder.result.write_bytes(msgspec.json.encode(result))
    assert offered()
    shutil.rmtree(folder.checkpoints)
    assert not offered(), "there is nothing to go on from"


def test_only_the_last_run_is_gone_on_with(home: Path, stopped: Path, window) -> None:
    later = create(home / "net.runs", "Digits").path
    shutil.copytree(home / "net.runs" / stopped.name, later, dirs_exist_ok=True)
    os.utime(RunFolder(later).metrics, (4e9, 4e9))
    assert [path.name for path in newest(home / "net.runs")] == [later.name, stopped.name]
    result = RunFolder(later).read_result()
    RunFolder(later).result.write_bytes(msgspec.json.encode({**result, "state": "finished"}))
    window.files.open_path(home / "net.layerlab")
    window.resuming.look()
    assert not window.running.resume_action.isEnabled()


def test_a_drawing_that_has_changed_since_is_told_and_its_version_brought(
    home: Path, stopped: Path, window, qtbot: QtBot
) -> None:
    network = template()
    id = next(id for id, node in network.nodes.items() if node.type == "Linear")
    node = msgspec.structs.replace(network.nodes[id], fields={**network.nodes[id].fields, "out_features": 77})
    changed = msgspec.structs.replace(network, nodes={**network.nodes, id: node})
    file.write(changed, home / "net.layerlab")
    window.files.open_path(home / "net.layerlab")
    qtbot.waitUntil(window.running.resume_action.isEnabled)
    window.running.resume_action.trigger()
    assert window.played.runs == []
    assert window.document.network.nodes == changed.nodes
    assert window.session.state == "stopped"
    assert window.banners.text("differs") == "This run trained another drawing."
    window.running.resume_action.trigger()  # nor does the second time
    assert window.played.runs == []
    window.notices.bring_back()
    window.running.resume_action.trigger()
    assert window.played.runs[0].how["resume"]
    assert file.loads(window.played.runs[0].document).nodes == network.nodes


def test_more_epochs_are_no_other_drawing(home: Path, window, qtbot: QtBot) -> None:
    network = template()
    longer = msgspec.structs.replace(
        network, recipe=msgspec.structs.replace(network.recipe, epochs=network.recipe.epochs + 5)
    )
    file.write(longer, home / "net.layerlab")
    window.files.open_path(home / "net.layerlab")
    qtbot.waitUntil(window.running.resume_action.isEnabled)
    window.running.resume_action.trigger()
    assert window.played.runs[0].how["resume"]


def test_a_document_that_was_never_saved_goes_on_with_the_run_of_just_this_network(
    home: Path, stopped: Path, window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "runs_folder", lambda path: home / ("unsaved" if path is None else "none"))
    run = create(home / "unsaved", template().name).path
    shutil.copytree(stopped, run, dirs_exist_ok=True)
    other = msgspec.structs.replace(
        template(), recipe=msgspec.structs.replace(template().recipe, batch_size=7)
    )
    window.document.replace(other)
    window.files.opened.emit()
    window.resuming.look()
    assert not window.running.resume_action.isEnabled()
    window.document.replace(template())
    window.files.opened.emit()
    window.resuming.look()
    assert window.running.resume_action.isEnabled()
    # Saved since: its runs of before are found as well.
    window.files.open_path(home / "net.layerlab")
    window.resuming.look()
    assert window.running.left is not None
    assert window.running.left.path == run


def test_another_documents_run_is_not_gone_on_with(window, qtbot: QtBot, tmp_path: Path) -> None:
    window.workers.runs_folder = tmp_path / "none"
    window.document.replace(template())
    window.files.opened.emit()
    window.running.train()
    window.played.runs[0].tell(RunState("stopped", 5))
    qtbot.waitUntil(window.running.resume_action.isEnabled)
    window.document.replace(template("lenet5_mnist"))
    window.files.opened.emit()
    assert not window.running.resume_action.isEnabled()


def test_a_run_that_begins_once_another_document_is_shown_is_not_its_own(
    home: Path, stopped: Path, window, qtbot: QtBot
) -> None:
    window.workers.runs_folder = home / "none"
    window.document.replace(template("lenet5_mnist"))
    window.files.opened.emit()
    window.running.train()
    window.workers.runs_folder = None
    window.document.undo_stack.setClean()
    window.files.open_path(home / "net.layerlab")
    (run,) = window.played.runs
    run.tell(RunStarted(run.folder, "cpu", 1, 1, 0, {}, 1, 1, 1))
    run.tell(RunState("running", 0))
    run.tell(RunState("stopped", 5))
    qtbot.waitUntil(lambda: window.running.left is not None)
    assert stopped.name in window.running.resume_action.toolTip()
    window.running.resume_action.trigger()
    assert window.played.runs[-1].folder == str(home / "net.runs" / stopped.name)


def test_a_run_that_was_stopped_before_it_began_leaves_the_one_before_to_go_on_with(
    home: Path, stopped: Path, window, qtbot: QtBot
) -> None:
    window.files.open_path(home / "net.layerlab")
    qtbot.waitUntil(window.running.resume_action.isEnabled)
    window.running.train()
    assert not window.running.resume_action.isEnabled()
    (run,) = window.played.runs
    run.tell(RunState("stopped", 0, "Stopped while the data were loaded.", {"run": None, "state": "stopped"}))
    qtbot.waitUntil(window.running.resume_action.isEnabled)
    window.running.resume_action.trigger()
    assert window.played.runs[-1].folder == str(home / "net.runs" / stopped.name)


def test_a_run_of_another_network_of_that_name_does_not_hide_ones_own(home: Path, stopped: Path) -> None:
    runs, own = home / "unsaved", template()
    run, later = create(runs, own.name).path, create(runs, own.name).path
    for path in (run, later):
        shutil.copytree(stopped, path, dirs_exist_ok=True)
    other = msgspec.structs.replace(own, recipe=msgspec.structs.replace(own.recipe, batch_size=7))
    file.write(other, RunFolder(later).network)
    os.utime(RunFolder(later).metrics, (4e9, 4e9))
    found, working = resuming.left_in(runs, own)
    assert (found.path, working) == (run, False)
    RunFolder(later).claim({})  # a process that lives trains the other: nothing to wait for
    found, working = resuming.left_in(runs, own)
    assert (found.path, working) == (run, False)
    longer = msgspec.structs.replace(own, recipe=msgspec.structs.replace(own.recipe, epochs=99))
    assert resuming.left_in(runs, longer)[0].path == run, "more epochs are no other drawing"
    assert resuming.left_in(runs, other) == (None, True)


def test_menu_and_toolbar_name_the_same_figure_and_whose_it_is(home: Path, stopped: Path, window) -> None:
    folder = RunFolder(home / "net.runs" / stopped.name)
    result = {**folder.read_result(), "state": "finished", "validation": {"loss": 0.1, "accuracy": 0.987}}
    folder.result.write_bytes(msgspec.json.encode(result))
    window.files.open_path(home / "net.layerlab")
    window.menus.past.menu.aboutToShow.emit()
    first = window.menus.past.menu.actions()[0]
    assert first.text() == f"{stopped.name}   finished, best validation accuracy 98.7 %"
    first.trigger()
    window.session.metrics.append(Metrics(99, 3.0, "validation", {"loss": 0.2, "accuracy": 0.9}, 2.0))
    assert story(window.session) == "Finished · best validation accuracy 98.7 %"
    window.session.result = {"state": "finished"}
    assert story(window.session) == "Finished · last validation accuracy 90.0 %"
