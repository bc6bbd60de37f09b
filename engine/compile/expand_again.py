"""Expanding a network that differs little from one before: most of it is as it was."""

from __future__ import annotations

from collections.abc import Mapping

from engine.compile.blocks import has_expressions
from engine.compile.expand import Expanded, Member, Step, Value, output_names, wires_of
from engine.compile.order import order_of
from engine.findings import Problem
from engine.network import Edge, Network, Node, identifier_problem

#: All that may be wrong with a drawing which is expanded from another: it is said of one node alone.
_OPEN = "unconnected"


def differing(network: Network, before: Network) -> int:
    """How many nodes and wires of `network` are not the objects that `before` has."""
    return len(_objects(network) - _objects(before))


def _objects(network: Network) -> set[int]:
    return {*map(id, network.nodes.values()), *map(id, network.edges)}


def expand_again(network: Network, before: Network, expanded: Expanded) -> Expanded | None:
    """What :func:`~engine.compile.expand.expand` gives for `network`, made from what it gave `before`.

    What is the same object in both is taken to be the same, and nothing else. (To Python 1, 1.0 and True
    are equal; to the analysis they are not.)

    Returns
    -------
    None where blocks have changed, or what is computed; and where wires have, or which nodes there are, if
    there are uses of blocks or wires that lead wrong.
    """
    if list(network.blocks) != list(before.blocks) or any(
        block is not before.blocks[name] for name, block in network.blocks.items()
    ):
        return None
    changed = {id: node for id, node in network.nodes.items() if node is not before.nodes.get(id)}
    alike = list(network.nodes) == list(before.nodes) and (
        network.edges is before.edges or network.edges == before.edges
    )
    if alike and not changed:
        return expanded
    if alike and all(_serves(network, before.nodes[id], node) for id, node in changed.items()):
        return _other_fields(changed, expanded)
    return _other_wires(network, before, changed, expanded)


def _serves(network: Network, old: Node, new: Node) -> bool:
    """Whether the same wires lead to and from both, and nothing has to be computed."""
    return (
        old.type == new.type != "Block"
        and output_names(network, old) == output_names(network, new)
        and not has_expressions(old)
        and not has_expressions(new)
    )


def _other_fields(changed: Mapping[str, Node], expanded: Expanded) -> Expanded:
    """`expanded` with other contents of some nodes of the top level."""
    # No path of a block's inside is an id of the top level: it has a dot.
    steps = tuple(
        step._replace(node=changed[step.path], drawn=changed[step.path]) if step.path in changed else step
        for step in expanded.steps
    )
    top = expanded.graphs[""]
    members = tuple(
        member._replace(node=changed[member.id]) if member.id in changed else member for member in top.members
    )
    return expanded._replace(steps=steps, graphs={**expanded.graphs, "": top._replace(members=members)})


def _other_wires(
    network: Network, before: Network, changed: Mapping[str, Node], expanded: Expanded
) -> Expanded | None:
    """`expanded` with other nodes and wires, where all lead from port to port and there are no blocks."""
    if any(problem.code != _OPEN for problem in expanded.problems):
        return None
    if any(node.type == "Block" for graph in (network, before) for node in graph.nodes.values()):
        return None
    if any(identifier_problem(name) for name in changed if name not in before.nodes):
        return None
    nodes = network.nodes
    if not all(edge.source.node in nodes and edge.target.node in nodes for edge in network.edges):
        return None
    if len({id(edge) for edge in network.edges}) < len(network.edges):  # a wire twice
        return None
    touched = changed.keys() | _ends(network, before) & nodes.keys()
    # What a node gives goes to where its wires lead.
    touched |= {edge.target.node for edge in network.edges if edge.source.node in changed}
    edges = [edge for edge in network.edges if edge.target.node in touched]
    around = touched | {edge.source.node for edge in edges}
    if any(has_expressions(nodes[name]) for name in around):
        return None
    said: list[Problem] = []
    part = Network(nodes={name: nodes[name] for name in around}, edges=tuple(edges), blocks=network.blocks)
    wired = wires_of(part, said)
    if any(problem.code != _OPEN for problem in said):
        return None
    said = [problem for problem in said if problem.node in touched]
    untouched = nodes.keys() - touched
    kept = {member.id: member for member in expanded.graphs[""].members if member.id in untouched}
    wires = {name: kept[name].inputs if name in kept else wired[name] for name in nodes}
    order = order_of(wires)
    if len(order) < len(nodes):  # a circle
        return None
    steps = {step.path: step for step in expanded.steps if step.path in kept}
    return Expanded(
        tuple(steps[name] if name in steps else _step(network, name, wires[name]) for name in order),
        _in_order([*(p for p in expanded.problems if p.node in kept), *said], nodes),
        graphs={
            "": expanded.graphs[""]._replace(
                members=tuple(
                    kept[name]
                    if name in kept
                    else Member(name, nodes[name], wires[name], output_names(network, nodes[name]))
                    for name in order
                )
            )
        },
        paths=tuple(order),
    )


def _step(network: Network, name: str, inputs: Mapping[str, Value | None]) -> Step:
    node = network.nodes[name]
    return Step(name, node, dict(inputs), output_names(network, node), ("nodes", name), node)


def _ends(network: Network, before: Network) -> set[str]:
    """Where wires lead that only one of the networks has."""
    known = {id(edge) for edge in before.edges}
    there = {id(edge) for edge in network.edges}
    apart: list[Edge] = [edge for edge in network.edges if id(edge) not in known]
    apart += [edge for edge in before.edges if id(edge) not in there]
    return {edge.target.node for edge in apart}


def _in_order(problems: list[Problem], nodes: Mapping[str, Node]) -> tuple[Problem, ...]:
    """Problems of nodes in the order of nodes, as they are found in one go."""
    if len(problems) < 2:
        return tuple(problems)
    place = {name: number for number, name in enumerate(nodes)}
    return tuple(sorted(problems, key=lambda problem: place[problem.node or ""]))
