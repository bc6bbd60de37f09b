"""Layered automatic layout: a pure function from a network to positions.

Layers by longest path (Sugiyama, Tagawa and Toda 1981), order inside a layer by barycentres,
heights by alternating sweeps that keep cards apart. Long networks are broken into rows like
lines of text, at places that few wires cross, so that the whole stays readable on a screen.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine import ports
from engine.network import Network
from gui.canvas import card

Positions = dict[str, tuple[float, float]]
#: x, y, width and height of a card.
Box = tuple[float, float, float, float]

COLUMN_GAP = 80
NODE_GAP = 32
ROW_GAP = 72
#: Width : height that long networks are folded to.
ASPECT = 1.7
#: Networks with at most this many layers stay in one row.
UNFOLDED = 6


@dataclass(slots=True, eq=False)
class _Cell:
    """A node in its layer, or the place that a long wire needs in a layer it passes."""

    height: float
    id: str | None = None
    #: Height of its first port below its top: wires are straight where these agree.
    port: float = 0.0
    before: list[_Cell] = field(default_factory=list)
    after: list[_Cell] = field(default_factory=list)
    order: float = 0.0
    y: float = 0.0
    #: Cards keep straight lines; wires that pass give way.
    weight: float = 1.0


def arrange(
    network: Network,
    ids: Iterable[str] | None = None,
    *,
    block: str | None = None,
    known: Mapping[str, card.Card] | None = None,
) -> Positions:
    """Positions (top left corners, in scene units) for `ids`, or for all nodes of one graph.

    Cards that are `known` need not be made to be measured.
    """
    graph = network.graph(block)
    wanted = set(graph.nodes if ids is None else ids)
    chosen = [id for id in graph.nodes if id in wanted]
    if not chosen:
        return {}
    links = [
        (edge.source.node, edge.target.node)
        for edge in graph.edges
        if edge.source.node in wanted and edge.target.node in wanted
    ]
    arriving = ports.incoming(graph.edges)
    cards = {
        id: (known or {}).get(id) or card.card_of(network, id, graph.nodes[id], len(arriving.get(id, ())))
        for id in chosen
    }
    layer_of = _layers(chosen, links)
    layers = _cells(chosen, links, layer_of, cards)
    _order(layers)
    return _coordinates(layers)


def _layers(ids: list[str], links: list[tuple[str, str]]) -> dict[str, int]:
    """Longest path from a source; nodes with no input come right before what they feed."""
    following: dict[str, list[str]] = {id: [] for id in ids}
    waiting = dict.fromkeys(ids, 0)
    for source, target in links:
        following[source].append(target)
        waiting[target] += 1
    layer = dict.fromkeys(ids, 0)
    sources = [id for id in ids if waiting[id] == 0]
    todo, done = list(sources), 0
    while done < len(todo):
        id = todo[done]
        done += 1
        for target in following[id]:
            layer[target] = max(layer[target], layer[id] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                todo.append(target)
    # What lies on a circle was never reached; it follows in document order.
    last = max(layer.values())
    for id in ids:
        if waiting[id] > 0:
            last += 1
            layer[id] = last
    for id in sources:
        if following[id]:
            layer[id] = max(0, min(layer[target] for target in following[id]) - 1)
    return layer


def _cells(
    ids: list[str],
    links: list[tuple[str, str]],
    layer_of: Mapping[str, int],
    cards: Mapping[str, card.Card],
) -> list[list[_Cell]]:
    layers: list[list[_Cell]] = [[] for _ in range(max(layer_of.values()) + 1)]
    cell_of: dict[str, _Cell] = {}
    for id in ids:
        # A footer is there once shapes are known: cards of one kind keep one height.
        cell = _Cell(cards[id].height, id, cards[id].port_y(0))
        cell_of[id] = cell
        layers[layer_of[id]].append(cell)
    for source, target in links:
        first, last = layer_of[source], layer_of[target]
        previous = cell_of[source]
        for number in range(first + 1, last):
            passing = _Cell(card.PORT_ROW, weight=1e-6)
            layers[number].append(passing)
            previous.after.append(passing)
            passing.before.append(previous)
            previous = passing
        if last > first:
            previous.after.append(cell_of[target])
            cell_of[target].before.append(previous)
    return [layer for layer in layers if layer]


def _order(layers: list[list[_Cell]]) -> None:
    """Sort each layer by the mean place of its neighbours, down and up until it settles."""
    for layer in layers:
        for number, cell in enumerate(layer):
            cell.order = number
    many = [layer for layer in layers if len(layer) > 1]
    settled = False
    for sweep in range(4):
        forward, moved = sweep % 2 == 0, False
        for layer in many if forward else reversed(many):
            keyed = []
            for cell in layer:
                beside = cell.before if forward else cell.after
                mean = cell.order
                if len(beside) == 1:
                    mean = beside[0].order
                elif beside:
                    mean = sum([other.order for other in beside]) / len(beside)
                # Real cards keep to the top: a wire that passes runs below them.
                keyed.append((mean, cell.id is None, cell.order, cell))
            ordered = sorted(keyed)  # no two have one order: cells are not compared
            if ordered != keyed:
                moved = True
                layer[:] = [item[3] for item in ordered]
                for number, cell in enumerate(layer):
                    cell.order = number
        if settled and not moved:
            break  # neither down nor up does anything move: it will not later
        settled = not moved


def _coordinates(layers: list[list[_Cell]]) -> Positions:
    for layer in layers:
        y = 0.0
        for cell in layer:
            cell.y = y
            y += cell.height + NODE_GAP
    if any(len(layer) > 1 for layer in layers):
        before: list[float] = []
        for _ in range(3):
            for layer in layers:
                _settle(layer, True)
            for layer in reversed(layers):
                _settle(layer, False)
            now = [cell.y for layer in layers for cell in layer]
            if now == before:
                break  # down and up again leads to the same
            before = now
    else:
        for layer in layers:
            layer[0].y = -layer[0].port
    positions: Positions = {}
    top = 0.0
    for row in _rows(layers):
        high = min(cell.y for layer in row for cell in layer)
        low = max(cell.y + cell.height for layer in row for cell in layer)
        for column, layer in enumerate(row):
            for cell in layer:
                if cell.id is not None:
                    x = column * (card.WIDTH + COLUMN_GAP)
                    positions[cell.id] = (float(x), float(round(top + cell.y - high)))
        top += low - high + ROW_GAP
    return positions


def _settle(layer: list[_Cell], forward: bool) -> None:
    """Bring each cell to its neighbours' height as far as order and gaps allow.

    Least squares under an order: pool adjacent violators.
    """
    if len(layer) == 1:
        layer[0].y = _wish(layer[0], forward)
        return
    if len(layer) == 2:  # as most are that a shortcut passes: the same without the pools
        upper, lower = layer
        gap = upper.height + NODE_GAP
        high, low = _wish(upper, forward), _wish(lower, forward) - gap
        if high > low:
            high = low = (low * lower.weight + high * upper.weight) / (lower.weight + upper.weight)
        upper.y, lower.y = high, low + gap
        return
    pools: list[tuple[float, float, int]] = []
    offset, offsets = 0.0, []
    for cell in layer:
        mean, weight, count = _wish(cell, forward) - offset, cell.weight, 1
        while pools and pools[-1][0] > mean:
            other_mean, other_weight, other_count = pools.pop()
            mean = (mean * weight + other_mean * other_weight) / (weight + other_weight)
            weight, count = weight + other_weight, count + other_count
        pools.append((mean, weight, count))
        offsets.append(offset)
        offset += cell.height + NODE_GAP
    settled = [mean for mean, _, count in pools for _ in range(count)]
    for cell, base, shift in zip(layer, settled, offsets, strict=True):
        cell.y = base + shift


def _wish(cell: _Cell, forward: bool) -> float:
    """Where a cell's wires to its neighbours would be straight."""
    beside = (cell.before if forward else cell.after) or cell.before or cell.after
    if len(beside) == 1:
        return beside[0].y + beside[0].port - cell.port
    if not beside:
        return cell.y
    weights = [other.weight for other in beside]
    heights = [(other.y + other.port) * other.weight for other in beside]
    return sum(heights) / sum(weights) - cell.port


