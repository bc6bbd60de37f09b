"""Real data sets that come with scikit-learn.

Their files are read where scikit-learn keeps them: ``sklearn.datasets.load_…`` gives the same
numbers, but importing it takes a second.
"""

from __future__ import annotations

import gzip
import importlib.util
import warnings
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.data.description import Loader
from engine.data.files import stamp
from engine.data.measures import standardised
from engine.data.pool import Array, Pool, Shape
from engine.problems import DataProblem


class _Set(NamedTuple):
    """What is known of a set without reading it."""

    file: str
    examples: int
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()
    #: Lines above the numbers.
    head: int = 1
    delimiter: str | None = ","


_CELL = tuple(
    "radius,texture,perimeter,area,smoothness,compactness,concavity,concave points,symmetry,"
    "fractal dimension".split(",")
)

SETS = {
    "iris": _Set(
        "iris.csv",
        150,
        ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"),
        ("setosa", "versicolor", "virginica"),
    ),
    "wine": _Set(
        "wine_data.csv",
        178,
        tuple(
            "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids "
            "nonflavanoid_phenols "
            "proanthocyanins color_intensity hue od280/od315_of_diluted_wines proline".split()
        ),
        ("class_0", "class_1", "class_2"),
    ),
    "breast_cancer": _Set(
        "breast_cancer.csv",
        569,
        tuple(f"mean {name}" for name in _CELL)
        + tuple(f"{name} error" for name in _CELL)
        + tuple(f"worst {name}" for name in _CELL),
        ("malignant", "benign"),
    ),
    "diabetes": _Set(
        "diabetes_data_raw.csv.gz",
        442,
        ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"),
        head=0,
        delimiter=None,
    ),
    "digits": _Set(
        "digits.csv.gz",
        1797,
        tuple(f"pixel_{row}_{column}" for row in range(8) for column in range(8)),
        tuple("0123456789"),
        head=0,
    ),
}


def folder() -> Path:
    """Where scikit-learn keeps its sets.

    Raises
    ------
    DataProblem
        If it is not installed.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise DataProblem(
            "This data set comes with scikit-learn, which is not installed: pip install scikit-learn"
        )
    return Path(package.submodule_search_locations[0], "datasets", "data")


def _numbers(name: str, head: int, delimiter: str | None, columns: int) -> Array:
    path = folder() / name
    opened: Callable[..., Any] = gzip.open if name.endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="ascii") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a damaged file is said below
            table = np.loadtxt(file, delimiter=delimiter, skiprows=head, dtype=np.float64, ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as problem:
        raise DataProblem(f"{path}: cannot be read ({problem}). Install scikit-learn again.") from problem
    if table.shape[1] != columns:
        raise DataProblem(
            f"{path}: has {table.shape[1]} columns instead of {columns}. Install scikit-learn again."
        )
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1))) + 1
        raise DataProblem(f"{path}: row {row:,} has a value that is no number. Install scikit-learn again.")
    return table


def _classes(name: str, column: Array) -> Array:
    """Class numbers, checked: a file that someone has changed must not train on classes that are none."""
    known = len(SETS[name].classes)
    wrong = (column != np.round(column)) | (column < 0) | (column >= known)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise DataProblem(
            f"{name}: row {at + 1:,} has the class {column[at]:g}; there are 0 … {known - 1}. "
            "Install scikit-learn again."
        )
    classes: Array = column.astype(np.int64)
    return classes


def _complete(name: str, table: Array, examples: int) -> Array:
    if len(table) != examples:
        raise DataProblem(
            f"{name} has {len(table):,} examples instead of {examples:,}. Install scikit-learn again."
        )
    return table


def _shape_digits(fields: Mapping[str, Any]) -> Shape:
    found = SETS["digits"]
    return Shape({"input": (1, 8, 8)}, found.examples, class_names=found.classes)


def _read_digits(fields: Mapping[str, Any]) -> Pool:
    """All examples, in the file's order; values 0 … 16 as bytes, to be divided by 16."""
    found = SETS["digits"]
    table = _complete("digits", _numbers(found.file, found.head, found.delimiter, 65), found.examples)
    pixels = table[:, :64].astype(np.uint8).reshape(-1, 1, 8, 8)
    return Pool({"input": pixels}, _classes("digits", table[:, 64]), scale=1 / 16)


def _shape(name: str, fields: Mapping[str, Any]) -> Shape:
    found = SETS[name]
    inputs = {"input": (len(found.features),)}
    if found.classes:
        return Shape(inputs, found.examples, class_names=found.classes)
    return Shape(inputs, found.examples, target="value", target_names=("progression",))


def _read(name: str, fields: Mapping[str, Any]) -> Pool:
    found = SETS[name]
    width = len(found.features)
    table = _complete(
        name, _numbers(found.file, found.head, found.delimiter, width + bool(found.classes)), found.examples
    )
    if found.classes:
        targets = _classes(name, table[:, width])
    else:
        targets = _complete(name, _numbers("diabetes_target.csv.gz", 0, None, 1), found.examples).astype(
            np.float32
        )
    pool = Pool({"input": table[:, :width].astype(np.float32)}, targets)

    def fit(train: Array) -> Pool:
        return standardised(
            pool, train, inputs=fields["standardise"], targets=fields.get("standardise_target", False)
        )

    return Pool(pool.inputs, pool.targets, fit=fit)


def _fingerprint(name: str, fields: Mapping[str, Any]) -> tuple[object, ...]:
    return stamp([folder() / SETS[name].file])


LOADERS = {
    "digits": Loader(_shape_digits, _read_digits, partial(_fingerprint, "digits")),
    **{
        name: Loader(partial(_shape, name), partial(_read, name), partial(_fingerprint, name))
        for name in SETS
        if name != "digits"
    },
}
