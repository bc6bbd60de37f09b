"""What a data set is, said without reading it whole where that can be."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from engine.catalog import SOURCES
from engine.data import splits
from engine.data.pool import Pool, Shape
from engine.network import Data
from engine.problems import DataProblem, did_you_mean


class Loader(NamedTuple):
    """The functions of one source; each gets the source's fields."""

    #: What it gives; is asked at every edit, so it answers from headers, or from what it keeps.
    shape: Callable[[Mapping[str, Any]], Shape]
    read: Callable[[Mapping[str, Any]], Pool]
    #: Changes when the files do: paths, sizes and times.
    fingerprint: Callable[[Mapping[str, Any]], tuple[object, ...]]
    #: Likewise, where a look at every file takes longer than may be taken at every edit.
    thorough: Callable[[Mapping[str, Any]], tuple[object, ...]] | None = None


#: Source -> module of this package that declares ``LOADERS`` with it. Imported when first used.
_HOMES = {
    **dict.fromkeys(("digits", "iris", "wine", "breast_cancer", "diabetes"), "bundled"),
    **dict.fromkeys(("moons", "circles", "spirals", "xor", "blobs", "curve"), "synthetic"),
    **dict.fromkeys(("mnist", "fashion_mnist", "emnist", "idx"), "idx_sets"),
    "random": "random_numbers",
    "cifar": "cifar",
    "image_folder": "images",
    **dict.fromkeys(("csv", "parquet"), "tables"),
    **dict.fromkeys(("numpy", "safetensors"), "arrays"),
    "text": "text",
    "series": "series",
}


@dataclass(frozen=True)
class Description:
    """What a data set gives a network.

    Attributes
    ----------
    input_shapes
        Column -> shape of one example, without the batch. A source with one input calls it "input".
    dtypes
        Column -> "float32" or "int64".
    target
        "class": the targets are class numbers; "token": numbers of the token that follows;
        "value": numbers.
    classes
        How many classes or tokens there are; None where targets are values.
    class_names
        Their names, by number.
    target_names
        Of values: what each is.
    places
        How many targets an example has where they are a row of tokens; 0: one.
    counts
        "train", "validation" and "test" -> number of examples.
    """

    input_shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    target: str
    classes: int | None
    class_names: tuple[str, ...]
    target_names: tuple[str, ...]
    places: int
    counts: Mapping[str, int]


def loader(data: Data) -> Loader:
    """The loader of `data`, whose fields have been checked.

    Raises
    ------
    DataProblem
        If there is no such source, or a field has a wrong value.
    """
    source = SOURCES.get(data.source)
    if source is None:
        raise DataProblem(
            f"There is no data source {data.source!r}.{did_you_mean(data.source, SOURCES)} "
            f"Choose one of: {', '.join(SOURCES)}.",
            "source",
        )
    for field, message in source.check(data.fields):
        raise DataProblem(f"{data.source} › {field}: {message}", field)
    loaders: Mapping[str, Loader] = importlib.import_module(f"engine.data.{_HOMES[data.source]}").LOADERS
    return loaders[data.source]


def fields(data: Data) -> Mapping[str, Any]:
    """The fields of `data`, complete."""
    return vars(SOURCES[data.source].settings(data.fields))


#: The last few descriptions, each with what it was made of: the analysis asks at every edit.
_kept: dict[bytes, Description] = {}
_KEPT = 8


def describe(data: Data) -> Description:
    """What `data` gives; answered from headers where the source's form has them.

    Raises
    ------
    DataProblem
        If it cannot be had; `field` names what of `data` to change, where that helps.
    """
    source, values = loader(data), fields(data)
    key = msgspec.json.encode((data.source, values, data.split, source.fingerprint(values)), order="sorted")
    if key not in _kept:
        while len(_kept) >= _KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = _describe(data, source.shape(values))
    return _kept[key]


def _describe(data: Data, shape: Shape) -> Description:
    if shape.target == "class" and len(shape.class_names) < 2:
        found = f"the class {shape.class_names[0]!r} only" if shape.class_names else "no class"
        values = fields(data)
        named = (values.get(field) for field in ("path", "folder", "images"))
        where = next((str(place) for place in named if place), data.source)
        remedy = " Choose another target, or learn it as a value." if "learn" in values else ""
        raise DataProblem(f"{where}: there is {found}. To tell apart, there must be two at least.{remedy}")
    chosen = splits.plan(data.split, data.source, shape)
    train, validation, test = splits.counts(chosen, shape)
    return Description(
        input_shapes=dict(shape.inputs),
        dtypes={name: shape.dtypes.get(name, "float32") for name in shape.inputs},
        target=shape.target,
        classes=None if shape.target == "value" else len(shape.class_names),
        class_names=shape.class_names,
        target_names=shape.target_names,
        places=shape.places,
        counts={"train": train, "validation": validation, "test": test + shape.given_test},
    )
