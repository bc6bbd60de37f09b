"""Everything that the program can do: one list of actions, each with a name, a key and an icon.

Menus, toolbar and the command palette (Ctrl+K) all show these same actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListView,
    QMenu,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gui import plain
from gui.keys import finish_typing
from gui.theme import SPACE, theme

#: Rows of the command palette.
ROWS = 12
_ACTION = Qt.ItemDataRole.UserRole
_KEY = Qt.ItemDataRole.UserRole + 1
_LOCAL = "local"


class Actions(QObject):
    """The window's actions by id, such as ``"file.open"``."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner)
        self._owner = owner
        self._actions: dict[str, QAction] = {}
        self._icons: dict[QAction, tuple[str, str]] = {}
        theme.changed.connect(self._repaint)

    def add(
        self,
        id: str,
        text: str,
        run: Callable[..., object] | None = None,
        *,
        keys: QKeySequence.StandardKey | str | Iterable[str] | None = None,
        icon: str | None = None,
        tip: str = "",
        checkable: bool = False,
        color: str = "text",
        finishes: bool = True,
    ) -> QAction:
        """Make an action; `run` is called when it is triggered (with `checked` if checkable).

        What is being typed is taken before, unless the action `finishes` nothing.
        """
        action = QAction(text, self._owner, checkable=checkable)
        action.setObjectName(id)
        self._actions[id] = action
        if isinstance(keys, QKeySequence.StandardKey):
            action.setShortcuts(QKeySequence.keyBindings(keys))
        elif isinstance(keys, str):
            action.setShortcut(QKeySequence(keys))
        elif keys is not None:
            action.setShortcuts([QKeySequence(key) for key in keys])
        self.describe(action, tip or text.replace("&", "").rstrip("…"))
        if icon is not None:
            self.set_icon(action, icon, color)
        if finishes:
            action.triggered.connect(lambda checked=False: finish_typing())
        if run is not None and checkable:
            action.triggered.connect(run)
        elif run is not None:
            action.triggered.connect(lambda checked=False: run())
        self._owner.addAction(action)
        return action

    def describe(self, action: QAction, tip: str) -> None:
        """Set what the tool tip says; the key is added to it."""
        key = key_text(action)
        action.setToolTip(plain.tip(f"{tip} ({key})" if key else tip))
        action.setStatusTip(tip)

    def set_icon(self, action: QAction, icon: str, color: str = "text") -> None:
        """Give `action` an icon that follows the theme."""
        self._icons[action] = (icon, color)
        action.setIcon(theme.icon(icon, color))

    def __getitem__(self, id: str) -> QAction:
        return self._actions[id]

    def __iter__(self) -> Iterator[QAction]:
        return iter(self._actions.values())

    def _repaint(self) -> None:
        for action, (icon, color) in self._icons.items():
            action.setIcon(theme.icon(icon, color))


@dataclass(frozen=True)
class Command:
    """One row of the command palette."""

    action: QAction
    #: Where it is found: "File", "Run" …
    place: str
    #: Whether the place is a panel, of which others have the same action.
    panel: bool = False

    @property
    def title(self) -> str:
        """The action's name without mnemonic and dots; a panel's with the panel's."""
        name = self.action.text().replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…")
        return f"{self.place}: {name[:1].lower()}{name[1:]}" if self.panel else name


def local(action: QAction, owner: QWidget, key: str) -> None:
    """Give `action` a key that works while the keyboard is anywhere in `owner`, a panel.

    The command palette finds it too (:func:`commands_of`).
    """
    action.setShortcut(QKeySequence(key))
    action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    name = action.text().rstrip("…")
    action.setToolTip(plain.tip(f"{name} ({key_text(action)})"))
    action.setProperty(_LOCAL, True)
    owner.addAction(action)


def commands_of(widget: QWidget) -> list[QAction]:
    """The actions that are :func:`local` to `widget` or to something in it."""
    parts = [widget, *widget.findChildren(QWidget)]
    return [action for part in parts for action in part.actions() if _is_local(action, part)]


def _is_local(action: QAction, owner: QWidget) -> bool:
    # A button's menu shows the same actions, and is among the widgets.
    return bool(action.property(_LOCAL)) and not isinstance(owner, QMenu)


