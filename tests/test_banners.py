"""Notices lie over the drawing: nothing moves under the hand, and what is at work stays in sight."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.window_helpers import PlayedPool, close_window, open_window, template

from tests.gui_helpers import CTRL, SHIFT  # isort: skip

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QApplication, QPushButton

pytestmark = pytest.mark.gui

SAID = "The drawing differs from the run."


@pytest.fixture
def window(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool(), template("lenet5_mnist"))
    shown.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is shown)
    qtbot.waitUntil(lambda: shown.canvas.resting)
    QCursor.setPos(shown.mapToGlobal(shown.rect().bottomRight() - QPoint(5, 5)))
    yield shown
    close_window(shown)


def place(window) -> QRect:
    """Where the notices are, in the canvas's coordinates."""
    banners = window.banners
    assert banners.isVisible()
    return QRect(window.canvas.mapFromGlobal(banners.mapToGlobal(QPoint(0, 0))), banners.size())


def say(window, key: str = "differs", text: str = SAID, then=lambda: None) -> None:
    window.banners.show_banner(key, text, [("Bring its version back", then)])
    QApplication.processEvents()


def test_nothing_moves_as_a_notice_comes_and_goes(window):
    canvas = window.canvas
    before = (canvas.mapToGlobal(QPoint(0, 0)), canvas.size(), canvas.mapToScene(QPoint(100, 100)))
    say(window)
    assert canvas.rect().contains(place(window))
    assert (canvas.mapToGlobal(QPoint(0, 0)), canvas.size(), canvas.mapToScene(QPoint(100, 100))) == before
    window.banners.hide_banner("differs")
    QApplication.processEvents()
    assert not window.banners.isVisible()
    assert (canvas.mapToGlobal(QPoint(0, 0)), canvas.size(), canvas.mapToScene(QPoint(100, 100))) == before


