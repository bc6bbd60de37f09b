"""Cards and wires that the drawing holds and the document no longer: many are let go a few at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, QTimer

from gui.canvas.edge_item import EdgeItem
from gui.canvas.levels import FAR
from gui.canvas.node_item import NodeItem

if TYPE_CHECKING:
    from gui.canvas.scene import Scene

#: So many cards and wires go at once.
AT_ONCE = 96
#: Length of a slice, in seconds.
SLICE = 0.003


class Departures:
    """What is gone and not yet let go: it is not seen, not hit, and nothing leads around it.

    What is in view goes at once; the rest as time allows, or as soon as one looks there.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._items: dict[NodeItem | EdgeItem, None] = {}
        #: Not within the frame of the edit itself, whose painting comes first.
        self._resting = False
        self._timer = QTimer(scene, interval=0)
        self._timer.timeout.connect(self._go_on)

    def __bool__(self) -> bool:
        return bool(self._items)

    def leave(self, items: Iterable[NodeItem | EdgeItem], view: QRectF) -> None:
        """Let `items` go, those in `view` now."""
        for item in items:
            item.gone = True
            self._items[item] = None
        if len(self._items) <= AT_ONCE:
            self.finish()
        else:
            if self._scene.detail != FAR:  # from there what is drawn is seen, not the items
                self.clear(view)
            self._resting = True
            self._timer.start()

    def clear(self, area: QRectF) -> None:
        """Let go what is in `area`, which is about to be seen."""
        if self._items:
            for item in self._scene.items(area, Qt.ItemSelectionMode.IntersectsItemBoundingRect):
                if isinstance(item, NodeItem | EdgeItem) and item.gone:
                    self._remove(item)

    def finish(self) -> None:
        """Let all go, now."""
        if self._items:
            self._let_go(float("inf"))

    def _go_on(self) -> None:
        if self._resting:
            self._resting = False
            return
        self._let_go(time.perf_counter() + SLICE)

    def _let_go(self, end: float) -> None:
        while self._items and time.perf_counter() < end:
            self._remove(next(iter(self._items)))
        if not self._items:
            self._timer.stop()

    def _remove(self, item: NodeItem | EdgeItem) -> None:
        del self._items[item]
        if isinstance(item, NodeItem):
            item.edges.clear()  # which hold it too
            item.touch()
        self._scene.far.drop(item)
        self._scene.removeItem(item)
