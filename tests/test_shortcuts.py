"""Every action of the window: a key of its own that works, a place in the command palette, a tool tip.

The table is the program's own list of actions, taken from menus, canvas and panels of a whole window.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QMetaMethod, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QToolButton, QWidget
from window_helpers import PlayedPool, close_window, open_window, template

from engine import assets
from gui.actions import CommandPalette, key_text
from gui.panels.panel import Panel
from gui.panels.schemes import SchemesEdit
from gui.window import Window

pytestmark = pytest.mark.gui

WINDOW, WITHIN = Qt.ShortcutContext.WindowShortcut, Qt.ShortcutContext.WidgetWithChildrenShortcut


@pytest.fixture(scope="module")
def window(qapp, tmp_path_factory) -> Iterator[Window]:
    folder = tmp_path_factory.mktemp("shortcuts")
    shown = open_window(folder, PlayedPool(), template())
    shown.keep_in(folder / "kept")
    file = folder / "before.layerlab"
    file.write_text("{}")
    shown.settings.remember(file)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    yield shown
    close_window(shown)


def every_action(window: Window) -> list[QAction]:
    """What can be done: not the files and runs that two menus list, which are no actions but things."""
    listed = {*window.menus.recent.actions(), *window.menus.past.menu.actions()}
    return [
        command.action
        for command in window.menus.commands()
        if command.action not in listed or command.action.objectName()
    ]


def owner(action: QAction) -> QWidget:
    """The widget in which the action's key works: the canvas, a panel, or the window."""
    widgets = [w for w in action.associatedObjects() if isinstance(w, QWidget)]
    return next(w for w in widgets if not isinstance(w, QMenu | QToolButton))


def test_there_is_no_action_beside_those_of_the_command_palette(window: Window) -> None:
    """Every action that the program made, wherever it stands, but for what only lists things."""
    known = set(every_action(window))
    things = {*window.menus.recent.actions(), *window.menus.past.menu.actions()}
    named = [action for action in window.findChildren(QAction) if action.objectName() or action.text()]
    beside = [
        action
        for action in named
        if action not in known | things
        and not action.isSeparator()
        and not action.objectName().startswith("_q_")  # a field's clear button
        and not isinstance(action.parent().parent().parent(), SchemesEdit)  # things to choose from
        and action.menu() is None
        and type(action.parent()).__name__ not in ("Dock", "Toolbar", "GraphicsScene")  # Qt's own, unused
    ]
    assert [action.text() for action in beside] == []


def test_every_action_has_a_key_and_a_tool_tip_that_names_it(window: Window) -> None:
    actions = every_action(window)
    assert len(actions) > 100
    assert [action.text() for action in actions if not action.shortcuts()] == []
    assert [action.text() for action in actions if key_text(action) not in action.toolTip()] == []


def test_no_two_actions_share_a_key_where_both_could_be_meant(window: Window) -> None:
    reach: dict[str, list[QWidget]] = {}
    for action in every_action(window):
        for key in action.shortcuts():
            reach.setdefault(key.toString(), []).append(owner(action))
    for menu in window.menuBar().actions():
        mnemonic = re.search(r"&(\w)", menu.text())
        assert mnemonic is not None
        reach.setdefault(f"Alt+{mnemonic[1].upper()}", []).append(window)
    clashes = [
        key
        for key, owners in reach.items()
        for one in range(len(owners))
        for other in range(one)
        if owners[one] is owners[other]
        or owners[one].isAncestorOf(owners[other])
        or owners[other].isAncestorOf(owners[one])
    ]
    assert clashes == []
    begun = {key.partition(", ")[0] for key in reach if ", " in key}
    assert begun & set(reach) == set(), "a key that begins others does nothing by itself"


def test_no_two_entries_of_a_menu_share_a_letter(window: Window) -> None:
    bar = window.menuBar()
    for menu in (bar, *(m for m in bar.findChildren(QMenu))):
        letters = Counter(
            found[1].lower()
            for a in menu.actions()
            if (found := re.search(r"&(\w)", a.text().replace("&&", "")))
        )
        assert [letter for letter, times in letters.items() if times > 1] == [], menu.objectName()


def focus_for(window: Window, action: QAction) -> QWidget:
    """A widget at which a person who means this action is."""
    place = owner(action)
    if place is window:
        return window.canvas
    if place is window.canvas:
        return window.canvas
    dock = next(dock for dock in window.docks if dock.isAncestorOf(place))
    window.docks.reveal(dock.objectName())
    panel = dock.widget()
    assert isinstance(panel, Panel)
    panel.show_content()  # as if there were a run to show
    return place


