"""The drawing from far away: thousands of nodes as a few batches of rectangles and lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem

from gui.canvas import card, look
from gui.canvas.node_item import NodeItem

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.items import Items


#: Wires that agree in this are drawn together: dimensions, whether selected, a measure's colour.
_WireKey = tuple[int | None, bool, str | None]
#: And cards: ground ("plain", "error", "selected" or a measure's colour), and family.
_CardKey = tuple[str, str]

#: Cards of fewer pixels are filled with their family's colour: a border would leave nothing of them.
DUST = 9.0
#: So many wires are one path: where one moves, these are put together anew.
STRAND = 128


class Strand:
    """Some wires of one look, as one path: Qt draws it in half the time that their lines take."""

    def __init__(self, key: _WireKey) -> None:
        self.key = key
        self.wires: dict[EdgeItem, None] = {}
        #: None: some lead elsewhere now.
        self.path: QPainterPath | None = None

    def whole(self) -> QPainterPath:
        """The way of all."""
        if self.path is None:
            self.path = QPainterPath()
            for wire in self.wires:
                self.path.addPolygon(wire.far_way)
        return self.path


class FarPainter:
    """Keeps the batches; the rectangles in them are the items' own, and move with them.

    What has been touched since is put into its batch when the drawing is painted from far away again.
    """

    def __init__(self, scene: Items) -> None:
        self._scene = scene
        self._cards: dict[_CardKey, dict[NodeItem, None]] = {}
        self._card_keys: dict[NodeItem, _CardKey] = {}
        self._wires: dict[_WireKey, list[Strand]] = {}
        self._strands: dict[EdgeItem, Strand] = {}
        self._touched_cards: dict[NodeItem, None] = {}
        self._touched_wires: dict[EdgeItem, None] = {}
        #: The batches of cards as they are drawn, what lies above others last: rectangles and stripes.
        self._boxes: list[tuple[_CardKey, list[QRectF], list[QRectF]]] | None = None

    def touch_card(self, item: NodeItem) -> None:
        """A card has come, or gone, or looks otherwise."""
        self._touched_cards[item] = None

    def touch_wire(self, wire: EdgeItem) -> None:
        """A wire has come, or gone, or leads elsewhere, or looks otherwise."""
        self._touched_wires[wire] = None

    def drop(self, item: NodeItem | EdgeItem) -> None:
        """An item is let go."""
        if isinstance(item, NodeItem):
            self._touched_cards.pop(item, None)
            self._put_card(item, None)
        else:
            self._touched_wires.pop(item, None)
            self._put_wire(item, None)

    def forget(self) -> None:
        """All looks otherwise."""
        nodes, wires = self._scene.drawn()
        self._touched_cards.update(dict.fromkeys(nodes.values()))
        self._touched_wires.update(dict.fromkeys(wires.values()))

    def _put_card(self, item: NodeItem, key: _CardKey | None) -> None:
        """Put a card into a batch; None: into none."""
        before = self._card_keys.get(item)
        if before == key:
            return
        self._boxes = None
        if before is not None:
            del self._cards[before][item]
        if key is None:
            del self._card_keys[item]
        else:
            self._card_keys[item] = key
            self._cards.setdefault(key, {})[item] = None

    def _put_wire(self, wire: EdgeItem, key: _WireKey | None) -> None:
        """Put a wire into a batch, where it leads now; None: into none."""
        strand = self._strands.get(wire)
        if strand is not None:
            strand.path = None
            if strand.key == key:
                return
            del self._strands[wire], strand.wires[wire]
            if not strand.wires:
                self._wires[strand.key].remove(strand)
        if key is not None:
            strands = self._wires.setdefault(key, [])
            if not strands or len(strands[-1].wires) >= STRAND:
                strands.append(Strand(key))
            strands[-1].wires[wire] = None
            strands[-1].path = None
            self._strands[wire] = strands[-1]

    def _batch(self) -> None:
        """Put what has been touched where it belongs."""
        nodes, wires = self._scene.drawn()
        for item in self._touched_cards:
            there = nodes.get(item.id) is item
            self._put_card(item, (_ground(item), item.card.group) if there else None)
        self._touched_cards.clear()
        for wire in self._touched_wires:
            there = wires.get(wire.edge) is wire
            self._put_wire(wire, (wire.dimensions, wire.selected, wire.mark) if there else None)
        self._touched_wires.clear()
        if self._boxes is None:
            batches = sorted(self._cards.items(), key=lambda batch: _height(batch[0][0]))
            self._boxes = [
                (key, [item.far_rect for item in batch], [item.far_stripe for item in batch])
                for key, batch in batches
                if batch
            ]

    def _pen(self, key: _WireKey) -> QPen:
        tools, (dimensions, selected, mark) = self._scene.look, key
        color = tools.accent if selected else QColor(mark) if mark else tools.rank(dimensions)
        return _thin(color, 1.5 if selected or mark else 1.0)

    def paint(self, painter: QPainter) -> None:
        """Draw everything at once, batched by colour."""
        self._batch()
        marks = self._scene.marks.values()
        self._paint_parts(painter, [mark.parts[0] for mark in marks])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for key in sorted(self._wires, key=lambda key: key[1]):  # the selected ones above
            painter.setPen(self._pen(key))
            for strand in self._wires[key]:
                painter.drawPath(strand.whole())
        self._paint_parts(painter, [part for mark in marks for part in mark.parts[1:]])
        self._paint_cards(painter)
        for sketch in (self._scene.guides, self._scene.sketch):
            if not sketch.path().isEmpty():
                painter.setPen(sketch.pen())
                painter.setBrush(sketch.brush())
                painter.drawPath(sketch.path())

    def _paint_parts(self, painter: QPainter, parts: Iterable[QGraphicsItem]) -> None:
        for part in parts:
            painter.save()
            painter.translate(part.pos())
            part.paint(painter, QStyleOptionGraphicsItem())
            painter.restore()

    def paint_map(self, painter: QPainter) -> None:
        """Draw the nodes for the overview: filled with their family's colour."""
        painter.setPen(Qt.PenStyle.NoPen)
        cards: dict[str, list[QRectF]] = {}
        for item in self._scene.drawn()[0].values():
            cards.setdefault(item.card.group, []).append(item.far_rect)
        for group, rects in cards.items():
            painter.setBrush(self._scene.look.family(group))
            painter.drawRects(rects)

    def _paint_cards(self, painter: QPainter) -> None:
        tools = self._scene.look
        dust = card.WIDTH * painter.worldTransform().m11() < DUST
        grounds = {
            "plain": (tools.surface, tools.muted),
            "error": (look.mixed(tools.error, tools.surface, 0.25), tools.error),
            "selected": (look.mixed(tools.accent, tools.surface, 0.35), tools.accent),
        }
        for (kind, group), rects, stripes in self._boxes or ():
            mark = QColor(kind) if kind.startswith("#") else None
            ground, border = grounds[kind] if mark is None else (look.mixed(mark, tools.surface, 0.7), mark)
            if dust:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(tools.family(group) if kind == "plain" else border)
                painter.drawRects(rects)
                continue
            painter.setPen(_thin(border, 1.0))
            painter.setBrush(ground)
            painter.drawRects(rects)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tools.family(group))
            painter.drawRects(stripes)


def _thin(color: QColor, width: float) -> QPen:
    """A pen as wide on the screen, from however far one looks."""
    pen = QPen(color, width)
    pen.setCosmetic(True)
    return pen


def _ground(item: NodeItem) -> str:
    if item.selected:
        return "selected"
    if item.mark is not None:
        return item.mark.color
    return "error" if item.card.severity == "error" else "plain"


def _height(ground: str) -> int:
    """What of overlapping cards is above: the selected, else what has something to say."""
    return {"plain": 0, "selected": 2}.get(ground, 1)
