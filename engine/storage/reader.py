"""Reading one state of a document after another: what is written alike need not be read again."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from engine.network import Network
from engine.problems import FileProblem
from engine.storage import strict
from engine.storage.file import MAX_BYTES, loads
from engine.storage.form import node_from_form

_Pieces = dict[str, msgspec.Raw]
_split = msgspec.json.Decoder(_Pieces).decode
_joined = msgspec.json.encode


class _Read(NamedTuple):
    """What was read, and of which texts."""

    network: Network
    nodes: _Pieces
    #: All but the nodes.
    rest: _Pieces


class Reader:
    """Reads documents as :func:`engine.storage.file.encode` writes them; any others as they come.

    Nodes and blocks that are written as in the document before are the same objects as there, by which
    the analysis knows them.
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
        network = self._edited(nodes, rest)
        if network is None:
            network = self._settled(loads(data), nodes, rest)
        self._last = _Read(network, nodes, rest)
        return network

    def _edited(self, nodes: _Pieces, rest: _Pieces) -> Network | None:
        """The last network with other contents of some nodes; None if there is more to it."""
        last = self._last
        if last is None or rest != last.rest or not nodes.keys() <= last.nodes.keys():
            return None
        try:
            read = {
                id: last.network.nodes[id]
                if text == last.nodes[id]
                else node_from_form(_node_form(text), f"nodes.{id}")
                for id, text in nodes.items()
            }
        except FileProblem:
            return None  # the whole is read, and says where in it that is
        return replace(last.network, nodes=read)

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


def _node_form(text: msgspec.Raw) -> object:
    """What a node's text holds, read as deep inside as it stands in the document."""
    return strict.loads(b"[[%b]]" % bytes(text))[0][0]


def _pieces(data: bytes) -> tuple[_Pieces, _Pieces] | None:
    """The texts of the nodes, and of all else; None where it is not written as `encode` writes."""
    if len(data) > MAX_BYTES:
        return None
    try:
        rest = _split(data)
        text = bytes(rest.pop("nodes"))
        nodes = _split(text)
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        return None
    # Nothing stands there twice, and no spaces: joined again it is the same.
    if _joined(nodes) != text or len(data) != len(_joined(rest)) + len(text) + len(b'"nodes":,'):
        return None
    return nodes, rest
