"""The docks around the canvas: where they stand at first, and their arrangement kept."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QByteArray, QEvent, QObject, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDockWidget,
    QMainWindow,
    QTabBar,
    QTabWidget,
    QWidget,
)
from shiboken6 import getCppPointer

_AREA = Qt.DockWidgetArea
#: Dock -> (title, area at first).
_DOCKS = {
    "palette": ("Layers", _AREA.LeftDockWidgetArea),
    "inspector": ("Layer", _AREA.RightDockWidgetArea),
    "recipe": ("Recipe", _AREA.RightDockWidgetArea),
    "history": ("History", _AREA.RightDockWidgetArea),
    "curves": ("Curves", _AREA.BottomDockWidgetArea),
    "weights": ("Weights", _AREA.BottomDockWidgetArea),
    "gradients": ("Gradients", _AREA.BottomDockWidgetArea),
    "activations": ("Activations", _AREA.BottomDockWidgetArea),
    "filters": ("Filters", _AREA.BottomDockWidgetArea),
    "responses": ("Responses", _AREA.BottomDockWidgetArea),
    "predictions": ("Predictions", _AREA.BottomDockWidgetArea),
    "health": ("Health", _AREA.BottomDockWidgetArea),
    "data": ("Data", _AREA.BottomDockWidgetArea),
    "code": ("Code", _AREA.RightDockWidgetArea),
    "problems": ("Problems", _AREA.BottomDockWidgetArea),
    "lab_init": ("Initialisation laboratory", _AREA.BottomDockWidgetArea),
    "lab_ste": ("Binarization laboratory", _AREA.BottomDockWidgetArea),
    "rate": ("Learning rate", _AREA.BottomDockWidgetArea),
}
#: Those that are asked for when they are wanted, and then stand in a window of their own: name -> its size.
_APART = {"lab_init": (1200, 620), "lab_ste": (1140, 600), "rate": (620, 420)}
#: Those that stand one behind another: (in front, behind it …).
_STACKS = (
    ("inspector", "recipe", "code", "history"),
    ("curves", "predictions", "problems"),
    ("weights", "activations", "filters", "health"),
    ("gradients", "responses", "data"),
)
_PALETTE, _INSPECTOR, _BOTTOM = 226, 320, 300
#: In a window of fewer pixels the tabs are written small, and the inspector has no more than it needs.
_NARROW, _LEAST_INSPECTOR = 960, 260


def _takes_tab(widget: QWidget) -> bool:
    return widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def _stacked_with(dock: Dock) -> list[QDockWidget]:
    """The docks whose tabs stand beside that of `dock`."""
    return [other for other in dock.main.tabifiedDockWidgets(dock) if not other.isHidden()]


def _tops(bar: QTabBar, dock: QDockWidget) -> bool:
    """Whether a tab bar lies above a dock."""
    at, below = bar.geometry(), dock.geometry()
    return at.left() == below.left() and at.bottom() + 1 == below.top()


class Dock(QDockWidget):
    """A dock whose title bar makes room where its tab says the same."""

    def __init__(self, name: str, title: str, window: QMainWindow) -> None:
        super().__init__(title, window)
        self.setObjectName(name)
        self.main = window
        #: Whether it is in front, and not hidden or behind another's tab.
        self.seen = False
        self.visibilityChanged.connect(self._visibility_changed)
        for button in self.findChildren(QAbstractButton, "qt_dockwidget_floatbutton"):
            button.clicked.connect(self.raise_)  # put back, it would stand behind the others of its stack
        self._no_title = QWidget(self)
        self._no_title.hide()
        self._titled = True

    def _visibility_changed(self, seen: bool) -> None:
        self.seen = seen

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A key that nothing in here takes is the window's, torn off or not."""
        if self.isFloating():
            QApplication.sendEvent(self.main.window(), event)
        else:
            super().keyPressEvent(event)

    def update_title(self) -> None:
        """Hide the title bar in a stack of docks, whose tabs name them."""
        titled = self.isFloating() or not _stacked_with(self)
        if titled != self._titled:
            self._titled = titled
            self.setTitleBarWidget(None if titled else self._no_title)  # type: ignore[arg-type]


class _Watch(QObject):
    """Tells who has another size: the workbench, or a dock."""

    resized = Signal(object)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.resized.emit(watched)
        return False


