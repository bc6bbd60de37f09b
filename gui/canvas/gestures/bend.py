"""Leading a wire through a point."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, Qt

from engine import edit_view
from engine.network import Edge
from gui.canvas.gestures.base import Gesture
from gui.canvas.gestures.move import GRID

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.view import Canvas


class Bend(Gesture):
    """Drag a wire's bend, or draw a new one out of the wire; brought into line it goes."""

    reason = "Bend"

    def __init__(self, canvas: Canvas, at: QPointF, edge: Edge, number: int | None = None) -> None:
        super().__init__(canvas, at)
        self.wire: EdgeItem = self.scene.wires[edge]
        self._before = self.wire.bends
        self._number = place_of(self.wire, at) if number is None else number
        self._fresh = number is None

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Lead the wire through the cursor; on the grid unless Ctrl is held."""
        if not modifiers & Qt.KeyboardModifier.ControlModifier:
            at = QPointF(round(at.x() / GRID) * GRID, round(at.y() / GRID) * GRID)
        rest = list(self._before)
        if self._fresh:
            rest.insert(self._number, at)
        else:
            rest[self._number] = at
        self.wire.lead(tuple(rest))

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Tell the document."""
        points = list(self.wire.bends)
        if points == list(self._before):
            return
        along = [self.wire.start, *points, self.wire.end]
        before, here, after = along[self._number : self._number + 3]
        straight = (
            QLineF(before, here).length() + QLineF(here, after).length() - QLineF(before, after).length()
        )
        if straight < 0.5 and not self._fresh:
            del points[self._number]
        lead(self.canvas, self.wire.edge, points, "Bend")

    def cancel(self) -> None:
        """Lead it as it was."""
        self.wire.lead(self._before)
        self.scene.router.route([self.wire])


def place_of(wire: EdgeItem, at: QPointF) -> int:
    """Between which of the wire's bends `at` lies."""
    along = [wire.start, *wire.bends, wire.end]
    detours = [
        QLineF(a, at).length() + QLineF(at, b).length() - QLineF(a, b).length() for a, b in pairwise(along)
    ]
    return detours.index(min(detours))


def lead(canvas: Canvas, edge: Edge, points: list[QPointF], label: str) -> None:
    """Lead a wire through `points`, as one step."""
    changed = {edge: [(point.x(), point.y()) for point in points]}
    canvas.editor.attempt(
        f"{label} {edge}", lambda network: edit_view.set_bends(network, changed, block=canvas.block)
    )
