"""Local history: what the last saves of a file held, and whether the file is still what was saved."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.network import Network
from engine.storage import atomic, file, leftovers

#: Saves that are kept of each file.
KEPT = 20
_NAME = re.compile(r"(\d{20})" + re.escape(file.SUFFIX))


@dataclass(frozen=True)
class Save:
    """One save."""

    path: Path
    #: When, in seconds since the epoch.
    at: float

    def read(self) -> Network:
        """The network that was saved.

        Raises
        ------
        engine.problems.FileProblem
            If it cannot be read.
        """
        return file.read(self.path)


def folder_of(root: Path, path: Path) -> Path:
    """Where the saves of the file at `path` are kept."""
    return root / hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:24]


def saves(root: Path, path: Path) -> list[Save]:
    """The last saves of the file at `path`, the newest first."""
    folder = folder_of(root, path)
    try:
        names = sorted(filter(_NAME.fullmatch, os.listdir(folder)), reverse=True)
    except OSError:
        return []
    return [Save(folder / name, int(name[:20]) / 1e9) for name in names]


def keep(root: Path, path: Path, data: bytes) -> None:
    """Keep `data` as the newest save of `path`; only the last :data:`KEPT` are kept.

    Raises
    ------
    engine.storage.atomic.WriteProblem
        If it cannot be written; the saves that are there stay.
    """
    earlier = saves(root, path)
    with contextlib.suppress(OSError):
        if earlier and earlier[0].path.read_bytes() == data:
            return
    folder = folder_of(root, path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise atomic.WriteProblem(error.errno, f"Cannot write {folder}: {atomic.reason(error)}") from error
    leftovers.sweep(folder)
    # After the newest there is, even if the clock was set back.
    newest = int(earlier[0].path.name[:20]) if earlier else 0
    atomic.write_bytes(folder / f"{max(time.time_ns(), newest + 1):020}{file.SUFFIX}", data)
    _forget(earlier[KEPT - 1 :])


def _forget(old: Iterable[Save]) -> None:
    for save in old:
        with contextlib.suppress(OSError):
            os.unlink(save.path)


# ---------------------------------------------------------------------------- changed by others


@dataclass(frozen=True)
class Fingerprint:
    """What a file was when it was last looked at."""

    size: int
    modified: int
    digest: str


def fingerprint(path: Path) -> Fingerprint | None:
    """The fingerprint of the file at `path`; None if it cannot be read."""
    try:
        status = os.stat(path)
        return Fingerprint(status.st_size, status.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError:
        return None


def changed(path: Path, known: Fingerprint) -> bool:
    """Whether the file at `path` is there and holds something else than when `known` was taken.

    The contents are read only where size or time differ: a file that was merely touched has not
    changed.
    """
    try:
        status = os.stat(path)
    except OSError:
        return False
    if (status.st_size, status.st_mtime_ns) == (known.size, known.modified):
        return False
    now = fingerprint(path)
    return now is not None and now.digest != known.digest
