"""Faults of hosts: each must be told within two seconds, and leave a pool that works.

The hosts are real processes that do the work of :mod:`tests.host_fake`; their faults are real too:
signals, a full memory, bytes that are no frames.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.host.member import Run
from engine.host.pool import Pool
from engine.host.protocol import Analyzed, Event, Failed, Progress, RunState
from engine.host.pulse import Silence
from tests.robustness.promise import Row

FAKE = [sys.executable, "-P", str(Path(__file__).parents[1] / "host_fake.py")]
NONSENSE = [sys.executable, "-P", str(Path(__file__).with_name("nonsense_host.py"))]
#: Seconds within which a fault must be told.
SOON = 2.0
#: Seconds that a trial may take in all before it counts as hung.
_PATIENCE = 30.0


class Held:
    """A pool, and all it has said."""

    def __init__(self, command: list[str] | None = None) -> None:
        self.events: list[Event] = []
        self.silences: list[Silence] = []
        self.troubles: list[str] = []
        self.told: list[Event] = []
        self.pool = Pool(
            self.events.append,
            on_trouble=self.troubles.append,
            on_silence=self.silences.append,
            command=command or FAKE,
        )

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.pool.pids:  # a stopped one could not end by itself
            with_signal(pid, signal.SIGCONT)
        self.pool.close(2.0)

    def works(self) -> bool:
        """Whether a question is still answered."""
        number = self.pool.analyze(b"after")
        return until(lambda: any(isinstance(e, Analyzed) and e.request == number for e in list(self.events)))

    def run(self, folder: Path) -> Run:
        """A run that goes on until it is stopped."""
        run = self.pool.train(b"forever", str(folder / "run"), self.told.append)
        until(lambda: run.step > 0)
        return run

    def heard(self, silent: bool, run: Run | None = None, answers: bool = False) -> bool:
        """Whether a silence, or its end, has been told."""
        return any(s == Silence(silent, run, answers) for s in list(self.silences))

    def interrupted(self) -> bool:
        """Whether the run's end has been told."""
        return any(
            isinstance(e, RunState) and e.state == "interrupted" and e.message for e in list(self.told)
        )


def until(condition: Callable[[], Any], patience: float = _PATIENCE) -> bool:
    """Wait for `condition`; whether it came true."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.002)
    return True


def with_signal(pid: int | None, number: int) -> None:
    """Send a signal, if there still is such a process."""
    try:
        if pid is not None:
            os.kill(pid, number)
    except ProcessLookupError:
        pass


def _timed(condition: Callable[[], Any]) -> float:
    began = time.monotonic()
    return time.monotonic() - began if until(condition) else float("inf")


def _killed(held: Held, folder: Path) -> float:
    run = held.run(folder)
    with_signal(run.pid, signal.SIGKILL)
    return _timed(held.interrupted)


def _crashed(held: Held, folder: Path) -> float:
    run = held.run(folder)
    with_signal(run.pid, signal.SIGSEGV)
    return _timed(held.interrupted)


def _analyst_killed(held: Held, folder: Path) -> float:
    held.works()
    number = held.pool.analyze(b"crash")
    seconds = _timed(lambda: held.heard(True))
    # It is asked again of another host; what costs two of them has failed.
    failed = until(lambda: any(isinstance(e, Failed) and e.request == number for e in list(held.events)))
    return seconds if failed and until(lambda: held.heard(False)) else float("inf")


def _run_hung(held: Held, folder: Path) -> float:
    run = held.run(folder)
    with_signal(run.pid, signal.SIGSTOP)
    seconds = _timed(lambda: held.heard(True, run))
    with_signal(run.pid, signal.SIGCONT)
    if not until(lambda: held.heard(False, run)) or run.ended:
        return float("inf")  # it went on, and that must be told too
    with_signal(run.pid, signal.SIGSTOP)
    run.kill()
    return seconds if until(held.interrupted) else float("inf")


def _analyst_hung(held: Held, folder: Path) -> float:
    held.works()
    analyst = held.pool.pids[0]
    with_signal(analyst, signal.SIGSTOP)
    seconds = _timed(lambda: held.heard(True))
    held.pool.replace_analyst()
    return seconds


def _run_stuck(held: Held, folder: Path) -> float:
    run = held.run(folder)
    # The host keeps to its pace for a while, so that it is known.
    until(lambda: sum(isinstance(event, Progress) for event in list(held.told)) > 3)
    run.control("hang")
    until((folder / "run" / "hanging").exists)
    seconds = _timed(lambda: held.heard(True, run, answers=True))
    if held.heard(True, run):
        return float("inf")  # its process does answer
    run.kill()
    told = until(held.interrupted) and until(lambda: held.heard(False, run, answers=True))
    return seconds if told else float("inf")


def _analyst_stuck(held: Held, folder: Path) -> float:
    held.works()
    gate = folder / "gate"
    held.pool.analyze(b"wait " + os.fsencode(gate))
    seconds = _timed(lambda: held.heard(True, answers=True))
    if held.heard(True):
        return float("inf")
    held.pool.replace_analyst()
    gate.touch()
    return seconds if until(lambda: held.heard(False, answers=True)) else float("inf")


def _out_of_memory(held: Held, folder: Path) -> float:
    held.works()
    number = held.pool.analyze(b"memory")
    return _timed(
        lambda: any(
            isinstance(e, Failed) and e.request == number and e.message.startswith("Memory ran out")
            for e in list(held.events)
        )
    )


FAULTS: dict[str, Callable[[Held, Path], float]] = {
    "a run's host killed": _killed,
    "a run's host crashed": _crashed,
    "the analysis host killed by a document": _analyst_killed,
    "a run's host standing still": _run_hung,
    "the analysis host standing still": _analyst_hung,
    "a run's work standing still, its process not": _run_stuck,
    "the analysis standing still, its process not": _analyst_stuck,
    "memory run out": _out_of_memory,
}


def _nonsense(seed: int) -> tuple[float, bool]:
    """How long a pool takes to give up hosts that talk nonsense, and whether its words are words."""
    with Held([*NONSENSE, str(seed)]) as held:
        seconds = _timed(lambda: held.troubles)
        # What it costs to start three interpreters is not the pool's answer.
        return seconds, bool(held.troubles) and "Traceback" not in held.troubles[0]


def measure(folder: Path, times: int, seed: int = 0) -> Row:
    """Let hosts fail in every way, `times` over."""
    row = Row(
        "Faults of the engine's processes: killed, crashed, hung, stuck, out of memory, talking nonsense"
    )
    for turn in range(times):
        for name, fault in FAULTS.items():
            place = folder / f"{name}-{turn}"
            place.mkdir()
            with Held() as held:
                seconds = fault(held, place)
                works = held.works()
            row.took("told at the latest after", seconds)
            row.check(seconds <= SOON, f"{name}: told after {seconds:.1f} s")
            row.check(works, f"{name}: the engine no longer answers")
        seconds, said = _nonsense(random.Random(seed + turn).randrange(1 << 30))
        row.check(seconds < _PATIENCE and said, f"nonsense: told after {seconds:.1f} s, in words: {said}")
    return row
