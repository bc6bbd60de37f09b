"""The whole window by keyboard: every control has a name, is reached by Tab, and shows that it has the focus."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QSlider,
    QTabBar,
    QWidget,
)

from engine import assets
from gui.exchange import ImportDialog
from gui.help import Help
from gui.machines import MachinesDialog
from gui.theme import DARK, LIGHT, Tokens, theme
from gui.window import Window
from tests.test_accessible import nameless
from tests.test_theme import contrast
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path) -> Iterator[Window]:
    shown = open_window(tmp_path, PlayedPool(), template())
    shown.selection.set(["fc1"])
    QApplication.processEvents()
    yield shown
    for name in shown.docks.apart:
        shown.docks[name].hide()
    theme.choose("light")
    close_window(shown)


def panels(window: Window) -> Iterator[QWidget]:
    """Every panel, in front and with its content."""
    for dock in window.docks:
        window.docks.reveal(dock.objectName())
        view = dock.widget()
        assert view is not None
        if hasattr(view, "show_content"):
            view.show_content()
        QApplication.processEvents()
        yield view


def test_every_control_of_the_window_and_its_dialogs_has_a_name(window: Window, tmp_path) -> None:
    (tmp_path / "model.py").write_text("def make_model(): pass\n")
    for view in panels(window):
        assert nameless(view) == [], view.accessibleName()
    assert nameless(window) == []
    for make in (
        lambda: MachinesDialog(window.settings, window),
        lambda: ImportDialog(tmp_path / "model.py", window),
        lambda: Help(window),
        window.menus.find_command,
        window.menus.binarize,
        window.branch,
    ):
        dialog = make()
        dialog.show()
        QApplication.processEvents()
        assert nameless(dialog) == [], type(dialog).__name__
        dialog.close()
    window.document.undo_stack.clear()
    window.files.new()
    assert nameless(window.welcome) == []


KINDS = (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QAbstractSpinBox,
    QSlider,
    QAbstractItemView,
    QTabBar,
    QAbstractScrollArea,
)


def reached(widget: QWidget) -> bool:
    return (
        widget.isVisible()
        and widget.isEnabled()
        and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
        and isinstance(widget, KINDS)
        and widget.focusProxy() is None
        and not (isinstance(widget, QTabBar) and not widget.count())
    )


def focus(widget: QWidget) -> None:
    """Give it the focus, as Tab does."""
    for _ in range(100):
        widget.window().activateWindow()
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        if widget.hasFocus():
            return
    raise AssertionError(f"{type(widget).__name__} {widget.accessibleName()} takes no focus")


def picture(widget: QWidget) -> QImage:
    shown = widget.parentWidget() if isinstance(widget, QLineEdit) else widget
    return (shown or widget).grab().toImage()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_every_kind_of_control_shows_that_it_has_the_focus(window: Window, look: str) -> None:
    theme.choose(look)
    seen: dict[str, QWidget] = {}
    unseen: list[str] = []
    for view in [window.toolbar, window.status, *panels(window)]:
        for widget in [view, *view.findChildren(QWidget)]:
            if widget.window() is window and reached(widget):
                kind = f"{type(widget).__name__} {widget.property('role') or ''}"
                if kind in seen:
                    continue
                seen[kind] = widget
                focus(window.canvas)
                before = picture(widget)
                focus(widget)
                if isinstance(widget, QLineEdit):
                    widget.deselect()
                    QTest.qWait(0)
                if picture(widget) == before:
                    unseen.append(f"{kind} {widget.accessibleName()} in {view.accessibleName()}")
    assert unseen == []
    assert len(seen) >= 8, sorted(seen)


def test_tab_leads_through_every_control_of_a_panel(window: Window) -> None:
    for view in panels(window):
        if view.window() is not window:
            continue
        wanted = [w for w in view.findChildren(QWidget) if reached(w)]
        if len(wanted) < 2:
            continue
        chain = []
        at = view.nextInFocusChain()
        while at is not view and len(chain) < 10_000:
            if at in wanted:
                chain.append(at)
            at = at.nextInFocusChain()
        assert set(chain) == set(wanted), view.accessibleName()


def rules() -> list[tuple[str, dict[str, str]]]:
    """Selectors of the style sheet, with what they set."""
    sheet = re.sub(r"/\*.*?\*/", "", assets.read_text("style.qss"), flags=re.DOTALL)
    return [
        (selector.strip(), dict(re.findall(r"([\w-]+)\s*:\s*([^;]+)", body)))
        for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet)
    ]


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_words_can_be_read_on_every_ground_that_the_style_sheet_gives_them(tokens: Tokens) -> None:
    """Where a rule gives a ground and no colour, text; where a colour and no ground, every ground."""
    pairs = set()
    own = {selector: body["color"] for selector, body in rules() if "color" in body}
    for selector, body in rules():
        plain = [re.sub(r"(?<!:):(?!:)[\w-]+", "", part).strip() for part in selector.split(",")]
        usual = next((own[key] for key in own for part in plain if part in key.split(", ")), "$text")
        ground = body.get("background", "").removeprefix("$")
        color = body.get("color", usual).removeprefix("$")
        if "selection-color" in body:
            pairs.add((body["selection-color"][1:], body["selection-background-color"][1:]))
        words = not re.search(r"::(indicator|handle|groove|chunk|sub-page|separator|grip)", selector)
        if words and hasattr(tokens, ground):
            pairs.add((color, ground))
        elif words and "color" in body:
            pairs |= {
                (color, each) for each in ("window", "surface", "raised", "canvas") if color != "accent_text"
            }
    assert len(pairs) > 10
    for color, ground in pairs:
        got = contrast(getattr(tokens, color), getattr(tokens, ground))
        assert got >= 4.5, f"{color} on {ground}: {got:.2f}"


def test_a_panel_is_torn_off_closed_brought_back_and_found_so_at_the_next_start(qtbot, tmp_path) -> None:
    first = open_window(tmp_path, PlayedPool(), template())
    weights = first.docks["weights"]
    first.docks.reveal("weights")
    first.docks.focus("weights")
    QTest.keySequence(QApplication.focusWidget() or first, QKeySequence("Ctrl+P, T"))
    assert weights.isFloating()
    weights.close()
    assert weights.isHidden()
    first.activateWindow()
    first.canvas.setFocus()
    first.commands["view.panel.weights"].trigger()
    assert weights.isVisible()
    assert weights.isFloating(), "where it was"
    first.docks["data"].close()
    close_window(first)
    second = open_window(tmp_path, PlayedPool(), template())
    assert second.docks["weights"].isFloating()
    assert second.docks["data"].isHidden()
    second.commands["view.arrange"].trigger()
    assert not second.docks["weights"].isFloating()
    assert not second.docks["data"].isHidden()
    close_window(second)
