"""The overview leads where it is pressed; cards glide to where they are arranged; a dropped wire waits."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import CTRL  # isort: skip

from PySide6.QtCore import QPoint, Qt

from engine import edit

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
