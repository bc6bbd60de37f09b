"""What lies where in the drawing: hit tests and extents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from PySide6.QtCore import QLineF, QObject, QPointF, QRectF, Qt
from PySide6.QtWidgets import QGraphicsScene

from engine.findings import Tensor
from engine.network import Edge, End
from gui.canvas import card
from gui.canvas.arrivals import HEIGHT
from gui.canvas.edge_item import EdgeItem
from gui.canvas.marks import FrameItem, NoteItem
from gui.canvas.node_item import NodeItem


class Port(NamedTuple):
    """A port that was hit."""

    item: NodeItem
    kind: str
    number: int

    @property
    def point(self) -> QPointF:
        """Its centre in scene coordinates."""
        return (
            self.item.input_point(self.number) if self.kind == "in" else self.item.output_point(self.number)
        )

    @property
    def end(self) -> End:
        """The end that an edge names."""
        shown = self.item.card
        available = shown.inputs if self.kind == "in" else shown.outputs
        return End(self.item.id, available[self.number].name if len(available) > 1 else None)


class Finder(QGraphicsScene):
    """Knows the items of nodes and edges, and finds them by place."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._nodes: dict[str, NodeItem] = {}
        #: Where each card stands: kept by the cards, so that to ask for all is no walk over thousands.
        self.stands: dict[str, tuple[float, float]] = {}
        #: And where it ends below.
        self.floors: dict[str, float] = {}
        self._wires: dict[Edge, EdgeItem] = {}
        self.marks: dict[str, FrameItem | NoteItem] = {}
        self._content: QRectF | None = None

    def gather(self) -> None:
        """Have all cards and wires there, wherever they say what was found before."""

    def complete(self) -> None:
        """Draw at once what is still to come."""

    def sort_in(self) -> None:
        """Have Qt sort in what has come or moved.

        By itself it does so at the next look into the scene, for all at once: of thousands 40 ms.
        """
        self.items(QPointF(0, 0))

    def expected(self) -> Mapping[str, tuple[float, float]]:
        """Where cards will stand that are still to come, or to be brought there."""
        return {}

    @property
    def count(self) -> int:
        """How many cards there are, with those that are still to come."""
        return len(self._nodes) + sum(id not in self._nodes for id in self.expected())

    def drawn(self) -> tuple[Mapping[str, NodeItem], Mapping[Edge, EdgeItem]]:
        """Cards and wires that are there, whatever is still to come."""
        return self._nodes, self._wires

    @property
    def nodes(self) -> dict[str, NodeItem]:
        """The cards by their ids."""
        self.complete()
        return self._nodes

    @property
    def wires(self) -> dict[Edge, EdgeItem]:
        """The wires by their edges."""
        self.complete()
        return self._wires

    def positions(self) -> dict[str, tuple[float, float]]:
        """Where all nodes stand."""
        return {**self.stands, **self.expected()}

    def flow(self, end: End) -> Tensor | None:
        """What flows out of an end; None: it is not known."""
        item = self._nodes.get(end.node)
        return None if item is None else item.card.tensor(end.port)

    def content(self, ids: Iterable[str] | None = None) -> QRectF:
        """The rectangle around all nodes, or some."""
        coming = self.expected()
        if ids is not None:
            chosen = tuple(ids)
            kinds = (self._nodes, self.marks)
            there = [kind[id].rect for kind in kinds for id in chosen if id in kind and id not in coming]
            return _around(there, [coming[id] for id in chosen if id in coming])
        if self._content is None:
            self._content = self._extent(coming)
        return QRectF(self._content)

    def resized(self, item: NodeItem) -> None:
        """A card has another height."""
        self.floors[item.id] = item.at[1] + item.card.height
        self._content = None

    def standing_in(self, view: QRectF) -> set[str]:
        """The ids of all cards in `view`, told by the numbers that they keep."""
        left, right = view.left() - card.WIDTH, view.right()
        top, bottom, floors = view.top(), view.bottom(), self.floors
        return {
            id for id, (x, y) in self.stands.items() if left < x < right and y < bottom and floors[id] > top
        }

    def _extent(self, coming: Mapping[str, tuple[float, float]]) -> QRectF:
        """The rectangle around all: of thousands of cards, taken from the numbers that they keep."""
        around = _around([mark.rect for mark in self.marks.values()], coming.values())
        there = self.stands.keys() - coming.keys() if coming else self.stands.keys()
        if not there:
            return around
        places = [self.stands[id] for id in there] if coming else self.stands.values()
        floors = [self.floors[id] for id in there] if coming else self.floors.values()
        lefts, tops = zip(*places, strict=True)
        left, top = min(lefts), min(tops)
        return around.united(QRectF(left, top, max(lefts) + card.WIDTH - left, max(floors) - top))

    # ------------------------------------------------------------------ what lies under the cursor

    def port_at(
        self, point: QPointF, reach: float, kind: str | None = None, without: NodeItem | None = None
    ) -> Port | None:
        """The port nearest to `point` within `reach`, save those of one card."""
        best: tuple[float, Port] | None = None
        for item in self._near(point, reach + 2):
            if item is without:
                continue
            for port in ports_of(item):
                if kind is None or port.kind == kind:
                    away = QLineF(port.point, point).length()
                    if away <= reach and (best is None or away < best[0]):
                        best = (away, port)
        return best[1] if best else None

    def node_at(self, point: QPointF) -> NodeItem | None:
        """The topmost node under `point`."""
        return next((item for item in self._near(point, 0.5) if item.rect.contains(point)), None)

    def card_near(
        self, point: QPointF, reach: float, without: NodeItem | None = None, chosen: bool = False
    ) -> NodeItem | None:
        """The card whose border is nearest to `point` within `reach`, save one; `chosen`: a selected one."""
        away = {
            item: max(
                item.rect.left() - point.x(),
                point.x() - item.rect.right(),
                item.rect.top() - point.y(),
                point.y() - item.rect.bottom(),
            )
            for item in self._near(point, reach)
            if item is not without and (item.selected or not chosen)
        }
        best = min(away, key=lambda item: away[item], default=None)
        return None if best is None or away[best] > reach else best

    def wire_at(self, point: QPointF, reach: float, without: Iterable[str] = ()) -> EdgeItem | None:
        """The wire nearest to `point` within `reach`, save those of some nodes."""
        self.gather()
        area = QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach)
        excluded = set(without)
        best: tuple[float, EdgeItem] | None = None
        for item in self.items(area, Qt.ItemSelectionMode.IntersectsItemBoundingRect):
            if not isinstance(item, EdgeItem) or item.gone:
                continue
            if not excluded & {item.edge.source.node, item.edge.target.node}:
                away = item.distance(point)
                if away <= reach and (best is None or away < best[0]):
                    best = (away, item)
        return best[1] if best else None

    def bend_at(self, point: QPointF, reach: float) -> tuple[EdgeItem, int] | None:
        """The wire and the number of its bend nearest to `point` within `reach`."""
        self.gather()
        area = QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach)
        near = [
            (QLineF(bend, point).length(), number, item)
            for item in self.items(area, Qt.ItemSelectionMode.IntersectsItemBoundingRect)
            if isinstance(item, EdgeItem) and not item.gone
            for number, bend in enumerate(item.bends)
        ]
        best = min(near, key=lambda entry: entry[0], default=None)
        return None if best is None or best[0] > reach else (best[2], best[1])

    def mark_at(self, point: QPointF, reach: float = 0.0) -> FrameItem | NoteItem | None:
        """The note under `point`, or the frame whose title or corner is there; the smallest first."""
        hit = [item for item in self.marks.values() if item.grip(point) or item.corner(point, reach)]
        return min(
            hit, key=lambda item: (item.zValue() < 0, item.rect.width() * item.rect.height()), default=None
        )

    def frames(self) -> list[FrameItem]:
        """The frames."""
        return [mark for mark in self.marks.values() if isinstance(mark, FrameItem)]

    def caption_at(self, point: QPointF) -> FrameItem | None:
        """The frame whose title is written there above the cards, as it is from far away; the topmost."""
        shown = (frame for frame in reversed(self.frames()) if frame.title.captioned)
        return next((frame for frame in shown if frame.title.written.contains(point)), None)

    def carried(self, marks: Iterable[str]) -> tuple[list[str], list[str]]:
        """Nodes, and frames and notes, that stand wholly in these frames."""
        areas = [item.rect for id in marks if isinstance(item := self.marks.get(id), FrameItem)]
        inside = [id for id, item in self.nodes.items() if any(area.contains(item.rect) for area in areas)]
        within = [
            id
            for id, item in self.marks.items()
            if any(area.contains(item.rect) and area != item.rect for area in areas)
        ]
        return inside, within

    def nodes_in(self, area: QRectF) -> list[str]:
        """Ids of the nodes that touch `area`."""
        self.gather()
        found = self.items(area, Qt.ItemSelectionMode.IntersectsItemBoundingRect)
        hit = {
            item.id
            for item in found
            if isinstance(item, NodeItem) and not item.gone and item.rect.intersects(area)
        }
        return [id for id in self.nodes if id in hit]

    def _near(self, point: QPointF, reach: float) -> list[NodeItem]:
        self.gather()
        area = QRectF(point.x() - reach, point.y() - reach, 2 * reach, 2 * reach)
        found = self.items(area, Qt.ItemSelectionMode.IntersectsItemBoundingRect)
        return [item for item in found if isinstance(item, NodeItem) and not item.gone]


def ports_of(item: NodeItem) -> list[Port]:
    """All ports of a node."""
    return [Port(item, "in", i) for i in range(len(item.card.inputs))] + [
        Port(item, "out", i) for i in range(len(item.card.outputs))
    ]


def _around(rects: Iterable[QRectF], places: Iterable[tuple[float, float]]) -> QRectF:
    """The rectangle around cards, and around `places` where some will stand."""
    edges = [rect.getCoords() for rect in rects]
    edges += [(x, y, x + card.WIDTH, y + HEIGHT) for x, y in places]
    if not edges:
        return QRectF()
    lefts, tops, rights, bottoms = zip(*edges, strict=True)
    left, top = min(lefts), min(tops)
    return QRectF(left, top, max(rights) - left, max(bottoms) - top)
