"""The drawing from far away: thousands of nodes as a few batches of rectangles and lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem

from gui.canvas import look
from gui.canvas.node_item import NodeItem

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.items import Items


#: Wires that agree in this are drawn together: dimensions, whether selected, a measure's colour.
_WireKey = tuple[int | None, bool, str | None]


class FarPainter:
    """Keeps the batches; the rectangles in them are the items' own, and move with them.

    What has been touched since is put into its batch when the drawing is painted from far away again.
    """

    def __init__(self, scene: Items) -> None:
        self._scene = scene
        self._cards: dict[str, dict[NodeItem, QRectF]] = {}
        self._stripes: dict[str, dict[NodeItem, QRectF]] = {}
        #: In which batches each card is: by its ground and by its stripe.
        self._card_keys: dict[NodeItem, tuple[str, str]] = {}
        self._wires: dict[_WireKey, dict[EdgeItem, list[QLineF]]] = {}
        self._wire_keys: dict[EdgeItem, _WireKey] = {}
        self._touched_cards: dict[NodeItem, None] = {}
        self._touched_wires: dict[EdgeItem, None] = {}
        #: The wires' batches as they are drawn.
        self._lines: list[tuple[QPen, list[QLineF]]] = []

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
            self._take_card(item)
        else:
            self._touched_wires.pop(item, None)
            self._take_wire(item)

    def forget(self) -> None:
        """All looks otherwise."""
        nodes, wires = self._scene.drawn()
        self._lines = []
        self._touched_cards.update(dict.fromkeys(nodes.values()))
        self._touched_wires.update(dict.fromkeys(wires.values()))

    def _take_card(self, item: NodeItem) -> None:
        key = self._card_keys.pop(item, None)
        if key is not None:
            del self._cards[key[0]][item], self._stripes[key[1]][item]

    def _take_wire(self, wire: EdgeItem) -> None:
        if wire in self._wire_keys:
            del self._wires[self._wire_keys.pop(wire)][wire]
            self._lines = []

    def _batch(self) -> None:
        """Put what has been touched where it belongs."""
        nodes, wires = self._scene.drawn()
        for item in self._touched_cards:
            self._take_card(item)
            if nodes.get(item.id) is item:
                ground, group = self._card_keys[item] = (_ground(item), item.card.group)
                self._cards.setdefault(ground, {})[item] = item.far_rect
                self._stripes.setdefault(group, {})[item] = item.far_stripe
        for wire in self._touched_wires:
            self._take_wire(wire)
            if wires.get(wire.edge) is wire:
                key = self._wire_keys[wire] = (wire.dimensions, wire.selected, wire.mark)
                self._wires.setdefault(key, {})[wire] = wire.far_lines
        self._touched_cards.clear()
        if self._touched_wires or not self._lines:
            self._touched_wires.clear()
            self._lines = [
                (self._pen(key), [line for lines in batch.values() for line in lines])
                for key, batch in sorted(self._wires.items(), key=lambda item: item[0][1])  # selected above
                if batch
            ]

    def _pen(self, key: _WireKey) -> QPen:
        tools, (dimensions, selected, mark) = self._scene.look, key
        color = tools.accent if selected else QColor(mark) if mark else tools.rank(dimensions)
        pen = QPen(color, 1.5 if selected or mark else 1.0)
        pen.setCosmetic(True)
        return pen

    def paint(self, painter: QPainter) -> None:
        """Draw everything at once, batched by colour."""
        self._batch()
        marks = self._scene.marks.values()
        self._paint_parts(painter, [mark.parts[0] for mark in marks])
        for pen, lines in self._lines:
            painter.setPen(pen)
            painter.drawLines(lines)
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
        grounds = {
            "plain": (tools.surface, tools.muted),
            "error": (look.mixed(tools.error, tools.surface, 0.25), tools.error),
            "selected": (look.mixed(tools.accent, tools.surface, 0.35), tools.accent),
        }
        for kind, rects in sorted(self._cards.items(), key=lambda item: _height(item[0])):
            if not rects:
                continue
            mark = QColor(kind) if kind.startswith("#") else None
            ground, border = grounds[kind] if mark is None else (look.mixed(mark, tools.surface, 0.7), mark)
            pen = QPen(border, 1.0)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.setBrush(ground)
            painter.drawRects(list(rects.values()))
        painter.setPen(Qt.PenStyle.NoPen)
        for group, rects in self._stripes.items():
            painter.setBrush(tools.family(group))
            painter.drawRects(list(rects.values()))


def _ground(item: NodeItem) -> str:
    if item.selected:
        return "selected"
    if item.mark is not None:
        return item.mark.color
    return "error" if item.card.severity == "error" else "plain"


def _height(ground: str) -> int:
    """What of overlapping cards is above: the selected, else what has something to say."""
    return {"plain": 0, "selected": 2}.get(ground, 1)
