"""Layer-sequential unit variance: Mishkin and Matas 2015, arXiv 1511.06422, algorithm 1.

The weights are orthonormal when the network is built. Here, layer after layer in the order of
running, each is divided by the spread of its output on a batch until that is 1 within a tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.catalog import INITIALIZERS
from engine.compile.expand import Step, expand
from engine.compile.lower import schemes
from engine.compile.surroundings import surroundings
from engine.network import Choice, Network


def rescale(network: Network, model: nn.Module, inputs: Sequence[Tensor]) -> dict[str, float]:
    """Rescale the layers of `network` that ask for it, in `model`, on one batch.

    Parameters
    ----------
    network, model
        The document, and the module built from it, in which weights are changed in place.
    inputs
        What the model takes: one batch, ``[N, …]`` each.

    Returns
    -------
    dict
        Path of each such layer -> the spread that its output has now.
    """
    asking = _asking(network, model)
    if not asking:
        return {}
    training = model.training
    model.eval()  # dropout would blur the spread, and a batch norm's means are not to move
    found = {}
    try:
        with torch.no_grad():
            for path, choice in asking.items():
                found[path] = _rescale(model, path, choice, inputs)
    finally:
        model.train(training)
    return found


def _asking(network: Network, model: nn.Module) -> dict[str, Choice]:
    steps: Sequence[Step] = expand(network).steps
    around = surroundings(steps)
    children = dict(model.named_modules())
    found = {}
    for step in steps:
        child = children.get(step.path)
        if child is None:
            continue
        shapes = {name: tuple(p.shape) for name, p in child.named_parameters()}
        choice = schemes(network, step.node, shapes, around[step.path]).get("weight")
        if choice is not None and choice.id == "lsuv":
            found[step.path] = choice
    return found


def _rescale(model: nn.Module, path: str, choice: Choice, inputs: Sequence[Tensor]) -> float:
    settings = INITIALIZERS["lsuv"].settings(choice.fields)
    layer = model.get_submodule(path)
    weight = layer.get_parameter("weight")
    spread = 1.0
    seen: list[Tensor] = []

    def look(_module: nn.Module, _inputs: Any, output: Any) -> None:
        seen.append(output[0] if isinstance(output, tuple) else output)

    handle = layer.register_forward_hook(look)
    try:
        for attempt in range(settings.tries + 1):
            seen.clear()
            model(*inputs)
            spread = float(seen[0].float().std(correction=0))
            if abs(spread - 1) <= settings.tolerance or spread == 0 or attempt == settings.tries:
                break
            weight.div_(spread)
    finally:
        handle.remove()
    return spread
