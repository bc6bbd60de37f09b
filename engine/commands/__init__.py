"""The commands of ``layerlab``, a file per family."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence

import typer

from engine.assign import AssignProblem
from engine.commands import (
    binarizing,
    bring,
    catalog,
    compare,
    data,
    export,
    inspect,
    lab,
    runs,
    start,
    sweep,
    training,
)
from engine.commands.output import Failure, ReaderGone, complain
from engine.problems import DataProblem, FileProblem, NetworkProblem

app = typer.Typer(
    name="layerlab",
    help=(
        "Draw a neural network, see every shape, train it and watch it learn.\n\n"
        "`layerlab [--size WxH] [--theme light|dark] [FILE]` opens the window; with `--screenshot OUT.png "
        "[--train SECONDS]` it saves a picture of it instead. The commands below work without a display."
    ),
    epilog="Exit codes: 0 done, 1 the network has errors or training failed, 2 unusable arguments, "
    "an unreadable file or no display.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for family in (start, inspect, compare, data, training, sweep, runs, lab, binarizing, export, catalog, bring):
    family.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        print(f"layerlab {metadata.version('layerlab')}")
        raise typer.Exit


@app.callback()
def _layerlab(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Read the options that stand before a command."""


def run(arguments: Sequence[str]) -> int:
    """Run one command; the result is the exit code. What a user can cause ends in a line or two."""
    try:
        result = app(list(arguments), prog_name="layerlab", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except (ReaderGone, BrokenPipeError):
        # Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (FileProblem, AssignProblem) as problem:
        return _failed(str(problem), 2, arguments)
    except (NetworkProblem, DataProblem) as problem:
        return _failed(str(problem), 1, arguments)
    except Failure as failure:
        return _failed(str(failure), failure.code, arguments)
    except typer.TyperException as problem:
        return _failed(f"{problem.format_message()} See `layerlab --help`.", problem.exit_code, arguments)
    except OSError as error:
        return _failed(str(error) if error.strerror is None else _reason(error), 2, arguments)
    except (KeyboardInterrupt, typer.Abort):
        complain("stopped.")
        return 130


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)


def _failed(message: str, code: int, arguments: Sequence[str]) -> int:
    """Say it on standard error; with ``--json`` the one object on standard output says it too."""
    if message:
        complain(message)
        if "--json" in arguments:
            with contextlib.suppress(BrokenPipeError):
                print(json.dumps({"error": message}))
    return code
