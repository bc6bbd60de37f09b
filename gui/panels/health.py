"""Training health: the doctor's findings with their repairs, and the measure that colours the canvas."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from engine import diff
from engine.diagnosis import Finding
from engine.diagnosis.record import owner
from engine.findings import Analysis, Repair
from engine.host.protocol import Observation
from engine.problems import FileProblem
from gui.document import Document
from gui.narrow import Pick
from gui.panels.bar import Bar
from gui.panels.judge import Judge
from gui.panels.panel import PACE, Panel
from gui.panels.parameters import HEALTHY
from gui.panels.problems import ProblemsPanel
from gui.panels.series import figure
from gui.selection import Selection
from gui.session import Session
from gui.theme import SPACE, TYPE, theme
from gui.workers import same_meaning

#: Observations that a node's sparkline shows.
HISTORY = 40


class NodeMark(NamedTuple):
    """What a node's card shows of the chosen measure."""

    #: ``"#rrggbb"``.
    color: str
    text: str
    history: tuple[float, ...]
    tip: str


@dataclass(frozen=True)
class HealthMeasure:
    """A figure per node, and how it is coloured."""

    title: str
    hint: str
    #: Observation -> path of a node -> figure.
    of: Callable[[Observation], Mapping[str, float]]
    #: Places on the scale and the token of the colour there, from the least on; between them it is mixed.
    stops: tuple[tuple[float, str], ...]
    log: bool = False
    share: bool = False

    def place(self, value: float) -> float:
        """A value on the scale of :attr:`stops`."""
        if not self.log:
            return value
        return math.log10(value) if value > 0 else -math.inf

    def color(self, value: float) -> QColor:
        """The colour of a value."""
        if math.isnan(value):
            return theme.color("error")
        at = self.place(value)
        if at <= self.stops[0][0]:
            return theme.color(self.stops[0][1])
        for (left, low), (right, high) in zip(self.stops, self.stops[1:], strict=False):
            if at <= right:
                return _mixed(theme.color(low), theme.color(high), (at - left) / (right - left))
        return theme.color(self.stops[-1][1])

    def say(self, value: float) -> str:
        """A value as text."""
        return f"{100 * value:.3g} %" if self.share else figure(value)


def _mixed(low: QColor, high: QColor, share: float) -> QColor:
    def mix(a: int, b: int) -> int:
        return round(a + share * (b - a))

    return QColor(mix(low.red(), high.red()), mix(low.green(), high.green()), mix(low.blue(), high.blue()))


def _gradients(observation: Observation) -> dict[str, float]:
    squares: dict[str, float] = {}
    for name, found in observation.gradients.items():
        squares[owner(name)] = squares.get(owner(name), 0.0) + found.norm**2
    return {node: math.sqrt(total) for node, total in squares.items()}


def _updates(observation: Observation) -> dict[str, float]:
    # Of a layer's matrix; a bias that begins at zero has no ratio to speak of.
    return {
        owner(name): ratio
        for name, ratio in observation.updates.items()
        if name in observation.weight_excerpts
    }


def _flips(observation: Observation) -> dict[str, float]:
    # A recurrent layer has several binarized weights.
    shares: dict[str, list[float]] = {}
    for name, share in observation.flips.items():
        shares.setdefault(owner(name), []).append(share)
    return {node: statistics.fmean(found) for node, found in shares.items()}


def _activations(name: str) -> Callable[[Observation], Mapping[str, float]]:
    def read(observation: Observation) -> dict[str, float]:
        found = {node: getattr(seen, name) for node, seen in observation.activations.items()}
        return {node: value for node, value in found.items() if value is not None}

    return read


def _rank(observation: Observation) -> dict[str, float]:
    return {
        node: seen.rank / seen.full_rank
        for node, seen in observation.activations.items()
        if seen.rank is not None and seen.full_rank
    }


MEASURES = (
    HealthMeasure(
        "Update ratio",
        "Norm of the last update over norm of the weights. Healthy: around 0.001.",
        _updates,
        (
            (-6, "train"),
            (-5, "train"),
            (math.log10(HEALTHY[0]), "good"),
            (math.log10(HEALTHY[1]), "good"),
            (-1.5, "error"),
        ),
        log=True,
    ),
    HealthMeasure(
        "Gradient norm",
        "Euclidean norm of all gradients of the node.",
        _gradients,
        ((-6, "train"), (-3, "good"), (0, "good"), (2, "error")),
        log=True,
    ),
    HealthMeasure(
        "Dead units",
        "Share of units that are zero for every example of the batch.",
        _activations("dead"),
        ((0.0, "good"), (0.25, "warning"), (0.6, "error")),
        share=True,
    ),
    HealthMeasure(
        "Saturation",
        "Share of values within 1 % of an end of the activation's range.",
        _activations("saturated"),
        ((0.0, "good"), (0.25, "warning"), (0.6, "error")),
        share=True,
    ),
    HealthMeasure(
        "Activation spread",
        "Standard deviation over examples, the mean of all values.",
        _activations("spread"),
        ((-4, "train"), (-1.5, "good"), (0.7, "good"), (2, "error")),
        log=True,
    ),
    HealthMeasure(
        "Effective rank",
        "Effective rank of the examples' features, of what it could be.",
        _rank,
        ((0.02, "error"), (0.1, "warning"), (0.3, "good")),
        share=True,
    ),
    HealthMeasure(
        "Sign flips",
        "Share of binary weights that changed sign since the look before.",
        _flips,
        ((0.0, "train"), (0.001, "good"), (0.1, "good"), (0.4, "error")),
        share=True,
    ),
)


