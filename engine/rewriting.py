"""Rewrites a node's values: the expressions in them, and the paths of the parameters that it shares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from engine import expression
from engine.edit import EditProblem
from engine.network import Choice, Node


def _choices(node: Node) -> list[Choice]:
    own = [] if node.activation is None else [node.activation]
    return [*own, *node.init.values(), *node.binarize.values()]


def names(node: Node) -> set[str]:
    """The names that expressions of a node read."""
    found: set[str] = set()

    def note(name: str) -> str:
        found.add(name)
        return name

    for fields in (node.fields, *(choice.fields for choice in _choices(node))):
        expression.mapped(fields, note)
    return found | expression.names_in(node.repeat_expression)


def rewritten(node: Node, change: Callable[[Any], Any]) -> Node:
    """`node` with `change` made to each value that may hold an expression.

    Raises
    ------
    EditProblem
        If the block would repeat what is no whole number of times.
    """
    if not names(node):
        return node

    def choice(old: Choice) -> Choice:
        return replace(old, fields={name: change(value) for name, value in old.fields.items()})

    repeat: Any = change({"expr": node.repeat_expression}) if node.repeat_expression else node.repeat
    computed = expression.is_expression(repeat)
    if not computed and (isinstance(repeat, bool) or not isinstance(repeat, int)):
        raise EditProblem(
            f"{node.repeat_expression} gives {repeat}: a block repeats a whole number of times."
        )
    return replace(
        node,
        repeat=1 if computed else repeat,
        repeat_expression=repeat["expr"] if computed else "",
        fields={name: change(value) for name, value in node.fields.items()},
        activation=None if node.activation is None else choice(node.activation),
        init={name: choice(old) for name, old in node.init.items()},
        binarize={name: choice(old) for name, old in node.binarize.items()},
    )


def sharing(node: Node, change: Callable[[str], str]) -> Node:
    """`node` with the paths of its shared parameters changed."""
    if not node.shares:
        return node
    shares = {own: change(target) for own, target in node.shares.items()}
    return node if shares == node.shares else replace(node, shares=shares)


def substituted(value: Any, values: Mapping[str, Any]) -> Any:
    """`value` with what `values` say in place of the names; computed where that leaves none.

    Raises
    ------
    EditProblem
        If an expression cannot be computed.
    """
    if expression.is_expression(value):
        text = str(value["expr"])
        used = expression.names_in(text)
        try:
            if not any(expression.is_expression(values.get(name)) for name in used):
                if used <= set(values):
                    return expression.evaluate(text, values)
                return value
        except expression.ExpressionProblem as problem:
            raise EditProblem(str(problem)) from None

        def written(name: str) -> str:
            given = values.get(name, {"expr": name})
            if not expression.is_expression(given):
                return repr(given)
            inner = str(given["expr"])
            return inner if re.fullmatch(r"\w+", inner) else f"({inner})"

        return {"expr": re.sub(r"(?<![\w.])[A-Za-z_]\w*", lambda m: written(m[0]), text)}
    if isinstance(value, Mapping):
        return {key: substituted(inner, values) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [substituted(inner, values) for inner in value]
    return value
