"""The runs in a folder: list them, show one, compare two, remove what is not wanted any more."""

from __future__ import annotations

import math
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from msgspec import UNSET
from rich.table import Table

from engine.commands.output import Failure, complain, count, out, print_json, print_table
from engine.commands.progress import figures
from engine.commands.start import Json
from engine.commands.training import Run
from engine.diff import changes
from engine.host.protocol import Confused, Metrics
from engine.problems import FileProblem
from engine.runs import RunFolder, Summary, listed, read_events, remove, summary
from engine.storage import read

group = typer.Typer(
    help="List, show, compare and remove runs. Alone it lists those in the folder runs.",
    invoke_without_command=True,
)

_STYLES = {
    "finished": "green",
    "diverged": "red",
    "failed": "red",
    "interrupted": "yellow",
    "running": "cyan",
}
#: Facts of a run that are shown, and in which words.
_FACTS = {
    "layerlab": "Layerlab",
    "torch": "torch",
    "python": "Python",
    "device_name": "on",
    "threads": "threads",
    "seed": "seed",
    "data_sha256": "data SHA-256",
}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    group.callback()(alone)
    group.command("list")(list_runs)
    group.command("show")(show)
    group.command("compare")(compare)
    group.command("remove")(remove_runs)
    app.add_typer(group, name="runs")


def alone(context: typer.Context, json: Json = False) -> None:
    """List, show, compare and remove runs. Alone it lists those in the folder runs."""
    if context.invoked_subcommand is None:
        list_runs(Path("runs"), json)


def list_runs(
    folder: Annotated[Path, typer.Argument(help="A folder of runs, or a sweep.")] = Path("runs"),
    json: Json = False,
) -> None:
    """List the runs in a folder, the newest first."""
    if not folder.is_dir():
        if folder == Path("runs"):
            raise Failure("There are no runs here: `layerlab train FILE` makes the folder runs.", 2)
        raise Failure(f"{folder}: there is no such folder.", 2)
    found = listed(folder)
    if json:
        print_json({"folder": str(folder), "runs": [_form(run) for run in found]})
        return
    if not found:
        out.print(f"{folder}: holds no runs.")
        return
    table = Table("Run", "State", "When", "Epochs", "Loss", "Figure", box=None)
    for run in found:
        result = run.result
        table.add_row(
            str(run.path.relative_to(folder)),
            run.state,
            f"{datetime.fromtimestamp(run.modified):%Y-%m-%d %H:%M}",
            str(result.get("epochs", "")),
            *_brief(result.get("validation") or result.get("train") or {}),
            style=_STYLES.get(run.state),
        )
    print_table(table)


