"""Training health: the doctor's findings with their repairs, and the measure that colours the canvas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QFont, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from engine.diagnosis import Finding
from engine.edit import EditProblem
from engine.findings import Analysis, Repair
from engine.mending import mended
from gui.document import Document
from gui.meaning import same_meaning
from gui.narrow import Pick
from gui.panels.bar import Bar
from gui.panels.judge import REST, Judge, Said
from gui.panels.measures import MEASURES, HealthMeasure, NodeMark, Reader
from gui.panels.panel import PACE, Panel
from gui.panels.problems import ProblemsPanel
from gui.panels.words import Line
from gui.selection import Selection
from gui.session import Session
from gui.theme import SPACE, TYPE, theme

#: Cards that are coloured at a time: painting one takes a fifth of a millisecond.
CARDS = 12

#: From this height on the list of findings has a head, in pixels.
ROOMY = 280


class Legend(QWidget):
    """The chosen measure's colours along its scale."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: HealthMeasure | None = None
        self.setFixedHeight(26)
        self.setMinimumWidth(120)
        self.setAccessibleName("Legend")

    def paintEvent(self, event: QPaintEvent) -> None:
        """A strip from the least to the greatest, and figures at its stops."""
        if self.scale is None:
            return
        stops = self.scale.stops
        low, high = stops[0][0], stops[-1][0]
        strip = QRectF(2 * SPACE, 2, self.width() - 4 * SPACE, 6)
        painter = QPainter(self)
        gradient = QLinearGradient(strip.topLeft(), strip.topRight())
        for at, token in stops:
            gradient.setColorAt((at - low) / (high - low), theme.color(token))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(strip, 3, 3)
        font = QFont(painter.font())
        font.setPixelSize(TYPE[0])
        painter.setFont(font)
        painter.setPen(theme.color("muted"))
        right = -math.inf
        for at, _ in stops:
            text = self.scale.say(float(f"{10.0**at:.1g}") if self.scale.log else at)
            wide = painter.fontMetrics().horizontalAdvance(text)
            x = strip.left() + (at - low) / (high - low) * strip.width() - wide / 2
            x = min(max(x, strip.left()), strip.right() - wide)
            if x > right + 4:
                painter.drawText(QPointF(x, 21), text)
                right = x + wide


