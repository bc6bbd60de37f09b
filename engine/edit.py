"""Edits: Network in, Network out.

Each function is pure and total on well-formed arguments: it returns a new network that shares all
that did not change, and it raises :class:`EditProblem` with a sentence for the user where the
edit makes no sense. Each takes ``block`` (None: the top level), the graph that is edited.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from engine import block_ports, edit_view, ports
from engine.catalog import LAYERS, Port
from engine.network import (
    MODULE_ATTRIBUTES,
    RESERVED_WORDS,
    Choice,
    Edge,
    End,
    Network,
    Node,
    Recipe,
    Training,
    identifier_problem,
)
from engine.problems import did_you_mean
from engine.storage import form

#: What a copied piece of a drawing says that it is.
FRAGMENT = "layerlab-fragment"


class EditProblem(Exception):
    """An edit that makes no sense; the message is for the user."""


# ---------------------------------------------------------------------------- helpers


def with_graph(
    network: Network,
    block: str | None,
    nodes: Mapping[str, Node] | None = None,
    edges: Iterable[Edge] | None = None,
) -> Network:
    """`network` with the nodes and/or edges of one graph replaced."""
    replaced: dict[str, Any] = {}
    if nodes is not None:
        replaced["nodes"] = nodes
    if edges is not None:
        replaced["edges"] = tuple(edges)
    if block is None:
        return replace(network, **replaced)
    changed = replace(network.blocks[block], **replaced)
    return replace(network, blocks={**network.blocks, block: changed})


def with_positions(network: Network, block: str | None, positions: Mapping[str, Any]) -> Network:
    """`network` with the layout of one graph replaced: id -> ``[x, y]``."""
    if block is None:
        return replace(network, view={**network.view, "positions": dict(positions)})
    blocks = network.layouts()
    inner = blocks.get(block)
    inner = {**(inner if isinstance(inner, Mapping) else {}), "positions": dict(positions)}
    return replace(network, view={**network.view, "blocks": {**blocks, block: inner}})


def node_of(network: Network, id: str, block: str | None = None) -> Node:
    """The node called `id`.

    Raises
    ------
    EditProblem
        If there is none; the message suggests a near name.
    """
    nodes = network.graph(block).nodes
    if id not in nodes:
        raise EditProblem(f"There is no node {id!r}.{did_you_mean(id, nodes)}")
    return nodes[id]


def replace_node(network: Network, id: str, block: str | None, **replaced: Any) -> Network:
    """`network` with parts of one node replaced."""
    node = node_of(network, id, block)
    nodes = network.graph(block).nodes
    return with_graph(network, block, nodes={**nodes, id: replace(node, **replaced)})


_NO_IDS = MODULE_ATTRIBUTES | RESERVED_WORDS
#: What a stem leaves out: numbers at the end and dimensions, what no identifier has, runs of underscores; and
#: between which letters a new word begins.
_NUMBER = re.compile(r"(?<=[a-z])(?:[1-3]d|\d+)$|\d+$")
_STRANGE = re.compile(r"[^A-Za-z0-9_]")
_GAPS = re.compile("_+")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


@lru_cache(maxsize=4096)
def _stem(base: str) -> str:
    """What the ids made from `base` begin with."""
    stem = _NUMBER.sub("", base) or "node"
    stem = _STRANGE.sub("", _WORDS.sub("_", stem)).lower().strip("_")
    stem = _GAPS.sub("_", stem)[:48] or "node"
    if not stem[0].isalpha():
        stem = f"node_{stem}"
    return stem


def fresh_id(
    network: Network,
    base: str,
    block: str | None = None,
    taken: Container[str] = (),
    tried: dict[str, int] | None = None,
) -> str:
    """An unused id made from a type or an id: ``Conv2d`` gives ``conv1``, ``conv2`` …

    `tried` keeps the last number of each stem between calls, so that many ids cost little.
    """
    stem = _stem(base)
    used = network.graph(block).nodes
    number = 1 + (tried or {}).get(stem, 0)
    while f"{stem}{number}" in used or f"{stem}{number}" in taken:
        number += 1
    if tried is not None:
        tried[stem] = number
    id = f"{stem}{number}"
    return id if id not in _NO_IDS else f"{stem}_{number}"


# ---------------------------------------------------------------------------- nodes


def new_node(type: str) -> Node:
    """A node of catalogue type `type` as the palette makes it."""
    if type not in LAYERS:
        raise EditProblem(f"There is no layer {type!r}.{did_you_mean(type, LAYERS)}")
    return Node(type, LAYERS[type].start())


def add_node(
    network: Network,
    id: str,
    node: Node,
    position: tuple[float, float] | None = None,
    *,
    block: str | None = None,
) -> Network:
    """Add `node` under `id`, at `position` in scene units."""
    problem = identifier_problem(id)
    if problem:
        raise EditProblem(problem)
    nodes = network.graph(block).nodes
    if id in nodes:
        raise EditProblem(f"There is already a node {id!r}. Choose another id.")
    before = network
    network = with_graph(network, block, nodes={**nodes, id: node})
    if block is not None and node.type in ("Input", "Output"):
        network = block_ports.follow(before, network, block)
    return network if position is None else move(network, {id: position}, block=block)


def remove(
    network: Network,
    ids: Iterable[str] = (),
    edges: Iterable[Edge] = (),
    *,
    heal: bool = False,
    block: str | None = None,
) -> Network:
    """Remove nodes with their edges, and further edges.

    With `heal`, what fed a removed node's first input feeds what the node fed, so that a chain
    stays a chain.
    """
    gone, cut = set(ids), set(edges)
    before, graph = network, network.graph(block)
    for id in gone:
        node_of(network, id, block)
    kept: list[Edge] = []
    feeding: dict[str, End] = {}
    rest: Iterable[Edge] = graph.edges if len(gone) < len(graph.nodes) else ()  # of nothing none are left
    for edge in rest if heal else ():
        if edge.target.node in gone and not (cut and edge in cut):
            feeding.setdefault(edge.target.node, edge.source)
    for edge in rest:
        if edge.target.node in gone or (cut and edge in cut):
            continue
        if edge.source.node not in gone:
            kept.append(edge)
        elif heal:
            source: End | None = edge.source
            seen = set()
            while source is not None and source.node in gone and source.node not in seen:
                seen.add(source.node)
                source = feeding.get(source.node)
            if source is not None and source.node not in gone:
                kept.append(Edge(source, edge.target))
    nodes = {id: node for id, node in graph.nodes.items() if id not in gone} if gone else graph.nodes
    network = with_graph(network, block, nodes=nodes, edges=kept if cut or gone else graph.edges)
    network = _renumbered(network, block)
    if block is not None and gone:
        network = block_ports.follow(before, network, block)
    positions = network.positions(block)
    if not gone.isdisjoint(positions):
        network = with_positions(network, block, {k: v for k, v in positions.items() if k not in gone})
    return edit_view.follow_edges(network, block=block)


def _renumbered(network: Network, block: str | None) -> Network:
    """Close the gaps that removed edges left in variadic ports: 0, 2 become 0, 1."""
    graph = network.graph(block)
    renamed: dict[Edge, Edge] = {}
    for id, arriving in ports.incoming(graph.edges).items():
        node = graph.nodes.get(id)
        if node is None or not ports.is_variadic(node):
            continue
        numbered = [edge for edge in arriving if edge.target.port and edge.target.port.isdecimal()]
        for number, edge in enumerate(sorted(numbered, key=lambda edge: int(edge.target.port or 0))):
            if edge.target.port != str(number):
                renamed[edge] = Edge(edge.source, End(id, str(number)))
    if not renamed:
        return network
    return with_graph(network, block, edges=[renamed.get(edge, edge) for edge in graph.edges])


def rename(network: Network, old: str, new: str, *, block: str | None = None) -> Network:
    """Give a node another id; edges, position and shared weights follow."""
    if old == new:
        return network
    problem = identifier_problem(new)
    if problem:
        raise EditProblem(problem)
    node_of(network, old, block)
    graph = network.graph(block)
    if new in graph.nodes:
        raise EditProblem(f"There is already a node {new!r}. Choose another id.")

    def followed(node: Node) -> Node:
        if not any(target.partition(".")[0] == old for target in node.shares.values()):
            return node
        shares = {
            own: f"{new}.{target.partition('.')[2]}" if target.partition(".")[0] == old else target
            for own, target in node.shares.items()
        }
        return replace(node, shares=shares)

    nodes = {new if id == old else id: followed(node) for id, node in graph.nodes.items()}
    edges = [
        Edge(
            edge.source._replace(node=new) if edge.source.node == old else edge.source,
            edge.target._replace(node=new) if edge.target.node == old else edge.target,
        )
        if old in (edge.source.node, edge.target.node)
        else edge
        for edge in graph.edges
    ]
    positions = {new if id == old else id: at for id, at in network.positions(block).items()}
    before = network
    network = with_graph(network, block, nodes=nodes, edges=edges)
    network = edit_view.follow_edges(network, {old: new}, block=block)
    if block is not None:
        network = block_ports.follow(before, network, block, {old: new})
    return with_positions(network, block, positions) if positions else network


def move(
    network: Network, positions: Mapping[str, tuple[float, float]], *, block: str | None = None
) -> Network:
    """Put nodes at ``(x, y)`` in scene units."""
    placed = {id: [float(x), float(y)] for id, (x, y) in positions.items()}
    return with_positions(network, block, {**network.positions(block), **placed})


# ---------------------------------------------------------------------------- edges


def connect(network: Network, source: End, target: End, *, block: str | None = None) -> Network:
    """Wire `source` to `target`; an edge that reached the same input before is replaced.

    Raises
    ------
    EditProblem
        If a node or port does not exist, or the wire would close a circle.
    """
    graph = network.graph(block)
    start, finish = node_of(network, source.node, block), node_of(network, target.node, block)
    arriving = [edge for edge in graph.edges if edge.target.node == target.node]
    outs = ports.output_ports(network, start)
    ins = ports.input_ports(network, finish, len(arriving))
    if not outs:
        raise EditProblem(f"{source.node} has no output to draw a wire from.")
    if not ins:
        raise EditProblem(f"{target.node} has no input to draw a wire to.")
    source = _whole_end(source, outs, "output")
    target = _whole_end(target, ins, "input")
    if _reaches(graph.edges, target.node, source.node):
        raise EditProblem(
            f"A wire from {source.node} to {target.node} would close a circle; a network runs one way."
        )
    reached = ports.named(target, ins)
    kept = [
        edge
        for edge in graph.edges
        if edge.target.node != target.node or ports.named(edge.target, ins) != reached
    ]
    return with_graph(network, block, edges=[*kept, Edge(source, target)])


def _whole_end(end: End, available: tuple[Port, ...], kind: str) -> End:
    name = ports.named(end, available)
    if name is None:
        names = ", ".join(port.name for port in available)
        wanted = "needs a port named" if end.port is None else f"has no {kind} {end.port!r}"
        raise EditProblem(f"{end.node} {wanted}; its {kind}s are {names}.")
    return End(end.node, name if len(available) > 1 else None)


def _reaches(edges: Iterable[Edge], start: str, goal: str) -> bool:
    """Whether a path leads from `start` to `goal` (a node reaches itself)."""
    following = ports.outgoing(edges)
    seen, todo = {start}, [start]
    while todo:
        id = todo.pop()
        if id == goal:
            return True
        for edge in following.get(id, ()):
            if edge.target.node not in seen:
                seen.add(edge.target.node)
                todo.append(edge.target.node)
    return False


def insert_on_edge(network: Network, edge: Edge, id: str, *, block: str | None = None) -> Network:
    """Put node `id`, which is already there, into the wire `edge`."""
    node = node_of(network, id, block)
    graph = network.graph(block)
    if edge not in graph.edges:
        raise EditProblem(f"There is no wire {edge}.")
    if id in (edge.source.node, edge.target.node):
        raise EditProblem(f"{id} is an end of that wire already.")
    into = ports.free_input(network, graph.nodes, graph.edges, id)
    out = ports.output_end(network, node, id)
    if into is None or out is None:
        raise EditProblem(f"{id} has no free input and output to go between.")
    network = remove(network, edges=[edge], block=block)
    network = connect(network, edge.source, into, block=block)
    return connect(network, out, edge.target, block=block)


def swap(network: Network, first: str, second: str, *, block: str | None = None) -> Network:
    """Two nodes in each other's place: each takes the other's wires and position."""
    graph = network.graph(block)
    other = {first: second, second: first}

    def moved(end: End) -> End:
        return end._replace(node=other.get(end.node, end.node))

    edges = [
        Edge(moved(edge.source), moved(edge.target))
        if edge.source.node in other or edge.target.node in other
        else edge
        for edge in graph.edges
    ]
    places = network.positions(block)
    network = with_graph(network, block, edges=edges)
    if first in places and second in places:
        network = move(network, {first: places[second], second: places[first]}, block=block)
    return network


# ---------------------------------------------------------------------------- what a node is


def set_field(network: Network, id: str, name: str, value: Any, *, block: str | None = None) -> Network:
    """Set one field of a node. Any JSON value is taken and left to the analysis to judge."""
    node = node_of(network, id, block)
    if name in node.fields and _same(node.fields[name], value):
        return network
    return replace_node(network, id, block, fields={**node.fields, name: value})


def reset_field(network: Network, id: str, name: str, *, block: str | None = None) -> Network:
    """Bring one field back to its default: leave it out, or give a required one its start value."""
    node = node_of(network, id, block)
    layer = LAYERS.get(node.type)
    start = layer.start() if layer else {}
    if name in start:
        return set_field(network, id, name, start[name], block=block)
    fields = {key: value for key, value in node.fields.items() if key != name}
    return replace_node(network, id, block, fields=fields) if name in node.fields else network


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def set_activation(
    network: Network, id: str, activation: Choice | None, *, block: str | None = None
) -> Network:
    """Set or clear the activation inside a node."""
    return replace_node(network, id, block, activation=activation)


def set_init(
    network: Network, id: str, parameter: str, scheme: Choice | None, *, block: str | None = None
) -> Network:
    """Choose how one parameter is initialised; None: the default."""
    node = node_of(network, id, block)
    return replace_node(network, id, block, init=_with_key(node.init, parameter, scheme))


def set_default_init(network: Network, scope: str, parameter: str, scheme: Choice | None) -> Network:
    """Choose how `parameter` begins in all layers ("all") or those of a catalogue group; None: as before.

    A node's own choice wins over its group's, and that over "all".
    """
    init = network.defaults.get("init", {})
    scoped = dict(init.get(scope, {})) if isinstance(init, Mapping) else {}
    scoped.pop(parameter, None)
    if scheme is not None:
        scoped[parameter] = form.choice_to_form(scheme, "scheme")
    rest = {name: value for name, value in init.items() if name != scope} if isinstance(init, Mapping) else {}
    init = {**rest, scope: scoped} if scoped else rest
    defaults = {name: value for name, value in network.defaults.items() if name != "init"}
    return replace(network, defaults={**defaults, "init": init} if init else defaults)


def set_binarize(
    network: Network, id: str, place: str, estimator: Choice | None, *, block: str | None = None
) -> Network:
    """Binarize a node's "weight" or "input"; None: not at all."""
    if place not in ("weight", "input"):
        raise EditProblem(f"Binarize 'weight' or 'input', not {place!r}.")
    node = node_of(network, id, block)
    return replace_node(network, id, block, binarize=_with_key(node.binarize, place, estimator))


