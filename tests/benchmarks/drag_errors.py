"""How soon an error shows while one drags: from the mouse's event to the painted word, in the whole window.

Networks of 10, 150 and 1,000 nodes in a window of 1280 × 800, off the screen. The goal is 100 ms. Four hands
are timed: a wire over a layer that cannot take its shape, a layer from the palette over a wire that it does not
fit, and a field that is scrubbed until the window no longer fits into the picture: step by step, and on and on
with a step each 16 ms, as fast as a screen shows them. A field's error has shown when it is painted at the field,
in the status bar, and its card has the badge. Each is timed twice: until the error has shown, and until the
way out of it is in reach too, which is tried before it is offered.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QMimeData, QPoint
from PySide6.QtWidgets import QApplication

from engine import edit
from engine.network import Edge, End, Network
from gui.canvas import layout
from gui.canvas.palette import MIME
from gui.forms import Row
from gui.garbage import Garbage
from gui.window import Window
from tests import gui_helpers as hands
from tests import window_helpers
from tests.benchmarks._times import lines, summary
from tests.benchmarks.analysis_latency import residual

#: Nodes -> how often each hand is timed.
_SIZES = {10: 100, 150: 100, 1000: 30}
#: Milliseconds between two steps of a fast hand, and steps after the one that is too many.
_PACE, _ONWARDS = 16, 40


def network(nodes: int) -> Network:
    """A residual network, and a convolution that nothing feeds yet."""
    drawn = residual(nodes)
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


class Times(NamedTuple):
    """Milliseconds from the event to the end of the paint that shows its answer."""

    shown: list[float]
    #: Until the way out was in reach as well.
    mended: list[float]


def _time(act: Callable[[], None], window: Window, times: Times) -> None:
    """Time a gesture of the canvas, whose error and way out are said in its notice."""
    canvas, begun = window.canvas, time.perf_counter()
    act()
    _wait(lambda: canvas.trial.wrong)
    canvas.viewport().repaint()
    times.shown.append(1000 * (time.perf_counter() - begun))
    _wait(lambda: "Ctrl+. can" in canvas.toast.text())
    canvas.viewport().repaint()
    times.mended.append(1000 * (time.perf_counter() - begun))


def _forget(window: Window) -> None:
    """Have the drawing itself analysed, so that no way out of the gesture's error is known from before."""
    window.workers.analyze_again()
    _wait(lambda: window.workers.current)


def _wire(window: Window, repeats: int) -> Times:
    canvas, drawing = window.canvas, window.canvas.drawing
    start = canvas.mapFromScene(drawing.nodes["flat"].output_point(0))
    aim = canvas.mapFromScene(drawing.nodes["loose"].input_point(0))
    away, port, times = aim + QPoint(-90, -60), canvas.viewport(), Times([], [])
    hands.drag(port, start, away, drop=False)
    for _ in range(repeats):
        _time(lambda: hands.move(port, aim), window, times)
        hands.move(port, away)
        _forget(window)
    canvas.hands.cancel()
    return times


def _layer(window: Window, repeats: int) -> Times:
    canvas = window.canvas
    data = QMimeData()
    data.setData(MIME, b"Conv2d")
    wire = canvas.drawing.wires[Edge(End("flat"), End("fc"))]
    aim, times = canvas.mapFromScene(wire.way.pointAtPercent(0.5)), Times([], [])
    for _ in range(repeats):
        _time(lambda: hands.hang(canvas.viewport(), data, aim), window, times)
        hands.leave(canvas.viewport())
        _forget(window)
    return times


def _seen(window: Window, row: Row) -> bool:
    """Whether the error is at the field, in the status bar and on the card, which nobody asked for."""
    card = window.canvas.drawing._nodes["stem"].card  # `nodes` would have it made at once
    return (
        not row.message.isHidden()
        and bool(row.message.text())
        and card.severity == "error"
        and "error" in window.status.problems.text()
    )


def _mendable(window: Window) -> bool:
    """Whether the field's error has a way out."""
    return any(problem.node == "stem" and problem.repairs for problem in window.workers.analysis.errors)


def _field(window: Window, repeats: int, onwards: int = 0) -> Times:
    """A field scrubbed one step too far, and then `onwards`."""
    window.selection.set(("stem",))
    rows = lambda: [row for row in window.inspector.findChildren(Row) if row.field.name == "kernel_size"]  # noqa: E731
    _wait(lambda: bool(rows()))
    row = rows()[0]
    label, middle, times = row.label, row.label.rect().center(), Times([], [])
    for _ in range(repeats):
        hands.press(label, middle)
        # Padding 1 lets a window of 10 just fit over 8 pixels: the step behind it is the one too many.
        for step in range(1, 8):
            hands.move(label, middle + QPoint(6 * step, 0))
            _wait(_passed(_PACE) if onwards else lambda: window.workers.current)
        begun = time.perf_counter()
        for step in range(8, 9 + onwards):
            hands.move(label, middle + QPoint(6 * step, 0))
            gone = _passed(_PACE if onwards else 60_000)
            _wait(lambda gone=gone: gone() or _seen(window, row))
            if _seen(window, row):
                break
        _wait(lambda: _seen(window, row))
        QApplication.processEvents()  # laid out and painted
        times.shown.append(1000 * (time.perf_counter() - begun))
        _wait(lambda: _mendable(window))
        QApplication.processEvents()
        times.mended.append(1000 * (time.perf_counter() - begun))
        hands.release(label, middle)
        window.document.undo_stack.undo()
        _wait(lambda: window.workers.current)
    return times


def _passed(milliseconds: float) -> Callable[[], bool]:
    end = time.perf_counter() + milliseconds / 1000
    return lambda: time.perf_counter() >= end


#: Hand -> how it is timed.
_HANDS: dict[str, Callable[[Window, int], Times]] = {
    "wire over a layer": _wire,
    "layer over a wire": _layer,
    "field, step by step": _field,
    "field, on and on": lambda window, repeats: _field(window, repeats, _ONWARDS),
}


def measure() -> dict[str, dict[str, Any]]:
    """Milliseconds of each hand by the number of nodes: median, 95th percentile and worst."""
    application = QApplication.instance() or QApplication([])
    garbage = Garbage(application)  # as the program has it
    found: dict[str, dict[str, Any]] = {}
    for nodes, repeats in _SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            window = window_helpers.open_window(Path(folder), network=network(nodes))
            try:
                _wait(lambda window=window: window.workers.current)
                garbage.settle()
                for name, hand in _HANDS.items():
                    near = ["image", "stem", "conv_a0"] if "field" in name else ["flat", "fc", "loose"]
                    window.canvas.fit(near)
                    _wait(_passed(1500))  # the window has done all that opening asks for
                    application.processEvents()
                    times = hand(window, repeats)
                    found[f"{name}, {nodes} nodes"] = summary(times.shown)
                    found[f"{name}, {nodes} nodes, and the way out"] = summary(times.mended)
                    print(f"drag_errors: {name}, {nodes} nodes done", file=sys.stderr)
            finally:
                window_helpers.close_window(window)
    return found


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    return "\n".join(lines(figures))
