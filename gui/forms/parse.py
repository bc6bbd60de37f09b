"""Text of an editor to a JSON value and back, as each kind of field wants it.

What parses goes into the document as it is, right or wrong, and the field's own check says what is
wrong with it; what does not parse raises, and the editor keeps the text.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from typing import Any

import msgspec

from engine import expression
from engine.catalog.fields import Field, Floats, Shape, Size, Text

_SEPARATOR = re.compile(r"\s*[×x,;]\s*|\s+")
_OPERATIONS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
#: Whole numbers beyond this cannot be written into a file that every reader takes.
_LARGEST = 2**63 - 1


def to_text(field: Field, value: Any) -> str:
    """`value` as the editor of `field` shows it; :func:`from_text` reads it back."""
    if value is None:
        return ""
    if expression.is_expression(value):
        return f"= {value['expr']}"
    if isinstance(value, str) and (isinstance(field, Text) or value in getattr(field, "words", ())):
        return value
    if isinstance(value, list | tuple) and all(item is None or is_number(item) for item in value):
        if isinstance(field, Floats) and value:
            return ", ".join(map(_scalar_text, value))
        if (isinstance(field, Size) and len(value) > 1) or (isinstance(field, Shape) and value):
            return " × ".join(map(_scalar_text, value))
    return _scalar_text(value)


def _scalar_text(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return msgspec.json.encode(value).decode()


def from_text(field: Field, text: str) -> Any:
    """The JSON value that `text` says; behind ``=`` stands an expression of a block's arguments.

    Raises
    ------
    ValueError
        Where it says none; the message is for the user.
    """
    if isinstance(field, Text):
        return None if field.optional and not text else text
    text = text.strip().replace("−", "-")
    if not text:
        if field.optional:
            return None
        raise ValueError(f"needs a value: {field.expected}.")
    if text in getattr(field, "words", ()):
        return text
    if text.startswith("="):
        return {"expr": text[1:].strip()}
    several = isinstance(field, Size | Shape | Floats)
    value = _json(text)
    if value is msgspec.UNSET and several:
        value = _list(text)
    if value is msgspec.UNSET:
        value = _arithmetic(text)
    if value is msgspec.UNSET:
        raise ValueError(field.check(text) or f"{text!r} is not {field.expected}.")
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, int) and abs(number) > _LARGEST:
            raise ValueError(f"{text} is too large: {field.expected}.")
    if isinstance(field, Shape | Floats) and is_number(value):
        return [value]
    return value


def is_number(value: Any) -> bool:
    """Whether `value` is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _json(text: str) -> Any:
    """A JSON scalar or a flat list of them; UNSET where `text` is none."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.UNSET
    items = value if isinstance(value, list) else [value]
    return msgspec.UNSET if any(isinstance(item, list | dict) for item in items) else value


def _list(text: str) -> Any:
    """Numbers with ×, x, comma, semicolon or blanks between them."""
    parts = _SEPARATOR.split(text.strip("[]() "))
    if len(parts) < 2:
        return msgspec.UNSET
    items = [None if part in ("null", "none") else _arithmetic(part) for part in parts]
    return msgspec.UNSET if msgspec.UNSET in items else items


def _arithmetic(text: str) -> Any:
    """Sums and products of plain numbers, so that ``16*4`` may be typed."""
    try:
        value = _evaluate(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return msgspec.UNSET
    return value if math.isfinite(value) else msgspec.UNSET


def _evaluate(node: ast.AST) -> Any:
    if isinstance(node, ast.Constant) and is_number(node.value):
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATIONS:
        return _OPERATIONS[type(node.op)](_evaluate(node.operand))
    raise ValueError
