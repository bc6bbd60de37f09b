"""What a run tells of itself while it goes: its figures, where it is and at what pace, and its pauses."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.host.protocol import Event, Metrics, Progress, RunState
from engine.training.checkpoint import Position

#: Seconds without a word after which a validation says that it goes on.
_LONG = 0.5


class Telling:
    """Tells of a run, and keeps its time, which pauses are left out of.

    Parameters
    ----------
    emit
        Gets every event.
    position
        Where the run is; it moves.
    steps, epochs
        Steps per epoch, and epochs of the run.
    """

    def __init__(self, emit: Callable[[Event], None], position: Position, steps: int, epochs: int) -> None:
        self._emit, self._position = emit, position
        self._per_epoch, self._epochs = steps, epochs
        self._began = time.perf_counter()
        self._before = position.seconds
        self._first_step = position.step
        #: When a pause began, or the loop ended.
        self._halted: float | None = None
        self._told_at = self._began
        #: Step and seconds when the first figures were told, from which the pace is measured.
        self._paced: tuple[int, float] | None = None

    # ------------------------------------------------------------------------ time

    def begin(self) -> None:
        """Training begins now, and not when it was made ready."""
        self._began = time.perf_counter()

    def end(self) -> None:
        """The loop has ended."""
        self._halted = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Training time so far, pauses left out; it stands still once the loop has ended."""
        now = time.perf_counter() if self._halted is None else self._halted
        return self._before + now - self._began

    @property
    def steps_per_second(self) -> float:
        """Since the start or resumption of this run, validation included."""
        return (self._position.step - self._first_step) / max(self.seconds - self._before, 1e-9)

    # ------------------------------------------------------------------------ events

    def figures(self, split: str, values: dict[str, float]) -> None:
        """What the network is worth on a split, at this step."""
        step = self._position.step
        self._emit(Metrics(step, step / self._per_epoch, split, values, self.seconds))

    def progress(self) -> None:
        """Where the run is, and when it may be done."""
        self._told_at = time.perf_counter()
        step, steps, seconds = self._position.step, self._per_epoch * self._epochs, self.seconds
        # The first step, for which much is made ready, says nothing of those that follow.
        self._paced = self._paced or (step, seconds)
        rate = (step - self._paced[0]) / max(seconds - self._paced[1], 1e-9)
        self._emit(
            Progress(
                step=step,
                steps=steps,
                epoch=self._position.epoch,
                epochs=self._epochs,
                steps_per_second=rate,
                left=(steps - step) / rate if rate else None,
                seconds=seconds,
            )
        )

    def still_there(self) -> None:
        """A long validation makes no step, and must not pass for a run that stands still."""
        if time.perf_counter() - self._told_at > _LONG:
            self.progress()

    # ------------------------------------------------------------------------ pauses

    def pausing(self) -> None:
        """The run waits from now on."""
        self.end()
        self.progress()
        self._emit(RunState("paused", self._position.step))

    def going_on(self) -> float | None:
        """Leave the time of a pause out of training time; returns its seconds, or None if there was none."""
        if self._halted is None:
            return None
        paused = time.perf_counter() - self._halted
        self._began += paused
        self._halted = None
        return paused
