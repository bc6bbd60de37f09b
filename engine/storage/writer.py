"""Writing one state of a document after another: what has been written need not be written again."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from engine.network import Network, Node
from engine.storage.file import dumps
from engine.storage.form import edge_to_form, node_to_form, to_form

_encode = msgspec.json.encode


class Writer:
    """Writes documents as :func:`engine.storage.file.encode` does, to the byte.

    Nodes, wires and views that are the same objects as in the document before are not looked into: nothing in
    a network is ever changed in place.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[Node, msgspec.Raw]] = {}
        #: Part of a document -> what it was made of, and its text.
        self._parts: dict[str, tuple[object, msgspec.Raw]] = {}

    def encode(self, network: Network) -> bytes:
        """The document that holds `network`."""
        try:
            form = to_form(replace(network, nodes={}, edges=(), view={}))
            form["nodes"] = self._written(network)
            form["edges"] = self._part("edges", network.edges, lambda: [*map(edge_to_form, network.edges)])
            form["view"] = self._part("view", network.view, lambda: network.view)
            return _encode(form)
        except (ValueError, OverflowError, TypeError):  # what only the other writer has a way with
            return dumps(network)

    def _written(self, network: Network) -> dict[str, msgspec.Raw]:
        known, texts = self._nodes, {}
        written: dict[str, tuple[Node, msgspec.Raw]] = {}
        for id, node in network.nodes.items():
            entry = known.get(id)
            if entry is None or entry[0] is not node:
                entry = (node, msgspec.Raw(_encode(node_to_form(node))))
            written[id] = entry
            texts[id] = entry[1]
        self._nodes = written
        return texts

    def _part(self, name: str, value: object, form: Callable[[], object]) -> msgspec.Raw:
        entry = self._parts.get(name)
        if entry is None or entry[0] is not value:
            entry = self._parts[name] = (value, msgspec.Raw(_encode(form())))
        return entry[1]
