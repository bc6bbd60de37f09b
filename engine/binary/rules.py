"""The rules of binarized networks that matter more than the estimator: each with its lesson and its ways out.

A rule reads the drawing, with the shapes that an analysis knows, and needs no torch. The analysis
tells what breaks a rule; :mod:`engine.binarize_network` takes the first way out of each until none
is broken. Figures in the lessons were measured on MNIST (three layers of 1024, Adam, 3 epochs).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from engine import edit
from engine.binary import edits
from engine.binary.around import (
    NORMS,
    SIGNS,
    TWO_VALUED,
    UNSCALED,
    Around,
    bend,
    group,
    passing,
    place_of,
    weighted,
)
from engine.binary.latent import glorot_bound, rate_factor, start, step_size
from engine.catalog import BINARIZERS, LAYERS, OPTIMIZERS
from engine.compile.expand import Step
from engine.defaults import scheme_of
from engine.network import Choice, Network, Node

#: Steps in one direction that a latent weight of usual size may need to change its sign.
MOST_STEPS = 300
#: Share of the rarer sign below which latent weights are called one-signed.
LEAST_SHARE = 0.05


class Way(NamedTuple):
    """A way out: a sentence, and the edit."""

    text: str
    make: Callable[[Network], Network]


class Fault(NamedTuple):
    """One place where a rule is broken."""

    #: None: the recipe.
    step: Step | None
    field: str | None
    message: str
    #: The best first.
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BinaryRule:
    """One rule: its code, how grave it is to break it, why it matters with a source, and what breaks it."""

    code: str
    severity: str
    lesson: str
    find: Callable[[Around], Iterator[Fault]]


def _on(step: Step, text: str, change: Callable[..., Network], *args: object) -> Way:
    """A way that calls ``change(network, id, *args, block=…)`` on the node of `step`."""
    block, id = place_of(step)
    return Way(text, lambda network: change(network, id, *args, block=block))


def _name(step: Step) -> str:
    """The node's id in its own graph, which is what an edit changes."""
    return place_of(step)[1]


def _seen_from(step: Step, other: Step) -> str:
    """The id of `other`, with its block where that is not the one of `step`."""
    (block, id), here = place_of(other), place_of(step)[0]
    return id if block in (None, here) else f"{id} of {block}"


# ---------------------------------------------------------------------------- order


