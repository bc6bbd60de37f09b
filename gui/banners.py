"""Notices above the canvas: a sentence, and buttons that do something about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from gui.theme import SPACE, theme

_ICONS = {"info": "mdi6.information-outline", "warning": "mdi6.alert-outline", "error": "mdi6.alert-circle"}
_COLORS = {"info": "accent", "warning": "warning", "error": "error"}


class Banner(QFrame):
    """One notice."""

    def __init__(
        self,
        kind: str,
        text: str,
        buttons: Sequence[tuple[str, Callable[[], object]]],
        dismiss: Callable[[], object],
    ) -> None:
        super().__init__()
        self.setProperty("banner", kind)
        self.setAccessibleName(text)
        self._kind = kind
        self._icon = QLabel()
        self.label = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * SPACE, SPACE, SPACE, SPACE)
        row.setSpacing(2 * SPACE)
        row.addWidget(self._icon)
        row.addWidget(self.label, 1)
        for title, run in buttons:
            button = QPushButton(title)
            button.clicked.connect(lambda checked=False, run=run: run())
            row.addWidget(button)
        self._close = QToolButton(autoRaise=True)
        self._close.setToolTip("Dismiss")
        self._close.setAccessibleName("Dismiss this notice")
        self._close.clicked.connect(lambda: dismiss())
        row.addWidget(self._close)
        self._repaint()
        theme.changed.connect(self._repaint)

    def _repaint(self) -> None:
        self._icon.setPixmap(theme.icon(_ICONS[self._kind], _COLORS[self._kind]).pixmap(16, 16))
        self._close.setIcon(theme.icon("mdi6.close", "muted"))


class Banners(QWidget):
    """All notices, at most one per key."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._banners: dict[str, Banner] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)

    def show_banner(
        self,
        key: str,
        text: str,
        buttons: Sequence[tuple[str, Callable[[], object]]] = (),
        kind: str = "info",
        on_dismiss: Callable[[], object] | None = None,
    ) -> None:
        """Show a notice in place of the one that had the same key."""
        shown = self._banners.get(key)
        if shown is not None and shown.label.text() == text:
            return
        self.hide_banner(key)

        def dismiss() -> None:
            self.hide_banner(key)
            if on_dismiss is not None:
                on_dismiss()

        banner = self._banners[key] = Banner(kind, text, buttons, dismiss)
        self._column.addWidget(banner)

    def hide_banner(self, key: str) -> None:
        """Take the notice away, if it is there."""
        banner = self._banners.pop(key, None)
        if banner is not None:
            self._column.removeWidget(banner)
            banner.hide()
            banner.deleteLater()

    def text(self, key: str) -> str | None:
        """What the notice says, or None if it is not shown."""
        banner = self._banners.get(key)
        return banner.label.text() if banner else None

    def button(self, key: str, title: str) -> QPushButton:
        """A notice's button by its title."""
        return next(b for b in self._banners[key].findChildren(QPushButton) if b.text() == title)
