"""A small sheet to draw an example on, with the mouse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from gui.panels.pictures import image_of_values
from gui.theme import theme


class DrawPad(QWidget):
    """Bright strokes on a dark ground, in the resolution that the network reads."""

    #: Something was drawn, or wiped.
    drawn = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Drawing sheet: draw with the mouse, right button rubs out")
        self.setToolTip("Draw with the mouse; the right button rubs out")
        self.setMinimumSize(112, 112)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # for Esc; no other key does anything in it
        self.values: NDArray[np.float64] = np.zeros((8, 8))
        #: The sheet before the stroke that is under way.
        self._before: NDArray[np.float64] | None = None

    def sizeHint(self) -> QSize:
        """Large enough for a finger."""
        return QSize(160, 160)

    def set_size(self, height: int, width: int) -> None:
        """Draw in another resolution; the sheet is wiped where it changes."""
        if self.values.shape != (height, width):
            self.values, self._before = np.zeros((height, width)), None
            self.update()

    def wipe(self) -> None:
        """An empty sheet."""
        self.values[:] = 0.0
        self.update()
        self.drawn.emit()

    def _box(self) -> QRectF:
        height, width = self.values.shape
        side = min(self.width() / width, self.height() / height)
        return QRectF(
            (self.width() - side * width) / 2,
            (self.height() - side * height) / 2,
            side * width,
            side * height,
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the sheet."""
        painter = QPainter(self)
        box = self._box()
        painter.drawImage(box, image_of_values(self.values, 1.0, grey=True))
        painter.setPen(theme.color("line"))
        painter.drawRect(box)

    def stroke(self, at: QPointF, strength: float = 1.0) -> None:
        """A dab of the brush at a point of the widget; a negative strength rubs out."""
        height, width = self.values.shape
        box = self._box()
        if box.width() <= 0:
            return
        x = (at.x() - box.left()) / box.width() * width - 0.5
        y = (at.y() - box.top()) / box.height() * height - 0.5
        # As thick as the strokes of handwritten digits: a tenth of the sheet.
        radius = max(1.0, min(height, width) / 20)
        rows, columns = np.mgrid[0:height, 0:width]
        dab = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1)
        if strength > 0:
            np.maximum(self.values, np.minimum(dab, 1.0), out=self.values)
        else:
            self.values *= 1 - dab
        self.update()
        self.drawn.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a stroke."""
        if event.buttons() == event.button():  # with another one it goes on
            self._before = self.values.copy()
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with it."""
        if self._before is None:
            return
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.stroke(event.position())
        elif event.buttons() & Qt.MouseButton.RightButton:
            self.stroke(event.position(), -1.0)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """It is done."""
        if not event.buttons():
            self._before = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc takes back the stroke that is under way."""
        if event.key() == Qt.Key.Key_Escape and self._before is not None:
            self.values, self._before = self._before, None
            self.update()
            self.drawn.emit()
        else:
            super().keyPressEvent(event)
