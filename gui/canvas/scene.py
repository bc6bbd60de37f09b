"""The drawing of one graph: items that follow the document by its diffs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from PySide6.QtCore import QObject, QPointF, QRectF

from engine import diff, edit_view
from engine.findings import Analysis
from engine.network import Edge, Network
from gui.canvas import card, layout
from gui.canvas.arrivals import AT_ONCE, HEIGHT, Arrivals
from gui.canvas.departures import Departures
from gui.canvas.edge_item import EdgeItem
from gui.canvas.found import Found
from gui.canvas.items import Items
from gui.canvas.levels import FAR
from gui.canvas.marks import item_of
from gui.canvas.node_item import NodeItem
from gui.canvas.renewals import Renewals
from gui.canvas.routing import Router

#: Of a graph that is shown before the canvas is seen, so many cards come at once.
BUILT_AT_ONCE = 1024


class Scene(Items):
    """Items for nodes and edges of the graph that is shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        #: What is shown.
        self._network = Network()
        self._block: str | None = None
        self._found = Found()
        #: How many edges arrive at each node, and in which edges.
        self._wired: tuple[tuple[Edge, ...], Counter[str]] = ((), Counter())
        self.router = Router(self)
        self.arrivals = Arrivals(self, self._bring_node)
        self.departures = Departures(self)
        self.renewals = Renewals(self, self._renew)
        #: How the user leads wires.
        self._bends: Mapping[Edge, tuple[edit_view.Point, ...]] = {}

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
            self._stale()
        self.rerouted.emit()

    def renewed(self) -> None:
        """Some cards say something else."""
        if not self.renewals:
            self._stale()
        else:
            self.rerouted.emit()

    def show_graph(
        self, network: Network, block: str | None, found: Found | None = None, view: QRectF | None = None
    ) -> None:
        """Show one graph, and what was `found` of it, from scratch.

        Where one sees it, in `view`, many cards come and go a little at a time.
        """
        self.departures.finish()
        self.arrivals.forget()
        self.renewals.forget()
        self.departures.leave([*self._wires.values(), *self._nodes.values()], view or QRectF())
        self.far.forget()
        self._nodes, self._wires, self.placed, self.stands, self.floors = {}, {}, {}, {}, {}
        self.chosen, self._chosen_wires, self._lifted = set(), set(), set()
        self._network, self._block = network, block
        self._found = found or Found()
        self._content = None
        self.router.forget()
        self._complete()
        self._show_marks()
        graph = network.graph(block)
        positions = network.positions(block)
        self._bends = edit_view.bends(network, block)
        self.expect(len(graph.nodes))
        if len(graph.nodes) > (BUILT_AT_ONCE if view is None else AT_ONCE):
            self.arrivals.wait({id: self.position(id, positions) for id in graph.nodes}, QRectF())
        else:
            for id in graph.nodes:
                self._add_node(id, self.position(id, positions))
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
        nodes_of, edges_of = (*prefix, "nodes"), (*prefix, "edges")
        depth = len(nodes_of)
        touched: set[str] = set()
        moved: set[str] | None = set()
        edges_changed = drawn = False
        for change in diff.changes(before, after):
            path = change.path
            if path[:depth] == nodes_of:
                touched.add(path[depth])
            elif path == edges_of:
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
        self.expect(len(graph.nodes))
        gone = [id for id in touched if id not in graph.nodes]
        new = {id for id in touched if id not in nodes and id not in self.arrivals}
        come = [id for id in graph.nodes if id in new] if new else []
        if len(gone) == len(come) == 1 and gone[0] in nodes:  # renamed: it stays where it is
            self.placed[come[0]] = self.expected().get(gone[0], nodes[gone[0]].at)
        if touched or moved is None:
            self._complete(None if moved is None else touched.intersection(graph.nodes))
        removed, added = diff.edges_between(before.graph(self._block).edges, graph.edges)
        self._remove(gone, removed, view)
        placed = graph.nodes if moved is None else graph.nodes.keys() & moved if gone else moved
        places = {id: self.position(id, positions) for id in placed}
        self.arrivals.follow(gone, places)
        many = len(come) > AT_ONCE
        fresh = [e for e in added if e.source.node in nodes and e.target.node in nodes] if many else added
        if come and not many:
            fresh = [e for e in graph.edges if e.source.node in new or e.target.node in new]
            fresh += [e for e in added if e.source.node not in new and e.target.node not in new]
        touched |= {end.node for edges in (removed, added) for edge in edges for end in edge}
        there = touched.intersection(nodes)
        changed: set[EdgeItem] = set()
        for id in there:
            if nodes[id].set_card(self._card(id)):
                changed |= nodes[id].edges
        for id in () if many else come:
            self._add_node(id, self.position(id, positions))
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
            later.update((id, places.get(id) or self.position(id, positions)) for id in come)
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

    def position(self, id: str, positions: Mapping[str, object]) -> tuple[float, float]:
        """Where a node stands by the document's `positions`, or by itself where they do not say."""
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
        item.setZValue(2 if id in self._lifted else 1)
        self._nodes[id] = item
        self.addItem(item)
        self.far.touch_card(item)

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
        along = wire.move_along()
        if not along:
            wire.follow()
        wire.bend_far()
        return None if along else wire

    def _remove(self, nodes: Collection[str], edges: Iterable[Edge], view: QRectF) -> None:
        """Let nodes go with all their wires, and further wires."""
        if nodes and len(nodes) >= len(self._nodes) and self._nodes.keys() <= set(nodes):
            self._remove_all(view)
            return
        items = [item for id in nodes if (item := self._nodes.pop(id, None)) is not None]
        wires = [wire for edge in edges if (wire := self._wires.pop(edge, None)) is not None]
        left = {item.id for item in items}
        for id in left:
            del self.stands[id], self.floors[id]
        for item in items:
            wires += [wire for wire in item.edges if self._wires.pop(wire.edge, None) is wire]
        for wire in wires:
            for end in (wire.source, wire.target):
                if end.id not in left:
                    end.edges.discard(wire)
                    end.touch()
        for item in items:
            self.far.touch_card(item)
        for wire in wires:
            self.far.touch_wire(wire)
        self.chosen -= left
        self._lifted -= left
        if self._chosen_wires:
            self._chosen_wires.difference_update(wire.edge for wire in wires)
        self.departures.leave([*wires, *items], view)

    def _remove_all(self, view: QRectF) -> None:
        """Let all go: of thousands no single one need be taken out of what knows it."""
        going: list[NodeItem | EdgeItem] = [*self._wires.values(), *self._nodes.values()]
        for known in (self._nodes, self._wires, self.stands, self.floors):
            known.clear()
        for chosen in (self.chosen, self._lifted, self._chosen_wires):
            chosen.clear()
        self.far.clear()
        self.departures.leave(going, view)

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
        self.far.touch_wire(wire)
        return wire

    def set_analysis(self, analysis: Analysis, use: str | None = None, view: QRectF | None = None) -> None:
        """Show shapes, costs and problems; inside a block those of one `use`.

        Of many cards those with errors come first, then those in `view`.
        """
        before, found = self._found, Found(analysis, use)
        self._found = found
        changed, urgent = found.changed(before, self._nodes), None
        if view is not None and len(changed) > AT_ONCE:
            first = {problem.node for problem in found.analysis.errors}
            seen = self.standing_in(view)
            ranks: tuple[list[str], ...] = ([], [], [])
            for id in changed:
                ranks[0 if id in first else 1 if id in seen else 2].append(id)
            changed = [id for rank in ranks for id in rank]
            urgent = len(changed) - len(ranks[2])
        self.renewals.wait(changed, urgent)

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

    # ------------------------------------------------------------------ geometry

    def land(self) -> None:
        """Bring cards that glided to the ends of their ways."""
        places, self._ends = self._ends, {}
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
            wire.bend_far()
        self.router.route(wires)
        self._stale()

    def settle(self) -> None:
        """Bring all items back to where the document has them."""
        positions = self._network.positions(self._block)
        wires: set[EdgeItem] = set()
        for id, item in self.nodes.items():
            place = self.position(id, positions)
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
