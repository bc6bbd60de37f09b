"""What hosts say, on its way from their threads to the window's."""

from __future__ import annotations

import threading
from collections.abc import Callable

from engine.host import protocol


class Mailbox:
    """Events on their way from the hosts' threads to the GUI thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[tuple[int, object]] = []
        self._wake: Callable[[], object] | None = None

    def put(self, event: object, run: int = 0) -> None:
        """Add an event; `run` tells the events of one run from another's. From any thread."""
        with self._lock:
            self._items.append((run, event))
            wake = self._wake if len(self._items) == 1 else None
        if wake is not None:
            wake()

    def take(self) -> list[tuple[int, object]]:
        """All that has come in. Of progress and observations only the newest of each run is given."""
        with self._lock:
            items, self._items = self._items, []
        newest = {(run, type(event)): i for i, (run, event) in enumerate(items)}
        return [
            (run, event)
            for i, (run, event) in enumerate(items)
            if not isinstance(event, protocol.NEWEST_WINS) or newest[run, type(event)] == i
        ]

    def notify(self, wake: Callable[[], object] | None) -> None:
        """Call `wake`, on whichever thread, when the first event comes in; at once if one is there."""
        with self._lock:
            self._wake = wake
            waiting = bool(self._items)
        if waiting and wake is not None:
            wake()


class Trouble:
    """A sentence for the user: hosts cannot be kept alive."""

    def __init__(self, message: str) -> None:
        self.message = message
