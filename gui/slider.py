"""A slider whose drag can be taken back."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSlider, QWidget


class Slider(QSlider):
    """Esc while its handle is dragged goes back to where the drag began."""

    #: It stands again where the drag began.
    taken_back = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._from = 0
        #: The drag was taken back, and the button is still held.
        self._over = False
        self.sliderPressed.connect(self._begin)

    def _begin(self) -> None:
        self._from = self.value()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc takes a drag back."""
        if event.key() == Qt.Key.Key_Escape and self.isSliderDown():
            self._over = True
            self.setSliderDown(False)
            self.setValue(self._from)
            self.taken_back.emit()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """The next drag is another one."""
        self._over = False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer, unless the drag is over."""
        if not self._over:
            super().mouseMoveEvent(event)
