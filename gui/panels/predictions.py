"""What the trained network makes of examples, and how well it does on each split."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListView,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.host.protocol import Confused, Evaluated, Failed, Predicted
from gui.asking import Asking
from gui.narrow import Pick, elide
from gui.panels.agreement import Agreement
from gui.panels.bar import Bar
from gui.panels.cards import CARD, CardDelegate, CardModel, doubt
from gui.panels.confusion import Confusion
from gui.panels.figures import SHARES, metric_title, percent, split_title
from gui.panels.panel import Empty, Panel
from gui.panels.series import figure
from gui.panels.words import Line
from gui.session import Session
from gui.theme import SPACE, theme

#: Examples that one page shows.
PAGE = 24

#: Most examples of a split that the confusion matrix asks for.
MOST = 5000

#: Most examples shown when the worst come first.
SHOWN = 200


class Answers(Protocol):
    """What the panel needs of the window's workers."""

    answered: Any

    def predict(
        self,
        run: str,
        split: str = ...,
        first: int = ...,
        count: int = ...,
        file: str | None = ...,
        pictures: bool = ...,
        step: int | None = ...,
    ) -> int:
        """Ask for predictions."""

    def evaluate(self, run: str) -> int:
        """Ask for figures per split."""


#: How examples are ordered: words, and whether the best come first (None: as the data have them).
ORDERS = (("In order", None), ("Worst first", False), ("Best first", True))


