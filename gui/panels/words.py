"""A line of text that says so where there is no room for all of it."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QLabel, QWidget

from gui.plain import tip


class Line(QLabel):
    """One line of plain text, cut with an ellipsis; pointed at, it says the whole.

    What :attr:`tail` says stays whole: the figure behind a title.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setMinimumWidth(1)
        self.tail = ""

    def say(self, text: str, tail: str = "") -> None:
        """Set the text, and what stands behind it."""
        self.tail = tail
        whole = f"{text}  {tail}" if tail else text
        if whole != self.text():
            self.setText(whole)
            self.setToolTip(tip(whole))

    def shown(self) -> str:
        """What there is room for."""
        room, metrics = self.contentsRect().width(), self.fontMetrics()
        whole = self.text()
        if not self.tail or metrics.horizontalAdvance(whole) <= room:
            return metrics.elidedText(whole, Qt.TextElideMode.ElideRight, room)
        tail = f"  {self.tail}"
        head = whole.removesuffix(tail)
        left = room - metrics.horizontalAdvance(tail)
        return metrics.elidedText(head, Qt.TextElideMode.ElideRight, max(left, 0)) + tail

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw what there is room for."""
        painter = QPainter(self)
        rect: QRect = self.contentsRect()
        self.style().drawItemText(
            painter,
            rect,
            int(self.alignment() | Qt.AlignmentFlag.AlignVCenter),
            self.palette(),
            self.isEnabled(),
            self.shown(),
            QPalette.ColorRole.WindowText,
        )
