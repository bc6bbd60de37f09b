"""The drawing from far away: thousands of nodes as a few batches of rectangles and lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem

from gui.canvas import card, look
from gui.canvas.arrivals import HEIGHT
from gui.canvas.badges import Badges
from gui.canvas.batches import Batches
from gui.canvas.distance import Distance
from gui.canvas.node_item import NodeItem

if TYPE_CHECKING:
    from gui.canvas.edge_item import EdgeItem
    from gui.canvas.items import Items


#: Wires that agree in this are drawn together: dimensions, whether selected, a measure's colour.
_WireKey = tuple[int | None, bool, str | None]
#: And cards: ground ("plain", "error" or a measure's colour), and family.
_CardKey = tuple[str, str]
#: Rectangles of some cards, and their stripes.
_Boxes = tuple[list[QRectF], list[QRectF]]

#: So many cards, and so many wires, are put together anew where one of them changes: a millisecond's work at
#: most, while thousands are still few calls.
CARDS, WIRES = 512, 128
#: In the overview, how much of its colour a card has at least that is smaller than a pixel.
TRACE = 0.45


class FarPainter:
    """Keeps the batches; the rectangles in them are the items' own, and move with them.

    What has been touched since is put into its batch when the drawing is painted from far away again.
    """

    def __init__(self, scene: Items) -> None:
        self._scene = scene
        self._cards = Batches[NodeItem, _CardKey, _Boxes](_boxes, CARDS)
        # As one path: Qt draws it in half the time that its lines take.
        self._wires = Batches["EdgeItem", _WireKey, QPainterPath](_path, WIRES)
        self._touched_cards: dict[NodeItem, None] = {}
        self._touched_wires: dict[EdgeItem, None] = {}
        #: The selected cards once more, above all; None: others are selected now.
        self._above: dict[_CardKey, _Boxes] | None = None
        #: Whether all cards are selected: then none need be drawn twice.
        self._all_chosen = False
        #: What is wrong is known by its shape: a measure's colours are red too.
        self._badges = Badges()

    def touch_card(self, item: NodeItem) -> None:
        """A card has come, or goes, or looks otherwise."""
        if not item.gone:  # else nothing would ever let it go
            self._touched_cards[item] = None

    def touch_choice(self) -> None:
        """Others are selected."""
        self._above = None

    def touch_wire(self, wire: EdgeItem) -> None:
        """A wire has come, or goes, or leads elsewhere, or looks otherwise."""
        if not wire.gone:
            self._touched_wires[wire] = None

    def drop(self, item: NodeItem | EdgeItem) -> None:
        """An item is let go."""
        if isinstance(item, NodeItem):
            self._touched_cards.pop(item, None)
            self._badges.put(item, False)
            self._put_card(item, None)
        else:
            self._touched_wires.pop(item, None)
            self._wires.put(item, None)

    def forget(self) -> None:
        """All looks otherwise."""
        nodes, wires = self._scene.drawn()
        self._touched_cards.update(dict.fromkeys(nodes.values()))
        self._touched_wires.update(dict.fromkeys(wires.values()))

    def _put_card(self, item: NodeItem, key: _CardKey | None) -> None:
        comes = item not in self._cards
        if not self._cards.put(item, key):
            return
        if comes and key is not None and self._above is not None and item.selected and not self._all_chosen:
            rects, stripes = self._above.setdefault(key, ([], []))  # as the last one, which it is
            rects.append(item.far_rect)
            stripes.append(item.far_stripe)
        elif key is None or item.selected or self._all_chosen:
            self._above = None

    def clear(self) -> None:
        """Nothing is there any more."""
        self._touched_cards.clear()
        self._touched_wires.clear()
        self._cards.clear()
        self._wires.clear()
        self._badges.clear()
        self._above = None

    def sort_in(self) -> None:
        """Put what has been touched where it belongs."""
        nodes, wires = self._scene.drawn()
        for item in self._touched_cards:
            there = nodes.get(item.id) is item
            self._badges.put(item, there and item.card.severity == "error")
            self._put_card(item, (_ground(item), item.card.group) if there else None)
        self._touched_cards.clear()
        for wire in self._touched_wires:
            there = wires.get(wire.edge) is wire
            key = (wire.dimensions, wire.selected, wire.mark) if there else None
            self._wires.put(wire, key, changed=True)
        self._touched_wires.clear()

    def _batch(self) -> None:
        """Have ready all that is drawn."""
        self.sort_in()
        if self._above is None:
            nodes = self._scene.drawn()[0]
            self._above = {}
            self._all_chosen = self._scene.chosen >= nodes.keys()
            if self._scene.chosen and not self._all_chosen:
                chosen: dict[_CardKey, list[NodeItem]] = {}
                for id, item in nodes.items():
                    if id in self._scene.chosen:
                        chosen.setdefault((_ground(item), item.card.group), []).append(item)
                self._above = {key: _boxes(items) for key, items in chosen.items()}

    def _pen(self, key: _WireKey, distance: Distance) -> QPen:
        tools, (dimensions, selected, mark) = self._scene.look, key
        color = tools.accent if selected else QColor(mark) if mark else distance.wire(tools.rank(dimensions))
        return _thin(color, 1.5 if selected or (mark and not distance.dust) else 1.0)

    def paint(self, painter: QPainter) -> None:
        """Draw everything at once, batched by colour."""
        self._batch()
        distance = Distance.of(painter.worldTransform().m11(), self._scene.look)
        marks = self._scene.marks.values()
        self._paint_parts(painter, [mark.parts[0] for mark in marks])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for key, paths in self._wires.drawn(lambda key: key[1]):  # the selected ones above
            painter.setPen(self._pen(key, distance))
            for path in paths:
                painter.drawPath(path)
        self._paint_cards(painter, distance)
        self._badges.paint(painter, self._scene.look)
        self._paint_titles(painter)
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

    def _paint_titles(self, painter: QPainter) -> None:
        """The frames' titles, the largest frames' first: a smaller one gives way to these."""
        taken: list[QRectF] = []
        for frame in sorted(
            self._scene.frames(), key=lambda frame: -frame.rect.width() * frame.rect.height()
        ):
            painter.save()
            painter.translate(frame.title.pos())
            frame.title.paint_caption(painter, taken)
            painter.restore()

    def paint_map(self, painter: QPainter) -> None:
        """Draw the nodes for the overview: filled with their family's colour.

        However small, each leaves a trace: where many share a pixel, it is the fuller for it.
        """
        self._batch()
        tools = self._scene.look
        batches = [
            (tools.family(group), rects)
            for (_, group), pieces in self._cards.drawn(lambda key: key[1])
            for rects, _ in pieces
        ]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if painter.worldTransform().m11() ** 2 * card.WIDTH * HEIGHT < 0.4:  # far less than a pixel
            for color, rects in batches:
                painter.setPen(_thin(look.mixed(color, tools.surface, TRACE), 1.0))
                painter.drawPoints(QPolygonF([rect.center() for rect in rects]))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for color, rects in batches:
            painter.setBrush(color)
            painter.drawRects(rects)

    def _paint_cards(self, painter: QPainter, distance: Distance) -> None:
        tools, dust = self._scene.look, distance.dust
        beneath = self._cards.drawn(lambda key: key[0] != "plain")
        batches = [(key, pieces, self._all_chosen) for key, pieces in beneath]
        batches += [(key, [boxes], True) for key, boxes in (self._above or {}).items()]
        for (kind, group), pieces, selected in batches:
            ground, border = self._colors(kind, group, distance)
            if selected:  # what is measured or wrong keeps its colour
                border = tools.accent
                if kind == "plain":
                    ground = distance.ground(border, 0.35)
            if dust and (kind == "plain" or not selected):
                painter.setPen(Qt.PenStyle.NoPen)
            else:
                painter.setPen(_thin(border, 2.0 if selected and not dust else 1.0))
            painter.setBrush(ground)
            for rects, _ in pieces:
                painter.drawRects(rects)
            if dust:
                continue
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tools.family(group))
            for _, stripes in pieces:
                painter.drawRects(stripes)

    def _colors(self, kind: str, group: str, distance: Distance) -> tuple[QColor, QColor]:
        """Ground and border of cards that are not selected."""
        tools = self._scene.look
        if kind.startswith("#"):
            return distance.ground(QColor(kind), 0.7), QColor(kind)
        if self._scene.measured:  # beside measured ones other colours would pass for figures
            grey = look.mixed(tools.muted, tools.surface, 0.4)
            return distance.ground(grey, look.TINT), distance.border(grey)
        if kind == "error":
            return distance.ground(tools.error, 0.25), tools.error
        color = tools.family(group)
        return distance.ground(color, look.TINT), distance.border(color)


def _thin(color: QColor, width: float) -> QPen:
    """A pen as wide on the screen, from however far one looks."""
    pen = QPen(color, width)
    pen.setCosmetic(True)
    return pen


def _boxes(items: Iterable[NodeItem]) -> _Boxes:
    cards = list(items)
    return [item.far_rect for item in cards], [item.far_stripe for item in cards]


def _path(wires: Iterable[EdgeItem]) -> QPainterPath:
    path = QPainterPath()
    for wire in wires:
        path.addPolygon(wire.far_way)
    return path


def _ground(item: NodeItem) -> str:
    if item.mark is not None:
        return item.mark.color
    return "error" if item.card.severity == "error" else "plain"
