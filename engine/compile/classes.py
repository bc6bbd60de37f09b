"""What classes printed source has: the network's own, and one for each block.

All uses of a block become one class. What differs between them (channels, strides) becomes a
parameter of its constructor, named as the block's argument where it is one. Uses that differ in
more than values, such as a bias that one has and another has not, get classes of their own.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import torch

from engine import expression
from engine.catalog import INITIALIZERS, Apply, Call, Inputs
from engine.compile.expand import Expanded, Graph, Member, Step
from engine.compile.lower import Operation, schemes
from engine.compile.resolve import construct
from engine.compile.surroundings import Surroundings, surroundings
from engine.network import Network, Node


class Leaf(NamedTuple):
    """One layer of one use."""

    step: Step
    operation: Operation
    inputs: Inputs
    #: Parameter -> the call that draws its first values; torch's own are left out.
    initialisers: Mapping[str, Call]


def leaves(network: Network, steps: Iterable[tuple[Step, Operation, Inputs]]) -> dict[str, Leaf]:
    """The layers of `network` by path."""
    steps = list(steps)
    around = surroundings(step for step, _, _ in steps)
    return {
        step.path: Leaf(step, operation, inputs, _initialisers(network, step, operation, around[step.path]))
        for step, operation, inputs in steps
    }


def _initialisers(
    network: Network, step: Step, operation: Operation, around: Surroundings
) -> dict[str, Call]:
    if "" not in operation.children or (not network.defaults and not step.node.init):
        return {}
    with torch.device("meta"):
        module = construct(operation.children[""])
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    found = {}
    for parameter, choice in schemes(network, step.node, shapes, around).items():
        if parameter in shapes and choice.id != "default":
            entry = INITIALIZERS[choice.id]
            found[parameter] = entry.call(entry.settings(choice.fields))
    return found


class Unit:
    """One class: a graph and the uses that it stands for."""

    def __init__(
        self, name: str, prefixes: Sequence[str], graphs: Sequence[Graph], block: Any, hidden: Set[str]
    ) -> None:
        self.name = name
        #: Arguments that bear the name of a class or a module, by what the code calls them.
        self.written = {
            argument: f"{argument}_" if argument in hidden else argument
            for argument in (() if block is None else block.arguments)
        }
        self.prefixes = tuple(prefixes)
        self.members = graphs[0].members
        #: The nodes as they are drawn, with their expressions.
        self.drawn: Mapping[str, Node] = {} if block is None else block.nodes
        #: The block's arguments -> their value in each use.
        self.arguments = {
            written: tuple(graph.arguments[argument] for graph in graphs)
            for argument, written in self.written.items()
        }
        self.defaults = {self.written[name]: block.arguments[name].default for name in self.written}
        #: The constructor's parameters -> their value in each use.
        self.parameters: dict[str, tuple[Any, ...]] = {}
        #: Parameters that the forward reads, and so are kept as attributes.
        self.kept: dict[str, str] = {}

    def paths(self, id: str) -> list[str]:
        """The paths of member `id` in all uses."""
        return [f"{prefix}.{id}" if prefix else id for prefix in self.prefixes]

    def inputs(self) -> list[Member]:
        """Its Input nodes."""
        return [member for member in self.members if member.node.type == "Input"]

    def outputs(self) -> list[Member]:
        """Its Output nodes."""
        return [member for member in self.members if member.node.type == "Output"]

    def code(self, values: Sequence[Any], hint: str, id: str) -> str:
        """How the constructor writes a value that is ``values[i]`` in use `i`.

        `hint` is what the value is called where it is used, `id` the member that uses it.
        """
        vector = _key(values)
        if len(set(vector)) == 1:
            return literal(values[0])
        for name, own in self.arguments.items():
            if _key(own) == vector:
                return self._parameter(name, own)
        ids = dict.fromkeys((id, *self.drawn))  # its own first; then a norm is as wide as the layer before
        for text, names in (found for other in ids for found in self._expressions(other)):
            every = [
                dict(zip(names, row, strict=True))
                for row in zip(*(self.arguments[n] for n in names), strict=True)
            ]
            if every and _key([expression.evaluate(text, row) for row in every]) == vector:
                for name in names:
                    self._parameter(name, self.arguments[name])
                return text
        for name, own in self.parameters.items():
            if _key(own) == vector:
                return name
        name, number = hint, 1
        if name in self.parameters or name in self.arguments:
            name = f"{id}_{hint}"
        while name in self.parameters or name in self.arguments:
            number += 1
            name = f"{id}_{hint}{number}"
        return self._parameter(name, tuple(values))

    def kept_code(self, values: Sequence[Any], hint: str, id: str) -> str:
        """How the forward writes such a value."""
        text = self.code(values, hint, id)
        if len(set(_key(values))) == 1:
            return text
        name = re.sub(r"\W+", "_", f"{id}_{hint}").strip("_")
        while name in {member.id for member in self.members} or self.kept.get(name, text) != text:
            name += "_"
        self.kept[name] = text
        return f"self.{name}"

    def _parameter(self, name: str, values: tuple[Any, ...]) -> str:
        self.parameters[name] = values
        return name

    def _expressions(self, id: str) -> list[tuple[str, list[str]]]:
        """The drawn expressions of a member that Python reads alike -> the arguments they name."""
        node = self.drawn.get(id)
        found = []
        for value in () if node is None else node.fields.values():
            if not expression.is_expression(value):
                continue
            said = expression.mapped(value, lambda name: self.written.get(name, name))
            text = str(said["expr"]).strip()
            names = sorted(expression.names_in(text))
            if "/" not in text.replace("//", "") and names and set(names) <= set(self.arguments):
                found.append((text, names))
        return found

    def signature(self) -> list[tuple[str, str, Any]]:
        """The constructor's parameters as ``(name, type, default)``; those without a default first."""
        found = []
        for name, values in self.parameters.items():
            kinds = dict.fromkeys(_type_name(value) for value in values)
            default = self.defaults.get(name) if name in self.arguments else None
            found.append((name, " | ".join(kinds), default))
        return sorted(found, key=lambda item: item[2] is not None)


