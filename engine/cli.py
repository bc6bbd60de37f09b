"""The program ``layerlab``: opens the window, or hands a command to :mod:`engine.commands`.

The window must paint before half a second is over, so on its way nothing is imported that it does
not need: no typer, no rich, no torch, and its few options are read by hand.

Exit codes: 0 done; 1 the network has errors, or training failed; 2 unusable arguments, an
unreadable file, or no display to show a window on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

#: Words that are commands wherever a file could stand too (``./train`` is a file).
COMMANDS = (
    "binarize",
    "catalog",
    "check",
    "data",
    "diff",
    "doctor",
    "evaluate",
    "export",
    "host",
    "import",
    "lab",
    "new",
    "predict",
    "replay",
    "runs",
    "summary",
    "sweep",
    "templates",
    "train",
)
_WITHOUT_DISPLAY = (
    "Without one, use `layerlab train FILE`, or `layerlab --screenshot OUT.png FILE` "
    "for a picture of the window."
)


class UsageProblem(Exception):
    """Arguments that make no sense."""


class Window(NamedTuple):
    """What the command line asks of the window."""

    file: str | None = None
    screenshot: str | None = None
    train_seconds: float = 0
    size: tuple[int, int] | None = None
    theme: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``layerlab`` with `arguments` (those of the process, if None); the result is its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    if first == "host":
        from engine.host.server import main as serve

        return serve(arguments[1:])
    if first in COMMANDS or first in ("--help", "-h", "--version"):
        from engine.commands import run

        return run(arguments)
    try:
        return _open(_parse(arguments))
    except UsageProblem as problem:
        print(f"layerlab: {problem}", file=sys.stderr)
        return 2


def _parse(arguments: Sequence[str]) -> Window:
    """Read the window's own arguments."""
    window = Window()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in ("--screenshot", "--train", "--size", "--theme"):
            if not equals and not rest:
                raise UsageProblem(f"{name} needs a value; see `layerlab --help`.")
            window = _option(window, name, value if equals else rest.pop(0))
        elif word.startswith("-") and word != "-":
            from engine.problems import did_you_mean

            options = ("--screenshot", "--train", "--size", "--theme", "--help", "--version")
            raise UsageProblem(f"there is no option {name}.{did_you_mean(name, options)}")
        elif window.file is not None:
            raise UsageProblem(f"one file at a time: {window.file} or {word}?{_command_meant(window.file)}")
        else:
            window = window._replace(file=word)
    if window.train_seconds and window.screenshot is None:
        raise UsageProblem(
            "--train SECONDS goes with --screenshot OUT.png; to train, use `layerlab train FILE`."
        )
    return window


def _option(window: Window, name: str, value: str) -> Window:
    if name == "--screenshot":
        if not value.lower().endswith(".png"):
            raise UsageProblem(f"--screenshot writes a PNG picture; {value!r} does not end in .png.")
        return window._replace(screenshot=value)
    if name == "--train":
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= 86_400:
            raise UsageProblem(f"--train takes seconds, from 0 to 86400; {value!r} is none of these.")
        return window._replace(train_seconds=seconds)
    if name == "--size":
        width, _, height = value.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and _sane(int(width)) and _sane(int(height))):
            raise UsageProblem(f"--size takes WIDTHxHEIGHT, such as 1280x800; {value!r} is none.")
        return window._replace(size=(int(width), int(height)))
    if value not in ("light", "dark"):
        raise UsageProblem(f"--theme is light or dark; {value!r} is neither.")
    return window._replace(theme=value)


def _sane(side: int) -> bool:
    return 200 <= side <= 16_384


def _command_meant(word: str) -> str:
    from engine.problems import did_you_mean

    return did_you_mean(word, COMMANDS)


def _open(window: Window) -> int:
    """Show the window, or picture it; say in a line why that cannot be."""
    if window.file is not None and not Path(window.file).exists():
        raise UsageProblem(
            f"there is no file {window.file}.{_command_meant(window.file)} See `layerlab --help`."
        )
    from engine import doctor

    problem = doctor.display_problem()
    if problem and window.screenshot is None:
        raise UsageProblem(f"{problem}\n{_WITHOUT_DISPLAY}")
    if problem:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    on_x11 = bool(os.environ.get("DISPLAY")) and not os.environ.get("QT_QPA_PLATFORM")
    if missing := doctor.missing_libraries(x11=on_x11):
        raise UsageProblem(doctor.libraries_message(missing))
    try:
        from gui.app import run, screenshot
    except ImportError as error:
        raise UsageProblem(f"the window cannot be loaded: {error}. See `layerlab doctor`.") from None
    if window.screenshot is None:
        return run(window.file, window.theme, window.size)
    if window.file is not None:
        from engine.problems import FileProblem
        from engine.storage import read

        try:
            read(window.file)
        except FileProblem as file_problem:
            raise UsageProblem(str(file_problem)) from None
    size = window.size or (1280, 800)
    return screenshot(window.screenshot, window.file, window.train_seconds, size=size, theme=window.theme)


if __name__ == "__main__":
    sys.exit(main())
