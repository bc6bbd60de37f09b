"""The difference between two networks, as a picture and in words.

Used wherever a version is offered: after a crash, from the history, when another program has
changed the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QTransform
from PySide6.QtWidgets import QLabel, QListWidget, QSplitter, QVBoxLayout, QWidget

from engine import diff
from engine.edit_view import Frame, Mark, Note, Point, bends, marks
from engine.network import Edge, Network
from gui.canvas import captions, card, layout, look
from gui.canvas.edge_item import bent_path, wire_path
from gui.canvas.marks import color_of
from gui.canvas.routing import detour
from gui.theme import SPACE, theme

#: Differences that are listed in words; a person reads no more.
MOST_WORDS = 400
_HEIGHT = 56.0
#: In larger networks wires go straight: around what stands between takes long to find, and is not seen.
_ROUTED = 300
#: Kind of change -> (colour, sign). The sign says it without colour.
_LOOK = {"added": ("good", "+"), "removed": ("error", "−"), "changed": ("warning", "~"), "same": ("wire", "")}
_Drawn = TypeVar("_Drawn")
#: Below so many pixels on the screen letters are not drawn, and a card is a block of its colour.
_LETTERS = 7.0
#: Sides of the smallest block: one that is the same, and one that is not and must be found among thousands.
_SAME, _OTHER = 3.0, 6.0
#: The smallest block with its name in it.
_NAMED = QSizeF(34.0, 11.0)


@dataclass(frozen=True)
class Compared:
    """Both networks in one, each node and wire with what became of it."""

    union: Network
    nodes: dict[str, str]
    edges: dict[Edge, str]
    #: Frames and notes of the top level, and what became of each.
    marks: dict[str, tuple[Mark, str]]
    #: Through which points wires of the top level are led.
    bends: dict[Edge, tuple[Point, ...]]
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
    bent = {block: _compare_bends(before, after, block) for block in (None, *after.blocks)}
    edges |= dict.fromkeys(bent[None], "changed")
    union = replace(
        after,
        nodes={**before.nodes, **after.nodes},
        edges=tuple(edges),
        view={"positions": {**before.positions(), **after.positions()}},
    )
    drawn = _compare_marks(marks(before), marks(after))
    words = [str(change) for change in found if change.path[0] != "view"]
    words += [said for mark, kind in drawn.values() if (said := _words_of(mark, kind))]
    words += [
        f"~ wire {f'{block}: ' * (block is not None)}{edge.source} → {edge.target}: {how}"
        for block, wires in bent.items()
        for edge, how in wires.items()
    ]
    return Compared(union, nodes, edges, drawn, {**bends(before), **bends(after)}, tuple(words))


def _compare_bends(before: Network, after: Network, block: str | None) -> dict[Edge, str]:
    """The wires that are there in both and led otherwise, with how they differ."""
    if block is not None and block not in before.blocks:
        return {}
    old, new = bends(before, block), bends(after, block)
    there = set(before.graph(block).edges) & set(after.graph(block).edges) if old != new else set()
    found = {}
    for edge in dict.fromkeys((*old, *new)):
        was, now = old.get(edge, ()), new.get(edge, ())
        if edge in there and not _alike(was, now, edge, before.positions(block), after.positions(block)):
            found[edge] = "bent" if not was else "bent differently" if now else "no longer bent"
    return found


def _alike(
    was: Sequence[Point],
    now: Sequence[Point],
    edge: Edge,
    before: Mapping[str, Sequence[float]],
    after: Mapping[str, Sequence[float]],
) -> bool:
    """Whether a wire is led as it was, perhaps moved along with one of its layers."""
    if len(was) != len(now):
        return False
    steps = {(round(x - a, 3), round(y - b, 3)) for (a, b), (x, y) in zip(was, now, strict=True)}
    moved = {(0.0, 0.0)}
    for id in (edge.source.node, edge.target.node):
        if id in before and id in after:
            moved.add((round(after[id][0] - before[id][0], 3), round(after[id][1] - before[id][1], 3)))
    return len(steps) < 2 and steps <= moved


def _compare_marks(before: dict[str, Mark], after: dict[str, Mark]) -> dict[str, tuple[Mark, str]]:
    found = {id: (mark, "removed") for id, mark in before.items() if id not in after}
    for id, mark in after.items():
        old = before.get(id)
        # Where it stands is layout, as it is of a card.
        same = old is not None and old._replace(rect=mark.rect) == mark
        found[id] = (mark, "added" if old is None else "same" if same else "changed")
    return found


def _words_of(mark: Mark, kind: str) -> str:
    """What is said of a frame or note; empty where it is the same."""
    if kind == "same":
        return ""
    sign = {"added": "+", "removed": "-", "changed": "~"}[kind]
    name = "frame" if isinstance(mark, Frame) else "note"
    said = " ".join((mark.title if isinstance(mark, Frame) else mark.text).split())
    said = said if len(said) <= 120 else said[:117] + "…"
    return f"{sign} {name}: {said}" if said else f"{sign} {name}"


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
            (
                kind,
                _wire(
                    rects[edge.source.node], rects[edge.target.node], in_the_way, compared.bends.get(edge, ())
                ),
            )
            for edge, kind in compared.edges.items()
            if edge.source.node in rects and edge.target.node in rects
        ]
        self._marks = [(QRectF(*mark.rect), mark, kind) for mark, kind in compared.marks.values()]
        self.bounds = QRectF()
        drawn = (*rects.values(), *(wire.boundingRect() for _, wire in self._wires))
        for box in (*drawn, *(area for area, _, _ in self._marks)):
            self.bounds = self.bounds.united(box)
        self.setMinimumSize(240, 140)

    def sizeHint(self) -> QSize:
        """Room for a few layers."""
        return QSize(640, 260)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Fit all of it into the widget: what is the same below what is not."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.tokens.canvas))
        if not self._places and not self._marks:
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
        for area, mark, kind in self._marks:
            if isinstance(mark, Frame):
                self._paint_frame(painter, area, mark, kind)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for kind, wire in _changed_last(self._wires):
            painter.setPen(_pen(kind))
            painter.drawPath(wire)
        nodes = self._compared.nodes
        for kind, id in _changed_last((nodes[id], id) for id in self._rects):
            if scale * 13 < _LETTERS:
                _paint_block(painter, self._rects[id], id, kind)
            else:
                self._paint_node(painter, id, self._rects[id])
        taken: list[QRectF] = []
        for area, mark, kind in self._marks:
            if isinstance(mark, Note):
                self._paint_note(painter, area, mark, kind)
        for area, mark, kind in sorted(self._marks, key=lambda one: one[2] == "same"):
            said = f"{_LOOK[kind][1]} {mark.title}".strip() if isinstance(mark, Frame) else ""
            if said:
                ground, ink = self._mark_color(mark, kind), QColor(theme.tokens.canvas)
                captions.title(painter, area, said, ground, ink, taken)

    def _mark_color(self, mark: Mark, kind: str) -> QColor:
        if kind == "same" and isinstance(mark, Frame):
            return color_of(mark.color, look.Look(theme.tokens))
        return QColor(getattr(theme.tokens, _LOOK[kind][0]))

    def _paint_frame(self, painter: QPainter, area: QRectF, mark: Frame, kind: str) -> None:
        color = self._mark_color(mark, kind)
        painter.setPen(_pen(kind, color))
        ground = QColor(color)
        ground.setAlphaF(0.12)
        painter.setBrush(ground)
        painter.drawRect(area)

    def _paint_note(self, painter: QPainter, area: QRectF, note: Note, kind: str) -> None:
        painter.setPen(_pen(kind))
        painter.setBrush(QColor(theme.tokens.raised))
        painter.drawRect(area)
        words = f"{_LOOK[kind][1]} {note.text}".strip().splitlines()
        captions.lines(painter, area, (line for line in words if line.strip()), QColor(theme.tokens.text))

    def _paint_node(self, painter: QPainter, id: str, rect: QRectF) -> None:
        kind = self._compared.nodes[id]
        painter.setPen(_pen(kind))
        painter.setBrush(QColor(theme.tokens.surface))
        painter.drawRoundedRect(rect, 8, 8)
        sign = _LOOK[kind][1]
        inner = rect.adjusted(10, 6, -10, -6)
        painter.setPen(QColor(theme.tokens.text))
        metrics = painter.fontMetrics()
        name = metrics.elidedText(f"{sign} {id}".strip(), Qt.TextElideMode.ElideMiddle, int(inner.width()))
        painter.drawText(inner, Qt.AlignmentFlag.AlignTop, name)
        painter.setPen(QColor(theme.tokens.muted))
        type = self._compared.union.nodes[id].type
        painter.drawText(
            inner,
            Qt.AlignmentFlag.AlignBottom,
            metrics.elidedText(type, Qt.TextElideMode.ElideRight, int(inner.width())),
        )


def _changed_last(drawn: Iterable[tuple[str, _Drawn]]) -> list[tuple[str, _Drawn]]:
    """What is the same first, so that it hides nothing of the rest."""
    return sorted(drawn, key=lambda one: one[0] != "same")


def _paint_block(painter: QPainter, rect: QRectF, id: str, kind: str) -> None:
    """A card from afar: its name alone, or a block of its colour, large enough to be seen."""
    transform = painter.worldTransform()
    shown = transform.mapRect(rect)
    least = _SAME if kind == "same" else _OTHER
    middle = shown.center()
    shown.setWidth(max(shown.width(), least))
    shown.setHeight(max(shown.height(), least))
    shown.moveCenter(middle)
    painter.setWorldTransform(QTransform())
    color = QColor(getattr(theme.tokens, _LOOK[kind][0]))
    if shown.width() >= _NAMED.width() and shown.height() >= _NAMED.height():
        painter.setPen(_pen(kind))
        painter.setBrush(QColor(theme.tokens.surface))
        painter.drawRoundedRect(shown, 3, 3)
        painter.setPen(QColor(theme.tokens.text))
        painter.setFont(look.font(11))
        middle_cut = Qt.TextElideMode.ElideMiddle
        said = look.elided(f"{_LOOK[kind][1]}{id}", 11, shown.width() - 4, mode=middle_cut)
        painter.drawText(shown, Qt.AlignmentFlag.AlignCenter, said)
        painter.setWorldTransform(transform)
        return
    if kind == "same":
        color = QColor(theme.tokens.muted)
    painter.setPen(Qt.PenStyle.NoPen if kind != "removed" else QPen(color, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush if kind == "removed" else color)
    painter.drawRect(shown)
    painter.setWorldTransform(transform)


def _pen(kind: str, color: QColor | None = None) -> QPen:
    """As wide on the screen from however far."""
    pen = QPen(color or QColor(getattr(theme.tokens, _LOOK[kind][0])), 1.0 if kind == "same" else 2.0)
    pen.setCosmetic(True)
    if kind == "removed":
        pen.setStyle(Qt.PenStyle.DashLine)
    return pen


def _wire(source: QRectF, target: QRectF, cards: Sequence[QRectF], bends: Iterable[Point]) -> QPainterPath:
    """As the canvas draws it: through its own points, else around what stands between."""
    start = QPointF(source.right(), source.center().y())
    end = QPointF(target.left(), target.center().y())
    if led := tuple(QPointF(*point) for point in bends):
        return bent_path(start, led, end)
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
