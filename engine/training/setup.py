"""How a run is set up: how it computes, in which order it sees its examples, what moves its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from engine.catalog import Horizon
from engine.data.augment import Variation
from engine.runs import RunFolder
from engine.training import checkpoint, compute, parameters
from engine.training.averaging import Average
from engine.training.checkpoint import Position
from engine.training.fastest import fastest
from engine.training.feed import Feed
from engine.training.group import Group
from engine.training.metrics import LARGER_IS_BETTER
from engine.training.options import options
from engine.training.schedules import Schedule
from engine.training.state import State
from engine.training.task import Task


class Setup:
    """All that one run trains with, as its recipe or its checkpoint says.

    Parameters
    ----------
    task
        What is trained.
    folder
        The run's folder, which may have checkpoints.
    group
        The processes that train together.
    resume
        Go on from the newest checkpoint, if there is one.
    chosen
        How to compute, where that was settled before.

    Attributes
    ----------
    options
        The recipe's own options.
    choices
        How it computes: as `chosen`, as its checkpoint says, or as the recipe asks.
    parts, trained
        All weights, and those that are not frozen.
    feed
        The training examples.
    compute, recorded
        The forward and the backward pass; both as one recorded batch, where that is to be had.
    optimizer, schedule, average
        What moves the weights, its rates, and their running mean.
    state
        All of this that moves.
    position
        Where the run is.
    notes
        What is worth knowing about it, for people.
    """

    def __init__(
        self, task: Task, folder: RunFolder, group: Group, *, resume: bool, chosen: compute.Choices | None
    ) -> None:
        self._task, self._group = task, group
        recipe = task.network.recipe
        self.options = options(recipe)
        # Other machines may not see the folder.
        found = group.asked(lambda: checkpoint.newest(folder.checkpoints)) if resume else None
        measured: Sequence[str] = ()
        if chosen is not None:
            self.choices = chosen
        else:
            before = None if found is None else compute.Choices(**found[0].choices)
            self.choices = compute.choices(task, self.options, before)
        if group.size > 1:  # averaging over processes is not recorded
            self.choices = msgspec.structs.replace(self.choices, cuda_graphs=False)
        # Another number of threads adds in another order, and the curve would not be the same.
        torch.set_num_threads(self.choices.threads)
        self.parts = parameters.parts(task.network, task.model)
        for part in self.parts:
            part.tensor.requires_grad_(not part.frozen)
        self.trained = [part for part in self.parts if not part.frozen]
        weights = [part.tensor for part in self.trained]
        self.feed = self._fed()
        if self.options.fastest and found is None and chosen is None:
            tried = fastest(task, self.feed, self.options, self.choices, recording=group.size == 1)
            self.choices, measured = group.told(tried)  # not one way here and another there
            torch.set_num_threads(self.choices.threads)
        # First, for it may lay the weights out anew: what is made of them after that is laid out likewise.
        whole = group.wrapped(task.model, lambda: task.idle(weights))
        self.compute = compute.Compute(task, whole, self.options.precision, self.choices)
        self.optimizer, name, multipliers = parameters.optimizer(
            recipe.optimizer, self.parts, decay=self.options.decay
        )
        self.schedule = self._scheduled(multipliers)
        decay = self.options.ema_decay
        self.average = None if decay is None else Average(task.model, decay)
        self.recorded = self.compute.recorded(weights, sums=self.options.accumulate > 1)
        self.state = State(task, self.optimizer, self.schedule, self.average, self.compute.scaler)
        self.position = Position()
        if found is not None:
            self.state.restore(*found, rank=group.rank)
            self.position = found[0].position
        elif group.rank:  # each process draws its own dropout
            torch.manual_seed(torch.initial_seed() + 7919 * group.rank)
        self.notes = (
            name,
            *(["data on the device"] if self.feed.resident and task.device.type != "cpu" else []),
            *([f"{group.size} processes"] if group.size > 1 else []),
            *([self.options.precision] if self.options.precision != "float32" else []),
            *measured,
        )

    def _fed(self) -> Feed:
        task, recipe = self._task, self._task.network.recipe
        columns = task.columns(task.dataset.splits["train"])
        normalises = any(isinstance(module, _BatchNorm) for module in task.model.modules())
        at_least = self._group.size * (2 if normalises else 1)
        vary = Variation.of(recipe, len(columns) - 2 * len(task.heads), task.device)
        return Feed(columns, recipe.batch_size, recipe.seed, task.device, at_least=at_least, vary=vary)

    def _scheduled(self, multipliers: list[float]) -> Schedule | None:
        recipe = self._task.network.recipe
        if recipe.schedule is None:
            return None
        per_epoch = math.ceil(self.feed.steps / self.options.accumulate)
        return Schedule(
            recipe.schedule,
            self.optimizer,
            multipliers,
            Horizon(per_epoch * recipe.epochs, per_epoch),
            larger_is_better=self.options.monitor in LARGER_IS_BETTER,
        )
