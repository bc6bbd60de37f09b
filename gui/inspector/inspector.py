"""The panel that shows and edits what is selected."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from engine.findings import Analysis
from engine.storage.journal import Text
from gui.document import Document
from gui.forms import Form, lead_to, show_if
from gui.inspector.activation import ActivationPart
from gui.inspector.binarization import BinarizePart
from gui.inspector.blocks import ArgumentsPart, RepeatPart
from gui.inspector.example import Example
from gui.inspector.from_data import FromDataPart
from gui.inspector.header import NAMED, Header, Problems
from gui.inspector.learning import InitPart
from gui.inspector.parts import AboutPart, FieldsPart, TrainingPart
from gui.inspector.preview import Desk, Previews
from gui.inspector.sees import SeesPart
from gui.inspector.subject import ID, Place, Subject, has_field
from gui.inspector.summary import Summary
from gui.inspector.what_if import WhatIfPart
from gui.inspector.window_part import WindowPart
from gui.selection import Selection
from gui.theme import SPACE
from gui.unfinished import Draft, Drafts, Unfinished, unfinished

#: No dock need be wider than this for all text to be read.
MINIMUM_WIDTH = 260
#: Forms that are kept while layers of other kinds are looked at.
_KEPT = 32


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
        bar = self.verticalScrollBar()
        # Its place is kept, so that nothing jumps; its handle is there while there is something to scroll.
        bar.rangeChanged.connect(lambda _, most: bar.setEnabled(most > 0))
        bar.setEnabled(False)
        self._desk = Desk(workers, Example(document, workers, self))
        self._drafts: dict[Place, Drafts] = {}
        self._generation = document.generation
        self._document = document
        self._subject = Subject(document, selection, self._drafts)
        self._key: object = None
        #: What was shown last: network, analysis, and all that is selected.
        self._seen: tuple[object, ...] = (None,) * 6
        #: The panels that there are: of nodes, and of the network as a whole.
        self._panels: dict[type[QWidget], NodePanel | SummaryPanel] = {}
        body = QWidget()
        self._stage = QVBoxLayout(body)
        self._stage.setContentsMargins(0, 0, 0, 0)
        self.setWidget(body)
        self.panel: NodePanel | SummaryPanel | None = None
        document.changed.connect(self.refresh)
        document.path_changed.connect(self._forget_drafts)
        selection.changed.connect(self.refresh)
        selection.block_changed.connect(self.refresh)
        self.refresh()
        # In time for the first selection, though nobody waits for it.
        self._ahead = QTimer(self, singleShot=True, interval=0)
        self._ahead.timeout.connect(self._make_ahead)
        self._ahead.start()

    def set_analysis(self, analysis: Analysis) -> None:
        """Show what a new analysis found."""
        self._subject.analysis = analysis
        self._desk.example.set_analysis(analysis)
        self.refresh()

    @property
    def pending(self) -> bool:
        """Whether an example for what is looked at is still on its way."""
        return self._desk.example.pending

    def focus_first(self) -> None:
        """Put the keyboard into the first field of the selected layer."""
        if isinstance(self.panel, NodePanel):
            self.panel.focus_first()

    @property
    def unfinished(self) -> tuple[Unfinished, ...]:
        """The texts that stand in fields of layers and say no value, whether or not they are looked at."""
        found: list[Unfinished] = []
        for place, there, drafts in self._seen_drafts():
            block, _, part = place
            names = ", ".join(there) if len(there) <= NAMED else f"{len(there)} layers"
            where = " › ".join(filter(None, (block, names, part)))
            found += unfinished(where or "network", drafts, partial(self._lead_to, place))
        return tuple(found)

    @property
    def texts(self) -> tuple[Text, ...]:
        """The same, as they are kept through a crash."""
        return tuple(
            Text("inspector", part, field, draft.text, draft.trouble, nodes, block)
            for (block, nodes, part), _, drafts in self._seen_drafts()
            for field, draft in drafts.items()
        )

    def restore(self, texts: Sequence[Text]) -> None:
        """Put texts into their fields again, as they were marked."""
        for text in texts:
            drafts = self._drafts.setdefault((text.block, text.nodes, text.part), {})
            drafts[text.field] = Draft(text.text, text.trouble)
        if texts and self.panel is not None:
            self.panel.turn()
            self.panel.refresh()

    def _seen_drafts(self) -> Iterator[tuple[Place, list[str], Drafts]]:
        """Each place with unfinished texts of fields that there are, and which of its nodes there are."""
        network = self._document.network
        for place, drafts in self._drafts.items():
            block, ids, part = place
            if not drafts or (block is not None and block not in network.blocks):
                continue
            nodes = network.graph(block).nodes
            there = [id for id in ids if id in nodes]
            if ids:
                seen = {f for f in drafts if any(has_field(nodes[id], part, f) for id in there)}
                drafts = {field: draft for field, draft in drafts.items() if field in seen}
            yield place, there, drafts

    def _lead_to(self, place: Place, field: str) -> None:
        """Give the keyboard to a field of certain nodes."""
        block, ids, _ = place
        selection, drafts = self._subject.selection, self._drafts[place]
        selection.show_block(block)
        selection.set(ids)
        if isinstance(self.panel, NodePanel):
            self.panel.lead_to(drafts, field)
        elif self.panel is not None:
            self.panel.summary.defaults.lead_to(place[2])
        forms = [f for f in self.findChildren(Form) if f.drafts is drafts and field in f.fields]
        if forms:  # of those that are kept for other kinds of layers, the one that is shown
            max(forms, key=lambda form: form.isVisibleTo(self)).reveal(field)

    def showEvent(self, event: QShowEvent) -> None:
        """Fetch what was not worth fetching while nobody looked."""
        super().showEvent(event)
        self._desk.example.seen()

    def sizeHint(self) -> QSize:
        """Wide enough for the forms to breathe."""
        return QSize(320, 640)

    def refresh(self, *_: object) -> None:
        """Show the selection as it is now, unless that is what was shown last: undo tells twice."""
        seen = (self._document.network, self._subject.analysis, *self._subject.selection.chosen)
        if all(map(operator.is_, seen, self._seen)):
            return
        self._seen = seen  # before what is typed is finished, which shows the newer state that this leads to
        self._show()

    def _show(self) -> None:
        wanted = self._wanted().key
        if self.panel is not None:
            if wanted != self._key:
                # Finishes what is being typed, for the layer in which it was; that may call again.
                self._finish_typing()
                wanted = self._wanted().key
            if wanted == self._key:
                with self._at_once():
                    self.panel.refresh()
                return
        self._subject.look()
        self._key = wanted
        before, self.panel = self.panel, self._panel(NodePanel if self._subject.ids else SummaryPanel)
        with self._at_once():
            self.panel.turn()
            self.panel.refresh()
            if before is not None and before is not self.panel:
                before.hide()
            self.panel.show()

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Lay the panel out when all is said: by itself Qt does it anew for each widget that is shown."""
        layouts = [self._stage, *(panel.rows for panel in self._panels.values())]
        for layout in layouts:
            layout.setEnabled(False)
        try:
            yield
        finally:
            for layout in reversed(layouts):
                layout.setEnabled(True)
                layout.activate()

    def _wanted(self) -> Subject:
        """What the selection asks for."""
        return Subject(self._document, self._subject.selection, self._drafts)

    def _finish_typing(self) -> None:
        focus = self.panel.focusWidget() if self.panel is not None else None
        if focus is not None and focus.hasFocus():
            focus.clearFocus()

    def _make_ahead(self) -> None:
        self._panel(NodePanel)

    def _panel(self, kind: type[NodePanel | SummaryPanel]) -> NodePanel | SummaryPanel:
        panel = self._panels.get(kind)
        if panel is None:
            panel = NodePanel(self._subject, self._desk) if kind is NodePanel else SummaryPanel(self._subject)
            panel.hide()
            self._panels[kind] = panel
            self._stage.addWidget(panel)
        return panel

    def _forget_drafts(self) -> None:
        """Another document was opened: what was left unfinished in the old one went with it."""
        if self._generation != self._document.generation:
            self._generation = self._document.generation
            self._drafts.clear()
            self._subject.look()
            if self.panel is not None:
                self.panel.turn()
                self.panel.refresh()


