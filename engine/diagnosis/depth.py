"""Illnesses of layers: what gradients, activations and updates show through the depth."""

from __future__ import annotations

import math

from engine import edit
from engine.diagnosis import repairs
from engine.diagnosis.record import Record, median, owner
from engine.diagnosis.rule import Evidence, Illness, Needs
from engine.findings import Repair
from engine.network import Choice, Network, Node

#: Observations that must be there before a layer is judged.
_LOOKS = Needs(looks=3)
_OUTPUTS = Needs(looks=3, activations=True)


def _said(value: float) -> str:
    return f"{value:.2g}"


# ---------------------------------------------------------------------------- vanishing, exploding

#: Between the first and the last matrix a gradient may fade to this share; with so many it can.
VANISHES = 1e-3
_DEEP = 3
#: A norm of all gradients together that no healthy start comes near.
EXPLODES = 100.0
#: First loss beyond this many times ln C: the outputs are huge before anything was learned.
LOUD = 3.0
#: A learning rate of so many times the usual one explains large gradients itself, after its first step.
BOLD = 10.0


def _fading(record: Record) -> list[Evidence]:
    sizes = {name: size for name, size in record.gradient_sizes.items() if math.isfinite(size)}
    if len(sizes) < _DEEP:
        return []
    names = list(sizes)
    last = sizes[names[-1]]
    first = names[0]
    if last <= 0 or sizes[first] > VANISHES * last:
        return []
    return [
        Evidence(
            f"The gradient of {first} is {_said(sizes[first])} per weight, that of {names[-1]} {_said(last)}: "
            f"{_said(sizes[first] / last)} of it reaches the first layer.",
            owner(first),
            {"first": sizes[first], "last": last, "share": sizes[first] / last},
        )
    ]


def _fresh(record: Record, _seen: Evidence) -> tuple[Repair, ...]:
    healthy = repairs.afresh(record, repairs.rectify(record))
    saturating = repairs.rectify(record) is not record.network
    words = "ReLU and He initialisation in every layer" if saturating else "He initialisation in every layer"
    return repairs.offer(record, (words, healthy))


VANISHING = Illness(
    code="vanishing-gradient",
    title="The gradient vanishes on its way to the first layers",
    cause="Each layer multiplies the gradient by its weights and by its activation's slope; where the product is below "
    "one, what is left after many layers is nothing.",
    source="Glorot and Bengio 2010, §4.2; He et al. 2015, §2.2; threshold: a thousandth between first and last layer.",
    needs=_LOOKS,
    concerns=lambda record: sum(len(shape) > 1 for shape in (record.shapes or {}).values()) >= _DEEP,
    find=_fading,
    repairs=_fresh,
)


def _blowing_up(record: Record) -> list[Evidence]:
    first = record.observations[0]
    norm = math.hypot(*(d.norm for d in first.gradients.values()))
    bad = any(d.bad for d in first.gradients.values())
    begun = record.losses[0]
    if record.chance is None:  # no loss says that it is loud: a rate beyond all measure is the likelier cause
        loud = repairs.rate(record) <= BOLD * repairs.default_rate(record)
    else:
        loud = begun > LOUD * record.chance
    loud = loud or not math.isfinite(begun)
    if not loud or not (bad or norm > EXPLODES or not math.isfinite(norm)):
        return []
    beside = f", {begun / record.chance:.3g} times that of guessing" if record.chance else ""
    return [
        Evidence(
            f"At step {first.step} the gradients' norm is {'no number' if bad else _said(norm)}, and the first loss "
            f"is {_said(begun)}{beside}.",
            None,
            {"norm": norm, "loss": begun},
        )
    ]


def _damped(record: Record, _seen: Evidence) -> tuple[Repair, ...]:
    usual = repairs.default_rate(record)
    calm = repairs.rounded(min(repairs.rate(record) or usual, usual / 3))
    healthy = repairs.afresh(record, repairs.rectify(record))
    return repairs.offer(
        record,
        (
            f"ReLU, He initialisation and a learning rate of {calm:g}",
            repairs.with_rate(record, calm, healthy),
        ),
        ("He initialisation in every layer", repairs.afresh(record)),
    )


EXPLODING = Illness(
    code="exploding-gradient",
    title="Gradients explode from the first step",
    cause="Each layer enlarges what passes through it, forwards and backwards; after several layers outputs and "
    "gradients are so large that any step is too long.",
    source="Pascanu et al. 2013; He et al. 2015, §2.2; threshold: norm over 100 and a first loss over three times ln C.",
    needs=Needs(looks=1, points=1),
    find=_blowing_up,
    repairs=_damped,
    severity="error",
)

# ---------------------------------------------------------------------------- dead, saturated

