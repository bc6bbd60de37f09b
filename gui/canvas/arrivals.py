"""Cards and wires that the drawing has not yet, or not yet in their places: many come a few at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QTimer

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

Places = dict[str, tuple[float, float]]


class Arrivals:
    """What waits to be drawn, or to be brought to its place; what is in view first.

    Whoever asks the drawing for its cards or wires has them all: it brings the rest at once.
    """

    def __init__(self, scene: Scene, bring_node: Callable[[str, tuple[float, float]], object]) -> None:
        self._scene = scene
        #: Makes the card of a node at a place.
        self._bring_node = bring_node
        self._places: Places = {}
        #: The edges at the nodes that wait; None: to be looked up, in a slice's time.
        self._edges: dict[str, list[Edge]] | None = None
        self._fresh: list[EdgeItem] = []
        #: Not within the frame of the edit itself, whose painting comes first.
        self._resting = False
        self._timer = QTimer(scene, interval=0)
        self._timer.timeout.connect(self._go_on)

    def __bool__(self) -> bool:
        return bool(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, id: str) -> bool:
        return id in self._places

    @property
    def places(self) -> Mapping[str, tuple[float, float]]:
        """Where the cards that wait will stand, by their ids."""
        return self._places

    def wait(self, places: Places, view: QRectF) -> None:
        """Let nodes come to `places`, those in `view` first."""
        left, top = view.left() - card.WIDTH, view.top() - HEIGHT
        right, bottom = view.right(), view.bottom()
        seen = [id for id, (x, y) in places.items() if left <= x <= right and top <= y <= bottom]
        self._places.update((id, places[id]) for id in seen)
        self._places.update(places)
        self._resting = True
        self._timer.start()

    def follow(self, gone: Iterable[str], moved: Places) -> None:
        """The document has changed: some will not come, some to other places; edges may be others."""
        for id in gone:
            self._places.pop(id, None)
        for id in self._places.keys() & moved.keys():
            self._places[id] = moved[id]
        self._edges = None

    def finish(self) -> None:
        """Bring all that wait, now."""
        if self._places:
            self._bring(float("inf"))

    def forget(self) -> None:
        """The graph is gone."""
        self._places, self._edges, self._fresh = {}, None, []
        self._timer.stop()

    def _go_on(self) -> None:
        if self._resting or self._scene.gliding:
            self._resting = False
            return
        self._bring(time.perf_counter() + SLICE)

    def _bring(self, end: float) -> None:
        self._timer.stop()  # whoever asks while cards are made must not begin again
        if self._edges is None:
            self._edges = self._look_up()
        waiting, self._places = self._places, {}
        while waiting and time.perf_counter() < end:
            id = next(iter(waiting))
            self._bring_node(id, waiting.pop(id))
            for edge in self._edges.pop(id, ()):
                if edge.source.node not in waiting and edge.target.node not in waiting:
                    wire = self._scene.bring_wire(edge)
                    if wire is not None:
                        self._fresh.append(wire)
        self._places = waiting
        self._scene.sort_in()
        if waiting:
            self._timer.start()
        else:
            fresh, self._fresh, self._edges = self._fresh, [], None
            self._scene.router.route(fresh)
        self._scene.arrived()

    def _look_up(self) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {id: [] for id in self._places}
        for edge in self._scene.edges:
            (source, _), (target, _) = edge
            if source in found:
                found[source].append(edge)
            if target in found and target != source:
                found[target].append(edge)
        return found
