"""Values beside a chart's title: words in colours, drawn as they are.

A label of rich text would parse them anew at each step, and have the whole panel laid out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from gui.theme import SPACE, theme


class Word(NamedTuple):
    """A piece of what is said."""

    text: str
    #: Token of its colour.
    color: str = "text"
    strong: bool = False
    #: More room follows.
    last: bool = False


class Readout(QWidget):
    """Words in a row, at the right; what has no room at the left is left to the tool tip."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.words: tuple[Word, ...] = ()
        self._of = ""
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)

    def sizeHint(self) -> QSize:
        """One line, as wide as there is room."""
        return QSize(120, self.fontMetrics().height())

    def show_words(self, words: Sequence[Word], of: str = "") -> None:
        """Show these; `of`: what they are of, for the tool tip."""
        if (tuple(words), of) != (self.words, self._of):
            self.words, self._of = tuple(words), of
            self.setAccessibleDescription(self.text())
            self.setToolTip(f"{self.text()}\n{of}".strip())
            self.update()

    def text(self) -> str:
        """All of it, for tests and screen readers."""
        return " ".join(word.text for word in self.words)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the words, from the right to the left."""
        painter = QPainter(self)
        fonts = {False: self.font(), True: QFont(self.font())}
        fonts[True].setBold(True)
        metrics = {strong: QFontMetricsF(font) for strong, font in fonts.items()}
        plain = metrics[False]
        base = (self.height() + plain.ascent() - plain.descent()) / 2
        x = float(self.width())
        for number, group in enumerate(reversed(_groups(self.words))):
            wide = [metrics[word.strong].horizontalAdvance(word.text) for word in group]
            x -= sum(wide) + plain.horizontalAdvance(" ") * (len(group) - 1) + (3 * SPACE if number else 0)
            if x < 0 and number:
                break  # half a value says nothing
            at = x
            for word, room in zip(group, wide, strict=True):
                painter.setFont(fonts[word.strong])
                painter.setPen(theme.color(word.color))
                painter.drawText(QPointF(at, base), word.text)
                at += room + plain.horizontalAdvance(" ")


def _groups(words: Sequence[Word]) -> list[list[Word]]:
    """What belongs together: a dot, a name, a value."""
    groups: list[list[Word]] = [[]]
    for word in words:
        groups[-1].append(word)
        if word.last:
            groups.append([])
    return [group for group in groups if group]
