"""Esc cancels any gesture: everything that a hand drags, wherever in the window, goes back to where it was.

Beside what is listed here, Esc leaves a title or note that is written (test_canvas_marks), a search (test_canvas),
a text in a field (test_forms), and every dialog, which Qt sees to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtWidgets import QApplication, QStyle, QStyleOptionSlider, QWidget

from engine import edit, edit_view
from engine.catalog.fields import Int
from engine.edit_view import Frame, Note
from engine.network import Edge, End
from gui.canvas.palette import MIME
from gui.forms import Form
from gui.panels import CurvesPanel
from gui.panels.drawpad import DrawPad
from gui.panels.plot import Plot
from gui.scrubber import Scrubber
from gui.session import Session
from gui.slider import Slider
from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain
from tests.gui_helpers import ALT, LEFT, MIDDLE, NONE, SHIFT
from tests.test_panels_words import begin, observe, shown

pytestmark = pytest.mark.gui

BENT = Edge(End("input1"), End("conv1"))
WAY = QPoint(70, 90)


@pytest.fixture
def b(qtbot) -> Bench:
    """A chain with a bent wire, a frame with a card in it, a note, and more than is in view."""
    network = edit_view.set_bends(chain("Input", "Conv2d", "Flatten"), {BENT: [(250.0, -120.0)]})
    network, _ = edit_view.add_mark(network, Frame((540.0, -80.0, 320.0, 260.0), "Stem", "blue"))
    network, _ = edit_view.add_mark(network, Note((0.0, 220.0, 240.0, 96.0), "words"))
    network = edit.add_node(network, "far", edit.new_node("ReLU"), (3000.0, 1500.0))
    bench = Bench(qtbot, network)
    bench.canvas.zoom_reset()
    bench.canvas.look_at(QPointF(400, 60))
    qtbot.waitUntil(bench.canvas.minimap.isVisible)
    bench.canvas.minimap.repaint()
    return bench


def corner(b: Bench, id: str) -> QPoint:
    return b.at(b.canvas.drawing.marks[id].rect.bottomRight() - QPointF(3, 3))


def title(b: Bench) -> QPoint:
    return b.at(b.canvas.drawing.marks["frame1"].rect.topLeft() + QPointF(60, 14))


def bend(b: Bench) -> QPoint:
    return b.at(b.canvas.drawing.wires[BENT].bends[0])


def beside(b: Bench) -> QPoint:
    """Empty ground, from which the way leads over the first card."""
    return b.at(b.canvas.drawing.nodes["input1"].rect.topLeft() - QPointF(20, 20))


def map_middle(b: Bench) -> QPoint:
    return b.canvas.minimap.rect().center()


#: What is dragged: (from where, button, modifiers, what is selected before).
DRAGS: dict[str, tuple[Any, Any, Any, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "a card": (lambda b: b.node("conv1"), LEFT, NONE, (("conv1",), ())),
    "several cards": (lambda b: b.node("conv1"), LEFT, NONE, (("conv1", "flatten1"), ())),
    "copies": (lambda b: b.node("conv1"), LEFT, ALT, (("conv1",), ())),
    "a new wire": (lambda b: b.output("flatten1"), LEFT, NONE, ((), ())),
    "a wire's end": (lambda b: b.input("flatten1"), LEFT, SHIFT, ((), ())),
    "a wire": (lambda b: b.wire("conv1", "flatten1"), LEFT, NONE, ((), ())),
    "a wire's bend": (bend, LEFT, NONE, ((), ())),
    "a box": (beside, LEFT, NONE, (("flatten1",), ("note1",))),
    "a box that adds": (beside, LEFT, SHIFT, (("flatten1",), ("note1",))),
    "a frame": (title, LEFT, NONE, ((), ("frame1",))),
    "a frame's corner": (lambda b: corner(b, "frame1"), LEFT, NONE, ((), ("frame1",))),
    "a note": (lambda b: b.at(QPointF(60, 260)), LEFT, NONE, ((), ("note1",))),
    "a note's corner": (lambda b: corner(b, "note1"), LEFT, NONE, ((), ("note1",))),
    "the paper": (beside, MIDDLE, NONE, (("conv1",), ())),
    "the paper, with space": (beside, LEFT, NONE, (("conv1",), ())),
    "the overview": (map_middle, LEFT, NONE, (("conv1",), ())),
}


def seen(b: Bench) -> tuple[object, ...]:
    """All that a gesture may change: document, drawing, selection, view."""
    drawing, chosen = b.canvas.drawing, b.selection
    return (
        b.network,
        b.document.undo_stack.count(),
        drawing.positions(),
        {id: mark.rect.getRect() for id, mark in drawing.marks.items()},
        {
            edge: (wire.bends, wire.start.toTuple(), wire.end.toTuple())
            for edge, wire in drawing.wires.items()
        },
        (chosen.nodes, chosen.edges, chosen.marks),
        b.canvas.outlook,
        drawing.sketch.path().isEmpty(),
        drawing.guides.path().isEmpty(),
        b.canvas.adder.popup.isVisible(),
    )


@pytest.mark.parametrize(
    ("what", "zoomed"), [*((what, False) for what in DRAGS), ("the paper", True), ("the overview", True)]
)
def test_escape_takes_back_whatever_is_dragged_on_the_canvas(b, what, zoomed):
    where, button, modifiers, (nodes, marks) = DRAGS[what]
    b.selection.set(nodes, (), marks)
    widget: QWidget = b.canvas.minimap if what == "the overview" else b.port
    start, before = where(b), seen(b)
    if what == "the paper, with space":
        hands.QTest.keyPress(b.canvas, Qt.Key.Key_Space)
    way = WAY * 0.3 if widget is b.canvas.minimap else WAY
    hands.drag(widget, start, start + way, button, modifiers, drop=False)
    if zoomed:  # by the wheel
        b.canvas.zoom(1.3)
    assert seen(b) != before, "something is under way"
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert b.canvas.gesture is None
    assert seen(b) == before
    hands.move(widget, start + WAY / 2, button, modifiers)  # the button is still held
    hands.release(widget, start + WAY / 2, button, modifiers)
    hands.QTest.keyRelease(b.canvas, Qt.Key.Key_Space)
    assert seen(b) == before
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + WAY)
    assert b.document.undo_stack.count() == before[1] + 1, "the next gesture is as ever"


def test_another_button_takes_a_drag_in_the_overview_back_too_and_opens_no_menu(b):
    before, map = seen(b), b.canvas.minimap
    hands.drag(map, map_middle(b), map_middle(b) + QPoint(20, 10), drop=False)
    hands.press(map, map_middle(b), Qt.MouseButton.RightButton)
    assert seen(b) == before
    assert QApplication.activePopupWidget() is None


def test_after_a_drag_in_the_overview_escape_means_the_selection_again(b):
    b.selection.set(("conv1",))
    hands.drag(b.canvas.minimap, map_middle(b), map_middle(b) + QPoint(20, 10))
    there = b.canvas.outlook
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert b.selection.nodes == ()
    assert b.canvas.outlook == there


def test_a_drag_whose_end_went_elsewhere_is_forgotten_by_the_next(b):
    map = b.canvas.minimap
    hands.drag(map, map_middle(b), map_middle(b) + QPoint(20, 10), drop=False)
    between = b.canvas.outlook
    hands.drag(map, map_middle(b) + QPoint(20, 10), map_middle(b) - QPoint(30, 10), drop=False)
    assert b.canvas.outlook != between
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert b.canvas.outlook == between
    b.selection.set(("conv1",))
    hands.drag(map, map_middle(b), map_middle(b) + QPoint(20, 10), drop=False)
    hands.key(b.canvas, Qt.Key.Key_M)  # puts it away
    there = b.canvas.outlook
    hands.key(b.canvas, Qt.Key.Key_Escape)
    assert (b.canvas.outlook, b.selection.nodes) == (there, ())


def test_a_layer_that_is_called_off_on_its_way_from_the_palette_leaves_no_trace(b):
    before, data = seen(b), QMimeData()
    data.setData(MIME, b"Conv2d")
    hands.hang(b.port, data, b.wire("conv1", "flatten1"))
    assert seen(b) != before
    hands.leave(b.port)  # what Qt's own loop, which takes the key, tells the canvas then
    assert seen(b) == before


# ---------------------------------------------------------------------------- beside the canvas


def handle(slider: Slider) -> QPoint:
    """The middle of a slider's handle."""
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    control = QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(*control, slider).center()


