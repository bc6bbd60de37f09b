"""What a run has told so far, and the figures that rules ask of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.host.protocol import Activation, Metrics, Observation, RunStarted, RunState
from engine.network import Network, Node


class Curves:
    """Figures by split and name, read from a run's metrics as these grow."""

    def __init__(self, metrics: Sequence[Metrics] = ()) -> None:
        self.source = metrics
        self._read = 0
        self._curves: dict[tuple[str, str], list[tuple[int, float]]] = {}

    def read(self) -> None:
        """Take in what has come since the last time."""
        new = self.source[self._read :]
        for event in new:
            for name, value in event.values.items():
                self._curves.setdefault((event.split, name), []).append((event.step, value))
        self._read += len(new)

    def of(self, split: str, name: str) -> Sequence[tuple[int, float]]:
        """(step, value) of one metric, in order."""
        return self._curves.get((split, name), ())


@dataclass(frozen=True)
class Record:
    """One run's story: the network as trained, figures, observations."""

    network: Network
    metrics: tuple[Metrics, ...] = ()
    observations: tuple[Observation, ...] = ()
    #: Parameter -> shape, in the model's order.
    shapes: Mapping[str, tuple[int, ...]] | None = None
    steps_per_epoch: int = 1
    diverged: bool = False
    #: Whether it measures itself on examples that it does not learn from.
    validated: bool = True
    #: The metrics' curves where they are at hand; None: they are found when asked for.
    read: Curves | None = None

    @classmethod
    def of(cls, network: Network, events: Iterable[object]) -> Record:
        """The record of a run's events (:func:`engine.runs.read_events`, or as they came)."""
        metrics: list[Metrics] = []
        observations: list[Observation] = []
        begun: RunStarted | None = None
        diverged = False
        for event in events:
            if isinstance(event, Metrics):
                metrics.append(event)
            elif isinstance(event, Observation):
                observations.append(event)
            elif isinstance(event, RunStarted):
                begun = event
            elif isinstance(event, RunState):
                diverged = event.state == "diverged"
        return cls(
            network,
            tuple(metrics),
            tuple(observations),
            begun.parameters if begun else None,
            begun.steps_per_epoch if begun else 1,
            diverged,
            begun is None or begun.validation_examples > 0,
        )

    # ------------------------------------------------------------------ figures over steps

    @cached_property
    def recent(self) -> tuple[Observation, ...]:
        """The later half of the observations: what is, and not what was."""
        return self.observations[len(self.observations) // 2 :]

    @cached_property
    def _curves(self) -> Curves:
        if self.read is not None:
            return self.read
        curves = Curves(self.metrics)
        curves.read()
        return curves

    def curve(self, split: str, name: str) -> Sequence[tuple[int, float]]:
        """(step, value) of one metric, in order."""
        return self._curves.of(split, name)

    @cached_property
    def losses(self) -> list[float]:
        """The training loss, point after point."""
        return [value for _, value in self.curve("train", "loss")]

    @cached_property
    def step(self) -> int:
        """The last step that is told of."""
        return max(
            self.metrics[-1].step if self.metrics else 0,
            self.observations[-1].step if self.observations else 0,
        )

    @cached_property
    def latest_loss(self) -> float:
        """The mean of the last fifth of the training loss' points, five at least; NaN where there is none."""
        last = self.losses[-max(5, len(self.losses) // 5) :]
        return sum(last) / len(last) if last else math.nan

    @cached_property
    def classes(self) -> int | None:
        """How many classes there are; None where the loss tells nothing about classes."""
        if self.network.recipe.loss.id != "CrossEntropyLoss" or not self.shapes:
            return None
        return list(self.shapes.values())[-1][0]

    @cached_property
    def chance(self) -> float | None:
        """The cross entropy of guessing all classes alike: ln C."""
        return math.log(self.classes) if self.classes and self.classes > 1 else None

    # ------------------------------------------------------------------ figures over depth

    @cached_property
    def matrices(self) -> tuple[str, ...]:
        """Parameters of two dimensions or more that are trained, from the input on."""
        moved = {name for o in self.observations for name in o.gradients}
        return tuple(n for n, shape in (self.shapes or {}).items() if len(shape) > 1 and n in moved)

    def gradient_size(self, parameter: str, observation: Observation) -> float:
        """Root mean square of a parameter's gradient: its norm, made comparable between sizes."""
        shape = (self.shapes or {}).get(parameter, ())
        found = observation.gradients.get(parameter)
        return math.nan if found is None else found.norm / math.sqrt(math.prod(shape) or 1)

    @cached_property
    def gradient_sizes(self) -> dict[str, float]:
        """Median root mean square of each matrix' gradient, lately."""
        return {n: median(self.gradient_size(n, o) for o in self.recent) for n in self.matrices}

    @cached_property
    def update_ratios(self) -> dict[str, float]:
        """Median update-to-weight ratio of each matrix, lately."""
        return {n: median(o.updates.get(n, math.nan) for o in self.recent) for n in self.matrices}

    def activation(self, figure: str) -> dict[str, float]:
        """Median of one figure of :class:`~engine.host.protocol.Activation` per node, lately."""
        found: dict[str, list[float]] = {}
        for observation in self.recent:
            for node, activation in observation.activations.items():
                value = getattr(activation, figure)
                if value is not None:
                    found.setdefault(node, []).append(float(value))
        return {node: median(values) for node, values in found.items()}

    def newest_activation(self, node: str) -> Activation | None:
        """What was seen last of a node's output."""
        return self.newest_activations.get(node)

    @cached_property
    def newest_activations(self) -> Mapping[str, Activation]:
        """What was seen last of every node's output; not every look is at activations."""
        return next((o.activations for o in reversed(self.observations) if o.activations), {})

    # ------------------------------------------------------------------ places

    def place(self, path: str) -> tuple[str | None, str, Node] | None:
        """The graph (None: the top level), the id and the node of a path such as ``layer1.0.conv1``."""
        nodes: Mapping[str, Node] = self.network.nodes
        block: str | None = None
        for word in path.split("."):
            if word.isdecimal():  # which repeat
                continue
            node = nodes.get(word.partition("__")[0])
            if node is None:
                return None
            if node.block is None or node.block not in self.network.blocks:
                return block, word.partition("__")[0], node
            block, nodes = node.block, self.network.blocks[node.block].nodes
        return None

    def activation_id(self, path: str) -> str | None:
        """Which activation a node ends in: its own, or itself."""
        found = self.place(path)
        if found is None:
            return None
        node = found[2]
        return node.activation.id if node.activation is not None else node.type

    def drawn(self) -> Iterator[Node]:
        """Every node, those in blocks too."""
        yield from self.network.nodes.values()
        for block in self.network.blocks.values():
            yield from block.nodes.values()

    def ends_in(self, activations: Collection[str]) -> bool:
        """Whether some node ends in one of these: its own, or itself."""
        return any(
            (node.activation.id if node.activation else node.type) in activations for node in self.drawn()
        )

    def owners(self) -> Iterator[str]:
        """The nodes of :attr:`matrices`, each once, from the input on."""
        yield from dict.fromkeys(owner(name) for name in self.matrices)


def owner(parameter: str) -> str:
    """The node's path of a parameter: ``layer1.0.conv1`` of ``layer1.0.conv1.weight``."""
    path = parameter.rpartition(".")[0]
    return path.partition("__")[0]


def median(values: Iterable[float]) -> float:
    """The median of the finite ones; NaN where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    return statistics.median(finite) if finite else math.nan
