"""How commands speak: a person's text or one JSON object on standard output, the rest on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


class ReaderGone(Exception):
    """Whoever read our output has seen enough (`| head`). Both rich and typer would exit 1 at once."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise ReaderGone


#: What a person reads. Text is not searched for [markup], since names of nodes come from files.
out = _Console(markup=False, highlight=False, soft_wrap=True)
#: Progress.
progress_console = Console(stderr=True, markup=False, highlight=False)


class Failure(Exception):
    """Ends the command with a message and an exit code; said already if the message is empty."""

    def __init__(self, message: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def print_json(value: Mapping[str, Any]) -> None:
    """Print the one object; what JSON has no number for (a diverged loss) is null."""
    text = json.dumps(_plain(value), ensure_ascii=True, indent=2, allow_nan=False)
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise ReaderGone from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_table(table: Table) -> None:
    """Print a table, a line to each of its rows however narrow the terminal is."""
    table.width = out.measure(table, options=out.options.update(width=1000)).maximum
    out.print(table, crop=False)


def complain(message: str) -> None:
    """Say what went wrong, on standard error."""
    mark = "\x1b[31mlayerlab:\x1b[0m" if sys.stderr.isatty() else "layerlab:"
    print(f"{mark} {message}", file=sys.stderr)


def count(number: int, one: str) -> str:
    """``1 error``, ``2 errors``, ``1,234 steps``."""
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def scaled(number: float, unit: str = "") -> str:
    """A large number in a few characters: 1,234 or 12.3 M."""
    for power, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= power:
            return f"{number / power:.3g} {prefix}{unit}"
    return f"{number:,.0f} {unit}".rstrip()
