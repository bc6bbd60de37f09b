"""Fault injection as SQLite does it: every call of the system fails once, then kills the process.

Each trial runs in a forked child in which one call of :mod:`os`, the n-th, fails with a code or ends
the process; n counts up until the path runs through without meeting its fault. What is on the disk
afterwards is judged by the parent, from the files alone.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from engine.network import Edge, End, Network, Node
from engine.problems import FileProblem
from engine.storage import atomic, file, history, journal, recovery
from tests.robustness.promise import Row

CODES = (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EACCES)
#: How the process is killed: before the call, after it, and in the middle of a write.
KILLS = ("before", "after", "half")
#: The calls that reach the disk. (On Linux each is one system call.)
CALLS = (
    "open write fsync close stat lstat access chmod replace rename unlink rmdir mkdir listdir scandir dup"
).split()


def network(number: int) -> Network:
    """A small network that says its number."""
    return Network(
        f"n{number}",
        {"image": Node("Input", {"shape": [4]}), "fc": Node("Linear", {"out_features": number + 1})},
        (Edge(End("image"), End("fc")),),
    )


class Faults:
    """Replaces the calls of this process's `os`; the n-th then fails."""

    def __init__(self, at: int, code: int | None, kill: str) -> None:
        self.at, self.code, self.kill = at, code, kill
        self.calls = 0
        self.met = ""
        for name in CALLS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls != self.at:
                return real(*arguments, **named)
            self.met = name
            if self.code is None:
                self._die(name, real, arguments, named)
            if name == "close":  # Linux lets the descriptor go whatever it answers
                real(*arguments)
            if name == "write" and len(arguments[1]) > 1 and self.code == errno.ENOSPC:
                real(arguments[0], arguments[1][: len(arguments[1]) // 2])  # the disk fills up in between
            raise OSError(self.code, os.strerror(self.code or 0), *filter(_is_path, arguments[:1]))

        return call

    def _die(self, name: str, real: Callable[..., Any], arguments: Any, named: Any) -> None:
        if self.kill == "after":
            real(*arguments, **named)
        elif self.kill == "half" and name == "write":
            real(arguments[0], arguments[1][: len(arguments[1]) // 2])
        os.kill(os.getpid(), signal.SIGKILL)


def _is_path(value: object) -> bool:
    return isinstance(value, str | Path)


@dataclass
class Told:
    """What a child said before its end."""

    #: Numbers of the networks that it was told are safe.
    acknowledged: list[int]
    #: Messages of the WriteProblems it met.
    problems: list[str]
    #: What else it met: tracebacks.
    traces: list[str]
    #: Whether it ran to its end, and met its fault on the way.
    ended: bool = False
    met: str = ""


#: A path under test: does its work in a folder, and says each number once it has been acknowledged.
Work = Callable[[Path, Callable[[int], None], Callable[[str], None]], None]


def trial(work: Work, folder: Path, at: int, code: int | None = None, kill: str = "before") -> Told:
    """Run `work` in a child whose `at`-th call of the system fails."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, folder, at, code, kill, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        lines = [json.loads(line) for line in stream.read().splitlines() if line.endswith(b"}")]
    os.waitpid(child, 0)
    last = lines[-1] if lines and "met" in lines[-1] else {}
    return Told(
        [line["ack"] for line in lines if "ack" in line],
        [line["problem"] for line in lines if "problem" in line],
        [line["trace"] for line in lines if "trace" in line],
        bool(last),
        last.get("met", ""),
    )


def _child(work: Work, folder: Path, at: int, code: int | None, kill: str, writing: int) -> None:
    write = os.write

    def say(**what: object) -> None:
        write(writing, json.dumps(what).encode() + b"\n")

    faults = None
    try:
        faults = Faults(at, code, kill)
        work(folder, lambda number: say(ack=number), lambda problem: say(problem=problem))
    except atomic.WriteProblem as problem:
        say(problem=str(problem))
    except BaseException:
        say(trace=traceback.format_exc())
    say(met=faults.met if faults else "?")
    sys.stderr.flush()
    os._exit(0)


# ---------------------------------------------------------------------------- the paths


def save(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    """Save a network over an older one."""
    file.write(network(1), folder / "net.layerlab")
    acknowledge(1)


def keep(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    """Keep a save in the local history."""
    history.keep(folder / "history", folder / "net.layerlab", file.dumps(network(1)))
    acknowledge(1)


def _journal(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    safe = recovery.Safe(folder / "safe")
    book = safe.begin(folder / "net.layerlab", lambda error: problem(str(error)))
    for number in range(1, 7):
        try:
            book.record(network(number - 1), network(number))
            acknowledge(number)
        except atomic.WriteProblem as error:
            problem(str(error))
    book.close(keep=True)


def edits(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    """Six edits, appended to one journal."""
    _journal(folder, acknowledge, problem)


def turns(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    """Six edits, the journal beginning a new file at each."""
    journal.MAX_EDITS = -1
    journal.SYNC_EVERY = 0.0
    _journal(folder, acknowledge, problem)


def checkpoint(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    """A third checkpoint of a run, which replaces the first."""
    from engine.training import checkpoint as checkpoints

    checkpoints.save(folder / "checkpoints", checkpoints.Position(step=3), *_moving())
    acknowledge(3)


def weights(folder: Path, acknowledge: Callable[[int], None], problem: Callable[[str], None]) -> None:
    """Better weights over the best so far; so are those that are saved with a network."""
    from engine.training import weights as tensors

    tensors.save(folder / "best.safetensors", _weights(1))
    acknowledge(1)


def _weights(number: int) -> dict[str, Any]:
    import torch

    return {"fc.weight": torch.full((3, 2), float(number)), "fc.bias": torch.zeros(3)}


def _moving() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Tensors, plain values and choices, as a run's state has them."""
    import torch

    tensors = {"model.weight": torch.arange(6.0).reshape(2, 3), "optimizer.0.exp_avg": torch.ones(2, 3)}
    return tensors, {"optimizer": {}, "groups": [{"lr": 0.001}]}, {"threads": 1}


# ---------------------------------------------------------------------------- what must hold


def _prepare(name: str, folder: Path) -> None:
    file.write(network(0), folder / "net.layerlab")
    if name == "checkpoint":
        from engine.training import checkpoint as checkpoints

        for step in (1, 2):
            checkpoints.save(folder / "checkpoints", checkpoints.Position(step=step), *_moving())
    if name == "weights":
        from engine.training import weights as tensors

        tensors.save(folder / "best.safetensors", _weights(0))


def _state(name: str, folder: Path) -> int:
    """The number of the network (or checkpoint) that is there.

    Raises
    ------
    FileProblem
        If what is there is not whole.
    """
    if name == "save":
        return int(file.read(folder / "net.layerlab").name[1:])
    if name == "keep":
        found = history.saves(folder / "history", folder / "net.layerlab")
        return int(found[0].read().name[1:]) if found else 0
    if name == "checkpoint":
        from engine.training import checkpoint as checkpoints

        newest = checkpoints.newest(folder / "checkpoints")
        return newest[0].position.step if newest else 0
    if name == "weights":
        from engine.training import weights as tensors

        return int(tensors.load(folder / "best.safetensors")["fc.weight"][0, 0])
    left = recovery.crashed(folder / "safe")
    if not left:
        return 0
    if left[0].found is None:
        raise FileProblem(left[0].problem)
    found_network = left[0].found.network
    number = int(found_network.name[1:])
    if found_network != network(number):
        raise FileProblem(f"the journal's network {number} is not the one that was recorded")
    return number


PATHS: dict[str, tuple[Work, tuple[int, ...]]] = {
    "save": (save, (0, 1)),
    "keep": (keep, (0, 1)),
    "edits": (edits, tuple(range(7))),
    "turns": (turns, tuple(range(7))),
    "checkpoint": (checkpoint, (2, 3)),
    "weights": (weights, (0, 1)),
}


def _faults() -> Iterator[tuple[int | None, str]]:
    for code in CODES:
        yield code, "before"
    for kill in KILLS:
        yield None, kill


def measure(folder: Path, names: tuple[str, ...] = tuple(PATHS)) -> Row:
    """Let every call on every path fail in every way."""
    row = Row("Faults injected into saves, journal, history, checkpoints and weights")
    ways_out = set(atomic._REASONS.values())
    for name in names:
        work, states = PATHS[name]
        for code, kill in _faults():
            at = 0
            while True:
                at += 1
                place = folder / f"{name}-{code}-{kill}-{at}"
                place.mkdir()
                _prepare(name, place)
                told = trial(work, place, at, code, kill)
                if told.ended and not told.met:
                    break
                row.count(f"on the path {name!r}")
                row.check(*_judged(name, place, told, states, code, ways_out, f"{name} {at} {code} {kill}"))
    return row


def _judged(
    name: str,
    folder: Path,
    told: Told,
    states: tuple[int, ...],
    code: int | None,
    ways_out: set[str],
    where: str,
) -> tuple[bool, str]:
    where = f"{where} ({told.met})"
    if told.traces:
        return False, f"{where}: {told.traces[0].splitlines()[-1]}"
    try:
        state = _state(name, folder)
    except (FileProblem, ValueError, msgspec.MsgspecError) as problem:
        if not told.ended and not told.acknowledged and "cut short" in str(problem):
            return True, ""  # killed while the first edit was being written: there was nothing before it
        return False, f"{where}: not whole: {problem}"
    least = max([states[0], *told.acknowledged])
    if state not in states or state < least:
        return False, f"{where}: found {state}, acknowledged {told.acknowledged}"
    for message in told.problems:
        if not any(message.endswith(way) for way in ways_out):
            return False, f"{where}: no way out is named: {message}"
    if name in ("save", "keep", "checkpoint", "weights") and code is not None:
        if not told.acknowledged and not told.problems:
            return False, f"{where}: nothing was said"
        left = [path.name for path in folder.rglob(".layerlab-*")]
        if left and told.met != "unlink":
            return False, f"{where}: left behind {left}"
    return True, ""
