"""How a CSV is written: what parts its cells, whether its first line has names, how it writes numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import polars

from engine.problems import DataProblem

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
#: What stands for an empty cell, in lower case.
EMPTY = ("", "na", "n/a", "nan", "null", "none", "?", "-")
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

    Years and wavelengths are names as well: what tells is a text that comes again below.
    """
    numbers = [name for name in frame.columns if is_number(name)]
    for name in numbers:
        cells = frame[name].str.strip_chars()
        known = cells.filter(~cells.str.to_lowercase().is_in(EMPTY))
        if known.cast(polars.Float64, strict=False).null_count():
            return
    texts = [name for name in frame.columns if name not in numbers] if numbers else []
    again = [name for name in texts if (frame[name].str.strip_chars() == name).any()]
    if again:
        example = ", ".join([*numbers[:3], again[0]])
        raise no_header(path, f"looks like an example ({example} …) and not like names of columns")


def begins_with_example(rows: Sequence[Sequence[str]]) -> bool:
    """As :func:`check_names` and :func:`column_names` judge, from the first rows alone."""
    first, below = [cell.strip() for cell in rows[0]], rows[1:]
    numbers = {place for place, cell in enumerate(first) if is_number(cell)}
    if len(numbers) == len(first):
        return True
    columns = [[row[place].strip() for row in below if place < len(row)] for place in range(len(first))]
    if any(not is_number(cell) and cell.lower() not in EMPTY for n in numbers for cell in columns[n]):
        return False
    again = any(cell in columns[place] for place, cell in enumerate(first) if place not in numbers)
    return bool(numbers) and again


#: ``1,5``, ``1.234,5``, ``1,234,567``
_COMMA = r"^[+-]?(\d+,\d+|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(,\d{3})+(\.\d+)?)([eE][+-]?\d+)?$"


def check_commas(path: Path, cells: polars.Series, known: polars.Series, numbers: float) -> None:
    """Refuse numbers with a comma, which would be taken for names: a category for each.

    `numbers`: the share of cells that are numbers from which on a column is one of numbers.
    """
    with_comma = known & cells.str.contains(_COMMA).fill_null(False)
    count = int(with_comma.sum())
    if not count:
        return
    plain = int((known & cells.cast(polars.Float64, strict=False).is_not_null()).sum())
    most = numbers * int(known.sum())
    if plain > most or plain + count <= most:  # a few slips among numbers, or a few numbers among names
        return
    raise DataProblem(
        f"{path}: column {cells.name!r} has numbers with a comma, such as "
        f"{cells[int(with_comma.arg_true()[0])]!r}. Write them with a decimal point and nothing between "
        "thousands (a spreadsheet does with English numbers), or list the column in categorical if they are "
        "names.",
        "categorical",
    )


def is_number(text: str) -> bool:
    """Whether `text` is one, as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
