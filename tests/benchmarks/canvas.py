"""Canvas, ms per frame off screen at 1280×800: build, pan, zoom, drag, undo, paste, select all.

Each frame is an action and the painting that follows from it, events and all; where an action goes on over
several frames (a paste, its undo), all of them until the drawing is complete. Goals at 1,000 nodes: build
and first paint ≤ 150 ms, every frame ≤ 8 ms median and ≤ 16 ms p95; at 5,000 nodes ≤ 16 ms. Beside the clock
stands the processor time of this process: on a busy machine it is what a quiet one would take.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication

from engine import edit
from engine.findings import Analysis, NodeReport, Tensor
from engine.network import Choice, Edge, End, Network, Node
from gui.canvas import Canvas, layout
from gui.document import Document
from gui.selection import Selection
from gui.theme import theme
from tests import gui_helpers as hands
from tests.benchmarks import canvas_peer

SIZES = (100, 1000, 5000)
FRAMES = 60


def network_of(count: int) -> Network:
    """Residual blocks of convolutions, `count` nodes, laid out."""
    nodes: dict[str, Node] = {"image": Node("Input", {"shape": [3, 64, 64]})}
    edges: list[Edge] = []
    kinds = ("Conv2d", "BatchNorm2d", "Conv2d", "BatchNorm2d", "Add")
    last = skip = "image"
    for number in range(count - 1):
        kind = kinds[number % 5]
        id = f"{kind.lower()}_{number}"
        fields = {"out_channels": 64, "kernel_size": [3, 3], "padding": [1, 1]} if kind == "Conv2d" else {}
        nodes[id] = Node(kind, fields, activation=Choice("ReLU") if kind == "Add" else None)
        edges.append(Edge(End(last), End(id, "input") if kind == "Add" else End(id)))
        if kind == "Add":
            edges.append(Edge(End(skip), End(id, "other")))
            skip = id
        last = id
    network = Network(nodes=nodes, edges=tuple(edges))
    return edit.move(network, layout.arrange(network))


def analysis_of(network: Network) -> Analysis:
    """Shapes for every node, as a host would send them."""
    report = NodeReport({"output": Tensor((64, 64, 64))}, parameter_count=36928)
    return Analysis(dict.fromkeys(network.nodes, report))


class _Stage:
    def __init__(self, network: Network) -> None:
        self.built = once(lambda: self._build(network))
        self.canvas.set_analysis(analysis_of(network))
        self.paint()

    def _build(self, network: Network) -> None:
        self.document = Document(network)
        self.selection = Selection()
        self.canvas = Canvas(self.document, self.selection)
        self.canvas.resize(1280, 800)
        self.canvas.show()

    def paint(self) -> None:
        """Let Qt paint what has changed."""
        QApplication.processEvents()

    def frames(self, act: Callable[[int], object], count: int = FRAMES) -> dict[str, float]:
        """Median and 95th percentile of act-and-paint, in ms."""
        return _frames(act, count)


def _frames(act: Callable[[int], object], count: int) -> dict[str, float]:
    times, work = [], []
    for number in range(count):
        begun, working = time.perf_counter(), time.process_time()
        act(number)
        QApplication.processEvents()
        times.append((time.perf_counter() - begun) * 1000)
        work.append((time.process_time() - working) * 1000)
    return {**_summary(times, ""), **_summary(work, "cpu_")}


def _summary(times: list[float], prefix: str) -> dict[str, float]:
    ordered = sorted(times)
    return {
        f"{prefix}median": statistics.median(times),
        f"{prefix}p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
    }


def settled(canvas: Canvas, act: Callable[[], object]) -> dict[str, float]:
    """The same of something that is done once and drawn over several frames, until all is there."""
    drawing = canvas.drawing
    frames = [lambda: act()]
    times, work = [], []
    while frames or drawing.arrivals or drawing.router.busy:
        begun, working = time.perf_counter(), time.process_time()
        if frames:
            frames.pop()()
        QApplication.processEvents()
        times.append((time.perf_counter() - begun) * 1000)
        work.append((time.process_time() - working) * 1000)
    return {**_summary(times, ""), **_summary(work, "cpu_"), "frames": len(times), "longest": max(times)}


def once(act: Callable[[], object]) -> dict[str, float]:
    """The same of something that is done once."""
    return _frames(lambda _: act(), 1)


def _one(count: int) -> dict[str, Any]:
    network = network_of(count)
    stage = _Stage(network)
    canvas, port = stage.canvas, stage.canvas.viewport()
    push = (QPoint(7, 5), QPoint(-7, -5))
    figures: dict[str, Any] = {"build and paint": stage.built}
    for name, scale in (("all", None), ("middle", 0.4), ("near", 1.0)):
        canvas.fit()
        if scale is not None:
            canvas.zoom(scale / canvas.zoom_factor)
        figures[f"pan, {name}"] = stage.frames(
            lambda n: canvas.scroll_to(canvas.scroll_position() + push[n // 10 % 2])
        )
        figures[f"zoom, {name}"] = stage.frames(lambda n: canvas.zoom((1.04, 1 / 1.04)[n // 5 % 2]))
    canvas.fit()
    rise = max(1.0, (2.0 / canvas.zoom_factor) ** (2 / FRAMES))
    figures["zoom through"] = stage.frames(lambda n: canvas.zoom(rise if n < FRAMES // 2 else 1 / rise))
    for name, chosen in (("1", 1), ("200", 200)):
        canvas.fit()
        canvas.zoom(0.7 / canvas.zoom_factor)
        held = next(iter(canvas.drawing.nodes_in(canvas.visible_rect().adjusted(300, 200, -300, -200))))
        ids = list(dict.fromkeys([*list(network.nodes)[: min(chosen, count) - 1], held]))
        stage.selection.set(ids if chosen > 1 else (held,))
        start = canvas.mapFromScene(canvas.drawing.nodes[held].rect.center())
        hands.press(port, start)
        figures[f"drag {name}"] = stage.frames(
            lambda n, start=start: hands.move(port, start + QPoint(6 + 3 * n, 4 + 2 * (n % 40)))
        )
        end = start + QPoint(6 + 3 * FRAMES, 40)
        figures[f"drop {name}"] = once(lambda end=end: hands.release(port, end))
    stack = stage.document.undo_stack
    figures["undo, redo"] = stage.frames(lambda n: stack.redo() if n % 2 else stack.undo(), 10)
    stage.selection.set(list(network.nodes)[: min(500, count)])
    stage.canvas.editor.copy()
    figures[f"paste {min(500, count)}"] = settled(canvas, canvas.editor.paste)
    figures["undo of it"] = settled(canvas, stack.undo)
    figures["select all"] = stage.frames(
        lambda n: stage.selection.set() if n % 2 else canvas.editor.select_all(), 10
    )
    canvas.close()
    canvas.deleteLater()
    QApplication.processEvents()
    return figures


def measure() -> dict[str, Any]:
    """Milliseconds by number of nodes and action."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    theme.install(application, "light")
    _Stage(network_of(10)).canvas.close()
    ours = {str(count): _one(count) for count in SIZES}
    why, peer = canvas_peer.missing(), {}
    if not why:
        for count in (count for count in SIZES if count <= canvas_peer.LARGEST):
            peer[str(count)] = canvas_peer.measure(network_of(count), _frames)
    return {"milliseconds": ours, "NodeGraphQt": peer, "NodeGraphQt skipped": why}


def table(figures: dict[str, Any]) -> str:
    """The figures as lines: median and 95th percentile; NodeGraphQt below where it could be run."""
    lines = _lines("Layerlab", figures["milliseconds"])
    if figures["NodeGraphQt"]:
        lines += ["", *_lines("NodeGraphQt", figures["NodeGraphQt"])]
    else:
        lines += ["", figures["NodeGraphQt skipped"]]
    return "\n".join(lines)


def _lines(title: str, found: dict[str, Any]) -> list[str]:
    head = "ms of work (clock), median / p95"
    lines = [f"{title}, {head}", "nodes".ljust(16) + "".join(f"{count:>32}" for count in found)]
    for number, name in enumerate(next(iter(found.values()))):
        cells = []
        for rows in found.values():
            row = list(rows.values())[number]
            clock = f"({row['median']:.1f} / {row['p95']:.1f})"
            cells.append(f"{row['cpu_median']:>9.1f} /{row['cpu_p95']:>7.1f}{clock:>15}")
        lines.append(name.ljust(16) + "".join(cells))
    return lines
