"""A table's cells as they are written: CSV read strictly, Parquet as it is."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars

from engine.data.csv_style import EMPTY, NUMBERS, SEPARATORS, check_names, column_names, guess_separator
from engine.data.files import unreadable
from engine.data.pool import Array
from engine.data.progress import Progress
from engine.data.recognise import HEAD, what_is
from engine.data.room import need_room
from engine.problems import DataProblem, did_you_mean

#: More columns are a mistake, or belong into an array.
MOST_COLUMNS = 50_000
#: Bytes of memory that a byte of CSV takes while it is read: itself, as text cells and as numbers.
_PER_BYTE = 6
#: Lines between two reports of how far it is.
_LINES = 16_384


class Cells(NamedTuple):
    """Columns by name: float64 with NaN for an empty cell, or text (objects) with None."""

    columns: Mapping[str, Array]
    rows: int


def read_csv(path: Path, separator: str, header: bool, categorical: Sequence[str]) -> Cells:
    """The table in `path`.

    Raises
    ------
    DataProblem
        For what is no table: ragged rows, no rows, a name twice, text among numbers; with the line,
        or the row (counted from 1 below the names) and column.
    """
    try:
        need_room(
            path, _PER_BYTE * path.stat().st_size, "Take a part of its rows, or save it as .npy arrays."
        )
        data = path.read_bytes()
    except OSError as problem:
        raise unreadable(path, problem) from problem
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in data:  # lines of an old Macintosh
        data = data.replace(b"\r", b"\n")
    if not data.strip():
        raise DataProblem(f"{path}: is empty. A table has a line of names and a line for each row.", "path")
    _check_text(path, data)
    mark = SEPARATORS[separator] if separator != "auto" else guess_separator(data)
    width = _check_even(path, data, mark)
    _check_narrow(path, width)
    names = column_names(path, data, mark) if header else [f"column_{n + 1}" for n in range(width)]
    try:
        frame = polars.read_csv(
            io.BytesIO(data.lstrip(b"\r\n")),  # it takes a blank first line for one cell
            separator=mark,
            has_header=header,
            infer_schema=False,
            new_columns=names,
        )
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as problem:
        said = str(problem).partition("\n")[0]
        raise DataProblem(f"{path}: cannot be read as a table: {said}.", "path") from problem
    if not frame.height:
        raise DataProblem(f"{path}: has names and no rows below them.", "path")
    if header:
        check_names(path, frame)
    numbers = _plain_numbers(frame, categorical)
    progress = Progress("Reading columns", len(names))
    columns = {}
    for number, name in enumerate(names, 1):
        found = numbers.get(name)
        columns[name] = _column(path, frame[name], name in categorical) if found is None else found
        progress(number)
    return Cells(columns, frame.height)


def _check_narrow(path: Path, width: int) -> None:
    if width > MOST_COLUMNS:
        raise DataProblem(
            f"{path}: has {width:,} columns, and {MOST_COLUMNS:,} at most are read. If its examples stand "
            "side by side, turn it so that each is a row; many numbers of one kind are better kept as .npy "
            "arrays.",
            "path",
        )


def _plain_numbers(frame: polars.DataFrame, categorical: Sequence[str]) -> dict[str, Array]:
    """The columns all of whose cells are numbers, found all at once: tables may have thousands."""
    cast = frame.select(
        polars.col(name).str.strip_chars().cast(polars.Float64, strict=False)
        for name in frame.columns
        if name not in set(categorical)
    )
    if not cast.width:
        return {}
    whole = cast.select(polars.all().is_finite().all() & (polars.all().null_count() == 0)).row(0)
    return {name: cast[name].to_numpy() for name, plain in zip(cast.columns, whole, strict=True) if plain}


def _check_text(path: Path, data: bytes) -> None:
    """Refuse what is no text in UTF-8, and say what it is."""
    known = what_is(data[:HEAD])
    if known is not None and known[0] != "no text":
        raise DataProblem(f"{path}: is {known[0]}, and no CSV. {known[1]}", "path")
    if b"\0" in data:
        raise DataProblem(f"{path}: is no text: it has bytes of zero. Save it as CSV in UTF-8.", "path")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as problem:
        if known is not None:
            raise DataProblem(f"{path}: is no text. {known[1]}", "path") from None
        line = data.count(b"\n", 0, problem.start) + 1
        raise DataProblem(
            f"{path}: line {line:,} has a byte ({data[problem.start]:#04x}) that is not UTF-8. "
            "Save the file as UTF-8.",
            "path",
        ) from None


def _check_even(path: Path, data: bytes, mark: str) -> int:
    """The number of cells of every line; refuses lines of another number."""
    if b'"' in data:
        return _check_even_quoted(path, data, mark)
    values = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(values == ord("\n"))
    if not len(ends) or ends[-1] != len(values) - 1:
        ends = np.append(ends, len(values))
    counts = np.searchsorted(np.flatnonzero(values == ord(mark)), ends)
    widths = np.diff(counts, prepend=0) + 1
    lengths = np.diff(ends, prepend=-1) - 1
    blank = (lengths == 0) | ((lengths == 1) & (values[np.minimum(ends, len(values)) - 1] == ord("\r")))
    width = int(widths[~blank][0])
    wrong = np.flatnonzero(~blank & (widths != width))
    if len(wrong):
        raise _ragged(path, int(wrong[0]) + 1, int(widths[wrong[0]]), width, len(wrong))
    return width


def _check_even_quoted(path: Path, data: bytes, mark: str) -> int:
    reader = csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=mark, strict=True)
    width = 0
    wrong: list[tuple[int, int]] = []
    progress = Progress("Reading lines", data.count(b"\n"))
    try:
        for row in reader:
            if not reader.line_num % _LINES:
                progress(reader.line_num)
            width = width or len(row)
            if row and len(row) != width:
                wrong.append((reader.line_num, len(row)))
    except csv.Error as problem:
        raise DataProblem(
            f"{path}: line {reader.line_num:,}: a quoted cell is not closed ({problem}).", "path"
        ) from None
    if wrong:
        raise _ragged(path, *wrong[0], width, len(wrong))
    return width


def _ragged(path: Path, line: int, found: int, width: int, lines: int) -> DataProblem:
    others = f" ({lines - 1:,} other lines too)" if lines > 1 else ""
    return DataProblem(
        f"{path}: line {line:,} has {found} {'cell' if found == 1 else 'cells'} and the first has {width}"
        f"{others}. Every line needs as many; put text that has the separator in it into quotes.",
        "path",
    )


def _column(path: Path, series: polars.Series, as_text: bool) -> Array:
    """A column of text as it was read, made numbers where it is one of numbers."""
    stripped = series.str.strip_chars()
    known = stripped.is_not_null() & ~stripped.str.to_lowercase().is_in(EMPTY)
    if not as_text:
        numbers = stripped.cast(polars.Float64, strict=False)
        right = known & numbers.is_not_null() & numbers.is_finite().fill_null(False)
        if int(right.sum()) == int(known.sum()):
            return np.where(right.to_numpy(), numbers.fill_null(0.0).to_numpy(), np.nan)
        if int(right.sum()) > NUMBERS * int(known.sum()):
            wrong = (known & ~right).arg_true()
            others = f" ({len(wrong) - 1:,} other cells too)" if len(wrong) > 1 else ""
            raise DataProblem(
                f"{path}: row {wrong[0] + 1:,}, column {series.name!r}: {stripped[int(wrong[0])]!r} is no "
                "number"
                f"{others}. Mend the cell, or list the column in categorical.",
                "categorical",
            )
    return _text_or_none(stripped.to_numpy(), known.to_numpy())


def _text_or_none(text: Array, known: Array) -> Array:
    found = np.array(text, dtype=object)
    found[~known] = None
    return found


def empty(values: Array) -> Array:
    """Which of a column's cells are empty."""
    if values.dtype != object:
        return np.isnan(values)
    return np.fromiter((value is None for value in values), bool, len(values))


