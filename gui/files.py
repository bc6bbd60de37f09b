"""New, open, save: the document and the disk, with the questions that belong to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from engine.network import Network
from engine.problems import FileProblem
from engine.storage import SUFFIX, file
from gui.choosing import ask_open, ask_save, file_name
from gui.document import Document
from gui.settings import Settings
from gui.unfinished import Unfinished, summed

_FILTER = f"Layerlab networks (*{SUFFIX});;All files (*)"


def tell(parent: QWidget, title: str, text: str) -> QMessageBox:
    """Show one message; it does not hold up the program."""
    box = QMessageBox(QMessageBox.Icon.Warning, "Layerlab", title, QMessageBox.StandardButton.Ok, parent)
    box.setInformativeText(text)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()
    return box


class Files(QObject):
    """Opens and saves the document, and never loses unsaved changes without asking."""

    #: Another document is shown: new, opened, or from a template.
    opened = Signal()
    #: The document was written to its file.
    saved = Signal()

    def __init__(self, document: Document, settings: Settings, parent: QWidget) -> None:
        super().__init__(parent)
        self.document = document
        self.settings = settings
        self._window = parent
        #: Asked before a file is written; False: it stays as it is.
        self.may_write: Callable[[Path], bool] = lambda path: True
        #: The texts in fields that say no value: nothing that is saved holds them.
        self.unfinished: Callable[[], Sequence[Unfinished]] = lambda: ()

    # ------------------------------------------------------------------ asking

    def may_replace(self) -> bool:
        """Whether the document may go: saved with nothing left unfinished, or the user said so."""
        texts, clean = self.unfinished(), self.document.clean
        if clean and not texts:
            return True
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Layerlab")
        box.setText(f"Close {self.title()}?" if clean else f"Save the changes to {self.title()}?")
        told = [] if clean else ["What is not saved is lost."]
        if texts:
            told += [summed(texts), f"No file holds {'that text' if len(texts) == 1 else 'these texts'}."]
        box.setInformativeText("\n".join(told))
        box.setTextFormat(Qt.TextFormat.PlainText)
        buttons = QMessageBox.StandardButton
        save = buttons.NoButton if clean else buttons.Save
        box.setStandardButtons(save | buttons.Discard | buttons.Cancel)
        box.setDefaultButton(buttons.Cancel if clean else buttons.Save)
        answer = box.exec()
        if answer == buttons.Cancel and texts:
            QTimer.singleShot(0, self, texts[0].show)  # as soon as the window has the keyboard again
        if answer == buttons.Save:
            return self.save()
        return answer == buttons.Discard

    @property
    def folder(self) -> Path:
        """Where dialogs begin: in the document's folder, else in the one used last, else at home."""
        path = self.document.path
        return path.absolute().parent if path is not None and path.parent.is_dir() else self.settings.folder

    def remember_folder(self, folder: Path) -> None:
        """Begin there the next time, unless the document has a folder."""
        self.settings.folder = folder

    def title(self) -> str:
        """What the document is called."""
        path = self.document.path
        return path.name if path is not None else self.document.network.name

    # ------------------------------------------------------------------ opening

    def new(self) -> bool:
        """Begin an empty network."""
        if not self.may_replace():
            return False
        self.document.replace(Network())
        self.opened.emit()
        return True

    def open(self) -> bool:
        """Ask for a file and open it."""
        path = ask_open(self._window, "Open", _FILTER)
        return path is not None and self.open_path(path)

    def open_path(self, path: Path) -> bool:
        """Open the file at `path`; where it cannot be read, say so and leave all as it is."""
        try:
            network = file.read(path)
        except (FileProblem, OSError) as problem:
            tell(self._window, f"{path.name} cannot be opened.", str(problem))
            return False
        if not self.may_replace():
            return False
        path = path.absolute()
        self.document.replace(network, path)
        self.settings.folder = path.parent
        self.settings.remember(path)
        self.opened.emit()
        return True

    def open_template(self, path: Path) -> bool:
        """Begin a new network from a template."""
        try:
            network = file.read(path)
        except (FileProblem, OSError) as problem:
            tell(self._window, "The template cannot be opened.", str(problem))
            return False
        if not self.may_replace():
            return False
        self.document.replace(network)
        self.opened.emit()
        return True

    # ------------------------------------------------------------------ saving

    def save(self) -> bool:
        """Save where the document came from; a new one asks where."""
        return self._write(self.document.path) if self.document.path else self.save_as()

    def save_as(self) -> bool:
        """Ask for a name and save there."""
        path = self.document.path
        name = path.name if path is not None else f"{file_name(self.document.network.name)}{SUFFIX}"
        target = ask_save(self._window, "Save as", name, _FILTER)
        if target is None:
            return False
        if not target.suffix:
            # The dialog asked about the name without its ending, so ask about the real one.
            target = target.with_suffix(SUFFIX)
            if target.exists() and not self._may_overwrite(target):
                return False
        return self._write(target)

    def _may_overwrite(self, path: Path) -> bool:
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self._window, "Layerlab", f"{path.name} is there already. Replace it?", buttons.Yes | buttons.No
        )
        return answer == buttons.Yes

    def _write(self, path: Path) -> bool:
        if not self.may_write(path):
            return False
        try:
            self.document.save(path)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            tell(self._window, f"{path.name} is not saved.", f"{reason}\nYour network is still open here.")
            return False
        self.settings.folder = path.absolute().parent
        self.settings.remember(path.absolute())
        self.saved.emit()
        return True
