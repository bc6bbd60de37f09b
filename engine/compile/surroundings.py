"""What a layer finds around it, for schemes that depend on it: gain "auto" and Fixup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.catalog import LAYERS
from engine.compile.expand import Step
from engine.network import Choice

#: No activation: the layer's output is what the next layer, or the loss, gets.
LINEAR = Choice("Identity")

#: Groups of layers that hand the spread on to what is behind them.
_PASSING = ("Normalisation", "Regularisation", "Pooling", "Padding", "Shape", "Split", "Merge")
#: Groups of layers with weights.
_WEIGHTED = ("Linear", "Convolution", "Recurrent", "Attention")


class Surroundings(NamedTuple):
    """What is behind and beside one layer."""

    #: The activation that its output meets first, its own included.
    follower: Choice = LINEAR
    #: Where it stands: "" (on every way through the network), "first", "last" or "only" in a residual branch,
    #: or "classifier".
    role: str = ""
    #: Sums of the network, each of which ends a residual branch.
    branches: int = 0


def surroundings(steps: Iterable[Step]) -> Mapping[str, Surroundings]:
    """Path -> what is around each layer."""
    steps = list(steps)
    behind = _readers(steps)
    follower = _followers(steps, behind)
    branches = sum(step.node.type == "Add" for step in steps)
    roles = _roles(steps, behind) if branches else {}
    found = {}
    for step in steps:
        role = roles.get(step.path, "")
        if not role and _weighted(step) and _ends_the_network(step, behind):
            role = "classifier"
        found[step.path] = Surroundings(follower[step.path], role, branches)
    return found


def fixup(around: Surroundings, shape: tuple[int, ...]) -> Choice:
    """The plain scheme that Fixup (arXiv 1901.09321, section 3) comes to for a weight of `shape`.

    The paper's branches have two layers (m = 2), so L^(−1/(2m − 2)) is L^(−1/2). A layer that is
    alone in its branch is a projection and is drawn as outside of branches.
    """
    if around.role in ("last", "classifier"):
        return Choice("zeros")
    spread = math.sqrt(2 / (shape[0] * math.prod(shape[2:])))
    if around.role == "first":
        spread /= math.sqrt(max(around.branches, 1))
    return Choice("normal", {"std": spread})


def _readers(steps: Sequence[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        for value in step.inputs.values():
            if value is not None:
                found.setdefault(value.path, []).append(step)
    return found


def _weighted(step: Step) -> bool:
    layer = LAYERS.get(step.node.type)
    return layer is not None and layer.group in _WEIGHTED


def _followers(steps: Sequence[Step], behind: Mapping[str, list[Step]]) -> dict[str, Choice]:
    found: dict[str, Choice] = {}
    entered: dict[str, Choice] = {}
    for step in reversed(steps):
        layer = LAYERS.get(step.node.type)
        if step.node.activation is not None:
            found[step.path] = step.node.activation
        else:
            met = [entered.get(reader.path, LINEAR) for reader in behind.get(step.path, ())]
            found[step.path] = next((choice for choice in met if choice is not LINEAR), LINEAR)
        # What the layer before this one meets here.
        if layer is not None and layer.is_activation:
            entered[step.path] = Choice(step.node.type, step.node.fields)
        else:
            passing = layer is not None and layer.group in _PASSING
            entered[step.path] = found[step.path] if passing else LINEAR
    return found


def _roles(steps: Sequence[Step], behind: Mapping[str, list[Step]]) -> dict[str, str]:
    """The place of each layer with weights in its residual branch; nothing for those outside."""
    by_path = {step.path: step for step in steps}
    avoidable = _avoidable(steps, behind)
    found = {}
    for step in steps:
        if not _weighted(step) or step.path not in avoidable:
            continue
        first = not _meets_weights_before_fork(step, by_path, behind)
        last = _meets_sum(step, behind)
        found[step.path] = "only" if first and last else "last" if last else "first"
    return found


def _avoidable(steps: Sequence[Step], behind: Mapping[str, list[Step]]) -> set[str]:
    """Steps past which a way leads from an Input to an Output: fewer than all ways go through them."""
    before: dict[str, int] = {}
    for step in steps:  # in the order of running
        sources = [value.path for value in step.inputs.values() if value is not None]
        before[step.path] = 1 if step.node.type == "Input" else sum(before.get(path, 0) for path in sources)
    after: dict[str, int] = {}
    for step in reversed(steps):
        readers = behind.get(step.path, ())
        own = 1 if step.node.type == "Output" else 0
        after[step.path] = own + sum(after[reader.path] for reader in readers)
    ways = sum(before[step.path] for step in steps if step.node.type == "Output")
    return {step.path for step in steps if before[step.path] * after[step.path] < ways}


def _meets_sum(step: Step, behind: Mapping[str, list[Step]]) -> bool:
    """Whether an Add comes before any other layer with weights."""
    todo = list(behind.get(step.path, ()))
    while todo:
        reader = todo.pop()
        if reader.node.type == "Add":
            return True
        if not _weighted(reader):
            todo += behind.get(reader.path, ())
    return False


def _meets_weights_before_fork(
    step: Step, by_path: Mapping[str, Step], behind: Mapping[str, list[Step]]
) -> bool:
    """Whether the branch has a layer with weights before `step`."""
    while True:
        sources = [value.path for value in step.inputs.values() if value is not None]
        if len(sources) != 1 or len(behind[sources[0]]) > 1:
            return False
        step = by_path[sources[0]]
        if _weighted(step):
            return True


def _ends_the_network(step: Step, behind: Mapping[str, list[Step]]) -> bool:
    """Whether an Output comes before any other layer with weights."""
    todo = list(behind.get(step.path, ()))
    while todo:
        reader = todo.pop()
        if reader.node.type == "Output":
            return True
        if not _weighted(reader):
            todo += behind.get(reader.path, ())
    return False
