"""When a run is looked at: whenever it has earned what one look more costs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

#: Seconds of looking with which a run begins, so that its first moments are seen too: over five seconds
#: they and the share make 2.5 %, and 3 % are the limit (tests/benchmarks/observation.py).
CREDIT = 0.025
#: Seconds between two looks, at least: a panel that changes more often is not seen any better.
APART = 0.2
#: Seconds without a look, after which the work in them earns twice as much: who shares the machine with
#: others is to see the run too. No more than their time would earn, so that a run that has the machine to
#: itself is none the slower.
UNSEEN = 1.0
#: What a look costs for each second that it is timed at: the watched step is slower, and the steps after it
#: find their caches cold. By the steps around looks it is 1.05 to 1.4 (from a perceptron to a transformer),
#: by runs with and without looks in turns up to 1.8 (tests/benchmarks/observation.py).
UNTIMED = 1.75

#: What a first look is counted as, at most: all that a run begins with.
_COLD = CREDIT / UNTIMED
#: Seconds after which an account that did not pay for a look is asked once more.
_ONCE_MORE = 0.05


class Pace:
    """An account of looking: the training thread's own work earns it, looks are paid from it.

    A look is due at steps that double, and :data:`APART` seconds after the one before; it is made as soon as
    the account pays for it. Work and not time is what earns: where others use the machine too, a run does
    less in a second and is looked at less often, and what interrupts a look makes it none the dearer. A
    pause earns nothing.

    Parameters
    ----------
    share
        Seconds of looking that a second of work earns.
    span
        The steps behind the run, and its last one, which is looked at whatever the account says.
    work, now
        The clocks of the thread's work and of the wall.

    Attributes
    ----------
    due
        The time on the wall from which on the next look is due.
    sure
        The step at which it is due at the latest.
    cost
        Seconds that looking has taken so far.
    """

    def __init__(
        self,
        share: float,
        span: tuple[int, float],
        work: Callable[[], float] = time.thread_time,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._share, self._work, self._now = share, work, now
        self._first, self._last = span
        self._begun = work()
        #: When it was looked at last, and what it had worked by then.
        self._seen, self._by_then = now(), 0.0
        self.due = self._seen
        # The first step is peeked at, and the second one looked at: figures come before that.
        self.sure = min(self._first + 2, self._last)
        self.cost = 0.0
        self._spent, self._looks = 0.0, 0
        #: What the first look took.
        self._cold = 0.0
        #: Seconds of work that earn a second time: of all looks, and of the one that is wanted now.
        self._again = self._more = 0.0

    @property
    def worked(self) -> float:
        """Seconds of work since the run began."""
        return self._work() - self._begun

    def paused(self, seconds: float, *, worked: bool) -> None:
        """Leave a pause of so many seconds out; `worked`: the clock of work went on in it, too."""
        self._seen += seconds
        self._begun += seconds * worked

    def wanted(self, step: int) -> bool:
        """Whether `step` is to be looked at."""
        if step >= self._last and self.sure <= self._last:
            return True
        return (step >= self.sure or self._now() >= self.due) and self._affordable()

    def _affordable(self) -> bool:
        """Whether the account pays for another look; if not, none is due before it may.

        What one costs, the first one tells.
        """
        if not self._looks:
            return True
        now, worked = self._now(), self.worked
        unseen, work = now - self._seen, worked - self._by_then
        self._more = max(0.0, min(work, unseen - work)) if unseen >= UNSEEN else 0.0
        price = self._spent / self._looks
        if self._spent + price <= CREDIT + self._share * (worked - self.cost + self._again + self._more):
            return True
        self.due, self.sure = now + _ONCE_MORE, self._last
        return False

    @property
    def early(self) -> bool:
        """Whether a look now comes before its time: at a step that doubles, or at the last."""
        return self._now() < self.due

    def paid(self, step: int, cost: float) -> None:
        """A look at `step` has taken `cost` seconds of work."""
        self.cost += cost
        # What a process takes once, at its first look, is no measure of the next, which tells what remains.
        self._looks += 1
        if self._looks == 1:
            self._cold, cost = cost, min(cost, _COLD)
        elif self._looks == 2:
            cost += max(min(self._cold, cost) - _COLD, 0.0)
        self._spent += UNTIMED * cost
        self._seen, self._by_then = self._now(), self.worked
        self._again, self._more = self._again + self._more, 0.0
        self.due = self._seen + APART
        twice = max(2 * (step - self._first), 2) + self._first
        self.sure = min(twice, self._last) if step < self._last else math.inf
