"""Input and Output take their shape from the data, with one click."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine import diff
from engine.findings import Analysis
from engine.problems import FileProblem
from gui.forms import show_if
from gui.inspector.subject import Subject
from gui.narrow import Button
from gui.plain import tip
from gui.theme import theme

#: Problems that say how network and data differ (:mod:`engine.analysis.data_fit`).
FITTING = ("data-shape", "data-dtype", "data-column", "data-classes", "data-values", "data-loss")
_NODES = ("Input", "Output")


def fitting(analysis: Analysis, node: str | None = None) -> list[diff.Change]:
    """The changes that make the network fit its data; `node`: only those that one node asks for."""
    changes: list[diff.Change] = []
    seen: set[tuple[str, ...]] = set()
    for problem in analysis.problems:
        if problem.code in FITTING and problem.repairs and node in (None, problem.node):
            new = problem.repairs[0].changes
            if not any(change.path in seen for change in new):
                seen |= {change.path for change in new}
                changes += new
    return changes


class FromDataPart(QWidget):
    """The button, at an Input or an Output of the drawing itself."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._subject = subject
        self.button = Button("Take from the data")
        self.button.clicked.connect(self._take)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.button.setIcon(theme.icon("mdi6.database-outline", "accent"))

    def turn(self) -> None:
        """Speak of another node."""

    def refresh(self) -> None:
        """Show whether there is something to take."""
        subject = self._subject
        shown = subject.block is None and len(subject.ids) == 1 and subject.node.type in _NODES
        show_if(self, shown)
        if not shown:
            return
        analysis = subject.analysis
        lacking = next((p.message for p in analysis.problems if p.code == "data"), "")
        changes = fitting(analysis, subject.id)
        self.button.setEnabled(bool(changes))
        source = subject.document.network.recipe.data.source
        what = "the shape of its examples" if subject.node.type == "Input" else "what is to be learned"
        if changes:
            said = f"Set {what} as {source} has it. One undo step."
        else:
            said = lacking or f"It fits {source} already."
        self.button.setToolTip(tip(said))
        self.button.setAccessibleDescription(said)

    def _take(self) -> None:
        document = self._subject.document
        try:
            after = diff.apply(document.network, fitting(self._subject.analysis, self._subject.id))
        except (KeyError, ValueError, FileProblem):
            return  # the drawing has changed since; a new analysis is on its way
        document.edit(after, f"Take {self._subject.id} from the data")
