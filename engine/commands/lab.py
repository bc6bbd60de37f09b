"""The laboratories: what initialisation and binarization do to a network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from engine.binary_cost import total
from engine.commands.inspect import File, Set, load
from engine.commands.output import Failure, out, print_json, progress_console
from engine.commands.start import Json
from engine.commands.training import Device, require_device
from engine.host.protocol import BinaryWeight, Observation
from engine.lab import LabReport, Race, misfits, require_fit
from engine.lab_binary import FLIP_FLOP, BinaryReport
from engine.runs import RunFolder, read_events

laboratory = typer.Typer(
    help="Measure what initialisation and binarization do, and find a rate.", no_args_is_help=True
)

_STYLES = {"healthy": "green", "vanishing": "yellow", "exploding": "red", "symmetric": "red"}


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    laboratory.command("init")(init)
    laboratory.command("binarize")(binarize)
    laboratory.command("rate")(rate)
    laboratory.command("batch")(batch)
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


def batch(
    file: File,
    device: Device = "auto",
    set: Set = None,
    json: Json = False,
) -> None:
    """Find a batch size that fits into memory: the file's, its half, quarter …, tried one after another.

    They are tried in a process of its own, which may die of it. For a run that the system has ended.
    """
    network = load(file, set)
    require_device(device)
    from engine.training import find_batch

    asked = network.recipe.batch_size
    found = find_batch(
        network, device=device, tell=lambda size: progress_console.print(f"trying batches of {size:,}")
    )
    accumulate = (
        None if found is None else -(-asked // found) * int(network.recipe.options.get("accumulate", 1))
    )
    if json:
        print_json({"batch_size": found, "accumulate": accumulate})
    elif found is not None:
        said = f": --set recipe.batch_size={found}" if found < asked else "."
        more = f" --set recipe.accumulate={accumulate}" if found < asked else ""
        out.print(f"Batches of {found:,} fit into the memory that is free now{said}{more}")
    if found is None:
        raise Failure("" if json else "Not even one example fits. Make the layers smaller.")


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
    from engine.analysis import analyze
    from engine.training import lab_init

    try:
        chosen = lab_init.parsed(schemes) if schemes is not None else lab_init.usual(network)
        if schemes is not None:
            require_fit(network, analyze(network), chosen)
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
            scheme.name,
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
            out.print(f"{scheme.name}: {worst.node} is {worst.verdict}: {worst.evidence}.")
        if scheme.unfit:
            out.print(f"{scheme.name} does not fit everywhere; these keep their own. {misfits(scheme.unfit)}")
    best = "None of these is healthy." if report.best is None else f"Best: {report.best}."
    out.print(f"{best} Measured on {report.examples} examples.")
    if raced is not None:
        _print_race(raced)


def binarize(
    place: Annotated[
        str, typer.Argument(metavar="RUN_OR_FILE", help="A run's folder, or a network, NAME.layerlab.")
    ],
    estimators: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Estimators to race, by id, with fields behind colons: ste_sign,swish_sign:beta=3. "
            "Left out: the usual ones.",
        ),
    ] = None,
    race: Annotated[
        int, typer.Option(metavar="STEPS", min=0, max=10_000, help="Train with each for so many steps.")
    ] = 0,
    samples: Annotated[
        int, typer.Option(min=2, max=4096, help="Values of each weight and input whose loss is compared.")
    ] = 64,
    set: Set = None,
    json: Json = False,
) -> None:
    """Measure every straight-through estimator: its bits, its mask, its gradient; size and operations.

    With a run's trained weights, or a file's as first drawn. Nothing is trained but for --race, and
    nothing is written.
    """
    folder = RunFolder(Path(place))
    trained = folder.network.is_file()
    network = load(str(folder.network) if trained else place, set)
    from engine.training import lab_binary

    try:
        chosen = lab_binary.parsed(estimators)
    except ValueError as problem:
        raise Failure(f"--estimators: {problem}", code=2) from None
    report = lab_binary.measure(network, place if trained else None, samples)
    raced = lab_binary.race(network, chosen, race) if race else None
    signs = _last_signs(folder) if trained else {}
    if json:
        shown: dict[str, Any] = msgspec.to_builtins(report)
        shown["totals"] = msgspec.to_builtins(total(report.costs))
        if trained:
            shown["signs"] = {name: _named(found) for name, found in signs.items()}
        if raced is not None:
            shown["race"] = msgspec.to_builtins(raced)
        print_json(shown)
    else:
        _print_binary(report, signs)
        if raced is not None:
            _print_race(raced)


def _last_signs(folder: RunFolder) -> Mapping[str, BinaryWeight]:
    """What the run's last observation told of binarized weights."""
    seen = [event for event in read_events(folder.observations) if isinstance(event, Observation)]
    return seen[-1].binary_weights if seen else {}


def _named(found: BinaryWeight) -> dict[str, Any]:
    """By name: on the wire it is a row."""
    return {name: getattr(found, name) for name in found.__struct_fields__}


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.3g} %"


def _print_binary(report: BinaryReport, signs: Mapping[str, BinaryWeight]) -> None:
    table = Table("Where", "Estimator", "Bits", "+1", "Masked", "Cosine", "Output", "Same", box=None)
    for found in report.places:
        table.add_row(
            found.name if found.place == "weight" else f"{found.name} (input)",
            found.estimator,
            f"{found.bits:.3f}",
            _share(found.positive),
            _share(found.masked),
            "" if found.cosine is None else f"{found.cosine:.2f} ± {found.cosine_error:.2f}",
            f"{found.output_cosine:.3f}",
            _share(found.same),
        )
    out.print(table)
    out.print(
        "Bits: entropy per value. Masked: share of the gradient that is stopped. Cosine: between the "
        "estimator's gradient and the loss' finite difference. Output and same: its layer's cosine, and the "
        "predictions that stay, were this one real."
    )
    if signs:
        table = Table("Weight", "Flips a step", "Flip-flopping", "Near zero", "At the clip", box=None)
        for name, weight in signs.items():
            flopping = sum(weight.per_weight[FLIP_FLOP:])
            table.add_row(
                name,
                _share(weight.flip_rate),
                f"{flopping:,} of {weight.followed:,}",
                _share(weight.near_zero),
                _share(weight.at_clip),
            )
        out.print(table)
    table = Table("Layer", "Bits", "Bytes", "Packed", "XNOR", "Additions", "MACs", box=None)
    whole = total(report.costs)
    for cost in (*report.costs, whole):
        table.add_row(
            cost.node or "total",
            f"{cost.weight_bits} × {cost.input_bits}" if cost.node else "",
            *(f"{n:,}" for n in (cost.real_bytes, cost.packed_bytes, cost.xnor, cost.additions, cost.macs)),
            style="green" if cost.binarized else None,
        )
    out.print(table)
    out.print(
        f"{whole.real_bytes / max(1, whole.packed_bytes):.3g} × smaller packed; "
        f"{whole.real_macs / max(1.0, whole.operations):.3g} × fewer operations, 64 XNOR at once."
    )
    same = "" if report.same is None else f", {_share(report.same)} of predictions the same"
    out.print(
        f"Loss {report.loss:.4g}, without estimators {report.real_loss:.4g}{same}. "
        f"Measured on {report.examples} examples, {report.note}."
    )


def _print_race(raced: Race) -> None:
    for name, losses in raced.losses.items():
        out.print(f"{name}: loss {losses[0]:.4g} → {losses[-1]:.4g} in {raced.steps} steps")
