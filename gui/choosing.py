"""Dialogs that ask for a file or folder: they all begin in the same place.

That is the folder of the document, else the one used last, else the user's own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Protocol, runtime_checkable

from PySide6.QtWidgets import QFileDialog, QWidget


class Folders(Protocol):
    """Knows where the files of a window are."""

    @property
    def folder(self) -> Path:
        """Where a dialog begins."""

    def remember_folder(self, folder: Path) -> None:
        """Begin there the next time, where there is no document that has a folder."""


@runtime_checkable
class _HasFolders(Protocol):
    folders: Folders


def _folders(widget: QWidget | None) -> Folders | None:
    """Those of the window to which `widget` belongs, also from within a panel that was torn off."""
    while widget is not None and not isinstance(widget, _HasFolders):
        widget = widget.parentWidget()
    return None if widget is None else widget.folders


def start_folder(widget: QWidget) -> Path:
    """Where a dialog for `widget` begins."""
    folders = _folders(widget)
    return folders.folder if folders is not None else Path.home()


def ask_open(parent: QWidget, title: str, kinds: str = "", at: str | Path = "") -> Path | None:
    """A file that is there; `at`: the file or folder to begin at, where there is such a one."""
    return _chosen(parent, QFileDialog.getOpenFileName(parent, title, _begin(parent, at), kinds)[0])


def ask_folder(parent: QWidget, title: str, at: str | Path = "") -> Path | None:
    """A folder that is there."""
    return _chosen(parent, QFileDialog.getExistingDirectory(parent, title, _begin(parent, at)))


def ask_save(parent: QWidget, title: str, name: str, kinds: str) -> Path | None:
    """A file to write, called `name` if the user says nothing else.

    What has no end gets that of the kind chosen, as does a suggestion that was left as it is. Where
    there is such a file, the dialog asks about it.
    """
    suggestion, kind = str(start_folder(parent) / name), ""
    while True:
        chosen, kind = QFileDialog.getSaveFileName(parent, title, suggestion, kinds, kind)
        meant = _ended(chosen, kind, Path(chosen) == Path(suggestion))
        if meant == chosen or not os.path.exists(meant):
            return _chosen(parent, meant)
        suggestion = meant


def _ended(name: str, kind: str, untouched: bool) -> str:
    """A file's name with the end that its kind (``GIF (*.gif)``) asks for."""
    ends = re.findall(r"\*(\.\w+)", kind)
    path = Path(name)
    if not name or not ends or path.suffix.lower() in ends or (path.suffix and not untouched):
        return name
    return str(path.with_suffix(ends[0]))


def _begin(parent: QWidget, at: str | Path) -> str:
    place = os.path.expanduser(at)
    return place if place and os.path.exists(place) else str(start_folder(parent))


def _chosen(parent: QWidget, name: str) -> Path | None:
    path = Path(name) if name else None
    folders = _folders(parent)
    if path is not None and folders is not None:
        folders.remember_folder(path.absolute().parent)
    return path


def file_name(name: str) -> str:
    """A network's name as a file's name, in all file systems."""
    kept = "".join(letter if letter.isalnum() or letter in " -_.()," else " " for letter in name)
    return " ".join(kept.split()).strip(". ")[:80] or "Untitled"
