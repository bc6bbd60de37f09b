"""Look at a data set from the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from engine import datawords
from engine.assign import AssignProblem, assign
from engine.catalog import SOURCES
from engine.commands.inspect import Set
from engine.commands.output import Failure, out, print_json, progress_console
from engine.commands.start import Json
from engine.dataview import DataView
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
    download: Annotated[
        bool,
        typer.Option(
            "--download", help="Fetch the files of mnist, fashion_mnist or emnist first, checked by SHA-256."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Show what a data set is: samples, balance, ranges, what a network receives, and what is odd about it.

    --set takes fields of the source (target=price), of the split (split.validation=0.3), and augment.
    """
    try:
        found = _look(source, set or [], download=download)
    except DataProblem as problem:
        raise Failure(str(problem), 2) from None
    if json:
        from engine.data.view import as_form

        print_json(as_form(found))
    else:
        _print(found)


def _look(source: str, assignments: list[str], *, download: bool) -> DataView:
    chosen, reason, seed = _chosen(source, assignments)
    from engine.data import watched
    from engine.data.description import fields, loader
    from engine.data.download import download as fetch
    from engine.data.view import view

    with Progress(console=progress_console, transient=True, disable=not progress_console.is_terminal) as bar:
        task = bar.add_task("Reading", total=None)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        with watched(tell):
            if download:
                loader(chosen)  # refuses wrong fields
                fetch(chosen.source, fields(chosen))
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
    for heading, words in datawords.facts(found):
        out.print(f"{heading:<14}{words}")
    if found.columns:
        out.print(_table(datawords.COLUMN_HEADINGS, datawords.column_rows(found)))
    if found.balance:
        out.print(_balance(found))
    for row in datawords.sample_rows(found)[:5]:
        number, *shown, target = row
        out.print(f"Example {number:<6} {' → '.join(shown)}; target {target}")
    for line in datawords.remarks(found):
        out.print(line, style="yellow" if line.startswith("Warning") else None)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading == "Empty" else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _balance(found: DataView) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in datawords.BALANCE_HEADINGS:
        table.add_column(heading, justify="left" if heading == "Class" else "right")
    table.add_column("")
    most = max(train for train, _, _ in found.balance.values()) or 1
    for name, counts in list(found.balance.items())[:20]:
        bar = "█" * round(24 * counts[0] / most)
        table.add_row(name, *(f"{count:,}" for count in counts), bar)
    if len(found.balance) > 20:
        table.add_row(f"… {len(found.balance) - 20} more", "", "", "", "")
    return table
