"""One editor for each kind of field, made from the field's declaration alone."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QKeyEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QWidget,
)

from engine.catalog.fields import Bool, Field, Option, Path, Text
from gui.choosing import ask_folder, ask_open
from gui.forms.controls import Chooser, Switch, set_state, show_if
from gui.forms.parse import from_text, to_text
from gui.forms.scrub import can_scrub, gesture, step_text
from gui.line import Line
from gui.theme import SPACE, theme


class Editor(QWidget):
    """Shows one value and hands on what the user makes of it.

    It changes nothing by itself: the owner puts the value into the document and calls
    :meth:`show_value` with what the document then holds.
    """

    #: (JSON value, merge key or ""): steps with the same key are one gesture.
    committed = Signal(object, str)
    #: The gesture is over; the next one is an undo step of its own.
    ended = Signal()
    #: The gesture is taken back, which its owner alone can: values that differed do so again.
    cancelled = Signal()
    #: :attr:`trouble` or :attr:`draft` changed.
    draft_changed = Signal()

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self.value: Any = None
        #: Whether several owners differ in it.
        self.mixed = False
        #: Text that says no value, kept as typed; None where there is none.
        self.draft: str | None = None
        #: What is wrong with the draft, for the user.
        self.trouble = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_value(self, value: Any, mixed: bool = False) -> None:
        """Show the document's `value`; `mixed`: several nodes differ in it."""
        raise NotImplementedError

    def set_severity(self, severity: str) -> None:
        """Mark the value as "error", "warning" or "" (right)."""
        raise NotImplementedError

    def restore_draft(self, text: str) -> None:
        """Show text again that the user left unfinished."""

    def discard(self) -> None:
        """Drop the draft and show the document's value."""


def _row(owner: QWidget, *widgets: QWidget) -> None:
    layout = QHBoxLayout(owner)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(SPACE)
    for widget in widgets:
        layout.addWidget(widget)
    owner.setFocusProxy(widgets[0])


class _Line(Line):
    """The line of a :class:`LineEditor`, which hears of keys and of the width first."""

    def __init__(self, editor: LineEditor) -> None:
        super().__init__()
        self._editor = editor

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ask the editor, then write."""
        if not self._editor.key(event):
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """While it has the focus, the wheel turns the number under the pointer; else the panel scrolls."""
        at = self.cursorPositionAt(event.position().toPoint())
        steps = round(event.angleDelta().y() / 120)
        if not (self.hasFocus() and steps and self._editor.turn(at, steps)):
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the unit at the end."""
        super().resizeEvent(event)
        self._editor.place_unit()


