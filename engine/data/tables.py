"""CSV and Parquet tables: columns have roles, categories become 0/1 columns, gaps are filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.data import cells
from engine.data.csv_style import check_commas
from engine.data.description import Loader
from engine.data.files import chosen_file, stamp
from engine.data.measures import spread, standardised
from engine.data.pool import Array, Indices, Pool, Shape
from engine.problems import DataProblem

#: A column with more names than this is a name of each row, not a category.
_CATEGORIES = 1000
#: Whole numbers are classes up to so many different ones.
_CLASSES = 20
#: The category of empty cells.
EMPTY = "(empty)"


@dataclass(frozen=True)
class Table:
    """A table whose columns have found their roles.

    Attributes
    ----------
    numbers
        Column -> values of its rows, float64, NaN for an empty cell.
    categories
        Column -> its categories, and each row's number among them.
    target
        "class" or "value".
    targets
        ``[rows]`` class numbers, or ``[rows, values]``.
    left_out
        How many rows of the file are not among them, for their empty cells.
    """

    numbers: Mapping[str, Array]
    categories: Mapping[str, tuple[tuple[str, ...], Array]]
    target: str
    target_columns: tuple[str, ...]
    class_names: tuple[str, ...]
    targets: Array
    ordered: bool
    left_out: int

    @property
    def features(self) -> tuple[str, ...]:
        """What each number that the network receives is."""
        named = [f"{column} = {name}" for column, (names, _) in self.categories.items() for name in names]
        return (*self.numbers, *named)


def _read_cells(kind: str, path: Path, fields: Mapping[str, Any]) -> cells.Cells:
    categorical = [name.strip() for name in (fields["categorical"] or "").split(",")]
    if fields["learn"] == "class" and fields["target"]:
        categorical.append(fields["target"])
    if kind == "csv":
        return cells.read_csv(path, fields["separator"], fields["header"], categorical)
    return cells.read_parquet(path, categorical)


#: The table that was read last, with what it was read from: describing and loading both need it.
_kept: tuple[bytes, Table] | None = None


def table(kind: str, fields: Mapping[str, Any]) -> Table:
    """The table that `fields` name.

    Raises
    ------
    DataProblem
        If it cannot be read, or its columns cannot have these roles.
    """
    global _kept
    path = chosen_file(fields, "path", f"{'CSV' if kind == 'csv' else 'Parquet'} file")
    key = msgspec.json.encode((kind, fields, stamp([path])), order="sorted")
    if _kept is None or _kept[0] != key:
        _kept = key, _with_roles(kind, path, _read_cells(kind, path, fields), fields)
    return _kept[1]


def _with_roles(kind: str, path: Path, read: cells.Cells, fields: Mapping[str, Any]) -> Table:
    names = list(read.columns)
    ignored = cells.pick(names, fields["ignore"], "ignore", path)
    categorical = cells.pick(names, fields["categorical"], "categorical", path)
    order = cells.pick(names, fields["order_by"], "order_by", path)
    left = [name for name in names if name not in ignored]
    targets = cells.pick(names, fields["target"], "target", path) or left[-1:]
    features = cells.pick(names, fields["features"], "features", path)
    features = features or [name for name in left if name not in (*targets, *order)]
    both = [name for name in features if name in targets]
    if both:
        raise DataProblem(
            f"{path}: {both[0]!r} is what is to be learned, and a feature too. Take it out of features.",
            "features",
        )
    if not features:
        raise DataProblem(
            f"{path}: no column is left for the network to see: {', '.join(targets) or 'none'} is to be "
            "learned. "
            "Name another target, or ignore fewer columns.",
            "features",
        )
    for name in (*features, *targets, *order):
        texts = read.columns[name]
        named = name in categorical or (fields["learn"] == "class" and name in targets)
        if kind == "csv" and texts.dtype == object and not named:
            remedy = "list the column in categorical if they are names"
            check_commas(path, name, texts, "categorical", remedy)
    kept = _rows(path, read, [*features, *targets], targets, fields["missing"])
    if order:
        kept = kept[_order(path, order[0], read.columns[order[0]][kept])]
    columns = {name: values[kept] for name, values in read.columns.items()}
    target, class_names, values = _targets(path, {n: columns[n] for n in targets}, fields["learn"])
    numbers, categories = {}, {}
    for name in features:
        if columns[name].dtype == object:
            categories[name] = _categories(path, name, columns[name])
        else:
            if np.isnan(columns[name]).all():
                raise DataProblem(
                    f"{path}: column {name!r} has no value at all. List it in ignore.", "ignore"
                )
            numbers[name] = columns[name]
    left_out = read.rows - len(kept)
    return Table(numbers, categories, target, tuple(targets), class_names, values, bool(order), left_out)


def _rows(path: Path, read: cells.Cells, used: list[str], targets: list[str], missing: str) -> Indices:
    """The rows that stay."""
    kept = np.ones(read.rows, bool)
    for name in used:
        empty = cells.empty(read.columns[name])
        if missing == "refuse" and empty.any():
            row = int(np.argmax(empty)) + 1
            raise DataProblem(
                f"{path}: row {row:,}, column {name!r} is empty ({empty.sum():,} of its cells are). "
                "Fill it, or let missing be mean, median, zero or drop.",
                "missing",
            )
        if name in targets or missing == "drop":  # nothing can be learned from a row without a target
            kept &= ~empty
    if not kept.any():
        raise DataProblem(
            f"{path}: every row has an empty cell, so no row is left. Choose another way for missing cells, "
            "or ignore the empty column.",
            "missing",
        )
    return np.flatnonzero(kept)


def _order(path: Path, name: str, values: Array) -> Indices:
    if cells.empty(values).any():
        raise DataProblem(f"{path}: {name!r} orders the rows, and has empty cells. Fill them.", "order_by")
    return np.argsort(values.astype(str) if values.dtype == object else values, kind="stable")


def _targets(path: Path, columns: Mapping[str, Array], learn: str) -> tuple[str, tuple[str, ...], Array]:
    """What the targets are, the classes' names, and the targets."""
    texts = [name for name, values in columns.items() if values.dtype == object]
    if learn == "value" or len(columns) > 1:
        if texts:
            raise DataProblem(
                f"{path}: {texts[0]!r} is to be learned as a value, and holds text such as "
                f"{columns[texts[0]][0]!r}. Learn it alone as a class, or choose a column of numbers.",
                "target",
            )
        return "value", (), np.stack(list(columns.values()), 1).astype(np.float32)
    ((name, values),) = columns.items()
    if not texts:
        different = np.unique(values)
        whole = bool((different == np.round(different)).all())
        if learn == "auto" and not (whole and len(different) <= _CLASSES):
            return "value", (), values[:, None].astype(np.float32)
        if len(different) > _CATEGORIES:
            raise DataProblem(
                f"{path}: {name!r} has {len(different):,} different values: too many for classes. Learn it "
                "as a "
                "value.",
                "learn",
            )
        shown = tuple(f"{value:.0f}" if value == round(value) else f"{value:g}" for value in different)
        return "class", shown, np.searchsorted(different, values).astype(np.int64)
    names, numbers = _categories(path, name, values)
    return "class", names, numbers


