"""Getting ready to train, so that the first step of a run comes at once."""

from __future__ import annotations

import torch

from engine.network import Edge, End, Network, Node, Recipe
from engine.training import parameters
from engine.training.device import choose
from engine.training.probes import Probes
from engine.training.task import Task

_TINY = Network(
    nodes={
        "image": Node("Input", {"shape": [1, 8, 8]}),
        "flat": Node("Flatten"),
        "fc": Node("Linear", {"out_features": 10}),
        "out": Node("Output"),
    },
    edges=(Edge(End("image"), End("flat")), Edge(End("flat"), End("fc")), Edge(End("fc"), End("out"))),
    recipe=Recipe(batch_size=8),
)


def warm(network: Network | None = None, device: str = "auto") -> None:
    """Load the data of `network`, build it and train it on one batch, then throw that away.

    The data stay in memory for the run that follows. Without a network, something tiny is trained:
    the first optimizer and the first pass on ``meta`` of a process take a second.

    Raises
    ------
    NetworkProblem, DataProblem
        If the network cannot be trained.
    """
    place = choose(device)
    chosen = network or _TINY
    with torch.random.fork_rng(devices=[place.index] if place.type == "cuda" else []):
        task = Task.of(chosen, place)
        split = task.dataset.splits["train"]
        batch = [column[: chosen.recipe.batch_size].to(place) for column in task.columns(split)]
        inputs, targets, _ = task.parted(batch)
        parts = parameters.parts(chosen, task.model)
        optimizer, _, _ = parameters.optimizer(chosen.recipe.optimizer, parts)
        probes = Probes(parts, task.model)  # the first look costs ten times as much as the next
        with probes.watching():
            output = task.model(*inputs)
        task.loss(output, *targets).backward()
        probes.peek()
        probes.before()
        optimizer.step()
        probes.after(1, 0.0)
        import sklearn.metrics  # noqa: F401  (the first validation would wait for it)
