"""What the trained network makes of examples, and how well it does on each split."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QAction, QImage, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHeaderView,
    QLabel,
    QListView,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.host.protocol import Evaluated, Failed, Predicted, Prediction
from gui.panels.agreement import Agreement
from gui.panels.confusion import Confusion
from gui.panels.curves import SHARES, percent, split_title
from gui.panels.panel import Panel, bar
from gui.panels.series import figure
from gui.plain import tip
from gui.session import Session
from gui.theme import SPACE, theme

Index = QModelIndex | QPersistentModelIndex

#: Examples that one page shows.
PAGE = 24

#: Most examples of a split that the confusion matrix asks for.
MOST = 5000

#: Most examples shown when the worst come first.
SHOWN = 200

#: Likeliest classes listed with an example.
LISTED = 3

#: The least size of an example's card.
CARD = QSize(168, 88)


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
    ) -> int:
        """Ask for predictions."""

    def evaluate(self, run: str) -> int:
        """Ask for figures per split."""


class CardModel(QAbstractListModel):
    """The examples of one answer."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.predicted = Predicted(0, (), ())

    def show_predicted(self, predicted: Predicted) -> None:
        """Show these."""
        self.beginResetModel()
        self.predicted = predicted
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Examples."""
        return 0 if parent.isValid() else len(self.predicted.predictions)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The example in words, for tool tips and screen readers; the card is painted."""
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            words = self.words(self.predicted.predictions[index.row()])
            return tip(words) if role == Qt.ItemDataRole.ToolTipRole else words
        return None

    def words(self, example: Prediction) -> str:
        """One example in words."""
        told = f"Example {example.index}: predicted {self.answer(example)}"
        return told if example.target is None else f"{told}, target {self.target(example)}"

    def label(self, number: int) -> str:
        """A class' name."""
        classes = self.predicted.classes
        return classes[number] if 0 <= number < len(classes) else str(number)

    def answer(self, example: Prediction) -> str:
        """What the network says."""
        if example.predicted is not None:
            return self.label(example.predicted)
        return ", ".join(figure(value) for value in example.outputs[:LISTED])

    def target(self, example: Prediction) -> str:
        """What is right."""
        if example.target is None:
            return ""
        return self.label(int(example.target)) if example.predicted is not None else figure(example.target)


class CardDelegate(QStyledItemDelegate):
    """Paints an example: its picture, the likeliest classes as bars, right or wrong as an edge."""

    def __init__(self, model: CardModel, cards: QListView) -> None:
        super().__init__(cards)
        self._model = model
        self._cards = cards

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All cards are alike, and fill their row."""
        return self._cards.gridSize().expandedTo(CARD)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one card."""
        example = self._model.predicted.predictions[index.row()]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        card = option.rect.adjusted(2, 2, -2, -2)
        painter.setPen(theme.color("line"))
        painter.setBrush(theme.color("surface"))
        painter.drawRoundedRect(card, 6, 6)
        if example.predicted is not None and example.target is not None:
            right = example.predicted == int(example.target)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("good" if right else "error"))
            painter.drawRoundedRect(card.left() + 3, card.top() + 8, 3, card.height() - 16, 1.5, 1.5)
        left = card.left() + 12
        picture = image_of(example)
        if picture is not None:
            side = card.height() - 16
            scaled = picture.scaled(
                side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
            )
            painter.drawImage(left, card.top() + 8, scaled)
            left += side + 8
        self._paint_answer(
            painter, QRect(left, card.top() + 6, card.right() - left - 6, card.height() - 12), example
        )
        painter.restore()

    def _paint_answer(self, painter: QPainter, area: QRect, example: Prediction) -> None:
        font = painter.font()
        font.setPixelSize(12)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        align = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

        def write(line: int, text: str, color: str, indent: int = 0, width: int | None = None) -> QRect:
            rect = QRect(area.left() + indent, area.top() + line * 18, (width or area.width()) - indent, 18)
            painter.setPen(theme.color(color))
            painter.drawText(rect, align, metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width()))
            return rect

        if not example.probabilities:
            write(0, self._model.answer(example), "text")
            if example.target is not None:
                write(1, f"target {self._model.target(example)}", "muted")
            return
        shares = np.asarray(example.probabilities)
        best = np.argsort(-shares, kind="stable")[:LISTED]
        wrong = example.target is not None and example.predicted != int(example.target)
        if wrong:
            best = best[: LISTED - 1]
        widest = min(
            max(metrics.horizontalAdvance(self._model.label(int(number))) for number in best),
            area.width() // 2,
        )
        for line, number in enumerate(best):
            write(line, self._model.label(int(number)), "text", width=widest + 1)
            room = area.width() - widest - 8
            track = QRect(area.left() + widest + 8, area.top() + line * 18 + 6, room, 6)
            painter.fillRect(track, theme.color("raised"))
            right = example.target is not None and number == int(example.target)
            track.setWidth(max(1, round(room * float(np.nan_to_num(shares[number])))))
            painter.fillRect(
                track, theme.color("good" if right else "error" if wrong and line == 0 else "accent")
            )
        if wrong:
            write(LISTED - 1, f"is {self._model.target(example)}", "error")
        write(LISTED, percent(float(shares[best[0]])), "muted")


