"""The Data panel as a person uses it: choose, look, use, fit, cancel."""

import json

import pytest
from PySide6.QtCore import QMimeData, QObject, QPointF, Qt, QUrl, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QMessageBox

from engine import edit
from engine.analysis import analyze
from engine.data.view import view
from engine.dataview import Offer
from engine.host.protocol import CANCELLED, DataAbsent, DataLooked, DataProgress, Failed
from engine.network import Choice, Data, Network, Node, Recipe
from gui.document import Document
from gui.panels import DataPanel
from gui.session import Session
from tests.networks import chain

pytestmark = pytest.mark.gui


class Looks(QObject):
    """Answers what the test tells it to."""

    answered = Signal(int, object)
    analyzed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str | None] = []
        self.fetched: list[bool] = []
        self.analyses = 0
        self.cancelled: list[int] = []

    def analyze_again(self) -> None:
        self.analyses += 1

    def look_at_data(self, path: str | None = None, download: bool = False) -> int:
        self.asked.append(path)
        self.fetched.append(download)
        return len(self.asked)

    def cancel_data(self, request: int) -> None:
        self.cancelled.append(request)

    def answer(self, data: Data) -> None:
        number = len(self.asked)
        self.answered.emit(number, DataLooked(number, view(data, reason="It is what the test says.")))


@pytest.fixture
def looks(qtbot):
    return Looks()


@pytest.fixture
def panel(qtbot, looks):
    document = Document(
        chain(("fc", Node("Linear", {"out_features": 3})), shape=(5,), recipe=Recipe(data=Data("iris")))
    )
    panel = DataPanel(document, Session(), looks)
    panel.document = document
    qtbot.addWidget(panel)
    panel.resize(640, 320)
    panel.show()
    qtbot.waitUntil(lambda: looks.asked == [None])
    return panel


def tabs(panel: DataPanel) -> list[str]:
    tabs = panel._tabs
    return [tabs.tabText(index) for index in range(tabs.count()) if tabs.isTabVisible(index)]


def test_the_documents_data_are_looked_at_and_told(panel, looks):
    assert panel.is_empty
    looks.answer(Data("iris"))
    assert not panel.is_empty
    assert panel._title.text() == "Iris flowers"
    told = panel._facts.text()
    assert "150 examples of 4" in told
    assert "120 train, 30 validation" in told
    assert "To be beaten always" in told
    assert tabs(panel) == ["About", "Samples", "Classes"]
    assert panel.examples.rowCount() == 24
    assert not panel.use.isVisible()


def test_pictures_are_shown_and_a_box_shows_them_varied(panel, looks):
    looks.answer(Data("digits", augment=(Choice("shift"),)))
    assert panel.samples.model().rowCount() == 24
    assert panel.varied.isVisible()
    before = panel.samples.grab().toImage()
    panel.varied.click()
    assert panel.samples.grab().toImage() != before


def test_a_chosen_file_is_looked_at_first_and_used_when_that_is_wished(panel, looks, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "".join(f"{i}.5,{'xy'[i % 2]}\n" for i in range(50)))
    panel.open_path(path)
    assert looks.asked[-1] == str(path)
    looks.answer(Data("csv", {"path": str(path)}))
    assert panel.document.network.recipe.data.source == "iris"
    assert panel.use.isVisible()
    assert "Columns" in tabs(panel)
    panel.use.click()
    assert panel.document.network.recipe.data == Data("csv", {"path": str(path)})
    assert not panel.use.isVisible()
    panel.document.undo_stack.undo()
    assert panel.document.network.recipe.data.source == "iris"


def test_one_click_fits_the_network_to_its_data_and_one_undo_takes_it_back(panel, looks):
    looks.answer(Data("iris"))
    before = panel.document.network
    looks.analyzed.emit(analyze(before))
    panel.flush()
    assert panel.fit.isVisible()
    panel.fit.click()
    assert panel.document.network.nodes["image"].fields["shape"] == [4]
    looks.analyzed.emit(analyze(panel.document.network))
    panel.flush()
    assert not panel.fit.isVisible()
    panel.document.undo_stack.undo()
    assert panel.document.network == before


def test_an_empty_drawing_gets_an_input_of_the_examples_shape(qtbot, looks):
    document = Document(Network(recipe=Recipe(data=Data("digits"))))
    panel = DataPanel(document, Session(), looks)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitUntil(lambda: looks.asked == [None])
    looks.answer(Data("digits"))
    panel.fit.click()
    types = {node.type: node.fields for node in document.network.nodes.values()}
    assert types == {"Input": {"shape": [1, 8, 8]}, "Output": {}}


