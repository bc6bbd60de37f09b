"""A layer is taken from the palette by a real press and drag, and carried over the canvas.

Off the screen Qt has no drag and drop of its own, so what its loop would do on the way is sent by hand.
"""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QDrag, QHoverEvent
from PySide6.QtWidgets import QApplication

from gui.canvas import Palette
from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

pytestmark = pytest.mark.gui


class Pointer(QObject):
    """Whether the last that a widget was told of the pointer is that it has left."""

    gone = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Leave, QEvent.Type.HoverMove, QEvent.Type.HoverEnter):
            self.gone = event.type() == QEvent.Type.Leave
        return False


def carry(qtbot, monkeypatch, type: str, b: Bench, at: QPoint, fall: bool = True) -> QPoint:
    """Press on a layer in the palette, draw it out, and let it fall (or call it off) over the canvas.

    Returns where the picture that is carried has the cursor.
    """
    palette = Palette()
    qtbot.addWidget(palette)
    palette.resize(240, 700)
    palette.show()
    layers, carried = palette.layers, []

    def loop(drag: QDrag, *_: object) -> Qt.DropAction:
        carried.append(drag.hotSpot())
        (hands.drop if fall else hands.hang)(b.port, drag.mimeData(), at)
        if not fall:
            hands.leave(b.port)
        return Qt.DropAction.CopyAction if fall else Qt.DropAction.IgnoreAction

    monkeypatch.setattr(QDrag, "exec", loop)
    pointer = Pointer()
    layers.viewport().installEventFilter(pointer)
    row = next(
        layers.item(i) for i in range(layers.count()) if layers.item(i).data(Qt.ItemDataRole.UserRole) == type
    )
    start = layers.visualItemRect(row).center()
    hands.drag(layers.viewport(), start, start + QPoint(60, 0))
    assert len(carried) == 1
    # The move that began the drag goes on to say which row it is over.
    over = QPointF(start + QPoint(10, -30))
    QApplication.sendEvent(layers.viewport(), QHoverEvent(QEvent.Type.HoverMove, over, over, QPointF(start)))
    QApplication.processEvents()
    assert pointer.gone  # else the row that it left last looks pointed at for ever
    return carried[0]


def test_a_layer_drawn_out_of_the_palette_lands_where_it_is_let_go(qtbot, monkeypatch):
    b = Bench(qtbot)
    before = b.network
    spot = carry(qtbot, monkeypatch, "Conv2d", b, QPoint(500, 300))
    assert b.canvas.drawing.nodes["conv1"].rect.contains(b.canvas.mapToScene(QPoint(500, 300)))
    # What is carried lies beside the cursor: the place and the wire under it are seen.
    assert spot.x() < 0
    assert spot.y() < 0
    b.undo_and_redo(before)


def test_called_off_over_a_wire_it_leaves_nothing(qtbot, monkeypatch):
    b = Bench(qtbot, chain("Input", "Flatten"))
    before = b.network
    carry(qtbot, monkeypatch, "ReLU", b, b.wire("input1", "flatten1"), fall=False)
    assert b.network is before
    assert b.canvas.drawing.sketch.path().isEmpty()
    carry(qtbot, monkeypatch, "ReLU", b, b.wire("input1", "flatten1"))
    assert b.edges == {"input1 → relu1", "relu1 → flatten1"}
    b.undo_and_redo(before)


def test_a_card_that_falls_in_view_stays_where_it_fell(qtbot, monkeypatch):
    b = Bench(qtbot, chain(*["Input", *["ReLU"] * 8]))  # wider than the view, so that there is an overview
    b.canvas.zoom_reset()
    looked = b.canvas.scroll_position()
    at = QPoint(500, 700)
    carry(qtbot, monkeypatch, "Linear", b, at)
    assert b.canvas.scroll_position() == looked
    assert b.canvas.drawing.nodes["linear1"].rect.contains(b.canvas.mapToScene(at))


def test_a_card_that_falls_under_the_overview_is_brought_out(qtbot, monkeypatch):
    b = Bench(qtbot, chain(*["Input", *["ReLU"] * 8]))
    b.canvas.zoom_reset()
    qtbot.waitUntil(b.canvas.minimap.isVisible)
    carry(qtbot, monkeypatch, "Linear", b, b.canvas.minimap.geometry().center())
    shown = b.canvas.mapFromScene(b.canvas.drawing.nodes["linear1"].rect).boundingRect()
    assert not shown.intersects(b.canvas.minimap.geometry())