def show(run: Run, json: Json = False) -> None:
    """Show one run: what became of it, what was trained and how, its curve."""
    folder = _opened(run)
    network, facts = read(folder.network), _facts(folder)
    points = _points(folder)
    if json:
        print_json(
            {
                **_form(summary(run)),
                "recipe": _recipe(folder),
                "facts": facts,
                "confusion": _confusion(folder),
                "curve": [{"step": p.step, "epoch": p.epoch, "split": p.split, **p.values} for p in points],
            }
        )
        return
    told = summary(run)
    out.print(f"{run}: {network.name}, {told.state}", style=_STYLES.get(told.state))
    if message := told.result.get("message"):
        out.print(str(message))
    for split in ("train", "validation", "test"):
        if told.result.get(split):
            out.print(f"{split:<10} {figures(told.result[split])}")
    recipe = network.recipe
    rate = recipe.optimizer.fields.get("lr")
    out.print(
        f"recipe     {recipe.data.source}, {recipe.loss.id}, {recipe.optimizer.id}"
        + (f" at {rate:g}" if isinstance(rate, int | float) else "")
        + (f", {recipe.schedule.id}" if recipe.schedule is not None else "")
        + f", {count(recipe.epochs, 'epoch')}, batches of {recipe.batch_size}, seed {recipe.seed}"
    )
    said = ", ".join(f"{words} {_short(facts[name])}" for name, words in _FACTS.items() if facts.get(name))
    out.print(f"made with  {said}")
    validations = [point for point in points if point.split == "validation"]
    for point in validations[:: max(1, len(validations) // 20)]:
        out.print(f"epoch {point.epoch:<8.3g}{figures(point.values)}")
    if told.state in ("stopped", "interrupted"):
        out.print(f"Go on with `layerlab train --resume {run}`.")


def _confusion(folder: RunFolder) -> list[dict[str, Any]]:
    """The recorded confusion matrices, one per validation and output; rows are what is right."""
    told = [event for event in read_events(folder.observations) if isinstance(event, Confused)]
    return [
        {
            "step": event.step,
            "split": event.split,
            **({"output": event.output} if event.output else {}),
            "classes": list(event.classes),
            "counts": [
                list(row) for row in zip(*[iter(event.counts)] * math.isqrt(len(event.counts)), strict=True)
            ],
        }
        for event in told
    ]


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A run's folder.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    json: Json = False,
) -> None:
    """Compare two runs: what was trained differently, and what came of it."""
    folders = [_opened(a), _opened(b)]
    told = [summary(a), summary(b)]
    found = [c for c in changes(*(read(f.network) for f in folders)) if c.path[0] != "view"]
    facts = [_facts(folder) for folder in folders]
    differing = {
        name: [f.get(name) for f in facts] for name in _FACTS if facts[0].get(name) != facts[1].get(name)
    }
    if json:
        print_json(
            {
                "runs": [_form(run) for run in told],
                "changes": [
                    {
                        "path": ".".join(change.path),
                        **({} if change.before is UNSET else {"before": change.before}),
                        **({} if change.after is UNSET else {"after": change.after}),
                    }
                    for change in found
                ],
                "facts": differing,
            }
        )
        return
    for change in found:
        out.print(str(change))
    if not found:
        out.print("The same network and recipe.")
    for name, (before, after) in differing.items():
        out.print(f"{_FACTS[name]}: {_short(before)} → {_short(after)}")
    table = Table("", a.name, b.name, box=None)
    table.add_row("state", *(run.state for run in told))
    for name in ("epochs", "steps", "best_epoch"):
        table.add_row(name.replace("_", " "), *(str(run.result.get(name, "")) for run in told))
    for split in ("train", "validation", "test"):
        of = [run.result.get(split) or {} for run in told]
        for name in dict.fromkeys(key for part in of for key in part):
            table.add_row(f"{split} {name}", *(_figure(name, p[name]) if name in p else "" for p in of))
    for name in ("seconds", "steps_per_second"):
        numbers = (run.result.get(name) for run in told)
        table.add_row(
            name.replace("_per_", "/").replace("_", " "), *("" if n is None else f"{n:,.1f}" for n in numbers)
        )
    print_table(table)


def remove_runs(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of runs.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    json: Json = False,
) -> None:
    """Remove runs, with their weights and checkpoints, for good; asks first."""
    for run in runs:
        _opened(run)
    if not yes:
        said = f"Remove {count(len(runs), 'run')} with weights and checkpoints, for good?"
        if not sys.stdin.isatty() or json:
            raise Failure(f"{said} Say so with --yes.", 2)
        if not typer.confirm(said, default=False):
            raise Failure("Nothing was removed.")
    removed, left = [], []
    for run in runs:
        left += [str(path) for path in remove(run)]
        removed.append(str(run))
    if json:
        print_json({"removed": removed, "left": left})
        return
    out.print(f"{count(len(removed), 'run')} removed.")
    if left:
        complain(f"left, because no run writes them: {', '.join(left)}")


# ---------------------------------------------------------------------------- reading


def _opened(run: Path) -> RunFolder:
    folder = RunFolder(run)
    if not folder.network.is_file():
        raise FileProblem(f"{run}: is no run: it has no {folder.network.name}.")
    return folder


def _form(run: Summary) -> dict[str, Any]:
    form = {"run": str(run.path), "state": run.state}
    when = datetime.fromtimestamp(run.modified).astimezone().isoformat(timespec="seconds")
    kept = ("epochs", "steps", "device", "train", "validation", "best_epoch", "test", "seconds", "message")
    return {**form, "when": when, **{name: run.result[name] for name in kept if name in run.result}}


def _recipe(folder: RunFolder) -> Any:
    return msgspec.json.decode(folder.network.read_bytes()).get("recipe", {})


def _facts(folder: RunFolder) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(folder.facts.read_bytes())
    except (OSError, ValueError, msgspec.MsgspecError):
        return {}
    return {k: v for k, v in found.items() if k not in ("pid", "started")} if isinstance(found, dict) else {}


def _points(folder: RunFolder) -> list[Metrics]:
    return [event for event in read_events(folder.metrics) if isinstance(event, Metrics)]


def _brief(values: dict[str, float]) -> tuple[str, str]:
    """The loss, and the figure that people ask for first."""
    first = next((name for name in ("accuracy", "mae") if name in values), None)
    loss = values.get("loss")
    return "" if loss is None else f"{loss:.4g}", "" if first is None else figures({first: values[first]})


def _figure(name: str, value: float) -> str:
    return figures({name: value}).removeprefix(f"{name} ")


def _short(value: Any) -> str:
    """A hash by its beginning."""
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text
