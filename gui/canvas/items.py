"""Cards, wires and marks as they look: theme, measure, selection, and where they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsPathItem

from engine.network import Edge
from gui.canvas import look
from gui.canvas.edge_item import EdgeItem, wire_path
from gui.canvas.far import FarPainter
from gui.canvas.finding import Finder
from gui.canvas.ghosts import Ghosts
from gui.canvas.levels import FAR, NEAR
from gui.canvas.overlay import Mark
from gui.canvas.pictures import Pictures
from gui.theme import Tokens, theme

Place = tuple[float, float]

#: The scene's rectangle grows in steps of this, so that the index is seldom rebuilt.
STEP = 16384.0
#: So many cards lie above the others while they are selected; of more, all are painted at once.
FEW = 64


class Items(Finder):
    """What is drawn of one graph, whatever the document says."""

    #: Something that the minimap shows has changed.
    altered = Signal()
    #: Wires have found another way.
    rerouted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.look = look.Look(theme.tokens)
        self.detail = NEAR
        #: Places of nodes for which the document has none; kept when they go, for undo brings them back.
        self.placed: dict[str, Place] = {}
        #: Where cards stand that are shown on their way there.
        self._ends: dict[str, Place] = {}
        self._measured: Mapping[str, Mark] = {}
        #: Whether wires take its colours too.
        self._wires_measured = False
        #: What is marked as selected; cards ask it. Only :meth:`select` and who lets cards go change it.
        self.chosen: set[str] = set()
        self._chosen_wires: set[Edge] = set()
        #: What lies above the other cards.
        self._lifted: set[str] = set()
        #: Cards as pictures, for the view.
        self.pictures = Pictures()
        #: Draws the whole from far away.
        self.far = FarPainter(self)
        #: Drawn over everything during a gesture: the pending wire, guides, the rubber band.
        self.sketch = QGraphicsPathItem()
        self.sketch.setZValue(10)
        self.guides = QGraphicsPathItem()
        self.guides.setZValue(9)
        self.addItem(self.sketch)
        #: Nodes that an edit has dropped from what is being trained.
        self.ghosts = Ghosts(self)
        self.addItem(self.ghosts)
        self.addItem(self.guides)
        self.setSceneRect(QRectF(-STEP, -STEP, 2 * STEP, 2 * STEP))

    @property
    def measured(self) -> bool:
        """Whether cards take the colours of a measure."""
        return bool(self._measured)

    def sort_in(self) -> None:
        """Have sorted in what has come or moved, for the drawing from far away and the overview too."""
        super().sort_in()
        self.far.sort_in()

    def set_overlay(self, marks: Mapping[str, Mark]) -> None:
        """Mark nodes with what a measure says of them; those that are not named lose theirs."""
        if not marks and not self._measured:
            return  # as after nearly every edit
        self._measured = marks
        self._wires_measured = any(mark.wires for mark in marks.values())
        nodes, wires = self.drawn()  # what is still to come takes its mark when it comes
        for id, item in nodes.items():
            mark = marks.get(id)
            if mark != item.mark:
                item.mark = mark
                item.update()
                self.far.touch_card(item)
        for wire in wires.values():
            self._colour(wire)

    def _colour(self, wire: EdgeItem) -> None:
        """Colour a wire by the measure, as the node that it leaves, else as the one that it reaches.

        Of neither it may say anything: then the wire steps back, lest its own colour be taken for a figure.
        """
        mark = wire.source.mark or wire.target.mark
        if not self._wires_measured:
            color = None
        else:
            color = self.look.unknown_wire.name() if mark is None else mark.color
        if color != wire.mark:
            wire.mark = color
            wire.restyle()

    def show_ghosts(self, ghosts: Mapping[str, tuple[tuple[float, float] | None, str]]) -> None:
        """Outline nodes that are gone: id -> (where it was, what is said of it).

        A node that had no place in the document is outlined where it was last drawn.
        """
        known = {id: place or self.placed.get(id) for id, (place, _) in ghosts.items()}
        self.ghosts.show_gone({id: (at, ghosts[id][1]) for id, at in known.items() if at is not None})

    def restyle(self, tokens: Tokens | None = None) -> None:
        """Take these colours; None: the theme's, anew."""
        self.look = look.Look(tokens or theme.tokens)
        for wire in self.wires.values():
            self._colour(wire)
            wire.restyle()
        self._stale()
        self.update()

    def select(self, nodes: Iterable[str], edges: Iterable[Edge], marks: Iterable[str] = ()) -> None:
        """Mark these as selected, and no others."""
        held = set(marks)
        for id, mark in self.marks.items():
            if mark.selected != (id in held):
                mark.selected = id in held
                for part in mark.parts:
                    part.update()
        chosen, wires = set(nodes), set(edges)
        changed = chosen ^ self.chosen
        self.chosen = chosen
        if changed:
            self.far.touch_choice()
        if len(changed) > FEW:
            self.update()
        else:
            for id in changed:
                if id in self._nodes:
                    self._nodes[id].update()
        lifted = chosen if len(chosen) <= FEW else set()
        for id in lifted ^ self._lifted:
            if id in self._nodes:
                self._nodes[id].setZValue(2 if id in lifted else 1)
        self._lifted = lifted
        for edge in wires ^ self._chosen_wires:
            wire = self._wires.get(edge)
            if wire is not None:
                wire.selected = edge in wires
                wire.restyle()
        self._chosen_wires = wires

    # ------------------------------------------------------------------ geometry

    @property
    def gliding(self) -> bool:
        """Whether cards are shown on their way to where an edit has put them."""
        return bool(self._ends)

    def positions(self) -> dict[str, Place]:
        """Where all nodes stand."""
        return {**super().positions(), **self._ends}

    def glide(self, ways: Mapping[str, tuple[Place, Place]], share: float) -> None:
        """Show cards at `share` of their ways, each from a place to another; :meth:`land` ends it."""
        self._ends = {id: end for id, (_, end) in ways.items()}
        places = {
            id: (x + (to - x) * share, y + (down - y) * share) for id, ((x, y), (to, down)) in ways.items()
        }
        if self.detail != FAR:
            self.drag(places)
            return
        wires: set[EdgeItem] = set()
        for id, place in places.items():
            item = self._nodes.get(id)
            if item is not None:
                item.show_at(*place)
                wires |= item.edges
        for wire in wires:
            wire.cut_short()

    def drag(self, places: Mapping[str, Place]) -> None:
        """Move items while a gesture lasts; the document is told at its end."""
        wires: set[EdgeItem] = set()
        for id, (x, y) in places.items():
            item = self._nodes.get(id)
            if item is not None:
                item.place(x, y)
                wires |= item.edges
        for wire in wires:
            if not wire.move_along():
                wire.detour, wire.routed = None, False
                wire.follow()
        self._content = None

    def wires_moved(self) -> None:
        """Wires lead elsewhere."""
        self.rerouted.emit()

    def expect(self, count: int) -> None:
        """Let the scene's index suit so many cards.

        Qt takes its depth from the few that are there when it is first asked, and keeps it: of thousands that
        come later each look into it would then walk through hundreds.
        """
        depth = count.bit_length()
        if depth > self.bspTreeDepth():
            self.setBspTreeDepth(depth + 1)  # sorts all anew: not for each that comes

    def _grow(self, ids: Iterable[str] | None = None) -> None:
        """Give all, or some, room in the scene's rectangle."""
        content = self.content(ids)
        if ids is not None and self._content is not None:
            self._content = self._content.united(content)
        rect = self.sceneRect()
        room = content.adjusted(-STEP / 2, -STEP / 2, STEP / 2, STEP / 2)
        if not content.isNull() and not rect.contains(room):
            room = content.united(rect).adjusted(-STEP, -STEP, STEP, STEP)
            self.setSceneRect(room)

    def _stale(self, moved: bool = True) -> None:
        """What is drawn differs; unless it has `moved`, what was there is where it was."""
        if moved:
            self._content = None
        self.altered.emit()

    # ------------------------------------------------------------------ sketches

    def sketch_wire(
        self, start: QPointF, end: QPointF, good: bool, refused: bool = False, wrong: bool = False
    ) -> None:
        """Draw the wire that is being made; a `wrong` one can be made, but brings an error with it."""
        color = self.look.unknown_wire
        if good or refused:
            color = self.look.error if refused or wrong else self.look.accent
        pen = QPen(color, 2.2)
        if not good:
            pen.setStyle(Qt.PenStyle.DashLine)
        self.sketch.setBrush(Qt.BrushStyle.NoBrush)
        self.sketch.setPen(pen)
        self.sketch.setPath(wire_path(start, end))
