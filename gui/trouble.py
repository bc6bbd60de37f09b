"""What the user sees when the program itself makes a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox

if TYPE_CHECKING:
    from gui.window import Window


class TroubleBox(QMessageBox):
    """One box, however many mistakes follow one another while it is open."""

    _open: ClassVar[TroubleBox | None] = None

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self.setIcon(QMessageBox.Icon.Warning)
        self.setWindowTitle("Layerlab")
        self.setText("Something went wrong inside Layerlab.")
        self.setInformativeText(
            "Your network is still open and whole. Save it now if it matters; "
            "the details below help whoever mends this."
        )
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        save = self.addButton("Save the network", QMessageBox.ButtonRole.AcceptRole)
        save.clicked.connect(window.files.save)
        self.addButton(QMessageBox.StandardButton.Close)
        self.destroyed.connect(TroubleBox._closed)

    @staticmethod
    def _closed() -> None:
        TroubleBox._open = None

    @classmethod
    def report(cls, window: Window, details: str) -> TroubleBox:
        """Show `details`, in the box that is open or in a new one."""
        box = cls._open
        if box is None:
            box = cls._open = cls(window)
            box.setDetailedText(details)
            box.open()
        elif details not in box.detailedText() and len(box.detailedText()) < 20_000:
            box.setDetailedText(f"{box.detailedText()}\n{details}")
        return box
