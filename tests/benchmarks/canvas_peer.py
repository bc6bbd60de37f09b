"""NodeGraphQt on the same graphs, for the canvas benchmark: build, pan, zoom, drag, undo, select all.

It is no dependency: ``pip install NodeGraphQt`` beside PySide6 lets this run.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtWidgets import QApplication

from engine.network import Network
from tests import gui_helpers as hands

#: At 5,000 nodes a frame takes a second and building minutes.
LARGEST = 1000


def missing() -> str:
    """Why it cannot run; empty: it can."""
    try:
        importlib.import_module("NodeGraphQt")
    except Exception as problem:  # an import of strangers' code may raise anything
        return f"NodeGraphQt is not here ({type(problem).__name__}: {problem})"
    return ""


def measure(
    network: Network, frames: Callable[[Callable[[int], object], int], dict[str, float]]
) -> dict[str, Any]:
    """The same actions on the same network, all of it in view."""
    library = importlib.import_module("NodeGraphQt")
    kind = type(
        "Layer",
        (library.BaseNode,),
        {"__identifier__": "layerlab.peer", "NODE_NAME": "Layer", "__init__": _ports(library.BaseNode)},
    )
    begun, working = time.perf_counter(), time.process_time()
    graph = library.NodeGraph()
    graph.register_node(kind)
    made = {}
    for id, (x, y) in network.positions().items():
        made[id] = node = kind()
        graph.add_node(node, pos=(x, y), selected=False, push_undo=False)
    taken: dict[str, int] = {}
    for edge in network.edges:
        index = taken.get(edge.target.node, 0)
        taken[edge.target.node] = index + 1
        source = made[edge.source.node].output(0)
        source.connect_to(made[edge.target.node].input(min(index, 1)), push_undo=False)
    viewer = graph.viewer()
    viewer.resize(1280, 800)
    viewer.show()
    viewer.zoom_to_nodes([node.view for node in made.values()])
    QApplication.processEvents()
    figures = {"build and paint": _once(begun, working)}
    figures["pan, all"] = frames(
        lambda n: viewer._set_viewer_pan((7, -7)[n // 10 % 2], (5, -5)[n // 10 % 2]), 20
    )
    figures["zoom, all"] = frames(lambda n: viewer._set_viewer_zoom((0.1, -0.1)[n // 5 % 2]), 10)
    held = next(iter(made.values()))
    port = viewer.viewport()
    start = viewer.mapFromScene(held.view.sceneBoundingRect().center())
    hands.press(port, start)
    figures["drag 1"] = frames(lambda n: hands.move(port, start + QPoint(4 + 3 * n, 2 + n)), 20)
    figures["drop 1"] = frames(lambda _: hands.release(port, start + QPoint(64, 22)), 1)
    for node in list(made.values())[:200]:
        node.set_pos(*(QPointF(*node.pos()) + QPointF(8, 8)).toTuple())
    stack = graph.undo_stack()
    figures["undo, redo"] = frames(lambda n: stack.redo() if n % 2 else stack.undo(), 10)
    figures["select all"] = frames(lambda n: graph.clear_selection() if n % 2 else graph.select_all(), 4)
    viewer.close()
    return figures


def _ports(base: Any) -> Callable[[Any], None]:
    def begin(self: Any) -> None:
        base.__init__(self)
        self.add_input("input")
        self.add_input("other")
        self.add_output("output")

    return begin


def _once(begun: float, working: float) -> dict[str, float]:
    clock, work = (time.perf_counter() - begun) * 1000, (time.process_time() - working) * 1000
    found = dict.fromkeys(("median", "p95", "longest", "total"), clock)
    return {**found, **{f"cpu_{name}": work for name in found}, "frames": 1}
