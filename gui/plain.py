"""Words from files, where Qt would take them for rich text: tool tips have no plain format."""

from __future__ import annotations

import html
import re

from PySide6.QtGui import Qt


def tip(text: str) -> str:
    """`text` for a tool tip: shown as it stands, whatever is in it."""
    if not Qt.mightBeRichText(text):
        return text
    return f"<span style='white-space: pre-wrap'>{html.escape(text)}</span>"


def breakable(name: str) -> str:
    """A dotted name that may wrap behind its dots and underscores, by zero-width spaces."""
    return re.sub(r"(?<=[A-Za-z_])([._])(?=[A-Za-z_])", "\\1\u200b", name)
