"""Which examples train, which validate, which test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.data.pool import Indices, Shape
from engine.problems import DataProblem, did_you_mean
from engine.streams import stream_seed

KINDS = ("given", "random", "stratified", "time")


class Plan(NamedTuple):
    """How to split: complete, checked."""

    kind: str
    #: Share of the examples, 0 ≤ share < 1.
    validation: float
    test: float


def _custom(shape: Shape) -> str:
    """The kind of split that suits a source by itself."""
    if shape.given_validation:
        return "given"
    if shape.ordered:
        return "time"
    return "stratified" if shape.target == "class" else "random"


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
    kind = split.get("kind", _custom(shape))
    if kind not in KINDS:
        raise DataProblem(
            f"{kind!r} is no kind of split.{did_you_mean(str(kind), KINDS)} "
            f"Choose {', '.join(KINDS[:-1])} or {KINDS[-1]}.",
            "split",
        )
    if kind == "given" and not shape.given_validation:
        raise DataProblem(f"{source} brings no split of its own. Choose random or stratified.", "split")
    if kind == "stratified" and shape.target != "class":
        raise DataProblem(
            "A stratified split keeps the shares of classes, and these targets are no classes. "
            "Choose random or time.",
            "split",
        )
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
    chosen = Plan(kind, float(shares["validation"]), float(shares["test"]))
    parts = counts(chosen, shape)
    if min(parts) < 0 or parts[0] < 1 or (chosen.validation and not parts[1]):
        raise DataProblem(
            f"{shape.examples:,} examples are too few to be parted so: {_spelled(parts, shape)}. "
            "Change the split's shares, or bring more data.",
            "split",
        )
    return chosen


def _spelled(parts: tuple[int, int, int], shape: Shape) -> str:
    train, validation, test = (max(0, part) for part in parts)
    apart = f", with {shape.overlap:,} left out between them" if shape.overlap else ""
    return f"{train:,} would train, {validation:,} validate, {test:,} test{apart}"


def counts(chosen: Plan, shape: Shape) -> tuple[int, int, int]:
    """How many examples train, validate and test."""
    validation = round(chosen.validation * shape.examples)
    test = round(chosen.test * shape.examples)
    train = shape.examples - validation - test
    if chosen.kind == "time" and shape.overlap:
        train -= shape.overlap if validation or test else 0
        validation -= shape.overlap if validation and test else 0
    return train, validation, test


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


def divide(
    chosen: Plan, shape: Shape, classes: NDArray[Any] | None, seed: int
) -> tuple[Indices, Indices, Indices]:
    """Indices of the training, validation and test examples, each in ascending order.

    Random draws come from the stream ``(seed, "split")``; a given split and one by time depend on
    no seed. `classes` are needed to stratify.
    """
    train, validation, test = counts(chosen, shape)
    if chosen.kind in ("given", "time"):
        order = np.arange(shape.examples)
    else:
        random = np.random.Generator(np.random.PCG64(stream_seed(seed, "split")))
        order = (
            _stratified_order(classes, random)
            if chosen.kind == "stratified" and classes is not None
            else random.permutation(shape.examples)
        )
    end = shape.examples
    first = end - test
    begin = first - round(chosen.validation * end)
    parts = order[:train], order[begin : begin + validation], order[first:end]
    return np.sort(parts[0]), np.sort(parts[1]), np.sort(parts[2])
