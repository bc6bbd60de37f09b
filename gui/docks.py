"""The docks around the canvas: where they stand at first, and their arrangement kept."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

_AREA = Qt.DockWidgetArea
#: Dock -> (title, area at first).
_DOCKS = {
    "palette": ("Layers", _AREA.LeftDockWidgetArea),
    "inspector": ("Layer", _AREA.RightDockWidgetArea),
    "recipe": ("Recipe", _AREA.RightDockWidgetArea),
    "curves": ("Curves", _AREA.BottomDockWidgetArea),
    "weights": ("Weights", _AREA.BottomDockWidgetArea),
    "gradients": ("Gradients", _AREA.BottomDockWidgetArea),
    "predictions": ("Predictions", _AREA.BottomDockWidgetArea),
    "problems": ("Problems", _AREA.BottomDockWidgetArea),
}
#: Those that stand one behind another: (in front, behind it …).
_STACKS = (("inspector", "recipe"), ("curves", "predictions", "problems"))
_WIDTHS = {"palette": 210, "inspector": 320}
_BOTTOM = 270


class Dock(QDockWidget):
    """A dock whose title bar makes room where its tab says the same."""

    def __init__(self, name: str, title: str, window: QMainWindow) -> None:
        super().__init__(title, window)
        self.setObjectName(name)
        self._main = window
        self._no_title = QWidget()
        self._titled = True

    def update_title(self) -> None:
        """Hide the title bar in a stack of docks, whose tabs name them."""
        titled = self.isFloating() or not any(
            not other.isHidden() for other in self._main.tabifiedDockWidgets(self)
        )
        if titled != self._titled:
            self._titled = titled
            self.setTitleBarWidget(None if titled else self._no_title)  # type: ignore[arg-type]


class Docks:
    """The window's docks by name."""

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        window.setDockNestingEnabled(True)
        option = QMainWindow.DockOption
        window.setDockOptions(option.AllowNestedDocks | option.AllowTabbedDocks | option.GroupedDragging)
        window.setCorner(Qt.Corner.BottomLeftCorner, _AREA.BottomDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, _AREA.BottomDockWidgetArea)
        window.setTabPosition(_AREA.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setDocumentMode(True)
        self._docks = {name: Dock(name, title, window) for name, (title, _) in _DOCKS.items()}
        #: While all are hidden: the arrangement to come back to.
        self._put_away: QByteArray | None = None
        self._titles = QTimer(window, singleShot=True, interval=0)
        self._titles.timeout.connect(self._update_titles)
        for dock in self._docks.values():
            for signal in (dock.dockLocationChanged, dock.topLevelChanged, dock.visibilityChanged):
                signal.connect(lambda *_: self._titles.start())
        self.arrange()

    def __iter__(self) -> Iterator[Dock]:
        return iter(self._docks.values())

    def __getitem__(self, name: str) -> Dock:
        return self._docks[name]

    def arrange(self) -> None:
        """The arrangement of a first start."""
        docks, window = self._docks, self._window
        for name, (_, area) in _DOCKS.items():
            docks[name].setFloating(False)
            window.addDockWidget(area, docks[name])
            docks[name].show()
        bottom = Qt.Orientation.Horizontal
        window.splitDockWidget(docks["curves"], docks["weights"], bottom)
        window.splitDockWidget(docks["weights"], docks["gradients"], bottom)
        for front, *behind in _STACKS:
            for name in behind:
                window.tabifyDockWidget(docks[front], docks[name])
            docks[front].raise_()
        window.resizeDocks([docks[n] for n in _WIDTHS], list(_WIDTHS.values()), Qt.Orientation.Horizontal)
        window.resizeDocks([docks["curves"]], [_BOTTOM], Qt.Orientation.Vertical)
        row = [docks[name] for name in ("curves", "weights", "gradients")]
        window.resizeDocks(row, [100, 100, 100], Qt.Orientation.Horizontal)
        self._update_titles()

    def fill(self, name: str, view: QWidget) -> None:
        """Put a view into its dock."""
        view.setAccessibleName(view.accessibleName() or _DOCKS[name][0])
        self._docks[name].setWidget(view)

    def reveal(self, name: str) -> None:
        """Bring a dock to the front."""
        self._docks[name].show()
        self._docks[name].raise_()

    def _update_titles(self) -> None:
        for dock in self._docks.values():
            dock.update_title()

    # ------------------------------------------------------------------ keeping

    def set_hidden(self, hidden: bool) -> None:
        """Put all docks away, or bring back those that were shown."""
        if hidden and self._put_away is None:
            self._put_away = self._window.saveState()
            for dock in self._docks.values():
                dock.hide()
        elif not hidden and self._put_away is not None:
            state, self._put_away = self._put_away, None
            self._window.restoreState(state)
            self._titles.start()

    def state(self) -> QByteArray:
        """The arrangement, to be restored at the next start."""
        return self._put_away if self._put_away is not None else self._window.saveState()

    def restore(self, state: QByteArray | None) -> None:
        """Bring an arrangement back; one that cannot be used is passed over."""
        if state is not None:
            self._window.restoreState(state)
            self._titles.start()