#: Share of units (dead) or of values (saturated) from which a layer is ill.
MOST = 0.5


def _dead(record: Record) -> list[Evidence]:
    found = []
    for node, share in record.activation("dead").items():
        if share >= MOST and record.activation_id(node) in repairs.RECTIFIERS:
            seen = record.newest_activation(node)
            units = seen.units if seen is not None else 0
            found.append(
                Evidence(
                    f"{share:.0%} of the {units} units of {node} are zero for every example of a batch.",
                    node,
                    {"dead": share, "units": float(units)},
                )
            )
    return found


def _leaky(record: Record, _seen: Evidence) -> tuple[Repair, ...]:
    def act(network: Network, id: str, block: str | None, node: Node) -> Network:
        if node.activation is not None and node.activation.id in repairs.RECTIFIERS:
            leaky = Choice("LeakyReLU", {"negative_slope": 0.1})
            return edit.set_activation(network, id, leaky, block=block)
        return network

    ill = [seen.node for seen in _dead(record) if seen.node is not None]
    gentle = repairs.on_nodes(record, ill, act)
    calm = min(repairs.rate(record), repairs.default_rate(record))
    healthy = repairs.with_rate(record, calm, repairs.afresh(record, gentle))
    return repairs.offer(
        record,
        (f"LeakyReLU there, He initialisation, and a learning rate of at most {calm:g}", healthy),
        ("LeakyReLU in the place of ReLU there", gentle),
    )


DEAD = Illness(
    code="dead-relu",
    title="Most units of a ReLU layer are dead",
    cause="A unit whose input is negative for all examples gives zero and gets no gradient, so nothing brings it back; a "
    "negative bias or one step too long is enough.",
    source="Maas et al. 2013 (LeakyReLU); Lu et al. 2019, 'Dying ReLU and initialization'; threshold: half the units.",
    needs=_OUTPUTS,
    concerns=lambda record: record.ends_in(repairs.RECTIFIERS),
    find=_dead,
    repairs=_leaky,
)


def _saturated(record: Record) -> list[Evidence]:
    return [
        Evidence(
            f"{share:.0%} of the values of {node} lie within 1 % of an end of its range, where the slope is below 4 %.",
            node,
            {"saturated": share},
        )
        for node, share in record.activation("saturated").items()
        if share >= MOST
    ]


def _unsaturated(record: Record, _seen: Evidence) -> tuple[Repair, ...]:
    def glorot(network: Network, id: str, block: str | None, node: Node) -> Network:
        return edit.set_init(network, id, "weight", Choice("xavier_normal"), block=block)

    calm = min(repairs.rate(record), repairs.default_rate(record))
    healthy = repairs.afresh(record, repairs.rectify(record))
    words = "ReLU and He initialisation in every layer"
    if calm < repairs.rate(record):
        words = f"ReLU, He initialisation and a learning rate of {calm:g}"
    return repairs.offer(
        record,
        (words, repairs.with_rate(record, calm, healthy)),
        ("Glorot initialisation in every layer", repairs.on_nodes(record, record.owners(), glorot)),
    )


SATURATED = Illness(
    code="saturated-activation",
    title="A layer's activation is saturated",
    cause="Its inputs are so large that the function is flat there: the gradient is multiplied by nearly nothing, and "
    "neither this layer nor those before it learn.",
    source="Glorot and Bengio 2010, §3; LeCun et al. 1998, 'Efficient BackProp', §4.4; threshold: half the values.",
    needs=_OUTPUTS,
    concerns=lambda record: record.ends_in(repairs.BOUNDED),
    find=_saturated,
    repairs=_unsaturated,
)

# ---------------------------------------------------------------------------- asleep, stuck

#: A ratio below this moves a weight by less than a tenth within 10,000 steps of one direction.
SLEEPS = 1e-5
#: … while the median of the others is above this.
AWAKE = 1e-4


def _asleep(record: Record) -> list[Evidence]:
    ratios = {name: ratio for name, ratio in record.update_ratios.items() if math.isfinite(ratio)}
    # A matrix of zeros that gets no gradient has no ratio: its update is as small as it is.
    awake = [ratio for ratio in ratios.values() if ratio >= AWAKE]
    moves = bool(awake) or max(_bias_updates(record), default=0.0) >= AWAKE
    if not moves:
        return []
    usual = median(awake) if awake else math.nan
    return [
        Evidence(
            f"An update moves {name} by {_said(ratio)} of its size"
            + (f"; elsewhere it is {_said(usual)}." if awake else ", and only biases move."),
            owner(name),
            {"ratio": ratio, "usual": usual},
        )
        for name, ratio in ratios.items()
        if ratio < SLEEPS
    ]


