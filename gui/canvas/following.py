"""Undo and redo seen: the view goes to what they have changed, where nothing of that is in view."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QObject, QRectF, QTimer

from engine import diff, edit_view
from engine.network import Edge, Network
from gui.canvas import card
from gui.canvas.arrivals import HEIGHT
from gui.theme import SPACE

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: What reaches into the view by so many pixels is seen.
SEEN = 2.0 * SPACE
#: A wire is looked for at so many places along its way.
ALONG = 24
#: Of more that has changed no more is looked for.
ENOUGH = 400
#: Milliseconds after a step, which is painted first: to look for what it changed takes part of a frame.
LATER = 20


class Follower(QObject):
    """Compares what was there before one or more steps with what is there after them."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        #: The network before the first of the steps, and which graph of it is shown.
        self._from: tuple[Network, str | None] | None = None
        self._timer = QTimer(self, singleShot=True, interval=LATER)
        self._timer.timeout.connect(self._follow)

    @property
    def waiting(self) -> bool:
        """Whether it has yet to look where it leads."""
        return self._timer.isActive()

    def heed(self, before: Network) -> None:
        """A step has led away from `before`; a jump in the history takes many at once."""
        if self._from is None:
            self._from = before, self._canvas.block
        self._timer.start()

    def _follow(self) -> None:
        started, self._from = self._from, None
        canvas = self._canvas
        if started is None or started[1] != canvas.block or canvas.hands.busy or not canvas.isVisible():
            return
        room = SEEN / canvas.zoom_factor
        view = canvas.visible_rect().adjusted(room, room, -room, -room)
        found: list[QRectF] = []
        for area in islice(self._changed(started[0], view), ENOUGH):
            if view.intersects(area):
                return
            found.append(area)
        if not found:
            return
        whole = found[0]
        for area in found:
            whole = whole.united(area)
        if whole.width() > view.width() or whole.height() > view.height():  # the nearest is seen at least
            whole = min(found, key=lambda area: QLineF(area.center(), view.center()).length())
        canvas.glide.look_at(whole.center())

    def _changed(self, before: Network, view: QRectF) -> Iterator[QRectF]:
        """Where something is, or was, that differs: cards first, of these what is in `view`."""
        block, after, drawing = self._canvas.block, self._canvas.network, self._canvas.drawing
        old, new = before.graph(block), after.graph(block)
        was, now = before.positions(block), after.positions(block)
        there, gone = new.nodes, [id for id in old.nodes if id not in new.nodes]
        other = [
            id for id, node in there.items() if old.nodes.get(id) is not node or was.get(id) != now.get(id)
        ]
        places = {id: drawing.position(id, now if id in there else was) for id in (*gone, *other)}
        ids = [*places]
        if len(ids) > ENOUGH:
            corners = view.adjusted(-card.WIDTH, -HEIGHT, 0, 0)
            ids.sort(key=lambda id: not corners.contains(*places[id]))
        for id in ids:
            place = places[id]
            if old.nodes.get(id) is not there.get(id) or place != drawing.position(id, was):
                yield QRectF(*place, card.WIDTH, HEIGHT)
        noted, notes = edit_view.marks(before, block), edit_view.marks(after, block)
        for id in dict.fromkeys((*notes, *noted)):
            if noted.get(id) != notes.get(id):
                yield QRectF(*(notes.get(id) or noted[id]).rect)
        bent, bends = edit_view.bends(before, block), edit_view.bends(after, block)
        led = [edge for edge in bent.keys() | bends.keys() if bent.get(edge) != bends.get(edge)]
        cut, drawn = diff.edges_between(old.edges, new.edges)
        for edge in dict.fromkeys((*cut, *drawn, *led)):
            yield from self._along(edge)

    def _along(self, edge: Edge) -> Iterator[QRectF]:
        """Where a wire leads; of one that is gone, the cards that it joined."""
        drawing = self._canvas.drawing
        wire = drawing.drawn()[1].get(edge)
        if wire is not None:
            points = (wire.way.pointAtPercent(number / ALONG) for number in range(ALONG + 1))
            yield from (QRectF(at.x(), at.y(), 1.0, 1.0) for at in points)
            return
        for end in edge:
            if place := drawing.stands.get(end.node):
                yield QRectF(*place, card.WIDTH, HEIGHT)