def _rows(layers: list[list[_Cell]]) -> list[list[list[_Cell]]]:
    """Cut the layers into rows of about the wanted width, where the fewest outputs are cut off."""
    if len(layers) <= UNFOLDED:
        return [layers]
    height = sorted(sum(cell.height + NODE_GAP for cell in layer) for layer in layers)
    tall = height[len(height) * 9 // 10] + ROW_GAP
    wide = card.WIDTH + COLUMN_GAP
    per_row = max(4, round((len(layers) * tall * ASPECT / wide) ** 0.5))
    rows, start = [], 0
    while len(layers) - start > per_row + 1:
        slack = max(2, per_row // 4)
        ends = range(start + per_row - slack, min(start + per_row + slack, len(layers) - 2) + 1)
        end = min(
            ends, key=lambda n: (sum(1 for cell in layers[n - 1] if cell.after), abs(n - start - per_row))
        )
        rows.append(layers[start:end])
        start = end
    rows.append(layers[start:])
    return rows


def beside(taken: Iterable[Box], x: float, y: float, height: float) -> tuple[float, float]:
    """The free place nearest below ``(x, y)`` for a card among rectangles ``(x, y, width, height)``."""
    gap = NODE_GAP / 2
    blocking = sorted(
        (top, bottom_height)
        for left, top, width, bottom_height in taken
        if left < x + card.WIDTH + gap and x < left + width + gap
    )
    for top, other in blocking:
        if top < y + height + gap and y < top + other + gap:
            y = top + other + NODE_GAP
    return x, y


def nearest(taken: Iterable[Box], x: float, y: float, width: float, height: float) -> tuple[float, float]:
    """The free place nearest to ``(x, y)`` for a rectangle among others: there, or along their sides."""
    gap, reach = NODE_GAP / 2, 3 * (card.WIDTH + width)
    barred = [  # where the corner of the rectangle must not come: from, to, in each direction
        (left - width - gap, left + wide + gap, top - height - gap, top + high + gap)
        for left, top, wide, high in taken
        if left - width - gap < x + reach and left + wide + gap > x - reach
    ]
    downwards, upwards = sorted(barred, key=lambda bar: bar[2]), sorted(barred, key=lambda bar: -bar[3])
    columns = {x, *(side for bar in barred for side in bar[:2] if abs(side - x) < reach)}
    found, distance = (x, y), math.inf
    for column in sorted(columns, key=lambda column: (abs(column - x), column)):
        if abs(column - x) >= distance:
            break
        up = down = y
        for left, right, top, bottom in downwards:
            if left < column < right and top < down < bottom:
                down = bottom
        for left, right, top, bottom in upwards:
            if left < column < right and top < up < bottom:
                up = top
        row = up if y - up < down - y else down
        if (away := math.dist((column, row), (x, y))) < distance:
            found, distance = (column, row), away
    return found


def pushed(taken: Mapping[str, Box], id: str, source: str | None) -> Positions:
    """Where cards go when `id` comes into the wire from `source`: apart, in their order, to the right.

    `taken` has every card's rectangle ``(x, y, width, height)``. Only what moves is in the result.
    """
    places = dict(taken)
    x, y, width, height = places[id]
    if source is not None and _touch(places[source], places[id]):
        x = places[source][0] + places[source][2] + COLUMN_GAP
    places[id] = (x, y, width, height)
    moved = {} if taken[id][0] == x else {id: (x, y)}
    todo, settled = [id], {id, source}
    while todo:
        pusher = places[todo.pop(0)]
        for other, (left, top, wide, high) in places.items():
            if other not in settled and left + wide > pusher[0] and _touch(pusher, places[other]):
                left = pusher[0] + pusher[2] + COLUMN_GAP
                places[other] = (left, top, wide, high)
                moved[other] = (left, top)
                settled.add(other)
                todo.append(other)
    return moved


def overlap(some: Iterable[Box], others: Iterable[Box]) -> bool:
    """Whether one of `some` boxes lies over one of the `others`."""
    rest = list(others)
    return any(
        x < left + wide and left < x + width and y < top + high and top < y + height
        for x, y, width, height in some
        for left, top, wide, high in rest
    )


def clear(cards: Mapping[str, Box], others: Iterable[Box]) -> float:
    """How far `cards` must go, up (below zero) or down, to lie over none of the `others`: the shorter way."""
    rest = list(others)

    def way(sign: int) -> float:
        shift = 0.0
        while needed := [
            (top + high - y - shift if sign > 0 else y + shift + height - top) + NODE_GAP
            for x, y, width, height in cards.values()
            for left, top, wide, high in rest
            if x < left + wide and left < x + width and y + shift < top + high and top < y + shift + height
        ]:
            shift += sign * max(needed)
        return shift

    down, up = way(1), way(-1)
    return down if down <= -up else up


def opened(place: Box, cards: Mapping[str, Box], others: Mapping[str, Box]) -> Positions:
    """Where `cards` go that come for the one at `place`, and the `others` that give way: right and down."""
    x, y, width, height = place
    left, top = min(box[0] for box in cards.values()), min(box[1] for box in cards.values())
    wider = max(box[0] + box[2] for box in cards.values()) - left - width
    higher = max(0.0, max(box[1] + box[3] for box in cards.values()) - top - height)
    moved = {id: (box[0] - left + x, box[1] - top + y) for id, box in cards.items()}
    for id, (px, py, _, high) in others.items():
        if py >= y + height:
            moved[id] = (px, py + higher)
        elif py + high > y and px > x:
            moved[id] = (px + wider, py)
    return moved


def _touch(a: Box, b: Box) -> bool:
    """Whether two cards overlap, or leave no room for a wire between them."""
    beside = a[0] < b[0] + b[2] + NODE_GAP and b[0] < a[0] + a[2] + NODE_GAP
    return beside and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def complete(
    network: Network,
    placed: Mapping[str, tuple[float, float]],
    *,
    block: str | None = None,
    among: Iterable[str] | None = None,
) -> Positions:
    """Places for nodes (`among` these, or all) that have none in the document nor in `placed`.

    All of them by :func:`arrange` where none has one; single ones beside what feeds them.
    """
    graph = network.graph(block)
    written = network.positions(block)
    if among is not None and all(id in placed or id in written for id in among):
        return {}
    known = {id: (float(at[0]), float(at[1])) for id, at in written.items()}
    known.update((id, at) for id, at in placed.items() if id not in known and id in graph.nodes)
    missing = [id for id in graph.nodes if id not in known]
    if not missing:
        return {}
    if len(missing) == len(graph.nodes):
        return arrange(network, block=block)
    arriving = ports.incoming(graph.edges)
    height = {id: float(card.height_of(network, node, 2)) for id, node in graph.nodes.items()}
    found: Positions = {}
    for id in missing:
        feeding = [edge.source.node for edge in arriving.get(id, ()) if edge.source.node in known]
        x, y = known[feeding[0]] if feeding else (-card.WIDTH - COLUMN_GAP, 0.0)
        taken = [(left, top, card.WIDTH, height.get(other, 100.0)) for other, (left, top) in known.items()]
        known[id] = found[id] = beside(taken, x + card.WIDTH + COLUMN_GAP, y, height[id])
    return found
