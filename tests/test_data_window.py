"""Data in the window: what is dropped, what is loaded, what has changed, and what a click takes from them."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from engine.analysis import analyze
from engine.data.guess import guess
from engine.data.view import view
from engine.diff import apply
from engine.host import protocol
from engine.network import Data, Node, Recipe
from engine.problems import DataProblem
from gui.document import Document
from gui.inspector import Inspector
from gui.running import story
from gui.selection import Selection
from tests.networks import chain
from tests.test_inspector import FakeWorkers
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


class Pool(PlayedPool):
    """Remembers what data were asked for, and answers as a host does."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[str | None] = []

    def look_at_data(self, document: bytes, path: str | None = None, download: bool = False) -> int:
        self.looks.append(path)
        return 1000 + len(self.looks)

    def answer_look(self) -> None:
        number, path = 1000 + len(self.looks), self.looks[-1]
        try:
            assert path is not None
            found = guess(path)
            self.mailbox.put(protocol.DataLooked(number, view(found.data, reason=found.reason)))
        except DataProblem as problem:
            self.mailbox.put(protocol.Failed(number, str(problem)))


@pytest.fixture
def window(qtbot, tmp_path):
    window = open_window(tmp_path, Pool(), template())
    yield window
    close_window(window)


def drop(window, *paths: Path) -> bool:
    """Drop files onto the window; whether it took them."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    where = QPointF(window.rect().center())
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(where.toPoint(), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(window, enter)
    if enter.isAccepted():
        QApplication.sendEvent(window, QDropEvent(where, Qt.DropAction.CopyAction, mime, buttons, keys))
    return enter.isAccepted()


# ---------------------------------------------------------------------------- dropping


def test_a_dropped_table_is_looked_at_and_stays_only_looked_at(window, qtbot, tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"{i}.5,{'xy'[i % 2]}\n" for i in range(50)))
    before = window.document.network
    assert drop(window, tmp_path / "a.csv")
    qtbot.waitUntil(lambda: window.workers.pool.looks[-1:] == [str(tmp_path / "a.csv")])
    window.workers.pool.answer_look()
    qtbot.waitUntil(lambda: window.data.view is not None)
    assert window.data.isVisible()
    assert "Its ending says that it is a table" in window.data._facts.text()
    assert window.document.network == before
    window.data.use.click()
    assert window.document.network.recipe.data.source == "csv"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"a,b\n1\n", "line 2 has 1 cell and the first has 2"),
        ("a.npz", b"PK\x03\x04 broken", "cannot be read as NumPy arrays"),
        ("a.bin", b"\0\1\2\3" * 20, "is no data that is known"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "Pictures come in a folder"),
    ],
)
def test_a_broken_thing_that_is_dropped_is_told_in_words_and_changes_nothing(
    window, qtbot, tmp_path, name, content, said
):
    (tmp_path / name).write_bytes(content)
    before = window.document.network
    assert drop(window, tmp_path / name)
    qtbot.waitUntil(lambda: bool(window.workers.pool.looks) and window.workers.pool.looks[-1] is not None)
    window.workers.pool.answer_look()
    qtbot.waitUntil(lambda: said in window.data.empty.hint.text())
    assert window.data.empty.isVisible()
    assert not window.data.use.isVisible()
    assert window.document.network == before


def test_what_is_not_there_and_several_at_once_are_not_taken(window, tmp_path):
    assert not drop(window, tmp_path / "nowhere.csv")
    (tmp_path / "a.txt").write_text("a")
    assert not drop(window, tmp_path / "a.txt", tmp_path / "a.txt")


# ---------------------------------------------------------------------------- loading


def begin(window) -> object:
    window.workers.train()
    return window.workers.pool.runs[-1]


def test_train_shows_how_far_its_data_are_loaded_and_stop_calls_it_off(window, qtbot):
    run = begin(window)
    assert story(window.session) == "Starting…"
    run.tell(protocol.Loading("Reading pictures", 1200, 5000))
    qtbot.waitUntil(lambda: window.session.loading is not None)
    progress = window.toolbar.progress
    assert progress.label.text() == "Reading pictures 1,200 of 5,000…"
    assert (progress.bar.value(), progress.bar.maximum()) == (240, 1000)
    assert window.running.stop_action.isEnabled()
    window.running.stop_action.trigger()
    assert run.controls == ["stop"]
    result = {"run": None, "state": "stopped", "message": "Stopped while the data were loaded."}
    run.tell(protocol.RunState("stopped", 0, result["message"], result))
    qtbot.waitUntil(lambda: not window.session.active)
    assert progress.label.text() == "Stopped before it began"
    assert not window.running.resume_action.isEnabled(), "there is nothing to go on with"
    assert window.running.train_action.isEnabled()


def test_changed_data_are_said_when_a_run_goes_on(window, qtbot):
    run = begin(window)
    said = "The data have changed since this run began."
    run.tell(protocol.RunStarted("r", "cpu", 1, 1, 5, {}, 10, 2, 1, (), (said,)))
    qtbot.waitUntil(lambda: window.banners.text("data") == said)
    run.tell(protocol.RunState("finished", 5, "", {"run": "r"}))
    qtbot.waitUntil(lambda: not window.session.active)
    other = begin(window)
    other.tell(protocol.RunStarted("r", "cpu", 1, 1, 0, {}, 10, 2, 1))
    qtbot.waitUntil(lambda: window.banners.text("data") is None)


# ---------------------------------------------------------------------------- taking shapes


@pytest.fixture
def inspector(qtbot):
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(5,), recipe=Recipe(data=Data("wine")))
    document, selection = Document(network), Selection()
    inspector = Inspector(document, selection, FakeWorkers())
    inspector.document, inspector.selection = document, selection
    qtbot.addWidget(inspector)
    inspector.show()
    document.changed.connect(lambda *_: inspector.set_analysis(analyze(document.network)))
    inspector.set_analysis(analyze(network))
    return inspector


def test_an_input_takes_its_shape_from_the_data_with_one_click(inspector):
    inspector.selection.set(("image",))
    button = inspector.panel.from_data.button
    assert button.isVisible()
    assert button.isEnabled()
    button.click()
    assert inspector.document.network.nodes["image"].fields["shape"] == [13]
    assert not button.isEnabled()
    assert "fits wine already" in button.accessibleDescription()
    inspector.document.undo_stack.undo()
    assert inspector.document.network.nodes["image"].fields["shape"] == [5]
    assert button.isEnabled()


def test_an_output_takes_the_number_of_classes_with_one_click(inspector):
    data = Data("digits")
    before = inspector.document.network
    inspector.document.edit(replace(before, recipe=Recipe(data=data)), "Data")
    inspector.selection.set(("out",))
    inspector.panel.from_data.button.click()
    assert inspector.document.network.nodes["fc"].fields["out_features"] == 10


def test_other_layers_have_no_such_button_and_a_mismatch_is_a_problem_with_a_repair(inspector):
    inspector.selection.set(("fc",))
    assert not inspector.panel.from_data.isVisible()
    (problem,) = [p for p in analyze(inspector.document.network).problems if p.code == "data-shape"]
    assert [repair.text for repair in problem.repairs] == ["Set shape to [13]"]
    mended = apply(inspector.document.network, problem.repairs[0].changes)
    assert not [p for p in analyze(mended).problems if p.code == "data-shape"]


@pytest.mark.parametrize("waits", [True, False])
def test_an_analysis_that_is_at_work_is_waited_for(window, monkeypatch, waits):
    started = []
    patience = type("Patience", (), {"isActive": lambda self: waits, "start": lambda self: started.append(1)})
    with monkeypatch.context() as patched:
        patched.setattr(window.workers, "_patience", patience())
        window.workers._take(protocol.DataProgress(0, "Reading columns", 1, 9))
    assert bool(started) == waits
