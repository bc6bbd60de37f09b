"""Reading one state of a document after another: what is written alike need not be read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import msgspec
from msgspec.structs import replace

from engine.network import Edge, Network
from engine.problems import FileProblem
from engine.storage import strict
from engine.storage.file import MAX_BYTES, MAX_NODES, loads
from engine.storage.form import edge_from_form, node_from_form

_Pieces = dict[str, msgspec.Raw]
_split = msgspec.json.Decoder(_Pieces).decode
_split_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_joined = msgspec.json.encode
#: Parts of a document, beside its nodes, that an edit of the drawing changes: these are read piece by piece.
_IN_PIECES = frozenset({"edges", "view"})


class _Read(NamedTuple):
    """What was read, and of which texts."""

    network: Network
    nodes: _Pieces
    #: All but the nodes.
    rest: _Pieces
    #: Wires by their texts.
    wires: dict[bytes, Edge]


class Reader:
    """Reads documents as :func:`engine.storage.file.encode` writes them; any others as they come.

    Nodes, wires and blocks that are written as in the document before are the same objects as there, by
    which the analysis knows them.
    """

    def __init__(self) -> None:
        self._last: _Read | None = None

    def loads(self, data: bytes) -> Network:
        """The network that `data` holds.

        Raises
        ------
        FileProblem
            As :func:`engine.storage.file.loads`.
        """
        pieces = _pieces(data)
        if pieces is None:
            return loads(data)
        nodes, rest = pieces
        read = self._edited(nodes, rest)
        if read is None:
            network = self._settled(loads(data), nodes, rest)
            wires = zip(_split_list(rest.get("edges", b"[]")), network.edges, strict=True)
            read = _Read(network, nodes, rest, {bytes(text): edge for text, edge in wires})
        self._last = read
        return read.network

    def _edited(self, nodes: _Pieces, rest: _Pieces) -> _Read | None:
        """The last network with other nodes, wires and places; None if there is more to it."""
        last = self._last
        if last is None or list(rest) != list(last.rest):
            return None
        others = {key for key, text in rest.items() if text != last.rest[key]}
        if not others <= _IN_PIECES:
            return None
        network = last.network
        try:
            read = {
                id: network.nodes[id]
                if text == last.nodes.get(id)
                else node_from_form(_value(text, "nodes", id), f"nodes.{id}")
                for id, text in nodes.items()
            }
            wires = _wires(rest["edges"], last.wires) if "edges" in others else None
            view = _view(rest["view"], last.rest["view"], network.view) if "view" in others else network.view
        except FileProblem:
            return None  # the whole is read, and says where in it that is
        if len(read) + sum(len(block.nodes) for block in network.blocks.values()) > MAX_NODES:
            return None
        edges = network.edges if wires is None else tuple(edge for _, edge in wires)
        known = last.wires if wires is None else dict(wires)
        return _Read(replace(network, nodes=read, edges=edges, view=view), nodes, rest, known)

    def _settled(self, network: Network, nodes: _Pieces, rest: _Pieces) -> Network:
        """`network` with the last one's objects where it is the same."""
        last = self._last
        if last is None:
            return network
        kept = {
            id: last.network.nodes[id] if text == last.nodes.get(id) else network.nodes[id]
            for id, text in nodes.items()
        }
        same = "blocks" in rest and rest["blocks"] == last.rest.get("blocks")
        return replace(network, nodes=kept, blocks=last.network.blocks if same else network.blocks)


def _value(text: msgspec.Raw, *place: str) -> object:
    """What a text holds, read as deep inside as it stands in the document, with the names around it."""
    around = [_joined(name) for name in place]
    data = b"".join(b"{%b:" % name for name in around) + bytes(text) + b"}" * len(around)
    value = strict.loads(data)
    for name in place:
        value = value[name]
    return cast(object, value)


def _wires(text: msgspec.Raw, known: dict[bytes, Edge]) -> list[tuple[bytes, Edge]] | None:
    """The wires and their texts."""
    try:
        texts = [bytes(one) for one in _split_list(text)]
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FileProblem("edges: no list.") from None
    return [
        (one, known[one] if one in known else edge_from_form(_value(msgspec.Raw(b"[%b]" % one), "edges")[0]))  # type: ignore[index]
        for one in texts
    ]


def _view(text: msgspec.Raw, before: msgspec.Raw, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """A view of which most is as `before`; positions, which are many, are looked at one by one."""
    pieces, old = _parts(text), _parts(before)
    if pieces is None or old is None:
        return _object(_value(text, "view"))
    view: dict[str, Any] = {}
    for key, part in pieces.items():
        if part == old.get(key):
            view[key] = known[key]
            continue
        places = _parts(part) if key == "positions" else None
        were = _parts(old[key]) if places is not None and key in old else None
        if places is None or were is None:
            view[key] = _value(part, "view", key)
            continue
        view[key] = {
            id: known[key][id] if at == were.get(id) else _value(at, "view", key, id)
            for id, at in places.items()
        }
    return view


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FileProblem("view: no object.")
    return value


def _parts(text: msgspec.Raw) -> _Pieces | None:
    """The texts of an object's members; None where they could not be told apart so."""
    try:
        pieces = _split(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return pieces if _joined(pieces) == bytes(text) else None


def _pieces(data: bytes) -> tuple[_Pieces, _Pieces] | None:
    """The texts of the nodes, and of all else; None where it is not written as `encode` writes."""
    if len(data) > MAX_BYTES:
        return None
    try:
        rest = _split(data)
        text = rest.pop("nodes")
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        return None
    nodes = _parts(text)
    # Nothing stands there twice, and no spaces: joined again it is the same.
    if nodes is None or len(data) != len(_joined(rest)) + len(bytes(text)) + len(b'"nodes":,'):
        return None
    return nodes, rest
