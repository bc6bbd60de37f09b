"""What a file or folder is, guessed from what is in it."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from engine.catalog import SOURCES
from engine.data import csv_style, images
from engine.data.idx_sets import FILES, idx_file
from engine.data.recognise import what_is
from engine.network import Data
from engine.problems import DataProblem, did_you_mean

_SOME = 4096
#: Entries of a folder, and below it, among which texts are sought: someone may choose a whole disk.
_LOOKED_AT = 20_000
#: A table is a series where it has so many rows of numbers alone, each column near its last value.
_SERIES_ROWS = 50


class Guess(NamedTuple):
    """A data set, and why it is taken for this."""

    data: Data
    reason: str


def guess(path: str | Path) -> Guess:
    """The data set at `path`, a file or folder.

    Raises
    ------
    DataProblem
        If there is nothing, or nothing that is known.
    """
    place = Path(path).expanduser()
    if place.is_dir():
        try:
            return _folder(place)
        except OSError as problem:
            raise DataProblem(
                f"{problem.filename or place}: cannot be read: {problem.strerror}."
            ) from problem
    if place.is_file():
        return _file(place)
    raise DataProblem(
        f"{path}: there is no such file or folder, and no source of that name."
        f"{did_you_mean(str(path), SOURCES)} Sources are: {', '.join(SOURCES)}."
    )


def _of(source: str, field: str, path: Path, **more: object) -> Data:
    return Data(source, {field: str(path.absolute()), **more})


def _folder(folder: Path) -> Guess:
    names = {entry.name for entry in folder.iterdir()}
    plain = {name.removesuffix(".gz").replace(".idx", "-idx") for name in names}
    if set(FILES) <= plain:
        fashion = "fashion" in folder.name.lower()
        return Guess(
            _of("fashion_mnist" if fashion else "mnist", "folder", folder),
            "The folder holds the four files of MNIST"
            + (", and its name says fashion." if fashion else "'s form."),
        )
    for part in ("letters", "balanced", "digits", "mnist", "byclass", "bymerge"):
        if f"emnist-{part}-train-images-idx3-ubyte" in plain:
            return Guess(
                _of("emnist", "folder", folder, part=part), f"The folder holds EMNIST's {part} files."
            )
    if "test_batch.bin" in names:
        return Guess(_of("cifar", "folder", folder), "The folder holds the binary files of CIFAR-10.")
    if {"train.bin", "test.bin"} <= names:
        return Guess(
            _of("cifar", "folder", folder, version="100"), "The folder holds the binary files of CIFAR-100."
        )
    for inside in sorted(folder.iterdir()):
        deeper = [inside, *sorted(p for p in inside.iterdir() if p.is_dir())] if inside.is_dir() else []
        for place in deeper:
            found = next(
                (p for p in place.iterdir() if p.suffix.lower() in images.SUFFIXES and p.is_file()), None
            )
            if found is not None:
                said = f"The folder holds folders of pictures, such as {found.relative_to(folder)}."
                size = _size(found)
                return Guess(_of("image_folder", "folder", folder, size=size), said)
    if any(p.suffix == ".txt" for p in islice(folder.rglob("*"), _LOOKED_AT)):
        return Guess(_of("text", "path", folder), "The folder holds text files.")
    raise DataProblem(
        f"{folder}: is no data set that is known: it has neither folders of pictures, nor files of MNIST's "
        "or "
        "CIFAR's form, nor text files. Choose the file itself."
    )


def _size(picture: Path) -> list[int]:
    """The sides that pictures are brought to: the first one's own, where that is small."""
    from engine.data.pictures import open_picture

    try:
        with open_picture(picture) as image:
            width, height = image.size
    except Exception:  # it is looked at closely when it is read, and then the trouble is told
        return [32, 32]
    if max(width, height) <= 96:
        return [height, width]
    return [64, 64]


