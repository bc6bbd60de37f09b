"""Wires follow when the ends of a block change: its Input and Output nodes are its ports."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from engine.network import Block, Edge, End, Network


def ends(block: Block, type: str) -> list[str]:
    """The ids of a block's Input or Output nodes: its ports, in order."""
    return [id for id, node in block.nodes.items() if node.type == type]


def follow(before: Network, after: Network, name: str, renamed: Mapping[str, str] | None = None) -> Network:
    """`after`, in which block `name` changed, with the wires of its uses led to the same ports as `before`.

    `renamed` says which port bears which new name. Wires of ports that are gone go too.
    """
    old, new = before.blocks[name], after.blocks[name]
    moves = {}
    for type in ("Input", "Output"):
        was, now = ends(old, type), ends(new, type)
        if was != now:
            moves[type] = (was, now)
    if not moves:
        return after
    changes = renamed or {}

    def moved(end: End, type: str) -> End | None:
        if type not in moves:
            return end
        was, now = moves[type]
        port = end.port if end.port is not None else was[0] if len(was) == 1 else None
        if port is None or port not in was:
            return end  # it was wrong before; the analysis says so
        port = changes.get(port, port)
        if port not in now:
            return None
        return End(end.node, port if len(now) > 1 else None)

    def settled(graph: Network | Block) -> tuple[Edge, ...]:
        uses = {id for id, node in graph.nodes.items() if node.type == "Block" and node.block == name}
        if not uses:
            return graph.edges
        edges = []
        for edge in graph.edges:
            source = moved(edge.source, "Output") if edge.source.node in uses else edge.source
            target = moved(edge.target, "Input") if edge.target.node in uses else edge.target
            if source is not None and target is not None:
                edges.append(Edge(source, target))
        return graph.edges if tuple(edges) == graph.edges else tuple(edges)

    blocks = {
        other: block if (edges := settled(block)) is block.edges else replace(block, edges=edges)
        for other, block in after.blocks.items()
    }
    return replace(after, edges=settled(after), blocks=blocks)
