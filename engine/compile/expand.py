"""From document to a flat list of steps: who runs when, on whose results.

This reads the drawing (edges, ports, order, blocks and their expressions) and nothing else: no
shape, no torch. What is wrong with the drawing comes back as problems beside the steps, so that
the analysis says it and the compiler, which is asked for sound networks only, need not look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine import expression, ports
from engine.catalog import LAYERS, Port
from engine.compile.blocks import Blocks, arguments_of, resolved, taken_by_blocks
from engine.compile.order import order_of
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Block, Edge, End, Network, Node, Training, identifier_problem
from engine.problems import did_you_mean
from engine.storage.form import edge_to_form


class Value(NamedTuple):
    """What an output port gives: the step that makes it, and the port's place among its outputs."""

    path: str
    port: int


class Step(NamedTuple):
    """One layer, run once per forward."""

    #: Module path: ``conv1``, and inside a block ``layer1.0.conv1``.
    path: str
    #: With all expressions computed, shared parameters by their whole path, and what a block that
    #: it is in says about training.
    node: Node
    #: Input port -> what arrives there, in port order; None where nothing (sound) does.
    inputs: Mapping[str, Value | None]
    #: Names of the output ports.
    outputs: tuple[str, ...]
    #: Where the node stands in the document: ``("blocks", "Basic", "nodes", "conv1")``.
    place: tuple[str, ...] = ()
    #: The node as it stands there.
    drawn: Node | None = None

    @property
    def complete(self) -> bool:
        """Whether something arrives at every input."""
        return None not in self.inputs.values()


class Use(NamedTuple):
    """One use of a block, or one of its repeats; its steps stand among the others."""

    path: str
    node: Node
    #: Output port -> the value that leaves there.
    outputs: Mapping[str, Value | None]


class Member(NamedTuple):
    """One node of a graph, its inputs by their source in the same graph."""

    id: str
    node: Node
    inputs: Mapping[str, Value | None]
    outputs: tuple[str, ...]


class Graph(NamedTuple):
    """One graph as it is run: the top level, or a block with its arguments."""

    #: None for the top level.
    block: str | None
    arguments: Mapping[str, Any]
    #: In the order of running.
    members: tuple[Member, ...]


class Expanded(NamedTuple):
    """The steps in the order of running, and what is wrong with the drawing."""

    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]
    uses: tuple[Use, ...] = ()
    #: Path of a block's Input or Output -> the value that passes there.
    passes: Mapping[str, Value | None] = {}
    #: Module path -> the graph that runs there; the top level's is empty.
    graphs: Mapping[str, Graph] = {}
    #: All paths, each block's use before what is in it.
    paths: tuple[str, ...] = ()


def expand(network: Network) -> Expanded:
    """All steps of `network`, each behind those that feed it, with blocks laid open.

    Nodes in a circle, and those behind one, come last, their inputs from the circle missing.
    """
    expander = _Expander(network)
    expander.graph(_Scope(network, network), {})
    return Expanded(
        tuple(expander.steps),
        tuple(expander.problems),
        tuple(expander.uses),
        expander.passes,
        expander.graphs,
        tuple(expander.paths),
    )


class _Scope(NamedTuple):
    """Where a graph is being laid open."""

    network: Network
    graph: Network | Block
    block: str | None = None
    #: "layer1.0." within its first repeat.
    prefix: str = ""
    #: What names in expressions stand for.
    names: Mapping[str, Any] = {}
    #: What the uses around say about training.
    training: Training | None = None
    #: The graphs around, innermost last, by prefix.
    around: tuple[tuple[str, Network | Block], ...] = ()

    @property
    def place(self) -> tuple[str, ...]:
        """Where the graph stands in the document."""
        return () if self.block is None else ("blocks", self.block)


