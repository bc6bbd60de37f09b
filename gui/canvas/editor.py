"""What the canvas does to the document: each method is one undo step, or a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF

from engine import edit, edit_view, ports
from engine.edit import EditProblem
from engine.edit_view import Frame, Note
from engine.findings import Repair
from engine.mending import mended
from engine.network import Choice, Edge, End, Network
from gui.canvas import card, clipboard, compose, healing, layout
from gui.canvas.arrivals import HEIGHT
from gui.canvas.marks import PADDING, TITLE
from gui.canvas.node_item import NodeItem
from gui.canvas.phrase import Reading

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: How far a pasted or duplicated piece lies from its original.
OFFSET = 32.0
#: Among more layers no room is looked for: what is pasted comes where it is wanted.
CROWD = 300


class Editor:
    """Edits made with the selection of one canvas."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.document = canvas.document
        self.selection = canvas.selection

    @property
    def block(self) -> str | None:
        """The graph that is edited."""
        return self.selection.block

    @property
    def network(self) -> Network:
        """The document's network."""
        return self.document.network

    def attempt(self, label: str, change: Callable[[Network], Network], merge: str | None = None) -> bool:
        """Make an edit; a problem becomes a message. Whether it was made."""
        try:
            after = change(self.network)
        except EditProblem as problem:
            self.canvas.refuse(str(problem))
            return False
        self.document.edit(after, label, merge)
        return True

    # ------------------------------------------------------------------ adding

    def add_layer(
        self,
        type: str,
        position: tuple[float, float] | None = None,
        *,
        near: tuple[float, float] | None = None,
        source: End | None = None,
        target: End | None = None,
        on: Edge | None = None,
        said: Reading | None = None,
    ) -> str | None:
        """Add a layer at a position, or where there is room `near` one, with what was `said` of its fields.

        It wires itself to an open wire, a wire it falls on, or the one selected node.
        """
        after = None
        if source is None and target is None and on is None and len(self.selection.nodes) == 1:
            after = self.selection.nodes[0]
        try:
            network, id = compose.add(
                self.network,
                type,
                self.canvas.drawing.positions(),
                at=position,
                near=near,
                after=after,
                source=source,
                target=target,
                on=on,
                block=self.block,
            )
            for name, value in (said.fields if said else {}).items():
                network = edit.set_field(network, id, name, value, block=self.block)
            if said and said.activation:
                network = edit.set_activation(network, id, Choice(said.activation), block=self.block)
        except EditProblem as problem:
            self.canvas.refuse(str(problem))
            return None
        self.document.edit(network, f"Add {id}")
        self.selection.set((id,))
        self.canvas.reveal((id,))
        return id

    def activate(self, id: str, activation: str) -> None:
        """Give a layer an activation: one from the palette fell on its card."""
        self.attempt(
            f"Activate {id} with {activation}",
            lambda network: edit.set_activation(network, id, Choice(activation), block=self.block),
        )
        self.selection.set((id,))

    def edit_wire(self, label: str, source: End, target: End) -> None:
        """Connect two ends."""
        self.attempt(label, lambda network: edit.connect(network, source, target, block=self.block))

    def duplicate(
        self,
        offset: tuple[float, float] = (OFFSET, OFFSET),
        ids: Iterable[str] | None = None,
        marks: Iterable[str] | None = None,
    ) -> None:
        """Copy the selected nodes with the wires among them, frames and notes."""
        chosen = list(self.selection.nodes if ids is None else ids)
        held = list(self.selection.marks if marks is None else marks)
        if not chosen and not held:
            self.canvas.refuse("Select the layers to duplicate.")
            return
        places = self.canvas.drawing.positions()
        made: list[list[str]] = []

        def change(network: Network) -> Network:
            after, *new = compose.duplicate(network, chosen, held, places, offset, self.block)
            made.extend(new)
            return after

        if self.attempt(f"Duplicate {named(chosen or held)}", change):
            self.selection.set(made[0], (), made[1])

    # ------------------------------------------------------------------ removing

    def remove_selection(self, heal: bool = True, label: str = "Delete") -> None:
        """Remove the selected nodes and wires; a chain stays a chain where the shapes allow."""
        nodes, edges, marks = self.selection.nodes, self.selection.edges, self.selection.marks
        if not nodes and not edges and not marks:
            self.canvas.refuse("Select what to delete.")
            return
        what = f"{len(edges)} wires" if len(edges) > 1 else f"wire {edges[0]}" if edges else ""
        what = named(nodes) if nodes else what or ", ".join(marks)

        apart: list[Edge] = []

        def change(network: Network) -> Network:
            network = edit_view.remove_marks(network, marks, block=self.block)
            after = edit.remove(network, nodes, edges, heal=heal, block=self.block)
            apart.extend(healing.unfit(network, after, self.canvas.drawing.flow, self.block))
            return edit.remove(after, edges=apart, block=self.block) if apart else after

        if self.attempt(f"{label} {what}", change) and apart:
            ends = " and ".join(f"{edge.source} to {edge.target}" for edge in apart[:2])
            self.canvas.refuse(f"The gap stays open: the shape does not fit from {ends}.")

    def remove_wires(self, edges: tuple[Edge, ...]) -> None:
        """Cut wires."""
        self.attempt("Cut wire", lambda network: edit.remove(network, edges=edges, block=self.block))

    # ------------------------------------------------------------------ clipboard

    def copy(self, verb: str = "copy") -> bool:
        """Put the selected nodes on the clipboard, as JSON text."""
        nodes, marks = self.selection.nodes, self.selection.marks
        if not nodes and not marks:
            self.canvas.refuse(f"Select the layers to {verb}.")
            return False
        places = self.canvas.drawing.positions()
        clipboard.put(compose.copied(self.network, nodes, marks, places, self.block))
        return True

    def cut(self) -> None:
        """Copy, then remove."""
        if self.copy("cut"):
            self.remove_selection(label="Cut")

    def paste(self, at: QPointF | None = None) -> None:
        """Add what the clipboard holds: around `at` where there is room, beside its original or into view."""
        fragment = clipboard.get()
        if fragment is None:
            self.canvas.refuse(
                "The clipboard holds no layers: copy some on a canvas, or their text in a mail."
            )
            return
        made: list[list[str]] = []
        places = self.canvas.drawing.positions()

        def change(network: Network) -> Network:
            offset = self._paste_offset(clipboard.bounds(fragment), at, places)
            after, *new = compose.paste(network, fragment, places, offset, self.block)
            made.extend(new)
            return after

        if self.attempt("Paste", change):
            self.selection.set(made[0], (), made[1])
            self.canvas.reveal((*made[0], *made[1]))

    def _paste_offset(
        self, bounds: tuple[float, float, float, float] | None, at: QPointF | None, places: compose.Places
    ) -> tuple[float, float]:
        if bounds is None:
            return OFFSET, OFFSET
        left, top, right, bottom = bounds
        centre = QPointF((left + right) / 2, (top + bottom) / 2)
        if at is None and not self.canvas.visible_rect().contains(centre):
            at = self.canvas.visible_rect().center()
        shift = QPointF(0, 0) if at is None else at - centre
        corner = QPointF(left, top) + shift
        slope = corner.y() - corner.x()  # only what lies on the way that it may be moved
        near = [(x, y) for x, y in places.values() if -2 < y - x - slope < 2]
        if at is not None and len(places) <= CROWD:
            piece = {"": (corner.x(), corner.y(), right - left + card.WIDTH, bottom - top + HEIGHT)}
            rects = [item.rect for item in self.canvas.drawing.nodes.values()]
            others = [(rect.x(), rect.y(), rect.width(), rect.height()) for rect in rects]
            corner += QPointF(0, layout.clear(piece, others))
        while any(abs(x - corner.x()) < 1 and abs(y - corner.y()) < 1 for x, y in near):
            corner += QPointF(OFFSET, OFFSET)
        return corner.x() - left, corner.y() - top

    # ------------------------------------------------------------------ frames and notes

    def add_frame(self) -> None:
        """Put a frame around what is selected, else into the middle of the view."""
        drawing = self.canvas.drawing
        chosen = (*self.selection.nodes, *self.selection.marks)
        area = drawing.content(chosen)
        if area.isNull():
            centre = self.canvas.visible_rect().center()
            area = QRectF(centre.x() - 200, centre.y() - 120, 400, 240)
        else:
            area = area.adjusted(-PADDING, -PADDING - TITLE, PADDING, PADDING)
        used = sum(isinstance(mark, Frame) for mark in edit_view.marks(self.network, self.block).values())
        color = edit_view.COLORS[used % len(edit_view.COLORS)]
        self._add_mark(Frame((area.x(), area.y(), area.width(), area.height()), "", color), "Add a frame")

    def add_note(self, at: QPointF | None = None) -> None:
        """Put a note at a place, else into the middle of the view, and write it."""
        at = self.canvas.visible_rect().center() if at is None else at
        self._add_mark(Note((round(at.x()), round(at.y()), 240.0, 96.0)), "Add a note")

    def _add_mark(self, mark: edit_view.Mark, label: str) -> None:
        made: list[str] = []

        def change(network: Network) -> Network:
            after, id = edit_view.add_mark(network, mark, block=self.block)
            made.append(id)
            return after

        if self.attempt(label, change):
            self.selection.set((), (), made)
            self.canvas.reveal(made)
            self.canvas.writer.write(made[0], fresh=True)

    def recolor(self) -> None:
        """Give the selected frames the next colour."""
        found = edit_view.marks(self.network, self.block)
        frames = {id: mark for id in self.selection.marks if isinstance(mark := found.get(id), Frame)}
        if not frames:
            self.canvas.refuse("Select the frame to recolour by its title.")
            return

        def change(network: Network) -> Network:
            for id, frame in frames.items():
                number = (edit_view.COLORS.index(frame.color) + 1) % len(edit_view.COLORS)
                changed = frame._replace(color=edit_view.COLORS[number])
                network = edit_view.set_mark(network, id, changed, block=self.block)
            return network

        self.attempt("Recolour", change, merge=f"recolour {tuple(frames)}")

    def straighten(self) -> None:
        """Let the selected wires find their own way again."""
        bent = edit_view.bends(self.network, self.block)
        chosen = [edge for edge in self.selection.edges if edge in bent]
        if not chosen:
            self.canvas.refuse("Select the wire to straighten: one that is led through points.")
            return
        self.attempt(
            "Straighten",
            lambda network: edit_view.set_bends(network, dict.fromkeys(chosen, ()), block=self.block),
        )

    # ------------------------------------------------------------------ mending

    def repairs(self) -> list[Repair]:
        """The ways out of the selected nodes' problems, best first; where they have none, of all."""
        shown = self.canvas.drawing.nodes
        chosen = [shown[id] for id in self.selection.nodes if id in shown]
        return _ways_out(chosen) or _ways_out(shown.values())

    def repair(self, repair: Repair) -> None:
        """Take one way out."""
        try:
            after = mended(self.network, repair)
        except EditProblem as problem:
            self.canvas.refuse(str(problem))
            return
        self.document.edit(after, repair.text)

    # ------------------------------------------------------------------ selecting

    def select_all(self) -> None:
        """Select every node, frame and note."""
        self.selection.set(self.canvas.drawing.nodes, (), self.canvas.drawing.marks)

    def select_along(self, upstream: bool) -> None:
        """Add everything that feeds the selected nodes, or that they feed."""
        if not self.selection.nodes:
            self.canvas.refuse("Select the layer whose paths you want.")
            return
        self.selection.set(self._along(self.selection.nodes, upstream))

    def select_path(self) -> None:
        """Select every node that lies on a way between selected ones, with the wires of these ways."""
        chosen = self.selection.nodes
        if len(chosen) < 2:
            self.canvas.refuse("Select the two layers whose paths you want.")
            return
        found = dict.fromkeys(chosen)
        for start in chosen:
            onward = self._along((start,), False)
            for end in chosen:
                if end != start and end in onward:
                    back = self._along((end,), True)
                    found.update((id, None) for id in onward if id in back)
        if len(found) == len(set(chosen)) and not any(
            edge.source.node in found and edge.target.node in found
            for edge in self.network.graph(self.block).edges
        ):
            self.canvas.refuse("No path leads from one of them to the other.")
            return
        ways = [
            edge
            for edge in self.network.graph(self.block).edges
            if edge.source.node in found and edge.target.node in found
        ]
        self.selection.set(found, ways)

    def _along(self, ids: Iterable[str], upstream: bool) -> dict[str, None]:
        edges = self.network.graph(self.block).edges
        beside = ports.incoming(edges) if upstream else ports.outgoing(edges)
        found = dict.fromkeys(ids)
        todo = list(found)
        while todo:
            for edge in beside.get(todo.pop(), ()):
                other = edge.source.node if upstream else edge.target.node
                if other not in found:
                    found[other] = None
                    todo.append(other)
        return found

    def walk(self, key: str) -> None:
        """Go along a wire ("left", "right") or to the next node above or below."""
        drawing = self.canvas.drawing
        current = self.selection.current
        if current not in drawing.nodes:
            first = min(drawing.positions().items(), key=lambda item: item[1][::-1], default=None)
            if first is not None:
                self._go(first[0])
            return
        here = drawing.nodes[current].rect
        if key in ("left", "right"):
            wires = drawing.nodes[current].edges
            if key == "left":
                found = {wire.source.id for wire in wires if wire.target.id == current}
            else:
                found = {wire.target.id for wire in wires if wire.source.id == current}
            best = min(found, key=lambda id: abs(drawing.nodes[id].rect.y() - here.y()), default=None)
        else:
            sign = -1 if key == "up" else 1
            away = {
                id: (sign * (item.rect.y() - here.y()), abs(item.rect.x() - here.x()))
                for id, item in drawing.nodes.items()
                if sign * (item.rect.y() - here.y()) > 0
            }
            best = min(away, key=lambda id: away[id][0] + 2 * away[id][1], default=None)
        if best is not None:
            self._go(best)

    def _go(self, id: str) -> None:
        self.selection.set((id,))
        self.canvas.reveal((id,))


def _ways_out(items: Iterable[NodeItem]) -> list[Repair]:
    return [repair for item in items for problem in item.card.problems for repair in problem.repairs]


def named(ids: Iterable[str]) -> str:
    """One layer by its id, several by their number."""
    chosen = tuple(ids)
    return chosen[0] if len(chosen) == 1 else f"{len(chosen)} layers"
