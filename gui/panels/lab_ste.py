"""The binarization laboratory: signs as they flip, estimators measured, what is saved, and a race."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from engine import lab_binary as lab
from engine.binary_cost import binary_costs
from engine.findings import Analysis
from engine.host.protocol import BinaryMeasured, Failed
from engine.lab import Race
from engine.lab_binary import BinaryReport
from engine.network import Choice
from gui.document import Document
from gui.narrow import elide
from gui.panels.estimator_race import RacePage
from gui.panels.estimators import EstimatorsPage, SizePage
from gui.panels.panel import Panel
from gui.panels.signs import SignsPanel
from gui.selection import Selection
from gui.session import Session


class Asks(Protocol):
    """Who measures: the window's workers, or a test's."""

    answered: SignalInstance

    def binary_laboratory(self, run: str | None = None, race: int = 0, estimators: str | None = None) -> int:
        """Ask; the answer comes by `answered`."""
        ...


class BinaryLabPanel(Panel):
    """Everything about a network's straight-through estimators, live and after the run.

    Parameters
    ----------
    document
        What is measured, and what "Use" edits as one undo step.
    selection
        Where a click shows a layer.
    session
        The run whose signs are followed, and whose weights are measured.
    workers
        Asks the host: ``binary_laboratory``, and the signal ``answered(request, event)``.
    """

    #: Nothing is binarized, and the user wants it to be.
    binarize_wanted = Signal()

    def __init__(
        self,
        document: Document,
        selection: Selection,
        session: Session,
        workers: Asks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Binarization laboratory", "mdi6.contrast-circle", parent)
        self._document, self._selection, self._session, self._workers = document, selection, session, workers
        self._analysis = Analysis()
        self._request: int | None = None
        self.report: BinaryReport | None = None

        self.signs = SignsPanel(session, selection)
        self.estimators = EstimatorsPage()
        self.costs = SizePage()
        self.race = RacePage()
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        for page, title in (
            (self.signs, "Signs"),
            (self.estimators, "Estimators"),
            (self.costs, "Size and operations"),
            (self.race, "Race"),
        ):
            self.tabs.addTab(page, title)
        elide(self.tabs)
        self.signs.hide_menu()
        self.tabs.setCornerWidget(self.menu_button(self.signs.as_ridges), Qt.Corner.TopRightCorner)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.tabs)
        self.binarize = self.empty.offer("Binarize this network", self.binarize_wanted.emit)

        self.estimators.measure.clicked.connect(self.ask)
        self.estimators.found.connect(self._find)
        self.costs.found.connect(self._find)
        self.race.asked.connect(self._ask_race)
        self.race.used.connect(self._adopt)
        workers.answered.connect(self._answered)
        document.changed.connect(self._outdated)
        for signal in (session.observed, session.state_changed):
            signal.connect(self.request)
        self.refresh()

    # ------------------------------------------------------------------ asking

    def set_analysis(self, analysis: Analysis) -> None:
        """Take in what is known of the drawing: sizes, operations, and whether it could run."""
        self._analysis = analysis
        self.request()

    def ask(self) -> None:
        """Measure, with the weights of the run where there is one."""
        run = self._session.run if self._session.begun is not None else None
        self._request = self._workers.binary_laboratory(run)
        self.estimators.headline.setText("Measuring …")
        self._enable()

    def _ask_race(self, estimators: str, steps: int) -> None:
        self._request = self._workers.binary_laboratory(None, steps, estimators)
        self.race.told.setText("Racing …")
        self._enable()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        self._request = None
        if isinstance(event, Failed):
            self.estimators.headline.setText(event.message)
            self.race.told.setText(event.message)
        elif isinstance(event, BinaryMeasured):
            if event.report is not None:
                self.report = event.report
                self.estimators.show_report(event.report)
            if event.race is not None:
                self.race.show_race(event.race)
        self._enable()

    def _outdated(self, before: object, after: object) -> None:
        """The drawing moved on: the figures stay, and say so."""
        if self.report is not None and self._request is None:
            self.estimators.told.setText("Measured before the last change. Measure again.")
        self.request()

    def _enable(self) -> None:
        ready = self._request is None and self._analysis.runs
        self.estimators.measure.setEnabled(ready)
        self.race.set_ready(ready)

    @property
    def raced(self) -> Race | None:
        """The last race."""
        return self.race.raced

    # ------------------------------------------------------------------ adopting, finding

    def _adopt(self, estimator: str) -> None:
        network = lab.with_estimator(self._document.network, Choice(estimator))
        if network != self._document.network:
            self._document.edit(network, f"Binarize with {estimator}")

    def _find(self, path: str) -> None:
        words = path.split(".")
        self._selection.set([words[-1] if self._selection.block else words[0]])

    # ------------------------------------------------------------------ showing

    def refresh(self) -> None:
        """Show what there is to show."""
        run = self._session.network
        if not any(
            next(lab.binarized(network), None) is not None
            for network in (self._document.network, run)
            if network is not None
        ):
            self.binarize.setVisible(bool(self._document.network.nodes))
            self.show_empty(
                "Nothing is binarized here",
                "Choose an estimator for a layer's weight or input in the inspector, or binarize the whole "
                "network: its first and last layer stay real.",
            )
            return
        self.show_content()
        self._enable()
        self.costs.show_costs(binary_costs(self._document.network, self._analysis))
        if self.signs.isVisible():
            self.signs.request()

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.race.follow_theme()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """What the shown page is made of."""
        page = self.tabs.currentWidget()
        if page is self.signs:
            return self.signs.table()
        if page is self.race:
            losses = {} if self.raced is None else self.raced.losses
            names = ("step", *losses)
            return names, ((step, *row) for step, row in enumerate(zip(*losses.values(), strict=True), 1))
        rows = self.estimators.list.list.rows if page is self.estimators else self.costs.list.list.rows
        names = tuple(rows[0].__struct_fields__) if rows else ()
        return names, ([getattr(row, name) for name in names] for row in rows)
