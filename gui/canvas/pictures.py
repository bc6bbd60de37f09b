"""Cards as pictures, kept between frames: a frame copies pixels where it would draw text and shapes.

A card is two pictures: its frame (ground, stripe, border), which cards of one look share, and its
contents (text, marks, ports). While one zooms, contents are stretched; they are drawn anew, a few
milliseconds a frame, as soon as the zoom rests. What a card says is never out of date: only its
sharpness waits, and where many come into view at once, for some frames what is on them.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPixmap

from gui.canvas import card
from gui.canvas.look import Look

if TYPE_CHECKING:
    from gui.canvas.node_item import NodeItem

#: Beyond so many pixels per scene unit few cards are in view, and pictures of them are large.
LARGEST = 3.0
#: Bytes that the pictures of contents may take.
LIMIT = 64 << 20
#: Seconds of a frame that may go into drawing contents; the rest waits for the next one.
BUDGET = 0.004
#: Room around a card that its frame needs.
HALO = 8.0


class Scale(NamedTuple):
    """How a picture was drawn: other pictures of the same card are stretched to it."""

    #: Pixels of the screen per scene unit.
    factor: float
    detail: int
    look: Look


class Picture(NamedTuple):
    """The contents of one card."""

    pixmap: QPixmap
    scale: Scale


class Pictures:
    """Paints cards, from pictures where these are right."""

    def __init__(self) -> None:
        self._scale: Scale | None = None
        self._ratio = 1.0
        self._moving = False
        #: Seconds that are left of this frame for drawing contents.
        self._left = 0.0
        #: The cards of this frame.
        self._used: set[NodeItem] = set()
        self._blurred = False
        #: The frames of one scale.
        self._frames: dict[tuple[object, ...], QPixmap] = {}
        self._frames_scale: Scale | None = None
        self._kept: dict[NodeItem, int] = {}
        self._bytes = 0

    def begin(
        self, zoom: float, ratio: float, detail: int, look: Look, moving: bool, whole: bool = False
    ) -> None:
        """A frame begins, on a screen of so many pixels per pixel (`ratio`).

        `moving`: one zooms, and contents are stretched; `whole`: nothing waits for a later frame.
        """
        self._scale = Scale(zoom * ratio, detail, look)
        if self._scale != self._frames_scale:
            self._frames, self._frames_scale = {}, self._scale
        self._ratio = ratio
        self._moving = moving
        self._left = float("inf") if whole else BUDGET
        self._used.clear()
        self._blurred = False

    def end(self) -> bool:
        """The frame is done. Whether some contents were stretched or left out, and wait to be drawn."""
        self._scale = None
        return self._blurred

    def paint(self, painter: QPainter, item: NodeItem) -> bool:
        """Paint a card; False: not as pictures. The painter is in the card's coordinates."""
        scale = self._scale
        if scale is None or scale.factor > LARGEST:
            return False
        picture = item.picture
        self._used.add(item)
        if self._due(picture, scale):
            picture = self._draw(item, scale)
        elif picture is not None:
            self._kept[item] = self._kept.pop(item, 0)
        if item.mark is not None:  # its colour changes as training goes on
            item.paint_frame(painter, scale.look)
        transform = painter.worldTransform()
        x, y, zoom = transform.dx(), transform.dy(), scale.factor / self._ratio
        painter.resetTransform()
        if item.mark is None:
            self._copy(painter, self._frame(item, scale), x - HALO * zoom, y - HALO * zoom)
        area = item.contents_rect
        if picture is None:
            self._blurred = True
            painter.setWorldTransform(transform)
        elif picture.scale == scale:
            self._copy(painter, picture.pixmap, x + area.x() * zoom, y + area.y() * zoom)
            painter.setWorldTransform(transform)
        else:
            painter.setWorldTransform(transform)
            self._stretch(painter, picture, area.topLeft())
        return True

    def _copy(self, painter: QPainter, pixmap: QPixmap, x: float, y: float) -> None:
        """Copy a picture to a place, on whole pixels of the screen."""
        ratio = self._ratio
        painter.drawPixmap(QPointF(round(x * ratio) / ratio, round(y * ratio) / ratio), pixmap)

    def _stretch(self, painter: QPainter, picture: Picture, corner: QPointF) -> None:
        """Draw contents of another zoom as large as they must be."""
        self._blurred = True
        width, height = picture.pixmap.width(), picture.pixmap.height()
        size = QSizeF(width / picture.scale.factor, height / picture.scale.factor)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(QRectF(corner, size), picture.pixmap, QRectF(0, 0, width, height))

    def forget(self, item: NodeItem) -> None:
        """The card is gone, or says something else."""
        item.picture = None
        self._bytes -= self._kept.pop(item, 0)

    def clear(self) -> None:
        """Let all go."""
        for item in tuple(self._kept):
            self.forget(item)

    def _due(self, picture: Picture | None, scale: Scale) -> bool:
        """Whether contents are drawn, or drawn anew, in this frame."""
        if picture is not None and picture.scale == scale:
            return False
        if picture is not None and picture.scale.look is not scale.look:
            return True
        return (picture is None or not self._moving) and self._left > 0

    def _frame(self, item: NodeItem, scale: Scale) -> QPixmap:
        key = item.frame_key
        pixmap = self._frames.get(key)
        if pixmap is None:
            height = item.card.height + 2 * HALO
            pixmap = self._blank(QRectF(-HALO, -HALO, card.WIDTH + 2 * HALO, height), scale.factor)
            painter = self._painter(pixmap, QPointF(-HALO, -HALO), scale.factor)
            item.paint_frame(painter, scale.look)
            painter.end()
            self._frames[key] = pixmap
        return pixmap

    def _draw(self, item: NodeItem, scale: Scale) -> Picture:
        begun = time.perf_counter()
        self.forget(item)
        area = item.contents_rect
        pixmap = self._blank(area, scale.factor)
        painter = self._painter(pixmap, area.topLeft(), scale.factor)
        item.paint_contents(painter, scale.look)
        painter.end()
        item.picture = Picture(pixmap, scale)
        self._kept[item] = pixmap.width() * pixmap.height() * 4
        self._bytes += self._kept[item]
        while self._bytes > LIMIT and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            if oldest in self._used and math.isfinite(self._left):
                break  # it would be drawn again in the next frame, and so on for ever
            self.forget(oldest)
        self._left -= time.perf_counter() - begun
        return item.picture

    def _blank(self, area: QRectF, factor: float) -> QPixmap:
        pixmap = QPixmap(math.ceil(area.width() * factor), math.ceil(area.height() * factor))
        pixmap.setDevicePixelRatio(self._ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        return pixmap

    def _painter(self, pixmap: QPixmap, corner: QPointF, factor: float) -> QPainter:
        painter = QPainter(pixmap)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        painter.scale(factor / self._ratio, factor / self._ratio)
        painter.translate(-corner)
        return painter
