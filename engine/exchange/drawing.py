"""From what was recorded to a network: ids, wires, and blocks for what is built of one class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace
from torch import Tensor

from engine.catalog import LAYERS
from engine.exchange.recording import Made, Recording, Source
from engine.network import Argument, Block, Edge, End, Network, Node, identifier_problem


class Drawn(NamedTuple):
    """A network, and where the recorded tensors belong in it."""

    network: Network
    #: State-dict key -> value; shared parameters under their first name alone.
    state: dict[str, Tensor]
    #: Nodes with all blocks laid open, without the Outputs.
    layers: int


class _Group(NamedTuple):
    """What one call of a module did: to be one use of a block."""

    path: str
    members: list[Made]
    #: What comes in from outside, in order of first use.
    inputs: list[Source]
    #: What is used outside.
    outputs: list[Source]


def draw(recording: Recording, name: str) -> Drawn:
    """The network of a recording. Nodes that nothing uses are left out, Inputs excepted."""
    made = _used(recording)
    groups = _groups(recording, made)
    return _Drawer(recording, made, groups, name).drawn()


def _used(recording: Recording) -> list[Made]:
    needed = {id(made) for made in recording.inputs.values()}
    todo = [source.made for source in recording.outputs.values()]
    while todo:
        made = todo.pop()
        if id(made) not in needed:
            needed.add(id(made))
            todo += [source.made for source in made.inputs.values()]
    return [made for made in recording.made if id(made) in needed]


# ---------------------------------------------------------------------------- groups


def _groups(recording: Recording, made: Sequence[Made]) -> list[_Group]:
    """Calls of users' classes of which there are several."""
    entered: dict[type, list[str]] = {}
    for path, kind in recording.classes.items():
        if path and recording.calls[path] == 1 and not kind.__module__.startswith("torch.nn."):
            entered.setdefault(kind, []).append(path)
    repeated = {path for paths in entered.values() if len(paths) > 1 for path in paths}
    members: dict[str, list[Made]] = {}
    for item in made:
        outermost = next((path for path in item.scope if path in repeated), None)
        if outermost is not None:
            members.setdefault(outermost, []).append(item)
    tied = {id(owner) for item in made for owner, _ in item.shares.values()}
    found = []
    for path, items in members.items():
        inside = {id(item) for item in items}
        if len(items) < 2 or any(
            item.shares or id(item) in tied or item.type not in LAYERS for item in items
        ):
            continue
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
        if inputs and outputs:
            found.append(_Group(path, items, inputs, outputs))
    return found


def _distinct(sources: Iterable[Source]) -> list[Source]:
    return list(dict.fromkeys(sources))


def _signature(group: _Group, kind: type) -> Any:
    """What two groups must have in common to be uses of one block."""
    places: dict[Source, Any] = {source: ("in", i) for i, source in enumerate(group.inputs)}
    lines = []
    for number, item in enumerate(group.members):
        wires = tuple((port, places[source]) for port, source in item.inputs.items())
        lines.append((_relative(item, group.path), item.type, item.frozen, wires, _firm(item)))
        places |= {Source(item, port): (number, port) for port in item.outputs}
    return kind, tuple(lines), tuple(places[source] for source in group.outputs)


def _full(item: Made) -> dict[str, Any]:
    """All fields of a node, those at their default too, pairs of one number as that number."""
    found = {}
    for field in LAYERS[item.type].fields:
        value = item.fields.get(field.name, None if field.required else field.default)
        value = list(value) if isinstance(value, tuple) else value
        if isinstance(value, list) and field.kind == "size" and len(set(map(str, value))) == 1:
            value = value[0]
        found[field.name] = value
    return found


def _firm(item: Made) -> tuple[Any, ...]:
    """The fields that cannot become arguments, by value; of the others their type."""
    return tuple(
        (name, type(value).__name__ if isinstance(value, bool | int | float | str) else repr(value))
        for name, value in _full(item).items()
    )


def _relative(item: Made, path: str) -> str:
    inner = item.path[len(path) :].lstrip(".") if item.path.startswith(path) else item.path
    return "_".join(part for part in (inner, item.word) if part)


# ---------------------------------------------------------------------------- drawing