def _bias_updates(record: Record) -> list[float]:
    names = {name for name in record.shapes or {} if name not in record.matrices}
    return [median(o.updates.get(name, math.nan) for o in record.recent) for name in names]


def _held_by_bop(record: Record, seen: Evidence) -> bool:
    """Whether the weight flips as Bop has it: without latent weights, and without a learning rate."""
    found = record.place(seen.node or "")
    return record.network.recipe.optimizer.id == "Bop" and found is not None and "weight" in found[2].binarize


def _awaken(record: Record, seen: Evidence) -> tuple[Repair, ...]:
    if _held_by_bop(record, seen):
        return repairs.offer(record, repairs.usual_threshold(record.network))
    here = [e.node for e in _asleep(record) if e.node is not None]
    healthy = repairs.on_nodes(record, here, repairs.he, repairs.thawed(record))
    everywhere = repairs.afresh(record, repairs.rectify(record, repairs.thawed(record)))
    return repairs.offer(
        record,
        ("He initialisation there, at the common learning rate", healthy),
        ("ReLU and He initialisation in every layer", everywhere),
    )


ASLEEP = Illness(
    code="layer-asleep",
    title="A layer does not learn",
    cause="Its updates are tiny beside its weights: no gradient arrives, its weights are huge, or its own learning rate "
    "is next to nothing.",
    source="Karpathy, CS231n, 'Ratio of weights:updates' (healthy around 1e-3); threshold: below 1e-5 beside others above 1e-4.",
    needs=_LOOKS,
    find=_asleep,
    repairs=_awaken,
)

#: Steps that a binarized layer is watched for.
_WATCHED = Needs(watched=50)


def _stuck(record: Record) -> list[Evidence]:
    found = []
    observations = record.observations[1:]
    for name in dict.fromkeys(name for o in observations for name in o.flips):
        seen = [(o.step, o.flips[name]) for o in observations if name in o.flips]
        steps = seen[-1][0] - record.observations[0].step
        flipped = sum(share for _, share in seen)
        # A weight that flips and flips back between two looks is not seen to have changed: it is no
        # stillness, so the single steps that were looked at must be still as well.
        single = [o.binary_weights[name].flip_rate for o in observations if name in o.binary_weights]
        rate = sum(single) / max(1, len(single))
        size = math.prod((record.shapes or {}).get(name, ())) or 1
        if steps >= _WATCHED.watched and flipped < max(STILL * steps, 0.5 / size) and rate <= STILL:
            found.append(
                Evidence(
                    f"{flipped:.2%} of the signs of {name} changed within {steps:,} steps, {rate:.2%} in a step.",
                    owner(name),
                    {"flips": flipped, "steps": float(steps), "rate": rate},
                )
            )
    return found


#: Share of signs that change per step in a binarized layer that hardly learns.
STILL = 1e-5


def _unstuck(record: Record, seen: Evidence) -> tuple[Repair, ...]:
    if _held_by_bop(record, seen):
        return repairs.offer(record, repairs.usual_threshold(record.network))

    def small(network: Network, id: str, block: str | None, node: Node) -> Network:
        if "weight" not in node.binarize:
            return network
        network = repairs.he(network, id, block, node)
        if node.binarize["weight"].id not in _PASSING:
            network = edit.set_binarize(network, id, "weight", Choice("ste_sign"), block=block)
        return network

    quick = max(repairs.rate(record), repairs.default_rate(record))
    healthy = repairs.on_nodes(record, record.owners(), small, repairs.thawed(record))
    words = "Latent weights by Glorot and Bengio"
    binarizers = {node.binarize["weight"].id for node in record.drawn() if "weight" in node.binarize}
    if binarizers - set(_PASSING):
        words += ", estimators that pass the gradient on"
    return repairs.offer(
        record,
        (f"{words}, and a learning rate of {quick:g}", repairs.with_rate(record, quick, healthy)),
        (words, healthy),
    )


#: Estimators whose gradient reaches latent weights everywhere in −1 … 1.
_PASSING = ("ste_sign", "identity_ste", "bireal_weight", "xnor_scale", "ir_weight", "magnitude_aware_sign")

STUCK = Illness(
    code="stuck-binary",
    title="A binarized layer is stuck",
    cause="A binary weight changes only when its latent weight crosses zero; latent weights that are large beside a step "
    "never do, so the layer stays as it was drawn.",
    source="Helwegen et al. 2019, 'Latent weights do not exist'; threshold: under 1 in 100,000 signs per step, over 50 steps.",
    needs=_WATCHED,
    concerns=lambda record: (
        any("weight" in node.binarize for node in record.drawn()) or any(o.flips for o in record.observations)
    ),
    find=_stuck,
    repairs=_unstuck,
)
