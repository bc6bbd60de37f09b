"""Windows of a time series, and a value that lies behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engine.data import cells
from engine.data.arrays import npy
from engine.data.csv_style import check_commas
from engine.data.description import Loader
from engine.data.files import chosen_file, stamp
from engine.data.measures import spread
from engine.data.pool import Array, Indices, Pool, Shape
from engine.data.windows import Cut
from engine.problems import DataProblem

_WHAT = "file of the series (.csv, .parquet or .npy)"


class Series(NamedTuple):
    """A series whose columns have found their roles."""

    columns: tuple[str, ...]
    #: ``[steps, columns]`` float32, what the network sees.
    values: Array
    target: str
    #: ``[steps]`` float32.
    targets: Array


def _columns(path: Path) -> Mapping[str, Array]:
    """Every column of numbers, by name."""
    if path.suffix.lower() == ".npy":
        found = npy(path)
        if found.ndim not in (1, 2) or found.dtype.kind not in "uifb" or not found.size:
            raise DataProblem(
                f"{path}: holds {found.dtype} of shape {list(found.shape)}. A series is numbers, [steps] or "
                "[steps, columns].",
                "path",
            )
        table = np.asarray(found, np.float64).reshape(len(found), -1)
        return {f"column_{number + 1}": table[:, number] for number in range(table.shape[1])}
    if path.suffix.lower() in (".parquet", ".pq"):
        read = cells.read_parquet(path, ())
    else:
        read = _from_csv(path)
    return read.columns


def _from_csv(path: Path) -> cells.Cells:
    try:
        return cells.read_csv(path, "auto", True, ())
    except DataProblem as problem:
        if problem.field != "header":
            raise
        return cells.read_csv(path, "auto", False, ())  # its first line is a step already


#: The series that was read last, with what it was read from.
_kept: tuple[bytes, Series] | None = None


def series(fields: Mapping[str, Any]) -> Series:
    """The series that `fields` name.

    Raises
    ------
    DataProblem
        If it cannot be read, has gaps, or is too short for one window.
    """
    global _kept
    path = chosen_file(fields, "path", _WHAT)
    key = msgspec.json.encode((fields["columns"], fields["target"], stamp([path])), order="sorted")
    if _kept is None or _kept[0] != key:
        _kept = key, _with_roles(path, fields)
    found, cut = _kept[1], _cut(fields)
    if cut.count(len(found.values)) < 2:
        raise DataProblem(
            f"{path}: has {len(found.values):,} steps, too few for windows of {cut.length:,} and a value "
            f"{cut.horizon:,} behind them. Lower window or horizon, or bring a longer series.",
            "window",
        )
    return found


def _with_roles(path: Path, fields: Mapping[str, Any]) -> Series:
    columns = _columns(path)
    names = list(columns)
    chosen = cells.pick(names, fields["columns"], "columns", path)
    chosen = chosen or [name for name in names if columns[name].dtype != object]
    if not chosen:
        raise DataProblem(f"{path}: no column is of numbers. A series has one at least.", "path")
    target = (cells.pick(names, fields["target"], "target", path) or chosen[:1])[0]
    for name in (*chosen, target):
        if columns[name].dtype == object:
            check_commas(path, name, columns[name], "columns", "take other columns")
            raise DataProblem(
                f"{path}: column {name!r} holds text such as {columns[name][0]!r}: no series.", "columns"
            )
        wrong = ~np.isfinite(columns[name])
        if wrong.any():
            raise DataProblem(
                f"{path}: row {int(np.argmax(wrong)) + 1:,}, column {name!r} is empty ({wrong.sum():,} of "
                "its cells "
                "are). A series has no gaps: fill them, or take other columns.",
                "columns",
            )
    values = np.stack([columns[name] for name in chosen], 1).astype(np.float32)
    return Series(tuple(chosen), values, target, columns[target].astype(np.float32))


def _cut(fields: Mapping[str, Any]) -> Cut:
    return Cut(fields["window"], fields["horizon"], fields["stride"])


def _shape(fields: Mapping[str, Any]) -> Shape:
    found, cut = series(fields), _cut(fields)
    size = (cut.length, len(found.columns))
    return Shape(
        {"input": size if fields["layout"] == "steps first" else size[::-1]},
        cut.count(len(found.values)),
        target="value",
        target_names=(found.target,),
        ordered=True,
        overlap=cut.overlap,
    )


def _read(fields: Mapping[str, Any]) -> Pool:
    found, cut = series(fields), _cut(fields)

    def pool(values: Array, targets: Array) -> Pool:
        windows = cut.inputs(values)
        if fields["layout"] == "channels first":
            windows = windows.swapaxes(1, 2)
        return Pool({"input": windows}, cut.targets(targets)[:, None])

    def fit(train: Indices) -> Pool:
        if not fields["standardise"]:
            return pool(found.values, found.targets)
        # The steps that training windows cover; each counts once, however many windows see it.
        covered = np.zeros(len(found.values), bool)
        for step in range(cut.length):
            covered[train * cut.stride + step] = True
        mean, deviation = spread(found.values[covered])
        target_mean, target_deviation = spread(found.targets[covered])
        scaled = pool(
            ((found.values - mean) / deviation).astype(np.float32),
            ((found.targets - target_mean) / target_deviation).astype(np.float32),
        )
        return replace(scaled, target_scale=((float(target_mean),), (float(target_deviation),)))

    return replace(pool(found.values, found.targets), fit=fit)


LOADERS = {"series": Loader(_shape, _read, lambda fields: stamp([chosen_file(fields, "path", _WHAT)]))}
