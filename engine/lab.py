"""The initialisation laboratory's plain side: its questions, answers and verdicts.

One forward and one backward pass on a real batch, before any training, tells whether signals and
gradients survive the depth. :mod:`engine.training.lab_init` measures; this module, which needs no
torch, says what the measurements mean and makes the edit that adopts a scheme.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from engine import edit
from engine.catalog import INITIALIZERS, LAYERS, Entry
from engine.findings import Analysis
from engine.network import Choice, Network
from engine.problems import did_you_mean

#: The schemes that are compared when none are named.
USUAL = ("default", "kaiming_normal", "xavier_normal", "orthogonal", "normal", "uniform")

#: A spread this many times smaller (or larger) than the first layer's has vanished (or exploded).
#: Two decades either way still train with an adaptive optimizer; beyond, float32 sums begin to lose them.
FALL = 0.1
RISE = 10.0
#: Units of a layer that differ by less than this share of their size are the same unit.
ALIKE = 1e-5


class LayerSignal(msgspec.Struct, frozen=True):
    """One layer's activations and their gradients over one batch."""

    node: str
    #: Place among the measured layers, from 0.
    depth: int
    mean: float
    #: How far a unit's value strays from example to example (root mean square over units).
    std: float
    #: Share of units that are zero for every example.
    dead: float
    #: Share of values within 1 % of the activation's bounds; 0 where it has none.
    saturated: float
    gradient_mean: float
    gradient_std: float
    #: Length of one example's gradient (root mean square over examples), which, unlike the spread, does
    #: not depend on how many places a layer has.
    gradient_norm: float
    #: How much the layer's units differ, over their size.
    diversity: float
    #: "healthy", "vanishing", "exploding" or "symmetric".
    verdict: str = "healthy"
    #: The numbers behind it, as a sentence.
    evidence: str = ""


class SchemeSignal(msgspec.Struct, frozen=True):
    """What one scheme does to the whole network."""

    #: The scheme's id, or "current" for the mixture that the document has.
    scheme: str
    fields: Mapping[str, object]
    #: Loss of the batch before training.
    loss: float
    layers: tuple[LayerSignal, ...]
    verdict: str
    #: Smaller is better: how far spreads and gradients stray over the depth, in decades.
    strain: float
    #: Parameters that kept their own scheme because this one does not fit them, and why not.
    unfit: Mapping[str, str] = {}
    #: What it is called among the others: its id, with its fields where an id comes twice.
    name: str = ""


class LabReport(msgspec.Struct, frozen=True):
    """All schemes side by side."""

    schemes: tuple[SchemeSignal, ...]
    #: The name of the scheme that strains least among the healthy ones; None where none is healthy.
    best: str | None
    examples: int


class Race(msgspec.Struct, frozen=True):
    """Training curves of several schemes, or estimators, on the same seed and batches."""

    steps: int
    #: Scheme or estimator -> loss at every step.
    losses: Mapping[str, tuple[float, ...]]


def choices(text: str, shelf: Mapping[str, Entry], noun: str) -> list[Choice]:
    """Entries of a shelf as the command line writes them: ``kaiming_normal,normal:std=0.01``.

    Raises
    ------
    ValueError
        If there is no such entry or field, or a value is out of range; the message is for the user.
    """
    found = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        id, _, rest = item.partition(":")
        if id not in shelf:
            raise ValueError(
                f"There is no {noun} {id!r}.{did_you_mean(id, shelf)} `layerlab catalog` lists them."
            )
        fields = {}
        for setting in filter(None, rest.split(":")):
            name, _, value = setting.partition("=")
            try:
                fields[name] = msgspec.json.decode(value)
            except msgspec.DecodeError:
                fields[name] = value
        wrong = shelf[id].check(fields)
        if wrong:
            raise ValueError(" ".join(f"{id} › {field}: {message}" for field, message in wrong))
        found.append(Choice(id, fields))
    return found


def names(schemes: Sequence[Choice]) -> list[str]:
    """What to call each of `schemes`: its id, with its fields where that id comes more than once."""
    ids = [scheme.id for scheme in schemes]
    return [
        f"{scheme.id} {' '.join(f'{name}={value}' for name, value in scheme.fields.items())}".strip()
        if ids.count(scheme.id) > 1
        else scheme.id
        for scheme in schemes
    ]


def judged(layers: Sequence[LayerSignal]) -> tuple[LayerSignal, ...]:
    """`layers` with a verdict each: spread against the first, gradient against the last hidden one."""
    if not layers:
        return ()
    first, last = _references(layers)
    return tuple(_judged(layer, first, last) for layer in layers)


def _references(layers: Sequence[LayerSignal]) -> tuple[LayerSignal, LayerSignal]:
    """Where signals enter, and the last layer before the output, whose gradient the loss makes itself."""
    return layers[0], layers[-2] if len(layers) > 2 else layers[-1]


