"""Cards and wires that the document has and the drawing not yet: many come a few at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QTimer

from engine.network import Edge
from gui.canvas import card

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.scene import Scene

#: So many cards come at once.
AT_ONCE = 48
#: Length of a slice, in seconds.
SLICE = 0.003
#: Height that a card is taken to have until it is there.
HEIGHT = 120.0


class Arrivals:
    """What waits to be drawn, what is nearest to the middle of the view first.

    Whoever asks the drawing for its cards or wires has them all: it brings the rest at once.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._nodes: dict[str, QRectF] = {}
        self._wires: dict[str, list[Edge]] = {}
        self._bring_node: Callable[[str], object] = lambda id: None
        self._fresh: list[EdgeItem] = []
        self._timer = QTimer(scene, interval=0)
        self._timer.timeout.connect(self._go_on)

    def __bool__(self) -> bool:
        return bool(self._nodes)

    @property
    def rects(self) -> Mapping[str, QRectF]:
        """Where the cards that wait will stand, by their ids."""
        return self._nodes

    def wait(
        self,
        places: Mapping[str, tuple[float, float]],
        wires: Iterable[Edge],
        middle: QPointF,
        bring_node: Callable[[str], object],
    ) -> None:
        """Let nodes come to `places`, each made by `bring_node`, with the `wires` at them."""

        def away(id: str) -> float:
            x, y = places[id]
            return max(abs(x + card.WIDTH / 2 - middle.x()), abs(y + HEIGHT / 2 - middle.y()))

        self._nodes = {id: QRectF(*places[id], card.WIDTH, HEIGHT) for id in sorted(places, key=away)}
        self._wires = {}
        for edge in wires:
            for id in {edge.source.node, edge.target.node} & self._nodes.keys():
                self._wires.setdefault(id, []).append(edge)
        self._bring_node = bring_node
        self._fresh = []
        self._timer.start()

    def finish(self) -> None:
        """Bring all that wait, now."""
        if self._nodes:
            self._bring(float("inf"))

    def forget(self) -> None:
        """The graph is gone."""
        self._nodes, self._wires, self._fresh = {}, {}, []
        self._timer.stop()

    def _go_on(self) -> None:
        self._bring(time.perf_counter() + SLICE)

    def _bring(self, end: float) -> None:
        self._timer.stop()  # whoever asks while cards are made must not begin again
        waiting, self._nodes = self._nodes, {}
        while waiting and time.perf_counter() < end:
            id = next(iter(waiting))
            del waiting[id]
            self._bring_node(id)
            for edge in self._wires.pop(id, ()):
                if edge.source.node not in waiting and edge.target.node not in waiting:
                    wire = self._scene.add_wire(edge)
                    if wire is not None:
                        self._fresh.append(wire)
        self._nodes = waiting
        if waiting:
            self._timer.start()
        else:
            fresh, self._fresh = self._fresh, []
            self._scene.router.route(fresh)
        self._scene.arrived()
