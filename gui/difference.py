"""The difference between two networks, as a picture and in words.

Used wherever a version is offered: after a crash, from the history, when another program has
changed the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QListWidget, QSplitter, QVBoxLayout, QWidget

from engine import diff
from engine.network import Edge, Network
from gui.canvas import card, layout
from gui.canvas.edge_item import wire_path
from gui.canvas.routing import detour
from gui.theme import SPACE, theme

#: Differences that are listed in words; a person reads no more.
MOST_WORDS = 400
_HEIGHT = 56.0
#: In larger networks wires go straight: around what stands between takes long to find, and is not seen.
_ROUTED = 300
#: Kind of change -> (colour, sign). The sign says it without colour.
_LOOK = {"added": ("good", "+"), "removed": ("error", "−"), "changed": ("warning", "~"), "same": ("line", "")}


@dataclass(frozen=True)
class Compared:
    """Both networks in one, each node and wire with what became of it."""

    union: Network
    nodes: dict[str, str]
    edges: dict[Edge, str]
    #: The differences that mean something, in words.
    words: tuple[str, ...]


def compare(before: Network, after: Network) -> Compared:
    """What became of each node and wire from `before` to `after`."""
    found = diff.changes(before, after)
    touched = {change.path[1] for change in found if change.path[0] == "nodes" and len(change.path) > 2}
    blocks = {change.path[1] for change in found if change.path[0] == "blocks"}
    nodes = {}
    for id, node in {**before.nodes, **after.nodes}.items():
        if id not in after.nodes:
            nodes[id] = "removed"
        elif id not in before.nodes:
            nodes[id] = "added"
        else:
            nodes[id] = "changed" if id in touched or node.block in blocks else "same"
    left, right = set(before.edges), set(after.edges)
    edges = {edge: "removed" for edge in before.edges if edge not in right}
    edges |= {edge: "same" if edge in left else "added" for edge in after.edges}
    union = replace(
        after,
        nodes={**before.nodes, **after.nodes},
        edges=tuple(edges),
        view={"positions": {**before.positions(), **after.positions()}},
    )
    words = tuple(str(change) for change in found if change.path[0] != "view")
    return Compared(union, nodes, edges, words)


class Picture(QWidget):
    """A small drawing of both networks in one: what came, what went, what changed."""

    def __init__(self, compared: Compared, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._compared = compared
        union = compared.union
        written = {id: (float(at[0]), float(at[1])) for id, at in union.positions().items()}
        self._places = {
            id: QPointF(*at)
            for id, at in {**written, **layout.complete(union, {})}.items()
            if id in compared.nodes
        }
        counts = {kind: list(compared.nodes.values()).count(kind) for kind in ("added", "removed", "changed")}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        self.setAccessibleName(f"Layers: {told or 'all the same'}")
        self._rects = {id: QRectF(at.x(), at.y(), card.WIDTH, _HEIGHT) for id, at in self._places.items()}
        rects = self._rects
        in_the_way = list(rects.values()) if len(rects) <= _ROUTED else []
        self._wires = [
            (kind, _wire(rects[edge.source.node], rects[edge.target.node], in_the_way))
            for edge, kind in compared.edges.items()
            if edge.source.node in rects and edge.target.node in rects
        ]
        self.bounds = QRectF()
        for box in (*rects.values(), *(wire.boundingRect() for _, wire in self._wires)):
            self.bounds = self.bounds.united(box)
        self.setMinimumSize(240, 140)

    def sizeHint(self) -> QSize:
        """Room for a few layers."""
        return QSize(640, 260)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Fit all of it into the widget."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.tokens.canvas))
        if not self._places:
            painter.setPen(QColor(theme.tokens.muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No layers")
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        margin = 4.0 * SPACE
        scale = min(
            1.0,
            (self.width() - 2 * margin) / max(self.bounds.width(), 1.0),
            (self.height() - 2 * margin) / max(self.bounds.height(), 1.0),
        )
        painter.translate(self.rect().center())
        painter.scale(scale, scale)
        painter.translate(-self.bounds.center())
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for kind, wire in self._wires:
            painter.setPen(_pen(kind, "wire"))
            painter.drawPath(wire)
        for id, rect in self._rects.items():
            self._paint_node(painter, id, rect, scale)

    def _paint_node(self, painter: QPainter, id: str, rect: QRectF, scale: float) -> None:
        kind = self._compared.nodes[id]
        painter.setPen(_pen(kind, "line"))
        painter.setBrush(QColor(theme.tokens.surface))
        painter.drawRoundedRect(rect, 8, 8)
        if scale * 13 < 5:  # too small to be read
            return
        sign = _LOOK[kind][1]
        inner = rect.adjusted(10, 6, -10, -6)
        painter.setPen(QColor(theme.tokens.text))
        metrics = painter.fontMetrics()
        name = metrics.elidedText(f"{sign} {id}".strip(), Qt.TextElideMode.ElideRight, int(inner.width()))
        painter.drawText(inner, Qt.AlignmentFlag.AlignTop, name)
        painter.setPen(QColor(theme.tokens.muted))
        type = self._compared.union.nodes[id].type
        painter.drawText(
            inner,
            Qt.AlignmentFlag.AlignBottom,
            metrics.elidedText(type, Qt.TextElideMode.ElideRight, int(inner.width())),
        )


def _pen(kind: str, plain: str) -> QPen:
    color = plain if kind == "same" else _LOOK[kind][0]
    pen = QPen(QColor(getattr(theme.tokens, color)), 1.5 if kind == "same" else 3.0)
    if kind == "removed":
        pen.setStyle(Qt.PenStyle.DashLine)
    return pen


def _wire(source: QRectF, target: QRectF, cards: Sequence[QRectF]) -> QPainterPath:
    """As the canvas draws it: around what stands between."""
    start = QPointF(source.right(), source.center().y())
    end = QPointF(target.left(), target.center().y())
    return wire_path(
        start, end, detour(start, end, False, lambda area: [r for r in cards if r.intersects(area)])
    )


class DifferenceView(QWidget):
    """Picture above, words below."""

    def __init__(self, before: Network, after: Network, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.compared = compare(before, after)
        self.picture = Picture(self.compared)
        self.words = QListWidget()
        self.words.setAccessibleName("Differences")
        self.words.addItems(list(self.compared.words[:MOST_WORDS]))
        more = len(self.compared.words) - MOST_WORDS
        if more > 0:
            self.words.addItem(f"… and {more:,} more")
        if not self.compared.words:
            self.words.addItem("No difference but in the layout.")
        for row in range(self.words.count()):
            color = {"+": "good", "-": "error", "~": "warning"}.get(self.words.item(row).text()[:1], "text")
            self.words.item(row).setForeground(QColor(getattr(theme.tokens, color)))
        legend = QLabel("+ added    − removed    ~ changed")
        legend.setProperty("role", "muted")
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.picture)
        split.addWidget(self.words)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(split, 1)
        column.addWidget(legend)
