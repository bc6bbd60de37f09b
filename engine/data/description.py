"""What a data set is, said without reading it whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.catalog import SOURCES
from engine.data import digits, mnist, splits
from engine.data.pool import Pool, Shape
from engine.network import Data
from engine.problems import DataProblem, did_you_mean


class Loader(NamedTuple):
    """The functions of one source; each gets the source's fields."""

    shape: Callable[[Mapping[str, Any]], Shape]
    read: Callable[[Mapping[str, Any]], Pool]
    fingerprint: Callable[[Mapping[str, Any]], tuple[object, ...]]


LOADERS = {
    module.__name__.rpartition(".")[2]: Loader(module.shape, module.read, module.fingerprint)
    for module in (digits, mnist)
}


@dataclass(frozen=True)
class Description:
    """What a data set gives a network.

    Attributes
    ----------
    input_shapes
        Column -> shape of one example, without the batch. A source with one input calls it "input".
    dtype
        Of the inputs, as torch names it.
    target
        "class": the targets are class numbers.
    classes
        How many there are; None where targets are not classes.
    class_names
        Their names, by number.
    counts
        "train", "validation" and "test" -> number of examples.
    """

    input_shapes: Mapping[str, tuple[int, ...]]
    dtype: str
    target: str
    classes: int | None
    class_names: tuple[str, ...]
    counts: Mapping[str, int]


def loader(data: Data) -> Loader:
    """The loader of `data`, whose fields have been checked.

    Raises
    ------
    DataProblem
        If there is no such source, or a field has a wrong value.
    """
    source = SOURCES.get(data.source)
    if source is None or data.source not in LOADERS:
        raise DataProblem(
            f"There is no data source {data.source!r}.{did_you_mean(data.source, SOURCES)} "
            f"Choose one of: {', '.join(SOURCES)}.",
            "source",
        )
    for field, message in source.check(data.fields):
        raise DataProblem(f"{data.source} › {field}: {message}", field)
    return LOADERS[data.source]


def fields(data: Data) -> Mapping[str, Any]:
    """The fields of `data`, complete."""
    return vars(SOURCES[data.source].settings(data.fields))


def describe(data: Data) -> Description:
    """What `data` gives, from constants and file headers alone.

    Raises
    ------
    DataProblem
        If it cannot be had; `field` names what of `data` to change, where that helps.
    """
    shape = loader(data).shape(fields(data))
    chosen = splits.plan(data.split, data.source, shape)
    train, validation, test = splits.counts(chosen, shape.examples)
    return Description(
        input_shapes={"input": shape.example},
        dtype="float32",
        target="class",
        classes=len(shape.class_names),
        class_names=shape.class_names,
        counts={"train": train, "validation": validation, "test": test + shape.given_test},
    )
