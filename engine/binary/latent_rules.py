"""Latent weights, and the recipe that trains them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from engine import edit
from engine.binary import edits
from engine.binary.around import (
    Around,
)
from engine.binary.latent import glorot_bound, rate_factor, start, step_size
from engine.binary.rule import BinaryRule, Fault, Way, on, own_id
from engine.catalog import BINARIZERS, LAYERS, OPTIMIZERS
from engine.compile.expand import Step
from engine.defaults import scheme_of
from engine.network import Choice

#: Steps in one direction that a latent weight of usual size may need to change its sign.
MOST_STEPS = 300
#: Share of the rarer sign below which latent weights are called one-signed.
LEAST_SHARE = 0.05


def _latents(around: Around) -> Iterator[tuple[Step, Choice, str, tuple[int, ...], Choice | None]]:
    """Each binarized parameter: step, estimator, name, shape, and the scheme that is chosen for it."""
    for step, choice in around.binarized("weight"):
        shapes = around.parameters.get(step.path, {})
        for name in LAYERS[step.node.type].binarizable_names(step.node.fields):
            if name in shapes and name not in step.node.shares:
                scheme = scheme_of(around.network, step.node, name, len(shapes[name]))
                yield step, choice, name, shapes[name], scheme


def _default_init(step: Step, name: str, scheme: Choice | None) -> Way:
    own = name in step.node.init
    put = None if own and scheme is step.node.init[name] else Choice("default")
    return on(step, f"Use torch's default for {name} of {own_id(step)}", edit.set_init, name, put)


def _one_signed(around: Around) -> Iterator[Fault]:
    for step, choice, name, shape, scheme in _latents(around):
        if choice.id in ("ir_weight", "twn", "ste_tern"):
            continue  # centred first, or with a zero of their own
        law = start(scheme, step.node, name, shape)
        if law is None or scheme is None or LEAST_SHARE <= law.minus <= 1 - LEAST_SHARE:
            continue
        sign = "+1" if law.minus < 0.5 else "−1"
        share = max(law.minus, 1 - law.minus)
        zero = (
            " (the sign of 0 is +1)"
            if scheme.id in ("zeros", "sparse", "eye", "dirac", "delta_orthogonal")
            else ""
        )
        yield Fault(
            step,
            f"init.{name}",
            f"{scheme.id} begins with {share:.0%} of the signs {sign}{zero}: nearly all units compute the same sum.",
            (_default_init(step, name, scheme),),
        )


def _slow(around: Around) -> Iterator[Fault]:
    step_length = step_size(around.network.recipe)
    if step_length is None or step_length <= 0:
        return
    for step, _, name, shape, scheme in _latents(around):
        law = start(scheme, step.node, name, shape)
        training = step.node.training
        if law is None or (training is not None and (training.frozen or training.lr_multiplier == 0)):
            continue
        own = 1.0 if training is None else training.lr_multiplier
        factor = rate_factor(scheme, shape)
        steps = law.std / (step_length * own * factor)
        if steps <= MOST_STEPS:
            continue
        needed = own * steps / MOST_STEPS
        wanted = max(1 / glorot_bound(shape), needed) if len(shape) >= 2 else needed
        multiplier = float(f"{math.ceil(wanted * 10) / 10:g}")
        drawn = "its default draw" if scheme is None else scheme.id
        ways = (
            *(() if scheme is None else (_default_init(step, name, scheme),)),
            on(
                step,
                f"Multiply the learning rate of {own_id(step)} by {multiplier:g}",
                edits.with_rate,
                multiplier,
            ),
        )
        yield Fault(
            step,
            f"init.{name}",
            f"latent weights by {drawn} spread {law.std:.2g} and a step moves them by about {step_length * own * factor:.2g}: "
            f"a usual one needs {steps:,.0f} steps in one direction to change its sign.",
            ways,
        )


#: Estimators that block the gradient of weights beyond ±1.
_BLOCKING = frozenset(
    {"ste_sign", "approx_sign", "ste_tern", "magnitude_aware_sign", "bireal_weight", "xnor_scale"}
)


def _unclipped(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("weight"):
        if choice.extra.get("clip_latent", True) is not False or choice.id not in _BLOCKING:
            continue
        if BINARIZERS[choice.id].check(choice.fields) or choice.fields.get("clip_value", 1.0) is None:
            continue
        yield Fault(
            step,
            "binarize.weight.clip_latent",
            f"latent weights are not clipped, and {choice.id} passes no gradient beyond its clip: those that get there "
            "never come back.",
            (on(step, f"Clip the latent weights of {own_id(step)}", edits.clipped),),
        )


def _trains_latent(around: Around) -> bool:
    return any(
        step.node.training is None or not step.node.training.frozen for step, _ in around.binarized("weight")
    )


def _decayed(around: Around) -> Iterator[Fault]:
    recipe = around.network.recipe
    entry = OPTIMIZERS.get(recipe.optimizer.id)
    if (
        recipe.options.get("decay", "weights") != "all"
        or entry is None
        or entry.check(recipe.optimizer.fields)
    ):
        return
    decay = getattr(entry.settings(recipe.optimizer.fields), "weight_decay", 0)
    if decay and _trains_latent(around):
        yield Fault(
            None,
            "recipe.decay",
            f"weight decay ({decay:g}) pulls on latent binary weights too, back over the threshold at zero.",
            (Way("Decay real weights alone", edits.sparing_latent),),
        )


def _sgd(around: Around) -> Iterator[Fault]:
    optimizer = around.network.recipe.optimizer
    if optimizer.id not in ("SGD", "ASGD") or not _trains_latent(around):
        return
    yield Fault(
        None,
        "recipe.optimizer",
        f"{optimizer.id} moves a latent weight by its gradient's size, which is tiny: few signs ever change.",
        (Way("Train with Adam at 0.001", edits.with_adam),),
    )


LATENT: tuple[BinaryRule, ...] = (
    BinaryRule(
        code="one-signed-latent",
        severity="warning",
        lesson="What a binarized layer starts with are the signs alone: all weights at zero begin, and stay, as +1 "
        "(MNIST: 20.8 % instead of 97.2 %).",
        find=_one_signed,
    ),
    BinaryRule(
        code="latent-rate",
        severity="warning",
        lesson="Learning rate and latent scale are one choice: U(−1, 1) at a rate of 0.001 leaves nearly all signs as they "
        "began (MNIST, three epochs: 91.8 %, at torch's default scale 97.2 %). BinaryNet divides the rate by the Glorot bound "
        "(Courbariaux et al. 2016, arXiv 1602.02830).",
        find=_slow,
    ),
    BinaryRule(
        code="latent-unclipped",
        severity="warning",
        lesson="Latent weights are clipped to −1 … 1 after each step: beyond, they change nothing and only take longer to "
        "come back (Courbariaux et al. 2015, arXiv 1511.00363 §2.4).",
        find=_unclipped,
    ),
    BinaryRule(
        code="latent-decay",
        severity="warning",
        lesson="A latent weight's size is its resistance to a flip and nothing else: decay takes that away, and regularises "
        "nothing (Helwegen et al. 2019, arXiv 1906.02107; Liu et al. 2021, arXiv 2106.11309).",
        find=_decayed,
    ),
    BinaryRule(
        code="latent-sgd",
        severity="hint",
        lesson="Adam divides by the gradient's usual size, so that every latent weight moves "
        "(Alizadeh et al. 2019; Liu et al. 2021, arXiv 2106.11309).",
        find=_sgd,
    ),
)
