"""Which calls of modules become uses of blocks: what a recording nests, as a tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.catalog import LAYERS
from engine.exchange.recording import Made, Recording, Source


@dataclass(eq=False)
class Group:
    """What one call of a user's module did: to be one use of a block."""

    path: str
    kind: type
    #: Nodes and uses of further blocks, in the order of running.
    elements: list[Made | Group]
    #: What comes in from outside, in order of first use.
    inputs: list[Source]
    #: What is used outside.
    outputs: list[Source]

    @property
    def height(self) -> int:
        """How deep blocks lie in it."""
        return max((e.height + 1 for e in self.elements if isinstance(e, Group)), default=0)

    def items(self) -> Iterator[Made]:
        """All nodes in it."""
        for element in self.elements:
            if isinstance(element, Group):
                yield from element.items()
            else:
                yield element


def tree(recording: Recording, made: Sequence[Made]) -> list[Made | Group]:
    """The nodes `made`, those of calls of users' classes of which there are several in groups."""
    members = _members(recording, made)
    tied = {id(owner) for item in made for owner, _ in item.shares.values()}
    found: dict[str, Group] = {}
    # What lies within another module first: whether that is a group depends on it.
    for path in sorted(members, key=lambda path: -max(item.scope.index(path) for item in members[path])):
        items = members[path]
        inside = {id(item) for item in items}
        if any(item.shares or id(item) in tied or item.type not in LAYERS for item in items):
            continue
        elements = _elements(items, found, path)
        inputs = _distinct(s for item in items for s in item.inputs.values() if id(s.made) not in inside)
        outputs = _distinct(
            [
                s
                for item in made
                if id(item) not in inside
                for s in item.inputs.values()
                if id(s.made) in inside
            ]
            + [s for s in recording.outputs.values() if id(s.made) in inside]
        )
        if len(elements) > 1 and inputs and outputs and _whole(made, inside):
            found[path] = Group(path, recording.classes[path], elements, inputs, outputs)
    return _elements(made, found)


def _members(recording: Recording, made: Sequence[Made]) -> dict[str, list[Made]]:
    """Path of a module that may become a block -> what happened in it."""
    entered: dict[type, list[str]] = {}
    for path, kind in recording.classes.items():
        if path and recording.calls[path] == 1 and not kind.__module__.startswith("torch.nn."):
            entered.setdefault(kind, []).append(path)
    repeated = {path for paths in entered.values() if len(paths) > 1 for path in paths}
    members: dict[str, list[Made]] = {}
    for item in made:
        for path in item.scope:
            if path in repeated:
                members.setdefault(path, []).append(item)
    return members


def _elements(
    items: Sequence[Made], groups: dict[str, Group], within: str | None = None
) -> list[Made | Group]:
    """`items`, of which those in groups are these groups, each where its first node is."""
    found: dict[int, Made | Group] = {}
    for item in items:
        scope = item.scope if within is None else item.scope[item.scope.index(within) + 1 :]
        element: Made | Group = next((groups[path] for path in scope if path in groups), item)
        found.setdefault(id(element), element)
    return list(found.values())


def _whole(made: Sequence[Made], inside: set[int]) -> bool:
    """Whether nothing leaves the nodes `inside` and comes back: such a block would feed itself."""
    behind: set[int] = set()
    for item in made:
        sources = {id(source.made) for source in item.inputs.values()}
        if id(item) in inside:
            if sources & behind:
                return False
        elif sources & (inside | behind):
            behind.add(id(item))
    return True


def _distinct(sources: Iterable[Source]) -> list[Source]:
    return list(dict.fromkeys(sources))