def read_parquet(path: Path, categorical: Sequence[str]) -> Cells:
    """The table in `path`.

    Raises
    ------
    DataProblem
        If it is no Parquet file, or has columns of kinds that are no cells.
    """
    try:
        with _without_rust():
            scan = polars.scan_parquet(path)
            width, rows = len(scan.collect_schema()), scan.select(polars.len()).collect().item()
            _check_narrow(path, width)
            _refuse_bomb(path, 8 * rows * width)
            need_room(path, 2 * 8 * rows * width, "Take a part of its rows.")
            frame = polars.read_parquet(path)
    except polars.exceptions.PanicException as problem:
        raise DataProblem(
            f"{path}: cannot be read as Parquet: it is damaged. Write it again.", "path"
        ) from problem
    except (polars.exceptions.PolarsError, OSError) as problem:
        said = str(problem).partition("\n")[0].rstrip(".")
        raise DataProblem(f"{path}: cannot be read as Parquet: {said}.", "path") from problem
    if not frame.height or not frame.width:
        raise DataProblem(f"{path}: has no rows. There is nothing to learn from.", "path")
    progress = Progress("Reading columns", frame.width)
    columns = {}
    for number, name in enumerate(frame.columns, 1):
        columns[name] = _typed(path, frame[name], name in categorical)
        progress(number)
    return Cells(columns, frame.height)


