"""What is wrong with the network, where, and the ways out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from engine.edit import EditProblem
from engine.findings import Analysis, Problem, Repair
from engine.mending import mended
from gui.document import Document
from gui.panels.panel import Panel
from gui.plain import tip
from gui.selection import Selection
from gui.theme import SPACE, theme

#: Changes of a repair that its tool tip lists, and letters of each.
LISTED, WIDEST = 12, 120

#: Pixels about the words of a repair's button: margins, icon, scroll bar.
_AROUND = 88

#: Rows of the list that are seen in any case, where there are so many.
ROWS = 3

Index = QModelIndex | QPersistentModelIndex

#: Severity -> its icon and colour; also the order in which problems are listed.
SEVERITIES = {
    "error": ("mdi6.close-circle", "error"),
    "warning": ("mdi6.alert", "warning"),
    "hint": ("mdi6.lightbulb-outline", "accent"),
}


def _told(repair: Repair) -> str:
    """All that it changes, a line each."""
    lines = [str(change) for change in repair.changes[:LISTED]]
    lines = [line if len(line) <= WIDEST else f"{line[: WIDEST - 2]} …" for line in lines]
    more = len(repair.changes) - len(lines)
    return tip("\n".join(["Do this (it can be undone):", *lines, *([f"and {more:,} more"] if more else [])]))


class ProblemModel(QAbstractTableModel):
    """Problems, the worst first."""

    HEADERS = ("Node", "Problem")

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.problems: tuple[Problem, ...] = ()

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """List these."""
        order = list(SEVERITIES)
        self.beginResetModel()
        self.problems = tuple(sorted(problems, key=lambda problem: order.index(problem.severity)))
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Problems."""
        return 0 if parent.isValid() else len(self.problems)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Node and message."""
        return 0 if parent.isValid() else len(self.HEADERS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Place with the severity's icon, and message."""
        problem = self.problems[index.row()]
        place = " › ".join(part for part in (problem.node, problem.field) if part) or "Network"
        if role == Qt.ItemDataRole.DisplayRole:
            return place if index.column() == 0 else problem.message
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return theme.icon(*SEVERITIES[problem.severity])
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{problem.severity}: {place}: {problem.message}"
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        """What the columns are."""
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return self.HEADERS[section]
            if role == Qt.ItemDataRole.TextAlignmentRole:
                return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None


