"""The activation: its curve and derivative, its range, and where a real example's values fall on it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtWidgets import QWidget

from engine import edit
from engine.catalog import ACTIVATIONS, Layer
from engine.host.protocol import CurvePreview, Failed
from engine.network import Choice, Network, Node
from gui.forms import Change, ChoiceEditor, show_if
from gui.inspector.common import Figures, text_label
from gui.inspector.plots import Curve, CurvePlot
from gui.inspector.preview import Desk, Preview
from gui.inspector.section import Section
from gui.inspector.subject import ACTIVATION, Subject
from gui.inspector.words import number_text
from gui.narrow import Button

#: Below this slope a curve is flat.
FLAT = 0.05


class ActivationPart(Section):
    """The activation inside the node, or the node that is one: chooser, curve, derivative, range."""

    def __init__(self, subject: Subject, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__("activation", "Activation", parent)
        self._subject = subject
        self._workers = desk.workers
        self.choice = ChoiceEditor(ACTIVATIONS, "Activation", none="None", drafts=subject.drafts(ACTIVATION))
        self.choice.chosen.connect(self._chosen)
        self.choice.ended.connect(subject.document.end_merge)
        self.choice.cancelled.connect(subject.document.cancel_merge)
        self.plot = CurvePlot("The activation's curve and derivative")
        self.note = text_label(role="muted")
        self.range = Figures()
        self._example = desk.example
        self._curve: CurvePreview | None = None
        self.fetch = Button()
        self.fetch.setText("Show where real values fall")
        self.fetch.setToolTip("Send one example of the recipe's data through the network, as it is now")
        self.fetch.clicked.connect(self._example.ask)
        self.said = text_label(role="muted")
        for widget in (self.choice, self.plot, self.note, self.range, self.said, self.fetch):
            self.rows.addWidget(widget)
        self._preview = Preview(desk, self._received, self, empty=lambda: self._say(""))
        self.toggled.connect(self.refresh)
        self._example.changed.connect(self._example_changed)

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()
        self.choice.set_drafts(self._subject.drafts(ACTIVATION))
        self._preview.turn()

    def refresh(self) -> None:
        """Show the current node's activation."""
        subject = self._subject
        layer, node = subject.layer, subject.node
        own = layer is not None and layer.is_activation
        show_if(self, subject.all(_is_activation if own else _takes_activation))
        shown = Choice(node.type, node.fields) if own else node.activation
        show_if(self.choice, not own)
        if own:
            mixed = any(other != shown for other in subject.others(lambda n: Choice(n.type, n.fields)))
        else:
            self.choice.show_choice(shown, others=subject.others(lambda other: other.activation))
            mixed = self.choice.mixed
        entry = ACTIVATIONS.get(shown.id) if shown and not mixed else None
        said = "mixed" if mixed else entry.title if entry else "None"
        self.set_title("Curve" if own else "Activation", said)
        show_if(self.plot, entry is not None)
        for widget in (self.range, self.said, self.fetch):
            show_if(widget, entry is not None)
        if entry is None or shown is None:
            self._preview.forget()
            show_if(self.note, False)
            return
        show_if(self.note, bool(self.note.text()))
        wrong = entry.check(shown.fields)
        if wrong:
            self._preview.forget()
            self._say(f"No curve: {wrong[0][0]} {wrong[0][1]}")
        elif self.open:
            self._example.offer()
            fields = dict(shown.fields)
            self._preview.want((shown.id, fields), lambda: self._workers.preview_activation(shown.id, fields))
        told = _range_of(entry, shown.fields)
        figures = [("Values", told, "The range of what comes out.")] if told else []
        self.range.show_figures([*figures, *self._real_values(own)])

    def _example_changed(self) -> None:
        if self._subject.ids:
            self.refresh()

    def _real_values(self, own: bool) -> list[tuple[str, str, str]]:
        """Draw where on the curve a real example's values fall; figures of them."""
        example, subject = self._example, self._subject
        self.fetch.setEnabled(not example.waiting)
        before = example.response(subject.feeding if own else subject.path)
        into = None if before is None else before.values if own else before.into
        several = len(subject.ids) > 1  # what falls on one's curve says nothing of the others
        show_if(self.fetch, into is None and not several)
        if into is None or example.responded is None or several:
            self.plot.set_falls((), ())
            self.said.setText("" if several else example.message)
            show_if(self.said, bool(self.said.text()))
            return []
        width = (into.hi - into.lo) / max(1, len(into.counts))
        edges = [into.lo + number * width for number in range(len(into.counts) + 1)]
        self.plot.set_falls(edges, into.counts)
        show_if(self.said, True)
        uses = subject.uses
        where = f" at {subject.path}, the first of {uses} uses" if uses > 1 else ""
        self.said.setText(f"Bars: what comes in{where}. {example.said}")
        figures = [
            ("Comes in", f"{number_text(into.mean)} ± {number_text(into.std)}", "Mean ± standard deviation."),
        ]
        if self._curve is not None and any(into.counts):
            flat = share_where_flat(self._curve, edges, into.counts)
            tip = f"Share of what comes in where the slope is below {FLAT:g}: there little is learned."
            figures.append(("Where it is flat", f"{flat:.0%}", tip))
        return figures

    def _say(self, message: str) -> None:
        """Say why there is no curve."""
        self._curve = None
        self.plot.set_curves(())
        self.plot.set_message(message)
        self.note.setText("")
        show_if(self.note, False)

    def _received(self, event: object) -> None:
        if isinstance(event, CurvePreview):
            another, self._curve = event is not self._curve, event
            if another and self._subject.ids:  # else what it was asked for has gone
                self.refresh()
            self.plot.set_curves(
                (
                    Curve("f(x)", event.x, event.y, "Activation"),
                    Curve("f′(x)", event.x, event.slope, "muted", dashed=True),
                )
            )
            self.note.setText(event.note)
            show_if(self.note, bool(event.note))
        elif isinstance(event, Failed):
            self._say(event.message)

    def _chosen(self, change: Change, merge: str) -> None:
        block = self._subject.block

        def apply(network: Network, id: str) -> Network:
            choice = change(edit.node_of(network, id, block).activation)
            return edit.set_activation(network, id, choice, block=block)

        self._subject.edit("Set the activation", apply, merge)


def _is_activation(node: Node, layer: Layer | None) -> bool:
    return layer is not None and layer.is_activation


def _takes_activation(node: Node, layer: Layer | None) -> bool:
    return node.activation is not None or (
        layer is not None and layer.activatable and not layer.is_activation
    )


def share_where_flat(curve: CurvePreview, edges: Sequence[float], counts: Sequence[int]) -> float:
    """Share of values, as binned, at which the curve's slope is below :data:`FLAT`, up or down."""
    flat = 0
    for left, right, count in zip(edges, edges[1:], counts, strict=False):
        place = bisect_left(curve.x, (left + right) / 2)
        if abs(curve.slope[min(place, len(curve.slope) - 1)]) < FLAT:
            flat += count
    return flat / sum(counts)


def _range_of(entry: Layer, fields: Mapping[str, Any]) -> str:
    """The values that an activation gives, with its fields' numbers in place of their names."""
    told = entry.values
    for field in entry.fields:
        value = fields.get(field.name, field.default)
        if isinstance(value, int | float):
            told = told.replace(field.name, number_text(value))
    return told.replace("−−", "")
