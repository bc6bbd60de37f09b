"""Typed fields: what a user may set on an entry of the catalogue.

A field knows its default, range, unit and meaning; it judges a value in words (:meth:`Field.check`), brings it into the
one form that code uses (:meth:`Field.canonical`) and describes itself as JSON Schema. Form, file,
command line, help and documentation all read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from engine.problems import did_you_mean


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


#: The default of a field for which torch has none; it is always written into the file.
REQUIRED: Final = _Required()


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What every field has beside its name and default."""

    doc: str
    #: Unit shown behind the value: "px", "samples", …
    unit: str = ""
    #: Whether null is a value (torch's None).
    optional: bool = False
    #: What the palette writes for a required field, or for one whose default alone does not run. No default.
    start: Any = None
    #: Shown folded away: rarely needed.
    advanced: bool = False


@dataclass(frozen=True)
class _Named:
    name: str
    default: Any = REQUIRED


@dataclass(frozen=True)
class Field(_Options, _Named):
    """A value of any kind; the base of the typed ones."""

    kind: ClassVar[str] = "any"

    @property
    def required(self) -> bool:
        """Whether a file must say this field."""
        return self.default is REQUIRED

    @property
    def starts(self) -> bool:
        """Whether a new node says this field: it must, or its default alone would not run."""
        return self.required or self.start is not None

    @property
    def initial(self) -> Any:
        """What a new node starts with."""
        return self.start if self.required else self.default

    def check(self, value: Any) -> str | None:
        """What is wrong with `value`, as a sentence that names the range; None if nothing is."""
        if value is None:
            return None if self.optional else f"needs a value: {self.expected}."
        return self._check(value)

    def canonical(self, value: Any) -> Any:
        """A value that passed :meth:`check` in the one form that code uses (pairs as tuples)."""
        return value if value is None else self._canonical(value)

    def schema(self) -> dict[str, Any]:
        """This field as JSON Schema, with `title`, `description` and `default`."""
        schema = self._schema()
        if self.optional:
            schema = {"anyOf": [schema, {"type": "null"}]}
        schema["title"] = self.name
        schema["description"] = self.doc
        if not self.required:
            schema["default"] = self.default
        if self.unit:
            schema["x-unit"] = self.unit
        return schema

    @property
    def expected(self) -> str:
        """The values that this field takes, in words."""
        return "any value"

    def _check(self, value: Any) -> str | None:
        return None

    def _canonical(self, value: Any) -> Any:
        return value

    def _schema(self) -> dict[str, Any]:
        return {}


