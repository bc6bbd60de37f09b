"""What stands before and behind each layer of a network, as far as binarization cares.

A reading of the expanded drawing: blocks are laid open, so that what is in a block sees what is
around its uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from engine.catalog import BINARIZERS, LAYERS
from engine.compile.expand import Step, expand
from engine.findings import Analysis
from engine.network import Choice, Network, Node

#: Normalisations that bring values to a common spread.
NORMS = frozenset(
    {f"{kind}{dims}d" for kind in ("BatchNorm", "InstanceNorm") for dims in (1, 2, 3)}
    | {"LayerNorm", "RMSNorm", "GroupNorm"}
)
#: Activations whose values are all at least 0.
NEVER_NEGATIVE = frozenset({"ReLU", "ReLU6", "Sigmoid", "Softplus", "Softmax", "Hardsigmoid"})
#: Estimators that give +1 for all that is at least 0.
SIGNS = frozenset({"ste_sign", "identity_ste", "lbsign", "approx_sign", "swish_sign", "ede_tanh"})
#: Estimators of inputs that give nothing but +1 and −1.
TWO_VALUED = SIGNS | {"rsign"}
#: Estimators of weights that give +1 and −1 without a scale.
UNSCALED = SIGNS | {"ste_tern", "bc_stochastic"}

#: Groups whose layers hand values on, place by place or moved.
_PASSING = frozenset({"Pooling", "Padding", "Shape", "Regularisation", "Merge", "Split", "Reduce"})
_WEIGHTED = frozenset({"Linear", "Convolution", "Recurrent", "Attention"})
#: Layers of these groups that only mark places.
_MARKS = frozenset({"SinusoidalPositions", "LearnedPositions", "ClassToken"})


def group(node: Node) -> str:
    """The catalogue's group of a node; empty where it is not known."""
    layer = LAYERS.get(node.type)
    return "" if layer is None else layer.group


def weighted(node: Node) -> bool:
    """Whether the node multiplies by something learned."""
    layer = LAYERS.get(node.type)
    return (
        layer is not None and layer.group in _WEIGHTED and bool(layer.parameters) and node.type not in _MARKS
    )


def passing(node: Node) -> bool:
    """Whether the node hands on what it gets, and has no activation of its own."""
    return node.activation is None and (group(node) in _PASSING or node.type in ("Identity", *_MARKS))


def bend(node: Node) -> str:
    """The activation that its result last went through: inside it, or itself; empty: none."""
    if node.activation is not None:
        return node.activation.id
    layer = LAYERS.get(node.type)
    return node.type if layer is not None and layer.is_activation else ""


def place_of(step: Step) -> tuple[str | None, str]:
    """The block (None: the top level) and the id under which the step is drawn."""
    place = step.place or ("nodes", step.path)
    return (place[1] if place[0] == "blocks" else None), place[-1]


def estimator(node: Node, place: str) -> Choice | None:
    """The estimator at "weight" or "input"; None where there is none that is known."""
    choice = node.binarize.get(place)
    return choice if choice is not None and choice.id in BINARIZERS else None


