"""Training a run again, to certify or refute that its curve is what its record says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.host.protocol import Event, Metrics
from engine.problems import FileProblem
from engine.runs import RunFolder, read_events
from engine.storage.file import read
from engine.training import processes, session
from engine.training.compute import Choices
from engine.training.control import Control

#: What a curve may depend on beside the network, and how it is called in a run's facts.
_CIRCUMSTANCES = (
    *("torch", "python", "platform", "device", "device_name", "cuda", "cudnn", "processes", "threads"),
    "data_sha256",
)


def replay(run: str | Path, *, emit: Callable[[Event], None] | None = None) -> dict[str, Any]:
    """Train `run` again, on its device and with its threads, as far as it went, and compare every figure.

    Returns
    -------
    dict
        ``same``, whether every recorded figure came again to the last bit; ``compared``, how many points;
        ``first_difference`` (``step``, ``split``, ``recorded``, ``found``) or None; ``circumstances``, what
        is not as it was then (versions, device, data): ``{"torch": [then, now]}``.

    Raises
    ------
    FileProblem
        If `run` is no run, or has recorded nothing.
    NetworkProblem, DataProblem
        If it cannot be trained any more.
    """
    folder = RunFolder(Path(run))
    if not folder.network.is_file():
        raise FileProblem(f"{folder.path}: is no run: it has no {folder.network.name}.")
    recorded = [event for event in read_events(folder.metrics) if isinstance(event, Metrics)]
    if not recorded:
        raise FileProblem(f"{folder.path}: this run has recorded no figures to compare with.")
    facts = _facts(folder)
    network = read(folder.network)
    last = max(event.step for event in recorded)
    found: list[Metrics] = []

    def see(event: Event) -> None:
        if isinstance(event, Metrics):
            found.append(event)
        if emit is not None:
            emit(event)

    with tempfile.TemporaryDirectory() as scratch:
        again = RunFolder(Path(scratch))
        given: dict[str, Any] = {"weights": folder.start if folder.start.exists() else None}
        given |= {"emit": see, "observe": False}
        device, together = str(facts.get("device", "auto")), int(facts.get("processes", 1))
        if together > 1:
            processes.run(network, again.path, nproc=together, device=device.partition(":")[0], **given)
        else:
            chosen = Choices(**facts["choices"]) if "choices" in facts else None
            control = _StopsAt(last)
            session.run(network, again.path, device=device, control=control, chosen=chosen, **given)
        now = _facts(again)
    found = [event for event in found if event.step <= last]
    difference = _difference(recorded, found)
    return {
        "run": str(folder.path),
        "same": difference is None,
        "compared": len(recorded),
        "steps": last,
        "first_difference": difference,
        "circumstances": {
            name: [facts[name], now.get(name)]
            for name in _CIRCUMSTANCES
            if name in facts and facts[name] != now.get(name)
        },
    }


class _StopsAt(Control):
    """Stops before the batch behind step `last`; asked before each batch, as any control."""

    def __init__(self, last: int) -> None:
        super().__init__(paused=True)
        self._last, self._done = last, 0

    def heed(self, waiting: Callable[[], None]) -> str:
        """Go on until enough batches have been trained on."""
        if self._done >= self._last:
            return "stop"
        self._done += 1
        return "run"


def _facts(folder: RunFolder) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(folder.facts.read_bytes())
    except (OSError, msgspec.MsgspecError):
        raise FileProblem(f"{folder.facts}: what the run was made with cannot be read.") from None
    return value if isinstance(value, dict) else {}


def _difference(recorded: Sequence[Metrics], found: Sequence[Metrics]) -> dict[str, Any] | None:
    """The first point that is not the same; seconds are not compared."""
    for number, then in enumerate(recorded):
        now = found[number] if number < len(found) else None
        if now is None or (then.step, then.split, dict(then.values)) != (
            now.step,
            now.split,
            dict(now.values),
        ):
            return {
                "step": then.step,
                "split": then.split,
                "recorded": dict(then.values),
                "found": None if now is None else dict(now.values),
            }
    return None
