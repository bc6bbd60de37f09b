"""Versions of a network to choose from, each with the difference that it makes."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.network import Network
from gui.narrow import Paragraph
from gui.theme import SPACE


def when(seconds: float) -> str:
    """A moment, as people write it."""
    moment = datetime.fromtimestamp(seconds)
    today = moment.date() == datetime.now().date()
    return f"{moment:%H:%M:%S}" if today else f"{moment:%d %B %Y, %H:%M}"


class Choice(QDialog):
    """Versions to choose from, the difference that each makes, and buttons; the chosen one's name stays."""

    def __init__(self, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(820, 620)
        self.text = Paragraph(text)
        self.list = QListWidget()
        self.list.setAccessibleName("Versions")
        self.list.setMaximumWidth(240)
        self.list.hide()
        self.view: QWidget = QWidget()
        self.buttons = QDialogButtonBox()
        #: The name of the button that was pressed; empty: none was.
        self.chosen = ""
        self._middle = QHBoxLayout()
        self._middle.addWidget(self.list)
        self._middle.addWidget(self.view, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(4 * SPACE, 4 * SPACE, 4 * SPACE, 3 * SPACE)
        column.setSpacing(3 * SPACE)
        column.addWidget(self.text)
        column.addLayout(self._middle, 1)
        column.addWidget(self.buttons)

    def show_difference(self, before: Network, after: Network) -> None:
        """Show what leads from `before` to `after`."""
        from gui.difference import DifferenceView  # it brings the canvas, which the first paint does not need

        self._show(DifferenceView(before, after))

    def show_words(self, text: str) -> None:
        """Show words where no difference is to be shown."""
        words = Paragraph(text)
        words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._show(words)

    def _show(self, view: QWidget) -> None:
        self._middle.replaceWidget(self.view, view)
        self.view.deleteLater()
        self.view = view

    def add_button(self, name: str, role: QDialogButtonBox.ButtonRole) -> QPushButton:
        """Add a button that closes the dialog."""
        button = self.buttons.addButton(name, role)

        def press() -> None:
            self.chosen = name
            self.done(int(role is not QDialogButtonBox.ButtonRole.RejectRole))

        button.clicked.connect(press)
        return button
