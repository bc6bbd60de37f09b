"""How training examples are varied by chance, as forms: add, remove, order, and see what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.catalog import AUGMENTATIONS, SOURCES
from engine.dataview import DataView
from engine.network import Choice, Data
from gui.forms import Form, set_state, show_if, with_field, without_field
from gui.panels.samples import Samples
from gui.plain import tip
from gui.theme import SPACE, theme
from gui.unfinished import Drafts

#: Examples that are shown before and after.
_SHOWN = 3


class AugmentationEditor(QWidget):
    """The list of a recipe's augmentations, in the order in which they are done."""

    #: (choices, what was done in words, merge key or "").
    changed = Signal(object, str, str)
    #: The gesture is over.
    ended = Signal()
    #: The user wants to see all examples before and after.
    look_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: tuple[Choice, ...] = ()
        self._kind = ""
        self.cards: list[Card] = []
        self.none = QLabel("Training sees every example as it is.")
        self.none.setWordWrap(True)
        set_state(self.none, "role", "muted")
        self.add = QPushButton("Add…")
        self.add.setAccessibleName("Add an augmentation")
        self.menu = QMenu(self.add)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.add.setMenu(self.menu)
        self.look = QPushButton("See all")
        self.look.setToolTip(tip("Show the data's examples before and after, in the Data panel"))
        self.look.clicked.connect(self.look_wanted)
        self.preview = Samples()
        self.preview.setAccessibleName("Examples before and after augmentation")
        self.preview.show_varied(True)
        self.preview.setFixedHeight(_SHOWN * self.preview.cell.height() + SPACE)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(2 * SPACE)
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.look)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * SPACE)
        layout.addWidget(self.none)
        layout.addLayout(self._cards)
        layout.addLayout(buttons)
        layout.addWidget(self.preview)
        self.show_data(Data("digits"))

    # ------------------------------------------------------------------ showing

    def show_data(self, data: Data) -> None:
        """Show the augmentations of `data`."""
        before, self._choices = self._choices, tuple(data.augment)
        source = SOURCES.get(data.source)
        self._kind = source.kind if source is not None else ""
        if [card.id for card in self.cards] != [choice.id for choice in self._choices]:
            self._make_cards(before)
        for number, (card, choice) in enumerate(zip(self.cards, self._choices, strict=True)):
            card.show_choice(choice, first=number == 0, last=number == len(self._choices) - 1)
        show_if(self.none, not self._choices)
        show_if(self.look, bool(self._choices))
        if not self._choices:
            show_if(self.preview, False)

    def show_view(self, view: DataView | None) -> None:
        """Show examples of `view` before and after; None, or none that was varied: nothing."""
        drawn = [s for s in view.samples if s.augmented or s.varied_lines] if view is not None else []
        self.preview.show_samples(drawn[:_SHOWN])
        show_if(self.preview, bool(drawn) and bool(self._choices))

    def set_marks(self, marks: Mapping[int, tuple[str, str]]) -> None:
        """Show what the analysis found: number of the augmentation -> (severity, message)."""
        for number, card in enumerate(self.cards):
            card.set_mark(*marks.get(number, ("", "")))

    def set_drafts(self) -> None:
        """Forget what was left unfinished."""
        for card in self.cards:
            card.form.set_drafts({})

    @property
    def wants_view(self) -> bool:
        """Whether examples before and after would be seen here."""
        return bool(self._choices) and self.isVisible()

    def _make_cards(self, before: tuple[Choice, ...]) -> None:
        """Make a card for each; what is unfinished in one goes with it to its new place."""
        drafts = [(choice, card.form.drafts) for choice, card in zip(before, self.cards, strict=False)]
        for card in self.cards:
            self._cards.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = []
        for number, choice in enumerate(self._choices):
            at = next((at for at, (other, _) in enumerate(drafts) if other == choice), None)
            card = Card(choice.id, None if at is None else drafts.pop(at)[1])
            card.edited.connect(lambda fields, merge, number=number: self._edited(number, fields, merge))
            card.ended.connect(self.ended)
            card.moved.connect(lambda by, number=number: self._moved(number, by))
            card.removed.connect(lambda number=number: self._removed(number))
            self._cards.addWidget(card)
            self.cards.append(card)

    def _fill_menu(self) -> None:
        self.menu.clear()
        for id, entry in AUGMENTATIONS.items():
            action = self.menu.addAction(entry.title, partial(self._added, id))
            fits = not self._kind or self._kind in entry.reads
            action.setEnabled(fits)
            said = entry.doc.replace("`", "")
            action.setToolTip(tip(said if fits else f"It varies {' or '.join(entry.reads)}: not these data."))

    # ------------------------------------------------------------------ doing

    def _added(self, id: str) -> None:
        self.changed.emit((*self._choices, Choice(id, AUGMENTATIONS[id].start())), f"Add {id}", "")

    def _removed(self, number: int) -> None:
        left = tuple(choice for at, choice in enumerate(self._choices) if at != number)
        self.changed.emit(left, f"Remove {self._choices[number].id}", "")

    def _moved(self, number: int, by: int) -> None:
        order = list(self._choices)
        choice = order.pop(number)
        order.insert(number + by, choice)
        self.changed.emit(tuple(order), f"Move {choice.id}", "")
        moved = self.cards[number + by] if 0 <= number + by < len(self.cards) else None
        if moved is not None:  # so that a key can be pressed again
            moved.focus_move(by)

    def _edited(self, number: int, fields: Mapping[str, Any], merge: str) -> None:
        choices = list(self._choices)
        choices[number] = msgspec.structs.replace(choices[number], fields=dict(fields))
        key = f"augment.{number}.{merge}" if merge else ""
        self.changed.emit(tuple(choices), f"Set {choices[number].id}", key)


