"""How many examples each class has, as bars."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QScrollArea, QWidget

from gui.theme import SPACE, theme

ROW = 20
#: Widest that names of classes are shown.
NAMES = 140


class _Bars(QWidget):
    """The bars themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.balance: Mapping[str, tuple[int, int, int]] = {}
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """A row for each class."""
        return QSize(300, ROW * len(self.balance) + 2 * SPACE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows that are to be seen."""
        if not self.balance:
            return
        painter = QPainter(self)
        metrics = painter.fontMetrics()
        left = min(NAMES, max(metrics.horizontalAdvance(name) for name in self.balance)) + 3 * SPACE
        most = max(sum(counts) for counts in self.balance.values()) or 1
        room = max(20, self.width() - left - metrics.horizontalAdvance("000,000") - 3 * SPACE)
        colours = [QColor(theme.color("accent")), QColor(theme.color("accent")), QColor(theme.color("muted"))]
        colours[1].setAlphaF(0.55)
        seen = event.rect()
        for row, (name, counts) in enumerate(self.balance.items()):
            top = SPACE + row * ROW
            if top + ROW < seen.top() or top > seen.bottom():
                continue
            painter.setPen(QColor(theme.color("text")))
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, left - 2 * SPACE)
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(SPACE, top, left - SPACE, ROW), middle, shown)
            x = float(left)
            for count, colour in zip(counts, colours, strict=True):
                wide = room * count / most
                painter.fillRect(QRectF(x, top + 4, wide, ROW - 8), colour)
                x += wide
            painter.setPen(QColor(theme.color("muted")))
            painter.drawText(QRectF(x + SPACE, top, 80, ROW), middle, f"{sum(counts):,}")


class Balance(QScrollArea):
    """Examples of each class: training, validation, test."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Class balance")
        self.setToolTip("Examples of each class: training, validation (paler), test (grey)")
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self._bars = _Bars()
        self.setWidget(self._bars)

    def show_balance(self, balance: Mapping[str, tuple[int, int, int]]) -> None:
        """Show these counts."""
        self._bars.balance = balance
        self._bars.setMinimumHeight(self._bars.sizeHint().height())
        self._bars.setAccessibleDescription(
            "; ".join(f"{name}: {sum(counts):,}" for name, counts in list(balance.items())[:50])
        )
        self._bars.update()