class SummaryPanel(QWidget):
    """The network as a whole."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.summary = Summary(subject)
        self.arguments = ArgumentsPart(subject)
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(3 * SPACE, 3 * SPACE, 2 * SPACE, 3 * SPACE)
        self.rows.addWidget(self.arguments)
        self.rows.addWidget(self.summary)

    def turn(self) -> None:
        """Speak of something else."""
        self.summary.turn()
        self.arguments.turn()

    def refresh(self) -> None:
        """Show the document as it is."""
        self.summary.refresh()
        self.arguments.refresh()


class Forms(QWidget):
    """The forms of the layers' own fields: one for each kind, made when it is first wanted, and kept."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._subject = subject
        #: By kind, the one used last at the end.
        self._parts: dict[object, FieldsPart] = {}
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)

    @property
    def part(self) -> FieldsPart:
        """The form for what is selected."""
        return self._parts[next(reversed(self._parts))]

    def turn(self) -> None:
        """Speak of other nodes."""
        kind = self._subject.kind
        part = self._parts.pop(kind, None)
        if part is None:
            part = FieldsPart(self._subject)
            self._rows.addWidget(part)
            part.show()  # now: a layout shows what it is given only when events are next looked after
            if len(self._parts) >= _KEPT:
                gone = self._parts.pop(next(iter(self._parts)))
                self._rows.removeWidget(gone)
                gone.deleteLater()
        for other in self._parts.values():
            show_if(other, False)
        self._parts[kind] = part
        part.turn()

    def refresh(self) -> None:
        """Show the document's values, and what the analysis found at them."""
        self.part.refresh()