def test_progress_is_shown_and_loading_can_be_cancelled(panel, looks):
    looks.answered.emit(1, DataProgress(1, "Reading pictures", 30, 120))
    assert panel._progress.isVisible()
    assert (panel._progress.value(), panel._progress.maximum()) == (30, 120)
    assert panel.empty.title.text() == "Reading pictures…"
    assert panel.empty.hint.text() == "30 of 120"
    panel.cancel.click()
    assert looks.cancelled == [1]
    looks.answered.emit(1, Failed(1, CANCELLED))
    assert not panel._progress.isVisible()
    assert panel.empty.title.text() == "Not looked at"


def test_what_is_wrong_with_a_file_is_said(panel, looks):
    looks.answered.emit(1, Failed(1, "a.csv: row 5, column 'age': 'x7' is no number."))
    assert panel.is_empty
    assert "row 5, column 'age'" in panel.empty.hint.text()


def test_data_that_changed_since_the_run_are_noticed(panel, looks, tmp_path):
    from engine.runs import RunFolder

    facts = RunFolder(tmp_path).facts
    facts.parent.mkdir(parents=True, exist_ok=True)
    facts.write_text(json.dumps({"data_sha256": "0" * 64}))
    panel._session.run = str(tmp_path)
    looks.answer(Data("iris"))
    assert "have changed since the run" in panel._remarks.text()
    facts.write_text(json.dumps({"data_sha256": panel.view.sha256}))
    panel.flush()
    assert "have changed" not in panel._remarks.text()


@pytest.mark.parametrize("said", ["Download", "Cancel"])
def test_missing_files_are_fetched_only_when_the_user_says_so(panel, looks, qtbot, said):
    offer = Offer("MNIST", 4, 11_594_722, "https://example.org", "/home/me/mnist")
    looks.answered.emit(1, DataAbsent(1, "The MNIST files are not here yet.", offer))
    assert panel.fetch.isVisible()
    assert panel.fetch.text() == "Download MNIST (12 MB)…"
    panel.fetch.click()
    assert looks.fetched == [False], "nothing is fetched before that is said"
    (box,) = panel.findChildren(QMessageBox)
    assert "12 MB, from https://example.org into /home/me/mnist" in box.informativeText()
    next(button for button in box.buttons() if button.text().replace("&", "") == said).click()
    if said == "Cancel":
        assert looks.fetched == [False]
        return
    assert looks.fetched == [False, True]
    assert not panel.fetch.isVisible()
    looks.answered.emit(2, DataProgress(2, "Downloading train-images", 3, 9))
    assert panel._progress.isVisible()
    assert looks.analyses == 0
    looks.answer(Data("iris"))
    assert looks.analyses == 1, "the problem that they were missing is over"


def test_a_folder_dropped_onto_the_window_is_looked_at(qtbot, tmp_path):
    from tests.window_helpers import PlayedPool, close_window, open_window

    window = open_window(tmp_path, PlayedPool())
    try:
        (tmp_path / "data").mkdir()
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "data"))])
        where = QPointF(window.rect().center())
        buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(where.toPoint(), Qt.DropAction.CopyAction, mime, buttons, keys)
        QApplication.sendEvent(window, enter)
        assert enter.isAccepted()
        QApplication.sendEvent(window, QDropEvent(where, Qt.DropAction.CopyAction, mime, buttons, keys))
        qtbot.waitUntil(lambda: window.data.path == str(tmp_path / "data"))
        assert window.data.isVisible()
    finally:
        close_window(window)


@pytest.mark.parametrize(
    "data",
    [
        Data("digits", augment=(Choice("rotate"), Choice("mixup"))),
        Data("diabetes"),
        Data("iris", augment=(Choice("noise"),)),
    ],
)
def test_the_command_line_prints_what_the_panel_shows(panel, looks, data, capsys, tmp_path):
    from engine import cli
    from engine.storage import write

    write(Network(recipe=Recipe(data=data)), tmp_path / "net.layerlab")
    assert cli.main(["data", str(tmp_path / "net.layerlab")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    looks.answer(data)
    shown = [panel._title.text(), *panel._remarks.text().splitlines()]
    shown += [pair[1].text() for pair in panel._facts._rows if pair[0].text() not in ("Reason", "SHA-256")]
    shown += [panel.view.sha256, *panel.view.balance]
    shown += [" → ".join(row[1:-1]) for row in panel.table()[1]][:5]
    for line in shown:
        assert " ".join(line.split()) in printed


def test_fitting_what_has_gone_since_the_analysis_changes_nothing(panel, looks):
    looks.answer(Data("iris"))
    looks.analyzed.emit(analyze(panel.document.network))
    without = edit.remove(panel.document.network, ["image"])
    panel.document.edit(without, "Delete")
    panel.fit_network()
    assert panel.document.network == without
