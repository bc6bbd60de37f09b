"""The order of sign, layer, pooling, normalisation and activation."""

from __future__ import annotations

from collections.abc import Iterator

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
from engine.binary.rule import BinaryRule, Fault, Way, on, own_id, seen_from
from engine.catalog import LAYERS
from engine.compile.expand import Step
from engine.network import Choice, Network, Node


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
        first = seen_from(step, culprits[0])
        take = f"Take {bend(culprits[0].node)} away from {first}"
        tanh = f"Put Hardtanh in its place in {first}"
        ways: tuple[Way, ...] = (on(culprits[0], take, edits.without_bend),)
        if culprits[0].node.activation is not None:
            ways += (on(culprits[0], tanh, edit.set_activation, Choice("Hardtanh")),)
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
        away = on(bent, f"Take {name} away from {id}", edits.without_bend)
        ways: tuple[Way, ...] = (away,) if around.only_signs_read(norm) else ()
        if place_of(norm)[0] == block:
            # Its own name where it is a layer: there may be two on the way.
            moved = own_id(bent) if bent.node.activation is None else name
            behind = f"Move {moved} behind {own_id(norm)}"
            ways += (on(bent, behind, edits.bend_behind, own_id(norm)),)
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
            text = f"Pool before normalising: swap {own_id(norm)} and {own_id(pool)}"
            ways = (on(norm, text, edit.swap, own_id(pool)),)
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
            (on(step, "Set bias to false", edit.set_field, "bias", False),),
        )


ORDER: tuple[BinaryRule, ...] = (
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
)