def key_text(action: QAction) -> str:
    """The action's first key as this system writes it, or nothing."""
    return action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)


def score(pattern: str, text: str) -> float | None:
    """How well `text` fits the letters typed, or None if they do not occur in it in this order.

    Letters at the beginnings of words and letters in a row count more, long texts a little less.
    """
    pattern, lower = pattern.lower().replace(" ", ""), text.lower()
    total, place, previous = 0.0, 0, -2
    for letter in pattern:
        starts = [
            i
            for i in range(place, len(lower))
            if lower[i] == letter and (i == 0 or not lower[i - 1].isalnum() or i == previous + 1)
        ]
        found = starts[0] if starts else lower.find(letter, place)
        if found < 0:
            return None
        total += 3.0 if starts else 1.0
        total += 2.0 if found == previous + 1 else 0.0
        previous, place = found, found + 1
    return total - len(text) / 100


def rating(pattern: str, command: Command) -> float | None:
    """How well a command fits: by its name, else by its name and the menu where it is found."""
    by_name = score(pattern, command.title)
    if by_name is not None:
        return by_name
    by_place = score(pattern, f"{command.place} {command.title}")
    return None if by_place is None else by_place - 100


class _WithKey(QStyledItemDelegate):
    """A row with the command's key at its right end."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        area: QRect = option.rect.adjusted(0, 0, -3 * SPACE, 0)  # type: ignore[attr-defined]
        painter.setPen(theme.color("muted"))
        painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, index.data(_KEY))


class CommandPalette(QDialog):
    """Type a few letters of what you want, press Enter."""

    def __init__(self, commands: Iterable[Command], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setObjectName("command-palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName("Commands")
        self._commands = [c for c in commands if c.action.isEnabled() and c.title]
        self.line = QLineEdit(placeholderText="Type a command…", clearButtonEnabled=True)
        self.line.setAccessibleName("Command")
        self.line.textChanged.connect(self._fill)
        self.line.installEventFilter(self)
        self.model = QStandardItemModel(0, 2, self)
        self.list = QListView(uniformItemSizes=True)
        self.list.setAccessibleName("Matching commands")
        self.list.setModel(self.model)
        self.list.setItemDelegate(_WithKey(self.list))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setIconSize(QSize(16, 16))
        self.list.clicked.connect(self._run)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        column.addWidget(self.line)
        column.addWidget(self.list)
        self.resize(520, 420)
        corner = parent.mapToGlobal(QPoint((parent.width() - self.width()) // 2, parent.height() // 7))
        self.move(corner)
        self._fill("")

    def showEvent(self, event: QEvent) -> None:
        """Begin in the line."""
        super().showEvent(event)  # type: ignore[arg-type]
        self.line.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let arrows and Enter in the line work on the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key, row = event.key(), self.list.currentIndex().row()
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentIndex())
                return True
            steps = {
                Qt.Key.Key_Up: -1,
                Qt.Key.Key_Down: 1,
                Qt.Key.Key_PageUp: -ROWS,
                Qt.Key.Key_PageDown: ROWS,
            }
            step = steps.get(Qt.Key(key))
            if step is not None:
                row = min(max(row + step, 0), self.model.rowCount() - 1)
                self.list.setCurrentIndex(self.model.index(row, 0))
                return True
        return super().eventFilter(watched, event)

    def _fill(self, pattern: str) -> None:
        self.model.removeRows(0, self.model.rowCount())
        scored = [(rating(pattern, c), c) for c in self._commands]
        fitting = [(s, c) for s, c in scored if s is not None]
        for _, command in sorted(fitting, key=lambda pair: -pair[0]) if pattern else fitting:
            key = key_text(command.action)
            icon = command.action.icon()
            item = QStandardItem(
                theme.icon("mdi6.circle-small", "muted") if icon.isNull() else icon, command.title
            )
            item.setData(command.action, _ACTION)
            item.setData(key, _KEY)
            item.setToolTip(f"{command.place} › {command.title}")
            self.model.appendRow(item)
        self.list.setCurrentIndex(self.model.index(0, 0))

    def _run(self, index: QModelIndex) -> None:
        action = index.data(_ACTION)
        self.close()
        if isinstance(action, QAction):
            action.trigger()
