"""Tensors as pictures: one value a square, below zero in one colour, above it in another."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.host.protocol import Excerpt
from gui.panels.series import figure
from gui.theme import theme

#: A row of more values than this may be wrapped.
WRAP = 24
#: Squares between two kernels, where each is a pixel; and pixels, where they are larger.
GAP, APART = 1, 2


def values_of(excerpt: Excerpt) -> NDArray[np.float64]:
    """An excerpt's values, in its shape."""
    raw = np.frombuffer(excerpt.values, np.int8).reshape(excerpt.shape)
    return raw.astype(np.float64) / 127.0 * excerpt.scale


def laid_out(values: NDArray[np.float64], across: int | None = None) -> NDArray[np.float64]:
    """A matrix as it is; kernels ``[out, in, h, w]`` in a table, a row per output channel; NaN between.

    Kernels of one input channel are laid in rows of `across`.
    """
    if values.ndim != 4:
        return np.atleast_2d(values)
    out, channels, height, width = values.shape
    if channels == 1:
        across = across or int(np.ceil(np.sqrt(out)))
        rows = -(-out // across)
        padded = np.full((rows * across, 1, height, width), np.nan)
        padded[:out] = values
        values = padded.reshape(rows, across, height, width)
        out, channels = rows, across
    table = np.full((out, height + GAP, channels, width + GAP), np.nan)
    table[:, :height, :, :width] = values.swapaxes(1, 2)
    return table.reshape(out * (height + GAP), -1)[:-GAP, :-GAP]


def diverging() -> NDArray[np.uint8]:
    """255 colours from negative over the ground to positive; the last one is transparent."""
    return _between(*(theme.color(name).rgb() for name in ("train", "surface", "validation")))


@lru_cache(maxsize=16)
def _between(*stops: int) -> NDArray[np.uint8]:
    """The table of :func:`diverging` for three colours, made once: a panel asks for it with every picture."""
    places = np.linspace(0, 1, 255)
    table = np.zeros((256, 4), np.uint8)
    for channel, shift in enumerate((16, 8, 0)):
        levels = [stop >> shift & 255 for stop in stops]
        table[:255, channel] = np.interp(places, [0, 0.5, 1], levels).round()
    table[:255, 3] = 255
    table.flags.writeable = False
    return table


def image_of_values(values: NDArray[np.float64], scale: float, *, grey: bool = False) -> QImage:
    """`values` from −`scale` to `scale` (grey: from 0) as a picture of one pixel each."""
    if grey:
        shades = np.linspace(0, 255, 255).round()
        table = np.zeros((256, 4), np.uint8)
        table[:255] = np.stack([shades, shades, shades, np.full(255, 255)], axis=1)
        share = values / scale if scale else np.zeros_like(values)
    else:
        table = diverging()
        share = 0.5 + values / (2 * scale) if scale else np.full_like(values, 0.5)
    places = np.clip(np.nan_to_num(share, nan=0.0), 0, 1) * 254
    indices = np.where(np.isnan(values), 255, places.round()).astype(np.intp)
    pixels = np.ascontiguousarray(table[indices])
    height, width = values.shape
    return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


class TensorView(QWidget):
    """One excerpt, as large as its room allows, in whole pixels per value."""

    clicked = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setMinimumSize(60, 60)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._excerpt: Excerpt | None = None
        self._grey = False

    def sizeHint(self) -> QSize:
        """A hand's breadth."""
        return QSize(200, 160)

    def show_excerpt(self, excerpt: Excerpt | None, *, grey: bool = False) -> None:
        """Show this; None: nothing."""
        self._excerpt, self._grey = excerpt, grey
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell of it."""
        self.clicked.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the squares."""
        if self._excerpt is None or not self._excerpt.values:
            return
        painter = QPainter(self)
        paint_excerpt(painter, self._excerpt, QRectF(self.rect()), grey=self._grey)


def paint_excerpt(
    painter: QPainter, excerpt: Excerpt, room: QRectF, *, grey: bool = False, wrap: bool = False
) -> QRectF:
    """Draw an excerpt into the middle of `room`; returns where. `wrap` lays a long row in several."""
    values = values_of(excerpt)
    if wrap and values.ndim == 2 and len(values) == 1 and values.shape[1] > WRAP:
        count = values.shape[1]
        length = int(np.ceil(np.sqrt(count * room.width() / max(room.height(), 1.0))))
        rows = np.full(-(-count // length) * length, np.nan)
        rows[:count] = values[0]
        values = rows.reshape(-1, length)
    across = None
    if values.ndim == 4 and values.shape[1] == 1 and room.height() > 0:
        ratio = room.width() / room.height()
        across = max(1, min(values.shape[0], round(float(np.sqrt(values.shape[0] * ratio)))))
    picture = image_of_values(laid_out(values, across), excerpt.scale, grey=grey)
    factor = min(room.width() / picture.width(), room.height() / picture.height())
    factor = max(1.0, np.floor(factor)) if factor >= 1 else factor
    if factor >= 2 and values.ndim == 4:
        return _paint_kernels(painter, picture, values.shape[2:], room)
    wide, high = picture.width() * factor, picture.height() * factor
    if values.ndim != 4:  # a matrix may fill its room
        wide, high = room.width(), min(room.height(), max(high, 8.0))
    box = QRect(
        round(room.center().x() - wide / 2), round(room.center().y() - high / 2), round(wide), round(high)
    )
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    painter.drawImage(box, picture)
    painter.setPen(theme.color("line"))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(box)
    return QRectF(box)


def _paint_kernels(painter: QPainter, picture: QImage, kernel: tuple[int, ...], room: QRectF) -> QRectF:
    """Draw a table of kernels, each as large as there is room for, a hair apart from the next."""
    height, width = kernel
    down, across = (picture.height() + GAP) // (height + GAP), (picture.width() + GAP) // (width + GAP)
    size = min(
        int(((room.width() + APART) / across - APART) / width),
        int(((room.height() + APART) / down - APART) / height),
    )
    step_x, step_y = width * size + APART, height * size + APART
    wide, high = across * step_x - APART, down * step_y - APART
    left, top = round(room.center().x() - wide / 2), round(room.center().y() - high / 2)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
    for row in range(down):
        for column in range(across):
            painter.drawImage(
                QRect(left + column * step_x, top + row * step_y, width * size, height * size),
                picture,
                QRect(column * (width + GAP), row * (height + GAP), width, height),
            )
    return QRectF(left, top, wide, high)


class ColorKey(QWidget):
    """The colours of :class:`TensorView` from the least to the greatest value, with both."""

    def __init__(self) -> None:
        super().__init__()
        self._scale: float | None = None
        self.setFixedHeight(18)
        self.setAccessibleName("Colours of the values")

    def show_scale(self, scale: float | None) -> None:
        """From minus `scale` to `scale`; None: nothing."""
        self._scale = scale
        self.setAccessibleDescription("" if scale is None else f"−{figure(scale)} to {figure(scale)}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the strip between its ends."""
        if not self._scale:
            return
        painter = QPainter(self)
        metrics = painter.fontMetrics()
        low, high = f"−{figure(self._scale)}", figure(self._scale)
        left = metrics.horizontalAdvance(low) + 6
        strip = QRectF(left, 5, min(120, self.width() - left - metrics.horizontalAdvance(high) - 8), 8)
        painter.setPen(theme.color("muted"))
        if strip.width() < 2 * strip.height():  # both ends are as far from zero
            painter.drawText(0, 14, f"±{high}")
            return
        painter.drawImage(strip, image_of_values(np.linspace(-1, 1, 64)[None], 1.0))
        painter.drawText(0, 14, low)
        painter.drawText(round(strip.right()) + 6, 14, high)
