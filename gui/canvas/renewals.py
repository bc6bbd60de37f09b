"""Cards whose contents an analysis has changed: many are made anew a few at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

if TYPE_CHECKING:
    from gui.canvas.scene import Scene

#: Length of a slice, in seconds.
SLICE = 0.003
#: Rests between slices of what nobody sees, in milliseconds: meanwhile the threads that bring the next answer
#: have the interpreter.
REST = 8
_NO_END = float("inf")


class Renewals:
    """Which cards say what an older analysis found.

    Whoever asks the drawing for its cards or wires has them all as they are now.
    """

    def __init__(self, scene: Scene, renew: Callable[[Iterable[str]], object]) -> None:
        self._scene = scene
        self._renew = renew
        self._ids: dict[str, None] = {}
        #: How many of them are looked at, or wrong: they come first.
        self._urgent = 0
        self._timer = QTimer(scene, interval=0)
        self._timer.timeout.connect(self._go_on)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def wait(self, ids: Iterable[str], urgent: int | None = None) -> None:
        """Let the cards of `ids` be made anew: the first `urgent`, or all, from now on, the rest in time."""
        first = dict.fromkeys(ids)
        self._urgent += len(first) if urgent is None else urgent
        self._ids = {**first, **self._ids}
        if self._urgent or not self._ids:
            self._go_on()
        else:
            self._timer.start(REST)

    def finish(self) -> None:
        """Make them all anew, now."""
        if self._ids:
            self._slice(_NO_END)

    def forget(self) -> None:
        """The graph is gone."""
        self._ids, self._urgent = {}, 0
        self._timer.stop()

    def _go_on(self) -> None:
        if self._scene.arrivals:  # these have been waited for longer
            self._timer.start(0)
        else:
            self._slice(time.perf_counter() + SLICE)

    def _slice(self, end: float) -> None:
        self._timer.stop()
        waiting, self._ids = self._ids, {}
        looked_at = self._urgent > 0 and end != _NO_END
        while waiting and time.perf_counter() < end and not (looked_at and self._urgent == 0):
            some = [id for id, _ in zip(waiting, range(8), strict=False)]
            for id in some:
                del waiting[id]
            self._urgent = max(0, self._urgent - len(some))
            self._renew(some)
        self._ids = waiting
        if waiting:
            self._timer.start(0 if self._urgent else REST)
        else:
            self._urgent = 0
        self._scene.renewed()
