"""The parts of a node that have fields alone: its own, its share in training, what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget

from engine import edit
from engine.catalog import LAYERS
from engine.catalog.fields import Bool, Field, Float, Int
from engine.network import Network, Training
from gui.forms import Form, differ, sentences, set_state, show_if, with_field
from gui.inspector.common import text_label
from gui.inspector.section import Section
from gui.inspector.subject import Subject
from gui.links import SourceLabel


class Explanation(QLabel):
    """What the field that one is at is for, else the layer; keeps room, so that nothing below it jumps."""

    def __init__(self, layer: str, fields: Mapping[str, Field], parent: QWidget | None = None) -> None:
        super().__init__(layer, parent)
        self._texts = {"": layer} | {name: " ".join(sentences(field)) for name, field in fields.items()}
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        set_state(self, "role", "small")

    def explain(self, name: str) -> None:
        """Show what is said of the field `name`; "": of the layer."""
        self.setText(self._texts.get(name, ""))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep room for the longest."""
        super().resizeEvent(event)
        room, wrapped = QRect(0, 0, self.width(), 1000), int(Qt.TextFlag.TextWordWrap)
        metrics = self.fontMetrics()
        lines = [metrics.boundingRect(room, wrapped, text).height() for text in self._texts.values()]
        self.setMinimumHeight(max(lines, default=0))


def _first_sentence(words: str) -> str:
    return words.replace("`", "").partition(". ")[0].rstrip(".") + "." * bool(words)


def _same(field: Field, other: Field) -> bool:
    """Whether two layers' fields are one: the same values, the same default. Each has words of its own."""
    return field == replace(other, doc=field.doc, start=field.start, advanced=field.advanced)


class FieldsPart(Section):
    """The layer's own fields; of several layers, those that they share."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__("fields", "Fields", parent)
        self._subject = subject
        layer = subject.layer
        alike = layer is not None and subject.all(lambda _, other: other is layer)
        self.form = Form(self._fields(), drafts=subject.drafts(), key=layer.id if layer and alike else "")
        self.form.edited.connect(self._edited)
        self.form.reset.connect(self._reset)
        self.form.ended.connect(subject.document.end_merge)
        self.form.cancelled.connect(subject.document.cancel_merge)
        self.rows.addWidget(self.form)
        self.explanation = Explanation(
            _first_sentence(layer.doc) if layer and alike else "", self.form.fields
        )
        show_if(self.explanation, bool(self.form.fields))
        self.form.pointed.connect(self._explain)
        self.rows.addWidget(self.explanation)

    def turn(self) -> None:
        """Speak of other nodes of the same kind."""
        self.sync()
        self.form.set_drafts(self._subject.drafts())

    def _explain(self, name: str) -> None:
        self.explanation.explain(name or self.form.focused)

    def _fields(self) -> tuple[Field, ...]:
        subject = self._subject
        block = subject.node.block
        if block is not None and subject.all(lambda node, _: node.block == block):
            return self._block_fields(block)
        first = subject.layer
        if first is None:
            return ()
        kinds = dict.fromkeys(node.type for node in subject.every)
        layers = [LAYERS.get(kind) for kind in kinds]
        return tuple(
            field
            for field in first.fields
            if all(layer and any(_same(field, other) for other in layer.fields) for layer in layers)
        )

    def _block_fields(self, name: str) -> tuple[Field, ...]:
        """A block's arguments as fields."""
        block = self._subject.document.network.blocks.get(name)
        kinds: dict[str, type[Field]] = {"int": Int, "float": Float, "bool": Bool}
        arguments = block.arguments if block else {}
        return tuple(
            kinds.get(argument.type, Field)(key, argument.default, doc=argument.doc)
            for key, argument in arguments.items()
        )

    def refresh(self) -> None:
        """Show the document's values, and what the analysis found at them."""
        subject = self._subject
        values = dict(subject.node.fields)
        mixed: set[str] = set()
        if len(subject.ids) > 1:
            values = {name: value for name, value in values.items() if name in self.form.fields}
            others = [node.fields for node in subject.every]
            mixed = {name for name, field in self.form.fields.items() if differ(field, others)}
        self.form.set_values(values, mixed)
        marks = {
            problem.field: (problem.severity, problem.message)
            for problem in reversed(subject.problems)
            if problem.field is not None and problem.severity != "hint"
        }
        self.form.set_marks(marks)
        show_if(self, bool(self.form.fields or values))

    def _edited(self, name: str, value: Any, merge: str) -> None:
        def change(network: Network, id: str) -> Network:
            node = network.graph(self._subject.block).nodes[id]
            layer = self._subject.layer_of(id)
            fields = with_field(layer, node.fields, name, value)
            if name in fields:
                return edit.set_field(network, id, name, value, block=self._subject.block)
            return edit.reset_field(network, id, name, block=self._subject.block)

        self._subject.edit(f"Set {name}", change, merge)

    def _reset(self, name: str) -> None:
        self._subject.edit(
            f"Reset {name}",
            lambda network, id: edit.reset_field(network, id, name, block=self._subject.block),
        )


