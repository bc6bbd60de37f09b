"""MNIST and its kin, and any other pictures in IDX files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data import idx
from engine.data.description import Loader
from engine.data.download import offer
from engine.data.files import chosen_file, stamp
from engine.data.folders import places
from engine.data.pool import Part, Pool, Shape
from engine.problems import DataMissing, DataProblem

#: Images and labels of the training set, images and labels of the test set.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

#: By custom the last twelfth of the training images validates: 5,000 of MNIST's 60,000.
_VALIDATION_SHARE = 12

_DIGITS = tuple("0123456789")
_UPPER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER = tuple("abcdefghijklmnopqrstuvwxyz")
_MERGED = (*_DIGITS, *_UPPER, *"abdefghnqrt")


class _Family(NamedTuple):
    """One data set of four files."""

    name: str
    title: str
    files: tuple[str, ...]
    classes: tuple[str, ...]
    #: The number of the first class.
    first: int = 0
    #: Whether pictures are stored with rows and columns exchanged.
    turned: bool = False


_CLOTHES = tuple("T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(","))
_EMNIST = {
    "letters": _UPPER,
    "balanced": _MERGED,
    "bymerge": _MERGED,
    "byclass": (*_DIGITS, *_UPPER, *_LOWER),
    "digits": _DIGITS,
    "mnist": _DIGITS,
}


def family_of(source: str, fields: Mapping[str, Any]) -> _Family:
    """What is known of a set without its files."""
    if source == "emnist":
        part = fields["part"]
        files = tuple(
            f"emnist-{part}-{name}"
            for name in (FILES[0], FILES[1], "test-images-idx3-ubyte", "test-labels-idx1-ubyte")
        )
        return _Family(source, "EMNIST", files, _EMNIST[part], int(part == "letters"), turned=True)
    if source == "fashion_mnist":
        return _Family(source, "Fashion-MNIST", FILES, _CLOTHES)
    return _Family(source, "MNIST", FILES, _DIGITS)


def idx_file(name: str) -> bool:
    """Whether a file's name says that it is IDX."""
    return bool(re.search(r"[-.]idx\d-ubyte(\.gz)?$", name))


def _find(folder: Path, name: str) -> Path | None:
    """`name` in `folder`, as distributed or with the dot that some copies have, packed or not."""
    for stem in (name, name.replace("-idx", ".idx")):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def find(source: str, fields: Mapping[str, Any]) -> tuple[Path, Path, Path, Path]:
    """The four files of `source`.

    Raises
    ------
    DataProblem
        If no folder holds all four; it says which are missing and where they may be put.
    """
    family = family_of(source, fields)
    chosen = fields.get("folder")
    sought = places(source, chosen)
    if chosen is None and source == "fashion_mnist":  # its files bear MNIST's names
        sought = [place for place in sought if place.name == source]
    best: tuple[Path, list[str]] | None = None
    for folder in sought:
        found = [_find(folder, name) for name in family.files]
        if all(found):
            a, b, c, d = (path for path in found if path is not None)
            return a, b, c, d
        missing = [name for name, path in zip(family.files, found, strict=True) if path is None]
        if len(missing) < len(family.files) and best is None:
            best = folder, missing
    if best is not None:
        raise DataMissing(
            f"{best[0]}: of the four {family.title} files {' and '.join(best[1])} missing (.gz or not). "
            f"Put them there, choose another folder, or download them: {_asked(source, fields)}",
            "folder",
            source,
        )
    where = sought[0] if chosen is not None else [p for p in places(source, None) if p.name == source][-1]
    raise DataMissing(
        f"The {family.title} files are not here yet. Put {', '.join(family.files[:-1])} and "
        f"{family.files[-1]} (.gz or not) into {where}, "
        + ("choose another folder" if chosen is not None else "say their folder")
        + f", or download them: {_asked(source, fields)}",
        "folder",
        source,
    )


def _asked(source: str, fields: Mapping[str, Any]) -> str:
    """How to ask for the files, and what that brings."""
    found = offer(source, fields)
    assert found is not None
    folder = f" --set folder={fields['folder']}" if fields.get("folder") else ""
    return f"`layerlab data {source}{folder} --download`, {found.size / 1e6:,.0f} MB."


def _shape_of_four(source: str, fields: Mapping[str, Any]) -> Shape:
    """What the source gives, from the headers of its image files."""
    family = family_of(source, fields)
    train, _, test, _ = find(source, fields)
    images, tests = idx.read_shape(train, 3), idx.read_shape(test, 3)
    size = images[:0:-1] if family.turned else images[1:]
    return Shape(
        {"input": (1, *size)},
        images[0],
        class_names=family.classes,
        given_test=tests[0],
        given_validation=images[0] // _VALIDATION_SHARE,
    )


