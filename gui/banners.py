"""Notices over the canvas: a sentence, and buttons that do something about it.

They lie over the drawing, which does not move when one comes or goes, and keep away from the
cursor and from what is selected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QCursor, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from gui.plain import tip
from gui.theme import SPACE, theme

_ICONS = {"info": "mdi6.information-outline", "warning": "mdi6.alert-outline", "error": "mdi6.alert-circle"}
_COLORS = {"info": "accent", "warning": "warning", "error": "error"}
#: Pixels between the notices and the edge of what they lie over, and how wide they are at most.
_MARGIN, _WIDEST = 3 * SPACE, 760
#: The cursor is kept clear by so many pixels.
_CLEAR = 4 * SPACE
#: Letters that a notice shows, the fewer the less room there is; of more, as a library's errors may have,
#: its tool tip has the rest.
_LETTERS = (400, 200, 100)


class Banner(QFrame):
    """One notice."""

    def __init__(
        self,
        kind: str,
        text: str,
        buttons: Sequence[tuple[str, Callable[[], object]]],
        dismiss: Callable[[], object],
    ) -> None:
        super().__init__()
        self.setProperty("banner", kind)
        self.setAccessibleName(text)
        self._kind, self.text = kind, text
        self.dismiss = dismiss
        self._icon = QLabel()
        self.label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.show_letters(_LETTERS[0])
        row = QHBoxLayout(self)
        row.setContentsMargins(3 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        row.setSpacing(2 * SPACE)
        row.addWidget(self._icon)
        row.addWidget(self.label, 1)
        for title, run in buttons:
            button = QPushButton(title)
            button.clicked.connect(lambda checked=False, run=run: run())
            row.addWidget(button)
        self._close = QToolButton(autoRaise=True)
        self._close.setToolTip("Dismiss (Shift+Esc)")
        self._close.setAccessibleName("Dismiss this notice")
        self._close.clicked.connect(lambda: self.dismiss())
        row.addWidget(self._close)
        self._repaint()
        theme.changed.connect(self._repaint)

    def show_letters(self, most: int) -> None:
        """Show all, or the first so many letters."""
        shown = self.text if len(self.text) <= most else self.text[:most].rstrip() + " …"
        if shown != self.label.text():
            self.label.setText(shown)
            self.label.setToolTip(tip(self.text) if shown != self.text else "")
            self.updateGeometry()  # at once: its height is asked for next

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape takes the notice away in which the keyboard is."""
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        else:
            super().keyPressEvent(event)

    def focus_first(self) -> None:
        """Put the keyboard on the first button."""
        first = self.findChild(QPushButton) or self._close
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _repaint(self) -> None:
        self._icon.setPixmap(theme.icon(_ICONS[self._kind], _COLORS[self._kind]).pixmap(16, 16))
        self._close.setIcon(theme.icon("mdi6.close", "muted"))


