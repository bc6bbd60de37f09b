"""A run's folder: what lies where in it, and what became of the run.

``network.layerlab``, ``result.json``, ``weights.safetensors`` (last), ``best.safetensors``,
``weights/`` (as they were at earlier steps), ``checkpoints/``, ``metrics.events`` and
``observations.events`` (see :mod:`engine.runs.record`),
and ``run.json`` (the process that trains it, and what else it takes to repeat the run).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from engine.runs import owner
from engine.storage.atomic import write_bytes

#: The file that makes a folder of runs a sweep.
SWEEP = "sweep.json"


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its things."""

    path: Path

    @property
    def network(self) -> Path:
        """Graph and recipe as trained."""
        return self.path / "network.layerlab"

    @property
    def result(self) -> Path:
        """What ``train --json`` prints; there once the run has ended."""
        return self.path / "result.json"

    @property
    def weights(self) -> Path:
        """The last weights."""
        return self.path / "weights.safetensors"

    @property
    def start(self) -> Path:
        """The weights that the run started from, where it was not from its own initialisation."""
        return self.path / "start.safetensors"

    @property
    def best(self) -> Path:
        """The weights that did best on the validation examples."""
        return self.path / "best.safetensors"

    def kept(self, step: int) -> Path:
        """The weights as they were after step number `step`, where the run keeps them."""
        return self.path / "weights" / f"step-{step:010}.safetensors"

    def kept_steps(self) -> list[int]:
        """The steps whose weights are kept, in order."""
        return sorted(_steps(self.kept(0).parent, ".safetensors"))

    def weights_at(self, step: int | None = None) -> tuple[Path, str] | None:
        """A file of weights and whose they are; None where the run has written none yet.

        Without a step the best, or the last where none were best yet; with a step, those of the last
        one up to it that are kept, else of the first.
        """
        kept = self.kept_steps() if step is not None else []
        if step is not None and kept:
            found = max((each for each in kept if each <= step), default=kept[0])
            return self.kept(found), f"weights of step {found:,}"
        for file, name in ((self.best, "best weights"), (self.weights, "last weights")):
            if file.exists():
                return file, name
        return None

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    def checkpointed(self) -> int | None:
        """The step of the newest checkpoint; None while there is none."""
        return max(_steps(self.checkpoints, ".json"), default=None)

    @property
    def metrics(self) -> Path:
        """Recorded figures and states."""
        return self.path / "metrics.events"

    @property
    def observations(self) -> Path:
        """Recorded weights, gradients and confusion matrices."""
        return self.path / "observations.events"

    @property
    def facts(self) -> Path:
        """The process that trains; versions, device, threads, hash of the data."""
        return self.path / "run.json"

    def claim(self, facts: Mapping[str, Any]) -> None:
        """Say that this process trains the run now, with `facts`; an earlier result no longer holds."""
        self.result.unlink(missing_ok=True)
        # One file for both: each write waits for the disk, and the first step waits for them.
        known = {**msgspec.to_builtins(owner.me()), **facts}
        write_bytes(self.facts, msgspec.json.format(msgspec.json.encode(known)))

    def read_result(self) -> dict[str, Any] | None:
        """The result, or None while there is none (or none that can be read)."""
        return _json(self.result)

    def state(self) -> str:
        """`finished`, `stopped`, `diverged` or `failed` by its result, else `running` or `interrupted`."""
        result = self.read_result()
        if result is not None:
            return str(result.get("state", "failed"))
        try:
            holder = msgspec.json.decode(self.facts.read_bytes(), type=owner.Owner)
        except (OSError, ValueError, msgspec.MsgspecError):  # ValueError: no UTF-8
            return "interrupted"
        return "running" if owner.is_alive(holder) else "interrupted"


def _steps(folder: Path, suffix: str) -> Iterator[int]:
    """The steps that files of `folder` are named after."""
    names = (path.stem.removeprefix("step-") for path in folder.glob(f"step-*{suffix}"))
    return (int(name) for name in names if name.isdecimal())


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = msgspec.json.decode(path.read_bytes())
    except (OSError, ValueError, msgspec.MsgspecError):  # ValueError: no UTF-8
        return None
    return value if isinstance(value, dict) else None


def stem(name: str) -> str:
    """What the folder of a run of network `name` that begins now is called: date, time and the name."""
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{_slug(name)}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "untitled"


def create(parent: Path, name: str) -> RunFolder:
    """Make a new, empty run folder in `parent` (made if need be): date, time and the network's name.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    own = stem(name)
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = parent / (own if number == 1 else f"{own}_{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return RunFolder(path)


@dataclass(frozen=True)
class Summary:
    """One run of a list."""

    path: Path
    state: str
    #: What ``train --json`` printed; empty while there is none.
    result: Mapping[str, Any]
    #: Seconds since the epoch at which it was last written to.
    modified: float


def summary(path: Path) -> Summary:
    """What became of the run in `path`."""
    folder = RunFolder(path)
    times = [
        file.stat().st_mtime for file in (folder.result, folder.metrics, folder.network) if file.exists()
    ]
    return Summary(path, folder.state(), folder.read_result() or {}, max(times, default=0.0))


def listed(parent: Path, name: str | None = None) -> list[Summary]:
    """The runs in `parent` and in the sweeps there, the newest first; none if there is no such folder.

    `name`: only those that :func:`create` made for a network of that name.
    """
    if not parent.is_dir():
        return []
    folders = [parent, *(path for path in parent.iterdir() if (path / SWEEP).is_file())]
    called = _called(name)
    runs = [
        summary(path)
        for folder in folders
        for path in folder.iterdir()
        if called.fullmatch(path.name) and RunFolder(path).network.is_file()
    ]
    return sorted(runs, key=lambda run: run.modified, reverse=True)


def newest(parent: Path, name: str | None = None) -> list[Path]:
    """The runs in `parent` that have begun, the last written to first; sweeps are left out.

    Only the times of their files are looked at, so it takes no time where there are many. `name`: as of
    :func:`listed`.
    """
    called = _called(name)
    try:
        folders = [entry.path for entry in os.scandir(parent) if called.fullmatch(entry.name)]
    except OSError:
        return []
    written: list[tuple[float, Path]] = []
    for folder in folders:
        run = RunFolder(Path(folder))
        with contextlib.suppress(OSError):
            written.append((run.metrics.stat().st_mtime, run.path))
    return [path for _, path in sorted(written, reverse=True)]


def _called(name: str | None) -> re.Pattern[str]:
    """What the folders are called that :func:`create` makes for a network of that name; None: of any."""
    return re.compile(".*" if name is None else rf".{{19}}_{re.escape(_slug(name))}(_\d+)?")
