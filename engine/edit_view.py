"""Edits of what is drawn beside the network: frames, notes and the bends of wires. Never of its meaning.

They live in the file's ``view`` (of a block: ``view.blocks.NAME``)::

    "frames": {"frame1": {"title": "Stem", "color": "teal", "rect": [x, y, width, height]}},
    "notes": {"note1": {"text": "**Markdown**", "rect": [x, y, width, height]}},
    "bends": {"conv1 > add.other": [[x, y], …]}

A file may hold anything there; what makes no sense is passed over and kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from engine.network import Edge, End, Network

#: Colours that a frame can have; a theme says what they look like.
COLORS = ("blue", "orange", "teal", "pink", "gold", "purple", "slate", "green")
#: Beyond these a note or title is cut: no one reads more on a drawing.
TITLE_LIMIT, TEXT_LIMIT = 200, 20_000
#: The smallest frame and note, in scene units.
SMALLEST = 48.0

Rect = tuple[float, float, float, float]
Point = tuple[float, float]


class Frame(NamedTuple):
    """A coloured area with a title; it carries the nodes that stand in it."""

    rect: Rect
    title: str = ""
    color: str = COLORS[0]


class Note(NamedTuple):
    """Text on the drawing, in Markdown."""

    rect: Rect
    text: str = ""


Mark = Frame | Note


def view_of(network: Network, block: str | None = None) -> Mapping[str, Any]:
    """The ``view`` of one graph."""
    if block is None:
        return network.view
    inner = network.layouts().get(block)
    return inner if isinstance(inner, Mapping) else {}


def _with_part(network: Network, block: str | None, part: str, value: Mapping[str, Any]) -> Network:
    view = {key: kept for key, kept in view_of(network, block).items() if value or key != part}
    if value:
        view[part] = dict(value)
    if block is None:
        return replace(network, view=view)
    blocks = {**network.layouts(), block: view}
    return replace(network, view={**network.view, "blocks": blocks})


def _part(network: Network, block: str | None, part: str) -> dict[str, Any]:
    value = view_of(network, block).get(part)
    return dict(value) if isinstance(value, Mapping) else {}


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, list | tuple) or len(value) != count:
        return None
    if any(isinstance(v, bool) or not isinstance(v, int | float) for v in value):
        return None
    numbers = tuple(float(v) for v in value)
    return numbers if all(math.isfinite(v) and abs(v) < 1e7 for v in numbers) else None


# ---------------------------------------------------------------------------- frames and notes


def marks(network: Network, block: str | None = None) -> dict[str, Mark]:
    """The frames and notes of one graph by their ids."""
    found: dict[str, Mark] = {}
    for id, form in _part(network, block, "frames").items():
        rect = _numbers(form.get("rect"), 4) if isinstance(form, Mapping) else None
        if rect is not None and min(rect[2:]) > 0:
            color = form.get("color")
            found[id] = Frame(
                rect,  # type: ignore[arg-type]
                str(form.get("title", ""))[:TITLE_LIMIT],
                color if color in COLORS else COLORS[0],
            )
    for id, form in _part(network, block, "notes").items():
        rect = _numbers(form.get("rect"), 4) if isinstance(form, Mapping) else None
        if rect is not None and min(rect[2:]) > 0 and id not in found:
            found[id] = Note(rect, str(form.get("text", ""))[:TEXT_LIMIT])  # type: ignore[arg-type]
    return found


def set_mark(network: Network, id: str, mark: Mark, *, block: str | None = None) -> Network:
    """Add a frame or note, or change it."""
    part = "frames" if isinstance(mark, Frame) else "notes"
    forms = _part(network, block, part)
    old = forms.get(id)
    form: dict[str, Any] = dict(old) if isinstance(old, Mapping) else {}
    x, y, width, height = mark.rect
    rect = [float(x), float(y), max(SMALLEST, float(width)), max(SMALLEST, float(height))]
    if isinstance(mark, Frame):
        form.update(title=mark.title[:TITLE_LIMIT], color=mark.color, rect=rect)
    else:
        form.update(text=mark.text[:TEXT_LIMIT], rect=rect)
    return _with_part(network, block, part, {**forms, id: form})


def add_mark(network: Network, mark: Mark, *, block: str | None = None) -> tuple[Network, str]:
    """Add a frame or note under a fresh id; returns the network and the id."""
    stem, used, number = "frame" if isinstance(mark, Frame) else "note", marks(network, block), 1
    taken = {*used, *_part(network, block, "frames"), *_part(network, block, "notes")}
    while f"{stem}{number}" in taken:
        number += 1
    return set_mark(network, f"{stem}{number}", mark, block=block), f"{stem}{number}"


def remove_marks(network: Network, ids: Iterable[str], *, block: str | None = None) -> Network:
    """Remove frames and notes; the nodes in a frame stay."""
    gone = set(ids)
    for part in ("frames", "notes"):
        forms = _part(network, block, part)
        if gone & set(forms):
            network = _with_part(network, block, part, {k: v for k, v in forms.items() if k not in gone})
    return network


def move_marks(
    network: Network, ids: Iterable[str], shift: tuple[float, float], *, block: str | None = None
) -> Network:
    """Move frames and notes; what a frame carries is moved by the caller."""
    found = marks(network, block)
    for id in ids:
        if id in found:
            x, y, width, height = found[id].rect
            moved = found[id]._replace(rect=(x + shift[0], y + shift[1], width, height))
            network = set_mark(network, id, moved, block=block)
    return network


def copy_marks(network: Network, ids: Iterable[str], *, block: str | None = None) -> dict[str, Any]:
    """The frames and notes of a copied piece, for :func:`paste_marks`."""
    chosen = set(ids)
    return {
        part: {id: form for id, form in _part(network, block, part).items() if id in chosen}
        for part in ("frames", "notes")
    }


def paste_marks(
    network: Network, fragment: Mapping[str, Any], offset: Point = (0.0, 0.0), *, block: str | None = None
) -> tuple[Network, list[str]]:
    """Add a copied piece's frames and notes under fresh ids, moved by `offset`."""
    parts = {part: fragment[part] for part in ("frames", "notes") if isinstance(fragment.get(part), Mapping)}
    made = []
    for mark in marks(Network(view=parts)).values():
        x, y, width, height = mark.rect
        moved = mark._replace(rect=(x + offset[0], y + offset[1], width, height))
        network, id = add_mark(network, moved, block=block)
        made.append(id)
    return network, made