class Card(QFrame):
    """One augmentation: its name, its place, its fields."""

    #: (fields, merge key or "").
    edited = Signal(object, str)
    ended = Signal()
    #: By how many places.
    moved = Signal(int)
    removed = Signal()

    def __init__(self, id: str, drafts: Drafts | None = None) -> None:
        super().__init__()
        self.id = id
        self._entry = AUGMENTATIONS.get(id)
        self._choice = Choice(id)
        set_state(self, "role", "problem")
        self.name = QLabel(self._entry.title if self._entry is not None else f"{id} (unknown)")
        set_state(self.name, "role", "heading")
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        if self._entry is not None:
            self.setToolTip(tip(self._entry.doc.replace("`", "")))
        self.up = self._button("mdi6.chevron-up", "Do this before the one above")
        self.down = self._button("mdi6.chevron-down", "Do this after the one below")
        self.remove = self._button("mdi6.close", f"Remove {self.name.text()}")
        self.up.clicked.connect(lambda: self.moved.emit(-1))
        self.down.clicked.connect(lambda: self.moved.emit(1))
        self.remove.clicked.connect(self.removed)
        self.form = Form(self._entry.fields if self._entry is not None else (), drafts=drafts)
        self.form.edited.connect(self._edited)
        self.form.reset.connect(self._reset)
        self.form.ended.connect(self.ended)
        self.message = QLabel(wordWrap=True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        top = QHBoxLayout()
        top.setSpacing(0)
        top.addWidget(self.name, 1)
        for button in (self.up, self.down, self.remove):
            top.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * SPACE, SPACE, SPACE, 2 * SPACE)
        layout.setSpacing(SPACE)
        layout.addLayout(top)
        layout.addWidget(self.form)
        layout.addWidget(self.message)
        self.set_mark("", "")
        theme.changed.connect(self._dress)
        self._dress()

    def _button(self, icon: str, words: str) -> QToolButton:
        button = QToolButton(autoRaise=True)
        button.setProperty("icon_name", icon)
        button.setIconSize(QSize(4 * SPACE, 4 * SPACE))
        button.setToolTip(tip(words))
        button.setAccessibleName(words)
        set_state(button, "compact", True)
        return button

    def _dress(self) -> None:
        for button in (self.up, self.down, self.remove):
            button.setIcon(theme.icon(button.property("icon_name"), "muted"))

    def show_choice(self, choice: Choice, *, first: bool, last: bool) -> None:
        """Show its fields, and where it may go."""
        self._choice = choice
        self.form.set_values(choice.fields)
        self.up.setEnabled(not first)
        self.down.setEnabled(not last)

    def set_mark(self, severity: str, message: str) -> None:
        """Show what the analysis found."""
        self.message.setText(message)
        set_state(self.message, "role", severity if severity in ("error", "warning") else "muted")
        set_state(self, "severity", severity)
        show_if(self.message, bool(message))

    def focus_move(self, by: int) -> None:
        """Put the keyboard on the button that moves it further, or back where it cannot."""
        button = self.up if by < 0 else self.down
        if not button.isEnabled():
            button = self.down if by < 0 else self.up
        button.setFocus(Qt.FocusReason.OtherFocusReason)

    def _edited(self, name: str, value: Any, merge: str) -> None:
        self.edited.emit(with_field(self._entry, self._choice.fields, name, value), merge)

    def _reset(self, name: str) -> None:
        self.edited.emit(without_field(self._entry, self._choice.fields, name), "")


def marks_of(problems: Sequence[Any]) -> dict[int, tuple[str, str]]:
    """The marks that an analysis' problems put on augmentations."""
    marks: dict[int, tuple[str, str]] = {}
    for problem in reversed(problems):
        head, _, number = (problem.field or "").rpartition(".")
        if head == "recipe.data.augment" and number.isdecimal():
            marks[int(number)] = (problem.severity, problem.message)
    return marks