def test_a_click_meant_for_the_canvas_never_hits_a_notice_that_just_came(window):
    pressed = []
    for aim in (0.02, 0.1, 0.5, 0.9, 0.98):
        at = QPoint(window.canvas.width() // 2, round(window.canvas.height() * aim))
        QCursor.setPos(window.canvas.mapToGlobal(at))
        say(window, then=lambda: pressed.append(True))
        assert not place(window).contains(at)
        under = window.childAt(window.mapFromGlobal(window.canvas.mapToGlobal(at)))
        assert under is window.canvas.viewport()
        window.banners.hide_banner("differs")
    assert not pressed


def test_a_notice_keeps_off_the_layer_that_is_selected(window):
    canvas = window.canvas
    say(window)
    over = place(window)
    id = "conv1"
    card = canvas.drawing.nodes[id].rect.center()
    canvas.scroll_to(canvas.scroll_position() + canvas.mapFromScene(card) - over.center())
    QApplication.processEvents()
    assert over.contains(canvas.mapFromScene(card))
    window.selection.set((id,))
    assert not place(window).contains(canvas.mapFromScene(card))


def test_a_notice_keeps_off_the_note_that_is_selected(window):
    canvas = window.canvas
    say(window, "run", "The loss became not a number.")
    over = place(window)
    canvas.editor.add_note(canvas.mapToScene(over.topLeft() + QPoint(40, 10)))
    assert len(window.selection.marks) == 1
    note = canvas.drawing.marks[window.selection.marks[0]].rect
    assert not place(window).intersects(canvas.mapFromScene(note).boundingRect())


def test_a_notice_stays_while_the_cursor_aims_at_it(window):
    canvas = window.canvas
    say(window)
    over = place(window)
    QCursor.setPos(canvas.mapToGlobal(over.center()))
    card = canvas.drawing.nodes["conv1"].rect.center()
    canvas.scroll_to(canvas.scroll_position() + canvas.mapFromScene(card) - over.center())
    window.selection.set(("conv1",))
    assert place(window) == over
    say(window, text="The recipe differs from the run.")
    assert place(window).topLeft() == over.topLeft()


def test_a_notice_stays_where_it_is_while_the_drawing_changes_elsewhere(window):
    say(window)
    over = place(window)
    window.canvas.placing.arrange()
    canvas = window.canvas
    rects = {id: canvas.mapFromScene(item.rect).boundingRect() for id, item in canvas.drawing.nodes.items()}
    clear = [id for id, rect in rects.items() if not rect.intersects(over)]
    assert len(clear) > 3
    for id in clear:
        window.selection.set((id,))
        say(window, text=f"The drawing differs from the run by {id}.")
        assert place(window).topLeft() == over.topLeft()


def test_where_there_is_room_beside_the_cards_a_notice_stands_there(window, qtbot):
    window.resize(1900, 1000)
    qtbot.waitUntil(lambda: window.canvas.width() > 1200)
    canvas = window.canvas
    corner = canvas.mapToScene(QPoint(0, 0))
    for number in range(8):
        place_ = (corner.x() + 10 + number * 60, corner.y() + 10 + (number % 2) * canvas.height() * 0.7)
        canvas.add_layer("ReLU", place_)
    QApplication.processEvents()
    window.selection.set()
    say(window)
    area = canvas.mapToScene(place(window)).boundingRect()
    assert canvas.drawing.nodes_in(area) == []


def test_new_words_come_where_the_old_ones_were(window):
    say(window, "run", "The loss became not a number.")
    say(window)
    say(window, "run", "The run was killed.")
    told = {key: window.banners.text(key) for key in ("run", "differs")}
    assert told == {"run": "The run was killed.", "differs": SAID}
    above = window.banners.button("run", "Bring its version back").mapToGlobal(QPoint(0, 0))
    assert (
        above.y() < window.banners.button("differs", "Bring its version back").mapToGlobal(QPoint(0, 0)).y()
    )


def test_by_keyboard_a_notice_is_reached_pressed_and_dismissed(window):
    pressed = []
    say(window, then=lambda: pressed.append(True))
    window.canvas.setFocus()
    hands.key(window, Qt.Key.Key_J, CTRL)
    hands.key(window, Qt.Key.Key_N)
    button = QApplication.focusWidget()
    assert isinstance(button, QPushButton)
    hands.key(button, Qt.Key.Key_Space)
    assert pressed == [True]
    hands.key(button, Qt.Key.Key_Escape)
    assert window.banners.text("differs") is None
    assert window.canvas.hasFocus()
    say(window)
    hands.key(window.canvas, Qt.Key.Key_Escape, SHIFT)
    assert window.banners.text("differs") is None
    assert window.canvas.hasFocus()


def test_a_notice_of_the_welcome_lies_over_it(window):
    window.files.new()
    assert window.welcoming
    say(window)
    assert window.banners.isVisible()
    assert window.stack.rect().contains(QRect(window.banners.pos(), window.banners.size()))


def test_where_another_notice_makes_them_hide_cards_they_go_where_they_hide_fewer(window, qtbot):
    canvas = window.canvas
    say(window, "run", "The loss became not a number.")
    over = place(window)
    top = canvas.drawing.content().top()
    below = canvas.mapToScene(over.bottomLeft()).y() + 2
    canvas.scroll_to(canvas.scroll_position() + QPoint(0, round((top - below) * canvas.zoom_factor)))
    assert canvas.covered(place(window))[-1] == 0
    say(window)
    assert canvas.covered(place(window))[-1] == 0


def test_fitting_leaves_room_for_notices(window):
    canvas = window.canvas
    say(window)
    say(window, "run", "The loss became not a number.")
    hands.key(canvas, Qt.Key.Key_F)
    shown = canvas.mapFromScene(canvas.drawing.content()).boundingRect()
    assert canvas.rect().contains(shown)
    assert not place(window).intersects(shown)


@pytest.mark.parametrize("size", [(1000, 700), (880, 560)])
@pytest.mark.parametrize("words", ["An error of a library. " * 80, "/a_long_name_in_a_path" * 90])
def test_a_notice_stays_on_the_canvas_however_much_it_says(window, words, size):
    window.resize(*size)
    QApplication.processEvents()
    say(window, text=words)
    assert window.canvas.rect().contains(place(window))
    button = window.banners.button("differs", "Bring its version back")
    at = button.mapTo(window.banners, button.rect().center())
    assert window.banners.rect().contains(at)
    assert window.banners.text("differs") == words
    label = button.parentWidget().label
    assert label.height() >= label.heightForWidth(label.width())
    assert words.strip() in label.toolTip()