class _Ids:
    """Ids that are free in one graph."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def new(self, wish: str) -> str:
        """An id like `wish`."""
        word = re.sub(r"_+", "_", re.sub(r"\W", "_", wish, flags=re.ASCII)).strip("_")[:56] or "layer"
        word = word if word[0].isalpha() else f"layer_{word}"
        if identifier_problem(word) is not None:
            word = f"{word.rstrip('_')}_1"
        chosen, number = word, 2
        while chosen in self.taken or identifier_problem(chosen) is not None:
            chosen, number = f"{word}_{number}", number + 1
        self.taken.add(chosen)
        return chosen


class _Drawer:
    def __init__(
        self, recording: Recording, made: Sequence[Made], groups: Sequence[_Group], name: str
    ) -> None:
        self.recording, self.made, self.name = recording, made, name
        self.group_of = {id(item): group for group in groups for item in group.members}
        self.ids = _Ids()
        self.blocks: dict[str, Block] = {}
        #: Path of a group -> the block's name, ids inside, and names of its ports.
        self.uses: dict[str, tuple[str, dict[str, Any], list[str], list[str], list[str]]] = {}
        self._define(groups)

    def drawn(self) -> Drawn:
        nodes: dict[str, Node] = {}
        place: dict[int, str] = {}  # id(Made) -> its path in the network
        ends: dict[Source, End] = {}
        wires: list[tuple[Source, End]] = []
        for item in self.made:
            group = self.group_of.get(id(item))
            if group is None:
                id_ = self.ids.new(_relative(item, ""))
                nodes[id_], place[id(item)] = item.node(), id_
                ends |= {Source(item, port): _end(id_, port, item.outputs) for port in item.outputs}
                wires += [(s, _target(id_, port, item)) for port, s in item.inputs.items()]
            elif item is group.members[0]:
                block, fields, inner, inputs, outputs = self.uses[group.path]
                id_ = self.ids.new(group.path.replace(".", "_"))
                nodes[id_] = Node("Block", fields, block=block)
                place |= {id(m): f"{id_}.{name}" for m, name in zip(group.members, inner, strict=True)}
                ends |= {s: _end(id_, p, outputs) for s, p in zip(group.outputs, outputs, strict=True)}
                wires += [(s, _end(id_, p, inputs)) for s, p in zip(group.inputs, inputs, strict=True)]
        for name, source in self.recording.outputs.items():
            id_ = self.ids.new(name)
            nodes[id_] = Node("Output")
            wires.append((source, End(id_)))
        state: dict[str, Tensor] = {}
        for item in self.made:
            path = place[id(item)]
            shared = {}
            for name, tensor in item.state.items():
                owner = item.shares.get(name)
                if owner is not None and id(owner[0]) in place and owner[0] is not item:
                    shared[name] = f"{place[id(owner[0])]}.{owner[1]}"
                else:
                    state[f"{path}.{name}"] = tensor
            if shared:
                nodes[path] = replace(nodes[path], shares=shared)
        edges = tuple(Edge(ends[source], target) for source, target in wires)
        return Drawn(Network(self.name, _in_order(nodes), edges, self.blocks), state, len(self.made))

    def _define(self, groups: Sequence[_Group]) -> None:
        alike: dict[Any, list[_Group]] = {}
        for group in groups:
            alike.setdefault(_signature(group, self.recording.classes[group.path]), []).append(group)
        names = _Ids()
        for (kind, *_), uses in alike.items():
            name = names.new(kind.__name__)
            arguments, fields, values = _arguments(uses)
            self.blocks[name], inner, inputs, outputs = _block(uses[0], arguments, fields)
            for number, use in enumerate(uses):
                given = {
                    argument: column[number]
                    for argument, column in values.items()
                    if column[number] != arguments[argument].default
                }
                self.uses[use.path] = (name, given, inner, inputs, outputs)


def _arguments(
    uses: Sequence[_Group],
) -> tuple[dict[str, Argument], list[dict[str, Any]], dict[str, tuple[Any, ...]]]:
    """What differs between the uses, as arguments: equal columns of values are one argument."""
    columns: dict[tuple[str, ...], str] = {}
    arguments: dict[str, Argument] = {}
    values: dict[str, tuple[Any, ...]] = {}
    fields = []
    for number, item in enumerate(uses[0].members):
        own = dict(item.fields)
        full = [_full(use.members[number]) for use in uses]
        for field in full[0]:
            column = tuple(each[field] for each in full)
            if all(value == column[0] for value in column):
                continue
            key = tuple(map(repr, column))
            if key not in columns:
                name, suffix = field, 2
                while name in arguments:
                    name, suffix = f"{field}_{suffix}", suffix + 1
                columns[key] = name
                kind = {bool: "bool", int: "int", float: "float", str: "text"}[type(column[0])]
                arguments[name] = Argument(kind, column[0])
                values[name] = column
            own[field] = {"expr": columns[key]}
        fields.append(own)
    return arguments, fields, values


def _block(
    group: _Group, arguments: Mapping[str, Argument], fields: Sequence[Mapping[str, Any]]
) -> tuple[Block, list[str], list[str], list[str]]:
    ids = _Ids()
    ids.taken |= set(arguments)
    inner = [ids.new(_relative(item, group.path)) for item in group.members]
    inputs = [ids.new("x") for _ in group.inputs]
    outputs = [ids.new("out") for _ in group.outputs]
    nodes = {name: Node("Input") for name in inputs}
    ends = {source: End(name) for source, name in zip(group.inputs, inputs, strict=True)}
    edges = []
    for name, item, own in zip(inner, group.members, fields, strict=True):
        nodes[name] = replace(item.node(), fields=own)
        ends |= {Source(item, port): _end(name, port, item.outputs) for port in item.outputs}
        edges += [Edge(ends[source], _target(name, port, item)) for port, source in item.inputs.items()]
    for source, name in zip(group.outputs, outputs, strict=True):
        nodes[name] = Node("Output")
        edges.append(Edge(ends[source], End(name)))
    return Block(dict(arguments), nodes, tuple(edges)), inner, inputs, outputs


def _end(id: str, port: str, ports: Sequence[str]) -> End:
    return End(id, port if len(ports) > 1 else None)


def _target(id: str, port: str, item: Made) -> End:
    layer = LAYERS.get(item.type)
    if layer is None:
        return End(id, port if len(item.inputs) > 1 else None)
    return End(id, port if layer.variadic or len(layer.inputs) > 1 else None)


def _in_order(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Inputs first, in the order of the module's arguments, which is that of their making."""
    return {id: n for id, n in nodes.items() if n.type == "Input"} | {
        id: n for id, n in nodes.items() if n.type != "Input"
    }
