"""Weights as they were at earlier steps: what a later look, and a branch, can go back to.

Kept beside a run's observations, at the same steps, so that whatever is seen of a step can be asked
again: predictions, responses, a new run from there. They are no checkpoints: nothing is resumed from
them, and a crash may take the newest.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from statistics import median_low

from torch import nn

from engine.host.protocol import Event, Observation, RunStarted, WeightsKept
from engine.runs import RunFolder
from engine.training.weights import dumps

#: Most that are kept, and the bytes that they may take together.
MOST, BYTES = 40, 256 * 1024 * 1024
#: Seconds between two, at least; and the share of a run's time that keeping them may take.
_APART, _SHARE = 0.25, 0.005


class Snapshots:
    """Reads a run's events, and keeps the model's weights at some of the observed steps.

    The run's first ones are near to one another; whenever there are too many, every second goes.

    Parameters
    ----------
    folder
        The run's.
    model
        The model that is trained, in the run's own thread.
    tell
        Gets a :class:`~engine.host.protocol.WeightsKept` whenever one has come or gone.
    """

    def __init__(self, folder: RunFolder, model: nn.Module, tell: Callable[[Event], None]) -> None:
        self._folder, self._model, self._tell = folder, model, tell
        size = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
        self._most = min(MOST, BYTES // max(size, 1))
        self._apart, self._due = _APART, 0.0
        #: Seconds that the last ones took; one that a busy machine held up says nothing of the next.
        self._took: deque[float] = deque(maxlen=3)
        self.steps: list[int] = []

    def __call__(self, event: Event) -> None:
        """Keep the weights of an observed step; forget what a resumed run will tell again."""
        if isinstance(event, RunStarted):
            self.steps = self._folder.kept_steps()
            self._forget([step for step in self.steps if step > event.step])
            if self.steps:
                self._tell(WeightsKept(tuple(self.steps)))
        elif isinstance(event, Observation) and self._most >= 2 and time.monotonic() >= self._due:
            self._keep(event.step)

    def _keep(self, step: int) -> None:
        begun = time.monotonic()
        path = self._folder.kept(step)
        try:
            path.parent.mkdir(exist_ok=True)
            part = path.with_suffix(".part")
            # Not through the disk: it may be lost, and no run shall wait for it.
            part.write_bytes(dumps(self._model.state_dict()))
            os.replace(part, path)
            self.steps.append(step)
            if len(self.steps) > self._most:
                # The first and the newest stay.
                self._forget(self.steps[1:-1:2])
                self._apart *= 2
        except OSError as problem:  # looking back is not worth a run
            print(f"No earlier weights are kept any more: {problem}", file=sys.stderr)
            self._most = 0
        now = time.monotonic()
        self._took.append(now - begun)
        self._due = now + max(self._apart, median_low(self._took) / _SHARE)
        self._tell(WeightsKept(tuple(self.steps)))

    def _forget(self, steps: list[int]) -> None:
        for step in steps:
            self._folder.kept(step).unlink(missing_ok=True)
        self.steps = [step for step in self.steps if step not in steps]