class PredictionsPanel(Panel):
    """Examples with what the network makes of them, the confusion matrix, and figures per split.

    While a run goes on, and when an earlier step is looked at, all follow: the examples by the weights
    that the run keeps, the matrix by the run's own validations. Of a run that has ended its best
    weights predict.

    Parameters
    ----------
    session
        The run.
    workers
        Asks the host: ``predict``, ``evaluate``, and the signal ``answered(request, event)``.
    """

    def __init__(self, session: Session, workers: Answers, parent: QWidget | None = None) -> None:
        super().__init__("Predictions", "mdi6.image-search-outline", parent)
        self._session = session
        self._workers = workers
        self._first = 0
        self._page: int | None = None
        self._whole: int | None = None
        self._figures: int | None = None
        self._run: str | None = None
        self._have = False
        #: Whether the run has ended since its best weights were asked.
        self._ended = False
        #: Why nothing was answered.
        self._trouble = ""
        self._all = Predicted(0, (), ())
        #: The step whose weights gave these; None: the best ones.
        self._all_of: int | None = None
        self._asked_of: int | None = None
        self._pictured = False
        #: The step whose weights the examples on show are predicted with; None: the best ones.
        self._step: int | None = None
        self._asking = Asking(self)

        self.split = Pick()
        self.split.setAccessibleName("Split")
        for split in ("validation", "train", "test"):
            self.split.addItem(split_title(split), split)
        self.previous = self._button("mdi6.chevron-left", "Examples before these")
        self.next = self._button("mdi6.chevron-right", "Examples after these")
        self.update_button = self._button("mdi6.refresh", "Ask the best weights so far again")
        self.status = Line()
        self.status.setProperty("role", "muted")

        #: That the data are not those of the run any more.
        self.note = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self.note.setProperty("role", "warning")
        self.note.setContentsMargins(2 * SPACE, 0, 2 * SPACE, SPACE)
        self.note.hide()

        self.cards = QListView()
        self.cards.setAccessibleName("Examples")
        self.cards.setViewMode(QListView.ViewMode.IconMode)
        self.cards.setResizeMode(QListView.ResizeMode.Adjust)
        self.cards.setMovement(QListView.Movement.Static)
        self.cards.setUniformItemSizes(True)
        self.model = CardModel(self.cards)
        self.cards.setModel(self.model)
        self.cards.setItemDelegate(CardDelegate(self.model, self.cards))
        self.cards.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.confusion = Confusion()
        self.agreement = Agreement()
        self._compare = QStackedWidget()
        self._compare.addWidget(self.confusion)
        self._compare.addWidget(self.agreement)
        self.order = Pick()
        self.order.setAccessibleName("Order of the examples")
        self.order.setToolTip("All examples of the split, by how much the right answer was expected")
        for words, best in ORDERS:
            self.order.addItem(words, best)
        self.figures = QTableWidget()
        self.figures.setAccessibleName("Figures per split")
        self.figures.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.figures.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.figures.setShowGrid(False)
        self.figures.setCornerButtonEnabled(False)
        self.figures.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setMinimumHeight(80)
        self.tabs.tabBar().setDrawBase(False)
        self.said = Empty("mdi6.image-search-outline")
        self._examples = QStackedWidget()
        self._examples.addWidget(self.cards)
        self._examples.addWidget(self.said)
        self.tabs.addTab(self._examples, "Examples")
        self.tabs.addTab(self._compare, "Confusion")
        self.measuring = Empty("mdi6.gauge")
        self.measuring.say(
            "No figures yet", "Every split is measured when the run has ended, or when you ask again."
        )
        self._measured = QStackedWidget()
        self._measured.addWidget(self.figures)
        self._measured.addWidget(self.measuring)
        self.tabs.addTab(self._measured, "Figures")
        elide(self.tabs)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(Bar(self.split, self.order, None, self.menu_button()))
        where = QHBoxLayout()
        where.setContentsMargins(2 * SPACE, 0, 2 * SPACE, 0)
        where.addWidget(self.status, 1)
        for button in (self.update_button, self.previous, self.next):
            where.addWidget(button)
        column.addLayout(where)
        column.addWidget(self.note)
        column.addWidget(self.tabs, 1)
        self.split.currentIndexChanged.connect(self._split_changed)
        self.previous.clicked.connect(lambda: self._turn(-PAGE))
        self.next.clicked.connect(lambda: self._turn(PAGE))
        self.update_button.clicked.connect(self.ask)
        self.order.currentIndexChanged.connect(self._order)
        self.tabs.currentChanged.connect(self._follow)
        workers.answered.connect(self._answered)
        session.state_changed.connect(self._state_changed)
        session.started.connect(self.request)
        session.confused.connect(self.request)
        session.sought.connect(self._follow)
        session.weights_kept.connect(self._follow)
        self._asking.due.connect(self._ask_again)
        self.follow_theme()
        self.flush()

    def _button(self, icon: str, hint: str) -> QToolButton:
        button = QToolButton()
        button.setProperty("icon_name", icon)
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        return button

    # ------------------------------------------------------------------ asking

    def ask(self) -> None:
        """Ask for the page, for the whole split and for the figures, of the best weights as they are."""
        run = self._session.run
        if run is None:
            return
        self._first = 0
        self._ended = False
        self._step = self._session.weights_step()
        self._ask_whole(run)
        self._figures = self._workers.evaluate(run)
        self._ask_page()

    def _follow(self, *_: object) -> None:
        """Other weights belong to what is looked at: ask them, as soon as that is fair."""
        self.request()
        wanted = self._session.weights_step()
        behind = wanted != self._step or (self._compares and wanted != self._all_of)
        if self.in_view and behind and (self._have or self._session.active):
            ask = self._asking.soon if self._session.at is None else self._asking.at_once
            ask()

    def _ask_again(self) -> None:
        if not self.in_view or self._page is not None or self._whole is not None:
            return  # what is owed comes first; its answer asks again
        self._step = self._session.weights_step()
        if self.ordered:
            self._ask_page()
        if self._session.run is not None and (self._compares or not self.ordered):
            self._asking.asked()
            self._ask_whole(self._session.run)

    @property
    def _compares(self) -> bool:
        """Whether all answers are compared with what is right, for want of a validation that was."""
        return self.tabs.currentWidget() is self._compare and self._validated() is None

    def _validated(self) -> Confused | None:
        """The run's own matrix of what is looked at."""
        session = self._session
        told = session.confusion() if self.split.currentData() == "validation" else None
        return told if session.active or session.at is not None or not self._all.predictions else None

    @property
    def ordered(self) -> bool:
        """Whether the examples stand as the data have them."""
        return self.order.currentData() is None

    def _ask_whole(self, run: str) -> None:
        self._asked_of = self._step
        # Pictures of thousands of examples are worth asking for only where some are shown.
        self._whole = self._workers.predict(
            run,
            split=self.split.currentData(),
            first=0,
            count=MOST,
            pictures=not self.ordered,
            step=self._step,
        )

    def _ask_page(self) -> None:
        run = self._session.run
        if run is not None:
            self._asking.asked()
            self._page = self._workers.predict(
                run, split=self.split.currentData(), first=self._first, count=PAGE, step=self._step
            )
        self._enable()

    def _turn(self, by: int) -> None:
        self._first = max(0, self._first + by)
        self._ask_page()

    def _split_changed(self, *_: object) -> None:
        if self._have:
            self.ask()

    def _state_changed(self, state: str) -> None:
        if self._session.run != self._run:
            self._run = self._session.run
            self._have = False
            self._page = self._whole = self._figures = self._step = self._asked_of = None
            self.model.show_predicted(Predicted(0, (), ()))
            self._show_whole(Predicted(0, (), ()))
            self._show_figures({})
            self._trouble = ""
            self.status.say("")
            self.note.hide()
        self._ended = state in ("finished", "stopped")
        if self._ended and self.in_view:
            self.ask()
        self.request()

    def _answered(self, request: int, event: object) -> None:
        if request not in (self._page, self._whole, self._figures):
            return
        if isinstance(event, Failed):
            self._trouble = event.message
            self.status.say(event.message)
        elif isinstance(event, Predicted) and request == self._page:
            self._show_page(event)
        elif isinstance(event, Predicted):
            self._show_whole(event)
        elif isinstance(event, Evaluated):
            self._show_figures(event.splits)
        if isinstance(event, Predicted | Evaluated):
            self.note.setText(event.note)
            self.note.setVisible(bool(event.note))
        if not isinstance(event, Failed):
            self._have, self._trouble = True, ""
        if request != self._figures:
            self._asking.answered()
            self._page = None if request == self._page else self._page
            self._whole = None if request == self._whole else self._whole
            if not isinstance(event, Failed):
                self._follow()
        self.request()

    def _show_whole(self, predicted: Predicted) -> None:
        """Compare all answers of the split with their targets: counts of classes, or values."""
        self._all, self._all_of = predicted, self._asked_of
        self._pictured = not self.ordered
        values = any(e.predicted is None and e.target is not None for e in predicted.predictions)
        self.tabs.setTabText(1, "Agreement" if values else "Confusion")
        elide(self.tabs)
        self._compare.setCurrentWidget(self.agreement if values else self.confusion)
        self.agreement.show_predicted(predicted)
        if not self.ordered:
            self._order()

    def _order(self, *_: object) -> None:
        """Show the worst or best examples of the split, or the page in the data's order."""
        if self.ordered:
            self._ask_page()
            return
        run = self._session.run
        if run is not None and self._all.predictions and not self._pictured:
            self._pictured = True
            self._ask_whole(run)
        known = [example for example in self._all.predictions if example.target is not None]
        best = bool(self.order.currentData())
        ranked = tuple(sorted(known, key=doubt, reverse=not best)[:SHOWN])
        self.model.show_predicted(Predicted(0, self._all.classes, ranked))
        self._tell(f"the {'best' if best else 'worst'} {len(ranked)} of {len(known):,}", self._all.weights)
        self._enable()

    def _tell(self, words: str, note: str) -> None:
        """Say which examples these are, and whose weights predict."""
        told = f"{words} · {note}" if note else words
        self.status.say(told[:1].upper() + told[1:])

    def _show_page(self, predicted: Predicted) -> None:
        if not self.ordered:
            return
        self.model.show_predicted(predicted)
        count = len(predicted.predictions)
        if count:
            indices = [example.index for example in predicted.predictions]
            self._tell(f"{indices[0] + 1:,} – {indices[-1] + 1:,}", predicted.weights)
        else:
            self.status.say("No more examples" if self._first else "No examples in this split")
        self._enable()

    def _show_figures(self, splits: Mapping[str, Mapping[str, float]]) -> None:
        names = list(dict.fromkeys(name for values in splits.values() for name in values))
        self.figures.setRowCount(len(splits))
        self.figures.setColumnCount(len(names))
        self.figures.setHorizontalHeaderLabels([metric_title(name) for name in names])
        self.figures.setVerticalHeaderLabels([split_title(split) for split in splits])
        for row, values in enumerate(splits.values()):
            for column, name in enumerate(names):
                value = values.get(name)
                text = "" if value is None else percent(value) if name in SHARES else figure(value)
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                self.figures.setItem(row, column, item)

    def _enable(self) -> None:
        ordered = self.ordered
        self.previous.setEnabled(ordered and self._first > 0)
        self.next.setEnabled(ordered and len(self.model.predicted.predictions) == PAGE)

    # ------------------------------------------------------------------ showing

    def refresh(self) -> None:
        """Show content once there is a run to ask."""
        if self._session.run is None:
            self.show_empty(
                "No predictions yet", "Press Train (F5), then see here what the network makes of examples."
            )
        elif not self._have and self._session.state in ("starting", "failed"):
            self.show_empty(
                "No predictions yet", self._session.message or "The first best weights are on their way."
            )
        else:
            self.show_content()
            self._show_confusion()
            # An answer may be that there are none; until there is one, it is awaited.
            owed = not self._have or (self._page is not None and not self.model.rowCount())
            self._examples.setCurrentWidget(self.said if owed else self.cards)
            self._measured.setCurrentWidget(self.figures if self.figures.rowCount() else self.measuring)
            if self._trouble:
                self.said.say("Nothing to be seen", self._trouble)
            elif self._session.active and self._session.weights_step() is None:
                self.said.say("Waiting for weights", "Examples are predicted with those that the run keeps.")
            else:
                self.said.say("Asking the network …", "The data are read first; a large set takes a moment.")
            if self._have or self._trouble or self._page is not None:
                return
            if not self._session.active:
                self.ask()
            elif self._session.weights_step() != self._step:
                self._asking.soon()

    def _show_confusion(self) -> None:
        """The matrix of the validation that belongs to what is looked at, else that of all answers."""
        session, live = self._session, self._validated()
        if live is not None:
            size = math.isqrt(len(live.counts))
            counts = np.asarray(live.counts, dtype=np.int64).reshape(size, size)
            self.confusion.show_counts(counts, live.classes, f"validation at step {live.step:,}")
        elif session.at is None or self._all_of == session.weights_step():
            self.confusion.show_predicted(self._all)
        else:  # what came later is none of this step's
            step = session.weights_step()
            whose = "best weights" if step is None else f"weights of step {step:,}"
            self.confusion.show_counts(np.zeros((0, 0), dtype=np.int64), (), f"Asking the {whose} …")

    def come_into_view(self) -> None:
        """Ask what was not asked while it was not seen."""
        super().come_into_view()
        if self._ended:
            self.ask()
        else:
            self._follow()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit to the room."""
        super().resizeEvent(event)
        room = self.width() - 24  # for the scroll bar
        across = max(1, room // CARD.width())
        self.cards.setGridSize(QSize(room // across, CARD.height()))

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for button in (self.previous, self.next, self.update_button):
            button.setIcon(theme.icon(str(button.property("icon_name"))))
        for page in (self.said, self.measuring):
            page.follow_theme()
        self.cards.viewport().update()
        self.confusion.update()
        self.agreement.follow_theme()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """What the chosen page shows: examples, counts by class and answer, or figures by split."""
        if self.tabs.currentWidget() is self._measured:
            return _cells(self.figures)
        if self.tabs.currentWidget() is self._compare and self._compare.currentWidget() is self.confusion:
            counts, classes = self.confusion.counts, self.confusion.classes
            return ("target", *classes), (
                (name, *row) for name, row in zip(classes, counts.tolist(), strict=True)
            )
        whole = self._all if self.tabs.currentWidget() is self._compare else self.model.predicted
        return ("index", "target", "predicted", "probabilities", "outputs"), (
            (
                example.index,
                self.model.target(example),
                self.model.answer(example),
                " ".join(map(str, example.probabilities)),
                " ".join(map(str, example.outputs)),
            )
            for example in whole.predictions
        )


def _cells(table: QTableWidget) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    """A table's words as they stand."""

    def text(item: QTableWidgetItem | None) -> str:
        return "" if item is None else item.text()

    columns, rows = range(table.columnCount()), range(table.rowCount())
    return ("split", *(text(table.horizontalHeaderItem(i)) for i in columns)), (
        (text(table.verticalHeaderItem(row)), *(text(table.item(row, i)) for i in columns)) for row in rows
    )
