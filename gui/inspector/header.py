"""Who the node is: id, kind, shapes and cost; its problems with their repairs."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, QUrl
from PySide6.QtGui import QColor, QDesktopServices, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from engine import edit
from engine.edit import EditProblem
from engine.findings import Problem, Repair
from engine.mending import mended
from gui.amounts import at_least, left_out
from gui.forms import set_state, show_if
from gui.inspector.common import Figures, clear, text_label
from gui.inspector.subject import ID, Subject
from gui.inspector.words import count_text, shape_text
from gui.line import Line
from gui.links import links
from gui.narrow import Button
from gui.plain import tip
from gui.theme import SPACE, family_color, theme
from gui.unfinished import Draft, typing

#: Of many layers, so many are named, and so many of their problems told.
NAMED, TOLD = 12, 12


class NameEdit(Line):
    """A title that can be written over; Esc goes back."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.shown = ""
        self.setAccessibleName(name)
        set_state(self, "role", "title")

    def show_name(self, name: str) -> None:
        """Show the document's name."""
        if name != self.shown or not self.isModified():
            self.shown = name
            self.setText(name)
            self.setCursorPosition(0)
            set_state(self, "invalid", "false")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc drops what was typed."""
        if event.key() == Qt.Key.Key_Escape and self.isModified():
            self.setText(self.shown)
            self.setModified(False)
            self.textEdited.emit(self.shown)
        else:
            super().keyPressEvent(event)


class Header(QWidget):
    """The card at the top."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._subject = subject
        self.name = NameEdit("Id of the layer")
        self.name.setToolTip("The layer's name in drawing, code, weights and file. Enter renames it.")
        self.name.editingFinished.connect(self._rename)
        self.name.textEdited.connect(self._name_typed)
        self.trouble = text_label(role="error")
        show_if(self.trouble, False)
        self.kind = text_label(role="muted")
        self.figures = Figures()
        self._address = ""
        self.page = QToolButton(autoRaise=True)
        self.page.setAccessibleName("Read about the layer in the browser")
        set_state(self.page, "compact", True)
        self.page.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(self._address)))
        kind = QHBoxLayout()
        kind.setSpacing(SPACE)
        kind.addWidget(self.kind, 1)
        kind.addWidget(self.page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * SPACE, SPACE, 0, SPACE)
        layout.setSpacing(SPACE // 2)
        layout.addWidget(self.name)
        layout.addWidget(self.trouble)
        layout.addLayout(kind)
        layout.addSpacing(2 * SPACE)
        layout.addWidget(self.figures)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.page.setIcon(theme.icon("mdi6.open-in-new", "muted"))
        self.update()

    def refresh(self) -> None:
        """Show what document and analysis say now."""
        subject = self._subject
        ids, layer = subject.ids, subject.layer
        several = len(ids) > 1
        self.kind.setToolTip(layer.doc.replace("`", "") if layer is not None and not several else "")
        self.name.setReadOnly(several)
        self.name.show_name(f"{len(ids)} layers" if several else subject.id)
        draft = subject.drafts().get(ID)
        if draft is not None and not self.name.isModified():
            self.name.setText(draft.text)
            self.name.setModified(True)
            self._say(draft.trouble)
        if several:
            named = ids if len(ids) <= NAMED + 1 else (*ids[:NAMED], f"{len(ids) - NAMED:,} more")
            self.kind.setText(", ".join(named) + ". An edit changes them all.")
        elif layer is not None:
            same = layer.title == layer.group
            self.kind.setText(layer.title if same else f"{layer.title}  ·  {layer.group}")
        elif subject.node.block is not None:
            self.kind.setText(f"Block {subject.node.block}")
        else:
            self.kind.setText(
                f"{subject.node.type}: not a layer that this version knows. It is kept as it is."
            )
        self._show_page("" if layer is None or several else layer.source)
        self.figures.show_figures(self._several_figures() if several else self._figures())
        self.update()

    def _show_page(self, source: str) -> None:
        name, self._address = next(iter(links(source)), ("", ""))
        show_if(self.page, bool(self._address))
        self.page.setToolTip(tip(f"Read about {name} in the browser: {self._address}"))
        self.page.setAccessibleName(f"Read about {name} in the browser")

    def turn(self) -> None:
        """Speak of other nodes."""
        self.name.setModified(False)
        self._mark("")

    def _figures(self) -> list[tuple[str, str, str]]:
        report = self._subject.report
        shapes = [
            shape_text(tensor.shape) + ("" if tensor.dtype == "float32" else f"  {tensor.dtype}")
            for tensor in report.outputs.values()
        ]
        inputs = [shape_text(tensor.shape) for tensor in self._subject.inputs]
        figures = []
        if inputs:
            figures.append(("Input", ",  ".join(inputs), "Shape of one example, the batch left out."))
        if shapes or not self._is_sink():
            dims = f" ({report.dimensions})" if report.dimensions else ""
            tip = f"Shape of one example, the batch left out{dims}."
            figures.append(("Output", ",  ".join(shapes) or "not known yet", tip))
        # A layer by itself has no part of its costs that is known.
        unknown = report.unknown if self._subject.node.block is not None else 0
        lacking = left_out(unknown)
        if report.parameter_count or unknown:
            said = at_least(count_text(report.parameter_count), unknown)
            exactly = at_least(f"{report.parameter_count:,}", unknown)
            figures.append(("Parameters", said, f"{exactly} numbers to learn.{lacking}"))
        if report.macs or unknown:
            said, exactly = at_least(count_text(report.macs), unknown), at_least(f"{report.macs:,}", unknown)
            tip = f"{exactly} multiply–accumulate operations per example, forward.{lacking}"
            figures.append(("MACs", said, tip))
        if report.receptive_field and max(report.receptive_field) > 1:
            tip = "Side of the region of the network's input that one output sees."
            figures.append(("Receptive field", shape_text(report.receptive_field), tip))
        return figures

    def _several_figures(self) -> list[tuple[str, str, str]]:
        subject = self._subject
        found = subject.reports
        reports = [report for report in found if report is not None]
        parameters, macs = (sum(getattr(r, name) for r in reports) for name in ("parameter_count", "macs"))
        unknown = sum(report.unknown for report in reports) + len(found) - len(reports)
        lacking = left_out(unknown)
        told = [at_least(count_text(amount), unknown) for amount in (parameters, macs)]
        exactly = [at_least(f"{amount:,}", unknown) for amount in (parameters, macs)]
        return [
            ("Parameters", told[0], f"{exactly[0]} in all of them.{lacking}"),
            ("MACs", told[1], f"{exactly[1]} in all of them, per example.{lacking}"),
        ]

    def _is_sink(self) -> bool:
        layer = self._subject.layer
        return layer is not None and layer.outputs == ()

    def _name_typed(self, text: str) -> None:
        """Say at once whether the id can be."""
        try:
            edit.rename(self._subject.document.network, self._subject.id, text, block=self._subject.block)
            self._say("")
        except edit.EditProblem as problem:
            self._say(str(problem))

    def _rename(self) -> None:
        subject = self._subject
        if not self.name.isModified() or len(subject.ids) != 1:
            return
        old, new = subject.id, self.name.text().strip()
        try:
            network = edit.rename(subject.document.network, old, new, block=subject.block)
        except edit.EditProblem as problem:
            self._say(str(problem))
            return
        self.name.setModified(False)
        self._say("")
        if old != new:
            selected = tuple(new if id == old else id for id in subject.selection.nodes)
            selection = subject.selection
            subject.rename_drafts(old, new)
            subject.document.edit(network, f"Rename {old} to {new}")
            selection.set(selected, selection.edges)

    def _say(self, trouble: str) -> None:
        """Say what is wrong with the name that is typed; it waits here while other layers are looked at."""
        drafts = self._subject.drafts()
        before = drafts.pop(ID, None)
        if trouble:
            drafts[ID] = Draft(self.name.text(), trouble)
        if drafts.get(ID) != before:
            typing.changed.emit()
        self._mark(trouble)

    def _mark(self, trouble: str) -> None:
        self.trouble.setText(trouble)
        show_if(self.trouble, bool(trouble))
        set_state(self.name, "invalid", "true" if trouble else "false")

    def paintEvent(self, event: QPaintEvent) -> None:
        """A bar in the family's colour."""
        layer = self._subject.layer if self._subject.ids else None
        color = family_color(theme.tokens, layer.group if layer else "Other")
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(color))
        painter.drawRoundedRect(QRectF(0, SPACE, SPACE, self.height() - 2 * SPACE), 2, 2)


