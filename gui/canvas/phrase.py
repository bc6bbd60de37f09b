"""A layer as people say it: ``conv2d 6 5x5 pad 2 relu``. Pure functions of text and catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from engine.catalog import ACTIVATIONS, Layer
from engine.catalog.fields import Bool, Field, Option, Shape
from gui.canvas import card
from gui.forms.parse import from_text

#: A number, or sizes with ×, x or a comma between them.
_VALUE = re.compile(r"-?\d+(?:\.\d*)?(?:e-?\d+)?(?:[×x,]-?\d+)*", re.IGNORECASE)
_NAMES = {id.lower(): id for id in ACTIVATIONS}


@dataclass(frozen=True)
class Phrase:
    """What was typed: words that name a layer, and what is said of it."""

    #: The words by which the layer is searched.
    query: str
    #: The rest, for :func:`read`.
    words: tuple[str, ...] = ()


@dataclass
class Reading:
    """What a phrase's words mean for one layer."""

    fields: dict[str, Any] = field(default_factory=dict)
    activation: str | None = None
    #: What could not be understood, for the user; empty: all was.
    trouble: str = ""

    def describe(self, layer: Layer) -> str:
        """What will be made: ``Conv2d · 6 · 5×5 · padding 2 · ReLU``."""
        said = [
            card.value_text(value) if declared.required else f"{name} {card.value_text(value)}"
            for declared in layer.fields
            for name, value in self.fields.items()
            if declared.name == name
        ]
        return " · ".join([layer.id, *said, *([self.activation] if self.activation else [])])


def split(text: str) -> Phrase:
    """Separate the layer's name from what is said of it: from the first value or ``name=value`` on."""
    words = text.split()
    for number, word in enumerate(words):
        if number and (_VALUE.fullmatch(word) or "=" in word):
            return Phrase(" ".join(words[:number]), tuple(words[number:]))
    if len(words) > 1 and words[-1].lower() in _NAMES:
        return Phrase(" ".join(words[:-1]), (words[-1],))
    return Phrase(text)


def read(layer: Layer, words: tuple[str, ...]) -> Reading:
    """Give `words` to a layer's fields: bare values in the fields' order, others by the field's name."""
    reading, todo = Reading(), [word for part in words for word in _parted(part)]
    while todo:
        word = todo.pop(0)
        free = [declared for declared in layer.fields if declared.name not in reading.fields]
        if _VALUE.fullmatch(word):
            target = next((declared for declared in free if not isinstance(declared, Bool | Option)), None)
            if target is None:
                return _troubled(reading, f"{layer.id} has no further field for {word}.")
            if isinstance(target, Shape):
                while todo and _VALUE.fullmatch(todo[0]):
                    word += f" {todo.pop(0)}"
        elif word.lower() in _NAMES:
            reading.activation = _NAMES[word.lower()]
            continue
        else:
            target = _named(layer, word)
            if target is None:
                return _troubled(reading, f"{word} is no field of {layer.id}.")
            if isinstance(target, Bool) and (not todo or todo[0].lower() not in ("true", "false")):
                reading.fields[target.name] = True
                continue
            if not todo:
                return _troubled(reading, f"{target.name} needs a value: {target.expected}.")
            word = todo.pop(0)
        try:
            value = from_text(target, word)
        except (ValueError, TypeError) as wrong:
            return _troubled(reading, f"{target.name}: {wrong}")
        problem = target.check(value)
        if problem:
            return _troubled(reading, f"{target.name}: {problem}")
        value = target.canonical(value)
        reading.fields[target.name] = list(value) if isinstance(value, tuple) else value
    return reading


def _parted(word: str) -> list[str]:
    return [part for part in word.split("=", 1) if part]


def _named(layer: Layer, word: str) -> Field | None:
    """The field that begins with `word`, or one of whose words does: ``pad``, ``channels``."""
    word = word.lower()
    for match in (
        lambda name: name == word,
        lambda name: name.startswith(word),
        lambda name: any(part.startswith(word) for part in name.split("_")),
    ):
        found = next((declared for declared in layer.fields if match(declared.name)), None)
        if found is not None:
            return found
    return None


def _troubled(reading: Reading, trouble: str) -> Reading:
    reading.trouble = trouble
    return reading