def node_marks(
    measure: HealthMeasure, observations: Sequence[Observation], block: str | None = None
) -> dict[str, NodeMark]:
    """What each node of the shown graph shows: the newest figure, its colour and its history.

    Several uses of one node (in a block that is repeated) show their median.
    """

    def by_node(observation: Observation) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for path, value in measure.of(observation).items():
            words = path.split(".")
            found.setdefault(words[-1] if block else words[0], []).append(value)
        return {node: statistics.median(values) for node, values in found.items()}

    # Not every look is at activations.
    seen: list[Observation] = []
    for observation in reversed(observations):
        if measure.of(observation):
            seen.append(observation)
        if len(seen) == HISTORY:
            break
    if not seen:
        return {}
    history = [by_node(observation) for observation in reversed(seen)]
    marks = {}
    for node, value in history[-1].items():
        past = [measure.place(values[node]) for values in history if node in values]
        marks[node] = NodeMark(
            measure.color(value).name(),
            measure.say(value),
            tuple(place for place in past if math.isfinite(place)),
            f"{measure.title} {measure.say(value)} at step {seen[0].step:,}",
        )
    return marks


class Legend(QWidget):
    """The chosen measure's colours along its scale."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: HealthMeasure | None = None
        self.setFixedHeight(34)
        self.setMinimumWidth(120)
        self.setAccessibleName("Legend")

    def paintEvent(self, event: QPaintEvent) -> None:
        """A strip from the least to the greatest, and figures at its stops."""
        if self.scale is None:
            return
        stops = self.scale.stops
        low, high = stops[0][0], stops[-1][0]
        strip = QRectF(2 * SPACE, 4, self.width() - 4 * SPACE, 8)
        painter = QPainter(self)
        gradient = QLinearGradient(strip.topLeft(), strip.topRight())
        for at, token in stops:
            gradient.setColorAt((at - low) / (high - low), theme.color(token))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(strip, 4, 4)
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
                painter.drawText(QPointF(x, 28), text)
                right = x + wide


class Findings(ProblemsPanel):
    """The doctor's findings, listed and repaired like problems."""

    #: What is said where nothing is found.
    well = ("Nothing to examine yet", "Press Train (F5): the doctor looks at every run.")

    def __init__(self, document: Document, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(document, selection, parent)
        self.setAccessibleName("Findings")

    def refresh(self) -> None:
        """Show list or empty state."""
        if self.model.problems:
            self.show_content()
            self.list.setColumnWidth(0, max(90, min(160, self.width() // 4)))
        else:
            self.show_empty(*self.well)


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

    def __init__(
        self, document: Document, selection: Selection, session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__("Health", "mdi6.stethoscope", parent)
        self._document, self._selection, self._session = document, selection, session
        self._judge = Judge(session)
        self._marks: dict[str, NodeMark] | None = None
        #: What they were found from: the measure, the newest look, the block that is shown.
        self._marked: tuple[object, object, object] | None = None

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
        """Ask for a repaint; while it colours the canvas also where the panel itself is hidden."""
        super().request(*args)
        if self.works_hidden:
            self._take_turn(PACE)

    @property
    def works_hidden(self) -> bool:
        """It colours the canvas."""
        return self.chooser.currentData() is not None

    def _chosen(self) -> None:
        self.legend.scale = self.measure
        self.legend.setVisible(self.measure is not None)
        self.legend.update()
        self.request()

    def refresh(self) -> Iterator[None]:
        """Colour the canvas, and judge what has come in."""
        self._mark()
        if self._judge.due:
            yield
            yield from self._judge.examine()
            self._show_findings()
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
        self.list.well = (
            ("Nothing to examine yet", "Press Train (F5): the doctor looks at every run.")
            if self._session.begun is None
            else ("Nothing found", "Gradients, activations and curves look as they should.")
        )
        problems = tuple(finding.problem() for finding in self.findings)
        if problems != self.list.model.problems:
            self.list.set_analysis(Analysis(problems=problems))
        self.list.flush()

    def _mark(self) -> None:
        measure, seen = self.measure, self._session.seen()
        asked = (measure, seen[-1] if seen else None, self._selection.block)
        if self._marked is not None and all(a is b for a, b in zip(asked, self._marked, strict=True)):
            return
        self._marked = asked
        marks = None if measure is None else node_marks(measure, seen, self._selection.block)
        if marks != self._marks:
            self._marks = marks
            self.marked.emit(marks)

    def repair(self, repair: Repair) -> bool:
        """Make a repair's changes, as one undo step; False where the drawing has moved on."""
        try:
            after = diff.apply(self._document.network, repair.changes)
        except (KeyError, FileProblem):
            return False
        self._document.edit(after, repair.text)
        return True

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self._marks = self._marked = None
        self.legend.update()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The findings."""
        return ("code", "node", "title", "evidence", "cause", "repairs"), (
            (f.code, f.node or "", f.title, f.evidence, f.cause, "; ".join(r.text for r in f.repairs))
            for f in self.findings
        )
