"""Examples as cards: the picture, the likeliest classes as bars, right or wrong as an edge."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from engine.host.protocol import Predicted, Prediction
from gui.panels.figures import percent
from gui.panels.series import figure
from gui.plain import tip
from gui.theme import TYPE, theme

Index = QModelIndex | QPersistentModelIndex

#: Likeliest classes listed with an example.
LISTED = 3

#: The least size of an example's card.
CARD = QSize(168, 88)


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
        font.setPixelSize(TYPE[0])
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
            share = float(shares[number])
            track.setWidth(max(1, round(room * share)) if math.isfinite(share) else 1)
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
