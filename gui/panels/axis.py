"""An axis of numbers only, drawn at a tenth of what pyqtgraph's own takes for each new range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QFont, QPainter

from gui.panels.series import figure
from gui.theme import TYPE

#: Pixels of an axis' type.
AXIS_TYPE = TYPE[0]

#: Pixels between the axis and its numbers.
APART = 6

#: Texts whose sizes are kept.
KEPT = 500


class Axis(pg.AxisItem):  # type: ignore[misc]
    """An axis at the left or the bottom: no line, no ticks, no unit factors such as "(x1e-05)".

    With `log`, positions are powers of ten.
    """

    def __init__(self, orientation: str, count: int) -> None:
        super().__init__(orientation, maxTickLength=0)
        self.format: Callable[[float], str] = figure
        self.log = False
        #: Whether it counts whole things, such as steps.
        self.whole = False
        self._count = count
        self._sizes: dict[str, QSizeF] = {}
        self.enableAutoSIPrefix(False)
        self.setStyle(tickTextOffset=APART, hideOverlappingLabels=True, autoExpandTextSpace=True)
        font = QFont()
        font.setPixelSize(AXIS_TYPE)
        self.setTickFont(font)

    def tickValues(self, least: float, most: float, size: float) -> list[tuple[float, list[float]]]:
        """Round positions, as many as have room."""
        if not (math.isfinite(least) and math.isfinite(most) and most > least):
            return []
        room = max(3.0 if self.orientation == "left" else 1.5, size / self._count)
        if not self.log:
            return [_even(least, most, min(room, most - least) if self.whole else room)]
        if most - least < 0.7:  # within a decade: round values
            step, values = _even(10.0**least, 10.0**most, room)
            return [(step, [math.log10(value) for value in values if value > 0])]
        step = float(max(1, math.ceil((most - least) / room)))
        first, last = math.floor(least / step), math.ceil(most / step)
        marks = (1, 2, 5) if 3 * (most - least) <= room else (1, 3) if 2 * (most - least) <= room else (1,)
        places = [i * step + math.log10(m) for i in range(first, last + 1) for m in marks]
        return [(step, [place for place in places if least <= place <= most])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """The numbers as text."""
        return [self.format(10.0**value if self.log else value) for value in values]

    def generateDrawSpecs(self, painter: QPainter) -> tuple[None, None, list[tuple[QRectF, str]]] | None:
        """Where each number stands: beside its place, and wholly within the axis."""
        room = self.mapRectFromParent(self.geometry())
        left = self.orientation == "left"
        length = room.height() if left else room.width()
        least, most = self.range
        if length <= 0 or most == least:
            return None
        painter.setFont(self.style["tickFont"])
        found, largest = [], 0.0
        for _, values in self.tickValues(least, most, length + 2):
            for value, text in zip(values, self.tickStrings(values, 1.0, 1.0), strict=True):
                size = self._size(painter, text)
                share = (value - least) / (most - least) * length
                if left:
                    rect = QRectF(
                        room.right() - APART - size.width(),
                        room.bottom() - share - size.height() / 2,
                        size.width(),
                        size.height(),
                    )
                else:
                    rect = QRectF(
                        room.left() + share - size.width() / 2,
                        room.top() + APART,
                        size.width(),
                        size.height(),
                    )
                largest = max(largest, size.width() if left else size.height())
                if room & rect == rect:  # contains() stumbles over rounding
                    found.append((rect, text))
        self._updateMaxTextSize(largest)
        return None, None, found

    def _size(self, painter: QPainter, text: str) -> QSizeF:
        if text not in self._sizes:
            if len(self._sizes) > KEPT:
                self._sizes.clear()
            around = painter.boundingRect(QRectF(0, 0, 100, 100), Qt.AlignmentFlag.AlignCenter, text)
            self._sizes[text] = QSizeF(around.width(), 0.8 * around.height())  # digits have no descenders
        return self._sizes[text]

    def drawPicture(
        self, painter: QPainter, _line: Any, _ticks: Any, texts: list[tuple[QRectF, str]]
    ) -> None:
        """Draw the numbers."""
        middle = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        top = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        flags = int((middle if self.orientation == "left" else top) | Qt.TextFlag.TextDontClip)
        painter.setPen(self.textPen())
        for rect, text in texts:
            painter.drawText(rect, flags, text)


def _even(least: float, most: float, room: float) -> tuple[float, list[float]]:
    """Round numbers from `least` to `most` in even steps, about `room` of them."""
    raw = (most - least) / room
    base = float(10 ** math.floor(math.log10(raw)))
    step = next(base * nice for nice in (1, 2, 5, 10) if base * nice >= raw * 0.999)
    first, last = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9)
    return step, [index * step for index in range(first, min(last, first + 100) + 1)]
