"""The history of edits as a list."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine import edit
from gui.document import Document
from gui.panels import HistoryPanel

pytestmark = pytest.mark.gui


def test_every_step_is_listed_and_a_click_goes_back_to_it(qtbot):
    document = Document()
    panel = HistoryPanel(document)
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    panel.show()
    seen = [document.network]
    for id in ("fc1", "fc2", "fc3"):
        document.edit(edit.add_node(document.network, id, edit.new_node("Linear")), f"Add {id}")
        seen.append(document.network)
    model = panel.view.model()
    rows = [model.index(row, 0) for row in range(model.rowCount())]
    assert [index.data() for index in rows] == ["As it was opened", "Add fc1", "Add fc2", "Add fc3"]
    for row in (1, 0, 3, 2):
        place = panel.view.visualRect(rows[row]).center()
        QTest.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert document.network == seen[row]


@pytest.mark.usefixtures("light")
def test_steps_that_were_undone_are_fainter_than_those_that_are_done(qtbot):
    document = Document()
    panel = HistoryPanel(document)
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    panel.show()
    for id in ("fc1", "fc2", "fc3"):
        document.edit(edit.add_node(document.network, id, edit.new_node("Linear")), f"Add {id}")

    def darkest(row: int) -> float:
        picture = (
            panel.view.viewport().grab(panel.view.visualRect(panel.view.model().index(row, 0))).toImage()
        )
        return min(
            picture.pixelColor(x, y).lightnessF()
            for x in range(picture.width())
            for y in range(picture.height())
        )

    done = [darkest(row) for row in range(1, 3)]
    document.undo_stack.undo()
    document.undo_stack.undo()
    undone = [darkest(row) for row in range(2, 4)]
    assert min(undone) > max(done) + 0.1
    document.undo_stack.redo()
    assert darkest(2) == pytest.approx(done[1], abs=0.05)
