"""Which learning rate suits: a short run whose rate grows, and the loss beside it.

Smith 2015 (arXiv 1506.01186), §3.3. The rate grows by the same factor at each step; the loss is
smoothed with memory 0.9 and its start corrected. The suggestion is where the smoothed loss falls
fastest per decade, before its lowest point.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from engine.network import Network
from engine.problems import NetworkProblem
from engine.training import parameters, randomness
from engine.training.compute import Compute, choices, settled
from engine.training.device import choose
from engine.training.feed import Feed
from engine.training.options import options
from engine.training.task import Task

#: The loss has exploded when it is so many times its lowest.
_EXPLODED = 4.0
_MEMORY = 0.9


@dataclass(frozen=True)
class RateCurve:
    """Loss over learning rate.

    Attributes
    ----------
    rates, losses
        Each step's rate, and the loss smoothed up to it.
    suggestion
        The rate at which the loss falls fastest; None where it never fell.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None


def find_rate(
    network: Network,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 200,
    device: str = "auto",
    tell: Callable[[int], None] | None = None,
) -> RateCurve:
    """Train `network` for some steps with a growing rate; nothing is written.

    Parameters
    ----------
    lowest, highest
        The first and the last rate; it ends earlier where the loss explodes.
    steps
        How many.
    device
        As for training.
    tell
        Gets the number of each step.

    Raises
    ------
    NetworkProblem, DataProblem
        If the network cannot be trained.
    """
    if not (0 < lowest < highest and steps >= 10):
        raise NetworkProblem("The rates must grow from above 0, in 10 steps at least.")
    place = choose(device)
    recipe = network.recipe
    asked = options(recipe)
    with randomness.seeded(recipe.seed, place), settled(place, asked):
        task = Task.of(network, place)
        task.model.train()
        parts = parameters.parts(network, task.model)
        optimizer, _, multipliers = parameters.optimizer(recipe.optimizer, parts, decay=asked.decay)
        chosen = msgspec.structs.replace(choices(task, asked), compile=False, cuda_graphs=False)
        run = Compute(task, task.model, asked.precision, chosen)
        feed = Feed(
            task.columns(task.dataset.splits["train"]), recipe.batch_size, recipe.seed, place, at_least=2
        )
        factor = (highest / lowest) ** (1 / (steps - 1))
        rates: list[float] = []
        losses: list[float] = []
        mean, best, epoch = 0.0, math.inf, 0
        while len(rates) < steps:
            for piece in feed.pieces(epoch):
                for batch in piece:
                    rate = lowest * factor ** len(rates)
                    for group, multiplier in zip(optimizer.param_groups, multipliers, strict=True):
                        group["lr"] = rate * multiplier
                    _, loss = run(batch)
                    run.backward(loss)
                    if run.scaler is None:
                        optimizer.step()
                    else:
                        run.scaler.step(optimizer)
                        run.scaler.update()
                    optimizer.zero_grad()
                    mean = _MEMORY * mean + (1 - _MEMORY) * loss.item()
                    smooth = mean / (1 - _MEMORY ** (len(rates) + 1))
                    if not math.isfinite(smooth) or smooth > _EXPLODED * best + 1e-12:
                        return _curve(rates, losses)
                    best = min(best, smooth)
                    rates.append(rate)
                    losses.append(smooth)
                    if tell is not None:
                        tell(len(rates))
                    if len(rates) == steps:
                        return _curve(rates, losses)
            epoch += 1
    return _curve(rates, losses)


def _curve(rates: list[float], losses: list[float]) -> RateCurve:
    return RateCurve(tuple(rates), tuple(losses), _steepest(rates, losses))


def _steepest(rates: list[float], losses: list[float]) -> float | None:
    """Where the loss falls fastest per decade, over a tenth of the points, before its lowest point."""
    reach = max(2, len(losses) // 10)
    lowest = losses.index(min(losses)) if losses else 0
    falls = [
        (losses[i + reach] - losses[i], i + reach // 2) for i in range(min(lowest, len(losses)) - reach + 1)
    ]
    if not falls or min(falls)[0] >= 0:
        return None
    return rates[min(falls)[1]]
