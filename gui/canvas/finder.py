"""Finding layers by what a person types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.catalog import GROUPS, LAYERS

#: What most networks are made of: first in the palette, and first among equals in a search.
COMMON = (
    "Input",
    "Conv2d",
    "MaxPool2d",
    "BatchNorm2d",
    "ReLU",
    "Flatten",
    "Linear",
    "Dropout",
    "Add",
    "Output",
)


class Found(Protocol):
    """What a list of layers shows of each: a catalogue entry has it, and a block of the document."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def group(self) -> str: ...  # noqa: D102
    @property
    def doc(self) -> str: ...  # noqa: D102
    @property
    def keywords(self) -> tuple[str, ...]: ...  # noqa: D102


def find(
    query: str, wanted: Callable[[str], bool] | None = None, blocks: Sequence[Found] = ()
) -> list[Found]:
    """Layers and `blocks` that match `query`, the best first; all of them by group where it is empty."""
    words = query.lower().split()
    ranked = []
    listed: list[Found] = [*blocks, *LAYERS.values()]
    for number, layer in enumerate(listed):
        if wanted is not None and layer.id in LAYERS and not wanted(layer.id):
            continue
        scores = [_score(word, layer) for word in words]
        if all(score > 0 for score in scores):
            group = GROUPS.index(layer.group) if layer.group in GROUPS else -1
            place = (group, number) if not words else (layer.id not in COMMON, len(layer.id))
            ranked.append((-sum(scores), *place, number, layer))
    ranked.sort(key=lambda item: item[:4])
    return [layer for *_, layer in ranked]


def _score(word: str, layer: Found) -> int:
    id, title = layer.id.lower(), layer.title.lower()
    if id.startswith(word):
        return 100
    if any(part.startswith(word) for part in title.split()):
        return 80
    if any(key.startswith(word) for key in layer.keywords):
        return 60
    if word in id or word in title:
        return 50
    if layer.group.lower().startswith(word):
        return 30
    if len(word) >= 2 and _scattered(word, id):
        return 10
    return 0


def _scattered(word: str, text: str) -> bool:
    """Whether the letters of `word` occur in `text` in order: ``mxp`` in ``maxpool2d``."""
    rest = iter(text)
    return all(letter in rest for letter in word)
