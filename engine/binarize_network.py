"""The whole sensible change from a real network to a binarized one, in one pure function.

Layers between the first and the last get estimators; then the first way out of each rule of
:mod:`engine.binary.rules` is taken until none is broken: activations in front of signs go,
normalisations come, biases in front of them go, borders are filled with signs, latent weights begin
where signs can flip, weight decay spares them. What is done, and why, comes back with the network.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from engine import edit
from engine.binary.around import UNSCALED, Around, group, place_of, weighted
from engine.binary.rule import BinaryRule, Fault
from engine.binary.rules import RULES
from engine.catalog import BINARIZERS, LAYERS
from engine.compile.expand import Step
from engine.edit import EditProblem
from engine.findings import Analysis
from engine.network import Choice, Network
from engine.problems import did_you_mean

#: The estimators that are taken when none are named.
WEIGHT, INPUT = Choice("ste_sign"), Choice("ste_sign")
#: For weights whose sums no normalisation can follow: gates and attention scores.
SCALED = Choice("xnor_scale")
#: Rounds after which the search for broken rules ends, whatever is left.
_MOST_ROUNDS = 200


#: A block (None: the top level) and an id in it.
_Place = tuple[str | None, str]


def _told(place: _Place) -> str:
    block, id = place
    return id if block is None else f"{block} › {id}"


class Told(NamedTuple):
    """One thing that was done, or left, and why."""

    #: The node's id, behind its block's name where it is in one; or "recipe".
    where: str
    what: str
    why: str


class Binarized(NamedTuple):
    """A binarized network, and how it came about."""

    network: Network
    #: Layers that were given estimators.
    layers: tuple[Told, ...]
    #: What else was changed, so that they learn.
    changes: tuple[Told, ...]
    #: Layers with weights that stay real.
    kept: tuple[Told, ...]


def binarize(
    network: Network,
    analysis: Analysis,
    *,
    weight: Choice | None = WEIGHT,
    input: Choice | None = INPUT,
    nodes: Collection[str] | None = None,
    block: str | None = None,
) -> Binarized:
    """`network` with the layers between its first and its last binarized, and all that this asks for.

    Parameters
    ----------
    network
        A network without errors.
    analysis
        What :func:`engine.analyze` found of it: its shapes.
    weight, input
        Estimators for weights and for inputs; None: these stay real. Layers that have one keep it.
        Recurrent and attention layers get a scaled estimator on their weights alone.
    nodes
        Ids in `block` to which the change is held; None: all layers, in all blocks.

    Raises
    ------
    EditProblem
        If there is nothing to binarize, an estimator is not known, or one does not belong there.
    """
    for place, choice in (("weight", weight), ("input", input)):
        _check(place, choice)
    if weight is None and input is None:
        raise EditProblem("Choose an estimator for weights, for inputs, or for both.")
    around = Around.of(network, analysis)
    reasons = _real_ones(around)
    chosen: dict[_Place, Step] = {}
    kept: dict[_Place, Told] = {}
    for step in around.steps.values():
        here = place_of(step)
        if not weighted(step.node) or (nodes is not None and (here[0] != block or here[1] not in nodes)):
            continue
        if here in reasons:
            kept[here] = Told(_told(here), "kept real", reasons[here])
        else:
            chosen.setdefault(here, step)
    if not chosen:
        why = "; ".join(f"{told.where}: {told.why}" for told in list(kept.values())[:3])
        raise EditProblem(
            f"There is nothing to binarize{f' ({why})' if why else ''}. Add a layer in between."
        )
    layers = []
    for here, step in chosen.items():
        network, told = _estimated(network, here, step, weight, input)
        layers.append(told)
    network, changes = _settled(network, analysis, set(chosen))
    return Binarized(network, tuple(layers), changes, tuple(kept.values()))


def _check(place: str, choice: Choice | None) -> None:
    if choice is None:
        return
    entry = BINARIZERS.get(choice.id)
    if entry is None:
        raise EditProblem(f"There is no estimator {choice.id!r}.{did_you_mean(choice.id, BINARIZERS)}")
    if place not in entry.places:
        raise EditProblem(f"{choice.id} binarizes the {' or '.join(entry.places)}, not the {place}.")
    wrong = entry.check(choice.fields)
    if wrong:
        raise EditProblem(f"{choice.id} › {wrong[0][0]}: {wrong[0][1]}")


def _real_ones(around: Around) -> dict[_Place, str]:
    """Layers that stay real, and why. One that is first in any of its uses is so in all."""
    found: dict[_Place, str] = {}
    for path, step in around.steps.items():
        place, node = place_of(step), step.node
        if not weighted(node) or place in found:
            continue
        if path in around.last:
            found[place] = "the last layer's answers need fine steps"
        elif path in around.first:
            found[place] = "the first layer reads the input as it is"
        elif node.type == "Embedding":
            found[place] = "a table that is looked up costs no products"
        elif not LAYERS[node.type].binarizable:
            found[place] = f"{node.type} takes no estimator"
        elif path in around.projections:
            found[place] = "the shortcut carries what signs lose"
        elif group(node) == "Convolution" and _depthwise(step, around):
            found[place] = "a depthwise convolution has little to save, and much to lose"
    return found


def _depthwise(step: Step, around: Around) -> bool:
    groups = step.node.fields.get("groups", 1)
    sources = around.sources(step)
    shape = around.shape(sources[0].path) if sources else ()
    return isinstance(groups, int) and groups > 1 and bool(shape) and groups == shape[0]


def _estimated(
    network: Network,
    place: _Place,
    step: Step,
    weight: Choice | None,
    input: Choice | None,
) -> tuple[Network, Told]:
    """Estimators on one layer."""
    block, id = place
    own = network.graph(block).nodes[id].binarize
    alone = group(step.node) in ("Recurrent", "Attention")
    why = "signs cost a bit each, and their products an XNOR"
    if alone:
        input = None
        why = "weights alone: its states and scores stay real"
        if weight is not None and weight.id in UNSCALED:
            weight = SCALED
            why += ", and a scale per output keeps its sums from saturating"
    parts = []
    for name, choice in (("weight", weight), ("input", input)):
        if choice is not None and name not in own:
            network = edit.set_binarize(network, id, name, choice, block=block)
        used = own.get(name, choice)
        if used is not None:
            parts.append(f"{'weights' if name == 'weight' else name} by {used.id}")
    return network, Told(_told(place), ", ".join(parts) or "nothing", why)


def _settled(network: Network, analysis: Analysis, chosen: set[_Place]) -> tuple[Network, tuple[Told, ...]]:
    """The first way out of each broken rule taken, rule by rule, until none is left that can be mended."""
    told: list[Told] = []
    taken: set[_Taken] = set()
    for _ in range(_MOST_ROUNDS):
        broken = _next(Around.of(network, analysis), chosen, taken)
        if not broken:
            break
        for key, (rule, fault) in broken.items():
            # A way that was taken and did not help would be taken for ever.
            taken.add(key)
            before = network
            try:
                network = fault.ways[0].make(network)
            except EditProblem:
                continue
            if network is not before:
                where = "recipe" if fault.step is None else _told(place_of(fault.step))
                told.append(Told(where, fault.ways[0].text, rule.lesson))
    return network, tuple(told)


#: A rule, where it was broken, and the way out.
_Taken = tuple[str, _Place | None, str]


def _next(around: Around, chosen: set[_Place], taken: set[_Taken]) -> dict[_Taken, tuple[BinaryRule, Fault]]:
    """What breaks the first rule that is broken in or before the layers `chosen`; each drawn place once."""
    for rule in RULES:
        found: dict[_Taken, tuple[BinaryRule, Fault]] = {}
        for fault in rule.find(around):
            if fault.ways and _concerns(around, fault, chosen):
                place = None if fault.step is None else place_of(fault.step)
                found.setdefault((rule.code, place, fault.ways[0].text), (rule, fault))
        fresh = {key: value for key, value in found.items() if key not in taken}
        if fresh:
            return fresh
    return {}


def _concerns(around: Around, fault: Fault, chosen: set[_Place]) -> bool:
    """Whether a fault is one of these layers, or of what one of them reads, as a pooling may be."""
    step = fault.step
    return step is None or any(
        place_of(near) in chosen for near in (step, *around.readers.get(step.path, ()))
    )
