"""Values to try, as a person writes them behind ``layerlab sweep --try``.

``conv1.out_channels=8,16,32`` is a list; ``recipe.batch_size=16..128`` whole numbers between two
ends; ``fc.dropout=0..0.5/6`` six evenly spaced values; ``recipe.optimizer.lr=log:1e-4..1e-1/4`` four
whose ratios are even. All values are those of ``--set``.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.streams import stream_seed

#: Runs that a grid may have: more are a slip of the hand.
MOST = 10_000

_RANGE = re.compile(
    r"(?P<log>log:)?(?P<lo>[-+]?[\d.]*\d\.?(?:e[-+]?\d+)?)\.\.(?P<hi>[-+]?[\d.]*\d\.?(?:e[-+]?\d+)?)(?:/(?P<count>\d+))?",
    re.IGNORECASE,
)


class RangeProblem(ValueError):
    """A range that makes no sense; the message says how to write it."""


@dataclass(frozen=True)
class Range:
    """What is tried at one place of the network.

    Attributes
    ----------
    path
        The place, as for ``--set``.
    values
        What is tried, as text behind ``=``; empty where any number between two ends is.
    lo, hi
        The two ends.
    log
        Whether ratios are even, and not differences.
    whole
        Whether whole numbers are tried.
    """

    path: str
    values: tuple[str, ...] = ()
    lo: float = 0.0
    hi: float = 0.0
    log: bool = False
    whole: bool = False

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read ``PATH=VALUES``.

        Raises
        ------
        RangeProblem
            If it cannot be read.
        """
        path, equals, said = text.partition("=")
        path, said = path.strip(), said.strip()
        if not (path and equals and said):
            raise RangeProblem(
                f"--try {text}: write PATH=VALUES, such as recipe.optimizer.lr=0.001,0.01,0.1."
            )
        found = _RANGE.fullmatch(said)
        if found is None:
            return cls(path, tuple(_split(text, said)))
        lo, hi = float(found["lo"]), float(found["hi"])
        if not lo < hi:
            raise RangeProblem(f"--try {text}: {found['lo']} is not below {found['hi']}.")
        if found["log"] and lo <= 0:
            raise RangeProblem(f"--try {text}: even ratios need ends above 0.")
        whole = all(re.fullmatch(r"[-+]?\d+", found[end]) for end in ("lo", "hi"))
        open_range = cls(path, (), lo, hi, bool(found["log"]), whole)
        if found["count"] is None:
            return open_range
        count = int(found["count"])
        if not 2 <= count <= MOST:
            raise RangeProblem(f"--try {text}: a range has from 2 to {MOST:,} values.")
        values = [open_range._at(number / (count - 1)) for number in range(count)]
        return cls(path, tuple(dict.fromkeys(values)))

    def grid(self) -> tuple[str, ...]:
        """Every value, for a grid.

        Raises
        ------
        RangeProblem
            If there is no end of them.
        """
        if self.values:
            return self.values
        if self.whole and not self.log and self.hi - self.lo < MOST:
            return tuple(str(number) for number in range(int(self.lo), int(self.hi) + 1))
        written = f"{'log:' if self.log else ''}{self.lo:g}..{self.hi:g}"
        raise RangeProblem(
            f"--try {self.path}={written}: a grid wants to know how many values: write {written}/5, or draw "
            "them with --random 20."
        )

    def draw(self, generator: random.Random) -> str:
        """One value by chance."""
        if self.values:
            return generator.choice(self.values)
        if self.whole and not self.log:
            return str(generator.randint(int(self.lo), int(self.hi)))
        return self._at(generator.random())

    def _at(self, share: float) -> str:
        """The value at `share` of the way from one end to the other."""
        if share in (0.0, 1.0):  # as they were written
            value = self.hi if share else self.lo
        elif self.log:
            value = math.exp(math.log(self.lo) + share * (math.log(self.hi) - math.log(self.lo)))
        else:
            value = self.lo + share * (self.hi - self.lo)
        return str(round(value)) if self.whole else f"{value:.6g}"


def _split(text: str, said: str) -> Iterator[str]:
    """The parts of a list: commas within brackets and quotes belong to their value."""
    depth, quoted, part = 0, False, ""
    for character in said:
        quoted ^= character == '"'
        if not quoted:
            depth += (character in "[{") - (character in "]}")
        if character == "," and not depth and not quoted:
            yield _value(text, part)
            part = ""
        else:
            part += character
    yield _value(text, part)


def _value(text: str, part: str) -> str:
    if not part.strip():
        raise RangeProblem(f"--try {text}: a value is missing between two commas.")
    return part.strip()


Trial = dict[str, str]
"""Path -> value as text: the assignments of one run."""


def trials(ranges: Sequence[Range], *, draws: int | None = None, seed: int = 0) -> list[Trial]:
    """The runs of a sweep: every combination, or `draws` of them by chance.

    Draw number ``i`` comes from the stream ``(seed, "sweep", i)``: more draws begin with the same ones.

    Raises
    ------
    RangeProblem
        If there is nothing to try, a place is named twice, or the combinations are too many.
    """
    paths = [tried.path for tried in ranges]
    if not paths:
        raise RangeProblem("Say what to try: --try recipe.optimizer.lr=0.001,0.01,0.1.")
    for path in paths:
        if paths.count(path) > 1:
            raise RangeProblem(f"--try {path}: is there twice. Write its values in one list.")
    if draws is not None:
        return [_drawn(ranges, stream_seed(seed, "sweep", number)) for number in range(draws)]
    values = [tried.grid() for tried in ranges]
    count = math.prod(map(len, values))
    if count > MOST:
        raise RangeProblem(f"{count:,} combinations are too many for a grid. Draw some: --random 50.")
    return [dict(zip(paths, chosen, strict=True)) for chosen in itertools.product(*values)]


def _drawn(ranges: Sequence[Range], seed: int) -> Trial:
    generator = random.Random(seed)
    return {tried.path: tried.draw(generator) for tried in ranges}


def plain(text: str) -> Any:
    """A value as JSON has it, for tables and results."""
    try:
        return json.loads(text)
    except ValueError:
        return text