class LineEditor(Editor):
    """Numbers, lists of numbers and text, in one line.

    Enter and Tab commit, Esc goes back, arrows step the number at the cursor.
    """

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self.line = _Line(self)
        self.line.setMaxLength(4096 if isinstance(field, Text) else 400)
        self.line.setMinimumWidth(10 * SPACE)
        if field.optional:
            self.line.setPlaceholderText("none")
        _row(self, self.line)
        self.unit = QLabel(field.unit, self.line)
        self.unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        set_state(self.unit, "role", "muted")
        self._stepping = ""
        self.line.editingFinished.connect(self._finish)
        self.line.textEdited.connect(self._typed)
        words = getattr(field, "words", ())
        if words:
            self._words = QAction(self)
            self._words.setToolTip("Choose " + " or ".join(words))
            self._words.triggered.connect(self._choose_word)
            self.line.addAction(self._words, QLineEdit.ActionPosition.TrailingPosition)
            self._dress()
            theme.changed.connect(self._dress)

    def show_value(self, value: Any, mixed: bool = False) -> None:
        """Show `value`, unless it is what is shown: then an unfinished text stays."""
        same = type(value) is type(self.value) and value == self.value and mixed == self.mixed
        self.value, self.mixed = value, mixed
        if same and (self.draft is not None or self.line.isModified()):
            return
        self._show()

    def restore_draft(self, text: str) -> None:
        """Show text again that says no value."""
        self.line.setText(text)
        self.line.setModified(True)
        self._take()

    def discard(self) -> None:
        """Drop what was typed and show the document's value."""
        self._show()

    def set_severity(self, severity: str) -> None:
        """Mark the line's border."""
        set_state(self.line, "invalid", "true" if severity == "error" else "false")
        set_state(self.line, "severity", severity)

    def place_unit(self) -> None:
        """Put the unit at the right end of the line, while there is room for the number beside it."""
        size = self.unit.sizeHint()
        words = 6 * SPACE if getattr(self.field, "words", ()) else 0
        room = self.line.width() - words - 12 * SPACE
        shown = bool(self.field.unit) and room >= size.width()
        show_if(self.unit, shown)
        if shown:
            left = self.line.width() - words - size.width() - 2 * SPACE
            self.unit.setGeometry(left, 0, size.width(), self.line.height())
        self.line.setTextMargins(0, 0, size.width() + SPACE if shown else 0, 0)

    def _show(self) -> None:
        self.line.setText("" if self.mixed else to_text(self.field, self.value))
        self.line.setCursorPosition(0)
        self.line.setModified(False)
        if self.mixed:
            self.line.setPlaceholderText("mixed")
        elif self.field.optional:
            self.line.setPlaceholderText("none")
        self._set_draft(None, "")

    def _set_draft(self, draft: str | None, trouble: str) -> None:
        if (draft, trouble) != (self.draft, self.trouble):
            self.draft, self.trouble = draft, trouble
            self.draft_changed.emit()

    def _typed(self, text: str) -> None:
        """While a wrong text is being mended, say at once when it is right."""
        if self.draft is None:
            return
        try:
            from_text(self.field, text)
            self._set_draft(text, "")
        except ValueError as wrong:
            self._set_draft(text, str(wrong))

    def _finish(self) -> None:
        if self.line.isModified():
            self._take()
        if self._stepping:
            self._stepping = ""
            self.ended.emit()

    def _take(self) -> None:
        text = self.line.text()
        if self.mixed and not text:
            self._show()
            return
        try:
            value = from_text(self.field, text)
        except ValueError as wrong:
            self._set_draft(text, str(wrong))
            return
        self.line.setModified(False)
        self.draft = None
        self.committed.emit(value, "")
        if self.draft is None:
            self._show()

    def refuse(self, text: str, message: str) -> None:
        """Keep `text`, a value that the document cannot hold, and say why."""
        self.line.setText(text)
        self.line.setModified(True)
        self._set_draft(text, message)

    def key(self, event: QKeyEvent) -> bool:
        """Esc goes back to the document's value; arrows step. True if the key was one of these."""
        if event.key() == Qt.Key.Key_Escape and (self.line.isModified() or self.draft is not None):
            self._show()
            self.line.selectAll()
            return True
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and can_scrub(self.field):
            size = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            self._step(size if event.key() == Qt.Key.Key_Up else -size)
            return True
        return False

    def turn(self, cursor: int, steps: int) -> bool:
        """Step the number at `cursor`; whether there is one."""
        if not can_scrub(self.field):
            return False
        self.line.setCursorPosition(cursor)
        return self._step(steps)

    def _step(self, steps: int) -> bool:
        result = step_text(self.field, self.line.text(), self.line.cursorPosition(), steps)
        if result is None:
            return False
        value, cursor = result
        self._stepping = self._stepping or gesture("step")
        self.line.setModified(False)
        self._set_draft(None, "")
        self.committed.emit(value, self._stepping)
        self.line.setCursorPosition(cursor)
        return True

    def _dress(self) -> None:
        self._words.setIcon(theme.icon("mdi6.chevron-down", "muted"))

    def _choose_word(self) -> None:
        menu = QMenu(self)
        for word in getattr(self.field, "words", ()):
            action = menu.addAction(word)
            action.setCheckable(True)
            action.setChecked(self.value == word)
            action.triggered.connect(lambda _, word=word: self.committed.emit(word, ""))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.line.mapToGlobal(QPoint(0, self.line.height())))


