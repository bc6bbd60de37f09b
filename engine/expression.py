"""Expressions in a block's fields: ``{"expr": "channels * 2"}``.

A small arithmetic of its own: numbers, the block's arguments, ``index`` (the number of the
repeat), ``+ - * / // % **``, signs and parentheses, with Python's precedence. Nothing is ever run as code,
and no expression can take long: its length, its depth and its numbers are bounded.

``/`` gives a whole number where it divides two of them evenly, so that ``channels / 4`` can be a size.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.problems import did_you_mean

#: Characters in an expression.
MAX_LENGTH = 200
#: Levels of parentheses and signs.
MAX_DEPTH = 32
#: No value and no intermediate result is larger.
MAX_VALUE = 1 << 62
#: Largest power.
MAX_EXPONENT = 62

#: The name that stands for the number of the repeat, from 0.
INDEX = "index"

_TOKEN = re.compile(
    r"""\s*(?:
    (\d+\.\d*(?:[eE][+-]?\d+)?|\.?\d+(?:[eE][+-]?\d+)?)  # a number
    |([A-Za-z_]\w*)                                       # a name
    |(\*\*|//|[-+*/%()])                                  # a sign
    )""",
    re.VERBOSE | re.ASCII,
)


class ExpressionProblem(Exception):
    """An expression that says nothing, or nothing that can be computed; the message is for the user."""


def is_expression(value: object) -> bool:
    """Whether a field's value is an expression and not a plain value."""
    return isinstance(value, Mapping) and set(value) == {"expr"}


def evaluate(text: object, names: Mapping[str, Any]) -> Any:
    """The value of `text`, where `names` gives what its names stand for.

    A name alone gives its value whatever that is; in arithmetic it must be a number.

    Raises
    ------
    ExpressionProblem
        If it cannot be read or computed.
    """
    return _Reader(_checked(text), names).value()


def resolve(value: Any, names: Mapping[str, Any]) -> Any:
    """`value` with every expression in it, at any depth, replaced by what it gives.

    Raises
    ------
    ExpressionProblem
        As :func:`evaluate`.
    """
    if is_expression(value):
        return evaluate(value["expr"], names)
    if isinstance(value, Mapping):
        return {key: resolve(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, names) for inner in value]
    return value


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every name in its expressions changed by `change`."""
    if is_expression(value):
        text = value["expr"]
        return {"expr": _NAME.sub(lambda m: change(m[0]), text)} if isinstance(text, str) else value
    if isinstance(value, Mapping):
        return {key: mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(inner, change) for inner in value]
    return value


def names_in(text: str) -> set[str]:
    """The names that an expression reads."""
    return set(_NAME.findall(text))


#: A name, and not the exponent of a number.
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def _checked(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise ExpressionProblem('an expression is text, such as {"expr": "channels * 2"}.')
    if len(text) > MAX_LENGTH:
        raise ExpressionProblem(f"an expression has at most {MAX_LENGTH} characters, and this {len(text)}.")
    return text


class _Reader:
    """Reads and computes from left to right, by recursive descent."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text, self.names = text, names
        self.tokens = self._tokens()
        self.place = 0
        self.depth = 0

    def _tokens(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        position = 0
        end = len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None:
                rest = self.text[position:].lstrip()
                raise self._problem(f"{rest[0]!r} means nothing here")
            kind = ("number", "name", "sign")[(match.lastindex or 1) - 1]
            found.append((kind, match[match.lastindex or 1]))
            position = match.end()
        return found

    def _problem(self, message: str) -> ExpressionProblem:
        return ExpressionProblem(f"in the expression “{self.text}”: {message}.")

    def _sign(self, *signs: str) -> str | None:
        """The next token if it is one of `signs`, and then it is read."""
        if self.place < len(self.tokens) and self.tokens[self.place][0] == "sign":
            sign = self.tokens[self.place][1]
            if sign in signs:
                self.place += 1
                return sign
        return None

    def value(self) -> Any:
        found = self._sum()
        if self.place < len(self.tokens):
            raise self._problem(f"{self.tokens[self.place][1]!r} is one too many")
        return found

    def _sum(self) -> Any:
        found = self._product()
        while sign := self._sign("+", "-"):
            found = self._computed(sign, found, self._product())
        return found

    def _product(self) -> Any:
        found = self._signed()
        while sign := self._sign("*", "/", "//", "%"):
            found = self._computed(sign, found, self._signed())
        return found

    def _signed(self) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._problem(f"parentheses and signs are nested more than {MAX_DEPTH} levels deep")
        sign = self._sign("+", "-")
        found = self._power() if sign is None else self._number(self._signed())
        self.depth -= 1
        return -found if sign == "-" else found

    def _power(self) -> Any:
        found = self._atom()
        if self._sign("**"):
            return self._computed("**", found, self._signed())
        return found

    def _atom(self) -> Any:
        if self.place == len(self.tokens):
            raise self._problem("something is missing at its end")
        kind, text = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            return self._bounded(int(text) if text.isdecimal() else float(text))
        if kind == "name":
            if text not in self.names:
                known = ", ".join(self.names) or "none"
                hint = did_you_mean(text, self.names)
                raise (
                    self._problem(f"there is no argument {text!r}; there are: {known}")
                    if not hint
                    else (
                        ExpressionProblem(
                            f"in the expression “{self.text}”: there is no argument {text!r}.{hint}"
                        )
                    )
                )
            return self.names[text]
        if text == "(":
            found = self._sum()
            if not self._sign(")"):
                raise self._problem("a closing parenthesis is missing")
            return found
        raise self._problem(f"a number or a name is missing before {text!r}")

    def _number(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._problem(f"{value!r} is no number to compute with")
        return value

    def _bounded(self, value: Any) -> Any:
        if isinstance(value, complex) or not math.isfinite(value) or abs(value) > MAX_VALUE:
            raise self._problem("a number grows beyond all sizes")
        return value

    def _computed(self, sign: str, a: Any, b: Any) -> Any:
        a, b = self._number(a), self._number(b)
        if sign in ("/", "//", "%") and b == 0:
            raise self._problem("it divides by zero")
        if sign == "**":
            if abs(b) > MAX_EXPONENT or (a == 0 and b < 0):
                raise self._problem(f"a power goes up to {MAX_EXPONENT}, and zero has no negative ones")
            try:
                return self._bounded(a**b)
            except OverflowError:
                raise self._problem("a number grows beyond all sizes") from None
        if sign == "/":
            whole = isinstance(a, int) and isinstance(b, int) and a % b == 0
            return a // b if whole else self._bounded(a / b)
        result = {"+": a + b, "-": a - b, "*": a * b}.get(sign)
        if result is None:
            result = a // b if sign == "//" else a % b
        return self._bounded(result)
