"""Blocks as the compiler reads them: their sizes, their arguments, the expressions inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from engine import expression
from engine.catalog.fields import Bool, Field, Float, Int, Text
from engine.network import Argument, Block, Choice, Network, Node, identifier_problem
from engine.problems import did_you_mean

#: Nodes that a network may have with all its blocks laid open.
MOST_NODES = 50_000
#: Repeats of one block.
MOST_REPEATS = 10_000
#: Levels of blocks in blocks.
MOST_DEEP = 32

#: What an argument may be.
ARGUMENT_TYPES = ("int", "float", "bool", "text")


def argument_field(name: str, argument: Argument) -> Field:
    """An argument as a field, for its check and its form."""
    kinds: dict[str, type[Field]] = {"int": Int, "float": Float, "bool": Bool, "text": Text}
    kind = kinds.get(argument.type, Field)
    if argument.default is None:
        start = {"int": 1, "float": 1.0, "bool": False, "text": ""}.get(argument.type)
        return kind(name, doc=argument.doc, start=start)
    return kind(name, argument.default, doc=argument.doc)


#: A field (empty: none), a code and a message.
_Wrong = tuple[str, str, str]


class Blocks:
    """What all blocks of a network come to when laid open."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._sizes: dict[str, int] = {}
        #: Blocks that contain themselves -> the way round.
        self._circles: dict[str, list[str]] = {}
        for name in network.blocks:
            self._size(name, [])

    def _size(self, name: str, around: list[str]) -> int:
        """Nodes of one use of block `name`."""
        if name in around:
            circle = [*around[around.index(name) :], name]
            for member in circle:
                self._circles.setdefault(member, circle)
            return 0
        if len(around) > 2 * MOST_DEEP:
            return MOST_NODES + 1
        if name not in self._sizes:
            total = 0
            for node in self.network.blocks[name].nodes.values():
                inner = 1
                if node.type == "Block" and node.block is not None and node.block in self.network.blocks:
                    inner += self._size(node.block, [*around, name]) * max(1, node.repeat)
                total = min(total + inner, MOST_NODES + 1)
            self._sizes[name] = total
        return self._sizes[name]

    def refusal(self, node: Node, depth: int, laid: int) -> _Wrong | None:
        """Why this use of a block cannot be laid open; None if it can.

        `depth` says how many blocks it is in, `laid` how many nodes there are without it.
        """
        blocks = self.network.blocks
        if node.block is None:
            return "block", "unknown-block", "it is a Block and names none. Choose one in `block`."
        if node.block not in blocks:
            known = f" There are: {', '.join(blocks)}." if blocks else " The file defines none."
            return (
                "block",
                "unknown-block",
                f"there is no block {node.block!r}.{did_you_mean(node.block, blocks) or known}",
            )
        wrong = identifier_problem(node.block)
        if wrong is not None:
            return "block", "bad-id", wrong
        if node.block in self._circles:
            circle = " → ".join(self._circles[node.block])
            return (
                "block",
                "recursive-block",
                f"the block contains itself: {circle}. Take one use out.",
            )
        if not 1 <= node.repeat <= MOST_REPEATS:
            message = f"{node.repeat} is out of range: a whole number from 1 to {MOST_REPEATS:,}."
            return "repeat", "wrong-field", message
        if depth >= MOST_DEEP:
            return "block", "too-deep", f"blocks are nested more than {MOST_DEEP} levels deep."
        if self._sizes[node.block] * node.repeat + laid > MOST_NODES:
            return (
                "repeat" if node.repeat > 1 else "block",
                "too-many-nodes",
                f"laid open, the network would have more than {MOST_NODES:,} nodes. Repeat less often.",
            )
        block = blocks[node.block]
        ins = sum(inner.type == "Input" for inner in block.nodes.values())
        outs = sum(inner.type == "Output" for inner in block.nodes.values())
        if node.repeat > 1 and ins != outs:
            return (
                "repeat",
                "repeat-ports",
                f"to follow itself, {node.block} needs as many inputs as outputs: it has {ins} and {outs}.",
            )
        return None


