"""At its smallest the window still holds: nothing is laid over anything else, nothing is cut off unseen."""

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QSlider, QTabBar, QWidget

from gui.actions import rating
from gui.docks import Docks
from gui.panels.bar import Bar
from gui.panels.panel import Panel
from gui.settings import Settings
from gui.theme import theme
from gui.toolbar import ProgressView
from gui.window import MINIMUM, TITLE, Window
from tests import gui_helpers as hands
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, qapp, tmp_path):
    theme.install(qapp, "light")
    window = open_window(tmp_path, PlayedPool(), template())
    window.resize(*MINIMUM)
    QApplication.processEvents()
    yield window
    close_window(window)


def docked(docks: Docks):
    return [dock for dock in docks if not dock.isFloating() and isinstance(dock.widget(), Panel)]


def test_no_panel_is_wider_than_its_dock(window, qtbot):
    for dock in docked(window.docks):
        panel = dock.widget()
        window.docks.reveal(dock.objectName())
        for show in (panel.show_content, lambda panel=panel: panel.show_empty("Nothing yet", "Press Train.")):
            show()
            qtbot.waitUntil(lambda dock=dock: dock.width() >= dock.minimumSizeHint().width())
            assert dock.geometry().right() <= window.workbench.width()
    shown = [dock for dock in docked(window.docks) if not dock.visibleRegion().isEmpty()]
    for dock in shown:
        others = [other for other in shown if other is not dock]
        assert not any(dock.geometry().intersects(other.geometry()) for other in others), dock.objectName()


def test_where_the_run_is_stays_in_sight(window, qtbot):
    view = window.findChild(ProgressView)
    said = "Epoch 3 of 10 · 1,000 steps/s · 1 min 15 s left"
    qtbot.waitUntil(lambda: 0 < view.width() < view.fontMetrics().horizontalAdvance(said))
    assert view.mapTo(window, view.rect().bottomRight()).x() <= window.width()
    assert (
        window.toolbar.device.width() >= window.toolbar.device.sizeHint().width() - 2
    )  # "Automatic" is whole
    view._story = said
    view._tell()
    assert view.label.text().startswith("Epoch 3 of 10")
    assert view.label.text().endswith("…")


def laid(qtbot, width, *parts):
    holder = QWidget()
    qtbot.addWidget(holder)
    row = Bar(*parts)
    holder.setLayout(row)
    holder.resize(width, row.heightForWidth(width))
    holder.show()
    QApplication.processEvents()
    return holder, row


def test_a_bar_goes_on_in_the_next_line_and_what_follows_a_spacer_stands_right(qtbot):
    box, button, menu = QComboBox(), QPushButton("Compare"), QPushButton("…")
    box.addItem("Validation examples")
    _holder, wide = laid(qtbot, 600, box, button, None, menu)
    assert all(
        abs(part.geometry().center().y() - box.geometry().center().y()) <= 1 for part in (button, menu)
    )
    assert menu.geometry().right() == 600 - 1 - wide.contentsMargins().right()
    room = box.sizeHint().width() + 40
    _narrower, narrow = laid(qtbot, room, box, button, None, menu)
    assert button.y() > box.geometry().bottom()
    for part in (box, button, menu):
        assert part.width() >= part.sizeHint().width()  # no word of it is cut
        assert part.geometry().right() < room
    assert narrow.heightForWidth(room) > narrow.heightForWidth(600)


def test_in_a_bar_a_hidden_control_takes_no_room_and_a_title_goes_before_it_is_cut(qtbot):
    title, slider, hidden = QLabel("Smoothing of the curves"), QSlider(), QPushButton("Hidden")
    title.setMinimumWidth(1)
    hidden.hide()
    _holder, row = laid(qtbot, 120, title, slider, hidden)
    assert title.width() <= 1 or title.width() >= title.sizeHint().width()
    assert row.minimumSize().width() < hidden.sizeHint().width()


def test_every_menu_is_one_column_on_a_screen_800_pixels_high(window):
    for menu in (
        window.menus.file,
        window.menus.edit,
        window.menus.view,
        window.menus.run,
        window.menus.help,
    ):
        menu.ensurePolished()
        actions = [action for action in menu.actions() if action.isVisible()]
        columns = {menu.actionGeometry(action).left() for action in actions if not action.isSeparator()}
        assert len(columns) == 1, menu.title()
        assert menu.sizeHint().height() <= 760, menu.title()


def test_the_picture_of_the_drawing_is_among_the_exports_and_found_by_that_word(window):
    (action,) = (a for a in window.menus.export.actions() if a.objectName() == "canvas.export")
    found = sorted(window.menus.commands(), key=lambda command: -(rating("export svg", command) or -1e9))
    assert found[0].action is action


def test_at_a_first_start_it_is_no_taller_than_the_screen_has_room(qtbot, qapp, tmp_path):
    first = Window(Settings(tmp_path / "settings.ini"), (pool := PlayedPool(), pool.mailbox))
    first.show()
    assert first.height() < first.screen().availableSize().height() < 840
    close_window(first)


