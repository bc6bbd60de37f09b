"""The curve of a run's training figures: batches counted into sums, and points told from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.training.checkpoint import Position
from engine.training.tally import Tally
from engine.training.task import Task
from engine.training.telling import Telling

#: Points per epoch of the training curve, and steps per point at least.
_POINTS = 20
_STEPS_PER_POINT = 10


class Curve:
    """Counts what a tally has collected.

    Parameters
    ----------
    tally
        What batches gave.
    position
        Where the run is, and its sums so far: it moves on by what is counted.
    steps
        Batches in an epoch.

    Attributes
    ----------
    apart
        Steps between two points.
    rates
        Learning rates of the batches that wait to be counted, where they move.
    """

    def __init__(self, task: Task, tally: Tally, position: Position, telling: Telling, steps: int) -> None:
        self._tally, self._position, self._telling = tally, position, telling
        self._counts = [head.key + head.counts for head in task.heads]
        self._steps = steps
        self.apart = max(min(_STEPS_PER_POINT, steps), math.ceil(steps / _POINTS))
        self.rates: list[float] = []

    def count(self) -> float | None:
        """Count the batches since the last time; returns a loss that is no number, where it ends at one."""
        position = self._position
        rates = {"lr": list(self.rates)} if self.rates else {}
        self.rates.clear()
        for number, (loss, figures, size) in enumerate(self._tally.take()):
            position.step += 1
            position.batch += 1
            if not math.isfinite(loss):
                return loss
            found = [loss, float(size), *figures]
            position.epoch_sums = _added(position.epoch_sums, found)
            position.sums = _added(position.sums, found)
            if position.step == 1 or position.batch % self.apart == 0 or position.batch == self._steps:
                moved = {name: values[number] for name, values in rates.items()}
                self._telling.figures("train", {**self._means(position.sums), **moved})
                position.sums = []
        return None

    def end_epoch(self) -> None:
        """An epoch is behind the run: keep its figures, and begin the next one's sums."""
        position = self._position
        position.train = self._means(position.epoch_sums)
        position.epoch_sums = []
        position.epoch += 1
        position.batch = 0

    def _means(self, sums: Sequence[float]) -> dict[str, float]:
        loss, examples, *figures = sums
        return {"loss": loss / examples} | {
            n: f / examples for n, f in zip(self._counts, figures, strict=True)
        }


def _added(sums: list[float], more: list[float]) -> list[float]:
    return [a + b for a, b in zip(sums, more, strict=True)] if sums else more
