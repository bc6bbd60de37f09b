"""Gain "auto": the factor that suits the activation which really comes next.

A layer's gain makes up for the part of the variance that its activation takes away. For the
activations that torch.nn.init.calculate_gain knows, it is torch's number; for the others it is
1/√E[f(z)²] with z ~ N(0, 1), which is how torch's √2 for ReLU comes about.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from engine.catalog import ACTIVATIONS, Call, Inputs, Spec
from engine.compile.resolve import construct
from engine.network import Choice

#: Activations by the name that torch.nn.init.calculate_gain has for them.
_KNOWN = {"Sigmoid": "sigmoid", "Tanh": "tanh", "ReLU": "relu", "SELU": "selu"}


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
