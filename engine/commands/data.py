"""Look at a data set from the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from engine.assign import AssignProblem, assign
from engine.catalog import SOURCES
from engine.commands.inspect import Set
from engine.commands.output import Failure, out, print_json, progress_console
from engine.commands.start import Json
from engine.dataview import DataView, Numbers
from engine.network import Data, Network, Recipe
from engine.problems import DataProblem
from engine.storage import SUFFIX, read


def register(app: typer.Typer) -> None:
    """Add this command."""
    app.command("data")(data)


def data(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A file or folder, a source's name (digits, csv …), or a network's own data.",
        ),
    ],
    set: Set = None,
    json: Json = False,
) -> None:
    """Show what a data set is: samples, balance, ranges, what a network receives, and what is odd about it.

    --set takes fields of the source (target=price), of the split (split.validation=0.3), and augment.
    """
    try:
        found = _look(source, set or [])
    except DataProblem as problem:
        raise Failure(str(problem), 2) from None
    if json:
        from engine.data.view import as_form

        print_json(as_form(found))
    else:
        _print(found)


def _look(source: str, assignments: list[str]) -> DataView:
    chosen, reason, seed = _chosen(source, assignments)
    from engine.data import watched
    from engine.data.view import view

    with Progress(console=progress_console, transient=True, disable=not progress_console.is_terminal) as bar:
        task = bar.add_task("Reading", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        with watched(tell):
            return view(chosen, seed, reason=reason)


def _chosen(source: str, assignments: list[str]) -> tuple[Data, str, int]:
    reason, seed = "", 0
    if source in SOURCES:
        data = Data(source)
    elif source.endswith(SUFFIX) and Path(source).is_file():
        recipe = read(source).recipe
        data, seed, reason = recipe.data, recipe.seed, f"It is what {source} is trained on."
    else:
        from engine.data.guess import guess

        data, reason = guess(source)
    network = Network(recipe=Recipe(data=data, seed=seed))
    for assignment in assignments:
        try:
            path = assignment if assignment.startswith("recipe.") else f"recipe.data.{assignment}"
            network = assign(network, path)
        except AssignProblem as problem:
            raise AssignProblem(str(problem).replace("recipe.data.", "", 1)) from None
    return network.recipe.data, reason, network.recipe.seed


def _print(found: DataView) -> None:
    out.print(f"{found.title} ({found.source})", style="bold")
    if found.reason:
        out.print(found.reason)
    out.print(found.summary)
    parts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items() if count)
    out.print(f"Split      {parts} ({found.split})")
    for view in found.inputs:
        out.print(f"Receives   {view.name} {list(view.shape)} {view.dtype}, {_range(view.numbers)}")
        if view.augmented is not None:
            out.print(f"           augmented: {_range(view.augmented)}")
    for name, figures in found.values.items():
        out.print(f"To learn   {name}, {_range(figures)}")
    if found.baseline is not None:
        said = ", ".join(f"{name} {value:.4g}" for name, value in found.baseline.figures.items())
        out.print(f"Baseline   {found.baseline.says}: {said}")
    if found.columns:
        out.print(_columns(found))
    if found.balance:
        out.print(_balance(found))
    samples = [sample for sample in found.samples[:5] if sample.text or sample.values]
    for sample in samples:
        shown = repr(sample.text) if sample.text else ", ".join(f"{value:.4g}" for value in sample.values[:8])
        more = " …" if len(sample.values) > 8 else ""
        out.print(f"Example {sample.index:<6} {shown}{more} → {sample.target}")
    for remark in found.remarks:
        out.print(
            f"{remark.severity}: {remark.message}", style="yellow" if remark.severity == "warning" else None
        )
    out.print(f"SHA-256    {found.sha256}")


def _range(figures: Numbers) -> str:
    return f"{figures.lo:.4g} … {figures.hi:.4g}, mean {figures.mean:.4g}, deviation {figures.std:.4g}"


def _columns(found: DataView) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("Column", "Role", "Empty", "What is in it"):
        table.add_column(heading, justify="right" if heading == "Empty" else "left")
    for column in found.columns:
        if column.numbers is not None:
            inside = _range(column.numbers)
        else:
            inside = ", ".join(f"{name} ({count:,})" for name, count in column.categories[:5])
            inside += f", … {column.different} in all" if column.different > 5 else ""
        table.add_row(column.name, column.role, f"{column.empty:,}", inside)
    return table


def _balance(found: DataView) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Class")
    for heading in ("Train", "Validation", "Test"):
        table.add_column(heading, justify="right")
    table.add_column("")
    most = max(train for train, _, _ in found.balance.values()) or 1
    for name, counts in list(found.balance.items())[:20]:
        bar = "█" * round(24 * counts[0] / most)
        table.add_row(name, *(f"{count:,}" for count in counts), bar)
    if len(found.balance) > 20:
        table.add_row(f"… {len(found.balance) - 20} more", "", "", "", "")
    return table
