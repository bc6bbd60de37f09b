"""Crashes told from windows that are still open: each window keeps its journal in a folder of its own.

``ROOT/NUMBER/owner.json`` names the process, and the files of :mod:`engine.storage.journal` lie
beside it. A folder whose process is gone was left by a crash; what its journal holds is offered.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engine.problems import FileProblem
from engine.runs import owner
from engine.storage import atomic, journal, leftovers

_OWNER = "owner.json"


class Holder(msgspec.Struct, frozen=True):
    """Who keeps a folder, and for which file."""

    owner: owner.Owner
    #: The document's own file.
    path: str | None = None


class Safe:
    """This process's own folder below `root`; made at once, removed by :meth:`close`.

    Raises
    ------
    engine.storage.atomic.WriteProblem
        If it cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        name = secrets.token_hex(8)
        self.folder = root / name
        # Under another name until it says whose it is, so that nobody takes it for a crash's.
        unfinished = root / f".{name}"
        try:
            os.makedirs(unfinished, mode=0o700)
            _hold(unfinished, None)
            os.rename(unfinished, self.folder)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise atomic.WriteProblem(
                error.errno, f"Edits cannot be kept safe from a crash: {atomic.reason(error)}"
            ) from error

    def begin(
        self, path: Path | None, on_problem: Callable[[atomic.WriteProblem], None] = lambda problem: None
    ) -> journal.Journal:
        """A journal for the document of the file at `path`; other windows see that it is open here."""
        with contextlib.suppress(OSError):  # the journal works without
            _hold(self.folder, path)
        return journal.Journal(self.folder, path, on_problem)

    def close(self) -> None:
        """Remove the folder: nothing is to be brought back."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _hold(folder: Path, path: Path | None) -> None:
    holder = Holder(owner.me(), None if path is None else os.fspath(path))
    with contextlib.suppress(UnicodeEncodeError):  # a file's name that is no Unicode
        atomic.write_bytes(folder / _OWNER, msgspec.json.encode(holder))


def _holder(folder: Path) -> Holder | None:
    try:
        return msgspec.json.decode((folder / _OWNER).read_bytes(), type=Holder)
    except (OSError, ValueError, msgspec.MsgspecError):  # ValueError: no UTF-8
        return None


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def open_elsewhere(root: Path, path: Path) -> bool:
    """Whether another window that still runs has the file at `path` open."""
    for folder in _folders(root):
        holder = _holder(folder)
        if holder is None or holder.path is None or holder.owner.pid == os.getpid():
            continue
        if owner.is_alive(holder.owner) and _same(Path(holder.path), path):
            return True
    return False


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


@dataclass(frozen=True)
class Crashed:
    """What a window that has crashed has left."""

    folder: Path
    #: What it holds; None: it cannot be read, for the reason in `problem`.
    found: journal.Recovered | None
    problem: str = ""

    def discard(self) -> None:
        """Forget it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def crashed(root: Path) -> list[Crashed]:
    """What crashes have left below `root`, the newest first; what holds no edit is removed."""
    left: list[Crashed] = []
    for folder in _folders(root):
        holder = _holder(folder)
        if holder is not None and owner.is_alive(holder.owner):
            continue
        try:
            found, problem = journal.read(folder), ""
        except FileProblem as error:
            found, problem = None, str(error)
        if holder is not None and holder.path is not None:
            leftovers.sweep(Path(holder.path).parent)
        if found is None and not problem:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            left.append(Crashed(folder, found, problem))
    return sorted(left, key=lambda one: one.found.at if one.found else 0.0, reverse=True)
