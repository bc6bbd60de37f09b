"""How far reading has come, and a way to call it off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Gets what is being done, how much of it is done, and how much there is.
Listener = Callable[[str, int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)
#: Seconds between two reports.
_PACE = 0.05


class Cancelled(Exception):
    """A listener raises this, and reading ends and leaves nothing half done."""


@contextmanager
def watched(listener: Listener) -> Iterator[None]:
    """Tell `listener` what is read within, a few times a second; it may raise :class:`Cancelled`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


class Progress:
    """Reports one piece of work; make one per piece, call it often."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._next = 0.0

    def __call__(self, done: int) -> None:
        """So many are done."""
        listener = _listener.get()
        if listener is not None and (time.monotonic() >= self._next or done == self._total):
            listener(self._what, done, self._total)
            self._next = time.monotonic() + _PACE
