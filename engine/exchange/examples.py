"""What two forms of a network are compared on."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.network import Network
from engine.problems import DataProblem, NetworkProblem
from engine.training.task import Task


def examples(network: Network, count: int) -> list[Tensor]:
    """Inputs of `network`, at most `count` of each: of its data, test examples before others.

    Where there are no data that fit a sound network, they are drawn from 0 … 1 (class numbers: 0) with
    the recipe's seed.
    """
    try:
        task = Task.of(network, torch.device("cpu"))
    except (DataProblem, NetworkProblem):
        generator = torch.Generator().manual_seed(network.recipe.seed)
        inputs = [node.fields for node in network.nodes.values() if node.type == "Input"]
        return [
            torch.rand((count, *fields["shape"]), generator=generator).to(
                getattr(torch, fields.get("dtype", "float32"))
            )
            for fields in inputs
        ]
    splits = task.dataset.splits
    split = splits.get("test") or splits.get("validation") or splits["train"]
    return [tensor[:count] for tensor in task.inputs(split)]
