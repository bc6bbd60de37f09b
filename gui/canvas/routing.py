"""Ways around cards: a pure function of where a wire's ends and the cards are, and who asks it when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer

from gui.canvas import card
from gui.canvas.edge_item import LEAD, EdgeItem, wire_path
from gui.canvas.levels import FAR
from gui.canvas.node_item import NodeItem

if TYPE_CHECKING:
    from gui.canvas.scene import Scene

#: Distance that a wire keeps from the cards it goes around.
CLEARANCE = 24.0

CardsIn = Callable[[QRectF], list[QRectF]]


def detour(start: QPointF, end: QPointF, low_port: bool, cards_in: CardsIn) -> float | None:
    """At which height a wire must run to pass what stands between its ends; None: straight ahead.

    `cards_in` gives the cards that touch an area. A wire to a card's lower port (`low_port`)
    prefers to pass below.
    """
    if end.x() - start.x() < LEAD:
        return _way_back(start, end, cards_in)
    if end.x() - start.x() <= card.WIDTH:
        return None
    low, high = min(start.y(), end.y()), max(start.y(), end.y())
    blocking = cards_in(QRectF(start.x() + 8, low - 6, end.x() - start.x() - 16, high - low + 12))
    if not blocking or not _crosses(start, end, blocking):
        return None
    top = min(rect.top() for rect in blocking) - CLEARANCE
    bottom = max(rect.bottom() for rect in blocking) + CLEARANCE
    middle = (start.y() + end.y()) / 2
    return bottom if low_port or bottom - middle < middle - top else top


def _way_back(start: QPointF, end: QPointF, cards_in: CardsIn) -> float | None:
    """The widest gap between cards through which a wire can go back to the left."""
    low, high = min(start.y(), end.y()), max(start.y(), end.y())
    if high - low < 4 * LEAD:
        return None
    band = QRectF(end.x() - LEAD, low, start.x() - end.x() + 2 * LEAD, high - low)
    best, reached = (0.0, (low + high) / 2), low
    for top, bottom in sorted((rect.top(), rect.bottom()) for rect in cards_in(band)):
        best = max(best, (top - reached, (top + reached) / 2))
        reached = max(reached, bottom)
    return max(best, (high - reached, (high + reached) / 2))[1]


def _crosses(start: QPointF, end: QPointF, cards: list[QRectF]) -> bool:
    path = wire_path(start, end)
    points = [path.pointAtPercent(i / 24) for i in range(1, 24)]
    return any(rect.adjusted(-2, -2, 2, 2).contains(point) for rect in cards for point in points)


class Router:
    """Leads wires around cards: a few at once, many in slices of time between frames."""

    #: Wires that are led at once.
    AT_ONCE = 64
    #: Length of a slice, in seconds.
    SLICE = 0.004
    #: From far away all is painted anew, and the difference hardly seen: only every so many slices.
    FAR_SLICES = 24

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._waiting: dict[EdgeItem, None] = {}
        self._slices = 0
        self._timer = QTimer(scene)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._go_on)

    def route(self, wires: Iterable[EdgeItem]) -> None:
        """Lead `wires` around what stands in their way."""
        self._waiting.update(dict.fromkeys(wires))
        if len(self._waiting) <= self.AT_ONCE and not self._scene.arrivals:
            self.finish()
        else:
            self._timer.start()

    @property
    def busy(self) -> bool:
        """Whether wires wait to be led."""
        return bool(self._waiting)

    def finish(self) -> None:
        """Lead all that wait."""
        self._lead(float("inf"))

    def forget(self) -> None:
        """The wires are gone."""
        self._waiting.clear()
        self._timer.stop()

    def _go_on(self) -> None:
        if self._scene.arrivals:
            return  # what will stand in their way is still to come
        self._lead(time.perf_counter() + self.SLICE)
        self._slices += 1
        if self._scene.detail != FAR or not self._waiting or self._slices % self.FAR_SLICES == 0:
            self._scene.wires_moved()

    def _lead(self, end: float) -> None:
        wires, waiting = self._scene.drawn()[1], self._waiting
        while waiting and time.perf_counter() < end:
            wire = next(iter(waiting))
            del waiting[wire]
            if wires.get(wire.edge) is not wire or wire.bends:
                continue
            way = detour(wire.start, wire.end, wire.target_index > 0, partial(self._cards_in, wire))
            wire.routed = True
            if way != wire.detour:
                wire.detour = way
                wire.follow()
        if not waiting:
            self._timer.stop()

    def _cards_in(self, wire: EdgeItem, area: QRectF) -> list[QRectF]:
        found = self._scene.items(area, Qt.ItemSelectionMode.IntersectsItemBoundingRect)
        ends = (wire.source, wire.target) if wire.end.x() > wire.start.x() else ()
        return [
            item.rect
            for item in found
            if isinstance(item, NodeItem)
            and not item.gone
            and item not in ends
            and item.rect.intersects(area)
        ]