class Around:
    """A network's layers, and what is before and behind each.

    Parameters
    ----------
    network
        The document.
    shapes
        Path -> shape of the first output without the batch, as far as known.
    parameters
        Path -> parameter -> shape, as far as known.
    steps
        The expanded drawing, if at hand.
    """

    def __init__(
        self,
        network: Network,
        shapes: Mapping[str, tuple[int, ...]],
        parameters: Mapping[str, Mapping[str, tuple[int, ...]]],
        steps: Iterable[Step] | None = None,
    ) -> None:
        self.network = network
        self.parameters = parameters
        self._shapes = shapes
        found = expand(network).steps if steps is None else steps
        self.steps = {step.path: step for step in found if step.node.type in LAYERS}
        self.readers: dict[str, list[Step]] = {}
        for step in self.steps.values():
            for source in self.sources(step):
                self.readers.setdefault(source.path, []).append(step)

    @classmethod
    def of(cls, network: Network, analysis: Analysis) -> Around:
        """As an analysis of this network, or of one like it, knows it."""
        shapes = {
            path: next(iter(report.outputs.values())).shape
            for path, report in analysis.nodes.items()
            if report.outputs
        }
        return cls(network, shapes, {path: report.parameters for path, report in analysis.nodes.items()})

    def sources(self, step: Step) -> list[Step]:
        """What feeds a step, in the order of its ports."""
        return [
            self.steps[value.path]
            for value in step.inputs.values()
            if value is not None and value.path in self.steps
        ]

    def shape(self, path: str) -> tuple[int, ...]:
        """Shape of the first output without the batch; empty where it is not known."""
        while path not in self._shapes:
            step = self.steps.get(path)
            if step is None or not (step.node.type in NORMS or group(step.node) == "Activation"):
                return ()
            before = self.sources(step)
            if not before:
                return ()
            path = before[0].path
        return self._shapes[path]

    def binarized(self, place: str) -> Iterator[tuple[Step, Choice]]:
        """The steps with an estimator at "weight" or "input"."""
        for step in self.steps.values():
            choice = estimator(step.node, place)
            if choice is not None:
                yield step, choice

    # ------------------------------------------------------------------ before

    @cached_property
    def positive(self) -> Mapping[str, tuple[Step, ...]]:
        """Path -> the activations that keep its values from being negative; empty: nothing does."""
        found: dict[str, tuple[Step, ...]] = {}
        for path, step in self.steps.items():
            name = bend(step.node)
            culprits: tuple[Step, ...] = ()
            if name:
                culprits = (step,) if name in NEVER_NEGATIVE else ()
            elif passing(step.node):
                arms = [found.get(source.path, ()) for source in self.sources(step)]
                # Parts laid side by side keep their signs; a sum is negative where one part may be.
                enough = any(arms) if step.node.type in ("Concat", "Stack") else bool(arms) and all(arms)
                if enough:
                    culprits = tuple({s.path: s for arm in arms for s in arm}.values())
            found[path] = culprits
        return found

    @cached_property
    def normed(self) -> Mapping[str, bool]:
        """Path -> whether a normalisation is on every way to its values, with no weights since."""
        found: dict[str, bool] = {}
        for path, step in self.steps.items():
            if step.node.type in NORMS:
                found[path] = True
            elif passing(step.node) or (bend(step.node) and not weighted(step.node)):
                arms = [found.get(source.path, False) for source in self.sources(step)]
                found[path] = bool(arms) and all(arms)
            else:
                found[path] = False
        return found

    @cached_property
    def first(self) -> frozenset[str]:
        """Layers with weights that read an input of the network before any other."""
        raw: dict[str, bool] = {}
        found = set()
        for path, step in self.steps.items():
            arriving = step.node.type == "Input" or any(raw.get(s.path, False) for s in self.sources(step))
            if weighted(step.node):
                if arriving:
                    found.add(path)
                arriving = False
            raw[path] = arriving
        return frozenset(found)

    # ------------------------------------------------------------------ behind

    @cached_property
    def last(self) -> frozenset[str]:
        """Layers with weights behind which an output of the network comes before any other."""
        open_: dict[str, bool] = {}
        found = set()
        for path, step in reversed(self.steps.items()):
            leaving = step.node.type == "Output" or any(
                open_.get(reader.path, False) for reader in self.readers.get(path, ())
            )
            if weighted(step.node):
                if leaving:
                    found.add(path)
                leaving = False
            open_[path] = leaving
        return frozenset(found)

    def met(self, step: Step, through: Callable[[Node], bool]) -> list[Step]:
        """What the result of `step` meets first, nodes that it goes `through` left out."""
        found: dict[str, Step] = {}
        seen = set()
        todo = list(self.readers.get(step.path, ()))
        while todo:
            reader = todo.pop(0)
            if reader.path in seen:
                continue
            seen.add(reader.path)
            if through(reader.node):
                todo += self.readers.get(reader.path, ())
            else:
                found[reader.path] = reader
        return list(found.values())

    def only_signs_read(self, step: Step) -> bool:
        """Whether all that reads the result of `step`, if moved or pooled, takes its signs."""
        readers = self.met(step, passing)
        return bool(readers) and all(
            (choice := estimator(reader.node, "input")) is not None and choice.id in SIGNS
            for reader in readers
        )

    # ------------------------------------------------------------------ shortcuts

    @cached_property
    def projections(self) -> frozenset[str]:
        """Layers that stand alone in one arm of a sum while another arm has several with weights."""
        ancestors: dict[str, frozenset[str]] = {}
        found = set()
        for path, step in self.steps.items():
            arms = [ancestors[s.path] | {s.path} for s in self.sources(step) if s.path in ancestors]
            ancestors[path] = frozenset().union(*arms)
            if step.node.type != "Add" or len(arms) < 2:
                continue
            shared = frozenset.intersection(*(frozenset(arm) for arm in arms))
            own = [[p for p in arm - shared if weighted(self.steps[p].node)] for arm in arms]
            for layers in own:
                if len(layers) == 1 and max(map(len, own)) > 1:
                    found.add(layers[0])
        return frozenset(found)
