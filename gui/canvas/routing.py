"""Ways around cards: a pure function of where a wire's ends and the cards are."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF

from gui.canvas import card
from gui.canvas.edge_item import LEAD, wire_path

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
