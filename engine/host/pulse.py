"""The hosts' pulse: each is asked twice a second whether it is there.

A host answers from its reading thread, whatever it works at, so silence means that the process as a
whole stands still: stopped, starved, or stuck inside a library that lets nothing else run. That is
told within two seconds. It may pass; only a host that has been silent for long is given up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.host.pool import Run

#: Seconds between two beats.
BEAT = 0.5
#: A host that has said nothing for so long, in seconds, is silent.
SILENT = 1.5
#: A host without a run that has been silent for so long is given up.
LOST = 20.0


@dataclass(frozen=True)
class Silence:
    """A host has fallen silent, or speaks again."""

    #: Whether it is silent now.
    silent: bool
    #: The run that it trains; None: it analyses, or waits.
    run: Run | None = None


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
