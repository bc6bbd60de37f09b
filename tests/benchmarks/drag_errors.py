"""How soon an error shows while one drags: from the mouse's event to the painted word, in the whole window.

A network of 60 nodes in a window of 1280 × 800, off the screen. The goal is 100 ms. Three hands are
timed: a wire over a layer that cannot take its shape, a layer from the palette over a wire that it
does not fit, and a field that is scrubbed until the window no longer fits into the picture.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QMimeData, QPoint
from PySide6.QtWidgets import QApplication

from engine import edit
from engine.network import Edge, End, Network
from gui.canvas import layout
from gui.canvas.palette import MIME
from gui.window import Window
from tests import gui_helpers as hands
from tests import window_helpers
from tests.benchmarks.analysis_latency import residual

_REPEATS = 30


def network() -> Network:
    """A residual network, and a convolution that nothing feeds yet."""
    drawn = residual(60)
    places = layout.arrange(drawn)
    x, y = places["flat"]
    return edit.add_node(edit.move(drawn, places), "loose", edit.new_node("Conv2d"), (x + 40, y + 180))


def _wait(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        QApplication.processEvents()
        time.sleep(0.0005)  # the host needs the processor too
        if time.monotonic() > end:
            raise RuntimeError("no answer within a minute")


def _timed(act: Callable[[], None], done: Callable[[], bool], window: Window) -> float:
    """Milliseconds from the event to the end of the paint that shows its answer."""
    begun = time.perf_counter()
    act()
    _wait(done)
    window.canvas.viewport().repaint()
    return 1000 * (time.perf_counter() - begun)


def _wire(window: Window) -> list[float]:
    canvas, drawing = window.canvas, window.canvas.drawing
    start = canvas.mapFromScene(drawing.nodes["flat"].output_point(0))
    aim = canvas.mapFromScene(drawing.nodes["loose"].input_point(0))
    away, port, times = aim + QPoint(-90, -60), canvas.viewport(), []
    hands.drag(port, start, away, drop=False)
    for _ in range(_REPEATS):
        times.append(_timed(lambda: hands.move(port, aim), lambda: canvas.trial.wrong, window))
        hands.move(port, away)
    canvas.hands.cancel()
    return times


def _layer(window: Window) -> list[float]:
    canvas = window.canvas
    data = QMimeData()
    data.setData(MIME, b"Conv2d")
    wire = canvas.drawing.wires[Edge(End("flat"), End("fc"))]
    aim, times = canvas.mapFromScene(wire.way.pointAtPercent(0.5)), []
    for _ in range(_REPEATS):
        act = lambda: hands.hang(canvas.viewport(), data, aim)  # noqa: E731
        times.append(_timed(act, lambda: canvas.trial.wrong, window))
        hands.leave(canvas.viewport())
    return times


def _field(window: Window) -> list[float]:
    from gui.forms import Row

    window.selection.set(("stem",))
    _wait(lambda: any(row.field.name == "kernel_size" for row in window.inspector.findChildren(Row)))
    label = next(row for row in window.inspector.findChildren(Row) if row.field.name == "kernel_size").label
    middle, times = label.rect().center(), []
    for _ in range(_REPEATS):
        hands.press(label, middle)
        # Padding 1 lets a window of 10 just fit over 8 pixels: the last step is the one too many.
        hands.drag(label, middle, middle + QPoint(6 * 7, 0), steps=7, drop=False)
        _wait(lambda: window.workers.current)
        act = lambda: hands.move(label, middle + QPoint(6 * 8, 0))  # noqa: E731
        times.append(
            _timed(act, lambda: window.workers.current and bool(window.workers.analysis.errors), window)
        )
        hands.release(label, middle + QPoint(6 * 8, 0))
        window.document.undo_stack.undo()
        _wait(lambda: window.workers.current)
    return times


def measure() -> dict[str, dict[str, float]]:
    """Milliseconds of each hand: the median and the worst."""
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        window = window_helpers.open_window(Path(folder), network=network())
        try:
            _wait(lambda: window.workers.current)
            window.canvas.fit(["flat", "fc", "loose"])
            application.processEvents()
            hands_timed = {"wire over a layer": _wire, "layer over a wire": _layer, "field scrubbed": _field}
            found = {name: hand(window) for name, hand in hands_timed.items()}
        finally:
            window_helpers.close_window(window)
    return {
        name: {"median ms": statistics.median(times), "worst ms": max(times)} for name, times in found.items()
    }


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    lines = [f"{'':<22}{'median':>10}{'worst':>10}"]
    for name, values in figures.items():
        if isinstance(values, dict) and "median ms" in values:
            lines.append(f"{name:<22}{values['median ms']:>7.1f} ms{values['worst ms']:>7.1f} ms")
    return "\n".join(lines)
