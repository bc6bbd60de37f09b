"""Choosing one entry of the catalogue, and its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine.catalog import Entry
from engine.catalog.fields import Field
from engine.network import Choice
from gui.forms.controls import Chooser, set_state, show_if
from gui.forms.form import Form
from gui.links import SourceLabel, cited
from gui.theme import SPACE
from gui.unfinished import Drafts


def with_field(entry: Entry | None, values: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """`values` with one set; a value that is the default is left out, as the file does it."""
    if entry is not None:
        for field in entry.fields:
            if field.name == name and not field.required and field.check(value) is None:
                default = field.default
                same = field.canonical(value) == field.canonical(default) and (value is None) == (
                    default is None
                )
                if same:
                    return without_field(entry, values, name)
    return {**values, name: value}


def without_field(entry: Entry | None, values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`values` with one back at its default: left out, or at its start value if a file must say it."""
    start = entry.start() if entry is not None else {}
    if name in start:
        return {**values, name: start[name]}
    return {key: value for key, value in values.items() if key != name}


def differ(field: Field, values: Sequence[Mapping[str, Any]]) -> bool:
    """Whether not all have the same there. Most often they do to the letter, however many they are."""
    first = repr(values[0].get(field.name, _ABSENT))
    effective = _effective(field, values[0])
    return any(
        repr(other.get(field.name, _ABSENT)) != first and _effective(field, other) != effective
        for other in values
    )


_ABSENT = object()


def _effective(field: Field, values: Mapping[str, Any]) -> object:
    value = values.get(field.name, None if field.required else field.default)
    return field.canonical(value) if field.check(value) is None else ("wrong", repr(value))


#: What an edit makes of a choice; each of several owners has its own.
Change = Callable[[Choice | None], Choice | None]


