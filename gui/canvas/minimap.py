"""The whole drawing, small: where am I, and take me there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QTransform
from PySide6.QtWidgets import QWidget

from gui.canvas import look
from gui.theme import SPACE

if TYPE_CHECKING:
    from gui.canvas.camera import Outlook
    from gui.canvas.view import Canvas

SIZE = QSize(176, 116)
#: How long after an edit the map follows.
SOON_MS = 60
#: Side, at least, of the frame of what is in view, in pixels.
SMALLEST = 5.0
#: How much of their colour frames and notes have.
MARKS = 0.3


def shown_frame(frame: QRectF, room: QRectF) -> QRectF:
    """The frame of what is in view, as it is drawn on the map: what lies beyond the map is cut off there.

    It is never too small to be seen, and is seen at the map's edge where one looks wholly beyond it.
    """
    width, height = max(frame.width(), SMALLEST), max(frame.height(), SMALLEST)
    shown = QRectF(frame.center().x() - width / 2, frame.center().y() - height / 2, width, height)
    shown.moveLeft(min(max(shown.left(), room.left() - width + SMALLEST), room.right() - SMALLEST))
    shown.moveTop(min(max(shown.top(), room.top() - height + SMALLEST), room.bottom() - SMALLEST))
    return shown


class Minimap(QWidget):
    """Drawn from the scene's batches into a pixmap, anew only when nodes have changed."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self.canvas = canvas
        self._picture: QPixmap | None = None
        #: Where one looked from as the drag that is under way began.
        self._held_from: Outlook | None = None
        #: From the drawing's places to the map's.
        self.transform = QTransform()
        self._soon = QTimer(self, singleShot=True, interval=SOON_MS)
        self._soon.timeout.connect(self._redraw)
        self.setFixedSize(SIZE)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Overview of the network")
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # what lies below is not seen
        self.setToolTip("Overview: click or drag to go there")

    def forget(self) -> None:
        """Draw anew soon: not within the frame of the edit, whose painting comes first."""
        self._soon.start()

    @property
    def waiting(self) -> bool:
        """Whether it is drawn anew soon."""
        return self._soon.isActive()

    def _redraw(self) -> None:
        self._picture = None
        self.canvas.show_minimap()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The nodes, and the frame of what is in view."""
        if self._picture is None:
            self._draw()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._picture is not None:
            painter.drawPixmap(0, 0, self._picture)
        room = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        frame = shown_frame(self.transform.mapRect(self.canvas.visible_rect()), room)
        painter.setClipRect(room)
        tools = self.canvas.drawing.look
        fill = QColor(tools.accent)
        fill.setAlpha(24)
        painter.setPen(QPen(tools.accent, 1.25))
        painter.setBrush(fill)
        painter.drawRoundedRect(frame, 3, 3)
        painter.end()

    def _draw(self) -> None:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(SIZE * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        drawing = self.canvas.drawing
        tools = drawing.look
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(tools.surface)
        ground.setAlpha(235)
        painter.setPen(QPen(tools.line, 1))
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(0.5, 0.5, SIZE.width() - 1, SIZE.height() - 1), 8, 8)
        content = drawing.content()
        if not content.isEmpty():
            margin = 2.0 * SPACE
            scale = min(
                (SIZE.width() - 2 * margin) / content.width(), (SIZE.height() - 2 * margin) / content.height()
            )
            scale = min(scale, 0.25)
            self.transform = QTransform()
            self.transform.translate(SIZE.width() / 2, SIZE.height() / 2)
            self.transform.scale(scale, scale)
            self.transform.translate(-content.center().x(), -content.center().y())
            painter.setTransform(self.transform, True)
            painter.setPen(Qt.PenStyle.NoPen)
            for mark in drawing.marks.values():
                painter.setBrush(look.mixed(mark.color, tools.surface, MARKS))
                painter.drawRect(mark.rect)
            drawing.far.paint_map(painter)
        painter.end()
        self._picture = picture

    def _go(self, event: QMouseEvent) -> None:
        inverse, possible = self.transform.inverted()
        if possible:
            self.canvas.look_at(inverse.map(QPointF(event.position())))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there; another button cancels, as it does on the canvas."""
        if event.button() != Qt.MouseButton.LeftButton:
            self.cancel()
        else:
            self._held_from = self.canvas.outlook
            self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the view along."""
        if self._held_from is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Stay there."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.let_go()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is held that is not seen."""
        self.let_go()
        super().hideEvent(event)

    def let_go(self) -> None:
        """The drag, if there is one, is over."""
        self._held_from = None

    def cancel(self) -> bool:
        """Look again from where the drag that is under way began; whether there is one."""
        before, self._held_from = self._held_from, None
        if before is not None:
            self.canvas.look_from(before)
        return before is not None
