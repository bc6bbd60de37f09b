"""What a run tells, written down as it goes: the protocol's own events, one frame after another.

Figures and states go to one file and all of them are kept; observations and confusion matrices go to
another and are thinned as the run grows long. A frame that a crash cut short ends the reading; it
spoils nothing before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from engine.host.protocol import (
    MAX_FRAME,
    Confused,
    Event,
    Metrics,
    Observation,
    RunStarted,
    RunState,
    decode_event,
    frame,
)
from engine.runs.folder import RunFolder

#: Observations, and confusion matrices, are kept this many seconds apart at first, and ever further in a long
#: run: some 200 of its first seconds, 200 more each time that it has become 2.7 times as long.
_APART = 0.02
_PER_RUN = 200


class Recorder:
    """Writes a run's events into its folder; use it as a context manager.

    Raises
    ------
    OSError
        From any method, when the files cannot be written.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._metrics: IO[bytes] = _opened(folder.metrics)
        self._observations: IO[bytes] = _opened(folder.observations)
        self._began = time.monotonic()
        self._next = self._next_confused = self._began
        #: The last validation's matrices, and whether they are among those that are written as they come.
        self._confused: list[Confused] = []
        self._confused_due = False

    def __call__(self, event: Event) -> None:
        """Write `event` if it is of a kind that is kept; with any other, hand on what is written."""
        if isinstance(event, Metrics):
            self._metrics.write(frame(event))
        elif isinstance(event, Observation):
            now = time.monotonic()
            if now >= self._next:
                self._next = now + max(_APART, (now - self._began) / _PER_RUN)
                self._observations.write(frame(event))
        elif isinstance(event, Confused):
            self._take_confused(event)
        elif isinstance(event, RunStarted):
            self._metrics.write(frame(event))
            self._observations.write(frame(event))
            self.flush()
        elif isinstance(event, RunState):
            self._metrics.write(frame(event))
            self._write_last()
            self.flush()
        else:
            self.flush()

    def _take_confused(self, event: Confused) -> None:
        """Write a matrix, or keep it until it is known whether it is the run's last."""
        if not self._confused or event.step != self._confused[0].step:  # else of another output
            now = time.monotonic()
            self._confused.clear()
            self._confused_due = now >= self._next_confused
            if self._confused_due:
                self._next_confused = now + max(_APART, (now - self._began) / _PER_RUN)
        self._confused.append(event)
        if self._confused_due:
            self._observations.write(frame(event))

    def _write_last(self) -> None:
        if not self._confused_due:
            for event in self._confused:
                self._observations.write(frame(event))
            self._confused_due = True

    def flush(self) -> None:
        """Hand what is written to the system, so that a killed process loses none of it."""
        self._metrics.flush()
        self._observations.flush()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write_last()
        self._metrics.close()
        self._observations.close()


def _opened(path: Path) -> IO[bytes]:
    """The record at `path`, to be gone on with; a frame that was cut short goes, lest it swallow the next."""
    file = path.open("ab+")
    file.seek(0)
    whole = 0
    while len(head := file.read(4)) == 4:
        size = int.from_bytes(head, "big")
        if size > MAX_FRAME or len(file.read(size)) < size:
            break
        whole = file.tell()
    file.truncate(whole)
    return file


def read_events(path: Path) -> list[Event]:
    """The events in a record, in order, up to its end or to the first frame that is not whole.

    A file that is not there has none. What a run had told beyond the checkpoint from which it was
    then resumed is left out, since the resumed run told it again.
    """
    kept: list[Event] = []
    for event in _frames(path):
        if isinstance(event, RunStarted):
            kept = [old for old in kept if getattr(old, "step", 0) <= event.step]
        kept.append(event)
    return kept


def _frames(path: Path) -> Iterator[Event]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        while len(head := file.read(4)) == 4:
            size = int.from_bytes(head, "big")
            if size > MAX_FRAME or len(body := file.read(size)) < size:
                return
            try:
                yield decode_event(body)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                return
