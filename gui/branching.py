"""A new run from any weights that a run keeps, with what has been edited since."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from engine.network import Network
from engine.runs import RunFolder
from gui.difference import DifferenceView
from gui.narrow import Paragraph
from gui.session import Session
from gui.theme import SPACE


class BranchDialog(QDialog):
    """From which step? With which changes?

    Parameters
    ----------
    session
        The run; the step that is looked at is proposed.
    drawn
        What will be trained.
    carried
        What becomes of the run's weights in it, as a sentence.
    """

    #: The step whose weights are wanted; None: the newest.
    chosen = Signal(object)

    def __init__(self, session: Session, drawn: Network, carried: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Branch a new run")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.steps = QComboBox()
        self.steps.setAccessibleName("Weights to begin from")
        if session.run and (session.active or RunFolder(Path(session.run)).weights_at() is not None):
            self.steps.addItem(f"step {session.step:,}, the newest", None)
        for step in reversed(session.kept):
            self.steps.addItem(f"step {step:,}", step)
        if session.at is not None and (proposed := session.weights_step()) is not None:
            self.steps.setCurrentIndex(self.steps.findData(proposed))
        words = Paragraph(carried)
        self.view = DifferenceView(session.network or Network(), drawn)
        note = Paragraph(
            "The run under way is stopped first; its checkpoint stays." if session.active else ""
        )
        note.setProperty("role", "muted")
        note.setVisible(session.active)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.train = buttons.addButton("Train from there", QDialogButtonBox.ButtonRole.AcceptRole)
        self.train.setDefault(True)
        self.train.setEnabled(self.steps.count() > 0)
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.addWidget(QLabel("Begin with the weights of"))
        row.addWidget(self.steps)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * SPACE, 4 * SPACE, 4 * SPACE, 3 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addLayout(row)
        column.addWidget(words)
        column.addWidget(QLabel("Edited since the run began:"))
        column.addWidget(self.view, 1)
        column.addWidget(note)
        column.addWidget(buttons)
        self.resize(680, 520)

    def _accept(self) -> None:
        self.chosen.emit(self.steps.currentData())
        self.accept()
