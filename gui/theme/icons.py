"""Icons: glyphs of the Material Design Icons font, drawn in a token's colour.

The font comes with qtawesome; it is read directly, because importing qtawesome costs a quarter of
the time that the window has for its first paint.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPixmap

_PREFIX = "mdi6."
#: Logical sizes that are drawn; others Qt scales.
_SIZES = (16, 20)
_SCALES = (1.0, 2.0)


@cache
def _font() -> tuple[str, dict[str, str]]:
    """The font's family, and the code point (hexadecimal) of each icon's name."""
    spec = find_spec("qtawesome")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("qtawesome, which has the icons, is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "fonts"
    number = QFontDatabase.addApplicationFont(str(next(folder.glob("materialdesignicons6-webfont-*.ttf"))))
    names = json.loads(next(folder.glob("materialdesignicons6-webfont-charmap-*.json")).read_bytes())
    return QFontDatabase.applicationFontFamilies(number)[0], names


def icon(name: str, color: QColor, disabled: QColor) -> QIcon:
    """The icon `name` ("mdi6.play").

    Raises
    ------
    ValueError
        If there is no such icon.
    """
    family, names = _font()
    code = names.get(name.removeprefix(_PREFIX)) if name.startswith(_PREFIX) else None
    if code is None:
        raise ValueError(f"there is no icon {name!r}")
    glyph = chr(int(code, 16))
    made = QIcon()
    for size in _SIZES:
        for scale in _SCALES:
            made.addPixmap(_draw(glyph, family, color, size, scale))
            made.addPixmap(_draw(glyph, family, disabled, size, scale), QIcon.Mode.Disabled)
    return made


def _draw(glyph: str, family: str, color: QColor, size: int, scale: float) -> QPixmap:
    pixmap = QPixmap(round(size * scale), round(size * scale))
    pixmap.setDevicePixelRatio(scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    font = QFont(family)
    font.setPixelSize(size)
    font.setStyleStrategy(QFont.StyleStrategy.NoFontMerging)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
    painter.setFont(font)
    painter.setPen(color)
    painter.drawText(QRectF(0, 0, size, size), Qt.AlignmentFlag.AlignCenter, glyph)
    painter.end()
    return pixmap