class PathEditor(LineEditor):
    """A path as text, and a button that browses for it."""

    def __init__(self, field: Path, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._browse = QAction("Browse…", self)
        self._browse.triggered.connect(self.browse)
        self.line.addAction(self._browse, QLineEdit.ActionPosition.TrailingPosition)
        self._dress_browse()
        theme.changed.connect(self._dress_browse)

    def _dress_browse(self) -> None:
        self._browse.setIcon(theme.icon("mdi6.folder-open-outline", "muted"))

    def browse(self) -> None:
        """Let the user pick a file or folder."""
        at = self.value if isinstance(self.value, str) else ""
        folder = isinstance(self.field, Path) and self.field.folder
        title = f"Choose {self.field.name}"
        picked = ask_folder(self, title, at) if folder else ask_open(self, title, at=at)
        if picked is not None:
            self.committed.emit(str(picked), "")


class BoolEditor(Editor):
    """A switch; its middle place is null where null is a value."""

    def __init__(self, field: Bool, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self.switch = Switch()
        self.switch.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.switch.clicked.connect(self._clicked)
        _row(self, self.switch)
        layout = self.layout()
        assert isinstance(layout, QHBoxLayout)
        layout.addStretch(1)

    def show_value(self, value: Any, mixed: bool = False) -> None:
        """Show true, false, or neither."""
        self.value, self.mixed = value, mixed
        known = isinstance(value, bool) and not mixed
        self.switch.setTristate(not known or self.field.optional)
        state = Qt.CheckState.Checked if value is True else Qt.CheckState.Unchecked
        self.switch.setCheckState(state if known else Qt.CheckState.PartiallyChecked)

    def set_severity(self, severity: str) -> None:
        """The message below says it; a switch has no border."""

    def _clicked(self) -> None:
        state = self.switch.checkState()
        if self.field.optional and state == Qt.CheckState.PartiallyChecked:
            self.committed.emit(None, "")
        else:
            self.committed.emit(state != Qt.CheckState.Unchecked, "")


class OptionEditor(Editor):
    """One word out of a few; a word that is none of them is kept and shown."""

    def __init__(self, field: Option, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self.box = Chooser()
        self.box.activated.connect(lambda index: self.committed.emit(self.box.itemData(index), ""))
        _row(self, self.box)

    def show_value(self, value: Any, mixed: bool = False) -> None:
        """Choose `value`'s row, adding one for a value that the field does not have."""
        assert isinstance(self.field, Option)
        self.value, self.mixed = value, mixed
        choices: list[Any] = [*([None] if self.field.optional else []), *self.field.options]
        if not mixed and value not in choices:
            choices.append(value)
        if [self.box.itemData(i) for i in range(self.box.count())] != choices:
            self.box.clear()
            for choice in choices:
                text = (
                    "none"
                    if choice is None
                    else choice
                    if isinstance(choice, str)
                    else to_text(self.field, choice)
                )
                self.box.addItem(text, choice)
        self.box.setPlaceholderText("mixed" if mixed else "")
        self.box.setCurrentIndex(-1 if mixed else choices.index(value))

    def set_severity(self, severity: str) -> None:
        """Mark the list's border."""
        set_state(self.box, "invalid", "true" if severity == "error" else "false")


def editor_for(field: Field, parent: QWidget | None = None) -> Editor:
    """The editor of a field's kind."""
    if isinstance(field, Bool):
        return BoolEditor(field, parent)
    if isinstance(field, Option):
        return OptionEditor(field, parent)
    if isinstance(field, Path):
        return PathEditor(field, parent)
    return LineEditor(field, parent)
