"""Text that survives translation and a screen at 150 %: every word two fifths longer, in the whole window."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from gui.exchange import ImportDialog
from gui.machines import MachinesDialog
from gui.window import MINIMUM
from tests.longer import clipped, longer, settle, story, translate, walk, window_with
from tests.window_helpers import close_window

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> tuple[Any, str, list[Any]]:
    return story(tmp_path_factory.mktemp("run"))


@pytest.fixture
def window(qtbot, told, tmp_path):
    shown = window_with(told, tmp_path)
    yield shown
    for name in shown.docks.apart:
        shown.docks[name].hide()
    close_window(shown)


def test_words_become_longer_by_two_fifths_and_names_and_figures_stay() -> None:
    assert longer("Train the network") == "Träïñöö thëö ñëtwörkööö"
    assert longer(longer("Smoothing")) == longer("Smoothing")
    assert longer("fc1.weight  256 × 64, out_features") == "fc1.weight  256 × 64, out_features"
    assert longer('<b title="x">Loss</b>') == '<b title="x">Lössöö</b>'


def test_a_label_without_room_is_found_and_one_that_tells_the_rest_is_not(qtbot) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    column = QVBoxLayout(holder)
    label, button = QLabel("A long line of words"), QPushButton("More words")
    for part in (label, button):
        part.setFixedWidth(40)
        column.addWidget(part)
    holder.show()
    assert len(clipped(holder)) == 2
    label.setToolTip("A long line of words")
    assert len(clipped(holder)) == 1


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_no_word_of_the_window_is_cut_off_when_all_are_longer(window, size) -> None:
    assert walk(window, size) == []
    assert window.size().toTuple() == size
    assert window.canvas.width() >= size[0] // 3, "the drawing keeps its room"


def test_no_word_is_cut_off_in_the_smallest_window(window) -> None:
    found = walk(window, MINIMUM, lengthen=False)
    assert found == [], "\n".join(found)


def test_no_word_is_cut_off_on_a_screen_at_150_percent() -> None:
    """1280 × 720 is what a Full HD screen has at 150 %."""
    root = Path(__file__).parents[1]
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.longer", "1280x720"],
        cwd=root,
        env=environment | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["1.5"]


def test_no_word_of_the_dialogs_is_cut_off_when_all_are_longer(window, tmp_path) -> None:
    (tmp_path / "model.py").write_text("def make_model(): pass\n")
    shown = {
        "machines": lambda: MachinesDialog(window.settings, window),
        "import": lambda: ImportDialog(tmp_path / "model.py", window),
        "commands": window.menus.find_command,
        "binarize": window.menus.binarize,
        "branch": window.branch,
    }
    for name, make in shown.items():
        dialog = make()
        dialog.show()
        settle(dialog, 4)
        assert clipped(dialog) == [], name
        dialog.close()
    for name in window.docks.apart:
        window.docks.reveal(name)
        settle(window.docks[name], 3)
        assert clipped(window.docks[name]) == [], name
    window.banners.show_banner(
        "differs", "The drawing differs from the run.", [("Bring it back", lambda: None)]
    )
    settle(window)
    assert clipped(window.banners) == []
    window.document.undo_stack.clear()
    window.files.new()
    settle(window)
    assert clipped(window.welcome) == []


def test_nothing_hangs_on_what_the_words_say(window, qtbot) -> None:
    """What is chosen, found and run goes by keys, not by English."""
    translate(window)
    curves = window.docks["curves"].widget()
    assert curves.axis.currentText() != "Step"
    curves.axis.setCurrentIndex(2)
    curves.flush()
    assert curves.axis.currentData() == "seconds"
    assert window.lab_init.shown["Activations by depth"].currentData() is not None
    palette = window.menus.find_command()
    palette.line.setText(longer("Switch between light"))
    assert palette.list.currentIndex().data() == longer("Switch between light and dark")
    palette.close()
    window.commands["run.train"].trigger()
    assert len(window.workers.pool.runs) == 1
