"""The IDX format of MNIST and its kin, read strictly.

Two zero bytes, a type code (8: unsigned byte), the number of dimensions, each size as a big-endian
32-bit integer, then the values, the last dimension fastest (LeCun, Cortes and Burges).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from engine.data.progress import Progress
from engine.problems import DataProblem

_UNSIGNED_BYTE = 8
_MOST_DIMENSIONS = 6

#: More values than any file of this family has; a larger claim is a broken header.
_MOST_VALUES = 1 << 32
#: A packed file may always unpack to so many bytes, and to so many times its own size. (Pictures pack to a
#: tenth; a thousandth is zeros.)
_UNPACKED, _RATIO = 100_000_000, 400
#: Bytes that are read at once, between two reports of how far it is.
_PIECE = 4 * 1024 * 1024


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked where it is gzip; what goes wrong becomes a DataProblem."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            yield cast("IO[bytes]", file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
        raise DataProblem(
            f"{path}: the gzip file is damaged or cut short ({problem}). Fetch it again."
        ) from problem
    except OSError as problem:
        raise DataProblem(f"{path}: cannot be read: {problem.strerror or problem}.") from problem


def _header(file: IO[bytes], path: Path, dimensions: int | None) -> tuple[int, ...]:
    head = file.read(4)
    if dimensions is None:
        if len(head) < 4 or head[:3] != bytes([0, 0, _UNSIGNED_BYTE]) or not 2 <= head[3] <= _MOST_DIMENSIONS:
            raise DataProblem(
                f"{path}: not an IDX file of bytes with examples first: it begins with "
                f"{head.hex(' ') or 'nothing'} instead of 00 00 08 and 02 … {_MOST_DIMENSIONS:02x}."
            )
        dimensions = head[3]
    head += file.read(4 * dimensions)
    expected = bytes([0, 0, _UNSIGNED_BYTE, dimensions])
    if head[:4] != expected:
        raise DataProblem(
            f"{path}: not an IDX file of {dimensions}-dimensional bytes: it begins with "
            f"{head[:4].hex(' ') or 'nothing'} instead of {expected.hex(' ')}."
        )
    if len(head) < 4 + 4 * dimensions:
        raise DataProblem(f"{path}: ends inside its header, after {len(head)} bytes. Fetch it again.")
    shape = struct.unpack(f">{dimensions}I", head[4:])
    if math.prod(shape) > _MOST_VALUES or 0 in shape:
        raise DataProblem(f"{path}: claims the sizes {' × '.join(map(str, shape))}, which cannot be.")
    return shape


def _values(file: IO[bytes], size: int, what: str) -> bytearray | None:
    """Up to `size` bytes, piece by piece; None where there are more."""
    progress = Progress(what, size)
    body = bytearray()
    while piece := file.read(min(_PIECE, size + 1 - len(body))):
        body += piece
        if len(body) > size:
            return None
        progress(len(body))
    return body


def read_shape(path: Path, dimensions: int | None) -> tuple[int, ...]:
    """The sizes that the header of `path` states; the values are not read.

    `dimensions` None takes any number of them from two on.

    Raises
    ------
    DataProblem
        If the file cannot be read or its header is not that of `dimensions`-dimensional bytes.
    """
    with _opened(path) as file:
        return _header(file, path, dimensions)


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in `path`.

    Raises
    ------
    DataProblem
        If the file cannot be read, is no IDX file of `dimensions`-dimensional bytes, or has fewer or
        more values than its header states.
    """
    with _opened(path) as file:
        shape = _header(file, path, dimensions)
        size = math.prod(shape)
        if size > max(_UNPACKED, _RATIO * path.stat().st_size):
            raise DataProblem(
                f"{path}: states {size:,} values, which {path.stat().st_size:,} bytes do not hold unless "
                "they are made to fill the memory. Fetch it again from where you trust it."
            )
        body = _values(file, size, f"Reading {path.name}")
    if body is None or len(body) != size:
        found = "more" if body is None else f"only {len(body):,}"
        raise DataProblem(f"{path}: states {size:,} values but holds {found}. Fetch it again.")
    return np.frombuffer(body, np.uint8).reshape(shape)
