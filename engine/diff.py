"""The one notion of change between two networks.

``changes(before, after)`` gives a tuple of :class:`Change`; ``apply(before, changes)`` gives
`after` again, to the order of nodes and edges; ``invert(changes)`` goes the other way. Undo, the
journal, `layerlab diff`, the views' updates and the map by which weights are carried over all
use these and nothing else.

Parts that are the same object in both networks are skipped without a look inside, so the diff of
one edit in a network of thousands costs well under a millisecond.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET

from engine.network import Block, Edge, Network
from engine.storage import form

#: Places whose children come and go as wholes; everything else is compared value by value.
_GRAPH = ("nodes", "edges")


class Change(msgspec.Struct, frozen=True):
    """One difference, in document form.

    `path` leads to the value that differs (``("nodes", "conv1", "fields", "stride")``). An edge
    has the path ``(…, "edges")`` and stands in `before` or `after` as ``[source, target]``.
    `before` is UNSET for what was added, `after` for what was removed. `index` is the place among
    its siblings, in `after` for an addition and in `before` for a removal.
    """

    path: tuple[str, ...]
    before: Any = UNSET
    after: Any = UNSET
    index: int | None = None

    def __str__(self) -> str:
        place = ".".join(self.path)
        if self.before is UNSET:
            return f"+ {place}: {_short(self.after)}"
        if self.after is UNSET:
            return f"- {place}: {_short(self.before)}"
        return f"~ {place}: {_short(self.before)} → {_short(self.after)}"


def _short(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 120 else text[:117] + "…"


# ---------------------------------------------------------------------------- comparing


#: The last comparison: after an edit the undo stack, the journal and every view ask for the same one.
_latest: tuple[Network, Network, tuple[Change, ...]] | None = None


def changes(before: Network, after: Network) -> tuple[Change, ...]:
    """All differences from `before` to `after`, in the order in which :func:`apply` takes them."""
    global _latest
    if before is after:
        return ()
    latest = _latest
    if latest is None or latest[0] is not before or latest[1] is not after:
        _latest = latest = (before, after, _compared(before, after))
    return latest[2]


def remember(before: Network, after: Network, changed: tuple[Change, ...]) -> None:
    """Let :func:`changes` answer `changed` for these two, which leads from one to the other."""
    global _latest
    _latest = (before, after, changed)


def _compared(before: Network, after: Network) -> tuple[Change, ...]:
    found: list[Change] = []
    _compare_graph((), before, after, found)
    if before.blocks is not after.blocks:
        _compare_blocks(before.blocks, after.blocks, found)
    if before.recipe is not after.recipe:
        _compare(("recipe",), form.recipe_to_form(before.recipe), form.recipe_to_form(after.recipe), found)
    for name in ("name", "defaults", "view", "extra"):
        _compare((name,), getattr(before, name), getattr(after, name), found)
    return tuple(found)


def _compare_graph(
    path: tuple[str, ...], before: Network | Block, after: Network | Block, found: list[Change]
) -> None:
    if before.nodes is not after.nodes:
        _compare_children((*path, "nodes"), before.nodes, after.nodes, form.node_to_form, found)
    if before.edges is not after.edges:
        _compare_edges((*path, "edges"), before.edges, after.edges, found)


def _compare_blocks(before: Mapping[str, Block], after: Mapping[str, Block], found: list[Change]) -> None:
    kept = [name for name in after if name in before]
    for name in kept:
        old, new = before[name], after[name]
        if old is not new:
            path = ("blocks", name)
            _compare_graph(path, old, new, found)
            a, b = form.block_to_form(old), form.block_to_form(new)
            _compare(
                path,
                {k: v for k, v in a.items() if k not in _GRAPH},
                {k: v for k, v in b.items() if k not in _GRAPH},
                found,
            )
    _compare_children(("blocks",), before, after, form.block_to_form, found, inside=False)


def _compare_children(
    path: tuple[str, ...],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    to_form: Any,
    found: list[Change],
    inside: bool = True,
) -> None:
    """Children in a fixed order: removed ones, added ones, then changes inside those kept."""
    if _only_more(before, after):
        for index, (id, child) in _more(before, after):
            found.append(Change((*path, id), after=to_form(child), index=index))
        return
    gone, same_order = _gone(before, after)
    moved = set() if same_order else {id for id in after if id in before}
    if gone or moved:
        for index, (id, child) in reversed(list(enumerate(before.items()))):
            if id in gone or id in moved:
                found.append(Change((*path, id), before=to_form(child), index=index))
    other = [entry for entry in enumerate(after.items()) if before.get(entry[1][0]) is not entry[1][1]]
    for index, (id, child) in enumerate(after.items()) if moved else other:
        if id not in before or id in moved:
            found.append(Change((*path, id), after=to_form(child), index=index))
        elif inside and child is not before[id]:
            _compare((*path, id), to_form(before[id]), to_form(child), found)


def _only_more(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether `after` has all of `before`, as it is there, and may go on behind it."""
    return (
        len(before) <= len(after)
        and all(map(operator.is_, before.values(), after.values()))
        and all(map(operator.eq, before, after))
    )


