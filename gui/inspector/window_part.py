"""The window of a convolution or pooling: moving over the real input, and the output size in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtWidgets import QWidget

from gui.forms import show_if
from gui.inspector.common import text_label
from gui.inspector.example import picture_of
from gui.inspector.preview import Desk
from gui.inspector.section import Section
from gui.inspector.sliding import ADAPTIVE_RULE, SLIDING_RULE, SPREADING_RULE, Axis, axes_of
from gui.inspector.subject import Subject
from gui.inspector.window_view import WindowView
from gui.narrow import Button


class WindowPart(Section):
    """The view, the size worked out, and a button that fetches a real example."""

    def __init__(self, subject: Subject, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__("window", "Window", parent)
        self._subject = subject
        self._example = desk.example
        self.view = WindowView()
        self.working = text_label()
        self.note = text_label(role="muted")
        self.fetch = Button()
        self.fetch.setText("Move it over a real example")
        self.fetch.setToolTip("Send one example of the recipe's data through the network, as it is now")
        self.fetch.clicked.connect(self._example.ask)
        for widget in (self.view, self.working, self.note, self.fetch):
            self.rows.addWidget(widget)
        self.toggled.connect(self.refresh)
        self._example.changed.connect(self._example_changed)

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()

    def refresh(self) -> None:
        """Draw the window for the current fields and input."""
        subject = self._subject
        layer, inputs = subject.layer, subject.inputs
        single = len(subject.ids) == 1 and layer is not None and inputs
        axes = (
            axes_of(layer, subject.node.fields, inputs[0].shape[1:]) if single and layer is not None else ()
        )
        there = bool(axes) and all(axis.output for axis in axes)
        show_if(self, there)
        if not there or layer is None:
            return
        if self.open:
            self._example.offer()
        self.view.set_axes(axes, layer.group)
        said = self._show_values(axes)
        names = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}.get(len(axes), ())
        if len({axis.working for axis in axes}) == 1:
            self.working.setText(axes[0].working)
        else:
            self.working.setText(
                "\n".join(f"{name}: {axis.working}" for name, axis in zip(names, axes, strict=False))
            )
        adaptive = any(field.name == "output_size" for field in layer.fields)
        rule = ADAPTIVE_RULE if adaptive else SPREADING_RULE if axes[0].spreads else SLIDING_RULE
        part = "The middle is shown." if said else "A corner is shown."
        words = [rule + ".", part if self.view.cropped else "", said, self._example.message]
        self.note.setText("\n".join(filter(None, words)))

    def _example_changed(self) -> None:
        if self._subject.ids:
            self.refresh()

    def _show_values(self, axes: Sequence[Axis]) -> str:
        """Fill both grids with what the example gives there; returns what is said of it."""
        subject, example = self._subject, self._example
        own, before = example.response(subject.path), example.response(subject.feeding)
        self.fetch.setEnabled(not example.waiting)
        show_if(self.fetch, before is None or own is None)
        if own is None or before is None or len(axes) > 2 or example.responded is None:
            self.view.set_values(None, None)
            return ""
        shown = [before, own]
        if axes[0].spreads:
            shown.reverse()
        sides = [tuple(response.shape[-len(axes) :]) for response in shown]
        if sides != [tuple(axis.size for axis in axes), tuple(axis.output for axis in axes)]:
            # What was given before an edit has no place in a window of other sizes.
            self.view.set_values(None, None)
            return ""
        self.view.set_values(*(_of_axes(picture_of(response.seen), len(axes)) for response in shown))
        channels = [_channel(response.shape) for response in (before, own)]
        return f"Input: {channels[0]}; output: {channels[1]}. {example.said}"


def _of_axes(picture: NDArray[np.float32], axes: int) -> NDArray[np.float32]:
    return picture[:1] if axes == 1 else picture


def _channel(shape: Sequence[int]) -> str:
    count = shape[0] if shape else 1
    return "the picture" if count in (1, 3) else f"channel 1 of {count}"
