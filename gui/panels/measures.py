"""Measures of training health by node: what they read of a look, their colours, and what cards show."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PySide6.QtGui import QColor

from engine.diagnosis.record import Record, owner
from engine.host.protocol import Observation
from engine.network import Network
from gui.panels.parameters import HEALTHY
from gui.panels.series import figure
from gui.theme import theme

#: Observations that a node's sparkline shows.
HISTORY = 40


class NodeMark(NamedTuple):
    """What a node's card shows of the chosen measure."""

    #: ``"#rrggbb"``.
    color: str
    text: str
    history: tuple[float, ...]
    tip: str


@dataclass(frozen=True)
class HealthMeasure:
    """A figure per node, and how it is coloured."""

    title: str
    hint: str
    #: Observation -> path of a node -> figure.
    of: Callable[[Observation], Mapping[str, float]]
    #: Places on the scale and the token of the colour there, from the least on; between them it is mixed.
    stops: tuple[tuple[float, str], ...]
    log: bool = False
    share: bool = False

    def place(self, value: float) -> float:
        """A value on the scale of :attr:`stops`."""
        if not self.log:
            return value
        return math.log10(value) if value > 0 else -math.inf

    def color(self, value: float) -> QColor:
        """The colour of a value."""
        if math.isnan(value):
            return theme.color("error")
        at = self.place(value)
        if at <= self.stops[0][0]:
            return theme.color(self.stops[0][1])
        for (left, low), (right, high) in zip(self.stops, self.stops[1:], strict=False):
            if at <= right:
                return _mixed(theme.color(low), theme.color(high), (at - left) / (right - left))
        return theme.color(self.stops[-1][1])

    def say(self, value: float) -> str:
        """A value as text."""
        return f"{100 * value:.3g} %" if self.share else figure(value)


def _mixed(low: QColor, high: QColor, share: float) -> QColor:
    def mix(a: int, b: int) -> int:
        return round(a + share * (b - a))

    return QColor(mix(low.red(), high.red()), mix(low.green(), high.green()), mix(low.blue(), high.blue()))


def _gradients(observation: Observation) -> dict[str, float]:
    squares: dict[str, float] = {}
    for name, found in observation.gradients.items():
        squares[owner(name)] = squares.get(owner(name), 0.0) + found.norm**2
    return {node: math.sqrt(total) for node, total in squares.items()}


def _updates(observation: Observation) -> dict[str, float]:
    # Of a layer's matrix; a bias that begins at zero has no ratio to speak of.
    return {
        owner(name): ratio
        for name, ratio in observation.updates.items()
        if name in observation.weight_excerpts
    }


def _flips(observation: Observation) -> dict[str, float]:
    # A recurrent layer has several binarized weights.
    shares: dict[str, list[float]] = {}
    for name, share in observation.flips.items():
        shares.setdefault(owner(name), []).append(share)
    return {node: statistics.fmean(found) for node, found in shares.items()}


def _activations(name: str) -> Callable[[Observation], Mapping[str, float]]:
    def read(observation: Observation) -> dict[str, float]:
        found = {node: getattr(seen, name) for node, seen in observation.activations.items()}
        return {node: value for node, value in found.items() if value is not None}

    return read


def _rank(observation: Observation) -> dict[str, float]:
    return {
        node: seen.rank / seen.full_rank
        for node, seen in observation.activations.items()
        if seen.rank is not None and seen.full_rank
    }


