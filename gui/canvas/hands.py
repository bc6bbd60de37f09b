"""The mouse on the canvas: which gesture a press begins, what a click does, what is hovered."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QMouseEvent
from PySide6.QtWidgets import QToolTip

from engine.network import Edge
from gui.canvas import card
from gui.canvas.edge_item import EdgeItem
from gui.canvas.finding import Port
from gui.canvas.gestures import Bend, Connect, Gesture, Move, Pan, Resize, Rewire, RubberBand
from gui.canvas.gestures.bend import lead, place_of
from gui.canvas.levels import FAR, NEAR
from gui.canvas.marks import FrameItem, NoteItem
from gui.canvas.node_item import PORT_RADIUS, NodeItem

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: How near, in pixels, ports, wires and a problem's badge are hit.
PORT_REACH, WIRE_REACH = 11.0, 7.0
BADGE_REACH = 14.0
#: And how near, from far away, a selected card is held with all the others.
HOLD_REACH = 10.0
#: Characters of a tooltip's line from which it is wrapped.
LONG = 72
#: Distance in pixels from which a press is a drag.
DRAG_FROM = 4


class Hands:
    """Turns mouse events into gestures."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.drawing = canvas.drawing
        self.selection = canvas.selection
        self.gesture: Gesture | None = None
        #: While space is held, the left button pans.
        self.panning = False
        self.hovered: NodeItem | EdgeItem | None = None
        self._hot: Port | None = None
        self._pressed: tuple[QPoint, Callable[[], Gesture] | None, Callable[[], None] | None] | None = None
        #: The right button was pressed last, and cancelled what another held: it asks for no menu.
        self.declined = False

    @property
    def busy(self) -> bool:
        """Whether a button is held."""
        return self.gesture is not None or self._pressed is not None

    def press(self, event: QMouseEvent) -> None:
        """Decide which gesture begins if the mouse moves, and what a click does."""
        self.canvas.stop_animation()
        self.canvas.adder.popup.dismiss()
        place = event.position().toPoint()
        self.declined = self.busy and event.button() == Qt.MouseButton.RightButton
        if self.declined:
            self.cancel()
        if self.gesture is not None:
            return
        at = self.canvas.mapToScene(place)
        if event.button() == Qt.MouseButton.MiddleButton or (
            self.panning and event.button() == Qt.MouseButton.LeftButton
        ):
            self.gesture = Pan(self.canvas, at, place)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._choose(place, at, event.modifiers())

    def _choose(self, place: QPoint, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        add = shift or bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        alt = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        caption = self.drawing.caption_at(at)
        if caption is not None:
            self._press_mark(place, at, caption, add, alt)
            return
        port, zoom = self._port_at(at), self.canvas.zoom_factor
        item = self.drawing.node_at(at)
        reach = WIRE_REACH / zoom
        wire = None if item or self._covers(port, at) else self.drawing.wire_at(at, reach)
        bend = None if item or port else self.drawing.bend_at(at, reach)
        mark = None if item or port else self.drawing.mark_at(at, reach)
        meant = item is not None
        if mark is not None and mark.before_wires(at, reach):
            meant, wire, bend = True, None, None
        held = None if meant or add or self.drawing.detail != FAR else self._held_near(at)
        if port is not None:
            edges = () if wire is None else (*self.selection.edges, wire.edge) if add else (wire.edge,)
            self._begin_wire(place, at, port, shift, edges)
        elif held is not None:  # a click is one on what lies there
            there = (bend[0].edge,) if bend else (wire.edge,) if wire else ()
            marks = (mark.id,) if mark and not there else ()
            self._pressed = (
                place,
                lambda: Move(self.canvas, at, held.id, alt),
                lambda: self.selection.set((), there, marks),
            )
        elif item is not None:
            self._press_node(place, at, item, add, alt)
        elif bend is not None:
            edge, number = bend[0].edge, bend[1]
            self._pressed = (
                place,
                lambda: Bend(self.canvas, at, edge, number),
                lambda: self.selection.set((), (edge,)),
            )
        elif mark is not None and wire is None:
            self._press_mark(place, at, mark, add, alt)
        elif wire is not None:
            edges = (*self.selection.edges, wire.edge) if add else (wire.edge,)
            edge = wire.edge
            near_target = (wire.end - at).manhattanLength() < (wire.start - at).manhattanLength()

            # From afar the wires beside a card are too many for one of them to be meant to be led elsewhere.
            crowded = self.drawing.detail == FAR and self.drawing.port_at(at, PORT_REACH / zoom) is not None

            def begin() -> Gesture:
                if crowded and not shift:
                    return RubberBand(self.canvas, at, add)
                if shift:
                    return Rewire(self.canvas, at, edge, "target" if near_target else "source")
                return Bend(self.canvas, at, edge)

            self._pressed = (place, begin, lambda: self.selection.set((), edges))
        else:
            self._pressed = (
                place,
                lambda: RubberBand(self.canvas, at, add),
                None if add else self.selection.set,
            )

    def _port_at(self, at: QPointF) -> Port | None:
        """The port that the cursor is over; from far away none is, for a press there takes none."""
        far = self.drawing.detail == FAR
        return None if far else self.drawing.port_at(at, PORT_REACH / self.canvas.zoom_factor)

    def _covers(self, port: Port | None, at: QPointF) -> bool:
        """Whether a port's circle is what is seen there: beside it, or where none is drawn, a wire may be."""
        if port is None or self.drawing.detail != NEAR:
            return False
        return QLineF(port.point, at).length() <= PORT_RADIUS

    def _held_near(self, at: QPointF) -> NodeItem | None:
        """The selected card whose border is near enough to be meant: from far away cards are small."""
        if not self.selection.nodes:
            return None
        return self.drawing.card_near(at, HOLD_REACH / self.canvas.zoom_factor, chosen=True)

    def _begin_wire(
        self, place: QPoint, at: QPointF, port: Port, shift: bool, edges: tuple[Edge, ...]
    ) -> None:
        """A drag from a port makes or leads a wire; a click is one on `edges` there, else on the card."""
        click = (lambda: self.selection.set((), edges)) if edges else (lambda: self._click(port.item.id))
        wires = [
            wire
            for wire in port.item.edges
            if (wire.target is port.item and port.kind == "in" and wire.target_index == port.number)
            or (wire.source is port.item and port.kind == "out" and wire.source_index == port.number)
        ]
        if shift and wires:
            edge = wires[-1].edge
            end = "target" if port.kind == "in" else "source"
            self._pressed = (place, lambda: Rewire(self.canvas, at, edge, end), click if edges else None)
        else:
            self._pressed = (place, lambda: Connect(self.canvas, at, port), click)

    def _mend(self, id: str) -> None:
        """The bulb on a card: the ways out of what is wrong with it."""
        self._click(id)
        self.canvas.command("repair").trigger()

    def _press_mark(
        self, place: QPoint, at: QPointF, mark: FrameItem | NoteItem, add: bool, alt: bool
    ) -> None:
        id, chosen = mark.id, self.selection.marks
        if add:
            rest = tuple(other for other in chosen if other != id)
            marks = rest if id in chosen else (*chosen, id)
            self.selection.set(self.selection.nodes, self.selection.edges, marks)
        elif id not in chosen:
            self.selection.set((), (), (id,))
        corner = mark.corner(at, WIRE_REACH / self.canvas.zoom_factor)

        def begin() -> Gesture:
            return Resize(self.canvas, at, id) if corner else Move(self.canvas, at, id, alt)

        held = id in self.selection.marks
        self._pressed = (place, begin if held else None, None)

    def _click(self, id: str) -> None:
        self.selection.set((id,))

    def _press_node(self, place: QPoint, at: QPointF, item: NodeItem, add: bool, alt: bool) -> None:
        id, chosen = item.id, self.selection.nodes
        click: Callable[[], None] | None = None
        mend = (
            item.mendable
            and item.badge_at(at, BADGE_REACH / min(1.0, self.canvas.zoom_factor))
            and self.drawing.detail == NEAR
        )
        if add:
            rest = tuple(other for other in chosen if other != id)
            kept = rest if id in chosen else (*chosen, id)
            self.selection.set(kept, self.selection.edges, self.selection.marks)
        elif id not in chosen:
            self.selection.set((id,))
        else:
            click = lambda: self._click(id)  # noqa: E731
        if mend and not add:
            click = lambda: self._mend(id)  # noqa: E731
        begin = (lambda: Move(self.canvas, at, id, alt)) if id in self.selection.nodes else None
        self._pressed = (place, begin, click)

    def move(self, event: QMouseEvent) -> None:
        """Go on with the gesture, or show what the cursor is over.

        With no button held any more it was let go where something else had the mouse, a menu for one.
        """
        if self.busy and not event.buttons():
            self.cancel()
        place = event.position().toPoint()
        at = self.canvas.mapToScene(place)
        if self._pressed is not None and self.gesture is None:
            begun, make, _ = self._pressed
            if make is not None and (place - begun).manhattanLength() >= DRAG_FROM:
                self.hover(None)
                self.gesture = make()
        if self.gesture is not None:
            self.gesture.move(at, event.modifiers())
            self.canvas.refresh_far()
        elif self._pressed is None:
            self._hover_at(at)

    def release(self, event: QMouseEvent) -> None:
        """Finish the gesture, or do what a click does; while another button is held, neither."""
        if event.buttons():
            return
        pressed, self._pressed = self._pressed, None
        gesture, self.gesture = self.gesture, None
        at = self.canvas.mapToScene(event.position().toPoint())
        if gesture is not None:
            gesture.finish(at, event.modifiers())
            self.canvas.trial.end()
            self.canvas.refresh_far()
        elif pressed is not None and pressed[2] is not None:
            pressed[2]()

    def double_click(self, event: QMouseEvent) -> None:
        """On empty ground: search-to-add. On a node: edit it, or enter the block."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        at = self.canvas.mapToScene(event.position().toPoint())
        caption = self.drawing.caption_at(at)
        if caption is not None:
            self.canvas.writer.write(caption.id)
            return
        item = self.drawing.node_at(at)
        if item is None:
            self._double_click_ground(at)
            return
        node = self.canvas.network.graph(self.canvas.block).nodes.get(item.id)
        if node is not None and node.block in self.canvas.network.blocks:
            self.canvas.interior.enter(item.id)
        else:
            self.canvas.edit_requested.emit(item.id)

    def _double_click_ground(self, at: QPointF) -> None:
        """On a bend: straighten it. On a wire: bend it. On a frame or note: write. Else search-to-add."""
        reach = WIRE_REACH / self.canvas.zoom_factor
        bend, wire = self.drawing.bend_at(at, reach), self.drawing.wire_at(at, reach)
        mark = self.drawing.mark_at(at)
        if mark is not None and mark.before_wires(at, reach):
            self.canvas.writer.write(mark.id)
        elif bend is not None:
            points = list(bend[0].bends)
            del points[bend[1]]
            lead(self.canvas, bend[0].edge, points, "Straighten")
        elif wire is not None:
            points = list(wire.bends)
            points.insert(place_of(wire, at), QPointF(round(at.x()), round(at.y())))
            lead(self.canvas, wire.edge, points, "Bend")
        elif mark is not None:
            self.canvas.writer.write(mark.id)
        else:
            self.canvas.adder.search_at(at)

    # ------------------------------------------------------------------ hovering

    def _hover_at(self, at: QPointF) -> None:
        if self.drawing.expected():
            return  # a look under the cursor would have them all come at once
        if self.drawing.caption_at(at) is not None:
            self.hover(None)
            return
        port = self._port_at(at)
        item: NodeItem | EdgeItem | None = port.item if port else self.drawing.node_at(at)
        if item is None:
            item = self.drawing.wire_at(at, WIRE_REACH / self.canvas.zoom_factor)
        self.hover(item, port)

    def hover(self, item: NodeItem | EdgeItem | None, port: Port | None = None) -> None:
        """Mark what the cursor is over; None: nothing."""
        if item is not self.hovered:
            for changed, on in ((self.hovered, False), (item, True)):
                if isinstance(changed, NodeItem):
                    changed.hovered = on
                    changed.update()
                elif isinstance(changed, EdgeItem):
                    changed.hovered = on
                    changed.restyle()
            self.hovered = item
        if port != self._hot:
            for hot, spot in ((self._hot, None), (port, port)):
                if hot is not None:
                    hot.item.hot_port = None if spot is None else (spot.kind, spot.number)
                    hot.item.update()
            self._hot = port
            if port is not None:
                self.canvas.viewport().setCursor(Qt.CursorShape.CrossCursor)
            else:
                self.canvas.viewport().unsetCursor()

    def show_tooltip(self, event: QHelpEvent) -> None:
        """Say what a port or wire carries, or what is wrong with a node."""
        at = self.canvas.mapToScene(event.pos())
        port = self._port_at(at)
        item = self.drawing.node_at(at)
        text = ""
        if self.drawing.caption_at(at) is not None:
            pass  # what lies below it is not seen
        elif port is not None:
            text = describe_port(port)
        elif item is not None:
            lines = [problem.message for problem in item.card.problems]
            mark = "" if item.mark is None else item.mark.tip
            text = "\n".join(filter(None, [*lines, mark, card.cost_text(item.card)]))
        else:
            wire = self.drawing.wire_at(at, WIRE_REACH / self.canvas.zoom_factor)
            if wire is not None:
                tensor = Port(wire.source, "out", wire.source_index)
                text = f"{wire.edge}\n{describe_port(tensor)}"
        if text:
            lines = text.split("\n")
            wrap = "normal" if max(map(len, lines)) > LONG else "nowrap"
            plain = "<br>".join(html.escape(line) for line in lines)
            QToolTip.showText(
                event.globalPos(), f"<div style='white-space:{wrap}'>{plain}</div>", self.canvas
            )
        else:
            QToolTip.hideText()

    def cancel(self) -> None:
        """Leave the gesture; the document is as it was."""
        gesture, self.gesture = self.gesture, None
        self._pressed = None
        if gesture is not None:
            gesture.cancel()
            self.canvas.trial.end()
            self.canvas.refresh_far()

    def forget(self) -> None:
        """Everything on the canvas has been replaced."""
        self.hovered = self._hot = None


def describe_port(port: Port) -> str:
    """What a port's or wire's tooltip says."""
    shown = port.item.card
    available = shown.inputs if port.kind == "in" else shown.outputs
    entry = available[port.number]
    words = f"{entry.name}: {entry.doc}" if entry.doc else entry.name
    if port.kind == "out":
        tensor = shown.tensor(entry.name)
        if tensor is not None:
            words = f"{words}\n{card.tensor_text(tensor)}" if len(available) > 1 else card.tensor_text(tensor)
    return words
