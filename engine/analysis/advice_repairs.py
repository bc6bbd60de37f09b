"""Ways out of what torch lets pass: edits of the drawing, each tried on a copy before it is offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from engine import diff, edit
from engine.analysis.advice import PROBABILITIES
from engine.analysis.repairs import Idea, Place, arms_alike, made, place_of
from engine.analysis.walk import Walked
from engine.findings import Problem, Repair
from engine.network import Block, Choice, Network

#: Warnings whose ways out are tried, and tries, in one analysis; the more nodes, the fewer.
_SEARCHED = 6
_EFFORT = 6000

#: All errors, warnings and hints of a network.
Judge = Callable[[Network], Sequence[Problem]]


def with_ways_out(
    network: Network, problems: Sequence[Problem], walked: Walked, judge: Judge
) -> list[Problem]:
    """`problems`, warnings and hints with edits after which they are gone and nothing is worse."""
    errors = sum(problem.severity == "error" for problem in problems)
    tries = max(2, min(16, _EFFORT // (len(walked.evaluated) + 1)))
    searched = 0
    found = []
    for problem in problems:
        ways = _WAYS.get(problem.code)
        place = None if ways is None or problem.node is None else place_of(network, problem.node)
        if ways is None or place is None or searched == _SEARCHED:
            found.append(problem)
            continue
        searched += 1
        repairs = list(problem.repairs)
        for text, after in made(ways(network, place, walked, problem)):
            changes = diff.changes(network, after)
            if not changes or tries == 0:
                continue
            tries -= 1
            left = judge(after)
            if sum(p.severity == "error" for p in left) <= errors and not _still(problem, left):
                repairs.append(Repair(text, changes))
        found.append(replace(problem, repairs=tuple(repairs)))
    return found


def may_be_mended(problem: Problem) -> bool:
    """Whether ways out of `problem` would be looked for."""
    return problem.code in _WAYS and problem.node is not None


def _still(problem: Problem, left: Sequence[Problem]) -> bool:
    return any((p.code, p.node) == (problem.code, problem.node) for p in left)


# ---------------------------------------------------------------------------- ideas, by the problem's code


def _remove_unused(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    yield f"Remove {place.id}", lambda: edit.remove(network, [place.id], block=place.block)


def _take_out(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    yield (
        f"Take {place.id} out",
        lambda: edit.remove(network, [place.id], heal=True, block=place.block),
    )


def _before(graph: Network | Block, id: str) -> str:
    """What feeds `id` first."""
    return next(edge.source.node for edge in graph.edges if edge.target.node == id)


def _raw_scores(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    id = _before(network.graph(place.block), place.id)
    node = network.graph(place.block).nodes[id]
    if node.activation is not None:
        yield (
            f"Take {node.activation.id} off {id}",
            lambda: edit.set_activation(network, id, None, block=place.block),
        )
    else:
        yield f"Take {id} out", lambda: edit.remove(network, [id], heal=True, block=place.block)


def _probabilities(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    _, _, raw = PROBABILITIES[network.recipe.loss.id]
    recipe = replace(network.recipe, loss=Choice(raw))
    yield f"Choose {raw}", lambda: edit.set_recipe(network, recipe)
    id = _before(network.graph(place.block), place.id)
    if network.graph(place.block).nodes[id].activation is None:
        last = Choice("Sigmoid") if raw == "BCEWithLogitsLoss" else Choice("LogSoftmax", {"dim": 1})
        yield (
            f"End {id} with {last.id}",
            lambda: edit.set_activation(network, id, last, block=place.block),
        )


def _drop_earlier(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    id = _before(network.graph(place.block), place.id)
    yield f"Swap {id} and {place.id}", lambda: edit.swap(network, id, place.id, block=place.block)
    yield from _take_out(network, place, walked, problem)


def _drop_later(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    graph = network.graph(place.block)
    after = next(edge.target.node for edge in graph.edges if edge.source.node == place.id)
    yield f"Swap {place.id} and {after}", lambda: edit.swap(network, place.id, after, block=place.block)
    yield from _take_out(network, place, walked, problem)


def _arms(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    prefix = (problem.node or "")[: -len(place.id)]
    yield from arms_alike(network, network.graph(place.block), place, prefix, walked)


def _glorot(network: Network, place: Place, walked: Walked, problem: Problem) -> Iterator[Idea]:
    parameter = (problem.field or "").rpartition(".")[2]
    yield (
        f"Use xavier_uniform for {parameter}",
        lambda: edit.set_init(network, place.id, parameter, Choice("xavier_uniform"), block=place.block),
    )


_WAYS: Mapping[str, Callable[[Network, Place, Walked, Problem], Iterator[Idea]]] = {
    "unused": _remove_unused,
    "scores-wanted": _raw_scores,
    "probabilities-wanted": _probabilities,
    "dropout-at-output": _drop_earlier,
    "dropout-before-norm": _drop_later,
    "norm-at-output": _take_out,
    "residual-strides": _arms,
    "saturating-he": _glorot,
}
