"""The panel that shows and edits what is selected."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from engine.findings import Analysis
from gui.document import Document
from gui.inspector.header import Header, Problems
from gui.inspector.learning import ActivationPart, BinarizePart, InitPart
from gui.inspector.parts import AboutPart, FieldsPart, TrainingPart, WindowPart
from gui.inspector.preview import Previews
from gui.inspector.subject import Drafts, Subject
from gui.inspector.summary import Summary
from gui.selection import Selection
from gui.theme import SPACE

#: No dock need be wider than this for all text to be read.
MINIMUM_WIDTH = 260


class Inspector(QScrollArea):
    """Fields, activation, initialisation, binarization and problems of the selected layers."""

    def __init__(
        self, document: Document, selection: Selection, workers: Previews, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName("Inspector")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setMinimumWidth(MINIMUM_WIDTH)
        self._document = document
        self._selection = selection
        self._workers = workers
        self._analysis = Analysis()
        self._drafts: Drafts = {}
        self._key: object = None
        body = QWidget()
        self._stage = QVBoxLayout(body)
        self._stage.setContentsMargins(0, 0, 0, 0)
        self.setWidget(body)
        self.panel: NodePanel | SummaryPanel | None = None
        document.changed.connect(self.refresh)
        selection.changed.connect(self.refresh)
        selection.block_changed.connect(self.refresh)
        self.refresh()

    def set_analysis(self, analysis: Analysis) -> None:
        """Show what a new analysis found."""
        self._analysis = analysis
        if self.panel is not None:
            self.panel.subject.analysis = analysis
        self.refresh()

    def focus_first(self) -> None:
        """Put the keyboard into the first field of the selected layer."""
        if isinstance(self.panel, NodePanel):
            self.panel.focus_first()

    def sizeHint(self) -> QSize:
        """Wide enough for the forms to breathe."""
        return QSize(320, 640)

    def refresh(self, *_: object) -> None:
        """Show the selection as it is now, with new editors only where others are needed."""
        subject = Subject(self._document, self._selection, self._drafts, self._analysis)
        if self.panel is not None and subject.key == self._key:
            self.panel.refresh()
            return
        self._key = subject.key
        old = self.panel
        self.panel = NodePanel(subject, self._workers) if subject.ids else SummaryPanel(subject)
        self.panel.refresh()
        if old is not None:
            # Hiding it finishes what was being typed in it; it may itself be what calls.
            old.hide()
            self._stage.removeWidget(old)
            old.deleteLater()
        self._stage.addWidget(self.panel)
        self.panel.show()


class SummaryPanel(QWidget):
    """The network as a whole."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject
        self.summary = Summary(subject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * SPACE, 3 * SPACE, 2 * SPACE, 3 * SPACE)
        layout.addWidget(self.summary)

    def refresh(self) -> None:
        """Show the document as it is."""
        self.summary.refresh()


class NodePanel(QWidget):
    """All parts of the selected nodes."""

    def __init__(self, subject: Subject, workers: Previews) -> None:
        super().__init__()
        self.subject = subject
        self.header = Header(subject)
        self.problems = Problems(subject)
        self.fields = FieldsPart(subject)
        self.window_part = WindowPart(subject)
        self.activation = ActivationPart(subject, workers)
        self.init = InitPart(subject, workers)
        self.binarize = BinarizePart(subject, workers)
        self.training = TrainingPart(subject)
        self.about = AboutPart(subject)
        self._parts = (
            self.header,
            self.problems,
            self.fields,
            self.window_part,
            self.activation,
            self.init,
            self.binarize,
            self.training,
            self.about,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * SPACE, 3 * SPACE, 2 * SPACE, 3 * SPACE)
        layout.setSpacing(2 * SPACE)
        for part in self._parts:
            layout.addWidget(part)
        layout.addStretch(1)

    def refresh(self) -> None:
        """Show the document as it is."""
        for part in self._parts:
            part.refresh()

    def focus_first(self) -> None:
        """Put the keyboard into the first editor."""
        self.fields.set_open(True)
        if not self.fields.form.focus_first():
            self.header.name.setFocus(Qt.FocusReason.ShortcutFocusReason)
