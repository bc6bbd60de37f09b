"""The hosts' pulse: each is asked twice a second whether it is there.

A host answers from its reading thread, whatever it works at, so silence means that the process as a
whole stands still: stopped, starved, or stuck inside a library that lets nothing else run. That is
told within two seconds. It may pass; only a host that has been silent for long is given up.

A host that answers may still be stuck in its work. That shows in what it owes: an analysis that does
not come, a run that makes no step. It is told as soon, as what it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.host.member import Run

#: Seconds between two beats.
BEAT = 0.5
#: A host that has said nothing for so long, in seconds, is silent.
SILENT = 1.5
#: A host without a run that has been silent for so long is given up.
LOST = 20.0
#: A host that has not warmed up yet has this long for its first answer, and a run for its first step.
COLD = 10.0
#: A run stands still once it has taken so many times longer than it ever took to show progress.
_TIMES = 3.0


@dataclass(frozen=True)
class Silence:
    """A host has fallen silent, or speaks again."""

    #: Whether it is silent now.
    silent: bool
    #: The run that it trains; None: it analyses, or waits.
    run: Run | None = None
    #: Whether it answers, and only its work stands still.
    answers: bool = False


class Pace:
    """How a host's work gets on, whether or not its process answers."""

    def __init__(self) -> None:
        #: When it last brought something while more was owed; None: nothing is.
        self._since: float | None = None
        self._longest = 0.0
        #: Whether it is known how long it takes.
        self.known = False
        #: Whether that it stands still has been told.
        self.told = False

    def owes(self) -> None:
        """Something is asked of it."""
        if self._since is None:
            self._since = time.monotonic()

    def brought(self, more: bool) -> None:
        """It has brought something, and whether it owes more."""
        self._since = time.monotonic() if more else None

    def stepped(self) -> None:
        """A run has made progress; how long that takes is its own measure from then on."""
        now = time.monotonic()
        if self._since is not None:
            self._longest = max(self._longest, now - self._since)
            self.known = True
        self._since = now

    def stands(self, now: float) -> bool:
        """Whether it has brought nothing for too long."""
        patience = max(SILENT if self.known else COLD, _TIMES * self._longest)
        return self._since is not None and now - self._since > patience

    def forgive(self, seconds: float) -> None:
        """Leave out time in which nobody could have been heard."""
        if self._since is not None:
            self._since += seconds


class Pulse:
    """Calls `beat` twice a second, on a thread of its own, until closed."""

    def __init__(self, beat: Callable[[float], None]) -> None:
        self._beat = beat
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        expected = time.monotonic()
        while not self._end.wait(BEAT):
            now = time.monotonic()
            # A machine that slept, or a window that was stopped itself, has heard nothing either.
            late = max(0.0, now - expected - 2 * BEAT)
            expected = now
            self._beat(late)

    def close(self) -> None:
        """End; returns when no beat is under way."""
        self._end.set()
        if self._thread is not threading.current_thread():
            self._thread.join(2.0)
