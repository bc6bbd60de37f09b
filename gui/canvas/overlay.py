"""What is painted over cards while a network trains: a colour, a figure and its history per node."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from gui.canvas import card, look
from gui.canvas.levels import COARSE, MIDDLE, NEAR

#: The figure's size on a card's lower edge by level of detail, in scene units: it is read at each.
SIZES = {NEAR: 11, MIDDLE: 20, COARSE: 34}
#: Width of the history inside the tag.
HISTORY = 44.0


@dataclass(frozen=True)
class Mark:
    """What one node's card shows of a measure."""

    #: ``"#rrggbb"``: the card's tint, its border and its colour from far away.
    color: str
    #: The figure, short: ``"0.31"``. Empty: the colour alone.
    text: str = ""
    #: The last values, oldest first, drawn as a line beside the figure.
    history: tuple[float, ...] = ()
    #: A sentence for the tooltip.
    tip: str = ""
    #: Whether the node's wires take its colour too.
    wires: bool = True


def tint(mark: Mark, tools: look.Look) -> QColor:
    """A card's ground under `mark`."""
    return look.mixed(QColor(mark.color), tools.surface, 0.22 if tools.dark else 0.16)


def written(text: str, detail: int) -> tuple[str, int]:
    """A tag's words and their size: smaller before they are cut, for half a figure is another one."""
    size = SIZES.get(detail, SIZES[NEAR])
    room = card.WIDTH - 20 - 16.0 * size / SIZES[NEAR] if detail == COARSE else 80.0
    wide = look.metrics(size).horizontalAdvance(text)
    if wide > room:
        size = max(SIZES[NEAR], int(size * room / wide))
    return look.elided(text, size, room), size


def paint(
    painter: QPainter, mark: Mark, height: float, tools: look.Look, detail: int, border: bool = True
) -> None:
    """Draw the border, where nothing else is said with it, and the tag on the card's lower edge.

    The history only where it has room beside the figure, and is large enough to be seen.
    """
    color = QColor(mark.color)
    if border:
        painter.setPen(QPen(color, 1.0 + look.BORDERS.get(detail, 1.0)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(look.card_path(height))
    drawn = len(mark.history) > 1 and detail != COARSE
    if not mark.text and not drawn:
        return
    words, size = written(mark.text, detail)
    tag, inset = size + 7.0, 8.0 * size / SIZES[NEAR]
    text_width = look.metrics(size).horizontalAdvance(words) if words else 0.0
    line_width = HISTORY + 6 if drawn else 0.0
    width = text_width + line_width + 2 * inset
    box = QRectF(card.WIDTH - 10 - width, height - 4, width, tag)
    painter.setBrush(tools.surface)
    painter.setPen(QPen(color, 1.25))
    painter.drawRoundedRect(box, tag / 2, tag / 2)
    painter.setPen(tools.text)
    painter.setFont(look.font(size))
    row = QRectF(box.left() + inset, box.top(), text_width + 1, tag)
    painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
    if drawn:
        left = box.left() + inset + text_width + (6 if words else 0)
        painter.setPen(QPen(color, 1.25))
        painter.drawPolyline(_line(mark.history, QRectF(left, box.top() + 4, HISTORY, tag - 8)))


def _line(history: tuple[float, ...], box: QRectF) -> QPolygonF:
    finite = [value for value in history if value - value == 0]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    span = (high - low) or 1.0
    step = box.width() / (len(history) - 1)
    return QPolygonF(
        [
            QPointF(box.left() + number * step, box.bottom() - (value - low) / span * box.height())
            for number, value in enumerate(history)
            if value - value == 0
        ]
    )
