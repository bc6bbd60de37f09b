"""Train, and use what was trained."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.assign import assign_all
from engine.commands.inspect import Set
from engine.commands.output import Failure, count, out, print_json, progress_console
from engine.commands.progress import TrainingProgress, figures
from engine.commands.start import Json
from engine.problems import NetworkProblem
from engine.runs import RunFolder
from engine.storage import read

Device = Annotated[str, typer.Option(help="auto (a GPU where there is one), cpu, cuda or cuda:1.")]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/digits-1.")]


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("train")(train)
    app.command("evaluate")(evaluate)
    app.command("predict")(predict)
    app.command("replay")(replay)


def train(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE", help="A network; may be left out with --resume."),
    ] = None,
    set: Set = None,
    device: Device = "auto",
    run_dir: Annotated[
        Path | None, typer.Option(help="The folder in which the run's folder is made (runs).")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run, in place, where it stopped.")
    ] = None,
    nproc: Annotated[
        int, typer.Option(min=1, max=1024, help="Processes that share every batch (a GPU each, or cores).")
    ] = 1,
    json: Json = False,
) -> None:
    """Train a network. Ctrl+C writes a checkpoint and stops in good order; --resume goes on from it.

    On several machines, start it on each with torchrun: torchrun --nnodes 2 --nproc-per-node 4
    --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m engine.cli train FILE.
    """
    if file is None and resume is None:
        raise Failure("Give a FILE to train, or --resume RUN.", 2)
    if resume is not None and run_dir is not None:
        raise Failure("--resume goes on in the run's own folder, so --run-dir has no place beside it.", 2)
    network = read(file if file is not None else RunFolder(resume or Path()).network)
    network = assign_all(network, set or ())
    require_device(device)
    from engine.training import api

    with TrainingProgress() as progress:
        result = api.train(network, device=device, run_dir=run_dir, resume=resume, emit=progress, nproc=nproc)
    if os.environ.get("RANK", "0") != "0":
        return  # the first process of torchrun speaks for all
    if json:
        print_json(result)
    else:
        _tell(result)
    if result["state"] in ("failed", "diverged"):
        raise Failure("" if json or not result.get("message") else str(result["message"]))


def require_device(device: str) -> None:
    """Refuse a device that this computer does not have, before anything is made for a run."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise Failure(f"--device {device}: choose auto, cpu, cuda or cuda:1.", 2)
    from engine.training.device import choose

    try:
        choose(device)
    except NetworkProblem as problem:
        raise Failure(f"--device {device}: {problem}", 2) from None


def _tell(result: dict[str, Any]) -> None:
    out.print(
        f"{result['state']} after {count(result['epochs'], 'epoch')} and {count(result['steps'], 'step')} on "
        f"{result['device']}: {result['seconds']:.1f} s, {result['steps_per_second']:,.0f} steps/s"
    )
    for split in ("train", "validation", "test"):
        if result.get(split):
            out.print(f"{split:<10} {figures(result[split])}")
    if result["run"] is None:
        out.print(result["message"])
        return
    if result["state"] == "finished" and result.get("message"):
        out.print(result["message"])
    out.print(f"run        {result['run']}")
    if result["state"] == "stopped":
        out.print(f"Go on with `layerlab train --resume {result['run']}`.")


def evaluate(run: Run, device: Device = "auto", json: Json = False) -> None:
    """Measure a run's best weights on each split of its data."""
    require_device(device)
    from engine.training import evaluate as measure

    said: list[str] = []
    splits = measure(run, device, warn=said.append)
    if json:
        print_json({"run": str(run), "splits": splits, "warnings": said})
        return
    _warn(said)
    for split, values in splits.items():
        out.print(f"{split:<10} {figures(values)}")


def _warn(said: Sequence[str]) -> None:
    for warning in said:
        progress_console.print(f"warning: {warning}", style="yellow")


def replay(run: Run, json: Json = False) -> None:
    """Train a run again and say whether every recorded figure comes again, to the last bit."""
    from engine.training import replay as again

    with TrainingProgress() as progress:
        told = again(run, emit=progress)
    if json:
        print_json(told)
    elif told["same"]:
        out.print(
            f"the same: {count(told['compared'], 'point')} of the curve, {count(told['steps'], 'step')}"
        )
    changed = "".join(
        f" {name} was {then} and is {now}." for name, (then, now) in told["circumstances"].items()
    )
    if not told["same"]:
        first = told["first_difference"]
        raise Failure(
            ""
            if json
            else f"{run}: not the same from step {first['step']} ({first['split']}): recorded "
            f"{first['recorded']}, found {first['found']}.{changed}"
        )
    if changed and not json:
        out.print(f"though{changed}")


def predict(
    run: Run,
    example: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A picture, a NumPy array (.npy), or an example of the data: validation:0.",
        ),
    ],
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Show what a run's best weights make of an example."""
    require_device(device)
    from engine.training import predict as ask

    said: list[str] = []
    of_data = re.fullmatch(r"(train|validation|test):(\d{1,12})", example)
    if of_data:
        classes, predictions = ask(
            run, split=of_data[1], first=int(of_data[2]), count=1, device=device, warn=said.append
        )
        if not predictions:
            raise Failure(f"{example}: there are not so many examples; they count from 0.", 2)
    else:
        classes, predictions = ask(run, file=example, device=device, warn=said.append)
    rows = [_prediction(classes, found) for found in predictions]
    if json:
        print_json({"run": str(run), "predictions": rows, "warnings": said})
        return
    _warn(said)
    for row in rows:
        sure = row["probabilities"] or row["outputs"]
        order = sorted(range(len(sure)), key=lambda i: -sure[i])[:3]
        best = ", ".join(f"{_name(classes, i)} {sure[i]:.4f}" for i in order)
        truth = "" if row["target"] is None else f" (it is {row['target']})"
        out.print(f"{example if len(rows) == 1 else row['index']}: {best}{truth}")


def _prediction(classes: tuple[str, ...], found: Any) -> dict[str, Any]:
    return {
        "index": found.index,
        "predicted": None if found.predicted is None else _name(classes, found.predicted),
        "target": None if found.target is None else _name(classes, int(found.target)),
        "probabilities": list(found.probabilities),
        "outputs": list(found.outputs),
    }


def _name(classes: tuple[str, ...], number: int) -> str:
    return classes[number] if number < len(classes) else str(number)
