"""Binarize the network: choose the estimators, see all that changes and why, take it as one undo step."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHeaderView,
    QLabel,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine.binarize_network import INPUT, WEIGHT, Binarized, Told, binarize
from engine.catalog import BINARIZERS, Binarizer
from engine.edit import EditProblem
from engine.findings import Analysis
from engine.network import Choice
from gui.difference import Picture, compare
from gui.document import Document
from gui.forms import Change, ChoiceEditor, set_state
from gui.narrow import Paragraph
from gui.theme import SPACE, theme

_WORDS = Qt.TextFormat.PlainText
#: What is done is told in these parts.
_PARTS = (
    ("layers", "Binarized", "mdi6.plus-minus-variant"),
    ("changes", "Changed, so that they learn", "mdi6.swap-horizontal"),
    ("kept", "Stay real", "mdi6.lock-outline"),
)


#: Room for picture, list and reasons.
_SIZE = QSize(820, 720)


def estimators(place: str) -> Mapping[str, Binarizer]:
    """The estimators for "weight" or "input"."""
    return {id: entry for id, entry in BINARIZERS.items() if place in entry.places}


class BinarizeDialog(QDialog):
    """What binarizing would do, and the button that does it.

    Parameters
    ----------
    document
        What is changed.
    analysis
        What is known of it: its shapes.
    nodes, block
        Layers that are to be binarized; None: all.
    """

    def __init__(
        self,
        document: Document,
        analysis: Analysis,
        nodes: Collection[str] | None = None,
        block: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._document, self._analysis = document, analysis
        self._nodes, self._block = nodes, block
        what = (
            "the network"
            if nodes is None
            else next(iter(nodes))
            if len(nodes) == 1
            else f"{len(nodes)} layers"
        )
        self._label = f"Binarize {what}"
        self.setWindowTitle(self._label)
        self.result_: Binarized | None = None
        self.weight = self._editor("weight", WEIGHT, "Real: not binarized")
        self.input = self._editor("input", INPUT, "Real: not binarized")
        self.said = Paragraph()
        self.picture: QWidget = QWidget()
        self.list = QTreeWidget()
        self.list.setAccessibleName("What changes")
        self.list.setHeaderLabels(["Layer", "What becomes of it"])
        self.list.setRootIsDecorated(False)
        self.list.setIndentation(0)
        self.list.setItemsExpandable(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        self.list.currentItemChanged.connect(self._explain)
        self.why = Paragraph()
        set_state(self.why, "role", "muted")
        self.why.setMinimumHeight(3 * self.fontMetrics().height())
        self.why.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.do = self.buttons.addButton("Binarize", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.accepted.connect(self._take)
        self.buttons.rejected.connect(self.reject)
        grid = QGridLayout()
        grid.setHorizontalSpacing(6 * SPACE)
        for column, (title, editor) in enumerate((("Weights", self.weight), ("Inputs", self.input))):
            heading = QLabel(title)
            set_state(heading, "role", "heading")
            grid.addWidget(heading, 0, column)
            grid.addWidget(editor, 1, column, Qt.AlignmentFlag.AlignTop)
            grid.setColumnStretch(column, 1)
        self._stage = QSplitter(Qt.Orientation.Vertical)
        self._stage.addWidget(self.picture)
        self._stage.addWidget(self.list)
        self._stage.setStretchFactor(1, 1)
        self._stage.setSizes([180, 320])
        self._stage.setChildrenCollapsible(False)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(4 * SPACE, 4 * SPACE, 4 * SPACE, 3 * SPACE)
        column_.setSpacing(3 * SPACE)
        column_.addLayout(grid)
        column_.addWidget(self.said)
        column_.addWidget(self._stage, 1)
        column_.addWidget(self.why)
        column_.addWidget(self.buttons)
        # Not as a size hint: that would be cut to two thirds of the screen.
        self.resize(_SIZE.boundedTo(self.screen().availableSize() - QSize(16 * SPACE, 16 * SPACE)))
        self.plan()

    def _editor(self, place: str, choice: Choice, none: str) -> ChoiceEditor:
        editor = ChoiceEditor(estimators(place), f"Estimator of the {place}s", none=none)
        editor.show_choice(choice)

        def chosen(change: Change, _merge: str) -> None:
            editor.show_choice(change(editor.choice))
            self.plan()

        editor.chosen.connect(chosen)
        return editor

    def plan(self) -> None:
        """Show what the estimators that are chosen would bring."""
        before = self._document.network
        self.list.clear()
        try:
            self.result_ = binarize(
                before,
                self._analysis,
                weight=self.weight.choice,
                input=self.input.choice,
                nodes=self._nodes,
                block=self._block,
            )
        except EditProblem as problem:
            self.result_ = None
            self.said.setText(str(problem))
        else:
            result = self.result_
            nothing = result.network == before
            count = len(result.layers)
            self.said.setText(
                "All of this is so already."
                if nothing
                else f"{count} {'layer' if count == 1 else 'layers'}, and {len(result.changes)} changes with "
                "it. One undo step takes all of it back."
            )
            for part, title, icon in _PARTS:
                self._add(title, icon, getattr(result, part))
            if nothing:
                self.result_ = None
        self._draw()
        self.do.setEnabled(self.result_ is not None)
        first = self.list.topLevelItem(0)
        row = first.child(0) if first is not None else None
        if row is not None:
            self.list.setCurrentItem(row)
            self.list.scrollToTop()

    def _add(self, title: str, icon: str, rows: tuple[Told, ...]) -> None:
        if not rows:
            return
        head = QTreeWidgetItem([f"{title} ({len(rows)})"])
        head.setIcon(0, theme.icon(icon, "muted"))
        head.setFlags(Qt.ItemFlag.ItemIsEnabled)
        font = head.font(0)
        font.setBold(True)
        head.setFont(0, font)
        self.list.addTopLevelItem(head)
        head.setFirstColumnSpanned(True)
        for told in rows:
            row = QTreeWidgetItem([told.where, told.what if told.what != "kept real" else told.why])
            row.setData(0, Qt.ItemDataRole.UserRole, told.why)
            head.addChild(row)
        head.setExpanded(True)

    def _draw(self) -> None:
        after = self._document.network if self.result_ is None else self.result_.network
        picture = Picture(compare(self._document.network, after))
        picture.setMinimumHeight(110)
        self._stage.replaceWidget(0, picture)
        self.picture.deleteLater()
        self.picture = picture

    def _explain(self, item: QTreeWidgetItem | None, _before: object = None) -> None:
        why = item.data(0, Qt.ItemDataRole.UserRole) if item is not None else None
        self.why.setText(f"Why: {why}" if why else "")

    def _take(self) -> None:
        if self.result_ is not None:
            self._document.edit(self.result_.network, self._label)
        self.accept()
