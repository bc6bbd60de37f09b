"""Points in the plane and curves, drawn by formula: small problems whose answer can be seen.

Each is drawn from the stream ``(seed, source)``, with the source's own `seed`: another training
seed parts the same points another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator

from engine.data.description import Loader
from engine.data.pool import Array, Pool, Shape
from engine.streams import stream_seed

Points = tuple[Array, Array]


def _sizes(examples: int, classes: int) -> list[int]:
    return [examples // classes + (number < examples % classes) for number in range(classes)]


def _numbered(parts: list[Array]) -> Points:
    labels = [np.full(len(part), number, np.int64) for number, part in enumerate(parts)]
    return np.concatenate(parts), np.concatenate(labels)


def _moons(fields: Mapping[str, Any], random: Generator) -> Points:
    outer, inner = _sizes(fields["examples"], 2)
    upper, lower = np.linspace(0, np.pi, outer), np.linspace(0, np.pi, inner)
    return _numbered(
        [
            np.stack([np.cos(upper), np.sin(upper)], 1),
            np.stack([1 - np.cos(lower), 0.5 - np.sin(lower)], 1),
        ]
    )


def _circles(fields: Mapping[str, Any], random: Generator) -> Points:
    parts = []
    for size, radius in zip(_sizes(fields["examples"], 2), (1.0, fields["factor"]), strict=True):
        angle = np.linspace(0, 2 * np.pi, size, endpoint=False)
        parts.append(radius * np.stack([np.cos(angle), np.sin(angle)], 1))
    return _numbered(parts)


def _spirals(fields: Mapping[str, Any], random: Generator) -> Points:
    arms = fields["arms"]
    parts = []
    for number, size in enumerate(_sizes(fields["examples"], arms)):
        radius = np.sqrt(random.random(size))
        angle = 2 * np.pi * (fields["turns"] * radius + number / arms)
        parts.append(radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1))
    return _numbered(parts)


def _xor(fields: Mapping[str, Any], random: Generator) -> Points:
    points = random.uniform(-1, 1, (fields["examples"], 2))
    return points, ((points[:, 0] > 0) ^ (points[:, 1] > 0)).astype(np.int64)


def _blobs(fields: Mapping[str, Any], random: Generator) -> Points:
    angles = 2 * np.pi * np.arange(fields["classes"]) / fields["classes"]
    centres = 3 * np.stack([np.cos(angles), np.sin(angles)], 1)
    sizes = _sizes(fields["examples"], len(centres))
    return _numbered([np.repeat(c[None], size, 0) for c, size in zip(centres, sizes, strict=True)])


#: Curves on −1 … 1.
CURVES: dict[str, Callable[[Array], Array]] = {
    "sine": lambda x: np.sin(2 * np.pi * x),
    "step": lambda x: np.where(x < 0, -1.0, 1.0),
    "bump": lambda x: 1 / (1 + 25 * x**2),
    "absolute": np.abs,
    "chirp": lambda x: np.sin(3 * np.pi * (x + 1) ** 2),
}

_POINTS: dict[str, Callable[[Mapping[str, Any], Generator], Points]] = {
    "moons": _moons,
    "circles": _circles,
    "spirals": _spirals,
    "xor": _xor,
    "blobs": _blobs,
}


def _classes(name: str, fields: Mapping[str, Any]) -> int:
    if name == "spirals":
        return int(fields["arms"])
    return int(fields["classes"]) if name == "blobs" else 2


def _shape(name: str, fields: Mapping[str, Any]) -> Shape:
    if name == "curve":
        return Shape({"input": (1,)}, fields["examples"], target="value", target_names=("y",))
    names = tuple(str(number) for number in range(_classes(name, fields)))
    return Shape({"input": (2,)}, fields["examples"], class_names=names)


def _read(name: str, fields: Mapping[str, Any]) -> Pool:
    random = np.random.Generator(np.random.PCG64(stream_seed(fields["seed"], name)))
    if name == "curve":
        x = random.uniform(-1, 1, (fields["examples"], 1))
        y = CURVES[fields["function"]](x) + fields["noise"] * random.standard_normal(x.shape)
        return Pool({"input": x.astype(np.float32)}, y.astype(np.float32))
    points, labels = _POINTS[name](fields, random)
    points = points + fields["noise"] * random.standard_normal(points.shape)
    order = random.permutation(len(points))
    return Pool({"input": points[order].astype(np.float32)}, labels[order])


def _never_changes(fields: Mapping[str, Any]) -> tuple[object, ...]:
    return ()


LOADERS = {
    name: Loader(partial(_shape, name), partial(_read, name), _never_changes) for name in (*_POINTS, "curve")
}