def test_a_screen_of_1280_by_800_at_150_percent_has_room_for_it_and_for_all_names_of_panels(window, qtbot):
    width, height = 1280 * 2 // 3, 800 * 2 // 3 - TITLE.height()
    assert MINIMUM[0] <= width
    assert MINIMUM[1] <= height
    window.resize(width, height)
    QApplication.processEvents()
    window.docks.arrange()
    qtbot.waitUntil(lambda: len(rows(window)) == 4)
    for bar in rows(window):
        qtbot.waitUntil(lambda bar=bar: bar.width() >= sum(map(wide(bar), range(bar.count()))))
    assert window.size().toTuple() == (width, height)
    assert window.canvas.height() >= 160
    window.docks.reveal("data")
    inner = [bar for bar in window.docks["data"].findChildren(QTabBar) if bar.count()]
    assert inner
    for bar in inner:
        assert bar.font().pixelSize() == 11
        seen = filter(bar.isTabVisible, range(bar.count()))
        assert sum(map(wide(bar), seen)) <= window.docks["data"].width()
    assert window.status.mapTo(window, window.status.rect().bottomRight()).y() < height


def rows(window) -> list[QTabBar]:
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    return [bar for bar in window.workbench.findChildren(QTabBar, options=direct) if bar.isVisible()]


def wide(bar: QTabBar):
    return lambda tab: bar.tabSizeHint(tab).width()


def test_the_canvas_keeps_its_share_of_a_window_that_is_made_small_and_large_again(window, qtbot):
    docks, width = window.docks, window.canvas.width
    assert {bar.font().pixelSize() for bar in rows(window)} == {11}
    qtbot.waitUntil(lambda: window.canvas.height() > 170)
    assert width() > 340
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: docks["curves"].height() > 230)
    assert {bar.font().pixelSize() for bar in rows(window)} == {13}
    assert window.canvas.height() > 300
    assert docks["inspector"].width() == 320


def test_docks_that_were_put_elsewhere_are_left_as_they_are(window, qtbot):
    docks = window.docks
    docks["curves"].setFloating(True)
    window.workbench.resizeDocks([docks["inspector"]], [290], Qt.Orientation.Horizontal)
    qtbot.waitUntil(lambda: docks["inspector"].width() == 290)
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: {bar.font().pixelSize() for bar in rows(window)} == {13})
    for _ in range(3):
        QApplication.processEvents()
    assert docks["inspector"].width() == 290
    assert docks["curves"].isFloating()


def test_the_search_for_layers_is_whole_where_the_canvas_is_low_and_still_adds(window, qtbot):
    window.canvas.setFocus()
    for height in (MINIMUM[1], 900, MINIMUM[1]):
        window.resize(1280, height)
        window.docks.arrange()
        QApplication.processEvents()
        popup = window.canvas.adder.popup
        hands.key(window.canvas, Qt.Key.Key_Tab)
        qtbot.waitUntil(popup.isVisible)
        place = QRect(popup.mapTo(window, QPoint()), popup.size())
        assert place.height() >= 320
        assert popup.visibleRegion().boundingRect().size() == popup.size(), "nothing of it is cut off"
        assert window.rect().contains(place)
        hands.type_text("relu")
        before = len(window.document.network.nodes)
        hands.key(QApplication.focusWidget(), Qt.Key.Key_Return)
        assert len(window.document.network.nodes) == before + 1
        assert not popup.isVisible()
        qtbot.waitUntil(window.canvas.hasFocus)


def sizes(window) -> dict[str, tuple[int, int]]:
    return {dock.objectName(): dock.size().toTuple() for dock in window.docks if dock.seen}


def enlarge_docks(
    window, qtbot, right: str = "inspector", below: str = "curves"
) -> dict[str, tuple[int, int]]:
    """Give the docks more room, as a user may; how large all are then."""
    window.workbench.resizeDocks([window.docks[right]], [420], Qt.Orientation.Horizontal)
    window.workbench.resizeDocks([window.docks[below]], [360], Qt.Orientation.Vertical)
    qtbot.waitUntil(lambda: window.docks[right].width() == 420)
    QApplication.processEvents()
    assert window.docks[below].height() > 320
    return sizes(window)


def make_small_and_large(window, qtbot) -> None:
    window.resize(*MINIMUM)
    qtbot.waitUntil(lambda: 260 in {width for width, _ in sizes(window).values()})
    window.resize(1280, 800)


@pytest.mark.parametrize("fronts", [("inspector", "curves"), ("recipe", "problems")])
def test_what_a_user_made_larger_is_so_again_however_often_the_window_was_small(window, qtbot, fronts):
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: window.docks["curves"].height() > 230)
    for name in fronts:
        window.docks.reveal(name)
    before = enlarge_docks(window, qtbot, *fronts)
    for _ in range(3):
        make_small_and_large(window, qtbot)
        qtbot.waitUntil(lambda: sizes(window) == before)


def test_what_was_larger_when_the_window_was_closed_is_so_after_it_was_small(qtbot, tmp_path):
    first = open_window(tmp_path, PlayedPool(), template())
    first.resize(1280, 800)
    before = enlarge_docks(first, qtbot)
    close_window(first)
    window = open_window(tmp_path, PlayedPool(), template())
    qtbot.waitUntil(lambda: sizes(window) == before)
    QApplication.processEvents()
    make_small_and_large(window, qtbot)
    qtbot.waitUntil(lambda: sizes(window) == before)
    close_window(window)
