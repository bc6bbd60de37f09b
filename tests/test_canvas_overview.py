"""The overview shows all and leads where it is pressed; cards glide to where they are arranged; a dropped wire waits."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import CTRL  # isort: skip

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage

from engine import edit
from engine.edit_view import Frame
from gui.canvas.minimap import shown_frame
from tests.benchmarks.canvas import network_of
from tests.test_canvas_far import apart, wide

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def test_the_overview_shows_when_there_is_more_and_m_puts_it_away(qtbot, bench):
    b = bench(chain("Input", "Flatten"))
    assert not b.canvas.minimap.isVisible(), "all is in view"
    b.document.edit(edit.move(b.network, {"flatten1": (4000.0, 0.0)}), "Move")
    b.canvas.zoom_reset()
    qtbot.waitUntil(b.canvas.minimap.isVisible)
    hands.key(b.canvas, Qt.Key.Key_M)
    assert not b.canvas.minimap.isVisible()
    hands.key(b.canvas, Qt.Key.Key_M)
    assert b.canvas.minimap.isVisible()


def test_a_press_on_the_overview_goes_there_and_a_drag_takes_the_view_along(qtbot, bench):
    b = bench(edit.move(chain("Input", "Flatten"), {"flatten1": (4000.0, 1500.0)}))
    b.canvas.zoom_reset()
    qtbot.waitUntil(b.canvas.minimap.isVisible)
    map = b.canvas.minimap
    map.repaint()
    places = {
        id: map.transform.map(item.rect.center()).toPoint() for id, item in b.canvas.drawing.nodes.items()
    }
    hands.click(map, places["flatten1"])
    assert b.canvas.visible_rect().contains(b.canvas.drawing.nodes["flatten1"].rect)
    hands.drag(map, places["flatten1"], places["input1"])
    assert b.canvas.visible_rect().contains(b.canvas.drawing.nodes["input1"].rect)
    assert b.document.undo_stack.count() == 0


def test_a_drag_beyond_the_overview_stays_with_the_drawing_and_in_view_of_it(qtbot, bench):
    b = bench(edit.move(chain("Input", "Flatten"), {"flatten1": (4000.0, 1500.0)}))
    b.canvas.fit()
    b.canvas.zoom_reset()
    qtbot.waitUntil(b.canvas.minimap.isVisible)
    map, last = b.canvas.minimap, b.canvas.drawing.nodes["flatten1"].rect
    map.repaint()
    hands.drag(map, map.rect().center(), map.rect().bottomRight() + QPoint(900, 700))
    assert b.canvas.visible_rect().contains(last.center())
    seen = b.canvas.visible_rect().center()
    b.canvas.resize(1200, 700)
    assert (b.canvas.visible_rect().center() - seen).manhattanLength() < 4, "it is no longer all in view"


def test_cards_glide_to_where_they_are_arranged_and_a_press_lets_them_arrive(qtbot, bench):
    b = bench(
        edit.move(chain("Input", "Conv2d", "Flatten"), {"conv1": (0.0, 900.0), "flatten1": (0.0, 300.0)})
    )
    start = b.canvas.drawing.positions()
    hands.key(b.canvas, Qt.Key.Key_L, CTRL)
    goal = {id: tuple(at) for id, at in b.network.positions().items()}

    def shown() -> dict[str, tuple[float, float]]:
        return {id: item.rect.topLeft().toTuple() for id, item in b.canvas.drawing.nodes.items()}

    qtbot.waitUntil(lambda: shown() not in (start, goal))
    here, there = shown()["conv1"], goal["conv1"]
    assert start["conv1"][1] >= here[1] >= there[1], "between where it stood and where it comes"
    assert b.canvas.drawing.positions() == goal, "what is asked for is where it stands"
    hands.click(b.port, QPoint(5, 5))
    assert shown() == b.canvas.drawing.positions() == goal


@pytest.mark.parametrize("answer", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_a_wire_dropped_on_empty_ground_stays_drawn_until_the_search_is_answered(bench, answer):
    b = bench(chain("Input"))
    end = b.output("input1") + QPoint(200, 120)
    hands.drag(b.port, b.output("input1"), end)
    path = b.canvas.drawing.sketch.path()
    assert (b.at(path.pointAtPercent(1.0)) - end).manhattanLength() <= 2
    assert path.pointAtPercent(0.0) == b.canvas.drawing.nodes["input1"].output_point(0)
    hands.type_text("flatten")
    hands.key(b.canvas.adder.popup.search, answer)
    assert b.canvas.drawing.sketch.path().isEmpty()
    assert ("flatten1" in b.network.nodes) == (answer == Qt.Key.Key_Return)


def overview(b: Bench) -> QImage:
    map = b.canvas.minimap
    map.forget()
    map._redraw()
    map.show()
    return map.grab().toImage()


def test_in_the_overview_every_card_leaves_a_trace_and_many_a_fuller_one(bench):
    lone = {"conv2d_0": (200_000.0, 0.0), "conv2d_5": (100_000.0, 60_000.0), "conv2d_7": (150_000.0, 0.0)}
    crowd = {
        id: (100_000.0 + 37 * (n % 8), 40_000.0 + 60 * (n // 8)) for n, id in enumerate(ids_of_kind(200))
    }
    b = bench(edit.move(network_of(200), {**crowd, **lone}))
    look_whole(b)
    map, tools = overview(b), b.canvas.drawing.look
    place = b.canvas.minimap.transform.map
    centre = b.canvas.drawing.nodes["conv2d_5"].rect.center()
    at = place(centre).toPoint()
    traces = [map.pixelColor(at + QPoint(x, y)) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    trace = max(apart(color, tools.surface) for color in traces)
    assert trace > 60, "one card, smaller than a pixel"
    middle = place(QPointF(100_230.0, 40_000.0 + 4 * len(crowd))).toPoint()
    crowded = apart(map.pixelColor(middle), tools.surface)
    assert crowded > trace


def ids_of_kind(count: int) -> list[str]:
    return [id for id in network_of(count).nodes if id.startswith("conv2d") and id[7:] not in ("0", "5", "7")]


def look_whole(b: Bench) -> None:
    b.canvas.fit()
    b.canvas.zoom(3.0)


def test_the_overview_shows_frames_and_what_is_in_view_as_far_as_the_map_goes(bench):
    b = bench(wide(frame=Frame((-60000.0, 0.0, 20000.0, 6000.0), "Aside")))
    look_whole(b)
    map = overview(b)
    at = b.canvas.minimap.transform.map(QPointF(-50000.0, 3000.0)).toPoint()
    beside = b.canvas.minimap.transform.map(QPointF(-30000.0, 3000.0)).toPoint()
    assert apart(map.pixelColor(at), map.pixelColor(beside)) > 20
    room = QRectF(1, 1, 174, 114)
    inside, across, beyond = QRectF(20, 20, 40, 30), QRectF(150, 20, 60, 30), QRectF(400, 20, 60, 30)
    assert shown_frame(inside, room) == inside
    assert shown_frame(across, room) == across, "cut off by the map's edge, not squeezed into it"
    assert shown_frame(beyond, room).intersects(room), "at the edge where one looks"
    assert not shown_frame(QRectF(50, 50, 0.2, 0.1), room).isEmpty()