def _more(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[int, tuple[str, Any]]]:
    """What `after` has behind all of `before`, with its places."""
    return enumerate(islice(after.items(), len(before), None), len(before))


def _gone(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[set[str], bool]:
    """The keys that `after` lacks, and whether those in both come in one order."""
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    kept_before = [key for key in before if key not in gone] if gone else list(before)
    kept_after = [key for key in after if key not in come] if come else list(after)
    return gone, kept_before == kept_after


def _compare_edges(
    path: tuple[str, ...], before: Sequence[Edge], after: Sequence[Edge], found: list[Change]
) -> None:
    first, old, new = _between(before, after)
    left, right = (set(old), set(new)) if old and new else (set[Edge](), set[Edge]())
    whole = [edge for edge in old if edge in right] != [edge for edge in new if edge in left]
    for index, edge in reversed(list(enumerate(old, first))):
        if whole or edge not in right:
            found.append(Change(path, before=form.edge_to_form(edge), index=index))
    for index, edge in enumerate(new, first):
        if whole or edge not in left:
            found.append(Change(path, after=form.edge_to_form(edge), index=index))


def _between(before: Sequence[Edge], after: Sequence[Edge]) -> tuple[int, Sequence[Edge], Sequence[Edge]]:
    """Where two lists begin to differ, and what they have there until they are equal again."""
    before, after = tuple(before), tuple(after)
    shorter = min(len(before), len(after))
    first = _alike(shorter, lambda low, high: before[low:high] == after[low:high])
    left, right = len(before), len(after)
    last = _alike(
        shorter - first,
        lambda low, high: before[left - high : left - low] == after[right - high : right - low],
    )
    return first, before[first : left - last], after[first : right - last]


def _alike(most: int, same: Callable[[int, int], bool]) -> int:
    """How many of `most` are the same from the beginning on, where ``same(low, high)`` compares a stretch.

    An edit leaves most edges as they are: stretches are compared many times as fast as edges one by one.
    """
    low = 0
    while low < most:
        middle = (low + most + 1) // 2
        if same(low, middle):
            low = middle
        else:
            most = middle - 1
    return low


def edges_between(before: Sequence[Edge], after: Sequence[Edge]) -> tuple[list[Edge], list[Edge]]:
    """The edges that `after` no longer has, and those that `before` did not have."""
    if before is after:
        return [], []
    _, old, new = _between(before, after)
    right = set(after) if old else set()
    left = set(before) if new and old else set(old)
    return [edge for edge in old if edge not in right], [edge for edge in new if edge not in left]


def _compare(path: tuple[str, ...], before: Any, after: Any, found: list[Change]) -> None:
    """Plain values: objects key by key, everything else as a whole."""
    if before is after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        if _only_more(before, after):
            for index, (key, value) in _more(before, after):
                found.append(Change((*path, key), after=value, index=index))
            return
        gone, same_order = _gone(before, after)
        if same_order:
            if gone:
                for index, key in reversed(list(enumerate(before))):
                    if key in gone:
                        found.append(Change((*path, key), before=before[key], index=index))
            for index, (key, value) in enumerate(after.items()):
                old = before.get(key, UNSET)
                if old is UNSET:
                    found.append(Change((*path, key), after=value, index=index))
                elif value is not old:
                    _compare((*path, key), old, value, found)
            return
        found.append(Change(path, before=dict(before), after=dict(after)))
    elif type(before) is not type(after) or before != after:
        found.append(Change(path, before=before, after=after))


def invert(changed: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that lead back."""
    return tuple(
        Change(change.path, before=change.after, after=change.before, index=change.index)
        for change in reversed(tuple(changed))
    )


# ---------------------------------------------------------------------------- applying


def apply(network: Network, changed: Iterable[Change]) -> Network:
    """The network after `changed`.

    Raises
    ------
    KeyError
        If a change leads to a place that this network does not have.
    FileProblem
        If a value is not shaped as its place asks.
    """
    draft = _Draft(network)
    for change in changed:
        draft.apply(change)
    return draft.finish()


class _Draft:
    """Copies of just those dictionaries that changes reach into."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.nodes: dict[str | None, dict[str, Any]] = {}
        self.edges: dict[str | None, list[Edge]] = {}
        self.blocks: dict[str, Block] | None = None
        self.parts: dict[str, Any] = {}
        #: Objects inside `parts` that are this draft's own copies, by their ids.
        self.own: dict[int, dict[str, Any]] = {}

    def apply(self, change: Change) -> None:
        match change.path:
            case ("edges",):
                self._edge(None, change)
            case ("blocks", block, "edges"):
                self._edge(block, change)
            case ("nodes", *rest) if rest:
                self._node(None, rest, change)
            case ("blocks", block, "nodes", *rest) if rest:
                self._node(block, rest, change)
            case ("blocks", block, *rest):
                self._block(block, rest, change)
            case (part, *rest):
                if part not in self.parts:
                    value = getattr(self.network, part)
                    self.parts[part] = form.recipe_to_form(value) if part == "recipe" else value
                self.parts[part] = self._replaced(self.parts[part], rest, change)

    def _replaced(self, value: Any, path: Sequence[str], change: Change) -> Any:
        """As :func:`_replace`; an object is copied once, however many changes reach into it."""
        if not path:
            return change.after
        key, *rest = path
        made = value if id(value) in self.own else dict(value)
        if rest:
            made[key] = self._replaced(made[key], rest, change)
        elif change.after is UNSET:
            del made[key]
        else:
            made = _put(made, key, change.after, change.index)
        self.own[id(made)] = made
        return made

    def _edge(self, block: str | None, change: Change) -> None:
        if block not in self.edges:
            self.edges[block] = list(self._graph(block).edges)
        edges = self.edges[block]
        index = len(edges) if change.index is None else change.index
        if change.before is not UNSET:
            edge = form.edge_from_form(change.before)
            if index < len(edges) and edges[index] == edge:
                del edges[index]
            else:
                edges.remove(edge)
        if change.after is not UNSET:
            edges.insert(index, form.edge_from_form(change.after))

    def _node(self, block: str | None, rest: Sequence[str], change: Change) -> None:
        if block not in self.nodes:
            self.nodes[block] = dict(self._graph(block).nodes)
        nodes = self.nodes[block]
        id, *inner = rest
        if inner:
            whole = form.node_to_form(nodes[id])
            if len(inner) > 1 and inner[0] in ("init", "binarize", "shares"):
                whole.setdefault(inner[0], {})  # left out while empty, as between two changes inside it
            node = _replace(whole, inner, change)
            nodes[id] = form.node_from_form(node, f"nodes.{id}")
        elif change.after is UNSET:
            del nodes[id]
        else:
            node = form.node_from_form(change.after, f"nodes.{id}")
            self.nodes[block] = _put(nodes, id, node, change.index)

    def _block(self, name: str, rest: Sequence[str], change: Change) -> None:
        if self.blocks is None:
            self.blocks = dict(self.network.blocks)
        if rest:
            self._settle(name)
            whole = _replace(form.block_to_form(self.blocks[name]), rest, change)
            self.blocks[name] = form.block_from_form(whole, f"blocks.{name}")
        elif change.after is UNSET:
            del self.blocks[name]
            self.nodes.pop(name, None)
            self.edges.pop(name, None)
        else:
            block = form.block_from_form(change.after, f"blocks.{name}")
            self.blocks = _inserted(self.blocks, name, block, change.index)

    def _graph(self, block: str | None) -> Network | Block:
        if block is None:
            return self.network
        return (self.network.blocks if self.blocks is None else self.blocks)[block]

    def _settle(self, name: str) -> None:
        """Write pending nodes and edges of a block into it."""
        if self.blocks is None:
            self.blocks = dict(self.network.blocks)
        replaced: dict[str, Any] = {}
        if name in self.nodes:
            replaced["nodes"] = self.nodes.pop(name)
        if name in self.edges:
            replaced["edges"] = tuple(self.edges.pop(name))
        if replaced:
            self.blocks[name] = msgspec.structs.replace(self.blocks[name], **replaced)

    def finish(self) -> Network:
        for name in {*self.nodes, *self.edges} - {None}:
            self._settle(str(name))
        replaced: dict[str, Any] = dict(self.parts)
        if "recipe" in replaced:
            replaced["recipe"] = form.recipe_from_form(replaced["recipe"])
        if None in self.nodes:
            replaced["nodes"] = self.nodes[None]
        if None in self.edges:
            replaced["edges"] = tuple(self.edges[None])
        if self.blocks is not None:
            replaced["blocks"] = self.blocks
        return msgspec.structs.replace(self.network, **replaced)


def _inserted(items: dict[str, Any], key: str, value: Any, index: int | None) -> dict[str, Any]:
    if index is None or key in items or index >= len(items):
        return {**items, key: value}
    pairs = list(items.items())
    pairs.insert(index, (key, value))
    return dict(pairs)


def _put(items: dict[str, Any], key: str, value: Any, index: int | None) -> dict[str, Any]:
    """As :func:`_inserted`, in place where the new key comes last."""
    if index is None or key in items or index >= len(items):
        items[key] = value
        return items
    return _inserted(items, key, value, index)


def _replace(value: Any, path: Sequence[str], change: Change) -> Any:
    """`value` with what stands at `path` set, added or removed; nothing is changed in place."""
    if not path:
        return change.after
    key, *rest = path
    if rest:
        return {**value, key: _replace(value[key], rest, change)}
    if change.after is UNSET:
        return {k: v for k, v in value.items() if k != key}
    return _inserted(dict(value), key, change.after, change.index)
