"""The laboratories: what initialisation does to a network, before any training."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from engine.commands.inspect import File, Set, load
from engine.commands.output import Failure, out, print_json
from engine.commands.start import Json
from engine.lab import LabReport, Race

laboratory = typer.Typer(help="Measure a network before training it.", no_args_is_help=True)

_STYLES = {"healthy": "green", "vanishing": "yellow", "exploding": "red", "symmetric": "red"}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    laboratory.command("init")(init)
    laboratory.command("rate")(rate)
    app.add_typer(laboratory, name="lab")


def rate(
    file: File,
    steps: Annotated[int, typer.Option(min=10, max=100_000, help="Steps, each at a higher rate.")] = 200,
    set: Set = None,
    json: Json = False,
) -> None:
    """Find a learning rate: train some steps with a growing one, and see where the loss falls fastest.

    Nothing is kept, and the file stays as it is.
    """
    network = load(file, set)
    from engine.training import find_rate

    curve = find_rate(network, steps=steps)
    if json:
        print_json({"rates": curve.rates, "losses": curve.losses, "suggestion": curve.suggestion})
        return
    for line in _drawn(curve.rates, curve.losses, curve.suggestion):
        out.print(line)
    if curve.suggestion is None:
        out.print("The loss fell at no rate. Look at the initialisation and the data's scale.")
    else:
        out.print(
            f"The loss falls fastest at {curve.suggestion:.1e}: "
            f"--set recipe.optimizer.lr={curve.suggestion:.1e}"
        )


def _drawn(rates: tuple[float, ...], losses: tuple[float, ...], suggestion: float | None) -> list[str]:
    """The loss at some of the rates, as bars."""
    every = max(1, len(rates) // 20)
    top = max(losses, default=1.0)
    nearest = -1 if suggestion is None else rates.index(suggestion) // every
    return [
        f"{rates[i]:8.1e}  {losses[i]:8.4g}  {'█' * round(40 * losses[i] / top)}"
        + ("  ←" if i // every == nearest else "")
        for i in range(0, len(rates), every)
    ]


def init(
    file: File,
    schemes: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Schemes to compare, by id, with fields behind colons: kaiming_normal,normal:std=0.01. "
            "Left out: the usual ones.",
        ),
    ] = None,
    race: Annotated[
        int, typer.Option(metavar="STEPS", min=0, max=10_000, help="Train each for so many steps as well.")
    ] = 0,
    set: Set = None,
    json: Json = False,
) -> None:
    """Send one batch forward and back through every initialisation, and judge each layer.

    Nothing is trained but for --race, and the file stays as it is.
    """
    network = load(file, set)
    from engine.training import lab_init

    try:
        chosen = lab_init.parsed(schemes) if schemes is not None else lab_init.usual(network)
    except ValueError as problem:
        raise Failure(f"--schemes: {problem}", code=2) from None
    report = lab_init.compare(network, chosen)
    raced = lab_init.race(network, chosen, race) if race else None
    if json:
        shown: dict[str, Any] = msgspec.to_builtins(report)
        if raced is not None:
            shown["race"] = msgspec.to_builtins(raced)
        print_json(shown)
    else:
        _print(report, raced)


def _print(report: LabReport, raced: Race | None) -> None:
    table = Table("Scheme", "Verdict", "Loss", "Spread, first → last", "Gradient, first → last", box=None)
    for scheme in report.schemes:
        first, last = scheme.layers[0], scheme.layers[-1]
        table.add_row(
            scheme.scheme,
            scheme.verdict,
            f"{scheme.loss:.4g}",
            f"{first.std:.2g} → {last.std:.2g}",
            f"{first.gradient_norm:.2g} → {last.gradient_norm:.2g}",
            style=_STYLES[scheme.verdict],
        )
    out.print(table)
    for scheme in report.schemes:
        worst = next((layer for layer in scheme.layers if layer.verdict == scheme.verdict != "healthy"), None)
        if worst is not None:
            out.print(f"{scheme.scheme}: {worst.node} is {worst.verdict}: {worst.evidence}.")
        if scheme.unfit:
            out.print(f"{scheme.scheme} does not fit {', '.join(scheme.unfit)}; they keep their own.")
    best = "None of these is healthy." if report.best is None else f"Best: {report.best}."
    out.print(f"{best} Measured on {report.examples} examples.")
    if raced is not None:
        for name, losses in raced.losses.items():
            out.print(f"{name}: loss {losses[0]:.4g} → {losses[-1]:.4g} in {raced.steps} steps")
