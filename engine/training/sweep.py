"""Many runs of one network, each with other values, in one folder that can be gone on with.

``SWEEP/sweep.json`` says what is tried, and ``SWEEP/001``, ``SWEEP/002`` … are ordinary runs. What
is drawn by chance follows from the seed, so that a sweep which goes on does what it would have done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.assign import assign_all
from engine.data import Cancelled
from engine.host.protocol import Event
from engine.network import Network
from engine.problems import DataProblem, FileProblem, NetworkProblem
from engine.ranges import Range, Trial, plain, trials
from engine.runs import RunFolder, create
from engine.runs.folder import SWEEP
from engine.storage.atomic import write_bytes
from engine.storage.file import dumps, loads
from engine.training import session
from engine.training.api import stopped_by_keyboard
from engine.training.control import Control
from engine.training.metrics import better, monitored
from engine.training.options import options


class Plan(msgspec.Struct, forbid_unknown_fields=True):
    """What a sweep tries."""

    #: The network, as its file says it.
    network: str
    #: As written behind ``--try``.
    tries: list[str]
    #: Runs drawn by chance; None: every combination.
    draws: int | None = None
    seed: int = 0

    def trials(self) -> list[Trial]:
        """The assignments of each run."""
        return trials([Range.parse(text) for text in self.tries], draws=self.draws, seed=self.seed)


def begin(
    network: Network,
    tries: Sequence[str],
    parent: Path,
    *,
    draws: int | None = None,
    seed: int = 0,
) -> Path:
    """Make a sweep's folder in `parent`, with nothing trained yet.

    Raises
    ------
    RangeProblem, AssignProblem
        If what is tried makes no sense, or does not fit the network.
    OSError
        If the folder cannot be made.
    """
    plan = Plan(dumps(network).decode(), list(tries), draws, seed)
    for trial in plan.trials():
        _network(network, trial)
    folder = create(parent, f"{network.name} sweep").path
    _write(folder, plan)
    return folder


def plan_of(folder: Path) -> Plan:
    """What the sweep in `folder` tries.

    Raises
    ------
    FileProblem
        If there is none.
    """
    try:
        return msgspec.json.decode((folder / SWEEP).read_bytes(), type=Plan)
    except FileNotFoundError:
        raise FileProblem(f"{folder}: is no sweep: it has no {SWEEP}.") from None
    except (OSError, ValueError, msgspec.MsgspecError) as problem:
        raise FileProblem(f"{folder / SWEEP}: cannot be read: {problem}.") from None


def extend(folder: Path, draws: int) -> None:
    """Let the sweep in `folder` have `draws` runs by chance in all; those that it has stay.

    Raises
    ------
    FileProblem
        If there is none, or it is a grid.
    """
    plan = plan_of(folder)
    if plan.draws is None:
        raise FileProblem(f"{folder}: is a grid, which has all its runs. --random begins a new sweep.")
    plan.draws = max(plan.draws, draws)
    _write(folder, plan)


def _write(folder: Path, plan: Plan) -> None:
    write_bytes(folder / SWEEP, msgspec.json.format(msgspec.json.encode(plan)))


def _network(network: Network, trial: Trial) -> Network:
    return assign_all(network, [f"{path}={value}" for path, value in trial.items()])


def sweep(
    folder: Path,
    *,
    device: str = "auto",
    emit: Callable[[Event], None] | None = None,
    begun: Callable[[int, int, Trial], None] | None = None,
    ended: Callable[[dict[str, Any]], None] | None = None,
    control: Control | None = None,
) -> dict[str, Any]:
    """Train what the sweep in `folder` has not trained yet; returns what :func:`results` says of it.

    A run that was stopped or killed goes on from its checkpoint. One that cannot be trained, fails
    or diverges is noted, and the sweep goes on.

    Parameters
    ----------
    device
        As for training.
    emit
        Gets every event of every run.
    begun
        Called before each run with its number (from 1), how many there are, and its values.
    ended
        Called with each run's row of the results.
    control
        Stops it; without one, Ctrl+C does.

    Raises
    ------
    FileProblem
        If `folder` is no sweep.
    """
    plan = plan_of(folder)
    network = loads(plan.network.encode())
    every = plan.trials()
    with stopped_by_keyboard(control) as control:
        for number, trial in enumerate(every, 1):
            run = RunFolder(_place(folder, number))
            if (run.read_result() or {}).get("state") in ("finished", "diverged"):
                continue
            if control.interrupted:
                break
            if begun is not None:
                begun(number, len(every), trial)
            _train(network, trial, run, device, control, emit)
            if ended is not None:
                ended(_row(run.path, trial))
    return results(folder)


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:03}"


def _train(
    network: Network,
    trial: Trial,
    run: RunFolder,
    device: str,
    control: Control,
    emit: Callable[[Event], None] | None,
) -> None:
    try:
        session.run(
            _network(network, trial),
            run.path,
            device=device,
            resume=run.network.exists(),
            control=control,
            emit=emit,
        )
    except Cancelled:  # told to stop while data were loaded: it waits for the next time
        return
    except (NetworkProblem, DataProblem, FileProblem) as problem:
        run.path.mkdir(exist_ok=True)
        refused = {"run": str(run.path), "state": "failed", "message": str(problem)}
        write_bytes(run.result, msgspec.json.format(msgspec.json.encode(refused)))


def results(folder: Path) -> dict[str, Any]:
    """What became of the sweep in `folder`.

    Returns
    -------
    dict
        ``sweep``, the folder; ``monitor``, the figure that decides; ``runs``, a row per run (``run``,
        ``values``, ``state``, ``epochs``, ``seconds``, ``train``, ``validation``, ``test``, ``message``), in
        the order in which they are trained; ``best``, the best run's folder, or None.

    Raises
    ------
    FileProblem
        If it is no sweep.
    """
    plan = plan_of(folder)
    rows = [_row(_place(folder, number), trial) for number, trial in enumerate(plan.trials(), 1)]
    asked = options(loads(plan.network.encode()).recipe).monitor
    best: dict[str, Any] | None = None
    for row in rows:
        figures = row["validation"] or row["train"]
        if row["state"] == "finished" and figures and "loss" in figures:
            leader = None if best is None else best["validation"] or best["train"]
            if better(figures, leader, asked):
                best = row
    deciding = (best["validation"] or best["train"]) if best else {"loss": 0.0}
    return {
        "sweep": str(folder),
        "monitor": monitored(asked, deciding),
        "runs": rows,
        "best": None if best is None else best["run"],
    }


def _row(path: Path, trial: Trial) -> dict[str, Any]:
    run = RunFolder(path)
    result = run.read_result() or {}
    state = run.state() if path.exists() else "waiting"
    return {
        "run": str(path),
        "values": {place: plain(value) for place, value in trial.items()},
        "state": state,
        **{name: result.get(name) for name in ("epochs", "seconds", "train", "validation", "test")},
        "message": result.get("message", ""),
    }
