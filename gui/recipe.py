"""The recipe as forms: data, loss, optimizer, schedule, and how long to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QVBoxLayout, QWidget

from engine import edit
from engine.catalog import LOSSES, OPTIMIZERS, RECIPE_OPTIONS, SCHEDULES, SOURCES
from engine.catalog.fields import Field, Float, Int, Option
from engine.findings import Analysis
from engine.network import Choice, Network, Recipe
from engine.storage.journal import Text
from gui.augmentation import AugmentationEditor, marks_of
from gui.document import Document
from gui.forms import Change, ChoiceEditor, Form
from gui.inspector.section import Section
from gui.theme import SPACE
from gui.unfinished import Draft, Unfinished, unfinished

_STANDARD = Recipe()
_LENGTH: tuple[Field, ...] = (
    Int("epochs", _STANDARD.epochs, lo=1, hi=1_000_000, doc="Times that all training examples are seen."),
    Int(
        "batch_size",
        _STANDARD.batch_size,
        lo=1,
        hi=1 << 24,
        unit="examples",
        doc="Examples whose mean gradient makes one step.",
    ),
    Int(
        "seed",
        _STANDARD.seed,
        lo=0,
        hi=2**63 - 1,
        doc="Fixes split, shuffling and every random draw: the same seed gives the same curve.",
    ),
)
_SPLIT: tuple[Field, ...] = (
    Option(
        "kind",
        None,
        options=("given", "random", "stratified", "time"),
        optional=True,
        doc="How examples are parted: as the data set gives it, by chance, by chance with equal shares of "
        "classes, or by time; none: the data set's own.",
    ),
    Float(
        "validation",
        None,
        lo=0,
        hi=0.95,
        optional=True,
        doc="Share kept to validate on; none: the data set's own.",
    ),
    Float("test", None, lo=0, hi=0.95, optional=True, doc="Share kept to test on; none: the data set's own."),
)


class RecipePanel(QScrollArea):
    """Shows and edits the document's recipe."""

    #: A learning rate is to be found by trying.
    rate_wanted = Signal()
    #: Whether examples before and after augmentation would be seen here may have changed.
    preview_changed = Signal()

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Recipe")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(260)
        self._document = document
        self._generation = document.generation
        self._sections: dict[str, Section] = {}
        body = QWidget()
        self._layout = QVBoxLayout(body)
        self._layout.setContentsMargins(3 * SPACE, 3 * SPACE, 2 * SPACE, 3 * SPACE)
        self._layout.setSpacing(2 * SPACE)
        self.data = self._choice("recipe-data", "Data", SOURCES)
        self.split = self._form("recipe-split", "Split", _SPLIT, self._split_edited, open=False)
        self.augmentation = AugmentationEditor()
        self.augmentation.changed.connect(self._augmented)
        self.augmentation.ended.connect(document.end_merge)
        self._varying = self._section("recipe-augment", "Augmentation", self.augmentation, open=False)
        self._varying.toggled.connect(self._unfolded)
        self.length = self._form("recipe-length", "Length and seed", _LENGTH, self._length_edited)
        self.loss = self._choice("recipe-loss", "Loss", LOSSES)
        self.optimizer = self._choice("recipe-optimizer", "Optimizer", OPTIMIZERS)
        self.schedule = self._choice("recipe-schedule", "Schedule", SCHEDULES, none="Constant learning rate")
        find = QPushButton("Find a learning rate…")
        find.setToolTip("Train for a moment with a growing rate, and see where the loss falls fastest")
        find.clicked.connect(self.rate_wanted)
        self._sections["recipe-optimizer"].rows.addWidget(find, 0, Qt.AlignmentFlag.AlignLeft)
        #: Section -> form of the recipe's further options.
        self.options = {
            id: self._form(f"recipe-{id}", entry.title, entry.fields, self._option_edited, open=False)
            for id, entry in RECIPE_OPTIONS.items()
        }
        self.data.chosen.connect(self._data_chosen)
        for name in ("loss", "optimizer", "schedule"):
            getattr(self, name).chosen.connect(
                lambda change, merge, name=name: self._chosen(name, change, merge)
            )
        self._layout.addStretch(1)
        self.setWidget(body)
        document.changed.connect(self._document_changed)
        document.path_changed.connect(self._forget_drafts)
        self.refresh()

    def _section(self, key: str, title: str, content: QWidget, open: bool = True) -> Section:
        section = Section(key, title, open=open)
        section.rows.addWidget(content)
        self._layout.addWidget(section)
        self._sections[key] = section
        return section

    def _choice(
        self, key: str, title: str, entries: Mapping[str, Any], none: str | None = None
    ) -> ChoiceEditor:
        editor = ChoiceEditor(entries, title, none=none)
        editor.ended.connect(self._document.end_merge)
        section = self._section(key, title, editor)
        section.setVisible(bool(entries))
        return editor

    def _form(self, key: str, title: str, fields: Sequence[Field], edited: Any, open: bool = True) -> Form:
        form = Form(fields, strict=True, key=f"recipe/{key}")
        form.edited.connect(edited)
        form.reset.connect(lambda name: edited(name, form.fields[name].default, ""))
        form.ended.connect(self._document.end_merge)
        self._section(key, title, form, open)
        return form

    def set_analysis(self, analysis: Analysis) -> None:
        """Mark the fields in which the analysis found problems of the recipe."""
        marks: dict[str, dict[str, tuple[str, str]]] = {}
        for problem in reversed(analysis.problems):
            part, _, rest = (problem.field or "").removeprefix("recipe.").partition(".")
            if problem.node is None and problem.severity != "hint":
                found = marks.setdefault(part, {})
                found[rest.rpartition(".")[2] or part] = (problem.severity, problem.message)
        self.split.set_marks(marks.get("data", {}))
        self.augmentation.set_marks(marks_of(analysis.problems))
        self.length.set_marks({name: found[name] for name, found in marks.items() if name in found})
        for part in ("data", "loss", "optimizer", "schedule"):
            getattr(self, part).set_marks(marks.get(part, {}))
        for form in self.options.values():
            form.set_marks({name: marks[name][name] for name in form.fields if name in marks.get(name, {})})

    def _document_changed(self, before: Network, after: Network) -> None:
        if after.recipe is not before.recipe:
            self.refresh()

    def refresh(self) -> None:
        """Show the document's recipe."""
        recipe = self._document.network.recipe
        self.data.show_choice(Choice(recipe.data.source, recipe.data.fields))
        self.split.set_values(recipe.data.split)
        self.augmentation.show_data(recipe.data)
        self._varying.set_title("Augmentation", ", ".join(choice.id for choice in recipe.data.augment))
        self.length.set_values(
            {"epochs": recipe.epochs, "batch_size": recipe.batch_size, "seed": recipe.seed}
        )
        self.loss.show_choice(recipe.loss)
        self.optimizer.show_choice(recipe.optimizer)
        self.schedule.show_choice(recipe.schedule)
        for form in self.options.values():
            form.set_values({name: v for name, v in recipe.options.items() if name in form.fields})

    @property
    def unfinished(self) -> tuple[Unfinished, ...]:
        """The texts that stand in fields here and say no value."""
        return tuple(
            text
            for part, form in self._forms().items()
            for text in unfinished(f"recipe › {part}", form.drafts, form.reveal)
        )

    @property
    def texts(self) -> tuple[Text, ...]:
        """The same, as they are kept through a crash."""
        return tuple(
            Text("recipe", part, field, draft.text, draft.trouble)
            for part, form in self._forms().items()
            for field, draft in form.drafts.items()
        )

    def restore(self, texts: Sequence[Text]) -> None:
        """Put texts into their fields again, as they were marked."""
        forms = self._forms()
        for text in texts:
            form = forms.get(text.part)
            if form is not None and text.field in form.fields:
                form.restore(text.field, Draft(text.text, text.trouble))

    def _forms(self) -> dict[str, Form]:
        forms = {
            "data": self.data.form,
            "split": self.split,
            **{f"augmentation {n}": card.form for n, card in enumerate(self.augmentation.cards, 1)},
            "length": self.length,
            "loss": self.loss.form,
            "optimizer": self.optimizer.form,
            "schedule": self.schedule.form,
            **self.options,
        }
        return {part: form for part, form in forms.items() if form is not None}

    def _forget_drafts(self) -> None:
        """Another document was opened: what was left unfinished in the old one went with it."""
        if self._generation != self._document.generation:
            self._generation = self._document.generation
            for editor in (self.data, self.loss, self.optimizer, self.schedule):
                editor.set_drafts({})
            self.augmentation.set_drafts()
            for form in (self.split, self.length, *self.options.values()):
                form.set_drafts({})
            self.refresh()

    def _set(self, label: str, merge: str, **replaced: Any) -> None:
        network = self._document.network
        recipe = msgspec.structs.replace(network.recipe, **replaced)
        self._document.edit(edit.set_recipe(network, recipe), label, merge or None)

    def _chosen(self, name: str, change: Change, merge: str) -> None:
        choice = change(getattr(self._document.network.recipe, name))
        self._set(f"Set the {name}", merge, **{name: choice})

    def _data_chosen(self, change: Change, merge: str) -> None:
        before = self._document.network.recipe.data
        choice = change(Choice(before.source, before.fields))
        assert choice is not None  # there is no row for none
        # Another source has its own parts; a split made for the old one would not fit it.
        split = before.split if choice.id == before.source else {}
        data = msgspec.structs.replace(before, source=choice.id, fields=choice.fields, split=split)
        self._set("Set the data", merge, data=data)

    def _augmented(self, choices: tuple[Choice, ...], label: str, merge: str) -> None:
        before = self._document.network.recipe.data
        self._set(label, merge, data=msgspec.structs.replace(before, augment=choices))
        self.preview_changed.emit()

    def _unfolded(self, open: bool) -> None:
        if open:
            self.preview_changed.emit()

    def _split_edited(self, name: str, value: Any, merge: str) -> None:
        before = self._document.network.recipe.data
        split = {**before.split, name: value}
        if value is None:
            del split[name]
        self._set("Set the split", merge, data=msgspec.structs.replace(before, split=split))

    def _length_edited(self, name: str, value: Any, merge: str) -> None:
        self._set(f"Set {name}", merge, **{name: value})

    def _option_edited(self, name: str, value: Any, merge: str) -> None:
        before = self._document.network.recipe.options
        options = {**before, name: value}
        for form in self.options.values():
            if name in form.fields and value == form.fields[name].default:
                del options[name]  # the file says what differs
        self._set(f"Set {name}", merge, options=options)
