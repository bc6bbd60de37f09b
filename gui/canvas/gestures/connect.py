"""Drawing wires, and bringing their ends elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainterPath

from engine import edit, ports
from engine.catalog import LAYERS
from engine.edit import EditProblem
from engine.findings import Tensor
from engine.network import Edge, End, Network
from gui.canvas import compose
from gui.canvas.finding import Port
from gui.canvas.gestures.base import Gesture

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: How near a port attracts the wire, in pixels.
ATTRACTION = 28.0
#: How far beside a card a wire may be dropped and still is meant for it: in pixels, and at most in scene
#: units, so that between cards there is ground to drop it on.
BORDER, WIDEST = 16.0, 24.0


class Connect(Gesture):
    """Drag from a port to a port, either way round. Dropped on empty ground it asks which layer to add."""

    reason = "Connect"

    def __init__(self, canvas: Canvas, at: QPointF, port: Port) -> None:
        super().__init__(canvas, at)
        self.port = port
        self.wanted = "in" if port.kind == "out" else "out"
        self.hot: Port | None = None
        self.why: str | None = None
        self.end = QPointF(at)
        self._mark_acceptable()

    def _reached(self) -> set[str]:
        """Nodes that a wire from here must not reach: it would close a circle."""
        edges = self.canvas.network.graph(self.canvas.block).edges
        forward = self.port.kind == "in"
        beside = ports.outgoing(edges) if forward else ports.incoming(edges)
        seen, todo = {self.port.item.id}, [self.port.item.id]
        while todo:
            for edge in beside.get(todo.pop(), ()):
                other = edge.target.node if forward else edge.source.node
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    def _mark_acceptable(self) -> None:
        refused = self._reached()
        tensor = self._tensor()
        for id, item in self.scene.nodes.items():
            available = item.card.inputs if self.wanted == "in" else item.card.outputs
            item.accepts = bool(available) and id not in refused
            if item.accepts and self.wanted == "in" and item.card.type in LAYERS:
                item.accepts = compose.takes(item.card.type, tensor)
            if id == self.port.item.id:
                item.accepts = None
            item.update()

    def _tensor(self) -> Tensor | None:
        if self.port.kind == "in":
            return None
        shown = self.port.item.card
        return shown.tensor(shown.outputs[self.port.number].name)

    def ends(self, other: Port) -> tuple[End, End]:
        """Source and target of the wire to `other`."""
        if self.port.kind == "out":
            return self.port.end, other.end
        return other.end, self.port.end

    def refusal(self, other: Port) -> str | None:
        """Why no wire can lead to `other`."""
        return compose.refusal(self.canvas.network, *self.ends(other), self.canvas.block)

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Draw the wire to the cursor, or to the port that attracts it."""
        self.end = QPointF(at)
        near = self._aimed_at(at)
        if near != self.hot:
            self._heat(near)
            self.why = self.refusal(near) if near is not None else None
            self.canvas.trial.consider(None)
            self.canvas.explain(self.why or "")
            if near is not None and self.why is None:
                self.canvas.trial.consider((near.item.id, near.number), self._made)
        self._sketch()

    def _aimed_at(self, at: QPointF) -> Port | None:
        """The port that is meant: near the cursor, or of the card under it, or of one that it just misses."""
        zoom, own = self.canvas.zoom_factor, self.port.item
        near = self.scene.port_at(at, ATTRACTION / zoom, self.wanted, own)
        if near is not None:
            return near
        item = self.scene.node_at(at) or self.scene.card_near(at, min(BORDER / zoom, WIDEST), own)
        return None if item is None or item is own else self._free_port(item.id)

    def _made(self) -> Network:
        """The network with the wire to the port under the cursor."""
        assert self.hot is not None
        return edit.connect(self.canvas.network, *self.ends(self.hot), block=self.canvas.block)

    def doubt(self) -> None:
        """A wire with which something would be wrong is drawn as such; it can be dropped all the same."""
        self._sketch()

    def _sketch(self) -> None:
        near = self.hot
        good = near is not None and self.why is None
        start, end = self.port.point, near.point if near is not None and good else self.end
        if self.port.kind == "in":
            start, end = end, start
        self.scene.sketch_wire(start, end, good, self.why is not None, self.canvas.trial.wrong)

    def _free_port(self, id: str) -> Port | None:
        item = self.scene.nodes[id]
        if self.wanted == "out":
            return Port(item, "out", 0) if item.card.outputs else None
        if not item.card.inputs:
            return None
        taken = {wire.target_index for wire in item.edges if wire.target is item}
        free = [index for index in range(len(item.card.inputs)) if index not in taken]
        return Port(item, "in", free[0] if free else 0)

    def _heat(self, port: Port | None) -> None:
        for changed, value in ((self.hot, None), (port, port)):
            if changed is not None:
                changed.item.hot_port = None if value is None else (value.kind, value.number)
                changed.item.update()
        self.hot = port

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """Connect, explain, or ask which layer to add."""
        if at != self.end:
            self.move(at, modifiers)
        hot, why, away = self.hot, self.why, (self.end - self.origin).manhattanLength()
        self._clear()
        if hot is not None and why is not None:
            self.canvas.refuse(why)
        elif hot is not None:
            self.connect(hot)
        elif self.scene.node_at(at) is None and away * self.canvas.zoom_factor > 24:
            self.dropped(at)

    def connect(self, other: Port) -> None:
        """Make the wire."""
        source, target = self.ends(other)
        self.canvas.editor.edit_wire(f"Connect {source} to {target}", source, target)

    def dropped(self, at: QPointF) -> None:
        """The wire ends on empty ground: which layer comes there? It stays drawn until that is said."""
        self.end = at
        self._sketch()
        if self.port.kind == "out":
            self.canvas.adder.search_at(at, source=self.port.end, tensor=self._tensor())
        else:
            self.canvas.adder.search_at(at, target=self.port.end)

    def cancel(self) -> None:
        """Draw no wire."""
        self._clear()

    def _clear(self) -> None:
        self._heat(None)
        for item in self.scene.nodes.values():
            if item.accepts is not None:
                item.accepts = None
                item.update()
        self.scene.sketch.setPath(QPainterPath())
        self.canvas.explain("")