class Problems(QWidget):
    """What is wrong here, and buttons that mend it."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._subject = subject
        #: None: whatever is shown may be of another node.
        self._shown: tuple[Problem, ...] | None = ()
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(2 * SPACE)
        show_if(self, False)
        theme.changed.connect(self._dress)

    def turn(self) -> None:
        """Speak of other nodes."""
        self._shown = None

    def refresh(self) -> None:
        """Show the problems of the selected nodes."""
        problems = self._subject.problems
        if problems == self._shown:
            return
        self._shown = problems
        clear(self._rows)
        for problem in problems[:TOLD]:
            self._rows.addWidget(self._card(problem))
        if len(problems) > TOLD:
            more = f"{len(problems) - TOLD:,} more, which the panel of problems lists."
            self._rows.addWidget(text_label(more, role="muted"))
        show_if(self, bool(problems))

    def _dress(self) -> None:
        """Make the cards again, for their icons."""
        self._shown = None
        if self.isVisible():
            self.refresh()

    def _card(self, problem: Problem) -> QFrame:
        card = QFrame()
        set_state(card, "role", "problem")
        set_state(card, "severity", problem.severity)
        layout = QVBoxLayout(card)
        layout.setContentsMargins(3 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        layout.setSpacing(SPACE)
        several = len(self._subject.ids) > 1
        message = (
            str(problem)
            if several
            else f"{problem.field}: {problem.message}"
            if problem.field
            else problem.message
        )
        plain = not several and not problem.field
        layout.addWidget(text_label(message[:1].upper() + message[1:] if plain else message))
        if problem.lesson:
            layout.addWidget(text_label(problem.lesson, "muted"))
        for repair in problem.repairs:
            button = Button(repair.text.replace("&", "&&"), theme.icon("mdi6.lightbulb-on-outline", "accent"))
            button.setToolTip(tip(f"{repair.text}. One undo step."))
            set_state(button, "role", "repair")
            button.clicked.connect(lambda _=False, repair=repair: self._mend(repair))
            layout.addWidget(button)
        return card

    def _mend(self, repair: Repair) -> None:
        document = self._subject.document
        try:
            after = mended(document.network, repair)
        except EditProblem:
            return  # a new analysis is on its way
        document.edit(after, repair.text)
