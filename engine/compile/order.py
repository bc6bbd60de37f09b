"""The order of running: a layer behind all that feed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Source(Protocol):
    """Something that arrives, and the node that it comes from."""

    @property
    def path(self) -> str:
        """The node's id."""


def order_of(wires: Mapping[str, Mapping[str, Source | None]]) -> list[str]:
    """Ids in the order of running, as in the document where wires allow it; none of a circle or behind it."""
    waiting: dict[str, int] = {}
    feeds: dict[str, list[str]] = {}
    for id, inputs in wires.items():
        sources = {value.path for value in inputs.values() if value is not None}
        waiting[id] = len(sources)
        for source in sources:
            feeds.setdefault(source, []).append(id)
    ready = [id for id, count in waiting.items() if count == 0]
    order: list[str] = []
    position = 0
    while position < len(ready):
        id = ready[position]
        position += 1
        order.append(id)
        for target in feeds.get(id, ()):
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return order
