"""Words that can be read from however far: titles of frames, and what notes say, at the screen's own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QTransform

from gui.canvas import look

#: Size of the words, height of a line and room beside the words, in pixels.
PIXELS, LINE, INSET = 12, 18.0, 6.0
#: Of an area that is smaller on the screen nothing is written.
LEAST_WIDTH, LEAST_HEIGHT = 36.0, 12.0


@contextmanager
def _on_screen(painter: QPainter) -> Iterator[QTransform]:
    """Paint in pixels of the screen; gives the way there."""
    transform = painter.worldTransform()
    painter.save()
    painter.resetTransform()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    yield transform
    painter.restore()


def title(
    painter: QPainter, area: QRectF, words: str, ground: QColor, ink: QColor, taken: list[QRectF]
) -> QRectF:
    """Write a title above the upper left corner of `area`, unless it would hide one of those `taken`.

    Gives where it is, in the painter's coordinates, and adds where it is on the screen to `taken`.
    """
    with _on_screen(painter) as transform:
        shown = transform.mapRect(area)
        if shown.width() < LEAST_WIDTH or shown.height() < LEAST_HEIGHT:
            return QRectF()
        said = look.elided(words, PIXELS, shown.width() - 2 * INSET, bold=True)
        width = look.metrics(PIXELS, bold=True).horizontalAdvance(said) + 2 * INSET
        plate = QRectF(round(shown.left()), round(shown.top() - LINE), width, LINE)
        if any(plate.intersects(other) for other in taken):
            return QRectF()
        taken.append(plate)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(plate, 4, 4)
        painter.setFont(look.font(PIXELS, bold=True))
        painter.setPen(ink)
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, said)
        return transform.inverted()[0].mapRect(plate)


def lines(painter: QPainter, area: QRectF, words: Iterable[str], ink: QColor) -> None:
    """Write as many lines into `area` as have room."""
    with _on_screen(painter) as transform:
        shown = transform.mapRect(area)
        if shown.width() < LEAST_WIDTH:
            return
        painter.setFont(look.font(PIXELS))
        painter.setPen(ink)
        bottom = shown.top() + 2.0
        for line in words:
            bottom += LINE
            if bottom > shown.bottom():
                return
            said = look.elided(line, PIXELS, shown.width() - 2 * INSET)
            painter.drawText(QPointF(shown.left() + INSET, bottom - 5.0), said)
