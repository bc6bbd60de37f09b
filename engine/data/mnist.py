"""MNIST from its four IDX files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.data import idx
from engine.data.folders import places
from engine.data.pool import Pool, Shape
from engine.problems import DataProblem

#: Images and labels of the training set, images and labels of the test set.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

#: Shared by custom among the 60,000 training images: the last 5,000 validate.
_VALIDATION_SHARE = 12


def _find(folder: Path, name: str) -> Path | None:
    """`name` in `folder`, as distributed or with the dot that some copies have, packed or not."""
    for stem in (name, name.replace("-idx", ".idx")):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def find(fields: Mapping[str, Any]) -> tuple[Path, Path, Path, Path]:
    """The four files.

    Raises
    ------
    DataProblem
        If no folder holds all four; it says which are missing and where they may be put.
    """
    chosen = fields.get("folder")
    sought = places("mnist", chosen)
    best: tuple[Path, list[str]] | None = None
    for folder in sought:
        found = [_find(folder, name) for name in FILES]
        if all(found):
            a, b, c, d = (path for path in found if path is not None)
            return a, b, c, d
        missing = [name for name, path in zip(FILES, found, strict=True) if path is None]
        if len(missing) < len(FILES) and best is None:
            best = folder, missing
    if best is not None:
        raise DataProblem(
            f"{best[0]}: of the four MNIST files {' and '.join(best[1])} missing (.gz or not). "
            "Put them there, or choose another folder.",
            "folder",
        )
    where = sought[0] if chosen is not None else places("mnist", None)[-2]
    raise DataProblem(
        f"The MNIST files are not here yet. Put {', '.join(FILES[:-1])} and {FILES[-1]} "
        f"(.gz or not) into {where}"
        + (" or choose another folder." if chosen is not None else ", or say their folder."),
        "folder",
    )


def _shape(images: tuple[int, ...], test: tuple[int, ...]) -> Shape:
    return Shape(
        (1, *images[1:]),
        tuple("0123456789"),
        images[0],
        given_test=test[0],
        given_validation=images[0] // _VALIDATION_SHARE,
    )


def shape(fields: Mapping[str, Any]) -> Shape:
    """What the source gives, from the headers of its image files."""
    train, _, test, _ = find(fields)
    return _shape(idx.read_shape(train, 3), idx.read_shape(test, 3))


def _pair(images_path: Path, labels_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = idx.read(images_path, 3)
    labels = idx.read(labels_path, 1)
    if len(images) != len(labels):
        raise DataProblem(
            f"{images_path.name} has {len(images):,} images but {labels_path.name} has "
            f"{len(labels):,} labels (in {images_path.parent}). Fetch both again.",
            "folder",
        )
    if labels.max() > 9:
        raise DataProblem(
            f"{labels_path}: has the label {labels.max()}; MNIST has 0 … 9. Fetch it again.", "folder"
        )
    return images[:, None], labels


def read(fields: Mapping[str, Any]) -> Pool:
    """All examples, in the files' order; values 0 … 255 as bytes, to be divided by 255."""
    train_images, train_labels, test_images, test_labels = find(fields)
    images, labels = _pair(train_images, train_labels)
    test = _pair(test_images, test_labels)
    if images.shape[1:] != test[0].shape[1:]:
        raise DataProblem(
            f"{train_images.parent}: training images are {images.shape[2]} × {images.shape[3]} pixels, test "
            f"images {test[0].shape[2]} × {test[0].shape[3]}. These files do not belong together.",
            "folder",
        )
    return Pool(images, labels, scale=1 / 255, test=test)


def fingerprint(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """Changes when the files do: their paths, sizes and times."""
    return tuple((str(path), (stat := path.stat()).st_size, stat.st_mtime_ns) for path in find(fields))
