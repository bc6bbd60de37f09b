"""A panel's row of controls, which goes on in a second line where the panel is narrow."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLabel, QLayout, QLayoutItem, QSizePolicy, QSlider, QSpacerItem, QWidget

from gui.theme import SPACE


class Bar(QLayout):
    """Controls one behind another, as wide as they want to be; a spacer sends what follows to the right.

    A dock can thus be as narrow as its widest control, and nothing is cut off or laid over its neighbour.
    """

    def __init__(self, *parts: QWidget | None) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        self.setSpacing(2 * SPACE)
        for part in parts:
            if part is None:
                self.addItem(QSpacerItem(0, 0, QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum))
            else:
                self.addWidget(part)

    def addItem(self, item: QLayoutItem) -> None:
        """Put an item at the end."""
        self._items.append(item)

    def count(self) -> int:
        """Items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        """An item by its place."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        """Take an item out."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Along the row."""
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        """The narrower, the more lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height of all lines."""
        margins = self.contentsMargins()
        lines = self._lines(width - margins.left() - margins.right())
        high = sum(_height(line) for line in lines) + self.spacing() // 2 * max(0, len(lines) - 1)
        return high + margins.top() + margins.bottom()

    def sizeHint(self) -> QSize:
        """All in one line."""
        shown = self._shown()
        wide = sum(item.sizeHint().width() for item in shown) + self.spacing() * max(0, len(shown) - 1)
        return self._around(QSize(wide, _height(shown)))

    def minimumSize(self) -> QSize:
        """Room for the widest control; words may be cut."""
        shown = self._shown()
        controls = [item for item in shown if not isinstance(item.widget(), QLabel)]
        widest = max((item.minimumSize().width() for item in controls), default=0)
        return self._around(QSize(widest, _height(shown)))

    def setGeometry(self, rect: QRect) -> None:
        """Lay the lines out."""
        super().setGeometry(rect)
        area = rect.marginsRemoved(self.contentsMargins())
        top = area.top()
        for line in self._lines(area.width()):
            high, left = _height(line), area.left()
            widths = self._shared(line, area.width())
            taken = sum(widths) + self.spacing() * max(0, len(_controls(line)) - 1)
            free, given = max(0, area.width() - taken), iter(widths)
            for item in line:
                if item.spacerItem() is not None:
                    left, free = left + free, 0
                    continue
                wide, tall = next(given), min(item.sizeHint().height(), high)
                item.setGeometry(QRect(left, top + (high - tall) // 2, wide, tall))
                left += wide + self.spacing()
            top += high + self.spacing() // 2

    def _shared(self, line: list[QLayoutItem], room: int) -> list[int]:
        """Widths of a line's controls: what they need, and as far as there is room what they want."""
        free, widths = room - self._width(line), []
        for item in _controls(line):
            least, hint = _least(item), item.sizeHint().width()
            wide = min(max(least, min(hint, item.maximumSize().width())), least + max(0, free))
            if isinstance(item.widget(), QLabel) and least < hint and wide < hint:
                wide = 0  # half a word says nothing
            free -= wide - least
            widths.append(min(wide, room))
        return widths

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if item.spacerItem() is None and not item.isEmpty()]

    def _around(self, size: QSize) -> QSize:
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _width(self, line: list[QLayoutItem]) -> int:
        controls = _controls(line)
        wide = sum(_least(item) for item in controls)
        return wide + self.spacing() * max(0, len(controls) - 1)

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = [[]]
        for item in self._items:
            spacer = item.spacerItem() is not None
            if item.isEmpty() and not spacer:
                continue
            if not spacer and lines[-1] and self._width([*lines[-1], item]) > width:
                lines.append([])
            lines[-1].append(item)
        return lines


def _controls(line: list[QLayoutItem]) -> list[QLayoutItem]:
    return [item for item in line if item.spacerItem() is None]


def _least(item: QLayoutItem) -> int:
    """The width without which an item goes into the next line: all of it for words that must not be cut."""
    widget = item.widget()
    if isinstance(widget, QLabel):
        return widget.minimumWidth() or item.sizeHint().width()
    return item.minimumSize().width() if isinstance(widget, QSlider) else item.sizeHint().width()


def _height(line: list[QLayoutItem]) -> int:
    return max((item.sizeHint().height() for item in _controls(line)), default=0)
