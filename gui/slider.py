"""A slider that comes to where it is pressed, and whose drag can be taken back."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider, QWidget


class Slider(QSlider):
    """Pressed beside its handle it comes there; Esc goes back to where it was before it was pressed."""

    #: It is about to be dragged, and stands yet where it stood.
    held = Signal()
    #: It stands again where the drag began.
    taken_back = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._from = 0
        #: The drag was taken back, and the button is still held.
        self._over = False

    def _come_to(self, place: QPointF) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        part, control = QStyle.SubControl, QStyle.ComplexControl.CC_Slider
        handle = self.style().subControlRect(control, option, part.SC_SliderHandle, self)
        if handle.contains(place.toPoint()):
            return
        groove = self.style().subControlRect(control, option, part.SC_SliderGroove, self)
        room = groove.width() - handle.width()
        x = round(place.x() - groove.x() - handle.width() / 2)
        self.setValue(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), x, room))

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
        if event.button() == Qt.MouseButton.LeftButton:
            self._from = self.value()
            self.held.emit()
            self._come_to(event.position())
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the pointer, unless the drag is over."""
        if not self._over:
            super().mouseMoveEvent(event)
