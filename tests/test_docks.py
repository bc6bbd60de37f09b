"""Each stack of docks has one row of tabs, whatever has been done to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QMainWindow, QTabBar

from gui.settings import Settings
from gui.window import Window
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui
FIRST = [
    ["Activations", "Filters", "Health", "Weights"],
    ["Code", "History", "Layer", "Recipe"],
    ["Curves", "Predictions", "Problems"],
    ["Data", "Gradients", "Responses"],
]


@pytest.fixture
def window(qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    shown = open_window(tmp_path, PlayedPool(), template())
    yield shown
    close_window(shown)


def rows(window: Window) -> list[list[str]]:
    """The rows of tabs that are in sight, each with its names sorted."""
    QApplication.processEvents()
    bars = window.workbench.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return sorted(sorted(bar.tabText(tab) for tab in range(bar.count())) for bar in bars if bar.isVisible())


def test_at_first_each_stack_has_one_row_of_tabs(window: Window) -> None:
    assert rows(window) == FIRST
    window.resize(1280, 800)
    assert rows(window) == FIRST


def test_the_first_arrangement_comes_back_with_one_row_each(window: Window) -> None:
    window.workbench.tabifyDockWidget(window.docks["weights"], window.docks["curves"])
    assert rows(window) == [
        ["Activations", "Curves", "Filters", "Health", "Weights"],
        ["Code", "History", "Layer", "Recipe"],
        ["Data", "Gradients", "Responses"],
        ["Predictions", "Problems"],
    ]
    for _ in range(2):
        window.docks.arrange()
        assert rows(window) == FIRST


def test_a_dock_that_is_torn_off_or_closed_leaves_its_row(window: Window) -> None:
    window.docks["problems"].setFloating(True)
    window.docks["data"].hide()
    assert rows(window) == [*FIRST[:2], ["Curves", "Predictions"], ["Gradients", "Responses"]]
    window.docks["responses"].hide()
    assert rows(window) == [*FIRST[:2], ["Curves", "Predictions"]]
    window.docks["problems"].setFloating(False)
    window.docks["data"].show()
    window.docks["responses"].show()
    assert rows(window) == FIRST


def test_the_next_start_has_one_row_each(window: Window, tmp_path: Path) -> None:
    window.workbench.tabifyDockWidget(window.docks["weights"], window.docks["curves"])
    before = rows(window)
    window.close()
    again = open_window(tmp_path, PlayedPool(), template())
    assert rows(again) == before
    close_window(again)


def test_docks_are_dragged_one_by_one(window: Window) -> None:
    """Qt 6.11 crashes when a dock is dragged out of a window of its own that several share."""
    assert not window.workbench.dockOptions() & QMainWindow.DockOption.GroupedDragging


def test_a_panel_that_is_put_back_by_its_button_is_in_front(window: Window) -> None:
    curves = window.docks["curves"]
    button = curves.findChild(QAbstractButton, "qt_dockwidget_floatbutton")
    curves.setFloating(True)
    QApplication.processEvents()
    button.click()
    QApplication.processEvents()
    assert not curves.isFloating()
    assert curves.seen
    assert not window.docks["predictions"].seen


def test_docks_that_once_shared_a_window_of_their_own_can_all_be_reached(
    qapp: QApplication, tmp_path: Path
) -> None:
    """Of an arrangement that was kept while docks could be dragged into one: Weights and Gradients."""
    kept = (Path(__file__).parent / "frozen/docks_sharing_a_window.layout").read_bytes()
    Settings(tmp_path / "settings.ini").layout = QByteArray(kept)
    window = open_window(tmp_path, PlayedPool(), template())
    QApplication.processEvents()
    assert all(dock.parentWidget() is window.workbench for dock in window.docks)
    assert window.docks["predictions"].isFloating(), "the rest stands as it was"
    for dock in window.docks:
        window.docks.reveal(dock.objectName())
        QApplication.processEvents()
        assert dock.seen, dock.objectName()
        assert not dock.visibleRegion().isEmpty(), dock.objectName()
    for name in window.docks.apart:
        window.docks[name].hide()
    close_window(window)