_TRAINING: tuple[Field, ...] = (
    Bool("frozen", False, doc="Keep this layer's weights as they are while the rest learns."),
    Float(
        "lr_multiplier", 1.0, lo=0, hi=1e6, log=True, doc="Factor on the learning rate for this layer alone."
    ),
)


class TrainingPart(Section):
    """How the node takes part in training."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__("training", "Training", parent, open=False)
        self._subject = subject
        self.form = Form(_TRAINING, strict=True, drafts=subject.drafts("training"))
        self.form.edited.connect(self._edited)
        self.form.reset.connect(lambda name: self._edited(name, self.form.fields[name].default, ""))
        self.form.ended.connect(subject.document.end_merge)
        self.form.cancelled.connect(subject.document.cancel_merge)
        self.rows.addWidget(self.form)

    def turn(self) -> None:
        """Speak of other nodes of the same kind."""
        self.sync()
        self.form.set_drafts(self._subject.drafts("training"))

    def refresh(self) -> None:
        """Show how the current node trains."""
        subject = self._subject
        trains = subject.all(lambda node, layer: bool(layer and layer.parameters) or bool(node.training))
        show_if(self, trains)
        if not trains:
            return
        every = [node.training or Training() for node in subject.every]
        shown = every[-1]
        mixed = {
            name for name in self.form.fields if any(getattr(e, name) != getattr(shown, name) for e in every)
        }
        self.form.set_values({"frozen": shown.frozen, "lr_multiplier": shown.lr_multiplier}, mixed)
        said = ["frozen"] if shown.frozen else []
        if shown.lr_multiplier != 1:
            said.append(f"learning rate × {shown.lr_multiplier:g}")
        self.set_title("Training", "mixed" if mixed else ", ".join(said))

    def _edited(self, name: str, value: Any, merge: str) -> None:
        block = self._subject.block

        def change(network: Network, id: str) -> Network:
            before = edit.node_of(network, id, block).training or Training()
            frozen = value if name == "frozen" else before.frozen
            multiplier = float(value) if name == "lr_multiplier" else before.lr_multiplier
            after = Training(frozen, multiplier, before.extra)
            return edit.set_training(network, id, None if after == Training() else after, block=block)

        self._subject.edit(f"Set {name}", change, merge)


class AboutPart(Section):
    """What the layer does, in words, and where the definition comes from."""

    def __init__(self, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__("about", "About this layer", parent, open=False)
        self._subject = subject
        self.doc = text_label()
        self.flow = text_label(role="muted")
        self.source = SourceLabel()
        set_state(self.source, "role", "muted")
        for widget in (self.doc, self.flow, self.source):
            self.rows.addWidget(widget)

    def turn(self) -> None:
        """Speak of other nodes of the same kind."""
        self.sync()

    def refresh(self) -> None:
        """Show the entry's own words."""
        layer = self._subject.layer
        show_if(self, layer is not None and len(self._subject.ids) == 1)
        if layer is None:
            return
        self.doc.setText(layer.doc.replace("`", ""))
        flow = " → ".join(part for part in (layer.reads, layer.gives) if part)
        self.flow.setText(f"Shapes: {flow}")
        show_if(self.flow, bool(flow))
        own = layer.source == "layerlab"
        self.source.show_words("Part of Layerlab itself." if own else f"Source: {layer.source}.")