def _with_key(mapping: Mapping[str, Choice], key: str, value: Choice | None) -> dict[str, Choice]:
    if value is None:
        return {k: v for k, v in mapping.items() if k != key}
    return {**mapping, key: value}


def set_training(
    network: Network, id: str, training: Training | None, *, block: str | None = None
) -> Network:
    """Freeze a node or change its learning-rate multiplier; None: as the rest."""
    return replace_node(network, id, block, training=training)


# ---------------------------------------------------------------------------- the rest


def set_name(network: Network, name: str) -> Network:
    """Rename the document."""
    return replace(network, name=name)


def set_recipe(network: Network, recipe: Recipe) -> Network:
    """Replace the recipe."""
    return replace(network, recipe=recipe)


# ---------------------------------------------------------------------------- copy and paste


def copy(network: Network, ids: Iterable[str], *, block: str | None = None) -> dict[str, Any]:
    """A piece of the drawing as plain JSON, fit for the clipboard: nodes, the edges among them, positions."""
    graph = network.graph(block)
    inside = set(ids) & graph.nodes.keys()
    chosen = [id for id in graph.nodes if id in inside]
    positions = network.positions(block)
    return {
        "format": FRAGMENT,
        "version": 1,
        "nodes": {id: form.node_to_form(graph.nodes[id]) for id in chosen},
        "edges": [
            form.edge_to_form(edge)
            for edge in graph.edges
            if edge.source.node in inside and edge.target.node in inside
        ],
        "positions": {id: list(positions[id]) for id in chosen if id in positions},
    }


