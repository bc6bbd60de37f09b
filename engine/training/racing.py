"""Short trainings side by side: the same seed, the same batches in the same order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from engine.compile import build
from engine.lab import Race
from engine.network import Network
from engine.training import lsuv, parameters
from engine.training.feed import Feed
from engine.training.task import LOOK, Task


def first_batch(task: Task, examples: int) -> list[Tensor]:
    """So many examples, as training shuffles them: the columns of :meth:`Task.columns`."""
    columns = task.columns(task.dataset.splits["train"])
    generator = torch.Generator().manual_seed(task.network.recipe.seed)
    order = torch.randperm(len(columns[0]), generator=generator)[:examples]
    return [column[order] for column in columns]


def race(task: Task, entrants: Mapping[str, Network], steps: int) -> Race:
    """Train each of `entrants` for `steps` steps as its recipe says, on the batches of `task`.

    Everything is as in training but for the schedule, which is left out: curves of a moment are
    compared at one learning rate.
    """
    with torch.random.fork_rng(devices=[]):
        return Race(steps, {name: _run(task, entrant, steps) for name, entrant in entrants.items()})


def _run(task: Task, network: Network, steps: int) -> tuple[float, ...]:
    """The loss at every step."""
    recipe = network.recipe
    model = build(network, seed=recipe.seed)
    lsuv.rescale(network, model, list(task.parted(first_batch(task, LOOK))[0]))
    model.train()
    parts = parameters.parts(network, model)
    for part in parts:
        part.tensor.requires_grad_(not part.frozen)
    latent: list[Tensor] = [part.tensor for part in parts if part.clipped and not part.frozen]
    sharpening: list[Any] = [module for module in model.modules() if hasattr(module, "set_progress")]
    optimizer, _, _ = parameters.optimizer(recipe.optimizer, parts)
    columns = task.columns(task.dataset.splits["train"])
    feed = Feed(columns, recipe.batch_size, recipe.seed, torch.device("cpu"), at_least=2)
    losses: list[Tensor] = []
    epoch = 0
    torch.manual_seed(recipe.seed)
    while len(losses) < steps:
        for piece in feed.pieces(epoch, 0):
            for batch in piece:
                for module in sharpening:
                    module.set_progress(len(losses), steps)
                inputs, targets, _ = task.parted(batch)
                loss = task.loss(model(*inputs), *targets)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                with torch.no_grad():
                    for tensor in latent:
                        tensor.clamp_(-1, 1)
                losses.append(loss.detach())
                if len(losses) == steps:
                    return tuple(torch.stack(losses).tolist())
        epoch += 1
    return tuple(torch.stack(losses).tolist())
