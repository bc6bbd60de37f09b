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


class Renewals:
    """Which cards say what an older analysis found.

    Whoever asks the drawing for its cards or wires has them all as they are now.
    """

    def __init__(self, scene: Scene, renew: Callable[[Iterable[str]], object]) -> None:
        self._scene = scene
        self._renew = renew
        self._ids: dict[str, None] = {}
        self._timer = QTimer(scene, interval=0)
        self._timer.timeout.connect(self._go_on)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def wait(self, ids: Iterable[str]) -> None:
        """Let the cards of `ids` be made anew, the first ones now."""
        self._ids = {**dict.fromkeys(ids), **self._ids}
        self._go_on()

    def finish(self) -> None:
        """Make them all anew, now."""
        if self._ids:
            self._slice(float("inf"))

    def forget(self) -> None:
        """The graph is gone."""
        self._ids = {}
        self._timer.stop()

    def _go_on(self) -> None:
        if self._scene.arrivals:  # these have been waited for longer
            self._timer.start()
        else:
            self._slice(time.perf_counter() + SLICE)

    def _slice(self, end: float) -> None:
        self._timer.stop()
        waiting, self._ids = self._ids, {}
        while waiting and time.perf_counter() < end:
            some = [id for id, _ in zip(waiting, range(8), strict=False)]
            for id in some:
                del waiting[id]
            self._renew(some)
        self._ids = waiting
        if waiting:
            self._timer.start()
        self._scene.renewed()