def paste(
    network: Network,
    fragment: object,
    offset: tuple[float, float] = (0.0, 0.0),
    *,
    block: str | None = None,
) -> tuple[Network, list[str]]:
    """Add a copied piece under fresh ids, moved by `offset`; returns the network and the new ids.

    Raises
    ------
    EditProblem
        If `fragment` is not a copied piece.
    """
    if not isinstance(fragment, dict) or fragment.get("format") != FRAGMENT:
        raise EditProblem("The clipboard holds no layers.")
    try:
        alike: dict[str, Node] = {}  # a piece of hundreds of layers has few that differ
        pasted = {}
        for k, v in fragment["nodes"].items():
            text = repr(v)  # tells apart what JSON would write alike
            if text not in alike:
                alike[text] = form.node_from_form(v, f"nodes.{k}")
            pasted[str(k)] = alike[text]
        edges = [form.edge_from_form(edge) for edge in fragment["edges"]]
        places = {k: (float(x), float(y)) for k, (x, y) in fragment.get("positions", {}).items()}
    except Exception as problem:
        raise EditProblem(f"The clipboard's layers cannot be read: {problem}") from problem
    nodes = dict(network.graph(block).nodes)
    names: dict[str, str] = {}
    tried: dict[str, int] = {}
    for id, node in pasted.items():
        good = id not in nodes and identifier_problem(id) is None
        names[id] = id if good else fresh_id(network, id, block, nodes, tried)
        nodes[names[id]] = node
    for old, new in names.items():
        if pasted[old].shares:
            shares = {
                own: ".".join(
                    [names.get(target.partition(".")[0], target.partition(".")[0]), target.partition(".")[2]]
                )
                for own, target in pasted[old].shares.items()
            }
            nodes[new] = replace(pasted[old], shares=shares)
    wires = [
        Edge(
            End(names[edge.source.node], edge.source.port),
            End(names[edge.target.node], edge.target.port),
        )
        for edge in edges
        if edge.source.node in names and edge.target.node in names
    ]
    network = with_graph(network, block, nodes=nodes, edges=[*network.graph(block).edges, *wires])
    moved = {names[id]: (x + offset[0], y + offset[1]) for id, (x, y) in places.items() if id in names}
    return (move(network, moved, block=block) if moved else network), list(names.values())


def fragment_from_text(text: str) -> object:
    """Read clipboard text as JSON, also as a mail has it: quoted, among other words. None: it is none."""
    for reading in (str, _mailed):
        try:
            return msgspec.json.decode(reading(text))
        except msgspec.DecodeError:
            continue
    return None


def _mailed(text: str) -> str:
    """What stands between the outermost braces, without marks of quotation and spaces that do not break."""
    lines = (re.sub(r"^[>|\s]+", "", line) for line in text.replace("\u00a0", " ").splitlines())
    joined = "\n".join(lines)
    return joined[joined.find("{") : joined.rfind("}") + 1]
