"""From what was recorded to a network: ids, wires, and blocks for what is built of one class."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace
from torch import Tensor

from engine.catalog import LAYERS
from engine.exchange.grouping import Group, tree
from engine.exchange.recording import Made, Recording, Source
from engine.network import Argument, Block, Edge, End, Network, Node, identifier_problem


class Drawn(NamedTuple):
    """A network, and where the recorded tensors belong in it."""

    network: Network
    #: State-dict key -> value; shared parameters under their first name alone.
    state: dict[str, Tensor]
    #: Nodes with all blocks laid open, without the Outputs.
    layers: int

    def uses(self) -> dict[str, int]:
        """How often each block is used, in the network and within other blocks."""
        graphs: list[Network | Block] = [self.network, *self.network.blocks.values()]
        return {
            name: sum(node.block == name for graph in graphs for node in graph.nodes.values())
            for name in self.network.blocks
        }


class _Use(NamedTuple):
    """One use of a block."""

    block: str
    #: All arguments by value, and of these what its node says.
    arguments: Mapping[str, Any]
    fields: Mapping[str, Any]
    #: What the block calls its elements, its inputs and its outputs.
    names: Sequence[str]
    inputs: Sequence[str]
    outputs: Sequence[str]


def draw(recording: Recording, name: str) -> Drawn:
    """The network of a recording. Nodes that nothing uses are left out, Inputs excepted."""
    made = _used(recording)
    return _Drawer(recording, made, tree(recording, made), name).drawn()


def _used(recording: Recording) -> list[Made]:
    needed = {id(made) for made in recording.inputs.values()}
    todo = [source.made for source in recording.outputs.values()]
    while todo:
        made = todo.pop()
        if id(made) not in needed:
            needed.add(id(made))
            todo += [source.made for source in made.inputs.values()]
    return [made for made in recording.made if id(made) in needed]


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
        self, recording: Recording, made: Sequence[Made], elements: Sequence[Made | Group], name: str
    ) -> None:
        self.recording, self.made, self.elements, self.name = recording, made, elements, name
        self.blocks: dict[str, Block] = {}
        #: Path of a group -> its use.
        self.uses: dict[str, _Use] = {}
        self._define()

    def drawn(self) -> Drawn:
        """The network, and where weights belong."""
        ids = _Ids()
        names = [ids.new(self._relative(element, "")) for element in self.elements]
        nodes = {name: self._node(e, e.fields if isinstance(e, Made) else self.uses[e.path].fields)
                 for name, e in zip(names, self.elements, strict=True)}  # fmt: skip
        ends: dict[Source, End] = {}
        for name, element in zip(names, self.elements, strict=True):
            ends |= self._outputs(name, element)
        edges = [
            edge for name, e in zip(names, self.elements, strict=True) for edge in self._wires(name, e, ends)
        ]
        for output, source in self.recording.outputs.items():
            id = ids.new(output)
            nodes[id] = Node("Output")
            edges.append(Edge(ends[source], End(id)))
        place: dict[int, str] = {}
        for name, element in zip(names, self.elements, strict=True):
            self._place(element, name, place)
        state: dict[str, Tensor] = {}
        for item in self.made:
            path = place[id_of(item)]
            shared = {}
            for parameter, tensor in item.state.items():
                owner = item.shares.get(parameter)
                if owner is not None and id_of(owner[0]) in place and owner[0] is not item:
                    shared[parameter] = f"{place[id_of(owner[0])]}.{owner[1]}"
                else:
                    state[f"{path}.{parameter}"] = tensor
            if shared:
                nodes[path] = replace(nodes[path], shares=shared)
        network = Network(self.name, _in_order(nodes), tuple(edges), dict(reversed(self.blocks.items())))
        return Drawn(network, state, len(self.made))

    def _place(self, element: Made | Group, path: str, place: dict[int, str]) -> None:
        """Note where the nodes of `element`, which is at `path`, lie."""
        if isinstance(element, Made):
            place[id_of(element)] = path
            return
        for name, inner in zip(self.uses[element.path].names, element.elements, strict=True):
            self._place(inner, f"{path}.{name}", place)

    # ------------------------------------------------------------------ an element of a graph

    def _relative(self, element: Made | Group, path: str) -> str:
        """What an element is called in the module at `path`."""
        inner = element.path[len(path) :].lstrip(".") if element.path.startswith(path) else element.path
        return "_".join(part for part in (inner, element.word if isinstance(element, Made) else "") if part)

    def _node(self, element: Made | Group, fields: Mapping[str, Any]) -> Node:
        if isinstance(element, Made):
            return replace(element.node(), fields=fields)
        return Node("Block", fields, block=self.uses[element.path].block)

    def _outputs(self, id: str, element: Made | Group) -> dict[Source, End]:
        """What an element gives -> its ends."""
        if isinstance(element, Made):
            ports = element.outputs
            return {Source(element, port): _end(id, port, ports) for port in ports}
        names = self.uses[element.path].outputs
        return {s: _end(id, name, names) for s, name in zip(element.outputs, names, strict=True)}

    def _inputs(self, element: Made | Group) -> list[tuple[str, Source]]:
        """Input ports, and what arrives there."""
        if isinstance(element, Made):
            return list(element.inputs.items())
        return list(zip(self.uses[element.path].inputs, element.inputs, strict=True))

    def _wires(self, id: str, element: Made | Group, ends: Mapping[Source, End]) -> list[Edge]:
        found = []
        for port, source in self._inputs(element):
            if isinstance(element, Made):
                target = _target(id, port, element)
            else:
                target = _end(id, port, self.uses[element.path].inputs)
            found.append(Edge(ends[source], target))
        return found

    def _full(self, element: Made | Group) -> dict[str, Any]:
        """All fields of an element, those at their default too, pairs of one number as that number."""
        if isinstance(element, Group):
            return dict(self.uses[element.path].arguments)
        found = {}
        for field in LAYERS[element.type].fields:
            value = element.fields.get(field.name, None if field.required else field.default)
            value = list(value) if isinstance(value, tuple) else value
            if isinstance(value, list) and field.kind == "size" and len(set(map(str, value))) == 1:
                value = value[0]
            found[field.name] = value
        return found

    # ------------------------------------------------------------------ blocks

    def _define(self) -> None:
        """Define the blocks, those first that others are built of."""
        groups: list[Group] = []
        todo = [element for element in self.elements if isinstance(element, Group)]
        while todo:
            group = todo.pop()
            groups.append(group)
            todo += [element for element in group.elements if isinstance(element, Group)]
        order = {id(item): place for place, item in enumerate(self.made)}
        groups.sort(key=lambda group: (group.height, order[id(next(group.items()))]))
        names = _Ids()
        for height in range(1 + max((group.height for group in groups), default=-1)):
            alike: dict[Any, list[Group]] = {}
            for group in groups:
                if group.height == height:
                    alike.setdefault(self._signature(group), []).append(group)
            for uses in alike.values():
                self._block(names.new(uses[0].kind.__name__), uses)

    def _signature(self, group: Group) -> Any:
        """What two groups must have in common to be uses of one block."""
        places: dict[Source, Any] = {source: ("in", i) for i, source in enumerate(group.inputs)}
        lines = []
        for number, element in enumerate(group.elements):
            wires = tuple((port, places[source]) for port, source in self._inputs(element))
            kind = (
                (element.type, element.frozen)
                if isinstance(element, Made)
                else ("Block", self.uses[element.path].block)
            )
            lines.append((self._relative(element, group.path), kind, wires, _firm(self._full(element))))
            places |= {s: (number, end.port) for s, end in self._outputs("", element).items()}
        return group.kind, tuple(lines), tuple(places[source] for source in group.outputs)

    def _block(self, name: str, uses: Sequence[Group]) -> None:
        """Define one block, and what each of its uses says."""
        arguments, fields, values = self._arguments(uses)
        group, ids = uses[0], _Ids()
        ids.taken |= set(arguments)
        inner = [ids.new(self._relative(element, group.path)) for element in group.elements]
        inputs = [ids.new("x") for _ in group.inputs]
        outputs = [ids.new("out") for _ in group.outputs]
        nodes = {input: Node("Input") for input in inputs}
        ends = {source: End(input) for source, input in zip(group.inputs, inputs, strict=True)}
        edges: list[Edge] = []
        for id, element, own in zip(inner, group.elements, fields, strict=True):
            nodes[id] = self._node(element, own)
            edges += self._wires(id, element, ends)
            ends |= self._outputs(id, element)
        for source, output in zip(group.outputs, outputs, strict=True):
            nodes[output] = Node("Output")
            edges.append(Edge(ends[source], End(output)))
        self.blocks[name] = Block(dict(arguments), nodes, tuple(edges))
        for number, use in enumerate(uses):
            given = {argument: column[number] for argument, column in values.items()}
            said = {key: value for key, value in given.items() if value != arguments[key].default}
            self.uses[use.path] = _Use(name, given, said, inner, inputs, outputs)

    def _arguments(
        self, uses: Sequence[Group]
    ) -> tuple[dict[str, Argument], list[dict[str, Any]], dict[str, tuple[Any, ...]]]:
        """What differs between the uses, as arguments: equal columns of values are one argument."""
        columns: dict[tuple[str, ...], str] = {}
        arguments: dict[str, Argument] = {}
        values: dict[str, tuple[Any, ...]] = {}
        fields = []
        for number, element in enumerate(uses[0].elements):
            own = dict(element.fields if isinstance(element, Made) else self.uses[element.path].fields)
            full = [self._full(use.elements[number]) for use in uses]
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


#: Within :class:`_Drawer` ``id`` is a node's id.
id_of = id


def _firm(full: Mapping[str, Any]) -> tuple[Any, ...]:
    """The fields that cannot become arguments, by value; of the others their type."""
    return tuple(
        (name, type(value).__name__ if isinstance(value, bool | int | float | str) else repr(value))
        for name, value in full.items()
    )


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
