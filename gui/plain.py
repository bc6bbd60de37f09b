"""Words from files, where Qt would take them for rich text: tool tips have no plain format."""

from __future__ import annotations

import html

from PySide6.QtGui import Qt


def tip(text: str) -> str:
    """`text` for a tool tip: shown as it stands, whatever is in it."""
    if not Qt.mightBeRichText(text):
        return text
    return f"<span style='white-space: pre-wrap'>{html.escape(text)}</span>"
