"""Leading to a field, wherever it is folded away."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget


@runtime_checkable
class _Foldable(Protocol):
    def set_open(self, open: bool) -> None: ...


def lead_to(widget: QWidget) -> None:
    """Give `widget` the keyboard, where it can be seen: unfold what it is in, and scroll to it."""
    areas = []
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, _Foldable):
            around.set_open(True)
        if isinstance(around, QScrollArea):
            areas.append(around)
        around = around.parentWidget()
    QApplication.sendPostedEvents()  # what was unfolded is laid out
    for area in areas:
        area.ensureWidgetVisible(widget)
    widget.setFocus(Qt.FocusReason.OtherFocusReason)
