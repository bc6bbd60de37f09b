"""The drawing from far away: thousands of nodes as a few batches of rectangles and lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem

from gui.canvas import look

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.items import Items
    from gui.canvas.node_item import NodeItem


class FarPainter:
    """Keeps the batches; the rectangles in them are the items' own, and move with them."""

    def __init__(self, scene: Items) -> None:
        self._scene = scene
        self._cards: dict[str, list[QRectF]] | None = None
        self._stripes: dict[str, list[QRectF]] = {}
        self._wires: dict[object, tuple[QPen, list[QLineF]]] | None = None

    def add_card(self, item: NodeItem) -> None:
        """A card has come."""
        if self._cards is not None:
            self._cards.setdefault(_ground(item), []).append(item.far_rect)
            self._stripes.setdefault(item.card.group, []).append(item.far_stripe)

    def add_wire(self, wire: EdgeItem) -> None:
        """A wire has come."""
        if self._wires is not None:
            self._batch(self._wires, wire)

    def forget(self) -> None:
        """Nodes or wires have come, gone or changed their look."""
        self._cards = self._wires = None

    def forget_wires(self) -> None:
        """Wires have moved."""
        self._wires = None

    def paint(self, painter: QPainter) -> None:
        """Draw everything at once, batched by colour."""
        marks = self._scene.marks.values()
        self._paint_parts(painter, [mark.parts[0] for mark in marks])
        if self._wires is None:
            self._wires = {}
            for wire in self._scene.drawn()[1].values():
                self._batch(self._wires, wire)
        for pen, lines in self._wires.values():
            painter.setPen(pen)
            painter.drawLines(lines)
        self._paint_parts(painter, [part for mark in marks for part in mark.parts[1:]])
        if self._cards is None:
            self._cards, self._stripes = {}, {}
            for item in self._scene.drawn()[0].values():
                self._cards.setdefault(_ground(item), []).append(item.far_rect)
                self._stripes.setdefault(item.card.group, []).append(item.far_stripe)
        self._paint_cards(painter, self._cards)
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

    def _batch(self, batches: dict[object, tuple[QPen, list[QLineF]]], wire: EdgeItem) -> None:
        key = (wire.dimensions, wire.selected, wire.mark)
        batch = batches.get(key)
        if batch is None:
            tools, (dimensions, selected, mark) = self._scene.look, key
            color = tools.accent if selected else QColor(mark) if mark else tools.rank(dimensions)
            pen = QPen(color, 1.5 if selected or mark else 1.0)
            pen.setCosmetic(True)
            batch = batches[key] = (pen, [])
        batch[1].extend(wire.far_lines)

    def _paint_cards(self, painter: QPainter, cards: dict[str, list[QRectF]]) -> None:
        tools = self._scene.look
        grounds = {
            "plain": (tools.surface, tools.muted),
            "error": (look.mixed(tools.error, tools.surface, 0.25), tools.error),
            "selected": (look.mixed(tools.accent, tools.surface, 0.35), tools.accent),
        }
        for kind, rects in cards.items():
            mark = QColor(kind) if kind.startswith("#") else None
            ground, border = grounds[kind] if mark is None else (look.mixed(mark, tools.surface, 0.7), mark)
            pen = QPen(border, 1.0)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.setBrush(ground)
            painter.drawRects(rects)
        painter.setPen(Qt.PenStyle.NoPen)
        for group, rects in self._stripes.items():
            painter.setBrush(tools.family(group))
            painter.drawRects(rects)


def _ground(item: NodeItem) -> str:
    if item.selected:
        return "selected"
    if item.mark is not None:
        return item.mark.color
    return "error" if item.card.severity == "error" else "plain"
