"""Optimizers that torch does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Bop(Optimizer):
    """Flips binary weights whose gradients keep pulling one way; there are no latent weights.

    Helwegen et al. 2019, arXiv 1906.02107, §4: m ← (1 − γ)·m + γ·g; a weight is flipped where
    |m| > `threshold` and m has its sign; m is not reset. Parameters that are not binary are left to another
    optimizer. Its state and groups are this one's, so that one state_dict and one schedule serve both.

    Parameters
    ----------
    params
        Parameter groups; those with ``binary`` true hold binary weights, which are set to the sign
        of what they are (+1 for 0). Their ``lr`` says nothing.
    threshold
        The smallest mean gradient that flips.
    gamma
        The share of each new gradient in the mean.
    real
        Makes the optimizer of the other groups, given those.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        threshold: float,
        gamma: float,
        real: Callable[[list[dict[str, Any]]], Optimizer],
    ) -> None:
        groups = [{"binary": False, **group} for group in params]
        super().__init__(groups, {"threshold": threshold, "gamma": gamma})
        self._real: Optimizer | None = None
        others = [group for group in self.param_groups if not group["binary"]]
        if others:
            self._real = real(others)
            # Its groups gain the defaults it asks for; they become ours, for schedules and checkpoints.
            made = iter(self._real.param_groups)
            self.param_groups = [
                group if group["binary"] else {**group, **next(made)} for group in self.param_groups
            ]
        self._join()
        with torch.no_grad():
            for weight in self._binary():
                weight.copy_(torch.where(weight >= 0, 1.0, -1.0))

    def _join(self) -> None:
        """Let the inner optimizer work on this one's groups and state."""
        if self._real is not None:
            self._real.param_groups = [group for group in self.param_groups if not group["binary"]]
            self._real.state = self.state

    def _binary(self) -> list[Tensor]:
        return [weight for group in self.param_groups if group["binary"] for weight in group["params"]]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state_dict)
        self._join()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Flip binary weights, and let the inner optimizer move the others."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["binary"]:
                for weight in group["params"]:
                    if weight.grad is not None:
                        self._flip(weight, group["threshold"], group["gamma"])
        if self._real is not None:
            self._real.step()
        return loss

    def _flip(self, weight: Tensor, threshold: float, gamma: float) -> None:
        mean = self.state[weight].setdefault("mean", torch.zeros_like(weight))
        mean.mul_(1 - gamma).add_(weight.grad, alpha=gamma)
        pulled = (mean.abs() > threshold) & (mean.sign() == weight.sign())
        weight.copy_(torch.where(pulled, -weight, weight))
