"""The code beside the drawing: what it shows, marks and selects."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

import engine
from engine import edit, templates
from engine.compile.printer import marked_source
from engine.host.protocol import Failed, SourcePrinted
from engine.problems import NetworkProblem
from gui.document import Document
from gui.panels import CodePanel
from gui.selection import Selection

pytestmark = pytest.mark.gui


class Answering(QObject):
    """Workers that answer at once, as the host does."""

    answered = Signal(int, object)

    def __init__(self, document: Document) -> None:
        super().__init__()
        self.document, self.asked = document, 0

    def print_source(self) -> int:
        self.asked += 1
        number = self.asked
        try:
            event: object = SourcePrinted(number, *marked_source(self.document.network))
        except NetworkProblem as problem:
            event = Failed(number, str(problem))
        from PySide6.QtCore import QTimer

        QTimer.singleShot(0, self, lambda: self.answered.emit(number, event))
        return number


@pytest.fixture
def shown(qtbot):
    def show(template: str) -> tuple[CodePanel, Document, Selection]:
        document, selection = Document(templates.template(template).network), Selection()
        panel = CodePanel(document, selection, Answering(document))
        panel.workers = panel._workers  # keeps them alive
        qtbot.addWidget(panel)
        panel.resize(700, 500)
        panel.show()
        qtbot.waitUntil(lambda: panel.text.blockCount() > 5)
        return panel, document, selection

    return show


def line_of(panel: CodePanel, number: int) -> str:
    return panel.text.toPlainText().split("\n")[number - 1]


def click(panel: CodePanel, number: int) -> None:
    panel.text.verticalScrollBar().setValue(max(0, number - 5))
    place = dict(panel.text.rows())[number]
    QTest.mouseClick(
        panel.text.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(80, int(place.center().y()))
    )


def test_it_shows_the_source_of_the_drawing_and_follows_every_edit(shown, qtbot) -> None:
    panel, document, _ = shown("digits_mlp")
    assert panel.text.toPlainText() == engine.source(document.network)
    id = next(id for id, node in document.network.nodes.items() if node.type == "Linear")
    document.edit(edit.set_field(document.network, id, "out_features", 77), "Change")
    qtbot.waitUntil(lambda: "77" in panel.text.toPlainText())
    assert panel.text.toPlainText() == engine.source(document.network)


def test_the_lines_of_the_selected_node_are_marked(shown) -> None:
    panel, _document, selection = shown("residual_digits")
    selection.set(["conv1"])
    marked = [line_of(panel, number).strip() for number in panel.text.marked]
    assert len(marked) >= 2
    assert all("conv1" in line for line in marked)
    assert marked[0].startswith("self.conv1 = nn.Conv2d(")
    selection.set([])
    assert panel.text.marked == ()


def test_a_click_on_a_line_selects_its_node(shown) -> None:
    panel, _, selection = shown("residual_digits")
    for id in ("norm2", "add1"):
        last = panel.lines[id][-1]
        click(panel, last)
        assert selection.nodes == (id,)
        assert last in panel.text.marked


def test_a_line_of_a_block_shows_the_block_and_selects_inside(shown) -> None:
    panel, _document, selection = shown("resnet18")
    place = next(place for place in panel.lines if "/" in place)
    click(panel, panel.lines[place][0])
    assert f"{selection.block}/{selection.current}" == place


def test_every_node_that_computes_has_lines(shown) -> None:
    panel, document, _ = shown("residual_digits")
    computing = {id for id, node in document.network.nodes.items() if node.type not in ("Input", "Output")}
    assert set(panel.lines) == computing


def test_copy_takes_the_whole_file(shown) -> None:
    panel, document, _ = shown("digits_mlp")
    QTest.mouseClick(panel.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == engine.source(document.network)


def test_while_the_drawing_has_errors_the_last_code_stays_and_says_why(shown, qtbot) -> None:
    panel, document, _ = shown("residual_digits")
    before = panel.text.toPlainText()
    document.edit(edit.set_field(document.network, "conv1", "kernel_size", [99, 99]), "Break")
    qtbot.waitUntil(lambda: "conv1" in panel.note.text())
    assert panel.text.toPlainText() == before