#: Cells may always take so many bytes, and so many times what their file has. Tables that mean something
#: pack to a tenth at most; a thousandth is one value over and over, made to fill the memory.
_UNPACKED, _RATIO = 100_000_000, 400


def _refuse_bomb(path: Path, needed: int) -> None:
    size = path.stat().st_size
    if needed > max(_UNPACKED, _RATIO * size):
        raise DataProblem(
            f"{path}: would unpack to {needed / 1e6:,.0f} MB from {size / 1e6:,.1f} MB: it seems made to "
            "fill the memory. If it is meant so, take a part of its rows, or save it as .npy arrays.",
            "path",
        )


@contextmanager
def _without_rust() -> Iterator[None]:
    """Keep what a damaged file makes the reader print from the user, who is told in a sentence."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _typed(path: Path, series: polars.Series, as_text: bool) -> Array:
    kind = series.dtype
    if kind.is_numeric() and not as_text:
        values: Array = series.cast(polars.Float64).fill_null(np.nan).to_numpy()
        if np.isinf(values).any():
            at = int(np.flatnonzero(np.isinf(values))[0])
            raise DataProblem(f"{path}: row {at + 1:,}, column {series.name!r} is infinite. Mend the cell.")
        return values
    if kind.is_temporal() and not as_text:
        return np.where(series.is_not_null().to_numpy(), series.to_physical().fill_null(0).to_numpy(), np.nan)
    if kind.is_nested() or kind in (polars.Binary, polars.Object):
        raise DataProblem(
            f"{path}: column {series.name!r} holds {kind}, which is no number and no text. List it in ignore."
        )
    if kind == polars.Boolean:
        text = np.where(series.fill_null(False).to_numpy(), "true", "false").astype(object)
    else:
        text = series.cast(polars.String).to_numpy().astype(object)
    return _text_or_none(text, series.is_not_null().to_numpy())


def pick(names: Sequence[str], wanted: Any, field: str, path: Path) -> list[str]:
    """The columns that the text `wanted` lists, with commas between.

    Raises
    ------
    DataProblem
        If there is no such column.
    """
    if not wanted:
        return []
    if wanted in names:  # a name with a comma in it
        return [wanted]
    found = [name.strip() for name in str(wanted).split(",") if name.strip()]
    for name in found:
        if name not in names:
            shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
            raise DataProblem(
                f"{path}: has no column {name!r}.{did_you_mean(name, names)} There are: {shown}.", field
            )
    return found