class _Expander:
    """Lays a network open, block by block."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.blocks = Blocks(network)
        self.steps: list[Step] = []
        self.problems: list[Problem] = []
        self.uses: list[Use] = []
        self.passes: dict[str, Value | None] = {}
        self.graphs: dict[str, Graph] = {}
        self.paths: list[str] = []
        #: Output of a use, or of an Input inside a block -> the value of a step.
        self.real: dict[Value, Value | None] = {}

    def graph(self, scope: _Scope, bound: Mapping[str, Value | None]) -> dict[str, Value | None]:
        """Lay one graph open; `bound` gives a block's inputs by id, the result its outputs by id."""
        nodes: dict[str, Node] = {}
        broken: set[str] = set()
        for id, node in scope.graph.nodes.items():
            nodes[id], wrong = resolved(node, scope.names)
            if wrong:
                broken.add(id)
                self._problem(scope, id, "bad-expression", wrong[1], wrong[0])
        _check_ids(scope, nodes, self.problems)
        wires = _wires(scope, nodes, self.problems)
        members = []
        results: dict[str, Value | None] = {}
        for id in _order(scope, wires, self.problems):
            node, path = nodes[id], scope.prefix + id
            outputs = output_names(scope.network, node)
            members.append(Member(id, node, wires[id], outputs))
            inputs = {port: self._real(scope, value) for port, value in wires[id].items()}
            self.paths.append(path)
            if id in broken:
                self._unknown(path, len(outputs))
            elif scope.block is not None and node.type == "Input":
                self.real[Value(path, 0)] = self.passes[path] = bound.get(id)
            elif scope.block is not None and node.type == "Output":
                results[id] = self.passes[path] = inputs.get("input")
            elif node.type == "Block":
                self._use(scope, id, node, inputs, outputs)
            else:
                place = (*scope.place, "nodes", id)
                self.steps.append(
                    Step(path, self._placed(scope, node), inputs, outputs, place, scope.graph.nodes[id])
                )
        self.graphs[scope.prefix[:-1]] = Graph(scope.block, scope.names, tuple(members))
        return results

    def _real(self, scope: _Scope, value: Value | None) -> Value | None:
        """`value`, whose source is an id of the graph, by the step that makes it."""
        if value is None:
            return None
        whole = Value(scope.prefix + value.path, value.port)
        return self.real.get(whole, whole)

    def _unknown(self, path: str, outputs: int) -> None:
        for port in range(outputs):
            self.real[Value(path, port)] = None

    def _placed(self, scope: _Scope, node: Node) -> Node:
        """`node` as its place makes it: shared parameters by whole path, training as the uses around say."""
        if scope.training is not None:
            node = replace(node, training=_combined(scope.training, node.training))
        if node.shares and scope.around:
            shares = {own: self._whole(scope, target) for own, target in node.shares.items()}
            node = replace(node, shares=shares)
        return node

    def _whole(self, scope: _Scope, target: str) -> str:
        """The path of a shared parameter: in its own graph, else in those around."""
        first = target.partition(".")[0]
        for prefix, graph in reversed((*scope.around, (scope.prefix, scope.graph))):
            if first in graph.nodes:
                return prefix + target
        return target

    def _use(
        self,
        scope: _Scope,
        id: str,
        node: Node,
        inputs: Mapping[str, Value | None],
        outputs: tuple[str, ...],
    ) -> None:
        path = scope.prefix + id
        wrong = self.blocks.refusal(node, len(scope.around), len(self.paths))
        arguments: dict[str, Any] = {}
        if wrong is None:
            for field, code, message in taken_by_blocks(node):
                self._problem(scope, id, code, message, field)
            arguments, problems = arguments_of(self.network.blocks[node.block or ""], node)
            for field, code, message in problems:
                self._problem(scope, id, code, message, field)
            if problems:
                wrong = ("", "", "")
        elif wrong[1]:
            self._problem(scope, id, wrong[1], wrong[2], wrong[0] or None)
        if wrong is not None:
            self._unknown(path, len(outputs))
            return
        block = self.network.blocks[node.block or ""]
        place = len(self.uses)
        self.uses.append(Use(path, node, {}))
        results: dict[str, Value | None] = {}
        for index in range(node.repeat):
            entries = [inner for inner, member in block.nodes.items() if member.type == "Input"]
            arriving = (
                [inputs.get(entry) for entry in entries]
                if index == 0
                else [results.get(name) for name in outputs]
            )
            prefix = f"{path}.{index}." if node.repeat > 1 else f"{path}."
            if node.repeat > 1:
                self.paths.append(prefix[:-1])
            inner = _Scope(
                scope.network,
                block,
                node.block,
                prefix,
                {**arguments, expression.INDEX: index},
                _combined(scope.training, node.training),
                (*scope.around, (scope.prefix, scope.graph)),
            )
            results = self.graph(inner, dict(zip(entries, arriving, strict=True)))
            if node.repeat > 1:
                self.uses.append(Use(prefix[:-1], node, {name: results.get(name) for name in outputs}))
        leaving = {name: results.get(name) for name in outputs}
        for port, value in enumerate(leaving.values()):
            self.real[Value(path, port)] = value
        self.uses[place] = Use(path, node, leaving)

    def _problem(self, scope: _Scope, id: str, code: str, message: str, field: str | None = None) -> None:
        self.problems.append(Problem("error", code, message, scope.prefix + id, field))