def drag_and_take_back(
    widget: QWidget, start: QPoint, way: QPoint, values: Any, key_at: QWidget | None = None
) -> None:
    """Drag, press Esc, and go on dragging: the values are what they were."""
    before = values()
    hands.drag(widget, start, start + way, drop=False)
    assert values() != before, "something is under way"
    hands.key(key_at or widget, Qt.Key.Key_Escape)
    assert values() == before
    hands.move(widget, start + way / 2)
    hands.release(widget, start + way / 2)
    assert values() == before
    hands.drag(widget, start, start + way)
    assert values() != before, "the next drag is as ever"


def test_escape_takes_back_a_number_that_is_scrubbed(qtbot):
    form, values = Form((Int("count", 8, lo=0, doc="How many."),)), {"count": 8}

    def take(name: str, value: object, merge: str) -> None:
        values[name] = value
        form.set_values(values)

    form.edited.connect(take)
    form.set_values(values)
    shown(qtbot, form)
    label = form.row("count").label
    drag_and_take_back(label, QPoint(5, 5), QPoint(80, 0), lambda: dict(values))


def test_escape_takes_back_a_slider(qtbot):
    slider = shown(qtbot, CurvesPanel(Session())).smoothing
    slider.setValue(50)
    drag_and_take_back(slider, handle(slider), QPoint(16, 0), slider.value)


