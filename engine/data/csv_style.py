"""How a CSV is written: what parts its cells, whether its first line has names, how it writes numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import polars

from engine.data.pool import Array
from engine.problems import DataProblem

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
#: What stands for an empty cell, in lower case.
EMPTY = ("", "na", "n/a", "nan", "null", "none", "?", "-")
#: A column in which this share of the cells are numbers is one of numbers, and the others are mistakes.
NUMBERS = 0.5
#: Bytes of the beginning from which the separator is guessed.
_HEAD = 1 << 16


def guess_separator(data: bytes) -> str:
    """Whichever separator parts the first lines into the most equal parts; a comma where none does."""
    head = data[:_HEAD].decode("utf-8", "ignore")
    lines = [line for line in head.splitlines()[:50] if line.strip()]
    if len(data) > _HEAD and len(lines) > 1:
        lines.pop()
    best, parts = ",", 1
    for mark in SEPARATORS.values():
        widths = {len(row) for row in csv.reader(lines, delimiter=mark)}
        if len(widths) == 1 and (width := widths.pop()) > parts:
            best, parts = mark, width
    if best == "," and _decimal_commas(lines):
        return ";"
    if parts == 1 and lines:  # ragged by any: whichever parts the first line most
        best = max(SEPARATORS.values(), key=lambda mark: (lines[0].count(mark), mark == ","))
    return best


def _decimal_commas(lines: list[str]) -> bool:
    """Whether semicolons part the lines evenly into numbers, some of them with a decimal comma."""
    rows = list(csv.reader(lines, delimiter=";"))
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return False
    cells = [cell.strip() for row in rows[1:] or rows for cell in row]
    return any("," in cell for cell in cells) and all(is_number(cell.replace(",", ".")) for cell in cells)


def column_names(path: Path, data: bytes, mark: str) -> list[str]:
    """The names in the first line."""
    text = data.decode("utf-8")
    names = [
        name.strip() for name in next(row for row in csv.reader(io.StringIO(text), delimiter=mark) if row)
    ]
    if all(is_number(name) for name in names):
        raise no_header(path, "is all numbers, so it names no columns")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise DataProblem(f"{path}: column {number} has no name in the first line. Give it one.", "path")
        if name in seen and is_number(name):
            raise no_header(path, f"has the number {name} twice, so it names no columns")
        if name in seen:
            raise DataProblem(f"{path}: two columns are called {name!r}. Rename one.", "path")
        seen.add(name)
    return names


def no_header(path: Path, why: str) -> DataProblem:
    """What is said where the first line seems to be an example."""
    return DataProblem(
        f"{path}: the first line {why}. Set header to false, and it is read as an example; if it does name "
        "the columns, put a letter before each number.",
        "header",
    )


def check_names(path: Path, frame: polars.DataFrame) -> None:
    """Refuse names that are an example: it would be lost, and the columns called by its values.

    Years and wavelengths are names as well: what tells is a text that comes again below, unless another
    stands over nothing but numbers.
    """
    numbers = [name for name in frame.columns if is_number(name)]
    again = ""
    for name in frame.columns if numbers else ():
        cells = frame[name].str.strip_chars()
        known = cells.filter(~cells.str.to_lowercase().is_in(EMPTY))
        plain = known.cast(polars.Float64, strict=False).is_finite().fill_null(False).all()
        if len(known) and plain != is_number(name):
            return
        if not is_number(name) and (cells == name).any():
            again = again or name
    if again:
        example = ", ".join([*numbers[:3], again])
        raise no_header(path, f"looks like an example ({example} …) and not like names of columns")


def begins_with_example(rows: Sequence[Sequence[str]]) -> bool:
    """As :func:`check_names` and :func:`column_names` judge, from the first rows alone."""
    first, below = [cell.strip() for cell in rows[0]], rows[1:]
    numbers = [cell for cell in first if is_number(cell)]
    if not numbers:
        return False
    if len(numbers) == len(first) or len(set(numbers)) < len(numbers):
        return True
    columns = [[row[place].strip() for row in below if place < len(row)] for place in range(len(first))]
    for name, cells in zip(first, columns, strict=True):
        known = [cell for cell in cells if cell.lower() not in EMPTY]
        if known and all(map(is_number, known)) != is_number(name):
            return False
    return any(not is_number(name) and name in cells for name, cells in zip(first, columns, strict=True))


#: ``1,5``, ``1.234,5``, ``1,234,567``
_COMMA = r"^[+-]?(\d+,\d+|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(,\d{3})+(\.\d+)?)([eE][+-]?\d+)?$"


def check_commas(path: Path, name: str, texts: Array, field: str, remedy: str) -> None:
    """Refuse a column of text most of which are numbers with a comma: each would be a category.

    `remedy`: what else may be done, if not to write them otherwise; and the `field` that it is about.
    """
    cells = polars.Series(texts, dtype=polars.String).drop_nulls()
    with_comma = cells.str.contains(_COMMA)
    count = int(with_comma.sum())
    plain = int(cells.cast(polars.Float64, strict=False).is_not_null().sum())
    if not count or plain + count <= NUMBERS * len(cells):  # a few numbers among names
        return
    raise DataProblem(
        f"{path}: column {name!r} has numbers with a comma, such as "
        f"{cells[int(with_comma.arg_true()[0])]!r}. Write them with a decimal point and nothing between "
        f"thousands (a spreadsheet does with English numbers), or {remedy}.",
        field,
    )


def is_number(text: str) -> bool:
    """Whether `text` is one, as Python writes it, and none that only has a name, such as nan."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
