"""Moving nodes, or copies of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainterPath, QPen

from engine import edit, edit_view
from engine.edit import EditProblem
from engine.network import Network
from gui.canvas import card, compose
from gui.canvas.edge_item import EdgeItem
from gui.canvas.gestures.base import Gesture

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

GRID = 8.0
#: How near, in pixels, an edge or port line of a neighbour attracts.
ATTRACTION = 6.0


class Move(Gesture):
    """Drag the selected nodes, notes and frames with what stands in them; with Alt, copies of them.

    Alt may come while they hang: many desktops take a drag that begins with it for moving windows.
    A lone free node dropped on a wire goes into it.
    """

    reason = "Move"

    def __init__(self, canvas: Canvas, at: QPointF, held: str, copy: bool = False) -> None:
        super().__init__(canvas, at)
        self.held = held
        self.copy = copy
        inside, within = self.scene.carried(canvas.selection.marks)
        self.ids = list(dict.fromkeys((*canvas.selection.nodes, *inside)))
        self.marks = list(dict.fromkeys((*canvas.selection.marks, *within)))
        self._marks_at = {id: self.scene.marks[id].rect.topLeft() for id in self.marks}
        self._held_rect = (self.scene.nodes.get(held) or self.scene.marks[held]).rect
        self._held_rect = QRectF(self._held_rect)
        places = self.scene.positions()
        self.start = {id: places[id] for id in self.ids if id in places}
        self._wire: EdgeItem | None = None
        self._beginning = True
        self.shift = QPointF()

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Follow the cursor, attracted by grid and neighbours unless Ctrl is held."""
        if modifiers & Qt.KeyboardModifier.AltModifier and not self.copy:
            self._leave_originals()
        if self._beginning:
            self._beginning = False
            self.canvas.viewport().setCursor(
                Qt.CursorShape.DragCopyCursor if self.copy else Qt.CursorShape.SizeAllCursor
            )
        shift = at - self.origin
        free = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        place = self._held_rect.topLeft() + shift
        if not free:
            place = self._attracted(place)
        shift = place - self._held_rect.topLeft()
        if self.copy:
            self._sketch_copies(shift)
        else:
            self.scene.drag({id: (x + shift.x(), y + shift.y()) for id, (x, y) in self.start.items()})
            for id, corner in self._marks_at.items():
                self.scene.marks[id].place(corner.x() + shift.x(), corner.y() + shift.y())
            self._consider_wire()
        self.shift = shift

    def _leave_originals(self) -> None:
        """From now on it is copies that hang; what was dragged is back in its place."""
        self.copy = self._beginning = True
        self._mark(None)
        self.scene.settle()

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Tell the document, as one step."""
        wire = self._wire
        self._clear()
        if self.shift.isNull():
            self.scene.settle()
            return
        places = {**self.scene.positions(), **self.start}
        if self.copy:
            self.canvas.editor.duplicate((self.shift.x(), self.shift.y()), self.ids, self.marks)
            return
        moved = {id: (x + self.shift.x(), y + self.shift.y()) for id, (x, y) in self.start.items()}
        after = self.canvas.network
        if moved:
            after = compose.move(after, moved, places, self.canvas.block)
        after = edit_view.move_marks(
            after, self.marks, (self.shift.x(), self.shift.y()), block=self.canvas.block
        )
        label = f"Move {len(self.ids)} layers"
        if len(self.ids) == 1 or self.held in self.marks:
            label = f"Move {self.held}"
        if wire is not None:
            try:
                block = self.canvas.block
                after = edit.insert_on_edge(after, wire.edge, self.ids[0], block=block)
                label = f"Insert {self.ids[0]}"
                room = compose.with_room(after, self.ids[0], {**places, **moved}, wire.edge, block)
                after = compose.move(after, room, places, block)
            except EditProblem as problem:
                self.canvas.refuse(str(problem))
        self.canvas.document.edit(after, label)

    def cancel(self) -> None:
        """Put everything back."""
        self._clear()
        self.scene.settle()

    def _clear(self) -> None:
        self._mark(None)
        self.scene.guides.setPath(QPainterPath())
        self.scene.sketch.setPath(QPainterPath())
        self.canvas.viewport().unsetCursor()

    def _sketch_copies(self, shift: QPointF) -> None:
        path = QPainterPath()
        for id in self.ids:
            path.addRoundedRect(self.scene.nodes[id].rect.translated(shift), 8, 8)
        for id in self.marks:
            path.addRoundedRect(self.scene.marks[id].rect.translated(shift), 8, 8)
        pen = QPen(self.scene.look.accent, 1.5, Qt.PenStyle.DashLine)
        self.scene.sketch.setPen(pen)
        self.scene.sketch.setBrush(self.scene.look.halo)
        self.scene.sketch.setPath(path)

    # ------------------------------------------------------------------ attraction

    def _attracted(self, place: QPointF) -> QPointF:
        """`place`, drawn to the lines of neighbours, else to the grid."""
        reach = ATTRACTION / self.canvas.zoom_factor
        width, height = self._held_rect.width(), self._held_rect.height()
        window = QRectF(place.x() - 600, place.y() - 500, width + 1200, height + 1000)
        moved = set() if self.copy else set(self.ids)
        others = [self.scene.nodes[id].rect for id in self.scene.nodes_in(window) if id not in moved][:200]
        x, guide_x = _nearest(
            place.x(), [(rect.left(), rect.left()) for rect in others], reach, round(place.x() / GRID) * GRID
        )
        lines = [(rect.top(), rect.top() + card.PORT_Y) for rect in others]
        lines += [(rect.bottom() - height, rect.bottom()) for rect in others]
        y, guide_y = _nearest(place.y(), lines, reach, round(place.y() / GRID) * GRID)
        path = QPainterPath()
        box = QRectF(x, y, width, height)
        if guide_x is not None:
            on = [rect for rect in others if rect.left() == guide_x] + [box]
            path.moveTo(guide_x, min(rect.top() for rect in on) - 16)
            path.lineTo(guide_x, max(rect.bottom() for rect in on) + 16)
        if guide_y is not None:
            on = [r for r in others if guide_y in (r.top() + card.PORT_Y, r.bottom())] + [box]
            path.moveTo(min(rect.left() for rect in on) - 16, guide_y)
            path.lineTo(max(rect.right() for rect in on) + 16, guide_y)
        pen = QPen(self.scene.look.accent, 1.0)
        pen.setCosmetic(True)
        self.scene.guides.setPen(pen)
        self.scene.guides.setPath(path)
        return QPointF(x, y)

    # ------------------------------------------------------------------ dropping on a wire

    def _consider_wire(self) -> None:
        """Mark the wire that a lone, unwired node would go into."""
        if len(self.ids) != 1 or self.marks:
            return
        item = self.scene.nodes[self.ids[0]]
        if item.edges or not item.card.inputs or not item.card.outputs:
            return
        centre = QPointF(item.rect.center().x(), item.rect.y() + item.card.port_y(0))
        wire = self.scene.wire_at(centre, item.rect.height() / 2, without=self.ids)
        self._mark(wire)

    def _mark(self, wire: EdgeItem | None) -> None:
        if wire is not self._wire:
            for changed, on in ((self._wire, False), (wire, True)):
                if changed is not None:
                    changed.hovered = on
                    changed.restyle()
            self._wire = wire
            self.canvas.trial.consider(wire and wire.edge, self._inserted)

    def _inserted(self) -> Network:
        """The network with the node in the wire that it hangs over."""
        assert self._wire is not None
        return edit.insert_on_edge(self.canvas.network, self._wire.edge, self.ids[0], block=self.canvas.block)


def _nearest(
    value: float, lines: list[tuple[float, float]], reach: float, otherwise: float
) -> tuple[float, float | None]:
    """The line nearest to `value` within `reach` as (value, where to draw it), else `otherwise`."""
    best = min(lines, key=lambda line: abs(line[0] - value), default=None)
    if best is not None and abs(best[0] - value) <= reach:
        return best
    return otherwise, None