def test_a_slider_comes_to_where_it_is_pressed_is_dragged_on_from_there_and_taken_back(qtbot):
    slider = shown(qtbot, CurvesPanel(Session())).smoothing
    slider.setValue(10)
    middle, before = handle(slider), slider.value()
    slider.setValue(60)
    far = handle(slider)
    slider.setValue(before)
    hands.drag(slider, far, far, drop=False)
    assert slider.value() == pytest.approx(60, abs=2)
    hands.move(slider, QPoint((middle.x() + far.x()) // 2, far.y()))
    assert before < slider.value() < 58
    hands.key(slider, Qt.Key.Key_Escape)
    assert slider.value() == before
    hands.release(slider, far)
    assert slider.value() == before


def test_a_press_on_the_scrubber_goes_to_that_step_and_escape_back_to_the_newest(qtbot):
    session = Session()
    begin(session)
    for step in range(40):
        observe(session, step)
    slider = shown(qtbot, Scrubber(session)).slider
    session.seek(3)
    place = handle(slider)
    session.seek(None)
    hands.drag(slider, place, place, drop=False)
    assert session.at == pytest.approx(3, abs=1)
    hands.key(slider, Qt.Key.Key_Escape)
    assert session.at is None
    hands.release(slider, place)
    assert session.at is None


@pytest.mark.parametrize("at", [4, None])
def test_escape_takes_back_a_drag_through_time_to_the_step_that_was_looked_at_or_followed(qtbot, at):
    session = Session()
    begin(session)
    for step in (2, 4, 8, 16):
        observe(session, step)
    slider = shown(qtbot, Scrubber(session)).slider
    session.seek(at)
    way = QPoint(-slider.width() // 2 if at is None else slider.width() // 2, 0)
    drag_and_take_back(slider, handle(slider), way, lambda: session.at)


def test_a_run_that_goes_on_during_a_drag_through_time_is_followed_again_after_escape(qtbot):
    session = Session()
    begin(session)
    for step in (2, 4, 8, 16):
        observe(session, step)
    slider = shown(qtbot, Scrubber(session)).slider
    hands.drag(slider, handle(slider), handle(slider) - QPoint(slider.width() // 2, 0), drop=False)
    assert session.at is not None
    observe(session, 32)
    hands.key(slider, Qt.Key.Key_Escape)
    assert session.at is None
    assert slider.value() == slider.maximum() == 4


@pytest.mark.parametrize("button", [LEFT, Qt.MouseButton.RightButton])
def test_escape_takes_back_a_stroke_on_the_drawing_sheet(qtbot, button):
    pad = shown(qtbot, DrawPad(), 160, 160)
    hands.drag(pad, QPoint(20, 20), QPoint(140, 20))
    drawn = []
    pad.drawn.connect(lambda: drawn.append(pad.values.copy()))
    before = pad.values.copy()
    hands.drag(pad, QPoint(20, 20), QPoint(60, 90), button, drop=False)
    assert not np.array_equal(pad.values, before)
    hands.key(pad, Qt.Key.Key_Escape)
    assert np.array_equal(drawn[-1], before), "and whoever asks the network is told"
    hands.move(pad, QPoint(90, 90), button)
    hands.release(pad, QPoint(90, 90), button)
    assert np.array_equal(pad.values, before)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("button", [LEFT, Qt.MouseButton.RightButton])
def test_escape_takes_back_what_is_dragged_in_a_plot(qtbot, monkeypatch, button, held):
    monkeypatch.setitem(pg.CONFIG_OPTIONS, "mouseRateLimit", -1)  # of this hand it would drop movements
    plot = shown(qtbot, Plot("plot"))
    plot.show_range((0.0, 10.0), (0.0, 1.0))
    plot.held = held
    view, start = plot.viewport(), QPoint(120, 60)
    before = plot.view.viewRange()
    hands.drag(view, start, start + QPoint(60, 20), button, drop=False)
    assert plot.view.viewRange() != before
    hands.key(plot, Qt.Key.Key_Escape)
    assert plot.view.viewRange() == before
    hands.move(view, start + QPoint(80, 30), button)
    hands.release(view, start + QPoint(80, 30), button)
    assert plot.view.viewRange() == before
    assert plot.held is held
    hands.drag(view, start, start + QPoint(60, 20), button)
    assert plot.view.viewRange() != before
    assert plot.held
