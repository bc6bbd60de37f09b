"""What a batch size does not allow."""

from __future__ import annotations

import math

from engine.analysis.walk import Walked
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Network


def batch_problems(network: Network, walked: Walked) -> list[Problem]:
    """Batch normalisation of one number: torch raises where there is nothing to take a variance of."""
    if network.recipe.batch_size != 1:
        return []
    change = Change(("recipe", "batch_size"), before=1, after=2)
    return [
        Problem(
            "error",
            "norm-of-one",
            "with batches of one each channel has one number, and no variance to normalise by. Use batches "
            "of 2 or more, or a LayerNorm here.",
            path,
            "recipe.batch_size",
            (Repair("Set batch_size to 2", (change,)),),
            "Batch normalisation takes mean and variance over the batch (Ioffe and Szegedy 2015, §3).",
        )
        for path, (step, result) in walked.evaluated.items()
        if step.node.type.startswith("BatchNorm") and result.outputs
        if math.prod(result.outputs[0][0].shape[2:]) == 1
    ]
