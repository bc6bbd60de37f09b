"""Which initialisations are compared: typed as on the command line, or picked from a list."""

from __future__ import annotations

from functools import partial

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QToolButton, QWidget

from engine.catalog import INITIALIZERS
from engine.lab import USUAL, choices
from gui.plain import tip
from gui.theme import SPACE


class SchemesEdit(QWidget):
    """A line such as ``orthogonal, normal:std=0.02``; empty: the usual schemes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QLineEdit(clearButtonEnabled=True)
        self.line.setAccessibleName("Schemes to compare")
        self.line.setPlaceholderText("The usual ones")
        self.line.setToolTip(
            tip(
                "Ids with commas, fields behind colons: kaiming_normal, normal:std=0.02\n"
                f"The usual ones: {', '.join(USUAL)}"
            )
        )
        self.pick = QToolButton()
        self.pick.setText("Schemes")
        self.pick.setToolTip("Add schemes to the line, or take them out")
        self.pick.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.pick)
        self.menu.setToolTipsVisible(True)
        self.actions_: dict[str, QAction] = {}
        for id, entry in INITIALIZERS.items():
            action = self.menu.addAction(f"{entry.title}  ({id})")
            action.setCheckable(True)
            action.setToolTip(tip(entry.doc.replace("`", "")))
            action.toggled.connect(partial(self._toggle, id))
            self.actions_[id] = action
        self.menu.aboutToShow.connect(self._tick)
        self.pick.setMenu(self.menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * SPACE)
        row.addWidget(self.line, 1)
        row.addWidget(self.pick)

    def chosen(self) -> str | None:
        """The schemes as the command line writes them; None: the usual ones.

        Raises
        ------
        ValueError
            If one is not known, or has a wrong field; the message is for the user.
        """
        text = self.line.text().strip()
        if not text:
            return None
        choices(text, INITIALIZERS, "initialiser")
        return text

    def _words(self) -> list[str]:
        return [word for part in self.line.text().split(",") if (word := part.strip())]

    def _tick(self) -> None:
        named = {word.partition(":")[0] for word in self._words()}
        for id, action in self.actions_.items():
            action.blockSignals(True)
            action.setChecked(id in named)
            action.blockSignals(False)

    def _toggle(self, id: str, on: bool) -> None:
        words = [word for word in self._words() if word.partition(":")[0] != id]
        if on:
            entry = INITIALIZERS[id]
            fields = "".join(f":{name}={value}" for name, value in entry.start().items())
            words.append(f"{id}{fields}")
        self.line.setText(", ".join(words))
