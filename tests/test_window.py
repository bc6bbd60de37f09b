"""The window as a person uses it: titles, prompts, files, runs and bad input; the hosts are played."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QMessageBox,
)
from window_helpers import (
    PlayedPool,
    answer_next_box,
    boxes,
    close_window,
    open_window,
    template,
    template_path,
)

from engine import edit
from engine.findings import Analysis, NodeReport, Problem
from engine.host.protocol import (
    Device,
    Evaluated,
    Metrics,
    Observation,
    Progress,
    Responded,
    RunStarted,
    RunState,
    Welcome,
)
from engine.host.pulse import Silence
from engine.network import Network
from engine.storage import file
from engine.templates import templates
from gui.actions import score
from gui.help import Help, pages
from gui.running import duration
from gui.settings import Settings
from gui.status import count
from gui.window import Window

pytestmark = pytest.mark.gui
BUTTON = QMessageBox.StandardButton


@pytest.fixture
def pool() -> PlayedPool:
    return PlayedPool()


@pytest.fixture
def window(qtbot, tmp_path, pool):
    """With the canvas and the panels still to come: what is tested here needs none of them."""
    shown = open_window(tmp_path, pool, template(), whole=False)
    yield shown
    close_window(shown)


@pytest.fixture
def whole(qtbot, tmp_path, pool):
    shown = open_window(tmp_path, pool, template())
    yield shown
    close_window(shown)


@pytest.fixture
def empty(qtbot, tmp_path, pool):
    shown = open_window(tmp_path, pool, whole=False)
    yield shown
    close_window(shown)


def rename(window: Window, name: str = "Other") -> None:
    window.document.edit(edit.set_name(window.document.network, name), "Rename")


def sound(network: Network) -> Analysis:
    return Analysis(
        nodes={id: NodeReport() for id in network.nodes}, totals={"parameters": 50_890, "macs": 50_400}
    )


def begun(window: Window, pool: PlayedPool, qtbot) -> None:
    """Press Train, and let the run tell that it goes on."""
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert window.session.state == "starting"
    tell = pool.runs[-1].tell
    tell(RunStarted(pool.runs[-1].folder, "cpu", 10, 20, 0, {"fc1.weight": (256, 64)}, 1437, 360, 1))
    tell(RunState("running", 0))
    qtbot.waitUntil(lambda: window.session.state == "running")


# ---------------------------------------------------------------------------- title and saving


def test_the_title_names_the_file_and_marks_what_is_not_saved(window, tmp_path) -> None:
    assert window.windowTitle() == "Digits, perceptron — Layerlab"
    rename(window)
    assert window.windowTitle() == "Other • — Layerlab"
    window.document.save(tmp_path / "mine.layerlab")
    assert window.windowTitle() == "mine.layerlab — Layerlab"
    window.document.undo_stack.undo()
    assert window.windowTitle() == "mine.layerlab • — Layerlab"


def test_closing_with_nothing_changed_asks_nothing(window, pool) -> None:
    assert window.close()
    assert pool.closed


def test_cancel_keeps_the_window_open_and_the_changes(window, pool) -> None:
    rename(window)
    seen: list[str] = []
    answer_next_box(BUTTON.Cancel, seen)
    assert not window.close()
    assert "Save the changes to Other?" in seen[0]
    assert window.isVisible()
    assert not pool.closed
    assert window.document.network.name == "Other"


def test_discard_closes_without_writing(window, tmp_path) -> None:
    path = tmp_path / "mine.layerlab"
    window.document.save(path)
    before = path.read_bytes()
    rename(window)
    answer_next_box(BUTTON.Discard)
    assert window.close()
    assert path.read_bytes() == before


def test_save_in_the_prompt_writes_and_closes(window, tmp_path) -> None:
    path = tmp_path / "mine.layerlab"
    window.document.save(path)
    rename(window, "Kept")
    answer_next_box(BUTTON.Save)
    assert window.close()
    assert file.read(path).name == "Kept"


def test_save_that_fails_in_the_prompt_does_not_close(window, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    window.document.save(folder / "mine.layerlab")
    rename(window)
    (folder / "mine.layerlab").unlink()
    folder.rmdir()
    answer_next_box(BUTTON.Save)
    assert not window.close()
    assert "its folder does not exist" in boxes(window)[0].informativeText()
    assert not window.document.clean


def test_save_as_adds_the_ending_and_remembers_the_file(window, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gui.choosing.QFileDialog.getSaveFileName", lambda *a: (str(tmp_path / "my net"), ""))
    assert window.files.save_as()
    path = tmp_path / "my net.layerlab"
    assert file.read(path) == window.document.network
    assert window.settings.recent == [path.resolve()]
    assert window.menus.recent.actions()[0].text() == "my net.layerlab"


def test_save_as_asks_before_it_replaces_a_file_that_the_dialog_could_not_know(
    window, tmp_path, monkeypatch
) -> None:
    (tmp_path / "taken.layerlab").write_text("precious")
    monkeypatch.setattr("gui.choosing.QFileDialog.getSaveFileName", lambda *a: (str(tmp_path / "taken"), ""))
    answer_next_box(BUTTON.No)
    assert not window.files.save_as()
    assert (tmp_path / "taken.layerlab").read_text() == "precious"


# ---------------------------------------------------------------------------- opening


def test_recent_files_are_the_newest_first_and_only_those_that_are_there(tmp_path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    paths = [tmp_path / f"{n}.layerlab" for n in range(12)]
    for path in paths:
        path.write_text("{}")
        settings.remember(path)
    settings.remember(paths[5])
    paths[11].unlink()
    assert settings.recent == [paths[5], paths[10], paths[9], paths[8], paths[7], paths[6], *paths[4:1:-1]]
    assert Settings(tmp_path / "settings.ini").recent == settings.recent
    settings.forget_recent()
    assert settings.recent == []


BAD_FILES = {
    "not JSON": ("{nodes: 1}", "not JSON"),
    "cut off": ('{"format": "layerlab", "version": 1, "nodes": {"a"', "cut off"),
    "empty": ("", "empty"),
    "another kind": ('{"cells": []}', "not a Layerlab network"),
    "too new": ('{"format": "layerlab", "version": 9, "min_reader": 9}', "newer Layerlab"),
    "twice the same key": ('{"format": "layerlab", "format": "layerlab"}', "appears twice"),
}


@pytest.mark.parametrize(("text", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_none_gets_one_message_and_leaves_the_open_document(
    window, tmp_path, text: str, words: str
) -> None:
    rename(window, "Mine")
    bad = tmp_path / "bad.layerlab"
    bad.write_text(text)
    assert not window.files.open_path(bad)
    shown = boxes(window)
    assert len(shown) == 1
    assert shown[0].text() == "bad.layerlab cannot be opened."
    assert words in shown[0].informativeText()
    assert "Traceback" not in shown[0].informativeText()
    assert window.document.network.name == "Mine"
    assert window.document.undo_stack.canUndo()


def form(**changed: object) -> str:
    value = json.loads(file.dumps(template()))
    value.update(changed)
    return json.dumps(value)


BAD_NETWORKS = {
    "an unknown layer": form(nodes={"a": {"type": "Linnear", "fields": {"out_features": 3}}}, edges=[]),
    "a cycle": form(edges=[["fc1", "fc2"], ["fc2", "fc1"]]),
    "a dangling edge": form(edges=[["fc1", "nowhere"]]),
    "a non-number in a field": form(
        nodes={"fc1": {"type": "Linear", "fields": {"out_features": "many"}}}, edges=[]
    ),
}


@pytest.mark.parametrize("text", BAD_NETWORKS.values(), ids=BAD_NETWORKS)
def test_a_network_with_errors_opens_is_shown_and_saves_as_it_was(whole, tmp_path, text: str) -> None:
    path = tmp_path / "wrong.layerlab"
    path.write_text(text)
    assert whole.files.open_path(path)
    QApplication.processEvents()
    assert boxes(whole) == []
    whole.document.save()
    assert json.loads(path.read_text())["nodes"] == json.loads(text)["nodes"]
    assert json.loads(path.read_text())["edges"] == json.loads(text)["edges"]


def test_a_file_dropped_on_the_window_is_opened(window, tmp_path, qtbot) -> None:
    path = tmp_path / "dropped.layerlab"
    file.write(template("lenet5_mnist"), path)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(300, 300), copy, data, left, none)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(300, 300), copy, data, left, none))
    qtbot.waitUntil(lambda: window.document.path == path)
    assert "conv1" in window.document.network.nodes


def test_opening_asks_about_changes_first_and_cancel_keeps_them(window, tmp_path) -> None:
    path = tmp_path / "other.layerlab"
    file.write(template("lenet5_mnist"), path)
    rename(window, "Mine")
    answer_next_box(BUTTON.Cancel)
    assert not window.files.open_path(path)
    assert window.document.network.name == "Mine"


# ---------------------------------------------------------------------------- welcome


def test_an_empty_window_welcomes_with_every_template(empty) -> None:
    assert empty.stack.currentWidget() is empty.welcome
    shown = [*empty.welcome.cards, *empty.welcome.more]
    assert [button.text() for button in shown] == [template.title for template in templates()]
    assert all(button.isVisible() for button in shown)
    assert not empty.toolbar.isVisible()


def test_a_click_on_a_card_opens_its_template(empty, qtbot) -> None:
    card = next(c for c in empty.welcome.cards if c.template.id == "lenet5_mnist")
    QTest.mouseClick(card, Qt.MouseButton.LeftButton)
    assert empty.document.network == template("lenet5_mnist")
    assert empty.document.path is None
    assert empty.document.clean
    assert empty.workbench.isVisible()
    assert empty.toolbar.isVisible()


def test_enter_on_a_card_opens_it_too(empty) -> None:
    card = empty.welcome.cards[0]
    card.setFocus()
    QTest.keyClick(card, Qt.Key.Key_Return)
    assert empty.document.network.nodes


def test_empty_network_leads_to_the_canvas(empty) -> None:
    QTest.mouseClick(empty.welcome.empty_button, Qt.MouseButton.LeftButton)
    assert empty.workbench.isVisible()
    assert not empty.document.network.nodes


def test_undo_down_to_nothing_does_not_fall_back_to_the_welcome(empty) -> None:
    empty.begin_empty()
    network = edit.add_node(empty.document.network, "fc", edit.new_node("Linear"))
    empty.document.edit(network, "Add fc")
    empty.document.undo_stack.undo()
    assert empty.workbench.isVisible()


def test_new_welcomes_again(window) -> None:
    window.files.new()
    assert window.stack.currentWidget() is window.welcome


def test_recent_files_are_offered(qtbot, tmp_path, pool) -> None:
    path = tmp_path / "before.layerlab"
    file.write(template(), path)
    Settings(tmp_path / "settings.ini").remember(path)
    shown = open_window(tmp_path, pool)
    button = next(
        b for b in shown.welcome.findChildren(QAbstractButton) if b.accessibleName() == "Open before.layerlab"
    )
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert shown.document.path == path
    close_window(shown)


# ---------------------------------------------------------------------------- analysis


def widths(pool) -> list[int]:
    """Of fc1 in the drawings that were to be analysed."""
    return [file.loads(document).nodes["fc1"].fields["out_features"] for _, document in pool.analyses[1:]]


def widen(window, *wide: int) -> None:
    for width in wide:
        network = edit.set_field(window.document.network, "fc1", "out_features", width)
        window.document.edit(network, "Widen", "drag 1")


def test_of_many_edits_in_one_turn_the_first_is_analysed_at_once_and_the_latest(window, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    widen(window, 3)
    assert widths(pool) == [3]
    widen(window, 4, 5)
    assert widths(pool) == [3]
    qtbot.waitUntil(lambda: widths(pool) == [3, 5])
    QApplication.processEvents()
    assert widths(pool) == [3, 5]


@pytest.fixture
def dragged(window, pool, qtbot) -> list[str]:
    """What is shown while fc1 is dragged to widths 3, 4 and 5, one at each turn; nothing is answered yet."""
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    pool.answer(Analysis())
    qtbot.waitUntil(lambda: window.workers.current)
    said: list[str] = []
    for name, signal in (("glimpsed", window.workers.glimpsed), ("analyzed", window.workers.analyzed)):
        signal.connect(lambda analysis, name=name: said.append(f"{name} {analysis.totals['width']}"))
    for width in (3, 4, 5):
        widen(window, width)
        QApplication.processEvents()
    assert widths(pool) == [3, 4, 5]
    return said


def answer(pool, which: int, width: int) -> None:
    pool.answer(Analysis(totals={"width": width}), which)
    QApplication.processEvents()


def test_a_drag_that_is_faster_than_the_analysis_shows_what_is_found_on_the_way(
    window, pool, dragged
) -> None:
    wrong = Problem("error", "x", "too wide", node="fc1")
    pool.answer(Analysis(problems=(wrong,), totals={"width": 4}), 2)
    QApplication.processEvents()
    assert dragged == ["glimpsed 4"]
    assert not window.workers.current
    assert window.status.problems.text() == "1 error"
    answer(pool, 3, 5)
    assert dragged == ["glimpsed 4", "analyzed 5"]
    assert window.workers.current
    assert window.status.problems.text() == "No problems"


def test_no_answer_is_shown_after_a_newer_one(window, pool, dragged) -> None:
    answer(pool, 2, 4)
    answer(pool, 1, 3)
    answer(pool, 3, 5)
    answer(pool, 2, 4)
    assert dragged == ["glimpsed 4", "analyzed 5"]


def test_what_was_only_tried_is_never_shown_as_the_drawing(window, pool, dragged) -> None:
    answer(pool, 3, 5)
    window.workers.try_out(window.document.network)
    assert len(pool.analyses) == 5
    widen(window, 6)
    answer(pool, 4, 99)  # what was tried, too late
    assert dragged == ["analyzed 5"]
    answer(pool, 5, 6)
    assert dragged == ["analyzed 5", "analyzed 6"]


def test_an_answer_about_another_drawing_is_not_shown(window, pool, dragged, qtbot) -> None:
    window.document.edit(edit.remove(window.document.network, ["drop"]), "Remove")
    answer(pool, 2, 4)
    assert not dragged
    qtbot.waitUntil(lambda: len(pool.analyses) == 5)
    answer(pool, 4, 6)
    assert dragged == ["analyzed 6"]


@pytest.mark.parametrize(("removed", "shown"), [((), ["glimpsed 6"]), (("drop",), [])])
def test_of_many_edits_in_one_turn_the_firsts_analysis_is_not_that_of_the_document(
    window, pool, dragged, qtbot, removed, shown
) -> None:
    widen(window, 6)
    widen(window, 7)
    if removed:
        window.document.edit(edit.remove(window.document.network, removed), "Remove")
    pool.answer(Analysis(totals={"width": 6}), 4)
    QApplication.sendPostedEvents()  # the turn is not over
    assert dragged == shown
    assert not window.workers.current
    qtbot.waitUntil(lambda: len(pool.analyses) == 6)
    answer(pool, 5, 7)
    assert dragged == [*shown, "analyzed 7"]
    assert window.workers.current


def test_all_that_is_asked_of_one_state_of_the_document_is_sent_as_it_was_written_once(
    window, pool, qtbot, monkeypatch
) -> None:
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    sent: list[bytes] = []
    for name in ("respond", "boundary", "look_at_data", "look_at_estimator", "find_batch"):
        monkeypatch.setattr(pool, name, lambda document, *how: sent.append(document) or 0)
    workers = window.workers
    workers.respond(None)
    workers.boundary(None)
    workers.look_at_data()
    workers.look_at_estimator("fc1", "weight")
    workers.find_batch()
    assert len(sent) == 5
    assert all(document is pool.analyses[-1][1] for document in sent)
    assert file.loads(sent[0]) == window.document.network
    widen(window, 9)
    workers.respond(None)
    assert file.loads(sent[-1]) == window.document.network


def test_an_example_that_was_seen_is_sent_along_and_its_answer_is_complete(
    window, pool, qtbot, monkeypatch
) -> None:
    known: list[tuple[float, ...]] = []
    told: list[Responded] = []

    def respond(document, run, split, index, values, step, light, sent):
        known.append(sent)
        return next(pool.numbers)

    monkeypatch.setattr(pool, "respond", respond)
    workers = window.workers
    workers.answered.connect(lambda request, event: told.append(event))

    def answered(event: Responded) -> Responded:
        pool.mailbox.put(event)
        qtbot.waitUntil(lambda: bool(told))
        return told.pop()

    first = Responded(workers.respond(None, index=3), {}, "now", ("no", "yes"), 1.0, (0.2, 0.8), (0.5, 2.0))
    assert answered(first) == first
    # The data are not read again: what they alone can tell is added here.
    short = Responded(workers.respond(None, index=3), {}, "later", (), None, (0.4, 0.6))
    assert answered(short) == replace(short, classes=("no", "yes"), target=1.0, values=(0.5, 2.0))
    workers.respond(None, index=4)
    workers.respond(None, split="train", index=3)
    drawn = Responded(workers.respond(None, index=3, values=(1.0,)), {}, "drawn")
    assert answered(drawn) == drawn
    document = window.document
    document.edit(edit.set_recipe(document.network, replace(document.network.recipe, seed=5)), "Seed")
    workers.respond(None, index=3)
    assert known == [(), (0.5, 2.0), (), (), (), ()]


def test_an_answer_about_the_document_before_is_not_shown_though_it_was_drawn_alike(
    window, pool, dragged
) -> None:
    window.document.replace(template())
    answer(pool, 2, 4)
    assert not dragged


def test_after_undo_the_analysis_of_what_was_undone_is_followed_by_the_newest(window, pool, dragged, qtbot):
    before = window.document.network
    window.document.undo_stack.undo()
    assert window.document.undo_stack.count() == 1  # one drag, one step
    assert window.document.network.nodes["fc1"] == template().nodes["fc1"] != before.nodes["fc1"]
    qtbot.waitUntil(lambda: len(pool.analyses) == 5)
    answer(pool, 3, 5)
    assert not window.workers.current
    answer(pool, 4, 64)
    assert dragged == ["glimpsed 5", "analyzed 64"]
    assert window.workers.current


def test_an_answer_that_came_too_late_is_not_shown(window, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    window.document.edit(edit.set_field(window.document.network, "fc1", "out_features", 3), "Narrow")
    qtbot.waitUntil(lambda: len(pool.analyses) == 2)
    seen: list[Analysis] = []
    window.workers.analyzed.connect(seen.append)
    pool.answer(Analysis(totals={"parameters": 1}), which=0)
    pool.answer(Analysis(totals={"parameters": 2}), which=1)
    qtbot.waitUntil(lambda: bool(seen))
    assert [analysis.totals["parameters"] for analysis in seen] == [2]


def test_moving_a_layer_asks_for_no_analysis(window, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    window.document.edit(edit.move(window.document.network, {"fc1": (5.0, 5.0)}), "Move")
    QTest.qWait(0)
    QApplication.processEvents()
    assert len(pool.analyses) == 1


def test_the_status_bar_counts_errors_and_leads_to_them(whole, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(pool.analyses))
    pool.answer(Analysis(problems=(Problem("error", "window", "too large", "fc1", "out_features"),)))
    qtbot.waitUntil(lambda: whole.status.problems.text() == "1 error")
    QTest.mouseClick(whole.status.problems, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(whole.problems.isVisible)


def test_an_analysis_host_that_hangs_is_replaced(window, pool, qtbot) -> None:
    pool.mailbox.put(Welcome(1, 1, "3.11", "2.13.0+cpu"))
    qtbot.waitUntil(lambda: window.workers.welcome is not None)
    window.workers._patience.setInterval(0)
    rename_layer = edit.rename(window.document.network, "fc1", "hidden")
    window.document.edit(rename_layer, "Rename fc1")
    qtbot.waitUntil(lambda: pool.replaced >= 1)


def test_a_network_that_could_train_is_prepared_for(window, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(pool.analyses))
    window.workers._prepare_soon.setInterval(0)
    pool.answer(sound(window.document.network))
    qtbot.waitUntil(lambda: len(pool.prepared) == 1)
    assert file.loads(pool.prepared[0]).nodes == window.document.network.nodes


# ---------------------------------------------------------------------------- runs


def test_train_is_refused_where_the_network_has_errors(whole, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(pool.analyses))
    pool.answer(Analysis(problems=(Problem("error", "window", "too large", "fc1", "out_features"),)))
    qtbot.waitUntil(lambda: whole.workers.current)
    QTest.keyClick(whole, Qt.Key.Key_F5)
    assert pool.runs == []
    assert whole.status.currentMessage() == "One error keeps the network from training."
    qtbot.waitUntil(whole.problems.isVisible)


def test_a_run_goes_from_train_to_its_end_and_the_buttons_follow(window, pool, qtbot) -> None:
    actions = window.running
    assert actions.train_action.isEnabled()
    assert not actions.stop_action.isEnabled()
    begun(window, pool, qtbot)
    assert not actions.train_action.isEnabled()
    assert actions.stop_action.isEnabled()
    run = pool.runs[0]
    assert file.loads(run.document) == window.document.network
    run.tell(Progress(50, 200, 2, 10, 1000.0, 75.0, 1.0))
    qtbot.waitUntil(
        lambda: window.toolbar.progress.label.text() == "Epoch 3 of 10 · 1,000 steps/s · 1 min 15 s left"
    )
    assert window.toolbar.progress.bar.value() == 250
    QTest.keyClick(window, Qt.Key.Key_F6)
    assert run.controls == ["pause"]
    run.tell(RunState("paused", 60))
    qtbot.waitUntil(lambda: actions.pause_action.text() == "&Resume")
    QTest.keyClick(window, Qt.Key.Key_F10)
    QTest.keyClick(window, Qt.Key.Key_F6)
    QTest.keyClick(window, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    assert run.controls == ["pause", "step", "resume", "stop"]
    run.tell(Metrics(60, 3.0, "validation", {"loss": 0.1, "accuracy": 0.978}, 2.0))
    run.tell(RunState("finished", 60, result={"state": "finished"}))
    qtbot.waitUntil(
        lambda: window.toolbar.progress.label.text() == "Finished · last validation accuracy 97.8 %"
    )
    assert actions.train_action.isEnabled()


def test_step_begins_a_run_that_waits_after_one_batch(window, pool) -> None:
    QTest.keyClick(window, Qt.Key.Key_F10)
    assert pool.runs[0].how["paused"]
    assert pool.runs[0].controls == ["step"]


def test_events_of_a_run_that_was_replaced_are_not_mixed_in(window, pool, qtbot) -> None:
    begun(window, pool, qtbot)
    first = pool.runs[0]
    first.tell(RunState("stopped", 1))
    qtbot.waitUntil(lambda: window.session.state == "stopped")
    begun(window, pool, qtbot)
    first.tell(Metrics(999, 9.0, "train", {"loss": 9.0}, 9.0))
    pool.runs[1].tell(Metrics(1, 0.1, "train", {"loss": 1.0}, 0.1))
    qtbot.waitUntil(lambda: bool(window.session.metrics))
    assert [m.step for m in window.session.metrics] == [1]


def test_a_burst_of_progress_is_shown_once_and_no_metric_is_lost(window, pool, qtbot) -> None:
    begun(window, pool, qtbot)
    shown: list[int] = []
    window.session.progressed.connect(lambda progress: shown.append(progress.step))
    for step in range(1, 101):
        pool.runs[0].tell(Progress(step, 200, 0, 10, 1000.0, None, 1.0))
        pool.runs[0].tell(Metrics(step, 0.1, "train", {"loss": 1.0}, 0.1))
        pool.runs[0].tell(Observation(step, 0.1, {}, {}))
    qtbot.waitUntil(lambda: len(window.session.metrics) == 100)
    assert shown == [100]
    assert [o.step for o in window.session.observations] == [100]


def test_a_run_that_stopped_early_says_why(window, pool, qtbot) -> None:
    begun(window, pool, qtbot)
    pool.runs[0].tell(
        RunState("finished", 7, "Stopped early: no better loss in 3 validations, since epoch 1.")
    )
    qtbot.waitUntil(lambda: window.session.state == "finished")
    assert (window.banners.text("run") or "").startswith("Stopped early: no better loss")


def test_a_run_whose_host_died_is_interrupted_and_the_document_whole(window, pool, qtbot) -> None:
    rename(window, "Mine")
    before = window.document.network
    begun(window, pool, qtbot)
    pool.runs[0].tell(RunState("interrupted", 7, "The engine's process was killed."))
    qtbot.waitUntil(lambda: window.session.state == "interrupted")
    assert window.toolbar.progress.label.text() == "Interrupted"
    assert window.banners.text("run") == "The engine's process was killed."
    assert window.document.network == before
    assert not window.document.clean
    window.banners.button("run", "Continue the run").click()
    assert pool.runs[1].how["resume"]
    assert pool.runs[1].folder == pool.runs[0].folder


def test_a_run_goes_into_the_folder_beside_the_file(window, pool, tmp_path, qtbot) -> None:
    window.workers.runs_folder = None
    window.document.save(tmp_path / "mine.layerlab")
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert Path(pool.runs[0].folder).parent == tmp_path / "mine.runs"


def test_a_run_folder_that_cannot_be_made_is_said_and_nothing_is_lost(window, pool, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    window.workers.runs_folder = tmp_path / "file"
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert window.session.state == "failed"
    assert "Cannot make a run folder" in (window.banners.text("run") or "")
    assert pool.runs == []
    assert window.running.train_action.isEnabled()


def test_an_edit_during_a_run_says_that_the_drawing_differs_and_offers_its_version(
    window, pool, qtbot
) -> None:
    trained = window.document.network
    begun(window, pool, qtbot)
    assert window.banners.text("differs") is None
    window.document.edit(edit.move(trained, {"fc1": (5.0, 5.0)}), "Move")
    assert window.banners.text("differs") is None, "layout is not meaning"
    mine = edit.set_field(window.document.network, "fc1", "out_features", 3)
    window.document.edit(mine, "Narrow")
    assert window.banners.text("differs") == "The drawing differs from the run."
    window.banners.button("differs", "Bring its version back").click()
    assert window.document.network.nodes == trained.nodes
    assert window.document.network.positions()["fc1"] == [5.0, 5.0], "where things stand is kept"
    assert window.banners.text("differs") is None
    window.document.undo_stack.undo()
    assert window.document.network == mine
    assert window.banners.text("differs") is not None
    pool.runs[0].tell(RunState("finished", 60))
    qtbot.waitUntil(lambda: window.banners.text("differs") is None)


def test_another_recipe_is_called_by_its_name(window, pool, qtbot) -> None:
    begun(window, pool, qtbot)
    window.toolbar.epochs.setValue(77)
    assert window.document.network.recipe.epochs == 77
    assert window.banners.text("differs") == "The recipe differs from the run."


def test_the_last_runs_figures_can_be_asked_for(window, pool, qtbot) -> None:
    begun(window, pool, qtbot)
    folder = Path(pool.runs[0].folder)
    (folder / "weights.safetensors").write_bytes(b"")
    pool.runs[0].tell(RunState("finished", 60))
    qtbot.waitUntil(window.menus.evaluate.isEnabled)
    window.menus.evaluate.trigger()
    number, asked = pool.evaluations[-1]
    assert asked == str(folder)
    pool.mailbox.put(Evaluated(number, {"validation": {"loss": 0.25, "accuracy": 0.9}}))
    qtbot.waitUntil(lambda: bool(boxes(window)))
    assert boxes(window)[0].informativeText() == "validation: loss 0.25, accuracy 0.9"


# ---------------------------------------------------------------------------- weights beside the file


def tensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file by its specification: header length, JSON header, data."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))


def opened_with_weights(window, pool, qtbot, tmp_path, shapes) -> None:
    path = tmp_path / "net.layerlab"
    file.write(template("residual_digits"), path)
    tensors(tmp_path / "net.safetensors", shapes)
    asked = len(pool.analyses)
    assert window.files.open_path(path)
    qtbot.waitUntil(lambda: len(pool.analyses) > asked)
    pool.answer(Analysis(nodes={"fc1": NodeReport(parameters={"weight": (2, 3), "bias": (2,)})}))
    qtbot.waitUntil(lambda: window.workers.current)


def test_weights_that_fit_are_offered_and_train_starts_from_them(window, pool, qtbot, tmp_path) -> None:
    opened_with_weights(window, pool, qtbot, tmp_path, {"fc1.weight": (2, 3), "fc1.bias": (2,)})
    assert window.banners.text("weights") == "Trained weights lie beside this file (net.safetensors)."
    window.banners.button("weights", "Start training from them").click()
    assert window.banners.text("weights") is None
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert pool.runs[0].how["weights"] == str(tmp_path / "net.safetensors")


def test_weights_that_fit_in_part_are_offered_with_that_said(window, pool, qtbot, tmp_path) -> None:
    opened_with_weights(window, pool, qtbot, tmp_path, {"fc1.weight": (2, 3), "fc1.bias": (7,)})
    assert "1 of 2 parameters" in window.banners.text("weights")


@pytest.mark.parametrize("shapes", [{"other.weight": (2, 3)}, {"fc1.weight": (3, 2)}, {}])
def test_weights_that_do_not_fit_are_not_offered(window, pool, qtbot, tmp_path, shapes) -> None:
    opened_with_weights(window, pool, qtbot, tmp_path, shapes)
    assert window.banners.text("weights") is None


def test_weights_are_offered_where_the_file_holds_the_network_that_is_shown_already(
    window, pool, qtbot, tmp_path
) -> None:
    opened_with_weights(window, pool, qtbot, tmp_path, {"fc1.weight": (2, 3), "fc1.bias": (2,)})
    window.files.open_path(tmp_path / "net.layerlab")
    assert window.banners.text("weights") is not None


def test_a_weights_file_that_is_none_is_not_offered(window, pool, qtbot, tmp_path) -> None:
    opened_with_weights(window, pool, qtbot, tmp_path, {})
    (tmp_path / "net.safetensors").write_bytes(b"\xff" * 40)
    window.files.open_path(tmp_path / "net.layerlab")
    assert window.banners.text("weights") is None


def test_the_weights_of_a_run_are_saved_beside_the_file(window, pool, qtbot, tmp_path) -> None:
    window.document.save(tmp_path / "mine.layerlab")
    assert not window.menus.save_weights.isEnabled()
    begun(window, pool, qtbot)
    folder = Path(pool.runs[0].folder)
    tensors(folder / "weights.safetensors", {"fc1.weight": (1,)})
    tensors(folder / "best.safetensors", {"fc1.weight": (2,)})
    pool.runs[0].tell(RunState("finished", 60))
    qtbot.waitUntil(window.menus.save_weights.isEnabled)
    window.menus.save_weights.trigger()
    assert (tmp_path / "mine.safetensors").read_bytes() == (folder / "best.safetensors").read_bytes()


# ---------------------------------------------------------------------------- devices, actions, settings


def test_the_devices_of_the_host_can_be_chosen_and_are_remembered(window, pool, qtbot, tmp_path) -> None:
    devices = (Device("cpu", "CPU"), Device("cuda:0", "A card", 8 << 30))
    pool.mailbox.put(Welcome(1, 1, "3.11", "2.13.0+cpu", devices))
    qtbot.waitUntil(lambda: window.toolbar.device.count() == 3)
    assert [window.toolbar.device.itemText(row) for row in range(3)] == ["Automatic", "CPU", "cuda:0"]
    window.toolbar.device.setFocus()
    QTest.keyClick(window.toolbar.device, Qt.Key.Key_End)
    assert window.toolbar.device.currentData() == "cuda:0"
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert window.settings.device == "cuda:0"


def test_a_device_that_is_no_longer_there_falls_back_on_automatic(qtbot, tmp_path, pool) -> None:
    Settings(tmp_path / "settings.ini").device = "cuda:3"
    shown = open_window(tmp_path, pool, template())
    pool.mailbox.put(Welcome(1, 1, "3.11", "2.13.0+cpu", (Device("cpu", "CPU"),)))
    qtbot.waitUntil(lambda: shown.toolbar.device.currentData() == "auto")
    assert shown.settings.device == "auto"
    close_window(shown)


def test_every_command_has_a_name_of_its_own(whole) -> None:
    commands = [c for c in whole.menus.commands() if "Open recent" not in c.place]
    titles = [(c.place, c.title) for c in commands]
    assert all(title for _, title in titles)
    assert len(set(titles)) == len(titles)


def test_the_command_palette_finds_by_a_few_letters_and_runs(window) -> None:
    palette = window.menus.find_command()
    QTest.keyClicks(palette.line, "swlight")
    assert palette.list.currentIndex().data().startswith("Switch between light and dark")
    name = QApplication.palette().window().color().name()
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert QApplication.palette().window().color().name() != name
    window.commands["view.theme.light"].trigger()


def test_letters_at_the_beginnings_of_words_count_more() -> None:
    assert score("sa", "Save as") > score("sa", "Measure area")
    assert score("sw", "Save weights") is not None
    assert score("xq", "Save weights") is None


def test_the_theme_that_was_chosen_is_remembered(window, tmp_path) -> None:
    window.commands["view.theme.dark"].trigger()
    assert Settings(tmp_path / "settings.ini").theme == "dark"
    window.commands["view.theme.system"].trigger()
    assert Settings(tmp_path / "settings.ini").theme is None
    window.commands["view.theme.light"].trigger()


def test_the_arrangement_of_docks_is_kept_until_the_next_start(qtbot, tmp_path) -> None:
    first = open_window(tmp_path, PlayedPool(), template())
    first.docks["gradients"].close()
    close_window(first)
    second = open_window(tmp_path, PlayedPool(), template())
    assert second.docks["gradients"].isHidden()
    assert second.docks["weights"].isVisible()
    second.commands["view.arrange"].trigger()
    assert second.docks["gradients"].isVisible()
    close_window(second)


def test_the_panels_share_their_room_alike_at_the_first_start(qtbot, tmp_path) -> None:
    shown = open_window(tmp_path, PlayedPool(), template())

    def widths() -> list[int]:
        return [shown.docks[name].width() for name in ("curves", "weights", "gradients")]

    qtbot.waitUntil(lambda: max(widths()) - min(widths()) <= 4 and min(widths()) > 250)
    close_window(shown)


def test_a_mistake_of_the_program_is_shown_and_the_network_stays(window, capsys) -> None:
    from gui.trouble import TroubleBox

    rename(window, "Mine")
    box = TroubleBox.report(window, "ValueError: one")
    assert TroubleBox.report(window, "ValueError: two") is box, "one box, not one per mistake"
    assert "one" in box.detailedText()
    assert "two" in box.detailedText()
    assert window.document.network.name == "Mine"
    box.close()


def test_everything_that_takes_the_focus_has_a_name_for_a_screen_reader(window) -> None:
    nameless = [
        widget
        for kind in (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox)
        for widget in window.toolbar.findChildren(kind) + window.status.findChildren(kind)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.accessibleName()
        and widget.objectName() not in ("qt_spinbox_lineedit", "qt_toolbar_ext_button")
    ]
    assert nameless == []


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (9_999, "9,999"), (61_706, "61.7 k"), (11_689_512, "11.7 M"), (1_814_073_344, "1.8 G")],
)
def test_large_counts_are_said_short(number: int, text: str) -> None:
    assert count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (125, "2 min 05 s"), (12_000, "3 h 20 min")]
)
def test_times_are_said_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_templates_lie_where_the_welcome_looks() -> None:
    assert template_path().is_file()


def test_the_help_shows_its_pages_and_follows_links_among_them(window) -> None:
    window.commands["help.contents"].trigger()
    shown = window.findChild(Help)
    assert shown.list.count() >= 1
    for row in range(shown.list.count()):
        shown.list.setCurrentRow(row)
        assert shown.browser.toPlainText().startswith(shown.list.item(row).text())
    assert "#" not in shown.browser.toPlainText()[:3], "headings are drawn, not spelt"
    shown.show_page(pages()[0].name)
    assert shown.list.currentRow() == 0
    shown.close()


def test_a_run_whose_process_stands_still_is_said_for_as_long_as_it_does(window: Window) -> None:
    ended: list[bool] = []
    run = SimpleNamespace(kill=lambda: ended.append(True))
    window.workers.silence.emit(Silence(True, run))
    assert "stands still" in (window.banners.text("silence-run") or "")
    window.banners.button("silence-run", "End it").click()
    assert ended == [True]
    window.workers.silence.emit(Silence(False, run))
    assert window.banners.text("silence-run") is None
    window.workers.silence.emit(Silence(True, run, answers=True))
    assert "no step for a while, though its process answers" in (window.banners.text("slow-run") or "")
    window.workers.silence.emit(Silence(False, run, answers=True))
    assert window.banners.text("slow-run") is None


def test_an_engine_that_is_stuck_is_said_and_replaced_at_a_press(window: Window, pool: PlayedPool) -> None:
    window.workers.silence.emit(Silence(True, answers=True))
    assert "shows an earlier one" in (window.banners.text("slow") or "")
    window.banners.button("slow", "Replace it now").click()
    assert pool.replaced == 1
    window.workers.silence.emit(Silence(False, answers=True))
    assert window.banners.text("slow") is None


def test_what_was_torn_off_comes_back_after_the_window_that_it_stands_before(qtbot, tmp_path, pool) -> None:
    first = open_window(tmp_path, pool, template(), whole=False)
    first.docks["code"].setFloating(True)
    first.docks["code"].setGeometry(300, 200, 320, 400)
    close_window(first)

    class Shown(QObject):
        """How often the dock has been shown."""

        times = 0

        def eventFilter(self, dock: QObject, event: QEvent) -> bool:
            self.times += event.type() == QEvent.Type.Show
            return False

    again = Window(Settings(tmp_path / "settings.ini"), (pool, pool.mailbox))
    shown = Shown()
    again.docks["code"].installEventFilter(shown)
    again.document.replace(template())
    again.files.opened.emit()
    again.show()
    before = shown.times
    qtbot.waitUntil(lambda: shown.times > before)
    assert again.docks["code"].isFloating()
    assert again.docks["code"].geometry() == QRect(300, 200, 320, 400)
    close_window(again)


def test_arranged_afresh_the_panels_share_their_room_alike_again_and_can_be_resized(whole, qtbot) -> None:
    across, below = (
        Qt.Orientation.Horizontal,
        [whole.docks[name] for name in ("curves", "weights", "gradients")],
    )
    whole.docks["palette"].setFloating(True)
    whole.workbench.resizeDocks(below, [600, 150, 100], across)
    QApplication.processEvents()
    whole.commands["view.arrange"].trigger()
    assert not whole.docks["palette"].isFloating()
    assert not any(whole.docks[name].isVisible() for name in whole.docks.apart)
    qtbot.waitUntil(lambda: max(d.width() for d in below) - min(d.width() for d in below) <= 4)
    whole.workbench.resizeDocks(below, [500, 250, 200], across)
    qtbot.waitUntil(lambda: below[0].width() > 450)
