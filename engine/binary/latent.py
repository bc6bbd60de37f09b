"""How latent weights begin: their spread, the share of minus signs, and the learning rate that fits.

Scale and learning rate of latent weights are one choice: what counts is how many steps a weight needs to
change its sign.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from engine.catalog import INITIALIZERS, LAYERS, OPTIMIZERS
from engine.network import Choice, Node, Recipe


class Start(NamedTuple):
    """The law of a latent weight before training."""

    #: Its spread.
    std: float
    #: The share of weights whose sign is −1 (zero counts as +1).
    minus: float


def glorot_bound(shape: tuple[int, ...]) -> float:
    """√(1.5/(fan_in + fan_out)), the bound that BinaryNet's code divides learning rates by.

    Courbariaux et al. 2016, arXiv 1602.02830 (binary_net.py). A transposed convolution has the same sum.
    """
    window = math.prod(shape[2:])
    return math.sqrt(1.5 / ((shape[0] + shape[1]) * window))


def rate_factor(choice: Choice | None, shape: tuple[int, ...]) -> float:
    """What a scheme multiplies a parameter's learning rate by; 1 but for ``binary_latent``."""
    if choice is None or choice.id != "binary_latent" or len(shape) < 2 or not math.prod(shape):
        return 1.0
    scales = INITIALIZERS["binary_latent"].settings(choice.fields).scale_rate
    return 1 / glorot_bound(shape) if scales else 1.0


def start(choice: Choice | None, node: Node, parameter: str, shape: tuple[int, ...]) -> Start | None:
    """The law by which `choice` (None: the layer's own way) draws `parameter`; None where none is known."""
    if len(shape) < 2 or not math.prod(shape):
        return None
    if choice is None or choice.id == "default":
        return _of_layer(node, parameter, shape)
    entry = INITIALIZERS.get(choice.id)
    if entry is None or entry.check(choice.fields):
        return None
    return _of_scheme(choice.id, vars(entry.settings(choice.fields)), shape)


def _even(std: float) -> Start:
    return Start(std, 0.5)


def _of_layer(node: Node, parameter: str, shape: tuple[int, ...]) -> Start | None:
    layer, fan_in = LAYERS[node.type], shape[1] * math.prod(shape[2:])
    if node.type == "Embedding":
        return _even(1.0)
    if layer.group == "Recurrent":
        hidden = node.fields.get("hidden_size")
        return _even(1 / math.sqrt(3 * hidden)) if isinstance(hidden, int) and hidden > 0 else None
    if node.type == "MultiheadAttention" and not parameter.startswith("out_proj"):
        return _even(math.sqrt(2 / (shape[0] + shape[1])))
    # reset_parameters of Linear and the convolutions: U(−1/√fan_in, 1/√fan_in).
    return _even(1 / math.sqrt(3 * fan_in))


def _of_scheme(id: str, f: Mapping[str, Any], shape: tuple[int, ...]) -> Start | None:
    window = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * window, shape[0] * window
    gain = f.get("gain", 1.0)
    gain = gain if isinstance(gain, int | float) else 1.0
    if id in ("zeros", "ones"):
        return Start(0.0, 0.0)
    if id == "constant":
        return Start(0.0, 1.0 if f["val"] < 0 else 0.0)
    if id in ("eye", "dirac"):  # zeros and ones
        return Start(math.sqrt(min(shape[0], shape[1]) / math.prod(shape)), 0.0)
    if id == "delta_orthogonal":  # zero but for the kernel's centre
        return Start(gain / math.sqrt(shape[0] * window), 0.5 / window)
    if id in ("uniform", "binary_latent"):
        a, b = (f["a"], f["b"]) if id == "uniform" else (-f["bound"], f["bound"])
        if not b > a:
            return Start(0.0, 1.0 if a < 0 else 0.0)
        return Start((b - a) / math.sqrt(12), min(max(-a / (b - a), 0.0), 1.0))
    if id in ("normal", "trunc_normal"):
        minus = (
            0.5 * (1 + math.erf(-f["mean"] / f["std"] / math.sqrt(2))) if f["std"] else float(f["mean"] < 0)
        )
        if id == "trunc_normal":
            minus = 0.0 if f["a"] >= 0 else 1.0 if f["b"] < 0 else minus
        return Start(f["std"], minus)
    if id.startswith("xavier"):
        return _even(gain * math.sqrt(2 / (fan_in + fan_out)))
    if id.startswith("kaiming"):
        return _even(
            _gain(f["nonlinearity"], f["a"]) / math.sqrt(fan_in if f["mode"] == "fan_in" else fan_out)
        )
    if id == "lecun_normal":
        return _even(1 / math.sqrt(fan_in))
    if id == "depth_scaled_normal":
        return _even(f["std"] / math.sqrt(2 * f["layers"]))
    if id == "sparse":
        return Start(f["std"] * math.sqrt(1 - f["sparsity"]), 0.5 * (1 - f["sparsity"]))
    if id in ("orthogonal", "orthogonal_gates", "lsuv"):
        return _even(gain / math.sqrt(max(shape[0] / f.get("gates", 1), fan_in)))
    if id == "by_gate":
        parts = [
            _of_scheme(f[name], _PLAIN.get(f[name], {}), (shape[0] // f["gates"], *shape[1:]))
            for name in ("first", "second", "third", "fourth")[: f["gates"]]
        ]
        known = [part for part in parts if part is not None]
        share = sum(part.minus for part in known) / len(known)
        return Start(math.sqrt(sum(part.std**2 for part in known) / len(known)), share)
    return None


#: Fields of schemes that a gate may have.
_PLAIN: dict[str, Mapping[str, Any]] = {
    id: {"a": 0.0, "mode": "fan_in", "nonlinearity": "leaky_relu"}
    for id in ("kaiming_uniform", "kaiming_normal")
}


def _gain(nonlinearity: str, a: float) -> float:
    """torch.nn.init.calculate_gain."""
    known = {"tanh": 5 / 3, "relu": math.sqrt(2), "leaky_relu": math.sqrt(2 / (1 + a * a)), "selu": 0.75}
    return known.get(nonlinearity, 1.0)


def step_size(recipe: Recipe) -> float | None:
    """How far an optimizer of Adam's kind moves a weight in one step: its learning rate; None for others."""
    choice = recipe.optimizer
    entry = OPTIMIZERS.get(choice.id)
    if entry is None or not ("Adam" in choice.id or choice.id == "RMSprop") or entry.check(choice.fields):
        return None
    return float(entry.settings(choice.fields).lr)
