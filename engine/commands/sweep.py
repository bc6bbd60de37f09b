"""Train a network many times over, each time with other values, and say which did best."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from engine.commands.inspect import Set, load
from engine.commands.output import Failure, count, out, print_json, print_table, progress_console
from engine.commands.progress import TrainingProgress, figures
from engine.commands.start import Json
from engine.commands.training import Device, require_device
from engine.ranges import Range, RangeProblem, trials


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("sweep")(sweep)


def sweep(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A network; may be left out with --resume.")
    ] = None,
    tries: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="PATH=VALUES",
            help="What to try where --set would put one value: recipe.optimizer.lr=0.001,0.01 (a list), "
            "recipe.optimizer.lr=log:1e-4..1e-1/4 (four of even ratios), conv1.out_channels=8..32 (whole "
            "numbers). Repeatable.",
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=10_000, help="Draw N runs by chance. Left out: every combination."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn by chance.")] = 0,
    set: Set = None,
    device: Device = "auto",
    run_dir: Annotated[
        Path | None, typer.Option(help="The folder in which the sweep's folder is made (runs).")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="SWEEP", help="Go on with this sweep; with --random, to so many runs in all."),
    ] = None,
    json: Json = False,
) -> None:
    """Train a network with every combination of values, or some by chance, and name the best.

    Each run is an ordinary run. Ctrl+C stops in good order; --resume goes on.
    """
    if resume is None and file is None:
        raise Failure("Give a FILE to train, or --resume SWEEP.", 2)
    if resume is not None and (file is not None or tries or set or run_dir is not None):
        raise Failure(
            "--resume goes on with what its sweep says: leave FILE, --try, --set and --run-dir out.", 2
        )
    if resume is None:
        network = load(file or "", set)
        try:  # before torch is loaded, which takes a second
            trials([Range.parse(text) for text in tries or ()], draws=random, seed=seed)
        except RangeProblem as problem:
            raise Failure(str(problem), 2) from None
    require_device(device)
    from engine.training import sweep as engine_sweep

    if resume is not None:
        folder = resume
        if random is not None:
            engine_sweep.extend(folder, random)
    else:
        folder = engine_sweep.begin(network, tries or (), run_dir or Path("runs"), draws=random, seed=seed)
    with TrainingProgress(brief=True) as progress:
        found = engine_sweep.sweep(
            folder,
            device=device,
            emit=progress,
            begun=lambda number, total, values: progress.name_run(f"{number}/{total}"),
            ended=lambda row: progress_console.print(_line(row)),
        )
    if json:
        print_json(found)
    else:
        _tell(found)
    if found["best"] is None and not any(row["state"] in ("stopped", "waiting") for row in found["runs"]):
        raise Failure("" if json else "No run came to its end; each says why above.")


def _values(row: dict[str, Any]) -> str:
    return ", ".join(f"{path}={value}" for path, value in row["values"].items())


def _line(row: dict[str, Any]) -> str:
    said = figures(row["validation"] or row["train"] or {}) or row["message"]
    return f"{Path(row['run']).name}  {_values(row)}: {row['state']}, {said}"


def _tell(found: dict[str, Any]) -> None:
    """A table, the best run first."""
    rows, monitor = found["runs"], found["monitor"]
    paths = list(rows[0]["values"])
    table = Table("Run", *_short(paths), "State", monitor.capitalize(), "Loss", "Seconds", box=None)
    for row in sorted(rows, key=lambda row: _rank(row, monitor, found["best"])):
        of = row["validation"] or row["train"] or {}
        shown = [of.get(monitor), of.get("loss")]
        table.add_row(
            Path(row["run"]).name,
            *(str(row["values"][path]) for path in paths),
            row["state"],
            *("" if value is None else f"{value:.4g}" for value in shown),
            "" if row["seconds"] is None else f"{row['seconds']:.1f}",
            style="green" if row["run"] == found["best"] else None,
        )
    print_table(table)
    for row in rows:
        if row["state"] == "failed":
            out.print(f"{Path(row['run']).name} failed: {row['message']}")
    waiting = sum(row["state"] not in ("finished", "diverged", "failed") for row in rows)
    if found["best"] is not None:
        best = next(row for row in rows if row["run"] == found["best"])
        out.print(f"best       {best['run']}: {_values(best)}")
        out.print(f"           {figures(best['validation'] or best['train'])}")
    if waiting:
        out.print(f"{count(waiting, 'run')} to go: `layerlab sweep --resume {found['sweep']}`.")
    else:
        out.print(f"sweep      {found['sweep']}")


def _short(paths: list[str]) -> list[str]:
    """The ends of the paths by which they can be told apart."""
    for words in range(1, 10):
        ends = [".".join(path.split(".")[-words:]) for path in paths]
        if len(set(ends)) == len(paths):
            return ends
    return paths


def _rank(row: dict[str, Any], monitor: str, best: str | None) -> tuple[Any, ...]:
    of = row["validation"] or row["train"] or {}
    value = of.get(monitor)
    if row["run"] == best or value is None:
        return (row["run"] != best, value is None, 0.0, row["run"])
    larger = monitor in ("accuracy", "top5", "f1", "r2")
    return (True, False, -value if larger else value, row["run"])
