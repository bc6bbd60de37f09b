"""Looking around: wheel, touchpad, pinch and panning, with events as the systems send them."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import LEFT, MIDDLE, SHIFT  # isort: skip

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QNativeGestureEvent, QPointingDevice
from PySide6.QtWidgets import QApplication

from engine import edit, edit_view
from engine.edit_view import Frame
from tests.benchmarks.canvas import network_of

pytestmark = pytest.mark.gui

NO_PHASE = Qt.ScrollPhase.NoScrollPhase


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


@pytest.mark.parametrize("notches", [1, 4, -3])
def test_the_wheel_zooms_about_the_cursor_and_glides_there(qtbot, bench, notches):
    b = bench(chain("Input", "Conv2d"))
    place = QPoint(300, 500)
    before, scale = b.canvas.mapToScene(place), b.canvas.zoom_factor
    seen = []
    b.canvas.looked.connect(lambda: seen.append(b.canvas.zoom_factor))
    for _ in range(abs(notches)):
        hands.wheel(b.port, place, 120 if notches > 0 else -120)
    qtbot.waitUntil(lambda: not b.canvas.glide.under_way)
    # A notch is 120 eighths of a degree; notches that come quickly are added up.
    assert b.canvas.zoom_factor == pytest.approx(scale * 1.0015 ** (120 * notches))
    assert sorted(seen, reverse=notches < 0) == seen, "no step back on the way"
    moved = b.canvas.mapFromScene(before) - place
    assert moved.manhattanLength() <= 2


def test_a_press_stops_the_glide_and_so_does_fit(bench):
    b = bench(chain("Input", "Conv2d"))
    hands.wheel(b.port, QPoint(300, 500), 1200)
    hands.press(b.port, b.empty())
    assert not b.canvas.glide.under_way
    hands.release(b.port, b.empty())
    hands.wheel(b.port, QPoint(300, 500), 1200)
    b.canvas.fit()
    assert not b.canvas.glide.under_way
    assert b.canvas.visible_rect().contains(b.canvas.drawing.content())


@pytest.mark.parametrize(
    ("angle", "pixels", "phase", "zooms"),
    [
        ((0, 120), (0, 0), NO_PHASE, True),  # a wheel's notch
        ((0, -240), (0, -30), NO_PHASE, True),  # under X11, where a wheel has pixels as well
        ((0, 30), (0, 0), NO_PHASE, True),  # a wheel with finer notches
        ((0, -24), (0, -3), NO_PHASE, False),  # a touchpad under X11
        ((8, -24), (1, -3), Qt.ScrollPhase.ScrollUpdate, False),  # one under Wayland or macOS
        ((120, 0), (0, 0), NO_PHASE, False),  # a wheel that is tilted
    ],
)
def test_a_wheel_zooms_and_fingers_pan(qtbot, bench, angle, pixels, phase, zooms):
    b = bench(chain("Input", "Flatten"))
    zoom, looked = b.canvas.zoom_factor, b.canvas.scroll_position()
    hands.wheel(b.port, QPoint(600, 400), angle[1], pixels=QPoint(*pixels), across=angle[0], phase=phase)
    qtbot.waitUntil(lambda: not b.canvas.glide.under_way)
    assert (b.canvas.zoom_factor != zoom) == zooms
    if not zooms:
        moved = b.canvas.scroll_position() - looked
        assert (moved.x() < 0) == (angle[0] > 0)
        assert (moved.y() > 0) == (angle[1] < 0)


@pytest.mark.parametrize("how", ["middle", "space", "touchpad"])
def test_panning_moves_the_paper_under_the_hand(bench, how):
    b = bench(chain("Input", "Conv2d"))
    before = b.at(QPointF(0, 0))
    if how == "middle":
        hands.drag(b.port, QPoint(600, 600), QPoint(700, 640), button=MIDDLE)
    elif how == "space":
        hands.QTest.keyPress(b.canvas, Qt.Key.Key_Space)
        hands.drag(b.port, QPoint(600, 600), QPoint(700, 640), button=LEFT)
        hands.QTest.keyRelease(b.canvas, Qt.Key.Key_Space)
    else:
        hands.wheel(b.port, QPoint(600, 600), 0, pixels=QPoint(100, 40))
    assert b.at(QPointF(0, 0)) - before == QPoint(100, 40)
    assert b.document.clean


def test_fit_brings_every_card_into_view(bench):
    b = bench(chain(*["Input"] + ["Conv2d"] * 20))
    b.canvas.zoom_reset()
    hands.key(b.canvas, Qt.Key.Key_F)
    assert b.canvas.visible_rect().contains(b.canvas.drawing.content())


def test_a_pinch_zooms_about_the_fingers(bench):
    b = bench(chain("Input", "Conv2d"))
    place = QPoint(300, 500)
    before, scale = b.canvas.mapToScene(place), b.canvas.zoom_factor
    device = QPointingDevice.primaryPointingDevice()
    event = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture,
        device,
        2,
        QPointF(place),
        QPointF(place),
        QPointF(b.port.mapToGlobal(place)),
        0.25,
        QPointF(),
    )
    QApplication.sendEvent(b.port, event)
    assert b.canvas.zoom_factor == pytest.approx(1.25 * scale)
    assert (b.canvas.mapFromScene(before) - place).manhattanLength() <= 2


def test_what_is_held_stays_under_the_hand_though_the_canvas_changes_its_size(bench):
    b = bench(chain("Input", "Conv2d", "Flatten"))
    b.canvas.fit()
    at = b.node("conv1")
    hands.drag(b.port, at, at + QPoint(60, 90), drop=False)
    zoom, there = b.canvas.zoom_factor, b.canvas.mapToScene(at)
    b.canvas.resize(900, 500)  # a banner comes, or a dock
    assert (b.canvas.zoom_factor, b.canvas.mapToScene(at)) == (zoom, there)
    hands.release(b.port, at + QPoint(60, 90))


@pytest.mark.parametrize("what", ["node", "frame"])
def test_shift_f_brings_what_is_selected_into_view(bench, what):
    network, id = edit_view.add_mark(
        chain(*["Input"] + ["Conv2d"] * 20), Frame((5000.0, 400.0, 300.0, 200.0))
    )
    b = bench(network)
    b.canvas.zoom_reset()
    chosen = "conv20" if what == "node" else id
    b.selection.set((chosen,) if what == "node" else (), (), () if what == "node" else (chosen,))
    hands.key(b.canvas, Qt.Key.Key_F, SHIFT)
    shown = b.canvas.drawing.content([chosen])
    assert b.canvas.visible_rect().contains(shown)
    assert b.canvas.zoom_factor > 0.9, "it is looked at closely"


@pytest.mark.parametrize("where", ["corner", "middle"])
@pytest.mark.parametrize("count", [6, 1000])
def test_one_steps_back_until_the_whole_is_half_as_large_and_in_the_middle(bench, count, where):
    b = bench(network_of(count))
    b.canvas.fit()
    fitting = b.canvas.zoom_factor
    place = QPoint(30, 20) if where == "corner" else b.port.rect().center()
    b.canvas.zoom(3.0, place)
    for _ in range(60):
        b.canvas.zoom(0.9, place)
    assert b.canvas.zoom_factor == pytest.approx(min(0.25, fitting / 2))
    middle = b.at(b.canvas.drawing.content().center()) - b.port.rect().center()
    assert middle.manhattanLength() <= 3
    b.canvas.zoom(0.5, place)
    assert b.canvas.zoom_factor == pytest.approx(min(0.25, fitting / 2)), "and no further"
    b.canvas.zoom(1.2, place)
    assert b.canvas.zoom_factor == pytest.approx(1.2 * min(0.25, fitting / 2))


def test_however_large_a_network_is_all_of_it_can_be_seen(bench):
    b = bench(edit.move(chain("Input", "Flatten"), {"flatten1": (400_000.0, 0.0)}))
    b.canvas.fit()
    assert b.canvas.visible_rect().contains(b.canvas.drawing.content())


def test_space_that_is_let_go_elsewhere_no_longer_pans(bench):
    b = bench(chain("Input", "Conv2d"))
    before = b.network.positions()["conv1"]
    hands.QTest.keyPress(b.canvas, Qt.Key.Key_Space)
    b.canvas.clearFocus()
    b.canvas.setFocus()
    hands.drag(b.port, b.node("conv1"), b.node("conv1") + QPoint(0, 80))
    assert b.network.positions()["conv1"] != before
