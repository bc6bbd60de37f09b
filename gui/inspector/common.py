"""Small pieces that several parts of the inspector use."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gui.forms import Chooser, set_state, show_if
from gui.theme import SPACE

#: More names than these go into a list instead of a row of buttons.
_MOST_SEGMENTS = 3


def text_label(text: str = "", role: str = "") -> QLabel:
    """A wrapping label that shows its text as it is, and lets it be copied."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    # A long word must not widen the panel. (Before the wrapping, which adds to the policy.)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if role:
        set_state(label, "role", role)
    return label


def clear(layout: QVBoxLayout | QFormLayout) -> None:
    """Take everything out of `layout`."""
    while layout.count():
        item = layout.takeAt(0)
        widget = item.widget() if item is not None else None
        if widget is not None:
            widget.hide()
            widget.deleteLater()


class Figures(QWidget):
    """Names on the left, values on the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = QVBoxLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setSpacing(SPACE // 2)
        #: As many as were ever shown at once: to make one takes longer than to write in it.
        self._rows: list[_Figure] = []
        self._shown = 0

    def show_figures(self, figures: Sequence[tuple[str, str, str]]) -> None:
        """Show ``(name, value, tooltip)`` in this order."""
        self._shown = len(figures)
        while len(self._rows) < len(figures):
            row = _Figure()
            self._rows.append(row)
            self._form.addWidget(row)
        for place, row in enumerate(self._rows):
            if place < len(figures):
                row.show_figure(*figures[place])
            show_if(row, place < len(figures))

    def blank(self) -> None:
        """Keep the names alone, until the values are known."""
        self.show_figures([(row.key.text(), "–", "") for row in self._rows[: self._shown]])

    def values(self) -> dict[str, str]:
        """What is shown."""
        return {row.key.text(): row.value.text() for row in self._rows[: self._shown]}


class _Figure(QWidget):
    """One name and its value."""

    def __init__(self) -> None:
        super().__init__()
        self.key = QLabel()
        self.key.setTextFormat(Qt.TextFormat.PlainText)
        set_state(self.key, "role", "muted")
        self.value = text_label()
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addWidget(self.key)
        layout.addWidget(self.value, 1)

    def show_figure(self, name: str, value: str, tip: str) -> None:
        self.key.setText(name)
        self.value.setText(value)
        self.value.setAccessibleName(f"{name}: {value}")
        self.setToolTip(tip)


class Segments(QWidget):
    """One name out of a few, as joined buttons; as a list where there are many."""

    changed = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._names: tuple[str, ...] = ()
        self.current = ""
        self._group: QButtonGroup | None = None
        self._list: Chooser | None = None
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)

    def set_names(self, names: Sequence[str]) -> None:
        """Offer these; the one chosen stays chosen if it is among them."""
        if tuple(names) == self._names:
            return
        self._names = tuple(names)
        if self.current not in names:
            self.current = names[0] if names else ""
        clear(self._rows)
        self._group = self._list = None
        if len(names) > _MOST_SEGMENTS:
            self._list = Chooser()
            self._list.setAccessibleName(self._name)
            self._list.addItems(list(names))
            self._list.setCurrentText(self.current)
            self._list.textActivated.connect(self.choose)
            self._rows.addWidget(self._list)
        elif len(names) > 1:
            self._rows.addWidget(self._buttons())
        show_if(self, len(names) > 1)

    def _buttons(self) -> QWidget:
        bar = QWidget()
        layout = QHBoxLayout(bar)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        self._group = QButtonGroup(bar)
        for name in self._names:
            button = QToolButton()
            button.setText(name)
            button.setCheckable(True)
            button.setChecked(name == self.current)
            button.setAccessibleName(f"{self._name} {name}")
            set_state(button, "role", "segment")
            button.clicked.connect(lambda _=False, name=name: self.choose(name))
            self._group.addButton(button)
            layout.addWidget(button)
        layout.addStretch(1)
        return bar

    def sizeHint(self) -> QSize:
        """What the buttons need."""
        return self.layout().sizeHint()  # type: ignore[union-attr]

    def choose(self, name: str) -> None:
        """Choose one of those that are offered."""
        if name != self.current:
            self.current = name
            self.changed.emit(name)
