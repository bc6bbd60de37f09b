"""Files made from others by chance."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from tests.robustness.splices import dumped, naughty, places, seeds, with_new

#: Files larger than this, in bytes, are not mutated further.
_MODEST = 100_000

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 255, 65537, 1 << 20, (1 << 20) + 1, 1 << 31, (1 << 63) - 1, 1 << 70,
    0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"), "", "0", "all", [], [[]], {}, [0], [1, 2, 3, 4, 5],
    [1 << 20, 1 << 20], [-1], {"expr": "channels * 2"}, {"expr": "().__class__"}, {"type": "Linear"},
    "torch.nn.Linear", "__init__", "forward", "image", "conv1.weight", "../x", ["image", "image"],
)  # fmt: skip


class Mutator:
    """Makes files from files."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.words = naughty()

    def __call__(self, data: bytes, other: bytes) -> bytes:
        """One mutated file."""
        for _ in range(self.chance.choice((1, 1, 1, 2, 4))):
            data = self._tree(data, other) if self.chance.random() < 0.7 else self._raw(data, other)
        return data

    def _raw(self, data: bytes, other: bytes) -> bytes:
        chance = self.chance
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 2, 8, 64, 512)))
        match chance.randrange(6):
            case 0:
                return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
            case 1:
                return data[:at] + data[end:]
            case 2:
                return data[:end] + data[at:end] + data[end:]
            case 3:
                begin = chance.randrange(len(other) + 1)
                return data[:at] + other[begin : begin + end - at] + data[end:]
            case 4:
                return (
                    data[:at]
                    + chance.choice((b"[", b"{", b'"', b"\\", b"-", b"9" * 30, b"\xed\xa0\x80"))
                    + data[at:]
                )
            case _:
                return data[:at]

    def _tree(self, data: bytes, other: bytes) -> bytes:
        chance = self.chance
        try:
            form, source = json.loads(data), json.loads(other)
        except (ValueError, RecursionError):
            return self._raw(data, other)
        there = list(places(form)) if isinstance(form, dict) else []
        if not there:
            return data
        path = chance.choice(there)
        match chance.randrange(6):
            case 0 | 1:
                new: Any = chance.choice(_VALUES)
            case 2:
                new = chance.choice(self.words)
            case 3:
                return dumped(with_new(form, path, chance.choice(self.words), as_key=True))
            case 4:
                new = _get(form, chance.choice(there))
            case _:
                others = list(places(source)) if isinstance(source, dict) else []
                new = _get(source, chance.choice(others)) if others else None
        return dumped(with_new(form, path, new))


def _get(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


class Mutated:
    """Files mutated from valid ones and from those that led to something new."""

    def __init__(self, kept: Sequence[bytes]) -> None:
        self._originals = seeds()
        #: Small files more often: a change meets more of what is in them, and is judged sooner.
        self._weights = [len(data) ** -0.5 for data in self._originals]
        self._pool = [*self._originals, *kept]
        self._mutate = Mutator(0)

    def __call__(self, number: int) -> bytes:
        mutate, chance = self._mutate, self._mutate.chance
        chance.seed(number)
        # Half of them from whole files, lest all that is mutated be broken in several ways already.
        if chance.random() < 0.5:
            data = chance.choices(self._originals, self._weights)[0]
        else:
            data = chance.choice(self._pool)
        return mutate(data, chance.choice(self._pool))

    def keep(self, data: bytes) -> None:
        if len(data) < _MODEST:
            self._pool.append(data)