def _categories(path: Path, name: str, values: Array) -> tuple[tuple[str, ...], Array]:
    known = np.where(cells.empty(values), EMPTY, values).astype(str)
    names, numbers = np.unique(known, return_inverse=True)
    if len(names) > _CATEGORIES:
        raise DataProblem(
            f"{path}: column {name!r} has {len(names):,} different texts: it names rows rather than kinds of "
            "them. "
            "List it in ignore.",
            "ignore",
        )
    return tuple(map(str, names)), numbers.astype(np.int64)


def _shape(kind: str, fields: Mapping[str, Any]) -> Shape:
    found = table(kind, fields)
    return Shape(
        {"input": (len(found.features),)},
        len(found.targets),
        target=found.target,
        class_names=found.class_names,
        target_names=found.target_columns if found.target == "value" else (),
        ordered=found.ordered,
    )


def _read(kind: str, fields: Mapping[str, Any]) -> Pool:
    found = table(kind, fields)
    raw = np.stack(list(found.numbers.values()), 1) if found.numbers else np.empty((len(found.targets), 0))
    hot = [
        (numbers[:, None] == np.arange(len(names))).astype(np.float32)
        for names, numbers in found.categories.values()
    ]

    def fit(train: Indices) -> Pool:
        filled = _filled(raw, train, fields["missing"]).astype(np.float32)
        pool = standardised(
            Pool({"input": filled}, found.targets),
            train,
            inputs=fields["standardise"],
            targets=found.target == "value" and fields["standardise_target"],
        )
        return replace(pool, inputs={"input": np.concatenate([pool.inputs["input"], *hot], 1)})

    whole = np.concatenate([raw.astype(np.float32), *hot], 1)
    return Pool({"input": whole}, found.targets, fit=fit)


def _filled(values: Array, train: Indices, missing: str) -> Array:
    empty = np.isnan(values)
    if not empty.any():
        return values
    if missing == "median":
        with np.errstate(invalid="ignore"):
            stand_in = np.nan_to_num(np.nanmedian(values[train], axis=0))
    elif missing == "zero":
        stand_in = np.zeros(values.shape[1])
    else:
        stand_in = spread(values[train])[0]
    return np.where(empty, stand_in, values)


def _loader(kind: str) -> Loader:
    return Loader(
        lambda fields: _shape(kind, fields),
        lambda fields: _read(kind, fields),
        lambda fields: stamp([chosen_file(fields, "path", "file of the table")]),
    )


LOADERS = {kind: _loader(kind) for kind in ("csv", "parquet")}
