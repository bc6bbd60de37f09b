"""Frames of a window, measured: turns of the event loop in which something was done.

A frame is an action and the painting that follows from it, events and all. Where an action goes on over
several frames, all of them count until nothing is left to do. What Python's collector takes in a turn in
which nothing was acted on is told by itself, for it waits until nobody waits for anything. Beside the clock
stands the processor time of this process: on a busy machine it is what a quiet one would take.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtWidgets import QApplication

#: A turn of the event loop that takes less, in milliseconds of work, has done nothing.
NOTHING = 0.25
#: So long, in seconds, nothing may happen until an action is taken to be over: a view that follows soon does.
CALM = 0.12

Act = Callable[[], object]


class _Collections:
    """Seconds that Python's collector has taken, by the clock and as work."""

    def __init__(self) -> None:
        self.clock = self.work = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: dict[str, int]) -> None:
        sign = -1 if phase == "start" else 1
        self.clock += sign * time.perf_counter()
        self.work += sign * time.process_time()


_collections = _Collections()


class Frames:
    """The frames of one kind of gesture."""

    def __init__(self) -> None:
        #: The longest collection while nothing was acted on.
        self.collection = 0.0
        self.clock: list[float] = []
        self.work: list[float] = []

    def frame(self, act: Act | None = None) -> float:
        """One turn of the event loop, after `act`; its work in milliseconds."""
        collected, collecting = _collections.clock, _collections.work
        begun, working = time.perf_counter(), time.process_time()
        if act is not None:
            act()
        QApplication.processEvents()
        if act is None:  # else it is a part of what was waited for
            begun += _collections.clock - collected
            working += _collections.work - collecting
            self.collection = max(self.collection, 1000 * (_collections.work - collecting))
        clock, work = (time.perf_counter() - begun) * 1000, (time.process_time() - working) * 1000
        if act is not None or work >= NOTHING:
            self.clock.append(clock)
            self.work.append(work)
        return work

    def rest(self, resting: Callable[[], bool], between: Act = lambda: None) -> None:
        """All frames that are still to come; `between` two of them others may act, as hosts do."""
        calm = time.monotonic()
        while not resting() or time.monotonic() - calm < CALM:
            between()
            if self.frame() >= NOTHING or not resting():
                calm = time.monotonic()
            else:
                time.sleep(0.002)

    def figures(self) -> dict[str, float]:
        """Median, 95th percentile, longest and all together, by the clock and as work, in milliseconds."""
        found: dict[str, float] = {}
        for prefix, times in (("", self.clock), ("cpu_", self.work)):
            ordered = sorted(times)
            found[f"{prefix}median"] = statistics.median(times)
            found[f"{prefix}p95"] = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
            found[f"{prefix}longest"] = ordered[-1]
            found[f"{prefix}total"] = sum(times)
        if self.collection >= 1:
            found["collection"] = self.collection
        return {**found, "frames": len(self.clock)}


def repeated(act: Callable[[int], object], count: int) -> dict[str, float]:
    """Frames of something that is done again and again."""
    frames = Frames()
    for number in range(count):
        frames.frame(lambda number=number: act(number))
    return frames.figures()


#: Milliseconds that a frame may take, by number of nodes: median, and 95th percentile.
GOALS = {1000: (8.0, 16.0), 5000: (16.0, 16.0)}


def beyond(rows: dict[str, dict[str, dict[str, float]]], prefix: str = "") -> Iterator[str]:
    """What is not within the goals, in words: by the clock, or (`cpu_`) as work."""
    for count, found in rows.items():
        median, p95 = GOALS.get(int(count), (float("inf"),) * 2)
        for name, row in found.items():
            if name == BUILT:
                if row[f"{prefix}total"] > 150 and int(count) == 1000:
                    yield f"{count} nodes, {name}: {row[f'{prefix}total']:.0f} ms"
            elif row[f"{prefix}median"] > median or row[f"{prefix}p95"] > p95:
                yield f"{count} nodes, {name}: {row[f'{prefix}median']:.1f} / {row[f'{prefix}p95']:.1f} ms"
            elif row[f"{prefix}longest"] > 16:
                yield f"{count} nodes, {name}: its longest frame {row[f'{prefix}longest']:.1f} ms"


#: The one row that is no gesture.
BUILT = "build and paint"


def lines(title: str, found: dict[str, Any]) -> list[str]:
    """A table: work in ms, median, 95th percentile and longest, and the clock's longest; one column per size."""
    head = "ms of work, median / p95 / longest (longest by the clock), frames"
    made = [f"{title}, {head}", "nodes".ljust(22) + "".join(f"{count:>40}" for count in found)]
    for name in dict.fromkeys(name for rows in found.values() for name in rows):
        cells = []
        for rows in found.values():
            row = rows.get(name)
            if row is None:
                cells.append(" " * 40)
                continue
            clock = f"({row['longest']:.1f})"
            work = f"{row['cpu_median']:.1f} /{row['cpu_p95']:>6.1f} /{row['cpu_longest']:>7.1f}"
            cells.append(f"{work:>25}{clock:>10}{row['frames']:>5}")
        made.append(name.ljust(22) + "".join(cells))
    return made
