"""The initialisation laboratory: what each scheme does to signals and gradients, before training."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, SignalInstance
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
from engine.lab import LabReport, Race, SchemeSignal
from engine.network import Choice
from gui.document import Document
from gui.panels.panel import Panel
from gui.panels.plot import Plot, drawable
from gui.panels.series import figure
from gui.theme import SPACE, theme

#: Steps of the short race.
RACE = 100

#: Verdict -> the token of its colour.
VERDICTS = {"healthy": "good", "vanishing": "warning", "exploding": "error", "symmetric": "error"}

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
        What "Use" edits, as one undo step.
    workers
        Asks the host: ``laboratory``, and the signal ``answered(request, event)``.
    """

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
        self.race = QPushButton(f"Race {RACE} steps")
        self.race.setToolTip("Train each scheme for a moment, on the same batches in the same order.")
        self.race.clicked.connect(lambda: self._question(RACE))
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

        self.plots = {
            name: Plot(name) for name in ("Spread by depth", "Gradient by depth", "Race: loss by step")
        }
        self._arrange()
        workers.answered.connect(self._answered)
        document.changed.connect(self._outdated)
        self.refresh()

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * SPACE)
        for button in (self.measure, self.race, self.use):
            buttons.addWidget(button)
        buttons.addStretch()
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(3 * SPACE, 2 * SPACE, SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addLayout(buttons)
        column.addWidget(self.list, 1)
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
            title = QLabel(name)
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
        self.begin = QPushButton("Compare initialisations")
        self.begin.setProperty("primary", True)
        self.begin.clicked.connect(lambda: self._question(0))
        layout = self.empty.layout()
        assert isinstance(layout, QVBoxLayout)
        layout.insertWidget(layout.count() - 1, self.begin, 0, Qt.AlignmentFlag.AlignHCenter)

    # ------------------------------------------------------------------ asking

    def set_analysis(self, analysis: Analysis) -> None:
        """Take in what is known of the drawing: its parameters' shapes, and whether it could run."""
        self._analysis = analysis
        self._enable()

    def _question(self, race: int) -> None:
        self._request = self._workers.laboratory(None, race)
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
        ready = self._request is None and not self._analysis.errors and bool(self._analysis.nodes)
        for button in (self.measure, self.race, self.begin):
            button.setEnabled(ready)
        chosen = self.chosen
        self.use.setEnabled(chosen is not None and chosen.scheme != "current")

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
                scheme.scheme,
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
            if scheme.scheme == self.report.best:
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
            font.setBold(scheme.scheme == self.report.best)
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
        worst = next((layer for layer in scheme.layers if layer.verdict == scheme.verdict != "healthy"), None)
        words = [
            f"{worst.node} is {worst.verdict}: {worst.evidence}."
            if worst is not None
            else "Spread and gradient stay within a factor of ten through all layers."
        ]
        if scheme.unfit:
            words.append(f"It does not fit {', '.join(scheme.unfit)}; they keep their own.")
        if scheme.scheme == self.report.best:
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
        self._draw("Spread by depth", [[layer.std for layer in scheme.layers] for scheme in schemes])
        self._draw("Gradient by depth", [[layer.gradient_norm for layer in s.layers] for s in schemes])
        self._boxes["Race: loss by step"].setVisible(self.raced is not None)
        if self.raced is not None:
            losses = self.raced.losses
            self._draw("Race: loss by step", [list(losses.get(scheme.scheme, ())) for scheme in schemes])

    def _draw(self, name: str, rows: list[list[float]]) -> None:
        plot = self.plots[name]
        for item in self._curves.pop(name, ()):
            plot.removeItem(item)
        logs = [np.array([math.log10(v) if 0 < v < math.inf else math.nan for v in row]) for row in rows]
        seen = [v for row in logs for v in row if math.isfinite(v)]
        if not seen:
            return
        # Beyond twelve decades on either side of one a curve is off the paper, and the rest is readable.
        low, high = max(min(seen), -12.0), min(max(seen), 12.0)
        margin = max(0.1, (high - low) * 0.06)
        longest = max(len(row) for row in logs)
        plot.show_range((0, max(1, longest - 1)), (low - margin, high + margin))
        current = self.list.currentRow()
        for index, row in enumerate(logs):
            item = pg.PlotCurveItem(connect="finite", antialias=True)
            item.setPen(pg.mkPen(self._color(index), width=2 if index == current and longest < 200 else 1))
            item.setData(np.arange(len(row), dtype=float), drawable(row, low, high))
            item.setZValue(10 if index == current else 1)
            plot.addItem(item, ignoreBounds=True)
            self._curves.setdefault(name, []).append(item)

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for plot in self.plots.values():
            plot.follow_theme()
        self._paint_rows()
