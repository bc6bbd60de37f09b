"""How soon a host is there, and how soon a run tells its first figures from a warm spare.

The goal is 50 ms from Train to the first event with figures for the digits MLP, its data cached.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from engine import assets
from engine.host.client import Host
from engine.host.protocol import Event, Metrics, Prepare, Progress, RunStarted, Train, Warm, Welcome

_REPEATS = 7


class Clocked:
    """A host whose events bear the time at which they arrived."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._times: list[tuple[float, Event]] = []
        self.started = time.perf_counter()
        self.host = Host.start(self._note, lambda exit: None)

    def _note(self, event: Event) -> None:
        with self._arrived:
            self._times.append((time.perf_counter(), event))
            self._arrived.notify_all()

    def time_of(self, kinds: type | tuple[type, ...], **fields: object) -> float:
        """When the first event of these kinds came; waits for it."""

        def find() -> float | None:
            for at, event in self._times:
                if isinstance(event, kinds) and all(getattr(event, k) == v for k, v in fields.items()):
                    return at
            return None

        with self._arrived:
            found = self._arrived.wait_for(find, 120)
        if not found:
            raise TimeoutError(f"no {kinds} within two minutes; the host said:\n{self.host.log}")
        return found


def measure() -> dict[str, dict[str, float]]:
    """Medians in milliseconds."""
    document = assets.path("networks/digits_mlp.layerlab").read_bytes()
    samples: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        samples.setdefault(name, []).append(1000 * seconds)

    folder = Path(tempfile.mkdtemp())
    try:
        for repeat in range(_REPEATS):
            clocked = Clocked()
            note("process start to Welcome (torch imported)", clocked.time_of(Welcome) - clocked.started)
            note("process start to Warm (first analysis done)", clocked.time_of(Warm) - clocked.started)
            asked = time.perf_counter()
            clocked.host.send(Prepare(document))
            note("Prepare (digits loaded, one step tried)", clocked.time_of(Warm, prepared=True) - asked)
            asked = time.perf_counter()
            clocked.host.send(Train(1, document, str(folder / f"run{repeat}"), "cpu"))
            note("Train to RunStarted, warm spare", clocked.time_of(RunStarted) - asked)
            note("Train to first figures, warm spare", clocked.time_of((Progress, Metrics)) - asked)
            note("Train to first metrics, warm spare", clocked.time_of(Metrics) - asked)
            clocked.host.kill()
            clocked.host.close()
            print(f"startup: {repeat + 1} of {_REPEATS}", file=sys.stderr)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "median, ms": {name: statistics.median(values) for name, values in samples.items()},
        "worst, ms": {name: max(values) for name, values in samples.items()},
    }


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    lines = []
    for group, values in figures.items():
        if group not in ("benchmark", "machine"):
            lines += [group, *(f"  {name:<52} {value:8.1f}" for name, value in values.items())]
    return "\n".join(lines)
