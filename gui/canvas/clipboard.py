"""Pieces of a drawing on the system's clipboard, as JSON text that can be mailed."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtGui import QGuiApplication

from engine import edit

#: Beyond this a clipboard's text is not looked at: no drawing is that large.
LIMIT = 32 << 20


def put(fragment: dict[str, Any]) -> None:
    """Put a copied piece on the clipboard."""
    QGuiApplication.clipboard().setText(msgspec.json.format(msgspec.json.encode(fragment), indent=2).decode())


def get() -> dict[str, Any] | None:
    """The piece that the clipboard holds; None if it holds something else."""
    text = QGuiApplication.clipboard().text()
    if len(text) > LIMIT:
        return None
    fragment = edit.fragment_from_text(text)
    return fragment if isinstance(fragment, dict) and fragment.get("format") == edit.FRAGMENT else None


def bounds(fragment: dict[str, Any]) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of a piece's positions; None where it has none that make sense."""
    positions = fragment.get("positions")
    try:
        places = [(float(x), float(y)) for x, y in positions.values()] if positions else []
    except (AttributeError, TypeError, ValueError):
        return None
    if not places:
        return None
    xs, ys = zip(*places, strict=True)
    return min(xs), min(ys), max(xs), max(ys)
