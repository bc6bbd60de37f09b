"""Gain "auto": the factor that suits the activation which really comes next.

A layer's gain makes up for the part of the variance that its activation takes away. For the
activations that torch.nn.init.calculate_gain knows, it is torch's number; for the others it is
1/√E[f(z)²] with z ~ N(0, 1), which is how torch's √2 for ReLU comes about.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
import torch

from engine.catalog import ACTIVATIONS, LAYERS, Call, Inputs, Spec
from engine.compile.expand import Step
from engine.compile.resolve import construct
from engine.network import Choice

#: Activations by the name that torch.nn.init.calculate_gain has for them.
_KNOWN = {"Sigmoid": "sigmoid", "Tanh": "tanh", "ReLU": "relu", "SELU": "selu"}

#: Groups of layers that hand the spread on to the activation behind them.
_PASSING = ("Normalisation", "Regularisation", "Pooling", "Padding", "Shape", "Split", "Merge")

#: No activation: the layer's output is what the next layer, or the loss, gets.
LINEAR = Choice("Identity")


def gain_of(activation: Choice) -> float:
    """The gain for a layer before `activation`; 1 for none, and for those that mix values (softmax)."""
    return _gain(activation.id, tuple(sorted(activation.fields.items())))


@lru_cache(maxsize=256)
def _gain(id: str, fields: tuple[tuple[str, object], ...]) -> float:
    if id in _KNOWN:
        return float(torch.nn.init.calculate_gain(_KNOWN[id]))  # type: ignore[arg-type]
    if id not in ACTIVATIONS:
        return 1.0
    entry = ACTIVATIONS[id]
    settings = entry.settings(dict(fields))
    if id == "LeakyReLU":
        return float(torch.nn.init.calculate_gain("leaky_relu", settings.negative_slope))
    if any(field.name == "dim" for field in entry.fields) or entry.ranks:
        return 1.0
    call = entry.call(settings, Inputs({"input": Spec((1, 1))}))
    assert isinstance(call, Call), "an activation is a module"
    # Gauss and Hermite's rule: exact for polynomials of degree 399, and here to about six digits.
    places, weights = np.polynomial.hermite_e.hermegauss(200)
    with torch.no_grad():
        module = construct(call).eval().double()
        values = module(torch.from_numpy(places)[:, None])[:, 0].numpy()
    mean_square = float((values**2 * weights).sum() / math.sqrt(2 * math.pi))
    return 1.0 / math.sqrt(mean_square) if mean_square > 0 else 1.0


def followers(steps: Iterable[Step]) -> Mapping[str, Choice]:
    """Path -> the activation that a layer's output meets first, its own included; LINEAR for none."""
    steps = list(steps)
    readers: dict[str, list[Step]] = {}
    for step in steps:
        for value in step.inputs.values():
            if value is not None:
                readers.setdefault(value.path, []).append(step)
    found: dict[str, Choice] = {}
    entered: dict[str, Choice] = {}
    for step in reversed(steps):
        layer = LAYERS.get(step.node.type)
        if step.node.activation is not None:
            found[step.path] = step.node.activation
        else:
            behind = [entered[reader.path] for reader in readers.get(step.path, ()) if reader.path in entered]
            found[step.path] = next((choice for choice in behind if choice is not LINEAR), LINEAR)
        # What the layer before this one meets here.
        if layer is not None and layer.is_activation:
            entered[step.path] = Choice(step.node.type, step.node.fields)
        else:
            passing = layer is not None and layer.group in _PASSING
            entered[step.path] = found[step.path] if passing else LINEAR
    return found
