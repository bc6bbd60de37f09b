"""A running mean of the weights, which is validated and kept in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn


class Average:
    """An exponential moving average of a model's parameters.

    After step ``t`` the mean is ``d·mean + (1 − d)·weights`` with
    ``d = min(decay, (1 + t) / (10 + t))``, so that the first weights are soon forgotten. Buffers,
    such as running statistics of batch normalisation, are the model's own.

    Parameters
    ----------
    model
        Whose weights are averaged.
    decay
        Share of the mean that stays at each step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._own = {name: parameter.detach() for name, parameter in model.named_parameters()}
        self._mean = {name: tensor.clone() for name, tensor in self._own.items()}
        floating = [name for name, tensor in self._own.items() if tensor.is_floating_point()]
        self._pairs = ([self._mean[n] for n in floating], [self._own[n] for n in floating])
        self.updates = 0

    def update(self) -> None:
        """A step has been made."""
        self.updates += 1
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        mean, own = self._pairs
        torch._foreach_lerp_(mean, own, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the model have the mean as its weights for a while."""
        kept = {name: tensor.clone() for name, tensor in self._own.items()}
        self._copy(self._own, self._mean)
        try:
            yield
        finally:
            self._copy(self._own, kept)

    def state(self) -> dict[str, Tensor]:
        """The mean, by parameter."""
        return self._mean

    def restore(self, state: dict[str, Tensor], updates: int) -> None:
        """Go on from `state`."""
        self._copy(self._mean, state)
        self.updates = updates

    @staticmethod
    def _copy(to: dict[str, Tensor], values: dict[str, Tensor]) -> None:
        for name, tensor in to.items():
            tensor.copy_(values[name])


def in_place(average: Average | None) -> AbstractContextManager[None]:
    """Let the model have its mean, if there is one, as its weights for a while."""
    return nullcontext() if average is None else average.in_place()
