"""The canvas: the view of one graph, and the hands that work on it."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QPoint,
    QPointF,
    QRectF,
    QSizeF,
    Qt,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QGraphicsView, QMenu, QToolTip, QWidget

from engine.findings import Analysis, Repair, Tensor
from engine.network import End, Network
from gui.canvas import card, commands, compose
from gui.canvas.edge_item import EdgeItem
from gui.canvas.editor import Editor
from gui.canvas.gestures import Connect, Gesture, Move, Pan, Rewire, RubberBand
from gui.canvas.minimap import Minimap
from gui.canvas.node_item import FAR, MIDDLE, NEAR, NodeItem
from gui.canvas.overlays import EmptyState, Toast
from gui.canvas.palette import MIME
from gui.canvas.scene import Port, Scene
from gui.canvas.search import SearchPopup
from gui.document import Document
from gui.selection import Selection
from gui.theme import SPACE, theme

MIN_ZOOM, MAX_ZOOM = 0.02, 4.0
#: Zoom factors from which cards show their id, and everything.
MIDDLE_FROM, NEAR_FROM = 0.3, 0.56
#: How near, in pixels, ports and wires are hit.
PORT_REACH, WIRE_REACH = 11.0, 7.0
#: Distance in pixels from which a press is a drag.
DRAG_FROM = 4
GRID = 32
ANIMATION_MS = 140


class Canvas(QGraphicsView):
    """Shows the graph that the selection names, and edits it."""

    #: For the status bar.
    message = Signal(str)
    #: The user wants to edit this node's first field.
    edit_requested = Signal(str)

    def __init__(self, document: Document, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.selection = selection
        self.drawing = Scene(self)
        self.setScene(self.drawing)
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas: the network's layers and wires")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.MinimalViewportUpdate)
        self.setOptimizationFlags(
            QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing
            | QGraphicsView.OptimizationFlag.DontSavePainterState
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.gesture: Gesture | None = None
        self._pressed: tuple[QPoint, Callable[[], Gesture] | None, Callable[[], None] | None] | None = None
        self._space = False
        self._hovered: NodeItem | EdgeItem | None = None
        self._hot: Port | None = None
        self._fit_wanted = True
        self._search_for: dict[str, object] = {}
        self._animation: QVariantAnimation | None = None
        self.editor = Editor(self)
        self.minimap = Minimap(self)
        self._minimap_wanted = True
        self.toast = Toast(self)
        self.empty = EmptyState(self)
        self.search = SearchPopup(self)
        self.search.chosen.connect(self._add_found)
        self.search.closed.connect(self.setFocus)
        self.commands: list[QAction] = commands.make(self)
        self.drawing.altered.connect(self._altered)
        document.changed.connect(self._changed)
        selection.changed.connect(self._selected)
        selection.block_changed.connect(lambda *_: self._show_graph())
        theme.changed.connect(self._restyle)
        self._show_graph()

    # ------------------------------------------------------------------ models

    @property
    def network(self) -> Network:
        """The document's network."""
        return self.document.network

    @property
    def block(self) -> str | None:
        """The block that is shown; None: the top level."""
        return self.selection.block

    def set_analysis(self, analysis: Analysis) -> None:
        """Show shapes on wires and cards, and mark problems."""
        self._analysis = analysis
        self.drawing.set_analysis(analysis, self.network, self.block)

    _analysis = Analysis()

    def add_layer(self, type: str, position: tuple[float, float] | None = None) -> None:
        """Add a layer, wired to the one selected node; at `position`, or beside that node."""
        if position is None and len(self.selection.nodes) != 1 and not self.drawing.nodes:
            centre = self.visible_rect().center()
            position = (round(centre.x() - card.WIDTH / 2), round(centre.y() - 48))
        self.editor.add_layer(type, position)

    def _changed(self, before: Network, after: Network) -> None:
        if self.gesture is not None:
            self._cancel()
        if self.block is not None and self.block not in after.blocks:
            self.selection.show_block(None)
            return
        kept = any(after.nodes.get(id) is node for id, node in before.nodes.items())
        fresh = not kept and self.document.undo_stack.count() == 0 and len(after.nodes) != 1
        if fresh or (self.block is not None and self.block not in before.blocks):
            self._show_graph()
        else:
            self.drawing.sync(before, after, self.block)
        nodes = tuple(id for id in self.selection.nodes if id in self.drawing.nodes)
        edges = tuple(edge for edge in self.selection.edges if edge in self.drawing.wires)
        self.selection.set(nodes, edges)
        self._selected()

    def _show_graph(self) -> None:
        self._hovered = self._hot = None
        self.drawing.set_analysis(self._analysis, self.network, self.block)
        self.drawing.show_graph(self.network, self.block)
        self._selected()
        self.fit()

    def _selected(self) -> None:
        self.drawing.select(self.selection.nodes, self.selection.edges)
        self._refresh_far()

    def _altered(self) -> None:
        self.empty.setVisible(not self.drawing.nodes)
        self.minimap.forget()
        self._show_minimap()
        self._refresh_far()

    def _restyle(self) -> None:
        self.drawing.restyle()
        for action in self.commands:
            action.setIcon(theme.icon(str(action.data())))
        self.viewport().update()

    # ------------------------------------------------------------------ messages

    def explain(self, text: str) -> None:
        """Say something while a gesture lasts; empty: nothing."""
        if text:
            self.toast.say(text, lasting=True)
        else:
            self.toast.dismiss()

    def refuse(self, text: str) -> None:
        """Say why something was not done."""
        self.toast.say(text)
        self.message.emit(text)

    # ------------------------------------------------------------------ where we look

    @property
    def zoom_factor(self) -> float:
        """Pixels per scene unit."""
        return self.transform().m11()

    def visible_rect(self) -> QRectF:
        """What is in view, in scene coordinates."""
        return self.mapToScene(self.viewport().rect()).boundingRect()

    def scroll_position(self) -> QPoint:
        """Where the view is scrolled to, in pixels."""
        return QPoint(self.horizontalScrollBar().value(), self.verticalScrollBar().value())

    def scroll_to(self, position: QPoint) -> None:
        """Scroll to a place that :meth:`scroll_position` gave."""
        self.horizontalScrollBar().setValue(position.x())
        self.verticalScrollBar().setValue(position.y())

    def cursor_point(self) -> QPointF | None:
        """The cursor in scene coordinates; None when it is elsewhere."""
        place = self.viewport().mapFromGlobal(self.cursor().pos())
        return self.mapToScene(place) if self.viewport().rect().contains(place) else None

    def set_zoom(self, factor: float) -> None:
        """Set the zoom, and the level of detail that goes with it."""
        factor = max(MIN_ZOOM, min(MAX_ZOOM, factor))
        self.setTransform(QTransform.fromScale(factor, factor))
        detail = NEAR if factor >= NEAR_FROM else MIDDLE if factor >= MIDDLE_FROM else FAR
        if detail != self.drawing.detail:
            self.drawing.detail = detail
            self.viewport().update()

    def zoom(self, by: float, about: QPoint | None = None) -> None:
        """Zoom by a factor; the scene point under `about` (the middle) stays where it is."""
        place = self.viewport().rect().center() if about is None else about
        fixed = self.mapToScene(place)
        self.set_zoom(self.zoom_factor * by)
        self.scroll_to(self.scroll_position() + self.mapFromScene(fixed) - place)
        self._show_minimap()

    def zoom_reset(self) -> None:
        """Show cards at their own size."""
        self.zoom(1.0 / self.zoom_factor)

    def fit(self, ids: Iterable[str] | None = None) -> None:
        """Bring all nodes, or `ids`, into view."""
        if not self.isVisible():
            self._fit_wanted = True
            return
        content = self.drawing.content(ids)
        if content.isNull():
            self.set_zoom(1.0)
            self.centerOn(0, 0)
            return
        margin = 10.0 * SPACE
        room = QSizeF(self.viewport().width() - 2 * margin, self.viewport().height() - 2 * margin)
        self.set_zoom(
            min(1.0, max(room.width(), 1) / content.width(), max(room.height(), 1) / content.height())
        )
        self.centerOn(content.center())
        self._show_minimap()

    def reveal(self, ids: Iterable[str]) -> None:
        """Scroll so far that `ids` are in view."""
        content = self.drawing.content(ids).adjusted(-40, -40, 40, 40)
        if not content.isNull() and not self.visible_rect().contains(content):
            self.ensureVisible(content, 24, 24)
            self._show_minimap()

    def toggle_minimap(self) -> None:
        """Show or hide the overview."""
        self._minimap_wanted = not self._minimap_wanted
        self._show_minimap()

    def _show_minimap(self) -> None:
        content = self.drawing.content()
        wanted = self._minimap_wanted and not content.isNull()
        self.minimap.setVisible(wanted and not self.visible_rect().contains(content))
        self.minimap.update()

    @contextmanager
    def animated(self) -> Iterator[None]:
        """Let nodes glide to where an edit made inside puts them."""
        before = self.drawing.positions()
        yield
        after = self.drawing.positions()
        moving = {id: place for id, place in before.items() if id in after and after[id] != place}
        if not moving or not self.isVisible() or len(moving) > 1500:
            return
        self._stop_animation()
        animation = QVariantAnimation(self)
        animation.setDuration(ANIMATION_MS)
        animation.setStartValue(0.0)
        animation.setEndValue(1.0)
        animation.setEasingCurve(QEasingCurve.Type.OutCubic)

        def step(share: float) -> None:
            self.drawing.drag(
                {
                    id: (x + (after[id][0] - x) * share, y + (after[id][1] - y) * share)
                    for id, (x, y) in moving.items()
                }
            )
            self._refresh_far()

        animation.valueChanged.connect(step)
        animation.finished.connect(self._stop_animation)
        self._animation = animation
        animation.start()

    def _stop_animation(self) -> None:
        animation, self._animation = self._animation, None
        if animation is not None:
            animation.valueChanged.disconnect()
            animation.finished.disconnect()
            animation.stop()
            animation.deleteLater()
            self.drawing.settle(self.network, self.block)

    # ------------------------------------------------------------------ adding by search

    def search_here(self) -> None:
        """Search-to-add by keyboard: beside the one selected node, else at the cursor."""
        if len(self.selection.nodes) == 1:
            item = self.drawing.nodes[self.selection.nodes[0]]
            place = self.mapFromScene(item.rect.topRight()) + QPoint(16, 0)
            self._search_for = {}
            tensor = item.card.tensor()
            self.search.open_at(place, None if tensor is None else lambda type: compose.takes(type, tensor))
            return
        at = self.cursor_point()
        self.search_at(self.visible_rect().center() if at is None else at)

    def search_at(
        self,
        at: QPointF,
        source: End | None = None,
        target: End | None = None,
        tensor: Tensor | None = None,
    ) -> None:
        """Search-to-add at a place, for an open wire's end where there is one."""
        self._search_for = {"at": at, "source": source, "target": target}
        hint, wanted = "", None
        if source is not None:
            hint = f"Layers that take {card.shape_text(tensor)}" if tensor else f"Layers to follow {source}"
            wanted = lambda type: compose.takes(type, tensor)  # noqa: E731
        elif target is not None:
            hint, wanted = f"Layers to feed {target}", compose.gives
        self.search.open_at(self.mapFromScene(at), wanted, hint)

    def _add_found(self, type: str) -> None:
        wanted = self._search_for
        at = wanted.get("at")
        place = None
        if isinstance(at, QPointF):
            back = card.WIDTH if wanted.get("target") is not None else 0
            free = wanted.get("source") is None and wanted.get("target") is None
            place = (at.x() - (card.WIDTH / 2 if free else back), at.y() - card.PORT_Y)
        source, target = wanted.get("source"), wanted.get("target")
        self.editor.add_layer(
            type,
            place,
            source=source if isinstance(source, End) else None,
            target=target if isinstance(target, End) else None,
        )
        self.setFocus()

    def ask_to_edit(self) -> None:
        """Let the inspector edit the current node's first field."""
        if self.selection.current is not None:
            self.edit_requested.emit(self.selection.current)

    def offer_repairs(self) -> None:
        """A menu of the ways out of what is wrong with the selected nodes."""
        repairs = self.editor.repairs()
        if not repairs:
            self.refuse("There is nothing here that a repair is known for.")
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for repair in repairs[:12]:
            entry = menu.addAction(theme.icon("mdi6.lightbulb-on-outline"), repair.text.replace("&", "&&"))
            entry.triggered.connect(partial(self._repair, repair))
        place = self.viewport().rect().center()
        if self.selection.current in self.drawing.nodes:
            rect = self.drawing.nodes[self.selection.current].rect
            place = self.mapFromScene(rect.bottomLeft())
        menu.popup(self.viewport().mapToGlobal(place))
        menu.setActiveAction(menu.actions()[0])

    def _repair(self, repair: Repair, *_: object) -> None:
        self.editor.repair(repair)

    # ------------------------------------------------------------------ mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Decide which gesture begins if the mouse moves, and what a click does."""
        self._stop_animation()
        self.search.dismiss()
        place = event.position().toPoint()
        if self.gesture is not None:
            return
        at = self.mapToScene(place)
        if event.button() == Qt.MouseButton.MiddleButton or (
            self._space and event.button() == Qt.MouseButton.LeftButton
        ):
            self.gesture = Pan(self, at, place)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._press(place, at, event.modifiers())

    def _press(self, place: QPoint, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        add = shift or bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        alt = bool(modifiers & Qt.KeyboardModifier.AltModifier)
        port = self.drawing.port_at(at, PORT_REACH / self.zoom_factor)
        item = self.drawing.node_at(at)
        wire = None if item or port else self.drawing.wire_at(at, WIRE_REACH / self.zoom_factor)
        if port is not None and self.drawing.detail != FAR:
            self._begin_wire(place, at, port, shift)
        elif item is not None:
            self._press_node(place, at, item, add, alt)
        elif wire is not None:
            edges = (*self.selection.edges, wire.edge) if add else (wire.edge,)
            edge = wire.edge
            near_target = (wire.end - at).manhattanLength() < (wire.start - at).manhattanLength()
            rewire = (
                (lambda: Rewire(self, at, edge, "target" if near_target else "source")) if shift else None
            )
            self._pressed = (place, rewire, lambda: self.selection.set((), edges))
        else:
            self._pressed = (
                place,
                lambda: RubberBand(self, at, add),
                None if add else self.selection.set,
            )

    def _begin_wire(self, place: QPoint, at: QPointF, port: Port, shift: bool) -> None:
        wires = [
            wire
            for wire in port.item.edges
            if (wire.target is port.item and port.kind == "in" and wire.target_index == port.number)
            or (wire.source is port.item and port.kind == "out" and wire.source_index == port.number)
        ]
        if shift and wires:
            edge = wires[-1].edge
            end = "target" if port.kind == "in" else "source"
            self._pressed = (place, lambda: Rewire(self, at, edge, end), None)
        else:
            self._pressed = (place, lambda: Connect(self, at, port), lambda: self._click(port.item.id))

    def _click(self, id: str) -> None:
        self.selection.set((id,))

    def _press_node(self, place: QPoint, at: QPointF, item: NodeItem, add: bool, alt: bool) -> None:
        id, chosen = item.id, self.selection.nodes
        click: Callable[[], None] | None = None
        if add:
            rest = tuple(other for other in chosen if other != id)
            self.selection.set(rest if id in chosen else (*chosen, id), self.selection.edges)
        elif id not in chosen:
            self.selection.set((id,))
        else:
            click = lambda: self._click(id)  # noqa: E731
        begin = (lambda: Move(self, at, id, alt)) if id in self.selection.nodes else None
        self._pressed = (place, begin, click)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with the gesture, or show what the cursor is over."""
        place = event.position().toPoint()
        at = self.mapToScene(place)
        if self._pressed is not None and self.gesture is None:
            begun, make, _ = self._pressed
            if make is not None and (place - begun).manhattanLength() >= DRAG_FROM:
                self._hover(None, None)
                self.gesture = make()
        if self.gesture is not None:
            self.gesture.move(at, event.modifiers())
            self._refresh_far()
        elif self._pressed is None:
            self._hover_at(at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Finish the gesture, or do what a click does."""
        pressed, self._pressed = self._pressed, None
        gesture, self.gesture = self.gesture, None
        at = self.mapToScene(event.position().toPoint())
        if gesture is not None:
            gesture.finish(at, event.modifiers())
            self._refresh_far()
        elif pressed is not None and pressed[2] is not None:
            pressed[2]()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """On empty ground: search-to-add. On a node: edit it, or enter the block."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        at = self.mapToScene(event.position().toPoint())
        item = self.drawing.node_at(at)
        if item is None:
            if self.drawing.wire_at(at, WIRE_REACH / self.zoom_factor) is None:
                self.search_at(at)
            return
        node = self.network.graph(self.block).nodes.get(item.id)
        if node is not None and node.block in self.network.blocks:
            self.selection.show_block(node.block)
        else:
            self.edit_requested.emit(item.id)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the cursor; a touchpad scrolls, Ctrl zooms it."""
        pixels, ctrl = event.pixelDelta(), bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        angle = event.angleDelta()
        if not pixels.isNull() and not ctrl:
            self.scroll_to(self.scroll_position() - pixels)
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.scroll_to(self.scroll_position() - QPoint(angle.y() + angle.x(), 0))
        else:
            self.zoom(1.0015 ** (angle.y() or angle.x()), event.position().toPoint())
        self._show_minimap()
        event.accept()

    def viewportEvent(self, event: QEvent) -> bool:
        """Pinch to zoom, and tooltips."""
        if isinstance(event, QNativeGestureEvent):
            if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
                self.zoom(1.0 + event.value(), event.position().toPoint())
                return True
        elif event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._show_tooltip(event)
            return True
        return super().viewportEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the cursor."""
        self._hover(None, None)
        super().leaveEvent(event)

    def _hover_at(self, at: QPointF) -> None:
        port = self.drawing.port_at(at, PORT_REACH / self.zoom_factor)
        item: NodeItem | EdgeItem | None = port.item if port else self.drawing.node_at(at)
        if item is None:
            item = self.drawing.wire_at(at, WIRE_REACH / self.zoom_factor)
        self._hover(item, port)

    def _hover(self, item: NodeItem | EdgeItem | None, port: Port | None) -> None:
        if item is not self._hovered:
            for changed, on in ((self._hovered, False), (item, True)):
                if isinstance(changed, NodeItem):
                    changed.hovered = on
                    changed.update()
                elif isinstance(changed, EdgeItem):
                    changed.hovered = on
                    changed.restyle()
            self._hovered = item
        if port != self._hot:
            for hot, spot in ((self._hot, None), (port, port)):
                if hot is not None:
                    hot.item.hot_port = None if spot is None else (spot.kind, spot.number)
                    hot.item.update()
            self._hot = port
            self.viewport().setCursor(Qt.CursorShape.CrossCursor) if port else self.viewport().unsetCursor()

    def _show_tooltip(self, event: QHelpEvent) -> None:
        at = self.mapToScene(event.pos())
        port = self.drawing.port_at(at, PORT_REACH / self.zoom_factor)
        item = self.drawing.node_at(at)
        text = ""
        if port is not None:
            text = describe_port(port)
        elif item is not None:
            text = "\n".join(problem.message for problem in item.card.problems)
        else:
            wire = self.drawing.wire_at(at, WIRE_REACH / self.zoom_factor)
            if wire is not None:
                tensor = Port(wire.source, "out", wire.source_index)
                text = f"{wire.edge}\n{describe_port(tensor)}"
        if text:
            plain = "<br>".join(html.escape(line) for line in text.split("\n"))
            QToolTip.showText(event.globalPos(), f"<p>{plain}</p>", self)
        else:
            QToolTip.hideText()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The actions that fit what lies under the cursor."""
        at = self.mapToScene(event.pos())
        item = self.drawing.node_at(at)
        wire = None if item else self.drawing.wire_at(at, WIRE_REACH / self.zoom_factor)
        if item is not None and item.id not in self.selection.nodes:
            self.selection.set((item.id,))
        elif wire is not None:
            self.selection.set((), (wire.edge,))
        names = "add paste | select_all fit arrange".split()
        if item is not None:
            names = (
                "edit repair add | cut copy duplicate delete | select_upstream select_downstream arrange"
            ).split()
        elif wire is not None:
            names = ["delete"]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in names:
            if name == "|":
                menu.addSeparator()
            else:
                menu.addAction(self.command(name))
        menu.popup(event.globalPos())

    def command(self, name: str) -> QAction:
        """An action by its name: ``command("fit")``."""
        return next(action for action in self.commands if action.objectName() == f"canvas.{name}")

    # ------------------------------------------------------------------ keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape cancels; space pans while it is held."""
        if event.key() == Qt.Key.Key_Escape:
            if self.gesture is not None or self._pressed is not None:
                self._cancel()
            else:
                self.selection.set()
        elif event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = True
            self.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space is let go."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self.viewport().unsetCursor()

    def _cancel(self) -> None:
        gesture, self.gesture = self.gesture, None
        self._pressed = None
        if gesture is not None:
            gesture.cancel()
            self._refresh_far()

    # ------------------------------------------------------------------ dragging in

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take layers from the palette."""
        if event.mimeData().hasFormat(MIME):
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Show where the layer would come, and the wire that it would go into."""
        if not event.mimeData().hasFormat(MIME):
            event.ignore()
            return
        at = self.mapToScene(event.position().toPoint())
        path = QPainterPath()
        path.addRoundedRect(QRectF(*self._dropped_at(at), card.WIDTH, 72), 8, 8)
        tools = self.drawing.look
        self.drawing.sketch.setPen(QPen(tools.accent, 1.5, Qt.PenStyle.DashLine))
        self.drawing.sketch.setBrush(tools.halo)
        self.drawing.sketch.setPath(path)
        self._hover(self.drawing.wire_at(at, 28 / self.zoom_factor), None)
        self._refresh_far()
        event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Forget the layer that hung over the canvas."""
        self.drawing.sketch.setPath(QPainterPath())
        self._hover(None, None)

    def dropEvent(self, event: QDropEvent) -> None:
        """Add the layer: into the wire under it, or wired to the one selected node."""
        wire = self._hovered if isinstance(self._hovered, EdgeItem) else None
        self.drawing.sketch.setPath(QPainterPath())
        self._hover(None, None)
        if not event.mimeData().hasFormat(MIME):
            return
        type = bytes(event.mimeData().data(MIME).data()).decode("utf-8", "replace")
        at = self._dropped_at(self.mapToScene(event.position().toPoint()))
        self.editor.add_layer(type, at, on=wire.edge if wire is not None else None)
        event.acceptProposedAction()
        self.setFocus()

    def _dropped_at(self, at: QPointF) -> tuple[float, float]:
        """Where a card dropped at the cursor has its corner, on the grid."""
        return round((at.x() - card.WIDTH / 2) / 8) * 8.0, round((at.y() - card.PORT_Y) / 8) * 8.0

    # ------------------------------------------------------------------ painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """Near: item by item. Far: everything at once, past the items."""
        if self.drawing.detail != FAR:
            super().paintEvent(event)
            return
        painter = QPainter(self.viewport())
        painter.setClipRegion(event.region())
        painter.fillRect(event.rect(), self.drawing.look.canvas_brush)
        painter.setTransform(self.viewportTransform())
        self.drawing.paint_far(painter)
        painter.end()

    def _refresh_far(self) -> None:
        if self.drawing.detail == FAR:
            self.viewport().update()

    def drawBackground(self, painter: QPainter, rect: QRectF | object) -> None:
        """The ground, with a grid of dots."""
        assert isinstance(rect, QRectF)
        tools = self.drawing.look
        painter.fillRect(rect, tools.canvas_brush)
        if self.drawing.detail != NEAR:
            return
        painter.setPen(tools.grid)
        left, top = int(rect.left()) // GRID * GRID, int(rect.top()) // GRID * GRID
        # Round, smoothed points cost forty times as much.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.drawPoints(
            [
                QPointF(x, y)
                for x in range(left, int(rect.right()) + GRID, GRID)
                for y in range(top, int(rect.bottom()) + GRID, GRID)
            ]
        )
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep overlays in their corners."""
        super().resizeEvent(event)
        self.empty.setGeometry(self.rect())
        self.minimap.move(
            self.width() - self.minimap.width() - 12, self.height() - self.minimap.height() - 12
        )
        self.toast.place()
        if self._fit_wanted and self.isVisible():
            self.fit()
        self._show_minimap()

    def showEvent(self, event: QShowEvent) -> None:
        """Fit a network that was opened before the canvas was seen."""
        super().showEvent(event)
        if self._fit_wanted:
            self._fit_wanted = False
            self.fit()


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
