"""The canvas's composite edits: pure functions over :mod:`engine.edit`, one undo step each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine import edit, edit_blocks, edit_unpack, edit_view, ports
from engine.catalog import LAYERS
from engine.edit import EditProblem
from engine.findings import Tensor
from engine.network import Edge, End, Network
from gui.canvas import card, layout

Places = Mapping[str, tuple[float, float]]


def add(
    network: Network,
    type: str,
    places: Places,
    *,
    at: tuple[float, float] | None = None,
    near: tuple[float, float] | None = None,
    after: str | None = None,
    source: End | None = None,
    target: End | None = None,
    on: Edge | None = None,
    block: str | None = None,
) -> tuple[Network, str]:
    """Add a layer, wired: behind node `after`, to an open wire's `source` or `target`, or into wire `on`.

    `places` is where the nodes stand now. The new card comes to `at`, or where there is room `near` a place;
    without both to the right of the node that feeds it, below what stands there already. Returns the network
    and the new id.
    """
    name = type.removeprefix("block:")
    id = edit.fresh_id(network, name, block)
    node = edit.new_node(type) if name == type else edit_blocks.new_use(network, name)
    made = edit.add_node(network, id, node, block=block)
    if after is not None and source is None and target is None and on is None:
        made, source = _between(made, id, after, block)
    try:
        if on is not None:
            made = edit.insert_on_edge(made, on, id, block=block)
        elif source is not None:
            made = _into(made, source, id, block)
        elif target is not None:
            out = ports.output_end(made, made.graph(block).nodes[id], id)
            if out is None:
                raise EditProblem(f"{type} has no output to draw a wire from.")
            made = edit.connect(made, out, target, block=block)
    except EditProblem:
        if after is None:
            raise
    heights = _heights(made, block)
    if near is not None:
        at = layout.nearest(_boxes(places, heights), *near, card.WIDTH, heights[id])
    if at is None:
        at = free_place(made, id, places, after or (source.node if source else None), block, heights)
    placed = {id: at} if on is None else with_room(made, id, {**places, id: at}, on, block, heights)
    return edit.move(made, {**_unwritten(network, places, block), **placed}, block=block), id


def _between(network: Network, id: str, after: str, block: str | None) -> tuple[Network, End | None]:
    """Where a layer that is added behind `after` gets its input."""
    node = network.graph(block).nodes.get(after)
    return network, None if node is None else ports.output_end(network, node, after)


def _into(network: Network, source: End, id: str, block: str | None) -> Network:
    graph = network.graph(block)
    target = ports.free_input(network, graph.nodes, graph.edges, id)
    if target is None:
        raise EditProblem(f"{graph.nodes[id].type} has no input to draw a wire to.")
    return edit.connect(network, source, target, block=block)


def _unwritten(network: Network, places: Places, block: str | None) -> Places:
    """The places that the canvas chose by itself: an edit of places writes them all."""
    missing = places.keys() - network.positions(block).keys()
    nodes = network.graph(block).nodes
    return {id: at for id, at in places.items() if id in missing and id in nodes} if missing else {}


def _written(network: Network, places: Places, block: str | None) -> Network:
    """`network` with the places that only the canvas knew."""
    missing = _unwritten(network, places, block)
    return edit.move(network, missing, block=block) if missing else network


def _heights(network: Network, block: str | None) -> dict[str, int]:
    """How high the cards are."""
    return {id: card.height_of(network, node, 2) for id, node in network.graph(block).nodes.items()}


def _boxes(places: Places, heights: Mapping[str, int]) -> list[layout.Box]:
    """The rectangles of the cards that stand at `places`."""
    return [(x, y, float(card.WIDTH), float(heights[id])) for id, (x, y) in places.items() if id in heights]


def with_room(
    network: Network,
    id: str,
    places: Places,
    on: Edge,
    block: str | None = None,
    heights: Mapping[str, int] | None = None,
) -> dict[str, tuple[float, float]]:
    """Places for a node that came into the wire `on`, and for the cards that give way to it."""
    heights = heights or _heights(network, block)
    taken = {
        other: (x, y, float(card.WIDTH), float(heights[other]))
        for other, (x, y) in places.items()
        if other in heights
    }
    source = on.source.node if on.source.node in taken else None
    ends = [places[end] for end in (on.source.node, on.target.node) if end in places]
    x, y = places[id]
    if len(ends) == 2 and ends[0][1] == ends[1][1] and abs(y - ends[0][1]) < taken[id][3] / 2:
        y = ends[0][1]  # the wire stays straight
    taken[id] = (x, y, *taken[id][2:])
    return {id: (x, y), **layout.pushed(taken, id, source)}


def free_place(
    network: Network,
    id: str,
    places: Places,
    after: str | None,
    block: str | None = None,
    heights: Mapping[str, int] | None = None,
) -> tuple[float, float]:
    """A place for `id` to the right of `after` that overlaps nothing."""
    nodes = network.graph(block).nodes
    every = heights or _heights(network, block)
    height = {other: tall for other, tall in every.items() if other in places}
    taken = [(x, y, card.WIDTH, height[other]) for other, (x, y) in places.items() if other in height]
    own = card.height_of(network, nodes[id])
    if after is not None and after in places:
        x, y = places[after]
        x += card.WIDTH + layout.COLUMN_GAP
    elif places:
        x = min(x for x, _ in places.values())
        y = max(y + height.get(other, 0) for other, (_, y) in places.items()) + layout.NODE_GAP
    else:
        x, y = 0.0, 0.0
    return layout.beside(taken, x, y, own)


def move(network: Network, moved: Places, places: Places, block: str | None = None) -> Network:
    """Move nodes, with the bends of wires between them; places that only the canvas knew are written too."""
    shifted = {}
    for edge, points in edit_view.bends(network, block).items():
        ends = (edge.source.node, edge.target.node)
        if all(id in moved and id in places for id in ends):
            (ax, ay), (bx, by) = ((moved[id][0] - places[id][0], moved[id][1] - places[id][1]) for id in ends)
            if abs(ax - bx) < 1e-6 and abs(ay - by) < 1e-6:
                shifted[edge] = [(x + ax, y + ay) for x, y in points]
    network = edit_view.set_bends(network, shifted, block=block)
    return edit.move(network, {**_unwritten(network, places, block), **moved}, block=block)


def unpack(network: Network, id: str, block: str | None = None) -> tuple[Network, list[str]]:
    """Put the nodes of a block in place of its use `id`, where they stood when it was made of them.

    Where there is no room for them, the cards to the right and below give way. Returns the network
    and the new ids.
    """
    after, made = edit_unpack.unpack(network, id, block=block)
    nodes = {**after.graph(block).nodes, id: network.graph(block).nodes[id]}
    boxes: dict[str, layout.Box] = {
        other: (float(at[0]), float(at[1]), card.WIDTH, card.height_of(after, nodes[other], 2))
        for other, at in {**network.positions(block), **after.positions(block)}.items()
        if other in nodes
    }
    cards = {new: boxes[new] for new in made if new in boxes}
    others = {other: box for other, box in boxes.items() if other not in cards and other != id}
    if id in boxes and cards and layout.overlap(cards.values(), others.values()):
        after = edit.move(after, layout.opened(boxes[id], cards, others), block=block)
    return after, made


def rewire(network: Network, edge: Edge, source: End, target: End, block: str | None = None) -> Network:
    """Bring one end of a wire elsewhere."""
    return edit.connect(edit.remove(network, edges=[edge], block=block), source, target, block=block)


def duplicate(
    network: Network,
    ids: Iterable[str],
    marks: Iterable[str],
    places: Places,
    offset: tuple[float, float],
    block: str | None = None,
) -> tuple[Network, list[str], list[str]]:
    """Copy nodes with the wires among them, frames and notes; returns the network and the new ids."""
    return paste(network, copied(network, ids, marks, places, block), places, offset, block)


def copied(
    network: Network, ids: Iterable[str], marks: Iterable[str], places: Places, block: str | None = None
) -> dict[str, Any]:
    """A piece of the drawing for the clipboard."""
    piece = edit.copy(_written(network, places, block), ids, block=block)
    found = edit_view.copy_marks(network, marks, block=block)
    found["bends"] = edit_view.copy_bends(network, piece["nodes"], block=block)
    return {**piece, **{part: forms for part, forms in found.items() if forms}}


def paste(
    network: Network,
    piece: dict[str, Any],
    places: Places,
    offset: tuple[float, float],
    block: str | None = None,
) -> tuple[Network, list[str], list[str]]:
    """Add a piece of a drawing, moved by `offset`; returns the network, new nodes, new frames and notes."""
    after, nodes = edit.paste(_written(network, places, block), piece, offset, block=block)
    names = dict(zip(map(str, piece["nodes"]), nodes, strict=True))
    after = edit_view.paste_bends(after, piece, names, offset, block=block)
    after, marks = edit_view.paste_marks(after, piece, offset, block=block)
    return after, nodes, marks


def refusal(network: Network, source: End, target: End, block: str | None = None) -> str | None:
    """Why a wire cannot lead from `source` to `target`; None if it can."""
    try:
        edit.connect(network, source, target, block=block)
    except EditProblem as problem:
        return str(problem)
    return None


def takes(type: str, tensor: Tensor | None) -> bool:
    """Whether a layer of this type can be fed `tensor`, as far as its declaration says."""
    layer = LAYERS[type]
    if not layer.inputs and not layer.variadic:
        return False
    if tensor is None:
        return True
    rank = len(tensor.shape) + 1
    return (not layer.ranks or rank in layer.ranks) and (not layer.dtypes or tensor.dtype in layer.dtypes)


def gives(type: str) -> bool:
    """Whether a layer of this type has an output."""
    layer = LAYERS[type]
    return bool(layer.output_ports(layer.start()))
