"""What a run keeps on disk while it trains: checkpoints of sound weights, and the best weights."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engine.runs import RunFolder
from engine.training import weights
from engine.training.parameters import Part
from engine.training.setup import Setup
from engine.training.telling import Telling


class Keeping:
    """Writes into one run's folder.

    Parameters
    ----------
    folder
        Where to.
    setup
        What moves while the run trains, where it is, and its weights, which must be numbers to be kept.
    telling
        Knows the training time.
    writes
        Whether anything is written: not where a run is repeated, nor by other processes than the first.
    """

    def __init__(self, folder: RunFolder, setup: Setup, telling: Telling, *, writes: bool) -> None:
        self._folder, self._telling, self._writes = folder, telling, writes
        self._state, self._position = setup.state, setup.position
        self._parts, self._choices = setup.parts, setup.choices
        self._step, self._at = self._position.step, time.perf_counter()
        self._best: dict[str, Tensor] | None = None
        self._best_written = True

    @property
    def age(self) -> float:
        """Seconds since the last checkpoint, or since the run was made ready."""
        return time.perf_counter() - self._at

    def better(self, best: dict[str, Tensor]) -> None:
        """These weights are the best so far; they are written with the next checkpoint."""
        self._best, self._best_written = best, False

    def save(self, others: Sequence[Mapping[str, Tensor]]) -> bool:
        """Write a checkpoint, and the best weights if they are newer than their file.

        Parameters
        ----------
        others
            Where the random generators of each process are, if there are several.

        Returns
        -------
        bool
            False where the weights are no numbers any more: the last good checkpoint stays then.
        """
        if not self._writes:
            return True
        self.save_best()
        if self._position.step > self._step or not self._folder.checkpoints.exists():
            if not _sound(self._parts):
                return False
            self._step = self._position.step
            self._position.seconds = self._telling.seconds
            self._state.save(self._folder.checkpoints, self._position, self._choices, others)
        self._at = time.perf_counter()
        return True

    def save_best(self) -> None:
        """Write the best weights, unless their file has them."""
        if self._writes and not self._best_written and self._best is not None:
            weights.save(self._folder.best, self._best)
            self._best_written = True


def _sound(parts: Sequence[Part]) -> bool:
    floating = [part.tensor.detach() for part in parts if part.tensor.is_floating_point()]
    return not floating or bool(torch.stack([t.isfinite().all() for t in floating]).all())
