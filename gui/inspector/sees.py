"""The receptive field of a layer, drawn on a real example: what one of its outputs can see."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from engine.dataview import SampleView
from engine.host.protocol import DataLooked, Failed
from gui.forms import show_if
from gui.inspector.common import text_label
from gui.inspector.preview import Desk
from gui.inspector.section import Section
from gui.inspector.subject import Subject
from gui.narrow import Button
from gui.theme import family_color, theme

#: Height of the picture, in pixels.
_HIGH = 168


class SeesView(QWidget):
    """An example (or the empty input) with the middle output's receptive field; the rest is veiled."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.input: tuple[int, int] = (1, 1)
        self.field: tuple[int, int] = (1, 1)
        self.image: QImage | None = None
        self._group = "Other"
        theme.changed.connect(self.update)

    def show_field(self, input: tuple[int, int], field: tuple[int, int], group: str) -> None:
        """Height and width of the input and of the receptive field, in the colour of `group`."""
        self.input, self.field, self._group = input, field, group
        seen = " × ".join(str(min(a, b)) for a, b in zip(field, input, strict=True))
        self.setAccessibleName(f"One output sees {seen} of {input[0]} × {input[1]} pixels")
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(240, _HIGH)

    def frames(self) -> tuple[QRectF, QRectF]:
        """Where the input is drawn, and the field in it."""
        rows, columns = self.input
        scale = min((self.width() - 2) / columns, (self.height() - 2) / rows)
        width, height = columns * scale, rows * scale
        whole = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        high, wide = (min(a, b) * scale for a, b in zip(self.field, self.input, strict=True))
        # The middle output's field lies on whole pixels.
        top = (rows - min(self.field[0], rows)) // 2 * scale
        left = (columns - min(self.field[1], columns)) // 2 * scale
        return whole, QRectF(whole.left() + left, whole.top() + top, wide, high)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Picture, veil, outline."""
        painter = QPainter(self)
        whole, seen = self.frames()
        if self.image is not None:
            painter.drawImage(whole, self.image)
        else:
            painter.fillRect(whole, theme.color("raised"))
        veil = theme.color("window")
        veil.setAlphaF(0.62)
        painter.setClipRegion(event.region().subtracted(seen.toAlignedRect()))
        painter.fillRect(whole, veil)
        painter.setClipping(False)
        painter.setPen(QPen(theme.color("line"), 1))
        painter.drawRect(whole)
        painter.setPen(QPen(QColor(family_color(theme.tokens, self._group)), 2))
        painter.drawRect(seen)


class SeesPart(Section):
    """The view, and a button that fetches a real example."""

    def __init__(self, subject: Subject, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__("sees", "What it sees", parent)
        self._subject = subject
        self._desk = desk
        self._request: int | None = None
        self._asked_for = ""
        self.view = SeesView()
        self.words = text_label(role="muted")
        self.fetch = Button()
        self.fetch.setText("Show it on a real example")
        self.fetch.setToolTip("Load the data that the recipe names, and take one example")
        self.fetch.clicked.connect(self._fetch)
        for widget in (self.view, self.words, self.fetch):
            self.rows.addWidget(widget)
        self.toggled.connect(self.refresh)
        desk.workers.answered.connect(self._answered)
        desk.example.changed.connect(self._example_changed)

    def turn(self) -> None:
        """Speak of other nodes."""
        self.sync()

    def refresh(self) -> None:
        """Draw the field of the current node."""
        subject = self._subject
        field, layer = subject.report.receptive_field, subject.layer
        size = self._input()
        there = len(subject.ids) == 1 and len(field) == 2 and size is not None and layer is not None
        show_if(self, there and max(field, default=0) > 1)
        if not there or size is None or layer is None:
            return
        if self.open:
            self._desk.example.offer()
        self.view.image = self._image()
        if self.view.image is None and self.open and self._desk.example.responded is not None:
            self._ask()  # the data are read: one more look costs little
        show_if(self.fetch, self.view.image is None)
        self.view.show_field(size, (field[0], field[1]), layer.group)
        whole = field[0] >= size[0] and field[1] >= size[1]
        part = "all" if whole else f"{min(field[0], size[0])} × {min(field[1], size[1])}"
        self.words.setText(
            f"One output of {subject.id} sees {part} of the {size[0]} × {size[1]} pixels"
            + (f" (its field is {field[0]} × {field[1]})." if whole else ".")
            + ("" if self.view.image is None else " The picture is a training example.")
        )

    def _input(self) -> tuple[int, int] | None:
        """Height and width of the network's first picture."""
        for id, node in self._subject.document.network.nodes.items():
            report = self._subject.analysis.nodes.get(id)
            if node.type == "Input" and report is not None:
                for tensor in report.outputs.values():
                    if len(tensor.shape) >= 3:
                        return int(tensor.shape[-2]), int(tensor.shape[-1])
        return None

    def _example(self) -> str:
        return f"example of {self._subject.document.network.recipe.data!r}"

    def _image(self) -> QImage | None:
        sample = self._desk.find(self._example())
        if not isinstance(sample, SampleView):
            return None
        height, width = sample.picture_shape[:2]
        colours = len(sample.picture_shape) == 3
        form = QImage.Format.Format_RGB888 if colours else QImage.Format.Format_Grayscale8
        return QImage(sample.picture, width, height, width * (3 if colours else 1), form).copy()

    def _example_changed(self) -> None:
        if self._subject.ids and self.isVisible():
            self.refresh()

    def _fetch(self) -> None:
        self._asked_for = ""
        self._ask()
        self._desk.example.ask()

    def _ask(self) -> None:
        if self._request is not None or self._asked_for == self._example():
            return
        self._asked_for = self._example()
        self.fetch.setEnabled(False)
        self.fetch.setText("Loading…")
        self._request = self._desk.workers.look_at_data()

    def _answered(self, request: int, event: object) -> None:
        if request != self._request:
            return
        if isinstance(event, DataLooked):
            found = next((sample for sample in event.view.samples if sample.picture), None)
            if found is not None:
                self._desk.keep(self._example(), found)
            self._request = None
            self.fetch.setText("Show it on a real example" if found else "The data have no pictures")
        elif isinstance(event, Failed):
            self._request = None
            self.fetch.setText("Show it on a real example")
            self.words.setText(event.message)
            self.fetch.setEnabled(True)
            return
        else:
            return  # how far it has come
        self.fetch.setEnabled(True)
        if self._subject.ids:  # else the layer has gone while this was on its way
            self.refresh()
