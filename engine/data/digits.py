"""The handwritten digits that come with scikit-learn."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.data.pool import Pool, Shape
from engine.problems import DataProblem

EXAMPLES = 1797


def shape(fields: Mapping[str, Any]) -> Shape:
    """What the source gives: known without reading it."""
    return Shape((1, 8, 8), tuple("0123456789"), EXAMPLES)


def read(fields: Mapping[str, Any]) -> Pool:
    """All examples, in the file's order; values 0 … 16 as bytes, to be divided by 16.

    The file is read where scikit-learn keeps it: ``sklearn.datasets.load_digits`` gives the same
    numbers, but importing it takes a second.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise DataProblem(
            "The digits come with scikit-learn, which is not installed: pip install scikit-learn"
        )
    path = Path(package.submodule_search_locations[0], "datasets", "data", "digits.csv.gz")
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    except (OSError, EOFError, ValueError) as problem:
        raise DataProblem(f"{path}: cannot be read ({problem}). Install scikit-learn again.") from problem
    return Pool(table[:, :64].reshape(-1, 1, 8, 8), table[:, 64], scale=1 / 16)


def fingerprint(fields: Mapping[str, Any]) -> tuple[object, ...]:
    """Changes when the files do; these never do."""
    return ()
