"""How often a panel asks the engine again while a run goes on."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer, Signal

#: Seconds between two questions, at least; and how many times an answer's own time they are apart.
APART, TIMES = 0.5, 10.0

#: Seconds between two questions that somebody waits for who looks back.
BY_HAND = 0.15


class Asking(QObject):
    """Says when to ask, so that answers take at most a tenth of the machine's time.

    :meth:`soon` may be called at any rate. What the user asks for by hand needs no leave.
    """

    #: Ask now.
    due = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.due)
        self._asked = 0.0
        self._free = 0.0
        #: What the answer before took; the first one has the data read, which is paid once.
        self._took = 0.0

    def soon(self) -> None:
        """Ask as soon as that is fair."""
        if not self._timer.isActive():
            self._timer.start(max(1, round(1000 * (self._free - time.perf_counter()))))

    def at_once(self) -> None:
        """Ask for what the user wants to see now, and sees nothing of until it is answered."""
        wait = max(1, round(1000 * (self._asked + BY_HAND - time.perf_counter())))
        if not self._timer.isActive() or self._timer.remainingTime() > wait:
            self._timer.start(wait)

    def asked(self) -> None:
        """A question has been put."""
        self._timer.stop()
        self._asked = time.perf_counter()

    def answered(self) -> None:
        """It has been answered."""
        now = time.perf_counter()
        took = now - self._asked
        self._free = now + max(APART, TIMES * min(took, self._took))
        self._took = took
