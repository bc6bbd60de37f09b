"""What a block has beside fields: how often it is used in a row, and its own arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QToolButton, QVBoxLayout, QWidget

from engine import edit, edit_blocks
from engine.catalog.fields import Bool, Field, Float, Int, Text
from engine.network import Argument, Network
from engine.problems import FileProblem
from gui.forms import Chooser, Form, set_state, show_if
from gui.inspector.common import text_label
from gui.inspector.section import Section
from gui.inspector.subject import Subject
from gui.narrow import Button
from gui.plain import tip
from gui.theme import SPACE, theme
from gui.unfinished import Drafts

_REPEAT: tuple[Field, ...] = (
    Int(
        "repeat",
        1,
        lo=1,
        hi=10_000,
        unit="times",
        doc="How many times in a row the block is used, each time with weights of its own. Within a block "
        "also = depth, an expression of its arguments; inside, index is the number of the repeat.",
    ),
)

#: Type -> its words in the list, and the field that its default is.
_TYPES: dict[str, tuple[str, type[Field], Any]] = {
    "int": ("whole", Int, 1),
    "float": ("number", Float, 1.0),
    "bool": ("yes / no", Bool, False),
    "text": ("text", Text, ""),
}


class RepeatPart(Section):
    """How often a block is used in a row."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__("repeat", "Repeat", parent)
        self._subject = subject
        self.form = Form(_REPEAT, drafts=subject.drafts("repeat"))
        self.form.edited.connect(lambda _, value, merge: self._set(value, merge))
        self.form.reset.connect(lambda _: self._set(1, ""))
        self.form.ended.connect(subject.document.end_merge)
        self.form.cancelled.connect(subject.document.cancel_merge)
        self.rows.addWidget(self.form)

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()
        self.form.set_drafts(self._subject.drafts("repeat"))

    def refresh(self) -> None:
        """Show how often the current block is used."""
        nodes = self._subject.every
        blocks = bool(nodes) and all(node.type == "Block" for node in nodes)
        show_if(self, blocks)
        if not blocks:
            return
        values = [{"expr": n.repeat_expression} if n.repeat_expression else n.repeat for n in nodes]
        mixed = {"repeat"} if any(value != values[-1] for value in values) else set()
        self.form.set_values({"repeat": values[-1]}, mixed)
        wrong = [problem for problem in self._subject.problems if problem.field == "repeat"]
        self.form.set_marks({"repeat": (wrong[0].severity, wrong[0].message)} if wrong else {})

    def _set(self, value: Any, merge: str) -> None:
        block = self._subject.block

        def change(network: Network, id: str) -> Network:
            return edit_blocks.set_repeat(network, id, value, block=block)

        try:
            self._subject.edit("Repeat", change, merge)
        except edit.EditProblem as problem:
            self.form.set_marks({"repeat": ("error", str(problem))})


