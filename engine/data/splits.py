"""Which examples train, which validate, which test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.pool import Shape
from engine.problems import DataProblem, did_you_mean
from engine.streams import stream_seed

KINDS = ("given", "random", "stratified")

Indices = NDArray[np.int64]


class Plan(NamedTuple):
    """How to split: complete, checked."""

    kind: str
    #: Share of the examples, 0 ≤ share < 1.
    validation: float
    test: float


def plan(split: Mapping[str, Any], source: str, shape: Shape) -> Plan:
    """`split` of the recipe, completed with the source's own custom.

    Raises
    ------
    DataProblem
        If a value is not one that the source can serve.
    """
    for key in split:
        if key not in Plan._fields:
            raise DataProblem(
                f"The split has no key {key!r}.{did_you_mean(key, Plan._fields)} "
                "It has kind, validation and test.",
                "split",
            )
    kind = split.get("kind", "given" if shape.given_validation else "stratified")
    if kind not in KINDS:
        raise DataProblem(
            f"{kind!r} is no kind of split.{did_you_mean(str(kind), KINDS)} "
            f"Choose {', '.join(KINDS[:-1])} or {KINDS[-1]}.",
            "split",
        )
    if kind == "given" and not shape.given_validation:
        raise DataProblem(f"{source} brings no split of its own. Choose random or stratified.", "split")
    default = shape.given_validation / shape.examples if shape.given_validation else 0.2
    shares = {"validation": split.get("validation", default), "test": split.get("test", 0)}
    for name, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise DataProblem(
                f"The split's {name} is a share of the examples from 0 to below 1, not {share!r}.", "split"
            )
    if shares["test"] and shape.given_test:
        raise DataProblem(
            f"{source} brings {shape.given_test:,} test examples of its own. Leave the split's test at 0.",
            "split",
        )
    if shares["validation"] + shares["test"] >= 1:
        raise DataProblem("Validation and test together leave nothing to train on. Lower one.", "split")
    return Plan(kind, float(shares["validation"]), float(shares["test"]))


def counts(chosen: Plan, examples: int) -> tuple[int, int, int]:
    """How many of `examples` train, validate and test."""
    validation = round(chosen.validation * examples)
    test = round(chosen.test * examples)
    return examples - validation - test, validation, test


def _stratified_order(classes: NDArray[Any], random: np.random.Generator) -> Indices:
    """An order in which every stretch holds the classes in the proportions of the whole.

    Each example gets a place in 0 … 1, evenly spaced within its (shuffled) class; classes are
    offset by chance, so that none always comes first.
    """
    place = np.empty(len(classes))
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        random.shuffle(members)
        place[members] = (np.arange(len(members)) + random.random()) / len(members)
    return np.argsort(place, kind="stable")


def divide(chosen: Plan, classes: NDArray[Any], seed: int) -> tuple[Indices, Indices, Indices]:
    """Indices of the training, validation and test examples, each in ascending order.

    Random draws come from the stream ``(seed, "split")``; a given split depends on no seed.
    """
    train, validation, _ = counts(chosen, len(classes))
    if chosen.kind == "given":
        order = np.arange(len(classes))
    else:
        random = np.random.Generator(np.random.PCG64(stream_seed(seed, "split")))
        order = (
            _stratified_order(classes, random)
            if chosen.kind == "stratified"
            else random.permutation(len(classes))
        )
    parts = np.split(order, [train, train + validation])
    return np.sort(parts[0]), np.sort(parts[1]), np.sort(parts[2])