# ---------------------------------------------------------------------------- bends


def _key(edge: Edge) -> str:
    return f"{edge.source} > {edge.target}"


def _edge(key: str) -> Edge:
    source, _, target = key.partition(" > ")
    return Edge(End.parse(source), End.parse(target))


def bends(network: Network, block: str | None = None) -> dict[Edge, tuple[Point, ...]]:
    """Through which points wires are led."""
    found: dict[Edge, tuple[Point, ...]] = {}
    for key, points in _part(network, block, "bends").items():
        if isinstance(points, list | tuple):
            good = [pair for pair in (_numbers(point, 2) for point in points) if pair is not None]
            if good:
                found[_edge(key)] = tuple((pair[0], pair[1]) for pair in good)
    return found


def set_bends(
    network: Network, changed: Mapping[Edge, Iterable[Point]], *, block: str | None = None
) -> Network:
    """Lead wires through these points; none: straight again."""
    forms = _part(network, block, "bends")
    before = dict(forms)
    for edge, points in changed.items():
        placed = [[float(x), float(y)] for x, y in points]
        if placed:
            forms[_key(edge)] = placed
        else:
            forms.pop(_key(edge), None)
    return network if forms == before else _with_part(network, block, "bends", forms)


def copy_bends(network: Network, ids: Iterable[str], *, block: str | None = None) -> dict[str, Any]:
    """The bends of the wires among `ids`, for :func:`paste_bends`."""
    chosen = set(ids)
    return {
        _key(edge): [list(point) for point in points]
        for edge, points in bends(network, block).items()
        if edge.source.node in chosen and edge.target.node in chosen
    }


def paste_bends(
    network: Network,
    fragment: Mapping[str, Any],
    names: Mapping[str, str],
    offset: Point = (0.0, 0.0),
    *,
    block: str | None = None,
) -> Network:
    """Lead the wires of a copied piece as they were led; `names`: its ids -> those that they have now."""
    bent = bends(Network(view={"bends": fragment.get("bends")}))
    there = set(network.graph(block).edges) if bent else set()
    led = {}
    for edge, points in bent.items():
        if edge.source.node in names and edge.target.node in names:
            new = Edge(
                edge.source._replace(node=names[edge.source.node]),
                edge.target._replace(node=names[edge.target.node]),
            )
            if new in there:
                led[new] = [(x + offset[0], y + offset[1]) for x, y in points]
    return set_bends(network, led, block=block) if led else network


def follow_edges(
    network: Network, renamed: Mapping[str, str] | None = None, *, block: str | None = None
) -> Network:
    """Let go of the bends of wires that are no more; follow nodes that were renamed."""
    forms = _part(network, block, "bends")
    if not forms:
        return network
    names = renamed or {}
    there = {_key(edge) for edge in network.graph(block).edges}
    kept = {}
    for key, points in forms.items():
        edge = _edge(key)
        new = Edge(
            edge.source._replace(node=names.get(edge.source.node, edge.source.node)),
            edge.target._replace(node=names.get(edge.target.node, edge.target.node)),
        )
        if _key(new) in there:
            kept[_key(new)] = points
    return network if kept == forms else _with_part(network, block, "bends", kept)
