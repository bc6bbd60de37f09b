"""Five kinds of data train from the command line and from the window; beside each the best constant answer.

A table with text and gaps (scikit-learn's diabetes, written to CSV), folders of pictures (CIFAR-10,
where LAYERLAB_DATA has them), text by characters, a time series and moving pictures in five
dimensions: the networks of tests.five_kinds. The command line is a process of its own; the window is
the real one, with hosts, off screen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.storage import write
from tests.five_kinds import Kind, kinds

#: Seconds that one training in the window may take.
PATIENCE = 600.0


def measure() -> dict[str, Any]:
    """For each kind its figure, the baseline's, and what was reached from either side."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        found = {}
        for number, kind in enumerate(kinds(folder)):
            file = folder / str(number) / "net.layerlab"
            file.parent.mkdir()
            write(kind.network, file)
            found[kind.name] = {
                "figure": kind.figure,
                "more_is_better": kind.more_is_better,
                **_baseline(kind),
                "command_line": _from_command_line(kind, file),
                "window": _from_window(kind, file, application.processEvents),
            }
        return {"kinds": found}


def _baseline(kind: Kind) -> dict[str, Any]:
    from engine.data.view import view

    recipe = kind.network.recipe
    baseline = view(recipe.data, recipe.seed, samples=1).baseline
    assert baseline is not None
    return {"says": baseline.says, "baseline": baseline.figures[kind.figure]}


def _from_command_line(kind: Kind, file: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", "train", str(file), "--json", "--run-dir", str(file.parent)],
        capture_output=True,
        check=True,
        text=True,
    )
    return float(json.loads(done.stdout)["validation"][kind.figure])


def _from_window(kind: Kind, file: Path, turn: Callable[[], object]) -> float:
    from gui.settings import Settings
    from gui.window import Window

    def until(done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < end:
            turn()
            time.sleep(0.005)

    window = Window(Settings(file.parent / "settings.ini"))
    window.show()
    window.complete()
    try:
        window.files.open_path(file)
        until(lambda: window.workers.current)
        window.running.train_action.trigger()
        until(lambda: not window.session.active)
        result: dict[str, Any] = window.session.result or {}
        return float(result["validation"][kind.figure])
    finally:
        window.workers.close()
        window.close()


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{'':<22} {'figure':<9} {'command line':>12} {'window':>8} {'constant':>9}   answer"]
    for name, found in figures["kinds"].items():
        lines.append(
            f"{name:<22} {found['figure']:<9} {found['command_line']:>12.3f} {found['window']:>8.3f} "
            f"{found['baseline']:>9.3f}   {found['says']}"
        )
    return "\n".join(lines)
