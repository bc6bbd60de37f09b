"""How every layer responds: to an example of the data, to what is drawn by hand, to a whole plane.

Before training too: then with the weights as they are first drawn; it follows the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.host.protocol import Failed, Mapped, Responded
from engine.network import Network
from gui.asking import Asking
from gui.document import Document
from gui.forms import set_state
from gui.narrow import Number, Pick
from gui.panels.bar import Bar
from gui.panels.drawpad import DrawPad
from gui.panels.figures import split_title
from gui.panels.panel import Empty, Panel
from gui.panels.pictures import values_of
from gui.panels.plane import Plane
from gui.panels.responding import PALE, Cells
from gui.panels.series import figure
from gui.panels.words import Line
from gui.selection import Selection
from gui.session import Session
from gui.theme import SPACE, theme

#: The drawing rests for so long before it is asked again, milliseconds.
REST = 250
#: Likeliest classes that are named.
NAMED = 5
#: Said of what is of the drawing as it was before an edit.
BEFORE = "As before the edit; being asked anew."


class Asks(Protocol):
    """What the panel needs of the window's workers."""

    answered: Any
    document: Document

    def respond(
        self,
        run: str | None,
        split: str = ...,
        index: int = ...,
        values: Sequence[float] = ...,
        step: int | None = ...,
    ) -> int:
        """Ask how every node responds."""

    def boundary(
        self, run: str | None, node: str | None = ..., unit: int = ..., step: int | None = ...
    ) -> int:
        """Ask what is given on a plane."""


