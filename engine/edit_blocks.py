"""Edits that make and shape blocks. Like :mod:`engine.edit`: Network in, Network out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from engine import edit, expression, ports, rewriting
from engine.edit import EditProblem
from engine.network import Argument, Block, Edge, End, Network, Node, identifier_problem
from engine.problems import did_you_mean

#: Scene units between the ends of a new block and what is in it.
MARGIN = 220.0


def block_of(network: Network, name: str) -> Block:
    """The block called `name`.

    Raises
    ------
    EditProblem
        If there is none; the message suggests a near name.
    """
    if name not in network.blocks:
        raise EditProblem(f"There is no block {name!r}.{did_you_mean(name, network.blocks)}")
    return network.blocks[name]


def new_use(network: Network, name: str) -> Node:
    """A node that uses block `name`, as the palette makes it: required arguments at a start value."""
    block = block_of(network, name)
    starts = {"int": 1, "float": 1.0, "bool": False, "text": ""}
    fields = {n: starts.get(a.type, 1) for n, a in block.arguments.items() if a.default is None}
    return Node("Block", fields, block=name)


def uses(network: Network, name: str) -> list[tuple[str | None, str]]:
    """Where block `name` is used: ``(graph, node)``, the graph None at the top level."""
    graphs: list[tuple[str | None, Network | Block]] = [(None, network), *network.blocks.items()]
    return [
        (graph, id)
        for graph, drawn in graphs
        for id, node in drawn.nodes.items()
        if node.type == "Block" and node.block == name
    ]


def _check_name(network: Network, name: str) -> None:
    problem = identifier_problem(name)
    if problem:
        raise EditProblem(problem)
    if name in network.blocks:
        raise EditProblem(f"There is already a block {name!r}. Choose another name.")


# ---------------------------------------------------------------------------- making


def make_block(
    network: Network, ids: Iterable[str], name: str, id: str | None = None, *, block: str | None = None
) -> tuple[Network, str]:
    """Put nodes into a new block `name`, and one use of it in their place.

    What fed the nodes from outside becomes its inputs, what they fed its outputs. Arguments to
    which their expressions refer become arguments of the new block too.

    Returns
    -------
    tuple
        The network, and the id of the use (`id`, or one made from the name).

    Raises
    ------
    EditProblem
        If nothing is selected, an Input or Output is, the name will not do, or a wire leaves the
        selection and comes back to it.
    """
    _check_name(network, name)
    graph = network.graph(block)
    wanted = set(ids)
    chosen = [node for node in graph.nodes if node in wanted]
    inside = set(chosen)
    if not chosen:
        raise EditProblem("Select the nodes that are to become a block.")
    ends = [node for node in chosen if graph.nodes[node].type in ("Input", "Output")]
    if ends:
        raise EditProblem(f"{ends[0]} is an end of the drawing and cannot go into a block. Leave it out.")
    _refuse_detours(graph, inside)
    nodes, fields, arguments = _carried(network, block, {node: graph.nodes[node] for node in chosen})
    id = id or edit.fresh_id(network, name, block, taken=inside)
    if id in graph.nodes and id not in inside:
        raise EditProblem(f"There is already a node {id!r}. Choose another id.")

    entering = dict.fromkeys(
        e.source for e in graph.edges if e.target.node in inside and e.source.node not in inside
    )
    leaving = dict.fromkeys(
        e.source for e in graph.edges if e.source.node in inside and e.target.node not in inside
    )
    read = {edge.source.node for edge in graph.edges}
    for last in chosen:
        out = ports.output_end(network, graph.nodes[last], last)
        if last not in read and out is not None:
            leaving[out] = None
    into = _named_ends("input", entering, inside)
    out_of = _named_ends("output", leaving, inside)
    drawn = Block(
        arguments=arguments,
        nodes={
            **{end: Node("Input") for end in into.values()},
            **nodes,
            **{end: Node("Output") for end in out_of.values()},
        },
        edges=(
            *(
                Edge(End(into[e.source]) if e.source.node not in inside else e.source, e.target)
                for e in graph.edges
                if e.target.node in inside
            ),
            *(Edge(source, End(end)) for source, end in out_of.items()),
        ),
    )

    def port(names: Mapping[End, str], end: End) -> End:
        return End(id, names[end] if len(names) > 1 else None)

    outside: dict[Edge, None] = {}
    for edge in graph.edges:
        if edge.source.node not in inside and edge.target.node not in inside:
            outside[edge] = None
        elif edge.source.node not in inside:
            outside[Edge(edge.source, port(into, edge.source))] = None
        elif edge.target.node not in inside:
            outside[Edge(port(out_of, edge.source), edge.target)] = None
    remaining: dict[str, Node] = {}
    for other, node in graph.nodes.items():
        if other == chosen[0]:
            remaining[id] = Node("Block", fields, block=name)
        if other not in inside:
            remaining[other] = rewriting.sharing(
                node, lambda t: f"{id}.{t}" if t.partition(".")[0] in inside else t
            )
    places = network.positions(block)
    network = replace(network, blocks={**network.blocks, name: drawn})
    network = edit.with_graph(network, block, nodes=remaining, edges=list(outside))
    return _placed(network, block, name, id, chosen, places, list(into.values()), list(out_of.values())), id


def _refuse_detours(graph: Network | Block, inside: set[str]) -> None:
    """A block runs at once: no way may lead out of it and back into it."""
    following = ports.outgoing(graph.edges)
    todo = [e.target.node for id in inside for e in following.get(id, ()) if e.target.node not in inside]
    first = {id: id for id in todo}
    while todo:
        id = todo.pop()
        for edge in following.get(id, ()):
            target = edge.target.node
            if target in inside:
                raise EditProblem(
                    f"A way leads out of the selection through {first[id]} and back to {target}. "
                    f"Select {first[id]} too, or leave {target} out."
                )
            if target not in first:
                first[target] = first[id]
                todo.append(target)


def _named_ends(word: str, ends: Iterable[End], taken: set[str]) -> dict[End, str]:
    """A port name for each end: ``input``, or ``input1``, ``input2`` … where there are several."""
    found: dict[End, str] = {}
    every = list(ends)
    number = 0
    for end in every:
        name = word
        while len(every) > 1 or name in taken:
            number += 1
            name = f"{word}{number}"
            if name not in taken:
                break
        found[end] = name
    return found


def _carried(
    network: Network, block: str | None, nodes: dict[str, Node]
) -> tuple[dict[str, Node], dict[str, Any], dict[str, Argument]]:
    """Nodes for a block of their own, the fields of its use, and the arguments that they need."""
    used = {name for node in nodes.values() for name in rewriting.names(node)}
    known = {} if block is None else network.blocks[block].arguments
    arguments = {name: argument for name, argument in known.items() if name in used}
    fields: dict[str, Any] = {name: {"expr": name} for name in arguments}
    if expression.INDEX in used:
        number = "number"
        while number in used or number in arguments:
            number += "_"
        arguments[number] = Argument("int", 0, "Which repeat it is in, from 0.")
        fields[number] = {"expr": expression.INDEX}
        nodes = {
            id: rewriting.rewritten(
                node, lambda value: expression.mapped(value, lambda n: number if n == expression.INDEX else n)
            )
            for id, node in nodes.items()
        }
    return nodes, fields, arguments


def middle(places: Collection[Any]) -> tuple[float, float]:
    """Where a block stands for its nodes, and where they come from when it is unpacked: their mean."""
    xs, ys = zip(*places, strict=True)
    return float(math.floor(sum(xs) / len(xs))), float(math.floor(sum(ys) / len(ys)))


def _placed(
    network: Network,
    block: str | None,
    name: str,
    id: str,
    chosen: list[str],
    places: Mapping[str, Any],
    into: list[str],
    out_of: list[str],
) -> Network:
    """The use where its nodes stood, and they as they stood to one another."""
    known = {node: places[node] for node in chosen if node in places}
    if not known:
        return network
    left, top = min(x for x, _ in known.values()), min(y for _, y in known.values())
    right = max(x for x, _ in known.values())
    inner = {node: (x - left + MARGIN, y - top) for node, (x, y) in known.items()}
    inner |= {end: (0.0, 150.0 * i) for i, end in enumerate(into)}
    inner |= {end: (right - left + 2 * MARGIN, 150.0 * i) for i, end in enumerate(out_of)}
    network = edit.move(network, inner, block=name)
    network = edit.with_positions(network, block, {n: at for n, at in places.items() if n not in known})
    return edit.move(network, {id: middle(known.values())}, block=block)


# ---------------------------------------------------------------------------- shaping


def set_repeat(network: Network, id: str, repeat: Any, *, block: str | None = None) -> Network:
    """Use a block `repeat` times in a row; within a block that may be an expression of its arguments."""
    node = edit.node_of(network, id, block)
    if node.type != "Block":
        raise EditProblem(f"{id} is a layer; only a block repeats.")
    if expression.is_expression(repeat):
        return edit.replace_node(network, id, block, repeat=1, repeat_expression=str(repeat["expr"]).strip())
    if isinstance(repeat, bool) or not isinstance(repeat, int) or repeat < 1:
        raise EditProblem("A block is used a whole number of times, at least once.")
    return edit.replace_node(network, id, block, repeat=repeat, repeat_expression="")


def rename_block(network: Network, old: str, new: str) -> Network:
    """Give a block another name; its uses and its layout follow."""
    block_of(network, old)
    if old == new:
        return network
    _check_name(network, new)

    def followed(nodes: Mapping[str, Node]) -> Mapping[str, Node]:
        if not any(node.block == old for node in nodes.values()):
            return nodes
        return {id: replace(node, block=new) if node.block == old else node for id, node in nodes.items()}

    blocks = {
        new if name == old else name: replace(block, nodes=followed(block.nodes))
        for name, block in network.blocks.items()
    }
    view = network.view
    if old in network.layouts():
        layouts = {new if name == old else name: layout for name, layout in network.layouts().items()}
        view = {**view, "blocks": layouts}
    return replace(network, nodes=followed(network.nodes), blocks=blocks, view=view)


def remove_block(network: Network, name: str) -> Network:
    """Forget a block that nothing uses.

    Raises
    ------
    EditProblem
        If something does.
    """
    block_of(network, name)
    used = uses(network, name)
    if used:
        graph, id = used[0]
        place = id if graph is None else f"{id} in {graph}"
        raise EditProblem(f"{name} is used by {place}. Unpack or delete its uses first.")
    view = network.view
    if name in network.layouts():
        view = {**view, "blocks": {n: layout for n, layout in network.layouts().items() if n != name}}
    return replace(network, blocks={n: b for n, b in network.blocks.items() if n != name}, view=view)


def set_argument(network: Network, block: str, name: str, argument: Argument) -> Network:
    """Add an argument to a block, or change one: its type, default or explanation."""
    drawn = block_of(network, block)
    _check_argument(name)
    return _with_block(network, block, replace(drawn, arguments={**drawn.arguments, name: argument}))


def rename_argument(network: Network, block: str, old: str, new: str) -> Network:
    """Give an argument another name; expressions inside and values in the uses follow."""
    drawn = block_of(network, block)
    if old not in drawn.arguments:
        raise EditProblem(f"{block} has no argument {old!r}.{did_you_mean(old, drawn.arguments)}")
    if old == new:
        return network
    _check_argument(new)
    if new in drawn.arguments:
        raise EditProblem(f"{block} already has an argument {new!r}. Choose another name.")
    arguments = {new if name == old else name: argument for name, argument in drawn.arguments.items()}
    follow = lambda value: expression.mapped(value, lambda name: new if name == old else name)  # noqa: E731
    nodes = {id: rewriting.rewritten(node, follow) for id, node in drawn.nodes.items()}
    network = _with_block(network, block, replace(drawn, arguments=arguments, nodes=nodes))
    return _with_uses(network, block, lambda fields: {new if n == old else n: v for n, v in fields.items()})


def remove_argument(network: Network, block: str, name: str) -> Network:
    """Take an argument away; where expressions name it, its default stands instead.

    Raises
    ------
    EditProblem
        If it has no default and an expression names it.
    """
    drawn = block_of(network, block)
    if name not in drawn.arguments:
        raise EditProblem(f"{block} has no argument {name!r}.{did_you_mean(name, drawn.arguments)}")
    default = drawn.arguments[name].default
    users = [id for id, node in drawn.nodes.items() if name in rewriting.names(node)]
    if users and default is None:
        raise EditProblem(f"{users[0]} names {name}, which has no default. Give it one first.")
    others = {other: {"expr": other} for other in (*drawn.arguments, expression.INDEX) if other != name}
    nodes = {
        id: rewriting.rewritten(node, lambda value: rewriting.substituted(value, {**others, name: default}))
        if id in users
        else node
        for id, node in drawn.nodes.items()
    }
    arguments = {other: argument for other, argument in drawn.arguments.items() if other != name}
    network = _with_block(network, block, replace(drawn, arguments=arguments, nodes=nodes))
    return _with_uses(network, block, lambda fields: {n: v for n, v in fields.items() if n != name})


def _check_argument(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name) or name == expression.INDEX:
        raise EditProblem(
            f"{name!r} cannot name an argument: use letters, digits and _, beginning with a letter."
        )
    problem = identifier_problem(name)
    if problem and "keyword" in problem:
        raise EditProblem(f"{name!r} is a Python keyword and cannot name an argument. Try {name}_1.")


def _with_block(network: Network, name: str, block: Block) -> Network:
    return replace(network, blocks={**network.blocks, name: block})


def _with_uses(
    network: Network, name: str, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Network:
    for graph, id in uses(network, name):
        node = network.graph(graph).nodes[id]
        fields = change(node.fields)
        if dict(fields) != dict(node.fields):
            network = edit.replace_node(network, id, graph, fields=fields)
    return network
