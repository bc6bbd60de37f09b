"""The drawing as a picture for a paper: PNG, SVG or PDF."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, QSize, QSizeF
from PySide6.QtGui import QImage, QPageSize, QPainter, QPdfWriter
from PySide6.QtSvg import QSvgGenerator

from gui.canvas.levels import NEAR
from gui.canvas.scene import Scene

#: Room around the drawing, in scene units.
MARGIN = 32.0
#: Pixels per scene unit in a PNG, and the longest side that one may have.
SHARPNESS, LONGEST = 2.0, 16384

#: Characters that XML 1.0 cannot hold.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def save(scene: Scene, path: Path) -> None:
    """Write the whole drawing, with nothing selected, in the format of `path`'s suffix.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If there is nothing to draw, or the suffix is none of .png, .svg and .pdf.
    """
    scene.complete()
    scene.departures.finish()
    content = scene.content()
    if content.isEmpty():
        raise ValueError("There is nothing to export yet: add a layer first.")
    area = content.adjusted(-MARGIN, -MARGIN, MARGIN + 48, MARGIN)
    selected = [id for id, item in scene.nodes.items() if item.selected]
    wires = [edge for edge, wire in scene.wires.items() if wire.selected]
    marks = [id for id, mark in scene.marks.items() if mark.selected]
    scene.router.finish()
    detail, scene.detail = scene.detail, NEAR
    scene.select((), ())
    try:
        _paint(scene, area, path)
    finally:
        scene.detail = detail
        scene.select(selected, wires, marks)


def _paint(scene: Scene, area: QRectF, path: Path) -> None:
    size = area.size()
    image: QImage | None = None
    device: QImage | QSvgGenerator | QPdfWriter
    match path.suffix.lower():
        case ".png":
            scale = min(SHARPNESS, LONGEST / max(size.width(), size.height()))
            image = QImage((size * scale).toSize(), QImage.Format.Format_ARGB32_Premultiplied)
            image.fill(scene.look.canvas)
            device = image
        case ".svg":
            device = QSvgGenerator()
            device.setFileName(str(path))
            device.setSize(QSize(round(size.width()), round(size.height())))
            device.setViewBox(QRectF(0, 0, size.width(), size.height()))
            device.setTitle("Layerlab")
        case ".pdf":
            device = QPdfWriter(str(path))
            device.setPageSize(QPageSize(QSizeF(size.width(), size.height()), QPageSize.Unit.Point))
            device.setPageMargins(QMarginsF(0, 0, 0, 0))
            device.setTitle("Layerlab")
        case other:
            raise ValueError(f"A picture is .png, .svg or .pdf, not {other or 'without a suffix'}.")
    painter = QPainter()
    if not painter.begin(device):
        raise OSError(f"{path} cannot be written. Choose another folder.")
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    scene.render(painter, QRectF(), area)
    painter.end()
    if image is not None and not image.save(str(path)):
        raise OSError(f"{path} cannot be written. Choose another folder.")
    if isinstance(device, QSvgGenerator):
        # Qt writes control characters of names as they are, which no reader of XML takes.
        text = path.read_text(encoding="utf-8", errors="replace")
        clean = _NO_XML.sub("\ufffd", text)
        if clean != text:
            path.write_text(clean, encoding="utf-8")
