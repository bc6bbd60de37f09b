"""SIGKILL at random moments of continuous editing and saving.

A child edits without a pause, records each edit in the journal, saves now and then, and says which
numbers it has been told are safe; the parent kills it at a random moment and looks at what is left.
The next child goes on from there, as a user would.
"""

from __future__ import annotations

import os
import random
import select
import signal
import struct
import time
from pathlib import Path

from engine.problems import FileProblem
from engine.storage import file, history, recovery
from tests.robustness.faults import network
from tests.robustness.promise import Row

#: Edits between two saves.
_SAVE_EVERY = 9
_EDITED, _SAVED, _SAVING = 0, 1, 2


def _edit_for_ever(folder: Path, first: int, writing: int) -> None:
    """Edit and save until killed."""
    path = folder / "net.layerlab"
    safe = recovery.Safe(folder / "safe")
    book = safe.begin(path)
    number = first
    while True:
        number += 1
        book.record(network(number - 1), network(number))
        os.write(writing, struct.pack("<BI", _EDITED, number))
        if number % _SAVE_EVERY == 0:
            os.write(writing, struct.pack("<BI", _SAVING, number))
            file.write(network(number), path)
            book.saved()
            os.write(writing, struct.pack("<BI", _SAVED, number))
            history.keep(folder / "history", path, file.dumps(network(number)))


def _run_and_kill(folder: Path, first: int, after: int, seconds: float) -> tuple[int, int, bool]:
    """Kill a child some `seconds` after it was told `after` times that something is safe.

    Returns
    -------
    tuple
        The numbers of the last edit and the last save that it was told are safe before its end, and
        whether that came in the middle of a save.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _edit_for_ever(folder, first, writing)
        finally:
            os._exit(1)
    os.close(writing)
    told = b""
    # How far it gets in a given time depends on what else the machine does; so progress is awaited first.
    while len(told) < 5 * after:
        told += os.read(reading, 1 << 16)
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        if select.select([reading], [], [], rest)[0]:
            told += os.read(reading, 1 << 16)
    os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as stream:
        told += stream.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise RuntimeError("the child ended by itself")
    pairs = list(struct.iter_unpack("<BI", told[: len(told) // 5 * 5]))
    edited = max((number for kind, number in pairs if kind == _EDITED), default=0)
    saved = max((number for kind, number in pairs if kind == _SAVED), default=0)
    return edited, saved, bool(pairs) and pairs[-1][0] == _SAVING


def measure(folder: Path, kills: int, seed: int = 0) -> Row:
    """Kill `kills` times."""
    row = Row("SIGKILLs during continuous editing and saving")
    chance = random.Random(seed)
    path = folder / "net.layerlab"
    file.write(network(0), path)
    current = 0
    for _ in range(kills):
        edited, saved, saving = _run_and_kill(
            folder, current, chance.randrange(25), chance.uniform(0.0, 0.004)
        )
        row.count("edits acknowledged", max(0, max(edited, saved) - current))
        row.count("kills in the middle of a save", saving)
        least = max(current, edited, saved)
        try:
            on_disk = int(file.read(path).name[1:])
            whole = file.read(path) == network(on_disk)
        except FileProblem as problem:
            row.check(False, f"torn file: {problem}")
            continue
        brought, problem_text = on_disk, ""
        for left in recovery.crashed(folder / "safe"):
            if left.found is None:
                problem_text = left.problem
            else:
                number = int(left.found.network.name[1:])
                whole = whole and left.found.network == network(number)
                brought = max(brought, number)
                row.count("kills in the middle of a record", bool(left.found.damage))
            left.discard()
        torn_without_edit = edited <= saved and "cut short" in problem_text
        row.check(
            whole and brought >= least and on_disk >= saved and (not problem_text or torn_without_edit),
            f"acknowledged edit {edited}, save {saved}; file {on_disk}, brought back {brought}; {problem_text}",
        )
        # What was brought back is saved, as the user would; the next child goes on from there.
        current = brought
        file.write(network(current), path)
    return row
