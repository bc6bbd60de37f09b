"""A form: one row per field, made from the declarations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QEnterEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from engine import expression
from engine.catalog.fields import Bool, Field
from engine.problems import did_you_mean
from gui.forms import folding
from gui.forms.controls import set_state, show_if
from gui.forms.editors import Editor, LineEditor, editor_for
from gui.forms.label import ScrubLabel
from gui.forms.leading import lead_to
from gui.forms.parse import to_text
from gui.plain import tip
from gui.theme import SPACE, theme
from gui.unfinished import Draft, Drafts, typing

#: Width of the column that holds the reset buttons.
_RESET = 5 * SPACE
#: Resets the field that is being edited; the buttons are passed over by Tab, which goes from field to field.
RESET_KEY = "Ctrl+R"


class Form(QWidget):
    """Editors for `fields`, and for whatever else the values hold.

    It owns no value: it shows what :meth:`set_values` says and tells what the user wants through
    :attr:`edited` and :attr:`reset`.

    Parameters
    ----------
    strict
        Only values that pass the field's check are handed on; others stay in the editor, marked.
        For places of the document that can hold nothing else.
    drafts
        Where unfinished texts are kept while the form is away, by field name.
    key
        By this it is remembered whether the user unfolded the fields that are rarely needed. What unfolds by
        itself, because one of them says something, folds again with the next owner.
    """

    #: (field name, JSON value, merge key or "").
    edited = Signal(str, object, str)
    #: (field name): back to the default.
    reset = Signal(str)
    #: The gesture is over.
    ended = Signal()
    #: The gesture is taken back.
    cancelled = Signal()
    #: (field name, or ""): what the pointer or the keyboard came to last.
    pointed = Signal(str)

    def __init__(
        self,
        fields: Sequence[Field],
        parent: QWidget | None = None,
        *,
        strict: bool = False,
        drafts: Drafts | None = None,
        key: str = "",
    ) -> None:
        super().__init__(parent)
        self.fields = {field.name: field for field in fields}
        self._strict = strict
        self.drafts: Drafts = {} if drafts is None else drafts
        self._rows: dict[str, Row] = {}
        self._strangers: dict[str, _Stranger] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        for field in fields:
            if not field.advanced:
                self._add(field)
        advanced = [field for field in fields if field.advanced]
        self._more = _More(len(advanced))
        show_if(self._more, bool(advanced))
        self._more.toggled.connect(self._fold)
        self._more.clicked.connect(self._fold_by_hand)
        self._key = key and f"more/{key}"
        #: Whether the user wants to see the fields that are rarely needed.
        self._wanted = bool(key) and folding.recall(self._key, False)
        #: Which of them were the reason to unfold: those whose value, and those whose mark, says something.
        self._saying: dict[str, frozenset[str]] = {}
        #: It speaks of another owner, whose values are still to come.
        self._turned = True
        layout.addWidget(self._more)
        for field in advanced:
            self._add(field)
        self._fold(False)

    def _add(self, field: Field) -> None:
        row = Row(field)
        row.editor.committed.connect(lambda value, merge, name=field.name: self._commit(name, value, merge))
        row.editor.ended.connect(self.ended)
        row.editor.cancelled.connect(self.cancelled)
        row.editor.draft_changed.connect(lambda name=field.name: self._keep_draft(name))
        row.reset.clicked.connect(lambda _=False, name=field.name: self._reset(name))
        row.pointed.connect(self.pointed)
        self._rows[field.name] = row
        self.layout().addWidget(row)  # type: ignore[union-attr]

    def editor(self, name: str) -> Editor:
        """The editor of one field."""
        return self._rows[name].editor

    def row(self, name: str) -> Row:
        """The row of one field: label, editor, reset button, message."""
        return self._rows[name]

    def set_drafts(self, drafts: Drafts) -> None:
        """Speak of another owner, whose unfinished texts are kept in `drafts`."""
        kept = dict(drafts)
        self.drafts = drafts
        for row in self._rows.values():
            row.label.let_go()
            row.editor.discard()
        drafts.update(kept)
        self._saying.clear()
        self._turned = True

    def restore(self, name: str, draft: Draft) -> None:
        """Put an unfinished text into a field again."""
        self.drafts[name] = draft
        self._rows[name].editor.restore_draft(draft.text)
        self._unfold_speaking()

    def set_values(self, values: Mapping[str, Any], mixed: Collection[str] = ()) -> None:
        """Show these; what is absent is at its default. `mixed`: fields in which several nodes differ."""
        for name, row in self._rows.items():
            row.show_values(values, name in mixed)
            draft = self.drafts.get(name)
            if draft is not None and row.editor.draft is None:
                row.editor.restore_draft(draft.text)
        self._unfold_speaking()
        self._show_strangers({name: value for name, value in values.items() if name not in self.fields})

    def set_marks(self, marks: Mapping[str, tuple[str, str]]) -> None:
        """Mark fields with what the analysis found: name -> (severity, message)."""
        for name, row in self._rows.items():
            row.set_mark(*marks.get(name, ("", "")))
        self._unfold("marks", marks)

    @property
    def focused(self) -> str:
        """The field that has the keyboard; "": none has."""
        rows = self._rows.items()
        return next((name for name, row in rows if (row.editor.focusProxy() or row.editor).hasFocus()), "")

    def focus_first(self) -> bool:
        """Put the keyboard into the first editor; False if there is none."""
        for row in self._rows.values():
            editor = row.editor
            if isinstance(editor, LineEditor):
                editor.line.selectAll()
            editor.setFocus(Qt.FocusReason.ShortcutFocusReason)
            return True
        return False

    def reveal(self, name: str) -> None:
        """Put the keyboard into the editor of one field, unfolding it where it is folded away."""
        row = self._rows[name]
        if row.field.advanced:
            self._more.setChecked(True)
        lead_to(row.editor)

    def _commit(self, name: str, value: Any, merge: str) -> None:
        row = self._rows[name]
        wrong = row.field.check(value) if self._strict else None
        if wrong is None:
            if self.drafts.pop(name, None) is not None:
                typing.changed.emit()
            self.edited.emit(name, value, merge)
        elif isinstance(row.editor, LineEditor):
            row.editor.refuse(row.editor.line.text(), wrong)

    def _reset(self, name: str) -> None:
        self._rows[name].editor.discard()
        self.reset.emit(name)

    def _keep_draft(self, name: str) -> None:
        editor = self._rows[name].editor
        if editor.draft is None:
            self.drafts.pop(name, None)
        else:
            self.drafts[name] = Draft(editor.draft, editor.trouble)
        typing.changed.emit()

    def _unfold_speaking(self) -> None:
        self._unfold("values", (name for name, row in self._rows.items() if row.speaks))

    def _unfold(self, why: str, names: Iterable[str]) -> None:
        """Unfold where a rarely needed field says what it did not; what was folded since stays so."""
        saying = frozenset(name for name in names if name in self.fields and self.fields[name].advanced)
        news, self._saying[why] = saying - self._saying.get(why, frozenset()), saying
        if self._turned:
            self._turned = False
            self._wanted = folding.recall(self._key, False) if self._key else self._wanted
            self._more.setChecked(bool(news) or self._wanted)
        elif news:
            self._more.setChecked(True)

    def _fold_by_hand(self, open: bool) -> None:
        self._wanted = open
        if self._key:
            folding.remember(self._key, open)

    def _fold(self, open: bool) -> None:
        for row in self._rows.values():
            if row.field.advanced:
                show_if(row, open)

    def _show_strangers(self, strangers: Mapping[str, Any]) -> None:
        for name in [name for name in self._strangers if name not in strangers]:
            gone = self._strangers.pop(name)
            gone.hide()
            gone.deleteLater()
        for name, value in strangers.items():
            if name not in self._strangers:
                stranger = self._strangers[name] = _Stranger(name, self.fields)
                stranger.remove.clicked.connect(lambda _=False, name=name: self.reset.emit(name))
                self.layout().addWidget(stranger)  # type: ignore[union-attr]
            self._strangers[name].show_value(value)


class Row(QWidget):
    """Name, editor, unit, reset button; below them what is wrong."""

    #: The field's name when pointer or keyboard come to it; "" when they leave.
    pointed = Signal(str)

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        #: Whether the value is another than the default.
        self.changed = False
        self._mark = ("", "")
        self._own = ""
        self._computed = ""
        self.editor = editor_for(field)
        self.label = ScrubLabel(self.editor)
        self.reset = QToolButton()
        self.reset.setFixedSize(_RESET, _RESET)
        self.reset.setAutoRaise(True)
        self.reset.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        set_state(self.reset, "compact", True)
        key = QShortcut(QKeySequence(RESET_KEY), self)
        key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        key.activated.connect(self.reset.click)
        self.message = QLabel()
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.message.setWordWrap(True)
        show_if(self.message, False)
        self.editor.draft_changed.connect(self._judge)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE)
        grid.setVerticalSpacing(SPACE // 2)
        grid.setColumnStretch(0, 5)
        grid.setColumnStretch(2, 6)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.reset, 0, 1)
        grid.addWidget(self.editor, 0, 2)
        grid.addWidget(self.message, 1, 0, 1, 3)
        # The button's place stays taken, so that nothing jumps when it comes.
        policy = self.reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(policy)
        show_if(self.reset, False)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self._describe()
        self._dress()
        theme.changed.connect(self._dress)

    @property
    def speaks(self) -> bool:
        """Whether it has another value than the default, or an unfinished text."""
        return self.changed or self.editor.draft is not None

    def _describe(self) -> None:
        field = self.field
        text = "\n".join(sentences(field))
        for widget in (self.label, self.editor):
            widget.setToolTip(text)
        target = self.editor.focusProxy() or self.editor
        target.installEventFilter(self)
        target.setAccessibleName(field.name)
        target.setAccessibleDescription(text)
        back = field.initial if field.required else field.default
        self.reset.setToolTip(tip(f"Back to {to_text(field, back) or 'none'} ({RESET_KEY})"))
        self.reset.setAccessibleName(f"Reset {field.name}")

    def enterEvent(self, event: QEnterEvent) -> None:
        """The pointer has come."""
        super().enterEvent(event)
        self.pointed.emit(self.field.name)

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer has gone."""
        super().leaveEvent(event)
        self.pointed.emit("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The keyboard has come, or gone."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.pointed.emit(self.field.name if event.type() == QEvent.Type.FocusIn else "")
        return False

    def _dress(self) -> None:
        self.reset.setIcon(theme.icon("mdi6.restore", "muted"))

    def show_values(self, values: Mapping[str, Any], mixed: bool) -> None:
        """Show this field's value out of all of them."""
        field = self.field
        back = field.initial if field.required else field.default
        value = values.get(field.name, None if field.required else field.default)
        if isinstance(value, tuple):
            value = list(value)
        missing = field.required and field.name not in values and not mixed
        # What an expression gives, the analysis judges, use by use.
        computed = expression.is_expression(value)
        right = mixed or computed
        self._own = "" if right else f"is missing: {field.expected}." if missing else field.check(value) or ""
        wrong = bool(self._own)
        self.changed = right or wrong or field.canonical(value) != field.canonical(back)
        # A switch can show neither an expression nor, beside "none", that several differ.
        switch = isinstance(field, Bool)
        self._computed = "mixed" if mixed and switch else to_text(field, value) if computed and switch else ""
        self.editor.show_value(value, mixed)
        self._judge()

    def set_mark(self, severity: str, message: str) -> None:
        """Show what the analysis found at this field."""
        self._mark = (severity, message)
        self._judge()

    def _judge(self) -> None:
        severity, found = self._mark
        drafting = self.editor.draft is not None
        message = self.editor.trouble if drafting else self._own or found or self._computed
        severity = "error" if message and (drafting or self._own) else severity
        show_if(self.reset, self.changed or drafting)
        self.editor.set_severity(severity if message else "")
        self.message.setText(message)
        show_if(self.message, bool(message))
        set_state(self.message, "role", severity if severity in ("error", "warning") else "muted")


def sentences(field: Field) -> list[str]:
    """What a field is for, what it may be, and what it is by default."""
    said = [field.doc.replace("`", ""), field.expected[:1].upper() + field.expected[1:] + "."]
    if not field.required:
        said.append(f"Default: {to_text(field, field.default) or 'none'}.")
    return said


class _More(QToolButton):
    """Folds the rarely needed fields away."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        set_state(self, "compact", True)
        self.toggled.connect(self._dress)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        open = self.isChecked()
        self.setText("Fewer fields" if open else f"{self._count} more")
        self.setAccessibleName("Fewer fields" if open else f"{self._count} more fields")
        self.setIcon(theme.icon("mdi6.chevron-down" if open else "mdi6.chevron-right", "muted"))


class _Stranger(QWidget):
    """A value for which there is no field; it is kept until the user takes it away."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        super().__init__()
        self._name, self._hint = name, did_you_mean(name, known)
        self._text = QLabel()
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        set_state(self._text, "role", "warning")
        self.remove = QToolButton()
        self.remove.setAutoRaise(True)
        self.remove.setFixedSize(_RESET, _RESET)
        set_state(self.remove, "compact", True)
        self.remove.setToolTip(tip(f"Remove {name}"))
        self.remove.setAccessibleName(f"Remove {name}")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACE)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self._text, 0, 0)
        grid.addWidget(self.remove, 0, 1)
        theme.changed.connect(self._dress)
        self._dress()

    def _dress(self) -> None:
        self.remove.setIcon(theme.icon("mdi6.close", "muted"))

    def show_value(self, value: Any) -> None:
        """Show it as JSON."""
        shown = msgspec.json.encode(value).decode()
        shown = shown if len(shown) <= 60 else shown[:57] + "…"
        self._text.setText(f"{self._name} = {shown} is no field here.{self._hint}")