class ArgumentsPart(Section):
    """The arguments of a block: of the one whose inside is shown, or of the one that is selected."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__("arguments", "Arguments", parent)
        self._subject = subject
        self._shown: object = None
        self.trouble = text_label(role="error")
        show_if(self.trouble, False)
        self.hint = text_label(role="muted")
        self.hint.setText(
            "Within the block a field may say = channels * 2: numbers, these names and + − * / // % **."
        )
        self.add = Button("Add an argument")
        self.add.clicked.connect(self._add)
        self.rows.addWidget(self.trouble)
        self.rows.addWidget(self.hint)
        self.rows.addWidget(self.add)
        #: Of each argument, above the rest.
        self.editors: dict[str, _ArgumentRow] = {}

    @property
    def block(self) -> str | None:
        """Whose arguments they are."""
        subject = self._subject
        name = subject.node.block if len(subject.ids) == 1 else None if subject.ids else subject.block
        return name if name in subject.document.network.blocks else None

    def turn(self) -> None:
        """Speak of another block."""
        self.sync()
        self._say("")

    def refresh(self) -> None:
        """Show the arguments as they are."""
        name = self.block
        show_if(self, name is not None)
        if name is None:
            return
        arguments = self._subject.document.network.blocks[name].arguments
        self.set_title(f"Arguments of {name}", ", ".join(arguments))
        if (name, dict(arguments)) == self._shown:
            return
        self._shown = (name, dict(arguments))
        for row in self.editors.values():
            self.rows.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.editors = {}
        for place, (key, argument) in enumerate(arguments.items()):
            row = self.editors[key] = _ArgumentRow(key, argument, self)
            self.rows.insertWidget(place, row)

    def _add(self) -> None:
        name = self.block
        if name is None:
            return
        known = self._subject.document.network.blocks[name].arguments
        key = next(
            word for word in ("channels", *(f"argument{n}" for n in range(1, 10_000))) if word not in known
        )
        self.change(
            f"Add argument {key}",
            partial(edit_blocks.set_argument, block=name, name=key, argument=Argument(default=1)),
        )
        if key in self.editors:
            self.editors[key].name.setFocus(Qt.FocusReason.OtherFocusReason)
            self.editors[key].name.selectAll()

    def drafts(self, key: str) -> Drafts:
        """Where the unfinished default of an argument is kept."""
        return self._subject.drafts_of_all(f"argument {key}", self.block)

    def change(self, label: str, make: Callable[..., Network]) -> bool:
        """One edit of the arguments; what cannot be is said below them."""
        document = self._subject.document
        try:
            document.edit(make(document.network), label)
        except (edit.EditProblem, FileProblem) as problem:
            self._say(str(problem))
            return False
        self._say("")
        return True

    def _say(self, trouble: str) -> None:
        self.trouble.setText(trouble)
        show_if(self.trouble, bool(trouble))


class _ArgumentRow(QWidget):
    """One argument: its name, its type, its default, and a button that takes it away."""

    def __init__(self, key: str, argument: Argument, part: ArgumentsPart) -> None:
        super().__init__()
        self._key, self._argument, self._part = key, argument, part
        self.name = QLineEdit(key)
        self.name.setAccessibleName(f"Name of argument {key}")
        self.name.setToolTip(
            tip(argument.doc or "Its name in the fields within the block. Enter renames it.")
        )
        self.name.editingFinished.connect(self._rename)
        self.kind = Chooser()
        for id, (word, *_) in _TYPES.items():
            self.kind.addItem(word, id)
        if argument.type not in _TYPES:
            self.kind.addItem(argument.type, argument.type)
        self.kind.setCurrentIndex(max(0, self.kind.findData(argument.type)))
        self.kind.setAccessibleName(f"Type of argument {key}")
        self.kind.activated.connect(self._retype)
        _, kind, start = _TYPES.get(argument.type, ("", Field, None))
        self.form = Form(
            (kind("default", start, optional=True, doc="What a use has that does not say it."),),
            drafts=part.drafts(key),
        )
        self.form.set_values({"default": argument.default})
        self.form.edited.connect(lambda _, value, __: self._set(default=value))
        self.form.reset.connect(lambda _: self._set(default=start))
        self.remove = QToolButton()
        self.remove.setAutoRaise(True)
        self.remove.setIcon(theme.icon("mdi6.close", "muted"))
        self.remove.setToolTip(tip(f"Remove {key}"))
        self.remove.setAccessibleName(f"Remove argument {key}")
        set_state(self.remove, "compact", True)
        self.remove.clicked.connect(self._remove)
        top = QHBoxLayout()
        top.setSpacing(SPACE)
        top.addWidget(self.name, 3)
        top.addWidget(self.kind, 2)
        top.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addLayout(top)
        column.addWidget(self.form)

    def _rename(self) -> None:
        new = self.name.text().strip()
        if not self.name.isModified() or new == self._key:
            return
        self.name.setModified(False)
        block = self._part.block
        assert block is not None
        rename = partial(edit_blocks.rename_argument, block=block, old=self._key, new=new)
        if not self._part.change(f"Rename {self._key} to {new}", rename):
            self.name.setText(self._key)

    def _set(self, **changes: Any) -> None:
        block = self._part.block
        assert block is not None
        values = {"type": self._argument.type, "default": self._argument.default, "doc": self._argument.doc}
        argument = Argument(**{**values, **changes}, extra=self._argument.extra)
        make = partial(edit_blocks.set_argument, block=block, name=self._key, argument=argument)
        self._part.change(f"Set argument {self._key}", make)

    def _retype(self, _: int) -> None:
        kind = str(self.kind.currentData())
        if kind != self._argument.type and kind in _TYPES:
            self._set(type=kind, default=_TYPES[kind][2])

    def _remove(self) -> None:
        block = self._part.block
        assert block is not None
        make = partial(edit_blocks.remove_argument, block=block, name=self._key)
        self._part.change(f"Remove argument {self._key}", make)
