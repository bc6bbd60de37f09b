"""What every layer gives for one example, as pictures side by side."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from engine.host.protocol import Responded
from gui.panels.pictures import paint_excerpt
from gui.theme import TYPE, theme

#: A node's cell.
CELL = QSize(132, 132)
#: What is of the drawing as it was before an edit is drawn so faintly.
PALE = 0.35


class Cells(QWidget):
    """A cell per node: its name, what it gives as a picture, its shape."""

    clicked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Responses of the layers")
        self.responded: Responded | None = None
        self.chosen: tuple[str, ...] = ()
        self._stale = False

    def set_stale(self, stale: bool) -> None:
        """Whether the drawing has been edited since: what it gave before is pale."""
        if stale != self._stale:
            self._stale = stale
            self.update()

    def show_responded(self, responded: Responded | None) -> None:
        """Show these."""
        self.responded = responded
        self._fit()
        self.update()

    @property
    def across(self) -> int:
        """Cells in a row."""
        return max(1, self.width() // CELL.width())

    def _fit(self) -> None:
        count = len(self.responded.nodes) if self.responded else 0
        self.setMinimumHeight(-(-count // self.across) * CELL.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the rows."""
        super().resizeEvent(event)
        self._fit()

    def cell(self, number: int) -> QRectF:
        """Where a node's cell is."""
        wide = self.width() / self.across
        return QRectF(number % self.across * wide, number // self.across * CELL.height(), wide, CELL.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the cells that are seen."""
        if self.responded is None:
            return
        painter = QPainter(self)
        font = QFont(painter.font())
        font.setPixelSize(TYPE[0])
        painter.setFont(font)
        metrics = painter.fontMetrics()
        for number, (node, response) in enumerate(self.responded.nodes.items()):
            cell = self.cell(number)
            if not cell.intersects(QRectF(event.rect())):
                continue
            if node.split(".")[0] in self.chosen:
                painter.fillRect(cell.adjusted(2, 2, -2, -2), theme.color("selection"))
            words = metrics.elidedText(node, Qt.TextElideMode.ElideMiddle, int(cell.width()) - 12)
            painter.setPen(theme.color("text"))
            painter.drawText(cell.topLeft() + QPointF(6, 14), words)
            painter.setPen(theme.color("muted"))
            shape = " × ".join(map(str, response.shape))
            dead = response.values.lo == response.values.hi or not response.seen.scale
            painter.drawText(cell.bottomLeft() + QPointF(6, -6), f"{shape}{'  all zero' if dead else ''}")
            painter.setOpacity(PALE if self._stale else 1.0)
            paint_excerpt(painter, response.seen, cell.adjusted(6, 20, -6, -22), wrap=True)
            painter.setOpacity(1.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the node."""
        if self.responded is None:
            return
        for number, node in enumerate(self.responded.nodes):
            if self.cell(number).contains(event.position()):
                self.clicked.emit(node)
