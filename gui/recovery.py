"""Nothing is lost: the window's side of journal, local history and changes by other programs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QDialogButtonBox, QWidget

from engine.network import Network
from engine.problems import FileProblem
from engine.storage import WriteProblem, file, history, journal, recovery
from gui.banners import Banners
from gui.document import Document
from gui.files import Files, tell
from gui.unfinished import UnfinishedTexts, typing
from gui.versions import Choice, when

_ROLE = QDialogButtonBox.ButtonRole
RESTORE, DISCARD, LATER = "Restore", "Discard", "Ask me later"
REPLACE, TAKE, CANCEL = "Replace it with mine", "Take the file's version", "Cancel"
BRING_BACK, CLOSE = "Bring this version back", "Close"


class Keeper(QObject):
    """Keeps one document's edits safe, and its file from being overwritten unseen.

    Parameters
    ----------
    document, files, banners
        What it watches, and where it speaks.
    root
        The folder for journals and local history.
    texts
        What stands in fields and says no value: kept with the edits.
    """

    _troubled = Signal(str)

    def __init__(
        self,
        document: Document,
        files: Files,
        banners: Banners,
        root: Path,
        parent: QWidget,
        texts: UnfinishedTexts,
    ) -> None:
        super().__init__(parent)
        self.document, self.files, self.banners, self.root = document, files, banners, root
        self._window, self._texts = parent, texts
        self._safe: recovery.Safe | None = None
        self._journal: journal.Journal | None = None
        self._known: history.Fingerprint | None = None
        self._generation = -1
        #: The file's version of the format, where that is newer than ours.
        self.newer: int | None = None
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._look_at_file)
        self._troubled.connect(self._say_trouble)
        self._typed = QTimer(self, singleShot=True, interval=0)
        self._typed.timeout.connect(self._keep_texts)
        typing.changed.connect(self._typed.start)
        document.changed.connect(self._document_changed)
        files.saved.connect(self._saved)
        files.may_write = self.may_write
        try:
            self._safe = recovery.Safe(root / "open")
        except WriteProblem as problem:
            self._say_trouble(str(problem))
        self._begin()

    # ------------------------------------------------------------------ the journal

    def _begin(self) -> None:
        """Keep the document that is shown now."""
        if self._journal is not None:
            self._journal.close()
        path = self.document.path
        self._generation = self.document.generation
        self._journal = self._safe.begin(path, self._sync_failed) if self._safe is not None else None
        self._look_anew()
        for banner in ("elsewhere", "newer"):
            self.banners.hide_banner(banner)
        self.newer = file.newer(path) if path is not None else None
        if path is not None and recovery.open_elsewhere(self.root / "open", path):
            self.banners.show_banner(
                "elsewhere", f"{path.name} is open in another window too. Save in one of them only."
            )
        if path is not None and self.newer is not None:
            self.banners.show_banner(
                "newer",
                f"{path.name} was written by a newer Layerlab (format {self.newer}), so it is open "
                "read-only. Save it under another name to change it.",
                [("Save as…", self.files.save_as)],
            )

    def _sync_failed(self, problem: WriteProblem) -> None:
        with contextlib.suppress(RuntimeError):  # the window has gone meanwhile
            self._troubled.emit(str(problem))  # from the journal's thread to this one

    def _document_changed(self, before: Network, after: Network) -> None:
        if self.document.generation != self._generation:
            self._begin()
            if not self.document.clean:
                self._record(lambda journal: journal.restart(after))
        else:
            self._record(lambda journal: journal.record(before, after))
            self._typed.start()  # texts go, come back, or are renamed, with their layers

    def _keep_texts(self) -> None:
        if self.document.generation == self._generation:  # else they are of the document before
            self._record(lambda journal: journal.keep(self.document.network, self._texts.kept))

    def _record(self, record: Callable[[journal.Journal], None]) -> None:
        if self._journal is None:
            return
        try:
            record(self._journal)
        except WriteProblem as problem:
            self._say_trouble(str(problem))
        else:
            self.banners.hide_banner("journal")

    def _say_trouble(self, text: str) -> None:
        self.banners.show_banner("journal", text, [("Save now", self.files.save)], kind="warning")

    def close(self) -> None:
        """The user is done with the document: nothing is to be brought back."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._safe is not None:
            self._safe.close()
            self._safe = None

    def leave(self) -> None:
        """The program ends without the user having been asked: the edits are offered at its next start."""
        if self._journal is not None:
            self._journal.close(keep=True)
            self._journal = None

    # ------------------------------------------------------------------ saving

    def _saved(self) -> None:
        path = self.document.path
        assert path is not None
        if self._journal is not None and self._journal.path == path:
            self._journal.saved()
            self._look_anew()
        else:
            self._begin()
        self._keep_texts()
        self.banners.hide_banner("changed")
        self._remember(path, file.dumps(self.document.network))

    def _remember(self, path: Path, data: bytes) -> None:
        try:
            history.keep(self.root / "history", path, data)
        except WriteProblem as problem:
            self.banners.show_banner("history", f"The local history misses this save: {problem}")

    def may_write(self, path: Path) -> bool:
        """Whether `path` may be written: what another program has put there is shown first."""
        if path != self.document.path:
            return True
        if self.newer is not None:
            tell(
                self._window,
                f"{path.name} is open read-only.",
                f"A newer Layerlab wrote it (format {self.newer}). Save it under another name, "
                "or update Layerlab.",
            )
            return False
        if self._known is None or not history.changed(path, self._known):
            return True
        return self._ask_about(path, saving=True)

    # ------------------------------------------------------------------ other programs

    def _look_anew(self) -> None:
        path = self.document.path
        if self._watcher.files():
            self._watcher.removePaths(self._watcher.files())
        self._known = history.fingerprint(path) if path is not None else None
        if path is not None:
            self._watcher.addPath(str(path))

    def _look_at_file(self) -> None:
        path = self.document.path
        if path is None or self._known is None:
            return
        if path.exists() and str(path) not in self._watcher.files():
            self._watcher.addPath(str(path))  # whoever replaces a file takes the watch with the old one
        if history.changed(path, self._known):
            self.banners.show_banner(
                "changed",
                f"Another program has changed {path.name}.",
                [("Show the difference", partial(self._ask_about, path, saving=False))],
                kind="warning",
            )

    def _ask_about(self, path: Path, saving: bool) -> bool:
        """Show what another program has put into the file; whether it may be overwritten."""
        dialog = Choice(
            "Layerlab",
            f"Another program has changed {path.name}. Below is what leads from its version to yours. "
            "If you replace it, its version is kept in the local history.",
            self._window,
        )
        try:
            theirs: Network | None = file.read(path)
        except FileProblem as problem:
            theirs = None
            dialog.show_words(f"Its version cannot be read. {problem}")
        if theirs is not None:
            dialog.show_difference(theirs, self.document.network)
            dialog.add_button(TAKE, _ROLE.ActionRole)
        if saving:
            dialog.add_button(REPLACE, _ROLE.DestructiveRole)
        dialog.add_button(CANCEL, _ROLE.RejectRole)
        dialog.exec()
        dialog.deleteLater()
        if dialog.chosen == TAKE and theirs is not None:
            self._known = history.fingerprint(path)
            self.document.edit(theirs, "Take the file's version")
            self.banners.hide_banner("changed")
        if dialog.chosen == REPLACE:
            with contextlib.suppress(OSError):
                self._remember(path, path.read_bytes())
            return True
        return False

    # ------------------------------------------------------------------ after a crash

    def offer(self) -> Choice | None:
        """Offer back what windows that crashed have left; the dialog, or None if there is nothing."""
        left = []
        for one in recovery.crashed(self.root / "open"):
            found = one.found
            if found is not None and not found.texts and found.network == _on_disk(found.path):
                one.discard()  # it was saved in the end
            else:
                left.append(one)
        if not left:
            return None
        dialog = Choice("Layerlab", "", self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        restore = dialog.add_button(RESTORE, _ROLE.AcceptRole)
        restore.setDefault(True)
        dialog.add_button(DISCARD, _ROLE.DestructiveRole)
        dialog.add_button(LATER, _ROLE.RejectRole)

        def show(row: int) -> None:
            one = left[row]
            restore.setEnabled(one.found is not None)
            dialog.text.setText(_about(one))
            if one.found is None:
                dialog.show_words(one.problem)
            elif one.found.edits:
                dialog.show_difference(_on_disk(one.found.path) or Network(), one.found.network)
            else:
                dialog.show_words("\n".join(map(_told, one.found.texts)))

        def finished() -> None:
            one = left[max(dialog.list.currentRow(), 0)]
            if dialog.chosen == RESTORE:
                self._restore(one)
            elif dialog.chosen == DISCARD:
                one.discard()

        dialog.list.addItems([_title(one) for one in left])
        dialog.list.setVisible(len(left) > 1)
        dialog.list.currentRowChanged.connect(show)
        dialog.list.setCurrentRow(0)
        dialog.finished.connect(finished)
        dialog.open()
        return dialog

    def _restore(self, one: recovery.Crashed) -> None:
        if one.found is None or not self.files.may_replace():
            return
        found, saved = one.found, _on_disk(one.found.path)
        # Without an edit it is the file, whatever another program has put there since.
        network = found.network if found.edits or saved is None else saved
        self.document.replace(network, found.path, clean=network == saved)
        self.files.opened.emit()
        self._texts.restore(found.texts)
        self._keep_texts()
        if self._journal is not None and (self.document.clean or self._journal.edits or self._journal.texts):
            one.discard()  # it is safe here before it goes there

    # ------------------------------------------------------------------ history

    def show_history(self) -> Choice:
        """The last saves of the file, each with the way from it to the drawing as it is."""
        path = self.document.path
        saves = history.saves(self.root / "history", path) if path is not None else []
        name = path.name if path is not None else "This network"
        text = (
            f"The last {len(saves)} saves of {name}. Below is what leads from the chosen one to the drawing."
            if saves
            else f"{name} has not been saved yet; each save is kept here, the last {history.KEPT} of them."
        )
        dialog = Choice("History", text, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        bring = dialog.add_button(BRING_BACK, _ROLE.AcceptRole)
        bring.setEnabled(False)
        dialog.add_button(CLOSE, _ROLE.RejectRole)
        read: dict[int, Network] = {}

        def show(row: int) -> None:
            bring.setEnabled(False)
            try:
                read[row] = saves[row].read()
            except FileProblem as problem:
                dialog.show_words(str(problem))
                return
            dialog.show_difference(read[row], self.document.network)
            bring.setEnabled(read[row] != self.document.network)

        def finished() -> None:
            row = dialog.list.currentRow()
            if dialog.chosen == BRING_BACK and row in read:
                self.document.edit(read[row], f"Bring back the version of {when(saves[row].at)}")

        dialog.list.addItems([when(save.at) for save in saves])
        dialog.list.setVisible(bool(saves))
        dialog.list.currentRowChanged.connect(show)
        dialog.list.setCurrentRow(0)
        dialog.finished.connect(finished)
        dialog.open()
        return dialog


def _on_disk(path: Path | None) -> Network | None:
    if path is None:
        return None
    try:
        return file.read(path)
    except FileProblem:
        return None


def _title(one: recovery.Crashed) -> str:
    if one.found is None:
        return "Cannot be read"
    return one.found.path.name if one.found.path is not None else one.found.network.name or "Untitled"


def _about(one: recovery.Crashed) -> str:
    if one.found is None:
        return "Layerlab ended unexpectedly, and what was not saved cannot be read. Your files are as saved."
    edits, texts = _counted(one.found.edits, "edit"), _counted(len(one.found.texts), "unfinished text")
    what = " and ".join(filter(None, (edits, texts)))
    last = f"the last at {when(one.found.at)}"
    said = f"Layerlab ended unexpectedly with {what} of {_title(one)} not saved, {last}."
    if edits:
        said += " Below is the difference to the file."
    else:
        said += " Restore puts back what was typed, marked as it was."
    return f"{said} {one.found.damage} What came before is whole." if one.found.damage else said


def _told(text: journal.Text) -> str:
    """A text, where it stood, and why it says no value."""
    nodes = (
        text.nodes[0] if len(text.nodes) == 1 else f"{len(text.nodes)} layers" if text.nodes else text.panel
    )
    where = " › ".join(filter(None, (text.block, nodes, text.part, text.field)))
    return f"{where}: {text.trouble or repr(text.text)}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}" if count else ""
