"""Looking at weights and gradients while they train, within a budget.

Probes sample by wall clock, measure what they cost and come back later the more they cost. They
draw no random numbers and change no numbers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from engine.host.protocol import Distribution, Observation
from engine.training.parameters import Part

BINS = 64
#: Values of a tensor that are looked at; a histogram of 64 bins gains nothing from more.
SAMPLE = 8192
#: Seconds between two samples, at least.
_APART = 0.1
#: Share of the time that observing may take. Below the 2 % promised, since it is judged afterwards.
_BUDGET = 0.015


def sample(tensor: Tensor) -> Tensor:
    """At most 8,192 values of `tensor`, evenly spaced, flat, in at least single precision.

    The spacing shares no factor with the last dimension, so that no column is left out.
    """
    flat = tensor.detach().flatten()
    stride = math.ceil(flat.numel() / SAMPLE)
    if stride > 1:
        while math.gcd(stride, tensor.shape[-1]) > 1:
            stride += 1
    chosen = flat[::stride]
    return chosen if chosen.dtype in (torch.float32, torch.float64) else chosen.float()


def distributions(tensors: Mapping[str, Tensor]) -> dict[str, Distribution]:
    """What the values of each tensor are like; two synchronisations with the device for all together."""
    if not tensors:
        return {}
    samples = [sample(tensor) for tensor in tensors.values()]
    norms = torch._foreach_norm([tensor.detach() for tensor in tensors.values()])
    figures = torch.stack(
        [
            figure.float()
            for values, norm in zip(samples, norms, strict=True)
            for figure in _figures(values, norm)
        ]
    ).tolist()
    rows = [figures[i : i + 6] for i in range(0, len(figures), 6)]
    bad = [0] * len(rows)
    for i, row in enumerate(rows):
        if not all(map(math.isfinite, row[:4])):  # NaN passes through the extremes
            good = samples[i][samples[i].isfinite()]
            bad[i], samples[i] = len(samples[i]) - len(good), good
            values = [float(figure) for figure in _figures(good, norms[i])] if len(good) else [0.0] * 6
            rows[i] = [*values[:5], row[5]]
        if rows[i][0] == rows[i][1]:  # one value alone: bins around it
            rows[i][0] -= 0.5
            rows[i][1] += 0.5
    counted = torch.stack(
        [torch.histc(values, BINS, min=row[0], max=row[1]) for values, row in zip(samples, rows, strict=True)]
    ).tolist()
    return {
        name: Distribution(
            lo, hi, tuple(map(int, counts)), mean, std, norm, zeros / max(1, len(values)), wrong
        )
        for name, values, (lo, hi, mean, std, zeros, norm), counts, wrong in zip(
            tensors, samples, rows, counted, bad, strict=True
        )
    }


def _figures(values: Tensor, norm: Tensor) -> tuple[Tensor, ...]:
    lo, hi = values.aminmax()
    std, mean = torch.std_mean(values, correction=0)
    return lo, hi, mean, std, values.numel() - values.count_nonzero(), norm


class Probes:
    """Samples the weights and gradients of some parts of a model.

    Around the optimizer's step that is to be observed, call :meth:`before` and :meth:`after`.

    Attributes
    ----------
    due
        The time (of ``time.perf_counter``) from which on the next step is to be observed.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._began = time.perf_counter()
        # The first figures come before the first look.
        self.due = self._began + _APART
        self._spent = 0.0
        self._start = 0.0
        self._gradients: dict[str, Distribution] = {}
        self._before: list[Tensor] = []
        self._moving: list[Part] = []

    def before(self) -> None:
        """Look at the gradients, and keep the weights to compare with."""
        self._start = time.perf_counter()
        self._moving = [part for part in self._parts if part.tensor.grad is not None]
        self._gradients = distributions(
            {part.name: part.tensor.grad for part in self._moving if part.tensor.grad is not None}
        )
        self._before = [part.tensor.detach().clone() for part in self._moving]

    def after(self, step: int, epoch: float) -> Observation:
        """Look at the weights, now after step number `step`."""
        weights = distributions({part.name: part.tensor for part in self._parts})
        updates: dict[str, float] = {}
        if self._moving:
            torch._foreach_sub_(self._before, [part.tensor.detach() for part in self._moving])
            norms = torch.stack([norm.float() for norm in torch._foreach_norm(self._before)]).tolist()
            for part, norm in zip(self._moving, norms, strict=True):
                size = weights[part.name].norm
                updates[part.name] = norm / size if size else 0.0
        self._before = []
        return Observation(step, epoch, weights, self._gradients, updates, self.cost)

    def done(self) -> None:
        """The observation is dealt with: count what it cost, and set the time for the next."""
        now = time.perf_counter()
        spent = now - self._start
        self._spent += spent
        self.due = now + max(_APART, spent / _BUDGET)

    @property
    def cost(self) -> float:
        """The share of the time since the start that observing has taken."""
        return self._spent / max(time.perf_counter() - self._began, 1e-9)
