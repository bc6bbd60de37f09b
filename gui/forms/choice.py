"""Choosing one entry of the catalogue, and its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine.catalog import Entry
from engine.network import Choice
from gui.forms.editors import Chooser, set_state, show_if
from gui.forms.form import Form
from gui.links import SourceLabel, cited
from gui.theme import SPACE


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


class ChoiceEditor(QWidget):
    """A drop-down list of entries and the form of the chosen one.

    Parameters
    ----------
    entries
        What may be chosen, by id.
    none
        The text of the row that chooses nothing; None: something must be chosen.
    """

    #: (Choice or None, merge key or "").
    chosen = Signal(object, str)
    #: The gesture is over.
    ended = Signal()

    def __init__(
        self,
        entries: Mapping[str, Entry],
        name: str,
        parent: QWidget | None = None,
        *,
        none: str | None = None,
        drafts: dict[str, str] | None = None,
    ) -> None:
        super().__init__(parent)
        self._entries = entries
        self._none = none
        self._drafts = {} if drafts is None else drafts
        self._choice: Choice | None = None
        #: What each entry's fields were when another was chosen, so that going back loses nothing.
        self._remembered: dict[str, Choice] = {}
        self._unfit: Callable[[Entry], str | None] = lambda entry: None
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
        none: str | None = None,
        unfit: Callable[[Entry], str | None] | None = None,
    ) -> None:
        """Show `choice`; `unfit` says why an entry cannot be chosen here, or None if it can."""
        self._choice = choice
        self._none = none if none is not None else self._none
        self._unfit = unfit or self._unfit
        self._fill()
        entry = self.entry
        said = cited(entry.doc, entry.source) if entry else ""
        self.doc.show_words(said)
        show_if(self.doc, bool(said))
        self._show_form()

    def set_drafts(self, drafts: dict[str, str]) -> None:
        """Speak of another owner, whose unfinished texts are kept in `drafts`."""
        self._drafts = drafts
        self._remembered.clear()
        if self.form is not None:
            self.form.set_drafts(drafts)

    def set_marks(self, marks: Mapping[str, tuple[str, str]]) -> None:
        """Mark fields: name -> (severity, message)."""
        if self.form is not None:
            self.form.set_marks(marks)

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
        shown = [(self.box.itemText(i), self.box.itemData(i)) for i in range(self.box.count())]
        if shown != rows:
            self.box.clear()
            for text, id in rows:
                self.box.addItem(text, id)
        model = self.box.model()
        assert isinstance(model, QStandardItemModel)
        for index, (_, id) in enumerate(rows):
            entry = self._entries.get(id) if id else None
            reason = self._unfit(entry) if entry else None
            item = model.item(index)
            item.setEnabled(reason is None or id == chosen)
            item.setToolTip(reason or (entry.doc.replace("`", "") if entry else ""))
        self.box.setCurrentIndex(next(i for i, (_, id) in enumerate(rows) if id == chosen))

    def _show_form(self) -> None:
        id = self._choice.id if self._choice else None
        if id != self._form_of:
            if self.form is not None:
                self.form.hide()
                self.form.deleteLater()
                self.form = None
            self._form_of = id
            if self._choice is not None:
                entry = self.entry
                self.form = Form(entry.fields if entry else (), drafts=self._drafts)
                self.form.edited.connect(self._edited)
                self.form.reset.connect(self._reset)
                self.form.ended.connect(self.ended)
                layout = self.layout()
                assert isinstance(layout, QVBoxLayout)
                layout.insertWidget(1, self.form)
        if self.form is not None and self._choice is not None:
            self.form.set_values(self._choice.fields)
            show_if(self.form, bool(self.form.fields or self._choice.fields))

    def _activated(self, index: int) -> None:
        id = self.box.itemData(index)
        before = self._choice
        if id == (before.id if before else None):
            return
        if before is not None:
            self._remembered[before.id] = before
        self._drafts.clear()
        entry = self._entries.get(id) if id else None
        after = None if id is None else self._remembered.get(id) or Choice(id, entry.start() if entry else {})
        self.chosen.emit(after, "")

    def _edited(self, name: str, value: Any, merge: str) -> None:
        assert self._choice is not None
        fields = with_field(self.entry, self._choice.fields, name, value)
        self.chosen.emit(msgspec.structs.replace(self._choice, fields=fields), merge)

    def _reset(self, name: str) -> None:
        assert self._choice is not None
        fields = without_field(self.entry, self._choice.fields, name)
        self._drafts.pop(name, None)
        self.chosen.emit(msgspec.structs.replace(self._choice, fields=fields), "")
