"""The drawing as a picture for a paper: PNG, SVG or PDF."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QImage, QImageWriter, QPageSize, QPainter, QPdfWriter
from PySide6.QtSvg import QSvgGenerator

from engine.storage import atomic
from gui.canvas.levels import NEAR
from gui.canvas.scene import Scene
from gui.theme import LIGHT

#: Room around the drawing, in scene units.
MARGIN = 32.0
#: Pixels per scene unit in a PNG, and the longest side that one may have.
SHARPNESS, LONGEST = 2.0, 16384

#: Characters that XML 1.0 cannot hold.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


#: A path without a step, which readers of SVG complain of.
_NOTHING = re.compile(r'<path[^>]* d=""/>\n?')
#: Fonts for whoever does not have the program's own: all are about as wide.
_FONTS = "Inter, Helvetica Neue, Helvetica, Arial, sans-serif"


def save(scene: Scene, path: Path) -> None:
    """Write the whole drawing in the format of `path`'s suffix, in light colours and nothing selected.

    PNG has a white ground, SVG and PDF have that of the page. The file is replaced whole or not at all.

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
    selected = [id for id, item in scene.nodes.items() if item.selected]
    wires = [edge for edge, wire in scene.wires.items() if wire.selected]
    marks = [id for id, mark in scene.marks.items() if mark.selected]
    scene.router.finish()
    for wire in scene.wires.values():
        content = content.united(wire.path().boundingRect())
    area = content.adjusted(-MARGIN, -MARGIN, MARGIN + 48, MARGIN)
    detail, scene.detail = scene.detail, NEAR
    scene.select((), ())
    scene.restyle(LIGHT)
    try:
        data = _painted(scene, area, path.suffix.lower())
    finally:
        scene.detail = detail
        scene.restyle()
        scene.select(selected, wires, marks)
    try:
        atomic.write_bytes(path, data)
    except atomic.WriteProblem as problem:
        raise OSError(f"{path} cannot be written. Choose another folder.") from problem


def _painted(scene: Scene, area: QRectF, suffix: str) -> bytes:
    size, buffer = area.size(), QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image: QImage | None = None
    device: QImage | QSvgGenerator | QPdfWriter
    match suffix:
        case ".png":
            scale = min(SHARPNESS, LONGEST / max(size.width(), size.height()))
            image = QImage((size * scale).toSize(), QImage.Format.Format_ARGB32_Premultiplied)
            image.fill(Qt.GlobalColor.white)
            device = image
        case ".svg":
            device = QSvgGenerator()
            device.setOutputDevice(buffer)
            device.setSize(QSize(round(size.width()), round(size.height())))
            device.setViewBox(QRectF(0, 0, size.width(), size.height()))
            device.setTitle("Layerlab")
        case ".pdf":
            device = QPdfWriter(buffer)
            device.setPageSize(QPageSize(QSizeF(size.width(), size.height()), QPageSize.Unit.Point))
            device.setPageMargins(QMarginsF(0, 0, 0, 0))
            device.setTitle("Layerlab")
        case other:
            raise ValueError(f"A picture is .png, .svg or .pdf, not {other or 'without a suffix'}.")
    painter = QPainter(device)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    scene.render(painter, QRectF(), area)
    painter.end()
    if image is not None:
        QImageWriter(buffer, QByteArray(b"png")).write(image)
    data = bytes(buffer.data().data())
    if not isinstance(device, QSvgGenerator):
        return data
    # Qt writes control characters of names as they are, which no reader of XML takes.
    text = _NO_XML.sub("\ufffd", data.decode("utf-8", errors="replace"))
    return _NOTHING.sub("", text).replace('font-family="Inter"', f'font-family="{_FONTS}"').encode()
