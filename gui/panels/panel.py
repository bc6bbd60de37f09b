"""What all panels share: their own pace, an empty state, the theme."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from PySide6.QtCore import QEvent, QSize, Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from gui.panels.saving import Savable
from gui.theme import SPACE, theme

#: Milliseconds between two repaints: the window draws at its own pace, however fast events come.
PACE = 50

#: Milliseconds that one panel's work stands before the next one's, so that the window answers in between.
TURN = 16

#: Lines longer than this are hard to read, in pixels.
_MEASURE = 100 * SPACE


class Empty(QWidget):
    """What a panel shows while it has nothing to show: an icon, what is missing, what to do."""

    def __init__(self, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.icon = icon
        self._picture = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.title = _centred("heading")
        self.hint = _centred("muted")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(4 * SPACE, 2 * SPACE, 4 * SPACE, 2 * SPACE)
        self._column.setSpacing(SPACE)
        self._column.addStretch()
        for part in (self._picture, self.title, self.hint):
            self._column.addWidget(part)
        self._column.addStretch()
        self.follow_theme()

    def offer(self, text: str, do: Callable[[], object]) -> QPushButton:
        """A button below the two lines that does what there is to do first."""
        button = QPushButton(text)
        button.setProperty("primary", True)
        button.clicked.connect(lambda: do())
        place = self._column.count() - 1
        self._column.insertSpacing(place, 2 * SPACE)
        self._column.insertWidget(place + 1, button, 0, Qt.AlignmentFlag.AlignHCenter)
        return button

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep lines of a readable length in the middle."""
        super().resizeEvent(event)
        aside = max(4 * SPACE, (self.width() - _MEASURE) // 2)
        self._column.setContentsMargins(aside, 2 * SPACE, aside, 2 * SPACE)
        self._fit()

    def event(self, event: QEvent) -> bool:
        """Look again once the words have the look of theirs."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().event(event)

    def _fit(self) -> None:
        """Where there is little room, it is the words', and where there is less, the first line's."""
        wide = min(self.width() - 8 * SPACE, _MEASURE)
        words = sum(part.heightForWidth(wide) for part in (self.title, self.hint)) + 5 * SPACE
        self._picture.setVisible(self.height() >= words + 32 + SPACE)
        self.hint.setVisible(self.height() >= words)
        self.setToolTip("" if self.height() >= words else self.hint.text())

    def say(self, title: str, hint: str, icon: str = "") -> None:
        """Set the two lines, and another icon."""
        if icon and icon != self.icon:
            self.icon = icon
            self.follow_theme()
        self.title.setText(title)
        self.hint.setText(hint)
        self._fit()

    def follow_theme(self) -> None:
        """Draw the icon in the theme's colours."""
        self._picture.setPixmap(theme.icon(self.icon, "muted").pixmap(QSize(32, 32)))


def _centred(role: str) -> QLabel:
    label = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setProperty("role", role)
    return label


class Panel(Savable):
    """A view that repaints at its own pace.

    :meth:`request` may be called at any rate: :meth:`refresh` runs at most once per
    :data:`PACE`, and not at all while the panel is hidden; then it runs when it is shown again.
    No timer runs while nothing happens. All panels of a window take turns: a look at a run concerns
    each of them, and all at once they would hold up the mouse.
    """

    #: The last turn that is given away, and before when none begins, in seconds of ``time.perf_counter``.
    _free = 0.0
    _rest_until = 0.0

    def __init__(self, title: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # a click anywhere in it is meant for its keys
        self.title = title
        self._stale = True
        #: What is left of a repaint that is done in parts.
        self._parts: Iterator[None] | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._tick)

        self.empty = Empty(icon)
        self.content = QWidget()
        self._pages = QStackedWidget()
        self._pages.addWidget(self.empty)
        self._pages.addWidget(self.content)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        theme.changed.connect(self._theme_changed)

    # ------------------------------------------------------------------ pace

    def request(self, *_: object) -> None:
        """Ask for a repaint, soon."""
        self._stale = True
        if self.in_view:
            self._take_turn(PACE)

    def _take_turn(self, wait: int) -> None:
        """Work in `wait` milliseconds, or as soon after as no other panel does."""
        if self._timer.isActive():
            return
        now = time.perf_counter()
        Panel._free = max(now + wait / 1000, Panel._free + TURN / 1000)
        self._timer.start(max(0, round(1000 * (Panel._free - now))))

    def flush(self) -> None:
        """Show the newest now: for a picture, or a test."""
        self._timer.stop()
        self._stale, self._parts = False, None
        for _ in self.refresh() or ():
            pass

    def refresh(self) -> Iterator[None] | None:
        """Bring the view up to date; one that takes long yields between its parts."""
        raise NotImplementedError

    def _tick(self) -> None:
        if not self.in_view and not self.works_hidden:
            return
        if time.perf_counter() < Panel._rest_until:  # two timers are late at once: not both now
            self._take_turn(0)
            return
        if self._parts is None and self._stale:
            self._stale = False
            self._parts = iter(self.refresh() or ())
        if self._parts is not None and next(self._parts, self) is self:
            self._parts = None
        Panel._rest_until = time.perf_counter() + TURN / 2000
        if self._parts is not None:
            self._take_turn(0)
        elif self._stale:
            self._take_turn(PACE)

    @property
    def works_hidden(self) -> bool:
        """Whether others need what it finds, seen or not."""
        return False

    @property
    def in_view(self) -> bool:
        """Whether something of it is seen; Qt calls visible what stands behind another's tab, too."""
        return self.isVisible() and not self.visibleRegion().isEmpty()

    def come_into_view(self) -> None:
        """Catch up with what happened while it was not seen."""
        if self._stale or self._parts is not None:
            self.flush()

    def event(self, event: QEvent) -> bool:
        """Be told by its dock when its tab comes to the front."""
        dock = self.parentWidget()
        if event.type() == QEvent.Type.ParentChange and isinstance(dock, QDockWidget):
            dock.visibilityChanged.connect(self._tab_changed)
        return super().event(event)

    def _tab_changed(self, in_front: bool) -> None:
        if in_front:
            QTimer.singleShot(0, self, self._uncovered)  # by then it has its place

    def _uncovered(self) -> None:
        if self.isVisible():
            self.come_into_view()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up, unless it is shown behind another's tab."""
        super().showEvent(event)
        if self.in_view:
            self.come_into_view()

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest."""
        super().hideEvent(event)
        self._timer.stop()

    # ------------------------------------------------------------------ looks

    def show_empty(self, title: str, hint: str, icon: str = "") -> None:
        """Show the empty state, saying this; `icon`: in the place of the one that it had."""
        self.empty.say(title, hint, icon)
        self._pages.setCurrentWidget(self.empty)

    def show_content(self) -> None:
        """Show the content."""
        self._pages.setCurrentWidget(self.content)

    @property
    def is_empty(self) -> bool:
        """Whether the empty state is shown."""
        return self._pages.currentWidget() is self.empty

    def follow_theme(self) -> None:
        """Take on the theme's colours, where the style sheet does not."""

    def _theme_changed(self) -> None:
        self.empty.follow_theme()
        self.follow_theme()
        self.request()