def _file(path: Path) -> Guess:
    try:
        with path.open("rb") as file:
            head = file.read(_SOME)
    except OSError as problem:
        raise DataProblem(f"{path}: cannot be read: {problem.strerror}.") from problem
    suffix = path.suffix.lower()
    if head.startswith(b"PAR1"):
        return Guess(_of("parquet", "path", path), "It begins as Parquet files do.")
    if suffix == ".npz" or (head.startswith(b"PK") and suffix == ".npy"):
        return Guess(_of("numpy", "path", path), "It is a NumPy archive.")
    if head.startswith(b"\x93NUMPY"):
        beside = _targets_beside(path)
        if beside is not None:
            return Guess(
                _of("numpy", "path", path, targets_path=str(beside.absolute())),
                f"It is a NumPy array, and {beside.name} beside it has the targets.",
            )
        if _dimensions(path) > 2:  # steps and columns have two; what these examples teach is to be named
            return Guess(_of("numpy", "path", path), "It is a NumPy array of examples.")
        return Guess(_of("series", "path", path), "It is a lone NumPy array, read as a time series.")
    if suffix == ".safetensors":
        return Guess(_of("safetensors", "path", path), "Its ending says so.")
    if head[:3] == b"\x00\x00\x08" or idx_file(path.name):
        labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        if labels != path and labels.is_file():
            data = _of("idx", "images", path, labels=str(labels.absolute()))
            return Guess(data, f"It is an IDX file, and {labels.name} beside it has the labels.")
        return Guess(_of("idx", "images", path), "It begins as IDX files do.")
    known = what_is(head)
    if known is not None and known[0] == "no text":
        raise DataProblem(
            f"{path}: is no data that is known: neither a table, text, arrays nor IDX. {known[1]}"
        )
    if known is not None:
        raise DataProblem(f"{path}: is {known[0]}, and no data that can be read. {known[1]}")
    if suffix in (".csv", ".tsv", ".tab"):
        return _table(path, head, f"Its ending says that it is a table ({suffix}).")
    lines = head.decode("utf-8", "ignore").splitlines()[:-1]
    if len(lines) > 2 and suffix not in (".txt", ".md"):
        mark = csv_style.guess_separator(head)
        if (
            len({len(row) for row in csv.reader(lines, delimiter=mark)}) == 1
            and mark in lines[0]
            and mark != " "
        ):
            return _table(path, head, "Its lines have equally many cells.")
    return Guess(_of("text", "path", path), "It is plain text.")


def _dimensions(path: Path) -> int:
    """How many dimensions an array has; 0 where the file is damaged, which its loader tells."""
    from engine.data.arrays import npy

    try:
        return npy(path).ndim
    except DataProblem:
        return 0


def _targets_beside(path: Path) -> Path | None:
    """`y.npy` beside `x.npy`, and the like."""
    stem = path.stem
    for mine, theirs in (
        ("x", "y"),
        ("X", "y"),
        ("inputs", "targets"),
        ("images", "labels"),
        ("data", "labels"),
    ):
        if mine in stem:
            beside = path.with_name(stem.replace(mine, theirs) + path.suffix)
            if beside != path and beside.is_file():
                return beside
    return None


def _table(path: Path, head: bytes, reason: str) -> Guess:
    """A table, or a series where rows follow one another in time."""
    lines = head.decode("utf-8-sig", "ignore").splitlines()
    if len(head) == _SOME:
        lines.pop()  # which is cut off
    rows = [row for row in csv.reader(lines, delimiter=csv_style.guess_separator(head)) if row]
    first = rows[0][0].strip().lower() if rows else ""
    timed = first in ("time", "date", "datetime", "timestamp", "step", "t", "day", "month", "year", "hour")
    if timed and len(rows) > _SERIES_ROWS:
        names = [name.strip() for name in rows[0]]
        others = [n for n, cell in zip(names[1:], rows[1][1:], strict=False) if csv_style.is_number(cell)]
        if others:
            return Guess(
                _of("series", "path", path, columns=",".join(others)),
                f"{reason} Its first column is {names[0]!r}, so its rows follow one another in time.",
            )
    if rows and csv_style.begins_with_example(rows):
        return Guess(
            _of("csv", "path", path, header=False),
            f"{reason} Its first line is an example and no names.",
        )
    return Guess(_of("csv", "path", path), reason)
