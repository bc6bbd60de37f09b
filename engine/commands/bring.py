"""Bring a network in from PyTorch code or an ONNX file, in a process of its own."""

from __future__ import annotations

import json as json_module
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.commands.output import Failure, complain, count, out, print_json
from engine.commands.start import Json


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.command("import")(bring)


def bring(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="PyTorch code, as file and factory: model.py:make_model. Or an ONNX file: model.onnx.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The network file to make.")],
    input: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHAPE",
            help="Shape of one example, without the batch: 3,224,224, or 128:int64 for token ids. "
            "Once for each argument of the forward.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Run the code without asking.")] = False,
    json: Json = False,
) -> None:
    """Import a PyTorch module or an ONNX file: it is run once, recorded and drawn, and outputs are compared.

    Of PyTorch this runs the code in SOURCE, with all that it does; an ONNX file holds no code.
    """
    if output.exists():
        raise Failure(f"{output} exists already. Choose another name, or remove it first.", 2)
    if not source.lower().endswith(".onnx"):
        complain(f"this runs the code in {source.rpartition(':')[0] or source}.")
        if not yes:
            if not sys.stdin.isatty():
                raise Failure("nobody is here to be asked. With --yes the code is run without asking.", 2)
            typer.confirm("Run it?", abort=True, err=True)
    report = _run(source, output, input or [])
    if json:
        print_json(report)
    else:
        for line in _tell(report):
            out.print(line)
    if report["unsupported"] or report.get("problems") or not report["comparison"]["same"]:
        raise Failure


def _run(source: str, output: Path, shapes: list[str]) -> dict[str, Any]:
    """The report of the process that runs the code."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "report.json"
        words = [source, str(output), str(told), *shapes]
        # What the code prints goes to standard error, descriptor 2, as standard output is ours.
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # -P: a file torch.py in the working folder must not be taken for torch.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "engine.exchange.importing", *words],
            stdout=2,
            env={**os.environ, "PYTHONPATH": paths},
        )
        if not told.exists():
            raise Failure(f"{source}: its process ended with {done.returncode} before it was done.", 1)
        report: dict[str, Any] = json_module.loads(told.read_text())
    if "error" in report:
        raise Failure(report["error"], 2)
    return report


def _tell(report: dict[str, Any]) -> list[str]:
    inputs = ", ".join(f"{name} {shape}" for name, shape in report["inputs"].items())
    lines = [f"{report['file']}: {count(report['layers'], 'layer')} from {report['source']}."]
    lines.append(f"Example {report['example']}: {inputs}.")
    if report["blocks"]:
        lines.append(
            "Blocks: " + ", ".join(f"{name} × {uses}" for name, uses in report["blocks"].items()) + "."
        )
    for what in report["unsupported"]:
        lines.append(f"No layer does this: {what}. It stands in the drawing, to be replaced.")
    lines += report.get("problems", [])
    comparison, parameters = report["comparison"], report["parameters"]
    if comparison is None:
        return [*lines, "So outputs could not be compared."]
    lines.append(
        f"Parameters: {parameters['network']:,} of the module's {parameters['module']:,}; "
        f"values in {report['weights']}."
    )
    if report.get("unused"):
        lines.append(f"Not in the drawing, as the forward does not use it: {', '.join(report['unused'])}.")
    if "with" in comparison:
        lines.append(f"Compared with {comparison['with']}.")
    if comparison["equal"]:
        lines.append(f"Outputs of {comparison['examples']} examples are equal to the last bit.")
    elif comparison["same"]:
        lines.append(
            f"Outputs of {comparison['examples']} examples are equal but for rounding: "
            f"{comparison['largest_difference']:.2g} at most."
        )
    else:
        lines.append(
            f"Outputs DIFFER by {comparison['largest_difference']:.2g}: the module decides by values or "
            "sizes that one example does not show."
        )
    if "torch_export" in report:
        lines.append(_opinion(report["torch_export"]))
    return lines


def _opinion(found: dict[str, Any]) -> str:
    """What torch.export says to it."""
    if not found["exported"]:
        return f"torch.export cannot read this code, so there is no second opinion: {found['reason']}"
    sizes = "for every batch size" if found["batch"] else "for this batch size alone"
    return (
        f"torch.export, which reads the code another way {sizes}, gives the same outputs within "
        f"{found['largest_difference']:.2g}."
    )
