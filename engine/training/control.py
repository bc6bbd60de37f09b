"""Pausing, stepping and stopping a run from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Control:
    """What a run is told to do. Any thread may tell; the training loop asks between batches.

    Attributes
    ----------
    interrupted
        Whether the loop must ask (:meth:`heed`) before its next batch. A plain attribute, so that
        a run which nobody interrupts pays nothing.
    """

    def __init__(self, *, paused: bool = False) -> None:
        self.interrupted = paused
        self._stopping = False
        self._steps = 0
        self._changed = threading.Condition()

    def pause(self) -> None:
        """Wait before the next batch."""
        with self._changed:
            self._steps = 0
            self.interrupted = True

    def resume(self) -> None:
        """Go on."""
        with self._changed:
            self._steps = 0
            self.interrupted = self._stopping
            self._changed.notify_all()

    def step(self) -> None:
        """Train on one batch more, then wait; a run that goes on is paused after its next batch."""
        with self._changed:
            self._steps += 1
            self.interrupted = True
            self._changed.notify_all()

    def stop(self) -> None:
        """End after the batch at hand; nothing takes this back."""
        with self._changed:
            self._stopping = True
            self.interrupted = True
            self._changed.notify_all()

    @property
    def stepping(self) -> bool:
        """Whether single steps are asked for."""
        return self._steps > 0

    @property
    def stopping(self) -> bool:
        """Whether the run is to end."""
        return self._stopping

    def heed(self, waiting: Callable[[], None]) -> str:
        """Wait as long as is asked, then say what to do now: "run", "step" (one batch) or "stop".

        `waiting` is called before it waits, if it does.
        """
        with self._changed:
            blocked = self.interrupted and not self._stopping and not self._steps
        if blocked:
            waiting()
        with self._changed:
            while self.interrupted and not self._stopping and not self._steps:
                self._changed.wait()
            if self._stopping:
                return "stop"
            if self._steps:
                self._steps -= 1
                return "step"
            return "run"
