"""Write a network in another form, and prove it by reading it back."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from engine.commands.inspect import File, Set, load
from engine.commands.output import Failure, out, print_json, scaled
from engine.commands.start import Json
from engine.network import Network
from engine.problems import FileProblem, did_you_mean
from engine.runs import RunFolder

if TYPE_CHECKING:
    from torch import Tensor, nn


class Form(NamedTuple):
    """A form that networks are written in.

    `write` names the function: (network, model, output file, example inputs) to a report, which is
    what ``--json`` prints. It proves what it has written. `tell` turns the report into lines.
    """

    module: str
    write: str
    tell: Callable[[dict[str, Any]], list[str]]
    #: How many examples the two forms are compared on, at most.
    examples: int = 16


def _tell_packed(report: dict[str, Any]) -> list[str]:
    size, proof = report["size"], report["proof"]
    lines = [f"{report['file']} and {report['runtime']}, which runs it with NumPy alone."]
    for id, layer in report["layers"].items():
        lines.append(
            f"  {id}: {scaled(layer['float_bytes'], 'B')} in {scaled(layer['packed_bytes'], 'B')}, "
            f"{layer['float_bytes'] / layer['packed_bytes']:.1f} times smaller"
        )
    lines.append(
        f"Size: {scaled(size['float_bytes'], 'B')} of float32 in {scaled(size['file_bytes'], 'B')}, "
        f"{size['ratio']:.1f} times smaller."
    )
    if not report["layers"]:
        lines.append("Nothing in it is binarized, so nothing is packed. `layerlab binarize` makes it so.")
    agreement = "the same predictions" if proof["same_predictions"] else "other predictions on close calls"
    lines.append(
        f"Read back and compared on {proof['examples']} examples: {agreement}, "
        f"outputs within {proof['largest_difference']:.2g}."
    )
    lines += [
        f"Speed, a batch of {row['batch']}: {row['packed_ms']:.2f} ms, torch {row['torch_ms']:.2f} ms."
        for row in report["speed"]
    ]
    return lines


def _tell_python(report: dict[str, Any]) -> list[str]:
    proof = report["proof"]
    return [
        f"{report['file']}: class {report['class']}, {report['lines']:,} lines, needs torch alone; "
        f"{report['parameters']:,} parameters, their values in {report['weights_file']}.",
        f"Read back and run: the state_dict {proof['state_dict']}; of {proof['examples']} examples outputs "
        f"are {proof['outputs']}, gradients {proof['gradients']}.",
    ]


def _tell_training(report: dict[str, Any]) -> list[str]:
    first, *more = _tell_python(report)
    examples = ", ".join(f"{count:,} {name}" for name, count in report["proof"]["data"].items())
    return [
        first.replace("needs torch alone", f"needs {' and '.join(report['needs'])}"),
        *more,
        f"Its examples ({examples}) are those of the recipe {report['proof']['data_equal']}. To train: "
        f"python {report['file']}; it begins with the weights in {report['start_file']}.",
    ]


def _tell_safetensors(report: dict[str, Any]) -> list[str]:
    return [
        f"{report['file']}: {report['tensors']:,} tensors, {report['parameters']:,} parameters, "
        f"{report['bytes']:,} bytes; SHA-256 {report['sha256'][:16]}…",
        f"Read back into a model built anew: outputs of {report['proof']['examples']} examples are equal "
        "to the last bit.",
    ]


def _tell_onnx(report: dict[str, Any]) -> list[str]:
    proof = report["proof"]
    lines = [
        f"{report['file']}: {report['bytes']:,} bytes with {report['parameters']:,} parameters inside; "
        "any batch size."
    ]
    if proof["runtime"] is None:
        return [*lines, "Read back and checked. To compare outputs too: pip install onnxruntime."]
    return [
        *lines,
        f"Read back in ONNX Runtime {proof['runtime']}: outputs of {proof['examples']} examples are within "
        f"{proof['largest_difference']:.2g}, also at other batch sizes.",
    ]


#: What ``--to`` takes.
FORMS = {
    "python": Form("engine.exchange.python", "export_python", _tell_python),
    "onnx": Form("engine.exchange.onnx", "export_onnx", _tell_onnx),
    "safetensors": Form("engine.exchange.tensors", "export_safetensors", _tell_safetensors),
    "packed": Form("engine.exchange.packed", "export_packed", _tell_packed, examples=512),
}

#: Python with its data and training.
TRAINING = Form("engine.exchange.python", "export_training", _tell_training)


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("export")(export)


def export(
    file: File,
    to: Annotated[str, typer.Option("--to", metavar="FORM", help=f"One of: {', '.join(FORMS)}.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to make.")],
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="A run, whose best weights are exported.")
    ] = None,
    with_training: Annotated[
        bool,
        typer.Option("--with-training", help="With --to python: the data and the training loop too."),
    ] = False,
    set: Set = None,
    json: Json = False,
) -> None:
    """Write a network with its weights in another form, read it back and compare.

    Weights are those of RUN; without it those saved beside FILE, and else first values from the seed.
    """
    if to not in FORMS:
        raise Failure(f"--to {to}: choose one of {', '.join(FORMS)}.{did_you_mean(to, FORMS)}", 2)
    if with_training and to != "python":
        raise Failure(f"--with-training prints Python: give --to python, not {to}.", 2)
    network = load(file, set)
    from engine.compile import build

    model = build(network, seed=network.recipe.seed)
    origin = _weights(file, run, network, model)
    model.eval()
    form = TRAINING if with_training else FORMS[to]
    write = getattr(importlib.import_module(form.module), form.write)
    report = {
        "form": to,
        "weights": origin,
        **write(network, model, output, _examples(network, form.examples)),
    }
    if json:
        print_json(report)
        return
    for line in form.tell(report):
        out.print(line)
    out.print(f"Weights: {origin}.")


def _weights(file: str, run: Path | None, network: Network, model: nn.Module) -> str:
    """Load the weights that are meant into `model`; says which they are."""
    from engine.training import weights

    beside = Path(file).with_suffix(".safetensors")
    if run is not None:
        folder = RunFolder(run)
        if not folder.network.is_file():
            raise FileProblem(f"{run}: is no run: it has no {folder.network.name}.")
        path = folder.best if folder.best.exists() else folder.weights
    elif beside.is_file():
        path = beside
    else:
        return f"first values of seed {network.recipe.seed}; train first, and give --run RUN"
    try:
        model.load_state_dict(weights.load(path))
    except RuntimeError:
        raise FileProblem(f"{path}: these are the weights of another network than {file}.") from None
    return str(path)


def _examples(network: Network, count: int) -> Sequence[Tensor]:
    """Examples of the network's data; random ones where there are no data that fit."""
    from engine.exchange.examples import examples

    return examples(network, count)
