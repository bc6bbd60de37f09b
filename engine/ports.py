"""Which ports a node has, and which edge reaches which.

A function of the node, its catalogue entry and, for blocks, the block's own Input and Output
nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.catalog import LAYERS
from engine.catalog.entry import Port
from engine.network import Block, Edge, End, Network, Node

_ONE_INPUT = (Port("input"),)
_ONE_OUTPUT = (Port("output"),)


def input_ports(network: Network, node: Node, wired: int = 0) -> tuple[Port, ...]:
    """The input ports of `node`; a variadic layer has one more than are `wired`."""
    if node.type == "Block":
        block = network.blocks.get(node.block or "")
        return _ONE_INPUT if block is None else _block_ports(block, "Input")
    layer = LAYERS.get(node.type)
    if layer is None:
        return _ONE_INPUT
    if layer.variadic:
        return tuple(Port(str(i)) for i in range(max(2, wired + 1)))
    return layer.inputs


def output_ports(network: Network, node: Node) -> tuple[Port, ...]:
    """The output ports of `node`."""
    if node.type == "Block":
        block = network.blocks.get(node.block or "")
        return _ONE_OUTPUT if block is None else _block_ports(block, "Output")
    layer = LAYERS.get(node.type)
    return _ONE_OUTPUT if layer is None else layer.output_ports(node.fields)


def _block_ports(block: Block, type: str) -> tuple[Port, ...]:
    return tuple(Port(id) for id, node in block.nodes.items() if node.type == type)


def is_variadic(node: Node) -> bool:
    """Whether the node takes as many inputs as are wired to it."""
    layer = LAYERS.get(node.type)
    return layer is not None and layer.variadic


def incoming(edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    """Node id -> the edges that end there, in document order."""
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        found.setdefault(edge.target.node, []).append(edge)
    return found


def outgoing(edges: Iterable[Edge]) -> dict[str, list[Edge]]:
    """Node id -> the edges that begin there, in document order."""
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        found.setdefault(edge.source.node, []).append(edge)
    return found


def named(end: End, ports: tuple[Port, ...]) -> str | None:
    """The port's name, given or implied; None if it must be named and is not, or does not exist."""
    if end.port is None:
        return ports[0].name if len(ports) == 1 else None
    return end.port if any(port.name == end.port for port in ports) else None


def free_input(network: Network, nodes: Mapping[str, Node], edges: Iterable[Edge], id: str) -> End | None:
    """The first input of node `id` that no edge reaches, as an edge would name it; None if all are taken."""
    arriving = [edge for edge in edges if edge.target.node == id]
    ports = input_ports(network, nodes[id], len(arriving))
    taken = {named(edge.target, ports) for edge in arriving}
    for port in ports:
        if port.name not in taken:
            return End(id, port.name if len(ports) > 1 else None)
    return None


def output_end(network: Network, node: Node, id: str, port: str | None = None) -> End | None:
    """An output of node `id` as an edge would name it: `port`, or the first; None if it has none."""
    ports = output_ports(network, node)
    if not ports:
        return None
    return End(id, (port or ports[0].name) if len(ports) > 1 else None)