class Docks:
    """The docks of the workbench by name."""

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        window.setDockNestingEnabled(True)
        option = QMainWindow.DockOption
        # No GroupedDragging: to drag a dock out of a window that several share crashes Qt 6.11.
        window.setDockOptions(option.AllowNestedDocks | option.AllowTabbedDocks)
        window.setCorner(Qt.Corner.BottomLeftCorner, _AREA.BottomDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, _AREA.RightDockWidgetArea)
        window.setTabPosition(_AREA.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setDocumentMode(True)
        self._docks = {name: Dock(name, title, window) for name, (title, _) in _DOCKS.items()}
        self._narrow = self._settled = self._dividing = False
        #: How large docks, with their tabs, were when the window last had room for them.
        self._when_wide: dict[Dock, QSize] = {}
        self._watch = _Watch(window)
        self._watch.resized.connect(self._suit)
        for watched in (window, *self._docks.values()):
            watched.installEventFilter(self._watch)
        self._titles = QTimer(window, singleShot=True, interval=0)
        self._titles.timeout.connect(self._update_titles)
        for dock in self._docks.values():
            for signal in (dock.dockLocationChanged, dock.topLevelChanged, dock.visibilityChanged):
                signal.connect(lambda *_: self._titles.start())
        self._build()
        #: The arrangement of a first start. Docks that are taken out and put in again one by one cannot
        #: be given a width any more.
        self._first = window.saveState()

    def __iter__(self) -> Iterator[Dock]:
        return iter(self._docks.values())

    def __getitem__(self, name: str) -> Dock:
        return self._docks[name]

    def arrange(self) -> None:
        """The arrangement of a first start."""
        self._window.restoreState(self._first)
        for name, size in _APART.items():
            self._docks[name].resize(*size)
        self._titles.start()
        self._divide()

    def _build(self) -> None:
        docks, window = self._docks, self._window
        for name, (_, area) in _DOCKS.items():
            if not any(name in behind for _, *behind in _STACKS):
                window.addDockWidget(area, docks[name], Qt.Orientation.Horizontal)
        for front, *behind in _STACKS:
            for before, name in zip((front, *behind), behind, strict=False):
                window.tabifyDockWidget(docks[before], docks[name])
        for name, dock in docks.items():
            dock.setVisible(name not in _APART)
        for name, size in _APART.items():
            docks[name].setFloating(True)
            docks[name].resize(*size)
        for front, *_ in _STACKS:
            docks[front].raise_()
        self._update_titles()
        self._divide()

    def _divide(self) -> None:
        """Share out the room: the canvas gets what is left, larger windows show more of the panels."""
        docks, window = self._docks, self._window
        across, down = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        inspector = self._inspector_width()
        window.resizeDocks([docks["palette"], docks["inspector"]], [_PALETTE, inspector], across)
        bottom = min(max(_BOTTOM, window.height() * 2 // 5), window.height() // 2)
        window.resizeDocks([docks["curves"]], [bottom], down)
        fronts = [docks[front] for front, *_ in _STACKS[1:]]
        room, left = window.width() - inspector - len(fronts), len(fronts)  # less the lines between them
        shares: dict[Dock, int] = {}
        for front in sorted(fronts, key=self._row_width, reverse=True):
            shares[front] = max(self._row_width(front), room // left)  # alike, but none less than its tabs
            room, left = room - shares[front], left - 1
        window.resizeDocks([*shares], [*shares.values()], across)
        if (layout := window.layout()) is not None:
            layout.activate()  # else what is asked for by docks meanwhile undoes it

    def _inspector_width(self) -> int:
        least = _LEAST_INSPECTOR if self._narrow else _INSPECTOR
        return min(max(least, self._window.width() // 5), 400)

    def _suit(self, resized: QWidget) -> None:
        """Let the tabs' letters, and the docks' sizes, go with the window's width."""
        narrow = self._window.width() < _NARROW
        if isinstance(resized, Dock):
            if self._settled and not (narrow or self._narrow or self._dividing):
                self._remember()
        elif narrow != self._narrow:
            self._narrow = narrow
            self._window.setProperty("narrow", narrow)
            for bar in self._window.findChildren(QTabBar):
                bar.style().unpolish(bar)
                bar.style().polish(bar)
            if self._settled:
                self._dividing = True
                QTimer.singleShot(0, self._window, self._divide_again)

    def _remember(self) -> None:
        for dock in self._at_the_edges():
            row, front = self._row(dock), self._in_front(dock)  # what is behind has the size that it had
            self._when_wide[dock] = front.size() + QSize(0, 0 if row is None else row.sizeHint().height())

    def _at_the_edges(self) -> list[Dock]:
        """The docks that share out the room at first."""
        return [self._docks[name] for name in ("palette", *(front for front, *_ in _STACKS))]

    def _divide_again(self) -> None:
        """Share out the room of a window that was made small; where it is large again, as it was before.

        Docks that were put elsewhere are left as they are.
        """
        docks, window = self._at_the_edges(), self._window
        self._dividing = False
        if not all(
            window.dockWidgetArea(dock) == _DOCKS[dock.objectName()][1]
            and not dock.isFloating()
            and not dock.isHidden()
            for dock in docks
        ):
            return
        before = self._when_wide
        if self._narrow or not before:
            self._divide()
            return
        _, _, *fronts = docks
        widths = [before[dock].width() for dock in docks]
        window.resizeDocks(docks[:2], widths[:2], Qt.Orientation.Horizontal)
        window.resizeDocks(fronts[:1], [before[fronts[0]].height()], Qt.Orientation.Vertical)
        window.resizeDocks(fronts, widths[2:], Qt.Orientation.Horizontal)

    def _rows(self) -> list[QTabBar]:
        """The rows of tabs, those included that Qt has forgotten."""
        return self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)

    def _in_front(self, dock: Dock) -> Dock:
        """The dock of a dock's stack whose panel is seen."""
        stack = (dock, *_stacked_with(dock))
        return next((other for other in stack if isinstance(other, Dock) and other.seen), dock)

    def _row(self, dock: Dock) -> QTabBar | None:
        """A dock's row of tabs, where it has one."""
        stack = {dock.windowTitle(), *(other.windowTitle() for other in _stacked_with(dock))}
        for bar in self._rows():
            if bar.isVisible() and {bar.tabText(tab) for tab in range(bar.count())} == stack:
                return bar
        return None

    def _row_width(self, dock: Dock) -> int:
        """How wide a dock's row of tabs is where no name is cut."""
        bar = self._row(dock)
        return 0 if bar is None else 2 + sum(bar.tabSizeHint(tab).width() for tab in range(bar.count()))

    def settle(self, state: QByteArray | None) -> None:
        """Bring an arrangement back, or share out the room; the workbench has its size by now."""
        if state is None or not self._window.restoreState(state):
            self._divide()
            # What is shared out as the window is first shown does not reach docks beside one another.
            QTimer.singleShot(0, self._window, self._divide)
        self._part()
        self._titles.start()
        QTimer.singleShot(0, self._window, self._shown)

    def _part(self) -> None:
        """Bring back what shared a window of its own, as docks could once: Qt leaves it out of reach."""
        window = self._window
        for name, dock in self._docks.items():
            if dock.parentWidget() is not window:
                window.removeDockWidget(dock)
                window.addDockWidget(_DOCKS[name][1], dock)
                stack = next((stack for stack in _STACKS if name in stack), ())
                for other in (self._docks[other] for other in stack if other != name):
                    if other.parentWidget() is window and not other.isFloating() and not other.isHidden():
                        window.tabifyDockWidget(other, dock)
                        break
                dock.show()

    def _shown(self) -> None:
        """Show what was torn off once more: what is shown before the window may stay below it for good."""
        self._settled = True
        if not self._narrow:
            self._remember()
        for dock in self:
            if dock.isFloating() and dock.isVisible():
                dock.hide()
                dock.show()

    def fill(self, name: str, view: QWidget) -> None:
        """Put a view into its dock."""
        view.setAccessibleName(view.accessibleName() or _DOCKS[name][0])
        self._docks[name].setWidget(view)

    def count(self, name: str, number: int) -> None:
        """Say by a dock's tab how much there is to be seen."""
        title = _DOCKS[name][0]
        self._docks[name].setWindowTitle(f"{title} · {number}" if number else title)

    def reveal(self, name: str) -> None:
        """Bring a dock to the front; one that stands apart opens over the middle of the window."""
        dock = self._docks[name]
        if name in _APART and dock.isFloating() and not dock.isVisible():
            frame = QRect(0, 0, *_APART[name])
            window = self._window.window().frameGeometry()
            frame.moveCenter(window.center())
            dock.setGeometry(frame & self._window.screen().availableGeometry())
        dock.show()
        dock.raise_()

    def focus(self, name: str) -> None:
        """Let the keyboard go on in a dock: at its first control that Tab leads to."""
        view = self._docks[name].widget()
        if view is None:
            return
        view.window().activateWindow()
        chain = [view, *view.findChildren(QWidget)]
        first = next((w for w in chain if w.isVisibleTo(view) and _takes_tab(w)), view)
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    @property
    def apart(self) -> tuple[str, ...]:
        """The docks that are asked for when they are wanted."""
        return tuple(_APART)

    def _update_titles(self) -> None:
        for dock in self._docks.values():
            dock.update_title()
        self._hide_strays()

    def _hide_strays(self) -> None:
        """Hide tab bars that Qt has forgotten.

        It makes new ones when a third dock joins a stack in a window that is not shown yet, and whenever an
        arrangement is restored, and leaves the old ones about, in sight where a panel has bare ground.
        """
        bars: dict[frozenset[object], list[QTabBar]] = {}
        for bar in self._rows():
            bars.setdefault(frozenset(map(bar.tabData, range(bar.count()))), []).append(bar)
        for names, same in bars.items():
            stack = [dock for dock in self if getCppPointer(dock)[0] in names]
            used = None
            if len(stack) > 1 and {*stack} == {stack[0], *_stacked_with(stack[0])}:
                used = max(same, key=lambda bar: (any(_tops(bar, dock) for dock in stack), same.index(bar)))
            for bar in same:
                bar.setVisible(bar is used)

    # ------------------------------------------------------------------ keeping

    def state(self) -> QByteArray:
        """The arrangement, to be restored at the next start."""
        return self._window.saveState()
