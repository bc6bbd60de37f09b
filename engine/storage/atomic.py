"""The only writer: a file is replaced whole, or not at all.

Whatever happens in between (a full disk, a lost network drive, a killed process), the old file stays
as it was. ``QSaveFile``, ``safetensors.save_file`` and ``torch.save`` each miss a part of this: an
unreported sync error, no sync, no temporary file.

Every call of the system goes through :mod:`os`, so that tests can make each of them fail.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import platform
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path


class WriteProblem(OSError):
    """A file that cannot be written; the message says which, why and what to do."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()


_REASONS = {
    errno.ENOSPC: "the disk is full. Free some space, or choose another folder.",
    errno.EDQUOT: "your disk quota is used up. Free some space, or choose another folder.",
    errno.EFBIG: "the disk takes no file of this size. Choose another folder.",
    errno.EROFS: "the disk is read-only. Choose another folder.",
    errno.EACCES: "you may not write there. Choose another folder, or change its permissions.",
    errno.EPERM: "you may not write there. Choose another folder, or change its permissions.",
    errno.ENOENT: "its folder does not exist. Make the folder, or choose another.",
    errno.EEXIST: "something else has that name already. Rename that, or choose another folder.",
    errno.ENOTDIR: "a part of its path is a file, not a folder. Choose another folder.",
    errno.EISDIR: "it is a folder. Choose another name.",
    errno.ENAMETOOLONG: "its name is too long. Choose a shorter one.",
    errno.ELOOP: "its symbolic links lead in a circle. Choose another name.",
    errno.EIO: "the disk reports an error. Choose another disk.",
    errno.EINTR: "the system interrupted it. Try again.",
    errno.EBUSY: "another program holds it. Close that program, or choose another name.",
    errno.EMFILE: "too many files are open. Close other programs, and try again.",
    errno.ENFILE: "too many files are open. Close other programs, and try again.",
}


def reason(error: OSError) -> str:
    """Why the system refused, and the way out, as the end of a sentence."""
    return _REASONS.get(error.errno or 0, f"{error.strerror or error}.")


@functools.cache
def machine() -> str:
    """This machine, in eight digits: a folder on the network holds the files of others too."""
    return hashlib.blake2b(platform.node().encode(), digest_size=4).hexdigest()


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at `path` by `data`, or leave it exactly as it was.

    A symbolic link stays one (its target is replaced), permissions are kept, and when this returns
    the data is on the disk, not in a cache.

    Raises
    ------
    WriteProblem
        If it cannot be done; the old file is whole and no temporary file is left behind.
    """
    write_chunks(path, (data,))


def write_chunks(path: str | os.PathLike[str], chunks: Iterable[bytes]) -> None:
    """As :func:`write_bytes`, for data that comes in parts."""
    try:
        # A link that leads in a circle resolves to itself, and os.replace then reports it.
        _replace(Path(os.path.realpath(path)), chunks)
    except OSError as error:
        raise WriteProblem(error.errno, f"Cannot write {os.fspath(path)}: {reason(error)}") from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; the system may take it in parts."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _replace(target: Path, chunks: Iterable[bytes]) -> None:
    mode: int | None = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        # Replacing needs a writable folder only, but who protected a file means to keep it.
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "is read-only")
    # Its name says who writes it, for :mod:`engine.storage.leftovers`.
    temporary = target.parent / f".layerlab-{machine()}-{os.getpid()}-{secrets.token_hex(6)}.tmp"
    # os.open, and not tempfile: a new file then gets the permissions that the user's umask says.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            for chunk in chunks:
                write_all(descriptor, chunk)
            os.fsync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):
                os.close(descriptor)
            raise
        os.close(descriptor)  # on network drives this is where a full disk is told
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Put the new name itself on the disk. The data is there already, so a refusal is no loss."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