class ResponsesPanel(Panel):
    """An example, a drawing or a plane, and what the layers make of it.

    Parameters
    ----------
    document
        The network, as it is drawn now.
    session
        Its run's weights are taken where they fit: those of the step that is looked at, the newest
        ones while it goes on, in the end the best.
    selection
        Shown by a ground; a click selects. Of the chosen node a unit can be seen on the plane.
    workers
        Asks the host.
    """

    def __init__(
        self,
        document: Document,
        session: Session,
        selection: Selection,
        workers: Asks,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Responses", "mdi6.layers-search-outline", parent)
        self._document, self._session, self._selection = document, session, selection
        self._workers = workers
        self._asked: int | None = None
        self._again = False
        #: Whether the drawing was edited since the last question, and since that of what is shown.
        self._edited = self._stale = False
        #: Why there is nothing to be seen.
        self._trouble = ""
        self._rest = QTimer(self, singleShot=True, interval=REST)
        self._rest.timeout.connect(self.ask)
        #: The step whose weights responded last; None: the best ones.
        self._step: int | None = None
        self._asking = Asking(self)

        self.mode = Pick()
        self.mode.setAccessibleName("What the layers are shown")
        for title, key in (("Example", "example"), ("Draw", "draw"), ("Plane", "plane")):
            self.mode.addItem(title, key)
        self.split = Pick()
        self.split.setAccessibleName("Split")
        for split in ("validation", "train", "test"):
            self.split.addItem(split_title(split), split)
        self.index = Number(maximum=9_999_999)
        self.index.setAccessibleName("Number of the example")
        self.unit = Number(maximum=99_999)
        self.unit.setAccessibleName("Unit of the selected layer")
        self.unit.setPrefix("unit ")
        self.unit.setToolTip(
            "Which unit of the selected layer is drawn; none is selected: the network's output"
        )
        for box in (self.index, self.unit):
            box.setMinimumWidth(64)
            box.setMaximumWidth(104)
        self.wipe = QToolButton()
        self.wipe.setToolTip("An empty sheet")
        self.wipe.setAccessibleName("An empty sheet")
        self.update_button = QToolButton()
        self.update_button.setToolTip("Ask again, with the newest weights")
        self.update_button.setAccessibleName("Ask again")
        self.status = Line()
        self.status.setProperty("role", "muted")
        self.pad = DrawPad()
        self.answer = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.answer.setAccessibleName("What the network says")
        self.answer.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.answer.setMinimumHeight(16)  # it may be cut, and does not push the canvas away
        self.cells = Cells()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.cells)
        self.plane = Plane()
        self.said = Empty("mdi6.layers-search-outline")
        self._scroll = scroll
        self.shown = QStackedWidget()
        for page in (scroll, self.plane, self.said):
            self.shown.addWidget(page)
        self.shown.setMinimumWidth(14 * SPACE)
        side = QVBoxLayout()
        side.setContentsMargins(2 * SPACE, SPACE, SPACE, SPACE)
        side.setSpacing(SPACE)
        side.addWidget(self.pad)
        side.addWidget(self.answer, 1)
        self._side = QWidget()
        self._side.setMinimumWidth(112)
        self._side.setMaximumWidth(176)
        self._side.setLayout(side)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self._side)
        row.addWidget(self.shown, 1)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(Bar(self.mode, self.split, None, self.menu_button()))
        where = QHBoxLayout()
        where.setContentsMargins(2 * SPACE, 0, 2 * SPACE, SPACE)
        for part in (self.index, self.unit, self.wipe, self.update_button):
            where.addWidget(part)
        where.addWidget(self.status, 1)
        column.addLayout(where)
        column.addLayout(row, 1)

        self.mode.currentIndexChanged.connect(self._mode_changed)
        for signal in (self.split.currentIndexChanged, self.index.valueChanged, self.unit.valueChanged):
            signal.connect(self._soon)
        self.pad.drawn.connect(self.ask)
        self.wipe.clicked.connect(self.pad.wipe)
        self.update_button.clicked.connect(self.ask)
        self.cells.clicked.connect(self._clicked)
        workers.answered.connect(self._answered)
        document.changed.connect(self._document_changed)
        session.state_changed.connect(self._soon)
        session.weights_kept.connect(self._follow)
        session.sought.connect(self._follow)
        self._asking.due.connect(self.ask)
        selection.changed.connect(self._selected)
        self.follow_theme()
        self._selected()
        self._mode_changed()

    # ------------------------------------------------------------------ asking

    def _soon(self, *_: object) -> None:
        if self.in_view:
            self._rest.start()
        self.request()

    def _document_changed(self, before: Network, after: Network) -> None:
        if (before.nodes, before.edges, before.recipe, before.blocks) != (
            after.nodes,
            after.edges,
            after.recipe,
            after.blocks,
        ):
            if before.recipe.data != after.recipe.data:  # what is shown is of other examples
                self._show_nothing("")
            self._edited = True
            self._set_stale(True)
            self._soon()

    def _follow(self, *_: object) -> None:
        """Other weights belong to what is looked at: ask them, as soon as that is fair."""
        if self.in_view and self._asked is None and self._session.weights_step() != self._step:
            ask = self._asking.soon if self._session.at is None else self._asking.at_once
            ask()

    def ask(self) -> None:
        """Ask for what is chosen; while an answer is owed, ask once more when it has come."""
        if not self._document.network.nodes or not self.in_view:
            return
        if self._asked is not None:
            self._again = True
            return
        self._again = self._edited = False
        run, mode = self._session.run or None, self.mode.currentData()
        step = self._step = self._session.weights_step()
        self._asking.asked()
        if mode == "plane":
            self._asked = self._workers.boundary(run, self._unit_of, self.unit.value(), step)
        elif mode == "draw":
            self._fit_pad()
            self._asked = self._workers.respond(run, values=self.pad.values.ravel().tolist(), step=step)
        else:
            self._asked = self._workers.respond(run, self.split.currentData(), self.index.value(), step=step)

    @property
    def _unit_of(self) -> str | None:
        """The node whose unit is drawn; None: the network's output."""
        current = self._selection.current
        node = None if current is None else self._document.network.nodes.get(current)
        return None if node is None or node.type == "Output" else current

    def _fit_pad(self) -> None:
        for node in self._document.network.nodes.values():
            shape = node.fields.get("shape", ())
            if node.type == "Input" and len(shape) == 3:
                self.pad.set_size(int(shape[1]), int(shape[2]))

    def _answered(self, request: int, event: object) -> None:
        if request != self._asked:
            return
        self._asked = None
        self._asking.answered()
        if isinstance(event, Failed):
            self._show_nothing(event.message)
        elif isinstance(event, Responded):
            self._trouble = ""
            self.cells.show_responded(event)
            if self.mode.currentData() != "plane":  # else it is the answer to what was chosen before
                self._say(event)
        elif isinstance(event, Mapped):
            self._trouble = ""
            self.unit.setMaximum(max(event.units - 1, 0))
            self.plane.show_mapped(event)
            if self.mode.currentData() == "plane":
                self.status.say(" · ".join(words for words in (event.note, self.plane.words) if words))
        self._set_stale(self._edited)
        self.request()
        if self._again:
            self.ask()
        elif not isinstance(event, Failed):
            self._follow()

    def _set_stale(self, stale: bool) -> None:
        """Say of what is shown whether it is of the drawing as it was before an edit."""
        shown = self.cells.responded is not None or self.plane.mapped is not None
        self._stale = stale and shown
        self.cells.set_stale(self._stale)
        self.plane.image.setOpacity(PALE if self._stale else 1.0)
        set_state(self.answer, "role", "muted" if self._stale else "")
        if self._stale:
            self.status.say(BEFORE)

    def _show_nothing(self, trouble: str) -> None:
        self._trouble = trouble
        self.cells.show_responded(None)
        self.plane.show_mapped(None)
        self.answer.setText("")
        self.status.say("")

    # ------------------------------------------------------------------ showing

    def _mode_changed(self, *_: object) -> None:
        mode = self.mode.currentData()
        self.split.setVisible(mode == "example")
        self.index.setVisible(mode == "example")
        self.unit.setVisible(mode == "plane")
        self.pad.setVisible(mode == "draw")
        self.wipe.setVisible(mode == "draw")
        self._trouble = ""
        self.status.say("")
        if mode == "draw":
            self._fit_pad()
        self._soon()

    def _say(self, responded: Responded) -> None:
        self.status.say(responded.note)
        words = []
        shares = np.asarray(responded.probabilities)
        for number in np.argsort(-shares, kind="stable")[:NAMED]:
            words.append(f"{100 * shares[number]:.1f} %   {_name(responded.classes, int(number))}")
        last = list(responded.nodes.values())[-1] if responded.nodes else None
        if not responded.probabilities and last is not None and math.prod(last.shape) == 1:
            words.append(f"says: {figure(last.values.mean)}")
        if responded.target is not None:
            right = (
                _name(responded.classes, int(responded.target))
                if responded.classes
                else figure(responded.target)
            )
            words.append(f"\nright: {right}")
        self.answer.setText("\n".join(words))

    def _clicked(self, node: str) -> None:
        self._selection.set([node.split(".")[0]])

    def _selected(self) -> None:
        self.cells.chosen = self._selection.nodes
        self.cells.update()
        self.unit.setEnabled(self._unit_of is not None)
        self.unit.blockSignals(True)
        self.unit.setMaximum(99_999)
        self.unit.setValue(0)
        self.unit.blockSignals(False)
        if self.mode.currentData() == "plane":
            self._soon()

    def come_into_view(self) -> None:
        """Ask, when it is seen."""
        super().come_into_view()
        self._rest.start()

    def refresh(self) -> None:
        """Show content once there is a network to ask."""
        if not self._document.network.nodes:
            self.show_empty(
                "Nothing to respond yet", "Add layers: what each gives is shown here, before training too."
            )
            return
        self.show_content()
        plane = self.mode.currentData() == "plane"
        answered = self.plane.mapped is not None if plane else self.cells.responded is not None
        self._side.setVisible(self.mode.currentData() == "draw" or (not plane and answered))
        if answered:
            self.shown.setCurrentWidget(self.plane if plane else self._scroll)
            return
        if self._trouble:
            self.said.say("Nothing to be seen", self._trouble)
        else:
            self.said.say("Asking the layers …", "The data are read first; a large set takes a moment.")
        self.shown.setCurrentWidget(self.said)

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        self.wipe.setIcon(theme.icon("mdi6.eraser"))
        self.update_button.setIcon(theme.icon("mdi6.refresh"))
        self.plane.follow_theme()
        self.said.follow_theme()
        self.cells.update()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """What is shown of every node, or at every point of the plane."""
        if self.mode.currentData() == "plane":
            classes = self.plane.mapped is not None and self.plane.mapped.classes
            return ("x", "y", "class" if classes else "value", "probability"), self.plane.rows()
        nodes: Mapping[str, Any] = self.cells.responded.nodes if self.cells.responded else {}
        return ("node", "shape", "index", "value"), (
            (node, "x".join(map(str, response.shape)), index, value)
            for node, response in nodes.items()
            for index, value in enumerate(values_of(response.seen).ravel().tolist())
        )


def _name(classes: Sequence[str], number: int) -> str:
    return classes[number] if 0 <= number < len(classes) else str(number)