def taken_by_blocks(node: Node) -> list[_Wrong]:
    """What a use of a block carries that only a layer takes."""
    found = []
    if node.activation is not None:
        found.append(("activation", "activation-place", "a block takes no activation; put one inside it."))
    for parameter in node.init:
        message = "a block has no parameters of its own to initialise; choose it inside."
        found.append((f"init.{parameter}", "unknown-parameter", message))
    for part in node.binarize:
        message = "a block has no weight of its own to binarize; choose it inside."
        found.append((f"binarize.{part}", "binarize-place", message))
    for own in node.shares:
        found.append((f"shares.{own}", "unknown-parameter", "a block has no parameters of its own to share."))
    return found


def arguments_of(block: Block, node: Node) -> tuple[dict[str, Any], list[_Wrong]]:
    """The values of the block's arguments in this use, and what is wrong with them."""
    found: dict[str, Any] = {}
    wrong: list[_Wrong] = []
    for name in node.fields:
        if name not in block.arguments:
            message = f"{node.block} has no argument {name!r}.{did_you_mean(name, block.arguments)}"
            wrong.append((name, "unknown-field", message))
    for name, argument in block.arguments.items():
        if argument.type not in ARGUMENT_TYPES:
            message = f"{argument.type!r} is no type of an argument: one of {', '.join(ARGUMENT_TYPES)}."
            wrong.append((name, "bad-argument", message))
            continue
        if not name.isidentifier() or name == expression.INDEX:
            wrong.append((name, "bad-argument", f"{name!r} cannot be its name: use letters, digits and _."))
            continue
        field = argument_field(name, argument)
        value = node.fields.get(name, argument.default)
        if value is None:
            wrong.append((name, "missing-field", f"is missing: {field.expected}."))
            continue
        message = field.check(value) or ""
        if message:
            wrong.append((name, "wrong-field", message))
        else:
            found[name] = field.canonical(value)
    return found, wrong


def resolved(node: Node, names: Mapping[str, Any]) -> tuple[Node, tuple[str, str] | None]:
    """`node` with its expressions computed, and the first ``(field, what is wrong)`` with one."""
    if not has_expressions(node):
        return node, None
    parts: dict[str, Any] = {}
    try:
        place = "repeat"
        if node.repeat_expression:
            parts["repeat"] = expression.evaluate(node.repeat_expression, names)
            if not isinstance(parts["repeat"], int) or isinstance(parts["repeat"], bool):
                said = f"{node.repeat_expression} gives {parts['repeat']}: a whole number is needed."
                return node, (place, said)
        fields = {}
        for place, value in node.fields.items():
            fields[place] = expression.resolve(value, names)
        parts["fields"] = fields
        if node.activation is not None:
            place = "activation"
            parts["activation"] = _choice(node.activation, names)
        for key in ("init", "binarize"):
            chosen = {}
            for name, choice in getattr(node, key).items():
                place = f"{key}.{name}"
                chosen[name] = _choice(choice, names)
            parts[key] = chosen
    except expression.ExpressionProblem as problem:
        return node, (place, str(problem))
    return replace(node, **parts), None


def _choice(choice: Choice, names: Mapping[str, Any]) -> Choice:
    return replace(choice, fields={name: expression.resolve(v, names) for name, v in choice.fields.items()})


def _has_expression(value: Any) -> bool:
    if expression.is_expression(value):
        return True
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(_has_expression(item) for item in inner)


def has_expressions(node: Node) -> bool:
    """Whether anything of `node` has to be computed."""
    if node.repeat_expression:
        return True
    choices = [*node.init.values(), *node.binarize.values()]
    if node.activation is not None:
        choices.append(node.activation)
    return any(
        isinstance(value, Mapping | list | tuple) and _has_expression(value)
        for fields in (node.fields, *(choice.fields for choice in choices))
        for value in fields.values()
    )
