"""How calls, and what a user wrote, are spelt in printed code."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from engine.catalog import Call
from engine.compile.classes import Unit, literal
from engine.compile.resolve import resolve

#: Arguments for which torch takes one number for all dimensions.
_PER_DIMENSION = frozenset({"kernel_size", "stride", "padding", "dilation", "output_padding", "output_size"})


def called(unit: Unit, id: str, calls: Sequence[Call], *first: str) -> str:
    """One call of all uses as code, without the arguments that say what torch assumes anyway."""
    target = calls[0].target
    function = resolve(target)
    short = [spared(function, call, len(first)) for call in calls]
    positional = _positional(function, len(first))
    arguments = [
        unit.code([args[place] for args, _ in short], _hint(positional, place), id)
        for place in range(len(short[0][0]))
    ]
    for name in calls[0].kwargs:
        if any(name in kwargs for _, kwargs in short):
            values = [_short(name, call.kwargs[name]) for call in calls]
            arguments.append(f"{name}={unit.code(values, name, id)}")
    return f"{printed_name(target)}({', '.join([*first, *arguments])})"


def constructed(call: Call, *first: str, **other: str) -> str:
    """One call as code, behind the arguments `first`; `other` says how some of its arguments are written."""
    args, kwargs = spared(resolve(call.target), call, len(first))
    named = {name: literal(value) for name, value in kwargs.items()} | other
    words = [*first, *map(literal, args), *(f"{name}={text}" for name, text in named.items())]
    return f"{printed_name(call.target)}({', '.join(words)})"


def _positional(function: Any, skipped: int) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)[skipped:]
    except (TypeError, ValueError):
        return []


def _hint(positional: list[str], place: int) -> str:
    return positional[place] if place < len(positional) else f"argument{place}"


def printed_name(target: str) -> str:
    """How printed code says a target of the catalogue: ``nn.Conv2d``."""
    if target.startswith("torch.nn."):
        return target.removeprefix("torch.")
    return target if target.startswith("torch.") else target.rpartition(".")[2]


def spared(function: Any, call: Call, skipped: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `call` that differ from the function's defaults, in their shortest form."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return call.args, dict(call.kwargs)
    positional = list(parameters)[skipped:]
    args = tuple(_short(name, value) for name, value in zip(positional, call.args, strict=False))
    args += call.args[len(args) :]
    kwargs = {}
    for name, value in call.kwargs.items():
        short = _short(name, value)
        default = parameters[name].default if name in parameters else inspect.Parameter.empty
        if isinstance(short, bool) is not isinstance(default, bool) or short != default:
            kwargs[name] = short
    return args, kwargs


def _short(name: str, value: Any) -> Any:
    if name in _PER_DIMENSION and isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def prose(text: str) -> str:
    """`text` as it may stand in a docstring: one printable line without quotes and backslashes."""
    kept = "".join(c if c.isprintable() and c not in '"\\' else " " for c in text)
    return " ".join(kept.split())[:80] or "A network"
