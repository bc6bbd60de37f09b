"""Where things stand: by hand, by rule, or laid out. Each method is one undo step, or a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF

from engine import edit_view
from engine.network import Network
from gui.canvas import card, compose, layout
from gui.canvas.editor import named

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class Placing:
    """Moves what is selected on one canvas."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.editor = canvas.editor
        self.selection = canvas.selection

    def nudge(self, dx: float, dy: float) -> None:
        """Move what is selected by the keyboard; repeated nudges are one step."""
        places = self.canvas.drawing.positions()
        inside, within = self.canvas.drawing.carried(self.selection.marks)
        marks = tuple(dict.fromkeys((*self.selection.marks, *within)))
        chosen = dict.fromkeys((*self.selection.nodes, *inside))
        moved = {id: (places[id][0] + dx, places[id][1] + dy) for id in chosen if id in places}

        def change(network: Network) -> Network:
            network = compose.move(network, moved, places, self.canvas.block) if moved else network
            return edit_view.move_marks(network, marks, (dx, dy), block=self.canvas.block)

        if not moved and not marks:
            self.canvas.refuse("Select what to move.")
        else:
            label = f"Move {named(moved) if moved else marks[0]}"
            self.editor.attempt(label, change, merge=f"nudge {(*moved, *marks)}")

    def arrange(self) -> None:
        """Lay out the selected nodes, or all."""
        chosen = self.selection.nodes if len(self.selection.nodes) > 1 else None
        places = self.canvas.drawing.positions()
        known = {id: item.card for id, item in self.canvas.drawing.drawn()[0].items()}
        found = layout.arrange(self.canvas.network, chosen, block=self.canvas.block, known=known)
        if not found:
            return
        if chosen is not None:
            left = min(places[id][0] for id in chosen) - min(x for x, _ in found.values())
            top = min(places[id][1] for id in chosen) - min(y for _, y in found.values())
            shown = self.canvas.drawing.nodes
            high = {id: float(shown[id].card.height) for id in found}
            cards = {id: (x + left, y + top, float(card.WIDTH), high[id]) for id, (x, y) in found.items()}
            top += layout.clear(cards, [_box(item.rect) for id, item in shown.items() if id not in found])
            found = {id: (x + left, y + top) for id, (x, y) in found.items()}
        bent = [
            edge
            for edge in edit_view.bends(self.canvas.network, self.canvas.block)
            if edge.source.node in found or edge.target.node in found
        ]

        def change(network: Network) -> Network:
            network = edit_view.set_bends(network, dict.fromkeys(bent, ()), block=self.canvas.block)
            return compose.move(network, found, places, self.canvas.block)

        with self.canvas.animated():
            self.editor.attempt("Arrange", change)
            if chosen is None:
                self.canvas.fit()

    def align(self, line: str) -> None:
        """Bring the selected nodes to one line: "left", "centre", "right", "top", "middle" or "bottom"."""
        drawing = self.canvas.drawing
        rects = {id: drawing.nodes[id].rect for id in self.selection.nodes if id in drawing.nodes}
        if len(rects) < 2:
            self.canvas.refuse("Select two or more layers to align.")
            return
        box = drawing.content(rects)
        moved = {}
        for id, rect in rects.items():
            x, y = rect.x(), rect.y()
            match line:
                case "left":
                    x = box.left()
                case "centre":
                    x = box.center().x() - card.WIDTH / 2
                case "right":
                    x = box.right() - card.WIDTH
                case "top":
                    y = box.top()
                case "middle":
                    y = box.center().y() - rect.height() / 2
                case "bottom":
                    y = box.bottom() - rect.height()
            moved[id] = (x, y)
        self._place(f"Align {line}", moved)

    def distribute(self, axis: int) -> None:
        """Give the selected nodes equal gaps, along x (0) or y (1)."""
        drawing = self.canvas.drawing
        rects = {id: drawing.nodes[id].rect for id in self.selection.nodes if id in drawing.nodes}
        if len(rects) < 3:
            self.canvas.refuse("Select three or more layers to distribute.")
            return
        ordered = sorted(rects, key=lambda id: (rects[id].x(), rects[id].y())[axis])
        sizes = [(rects[id].width(), rects[id].height())[axis] for id in ordered]
        first, last = rects[ordered[0]], rects[ordered[-1]]
        begin = (first.left(), first.top())[axis]
        end = (last.right(), last.bottom())[axis]
        gap = (end - begin - sum(sizes)) / (len(ordered) - 1)
        moved, at = {}, begin
        for id, size in zip(ordered, sizes, strict=True):
            moved[id] = (at, rects[id].y()) if axis == 0 else (rects[id].x(), at)
            at += size + gap
        self._place("Distribute", moved)

    def _place(self, label: str, moved: dict[str, tuple[float, float]]) -> None:
        places = self.canvas.drawing.positions()
        with self.canvas.animated():
            self.editor.attempt(
                label, lambda network: compose.move(network, moved, places, self.canvas.block)
            )


def _box(rect: QRectF) -> layout.Box:
    return rect.x(), rect.y(), rect.width(), rect.height()
