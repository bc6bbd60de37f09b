"""The View menu: what is shown, where the keyboard goes, and in which colours.

Ctrl+J is the beginning of all its keys: a second one, alone, says what to look at.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from gui.docks import Dock
from gui.theme import theme

if TYPE_CHECKING:
    from gui.window import Window

#: Dock -> the second key that leads to it.
_KEYS = {
    "palette": "L",
    "inspector": "I",
    "recipe": "R",
    "history": "H",
    "code": "K",
    "curves": "C",
    "weights": "W",
    "gradients": "G",
    "activations": "A",
    "filters": "F",
    "responses": "S",
    "predictions": "P",
    "health": "E",
    "data": "D",
    "problems": "X",
}
_THEMES = (("light", "&Light", "1"), ("dark", "&Dark", "2"), (None, "As the &system", "3"))


class Views:
    """Fills the View menu of a window."""

    def __init__(self, window: Window, menu: QMenu) -> None:
        self._window = window
        self._panels(menu.addMenu("&Panels"))
        self._themes(menu.addMenu("&Theme"))
        add = window.commands.add
        menu.addAction(
            add(
                "view.full_screen",
                "&Full screen",
                lambda: window.showNormal() if window.isFullScreen() else window.showFullScreen(),
                keys="F11",
            )
        )
        menu.addSeparator()
        menu.addAction(add("view.canvas", "Go to the &canvas", self._to_canvas, keys="Ctrl+J, J"))
        menu.addAction(add("view.toolbar", "Go to the tool&bar", self._to_toolbar, keys="Ctrl+J, T"))
        menu.addAction(add("view.notice", "Go to the &notice", self._to_notice, keys="Ctrl+J, N"))
        menu.addAction(
            add("view.dismiss", "&Dismiss the notice", window.banners.dismiss_last, keys="Shift+Esc")
        )
        menu.addSeparator()

    def _panels(self, menu: QMenu) -> None:
        docks, add = self._window.docks, self._window.commands.add
        for dock in docks:
            if dock.objectName() in docks.apart:
                continue
            action = add(
                f"view.panel.{dock.objectName()}",
                dock.windowTitle(),
                partial(self._turn, dock),
                keys=f"Ctrl+J, {_KEYS[dock.objectName()]}",
                checkable=True,
                tip=f"Show the panel {dock.windowTitle()}, or hide it",
            )
            action.setChecked(not dock.isHidden())
            # As the dock's own entry, which knows about closing by the mouse and about arranging.
            dock.toggleViewAction().toggled.connect(action.setChecked)
            menu.addAction(action)
        menu.addSeparator()
        menu.addAction(add("view.arrange", "&Arrange afresh", docks.arrange, keys="Ctrl+J, 0"))

    def _turn(self, dock: Dock) -> None:
        """Hide a panel that is seen; bring one to the front that is hidden, or behind another."""
        if dock.seen:
            dock.hide()
            self._to_canvas()
            return
        self._window.docks.reveal(dock.objectName())
        self._window.docks.focus(dock.objectName())
        self._window.commands[f"view.panel.{dock.objectName()}"].setChecked(True)

    def _to_canvas(self) -> None:
        window = self._window
        if window.desk.count():
            window.activateWindow()
            window.canvas.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _to_toolbar(self) -> None:
        self._window.activateWindow()
        self._window.toolbar.device.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _to_notice(self) -> None:
        self._window.activateWindow()
        if not self._window.banners.focus_first():
            self._window.status.showMessage("There is no notice.", 4000)

    def _themes(self, menu: QMenu) -> None:
        add = self._window.commands.add
        group = QActionGroup(menu)
        for choice, text, key in _THEMES:
            action = add(
                f"view.theme.{choice or 'system'}",
                text,
                partial(self._choose_theme, choice),
                keys=f"Ctrl+J, {key}",
                checkable=True,
                tip=f"Theme: {text.replace('&', '').lower()}",
            )
            action.setChecked(theme.choice == choice)
            group.addAction(action)
            menu.addAction(action)
        toggle = add(
            "view.theme.toggle",
            "S&witch between light and dark",
            lambda: self._choose_theme("light" if theme.tokens.name == "dark" else "dark"),
            keys="Ctrl+Shift+L",
            icon="mdi6.theme-light-dark",
        )
        menu.addSeparator()
        menu.addAction(toggle)

    def _choose_theme(self, choice: str | None, checked: bool = True) -> None:
        theme.choose(choice)
        self._window.settings.theme = choice
        self._window.commands[f"view.theme.{choice or 'system'}"].setChecked(True)