MEASURES = (
    HealthMeasure(
        "Update ratio",
        "Norm of the last update over norm of the weights. Healthy: around 0.001.",
        _updates,
        (
            (-6, "train"),
            (-5, "train"),
            (math.log10(HEALTHY[0]), "good"),
            (math.log10(HEALTHY[1]), "good"),
            (-1.5, "error"),
        ),
        log=True,
    ),
    HealthMeasure(
        "Gradient norm",
        "Euclidean norm of all gradients of the node.",
        _gradients,
        ((-6, "train"), (-3, "good"), (0, "good"), (2, "error")),
        log=True,
    ),
    HealthMeasure(
        "Dead units",
        "Share of units that are zero for every example of the batch.",
        _activations("dead"),
        ((0.0, "good"), (0.25, "warning"), (0.6, "error")),
        share=True,
    ),
    HealthMeasure(
        "Saturation",
        "Share of values within 1 % of an end of the activation's range.",
        _activations("saturated"),
        ((0.0, "good"), (0.25, "warning"), (0.6, "error")),
        share=True,
    ),
    HealthMeasure(
        "Activation spread",
        "Standard deviation over examples, the mean of all values.",
        _activations("spread"),
        ((-4, "train"), (-1.5, "good"), (0.7, "good"), (2, "error")),
        log=True,
    ),
    HealthMeasure(
        "Effective rank",
        "Effective rank of the examples' features, of what it could be.",
        _rank,
        ((0.04, "error"), (0.1, "warning"), (0.3, "good")),
        share=True,
    ),
    HealthMeasure(
        "Sign flips",
        "Share of binary weights that changed sign since the look before.",
        _flips,
        ((0.0, "train"), (0.001, "good"), (0.1, "good"), (0.4, "error")),
        share=True,
    ),
)


class Reader:
    """Reads measures of looks, and keeps what it has read of a run until it is asked for something else."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] = ()
        self._read: dict[int, dict[str, float]] = {}
        #: The block that is shown and the network that it is of; path -> the node of it, "" for none.
        self._place: tuple[str | None, Network | None] = (None, None)
        self._shown: dict[str, str] = {}

    def marks(
        self,
        measure: HealthMeasure,
        observations: Sequence[Observation],
        block: str | None = None,
        network: Network | None = None,
    ) -> dict[str, NodeMark]:
        """What each node of the shown graph shows: the newest figure, its colour and its history.

        Several uses of one node (in a block that is repeated) show their median, and say so. Which nodes
        are the `block`'s tells the `network`, as it is trained.
        """
        begun = observations[0] if observations else None  # a run's first look is always kept
        asked = (measure, begun, block, network)
        before = self._read if len(self._of) and all(map(_same, asked, self._of)) else {}
        self._of, self._read = asked, {}
        if block != self._place[0] or network is not self._place[1]:
            self._place, self._shown = (block, network), {}
        steps: list[int] = []
        uses: Counter[str] = Counter()
        for observation in reversed(observations):
            step = observation.step
            found = before[step] if step in before else self._by_node(measure, observation)
            self._read[step] = found
            if found:  # not every look is at activations
                if not steps:
                    uses.update(filter(None, map(self._node, measure.of(observation))))
                steps.append(step)
                if len(steps) == HISTORY:
                    break
        if not steps:
            return {}
        history = [self._read[step] for step in reversed(steps)]
        of = "layers in it" if block is None else "uses"
        marks = {}
        for node, value in history[-1].items():
            past = [measure.place(values[node]) for values in history if node in values]
            marks[node] = NodeMark(
                measure.color(value).name(),
                measure.say(value),
                tuple(place for place in past if math.isfinite(place)),
                f"{measure.title} {measure.say(value)}"
                + (f", the median of {uses[node]} {of}," if uses[node] > 1 else "")
                + f" at step {steps[0]:,}",
            )
        return marks

    def _by_node(self, measure: HealthMeasure, observation: Observation) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for path, value in measure.of(observation).items():
            if node := self._node(path):
                found.setdefault(node, []).append(value)
        return {node: statistics.median(values) for node, values in found.items()}

    def _node(self, path: str) -> str:
        """The node of the shown graph that a figure is of; "": it is another graph's."""
        if path not in self._shown:
            block, network = self._place
            words = path.split(".")
            if block is None:
                self._shown[path] = words[0]
            elif network is None:
                self._shown[path] = words[-1]
            else:
                place = Record(network).place(path)
                self._shown[path] = place[1] if place is not None and place[0] == block else ""
        return self._shown[path]


def _same(a: object, b: object) -> bool:
    return a is b or (isinstance(a, str) and a == b)
