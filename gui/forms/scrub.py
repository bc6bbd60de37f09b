"""Changing a number by dragging its label or with the arrow keys.

The gesture never leaves the field's range; a logarithmic field is multiplied, others are added to.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import Any

from engine.catalog.fields import Field, Float, Floats, Int, Shape, Size
from gui.forms.parse import from_text, is_number, to_text

_ANY = Float("number", doc="Any number.")
_NUMBER = re.compile(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?|-?\.\d+")

_gestures = itertools.count(1)


def gesture(kind: str) -> str:
    """A merge key of its own: all steps of one gesture bear it, and become one undo step."""
    return f"{kind} {next(_gestures)}"


def can_scrub(field: Field) -> bool:
    """Whether `field` holds numbers."""
    return isinstance(field, Int | Float | Size | Shape | Floats)


def scrubbed(field: Field, value: Any, steps: int) -> Any:
    """`value` moved by `steps`; each number of a list moves alike. Words and the like stay."""
    if isinstance(value, list | tuple):
        return [stepped(field, item, steps) if is_number(item) else item for item in value]
    if value is None and steps > 0:
        value = max(getattr(field, "lo", None) or 0, 0)
        return value if value > 0 else stepped(field, value, 1)
    return stepped(field, value, steps) if is_number(value) else value


def stepped(field: Field, number: float, steps: int) -> float:
    """One number moved by `steps` and kept in the field's range."""
    lo, hi = getattr(field, "lo", None), getattr(field, "hi", None)
    unit: float
    if not isinstance(field, Float | Floats):
        unit = 1
        moved: float = int(number) + steps
    elif getattr(field, "log", False):
        base = number if number > 0 else 1e-6 if steps > 0 else 0.0
        moved = float(f"{base * 10 ** (steps / 10):.2g}")
        unit = moved / 10
    else:
        unit = _unit(number, lo, hi)
        moved = round(number + steps * unit, 12)
    if lo is not None and (moved < lo or (moved == lo and getattr(field, "open_lo", False))):
        moved = min(lo + unit, number) if getattr(field, "open_lo", False) else lo
    if hi is not None and (moved > hi or (moved == hi and getattr(field, "open_hi", False))):
        moved = max(hi - unit, number) if getattr(field, "open_hi", False) else hi
    return moved


def _unit(number: float, lo: float | None, hi: float | None) -> float:
    """A step that is a hundredth of the range, or finer where the number is small."""
    span = hi - lo if lo is not None and hi is not None else math.inf
    unit = 10.0 ** math.floor(math.log10(span / 100)) if 0 < span <= 100 else 1.0
    if number:
        return float(min(unit, 10.0 ** (math.floor(math.log10(abs(number))) - 1)))
    return min(unit, 0.01)


def step_text(field: Field, text: str, cursor: int, steps: int) -> tuple[Any, int] | None:
    """Step the number at `cursor` in an editor's text.

    Returns
    -------
    The new value, and where the number begins in its text; None where there is no number.
    """
    found = [match for match in _NUMBER.finditer(text) if match.start() <= cursor]
    at = found[-1] if found else _NUMBER.search(text)
    if at is None:
        return None
    try:
        number = from_text(_ANY, at.group())
        moved = stepped(field, number, steps)
        value = from_text(field, text[: at.start()] + to_text(_ANY, moved) + text[at.end() :])
    except ValueError:
        return None
    return value, at.start()
