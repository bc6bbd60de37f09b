"""What if the stride were another: shape, cost and receptive field side by side, as the engine finds them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from engine import edit
from engine.host.protocol import Variant, Variants
from gui.amounts import at_least
from gui.forms import set_state, show_if
from gui.inspector.common import text_label
from gui.inspector.preview import Desk, Preview
from gui.inspector.section import Section
from gui.inspector.subject import Subject
from gui.inspector.words import count_text, shape_text
from gui.theme import SPACE

FIELD = "stride"
VALUES = (1, 2, 4)
#: The variants are asked for when the hands have rested so long, milliseconds: each is a network to analyse.
REST = 60
_ROWS = (
    ("Output", "Shape of this layer's output for one example, the batch left out."),
    ("MACs", "Multiply–accumulate operations of the whole network for one example."),
    ("Sees", "Receptive field at the end of the network: the input pixels that reach one output."),
)


class WhatIfPart(Section):
    """Three strides beside each other; a click takes one."""

    def __init__(self, subject: Subject, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__("what_if", "What if", parent)
        self._subject = subject
        self._workers = desk.workers
        self._preview = Preview(desk, self._receive, self)
        self._rest = QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self._ask)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACE)
        grid.setVerticalSpacing(SPACE)
        self.buttons: list[QToolButton] = []
        self.cells: list[list[QLabel]] = []
        for row, (name, tip) in enumerate(_ROWS, 1):
            key = QLabel(name)
            key.setToolTip(tip)
            set_state(key, "role", "muted")
            grid.addWidget(key, row, 0)
        for column, value in enumerate(VALUES, 1):
            button = QToolButton()
            button.setText(f"{FIELD} {value}")
            button.setCheckable(True)
            set_state(button, "role", "segment")
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setToolTip(f"Set {FIELD} to {value}")
            button.setAccessibleName(f"Set {FIELD} to {value}")
            button.clicked.connect(lambda _, value=value: self._take(value))
            grid.addWidget(button, 0, column)
            self.buttons.append(button)
            cells = [text_label("–") for _ in _ROWS]
            for row, cell in enumerate(cells, 1):
                cell.setAlignment(Qt.AlignmentFlag.AlignHCenter)
                grid.addWidget(cell, row, column)
            self.cells.append(cells)
            grid.setColumnStretch(column, 1)
        self.note = text_label(role="muted")
        self.meant = text_label("MACs and Sees are the whole network's.", role="small")
        self.rows.addLayout(grid)
        self.rows.addWidget(self.meant)
        self.rows.addWidget(self.note)
        self.toggled.connect(self.refresh)

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()
        for cells in self.cells:
            for cell in cells:
                cell.setText("–")
                cell.setToolTip("")
        show_if(self.note, False)
        self._preview.forget()

    def refresh(self) -> None:
        """Ask for the three variants of the current node."""
        subject = self._subject
        layer = subject.layer
        fields = {field.name for field in layer.fields} if layer is not None else set()
        there = len(subject.ids) == 1 and FIELD in fields and "kernel_size" in fields and bool(subject.inputs)
        show_if(self, there)
        if not there:
            self._preview.forget()
            self._rest.stop()
            return
        standard = next(field.default for field in layer.fields if field.name == FIELD) if layer else None
        now = _single(subject.node.fields.get(FIELD, standard))
        for button, value in zip(self.buttons, VALUES, strict=True):
            button.setChecked(value == now)
        if self.open:
            self._rest.start()

    def _ask(self) -> None:
        subject = self._subject
        if not subject.ids:
            return
        id, block, path = subject.ids[-1], subject.block, subject.path
        # What is wrong with a shape the recipe's data tell, too.
        key = ("what if", id, block, path, subject.meaning)
        self._preview.want(key, lambda: self._workers.what_if(id, block, path, FIELD, VALUES))

    def _receive(self, event: object) -> None:
        if not isinstance(event, Variants):
            return
        for cells, variant in zip(self.cells, event.variants, strict=False):
            for cell, text in zip(cells, _texts(variant), strict=True):
                cell.setText(text)
                cell.setToolTip(variant.message)
        wrong = [variant for variant in event.variants if variant.message]
        self.note.setText("\n".join(f"{FIELD} {variant.value}: {variant.message}" for variant in wrong))
        show_if(self.note, bool(wrong))

    def _take(self, value: int) -> None:
        subject = self._subject
        block = subject.block
        sides = _like(subject.node.fields.get(FIELD), value)
        network = edit.set_field(subject.document.network, subject.ids[-1], FIELD, sides, block=block)
        subject.document.edit(network, f"Set {FIELD}")
        self.refresh()


def _texts(variant: Variant) -> tuple[str, str, str]:
    if not variant.output:
        return "does not fit", "–", "–"
    sees = " × ".join(map(str, variant.receptive_field)) or "–"
    cost = at_least(count_text(variant.macs), variant.unknown)
    return shape_text(variant.output).replace(" × ", "×\u200b"), cost, sees


def _single(value: Any) -> Any:
    """One number where all sides have the same."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return value[0] if value and all(item == value[0] for item in value) else None
    return value


def _like(old: Any, value: int) -> Any:
    """`value` for as many sides as `old` has."""
    return [value] * len(old) if isinstance(old, list | tuple) and old else value
