"""The drawing of one graph: items that follow the document by its diffs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPen
from PySide6.QtWidgets import QGraphicsPathItem

from engine import diff, edit_view, ports
from engine.findings import Analysis, NodeReport, Problem
from engine.network import Edge, Network
from gui.canvas import card, layout, look
from gui.canvas.arrivals import AT_ONCE, Arrivals
from gui.canvas.edge_item import EdgeItem, wire_path
from gui.canvas.far import FarPainter
from gui.canvas.finding import Finder
from gui.canvas.ghosts import Ghosts
from gui.canvas.levels import NEAR
from gui.canvas.marks import item_of
from gui.canvas.node_item import NodeItem
from gui.canvas.overlay import Mark
from gui.canvas.pictures import Pictures
from gui.canvas.routing import Router
from gui.theme import theme

#: The scene's rectangle grows in steps of this, so that the index is seldom rebuilt.
STEP = 16384.0
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
        self.analysis = Analysis()
        self._problems: dict[str, list[Problem]] = {}
        self._most_macs = 0
        self._measured: Mapping[str, Mark] = {}
        #: Whether wires take its colours too.
        self._wires_measured = False
        #: What is marked as selected.
        self._chosen: set[str] = set()
        self._chosen_wires: set[Edge] = set()
        #: What lies above the other cards.
        self._lifted: set[str] = set()
        self.router = Router(self)
        self.arrivals = Arrivals(self)
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

    def complete(self) -> None:
        """Draw at once what is still to come."""
        self.arrivals.finish()

    def expected(self) -> Mapping[str, QRectF]:
        """Where cards will stand that are still to come."""
        return self.arrivals.rects

    def arrived(self) -> None:
        """Some of what was to come is there."""
        self._content = None
        self.far.forget()
        if not self.arrivals:
            self._grow()
            self.altered.emit()
        self.rerouted.emit()

    def show_graph(self, network: Network, block: str | None) -> None:
        """Show one graph from scratch."""
        self.arrivals.forget()
        for wire in self._wires.values():
            self.removeItem(wire)
        for item in self._nodes.values():
            item.touch()
            self.removeItem(item)
        self._nodes, self._wires, self.placed = {}, {}, {}
        self._chosen, self._chosen_wires, self._lifted = set(), set(), set()
        self.router.forget()
        self._complete(network, block)
        self._show_marks(network, block)
        graph = network.graph(block)
        arriving = ports.incoming(graph.edges)
        positions = network.positions(block)
        for id in graph.nodes:
            self._add_node(network, block, id, len(arriving.get(id, ())), positions)
        for edge in graph.edges:
            self.add_wire(edge)
        self._lead(network, block)
        self.router.route(self._wires.values())
        self._stale()
        self._grow()

    def sync(self, before: Network, after: Network, block: str | None, middle: QPointF | None = None) -> None:
        """Update what differs between two networks, and nothing else.

        Where much is new it comes a little at a time, from the `middle` of the view outwards.
        """
        self.complete()
        prefix: tuple[str, ...] = () if block is None else ("blocks", block)
        touched: set[str] = set()
        moved: set[str] | None = set()
        edges_changed = drawn = False
        for change in diff.changes(before, after):
            path = change.path
            if path[: len(prefix)] == prefix and path[len(prefix) : len(prefix) + 1] == ("nodes",):
                touched.add(path[len(prefix) + 1])
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
            self._update(before, after, block, touched, moved, middle or QPointF())
        if drawn:
            self._show_marks(after, block)
        if drawn or edges_changed or moved is None or moved:
            self._lead(after, block)
        if drawn:
            self._stale()

    def _show_marks(self, network: Network, block: str | None) -> None:
        """Bring frames and notes to what the document says of them."""
        wanted = edit_view.marks(network, block)
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

    def _lead(self, network: Network, block: str | None) -> None:
        """Lead wires through the bends that the document has."""
        wanted = edit_view.bends(network, block)
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

    def _update(
        self,
        before: Network,
        after: Network,
        block: str | None,
        touched: set[str],
        moved: set[str] | None,
        middle: QPointF,
    ) -> None:
        graph, nodes = after.graph(block), self._nodes
        positions = after.positions(block)
        gone = [id for id in touched if id in nodes and id not in graph.nodes]
        come = {id for id in touched if id in graph.nodes and id not in nodes}
        if len(gone) == len(come) == 1:  # renamed: it stays where it is
            self.placed.update(dict.fromkeys(come, nodes[gone[0]].at))
        if touched or moved is None:
            self._complete(after, block, None if moved is None else touched)
        removed, added = diff.edges_between(before.graph(block).edges, graph.edges)
        for edge in removed:
            touched |= {edge.source.node, edge.target.node}
            self._remove_wire(edge)
        fresh = added
        if come:
            fresh = [e for e in graph.edges if e.source.node in come or e.target.node in come]
            fresh += [e for e in added if e.source.node not in come and e.target.node not in come]
        touched |= {id for edge in added for id in (edge.source.node, edge.target.node)}
        wired = Counter(edge.target.node for edge in graph.edges if edge.target.node in touched)
        changed: set[EdgeItem] = set()
        for id in touched:
            if id not in graph.nodes:
                self._remove_node(id)
            elif id in nodes and self._refresh(after, block, id, wired[id]):
                changed |= nodes[id].edges
        for id in come if len(come) <= AT_ONCE else ():
            self._add_node(after, block, id, wired[id], positions)
        many = len(come) > AT_ONCE
        made = [
            wire
            for edge in fresh
            if not (many and (edge.source.node in come or edge.target.node in come))
            and (wire := self.add_wire(edge)) is not None
        ]
        following: set[EdgeItem] = set()
        for id in nodes if moved is None else moved:
            item = nodes.get(id)
            if item is not None:
                item.place(*self._position(id, positions))
                following |= item.edges
        for wire in changed:
            wire.refresh()
        following = {wire for wire in following - changed if not wire.move_along()}
        for wire in following:
            wire.follow()
        self.router.route([*made, *changed, *following])
        if many:
            self.arrivals.wait(
                {id: self._position(id, positions) for id in come},
                fresh,
                middle,
                lambda id: self._add_node(after, block, id, wired[id], positions),
            )
        self._stale()
        self._grow([*come, *(nodes if moved is None else moved)])

    def _complete(self, network: Network, block: str | None, among: Iterable[str] | None = None) -> None:
        self.placed.update(layout.complete(network, self.placed, block=block, among=among))

    def _position(self, id: str, positions: Mapping[str, object]) -> tuple[float, float]:
        place = positions.get(id)
        if isinstance(place, list | tuple):
            return float(place[0]), float(place[1])
        return self.placed.get(id, (0.0, 0.0))

    # ------------------------------------------------------------------ items

    def _add_node(
        self, network: Network, block: str | None, id: str, wired: int, positions: Mapping[str, object]
    ) -> None:
        node = network.graph(block).nodes[id]
        item = NodeItem(self, card.card_of(network, id, node, wired, *self._found(id)))
        item.place(*self._position(id, positions))
        item.mark = self._measured.get(id)
        item.selected = id in self._chosen
        item.setZValue(2 if id in self._lifted else 1)
        self._nodes[id] = item
        self.addItem(item)

    def _remove_node(self, id: str) -> None:
        item = self._nodes.pop(id, None)
        self._chosen.discard(id)
        self._lifted.discard(id)
        if item is not None:
            for wire in list(item.edges):
                self._remove_wire(wire.edge)
            item.touch()
            self.removeItem(item)

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
        return wire

    def _remove_wire(self, edge: Edge) -> None:
        wire = self._wires.pop(edge, None)
        self._chosen_wires.discard(edge)
        if wire is not None:
            wire.detach()
            self.removeItem(wire)

    def _refresh(self, network: Network, block: str | None, id: str, wired: int) -> bool:
        node = network.graph(block).nodes[id]
        return self._nodes[id].set_card(card.card_of(network, id, node, wired, *self._found(id)))

    def _found(self, id: str) -> tuple[NodeReport | None, list[Problem], int]:
        return self.analysis.nodes.get(id), self._problems.get(id, []), self._most_macs

    def set_analysis(
        self, analysis: Analysis, network: Network, block: str | None, use: str | None = None
    ) -> None:
        """Show shapes, costs and problems; inside a block those of one `use` of it."""
        if use is not None:
            analysis = _inside(analysis, use)
        before, old_problems = self.analysis, self._problems
        self.analysis, self._problems = analysis, {}
        for problem in analysis.problems:
            if problem.node is not None:
                self._problems.setdefault(problem.node, []).append(problem)
        most = max((report.macs for report in analysis.nodes.values()), default=0)
        rescaled, self._most_macs = most != self._most_macs, most
        graph = network.graph(block)
        arriving = ports.incoming(graph.edges)
        wires: set[EdgeItem] = set()
        for id, item in self.nodes.items():
            same = before.nodes.get(id) == analysis.nodes.get(id)
            if same and not rescaled and old_problems.get(id, []) == self._problems.get(id, []):
                continue
            if id in graph.nodes and self._refresh(network, block, id, len(arriving.get(id, ()))):
                wires |= item.edges
        for wire in wires:
            wire.refresh()
        self._stale()

    def set_overlay(self, marks: Mapping[str, Mark]) -> None:
        """Mark nodes with what a measure says of them; those that are not named lose theirs."""
        self._measured = marks
        self._wires_measured = any(mark.wires for mark in marks.values())
        for id, item in self.nodes.items():
            mark = marks.get(id)
            if mark != item.mark:
                item.mark = mark
                item.update()
        for wire in self.wires.values():
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

    def restyle(self) -> None:
        """Take the theme's colours anew."""
        self.look = look.Look(theme.tokens)
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

    def drag(self, places: Mapping[str, tuple[float, float]]) -> None:
        """Move items while a gesture lasts; the document is told at its end."""
        wires: set[EdgeItem] = set()
        for id, (x, y) in places.items():
            item = self.nodes.get(id)
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

    def settle(self, network: Network, block: str | None) -> None:
        """Bring all items back to where the document has them."""
        positions = network.positions(block)
        wires: set[EdgeItem] = set()
        for id, item in self.nodes.items():
            place = self._position(id, positions)
            if (item.rect.x(), item.rect.y()) != place:
                item.place(*place)
                wires |= item.edges
        wires = {wire for wire in wires if not wire.move_along()}
        for wire in wires:
            wire.follow()
        self.router.route(wires)
        self._show_marks(network, block)
        self._lead(network, block)
        self._stale()

    def _grow(self, ids: Iterable[str] | None = None) -> None:
        """Give all, or some, room in the scene's rectangle."""
        content = self.content(ids)
        rect = self.sceneRect()
        room = content.adjusted(-STEP / 2, -STEP / 2, STEP / 2, STEP / 2)
        if not content.isNull() and not rect.contains(room):
            room = content.united(rect).adjusted(-STEP, -STEP, STEP, STEP)
            self.setSceneRect(room)

    def _stale(self) -> None:
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


def _inside(analysis: Analysis, use: str) -> Analysis:
    """What the analysis says about the inside of one use of a block."""
    head = f"{use}."
    nodes = {path.removeprefix(head): r for path, r in analysis.nodes.items() if path.startswith(head)}
    problems = tuple(
        Problem(p.severity, p.code, p.message, p.node.removeprefix(head), p.field, p.repairs, p.lesson)
        for p in analysis.problems
        if p.node is not None and p.node.startswith(head)
    )
    return Analysis(nodes, problems, {})
