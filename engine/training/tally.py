"""What batches gave, counted a few times a second and without waiting for the device in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from engine.training.group import Group
from engine.training.metrics import aligned
from engine.training.task import Task

#: Outputs of a batch up to this many numbers are kept and counted many batches at once.
_SMALL = 65536


class Count(NamedTuple):
    """What one batch gave."""

    #: Of its examples, summed up.
    loss: float
    #: Of each head: right answers, or the absolute error, summed over the examples.
    figures: list[float]
    examples: int


class Tally:
    """Collects batches of one task, over all processes of a group."""

    def __init__(self, task: Task, group: Group) -> None:
        self._task, self._group = task, group
        (self._plain,) = [len(task.heads) == 1 and task.heads[0].figures == "class"]
        self._losses: list[Tensor] = []
        self._outputs: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._figures: list[list[Tensor]] = []
        self._sizes: list[int] = []

    def __len__(self) -> int:
        return len(self._losses)

    def add(self, loss: Tensor, outputs: Any, labels: Sequence[Tensor]) -> None:
        """Keep what a batch gave; nothing is computed yet where that would cost more than waiting."""
        self._losses.append(loss.detach())
        self._sizes.append(len(labels[0]))
        if self._plain and outputs.dim() == 2 and outputs.numel() <= _SMALL:
            self._outputs.append(outputs.detach())
            self._labels.append(labels[0])
            return
        with torch.no_grad():
            self._figures.append(
                [
                    _figure(head.counts, self._task.output(outputs, head).detach(), label, head.ignore)
                    for head, label in zip(self._task.heads, labels, strict=True)
                ]
            )

    def take(self) -> list[Count]:
        """The batches since the last time; the device is waited for."""
        if not self._losses:
            return []
        sizes = torch.tensor(self._sizes, dtype=torch.float64)
        losses = torch.stack(self._losses).double().cpu()
        if not self._task.sums:
            losses = losses * sizes
        if self._outputs:
            right = torch.cat(self._outputs).argmax(1).eq(torch.cat(self._labels)).cumsum(0)
            totals = right[torch.tensor(self._sizes).cumsum(0).sub_(1).to(right.device)].cpu()
            figures = totals.diff(prepend=totals.new_zeros(1)).double().unsqueeze(1)
        else:
            figures = torch.stack([torch.stack(row) for row in self._figures]).double().cpu()
        rows = self._group.total(torch.cat([losses.unsqueeze(1), sizes.unsqueeze(1), figures], 1)).tolist()
        self.clear()
        return [Count(loss, rest, round(size)) for loss, size, *rest in rows]

    def clear(self) -> None:
        """Forget what has been kept."""
        for kept in (self._losses, self._outputs, self._labels, self._figures, self._sizes):
            kept.clear()  # type: ignore[attr-defined]


def _figure(counts: str, output: Tensor, label: Tensor, ignore: int | None) -> Tensor:
    """Right answers, or the absolute error, summed over a batch (of an example with many, their mean)."""
    if counts == "mae":
        error = (output.flatten(1) - label.reshape(len(label), -1)).abs()
        return error.mean(1).sum().double()
    if label.is_floating_point() or output.dim() == label.dim() or output.shape[1] == 1:
        right = output.reshape(label.shape).gt(0).eq(label > 0.5).float()
        return right.reshape(len(label), -1).mean(1).sum().double()
    right = aligned(output, label).argmax(1).eq(label)
    if label.dim() == 1:
        return right.sum().double()
    counted = label != ignore if ignore is not None else torch.ones_like(right)
    return ((right & counted).sum() / counted.sum().clamp_min(1) * len(label)).double()
