"""Canvas, ms per frame off screen at 1280×800: build, pan, zoom, drag, undo, paste, select all, delete, arrange.

Every gesture is made in three views: all in view, from the middle, and near; and every frame that it
causes counts, until the drawing is complete, sharp and at rest. Goals at 1,000 nodes: build and first
paint ≤ 150 ms, every frame ≤ 8 ms median and ≤ 16 ms p95; at 5,000 nodes ≤ 16 ms. What the whole window
does in these frames, `canvas_window` measures.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication

from engine import edit
from engine.findings import Analysis, NodeReport, Tensor
from engine.network import Choice, Edge, End, Network, Node
from gui.canvas import Canvas, layout
from gui.document import Document
from gui.garbage import Garbage
from gui.selection import Selection
from gui.theme import theme
from tests import gui_helpers as hands
from tests.benchmarks import canvas_peer
from tests.benchmarks._frames import BUILT, Act, Frames, beyond, lines, repeated

SIZES = (100, 1000, 5000)
FRAMES = 60
#: Pixels per scene unit; None: all is in view.
VIEWS = {"all": None, "middle": 0.4, "near": 1.0}


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


def disordered(network: Network) -> Network:
    """The same with its cards here and there."""
    chance = random.Random(0)
    moved = {
        id: (x + chance.uniform(-90, 90), y + chance.uniform(-60, 60))
        for id, (x, y) in network.positions().items()
    }
    return edit.move(network, moved)


class Stage:
    """A canvas on the screen, and gestures on it; a window's canvas is a stage too."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.document, self.selection = canvas.document, canvas.selection
        self.port = canvas.viewport()

    def between(self) -> None:
        """What others do between two frames."""

    @property
    def only_detours(self) -> bool:
        """Whether all is there, and wires are still led around what stands in their way."""
        drawing = self.canvas.drawing
        waiting = drawing.arrivals or drawing.departures or drawing.renewals
        return drawing.router.busy and not waiting

    def until_rest(self, act: Act | None = None) -> dict[str, float]:
        """All the frames of something that is done once."""
        frames = Frames()
        if act is not None:
            frames.frame(act)
        frames.rest(lambda: self.canvas.resting, self.between)
        return frames.figures() if frames.clock else {}

    def look(self, scale: float | None) -> None:
        """Look from afar or from near, and wait until all is drawn."""
        self.canvas.fit()
        if scale is not None:
            self.canvas.zoom(scale / self.canvas.zoom_factor)
        self.until_rest()

    def camera(self, scale: float | None) -> dict[str, dict[str, float]]:
        """Panning and zooming."""
        canvas, push = self.canvas, (QPoint(7, 5), QPoint(-7, -5))
        self.look(scale)
        found = {
            "pan": repeated(lambda n: canvas.scroll_to(canvas.scroll_position() + push[n // 10 % 2]), FRAMES)
        }
        self.look(scale)
        found["zoom"] = repeated(lambda n: canvas.zoom((1.04, 1 / 1.04)[n // 5 % 2]), FRAMES)
        return found

    def drags(self, scale: float | None) -> dict[str, dict[str, float]]:
        """A drag of one card, and of 200: the press, every move, and the drop until all is in its place."""
        found: dict[str, dict[str, float]] = {}
        for count in (1, 200):
            self.look(scale)
            seen = self.canvas.visible_rect()
            inner = seen.adjusted(*(seen.width() * share for share in (0.25, 0.1, -0.25, -0.1)))
            held = self.canvas.drawing.nodes_in(inner)[0]
            ids = [id for id in self.document.network.nodes if id != held][: count - 1]
            self.selection.set((*ids, held))
            self.until_rest()
            start = self.canvas.mapFromScene(self.canvas.drawing.nodes[held].rect.center())
            drag = Frames()
            drag.frame(lambda start=start: hands.press(self.port, start))
            for n in range(FRAMES):
                place = start + QPoint(6 + 3 * n, 4 + 2 * (n % 40))
                drag.frame(lambda place=place: hands.move(self.port, place))
            found[f"drag {count}"] = drag.figures()
            end = start + QPoint(6 + 3 * FRAMES, 40)
            found[f"drop {count}"] = self.until_rest(lambda end=end: hands.release(self.port, end))
            stack = self.document.undo_stack
            for n in range(2):
                found[f"{('undo', 'redo')[n]} of it ({count})"] = self.until_rest((stack.undo, stack.redo)[n])
            stack.undo()
        return found

    def edits(self, scale: float | None) -> dict[str, dict[str, float]]:
        """Copies, pastes, deletions, blocks and layouts of many."""
        editor, stack, select = self.canvas.editor, self.document.undo_stack, self.selection
        ids = list(self.document.network.nodes)
        many = min(500, len(ids))
        found: dict[str, dict[str, float]] = {}

        def measure(name: str, act: Act, undo: bool = True, redo: bool = False) -> None:
            self.look(scale)
            found[name] = self.until_rest(act)
            if undo:
                found[f"undo of {name}"] = self.until_rest(stack.undo)
            if redo:
                found[f"redo of {name}"] = self.until_rest(stack.redo)
                found[f"undo of {name}, again"] = self.until_rest(stack.undo)

        select.set(ids[:many])
        measure(f"copy {many}", editor.copy, undo=False)
        measure(f"paste {many}", editor.paste, redo=True)
        measure("select all", editor.select_all, undo=False)
        measure("delete all", editor.remove_selection)
        measure("select none", select.set, undo=False)
        select.set(ids[1 : min(201, many)])
        measure(f"block of {len(select.nodes)}", self.canvas.interior.collapse)
        select.set()
        ordered = self.document.network
        self.document.edit(disordered(ordered), "Disorder")
        self.until_rest()
        measure("arrange all", self.canvas.placing.arrange)
        stack.undo()
        self.until_rest()
        return found


def stage_of(network: Network) -> tuple[Stage, dict[str, float]]:
    """A canvas with `network`, and what it took to build and paint it, to the last card and wire."""
    made: list[Stage] = []

    def build() -> None:
        selection = Selection()
        canvas = Canvas(Document(network, selection=selection), selection)
        canvas.resize(1280, 800)
        canvas.show()
        made.append(Stage(canvas))

    frames = Frames()
    frames.frame(build)
    while not made[0].canvas.drawn and not made[0].only_detours:
        frames.frame()
    built = frames.figures()
    stage = made[0]
    stage.until_rest()
    stage.canvas.set_analysis(analysis_of(network))
    stage.until_rest()
    return stage, built


def _one(count: int) -> dict[str, Any]:
    stage, built = stage_of(network_of(count))
    canvas = stage.canvas
    figures: dict[str, Any] = {BUILT: built}
    for view, scale in VIEWS.items():
        found = {**stage.camera(scale), **stage.drags(scale), **stage.edits(scale)}
        figures.update({f"{name}, {view}": row for name, row in found.items()})
    stage.look(None)
    rise = max(1.0, (2.0 / canvas.zoom_factor) ** (2 / FRAMES))
    figures["zoom through"] = repeated(lambda n: canvas.zoom(rise if n < FRAMES // 2 else 1 / rise), FRAMES)
    fresh = analysis_of(canvas.network)
    for problem in fresh.nodes.values():
        problem.outputs["output"] = Tensor((32, 32, 32))
    figures["analysis of all"] = stage.until_rest(lambda: canvas.set_analysis(fresh))
    another = network_of(count)
    figures["open another"] = stage.until_rest(lambda: stage.document.replace(another))
    canvas.close()
    canvas.deleteLater()
    QApplication.processEvents()
    return figures


def begin() -> None:
    """The program as it runs: its look, and its way with garbage."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    theme.install(application, "light")
    stage, _ = stage_of(network_of(10))
    stage.canvas.close()
    gc.collect()
    Garbage(application).settle()


def measure() -> dict[str, Any]:
    """Milliseconds by number of nodes and action."""
    begin()
    ours = {str(count): _one(count) for count in SIZES}
    why, peer = canvas_peer.missing(), {}
    if not why:
        for count in (count for count in SIZES if count <= canvas_peer.LARGEST):
            peer[str(count)] = canvas_peer.measure(network_of(count), repeated)
    return {"milliseconds": ours, "NodeGraphQt": peer, "NodeGraphQt skipped": why, "beyond": [*beyond(ours)]}


def table(figures: dict[str, Any]) -> str:
    """The figures as lines; NodeGraphQt below where it could be run; and what is not within the goals."""
    made = lines("Layerlab", figures["milliseconds"])
    if figures["NodeGraphQt"]:
        made += ["", *lines("NodeGraphQt", figures["NodeGraphQt"])]
    else:
        made += ["", figures["NodeGraphQt skipped"]]
    made += ["", "Not within the goals, by the clock:", *(figures["beyond"] or ["nothing"])]
    return "\n".join([*made, "As work:", *(beyond(figures["milliseconds"], "cpu_") or ["nothing"])])
