"""Python's collector of cycles, kept in the window's thread and out of its way.

Python collects in whichever thread happens to allocate, and what it finds may be a widget. Qt objects
that end outside of their own thread crash, now or later; the window has threads that read what hosts
say. So collecting by itself is switched off, and the event loop does it. The remedy is Kovid Goyal's
(PyQt mailing list, August 2011); pyqtgraph's ``GarbageCollector`` is another such, behind an import
that would hold up the first paint.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication

#: Milliseconds between two looks at how much there may be to collect: what a gesture leaves behind in so
#: long takes a millisecond or two.
PACE = 250
#: By generation: the share of the time from which on this thread counts as at work, and for how many seconds
#: what is due then waits at most. Panels that follow a run take a sixth of it; to collect the oldest
#: generation is to walk through all.
_CALM = {0: (0.3, 10.0), 1: (0.3, 10.0), 2: (0.1, 60.0)}
#: So many new objects, as thousands of layers leave behind that come or go at once, take a good part of a
#: frame to walk through, as the oldest generation does.
MANY = 30_000
#: What takes so long is done where nothing at all was done for so many milliseconds, which is looked at anew:
#: a quarter of a second in which somebody has just clicked may be calm, too.
STILL, _NOTHING = 40, 0.02


class Garbage(QObject):
    """Collects cycles in the thread of the event loop, as often as Python's own thresholds say.

    Parameters
    ----------
    parent
        Lives as long as the event loop runs.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._looked, self._worked = time.monotonic(), time.thread_time()
        #: Since when each generation has been due.
        self._due: dict[int, float] = {}
        #: Whether the next look is to see that nothing is done.
        self._closely = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(PACE)

    def settle(self) -> None:
        """What is there now stays to the end: no collection walks through it any more."""
        gc.freeze()

    def look(self) -> None:
        """Collect the oldest generation whose count is over its threshold, and with it all younger ones.

        Not while a button is held, nor within a gesture of thousands of layers, to which it would add a jerk.
        """
        share = self._share()
        closely, self._closely = self._closely, False
        if closely:
            self._timer.setInterval(PACE)
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        counts, thresholds = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] <= thresholds[generation]:
                continue
            calm, patience = _CALM[generation]
            waited = self._looked - self._due.setdefault(generation, self._looked)
            long = generation == 2 or counts[0] > MANY
            if long and waited <= patience and not (closely and share < _NOTHING):
                if share < calm and not closely:
                    self._closely = True
                    self._timer.setInterval(STILL)
                continue
            if share < calm or waited > patience:
                gc.collect(generation)
                self._share()  # this work was nobody's
                for younger in range(generation + 1):
                    self._due.pop(younger, None)
                return

    def _share(self) -> float:
        """The share of the time since the last call that this thread has worked."""
        looked, worked = self._looked, self._worked
        self._looked, self._worked = time.monotonic(), time.thread_time()
        return (self._worked - worked) / max(self._looked - looked, 1e-6)
