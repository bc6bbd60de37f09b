"""What makes a step of batches: gradients gathered and shared out, clipped, and what follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.catalog import Settings
from engine.training.averaging import Average
from engine.training.parameters import Part
from engine.training.schedules import Schedule
from engine.training.setup import Setup
from engine.training.tally import Tally


class Gathering:
    """Gathers the gradients of several batches, and of several processes, into one step.

    Parameters
    ----------
    tally
        The batches that are not counted yet.
    setup
        How many batches make a step, and an epoch, and how many are behind the run.
    size
        Processes that share each batch.
    sums
        Whether a loss is a sum over its examples, and not their mean.

    Attributes
    ----------
    pending
        Batches whose gradients wait for a step.
    """

    def __init__(self, tally: Tally, setup: Setup, *, size: int, sums: bool) -> None:
        self._tally, self._position = tally, setup.position
        self._accumulate, self._steps = setup.options.accumulate, setup.feed.steps
        self._size, self._sums = size, sums
        self.pending = 0

    def due(self) -> bool:
        """Whether the batch that comes now is the last of its step; asked once of each."""
        batch = self._position.batch + len(self._tally) + 1
        whole = batch % self._accumulate == 0 or batch == self._steps
        self.pending = 0 if whole else batch % self._accumulate
        return whole

    def share(self) -> Callable[[int, int], float] | None:
        """What a loss is multiplied by before the backward pass: its batch's share of the step.

        It is told how many examples the batch has, and how many of them are this process's own.
        """
        accumulate, size = self._accumulate, self._size
        if accumulate == 1 and size == 1:
            return None

        def share(whole: int, own: int) -> float:
            # Gradients are averaged over processes, whose shares of a batch may differ by one.
            factor = float(size) if self._sums else own * size / whole
            return factor if self._sums else factor / min(accumulate, self._left)

        return share

    @property
    def _left(self) -> int:
        """Batches of the step that is being gathered: an epoch's last step may have fewer."""
        batch: int = self._position.batch + len(self._tally)
        first: int = batch - batch % self._accumulate
        return self._steps - first


def clipping(options: Settings, parameters: Sequence[Tensor]) -> Callable[[], None] | None:
    """What keeps gradients within the recipe's bounds; None where it has none."""
    norm, value = options.clip_norm, options.clip_value
    if norm is None and value is None:
        return None

    def clip() -> None:
        if norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, norm, foreach=True)
        if value is not None:
            torch.nn.utils.clip_grad_value_(parameters, value)

    return clip


def following(
    trained: Sequence[Part], average: Average | None, schedule: Schedule | None
) -> list[Callable[[], Any]]:
    """What follows every step of this recipe."""
    after: list[Callable[[], Any]] = []
    latent: list[Tensor] = [part.tensor for part in trained if part.clipped]

    def keep_latent() -> None:
        with torch.no_grad():
            torch._foreach_clamp_min_(latent, -1.0)
            torch._foreach_clamp_max_(latent, 1.0)

    if latent:
        after.append(keep_latent)
    if average is not None:
        after.append(average.update)
    if schedule is not None and schedule.per_step:
        after.append(schedule.move)
    return after