class Banners(QWidget):
    """All notices, at most one per key."""

    #: Pixels of the ground that are covered at its upper and at its lower edge.
    placed = Signal(int, int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._home = parent
        self._banners: dict[str, Banner] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._ground: QWidget = parent
        #: The ground, and what it stands in.
        self._watched: list[QWidget] = []
        self._covers: Callable[[QRect], tuple[int, ...]] = lambda area: ()
        #: Which of the places is taken.
        self._spot = 0
        #: How many notices there were when it was taken.
        self._count = 0
        self.hide()

    # ------------------------------------------------------------------ what is said

    def show_banner(
        self,
        key: str,
        text: str,
        buttons: Sequence[tuple[str, Callable[[], object]]] = (),
        kind: str = "info",
        on_dismiss: Callable[[], object] | None = None,
    ) -> None:
        """Show a notice in place of the one that had the same key."""
        shown = self._banners.get(key)
        if shown is not None and shown.text == text:
            return
        place = self._column.count() if shown is None else self._column.indexOf(shown)
        self._take_away(key)

        def dismiss() -> None:
            self.hide_banner(key)
            if on_dismiss is not None:
                on_dismiss()

        banner = self._banners[key] = Banner(kind, text, buttons, dismiss)
        self._column.insertWidget(place, banner)
        banner.show()
        self.place()
        QAccessible.updateAccessibility(QAccessibleEvent(banner, QAccessible.Event.Alert))

    def hide_banner(self, key: str) -> None:
        """Take the notice away, if it is there."""
        if self._take_away(key):
            self.place()

    def _take_away(self, key: str) -> bool:
        banner = self._banners.pop(key, None)
        if banner is not None:
            self._column.removeWidget(banner)
            focus = banner.focusWidget()
            if focus is not None:
                focus.clearFocus()  # hidden with it, it would go to whatever comes next
            banner.hide()
            banner.deleteLater()
        return banner is not None

    def text(self, key: str) -> str | None:
        """What the notice says, or None if it is not shown."""
        banner = self._banners.get(key)
        return banner.text if banner else None

    def button(self, key: str, title: str) -> QPushButton:
        """A notice's button by its title."""
        return next(b for b in self._banners[key].findChildren(QPushButton) if b.text() == title)

    def dismiss_last(self) -> None:
        """Take the notice away that came last."""
        if self._banners:
            self._banners[next(reversed(self._banners))].dismiss()

    def focus_first(self) -> bool:
        """Put the keyboard on the first notice; False: there is none."""
        banner = next(iter(self._banners.values()), None)
        if banner is not None:
            banner.focus_first()
        return banner is not None

    # ------------------------------------------------------------------ where

    def lie_over(self, ground: QWidget, covers: Callable[[QRect], tuple[int, ...]] = lambda area: ()) -> None:
        """Lie over `ground`; `covers` says what an area of it would cover, the worst first."""
        for watched in self._watched:
            watched.removeEventFilter(self)
        self._ground, self._covers = ground, covers
        self._watched = [ground]
        while (above := self._watched[-1].parentWidget()) is not self._home and above is not None:
            self._watched.append(above)
        for watched in self._watched:
            watched.installEventFilter(self)
        self.place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The ground has moved, or has another size."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show):
            self.place()
        return False

    def place(self) -> None:
        """Stand at the upper edge, or where else less is in the way: the cursor, what is edited, cards.

        Once there, they stay while the cursor is at them, and until another comes or they are in the way of
        the cursor or of what is edited.
        """
        if not self._banners:
            self.hide()
            self._spot = self._count = 0
            self.placed.emit(0, 0)
            return
        ground, home = self._ground, self._home
        width = min(_WIDEST, max(1, ground.width() - 2 * _MARGIN))
        height = self._fitted(width, ground.height() - 2 * _MARGIN)
        right, bottom = (
            max(_MARGIN, room - _MARGIN - size)
            for room, size in ((ground.width(), width), (ground.height(), height))
        )
        across, down = ((ground.width() - width) // 2, right, _MARGIN), (_MARGIN, bottom)
        spots = [QRect(x, y, width, height) for x in across for y in down]
        cursor = ground.mapFromGlobal(QCursor.pos())
        aimed = self.isVisible() and _around(self.geometry()).contains(home.mapFromGlobal(QCursor.pos()))

        def cost(number: int) -> tuple[int, ...]:
            area = spots[number]
            return (int(_around(area).contains(cursor)), *self._covers(area))

        more, self._count = len(self._banners) > self._count, len(self._banners)
        if not aimed and (more or any(cost(self._spot)[:2])):
            self._spot = min([self._spot, *range(len(spots))], key=cost)
        area = spots[self._spot]
        self.setGeometry(area.translated(ground.mapTo(home, QPoint())))
        self.show()
        self.raise_()
        covered = height + _MARGIN
        self.placed.emit(*((0, covered) if self._spot % len(down) else (covered, 0)))

    def _fitted(self, width: int, room: int) -> int:
        """The height of all notices, which show as many letters as there is room for."""
        height = 0
        for most in _LETTERS:
            for banner in self._banners.values():
                banner.show_letters(most)
            height = self._column.heightForWidth(width)
            if height <= room:
                break
        return height


def _around(area: QRect) -> QRect:
    """An area with what must be clear of the cursor."""
    return area.adjusted(-_CLEAR, -_CLEAR, _CLEAR, _CLEAR)
