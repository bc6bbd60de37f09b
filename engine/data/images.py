"""Folders of pictures, a folder per class, read through a cache of their pixels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engine.data import image_cache
from engine.data.channels import channel_fit
from engine.data.description import Loader
from engine.data.files import chosen_folder, unreadable
from engine.data.image_cache import Picture, Style
from engine.data.pool import Part, Pool, Shape
from engine.data.progress import Progress
from engine.problems import DataProblem

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
#: Names of folders that part the pictures, each with a folder per class.
TRAIN, VALIDATION, TEST = ("train", "training"), ("validation", "valid", "val"), ("test", "testing")


class Listing(NamedTuple):
    """The pictures of a folder, without their sizes and times."""

    classes: tuple[str, ...]
    #: Paths relative to the folder, and class numbers: training, then validation, then test.
    paths: tuple[str, ...]
    labels: tuple[int, ...]
    train: int
    validation: int
    test: int


class _Folders(NamedTuple):
    """The folders that hold pictures: (part, class name, path)."""

    found: tuple[tuple[str, str, Path], ...]
    stamp: tuple[object, ...]


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith((".", "__")))
    except OSError as problem:
        raise unreadable(folder, problem) from problem
    return [folder / name for name in names]


def _folders(root: Path) -> _Folders:
    inside = _subfolders(root)
    parts = {
        part: path
        for path in inside
        for part, names in (("train", TRAIN), ("validation", VALIDATION), ("test", TEST))
        if path.name.lower() in names
    }
    if "train" not in parts:
        parts = {}
    if parts:
        strays = [path.name for path in inside if path not in parts.values()]
        if strays:
            raise DataProblem(
                f"{root}: beside {', '.join(p.name for p in parts.values())} there is {strays[0]}. Is it a "
                "class, or a part of the data? Move it, or choose the folder of training pictures.",
                "folder",
            )
        found = tuple((part, c.name, c) for part, path in parts.items() for c in _subfolders(path))
    else:
        found = tuple(("train", path.name, path) for path in inside)
    if not found:
        raise DataProblem(
            f"{root}: has no folders in it. Put the pictures of each class into a folder with its name.",
            "folder",
        )
    stamps = tuple((str(path), path.stat().st_mtime_ns) for _, _, path in found)
    return _Folders(found, ((str(root), root.stat().st_mtime_ns), *stamps))


#: The listing that was made last, by what it was made of: the analysis asks at every edit.
_kept: tuple[tuple[object, ...], Listing] | None = None


def listing(fields: Mapping[str, Any]) -> Listing:
    """Which pictures there are.

    Raises
    ------
    DataProblem
        If there is no such folder, or a class has no pictures.
    """
    global _kept
    root = chosen_folder(fields, "folder", "folder with a folder of pictures for each class")
    folders = _folders(root)
    if _kept is not None and _kept[0] == folders.stamp:
        return _kept[1]
    classes = tuple(sorted({name for part, name, _ in folders.found if part == "train"}))
    paths: list[str] = []
    labels: list[int] = []
    counts = {"train": 0, "validation": 0, "test": 0}
    for part in counts:
        for found_part, name, folder in folders.found:
            if found_part != part:
                continue
            if name not in classes:
                raise DataProblem(
                    f"{folder}: is a class that has no training pictures. Rename or remove it.", "folder"
                )
            pictures = _pictures(folder)
            if not pictures and part == "train":
                raise DataProblem(
                    f"{folder}: has no pictures ({', '.join(sorted(SUFFIXES))}). Add some, or remove it.",
                    "folder",
                )
            inside = str(folder.relative_to(root))
            paths += [f"{inside}/{picture}" for picture in pictures]
            labels += [classes.index(name)] * len(pictures)
            counts[part] += len(pictures)
    found = Listing(classes, tuple(paths), tuple(labels), *counts.values())
    _kept = folders.stamp, found
    return found


def _pictures(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                e.name
                for e in entries
                if os.path.splitext(e.name)[1].lower() in SUFFIXES and not e.name.startswith(".")
            )
    except OSError as problem:
        raise unreadable(folder, problem) from problem


def _style(fields: Mapping[str, Any]) -> Style:
    height, width = fields["size"]
    return Style(height, width, 3 if fields["colours"] == "rgb" else 1, fields["fit"])


def shape(fields: Mapping[str, Any]) -> Shape:
    """What the source gives, from the folders' listings alone: no picture is opened."""
    found = listing(fields)
    style = _style(fields)
    return Shape(
        {"input": (style.channels, style.height, style.width)},
        found.train + found.validation,
        class_names=found.classes,
        given_test=found.test,
        given_validation=found.validation,
    )


def read(fields: Mapping[str, Any]) -> Pool:
    """All pictures: from the cache, which is made first if need be."""
    root = chosen_folder(fields, "folder", "folder")
    found = listing(fields)
    pictures = _told(root, found)
    cached = image_cache.open_cache(root, pictures, _style(fields))
    labels = np.array(found.labels, np.int64)
    own = found.train + found.validation
    pool = Pool(
        {"input": cached.pixels[:own]},
        labels[:own],
        scale=1 / 255,
        test=Part({"input": cached.pixels[own:]}, labels[own:]) if found.test else None,
        sha256=cached.sha256,
    )
    return channel_fit(pool) if fields["standardise"] else pool


def _told(root: Path, found: Listing) -> list[Picture]:
    """Every picture with its size and time."""
    progress = Progress("Looking at pictures", len(found.paths))
    pictures = []
    for number, path in enumerate(found.paths, 1):
        pictures.append(Picture.of(root, path))
        progress(number)
    return pictures


def fingerprint(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """Changes when pictures come or go; what changes within one is seen when they are read."""
    return _folders(chosen_folder(fields, "folder", "folder with a folder of pictures for each class")).stamp


def thorough(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """Changes when any picture does."""
    root = chosen_folder(fields, "folder", "folder")
    told = msgspec.json.encode(_told(root, listing(fields)))
    return (str(root.absolute()), hashlib.sha256(told).hexdigest())


LOADERS = {"image_folder": Loader(shape, read, fingerprint, thorough)}
