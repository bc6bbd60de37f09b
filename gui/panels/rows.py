"""Words and tables of the Data panel: headings beside words, and rows that are only read."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from gui.theme import SPACE

#: Columns of the tables that are as wide as what is in them.
_NARROW = ("Example", "Target", "Column", "Role", "Empty")


class Facts(QWidget):
    """Headings and words, side by side."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(3 * SPACE)
        self._grid.setVerticalSpacing(SPACE)
        self._grid.setColumnStretch(1, 1)
        self._rows: list[tuple[QLabel, QLabel]] = []

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show these."""
        while len(self._rows) < len(facts):
            pair = plain_label("muted"), plain_label("")
            pair[0].setWordWrap(False)
            top = Qt.AlignmentFlag.AlignTop
            for column, label in enumerate(pair):
                self._grid.addWidget(label, len(self._rows), column, top)
            self._rows.append(pair)
        for number, pair in enumerate(self._rows):
            shown = number < len(facts)
            for label, text in zip(pair, facts[number] if shown else ("", ""), strict=True):
                # A hash has no place at which a line may break, and would widen the panel.
                label.setText(text if " " in text or len(text) < 32 else f"{text[:32]} {text[32:]}")
                label.setVisible(shown)

    def text(self) -> str:
        """All of it, for tests and screen readers."""
        return "\n".join(f"{a.text()} {b.text()}" for a, b in self._rows if not a.isHidden())


def plain_label(role: str) -> QLabel:
    """A wrapping label that shows its text as it is, and lets it be copied."""
    label = QLabel(wordWrap=True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if role:
        label.setProperty("role", role)
    return label


def plain_table(name: str) -> QTableWidget:
    """A table that is only read."""
    table = QTableWidget()
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    table.setWordWrap(False)
    return table


def fill(table: QTableWidget, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Show `rows` under `headings`."""
    table.setColumnCount(len(headings))
    table.setHorizontalHeaderLabels(list(headings))
    table.setRowCount(len(rows))
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            item = QTableWidgetItem(str(cell))
            item.setToolTip(str(cell))
            table.setItem(row, column, item)
    wide = [heading not in _NARROW for heading in headings]
    for column in range(len(headings)):
        mode = QHeaderView.ResizeMode.Stretch if wide[column] else QHeaderView.ResizeMode.ResizeToContents
        table.horizontalHeader().setSectionResizeMode(column, mode)