def pressed(window: Window, at: QWidget, key: QKeySequence) -> list[QAction]:
    """What the keys trigger when they are pressed there."""
    at.setFocus()
    while QApplication.focusWidget() is not at:
        at.window().activateWindow()
        QApplication.processEvents()
    heard.clear()
    QTest.keySequence(at, key)
    return list(heard)


heard: list[QAction] = []


@pytest.fixture(scope="module")
def listening(window: Window) -> Window:
    """The window, whose actions tell that they are triggered instead of doing what they do."""
    window.resuming._soon.timeout.disconnect()  # it tells anew which of them can be done
    for action in every_action(window):
        if action.isSignalConnected(QMetaMethod.fromSignal(action.triggered)):
            action.triggered.disconnect()
        action.setEnabled(True)
        action.triggered.connect(lambda checked=False, action=action: heard.append(action))
    return window


def test_each_key_pressed_in_the_window_triggers_its_action_and_no_other(listening: Window) -> None:
    docks = listening.docks
    for action in every_action(listening):
        at = focus_for(listening, action)
        for key in action.shortcuts():
            if key.toString() not in (
                "New",
                "Open",
                "Save",
                "Undo",
                "Redo",
            ):  # keys of their own, on few keyboards
                assert pressed(listening, at, key) == [action], f"{key.toString()}: {action.text()}"
    for name in docks.apart:
        docks[name].hide()


def test_the_windows_keys_work_while_the_keyboard_is_in_a_field(listening: Window) -> None:
    """But for those that a field takes itself: undo and redo of what is typed there."""
    field = listening.palette_view.findChild(QLineEdit)
    assert field is not None
    listening.docks.reveal("palette")
    for action in every_action(listening):
        if owner(action) is listening and action.objectName() not in ("edit.undo", "edit.redo"):
            key = action.shortcuts()[0]
            assert pressed(listening, field, key) == [action], f"{key.toString()}: {action.text()}"


def test_the_palette_lists_every_action_that_can_be_done_and_runs_it(listening: Window) -> None:
    assert pressed(listening, listening.canvas, QKeySequence("Ctrl+K")) == [
        listening.commands["help.commands"]
    ]
    palette = CommandPalette(listening.menus.commands(), listening)
    palette.show()
    rows = [palette.model.index(row, 0) for row in range(palette.model.rowCount())]
    shown = {row.data(Qt.ItemDataRole.UserRole) for row in rows}
    assert [action.text() for action in every_action(listening) if action not in shown] == []
    heard.clear()
    QTest.keyClicks(palette.line, "curves save data par")
    assert palette.list.currentIndex().data() == "Curves: save data as Parquet"
    QTest.keyClick(palette.line, Qt.Key.Key_Return)
    assert [action.text() for action in heard] == ["Save data as Parquet…"]


def test_keys_named_on_the_help_page_of_keys_are_those_of_the_actions(window: Window) -> None:
    page = assets.read_text("help/shortcuts.md")
    told = [cell for cell in re.findall(r"^\| (.+?) \|", page, re.MULTILINE) if cell not in ("Keys", "---")]
    keys = {QKeySequence(k.replace(" then ", ", ")).toString() for cell in told for k in cell.split(", ")}
    assert len(keys) > 20
    assert keys - {key.toString() for action in every_action(window) for key in action.shortcuts()} == set()


def test_a_panels_key_brings_it_to_the_front_with_the_keyboard_and_hides_it_again(qtbot, tmp_path) -> None:
    window = open_window(tmp_path, PlayedPool(), template())
    try:
        docks, canvas = window.docks, window.canvas
        canvas.setFocus()
        QApplication.processEvents()
        assert docks["inspector"].seen
        assert not docks["recipe"].seen, "it stands behind the inspector"
        QTest.keySequence(canvas, QKeySequence("Ctrl+J, R"))
        qtbot.waitUntil(lambda: docks["recipe"].seen)
        at = QApplication.focusWidget()
        assert docks["recipe"].isAncestorOf(at)
        QTest.keySequence(at, QKeySequence("Ctrl+J, R"))
        qtbot.waitUntil(docks["recipe"].isHidden)
        assert not window.commands["view.panel.recipe"].isChecked()
        assert canvas.hasFocus()
        QTest.keySequence(canvas, QKeySequence("Ctrl+J, R"))
        qtbot.waitUntil(lambda: docks["recipe"].seen)
        assert window.commands["view.panel.recipe"].isChecked()
        docks["recipe"].close()  # by its own button
        assert not window.commands["view.panel.recipe"].isChecked()
        QTest.keySequence(window, QKeySequence("Ctrl+J, T"))
        assert window.toolbar.device.hasFocus()
        QTest.keySequence(window.toolbar.device, QKeySequence("Ctrl+J, J"))
        assert canvas.hasFocus()
    finally:
        close_window(window)
