"""A host's ends of the channel: requests that wait to be done, events that wait to be written."""

from __future__ import annotations

import bisect
import contextlib
import os
import sys
import threading
import traceback
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import BinaryIO

from engine.host.protocol import (
    NEWEST_WINS,
    Analyze,
    Event,
    Failed,
    PreviewActivation,
    PreviewBinarizer,
    Request,
    frame,
    supersedes,
)

#: Bytes that may be under way in a pipe (Linux). An analysis of a thousand layers is a third of it; through
#: the usual 64 KiB it goes in pieces, for each of which both sides wait until their other threads let them.
_PIPE = 1 << 20

#: What comes first, in order: curves, which take milliseconds and would else stand still while one draws them
#: with a slider; then what someone draws. All else behind these.
_FIRST = ((PreviewActivation, PreviewBinarizer), (Analyze,))


def take_channel() -> tuple[BinaryIO, int]:
    """Move standard input and output to private descriptors: the frames' own, from now on.

    Descriptor 1 then leads to standard error and 0 to nothing, so that no print, no library and
    no child of this process can put a byte between frames or swallow one.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    for descriptor in (incoming, outgoing):
        _widen(descriptor)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        for descriptor in (incoming, outgoing):
            msvcrt.setmode(descriptor, os.O_BINARY)
    return os.fdopen(incoming, "rb"), outgoing


def _widen(descriptor: int) -> None:
    """Let a whole answer be under way in a pipe, where the system has a way to and allows it."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # no pipe, or too many that are so wide
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)


class MakeWay(Exception):
    """An Analyze has come: what is being done is dropped, and done after it."""


class Inbox:
    """Requests in order, but curves first and an Analyze before all others: someone is drawing.

    What a newer one supersedes (:func:`~engine.host.protocol.supersedes`) is dropped while it waits.
    """

    def __init__(self) -> None:
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, request: Request) -> None:
        """Add a request."""
        with self._changed:
            for older in [waiting for waiting in self._waiting if supersedes(request, waiting)]:
                self._waiting.remove(older)
            ranks = [_rank(waiting) for waiting in self._waiting]
            self._waiting.insert(bisect.bisect_right(ranks, _rank(request)), request)
            self._changed.notify()

    def put_back(self, request: Request) -> None:
        """Let a request that made way be the next, unless a newer one has taken its place."""
        with self._changed:
            if not any(supersedes(waiting, request) for waiting in self._waiting):
                ranks = [_rank(waiting) for waiting in self._waiting]
                self._waiting.insert(bisect.bisect_left(ranks, _rank(request)), request)

    @property
    def pressing(self) -> bool:
        """Whether an Analyze waits."""
        with self._changed:
            return any(isinstance(waiting, Analyze) for waiting in self._waiting)

    def get(self) -> Request | None:
        """The next request, when there is one; None when no more will be done."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return None if self._closed else self._waiting.popleft()

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    def close(self) -> None:
        """Let `get` return None from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _rank(request: Request) -> int:
    return next((rank for rank, kinds in enumerate(_FIRST) if isinstance(request, kinds)), len(_FIRST))


class Outbox:
    """Events on their way out, written by a thread of their own.

    `put` never waits, so a reader that has stalled stalls nobody. Of the events that come at a
    rate (Progress, Observation) only the newest waits; all others are few, and none is dropped.

    Parameters
    ----------
    descriptor
        Where frames are written.
    on_broken
        Called once, on the writing thread, when nobody reads any more.
    """

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._waiting: OrderedDict[int, Event] = OrderedDict()
        self._newest: dict[type, int] = {}
        self._number = 0
        self._writing = False
        self._broken = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="writer", daemon=True).start()

    def put(self, event: Event) -> None:
        """Queue an event and return at once."""
        with self._changed:
            if self._broken:
                return
            self._number += 1
            if isinstance(event, NEWEST_WINS):
                self._waiting.pop(self._newest.get(type(event), 0), None)
                self._newest[type(event)] = self._number
            self._waiting[self._number] = event
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until all is written, up to `timeout` seconds; whether it is."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._broken or not (self._waiting or self._writing), timeout
            )

    @staticmethod
    def _encoded(event: Event) -> bytes:
        try:
            return frame(event)
        except Exception as error:  # a mistake of ours must not silence the host
            traceback.print_exc()
            return frame(Failed(getattr(event, "request", 0), f"{type(event).__name__} was lost: {error}"))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                _, event = self._waiting.popitem(last=False)
                self._writing = True
            # Encoded here and not in `put`: what is superseded is never encoded at all.
            data = memoryview(self._encoded(event))
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                with self._changed:
                    self._broken = True
                    self._waiting.clear()
                    self._changed.notify_all()
                self._on_broken()
                return
