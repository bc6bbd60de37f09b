"""What a source hands over, before it is split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Shape(NamedTuple):
    """What a source will give, as far as it is known without reading it whole."""

    #: Of one example.
    example: tuple[int, ...]
    class_names: tuple[str, ...]
    #: Examples to divide into training and validation (and test, where `given_test` is 0).
    examples: int
    #: Examples that the source itself sets apart for testing.
    given_test: int = 0
    #: Examples at the end of the others that custom sets apart for validation.
    given_validation: int = 0


@dataclass(frozen=True)
class Pool:
    """A source's raw values.

    Attributes
    ----------
    inputs
        ``[examples, *shape]``, bytes; a network receives ``inputs * scale`` as float32.
    classes
        ``[examples]``, class numbers.
    test
        The inputs and classes that the source itself sets apart for testing, if it does.
    """

    inputs: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    scale: float
    test: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
