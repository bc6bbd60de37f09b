"""What a rule of binarized networks is: what breaks it, why it matters, and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from engine.binary.around import Around, place_of
from engine.compile.expand import Step
from engine.network import Network


class Way(NamedTuple):
    """A way out: a sentence, and the edit."""

    text: str
    make: Callable[[Network], Network]


class Fault(NamedTuple):
    """One place where a rule is broken."""

    #: None: the recipe.
    step: Step | None
    field: str | None
    message: str
    #: The best first.
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BinaryRule:
    """One rule: its code, how grave it is to break it, why it matters with a source, and what breaks it."""

    code: str
    severity: str
    lesson: str
    find: Callable[[Around], Iterator[Fault]]


def on(step: Step, text: str, change: Callable[..., Network], *args: object) -> Way:
    """A way that calls ``change(network, id, *args, block=…)`` on the node of `step`."""
    block, id = place_of(step)
    return Way(text, lambda network: change(network, id, *args, block=block))


def own_id(step: Step) -> str:
    """The node's id in its own graph, which is what an edit changes."""
    return place_of(step)[1]


def seen_from(step: Step, other: Step) -> str:
    """The id of `other`, with its block where that is not the one of `step`."""
    (block, id), here = place_of(other), place_of(step)[0]
    return id if block in (None, here) else f"{id} of {block}"
