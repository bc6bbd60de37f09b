"""Mutated files opened in the real window, off screen: it must show what there is, or say why not.

Each file is opened as File › Open does it, judged, looked at in every panel, its layers chosen one
after the other, edited once, undone. Python errors inside of Qt's callbacks are printed and not
raised; here each is a breach.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine import edit
from engine.host.pool import Pool
from engine.host.protocol import ChannelProblem, Failed
from engine.host.work import Work
from engine.problems import DataProblem, FileProblem, NetworkProblem
from gui.mailbox import Mailbox
from tests.robustness.mutations import Mutated
from tests.robustness.pen import Mark, PenProblem, penned
from tests.robustness.promise import Row
from tests.robustness.splices import small
from tests.robustness.watch import HARM, Watch

#: Seconds of computing beyond which the window hangs, painting everything included.
LONGEST = 3.0
#: Files in one pen.
_BATCH = 100
#: Layers that are chosen one after the other.
_CHOSEN = 5


class Inline(Pool):
    """Hosts' work done at once and in this very process, so that the window has answers to everything."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.numbers = itertools.count(1)
        self._work = Work(threads=1)
        self._mailbox = mailbox
        #: What nobody foresaw.
        self.unforeseen: list[str] = []

    def _ask(self, need: Any, make: Callable[[int], Any]) -> int:
        request = make(next(self.numbers))
        try:
            self._work.answer(request, self._mailbox.put)
        except (FileProblem, NetworkProblem, DataProblem, ChannelProblem) as problem:
            self._mailbox.put(Failed(request.request, str(problem)))
        except Exception:
            self.unforeseen.append(f"{type(request).__name__}: {traceback.format_exc(limit=-4)}")
            self._mailbox.put(Failed(request.request, "not foreseen"))
        return int(request.request)

    def prepare(self, document: bytes) -> None:
        """Nothing is trained here."""

    def close(self, timeout: float = 10.0) -> None:
        """There is no process to end."""


class Desk:
    """A window off screen, and what went wrong inside of it."""

    def __init__(self, folder: Path) -> None:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        from PySide6.QtWidgets import QApplication

        from tests import window_helpers

        self.application = QApplication.instance() or QApplication([])
        mailbox = Mailbox()
        self.pool: Any = Inline(mailbox)
        self.pool.mailbox = mailbox
        self.window = window_helpers.open_window(folder, self.pool)
        self.window.keep_in(folder / "kept")
        self.path = folder / "stranger.layerlab"
        self._boxes = window_helpers.boxes
        self.errors: list[str] = []
        self._docks = list(self.window.docks._docks)
        sys.excepthook = lambda kind, error, trace: self.errors.append(
            "".join(traceback.format_exception(kind, error, trace, limit=-4))
        )

    def open(self, data: bytes, row: Row, turn: int) -> None:
        """Open one file and look at all of it."""
        self.path.write_bytes(data)
        if not self.window.files.open_path(self.path):
            row.count("refused in words")
            for box in self._boxes(self.window):
                box.close()
            return
        row.count("shown")
        network = self.window.document.network
        self.application.processEvents()
        self.window.docks.reveal(self._docks[turn % len(self._docks)])
        for id in list(network.nodes)[turn % 3 :: 3][:_CHOSEN]:
            self.window.selection.set([id])
            self.application.processEvents()
        self.window.canvas.fit()
        self.window.grab()
        self.window.document.edit(edit.remove(network, list(network.nodes)[:1]), "Remove")
        self.application.processEvents()
        self.window.document.undo_stack.undo()
        self.window.document.undo_stack.setClean()
        self.application.processEvents()


def _batch(numbers: Sequence[int], mark: Mark) -> bytes:
    row, files, watch = Row(""), Mutated(()), Watch()
    with tempfile.TemporaryDirectory(prefix="layerlab-window-") as folder:
        desk = Desk(Path(folder))
        for turn in range(len(desk._docks)):
            desk.open(small(), Row(""), turn)  # what is imported when it is first needed
        if desk.errors or desk.pool.unforeseen:
            raise RuntimeError((desk.errors + desk.pool.unforeseen)[0])
        for number in numbers:
            mark(number)
            data, began = files(number), time.process_time()
            with watch as heard:
                try:
                    desk.open(data, row, number)
                except Exception:
                    desk.errors.append(traceback.format_exc(limit=-4))
            seconds = time.process_time() - began
            row.took("slowest, all of that together:", seconds)
            wrong = desk.errors + desk.pool.unforeseen
            breach = wrong[0] if wrong else ""
            desk.errors.clear()
            desk.pool.unforeseen.clear()
            if seconds > LONGEST:
                breach = breach or f"took {seconds:.1f} s"
            ran = [what for what in heard if what.startswith(HARM)]  # the window itself writes its journal
            if ran:
                breach = breach or f"ran: {ran[:3]}"
            row.check(not breach, f"{breach}\n{data[:400]!r}")
        return msgspec.msgpack.encode(row)


def measure(count: int, first: int = 0) -> Row:
    """Open `count` mutated files in the window, from number `first`."""
    row = Row("Mutated network files opened in the window, drawn, chosen, edited and undone")
    bad: set[int] = set()
    at = first
    while at < first + count:
        batch = [number for number in range(at, min(at + _BATCH, first + count)) if number not in bad]
        try:
            data = penned(lambda mark, batch=batch: _batch(batch, mark), hung=60.0)  # type: ignore[misc]
        except PenProblem as problem:
            if problem.number < 0:
                raise
            bad.add(problem.number)
            row.check(False, f"file {problem.number} {problem}\n{Mutated(())(problem.number)[:400]!r}")
            continue
        row.add(msgspec.convert(msgspec.msgpack.decode(data), Row))
        at += _BATCH
    return row