def _number_text(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _range_text(lo: float | None, hi: float | None) -> str:
    if lo is not None and hi is not None:
        return f" from {_number_text(lo)} to {_number_text(hi)}"
    if lo is not None:
        return f" of at least {_number_text(lo)}"
    return f" of at most {_number_text(hi)}" if hi is not None else ""


def _show(value: Any) -> str:
    text = repr(value) if not isinstance(value, list | tuple) else str(list(value))
    return text if len(text) <= 60 else text[:57] + "…"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class Int(Field):
    """A whole number."""

    lo: int | None = None
    hi: int | None = None
    kind: ClassVar[str] = "int"

    @property
    def expected(self) -> str:
        return f"a whole number{_range_text(self.lo, self.hi)}"

    def _check(self, value: Any) -> str | None:
        if not _is_int(value):
            return f"{_show(value)} is not {self.expected}."
        if (self.lo is not None and value < self.lo) or (self.hi is not None and value > self.hi):
            return f"{value} is out of range: {self.expected}."
        return None

    def _schema(self) -> dict[str, Any]:
        return {"type": "integer"} | _bounds(self.lo, self.hi)


@dataclass(frozen=True)
class Float(Field):
    """A finite number."""

    lo: float | None = None
    hi: float | None = None
    #: Whether the bounds themselves are excluded.
    open_lo: bool = False
    open_hi: bool = False
    #: Scrubbed and drawn on a logarithmic scale (learning rates).
    log: bool = False
    #: Words that may stand for the number, such as "auto".
    words: tuple[str, ...] = ()
    kind: ClassVar[str] = "float"

    @property
    def expected(self) -> str:
        words = f"a number{_range_text(self.lo, self.hi)}"
        if self.open_lo and self.lo is not None:
            words += f", {_number_text(self.lo)} excluded"
        if self.open_hi and self.hi is not None:
            words += f", {_number_text(self.hi)} excluded"
        return words + "".join(f" or {word!r}" for word in self.words)

    def _check(self, value: Any) -> str | None:
        if isinstance(value, str) and value in self.words:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"{_show(value)} is not {self.expected}."
        below = self.lo is not None and (value <= self.lo if self.open_lo else value < self.lo)
        above = self.hi is not None and (value >= self.hi if self.open_hi else value > self.hi)
        return f"{_show(value)} is out of range: {self.expected}." if below or above else None

    def _canonical(self, value: Any) -> Any:
        return value if isinstance(value, str) else float(value)

    def _schema(self) -> dict[str, Any]:
        number = {"type": "number"} | _bounds(self.lo, self.hi, self.open_lo, self.open_hi)
        return {"anyOf": [number, {"enum": list(self.words)}]} if self.words else number


def _bounds(
    lo: float | None, hi: float | None, open_lo: bool = False, open_hi: bool = False
) -> dict[str, Any]:
    bounds: dict[str, Any] = {}
    if lo is not None:
        bounds["exclusiveMinimum" if open_lo else "minimum"] = lo
    if hi is not None:
        bounds["exclusiveMaximum" if open_hi else "maximum"] = hi
    return bounds


@dataclass(frozen=True)
class Bool(Field):
    """Yes or no."""

    kind: ClassVar[str] = "bool"

    @property
    def expected(self) -> str:
        return "true or false"

    def _check(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else f"{_show(value)} is not {self.expected}."

    def _schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text(Field):
    """A short text."""

    limit: int = 4096
    kind: ClassVar[str] = "text"

    @property
    def expected(self) -> str:
        return f"text of up to {self.limit} characters"

    def _check(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return f"{_show(value)} is not {self.expected}."
        return None if len(value) <= self.limit else f"is too long: {self.expected}."

    def _schema(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.limit}


@dataclass(frozen=True)
class Path(Text):
    """A file or folder of the user's; `folder` says which."""

    folder: bool = False
    kind: ClassVar[str] = "path"


@dataclass(frozen=True)
class Option(Field):
    """One word out of a few."""

    options: tuple[str, ...] = ()
    kind: ClassVar[str] = "option"

    @property
    def expected(self) -> str:
        return "one of " + ", ".join(self.options)

    def _check(self, value: Any) -> str | None:
        if value in self.options:
            return None
        hint = did_you_mean(value, self.options) if isinstance(value, str) else ""
        return f"{_show(value)} is not {self.expected}.{hint}"

    def _schema(self) -> dict[str, Any]:
        return {"enum": list(self.options)}


@dataclass(frozen=True)
class Size(Field):
    """One whole number per dimension; a single number means the same for each (as in torch)."""

    dims: int = 2
    lo: int = 0
    hi: int = 65536
    #: Words that may stand for the numbers, such as "same".
    words: tuple[str, ...] = ()
    #: Whether single dimensions may be null (torch: "as the input").
    optional_items: bool = False
    kind: ClassVar[str] = "size"

    @property
    def expected(self) -> str:
        count = "a whole number" if self.dims == 1 else f"one or {self.dims} whole numbers"
        words = "".join(f" or {word!r}" for word in self.words)
        return f"{count}{_range_text(self.lo, self.hi)}{words}"

    def _items(self, value: Any) -> list[Any] | None:
        if _is_int(value):
            return [value] * self.dims
        if isinstance(value, list | tuple):
            if len(value) == self.dims:
                return list(value)
            if len(value) == 1:
                return list(value) * self.dims
        return None

    def _check(self, value: Any) -> str | None:
        if isinstance(value, str) and value in self.words:
            return None
        items = self._items(value)
        if items is None:
            return f"{_show(value)} is not {self.expected}."
        for item in items:
            if item is None and self.optional_items:
                continue
            if not _is_int(item):
                return f"{_show(value)} is not {self.expected}."
            if not self.lo <= item <= self.hi:
                return f"{item} is out of range: {self.expected}."
        return None

    def _canonical(self, value: Any) -> Any:
        if isinstance(value, str):
            return value
        items = self._items(value)
        assert items is not None, "canonical() takes checked values only"
        return items[0] if self.dims == 1 else tuple(items)

    def _schema(self) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "integer"} | _bounds(self.lo, self.hi)
        if self.optional_items:
            item = {"anyOf": [item, {"type": "null"}]}
        several = {"type": "array", "items": item, "minItems": self.dims, "maxItems": self.dims}
        choices: list[dict[str, Any]] = [item, several]
        if self.words:
            choices.append({"enum": list(self.words)})
        return {"anyOf": choices}


@dataclass(frozen=True)
class Shape(Field):
    """A list of whole numbers of any length, such as a tensor's shape without its batch."""

    lo: int = 1
    hi: int = 1 << 24
    min_dims: int = 0
    max_dims: int = 8
    kind: ClassVar[str] = "shape"

    @property
    def expected(self) -> str:
        return f"a list of {self.min_dims} to {self.max_dims} whole numbers{_range_text(self.lo, self.hi)}"

    def _check(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple) or not all(_is_int(item) for item in value):
            return f"{_show(value)} is not {self.expected}."
        if not self.min_dims <= len(value) <= self.max_dims:
            return f"{_show(value)} has {len(value)} numbers: {self.expected}."
        for item in value:
            if not self.lo <= item <= self.hi:
                return f"{item} is out of range: {self.expected}."
        return None

    def _canonical(self, value: Any) -> tuple[int, ...]:
        return tuple(value)

    def _schema(self) -> dict[str, Any]:
        item = {"type": "integer"} | _bounds(self.lo, self.hi)
        return {"type": "array", "items": item, "minItems": self.min_dims, "maxItems": self.max_dims}


@dataclass(frozen=True)
class Floats(Field):
    """A list of numbers, such as Adam's betas; `count` None: any number of them."""

    count: int | None = None
    lo: float | None = None
    hi: float | None = None
    kind: ClassVar[str] = "floats"

    @property
    def expected(self) -> str:
        count = "a list of numbers" if self.count is None else f"a list of {self.count} numbers"
        return count + (f", each{_range_text(self.lo, self.hi)}" if _range_text(self.lo, self.hi) else "")

    def _check(self, value: Any) -> str | None:
        if not isinstance(value, list | tuple) or (self.count not in (None, len(value))):
            return f"{_show(value)} is not {self.expected}."
        for item in value:
            if isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
                return f"{_show(value)} is not {self.expected}."
            if (self.lo is not None and item < self.lo) or (self.hi is not None and item > self.hi):
                return f"{item} is out of range: {self.expected}."
        return None

    def _canonical(self, value: Any) -> tuple[float, ...]:
        return tuple(float(item) for item in value)

    def _schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array", "items": {"type": "number"} | _bounds(self.lo, self.hi)}
        if self.count is not None:
            schema |= {"minItems": self.count, "maxItems": self.count}
        return schema


@dataclass(frozen=True)
class Nested(Field):
    """Another entry of the catalogue with fields of its own: ``{"type": "Adam", "fields": {"lr": 0.001}}``."""

    #: Gives the entries by id; called late, because the shelf may hold the entry with this field.
    shelf: Callable[[], Mapping[str, Any]] = dict
    kind: ClassVar[str] = "nested"

    @property
    def expected(self) -> str:
        return '{"type": …, "fields": {…}} with a type out of ' + ", ".join(self.shelf())

    def _check(self, value: Any) -> str | None:
        if not isinstance(value, Mapping) or not isinstance(value.get("fields", {}), Mapping):
            return f"{_show(value)} is not {self.expected}."
        known, name = self.shelf(), value.get("type")
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(name, known) if isinstance(name, str) else ""
            return f"{_show(name)} is no type that may stand here.{hint} There are: {', '.join(known)}."
        wrong = known[name].check(value.get("fields", {}))
        return " ".join(f"{name} › {field}: {message}" for field, message in wrong) or None

    def _schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"type": {"enum": list(self.shelf())}, "fields": {"type": "object"}},
            "required": ["type"],
        }
