"""Binarize a network's file: estimators, and all that they need, with what was done and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.catalog import BINARIZERS
from engine.commands.inspect import File, Set, load
from engine.commands.output import Failure, out, print_json
from engine.commands.start import Json
from engine.network import Choice
from engine.storage import write

#: What keeps a place real.
_NONE = "none"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("binarize")(binarize)


def binarize(
    file: File,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to make.")],
    weights: Annotated[
        str, typer.Option(help="Estimator of the weights, as `swish_sign:beta=3`; none: they stay real.")
    ] = "ste_sign",
    inputs: Annotated[str, typer.Option(help="Estimator of the inputs; none: they stay real.")] = "ste_sign",
    only: Annotated[str | None, typer.Option(help="Ids of layers, with commas; else all.")] = None,
    set: Set = None,
    json: Json = False,
) -> None:
    """Binarize the layers between the first and the last, with all that they need to learn.

    Activations in front of signs go, normalisations come, borders are filled with signs, the
    recipe spares latent weights. Each change is told with its reason.
    """
    network = load(file, set)
    if output.exists():
        raise Failure(f"{output} exists already. Choose another name, or remove it first.", 2)
    weight, input = (_estimator(text) for text in (weights, inputs))
    from engine.analysis import analyze
    from engine.binarize_network import binarize as change
    from engine.edit import EditProblem

    nodes = None if only is None else [id.strip() for id in only.split(",") if id.strip()]
    for id in nodes or ():
        if id not in network.nodes:
            raise Failure(f"There is no node {id!r} to binarize.", 2)
    try:
        result = change(network, analyze(network), weight=weight, input=input, nodes=nodes)
    except EditProblem as problem:
        raise Failure(str(problem), 1) from None
    write(result.network, output)
    parts = {"layers": result.layers, "changes": result.changes, "kept": result.kept}
    if json:
        print_json(
            {"file": str(output), **{name: [told._asdict() for told in parts[name]] for name in parts}}
        )
        return
    for name, title in (
        ("layers", "Binarized"),
        ("changes", "Changed, so that they learn"),
        ("kept", "Stay real"),
    ):
        if parts[name]:
            out.print(title, style="bold")
        for told in parts[name]:
            out.print(f"  {told.where}: {told.what}")
            out.print(f"      {told.why}", style="dim")
    out.print(f"{output} is written. Train it with `layerlab train {output}`.")


def _estimator(text: str) -> Choice | None:
    from engine.lab import choices

    if text == _NONE:
        return None
    try:
        found = choices(text, BINARIZERS, "estimator")
    except ValueError as problem:
        raise Failure(str(problem), 2) from None
    if len(found) != 1:
        raise Failure(f"{text!r} is not one estimator. `layerlab catalog` lists them.", 2)
    return found[0]
