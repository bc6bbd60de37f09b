"""What it takes to look at another layer: milliseconds of the window's thread until the inspector is painted.

Two layers of each type in the catalogue, in a window of 1280 × 800, off the screen: the first look at a type, a
look at another layer of it, and at one of a type that was looked at before; and a walk along the wires of a
residual network of 150 nodes and back with the arrow keys. Told is the processor's time, so that others do not count. The
goal is 16 ms, a frame.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QWidget

from engine import edit
from engine.catalog import LAYERS
from engine.network import Network
from gui.canvas import layout
from gui.garbage import Garbage
from gui.inspector.header import Header
from gui.window import Window
from tests import gui_helpers as hands
from tests import window_helpers
from tests.benchmarks._times import lines, summary
from tests.benchmarks.analysis_latency import residual
from tests.networks import alone

#: Milliseconds for which the hand rests on each layer, in which previews come.
_REST = 120
#: Types of which the slowest first looks are told by name, and steps of the walk.
_TOLD, _STEPS = 6, 60


def catalogue() -> Network:
    """Two layers of each type, each right by itself; nothing is wired."""
    network = Network()
    for type in LAYERS:
        node = next((node for node in alone(type).nodes.values() if node.type == type), None)
        for name in ("a", "b") if node is not None else ():
            network = edit.add_node(network, f"{type.lower()}_{name}", node)
    return edit.move(network, layout.arrange(network))


def _rest(milliseconds: float) -> None:
    end = time.monotonic() + milliseconds / 1000
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.002)


class _Painted(QObject):
    """Whether a widget has been painted since."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__()
        self.seen, self._widget = False, widget
        widget.installEventFilter(self)

    def end(self) -> None:
        self._widget.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.seen |= event.type() == QEvent.Type.Paint
        return False


def _spent(act: Callable[[], object], window: Window) -> float:
    """Milliseconds of this thread for what `act` asks for, all of it laid out and painted."""
    # (The viewport itself is covered by what it shows, and never painted unless it is told to.)
    header = window.inspector.findChild(Header)
    assert header is not None
    painted = _Painted(header)
    begun = time.thread_time()
    act()
    QApplication.processEvents()
    if not painted.seen:
        window.inspector.viewport().repaint()
    spent = 1000 * (time.thread_time() - begun)
    painted.end()
    _rest(_REST)
    return spent


def _looks(window: Window) -> dict[str, dict[str, float]]:
    """By type: the first look, one at another of the same, and one that comes back."""
    types = [id[:-2] for id in window.document.network.nodes if id.endswith("_a")]
    look = lambda id: _spent(lambda: window.selection.set((id,)), window)  # noqa: E731
    found = {type: {"first": look(f"{type}_a"), "same": look(f"{type}_b")} for type in types}
    for type in types:
        found[type]["back"] = look(f"{type}_a")
    return found


def _walk(window: Window) -> list[float]:
    window.selection.set(("stem",))
    window.canvas.fit(["image", "stem", "conv_a0"])
    window.canvas.setFocus()
    _rest(500)
    step = partial(hands.key, window.canvas)
    there, back = ([partial(step, key)] * (_STEPS // 2) for key in (Qt.Key.Key_Right, Qt.Key.Key_Left))
    return [_spent(act, window) for act in (*there, *back)]


def measure() -> dict[str, Any]:
    """Milliseconds of each kind of look: median, 95th percentile and worst; the slowest types by name."""
    garbage = Garbage(QApplication.instance() or QApplication([]))  # as the program has it
    with tempfile.TemporaryDirectory() as folder:
        window = window_helpers.open_window(Path(folder), network=catalogue())
        try:
            _rest(2500)
            garbage.settle()
            looks = _looks(window)
            drawn = residual(150)
            window.document.replace(edit.move(drawn, layout.arrange(drawn)))
            _rest(2500)
            walk = _walk(window)
        finally:
            window_helpers.close_window(window)
    found = {
        name: summary([look[key] for look in looks.values()])
        for key, name in (
            ("first", "first look at a type"),
            ("same", "another of the same type"),
            ("back", "back at a type"),
        )
    }
    slowest = sorted(looks, key=lambda type: -looks[type]["first"])[:_TOLD]
    return {
        **found,
        "a step with an arrow key": summary(walk),
        "slowest first looks, ms": {type: looks[type]["first"] for type in slowest},
    }


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    slowest = figures["slowest first looks, ms"]
    told = "Slowest first looks: " + ", ".join(f"{type} {ms:.0f}" for type, ms in slowest.items())
    return "\n".join([*lines(figures), told])
