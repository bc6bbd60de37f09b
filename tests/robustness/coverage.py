"""Which lines of the engine have run, cheaply enough to steer half a million files by it.

A function is followed line by line only while some of its lines have not been seen, and one that
has long shown nothing new only now and then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import engine

_ROOT = str(Path(engine.__file__).parent)
#: Calls without a new line after which a function is followed in one of so many.
_TIRED, _NOW_AND_THEN = 40, 64

#: A line: the file below the engine's folder, and the number.
Line = tuple[str, int]


class Coverage:
    """Lines that have been reached; `with coverage:` follows what runs."""

    def __init__(self, known: Iterable[Line] = ()) -> None:
        self.lines: set[Line] = set(known)
        #: Lines found since this was last set to nought.
        self.fresh = 0
        #: Code -> its lines that have not been seen; None: there are none, or it is not ours.
        self._rest: dict[CodeType, set[int] | None] = {}
        self._calls: dict[CodeType, int] = {}

    def __enter__(self) -> Coverage:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        try:
            rest = self._rest[code]
        except KeyError:
            rest = self._rest[code] = self._unseen(code)
        if rest is None:
            return None
        calls = self._calls[code] = self._calls.get(code, 0) + 1
        return self._line if calls < _TIRED or calls % _NOW_AND_THEN == 0 else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        rest = self._rest[frame.f_code]
        if rest is None:
            return None
        line = frame.f_lineno
        if line in rest:
            rest.discard(line)
            self._calls[frame.f_code] = 0
            self.fresh += 1
            self.lines.add((_name(frame.f_code), line))
            if not rest:
                self._rest[frame.f_code] = None
        return self._line

    def _unseen(self, code: CodeType) -> set[int] | None:
        if not code.co_filename.startswith(_ROOT):
            return None
        name = _name(code)
        lines = {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno}
        return {line for line in lines if (name, line) not in self.lines} or None


def _name(code: CodeType) -> str:
    return code.co_filename[len(_ROOT) + 1 :]
