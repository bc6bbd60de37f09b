"""Python's collector of cycles, kept in the window's thread and out of its way.

Python collects in whichever thread happens to allocate, and what it finds may be a widget. Qt objects
that end outside of their own thread crash, now or later; the window has threads that read what hosts
say. So collecting by itself is switched off, and the event loop does it. The remedy is Kovid Goyal's
(PyQt mailing list, August 2011); pyqtgraph's ``GarbageCollector`` is another such, behind an import
that would hold up the first paint.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication

#: Milliseconds between two looks at how much there may be to collect.
PACE = 1000


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
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.look)
        self._timer.start(PACE)

    def settle(self) -> None:
        """What is there now stays to the end: no collection walks through it any more."""
        gc.freeze()

    def look(self) -> None:
        """Collect the oldest generation whose count is over its threshold, and with it all younger ones.

        Not while a button is held: with thousands of layers that would be seen as a jerk of the drag.
        """
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        counts, thresholds = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > thresholds[generation]:
                gc.collect(generation)
                return
