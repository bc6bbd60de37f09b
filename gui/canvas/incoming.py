"""A layer dragged in from the palette: where it would come, what it would do there, and its arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QPointF, QRectF, Qt
from PySide6.QtGui import QDragMoveEvent, QDropEvent, QPainterPath, QPen

from engine.catalog import ACTIVATIONS, LAYERS
from engine.network import Network
from gui.canvas import card, compose
from gui.canvas.edge_item import EdgeItem
from gui.canvas.node_item import NodeItem
from gui.canvas.palette import MIME

if TYPE_CHECKING:
    from gui.canvas.view import Canvas

#: How near, in pixels, a wire must be for a layer from the palette to fall into it.
DROP_REACH = 28.0


class Incoming:
    """What hangs over the canvas, until it falls or leaves."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas

    def hover(self, event: QDragMoveEvent) -> None:
        """Show where the layer would come, and the wire that it would go into."""
        canvas = self._canvas
        if not event.mimeData().hasFormat(MIME):
            event.ignore()
            return
        at, tools = canvas.mapToScene(event.position().toPoint()), canvas.drawing.look
        onto = self._activated(event.mimeData(), at)
        place = onto.rect if onto is not None else QRectF(*_corner(at), card.WIDTH, 72)
        path = QPainterPath()
        path.addRoundedRect(place, 8, 8)
        canvas.drawing.sketch.setPen(QPen(tools.accent, 1.5, Qt.PenStyle.DashLine))
        canvas.drawing.sketch.setBrush(tools.halo)
        canvas.drawing.sketch.setPath(path)
        wire = canvas.drawing.wire_at(at, DROP_REACH / canvas.zoom_factor) if onto is None else None
        canvas.hands.hover(onto or wire)
        self._try(_type(event.mimeData()), wire, onto)
        canvas.refresh_far()
        event.acceptProposedAction()

    def _try(self, type: str, wire: EdgeItem | None, onto: NodeItem | None) -> None:
        """Have it found out what the layer would do there, wherever it would be wired."""
        canvas = self._canvas
        chosen = canvas.selection.nodes
        after = chosen[0] if len(chosen) == 1 and wire is None else None
        key = None if onto is not None or (wire is None and after is None) else (type, wire, after)

        def made() -> Network:
            places = canvas.drawing.positions()
            on = wire.edge if wire is not None else None
            return compose.add(canvas.network, type, places, after=after, on=on, block=canvas.block)[0]

        canvas.trial.consider(key, made)

    def leave(self) -> None:
        """It hangs over the canvas no longer."""
        self._canvas.drawing.sketch.setPath(QPainterPath())
        self._canvas.hands.hover(None)
        self._canvas.trial.end()

    def fall(self, event: QDropEvent) -> None:
        """Add the layer: into the wire under it, or wired to the one selected node.

        An activation that falls on a card becomes that layer's own.
        """
        canvas = self._canvas
        wire = canvas.hands.hovered if isinstance(canvas.hands.hovered, EdgeItem) else None
        self.leave()
        if not event.mimeData().hasFormat(MIME):
            return
        type, at = _type(event.mimeData()), canvas.mapToScene(event.position().toPoint())
        onto = self._activated(event.mimeData(), at)
        if onto is not None:
            canvas.editor.activate(onto.id, type)
        else:
            canvas.editor.add_layer(type, _corner(at), on=wire.edge if wire is not None else None)
        event.acceptProposedAction()
        canvas.setFocus()

    def _activated(self, data: QMimeData, at: QPointF) -> NodeItem | None:
        """The card whose layer takes the dragged activation as its own."""
        canvas = self._canvas
        item = canvas.drawing.node_at(at)
        if item is None or _type(data) not in ACTIVATIONS:
            return None
        node = canvas.network.graph(canvas.block).nodes.get(item.id)
        layer = LAYERS.get(node.type) if node is not None else None
        return item if layer is not None and layer.activatable else None


def _corner(at: QPointF) -> tuple[float, float]:
    """Where a card dropped at the cursor has its corner, on the grid."""
    return round((at.x() - card.WIDTH / 2) / 8) * 8.0, round((at.y() - card.PORT_Y) / 8) * 8.0


def _type(data: QMimeData) -> str:
    """The type of the layer that is dragged in."""
    return bytes(data.data(MIME).data()).decode("utf-8", "replace")
