"""Text as windows of characters or words, and the token that follows each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engine.data.description import Loader
from engine.data.files import stamp, unreadable
from engine.data.pool import Array, Pool, Shape
from engine.data.progress import Progress
from engine.data.recognise import HEAD, what_is
from engine.data.room import need_room
from engine.data.windows import Cut
from engine.problems import DataProblem

#: Stands for every token that is not in the vocabulary.
UNKNOWN = "�"
#: Bytes of memory that a byte of text takes while it is numbered.
_PER_BYTE = 24
#: A folder with more text files than this is none of texts.
_MOST_FILES = 100_000
#: Bytes of memory that a byte of text takes: itself, its characters, and a number for each.
_PER_BYTE = 10
_WORDS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]|\n")


class Tokens(NamedTuple):
    """A text as numbers."""

    #: The vocabulary, in order of code point or commonness.
    names: tuple[str, ...]
    #: ``[tokens]`` int64.
    numbers: Array


def files(fields: Mapping[str, Any]) -> list[Path]:
    """The text files that are read, in order.

    Raises
    ------
    DataProblem
        If nothing is chosen, or nothing is there.
    """
    if not fields.get("path"):
        raise DataProblem(
            "Nothing is chosen yet: set path to the text file, or a folder of .txt files.", "path"
        )
    path = Path(fields["path"]).expanduser()
    if path.is_dir():
        found = sorted(islice((file for file in path.rglob("*.txt") if file.is_file()), _MOST_FILES + 1))
        if len(found) > _MOST_FILES:
            raise DataProblem(
                f"{path}: has more than {_MOST_FILES:,} .txt files in it. Choose a folder of fewer.",
                "path",
            )
        if not found:
            raise DataProblem(f"{path}: has no .txt files in it. Choose the text file itself.", "path")
        return found
    if not path.is_file():
        raise DataProblem(f"{path}: there is no such file. Choose the text file.", "path")
    return [path]


def _read_text(path: Path) -> str:
    try:
        need_room(path, _PER_BYTE * path.stat().st_size, "Take a part of the text.")
        data = path.read_bytes()
    except OSError as problem:
        raise unreadable(path, problem) from problem
    known = what_is(data[:HEAD])
    if known is not None and known[0] != "no text":
        raise DataProblem(f"{path}: is {known[0]}, and no plain text. {known[1]}", "path")
    if b"\0" in data:
        raise DataProblem(
            f"{path}: is no text: it has bytes of zero. Save it as plain text in UTF-8.", "path"
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        if known is not None:
            raise DataProblem(f"{path}: is no text. {known[1]}", "path") from None
        line = data.count(b"\n", 0, problem.start) + 1
        raise DataProblem(
            f"{path}: line {line:,} has a byte ({data[problem.start]:#04x}) that is not UTF-8. "
            "Save the file as UTF-8.",
            "path",
        ) from None


#: The text that was read last, with what it was read from.
_kept: tuple[bytes, Tokens] | None = None


def tokens(fields: Mapping[str, Any]) -> Tokens:
    """The text that `fields` name, as numbers.

    Raises
    ------
    DataProblem
        If it cannot be read, or is too short for one window.
    """
    global _kept
    paths = files(fields)
    key = msgspec.json.encode(
        (fields["level"], fields["vocabulary"], fields["lower_case"], stamp(paths)), order="sorted"
    )
    if _kept is None or _kept[0] != key:
        need_room(
            paths[0], _PER_BYTE * sum(path.stat().st_size for path in paths), "Take a part of the text."
        )
        progress = Progress("Reading text", len(paths))
        texts = []
        for number, path in enumerate(paths, 1):
            texts.append(_read_text(path))
            progress(number)
        text = "\n".join(texts)
        _kept = key, _numbered(text.lower() if fields["lower_case"] else text, fields)
    found = _kept[1]
    cut = _cut(fields)
    what = "characters" if fields["level"] == "character" else "words"
    if cut.count(len(found.numbers)) < 2:
        raise DataProblem(
            f"{paths[0]}: has {len(found.numbers):,} {what}, too few for windows of {cut.length:,} and the "
            "one that "
            "follows. Lower length, or bring more text.",
            "length",
        )
    if len(found.names) < 2:
        raise DataProblem(
            f"{paths[0]}: repeats {found.names[0]!r} only. There is nothing to foretell.", "path"
        )
    return found


def _numbered(text: str, fields: Mapping[str, Any]) -> Tokens:
    most = fields["vocabulary"]
    if fields["level"] == "character":
        points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        different, numbers, counts = np.unique(points, return_inverse=True, return_counts=True)
        names = [chr(point) for point in different]
        if len(names) <= most:
            return Tokens(tuple(names), numbers.astype(np.int64))
        kept = np.sort(np.argsort(-counts, kind="stable")[: most - 1])
        place = np.full(len(names), most - 1, np.int64)
        place[kept] = np.arange(most - 1)
        return Tokens((*(names[i] for i in kept), UNKNOWN), place[numbers])
    words = _WORDS.findall(text)
    commonest = Counter(words).most_common()
    if len(commonest) > most:
        names = [*(word for word, _ in commonest[: most - 1]), UNKNOWN]
    else:
        names = [word for word, _ in commonest]
    place_of = {word: number for number, word in enumerate(names)}
    unknown = len(names) - 1
    return Tokens(tuple(names), np.array([place_of.get(word, unknown) for word in words], np.int64))


def _cut(fields: Mapping[str, Any]) -> Cut:
    return Cut(fields["length"], 1, fields["stride"])


def _shape(fields: Mapping[str, Any]) -> Shape:
    found, cut = tokens(fields), _cut(fields)
    return Shape(
        {"input": (cut.length,)},
        cut.count(len(found.numbers)),
        target="token",
        class_names=found.names,
        dtypes={"input": "int64"},
        ordered=True,
        overlap=cut.overlap,
        places=cut.length if fields["learn"] == "each" else 0,
    )


def _read(fields: Mapping[str, Any]) -> Pool:
    found, cut = tokens(fields), _cut(fields)
    windows = cut.inputs(found.numbers)
    if fields["learn"] == "each":
        return Pool({"input": windows}, cut._replace(horizon=0).inputs(found.numbers[1:]))
    return Pool({"input": windows}, cut.targets(found.numbers))


LOADERS = {"text": Loader(_shape, _read, lambda fields: stamp(files(fields)))}