def _judged(layer: LayerSignal, first: LayerSignal, last: LayerSignal) -> LayerSignal:
    spread, flow = ratio(layer.std, first.std), ratio(layer.gradient_norm, last.gradient_norm)
    verdict, evidence = (
        "healthy",
        f"spread {spread:.2g}× the first layer's, gradient {flow:.2g}× the last hidden one's",
    )
    if not math.isfinite(layer.std) or not math.isfinite(layer.gradient_std):
        verdict, evidence = "exploding", "values are beyond what float32 holds"
    elif layer.diversity < ALIKE:
        verdict = "symmetric"
        evidence = "all units give the same value, so they learn the same and stay one unit"
    elif layer.std == 0:
        verdict, evidence = "vanishing", "its values do not depend on the input"
    elif spread < FALL or flow < FALL:
        verdict = "vanishing"
        evidence = _told("spread", spread, "first", "gradient", flow, "last hidden", FALL, below=True)
    elif spread > RISE or flow > RISE:
        verdict = "exploding"
        evidence = _told("spread", spread, "first", "gradient", flow, "last hidden", RISE, below=False)
    return msgspec.structs.replace(layer, verdict=verdict, evidence=evidence)


def _told(a: str, x: float, to_a: str, b: str, y: float, to_b: str, limit: float, *, below: bool) -> str:
    shown = [
        f"{what} {value:.2g}× that of the {to} layer"
        for what, value, to in ((a, x, to_a), (b, y, to_b))
        if (value < limit if below else value > limit)
    ]
    return " and ".join(shown)


def ratio(value: float, reference: float) -> float:
    """`value` over `reference`; 1 where there is nothing to compare with."""
    return value / reference if reference else 1.0


def overall(layers: Sequence[LayerSignal]) -> str:
    """The verdict on the network: the gravest of its layers'."""
    found = {layer.verdict for layer in layers}
    for verdict in ("symmetric", "exploding", "vanishing"):
        if verdict in found:
            return verdict
    return "healthy"


def strain(layers: Sequence[LayerSignal]) -> float:
    """How far spread and gradient stray over the depth: the largest |log10| of their ratios, summed."""
    if not layers:
        return 0.0
    first, last = _references(layers)
    return max(_decades(layer.std, first.std) for layer in layers) + max(
        _decades(layer.gradient_norm, last.gradient_norm) for layer in layers
    )


def _decades(value: float, reference: float) -> float:
    share = ratio(value, reference)
    return abs(math.log10(share)) if share > 0 and math.isfinite(share) else 99.0


def best_of(schemes: Sequence[SchemeSignal]) -> str | None:
    """The name of the scheme that strains least among the healthy ones."""
    healthy = [scheme for scheme in schemes if scheme.verdict == "healthy"]
    return min(healthy, key=lambda scheme: scheme.strain).name if healthy else None


def with_scheme(network: Network, analysis: Analysis, scheme: Choice) -> tuple[Network, dict[str, str]]:
    """`network` with `scheme` on every weight that has fans and that it fits.

    Biases, norms and what the scheme does not fit keep what they have.

    Returns
    -------
    tuple
        The network, and why each parameter ("conv1.weight") that was left out was.
    """
    left_out: dict[str, str] = {}
    for block, id, parameter, reason in _fitted(network, analysis, scheme):
        if reason is None:
            network = edit.set_init(network, id, parameter, scheme, block=block)
        else:
            left_out[f"{id}.{parameter}"] = reason
    return network, left_out


def require_fit(network: Network, analysis: Analysis, schemes: Sequence[Choice]) -> None:
    """Refuse a scheme that fits no weight at all: its row would say nothing.

    Raises
    ------
    ValueError
        The first such scheme, and why; the message is for the user.
    """
    for name, scheme in zip(names(schemes), schemes, strict=True):
        reasons = [reason for *_, reason in _fitted(network, analysis, scheme)]
        if reasons and all(reasons):
            raise ValueError(f"{name} fits no weight of this network: {reasons[0]}")


def _fitted(
    network: Network, analysis: Analysis, scheme: Choice
) -> Iterator[tuple[str | None, str, str, str | None]]:
    """Every weight with fans: block, node, parameter, and why `scheme` does not fit it (None: it does)."""
    entry = INITIALIZERS[scheme.id]
    settings = entry.settings(scheme.fields)
    blocks: list[str | None] = [None, *network.blocks]
    for block in blocks:
        for id, node in network.graph(block).nodes.items():
            if node.type not in LAYERS or node.shares.get("weight"):
                continue
            for parameter, shape in _weights(analysis, id, block):
                if entry.min_dims <= len(shape) <= entry.max_dims:
                    yield block, id, parameter, entry.fits(settings, shape)
                else:
                    wanted = f"{entry.min_dims} to {entry.max_dims}"
                    yield block, id, parameter, f"{entry.id} needs {wanted} dimensions, not {len(shape)}."


def misfits(unfit: Mapping[str, str]) -> str:
    """Why a scheme was left out where it was, each reason once: for the user."""
    told: dict[str, list[str]] = {}
    for parameter, reason in unfit.items():
        told.setdefault(reason, []).append(parameter)
    return " ".join(f"{', '.join(where)}: {reason}" for reason, where in told.items())


def _weights(analysis: Analysis, id: str, block: str | None) -> list[tuple[str, tuple[int, ...]]]:
    """The node's parameters with fans; in a block, as its first use has them."""
    for path, report in analysis.nodes.items():
        if path == id if block is None else path.endswith(f".{id}"):
            return [
                (name, shape)
                for name, shape in report.parameters.items()
                if len(shape) >= 2 and "." not in name
            ]
    return []