def doubt(example: Prediction) -> float:
    """How wrong an example is: minus log of the right class' probability, or the squared error."""
    assert example.target is not None
    if example.probabilities:
        share = example.probabilities[int(example.target)]
        return -math.log(share) if share > 0 else math.inf
    error = (example.outputs[0] - example.target) ** 2
    return error if math.isfinite(error) else math.inf


def image_of(example: Prediction) -> QImage | None:
    """The example's picture, or None where it has none that can be shown."""
    shape = tuple(size for size in example.picture_shape)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3 or shape[2] not in (1, 3) or len(example.picture) != int(np.prod(shape)):
        return None
    height, width, channels = shape
    kind = QImage.Format.Format_Grayscale8 if channels == 1 else QImage.Format.Format_RGB888
    # Copied, because QImage only borrows the bytes.
    return QImage(example.picture, width, height, width * channels, kind).copy()


class PredictionsPanel(Panel):
    """Examples with what the network makes of them, the confusion matrix, and figures per split.

    Parameters
    ----------
    session
        Its run's best weights predict.
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
        self._all = Predicted(0, (), ())
        self._pictured = False

        self.split = QComboBox()
        self.split.setAccessibleName("Split")
        for split in ("validation", "train", "test"):
            self.split.addItem(split_title(split), split)
        self.previous = self._button("mdi6.chevron-left", "Examples before these")
        self.next = self._button("mdi6.chevron-right", "Examples after these")
        self.update_button = self._button("mdi6.refresh", "Ask the best weights so far again")
        self.status = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.status.setProperty("role", "muted")
        self.status.setMinimumWidth(1)

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
        self.worst = QAction("Worst examples first", self, checkable=True)
        self.worst.setToolTip("All examples of the split, by how little the right answer was expected")
        self.figures = QTableWidget()
        self.figures.setAccessibleName("Figures per split")
        self.figures.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.figures.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.figures.setShowGrid(False)
        self.figures.setCornerButtonEnabled(False)
        self.figures.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        self.tabs.addTab(self.cards, "Examples")
        self.tabs.addTab(self._compare, "Confusion")
        self.tabs.addTab(self.figures, "Figures")
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(
            bar(
                self.split,
                self.previous,
                self.next,
                self.update_button,
                self.status,
                None,
                self.menu_button(),
            )
        )
        column.addWidget(self.note)
        column.addWidget(self.tabs, 1)
        self.split.currentIndexChanged.connect(self._split_changed)
        self.previous.clicked.connect(lambda: self._turn(-PAGE))
        self.next.clicked.connect(lambda: self._turn(PAGE))
        self.update_button.clicked.connect(self.ask)
        self.worst.toggled.connect(self._order)
        workers.answered.connect(self._answered)
        session.state_changed.connect(self._state_changed)
        session.started.connect(self.request)
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
        self._ask_whole(run)
        self._figures = self._workers.evaluate(run)
        self._ask_page()

    def _ask_whole(self, run: str) -> None:
        # Pictures of thousands of examples are worth asking for only where some are shown.
        self._whole = self._workers.predict(
            run, split=self.split.currentData(), first=0, count=MOST, pictures=self.worst.isChecked()
        )

    def _ask_page(self) -> None:
        run = self._session.run
        if run is not None:
            self.status.setText("Asking …")
            self._page = self._workers.predict(
                run, split=self.split.currentData(), first=self._first, count=PAGE
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
            self._page = self._whole = self._figures = None
            self.model.show_predicted(Predicted(0, (), ()))
            self._show_whole(Predicted(0, (), ()))
            self._show_figures({})
            self.status.setText("")
            self.note.hide()
        if state in ("finished", "stopped") and self.isVisible():
            self.ask()
        self.request()

    def _answered(self, request: int, event: object) -> None:
        if request not in (self._page, self._whole, self._figures):
            return
        if isinstance(event, Failed):
            self.status.setText(event.message)
            self.status.setToolTip(tip(event.message))
        elif isinstance(event, Predicted) and request == self._page:
            self._show_page(event)
        elif isinstance(event, Predicted):
            self._show_whole(event)
        elif isinstance(event, Evaluated):
            self._show_figures(event.splits)
        if isinstance(event, Predicted | Evaluated):
            self.note.setText(event.note)
            self.note.setVisible(bool(event.note))
        self._have = self._have or not isinstance(event, Failed)
        self.request()

    def _show_whole(self, predicted: Predicted) -> None:
        """Compare all answers of the split with their targets: counts of classes, or values."""
        self._all = predicted
        self._pictured = self.worst.isChecked()
        values = any(e.predicted is None and e.target is not None for e in predicted.predictions)
        self.tabs.setTabText(1, "Agreement" if values else "Confusion")
        self._compare.setCurrentWidget(self.agreement if values else self.confusion)
        self.confusion.show_predicted(predicted)
        self.agreement.show_predicted(predicted)
        if self.worst.isChecked():
            self._order()

    def _order(self, *_: object) -> None:
        """Show the worst examples of the split, or the page in the data's order."""
        if not self.worst.isChecked():
            self._ask_page()
            return
        run = self._session.run
        if run is not None and self._all.predictions and not self._pictured:
            self._pictured = True
            self._ask_whole(run)
        known = [example for example in self._all.predictions if example.target is not None]
        ranked = tuple(sorted(known, key=doubt, reverse=True)[:SHOWN])
        self.model.show_predicted(Predicted(0, self._all.classes, ranked))
        self.status.setText(f"The worst {len(ranked)} of {len(known):,}")
        self._enable()

    def _show_page(self, predicted: Predicted) -> None:
        if self.worst.isChecked():
            return
        self.model.show_predicted(predicted)
        count = len(predicted.predictions)
        self.status.setToolTip("")
        if count:
            indices = [example.index for example in predicted.predictions]
            self.status.setText(f"{indices[0] + 1:,} – {indices[-1] + 1:,}")
        else:
            self.status.setText("No more examples" if self._first else "No examples in this split")
        self._enable()

    def _show_figures(self, splits: Mapping[str, Mapping[str, float]]) -> None:
        names = list(dict.fromkeys(name for values in splits.values() for name in values))
        self.figures.setRowCount(len(splits))
        self.figures.setColumnCount(len(names))
        self.figures.setHorizontalHeaderLabels([name[:1].upper() + name[1:] for name in names])
        self.figures.setVerticalHeaderLabels([split_title(split) for split in splits])
        for row, values in enumerate(splits.values()):
            for column, name in enumerate(names):
                value = values.get(name)
                text = "" if value is None else percent(value) if name in SHARES else figure(value)
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                self.figures.setItem(row, column, item)

    def _enable(self) -> None:
        ordered = not self.worst.isChecked()
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
            if not self._have and not self.status.text():
                if self._session.active:
                    self.status.setText("Press ⟳ to ask the best weights so far")
                else:
                    self.ask()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit to the room."""
        super().resizeEvent(event)
        self.status.setVisible(self.width() >= 360)
        room = self.width() - 24  # for the scroll bar
        across = max(1, room // CARD.width())
        self.cards.setGridSize(QSize(room // across, CARD.height()))

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for button in (self.previous, self.next, self.update_button):
            button.setIcon(theme.icon(str(button.property("icon_name"))))
        self.cards.viewport().update()
        self.confusion.update()
        self.agreement.follow_theme()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """The examples of the page."""
        return ("index", "target", "predicted", "probabilities", "outputs"), (
            (
                example.index,
                self.model.target(example),
                self.model.answer(example),
                " ".join(map(str, example.probabilities)),
                " ".join(map(str, example.outputs)),
            )
            for example in self.model.predicted.predictions
        )