def _read_of_four(source: str, fields: Mapping[str, Any]) -> Pool:
    """All examples, in the files' order; values 0 … 255 as bytes, to be divided by 255."""
    family = family_of(source, fields)
    train_images, train_labels, test_images, test_labels = find(source, fields)
    parts = []
    for images_path, labels_path in ((train_images, train_labels), (test_images, test_labels)):
        images, labels = _pair(images_path, labels_path, 3, "folder")
        low, high = family.first, family.first + len(family.classes) - 1
        for label in (labels.min(), labels.max()):
            if not low <= label <= high:
                raise DataProblem(
                    f"{labels_path}: has the label {label}; {family.title} has {low} … {high}. "
                    "Fetch it again.",
                    "folder",
                )
        if family.turned:
            images = np.ascontiguousarray(images.swapaxes(1, 2))
        parts.append(Part({"input": images[:, None]}, labels.astype(np.int64) - low))
    _same_size(parts, train_images.parent, "folder")
    return Pool(parts[0].inputs, parts[0].targets, scale=1 / 255, test=parts[1])


def _pair(
    images_path: Path, labels_path: Path, dimensions: int, field: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = idx.read(images_path, dimensions)
    labels = idx.read(labels_path, 1)
    if len(images) != len(labels):
        raise DataProblem(
            f"{images_path.name} has {len(images):,} images but {labels_path.name} has "
            f"{len(labels):,} labels (in {images_path.parent}). Fetch both again.",
            field,
        )
    return images, labels


def _same_size(parts: Sequence[Part], where: Path, field: str) -> None:
    train, test = (part.inputs["input"].shape[2:] for part in parts)
    if train != test:
        raise DataProblem(
            f"{where}: training images are {' × '.join(map(str, train))} pixels, test images "
            f"{' × '.join(map(str, test))}. These files do not belong together.",
            field,
        )


# ---------------------------------------------------------------------------- any files


def _given(fields: Mapping[str, Any]) -> tuple[tuple[Path, Path], ...]:
    """The pairs of images and labels that the fields name: for training, perhaps for testing."""
    pairs = [
        (
            chosen_file(fields, "images", "IDX file of examples"),
            chosen_file(fields, "labels", "IDX file of labels"),
        )
    ]
    if bool(fields["test_images"]) != bool(fields["test_labels"]):
        lacking = "test_labels" if fields["test_images"] else "test_images"
        raise DataProblem("Test images and test labels come together: say both files, or neither.", lacking)
    if fields["test_images"]:
        pairs.append(
            (chosen_file(fields, "test_images", "IDX file"), chosen_file(fields, "test_labels", "IDX file"))
        )
    return tuple(pairs)


def _example(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one example: pictures get their channel."""
    return (1, *sizes[1:]) if len(sizes) == 3 else sizes[1:]


def _shape_of_any(fields: Mapping[str, Any]) -> Shape:
    pairs = _given(fields)
    sizes = idx.read_shape(pairs[0][0], None)
    labels = [idx.read(path, 1) for _, path in pairs]
    names = tuple(str(number) for number in range(1 + max(int(found.max()) for found in labels)))
    return Shape(
        {"input": _example(sizes)},
        sizes[0],
        class_names=names,
        given_test=len(labels[1]) if len(labels) > 1 else 0,
    )


def _read_any(fields: Mapping[str, Any]) -> Pool:
    pairs = _given(fields)
    parts = []
    for images_path, labels_path in pairs:
        images, labels = _pair(images_path, labels_path, len(idx.read_shape(images_path, None)), "images")
        shaped = images.reshape(len(images), *_example(images.shape))
        parts.append(Part({"input": shaped}, labels.astype(np.int64)))
    if len(parts) == 2:
        _same_size(parts, pairs[0][0].parent, "test_images")
    return Pool(parts[0].inputs, parts[0].targets, scale=1 / 255, test=parts[1] if len(parts) == 2 else None)


def _loader(source: str) -> Loader:
    stamped: Callable[[Mapping[str, Any]], tuple[object, ...]] = lambda fields: stamp(find(source, fields))  # noqa: E731
    return Loader(partial(_shape_of_four, source), partial(_read_of_four, source), stamped)


LOADERS = {
    **{source: _loader(source) for source in ("mnist", "fashion_mnist", "emnist")},
    "idx": Loader(
        _shape_of_any, _read_any, lambda fields: stamp(path for pair in _given(fields) for path in pair)
    ),
}
