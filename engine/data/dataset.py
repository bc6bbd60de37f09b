"""A data set in memory, as training reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data import splits
from engine.data.description import Description, describe, fields, loader
from engine.data.pool import Pool
from engine.network import Data


@dataclass(frozen=True)
class Split:
    """Some of the examples, in memory.

    Attributes
    ----------
    inputs
        Column -> ``[examples, *shape]``, float32, contiguous.
    targets
        ``[examples]``, int64 class numbers.
    """

    inputs: Mapping[str, Tensor]
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
    """

    description: Description
    splits: Mapping[str, Split]
    sha256: str


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
    key = msgspec.json.encode(
        (data.source, values, data.split, seed, source.fingerprint(values)), order="sorted"
    )
    if _kept is not None and _kept[0] == key:
        return _kept[1]
    description = describe(data)
    pool = source.read(values)
    chosen = splits.plan(data.split, data.source, source.shape(values))
    parts = splits.divide(chosen, pool.classes, seed)
    found = {
        name: _split(pool.inputs[indices], pool.classes[indices], pool.scale)
        for name, indices in zip(("train", "validation", "test"), parts, strict=True)
        if len(indices)
    }
    if pool.test is not None:
        found["test"] = _split(*pool.test, pool.scale)
    dataset = Dataset(description, found, _sha256(pool))
    _kept = key, dataset
    return dataset


def _split(inputs: NDArray[np.uint8], classes: NDArray[np.uint8], scale: float) -> Split:
    scaled = torch.from_numpy(inputs.astype(np.float32)).mul_(scale)
    return Split({"input": scaled}, torch.from_numpy(classes.astype(np.int64)))


def _sha256(pool: Pool) -> str:
    digest = hashlib.sha256()
    for array in (pool.inputs, pool.classes, *(pool.test or ())):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
