"""The edit that puts a block's nodes in place of one of its uses. Network in, Network out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from engine import block_ports, edit, edit_blocks, expression, rewriting
from engine.edit import EditProblem
from engine.network import Block, Edge, End, Network, Node, Training

#: Layers that a block may become when it is unpacked: nobody can use a drawing of more.
MOST_UNPACKED = 2_000


def unpack(network: Network, id: str, *, block: str | None = None) -> tuple[Network, list[str]]:
    """Put the nodes of a block in place of one of its uses; a repeated block is laid out in a row.

    Returns
    -------
    tuple
        The network, and the ids of the nodes. The block itself stays for its other uses.

    Raises
    ------
    EditProblem
        If the node is no use of a block that is there, or an expression in it cannot be computed.
    """
    use = edit.node_of(network, id, block)
    if use.type != "Block" or use.block is None:
        raise EditProblem(f"{id} is a layer and no block: there is nothing to unpack.")
    if use.repeat_expression:
        raise EditProblem(
            f"{id} is repeated by the expression {use.repeat_expression}. Unpack the block that it is in, or "
            "say a number."
        )
    drawn = edit_blocks.block_of(network, use.block)
    graph = network.graph(block)
    ins, outs = block_ports.ends(drawn, "Input"), block_ports.ends(drawn, "Output")
    if use.repeat > 1 and len(ins) != len(outs):
        raise EditProblem(
            f"{use.block} cannot follow itself: it has {len(ins)} inputs and {len(outs)} outputs."
        )
    layers = max(1, use.repeat) * max(1, len(drawn.nodes))  # an empty one takes its time too
    if layers > MOST_UNPACKED:
        raise EditProblem(
            f"{id} would become {layers:,} layers, and {MOST_UNPACKED:,} at most are unpacked at once. "
            "Lower its repeat, or leave it a block."
        )
    feeding = {
        edge.target.port or (ins[0] if len(ins) == 1 else ""): edge.source
        for edge in graph.edges
        if edge.target.node == id
    }
    taken = {other for other in graph.nodes if other != id}
    made: dict[str, Node] = {}
    tried: dict[str, int] = {}
    wires: list[Edge] = []
    names_of: list[dict[str, str]] = []
    for index in range(max(1, use.repeat)):
        names: dict[str, str] = {}
        for inner, node in drawn.nodes.items():
            if node.type not in ("Input", "Output"):
                free = inner not in taken and inner not in made
                names[inner] = inner if free else edit.fresh_id(network, inner, block, made, tried)
                made[names[inner]] = node
        names_of.append(names)
        values = _values(drawn, use, index)
        for inner, new in names.items():
            made[new] = _opened(drawn.nodes[inner], values, names, use.training)
        arriving: dict[str, list[End]] = {}
        for edge in drawn.edges:
            source, target = edge
            start = (
                feeding.get(source.node)
                if source.node in ins
                else source._replace(node=names.get(source.node, ""))
            )
            if start is None or not start.node:
                continue
            if target.node in outs:
                arriving.setdefault(target.node, []).append(start)
            elif target.node in names:
                wires.append(Edge(start, target._replace(node=names[target.node])))
        leaving = {out: found[0] for out, found in arriving.items()}
        feeding = {port: leaving[out] for port, out in zip(ins, outs, strict=False) if out in leaving}
    edges: list[Edge] = []
    for edge in graph.edges:
        if edge.source.node == id:
            end = leaving.get(edge.source.port or (outs[0] if len(outs) == 1 else ""))
            if end is not None and edge.target.node != id:
                edges.append(Edge(end, edge.target))
        elif edge.target.node != id:
            edges.append(edge)
    nodes: dict[str, Node] = {}
    for other, node in graph.nodes.items():
        if other == id:
            nodes |= made
        else:
            nodes[other] = rewriting.sharing(node, lambda target: _unpacked(target, id, use, names_of))
    places, inner_places = network.positions(block), network.positions(use.block)
    network = edit.with_graph(network, block, nodes=nodes, edges=[*edges, *wires])
    if id in places:
        network = _spread(network, block, id, names_of, places, inner_places)
    return network, list(made)


def _values(drawn: Block, use: Node, index: int) -> dict[str, Any]:
    """What names inside stand for: values, or expressions of the graph around."""
    found = {name: use.fields.get(name, argument.default) for name, argument in drawn.arguments.items()}
    if use.repeat > 1:
        found[expression.INDEX] = index
    return found


def _opened(
    node: Node, values: Mapping[str, Any], names: Mapping[str, str], training: Training | None
) -> Node:
    """A node of a block as it stands outside: arguments put in, shared parameters followed."""
    node = rewriting.rewritten(node, lambda value: rewriting.substituted(value, values))
    node = rewriting.sharing(
        node,
        lambda target: ".".join(
            [names.get(target.partition(".")[0], target.partition(".")[0]), target.partition(".")[2]]
        ),
    )
    if training is not None:
        own = node.training or Training()
        both = Training(own.frozen or training.frozen, own.lr_multiplier * training.lr_multiplier, own.extra)
        node = replace(node, training=both)
    return node


def _unpacked(target: str, id: str, use: Node, names_of: list[dict[str, str]]) -> str:
    """A shared parameter inside the use that is gone, by its new name."""
    words = target.split(".")
    if words[0] != id or len(words) < 2:
        return target
    rest, names = words[1:], names_of[0]
    if use.repeat > 1 and rest[0].isdecimal():
        names = names_of[min(int(rest[0]), len(names_of) - 1)]
        rest = rest[1:]
    return ".".join([names.get(rest[0], rest[0]), *rest[1:]])


def _spread(
    network: Network,
    block: str | None,
    id: str,
    names_of: list[dict[str, str]],
    places: Mapping[str, Any],
    inner: Mapping[str, Any],
) -> Network:
    """The nodes as they stand in the block, about the place of its use; of a repeated one in a row."""
    x, y = places[id]
    network = edit.with_positions(network, block, {n: list(at) for n, at in places.items() if n != id})
    known = [inner[name] for name in names_of[0] if name in inner]
    if not known:
        return network
    left, top = edit_blocks.middle(known)
    width = max(px for px, _ in known) - min(px for px, _ in known) + edit_blocks.MARGIN
    moved = {
        new: (x + inner[name][0] - left + width * index, y + inner[name][1] - top)
        for index, names in enumerate(names_of)
        for name, new in names.items()
        if name in inner
    }
    return edit.move(network, moved, block=block)
