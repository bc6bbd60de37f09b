"""Who has the keyboard: the canvas, wherever no text is being typed."""

from __future__ import annotations

import signal

import pytest

from tests import gui_helpers as hands
from tests.window_helpers import PlayedPool, close_window, open_window, template, template_path

from tests.gui_helpers import ALT, CTRL  # isort: skip

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QMenu, QPushButton, QTabBar, QWidget

from gui.settings import Settings
from gui.theme import theme

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool(), template())
    shown.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is shown)
    yield shown
    for name in shown.docks.apart:
        shown.docks[name].hide()
    close_window(shown)


def press(key: Qt.Key, modifiers: Qt.KeyboardModifier = hands.NONE) -> None:
    """Press a key, as the keyboard does: it goes to whatever has the focus."""
    target = QApplication.focusWidget() or QApplication.activeWindow()
    hands.key(target, key, modifiers)


def choose(qtbot, box: QComboBox, row: int) -> None:
    """Open a list with the mouse, and click on one of its rows."""
    QTest.mouseClick(box, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: box.view().isVisible())
    qtbot.wait(QApplication.doubleClickInterval() // 4)  # a release right after the press is the press's own
    place = box.view().visualRect(box.model().index(row, 0)).center()
    QTest.mouseMove(box.view().viewport(), place)
    QTest.mouseClick(box.view().viewport(), Qt.MouseButton.LeftButton, hands.NONE, place)
    qtbot.waitUntil(lambda: not box.view().isVisible())


def test_after_opening_the_canvas_has_the_keyboard(window, qtbot):
    assert window.canvas.hasFocus()
    press(Qt.Key.Key_A, CTRL)
    assert set(window.selection.nodes) == set(window.document.network.nodes)
    window.inspector.focus_first()
    window.files.open_path(template_path("lenet5_mnist"))
    assert window.canvas.hasFocus()
    press(Qt.Key.Key_Tab)
    qtbot.waitUntil(window.canvas.adder.popup.isVisible)
    press(Qt.Key.Key_Escape)


def test_after_a_template_the_canvas_has_the_keyboard(window):
    window.files.new()
    assert window.welcoming
    window.welcome.template_chosen.emit(template_path())
    assert window.canvas.hasFocus()
    window.files.new()
    window.begin_empty()
    assert window.canvas.hasFocus()


def test_the_welcome_begins_at_its_first_template(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool())
    try:
        shown.activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is shown)
        assert shown.welcome.cards[0].hasFocus()
        press(Qt.Key.Key_Return)
        assert shown.document.network.nodes
        assert shown.canvas.hasFocus()
        shown.files.new()
        assert shown.welcome.cards[0].hasFocus()
    finally:
        close_window(shown)


def test_a_start_with_a_file_gives_the_canvas_the_keyboard(qtbot, tmp_path):
    shown = open_window(tmp_path, PlayedPool(), template(), whole=False)
    try:
        shown.activateWindow()
        qtbot.waitUntil(lambda: QApplication.activeWindow() is shown)
        shown.complete_soon()
        with qtbot.waitSignal(shown.completed):
            pass
        assert shown.canvas.hasFocus()
    finally:
        close_window(shown)


def test_after_undoing_by_menu_what_is_shown_the_canvas_has_the_keyboard(window, qtbot):
    window.canvas.add_layer("Conv2d", (40.0, 400.0))
    hands.key(window.canvas, Qt.Key.Key_Return)
    assert isinstance(QApplication.focusWidget(), QLineEdit)
    bar = window.menuBar()
    press(Qt.Key.Key_E, ALT)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert menu is window.menus.edit
    hands.click(menu, menu.actionGeometry(window.menus.history[0]).center())
    qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None)
    assert not bar.activeAction()
    assert "conv2d" not in window.document.network.nodes
    assert window.canvas.hasFocus()


def test_a_list_hands_the_keyboard_back_after_a_choice(window, qtbot):
    window.docks.reveal("health")
    box = window.health.findChildren(QComboBox)[0]
    choose(qtbot, box, 1)
    assert box.currentIndex() == 1
    assert window.canvas.hasFocus()
    press(Qt.Key.Key_A, CTRL)
    assert set(window.selection.nodes) == set(window.document.network.nodes)