def _combined(outer: Training | None, own: Training | None) -> Training | None:
    if outer is None or own is None:
        return own if outer is None else outer
    return Training(outer.frozen or own.frozen, outer.lr_multiplier * own.lr_multiplier, own.extra)


_name_problem = lru_cache(maxsize=65536)(identifier_problem)


def _check_ids(scope: _Scope, nodes: Mapping[str, Node], problems: list[Problem]) -> None:
    for id in nodes:
        wrong = _name_problem(id)
        if wrong:
            problems.append(Problem("error", "bad-id", wrong, node=scope.prefix + id))


@lru_cache(maxsize=4096)
def _names(available: tuple[Port, ...]) -> tuple[str, ...]:
    return tuple(port.name for port in available)


def output_names(network: Network, node: Node) -> tuple[str, ...]:
    """Names of the output ports of `node`."""
    return _names(ports.output_ports(network, node))


# ---------------------------------------------------------------------------- edges


def wires_of(network: Network, problems: list[Problem]) -> dict[str, dict[str, Value | None]]:
    """Node of the top level -> input port -> what arrives; what is wrong is added to `problems`."""
    return _wires(_Scope(network, network), network.nodes, problems)


def _wires(
    scope: _Scope, nodes: Mapping[str, Node], problems: list[Problem]
) -> dict[str, dict[str, Value | None]]:
    """Node -> input port -> what arrives. Sound edges only; the others become problems."""
    outs: dict[str, tuple[str, ...]] = {}
    ins: dict[str, tuple[Port, ...]] = {}
    variadic: set[str] = set()
    arriving: dict[str, int] = {}
    for edge in scope.graph.edges:
        arriving[edge.target.node] = arriving.get(edge.target.node, 0) + 1
    for id, node in nodes.items():
        outs[id] = output_names(scope.network, node)
        layer = LAYERS.get(node.type)
        if layer is not None and layer.variadic:
            variadic.add(id)
        ins[id] = ports.input_ports(scope.network, node, arriving.get(id, 0))
    found: dict[str, dict[str, Value]] = {id: {} for id in nodes}
    for index, edge in enumerate(scope.graph.edges):
        (source, out), (target, into) = edge
        if source not in nodes or target not in nodes:
            missing = source if source not in nodes else target
            problems.append(
                Problem(
                    "error",
                    "dangling-edge",
                    f"the wire {edge} leads to {missing!r}, and there is no such node."
                    f"{did_you_mean(missing, nodes)} Remove the wire or add the node.",
                    node=scope.prefix + target if source not in nodes and target in nodes else None,
                    repairs=(_without(scope, edge, index),),
                )
            )
            continue
        names = outs[source]
        if out is None and len(names) == 1:
            place = 0
        elif out in names:
            place = names.index(out)
        else:
            problems.append(_bad_port(scope, edge, index, edge.source, names, "output"))
            continue
        available = _names(ins[target])
        if into is None and len(available) == 1:
            port = available[0]
        elif into in available:
            port = into  # type: ignore[assignment]
        else:
            problems.append(_bad_port(scope, edge, index, edge.target, available, "input"))
            continue
        if port in found[target]:
            other = found[target][port]
            problems.append(
                Problem(
                    "error",
                    "two-wires",
                    f"two wires lead to {'its input' if len(available) == 1 else f'input {port!r}'}: from "
                    f"{other.path} and from {edge.source}. Keep one; Add or Concat joins several.",
                    node=scope.prefix + target,
                    repairs=(_without(scope, edge, index),),
                )
            )
            continue
        found[target][port] = Value(source, place)
    return {
        id: _in_port_order(scope.prefix + id, found[id], ins[id], id in variadic, problems) for id in nodes
    }