class Findings(ProblemsPanel):
    """The doctor's findings, listed and repaired like problems."""

    #: How far each rule has come, a line each.
    rules = ""
    #: What is said where nothing is found.
    well = Said(
        "Nothing to examine yet", "Press Train (F5): the doctor looks at every run.", "mdi6.stethoscope"
    )

    def __init__(self, document: Document, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(document, selection, parent)
        self.setAccessibleName("Findings")

    def refresh(self) -> None:
        """Show list or empty state."""
        if self.model.problems:
            self.show_content()
            # What its two columns are needs no words where these would cost a row of it.
            self.list.horizontalHeader().setVisible(self.height() >= ROOMY)
            self.fit_list()
            self.list.setColumnWidth(0, max(90, min(160, self.width() // 4)))
        else:
            self.show_empty(*self.well)
        self.setToolTip(self.rules)


class HealthPanel(Panel):
    """What the doctor finds in the run, and what the canvas is coloured by.

    Parameters
    ----------
    document
        What a repair edits, as one undo step.
    selection
        Where a click shows a finding's node; which graph is shown.
    session
        The run.
    """

    #: Node -> :class:`NodeMark` for the canvas; None: no colours.
    marked = Signal(object)
    #: Train what is drawn from the run's last weights.
    tried = Signal()
    #: How much the doctor has found, for the tab's title.
    counted = Signal(int)

    def __init__(
        self, document: Document, selection: Selection, session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__("Health", "mdi6.stethoscope", parent)
        self._document, self._selection, self._session = document, selection, session
        self._judge = Judge(session)
        self._reader = Reader()
        self._rest = QTimer(self, singleShot=True, interval=round(1000 * REST))
        self._rest.timeout.connect(self.request)
        self._marks: dict[str, NodeMark] | None = None
        #: What they were found from: the measure, the newest look, the block that is shown.
        self._marked: tuple[object, ...] = ()

        self.chooser = Pick()
        self.chooser.setAccessibleName("Colour the canvas by")
        self.chooser.setToolTip("Colour the canvas by this measure while it trains")
        self.chooser.addItem("No colours", None)
        for number, measure in enumerate(MEASURES):
            self.chooser.addItem(measure.title, number)
            self.chooser.setItemData(number + 1, measure.hint, Qt.ItemDataRole.ToolTipRole)
        self.legend = Legend()
        self.legend.hide()
        self.list = Findings(document, selection)
        #: How many rules could judge, below what they found.
        self.standing = Line()
        self.standing.setProperty("role", "muted")
        self.standing.setContentsMargins(3 * SPACE, 0, 3 * SPACE, SPACE)
        self.try_button = QPushButton("Train on with the changes")
        self.try_button.setToolTip(
            "Train the drawing as it is now, from the weights that the run has reached"
        )
        self.try_button.clicked.connect(self.tried)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(Bar(QLabel("Colour by"), self.chooser, None, self.try_button, self.menu_button()))
        column.addWidget(self.legend)
        column.addWidget(self.list, 1)
        column.addWidget(self.standing)
        self.show_content()

        self.chooser.currentIndexChanged.connect(self._chosen)
        for signal in (session.observed, session.metrics_added, session.state_changed, session.sought):
            signal.connect(self.request)
        selection.block_changed.connect(self.request)
        document.changed.connect(self.request)
        self.flush()

    @property
    def measure(self) -> HealthMeasure | None:
        """The measure that the canvas is coloured by."""
        number = self.chooser.currentData()
        return None if number is None else MEASURES[number]

    def request(self, *args: object) -> None:
        """Ask for a repaint, also where the panel itself is hidden."""
        super().request(*args)
        if self.works_hidden:
            self._take_turn(PACE)

    @property
    def works_hidden(self) -> bool:
        """It colours the canvas, and says by its title what the doctor finds in a run under way."""
        return self.chooser.currentData() is not None or self._judge.behind

    def _chosen(self) -> None:
        self.legend.scale = self.measure
        self.legend.setVisible(self.measure is not None)
        self.legend.update()
        self.request()

    def refresh(self) -> Iterator[None]:
        """Colour the canvas, and judge what has come in."""
        yield from self._mark()
        if self._judge.due:
            yield
            yield from self._judge.examine()
            self._show_findings()
        elif self._judge.behind and not self._rest.isActive():
            self._rest.start()  # nothing more may come that would ask for it
        session = self._session
        ended = not session.active and bool(session.run)
        trained, drawn = session.network, self._document.network
        differs = trained is not drawn and trained is not None and not same_meaning(trained, drawn)
        self.try_button.setVisible(ended and differs)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the doctor finds."""
        return self._judge.findings

    def _show_findings(self) -> None:
        judge, begun = self._judge, self._session.begun is not None
        self.list.well = judge.said() if begun else Findings.well
        self.list.rules = "\n".join(map(str, judge.standing)) if begun else ""
        problems = tuple(finding.problem() for finding in self.findings)
        self.standing.setVisible(bool(problems))
        self.standing.say(judge.counted())
        self.standing.setToolTip(self.list.rules)
        if problems != self.list.model.problems:
            self.list.set_analysis(Analysis(problems=problems))
            self.counted.emit(len(problems))
        self.list.flush()

    def _mark(self) -> Iterator[None]:
        """Tell what the canvas is to show, so many cards at a time: each is painted anew."""
        measure, seen = self.measure, self._session.seen()
        block, network = self._selection.block, self._session.network
        asked = (measure, seen[-1] if seen else None, block, network)
        if len(self._marked) and all(a is b for a, b in zip(asked, self._marked, strict=True)):
            return
        marks = None if measure is None else self._reader.marks(measure, seen, block, network)
        if marks is None or self._marks is None or marks.keys() != self._marks.keys():
            if marks != self._marks:
                self._tell(marks)
        else:
            before = self._marks
            new = [node for node, mark in marks.items() if mark != before[node]]
            for start in range(0, len(new), CARDS):
                if start:
                    yield
                self._tell({**before, **{node: marks[node] for node in new[: start + CARDS]}})
        self._marked = asked

    def _tell(self, marks: dict[str, NodeMark] | None) -> None:
        self._marks = marks
        self.marked.emit(marks)

    def repair(self, repair: Repair) -> bool:
        """Make a repair's changes, as one undo step; False where the drawing has moved on."""
        try:
            after = mended(self._document.network, repair)
        except EditProblem:
            return False
        self._document.edit(after, repair.text)
        return True

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self._marks, self._marked = None, ()
        self.legend.update()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The findings."""
        return ("code", "node", "title", "evidence", "cause", "repairs"), (
            (f.code, f.node or "", f.title, f.evidence, f.cause, "; ".join(r.text for r in f.repairs))
            for f in self.findings
        )
