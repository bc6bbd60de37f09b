"""Learning rates that move."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from engine.catalog import SCHEDULES, Call, Horizon
from engine.compile.resolve import construct
from engine.network import Choice
from engine.problems import NetworkProblem

#: What of a schedule's state moves; the rest follows from recipe and run length, which may grow.
_MOVING = (
    "last_epoch",
    "_step_count",
    "_last_lr",
    "T_cur",
    "T_i",
    "num_bad_epochs",
    "cooldown_counter",
    "best",
)


class WarmupCosineLR(LRScheduler):
    """Up in a straight line, then down half a cosine.

    For ``t < warmup`` the rate is ``base · (start_factor + (1 − start_factor) · t / warmup)``, then
    ``eta_min + (base − eta_min) · (1 + cos(π (t − warmup) / (total − warmup))) / 2``.

    Parameters
    ----------
    optimizer
        Whose rates move.
    warmup, total
        Lengths of the rise and of the whole, in calls of ``step``.
    start_factor
        Share of the rate at first.
    eta_min
        Rate at the end.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        warmup: int,
        total: int,
        start_factor: float = 0.01,
        eta_min: float = 0.0,
    ) -> None:
        self.warmup, self.total = min(warmup, total), total
        self.start_factor, self.eta_min = start_factor, eta_min
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rate of each group now."""
        t = min(self.last_epoch, self.total)
        if t < self.warmup:
            factor = self.start_factor + (1 - self.start_factor) * t / self.warmup
            return [base * factor for base in self.base_lrs]
        share = (1 + math.cos(math.pi * (t - self.warmup) / max(1, self.total - self.warmup))) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class Schedule:
    """The recipe's schedule at work on an optimizer.

    Attributes
    ----------
    per_step
        Whether :meth:`move` belongs behind every step, and not behind epochs.
    on_plateau
        Whether it moves by validation figures instead.

    Raises
    ------
    NetworkProblem
        If torch refuses the settings.
    """

    def __init__(
        self,
        choice: Choice,
        optimizer: torch.optim.Optimizer,
        multipliers: list[float],
        horizon: Horizon,
        *,
        larger_is_better: bool = False,
    ) -> None:
        entry = SCHEDULES[choice.id]
        settings = entry.settings(choice.fields)
        call = entry.call(settings, horizon)
        kwargs = dict(call.kwargs)
        for name in entry.rates:
            kwargs[name] = [kwargs[name] * multiplier for multiplier in multipliers]
        self.on_plateau = choice.id == "ReduceLROnPlateau"
        if self.on_plateau:
            kwargs["mode"] = "max" if larger_is_better else "min"
        self.per_step = not self.on_plateau and getattr(settings, "interval", "step") == "step"
        self._optimizer = optimizer
        try:
            self._scheduler: Any = construct(Call(call.target, *call.args, **kwargs), optimizer)
        except (ValueError, ZeroDivisionError, KeyError) as problem:
            raise NetworkProblem(f"recipe.schedule: {problem}.") from problem
        self._last = horizon.steps

    def move(self) -> None:
        """One interval is over."""
        # One cycle refuses to go on behind its end, where nothing trains any more.
        if self._scheduler.last_epoch < self._last:
            self._scheduler.step()

    def judge(self, figure: float) -> None:
        """A validation is over: for a schedule that watches for plateaus."""
        assert isinstance(self._scheduler, ReduceLROnPlateau)
        self._scheduler.step(figure)

    def state(self) -> dict[str, Any]:
        """What it takes to go on, as plain values."""
        state = self._scheduler.state_dict()
        return {name: state[name] for name in _MOVING if name in state and _plain(state[name])}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        vars(self._scheduler).update({name: state[name] for name in _MOVING if name in state})


def _plain(value: Any) -> bool:
    """Whether JSON can hold it: the best figure of a plateau that has seen none is infinite."""
    return not isinstance(value, float) or math.isfinite(value)