def _sign_of_positives(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        sources = around.sources(step)
        if choice.id not in SIGNS or not sources:
            continue
        culprits = around.positive.get(sources[0].path, ())
        if not culprits:
            continue
        names = " and ".join(dict.fromkeys(bend(culprit.node) for culprit in culprits))
        where = ", ".join(culprit.path for culprit in culprits)
        nearest = where == sources[0].path
        first = _seen_from(step, culprits[0])
        take = f"Take {bend(culprits[0].node)} away from {first}"
        tanh = f"Put Hardtanh in its place in {first}"
        ways: tuple[Way, ...] = (_on(culprits[0], take, edits.without_bend),)
        if culprits[0].node.activation is not None:
            ways += (_on(culprits[0], tanh, edit.set_activation, Choice("Hardtanh")),)
        yield Fault(
            step,
            "binarize.input",
            f"its input comes from {names}{'' if nearest else f' ({where})'}, which is never negative: its sign is "
            f"always +1. Take {names} away.",
            ways,
        )


def _dropped_signs(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        sources = around.sources(step)
        if choice.id not in SIGNS or not sources or not sources[0].node.type.startswith("Dropout"):
            continue
        drop = sources[0]
        ways: tuple[Way, ...] = ()
        if len(around.readers[drop.path]) == 1:
            block, id = place_of(drop)
            ways = (Way(f"Take {id} out", lambda n, i=id, b=block: edit.remove(n, [i], heal=True, block=b)),)  # type: ignore[misc]
        yield Fault(
            drop,
            None,
            f"what it drops becomes 0, and {step.path} takes the sign of that: +1, as if it were there.",
            ways,
        )


def norm_for(around: Around, step: Step) -> str:
    """The type of normalisation that fits what `step` gives."""
    kind, sides = step.node.type, len(around.shape(step.path))
    if kind.startswith("Conv"):
        return f"BatchNorm{kind[-2]}d"
    if sides in (3, 4):
        return f"BatchNorm{sides - 1}d"
    return "LayerNorm" if sides == 2 else "BatchNorm1d"


def _norm_behind(around: Around, step: Step) -> Way:
    block, id = place_of(step)
    type = norm_for(around, step)

    def make(network: Network) -> Network:
        end = edits.pooled_end(network, id, block=block)
        return edits.insert_behind(network, end, Node(type), block=block)[0]

    return Way(f"Put a {type} behind {id}", make)


def _through_bends(node: Node) -> bool:
    return passing(node) or (bool(bend(node)) and not weighted(node) and node.type not in NORMS)


def _without_norm(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("weight"):
        if group(step.node) not in ("Linear", "Convolution") or step.node.type == "Embedding":
            continue
        met = [reader for reader in around.met(step, _through_bends) if reader.node.type not in NORMS]
        if not met or all(reader.node.type == "Output" for reader in met):
            continue
        size = "" if choice.id not in UNSCALED else ", whole numbers as large as the number of its inputs"
        yield Fault(
            step,
            "binarize.weight",
            f"no normalisation comes behind it before {met[0].path}: its sums{size} go on as they are.",
            (_norm_behind(around, step),),
        )


def _bend_first(around: Around) -> Iterator[Fault]:
    for step, _ in around.binarized("weight"):
        if group(step.node) not in ("Linear", "Convolution") or step.node.type == "Embedding":
            continue
        found = _bend_before_norm(around, step)
        if found is None:
            continue
        bent, norm = found
        name, (block, id) = bend(bent.node), place_of(bent)
        away = _on(bent, f"Take {name} away from {id}", edits.without_bend)
        ways: tuple[Way, ...] = (away,) if around.only_signs_read(norm) else ()
        if place_of(norm)[0] == block:
            behind = f"Move {name} behind {_name(norm)}"
            ways += (_on(bent, behind, edits.bend_behind, _name(norm)),)
        yield Fault(
            step,
            "activation" if bent is step else None,
            f"{name} comes between its sums and {norm.path}. Normalise first.",
            ways,
        )


def _bend_before_norm(around: Around, step: Step) -> tuple[Step, Step] | None:
    """The activation, and the normalisation behind it, on a way without forks from `step`."""
    bent = step if step.node.activation is not None else None
    readers = around.readers.get(step.path, [])
    while len(readers) == 1:
        reader = readers[0]
        if reader.node.type in NORMS:
            return None if bent is None else (bent, reader)
        if bend(reader.node) and not weighted(reader.node):
            bent = bent or reader
        elif group(reader.node) not in ("Pooling", "Shape", "Regularisation"):
            return None
        readers = around.readers.get(reader.path, [])
    return None


def _norm_before(around: Around, step: Step, source: Step) -> Way:
    (block, id), type = place_of(step), norm_for(around, source)
    outer, feeding = place_of(source)
    # A bias in front of a batch norm learns nothing.
    alone = outer == block and len(around.readers[source.path]) == 1 and not bend(source.node)
    biased = "bias" in LAYERS[source.node.type].parameter_names(source.node.fields)
    drop = alone and biased and type.startswith("BatchNorm") and group(source.node) != "Normalisation"

    def make(network: Network) -> Network:
        network = edits.insert_before(network, id, Node(type), block=block)
        return edit.set_field(network, feeding, "bias", False, block=block) if drop else network

    return Way(f"Put a {type} before {id}{f', in place of the bias of {feeding}' if drop else ''}", make)


def _unnormed_input(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        sources = around.sources(step)
        if choice.id not in TWO_VALUED or not sources or step.path in around.first:
            continue
        if around.normed.get(sources[0].path, False) or around.positive.get(sources[0].path):
            continue
        before = _norm_before(around, step, sources[0])
        yield Fault(
            step,
            "binarize.input",
            f"{sources[0].path} feeds it without a normalisation: nothing keeps its values on both sides of zero.",
            (before,),
        )


def _pooled_signs(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        sources = around.sources(step)
        if choice.id not in TWO_VALUED or not sources or not sources[0].node.type.startswith("MaxPool"):
            continue
        pool = sources[0]
        before = around.sources(pool)
        if not before or before[0].node.type not in NORMS or pool.node.activation is not None:
            continue
        norm = before[0]
        alone = len(around.readers[norm.path]) == 1
        ways: tuple[Way, ...] = ()
        if alone and place_of(norm)[0] == place_of(pool)[0]:
            text = f"Pool before normalising: swap {_name(norm)} and {_name(pool)}"
            ways = (_on(norm, text, edit.swap, _name(pool)),)
        yield Fault(
            pool,
            None,
            f"the largest of normalised values is seldom negative, and {step.path} takes its sign. Pool before "
            f"{norm.path}.",
            ways,
        )


def _bias_before_norm(around: Around) -> Iterator[Fault]:
    for step, _ in around.binarized("weight"):
        names = LAYERS[step.node.type].parameter_names(step.node.fields)
        if "bias" not in names or step.node.fields.get("bias", True) is not True:
            continue
        if bend(step.node):
            continue
        met = around.met(
            step, lambda node: passing(node) and group(node) in ("Pooling", "Shape", "Regularisation")
        )
        if not met or not all(reader.node.type.startswith("BatchNorm") for reader in met):
            continue
        yield Fault(
            step,
            "bias",
            f"{met[0].path} takes the mean away, and the bias with it; without one its sums are whole numbers.",
            (_on(step, "Set bias to false", edit.set_field, "bias", False),),
        )


# ---------------------------------------------------------------------------- ends, borders, shortcuts


def _without(step: Step, place: str) -> Way:
    words = {"weight": "weights", "input": "input"}[place]
    return _on(step, f"Keep the {words} of {_name(step)} real", edit.set_binarize, place, None)


def _real(step: Step) -> Way:
    block, id = place_of(step)

    def make(network: Network) -> Network:
        for place in step.node.binarize:
            network = edit.set_binarize(network, id, place, None, block=block)
        return network

    return Way(f"Keep {id} real", make)


def _first(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        if choice.id in TWO_VALUED and step.path in around.first:
            yield Fault(
                step,
                "binarize.input",
                "it is the first layer: of the network's input only the signs are left.",
                (_without(step, "input"),),
            )


def _last(around: Around) -> Iterator[Fault]:
    for step, _ in around.binarized("weight"):
        if step.path in around.last:
            yield Fault(
                step,
                "binarize.weight",
                "it is the last layer: the network's answers are sums of signs.",
                (_real(step),),
            )


def _zero_border(around: Around) -> Iterator[Fault]:
    for step, choice in around.binarized("input"):
        node = step.node
        if choice.id not in TWO_VALUED or not node.type.startswith("Conv") or "Transpose" in node.type:
            continue
        if "weight" not in node.binarize or node.fields.get("padding_mode", "zeros") != "zeros":
            continue
        padding = node.fields.get("padding", 0)
        wide = padding if isinstance(padding, list | tuple) else [padding]
        if not any(side == "same" or (isinstance(side, int) and side > 0) for side in wide):
            continue
        id = _name(step)
        yield Fault(
            step,
            "padding",
            "its border is zero, which is neither +1 nor −1: a third value that a product of signs does not have.",
            (
                _on(
                    step,
                    "Fill the border with the signs at the edge",
                    edit.set_field,
                    "padding_mode",
                    "replicate",
                ),
                _on(step, f"Put a border of +1 before {id}", edits.with_border, 1.0),
                _on(step, f"Put a border of −1 before {id}", edits.with_border, -1.0),
            ),
        )


def _shortcut(around: Around) -> Iterator[Fault]:
    for step, _ in around.binarized("weight"):
        if group(step.node) == "Convolution" and step.path in around.projections:
            yield Fault(
                step,
                "binarize.weight",
                "it is the shortcut around other layers, and binarized like them: nothing real gets past.",
                (_real(step),),
            )


# ---------------------------------------------------------------------------- latent weights


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
    return _on(step, f"Use torch's default for {name} of {_name(step)}", edit.set_init, name, put)


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
            _on(
                step,
                f"Multiply the learning rate of {_name(step)} by {multiplier:g}",
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
            (_on(step, f"Clip the latent weights of {_name(step)}", edits.clipped),),
        )


# ---------------------------------------------------------------------------- the recipe


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


# ---------------------------------------------------------------------------- all of them

RULES: tuple[BinaryRule, ...] = (
    BinaryRule(
        code="sign-of-positives",
        severity="warning",
        lesson="The sign of what is never negative is a constant. Binarized networks normalise and then take the sign, "
        "which is itself the activation (Hubara et al. 2016, arXiv 1602.02830; Rastegari et al. 2016, arXiv 1603.05279 §3.2).",
        find=_sign_of_positives,
    ),
    BinaryRule(
        code="dropped-signs",
        severity="hint",
        lesson="The sign of 0 is +1, and no sign is half as large: dropout has nothing to drop here. Binarization regularises "
        "as dropout does (Courbariaux et al. 2015, arXiv 1511.00363).",
        find=_dropped_signs,
    ),
    BinaryRule(
        code="binary-without-norm",
        severity="warning",
        lesson="Sums of n signs spread √n wide; a normalisation brings them to the scale that the next sign, or "
        "layer, and the estimator's clip are made for (Hubara et al. 2016, arXiv 1602.02830).",
        find=_without_norm,
    ),
    BinaryRule(
        code="activation-before-norm",
        severity="hint",
        lesson="The order is binarized layer, pooling, normalisation, then the next sign or activation: on raw sums of "
        "signs ReLU drops half and tanh is flat (Rastegari et al. 2016, arXiv 1603.05279 §3.2).",
        find=_bend_first,
    ),
    BinaryRule(
        code="sign-without-norm",
        severity="hint",
        lesson="A sign tells most where values fall on both sides of zero equally often, within the clip of the estimator "
        "(Rastegari et al. 2016, arXiv 1603.05279 §3.2).",
        find=_unnormed_input,
    ),
    BinaryRule(
        code="pooled-signs",
        severity="hint",
        lesson="Max pooling in front of a sign gives nearly all +1 and loses what the layer found; in front of the "
        "normalisation it does not (Rastegari et al. 2016, arXiv 1603.05279 §3.2).",
        find=_pooled_signs,
    ),
    BinaryRule(
        code="bias-before-norm",
        severity="hint",
        lesson="Batch normalisation subtracts each channel's mean; its own bias takes over (Ioffe and Szegedy 2015, §3.2), "
        "and folds into one threshold when deployed.",
        find=_bias_before_norm,
    ),
    BinaryRule(
        code="first-binarized",
        severity="warning",
        lesson="The first layer has few weights and all of the information to lose: it keeps real inputs "
        "(Zhou et al. 2016, arXiv 1606.06160 §2.7).",
        find=_first,
    ),
    BinaryRule(
        code="last-binarized",
        severity="warning",
        lesson="The last layer's scores need their fine steps: 97.2 % with it real, 96.3 % with all layers binarized "
        "(see also Zhou et al. 2016, arXiv 1606.06160 §2.7).",
        find=_last,
    ),
    BinaryRule(
        code="zero-border",
        severity="hint",
        lesson="Larq fills the border with +1, daBNN with −1, so that XNOR and popcount need no correction at the edge "
        "(Zhang et al. 2019, arXiv 1908.05858).",
        find=_zero_border,
    ),
    BinaryRule(
        code="binary-shortcut",
        severity="hint",
        lesson="A real shortcut around each binarized convolution carries what the signs lose, at next to no cost "
        "(Liu et al. 2018, arXiv 1808.00278).",
        find=_shortcut,
    ),
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


def faults(around: Around) -> Iterator[tuple[BinaryRule, Fault]]:
    """All that breaks a rule."""
    if not any(step.node.binarize for step in around.steps.values()):
        return
    for rule in RULES:
        for fault in rule.find(around):
            yield rule, fault
