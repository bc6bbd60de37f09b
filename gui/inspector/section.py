"""A heading that folds what is under it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from gui.forms import folding, set_state
from gui.theme import SPACE, theme


class Section(QWidget):
    """A titled part of a panel. Whether it is open is remembered by its key."""

    toggled = Signal(bool)

    def __init__(self, key: str, title: str, parent: QWidget | None = None, *, open: bool = True) -> None:
        super().__init__(parent)
        self._key = f"sections/{key}"
        self._title = title
        self._note = ""
        self.heading = QToolButton()
        self.heading.setCheckable(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        set_state(self.heading, "role", "section")
        self.body = QWidget()
        self.rows = QVBoxLayout(self.body)
        self.rows.setContentsMargins(0, SPACE, 0, 2 * SPACE)
        self.rows.setSpacing(2 * SPACE)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.heading)
        layout.addWidget(self.body)
        self.heading.setChecked(folding.recall(self._key, open))
        self.body.setVisible(self.heading.isChecked())
        self.heading.toggled.connect(self._toggle)
        theme.changed.connect(self._dress)
        self._dress()

    @property
    def open(self) -> bool:
        """Whether what is under the heading is shown."""
        return self.heading.isChecked()

    def set_open(self, open: bool) -> None:
        """Fold or unfold."""
        self.heading.setChecked(open)

    def sync(self) -> None:
        """Fold or unfold as another section of the same key was left."""
        self.set_open(folding.recall(self._key, self.open))

    def set_title(self, title: str, note: str = "") -> None:
        """Name it; `note` is a word about what is inside, seen while it is folded."""
        self._title, self._note = title, note
        self._dress()

    def _toggle(self, open: bool) -> None:
        self.body.setVisible(open)
        folding.remember(self._key, open)
        self._dress()
        self.toggled.emit(open)

    def _dress(self) -> None:
        open = self.heading.isChecked()
        note = f"  ·  {self._note}" if self._note and not open else ""
        text = f"{self._title}{note}"
        # An ampersand would be taken for a shortcut.
        self.heading.setText(text.replace("&", "&&"))
        self.heading.setIcon(theme.icon("mdi6.chevron-down" if open else "mdi6.chevron-right", "muted"))
        self.heading.setAccessibleName(f"{text}, {'open' if open else 'folded'}")
