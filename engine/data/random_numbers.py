"""Examples without meaning, of any shape: the source ``random``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.data.description import Loader
from engine.data.pool import Pool, Shape
from engine.problems import DataProblem
from engine.streams import stream_seed

#: A set above this many numbers (4 GiB) is refused before memory is asked for it.
_MOST_NUMBERS = 1 << 30


def _shape(fields: Mapping[str, Any]) -> Shape:
    numbers = fields["examples"] * math.prod(fields["shape"])
    if numbers > _MOST_NUMBERS:
        raise DataProblem(
            f"random › examples: {fields['examples']:,} of {list(fields['shape'])} are {numbers:,} numbers, "
            f"and at most {_MOST_NUMBERS:,} are made. Ask for fewer.",
            "examples",
        )
    names = tuple(map(str, range(fields["classes"])))
    return Shape({"input": tuple(fields["shape"])}, fields["examples"], class_names=names)


def _read(fields: Mapping[str, Any]) -> Pool:
    random = np.random.Generator(np.random.PCG64(stream_seed(fields["seed"], "random")))
    shape = (fields["examples"], *fields["shape"])
    return Pool(
        {"input": random.standard_normal(shape, np.float32)},
        random.integers(0, fields["classes"], fields["examples"], np.int64),
    )


LOADERS = {"random": Loader(_shape, _read, lambda fields: ())}
