"""What a source hands over, before it is split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Array = NDArray[Any]


class Shape(NamedTuple):
    """What a source will give, as far as it is known without reading it whole."""

    #: Column -> shape of one example.
    inputs: Mapping[str, tuple[int, ...]]
    #: Examples to divide into training and validation (and test, where `given_test` is 0).
    examples: int
    #: "class" (class numbers), "value" (numbers), "token" (the number of the token that follows).
    target: str = "class"
    #: Targets of an example that are a row of tokens; 0: one target.
    places: int = 0
    #: Of classes and tokens, by number.
    class_names: tuple[str, ...] = ()
    #: Of values, one each: what the network is to say.
    target_names: tuple[str, ...] = ()
    #: Column -> dtype, where it is not float32.
    dtypes: Mapping[str, str] = {}
    #: Examples that the source itself sets apart for testing.
    given_test: int = 0
    #: Examples at the end of the others that are set apart for validation.
    given_validation: int = 0
    #: The examples follow one another in time: by custom the last ones validate.
    ordered: bool = False
    #: Neighbours that share values, so that a split by time must leave so many out between its parts.
    overlap: int = 0


class Part(NamedTuple):
    """Inputs by column and targets, side by side."""

    inputs: Mapping[str, Array]
    targets: Array


@dataclass(frozen=True)
class Pool:
    """A source's raw values.

    Attributes
    ----------
    inputs
        Column -> ``[examples, *shape]``: bytes, float32 or int64, in memory or mapped from a file.
        Of bytes a network receives ``(bytes * scale - mean) / deviation`` as float32.
    targets
        ``[examples]`` int64 numbers of classes or tokens, or ``[examples, values]`` float32.
    scale, mean, deviation
        See `inputs`; `mean` and `deviation` are per channel, ``[channels, 1, …]``.
    test
        What the source itself sets apart for testing, if it does.
    fit
        Gets the training examples' numbers and gives the pool that training reads: what is measured
        (means, the commonest value) is measured on them alone.
    target_scale
        Mean and deviation by which value targets were standardised.
    sha256
        Of the values, where it is known already.
    """

    inputs: Mapping[str, Array]
    targets: Array
    scale: float = 1.0
    mean: Array | None = None
    deviation: Array | None = None
    test: Part | None = None
    fit: Callable[[Indices], Pool] | None = None
    target_scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    sha256: str | None = None
