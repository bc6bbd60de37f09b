"""The journal: every edit is written down as it is made, so that a crash costs none.

A journal is a file of records, each with its length and a checksum that also covers the checksum
before it, so that no record can be altered, cut short, left out or moved unnoticed. The first holds
the whole network, each further one the :class:`engine.diff.Change` tuples of one edit, or the texts that
stand in fields and say no value. When
:meth:`Journal.record` returns, the edit has been handed to the system and outlives the process; a
thread puts it on the disk within a second, so that a power cut costs that second at most. The pace
is throttled and not put off by the next edit: editing without a pause cannot starve it.

When a record cannot be written, the journal begins a new file with the whole network, at the next
edit at the latest. Files are numbered; an older one goes when a newer one is on the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from engine import diff
from engine.network import Network
from engine.problems import FileProblem
from engine.storage import atomic
from engine.storage.form import from_form, to_form

#: What a journal begins with; the number is the version of its form.
MAGIC = b"layerlab journal 1\n"
#: Seconds from one sync to the next, and so the longest that an edit waits for its own.
SYNC_EVERY = 0.5
#: A journal whose edits are longer than this, in bytes, and than its network four times, begins anew.
MAX_EDITS = 1 << 20
#: A record cannot be longer: a network's file is limited too.
_MAX_RECORD = 1 << 28
_NAME = re.compile(r"(\d{8})\.journal")


class Text(msgspec.Struct, frozen=True):
    """A text in a field that says no value, which therefore no network holds."""

    #: The panel with the field, a part of it, and the field's name there.
    panel: str
    part: str
    field: str
    text: str
    #: Why it says none.
    trouble: str = ""
    #: The nodes that the field is of, and the block that they are in.
    nodes: tuple[str, ...] = ()
    block: str | None = None


class Whole(msgspec.Struct, frozen=True, tag="whole"):
    """The network as it was when this file began."""

    #: In document form.
    form: dict[str, Any]
    #: The document's own file, if it has one.
    path: str | None
    #: Edits since it was last saved.
    edits: int
    #: Seconds since the epoch.
    at: float
    texts: tuple[Text, ...] = ()


class Edit(msgspec.Struct, frozen=True, tag="edit"):
    """One edit."""

    changes: tuple[diff.Change, ...]
    at: float
    #: The texts from now on, where it is these that have changed, and nothing else.
    texts: tuple[Text, ...] | None = None


_decode = msgspec.msgpack.Decoder(Whole | Edit).decode
_encode = msgspec.msgpack.Encoder().encode


def _digest(previous: bytes, length: bytes, body: bytes) -> bytes:
    return hashlib.blake2b(previous + length + body, digest_size=16).digest()


def _written(text: Text) -> Text:
    """`text` as it can be written: half a surrogate pair, which Qt can make, has no place in a file."""
    return msgspec.structs.replace(text, text=text.text.encode(errors="replace").decode())


def _whole(network: Network, path: Path | None, edits: int, texts: tuple[Text, ...]) -> bytes:
    where = None if path is None else os.fspath(path)
    try:
        return _encode(Whole(to_form(network), where, edits, time.time(), texts))
    except UnicodeEncodeError:
        # Half a surrogate pair, which Qt can make. The file's own writer has a way with it.
        from engine.storage import file

        form = to_form(file.loads(file.dumps(network)))
        where = where and where.encode(errors="replace").decode()
        return _encode(Whole(form, where, edits, time.time(), texts))


class Journal:
    """Writes down one document's edits, into files of a folder that is there already.

    Parameters
    ----------
    folder
        Where the files go.
    path
        The document's own file, for who finds the journal after a crash.
    on_problem
        Called from a thread of the journal's own with a :class:`~engine.storage.atomic.WriteProblem`
        when edits that were recorded cannot be put on the disk.

    :meth:`record` and :meth:`restart` raise ``WriteProblem`` where a record cannot be written; what
    was recorded before is safe, and the next call tries to write the whole network to a new file.
    """

    def __init__(
        self,
        folder: Path,
        path: Path | None = None,
        on_problem: Callable[[atomic.WriteProblem], None] = lambda problem: None,
    ) -> None:
        self.folder = folder
        self.path = path
        self._on_problem = on_problem
        self._descriptor: int | None = None
        self._previous = b""
        self._number = 0
        #: The newest files that are whole, and that are whole and on the disk.
        self._written = self._synced = 0
        self._edits = 0
        #: The texts that say no value.
        self._texts: tuple[Text, ...] = ()
        self._length = 0
        self._limit = MAX_EDITS
        self._unsynced = False
        self._closing = False
        self._synced_at = float("-inf")
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def edits(self) -> int:
        """Edits since the document was last saved."""
        return self._edits

    @property
    def texts(self) -> tuple[Text, ...]:
        """The texts that are kept with the edits."""
        return self._texts

    def record(self, before: Network, after: Network) -> None:
        """Write down the edit that led from `before` to `after`; it then outlives this process."""
        changed = diff.changes(before, after)
        if not changed:
            return
        with self._changed, self._told():
            self._edits += 1
            if self._descriptor is None or self._length > self._limit:
                self._begin(after)
                return
            try:
                body = _encode(Edit(changed, time.time()))
            except UnicodeEncodeError:
                self._begin(after)
                return
            self._append(body)

    def restart(self, network: Network, edits: int = 1) -> None:
        """Begin anew with `network`, which is not saved."""
        with self._changed, self._told():
            self._edits = edits
            self._begin(network)

    def keep(self, network: Network, texts: tuple[Text, ...]) -> None:
        """Write down which texts stand in the fields of `network` now that say no value."""
        texts = tuple(_written(text) for text in texts)
        needed = bool(texts or self._edits)
        if texts == self._texts and (self._descriptor is not None or not needed):
            return
        with self._changed, self._told():
            self._texts = texts
            if not needed:
                self._forget()
            elif self._descriptor is None or self._length > self._limit:
                self._begin(network)
            else:
                self._append(_encode(Edit((), time.time(), texts)))

    def saved(self) -> None:
        """The document has been saved: there is nothing to bring back until :meth:`keep` is given texts."""
        with self._changed:
            self._edits, self._texts = 0, ()
            self._forget()

    def close(self, keep: bool = False) -> None:
        """End the journal; its files go too, unless they are to be kept."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        with self._changed:
            self._let_go()
            if not keep:
                self._remove(range(self._number + 1))

    # ------------------------------------------------------------------ writing

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Give the system's refusals words; the next record then begins a new file."""
        try:
            yield
        except OSError as error:
            self._let_go()
            raise self._problem(error) from error

    def _problem(self, error: OSError) -> atomic.WriteProblem:
        return atomic.WriteProblem(error.errno, f"Edits cannot be kept safe: {atomic.reason(error)}")

    def _begin(self, network: Network) -> None:
        """A new file with the whole network. What is whole stays until this is on the disk."""
        self._let_go()
        self._remove(set(range(self._number + 1)) - {self._written, self._synced})
        self._number += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.folder / f"{self._number:08}.journal", flags, 0o600)
        self._previous = hashlib.blake2b(MAGIC, digest_size=16).digest()
        self._append(_whole(network, self.path, self._edits, self._texts), MAGIC)
        self._written = self._number
        self._limit = max(MAX_EDITS, 4 * self._length)
        self._length = 0

    def _append(self, body: bytes, before: bytes = b"") -> None:
        assert self._descriptor is not None
        length = len(body).to_bytes(4, "big")
        self._previous = _digest(self._previous, length, body)
        data = before + length + self._previous + body
        # One write: a reader, or a crash, finds all of it or a part that it knows to be one.
        atomic.write_all(self._descriptor, data)
        self._length += len(data)
        self._unsynced = True
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._sync, name="journal", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _let_go(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None

    def _forget(self) -> None:
        """There is nothing to bring back."""
        self._unsynced = False
        self._let_go()
        self._remove(range(self._number + 1))

    def _remove(self, numbers: Container[int]) -> None:
        for found, path in _files(self.folder):
            if found in numbers:
                with contextlib.suppress(OSError):
                    os.unlink(path)

    # ------------------------------------------------------------------ syncing

    def _sync(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unsynced or self._closing)
                rest = self._synced_at + SYNC_EVERY - time.monotonic()
                self._changed.wait_for(lambda: self._closing, max(0.0, rest))
                if not self._unsynced:
                    if self._closing:
                        return
                    continue
                self._unsynced = False
                number = self._number
                # A descriptor of its own: the journal may begin a new file meanwhile.
                try:
                    descriptor = None if self._descriptor is None else os.dup(self._descriptor)
                except OSError:
                    descriptor = None
                    self._unsynced = not self._closing
            if descriptor is not None:
                self._sync_one(descriptor, number)
            self._synced_at = time.monotonic()

    def _sync_one(self, descriptor: int, number: int) -> None:
        try:
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            self._give_up(error, number)
        else:
            with self._changed:
                self._synced = number
                self._remove(range(number))

    def _give_up(self, error: OSError, number: int) -> None:
        """After a failed sync nobody knows what of the file is on the disk: the next edit begins another."""
        with self._changed:
            if self._number != number:
                return  # the newer file has all of it
            self._let_go()
        self._on_problem(self._problem(error))


# ---------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Recovered:
    """What a journal holds."""

    network: Network
    #: The document's own file, if it had one.
    path: Path | None
    #: Edits since the last save.
    edits: int
    #: When the last of them was made, in seconds since the epoch.
    at: float
    #: What is wrong with the journal, in words; empty: every record was whole.
    damage: str = ""
    #: Texts that stood in fields of the network and said no value.
    texts: tuple[Text, ...] = ()


def read(folder: Path) -> Recovered | None:
    """What the journal in `folder` holds, up to the first record that is not whole; None if nothing.

    Raises
    ------
    FileProblem
        If there is a journal, and not even its first record is whole.
    """
    damage = ""
    for _, path in sorted(_files(folder), reverse=True):
        try:
            found = _read(path)
        except (OSError, FileProblem) as problem:
            # Older files are there where the newest was not on the disk yet.
            damage = damage or str(problem)
            continue
        return _with_damage(found, damage)
    if damage:
        raise FileProblem(damage)
    return None


def _with_damage(found: Recovered, damage: str) -> Recovered:
    return replace(found, damage=found.damage or damage)


def _files(folder: Path) -> list[tuple[int, Path]]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [(int(match[1]), folder / name) for name in names if (match := _NAME.fullmatch(name))]


def _read(path: Path) -> Recovered:
    data = path.read_bytes()
    found: Recovered | None = None
    damage = ""
    try:
        for body in _records(data):
            found = _after(found, body)
    except FileProblem as problem:
        damage = str(problem)
    if found is None:
        raise FileProblem(damage or "The journal holds nothing.")
    return _with_damage(found, damage)


def _records(data: bytes) -> Iterator[bytes]:
    if len(data) < len(MAGIC) and MAGIC.startswith(data):
        raise FileProblem("The journal is cut short: its first edit was not written yet.")
    if not data.startswith(MAGIC):
        raise FileProblem("The journal is damaged at its beginning, or of another version of Layerlab.")
    previous = hashlib.blake2b(MAGIC, digest_size=16).digest()
    at, number = len(MAGIC), 0
    while at < len(data):
        number += 1
        head, digest = data[at : at + 4], data[at + 4 : at + 20]
        length = int.from_bytes(head, "big")
        body = data[at + 20 : at + 20 + length]
        if length > _MAX_RECORD or len(head) + len(digest) + len(body) < 20 + length:
            raise FileProblem(f"Record {number} of the journal is cut short or damaged.")
        previous = _digest(previous, head, body)
        if previous != digest:
            raise FileProblem(f"Record {number} of the journal is damaged: its checksum is wrong.")
        yield body
        at += 20 + length


def _after(found: Recovered | None, body: bytes) -> Recovered:
    try:
        record = _decode(body)
        if isinstance(record, Whole):
            path = None if record.path is None else Path(record.path)
            return Recovered(from_form(record.form), path, record.edits, record.at, texts=record.texts)
        if found is None:
            raise FileProblem("The journal does not begin with a network.")
        if record.texts is not None:
            return replace(found, at=record.at, texts=record.texts)
        network = diff.apply(found.network, record.changes)
        return replace(found, network=network, edits=found.edits + 1, at=record.at)
    except (msgspec.MsgspecError, LookupError, ValueError, TypeError) as error:
        # Its checksum is right, so this is no damage but a mistake of ours; the edits before it count.
        raise FileProblem(f"A record of the journal cannot be followed: {error}.") from None