class ProblemsPanel(Panel):
    """The analysis' problems as a list; the chosen one in full below it, with its repairs as buttons.

    Parameters
    ----------
    document
        What a repair edits, as one undo step.
    selection
        Where a click shows the problem's node.
    """

    #: (errors, warnings), for the tab's title.
    count_changed = Signal(int, int)

    def __init__(self, document: Document, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__("Problems", "mdi6.check-circle-outline", parent)
        self._document = document
        self._selection = selection
        self._analysis: Analysis | None = None
        #: What is listed; None: the next analysis is to be shown anew.
        self._listed: tuple[Problem, ...] | None = None

        self.list = QTableView()
        self.list.setAccessibleName("Problems")
        self.model = ProblemModel(self.list)
        self.list.setModel(self.model)
        self.list.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setShowGrid(False)
        self.list.setWordWrap(False)
        self.list.verticalHeader().hide()
        self.list.verticalHeader().setDefaultSectionSize(28)
        header = self.list.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)

        self.message = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.lesson = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.lesson.setProperty("role", "muted")
        self.buttons: list[QPushButton] = []
        self._texts: list[str] = []
        self._details = QWidget()
        self._column = QVBoxLayout(self._details)
        self._column.setContentsMargins(3 * SPACE, 2 * SPACE, 3 * SPACE, 2 * SPACE)
        self._column.addWidget(self.message)
        self._column.addWidget(self.lesson)
        self._column.addStretch()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._details)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.list, 2)
        column.addWidget(scroll, 3)

        self.list.selectionModel().currentRowChanged.connect(self._choose)
        self.list.clicked.connect(self._show_node)
        self.list.activated.connect(self._show_node)
        self.flush()

    def set_analysis(self, analysis: Analysis) -> None:
        """Show what `analysis` found."""
        self._analysis = analysis
        if analysis.problems == self._listed:
            return  # nor is a button taken away from under the hand that presses it
        self._listed = analysis.problems
        chosen = self.problem
        self.model.show_problems(analysis.problems)
        self.fit_list()
        severities = [problem.severity for problem in analysis.problems]
        self.count_changed.emit(severities.count("error"), severities.count("warning"))
        if self.model.problems:
            same = [
                row
                for row, problem in enumerate(self.model.problems)
                if chosen and (problem.node, problem.code) == (chosen.node, chosen.code)
            ]
            self.list.setCurrentIndex(self.model.index(same[0] if same else 0, 0))
        self.request()

    def fit_list(self) -> None:
        """What a short list does not need, the chosen problem has; of a long one some rows are seen."""
        header, row = self.list.horizontalHeader(), self.list.verticalHeader().defaultSectionSize()
        head = 4 + (0 if header.isHidden() else header.sizeHint().height())
        rows = len(self.model.problems)
        self.list.setMinimumHeight(head + min(rows, ROWS) * row)
        self.list.setMaximumHeight(head + rows * row)

    @property
    def problem(self) -> Problem | None:
        """The chosen problem."""
        row = self.list.currentIndex().row()
        return self.model.problems[row] if 0 <= row < len(self.model.problems) else None

    def refresh(self) -> None:
        """Show list or empty state."""
        if self._analysis is None:
            self.show_empty("Checking …", "Problems of the drawing are listed here.")
        elif not self.model.problems:
            self.show_empty("No problems", "The network can be trained: press Train (F5).")
        else:
            self.show_content()
            self.list.setColumnWidth(0, max(110, min(220, self.width() // 4)))

    def _choose(self, *_: object) -> None:
        problem = self.problem
        for button in self.buttons:
            button.deleteLater()
        self.buttons, self._texts = [], []
        self.message.setText(str(problem) if problem else "")
        self.lesson.setText(problem.lesson if problem else "")
        self.lesson.setVisible(bool(problem and problem.lesson))
        for repair in problem.repairs if problem else ():
            button = QPushButton(theme.icon("mdi6.wrench-outline"), "")
            button.setToolTip(_told(repair))
            button.clicked.connect(lambda _=False, repair=repair: self.repair(repair))
            self._column.insertWidget(1 + len(self.buttons), button, 0, Qt.AlignmentFlag.AlignLeft)
            self.buttons.append(button)
            self._texts.append(repair.text.replace("&", "&&"))
        self._wrap()

    def _wrap(self) -> None:
        """Break the buttons' words into as many lines as there is need of."""
        room = self.width() - _AROUND
        for button, text in zip(self.buttons, self._texts, strict=True):
            lines: list[str] = []
            for word in text.split(" "):
                longer = f"{lines[-1]} {word}" if lines else word
                if lines and button.fontMetrics().horizontalAdvance(longer) <= room:
                    lines[-1] = longer
                else:
                    lines.append(word)
            button.setText("\n".join(lines))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the buttons to the room."""
        super().resizeEvent(event)
        self._wrap()

    def repair(self, repair: Repair) -> None:
        """Make the repair's changes, as one undo step."""
        try:
            after = mended(self._document.network, repair)
        except EditProblem as problem:
            self.message.setText(str(problem))
            self._listed = None
            return
        self._document.edit(after, repair.text)

    def _show_node(self, index: QModelIndex) -> None:
        node = self.model.problems[index.row()].node
        if node is None:
            return
        # In a block's use the problem bears a path: what stands on this level is its first part.
        here = self._document.network.graph(self._selection.block).nodes
        for name in (node, *node.split(".")):
            if name in here:
                self._selection.set([name])
                return

    def follow_theme(self) -> None:
        """Draw the icons in the theme's colours."""
        self.list.viewport().update()
        for button in self.buttons:
            button.setIcon(theme.icon("mdi6.wrench-outline"))

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The problems."""
        return ("severity", "code", "node", "field", "message"), (
            (p.severity, p.code, p.node or "", p.field or "", p.message) for p in self.model.problems
        )
