"""Where dialogs for files begin: in the document's folder, else in the one used last, else at home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog
from window_helpers import PlayedPool, close_window, open_window, template

import gui
from engine import edit
from engine.catalog.fields import Path as PathField
from gui import film
from gui.canvas import menus
from gui.choosing import start_folder
from gui.forms.editors import PathEditor
from gui.window import Window

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    network = edit.set_name(template(), "a/b: c")
    shown = open_window(tmp_path, PlayedPool(), network)
    yield shown
    close_window(shown)


@pytest.fixture
def begun(monkeypatch) -> list[str]:
    """Where each dialog began; the user cancels it."""
    places: list[str] = []

    def asked(parent: object, title: str, begin: str = "", *kinds: str) -> tuple[str, str]:
        places.append(begin)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", asked)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", asked)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *words: asked(*words)[0])
    return places


def every_dialog(window: Window) -> dict[str, Callable[[], object]]:
    editor = PathEditor(PathField("path", None, optional=True, doc=""), window.recipe)
    return {
        "open": window.files.open,
        "save as": window.files.save_as,
        "picture": lambda: menus.export(window.canvas),
        "weights": window.menus._choose_weights,
        "import": window.menus.exchange.import_code,
        "export": lambda: window.menus.exchange.export_as("onnx"),
        "run": window.menus.past._choose,
        "film": lambda: film.ask(window),
        "panel": lambda: window.problems._ask("data", "csv", lambda path: None),
        "data": lambda: window.data._choose(folder=False),
        "folder of data": lambda: window.data._choose(folder=True),
        "field": editor.browse,
    }


def folders(window: Window, begun: list[str]) -> dict[str, Path]:
    """Folder in which each dialog begins."""
    found = {}
    for name, ask in every_dialog(window).items():
        ask()
        begin = Path(begun.pop())
        found[name] = begin if begin.is_dir() else begin.parent
        assert not begun
    return found


def test_all_begin_in_the_documents_folder(window, begun, tmp_path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    window.document.save(folder / "net.layerlab")
    window.settings.folder = tmp_path
    found = folders(window, begun)
    # Runs lie in a folder of their own, where there are any.
    assert found == dict.fromkeys(found, folder)


def test_without_a_file_in_the_folder_used_last_and_else_at_home(window, begun, tmp_path) -> None:
    window.settings.folder = tmp_path / "gone"
    assert set(folders(window, begun).values()) == {Path.home()}
    used = tmp_path / "used"
    used.mkdir()
    window.settings.folder = used
    assert set(folders(window, begun).values()) == {used}


def test_what_is_chosen_is_where_the_next_dialog_begins(window, monkeypatch, tmp_path) -> None:
    chosen = tmp_path / "pictures" / "net.svg"
    chosen.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *words: (str(chosen), ""))
    menus.export(window.canvas)
    assert chosen.is_file()
    assert start_folder(window.data) == chosen.parent


def test_a_film_gets_the_end_of_the_kind_chosen_and_what_is_there_is_asked_about(
    window, monkeypatch, tmp_path
):
    window.settings.folder = tmp_path
    asked, answers = [], []

    def dialog(parent, title, name, kinds, kind):
        asked.append((name, kind))
        answer, chosen = answers.pop(0)
        return str(tmp_path / answer) if answer else "", chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    for answer, chosen, meant in (
        ("run.gif", "MP4 (*.mp4)", "run.mp4"),  # as suggested, of another kind
        ("mine", "MP4 (*.mp4)", "mine.mp4"),
        ("mine.webp", "MP4 (*.mp4)", "mine.webp"),  # what was typed counts
        ("mine", "", "mine.gif"),
    ):
        answers[:] = [(answer, chosen)]
        assert film.ask(window) == tmp_path / meant
    (tmp_path / "mine.mp4").write_bytes(b"kept")
    asked.clear()
    answers[:] = [("mine", "MP4 (*.mp4)"), ("", "")]  # asked about it, the user leaves it
    assert film.ask(window) is None
    assert asked[1] == (str(tmp_path / "mine.mp4"), "MP4 (*.mp4)")


def test_a_panel_that_was_torn_off_begins_there_too(window, begun, tmp_path) -> None:
    window.document.save(tmp_path / "net.layerlab")
    window.settings.folder = Path.home()
    dock = next(dock for dock in window.docks if dock.isAncestorOf(window.data))
    dock.setFloating(True)
    assert window.data.window() is not window
    assert start_folder(window.data) == tmp_path


def test_a_picture_is_named_as_the_network_as_far_as_a_file_can_be(window, begun, tmp_path) -> None:
    window.settings.folder = tmp_path
    menus.export(window.canvas)
    assert begun == [str(tmp_path / "a b c.svg")]


@pytest.mark.parametrize("value", ["", "~nobody-of-that-name/x", "x" * 4000, "a\0b", "/nowhere/at/all.csv"])
def test_a_path_that_leads_nowhere_begins_at_the_usual_place(window, begun, tmp_path, value: str) -> None:
    window.settings.folder = tmp_path
    editor = PathEditor(PathField("path", None, optional=True, doc=""), window.recipe)
    editor.show_value(value)
    editor.browse()
    assert begun == [str(tmp_path)]


def test_a_path_that_is_there_is_where_its_own_dialog_begins(window, begun, tmp_path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("a,b\n1,2\n")
    editor = PathEditor(PathField("path", None, optional=True, doc=""), window.recipe)
    editor.show_value(str(file))
    editor.browse()
    assert begun == [str(file)]


def test_no_other_module_asks_for_files_by_itself() -> None:
    root = Path(gui.__file__).parent
    asking = [path.name for path in root.rglob("*.py") if "QFileDialog" in path.read_text(encoding="utf-8")]
    assert asking == ["choosing.py"]
