"""The initialisation laboratory: what each scheme does to signals and gradients, before training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from engine import lab
from engine.findings import Analysis
from engine.host.protocol import Failed, Measured
from engine.lab import LabReport, LayerSignal, Race, SchemeSignal
from engine.network import Choice
from gui.document import Document
from gui.narrow import Number, Pick
from gui.panels.panel import Panel
from gui.panels.plot import Plot, drawable
from gui.panels.schemes import SchemesEdit
from gui.panels.series import figure
from gui.panels.sheet import Column, Sheet
from gui.theme import SPACE, theme

#: Steps of a race at least, at first and at most.
STEPS = (50, 100, 500)
#: What can be drawn by depth: name -> (what a layer has of it, whether in decades).
Measure = tuple[Callable[[LayerSignal], float], bool]
ACTIVATIONS: dict[str, Measure] = {
    "Spread of activations by depth": (lambda layer: layer.std, True),
    "Mean of activations by depth": (lambda layer: layer.mean, False),
    "Share of dead units by depth": (lambda layer: layer.dead, False),
    "Saturated share by depth": (lambda layer: layer.saturated, False),
}
GRADIENTS: dict[str, Measure] = {
    "Length of gradients by depth": (lambda layer: layer.gradient_norm, True),
    "Spread of gradients by depth": (lambda layer: layer.gradient_std, True),
    "Mean of gradients by depth": (lambda layer: layer.gradient_mean, False),
}
_RACE = "Race: loss by step"

#: Verdict -> the token of its colour.
VERDICTS = {"healthy": "good", "vanishing": "warning", "exploding": "error", "symmetric": "error"}

#: The layers of one scheme.
_LAYERS = (
    Column("Layer", "Click to go to it.", lambda layer: str(layer.node), words=True),
    Column(
        "Verdict", "What becomes of signals and gradients here.", lambda layer: str(layer.verdict), words=True
    ),
    Column("Evidence", "The numbers behind it.", lambda layer: str(layer.evidence), words=True),
)

_HEADERS = ("Scheme", "Verdict", "Loss", "Spread", "Gradient")
_TIPS = (
    "The initialisation on every weight that it fits; “current” is the drawing's own mixture.",
    "The gravest verdict of all layers.",
    "Loss of the batch before any training.",
    "Spread of the last layer over that of the first. Near 1 is well.",
    "Length of the gradient at the first layer over that at the last. Near 1 is well.",
)


class Asks(Protocol):
    """Who measures: the window's workers, or a test's."""

    answered: SignalInstance

    def laboratory(self, schemes: str | None = None, race: int = 0) -> int:
        """Ask; the answer comes by `answered`."""
        ...


class InitLabPanel(Panel):
    """Schemes side by side: a verdict each, spread and gradient by depth, and a short race.

    Parameters
    ----------
    document
        What "Apply" edits, as one undo step.
    workers
        Asks the host: ``laboratory``, and the signal ``answered(request, event)``.
    """

    #: A layer was clicked: its path.
    found = Signal(str)

    def __init__(self, document: Document, workers: Asks, parent: QWidget | None = None) -> None:
        super().__init__("Initialisation laboratory", "mdi6.flask-outline", parent)
        self._document = document
        self._workers = workers
        self._analysis = Analysis()
        self._request: int | None = None
        self.report: LabReport | None = None
        self.raced: Race | None = None
        self._curves: dict[str, list[pg.PlotCurveItem]] = {}

        self.measure = QPushButton("Compare")
        self.measure.setToolTip("Send one batch forward and back through each scheme. Nothing is trained.")
        self.measure.clicked.connect(lambda: self._question(0))
        self.steps = Number(minimum=STEPS[0], maximum=STEPS[2], value=STEPS[1], step=50)
        self.steps.setSuffix(" steps")
        self.steps.setAccessibleName("Steps of the race")
        self.race = QPushButton("Race")
        self.race.setToolTip("Train each scheme for a moment, on the same batches in the same order.")
        self.race.clicked.connect(lambda: self._question(self.steps.value()))
        self.schemes = SchemesEdit()
        self.use = QPushButton("Use")
        self.use.setToolTip("Give every weight that it fits the chosen scheme. One step of undo.")
        self.use.clicked.connect(self._adopt)
        self.told = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.told.setProperty("role", "muted")

        self.list = QTableWidget(0, len(_HEADERS))
        self.list.setAccessibleName("Schemes")
        self.list.setHorizontalHeaderLabels(_HEADERS)
        for column, tip in enumerate(_TIPS):
            item = self.list.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(tip)
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.list.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setShowGrid(False)
        self.list.verticalHeader().hide()
        self.list.verticalHeader().setDefaultSectionSize(28)
        self.list.horizontalHeader().setHighlightSections(False)
        self.list.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.list.horizontalHeader().setStretchLastSection(True)
        self.list.itemSelectionChanged.connect(self._chosen)

        self.layers = Sheet("Layers of the chosen scheme", _LAYERS)
        across = self.layers.horizontalHeader()
        across.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        across.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.layers.found.connect(lambda layer: self.found.emit(layer.node))
        self.plots = {name: Plot(name) for name in ("Activations by depth", "Gradients by depth", _RACE)}
        self.shown = {"Activations by depth": Pick(), "Gradients by depth": Pick()}
        for (name, box), measures in zip(self.shown.items(), (ACTIVATIONS, GRADIENTS), strict=True):
            box.setAccessibleName(name)
            for title in measures:
                box.addItem(title, title)
            box.currentIndexChanged.connect(self.refresh)
        self._arrange()
        workers.answered.connect(self._answered)
        document.changed.connect(self._outdated)
        self.refresh()

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * SPACE)
        for widget in (self.measure, self.race, self.steps):
            buttons.addWidget(widget)
        buttons.addStretch()
        buttons.addWidget(self.use)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(3 * SPACE, 2 * SPACE, SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addLayout(buttons)
        column.addWidget(self.schemes)
        tables = QSplitter(Qt.Orientation.Vertical)
        tables.addWidget(self.list)
        tables.addWidget(self.layers)
        tables.setChildrenCollapsible(False)
        column.addWidget(tables, 1)
        column.addWidget(self.told)
        right = QWidget()
        row = QHBoxLayout(right)
        row.setContentsMargins(SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        row.setSpacing(2 * SPACE)
        self._boxes: dict[str, QWidget] = {}
        for name, plot in self.plots.items():
            box = QWidget()
            inner = QVBoxLayout(box)
            inner.setContentsMargins(0, 0, 0, 0)
            inner.setSpacing(SPACE)
            title: QWidget = self.shown[name] if name in self.shown else QLabel(name)
            if name not in self.shown:
                title.setProperty("role", "heading")
            inner.addWidget(title)
            inner.addWidget(plot, 1)
            row.addWidget(box, 1)
            self._boxes[name] = box
            plot.axes["left"].log = True
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 3)
        split.setChildrenCollapsible(False)
        left.setMinimumWidth(400)
        outer = QVBoxLayout(self.content)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(split)
        # The empty state has the first button too.
        self.begin = self.empty.offer("Compare initialisations", lambda: self._question(0))

    # ------------------------------------------------------------------ asking

    def set_analysis(self, analysis: Analysis) -> None:
        """Take in what is known of the drawing: its parameters' shapes, and whether it could run."""
        self._analysis = analysis
        self._enable()

    def _question(self, race: int) -> None:
        try:
            schemes = self.schemes.chosen()
        except ValueError as problem:
            self.told.setText(str(problem))
            return
        self._request = self._workers.laboratory(schemes, race)
        self.told.setText("Racing …" if race else "Measuring …")
        self.begin.setText("Measuring …")
        self._enable()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        self._request = None
        self.begin.setText("Compare initialisations")
        if isinstance(event, Failed):
            self.told.setText(event.message)
            if self.report is None:
                self.show_empty("Not measured", event.message)
        elif isinstance(event, Measured):
            self.report, self.raced = event.report, event.race or self.raced
            self._fill()
            self.request()
        self._enable()

    def _outdated(self, before: object, after: object) -> None:
        """The drawing moved on: the figures stay, and say so."""
        if self.report is not None and self._request is None:
            self.told.setText("Measured before the last change. Compare again.")

    def _enable(self) -> None:
        ready = self._request is None and self._analysis.runs
        for button in (self.measure, self.race, self.begin):
            button.setEnabled(ready)
        chosen = self.chosen
        self.use.setEnabled(chosen is not None and chosen.scheme != "current")
        best = chosen is not None and self.report is not None and chosen.name == self.report.best
        self.use.setText("Apply best" if best and self.use.isEnabled() else "Apply")

    # ------------------------------------------------------------------ adopting

    @property
    def chosen(self) -> SchemeSignal | None:
        """The scheme of the selected row."""
        row = self.list.currentRow()
        if self.report is None or not 0 <= row < len(self.report.schemes):
            return None
        return self.report.schemes[row]

    def _adopt(self) -> None:
        scheme = self.chosen
        if scheme is None or scheme.scheme == "current":
            return
        choice = Choice(scheme.scheme, dict(scheme.fields))
        network, _ = lab.with_scheme(self._document.network, self._analysis, choice)
        self._document.edit(network, f"Initialise all with {scheme.scheme}")

    # ------------------------------------------------------------------ showing

    def _fill(self) -> None:
        assert self.report is not None
        self.list.setRowCount(len(self.report.schemes))
        best = 0
        for row, scheme in enumerate(self.report.schemes):
            first, last = scheme.layers[0], scheme.layers[-2] if len(scheme.layers) > 2 else scheme.layers[-1]
            fields = ", ".join(f"{name} {value}" for name, value in scheme.fields.items())
            texts = (
                scheme.name,
                scheme.verdict,
                figure(scheme.loss),
                f"{figure(lab.ratio(last.std, first.std))} ×",
                f"{figure(lab.ratio(first.gradient_norm, last.gradient_norm))} ×",
            )
            for column, text in enumerate(texts):
                self.list.setItem(row, column, QTableWidgetItem(text))
            first_item = self.list.item(row, 0)
            if first_item is not None:
                first_item.setToolTip(f"{scheme.scheme}: {fields}" if fields else scheme.scheme)
            if scheme.name == self.report.best:
                best = row
        self.list.selectRow(best)
        self._paint_rows()
        self._chosen()

    def _paint_rows(self) -> None:
        if self.report is None:
            return
        for row, scheme in enumerate(self.report.schemes):
            name, verdict = self.list.item(row, 0), self.list.item(row, 1)
            if name is None or verdict is None:
                continue
            picture = QPixmap(12, 12)
            picture.fill(self._color(row))
            name.setIcon(QIcon(picture))
            verdict.setForeground(theme.color(VERDICTS[scheme.verdict]))
            font = name.font()
            font.setBold(scheme.name == self.report.best)
            name.setFont(font)

    @staticmethod
    def _color(index: int) -> QColor:
        colors = theme.tokens.series
        return QColor(colors[index % len(colors)])

    def _chosen(self) -> None:
        scheme = self.chosen
        self._enable()
        if scheme is None or self.report is None:
            return
        self.layers.show_rows(scheme.layers)
        worst = next((layer for layer in scheme.layers if layer.verdict == scheme.verdict != "healthy"), None)
        words = [
            f"{worst.node} is {worst.verdict}: {worst.evidence}."
            if worst is not None
            else "Spread and gradient stay within a factor of ten through all layers."
        ]
        if scheme.unfit:
            words.append(f"It does not fit everywhere; these keep their own. {lab.misfits(scheme.unfit)}")
        if scheme.name == self.report.best:
            words.append("The best of these.")
        words.append(f"Measured on {self.report.examples} examples.")
        self.told.setText(" ".join(words))
        self.request()

    def refresh(self) -> None:
        """Draw spread, gradient and race."""
        if self.report is None:
            self.show_empty(
                "What would each initialisation do?",
                "One batch goes forward and back through the network, scheme by scheme, before any training.",
            )
            return
        self.show_content()
        schemes = self.report.schemes
        for (name, box), measures in zip(self.shown.items(), (ACTIVATIONS, GRADIENTS), strict=True):
            measure, decades = measures[box.currentData()]
            self._draw(name, [[measure(layer) for layer in scheme.layers] for scheme in schemes], decades)
        self._boxes[_RACE].setVisible(self.raced is not None)
        if self.raced is not None:
            losses = self.raced.losses
            self._draw(_RACE, [list(losses.get(scheme.name, ())) for scheme in schemes], True)

    def _draw(self, name: str, rows: list[list[float]], decades: bool) -> None:
        plot = self.plots[name]
        plot.axes["left"].log = decades
        for item in self._curves.pop(name, ()):
            plot.removeItem(item)
        values = [np.array([_placed(value, decades) for value in row]) for row in rows]
        seen = [value for row in values for value in row if math.isfinite(value)]
        if not seen:
            return
        low, high = min(seen), max(seen)
        if decades:
            # Beyond twelve decades on either side of one a curve is off the paper, and the rest is readable.
            low, high = max(low, -12.0), min(high, 12.0)
        margin = max(0.1 if decades else 1e-9, (high - low) * 0.06)
        longest = max(len(row) for row in values)
        plot.show_range((0, max(1, longest - 1)), (low - margin, high + margin))
        current = self.list.currentRow()
        for index, row in enumerate(values):
            item = pg.PlotCurveItem(connect="finite", antialias=True)
            item.setPen(pg.mkPen(self._color(index), width=2 if index == current and longest < 200 else 1))
            item.setData(np.arange(len(row), dtype=float), drawable(row, low, high))
            item.setZValue(10 if index == current else 1)
            plot.addItem(item, ignoreBounds=True)
            self._curves.setdefault(name, []).append(item)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Every layer's figures under every scheme."""
        figures = ("mean", "std", "dead", "saturated", "gradient_mean", "gradient_std", "gradient_norm")
        schemes = self.report.schemes if self.report is not None else ()
        return ("scheme", "loss", "strain", "node", "depth", *figures, "diversity", "verdict"), (
            (
                scheme.name or scheme.scheme,
                scheme.loss,
                scheme.strain,
                layer.node,
                layer.depth,
                *(getattr(layer, figure) for figure in figures),
                layer.diversity,
                layer.verdict,
            )
            for scheme in schemes
            for layer in scheme.layers
        )

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for plot in self.plots.values():
            plot.follow_theme()
        self._paint_rows()


def _placed(value: float, decades: bool) -> float:
    """Where a value stands on its axis; NaN where it has no place."""
    if not decades:
        return value if math.isfinite(value) else math.nan
    return math.log10(value) if 0 < value < math.inf else math.nan
