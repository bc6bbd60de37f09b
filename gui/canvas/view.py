"""The canvas: the view of one graph, and the hands that work on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QEvent, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QWidget

from engine.findings import Analysis
from engine.network import Network
from gui.canvas import card, commands, menus
from gui.canvas.adding import Adder
from gui.canvas.blocks import Interior
from gui.canvas.camera import Camera
from gui.canvas.editor import Editor
from gui.canvas.following import Follower
from gui.canvas.found import Found
from gui.canvas.gestures import Gesture
from gui.canvas.hands import Hands
from gui.canvas.incoming import Incoming
from gui.canvas.minimap import Minimap
from gui.canvas.overlay import Mark
from gui.canvas.overlays import EmptyState, Toast
from gui.canvas.palette import MIME
from gui.canvas.placing import Placing
from gui.canvas.scene import Scene
from gui.canvas.trial import Trial
from gui.canvas.writing import Writer
from gui.document import Document
from gui.meaning import same_meaning
from gui.selection import Selection
from gui.theme import theme

#: How long a node is marked that a panel points at, in milliseconds.
POINT_MS = 1500


class Canvas(Camera):
    """Shows the graph that the selection names, and edits it."""

    #: For the status bar.
    message = Signal(str)
    #: The user wants to edit this node's first field.
    edit_requested = Signal(str)

    def __init__(self, document: Document, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__(Scene(), parent)
        self.drawing.setParent(self)
        self.document = document
        self.selection = selection
        #: Which of the documents is shown, as the document counts them.
        self._generation = document.generation
        #: What was found last, and whether the ways out of it have all been tried.
        self.analysis, self.searched = Analysis(), True
        #: Whether they have been asked for meanwhile.
        self.repairs_wanted = False
        self._marks: Mapping[str, Mark] = {}
        self._ghosts: Mapping[str, tuple[tuple[float, float] | None, str]] = {}
        self.setObjectName("canvas")
        self.setAccessibleName("Canvas: the network's layers and wires")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.hands = Hands(self)
        self.editor = Editor(self)
        self.placing = Placing(self)
        #: What the gesture that is under way would make.
        self.trial = Trial(self)
        self.incoming = Incoming(self)
        self.minimap = Minimap(self)
        self._minimap_wanted = True
        self.toast = Toast(self)
        self.empty = EmptyState(self)
        self.adder = Adder(self)
        self.follower = Follower(self)
        self.interior = Interior(self)
        self.writer = Writer(self)
        self.commands: list[QAction] = commands.make(self)
        self.looked.connect(self.show_minimap)
        self.drawing.altered.connect(self._altered)
        self.drawing.rerouted.connect(self.refresh_far)
        document.changed.connect(self._changed)
        selection.changed.connect(self._selected)
        selection.block_changed.connect(self._show_graph)
        selection.pointed.connect(self.point_at)
        self._pointing = QTimer(self, singleShot=True, interval=POINT_MS)
        self._pointing.timeout.connect(lambda: self.hands.hover(None))
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

    @property
    def use(self) -> str | None:
        """Path of the block's use whose inside is shown; None at the top."""
        return self.interior.use

    def point_at(self, node: str) -> None:
        """Bring a node into view, and mark it for a moment as if the cursor were over it."""
        if node in self.network.graph(self.block).nodes:
            self.reveal([node])
            self.hands.hover(self.drawing.nodes.get(node))
            self._pointing.start()

    def set_analysis(self, analysis: Analysis, searched: bool = True) -> None:
        """Show shapes on wires and cards, and mark problems; unless `searched`, ways out of errors follow."""
        self.analysis, self.searched = analysis, searched
        self.drawing.set_analysis(analysis, self.use, self.visible_rect())
        self.trial.again()
        if self.repairs_wanted and searched:
            if self.hands.busy:  # no menu opens under a hand that does something else by now
                self.repairs_wanted = False
            else:
                menus.offer_repairs(self)

    def set_overlay(self, marks: Mapping[str, Mark] | None) -> None:
        """Paint a measure over the cards of nodes, by their ids (paths inside blocks); None: nothing.

        From near a card is tinted, and shows the figure and its history on its lower edge; from far
        it is filled with the colour. Only what differs from the last call is painted anew.
        """
        self._marks = marks or {}
        self._show_overlay()

    def set_ghosts(self, ghosts: Mapping[str, tuple[tuple[float, float] | None, str]]) -> None:
        """Outline nodes of the top level that are gone: id -> (where it was, what is said of it)."""
        self._ghosts = ghosts
        self._show_overlay()

    def _show_overlay(self) -> None:
        self.drawing.show_ghosts(self._ghosts if self.block is None else {})
        marks = self._marks
        if self.block is not None:
            head = f"{self.use}."
            marks = {id.removeprefix(head): mark for id, mark in marks.items() if id.startswith(head)}
        self.drawing.set_overlay(marks)
        self.refresh_far()

    def add_layer(self, type: str, position: tuple[float, float] | None = None) -> None:
        """Add a layer, wired to the one selected node; at `position`, or beside that node."""
        if position is None and len(self.selection.nodes) != 1 and not self.drawing.nodes:
            centre = self.visible_rect().center()
            position = (round(centre.x() - card.WIDTH / 2), round(centre.y() - 48))
        self.editor.add_layer(type, position)

    def _changed(self, before: Network, after: Network) -> None:
        if held := self.hands.busy:  # what is pressed may be gone
            self.hands.cancel()
        self.repairs_wanted = False
        self.searched = self.searched and same_meaning(before, after)
        self.land()
        another, self._generation = self.document.generation != self._generation, self.document.generation
        shown = self.block
        if before.blocks.keys() != after.blocks.keys():
            self.interior.follow_rename(before, after)
        if self.block is not None and self.block not in after.blocks:
            self.selection.show_block(None)
        if self.block != shown:
            self._reselect()
            return
        if before.name != after.name:
            self.interior.follow()
        # What fills an empty document is looked at as a whole.
        first = self.document.undo_stack.count() == 0 and len(after.nodes) > 1
        fills = first and before.nodes.keys().isdisjoint(after.nodes)
        if another or fills or (self.block is not None and self.block not in before.blocks):
            self._show_graph()
        else:
            self.drawing.sync(before, after, self.block, self.visible_rect())
            if self.document.recalled is not None and not (held or self.document.taking_back):
                self.follower.heed(before)
        self._reselect()

    def _reselect(self) -> None:
        """Select what was selected in this state, where undo or redo led to it, else what is left of it."""
        recalled, now = self.document.recalled, self.selection.chosen
        chosen = now if recalled is None or recalled.block != self.block else recalled
        graph = self.network.graph(self.block)
        there = set(graph.edges) if chosen.edges else ()
        nodes = tuple(id for id in chosen.nodes if id in graph.nodes)
        edges = tuple(edge for edge in chosen.edges if edge in there)
        marks = tuple(id for id in chosen.marks if id in self.drawing.marks)
        self.selection.set(nodes, edges, marks)
        self._selected()

    @property
    def resting(self) -> bool:
        """Whether nothing is left to do, the overview included."""
        return self.drawn and not (self.minimap.waiting or self.follower.waiting)

    def _show_graph(self, *_: object) -> None:
        self.land()
        self.hands.forget()
        self.minimap.let_go()
        self.interior.follow()
        self._show_overlay()
        view = self.visible_rect() if self.isVisible() else None
        self.drawing.show_graph(self.network, self.block, Found(self.analysis, self.use), view)
        self._selected()
        self.fit()

    def _selected(self) -> None:
        self.repairs_wanted = False  # those of others
        self.drawing.select(self.selection.nodes, self.selection.edges, self.selection.marks)
        self.refresh_far()

    def _altered(self) -> None:
        self.empty.setVisible(not self.network.graph(self.block).nodes)
        self.minimap.forget()
        self.refresh_far()

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

    # ------------------------------------------------------------------ overview

    def toggle_minimap(self) -> None:
        """Show or hide the overview."""
        self._minimap_wanted = not self._minimap_wanted
        self.show_minimap()

    def show_minimap(self) -> None:
        """Show the overview where it is wanted and there is more than what is in view."""
        content = self.drawing.content()
        wanted = self._minimap_wanted and not content.isNull()
        self.minimap.setVisible(wanted and not self.visible_rect().contains(content))
        self.minimap.update()

    def covered(self, area: QRect) -> tuple[int, ...]:
        """What something over `area` of the view would hide: what is selected, the overview, cards."""
        if self.drawing.expected():
            return ()  # a look at all cards would have them all come at once
        hidden = self.mapToScene(area).boundingRect()
        cards, marks = self.drawing.nodes_in(hidden), self.drawing.marks
        chosen = len({*cards}.intersection(self.selection.nodes))
        chosen += sum(id in marks and marks[id].rect.intersects(hidden) for id in self.selection.marks)
        overview = self.minimap.isVisible() and self.minimap.geometry().intersects(area)
        return (chosen, int(overview), len(cards))

    def reveal(self, ids: Iterable[str]) -> None:
        """Scroll so far that `ids` are in view, and not below the overview."""
        chosen, before = tuple(ids), self.scroll_position()
        super().reveal(chosen)
        if not self._minimap_wanted or not (self.minimap.isVisible() or self.scroll_position() != before):
            return
        content = self.drawing.content(chosen)
        covered = self.mapToScene(self.minimap.geometry().adjusted(-8, -8, 8, 8)).boundingRect()
        above = content.bottom() - covered.top()
        if covered.intersects(content) and content.top() - above > self.visible_rect().top():
            self.scroll_to(self.scroll_position() + QPoint(0, math.ceil(above * self.zoom_factor)))
            self.looked.emit()

    # ------------------------------------------------------------------ hands

    @property
    def held(self) -> bool:
        """Whether a hand is at something in the drawing."""
        return self.hands.busy

    @property
    def gesture(self) -> Gesture | None:
        """The gesture that is under way."""
        return self.hands.gesture

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A button goes down."""
        self.hands.press(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The cursor moves."""
        self.hands.move(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A button goes up."""
        self.hands.release(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """On empty ground: search-to-add. On a node: edit it, or enter the block."""
        self.hands.double_click(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is under the cursor."""
        self.hands.hover(None)
        super().leaveEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        """Show tooltips."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self.hands.show_tooltip(event)
            return True
        return super().viewportEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The actions that fit what lies under the cursor; none in the middle of a gesture."""
        clicked = event.reason() == QContextMenuEvent.Reason.Mouse
        if not (self.hands.busy or (clicked and self.hands.declined)):
            menus.context_menu(self, event)

    def ask_to_edit(self) -> None:
        """Let the inspector edit the current node's first field."""
        if self.selection.current is not None:
            self.edit_requested.emit(self.selection.current)
        else:
            self.refuse("Select the layer to edit.")

    def command(self, name: str) -> QAction:
        """An action by its name: ``command("fit")``."""
        return next(action for action in self.commands if action.objectName() == f"canvas.{name}")

    # ------------------------------------------------------------------ keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape cancels; space pans while it is held."""
        if event.key() == Qt.Key.Key_Escape:
            if self.hands.busy:
                self.hands.cancel()
            elif not self.minimap.cancel():
                self.selection.set()
        elif event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.hands.panning = True
            self.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Space is let go."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._let_space_go()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Where the keyboard goes elsewhere, nobody says when space is let go."""
        super().focusOutEvent(event)
        self._let_space_go()

    def _let_space_go(self) -> None:
        if self.hands.panning:
            self.hands.panning = False
            self.viewport().unsetCursor()

    # ------------------------------------------------------------------ dragging in

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take layers from the palette."""
        if event.mimeData().hasFormat(MIME):
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Show where the layer would come, and the wire that it would go into."""
        self.incoming.hover(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Forget the layer that hung over the canvas."""
        self.incoming.leave()

    def dropEvent(self, event: QDropEvent) -> None:
        """Add the layer."""
        self.incoming.fall(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep overlays in their corners."""
        super().resizeEvent(event)
        self.empty.setGeometry(self.rect())
        self.minimap.move(
            self.width() - self.minimap.width() - 12, self.height() - self.minimap.height() - 12
        )
        self.toast.place()
        self.show_minimap()

    def showEvent(self, event: QShowEvent) -> None:
        """Fit a network that was opened before the canvas was seen."""
        super().showEvent(event)
        if self.fit_wanted:
            self.fit_wanted = False
            self.fit()
