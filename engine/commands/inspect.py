"""Look at a network without running it: its problems, its shapes and costs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from engine.assign import assign_all
from engine.commands.output import Failure, complain, count, out, print_json, scaled
from engine.commands.start import Json
from engine.findings import Analysis
from engine.network import Network
from engine.storage import read

File = Annotated[str, typer.Argument(metavar="FILE", help="A network, NAME.layerlab.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change a value first: --set conv1.stride=2. Repeatable."
    ),
]


class Sorting(StrEnum):
    """What the summary's rows may be sorted by."""

    PARAMETERS = "parameters"
    MACS = "macs"
    ACTIVATION_BYTES = "activation_bytes"


_STYLES = {"error": "red", "warning": "yellow", "hint": "cyan"}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("check")(check)
    app.command("summary")(summary)


def load(file: str, assignments: list[str] | None) -> Network:
    """The network in `file` with the ``--set`` values in it."""
    return assign_all(read(file), assignments or ())


def check(file: File, set: Set = None, json: Json = False) -> None:
    """List what is wrong with a network. Warnings alone are no failure."""
    network = load(file, set)
    from engine.analysis import analyze  # only now: torch takes a second, a bad file is told at once

    analysis = analyze(network)
    if json:
        print_json({"problems": [_problem_form(problem) for problem in analysis.problems]})
    else:
        for problem in analysis.problems:
            out.print(f"{problem.severity}: {problem}", style=_STYLES.get(problem.severity))
            for repair in problem.repairs:
                out.print(f"  ↳ {repair.text}")
        out.print(_verdict(analysis))
    if analysis.errors:
        raise Failure


def _problem_form(problem: Any) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "code": problem.code,
        "node": problem.node,
        "field": problem.field,
        "message": problem.message,
        "repairs": [repair.text for repair in problem.repairs],
    }


def _verdict(analysis: Analysis) -> str:
    if not analysis.problems:
        return "No problems."
    kinds = [problem.severity for problem in analysis.problems]
    return (
        ", ".join(count(kinds.count(kind), kind) for kind in ("error", "warning", "hint") if kind in kinds)
        + "."
    )


def summary(
    file: File,
    batch: Annotated[
        int, typer.Option(min=1, max=1 << 20, help="Count operations and memory for N examples.")
    ] = 1,
    sort: Annotated[
        Sorting | None, typer.Option(help="Largest first, instead of in the order of running.")
    ] = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Show every layer's output shape, parameters, operations and memory."""
    network = load(file, set)
    from engine.analysis import analyze

    analysis = analyze(network)
    rows = [_row(network, analysis, id, batch) for id in analysis.nodes]
    if sort is not None:
        rows.sort(key=lambda row: -row[sort.value])
    totals = dict(analysis.totals)
    for key in ("macs", "activation_bytes"):
        totals[key] = totals.get(key, 0) * batch
    totals["batch"] = batch
    if json:
        print_json({"nodes": rows, "totals": totals})
    else:
        out.print(_table(network.name, rows))
        least, about = ("At least ", "at least") if totals["unknown"] else ("", "about")
        out.print(
            f"{least}{totals.get('parameters', 0):,} parameters, {scaled(totals['macs'])} "
            f"multiply–accumulates and {scaled(totals['activation_bytes'], 'B')} of outputs "
            f"for {count(batch, 'example')}."
        )
        out.print(
            f"With batches of {network.recipe.batch_size}: {about} {scaled(totals['training_bytes'], 'B')} "
            f"to train, {scaled(totals['inference_bytes'], 'B')} to run."
        )
    # What is wrong with the recipe, such as data that are not on this computer, changes no shape.
    errors = [found for found in analysis.errors if not (found.field or "").startswith("recipe")]
    for problem in errors:
        complain(str(problem))
    if errors:
        raise Failure


def _row(network: Network, analysis: Analysis, id: str, batch: int) -> dict[str, Any]:
    report = analysis.nodes[id]
    first = next(iter(report.outputs.values()), None)
    return {
        "id": id,
        "type": _type(network, id),
        "output": None if first is None else list(first.shape),
        "dimensions": report.dimensions,
        "receptive_field": list(report.receptive_field),
        "unknown": report.unknown,
        "parameters": report.parameter_count,
        "trainable": report.trainable_count,
        "macs": report.macs * batch,
        "activation_bytes": report.activation_bytes * batch,
    }


def _type(network: Network, path: str) -> str:
    """The node's type; of a block, its name."""
    node = network.at(path)
    return "" if node is None else node.block or node.type


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("Node", "Type", "Output"):
        table.add_column(heading)
    for heading in ("Parameters", "Multiply–accumulates", "Output bytes"):
        table.add_column(heading, justify="right")
    for row in rows:
        shape = "?" if row["output"] is None else " × ".join(map(str, row["output"])) or "scalar"
        table.add_row(
            row["id"],
            row["type"],
            shape,
            *(_cost(row[key.value], row["unknown"]) for key in Sorting),
        )
    return table


def _cost(value: int, unknown: int) -> str:
    """What a node costs, of which `unknown` layers could not be analysed."""
    if unknown:
        return f"≥ {value:,}" if value else "?"
    return f"{value:,}"
