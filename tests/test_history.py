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
