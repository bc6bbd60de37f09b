"""From document to a flat list of steps: who runs when, on whose results.

This reads the drawing (edges, ports, order) and nothing else: no field, no shape, no torch. What
is wrong with the drawing comes back as problems beside the steps, so that the analysis says it
and the compiler, which is asked for sound networks only, need not look again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from engine import ports
from engine.catalog import LAYERS, Port
from engine.diff import Change
from engine.findings import Problem, Repair
from engine.network import Edge, End, Network, Node, identifier_problem
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
    node: Node
    #: Input port -> what arrives there, in port order; None where nothing (sound) does.
    inputs: Mapping[str, Value | None]
    #: Names of the output ports.
    outputs: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether something arrives at every input."""
        return None not in self.inputs.values()


class Expanded(NamedTuple):
    """The steps in the order of running, and what is wrong with the drawing."""

    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]


def expand(network: Network) -> Expanded:
    """All steps of `network`, each behind those that feed it.

    Nodes in a circle, and those behind one, come last, their inputs from the circle missing.
    """
    problems: list[Problem] = []
    _check_ids(network, problems)
    wires = _wires(network, problems)
    order = _order(network, wires, problems)
    steps = []
    for id in order:
        node = network.nodes[id]
        steps.append(Step(id, node, wires[id], _output_names(network, node)))
    return Expanded(tuple(steps), tuple(problems))


_name_problem = lru_cache(maxsize=65536)(identifier_problem)


def _check_ids(network: Network, problems: list[Problem]) -> None:
    for id in network.nodes:
        wrong = _name_problem(id)
        if wrong:
            problems.append(Problem("error", "bad-id", wrong, node=id))


@lru_cache(maxsize=4096)
def _names(available: tuple[Port, ...]) -> tuple[str, ...]:
    return tuple(port.name for port in available)


def _output_names(network: Network, node: Node) -> tuple[str, ...]:
    return _names(ports.output_ports(network, node))


# ---------------------------------------------------------------------------- edges


def _wires(network: Network, problems: list[Problem]) -> dict[str, dict[str, Value | None]]:
    """Node -> input port -> what arrives. Sound edges only; the others become problems."""
    nodes = network.nodes
    outs: dict[str, tuple[str, ...]] = {}
    ins: dict[str, tuple[Port, ...]] = {}
    variadic: set[str] = set()
    arriving: dict[str, int] = {}
    for edge in network.edges:
        arriving[edge.target.node] = arriving.get(edge.target.node, 0) + 1
    for id, node in nodes.items():
        outs[id] = _output_names(network, node)
        layer = LAYERS.get(node.type)
        if layer is not None and layer.variadic:
            variadic.add(id)
        ins[id] = ports.input_ports(network, node, arriving.get(id, 0))
    found: dict[str, dict[str, Value]] = {id: {} for id in nodes}
    for index, edge in enumerate(network.edges):
        (source, out), (target, into) = edge
        if source not in nodes or target not in nodes:
            missing = source if source not in nodes else target
            problems.append(
                Problem(
                    "error",
                    "dangling-edge",
                    f"the wire {edge} leads to {missing!r}, and there is no such node."
                    f"{did_you_mean(missing, nodes)} Remove the wire or add the node.",
                    node=target if source not in nodes and target in nodes else None,
                    repairs=(_without(edge, index),),
                )
            )
            continue
        names = outs[source]
        if out is None and len(names) == 1:
            place = 0
        elif out in names:
            place = names.index(out)
        else:
            problems.append(_bad_port(edge, index, edge.source, names, "output"))
            continue
        available = _names(ins[target])
        if into is None and len(available) == 1:
            port = available[0]
        elif into in available:
            port = into  # type: ignore[assignment]
        else:
            problems.append(_bad_port(edge, index, edge.target, available, "input"))
            continue
        if port in found[target]:
            other = found[target][port]
            problems.append(
                Problem(
                    "error",
                    "two-wires",
                    f"two wires lead to {'its input' if len(available) == 1 else f'input {port!r}'}: from "
                    f"{other.path} and from {edge.source}. Keep one; Add or Concat joins several.",
                    node=target,
                    repairs=(_without(edge, index),),
                )
            )
            continue
        found[target][port] = Value(source, place)
    return {id: _in_port_order(id, found[id], ins[id], id in variadic, problems) for id in nodes}


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


def _without(edge: Edge, index: int) -> Repair:
    return Repair(f"Remove the wire {edge}", (Change(("edges",), before=edge_to_form(edge), index=index),))


def _bad_port(edge: Edge, index: int, end: End, names: tuple[str, ...], kind: str) -> Problem:
    known = ", ".join(names)
    repairs = [_without(edge, index)]
    if not names:
        message = f"the wire {edge} uses an {kind} of {end.node}, and it has none. Remove the wire."
    elif end.port is None:
        message = f"the wire {edge} must name the {kind} of {end.node}: one of {known}."
    else:
        hint = did_you_mean(end.port, names)
        message = f"the wire {edge}: {end.node} has no {kind} {end.port!r}.{hint} It has {known}."
    code = "port-unnamed" if end.port is None and names else "port-unknown"
    return Problem("error", code, message, node=end.node, repairs=tuple(repairs))


# ---------------------------------------------------------------------------- order


def _order(network: Network, wires: dict[str, dict[str, Value | None]], problems: list[Problem]) -> list[str]:
    """Ids in the order of running: as in the document where the wires allow it."""
    waiting: dict[str, int] = {}
    feeds: dict[str, list[str]] = {}
    for id, inputs in wires.items():
        sources = {value.path for value in inputs.values() if value is not None}
        waiting[id] = len(sources)
        for source in sources:
            feeds.setdefault(source, []).append(id)
    ready = [id for id, count in waiting.items() if count == 0]
    order: list[str] = []
    position = 0
    while position < len(ready):
        id = ready[position]
        position += 1
        order.append(id)
        for target in feeds.get(id, ()):
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
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
                node=circle[0],
                repairs=_cuts(network, circle),
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


def _cuts(network: Network, circle: list[str]) -> tuple[Repair, ...]:
    following = dict(zip(circle, [*circle[1:], circle[0]], strict=True))
    return tuple(
        _without(edge, index)
        for index, edge in enumerate(network.edges)
        if following.get(edge.source.node) == edge.target.node
    )[-1:]
