"""The drawing of one graph: items that follow the document by its diffs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsPathItem

from engine import diff, edit_view
from engine.findings import Analysis
from engine.network import Edge, Network
from gui.canvas import card, layout, look
from gui.canvas.arrivals import AT_ONCE, HEIGHT, Arrivals
from gui.canvas.departures import Departures
from gui.canvas.edge_item import EdgeItem, wire_path
from gui.canvas.far import FarPainter
from gui.canvas.finding import Finder
from gui.canvas.found import Found
from gui.canvas.ghosts import Ghosts
from gui.canvas.levels import FAR, NEAR
from gui.canvas.marks import item_of
from gui.canvas.node_item import NodeItem
from gui.canvas.overlay import Mark
from gui.canvas.pictures import Pictures
from gui.canvas.renewals import Renewals
from gui.canvas.routing import Router
from gui.theme import Tokens, theme

Place = tuple[float, float]

#: The scene's rectangle grows in steps of this, so that the index is seldom rebuilt.
STEP = 16384.0
#: Of a graph that is opened, so many cards come at once.
OPENED_AT_ONCE = 1024
#: So many cards lie above the others while they are selected; of more, all are painted at once.
FEW = 64


class Scene(Finder):
    """Items for nodes and edges of the graph that is shown."""

    #: Something that the minimap shows has changed.
    altered = Signal()
    #: Wires have found another way.
    rerouted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.look = look.Look(theme.tokens)
        self.detail = NEAR
        #: Places of nodes for which the document has none; kept when they go, for undo brings them back.
        self.placed: dict[str, tuple[float, float]] = {}
        #: What is shown.
        self._network = Network()
        self._block: str | None = None
        self._found = Found()
        #: How many edges arrive at each node, and in which edges.
        self._wired: tuple[tuple[Edge, ...], Counter[str]] = ((), Counter())
        self._measured: Mapping[str, Mark] = {}
        #: Whether wires take its colours too.
        self._wires_measured = False
        #: What is marked as selected.
        self._chosen: set[str] = set()
        self._chosen_wires: set[Edge] = set()
        #: What lies above the other cards.
        self._lifted: set[str] = set()
        self.router = Router(self)
        self.arrivals = Arrivals(self, self._bring_node)
        #: Whether cards are on their way to where an edit has put them.
        self.gliding = False
        self.departures = Departures(self)
        self.renewals = Renewals(self, self._renew)
        #: How the user leads wires.
        self._bends: Mapping[Edge, tuple[edit_view.Point, ...]] = {}
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

    # ------------------------------------------------------------------ following the document

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges of the graph that is shown."""
        return self._network.graph(self._block).edges

    def gather(self) -> None:
        """Have all cards and wires there."""
        self.arrivals.finish()

    def complete(self) -> None:
        """Draw at once what is still to come, as the analysis found it."""
        self.arrivals.finish()
        self.renewals.finish()

    @property
    def busy(self) -> bool:
        """Whether some of the drawing is still to follow the document."""
        return bool(self.arrivals or self.departures or self.renewals or self.router.busy)

    def expected(self) -> Mapping[str, tuple[float, float]]:
        """Where cards will stand that are still to come."""
        return self.arrivals.places

    def arrived(self) -> None:
        """Some of what was to come is there."""
        if not self.arrivals:
            self._content = None
            self._grow()
            self.altered.emit()
        self.rerouted.emit()

    def renewed(self) -> None:
        """Some cards say something else."""
        if not self.renewals:
            self._stale()
        else:
            self.far.forget()
            self.rerouted.emit()

    def show_graph(
        self, network: Network, block: str | None, found: Found | None = None, view: QRectF | None = None
    ) -> None:
        """Show one graph, and what was `found` of it, from scratch.

        A large one comes a little at a time, what is in `view` first.
        """
        self.departures.finish()
        self.arrivals.forget()
        self.renewals.forget()
        for wire in self._wires.values():
            self.removeItem(wire)
        for item in self._nodes.values():
            item.touch()
            self.removeItem(item)
        self._nodes, self._wires, self.placed = {}, {}, {}
        self._chosen, self._chosen_wires, self._lifted = set(), set(), set()
        self._network, self._block = network, block
        self._found = found or Found()
        self._content = None
        self.router.forget()
        self._complete()
        self._show_marks()
        graph = network.graph(block)
        positions = network.positions(block)
        self._bends = edit_view.bends(network, block)
        if len(graph.nodes) > OPENED_AT_ONCE:
            self.arrivals.wait({id: self._position(id, positions) for id in graph.nodes}, view or QRectF())
        else:
            for id in graph.nodes:
                self._add_node(id, self._position(id, positions))
            made = map(self.add_wire, graph.edges)
            self.router.route([wire for wire in made if wire is not None])
        self._stale()
        self._grow()

    def sync(self, before: Network, after: Network, block: str | None, view: QRectF | None = None) -> None:
        """Update what differs between two networks, and nothing else.

        Where much is new or gone it comes and goes a little at a time, what is in `view` first.
        """
        self._network, self._block = after, block
        prefix: tuple[str, ...] = () if block is None else ("blocks", block)
        depth = len(prefix)
        touched: set[str] = set()
        moved: set[str] | None = set()
        edges_changed = drawn = False
        for change in diff.changes(before, after):
            path = change.path
            if path[:depth] == prefix and path[depth : depth + 1] == ("nodes",):
                touched.add(path[depth + 1])
            elif path == (*prefix, "edges"):
                edges_changed = True
            elif path[:1] == ("view",):
                inner = path[1:] if block is None else path[3:]
                if inner[:1] == ("positions",) and len(inner) > 1:
                    if moved is not None:
                        moved.add(inner[1])
                elif not inner or inner[0] == "positions":
                    moved = None
                drawn |= not inner or inner[0] in ("frames", "notes", "bends")
            elif path[:1] == ("blocks",):
                touched |= {id for id, node in after.graph(block).nodes.items() if node.block == path[1]}
        if touched or edges_changed or moved is None or moved:
            self._update(before, touched, moved, view or QRectF())
        if drawn:
            self._show_marks()
        if drawn or edges_changed or moved is None or moved:
            self._lead()
        if drawn:
            self._stale()

    def _show_marks(self) -> None:
        """Bring frames and notes to what the document says of them."""
        wanted = edit_view.marks(self._network, self._block)
        for id in [id for id, item in self.marks.items() if type(wanted.get(id)) is not type(item.mark)]:
            for part in self.marks.pop(id).parts:
                self.removeItem(part)
        for id, mark in wanted.items():
            item = self.marks.get(id)
            if item is None:
                self.marks[id] = item_of(self, id, mark)
                for part in self.marks[id].parts:
                    self.addItem(part)
            else:
                item.show_mark(mark)  # type: ignore[arg-type]

    def _lead(self) -> None:
        """Lead wires through the bends that the document has."""
        wanted = edit_view.bends(self._network, self._block)
        if not wanted and not self._bends:
            return
        self._bends = wanted
        straightened = []
        for edge, wire in self._wires.items():
            bends = tuple(QPointF(*point) for point in wanted.get(edge, ()))
            if bends != wire.bends:
                wire.lead(bends)
                if not bends:
                    straightened.append(wire)
        self.router.route(straightened)

    def _update(self, before: Network, touched: set[str], moved: set[str] | None, view: QRectF) -> None:
        graph, nodes = self._network.graph(self._block), self._nodes
        positions = self._network.positions(self._block)
        gone = [id for id in touched if id not in graph.nodes]
        come = [id for id in graph.nodes if id in touched and id not in nodes and id not in self.arrivals]
        if len(gone) == len(come) == 1 and gone[0] in nodes:  # renamed: it stays where it is
            self.placed[come[0]] = self.expected().get(gone[0], nodes[gone[0]].at)
        if touched or moved is None:
            self._complete(None if moved is None else touched)
        removed, added = diff.edges_between(before.graph(self._block).edges, graph.edges)
        self._remove(gone, removed, view)
        places = {id: self._position(id, positions) for id in (graph.nodes if moved is None else moved)}
        self.arrivals.follow(gone, places)
        many = len(come) > AT_ONCE
        fresh = [e for e in added if e.source.node in nodes and e.target.node in nodes] if many else added
        if come and not many:
            new = set(come)
            fresh = [e for e in graph.edges if e.source.node in new or e.target.node in new]
            fresh += [e for e in added if e.source.node not in new and e.target.node not in new]
        touched |= {end.node for edges in (removed, added) for edge in edges for end in edge}
        there = touched.intersection(nodes)
        changed: set[EdgeItem] = set()
        for id in there:
            if nodes[id].set_card(self._card(id)):
                changed |= nodes[id].edges
        for id in () if many else come:
            self._add_node(id, self._position(id, positions))
        made = [wire for edge in fresh if (wire := self.add_wire(edge)) is not None]
        following: set[EdgeItem] = set()
        moving = {id: place for id, place in places.items() if id in nodes and nodes[id].at != place}
        later = self._unseen(moving, view) if len(moving) > AT_ONCE else {}
        for id, place in places.items():
            item = nodes.get(id)
            if item is not None and id not in later:
                if item.at != place:
                    item.place(*place)
                following |= item.edges
        for wire in changed:
            wire.refresh()
        following = {wire for wire in following - changed if not wire.move_along()}
        for wire in following:
            wire.follow()
        self.router.route([*made, *changed, *following])
        if many:
            later.update((id, self._position(id, positions)) for id in come)
        if later:
            self.arrivals.wait(later, view)
        self._stale(moved=bool(gone or moved is None or not moved <= set(come)))
        self._grow([*come, *places])

    def _unseen(
        self, moving: Mapping[str, tuple[float, float]], view: QRectF
    ) -> dict[str, tuple[float, float]]:
        """Those that can be brought to their places later: they are out of view, and will be."""
        if self.detail == FAR:
            return dict(moving)
        near = view.adjusted(-card.WIDTH, -HEIGHT, 0, 0)
        return {
            id: (x, y)
            for id, (x, y) in moving.items()
            if not near.contains(x, y) and not near.contains(*self._nodes[id].at)
        }

    def _complete(self, among: Iterable[str] | None = None) -> None:
        self.placed.update(layout.complete(self._network, self.placed, block=self._block, among=among))

    def _position(self, id: str, positions: Mapping[str, object]) -> tuple[float, float]:
        place = positions.get(id)
        if isinstance(place, list | tuple):
            return float(place[0]), float(place[1])
        return self.placed.get(id, (0.0, 0.0))

    # ------------------------------------------------------------------ items

    def _card(self, id: str) -> card.Card:
        graph = self._network.graph(self._block)
        if self._wired[0] is not graph.edges:
            self._wired = (graph.edges, Counter(edge.target.node for edge in graph.edges))
        wired = self._wired[1][id]
        return card.card_of(self._network, id, graph.nodes[id], wired, *self._found.of(id))

    def _add_node(self, id: str, place: tuple[float, float]) -> None:
        item = NodeItem(self, self._card(id))
        item.place(*place)
        item.mark = self._measured.get(id)
        item.selected = id in self._chosen
        item.setZValue(2 if id in self._lifted else 1)
        self._nodes[id] = item
        self.addItem(item)
        self.far.add_card(item)

    def _bring_node(self, id: str, place: tuple[float, float]) -> None:
        item = self._nodes.get(id)
        if item is None:
            self._add_node(id, place)
        else:
            item.place(*place)

    def bring_wire(self, edge: Edge) -> EdgeItem | None:
        """Draw the wire of an edge whose ends have come, or lead it there; None if no way need be found."""
        wire = self._wires.get(edge)
        if wire is None:
            return self.add_wire(edge)
        self.far.forget_wires()
        if wire.move_along():
            return None
        wire.follow()
        return wire

    def _remove(self, nodes: Iterable[str], edges: Iterable[Edge], view: QRectF) -> None:
        """Let nodes go with all their wires, and further wires."""
        items = [item for id in nodes if (item := self._nodes.pop(id, None)) is not None]
        wires = [wire for edge in edges if (wire := self._wires.pop(edge, None)) is not None]
        left = {item.id for item in items}
        for item in items:
            wires += [wire for wire in item.edges if self._wires.pop(wire.edge, None) is wire]
        for wire in wires:
            for end in (wire.source, wire.target):
                if end.id not in left:
                    end.edges.discard(wire)
                    end.touch()
        self._chosen -= left
        self._lifted -= left
        if self._chosen_wires:
            self._chosen_wires.difference_update(wire.edge for wire in wires)
        self.departures.leave([*wires, *items], view)

    def add_wire(self, edge: Edge) -> EdgeItem | None:
        """Draw the wire of an edge; None where one of its ends is not there."""
        source, target = self._nodes.get(edge.source.node), self._nodes.get(edge.target.node)
        if source is None or target is None or edge in self._wires:
            return None
        wire = EdgeItem(self, edge, source, target)
        wire.selected = edge in self._chosen_wires
        self._colour(wire)
        wire.refresh()
        if edge in self._bends:
            wire.lead(tuple(QPointF(*point) for point in self._bends[edge]))
        self._wires[edge] = wire
        self.addItem(wire)
        self.far.add_wire(wire)
        return wire

    def set_analysis(self, analysis: Analysis, use: str | None = None, view: QRectF | None = None) -> None:
        """Show shapes, costs and problems, of what is in `view` first; inside a block those of one `use`."""
        before, found = self._found, Found(analysis, use)
        self._found = found
        changed = [id for id in self._nodes if not found.same(before, id)]
        if view is not None and len(changed) > AT_ONCE:
            changed.sort(key=lambda id: not view.intersects(self._nodes[id].rect))
        self.renewals.wait(changed)

    def _renew(self, ids: Iterable[str]) -> None:
        """Let cards say what the analysis found."""
        wires: set[EdgeItem] = set()
        graph = self._network.graph(self._block)
        for id in ids:
            item = self._nodes.get(id)
            if item is not None and id in graph.nodes and item.set_card(self._card(id)):
                wires |= item.edges
        for wire in wires:
            wire.refresh()

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
        for wire in wires.values():
            self._colour(wire)
        self.far.forget()

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
            wire.restyle()
        self._stale()
        self.update()

    def select(self, nodes: Iterable[str], edges: Iterable[Edge], marks: Iterable[str] = ()) -> None:
        """Mark these as selected, and no others."""
        held = set(marks)
        for id, mark in self.marks.items():
            if mark.selected != (id in held):
                mark.selected = id in held
                mark.update()
        chosen, wires = set(nodes), set(edges)
        changed = chosen ^ self._chosen
        for id in changed:
            item = self._nodes.get(id)
            if item is not None:
                item.selected = id in chosen
                if len(changed) <= FEW:
                    item.update()
        if len(changed) > FEW:
            self.update()
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
        self._chosen, self._chosen_wires = chosen, wires
        self.far.forget()

    # ------------------------------------------------------------------ geometry

    def glide(self, ways: Mapping[str, tuple[Place, Place]], share: float) -> None:
        """Show cards at `share` of their ways, each from a place to another; :meth:`land` ends it."""
        self.gliding = True
        places = {
            id: (x + (to - x) * share, y + (down - y) * share) for id, ((x, y), (to, down)) in ways.items()
        }
        if self.detail != FAR:
            self.drag(places)
            return
        for id, place in places.items():
            item = self._nodes.get(id)
            if item is not None:
                item.show_at(*place)
                for wire in item.edges:
                    wire.bend_far()
        self.far.forget_wires()

    def land(self, places: Mapping[str, Place]) -> None:
        """Bring cards that glided to the ends of their ways."""
        self.gliding = False
        wires: set[EdgeItem] = set()
        for id, place in places.items():
            item = self._nodes.get(id)
            if item is None:
                continue
            if id in self.arrivals:
                item.show_at(*place)
            else:
                item.place(*place)
                wires |= item.edges
        for wire in wires:
            wire.follow()
        self.router.route(wires)
        self._stale()

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
        self.far.forget_wires()

    def wires_moved(self) -> None:
        """Wires lead elsewhere."""
        self.far.forget_wires()
        self.rerouted.emit()

    def settle(self) -> None:
        """Bring all items back to where the document has them."""
        positions = self._network.positions(self._block)
        wires: set[EdgeItem] = set()
        for id, item in self.nodes.items():
            place = self._position(id, positions)
            if item.at != place:
                item.place(*place)
                wires |= item.edges
        wires = {wire for wire in wires if not wire.move_along()}
        for wire in wires:
            wire.follow()
        self.router.route(wires)
        self._show_marks()
        self._lead()
        self._stale()

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
        self.far.forget()
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