class NodePanel(QWidget):
    """All parts of the selected nodes. Only the form of their own fields is another for another kind."""

    def __init__(self, subject: Subject, desk: Desk) -> None:
        super().__init__()
        self.header = Header(subject)
        self.problems = Problems(subject)
        self.from_data = FromDataPart(subject)
        self._forms = Forms(subject)
        self.repeat = RepeatPart(subject)
        self.arguments = ArgumentsPart(subject)
        self.window_part = WindowPart(subject, desk)
        self.sees = SeesPart(subject, desk)
        self.what_if = WhatIfPart(subject, desk)
        self.activation = ActivationPart(subject, desk)
        self.init = InitPart(subject, desk)
        self.binarize = BinarizePart(subject, desk)
        self.training = TrainingPart(subject)
        self.about = AboutPart(subject)
        self._parts = (
            self.header,
            self.problems,
            self.from_data,
            self._forms,
            self.repeat,
            self.arguments,
            self.window_part,
            self.sees,
            self.what_if,
            self.activation,
            self.init,
            self.binarize,
            self.training,
            self.about,
        )
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(3 * SPACE, 3 * SPACE, 2 * SPACE, 3 * SPACE)
        self.rows.setSpacing(2 * SPACE)
        for part in self._parts:
            self.rows.addWidget(part)
        self.rows.addStretch(1)

    @property
    def fields(self) -> FieldsPart:
        """The layer's own fields."""
        return self._forms.part

    def turn(self) -> None:
        """Speak of other nodes."""
        for part in self._parts:
            part.turn()

    def refresh(self) -> None:
        """Show the document as it is."""
        for part in self._parts:
            part.refresh()

    def lead_to(self, drafts: Drafts, field: str) -> None:
        """Show what holds `drafts`, where it is one of several; the id is a field of its own."""
        self.init.lead_to(drafts)
        if field == ID:
            lead_to(self.header.name)

    def focus_first(self) -> None:
        """Put the keyboard into the first editor."""
        self.fields.set_open(True)
        if not self.fields.form.focus_first():
            self.header.name.setFocus(Qt.FocusReason.ShortcutFocusReason)
