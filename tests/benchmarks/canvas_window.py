"""What the whole window does in the frames of a gesture: canvas, inspector, problems, history, journal, analysis.

As `canvas`, but in a window with all its panels and a journal on the disk, off screen at 1280×800. Hosts
are played: each analysis that is asked for is answered in the next frame, and taking the answer in counts.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from gui.window import Window
from tests.benchmarks._frames import beyond, lines
from tests.benchmarks.canvas import VIEWS, Stage, analysis_of, begin, network_of
from tests.window_helpers import PlayedPool, close_window, open_window

SIZES = (100, 1000, 5000)


class WindowStage(Stage):
    """A window's canvas, and a host that answers."""

    def __init__(self, window: Window, pool: PlayedPool) -> None:
        super().__init__(window.canvas)
        self.window, self._pool = window, pool
        self._answered = 0

    def between(self) -> None:
        """Answer what was asked for."""
        if len(self._pool.analyses) != self._answered:
            self._answered = len(self._pool.analyses)
            self._pool.answer(analysis_of(self.document.network))


def _one(count: int, folder: Path) -> dict[str, Any]:
    pool = PlayedPool()
    window = open_window(folder, pool, network_of(count))
    window.keep_in(folder / "data")
    stage = WindowStage(window, pool)
    stage.until_rest()
    figures: dict[str, Any] = {}
    for kind in ("conv2d_0", "batchnorm2d_1", "add_4", "conv2d_2", "batchnorm2d_3"):
        figures[f"select {kind}"] = stage.until_rest(lambda kind=kind: stage.selection.set((kind,)))
    for view, scale in VIEWS.items():
        found = {**stage.drags(scale), **stage.edits(scale)}
        figures.update({f"{name}, {view}": row for name, row in found.items()})
    another = network_of(count)
    figures["open another"] = stage.until_rest(lambda: stage.document.replace(another))
    close_window(window)
    QApplication.processEvents()
    return figures


def measure() -> dict[str, Any]:
    """Milliseconds by number of nodes and action."""
    begin()
    found = {}
    for count in SIZES:
        with tempfile.TemporaryDirectory(prefix="layerlab-") as folder:
            found[str(count)] = _one(count, Path(folder))
    return {"milliseconds": found, "beyond": [*beyond(found)]}


def table(figures: dict[str, Any]) -> str:
    """The figures as lines, and which are not within the canvas's goals."""
    made = [
        *lines("The whole window", figures["milliseconds"]),
        "",
        "Beyond the canvas's goals, by the clock:",
    ]
    made += [*(figures["beyond"] or ["nothing"]), "As work:"]
    return "\n".join([*made, *(beyond(figures["milliseconds"], "cpu_") or ["nothing"])])