def _in_port_order(
    id: str, found: dict[str, Value], ins: tuple[Port, ...], variadic: bool, problems: list[Problem]
) -> dict[str, Value | None]:
    if variadic:
        highest = max((int(port) for port in found), default=0)
        ins = ins[: highest + 1]
    wired: dict[str, Value | None] = {}
    for port in ins:
        value = found.get(port.name)
        if value is None:
            if port.optional:
                continue
            which = "its input" if len(ins) == 1 and not variadic else f"input {port.name!r}"
            problems.append(
                Problem("error", "unconnected", f"{which} is not connected. Draw a wire to it.", node=id)
            )
        wired[port.name] = value
    return wired


def _without(scope: _Scope, edge: Edge, index: int) -> Repair:
    path = (*scope.place, "edges")
    return Repair(f"Remove the wire {edge}", (Change(path, before=edge_to_form(edge), index=index),))


def _bad_port(scope: _Scope, edge: Edge, index: int, end: End, names: tuple[str, ...], kind: str) -> Problem:
    known = ", ".join(names)
    repairs = [_without(scope, edge, index)]
    if not names:
        message = f"the wire {edge} uses an {kind} of {end.node}, and it has none. Remove the wire."
    elif end.port is None:
        message = f"the wire {edge} must name the {kind} of {end.node}: one of {known}."
    else:
        hint = did_you_mean(end.port, names)
        message = f"the wire {edge}: {end.node} has no {kind} {end.port!r}.{hint} It has {known}."
    code = "port-unnamed" if end.port is None and names else "port-unknown"
    return Problem("error", code, message, node=scope.prefix + end.node, repairs=tuple(repairs))


# ---------------------------------------------------------------------------- order


def _order(scope: _Scope, wires: dict[str, dict[str, Value | None]], problems: list[Problem]) -> list[str]:
    """All ids in the order of running."""
    order = order_of(wires)
    if len(order) < len(wires):
        placed = set(order)
        left = [id for id in wires if id not in placed]
        circle = _circle(left, wires, placed)
        problems.append(
            Problem(
                "error",
                "cycle",
                f"the wires form a circle: {' → '.join([*circle, circle[0]])}. A network runs one way: "
                "remove one of these wires.",
                node=scope.prefix + circle[0],
                repairs=_cuts(scope, circle),
            )
        )
        for id in left:
            wires[id] = {
                port: None if value is None or value.path not in placed else value
                for port, value in wires[id].items()
            }
        order.extend(left)
    return order


def _circle(left: list[str], wires: dict[str, dict[str, Value | None]], placed: set[str]) -> list[str]:
    """One circle among the nodes `left`, in the direction of its wires."""
    seen: dict[str, int] = {}
    walk: list[str] = []
    id = left[0]
    while id not in seen:
        seen[id] = len(walk)
        walk.append(id)
        id = next(v.path for v in wires[id].values() if v is not None and v.path not in placed)
    return walk[seen[id] :][::-1]


def _cuts(scope: _Scope, circle: list[str]) -> tuple[Repair, ...]:
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return tuple(
        _without(scope, edge, index)
        for index, edge in enumerate(scope.graph.edges)
        if following.get(edge.source.node) == edge.target.node
    )[-1:]
