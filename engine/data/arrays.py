"""Arrays of any dimensions from NumPy and safetensors files. Nothing in them is run: no pickle."""

from __future__ import annotations

import json
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.data.description import Loader
from engine.data.files import chosen_file, stamp
from engine.data.measures import standardised
from engine.data.pool import Array, Indices, Part, Pool, Shape
from engine.data.progress import Progress
from engine.data.room import need_room
from engine.problems import DataProblem, did_you_mean

_INPUTS = ("x", "X", "inputs", "images", "data", "x_train", "X_train")
_TARGETS = ("y", "Y", "targets", "labels", "target", "label", "y_train", "Y_train")
#: safetensors' names of dtypes that NumPy has.
_DTYPES = {
    **{f"{sign}{bits}": f"<{sign.lower()}{bits // 8}" for sign in "UI" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    "BOOL": "|b1",
}
_LARGEST_HEADER = 100 * 1024 * 1024


class Arrays(NamedTuple):
    """The arrays of a file that have found their roles, not yet read where they are mapped."""

    inputs: Mapping[str, Array]
    targets: Array
    #: The file's own test examples: inputs under the same names, and targets.
    test: tuple[Mapping[str, Array], Array] | None = None


def _files(kind: str, fields: Mapping[str, Any]) -> list[Path]:
    name = ".npz or .npy file" if kind == "numpy" else ".safetensors file"
    paths = [chosen_file(fields, "path", name)]
    if fields.get("targets_path"):
        paths.append(chosen_file(fields, "targets_path", ".npy file of targets"))
    return paths


def _open(kind: str, fields: Mapping[str, Any]) -> dict[str, Array]:
    """The arrays by name; those of .npy and safetensors files are mapped, not read."""
    paths = _files(kind, fields)
    if kind == "safetensors":
        return _safetensors(paths[0])
    if paths[0].suffix.lower() == ".npz":
        return _npz(paths[0])
    found = {"inputs": npy(paths[0])}
    if len(paths) > 1:
        found["targets"] = npy(paths[1])
    else:
        raise DataProblem(
            f"{paths[0]}: is one array. Say in targets_path which .npy file has the targets, or put both "
            "into "
            "one .npz file.",
            "targets_path",
        )
    return found


#: What NumPy raises for damaged files; it reads headers as Python's own literals, with their errors.
_BROKEN = (ValueError, OSError, EOFError, SyntaxError, RecursionError, tokenize.TokenError)


def npy(path: Path) -> Array:
    """The array in the .npy file at `path`, mapped and not read."""
    try:
        mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped.view(np.ndarray)
    except _BROKEN as problem:
        raise _broken(path, problem) from problem


def _broken(path: Path, problem: Exception) -> DataProblem:
    if any(word in str(problem) for word in ("pickle", "Object arrays", "Python objects")):
        return DataProblem(
            f"{path}: is no array of numbers: it is not in NumPy's format, or holds Python objects, which "
            "are "
            "never read. Save numbers with numpy.save or numpy.savez.",
            "path",
        )
    if "mmap length" in str(problem):
        return DataProblem(f"{path}: is cut short: it has fewer bytes than its shape needs.", "path")
    said = str(problem).partition("\n")[0].rstrip(".")
    return DataProblem(f"{path}: cannot be read as NumPy arrays: {said}.", "path")


#: Bytes that a packed file may unpack to whatever it is packed from, and from one byte beyond that. Numbers
#: that mean something pack to a tenth at most; a thousandth is zeros, made to fill the memory.
_UNPACKED, _RATIO = 100_000_000, 400


def _refuse_bomb(path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        unpacked = sum(entry.file_size for entry in packed.infolist())
    if unpacked > max(_UNPACKED, _RATIO * path.stat().st_size):
        raise DataProblem(
            f"{path}: would unpack to {unpacked / 1e6:,.0f} MB from {path.stat().st_size / 1e6:,.1f} MB: it "
            "seems made to fill the memory. If it is meant so, save its arrays unpacked, with numpy.savez.",
            "path",
        )
    need_room(path, unpacked, "Save its arrays as .npy files or safetensors, which are read from disk.")


#: What a damaged or strange archive raises: NotImplementedError for ways of packing that are not known,
#: RuntimeError where it is encrypted.
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


def _npz(path: Path) -> dict[str, Array]:
    try:
        if zipfile.is_zipfile(path):
            _refuse_bomb(path)
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataProblem(f"{path}: is an .npy file with another ending. Rename it.", "path")
            found = {}
            progress = Progress(f"Reading {path.name}", len(file.files))
            for number, name in enumerate(file.files, 1):
                try:
                    values = file[name]
                except _UNREADABLE as problem:
                    raise _broken(Path(f"{path} › {name}"), problem) from problem
                if isinstance(values, np.ndarray):  # else a file of another kind that was packed along
                    found[name] = values
                progress(number)
            return found
    except _UNREADABLE as problem:
        raise _broken(path, problem) from problem


def _safetensors(path: Path) -> dict[str, Array]:
    """The arrays mapped from `path`; the format's rules are checked (huggingface/safetensors README)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(size - 8, _LARGEST_HEADER):
            raise DataProblem(
                f"{path}: is no safetensors file, or is cut short: its header would have {length:,} of its "
                f"{size:,} bytes.",
                "path",
            )
        raw = file.read(length)
    try:
        header = json.loads(raw.decode("utf-8"))
        if not isinstance(header, dict):
            raise ValueError("the header is no object")
        header.pop("__metadata__", None)
        found = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            shape = tuple(entry["shape"])
            if not all(type(side) is int and side >= 0 for side in (*shape, begin, end)):
                raise ValueError(f"the sizes of {name!r} are no numbers")
            if entry["dtype"] not in _DTYPES:
                raise DataProblem(
                    f"{path}: {name!r} is of {entry['dtype']}, which is not read as data. Save it as F32.",
                    "path",
                )
            dtype = np.dtype(_DTYPES[entry["dtype"]])
            if begin < 0 or end - begin != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"the sizes of {name!r} do not fit its bytes")
            if 8 + length + end > size:
                raise DataProblem(
                    f"{path}: is cut short: {name!r} ends at byte {8 + length + end:,} and the file has "
                    f"{size:,}. "
                    "Fetch it again.",
                    "path",
                )
            if math.prod(shape):
                found[name] = np.memmap(path, dtype, "r", 8 + length + begin, shape).view(np.ndarray)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as problem:
        said = str(problem).rstrip(".")
        raise DataProblem(f"{path}: has a broken safetensors header: {said}.", "path") from problem
    return found


def _role(
    path: Path, found: Mapping[str, Array], wanted: str | None, usual: tuple[str, ...], field: str
) -> list[str]:
    if wanted:
        names = [wanted] if wanted in found else [name.strip() for name in wanted.split(",") if name.strip()]
        for name in names:
            if name not in found:
                raise DataProblem(
                    f"{path}: has no array {name!r}.{did_you_mean(name, found)} There are: "
                    f"{', '.join(found)}.",
                    field,
                )
        return names
    return [name for name in usual if name in found][:1]


def _arrays(kind: str, fields: Mapping[str, Any]) -> Arrays:
    found = _open(kind, fields)
    path = _files(kind, fields)[0]
    targets = _role(path, found, fields["targets"], _TARGETS, "targets")
    inputs = _role(path, found, fields["inputs"], _INPUTS, "inputs")
    others = [name for name in found if name not in (*inputs, *targets)]
    if not targets:
        targets = others if inputs and len(others) == 1 else []
    if not inputs:
        inputs = [name for name in found if name not in targets] if len(found) == 2 and targets else []
    for names, field in ((targets, "targets"), (inputs, "inputs")):
        if not names:
            raise DataProblem(
                f"{path}: which array has the {field}? There are: {', '.join(found) or 'none'}. Say it in "
                f"{field}.",
                field,
            )
    if len(targets) > 1:
        raise DataProblem(f"{path}: {', '.join(targets)}: one array has the targets. Name one.", "targets")
    (target,) = targets
    count = _length(path, target, found[target])
    for name in inputs:
        if _length(path, name, found[name]) != count:
            raise DataProblem(
                f"{path}: {name!r} has {len(found[name]):,} examples and {target!r} has {count:,}. "
                "The first dimension of both counts the examples.",
                "inputs",
            )
        if found[name].ndim < 2 and fields["dtype"] == "int64":
            raise DataProblem(f"{path}: {name!r} has one number for each example: no tokens.", "inputs")
    return Arrays({name: found[name] for name in inputs}, found[target], _test(path, found, inputs, target))


def _test(
    path: Path, found: Mapping[str, Array], inputs: list[str], target: str
) -> tuple[Mapping[str, Array], Array] | None:
    """The arrays called as those for training are, but for ``test``: as Keras' files have them."""
    kin = {name: name.replace("train", "test") for name in (*inputs, target)}
    if any(mine == other or other not in found for mine, other in kin.items()):
        return None
    count = _length(path, kin[target], found[kin[target]])
    for name in inputs:
        own, other = found[name], found[kin[name]]
        if _length(path, kin[name], other) != count:
            raise DataProblem(
                f"{path}: {kin[name]!r} has {len(other):,} examples and {kin[target]!r} has {count:,}.",
                "inputs",
            )
        if own.shape[1:] != other.shape[1:]:
            raise DataProblem(
                f"{path}: an example of {name!r} is {list(own.shape[1:])}, one of {kin[name]!r} is "
                f"{list(other.shape[1:])}. These do not belong together.",
                "inputs",
            )
    return {name: found[kin[name]] for name in inputs}, found[kin[target]]


def _length(path: Path, name: str, values: Array) -> int:
    if values.ndim == 0 or len(values) == 0:
        raise DataProblem(f"{path}: {name!r} of shape {list(values.shape)} has no examples.", "path")
    if values.dtype.kind not in "uifb":
        raise DataProblem(f"{path}: {name!r} holds {values.dtype}, no numbers.", "path")
    return len(values)


def _is_class(arrays: Arrays, fields: Mapping[str, Any]) -> bool:
    values = arrays.targets
    flat = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    if fields["learn"] == "auto":
        return flat and values.dtype.kind in "uib"
    if fields["learn"] == "class" and not flat:
        raise DataProblem(
            f"The targets of shape {list(values.shape)} are no class numbers: one whole number for each "
            "example is.",
            "learn",
        )
    return bool(fields["learn"] == "class")


def _classes(values: Array) -> Array:
    numbers = np.asarray(values).reshape(-1)
    if numbers.dtype.kind == "f" and not (numbers == np.round(numbers)).all():
        at = int(np.argmax(numbers != np.round(numbers)))
        raise DataProblem(
            f"Target {at:,} is {numbers[at]:g}, and class numbers are whole. Learn the targets as values.",
            "learn",
        )
    classes = numbers.astype(np.int64)
    if classes.min() < 0:
        raise DataProblem(
            f"Target {int(classes.argmin()):,} is {classes.min()}; classes count from 0.", "targets"
        )
    if classes.max() >= 100_000:
        raise DataProblem(
            f"Target {int(classes.argmax()):,} is {classes.max():,}: too large for a class number. Learn the "
            "targets "
            "as values.",
            "learn",
        )
    return classes


def _example(values: Array) -> tuple[int, ...]:
    return values.shape[1:] or (1,)


def _shape(kind: str, fields: Mapping[str, Any]) -> Shape:
    arrays = _arrays(kind, fields)
    single = len(arrays.inputs) == 1
    inputs = {"input" if single else name: _example(v) for name, v in arrays.inputs.items()}
    dtypes = dict.fromkeys(inputs, fields["dtype"])
    test = 0 if arrays.test is None else len(arrays.test[1])
    if _is_class(arrays, fields):
        parts = [arrays.targets, *([] if arrays.test is None else [arrays.test[1]])]
        most = max(int(_classes(part).max()) for part in parts)
        names = tuple(str(number) for number in range(most + 1))
        return Shape(inputs, len(arrays.targets), class_names=names, dtypes=dtypes, given_test=test)
    width = math.prod(arrays.targets.shape[1:])
    names = ("target",) if width == 1 else tuple(f"target {number}" for number in range(width))
    return Shape(
        inputs, len(arrays.targets), target="value", target_names=names, dtypes=dtypes, given_test=test
    )


def _read(kind: str, fields: Mapping[str, Any]) -> Pool:
    arrays = _arrays(kind, fields)
    own = _part(arrays, arrays.inputs, arrays.targets, fields)
    test = None if arrays.test is None else _part(arrays, *arrays.test, fields)
    pool = Pool(own.inputs, own.targets, scale=_bytes_scale(fields["scale"]), test=test)
    if _is_class(arrays, fields):
        return pool

    def fit(train: Indices) -> Pool:
        return standardised(pool, train, inputs=False, targets=fields["standardise_target"])

    return replace(pool, fit=fit)


def _part(arrays: Arrays, found: Mapping[str, Array], targets: Array, fields: Mapping[str, Any]) -> Part:
    """Training or test examples as the pool keeps them."""
    bytes_alone = all(values.dtype == np.uint8 for values in arrays.inputs.values())
    inputs: dict[str, Array] = {}
    for name, values in found.items():
        shaped = values.reshape(len(values), *_example(values))
        column = "input" if len(found) == 1 else name
        inputs[column] = _prepared(name, shaped, fields["dtype"], fields["scale"], bytes_alone)
    if _is_class(arrays, fields):
        return Part(inputs, _classes(targets))
    values = np.asarray(targets, np.float32).reshape(len(targets), -1)
    _check_finite("targets", values)
    return Part(inputs, values)


def _bytes_scale(scale: float | None) -> float:
    return 1 / 255 if scale is None else float(scale)


def _prepared(name: str, values: Array, dtype: str, scale: float | None, bytes_alone: bool) -> Array:
    """Inputs as the pool keeps them: bytes and float32 as they lie in the file, others converted."""
    if dtype == "int64":
        whole = np.asarray(values)
        if whole.dtype.kind == "f" and not (whole == np.round(whole)).all():
            raise DataProblem(f"{name!r} has numbers with fractions: no numbers of tokens.", "dtype")
        return whole.astype(np.int64)
    if values.dtype == np.uint8 and bytes_alone:
        return values
    found = np.asarray(values, np.float32)
    if values.dtype == np.uint8:
        return found * np.float32(_bytes_scale(scale))
    _check_finite(name, found)
    return found if scale is None or scale == 1 else found * np.float32(scale)


def _check_finite(name: str, values: Array) -> None:
    flat = values.reshape(len(values), -1)
    rows = max(1, (4 << 20) // max(1, flat.shape[1]))
    progress = Progress(f"Reading {name}", len(flat))
    for start in range(0, len(flat), rows):
        progress(start)
        finite = np.isfinite(flat[start : start + rows]).all(axis=1)
        if not finite.all():
            at = start + int(np.argmin(finite))
            raise DataProblem(
                f"{name!r}: example {at:,} has a value that is no finite number. Mend it.", "path"
            )


def _fingerprint(kind: str, fields: Mapping[str, Any]) -> tuple[object, ...]:
    return stamp(_files(kind, fields))


LOADERS = {
    kind: Loader(partial(_shape, kind), partial(_read, kind), partial(_fingerprint, kind))
    for kind in ("numpy", "safetensors")
}
