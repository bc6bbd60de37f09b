"""JSON, read strictly: what other readers pass over in silence is an error with a place.

Python's and msgspec's readers take the last of duplicate keys, and Python's takes NaN, numbers of
any length and text that is no Unicode. Any of these in a hand-edited or damaged file would lose
or change what the user wrote, so here they are refused, as is what would only exhaust the memory.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from engine.problems import FileProblem

#: Levels of nested objects and lists. A network needs about ten.
MAX_DEPTH = 64
#: Characters in one text.
MAX_TEXT = 1 << 20
#: Whole numbers are those of 64 bits, the largest that all readers keep exactly.
MAX_INTEGER = (1 << 63) - 1

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


class _DuplicateKey(Exception):
    pass


class _NotANumber(Exception):
    pass


def loads(data: bytes) -> Any:
    """The value that `data` holds: dict, list, str, int, float, bool or None.

    Raises
    ------
    FileProblem
        If it is not JSON (with line and column), or is over a limit.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileProblem(
            f"line {line}: byte {data[error.start]:#04x} is not UTF-8 text. Is this another kind of file?"
        ) from None
    if not text.strip():
        raise FileProblem("the file is empty.")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        _refuse_syntax(text, error)
    except _DuplicateKey as error:
        raise FileProblem(
            f"{_duplicate_place(text)}the key {str(error)!r} appears twice in one object. Keep one of them."
        ) from None
    except _NotANumber as error:
        raise FileProblem(f"{_word_place(text, str(error))}{error} is not a number that JSON has.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # more digits than Python converts
        raise FileProblem("a number has thousands of digits.") from None
    _inspect(value, "", 1)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return value


def _constant(word: str) -> NoReturn:
    raise _NotANumber(word)


def _too_deep() -> FileProblem:
    return FileProblem(f"objects and lists are nested more than {MAX_DEPTH} levels deep.")


def _inspect(value: Any, place: str, depth: int) -> None:
    """Hold `value` and all in it to the limits; `depth` bounds this function's own recursion."""
    if isinstance(value, str):
        _inspect_text(value, place)
    elif isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(value, dict):
            for key, item in value.items():
                _inspect_text(key, place)
                _inspect(item, f"{place}.{key}" if place else key, depth + 1)
        else:
            for number, item in enumerate(value):
                _inspect(item, f"{place}[{number}]", depth + 1)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise FileProblem(f"{place or 'the value'}: the number is too large.")
    elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise FileProblem(f"{place or 'the value'}: the whole number needs more than 64 bits.")


def _inspect_text(text: str, place: str) -> None:
    if len(text) > MAX_TEXT:
        raise FileProblem(f"{place or 'the value'}: a text has more than {MAX_TEXT:,} characters.")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise FileProblem(f"{place or 'the value'}: a text holds half a surrogate pair.") from None


# ---------------------------------------------------------------------------- places


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return f"line {line}, column {column}: "


def _refuse_syntax(text: str, error: json.JSONDecodeError) -> NoReturn:
    position = error.pos
    if text[position:].strip() == "" or error.msg.startswith("Unterminated string"):
        raise FileProblem(
            f"{_place(text, position)}the file ends too early; it seems to be cut off."
        ) from None
    found = text[position : position + 12].split("\n")[0]
    words = {
        "Expecting value": "a value is expected",
        "Extra data": "the network has ended, but more text follows",
    }.get(error.msg, error.msg[0].lower() + error.msg[1:])
    raise FileProblem(f"{_place(text, position)}not JSON: {words}, found {found!r}.") from None


def _duplicate_place(text: str) -> str:
    """Where the first key that its object already has stands. `text` is known to be JSON up to there."""
    objects: list[set[str] | None] = []
    previous: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        first = token.group()[0]
        if first in "{[":
            objects.append(set() if first == "{" else None)
        elif first in "}]" and objects:
            objects.pop()
        elif first == ":" and previous is not None and objects and (keys := objects[-1]) is not None:
            key = json.loads(previous.group())
            if key in keys:
                return _place(text, previous.start())
            keys.add(key)
        previous = token
    return ""


def _word_place(text: str, word: str) -> str:
    for token in _TOKEN.finditer(text):
        if token.group() == word:
            return _place(text, token.start())
    return ""