class Rewire(Connect):
    """Shift-drag a wire's end to another port; dropped on empty ground the wire is cut."""

    reason = "Rewire"

    def __init__(self, canvas: Canvas, at: QPointF, edge: Edge, moving: str) -> None:
        self.edge = edge
        wire = canvas.drawing.wires[edge]
        fixed = (
            Port(wire.source, "out", wire.source_index)
            if moving == "target"
            else Port(wire.target, "in", wire.target_index)
        )
        self._wire = wire
        wire.setOpacity(0.25)
        super().__init__(canvas, at, fixed)

    def refusal(self, other: Port) -> str | None:
        """Why the wire cannot lead to `other`."""
        try:
            compose.rewire(self.canvas.network, self.edge, *self.ends(other), self.canvas.block)
        except EditProblem as problem:
            return str(problem)
        return None

    def _made(self) -> Network:
        assert self.hot is not None
        return compose.rewire(self.canvas.network, self.edge, *self.ends(self.hot), self.canvas.block)

    def connect(self, other: Port) -> None:
        """Bring the end to `other`."""
        ends = self.ends(other)
        if Edge(*ends) != self.edge:
            self.canvas.editor.attempt(
                f"Rewire {self.edge}",
                lambda network: compose.rewire(network, self.edge, *ends, self.canvas.block),
            )

    def dropped(self, at: QPointF) -> None:
        """Cut the wire."""
        self.canvas.editor.remove_wires((self.edge,))

    def _clear(self) -> None:
        self._wire.setOpacity(1.0)
        super()._clear()
