"""The dots of the ground."""

import pytest
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from gui.canvas import grid

pytestmark = pytest.mark.gui

WIDTH, HEIGHT, INK = 640, 400, QColor("black")


def ground(parts, zoom, origin, ratio):
    """What is seen when the ground is painted in `parts`, each of which alone was exposed."""
    image = QImage(round(WIDTH * ratio), round(HEIGHT * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.translate(origin)
    painter.scale(zoom, zoom)
    for part in parts:
        seen = QRectF((part.x() - origin.x()) / zoom, (part.y() - origin.y()) / zoom, 0, 0)
        seen.setSize(part.size() / zoom)
        painter.setClipRect(seen)
        grid.draw(painter, seen, zoom, ratio, INK.rgb())
    painter.end()
    return image


@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize("zoom", [0.63, 0.83, 1.0, 1.37])
def test_dots_stand_at_the_same_pixels_whichever_part_is_painted(qtbot, zoom, ratio):
    origin = QPointF(-1234.4, 77.3)
    whole = ground([QRectF(0, 0, WIDTH, HEIGHT)], zoom, origin, ratio)
    tiles = [QRectF(x, y, 80, 50) for x in range(0, WIDTH, 80) for y in range(0, HEIGHT, 50)]
    assert ground(tiles, zoom, origin, ratio) == whole

    # One dot for each crossing of the grid's lines, two pixels wide, at most a pixel off.
    step, size = zoom * grid.GRID, round(2 * ratio)
    for row in range(2, 8):
        for column in range(2, 12):
            x = (origin.x() % step + column * step) * ratio
            y = (origin.y() % step + row * step) * ratio
            near = [whole.pixelColor(round(x) + off, round(y) + size // 2) for off in range(-1, size + 1)]
            assert near.count(INK) == size
    dark = sum(whole.pixelColor(x, y) == INK for x in range(whole.width()) for y in range(whole.height()))
    crossings = WIDTH * HEIGHT / step**2
    assert dark / size**2 == pytest.approx(crossings, rel=0.1)
