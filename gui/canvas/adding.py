"""Adding layers by search: by key, by double click, or at the end of an open wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QPainterPath

from engine.findings import Tensor
from engine.network import End
from gui.canvas import blocks, card, compose
from gui.canvas.phrase import Reading
from gui.canvas.search import SearchPopup

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class Adder:
    """Holds the search popup, and what the layer chosen in it is for."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.popup = SearchPopup(canvas)
        self.popup.chosen.connect(self._add_found)
        self.popup.closed.connect(canvas.setFocus)
        self.popup.closed.connect(self._forget_wire)
        self._wanted: dict[str, object] = {}

    def search_here(self) -> None:
        """Search-to-add by keyboard: beside the one selected node, else at the cursor."""
        if len(self.canvas.selection.nodes) == 1:
            item = self.canvas.drawing.nodes[self.canvas.selection.nodes[0]]
            place = self.canvas.mapFromScene(item.rect.topRight()) + QPoint(16, 0)
            self._wanted = {}
            tensor = item.card.tensor()
            wanted = None if tensor is None else lambda type: compose.takes(type, tensor)
            self.popup.open_at(place, wanted, blocks=blocks.entries(self.canvas.network))
            return
        at = self.canvas.cursor_point()
        self.search_at(self.canvas.visible_rect().center() if at is None else at)

    def search_at(
        self,
        at: QPointF,
        source: End | None = None,
        target: End | None = None,
        tensor: Tensor | None = None,
    ) -> None:
        """Search-to-add at a place, for an open wire's end where there is one."""
        self._wanted = {"at": at, "source": source, "target": target}
        hint, wanted = "", None
        if source is not None:
            hint = f"Layers that take {card.shape_text(tensor)}" if tensor else f"Layers to follow {source}"
            wanted = lambda type: compose.takes(type, tensor)  # noqa: E731
        elif target is not None:
            hint, wanted = f"Layers to feed {target}", compose.gives
        there = blocks.entries(self.canvas.network)
        self.popup.open_at(self.canvas.mapFromScene(at), wanted, hint, there)

    def _forget_wire(self) -> None:
        """The open wire that was drawn as far as the popup."""
        self.canvas.drawing.sketch.setPath(QPainterPath())
        self.canvas.refresh_far()

    def _add_found(self, type: str, said: Reading) -> None:
        self._forget_wire()
        wanted = self._wanted
        at = wanted.get("at")
        source, target = wanted.get("source"), wanted.get("target")
        place, free = None, source is None and target is None
        if isinstance(at, QPointF):
            back = card.WIDTH if target is not None else 0
            place = (at.x() - (card.WIDTH / 2 if free else back), at.y() - card.PORT_Y)
        self.canvas.editor.add_layer(
            type,
            None if free else place,
            near=place if free else None,
            source=source if isinstance(source, End) else None,
            target=target if isinstance(target, End) else None,
            said=said,
        )
        self.canvas.setFocus()