def units(network: Network, expanded: Expanded, found: Mapping[str, Leaf], taken: set[str]) -> list[Unit]:
    """All classes, each behind those that it uses; the network's own is last, and bears its name."""
    signatures: dict[str, Any] = {}
    grouped: dict[tuple[str, Any], list[str]] = {}
    for prefix, graph in expanded.graphs.items():
        if graph.block is None:
            continue
        shape = signatures[prefix] = tuple(
            (member.id, _structure(path, member, found, signatures))
            for member in graph.members
            for path in (f"{prefix}.{member.id}",)
        )
        grouped.setdefault((graph.block, repr(shape)), []).append(prefix)
    names = []
    for block, _ in grouped:
        names.append(class_name(block, taken, "Block"))
        taken.add(names[-1])
    last = class_name(network.name, taken, "Network")
    hidden = taken | {last} | _BUILTIN
    made = [
        Unit(name, prefixes, [expanded.graphs[prefix] for prefix in prefixes], network.blocks[block], hidden)
        for name, ((block, _), prefixes) in zip(names, grouped.items(), strict=True)
    ]
    return [*made, Unit(last, [""], [expanded.graphs[""]], None, hidden)]


#: What constructors use without importing it, and words that cannot be a parameter's name.
_BUILTIN = frozenset(
    {"self", "super", "range", "math", "_", "int", "float", "bool", "str", "tuple", *keyword.kwlist}
)


def repeats(path: str, node: Node) -> list[str]:
    """The graphs of one use of a block."""
    return [path] if node.repeat == 1 else [f"{path}.{index}" for index in range(node.repeat)]


def _structure(path: str, member: Member, found: Mapping[str, Leaf], signatures: Mapping[str, Any]) -> Any:
    """All of a member but its values."""
    if member.node.type == "Block":
        return [signatures[prefix] for prefix in repeats(path, member.node)]
    leaf = found.get(path)
    if leaf is None:
        return member.node.type
    operation = leaf.operation
    calls = (operation.call, operation.activation, operation.input, operation.weight)
    return (
        [_outline(call) for call in calls],
        [(name, _outline(call)) for name, call in leaf.initialisers.items()],
        member.outputs,
        tuple(member.inputs),
    )


def _outline(call: Call | Apply | None) -> Any:
    return None if call is None else (call.target, len(call.args), sorted(call.kwargs))


def _key(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(repr, values))


def _type_name(value: Any) -> str:
    if isinstance(value, tuple):
        inner = dict.fromkeys(_type_name(item) for item in value)
        return f"tuple[{' | '.join(inner) or 'int'}, ...]"
    return "None" if value is None else type(value).__name__


def literal(value: Any) -> str:
    """`value` as Python writes it; text in double quotes where it needs no escapes."""
    text = repr(value)
    if isinstance(value, str) and text[1:-1] == value and '"' not in value:
        return f'"{value}"'
    return text


def class_name(name: str, taken: set[str], kind: str) -> str:
    """`name` in CamelCase, as a class may bear it that is none of `taken`."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    camel = "".join(word[0].upper() + word[1:] for word in words)[:60]
    if not camel or not camel[0].isalpha() or camel in taken or keyword.iskeyword(camel):
        camel = f"{kind}{camel}"
    number, found = 1, camel
    while found in taken:
        number += 1
        found = f"{camel}{number}"
    return found
