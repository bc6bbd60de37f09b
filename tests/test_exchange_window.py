"""File › Import and Export in the window."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import QApplication, QMessageBox

import engine
from engine.exchange.python import instance
from gui.exchange import FORMS, ImportDialog, factories
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui

CODE = """
raise_if_run = 1 / {divisor}
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.fc = nn.Linear(4, width)
    def forward(self, x):
        return self.fc(x).relu()
def make(width=8):
    return Net(width)
def helper(needed):
    return needed
"""


@pytest.fixture
def window(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool(), template(), whole=False)
    yield shown
    close_window(shown)


def told() -> str:
    boxes = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox) and w.isVisible()]
    text = "\n".join(f"{box.text()} {box.informativeText()}" for box in boxes)
    for box in boxes:
        box.close()
    return text


def test_what_can_make_a_module_is_found_without_running_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE.format(divisor=0))
    assert factories(path) == ["make", "Net"]
    path.write_text("def broken(:")
    assert factories(path) == []


def test_the_dialog_says_that_code_is_run_and_makes_the_commands_words(qtbot, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE.format(divisor=1))
    from PySide6.QtWidgets import QLabel, QWidget

    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = ImportDialog(path, parent)
    assert any("runs the code in model.py" in label.text() for label in dialog.findChildren(QLabel))
    dialog.shape.setText("4 5:int64")
    assert dialog.words() == [f"{path}:make", "--input", "4", "--input", "5:int64"]


def test_imported_code_is_opened_and_its_comparison_told(window, qtbot, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE.format(divisor=1))
    exchange = window.menus.exchange
    exchange.bring([f"{path}:make"], path)
    qtbot.waitUntil(lambda: exchange.process is None, timeout=60_000)
    assert window.document.path == tmp_path / "model.layerlab"
    assert {node.type for node in window.document.network.nodes.values()} >= {"Linear", "ReLU"}
    text = told()
    assert "the same as the code" in text
    assert "40 of 40 parameters" in text


def test_code_that_fails_is_told_and_the_document_stays(window, qtbot, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(CODE.format(divisor=0))
    before = window.document.network
    exchange = window.menus.exchange
    exchange.bring([f"{path}:make"], path)
    qtbot.waitUntil(lambda: exchange.process is None, timeout=60_000)
    assert "ZeroDivisionError" in told()
    assert window.document.network is before


def test_the_drawing_is_exported_as_it_is_now(window, qtbot, tmp_path: Path) -> None:
    exchange = window.menus.exchange
    exchange.export_to("python", tmp_path / "net.py")
    qtbot.waitUntil(lambda: exchange.process is None, timeout=60_000)
    assert "read back and compared" in window.status.currentMessage()
    printed = instance((tmp_path / "net.py").read_text()).eval()
    network = window.document.network
    built = engine.build(network, seed=network.recipe.seed).eval()
    printed.load_state_dict(torch.load(tmp_path / "net.pt", weights_only=True))
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(printed(x), built(x))


def test_the_drawing_is_exported_with_its_training(window, qtbot, tmp_path: Path) -> None:
    exchange = window.menus.exchange
    exchange.export_to("training", tmp_path / "net.py")
    qtbot.waitUntil(lambda: exchange.process is None, timeout=60_000)
    assert "read back and compared" in window.status.currentMessage()
    assert "def train()" in (tmp_path / "net.py").read_text()


def test_an_onnx_file_is_imported_without_a_question_or_says_what_it_needs(
    window, qtbot, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    before = window.document.network
    exchange = window.menus.exchange
    exchange.bring([str(tmp_path / "model.onnx")], tmp_path / "model.onnx")
    qtbot.waitUntil(lambda: exchange.process is None, timeout=60_000)
    text = told()
    assert "Nothing was imported" in text
    assert "layerlab[onnx]" in text or "cannot be read as ONNX" in text
    assert window.document.network is before


def test_every_form_of_the_command_has_its_place_in_the_menu(window) -> None:
    from engine.commands.export import FORMS as KNOWN

    assert set(FORMS) - {"training"} == set(KNOWN)