def test_words_that_are_being_typed_are_taken_before_a_choice(window, qtbot):
    window.selection.set(("fc1",))
    hands.key(window.canvas, Qt.Key.Key_Return)
    hands.type_text("77")
    box = window.inspector.panel.activation.choice.box
    window.inspector.ensureWidgetVisible(box)
    choose(qtbot, box, box.findData("Tanh"))
    fc1 = window.document.network.nodes["fc1"]
    assert (fc1.fields["out_features"], fc1.activation.id) == (77, "Tanh")


def test_keys_that_nothing_else_takes_are_the_canvas_s(window):
    window.docks.focus("inspector")
    bar = next(b for b in window.workbench.findChildren(QTabBar) if b.isVisible())
    button = next(b for b in window.findChildren(QPushButton) if b.isVisible() and b.isEnabled())
    for where in (bar, button):
        window.selection.set()
        where.setFocus(Qt.FocusReason.MouseFocusReason)
        assert where.hasFocus()
        press(Qt.Key.Key_A, CTRL)
        assert len(window.selection.nodes) == len(window.document.network.nodes)
        window.canvas.scroll_to(QPoint(-4000, -4000))
        press(Qt.Key.Key_F)
        assert window.canvas.visible_rect().contains(window.canvas.drawing.content())


def test_a_panel_torn_off_hands_keys_on_too(window, qtbot):
    dock = window.docks["history"]
    window.docks.reveal("history")
    dock.setFloating(True)
    dock.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is dock)
    window.docks.focus("history")
    window.selection.set(("fc1",))
    press(Qt.Key.Key_G, CTRL)
    assert window.document.network.view.get("frames")
    press(Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: QApplication.activeWindow() is window)
    assert window.canvas.hasFocus()
    dock.setFloating(False)


def test_a_text_keeps_its_keys(window):
    window.selection.set(("fc1",))
    hands.key(window.canvas, Qt.Key.Key_Return)
    line = QApplication.focusWidget()
    press(Qt.Key.Key_Right)
    press(Qt.Key.Key_Return)
    press(Qt.Key.Key_Delete)
    assert line.hasFocus()
    assert "fc1" in window.document.network.nodes
    assert window.selection.nodes == ("fc1",)


def test_a_start_takes_the_theme_and_the_size_that_it_was_given_and_keeps_the_chosen_one(
    qapp, tmp_path, monkeypatch, light
):
    from gui import app

    pool, seen = PlayedPool(), []
    kept = Settings(tmp_path / "settings.ini")
    kept.theme = "light"
    monkeypatch.setattr("gui.workers.start_hosts", lambda: (pool, pool.mailbox))
    monkeypatch.setattr("gui.settings.Settings", lambda: kept)
    monkeypatch.setattr(app, "_data_folder", lambda: tmp_path)

    def look() -> int:
        shown = next(
            w for w in QApplication.topLevelWidgets() if w.objectName() == "window" and w.isVisible()
        )
        seen.append((theme.tokens.name, shown.width(), shown.height()))
        close_window(shown)
        return 0

    monkeypatch.setattr(qapp, "exec", look, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert app.run(str(template_path()), "dark", (1000, 700)) == 0
    finally:
        import sys

        sys.excepthook = sys.__excepthook__
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert seen == [("dark", 1000, 700)]
    assert kept.theme == "light"


def test_keys_that_take_away_are_the_canvas_s_alone(window):
    tried = set()
    for panel in ("problems", "history", "code", "palette", "inspector"):
        window.docks.reveal(panel)
        view = window.docks[panel].widget()
        for where in (view, *view.findChildren(QWidget)):
            window.selection.set(("fc1",))
            if where.focusPolicy() != Qt.FocusPolicy.NoFocus and where.isVisible() and where.isEnabled():
                where.setFocus(Qt.FocusReason.MouseFocusReason)
                for key, modifiers in ((Qt.Key.Key_Delete, hands.NONE), (Qt.Key.Key_X, CTRL)):
                    if where.hasFocus():
                        press(key, modifiers)
                        tried.add(panel)
                        assert "fc1" in window.document.network.nodes, where
    assert len(tried) == 5
    window.canvas.setFocus()
    press(Qt.Key.Key_Delete)
    assert "fc1" not in window.document.network.nodes
