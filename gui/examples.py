"""The examples that the network was asked about: asked about again, they need no data.

As a run begins it takes the warm spare, and the next one has torch to import and the data to read first.
What an example that was seen before gives, the analysis host can tell meanwhile, if it is handed its values.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from engine.host.protocol import Responded
from engine.network import Network

#: Examples that are remembered: those asked about last, each of a few thousand numbers at most.
_KEPT = 100


class _Example(NamedTuple):
    """What only the data can tell."""

    values: tuple[float, ...]
    classes: tuple[str, ...]
    target: float | None


class Examples:
    """Remembers examples of the data of one network, by split and number."""

    def __init__(self) -> None:
        #: What decides which values an example has.
        self._of: object = None
        self._known: dict[tuple[str, int], _Example] = {}
        self._asked: dict[int, tuple[str, int]] = {}

    def values(self, network: Network, split: str, index: int) -> tuple[float, ...]:
        """The values of an example, where they are known."""
        inputs = [node.fields for node in network.nodes.values() if node.type == "Input"]
        of = network.recipe.data, network.recipe.seed, inputs
        if of != self._of:
            self._of, self._known, self._asked = of, {}, {}
        known = self._known.get((split, index))
        return () if known is None else known.values

    def asked(self, request: int, split: str, index: int) -> None:
        """The answer to this request will be about an example of the data of that network."""
        self._asked[request] = split, index

    def told(self, request: int, event: object) -> object:
        """Remember the example that an answer is about; the answer, with what only the data can tell."""
        example = self._asked.pop(request, None)
        if example is None or not isinstance(event, Responded):
            return event
        if event.values:
            self._known.pop(example, None)
            self._known[example] = _Example(event.values, event.classes, event.target)
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
        elif (known := self._known.get(example)) is not None:
            return replace(event, **known._asdict())
        return event