class ChoiceEditor(QWidget):
    """A drop-down list of entries and the form of the chosen one.

    Parameters
    ----------
    entries
        What may be chosen, by id.
    none
        The text of the row that chooses nothing; None: something must be chosen.
    """

    #: (:data:`Change`, merge key or "").
    chosen = Signal(object, str)
    #: The gesture is over.
    ended = Signal()
    #: The gesture is taken back.
    cancelled = Signal()

    def __init__(
        self,
        entries: Mapping[str, Entry],
        name: str,
        parent: QWidget | None = None,
        *,
        none: str | None = None,
        drafts: Drafts | None = None,
    ) -> None:
        super().__init__(parent)
        self._entries = entries
        self._none = none
        self.drafts: Drafts = {} if drafts is None else drafts
        #: Whether they are another owner's than those of the form that is shown.
        self._turned = True
        self._choice: Choice | None = None
        #: Whether several owners have chosen different entries, and in which fields of one they differ.
        self._mixed, self._mixed_fields = False, frozenset[str]()
        #: What each entry's fields were when another was chosen, so that going back loses nothing.
        self._remembered: dict[str, Choice] = {}
        self._unfit: Callable[[Entry], str | None] = lambda entry: None
        #: What is offered: rows, why some cannot be chosen, and what is.
        self._filled: object = None
        self.form: Form | None = None
        self._form_of: str | None = None
        self.box = Chooser()
        self.box.setAccessibleName(name)
        self.box.activated.connect(self._activated)
        self.doc = SourceLabel()
        set_state(self.doc, "role", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.box)
        layout.addWidget(self.doc)
        self.setFocusProxy(self.box)

    @property
    def mixed(self) -> bool:
        """Whether what is shown is not all owners' in everything."""
        return self._mixed or bool(self._mixed_fields)

    @property
    def choice(self) -> Choice | None:
        """What is shown."""
        return self._choice

    @property
    def entry(self) -> Entry | None:
        """The chosen entry; None where nothing is chosen, or nothing known."""
        return self._entries.get(self._choice.id) if self._choice else None

    def show_choice(
        self,
        choice: Choice | None,
        *,
        others: Sequence[Choice | None] = (),
        none: str | None = None,
        unfit: Callable[[Entry], str | None] | None = None,
    ) -> None:
        """Show `choice`; `unfit` says why an entry cannot be chosen here, or None if it can.

        `others` are those of further owners, whom an edit concerns too.
        """
        self._choice = choice
        self._mixed, self._mixed_fields = self._compare(choice, others)
        self._none = none if none is not None else self._none
        self._unfit = unfit or self._unfit
        self._fill()
        entry = None if self._mixed else self.entry
        said = cited(entry.doc, entry.source) if entry else ""
        self.doc.show_words(said)
        show_if(self.doc, bool(said))
        self._show_form()

    def set_drafts(self, drafts: Drafts) -> None:
        """Speak of another owner, whose unfinished texts are kept in `drafts`."""
        self.drafts = drafts
        self._turned = True
        self._remembered.clear()
        if self.form is not None:
            self.form.set_drafts(drafts)

    def set_marks(self, marks: Mapping[str, tuple[str, str]]) -> None:
        """Mark fields: name -> (severity, message)."""
        if self.form is not None:
            self.form.set_marks(marks)

    def _compare(self, choice: Choice | None, others: Sequence[Choice | None]) -> tuple[bool, frozenset[str]]:
        every = [other for other in others if other != choice]
        if not every:
            return False, frozenset()
        if choice is None or any(other is None or other.id != choice.id for other in every):
            return True, frozenset()
        values = [choice.fields, *(other.fields for other in every if other is not None)]
        fields = self.entry.fields if self.entry else ()
        return False, frozenset(field.name for field in fields if differ(field, values))

    def _fill(self) -> None:
        rows: list[tuple[str, str | None]] = []
        if self._none is not None:
            rows.append((self._none, None))
        rows.extend((entry.title, id) for id, entry in self._entries.items())
        chosen = self._choice.id if self._choice else None
        if chosen is not None and chosen not in self._entries:
            rows.append((f"{chosen} (unknown)", chosen))
        if chosen is None and self._none is None:
            rows.append(("", None))
        entries = [self._entries.get(id) if id else None for _, id in rows]
        reasons = [self._unfit(entry) if entry else None for entry in entries]
        if self._filled != (rows, reasons, chosen):  # else nothing has changed, as at most steps of a scrub
            self._filled = (rows, reasons, chosen)
            self._offer(rows, entries, reasons, chosen)
        row = next(i for i, (_, id) in enumerate(rows) if id == chosen)
        self.box.setCurrentIndex(-1 if self._mixed else row)

    def _offer(
        self,
        rows: list[tuple[str, str | None]],
        entries: list[Entry | None],
        reasons: list[str | None],
        chosen: str | None,
    ) -> None:
        shown = [(self.box.itemText(i), self.box.itemData(i)) for i in range(self.box.count())]
        if shown != rows:
            self.box.clear()
            for text, id in rows:
                self.box.addItem(text, id)
        model = self.box.model()
        assert isinstance(model, QStandardItemModel)
        for index, ((_, id), entry, reason) in enumerate(zip(rows, entries, reasons, strict=True)):
            item = model.item(index)
            item.setEnabled(reason is None or id == chosen)
            item.setToolTip(reason or (entry.doc.replace("`", "") if entry else ""))
        self.box.setPlaceholderText("mixed")

    def _show_form(self) -> None:
        choice = None if self._mixed else self._choice
        id = choice.id if choice else None
        if id != self._form_of:
            if not self._turned:
                self.drafts.clear()  # with the fields in which they stood
            if self.form is not None:
                self.form.hide()
                self.form.deleteLater()
                self.form = None
            self._form_of = id
            if choice is not None:
                entry = self.entry
                self.form = Form(entry.fields if entry else (), drafts=self.drafts, key=choice.id)
                self.form.edited.connect(self._edited)
                self.form.reset.connect(self._reset)
                self.form.ended.connect(self.ended)
                self.form.cancelled.connect(self.cancelled)
                layout = self.layout()
                assert isinstance(layout, QVBoxLayout)
                layout.insertWidget(1, self.form)
        self._turned = False
        if self.form is not None and choice is not None:
            self.form.set_values(choice.fields, self._mixed_fields)
            show_if(self.form, bool(self.form.fields or choice.fields))

    def _activated(self, index: int) -> None:
        id = self.box.itemData(index)
        before = self._choice
        if id == (before.id if before else None) and not self._mixed:
            return
        if before is not None and not self._mixed:
            self._remembered[before.id] = before
        entry = self._entries.get(id) if id else None
        after = None if id is None else self._remembered.get(id) or Choice(id, entry.start() if entry else {})

        def change(own: Choice | None) -> Choice | None:
            return own if own is not None and own.id == id else after

        self.chosen.emit(change, "")

    def _edited(self, name: str, value: Any, merge: str) -> None:
        entry = self.entry
        self._change_fields(lambda fields: with_field(entry, fields, name, value), merge)

    def _reset(self, name: str) -> None:
        entry = self.entry
        self.drafts.pop(name, None)
        self._change_fields(lambda fields: without_field(entry, fields, name), "")

    def _change_fields(self, make: Callable[[Mapping[str, Any]], dict[str, Any]], merge: str) -> None:
        """Change the fields of every choice of the entry that is shown."""
        assert self._choice is not None
        id = self._choice.id

        def change(own: Choice | None) -> Choice | None:
            if own is None or own.id != id:
                return own
            return msgspec.structs.replace(own, fields=make(own.fields))

        self.chosen.emit(change, merge)
