"""A learning rate found by trying: the loss over a rate that grows step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from msgspec.structs import replace
from PySide6.QtCore import Qt, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from engine import edit
from engine.catalog import OPTIMIZERS
from engine.findings import Analysis
from engine.host.protocol import Failed, RateFound
from gui.document import Document
from gui.panels.panel import Panel
from gui.panels.plot import Plot, drawable
from gui.panels.series import figure
from gui.theme import SPACE, theme

#: Losses up to so many times the first are on the paper: behind that it explodes.
_HEADROOM = 1.25


class Asks(Protocol):
    """Who tries: the window's workers, or a test's."""

    answered: SignalInstance

    def find_rate(self, device: str = "auto") -> int:
        """Ask; the answer comes by `answered`."""
        ...


class RatePanel(Panel):
    """Loss over learning rate, with the rate at which it falls fastest, and a button that takes it.

    Parameters
    ----------
    document
        What "Use" edits, as one undo step.
    workers
        Asks the host: ``find_rate``, and the signal ``answered(request, event)``.
    device
        Says where runs are trained now.
    """

    def __init__(
        self, document: Document, workers: Asks, device: Callable[[], str], parent: QWidget | None = None
    ) -> None:
        super().__init__("Learning rate", "mdi6.chart-bell-curve", parent)
        self._document, self._workers, self._device = document, workers, device
        self._analysis = Analysis()
        self._request: int | None = None
        self.found: RateFound | None = None
        self._failure = ""

        self.again = QPushButton("Try again")
        self.again.setToolTip("Train some steps with a growing rate. Nothing is kept.")
        self.again.clicked.connect(self._question)
        self.use = QPushButton("Use")
        self.use.setProperty("primary", True)
        self.use.clicked.connect(self._adopt)
        self.told = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.told.setProperty("role", "muted")
        self.plot = Plot("Loss over learning rate", vertical_grid=True)
        self.plot.axes["bottom"].log = True
        self._curve = self.plot.curve("accent", 2.0)
        self._marks = {name: self._mark(name) for name in ("muted", "good")}
        self._arrange()
        workers.answered.connect(self._answered)
        document.changed.connect(self._changed)
        self.refresh()

    def _mark(self, token: str) -> pg.InfiniteLine:
        """An upright line: the rate of the recipe, and the one that was found."""
        line = pg.InfiniteLine(angle=90, movable=False)
        line.setZValue(5)
        line.hide()
        self.plot.addItem(line, ignoreBounds=True)
        return line

    def _arrange(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(2 * SPACE)
        for button in (self.again, self.use):
            buttons.addWidget(button)
        buttons.addWidget(self.told, 1)
        axis = QLabel("learning rate", alignment=Qt.AlignmentFlag.AlignRight)
        axis.setProperty("role", "muted")
        column = QVBoxLayout(self.content)
        column.setContentsMargins(3 * SPACE, 2 * SPACE, 3 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addLayout(buttons)
        column.addWidget(self.plot, 1)
        column.addWidget(axis)
        self.begin = self.empty.offer("Find a learning rate", self._question)

    # ------------------------------------------------------------------ asking

    def set_analysis(self, analysis: Analysis) -> None:
        """Take in whether the drawing could run."""
        self._analysis = analysis
        self._enable()

    def _question(self) -> None:
        self._request = self._workers.find_rate(self._device())
        self.told.setText("Trying …")
        self.begin.setText("Trying …")
        self._enable()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        self._request = None
        self.begin.setText("Find a learning rate")
        if isinstance(event, Failed):
            self.told.setText(event.message)
            self._failure = event.message
            self.refresh()
        elif isinstance(event, RateFound):
            self.found, self._failure = event, ""
            self._say()
            self.request()
        self._enable()

    def _say(self) -> None:
        assert self.found is not None
        rate = self.found.suggestion
        if rate is None:
            self.told.setText("The loss fell at no rate. Look at the initialisation and the data's scale.")
            return
        current = self._rate()
        now = "" if current is None else f" The recipe has {figure(current)}."
        self.told.setText(f"The loss falls fastest at {figure(rate)}.{now}")

    def _changed(self, before: object, after: object) -> None:
        self._enable()
        if self.found is not None and self._request is None:
            self._say()
            self.request()

    def _enable(self) -> None:
        ready = self._request is None and self._analysis.runs
        for button in (self.again, self.begin):
            button.setEnabled(ready)
        rate = self._suggestion()
        self.use.setText("Use" if rate is None else f"Use {figure(rate)}")
        self.use.setEnabled(rate is not None and self._request is None and rate != self._rate())

    # ------------------------------------------------------------------ adopting

    def _suggestion(self) -> float | None:
        """The found rate in two digits: its place is no better known."""
        if self.found is None or self.found.suggestion is None:
            return None
        return float(f"{self.found.suggestion:.1e}")

    def _rate(self) -> float | None:
        """The recipe's rate; None where its optimizer has none of its own."""
        choice = self._document.network.recipe.optimizer
        entry = OPTIMIZERS.get(choice.id)
        field = None if entry is None else next((f for f in entry.fields if f.name == "lr"), None)
        value = None if field is None else choice.fields.get("lr", field.default)
        return float(value) if isinstance(value, int | float) else None

    def _adopt(self) -> None:
        rate, network = self._suggestion(), self._document.network
        if rate is None or self._rate() is None:
            return
        optimizer = network.recipe.optimizer
        optimizer = replace(optimizer, fields={**optimizer.fields, "lr": rate})
        recipe = replace(network.recipe, optimizer=optimizer)
        self._document.edit(edit.set_recipe(network, recipe), f"Set the learning rate to {figure(rate)}")

    # ------------------------------------------------------------------ showing

    def refresh(self) -> Iterator[None] | None:
        """Draw the curve and both rates."""
        found = self.found
        if found is None:
            self.show_empty(
                "No rate was found" if self._failure else "Which learning rate?",
                self._failure
                or "The network trains for a moment with a rate that grows from step to step. Where the loss "
                "falls fastest is a good rate to begin with.",
            )
            return None
        if len(found.rates) < 2:
            self.show_empty(
                "No rate was found",
                "The loss exploded at once. Look at the initialisation and the data's scale.",
            )
            return None
        self.show_content()
        x, y = np.log10(np.array(found.rates)), np.array(found.losses)
        low, high = float(y.min()), max(float(y[0]) * _HEADROOM, float(y.min()) * 1.05)
        margin = 0.06 * ((high - low) or 1.0)
        self.plot.show_range((float(x[0]), float(x[-1])), (low - margin, high + margin))
        self._curve.setData(x, drawable(y, low - margin, high + margin))
        for name, rate in (("muted", self._rate()), ("good", self._suggestion())):
            line = self._marks[name]
            line.setVisible(rate is not None and rate > 0)
            if rate is not None and rate > 0:
                line.setPos(math.log10(rate))
        self.follow_theme()
        return None

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.plot.follow_theme()
        self.plot.paint_curve(self._curve, "accent", 2.0)
        for name, line in self._marks.items():
            line.setPen(pg.mkPen(theme.color(name), width=1, style=Qt.PenStyle.DashLine))

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Rate and loss of each step."""
        found = self.found
        return ("rate", "loss"), () if found is None else zip(found.rates, found.losses, strict=True)
