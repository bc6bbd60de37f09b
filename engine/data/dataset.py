"""A data set ready to be read by training: split, scaled, hashed."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from torch import Tensor

from engine.data import splits
from engine.data.column import Column
from engine.data.description import Description, describe, fields, loader
from engine.data.pool import Array, Indices, Part, Pool
from engine.data.progress import Progress
from engine.network import Data
from engine.problems import DataProblem

#: A source's column up to this size as float32 is scaled once and kept in memory; above, it stays
#: as it is stored (bytes, perhaps on disk) and is scaled batch by batch.
IN_MEMORY = 256 * 1024 * 1024

_BLOCK = 16 * 1024 * 1024


@dataclass(frozen=True)
class Split:
    """Some of the examples.

    Attributes
    ----------
    inputs
        Column -> ``[examples, *shape]``, float32 or int64: a tensor, or a
        :class:`~engine.data.column.Column` where that would be too large.
    targets
        ``[examples]`` int64 numbers of classes or tokens, or ``[examples, values]`` float32.
    """

    inputs: Mapping[str, Tensor | Column]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """A data set, read and split.

    Attributes
    ----------
    splits
        "train", "validation" and "test"; those without an example are left out.
    sha256
        Of the source's values before they are split: two data sets with the same one are the same.
    target_scale
        Mean and deviation of the values, per value, where targets are standardised.
    """

    description: Description
    splits: Mapping[str, Split]
    sha256: str
    target_scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None


#: What was loaded last; one data set is kept, since a process trains on one at a time.
_kept: tuple[bytes, Dataset] | None = None


def load(data: Data, seed: int) -> Dataset:
    """Read `data` and split it with `seed`; the last result is kept, until its files change.

    Raises
    ------
    DataProblem
        If it cannot be had: missing or broken files, a split that it cannot serve.
    """
    global _kept
    source = loader(data)
    values = fields(data)
    stamp = (source.thorough or source.fingerprint)(values)
    key = msgspec.json.encode((data.source, values, data.split, seed, stamp), order="sorted")
    if _kept is not None and _kept[0] == key:
        return _kept[1]
    description = describe(data)
    shape = source.shape(values)
    pool = source.read(values)
    if len(pool.targets) != shape.examples:
        raise DataProblem(f"{data.source}: the files changed while they were read. Try again.")
    sha256 = pool.sha256 or _sha256(pool)
    chosen = splits.plan(data.split, data.source, shape)
    parts = splits.divide(chosen, shape, pool.targets if shape.target == "class" else None, seed)
    if pool.fit is not None:
        pool = pool.fit(parts[0])
    found = {
        name: _split(pool, Part(pool.inputs, pool.targets), indices)
        for name, indices in zip(("train", "validation", "test"), parts, strict=True)
        if len(indices)
    }
    if pool.test is not None and len(pool.test.targets):
        found["test"] = _split(pool, pool.test, np.arange(len(pool.test.targets)))
    dataset = Dataset(description, found, sha256, pool.target_scale)
    _kept = key, dataset
    return dataset


def _split(pool: Pool, part: Part, rows: Indices) -> Split:
    inputs = {name: _column(pool, values, rows) for name, values in part.inputs.items()}
    return Split(inputs, torch.from_numpy(np.ascontiguousarray(part.targets[rows])))


def _column(pool: Pool, values: Array, rows: Indices) -> Tensor | Column:
    mean, deviation = (
        None if figures is None else torch.from_numpy(figures) for figures in (pool.mean, pool.deviation)
    )
    column = Column(_tensor(values), torch.from_numpy(rows), pool.scale, mean, deviation)
    small = values.size * (8 if column.dtype == torch.int64 else 4) <= IN_MEMORY
    return column[:].contiguous() if small else column


def _tensor(values: Array) -> Tensor:
    """A tensor of the same memory, never written to: of a file's map torch warns that it cannot be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(values)


def _sha256(pool: Pool) -> str:
    digest = hashlib.sha256()
    parts = [Part(pool.inputs, pool.targets), *([] if pool.test is None else [pool.test])]
    arrays = [array for part in parts for array in (*part.inputs.values(), part.targets)]
    progress = Progress("Checking the data", sum(len(array) for array in arrays))
    done = 0
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        if array.dtype.hasobject:  # columns of text
            digest.update("\0".join(map(str, array.ravel())).encode())
            continue
        rows = max(1, _BLOCK // max(1, array.itemsize * math.prod(array.shape[1:])))
        for start in range(0, len(array), rows):
            block = array[start : start + rows]
            digest.update(np.ascontiguousarray(block).data)
            done += len(block)
            progress(done)
    return digest.hexdigest()
