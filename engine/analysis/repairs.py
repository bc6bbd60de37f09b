"""Ways out of errors: edits that a person would try, tried here on a copy before any is offered.

For each error a few candidates are made (wire what hangs loose, flatten before a linear layer,
make both arms of a residual alike …). Each is applied to a copy, and the copy is analysed: memoised
analysis makes that cheap. Offered are those after which the problem is gone and fewer errors are
left; what leaves the fewest comes first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine import diff, edit, ports
from engine.analysis.walk import Walked
from engine.catalog import LAYERS
from engine.catalog.windows import each, plain
from engine.edit import EditProblem
from engine.findings import Problem, Repair
from engine.network import Block, Edge, End, Network, Node
from engine.problems import DataProblem, FileProblem

#: Repairs offered for one problem.
_OFFERED = 4
#: Errors that are searched for repairs; those behind them often go with them.
_SEARCHED = 3
#: Layers that are looked at on the way back from an error.
_FAR = 6
#: Nodes analysed in all tries of one analysis, roughly.
_EFFORT = 8000

#: The errors of a network.
Judge = Callable[[Network], Sequence[Problem]]


class Place(NamedTuple):
    """A node in the document, and the uses of blocks around it, outermost first."""

    block: str | None
    id: str
    around: tuple[tuple[str | None, str], ...] = ()


def with_repairs(
    network: Network, problems: Sequence[Problem], walked: Walked, judge: Judge
) -> list[Problem]:
    """`problems`, those that are errors with the repairs that were found to help, best first."""
    errors = [problem for problem in problems if problem.severity == "error"]
    if not errors:
        return list(problems)
    tries = max(6, min(80, _EFFORT // (len(walked.evaluated) + 1)))
    tried: dict[str, Sequence[Problem]] = {}

    def remaining(after: Network, changed: tuple[diff.Change, ...]) -> Sequence[Problem] | None:
        nonlocal tries
        key = repr(changed)
        if key not in tried:
            if tries == 0:
                return None
            tries -= 1
            tried[key] = judge(after)
        return tried[key]

    before = len(errors)
    found: dict[int, tuple[Repair, ...]] = {}
    for number, problem in _searched(errors):
        helped: list[tuple[int, int, Repair]] = []
        offered: set[str] = set()
        for order, (text, after) in enumerate(_candidates(network, problem, walked)):
            changed = diff.changes(network, after)
            if repr(changed) in offered:
                continue
            offered.add(repr(changed))
            left = remaining(after, changed) if changed else None
            if left is None or _still(problem, left):
                continue
            errors_left = sum(p.severity == "error" for p in left)
            if errors_left >= before:
                continue
            helped.append((errors_left, order, Repair(text, changed)))
            if errors_left == 0 and len([h for h in helped if h[0] == 0]) >= _OFFERED:
                break
        helped.sort(key=lambda item: item[:2])
        if helped:
            found[number] = tuple(repair for _, _, repair in helped[:_OFFERED])
        elif tries:
            found[number] = ()
    places = {id(problem): number for number, problem in enumerate(errors)}
    return [
        replace(problem, repairs=found[places[id(problem)]])
        if id(problem) in places and places[id(problem)] in found
        else problem
        for problem in problems
    ]


def _searched(errors: Sequence[Problem]) -> list[tuple[int, Problem]]:
    """The errors that are searched, by their places: what is wrong before what is merely open as yet."""
    return sorted(enumerate(errors), key=lambda one: one[1].code == "unconnected")[:_SEARCHED]


def untried(problems: Sequence[Problem]) -> list[Problem]:
    """`problems` before the search: errors that will be searched have no repairs, for none is tried yet."""
    errors = [problem for problem in problems if problem.severity == "error"]
    places = {id(problem) for _, problem in _searched(errors)}
    # What the data ask for is no guess, and the inspector offers it by itself.
    return [
        replace(p, repairs=()) if p.repairs and id(p) in places and not p.code.startswith("data-") else p
        for p in problems
    ]


def _still(problem: Problem, left: Iterable[Problem]) -> bool:
    return any((p.code, p.node, p.field) == (problem.code, problem.node, problem.field) for p in left)


# ---------------------------------------------------------------------------- candidates

#: A stranger's file may hold anything where a drawing has positions and fields: an idea that trips over that
#: is none.
_STRANGE = (AttributeError, LookupError, TypeError, ValueError)


def _candidates(network: Network, problem: Problem, walked: Walked) -> Iterator[tuple[str, Network]]:
    """What a person would try, the likeliest first. What makes no sense here is passed over."""
    for repair in problem.repairs:
        try:
            yield repair.text, diff.apply(network, repair.changes)
        except (KeyError, FileProblem, ValueError):
            continue
    place = None if problem.node is None else place_of(network, problem.node)
    if place is None:
        return
    yield from made(_ideas(network, problem, place, walked))


#: What is offered, and how the network would be made.
Idea = tuple[str, Callable[[], Network]]


def made(ideas: Iterator[Idea]) -> Iterator[tuple[str, Network]]:
    """The networks that the ideas lead to; an idea that makes no sense here is passed over."""
    while True:
        try:
            text, make = next(ideas)
        except (StopIteration, *_STRANGE):
            return
        try:
            after = make()
        except (EditProblem, *_STRANGE):
            continue
        yield text, after


def place_of(network: Network, path: str) -> Place | None:
    """Where the node at `path` stands in the document."""
    around: list[tuple[str | None, str]] = []
    block: str | None = None
    words = path.split(".")
    for number, word in enumerate(words):
        if word.isdecimal():
            continue
        graph = network.graph(block)
        node = graph.nodes.get(word)
        if node is None:
            return None
        if all(rest.isdecimal() for rest in words[number + 1 :]):
            return Place(block, word, tuple(around))
        if node.type != "Block" or node.block not in network.blocks:
            return None
        around.append((block, word))
        block = node.block
    return None


def _ideas(network: Network, problem: Problem, place: Place, walked: Walked) -> Iterator[Idea]:
    graph = network.graph(place.block)
    prefix = (problem.node or "")[: -len(place.id)] if (problem.node or "").endswith(place.id) else ""
    yield from _wires(network, graph, place)
    yield from _flattened(network, graph, place, prefix, walked)
    yield from arms_alike(network, graph, place, prefix, walked)
    yield from _settings(network, graph, place, prefix, walked)
    yield from _arguments(network, problem, place)
    yield from _swapped(network, graph, place)
    if graph.nodes[place.id].type not in ("Input", "Output"):
        yield (
            f"Take {place.id} out",
            lambda: edit.remove(network, [place.id], heal=True, block=place.block),
        )


def _wires(network: Network, graph: Network | Block, place: Place) -> Iterator[Idea]:
    """Wire an open input to what hangs loose, else to what stands before."""
    target = ports.free_input(network, graph.nodes, graph.edges, place.id)
    node = graph.nodes[place.id]
    if target is None or ports.is_variadic(node):
        return
    read = {edge.source for edge in graph.edges}
    at = {id: number for number, id in enumerate(graph.nodes)}
    here = at[place.id]
    ends: list[End] = []
    for id, other in graph.nodes.items():
        out = ports.output_end(network, other, id)
        if out is not None and id != place.id:
            ends.append(out)
    ends.sort(key=lambda end: (end in read, at[end.node] > here, abs(here - at[end.node])))
    for end in ends[:4]:
        text = f"Wire {end} to {target}"
        yield text, (lambda end=end: edit.connect(network, end, target, block=place.block))  # type: ignore[misc]
    fillers = [("Flatten", Node("Flatten"))]
    classes = _classes(network) if node.type == "Output" and place.block is None else None
    if classes is not None:
        fillers.append((f"Linear of {classes} outputs", Node("Linear", {"out_features": classes})))
    for end in ends[:2]:
        for title, filler in fillers:
            yield (
                f"Wire {end} to {target} with a {title} between",
                lambda end=end, filler=filler: _inserted(  # type: ignore[misc]
                    edit.connect(network, end, target, block=place.block),
                    Edge(end, target),
                    filler,
                    place.block,
                ),
            )


def _classes(network: Network) -> int | None:
    """How many outputs the data ask for, where they are classes."""
    from engine.data import describe

    try:
        return describe(network.recipe.data).classes
    except DataProblem:
        return None


def _arriving(graph: Network | Block, id: str) -> list[Edge]:
    return [edge for edge in graph.edges if edge.target.node == id and edge.source.node in graph.nodes]


def _back(graph: Network | Block, id: str, far: int = _FAR) -> list[str]:
    """The nodes that lead to `id`, nearest first, along first inputs."""
    found: list[str] = []
    while len(found) < far:
        arriving = _arriving(graph, id)
        if not arriving or arriving[0].source.node in found:
            break
        id = arriving[0].source.node
        found.append(id)
    return found


def _shape(walked: Walked, path: str) -> tuple[int, ...]:
    """The shape of a node's first output, without the batch; of a block's end, what passes there."""
    value = walked.expanded.passes.get(path)
    if path in walked.evaluated:
        tensors = walked.evaluated[path][1].tensors
        return next((tensor.shape for tensor in tensors.values()), ())
    for use in walked.expanded.uses:
        if use.path == path:
            value = next(iter(use.outputs.values()), None)
    pair = None if value is None else walked.values.get(value)
    return () if pair is None else pair[0].shape[1:]


def _inserted(network: Network, edge: Edge, node: Node, block: str | None) -> Network:
    """`node` put into a wire, half way between its ends on the canvas."""
    id = edit.fresh_id(network, node.type, block)
    places = network.positions(block)
    at = None
    if edge.source.node in places and edge.target.node in places:
        (x1, y1), (x2, y2) = places[edge.source.node], places[edge.target.node]
        at = ((x1 + x2) / 2, (y1 + y2) / 2 + 60)
    network = edit.add_node(network, id, node, at, block=block)
    return edit.insert_on_edge(network, edge, id, block=block)


def _flattened(
    network: Network, graph: Network | Block, place: Place, prefix: str, walked: Walked
) -> Iterator[Idea]:
    """A Flatten before a linear layer that gets a picture; none before a layer that wants one."""
    for id in (place.id, *_back(graph, place.id)):
        node = graph.nodes[id]
        for edge in _arriving(graph, id):
            rank = len(_shape(walked, prefix + edge.source.node))
            if rank > 1 and node.type in ("Linear", "Output", "BatchNorm1d", "Bilinear"):
                yield (
                    f"Put a Flatten before {id}",
                    lambda edge=edge: _inserted(network, edge, Node("Flatten"), place.block),  # type: ignore[misc]
                )
        if node.type == "Flatten" and id != place.id:
            yield (
                f"Take {id} out",
                lambda id=id: edit.remove(network, [id], heal=True, block=place.block),  # type: ignore[misc]
            )


def arms_alike(
    network: Network, graph: Network | Block, place: Place, prefix: str, walked: Walked
) -> Iterator[Idea]:
    """Where branches meet, give one the channels and the size of the other."""
    arriving = _arriving(graph, place.id)
    if len(arriving) < 2:
        return
    shapes = {edge: _shape(walked, prefix + edge.source.node) for edge in arriving}
    for edge in arriving:
        for other in arriving:
            own, wanted = shapes[edge], shapes[other]
            if other is edge or not own or not wanted or own == wanted:
                continue
            steps = [edge.source.node, *_back(graph, edge.source.node)]
            sized = [id for id in steps if _sizes(graph.nodes[id])]
            if own[0] != wanted[0] and graph.nodes[place.id].type not in ("Concat", "Stack"):
                for id in sized[:1]:
                    name = _sizes(graph.nodes[id])[0]
                    size = wanted[0] if name == "out_channels" else wanted[-1]
                    yield _set(network, place.block, id, name, size)
            if own[1:] != wanted[1:]:
                for id in steps:
                    yield from _same_size(network, place.block, id, graph.nodes[id])
                    if "kernel_size" in graph.nodes[id].fields and len(own) > 1:
                        ratio = [a // b if a >= b else 1 for a, b in zip(own[1:], wanted[1:], strict=False)]
                        if max(ratio, default=1) > 1 or _fields(graph.nodes[id]).get("stride"):
                            for stride in (1, 2, ratio[0] or 1):
                                yield _set(network, place.block, id, "stride", stride)
            if len(own) == len(wanted) == 3 and graph.nodes[place.id].type != "Concat":
                stride = max(1, round(own[1] / wanted[1])) if wanted[1] else 1
                fields: dict[str, Any] = {"out_channels": wanted[0], "kernel_size": [1, 1]}
                if stride > 1:
                    fields["stride"] = [stride, stride]
                yield (
                    f"Put a 1 × 1 convolution between {edge.source.node} and {place.id}",
                    lambda edge=edge, fields=fields: _inserted(  # type: ignore[misc]
                        network, edge, Node("Conv2d", fields), place.block
                    ),
                )


def _sizes(node: Node) -> list[str]:
    return [name for name in ("out_channels", "out_features") if name in node.fields]


def _fields(node: Node) -> dict[str, Any]:
    layer = LAYERS.get(node.type)
    if layer is None or layer.check(node.fields):
        return {}
    return vars(layer.settings(node.fields))


def _set(network: Network, block: str | None, id: str, name: str, value: Any) -> Idea:
    return f"Set {name} of {id} to {value}", lambda: edit.set_field(network, id, name, value, block=block)


def _same_size(network: Network, block: str | None, id: str, node: Node) -> Iterator[Idea]:
    """The padding with which a window of odd size keeps the size, or the window that the padding is for."""
    settings = _fields(node)
    kernel = settings.get("kernel_size")
    if kernel is None or "padding" not in settings or isinstance(settings["padding"], str):
        return
    sizes = kernel if isinstance(kernel, tuple) else (kernel,)
    spread = each(settings.get("dilation", 1), len(sizes))
    half = [d * (k - 1) // 2 for d, k in zip(spread, sizes, strict=True)]
    padding = each(settings["padding"], len(sizes))
    if list(padding) != half:
        yield _set(network, block, id, "padding", plain(half))
    window = [2 * p + 1 for p in padding]
    if list(sizes) != window:
        yield _set(network, block, id, "kernel_size", plain(window))


def _settings(
    network: Network, graph: Network | Block, place: Place, prefix: str, walked: Walked
) -> Iterator[Idea]:
    """Settings of the layer, and of those before it, that may be to blame."""
    for id in (place.id, *_back(graph, place.id)):
        node = graph.nodes[id]
        layer = LAYERS.get(node.type)
        if layer is None:
            continue
        arriving = _arriving(graph, id)
        channels = _shape(walked, prefix + arriving[0].source.node)[:1] if arriving else ()
        if "groups" in node.fields and channels:
            yield _set(network, place.block, id, "groups", 1)
            yield (
                f"Make {id} depthwise: groups and out_channels {channels[0]}",
                lambda id=id, c=channels[0]: edit.set_field(  # type: ignore[misc]
                    edit.set_field(network, id, "groups", c, block=place.block),
                    id,
                    "out_channels",
                    c,
                    block=place.block,
                ),
            )
        yield from _same_size(network, place.block, id, node)
        for field in layer.fields:
            if field.name in node.fields and not field.required and field.default is not None:
                yield (
                    f"Use the default of {field.name} in {id}",
                    lambda id=id, name=field.name: edit.reset_field(network, id, name, block=place.block),  # type: ignore[misc]
                )
        if "kernel_size" in node.fields:
            kernel = _fields(node).get("kernel_size")
            for size in (3, 2, 1):
                # For each dimension, as all are written, so that one idea is not taken for two.
                value = plain([size] * (len(kernel) if isinstance(kernel, tuple) else 1))
                yield _set(network, place.block, id, "kernel_size", value)


def _arguments(network: Network, problem: Problem, place: Place) -> Iterator[Idea]:
    """Arguments of the uses around, set to sizes that the problem speaks of, or to their default."""
    sizes = list(dict.fromkeys(int(text) for text in re.findall(r"\b\d{1,7}\b", problem.message)))
    uses = [*reversed(place.around)]
    node = network.graph(place.block).nodes[place.id]
    if node.type == "Block":
        uses.insert(0, (place.block, place.id))
    for outer, id in uses:
        graph = network.graph(outer)
        for use in (id, *_back(graph, id, 2)):
            drawn = network.blocks.get(graph.nodes[use].block or "")
            if drawn is None:
                continue
            for name, argument in drawn.arguments.items():
                values = [*sizes, 1, 2] if argument.type == "int" else []
                for value in dict.fromkeys(
                    [*values, *([] if argument.default is None else [argument.default])]
                ):
                    if graph.nodes[use].fields.get(name, argument.default) != value:
                        yield _set(network, outer, use, name, value)


def _swapped(network: Network, graph: Network | Block, place: Place) -> Iterator[Idea]:
    """Two neighbours of a chain the other way round."""
    chain = [place.id, *_back(graph, place.id, 4)]
    following = ports.outgoing(graph.edges)
    after = following.get(place.id, [])
    if len(after) == 1:
        chain.insert(0, after[0].target.node)
    for second, first in pairwise(chain):
        if len(_arriving(graph, second)) != 1 or len(following.get(first, [])) != 1:
            continue
        if any(graph.nodes[id].type in ("Input", "Output") for id in (first, second)):
            continue
        if len(_arriving(graph, first)) != 1:
            continue
        yield (
            f"Swap {first} and {second}",
            lambda first=first, second=second: edit.swap(network, first, second, block=place.block),  # type: ignore[misc]
        )
