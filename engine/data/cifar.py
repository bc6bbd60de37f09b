"""CIFAR-10 and CIFAR-100 from the files of their binary version.

Each record is one label byte (two in CIFAR-100: coarse, then fine) and 3,072 bytes of a picture:
red, green, blue, each 32 rows of 32 (https://www.cs.toronto.edu/~kriz/cifar.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.data.channels import channel_fit
from engine.data.description import Loader
from engine.data.files import stamp, unreadable
from engine.data.folders import places
from engine.data.pool import Part, Pool, Shape
from engine.data.progress import Progress
from engine.problems import DataProblem

_PIXELS = 3 * 32 * 32
#: By custom the last tenth of the training pictures validates.
_VALIDATION_SHARE = 10


class _Version(NamedTuple):
    train: tuple[str, ...]
    test: str
    #: Label bytes of a record, and which of them counts.
    labels: int
    which: int
    classes: int
    names: str


_VERSIONS = {
    "10": _Version(
        tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin", 1, 0, 10, "batches.meta.txt"
    ),
    "100": _Version(("train.bin",), "test.bin", 2, 1, 100, "fine_label_names.txt"),
    "100 coarse": _Version(("train.bin",), "test.bin", 2, 0, 20, "coarse_label_names.txt"),
}
_TEN = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def find(fields: Mapping[str, Any]) -> tuple[list[Path], Path]:
    """The training files and the test file.

    Raises
    ------
    DataProblem
        If no folder holds them; it says which are missing.
    """
    version = _VERSIONS[fields["version"]]
    wanted = (*version.train, version.test)
    kin = "cifar-10-batches-bin" if version.labels == 1 else "cifar-100-binary"
    bases = places("cifar", fields["folder"])
    sought = [place for base in bases for place in (base, base / kin)]
    best: tuple[int, Path] = (-1, sought[0])
    for folder in sought:
        present = [name for name in wanted if (folder / name).is_file()]
        if len(present) == len(wanted):
            return [folder / name for name in version.train], folder / version.test
        if len(present) > best[0]:
            best = len(present), folder
    folder = best[1]
    missing = [name for name in wanted if not (folder / name).is_file()]
    raise DataProblem(
        f"{folder}: of CIFAR's binary version {', '.join(missing)} missing. "
        "Unpack the archive there, or choose another folder.",
        "folder",
    )


def _records(path: Path, version: _Version) -> int:
    size, record = path.stat().st_size, version.labels + _PIXELS
    if size == 0 or size % record:
        raise DataProblem(
            f"{path}: has {size:,} bytes, which is no whole number of records of {record:,}: it is cut "
            "short, "
            "or of another version. Fetch it again, or choose the other version."
        )
    return size // record


def _names(folder: Path, version: _Version) -> tuple[str, ...]:
    path = folder / version.names
    try:
        names = tuple(path.read_text("utf-8").split())
    except (OSError, UnicodeDecodeError):
        names = ()
    if len(names) == version.classes:
        return names
    return _TEN if version.classes == 10 else tuple(str(number) for number in range(version.classes))


def shape(fields: Mapping[str, Any]) -> Shape:
    """What the source gives, from the sizes of its files."""
    version = _VERSIONS[fields["version"]]
    train, test = find(fields)
    examples = sum(_records(path, version) for path in train)
    return Shape(
        {"input": (3, 32, 32)},
        examples,
        class_names=_names(test.parent, version),
        given_test=_records(test, version),
        given_validation=examples // _VALIDATION_SHARE,
    )


def _read_file(path: Path, version: _Version) -> Part:
    count = _records(path, version)
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as problem:
        raise unreadable(path, problem) from problem
    table = raw.reshape(count, version.labels + _PIXELS)
    labels = table[:, version.which]
    if labels.max() >= version.classes:
        at = int(np.argmax(labels >= version.classes))
        raise DataProblem(
            f"{path}: record {at + 1:,} has the label {labels[at]}; there are 0 … {version.classes - 1}. "
            "Fetch it again, or choose the other version."
        )
    pictures = table[:, version.labels :].reshape(-1, 3, 32, 32)
    return Part({"input": pictures}, labels.astype(np.int64))


def read(fields: Mapping[str, Any]) -> Pool:
    """All pictures, in the files' order."""
    version = _VERSIONS[fields["version"]]
    train, test = find(fields)
    progress = Progress("Reading CIFAR", len(train))
    parts = []
    for number, path in enumerate(train, 1):
        parts.append(_read_file(path, version))
        progress(number)
    pictures = np.concatenate([part.inputs["input"] for part in parts])
    labels = np.concatenate([part.targets for part in parts])
    pool = Pool({"input": pictures}, labels, scale=1 / 255, test=_read_file(test, version))
    return channel_fit(pool) if fields["standardise"] else pool


def fingerprint(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """Changes when the files do."""
    train, test = find(fields)
    return stamp([*train, test])


LOADERS = {"cifar": Loader(shape, read, fingerprint)}
