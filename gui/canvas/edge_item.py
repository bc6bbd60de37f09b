"""One wire on the canvas: a path drawn by Qt itself."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF
from PySide6.QtGui import QPainterPath, QPolygonF
from PySide6.QtWidgets import QGraphicsPathItem

from engine.network import Edge
from gui.canvas import card

if TYPE_CHECKING:
    from gui.canvas.node_item import NodeItem
    from gui.canvas.scene import Scene

#: A wire leaves and reaches its ports at least this far in their direction.
LEAD = 24.0
TURN = 14.0


#: Radius of the handle that a bend is taken by.
HANDLE = 4.0


def bent_path(start: QPointF, bends: tuple[QPointF, ...], end: QPointF) -> QPainterPath:
    """A smooth way through points that the user chose."""
    points = [start, *bends, end]
    path = QPainterPath(start)
    ahead = QPointF(1, 0)
    for number, (a, b) in enumerate(pairwise(points)):
        length = QLineF(a, b).length()
        if number + 2 < len(points):
            chord = QLineF(a, points[number + 2])
            leaving = QPointF(chord.dx(), chord.dy()) / max(chord.length(), 1e-6)
        else:
            leaving = QPointF(1, 0)
        reach = length * 0.4
        path.cubicTo(a + ahead * reach, b - leaving * reach, b)
        ahead = leaving
    return path


def wire_corners(start: QPointF, end: QPointF, detour: float | None = None) -> list[QPointF]:
    """The corners of a wire's way from an output to an input, both ends included.

    A way straight ahead has only its ends; with `detour` it runs at that height, around what stands between.
    """
    dx, dy = end.x() - start.x(), end.y() - start.y()
    height = detour
    if detour is None and dx < LEAD and abs(dy) > 2 * LEAD:  # a line feed back
        height = start.y() + dy - (60.0 if dy > 0 else -60.0) if abs(dy) > 160 else start.y() + dy / 2
    if height is None:
        return [start, end]
    leaving, arriving = start.x() + LEAD, end.x() - LEAD
    between = ((leaving, start.y()), (leaving, height), (arriving, height), (arriving, end.y()))
    return [start, *(QPointF(*corner) for corner in between), end]


def wire_path(start: QPointF, end: QPointF, detour: float | None = None) -> QPainterPath:
    """The way from an output to an input: a smooth S ahead, rounded corners around what stands between."""
    corners = wire_corners(start, end, detour)
    if len(corners) > 2:
        return _rounded(corners)
    path = QPainterPath(start)
    dx, dy = end.x() - start.x(), end.y() - start.y()
    reach = max(LEAD, abs(dx) * 0.5, min(abs(dy), 4 * LEAD) * 0.5)
    path.cubicTo(start.x() + reach, start.y(), end.x() - reach, end.y(), end.x(), end.y())
    return path


def _rounded(points: list[QPointF]) -> QPainterPath:
    """A way along `points` with rounded corners."""
    path = QPainterPath(points[0])
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        arriving, leaving = QLineF(corner, before), QLineF(corner, after)
        turn = min(TURN, arriving.length() / 2, leaving.length() / 2)
        if turn <= 0.01:
            continue
        arriving.setLength(turn)
        leaving.setLength(turn)
        path.lineTo(arriving.p2())
        path.quadTo(corner, leaving.p2())
    path.lineTo(points[-1])
    return path


class EdgeItem(QGraphicsPathItem):
    """The wire of one edge. Overrides nothing, so Qt paints it without calling Python."""

    def __init__(self, owner: Scene, edge: Edge, source: NodeItem, target: NodeItem) -> None:
        super().__init__()
        self.owner = owner
        self.edge = edge
        self.source = source
        self.target = target
        self.source_index = 0
        self.target_index = 0
        self.dimensions: int | None = None
        #: Colour of what a measure says of the node that it leaves, else of the one that it reaches.
        self.mark: str | None = None
        self.hovered = False
        self.selected = False
        #: The document no longer has it: it is about to be let go.
        self.gone = False
        self.detour: float | None = None
        #: Whether `detour` is right for where the ends are.
        self.routed = False
        #: Points that the user leads it through.
        self.bends: tuple[QPointF, ...] = ()
        #: Heights of its ports on their cards.
        self._heights = (0.0, 0.0)
        #: The way as it was laid, and how far it has been moved since.
        self._laid = QPainterPath()
        self._shift = (0.0, 0.0)
        self._far_way: QPolygonF | None = None
        self._pen_key: tuple[object, ...] | None = None
        self._way: tuple[float, float, float, float, float | None] | None = None
        source.edges.add(self)
        target.edges.add(self)
        self._touch()

    @property
    def start(self) -> QPointF:
        """Where it leaves, in scene coordinates."""
        card_rect = self.source.far_rect
        return QPointF(card_rect.x() + card.WIDTH, card_rect.y() + self._heights[0])

    @property
    def end(self) -> QPointF:
        """Where it arrives, in scene coordinates."""
        card_rect = self.target.far_rect
        return QPointF(card_rect.x(), card_rect.y() + self._heights[1])

    @property
    def way(self) -> QPainterPath:
        """Where it leads, in scene coordinates."""
        return self._laid.translated(*self._shift) if any(self._shift) else self._laid

    @property
    def far_way(self) -> QPolygonF:
        """Its way in straight lines, for the drawing from far away."""
        if self._far_way is None:
            start, end = self.start, self.end
            bent = [start, *self.bends, end] if self.bends else wire_corners(start, end, self.detour)
            self._far_way = QPolygonF(bent)
        return self._far_way

    def cut_short(self) -> None:
        """Lead straight in the drawing from far away, while an end of it is on its way."""
        self._far_way = QPolygonF([self.start, self.end])
        self.owner.far.touch_wire(self)

    def bend_far(self) -> None:
        """It leads elsewhere in the drawing from far away."""
        self._far_way = None
        self.owner.far.touch_wire(self)

    def detach(self) -> None:
        """Let go of its nodes."""
        self.source.edges.discard(self)
        self.target.edges.discard(self)
        self._touch()

    def _touch(self) -> None:
        """The ports at its ends look otherwise."""
        self.source.touch()
        self.target.touch()

    def refresh(self) -> None:
        """Take ports, tensor and look anew."""
        self.source_index = _index(self.source.card.outputs, self.edge.source.port)
        self.target_index = _index(self.target.card.inputs, self.edge.target.port)
        self._heights = (
            self.source.card.port_y(self.source_index),
            self.target.card.port_y(self.target_index),
        )
        outputs = self.source.card.outputs
        name = outputs[self.source_index].name if self.source_index < len(outputs) else None
        tensor = self.source.card.tensor(name)
        self.dimensions = None if tensor is None else len(tensor.shape)
        self._touch()
        self.restyle()
        self.follow()

    def restyle(self) -> None:
        """Take the pen anew."""
        key = (self.owner.look, self.dimensions, self.hovered, self.selected, self.mark)
        if key != self._pen_key:
            if self._pen_key is None or key[1:] != self._pen_key[1:]:  # not the theme alone
                self.owner.far.touch_wire(self)
            self._pen_key = key
            self.setPen(self.owner.look.wire(self.dimensions, self.hovered, self.selected, self.mark))
            self.setZValue(0.5 if self.hovered or self.selected else 0.0)

    def follow(self) -> None:
        """Lead from port to port, wherever these are now."""
        start, end = self.start, self.end
        way = (start.x(), start.y(), end.x(), end.y(), self.detour)
        if way == self._way:
            return
        self._way = way
        self.bend_far()
        if any(self._shift):
            self._shift = (0.0, 0.0)
            self.setPos(0.0, 0.0)
        if self.bends:
            self._laid = bent_path(start, self.bends, end)
            drawn = QPainterPath(self._laid)
            for point in self.bends:
                drawn.addEllipse(point, HANDLE, HANDLE)
            self.setPath(drawn)
            return
        self._laid = wire_path(start, end, self.detour)
        self.setPath(self._laid)

    def lead(self, bends: tuple[QPointF, ...]) -> None:
        """Lead it through these points; none: as the router finds."""
        if bends != self.bends:
            self.bends = bends
            self.detour, self.routed = None, bool(bends)
            self._way = None
            self.follow()

    def move_along(self) -> bool:
        """Follow both ends where they have moved together, detour and all; False: they have not."""
        way = self._way
        if way is None or not self.routed:
            return False
        source, target = self.source.far_rect, self.target.far_rect
        dx, dy = source.x() + card.WIDTH - way[0], source.y() + self._heights[0] - way[1]
        if abs(target.x() - way[2] - dx) > 1e-6 or abs(target.y() + self._heights[1] - way[3] - dy) > 1e-6:
            return False
        if dx or dy:
            self.detour = None if self.detour is None else self.detour + dy
            self._way = (way[0] + dx, way[1] + dy, way[2] + dx, way[3] + dy, self.detour)
            if self.bends:
                self.bends = tuple(point + QPointF(dx, dy) for point in self.bends)
            self._shift = (self._shift[0] + dx, self._shift[1] + dy)
            self.bend_far()
            self.setPos(*self._shift)
        return True

    def distance(self, point: QPointF) -> float:
        """How far `point` is from the wire."""
        path = self.way
        best = min(range(33), key=lambda i: QLineF(path.pointAtPercent(i / 32), point).length())
        low, high = max(0, best - 1) / 32, min(32, best + 1) / 32
        return min(
            QLineF(path.pointAtPercent(low + (high - low) * i / 16), point).length() for i in range(17)
        )


def _index(ports: tuple[object, ...], name: str | None) -> int:
    for index, port in enumerate(ports):
        if getattr(port, "name", None) == name:
            return index
    return 0
