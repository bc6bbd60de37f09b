"""The inspector's states, for :mod:`tests.pictures`; what a host would answer is asked of the engine here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QVBoxLayout, QWidget

import engine
from engine import edit
from engine.data.view import view
from engine.host import previews
from engine.host import what_if as variants
from engine.host.protocol import DataLooked, Failed, LookAtEstimator, Respond, WhatIf
from engine.network import Choice, Network
from engine.problems import DataProblem, NetworkProblem
from engine.training import estimator_view
from engine.training.responses import respond
from gui.document import Document
from gui.inspector import Inspector
from gui.selection import Selection

NETWORKS = Path(__file__).parents[1] / "assets" / "networks"
WIDTH, HEIGHT = 340, 1500
#: Long enough for answers, and for the window to have moved some way, in milliseconds.
REST = 400


class Engine(QObject):
    """Answers the inspector's questions in this process, a moment later."""

    answered = Signal(int, object)

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self._waiting: list[Callable[[int], object]] = []
        self._given = 0

    def _ask(self, make: Callable[[int], object]) -> int:
        self._waiting.append(make)
        return len(self._waiting)

    def preview_init(self, node: str, parameter: str) -> int:
        """Ask for a draw of one parameter."""
        return self._ask(lambda n: previews.preview_init(n, self._document.network, node, parameter))

    def preview_activation(self, id: str, fields: Mapping[str, Any]) -> int:
        """Ask for an activation's curve."""
        return self._ask(lambda n: previews.preview_activation(n, id, fields))

    def preview_binarizer(self, id: str, fields: Mapping[str, Any]) -> int:
        """Ask for an estimator's curves."""
        return self._ask(lambda n: previews.preview_binarizer(n, id, fields))

    def what_if(self, node: str, block: str | None, path: str, field: str, values: tuple[Any, ...]) -> int:
        """Ask what a field's values would come to."""
        return self._ask(
            lambda n: variants.what_if(
                WhatIf(n, b"", node, block, path, field, values), self._document.network
            )
        )

    def look_at_estimator(self, node: str, place: str, run: str | None = None) -> int:
        """Ask what an estimator gets and lets pass on a real batch."""
        return self._ask(
            lambda n: estimator_view.look(LookAtEstimator(n, b"", node, place, run), self._document.network)
        )

    def look_at_data(self, path: str | None = None) -> int:
        """Ask what the document's data look like."""
        recipe = self._document.network.recipe
        return self._ask(lambda n: DataLooked(n, view(recipe.data, recipe.seed)))

    def respond(self, run: str | None, split: str, index: int, *, step: int | None = None) -> int:
        """Ask how every node responds to an example."""
        return self._ask(lambda n: respond(Respond(n, b"", run, split, index), self._document.network))

    def newest_run(self) -> str | None:
        """No run."""
        return None

    def answer(self) -> None:
        """Answer what was asked, and what is asked in turn."""
        for _ in range(20):
            QTest.qWait(50)
            while self._given < len(self._waiting):
                self._given += 1
                self.answered.emit(self._given, self._answer(self._given))

    def _answer(self, number: int) -> object:
        try:
            return self._waiting[number - 1](number)
        except (NetworkProblem, DataProblem) as problem:
            return Failed(number, str(problem))


class Stage:
    """An inspector that shows a network analysed."""

    def __init__(self, network: Network, *ids: str) -> None:
        self.document, self.selection = Document(network), Selection()
        self.engine = Engine(self.document)
        self.inspector = Inspector(self.document, self.selection, self.engine)
        self.frame = QWidget()
        self.frame.resize(WIDTH, HEIGHT)
        row = QVBoxLayout(self.frame)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.inspector)
        self.frame.show()
        self.inspector.set_analysis(engine.analyze(network))
        self.selection.set(ids)

    def part(self, name: str) -> Any:
        """A part of the panel, opened; the others are closed."""
        panel: Any = self.inspector.panel
        for other in ("fields", "window_part", "sees", "what_if", "activation", "init", "binarize"):
            getattr(panel, other).set_open(other == name)
        panel.training.set_open(False)
        panel.about.set_open(False)
        return getattr(panel, name)

    def image(self) -> QImage:
        """What is seen, without the empty ground below."""
        self.engine.answer()
        QTest.qWait(REST)
        panel = self.inspector.panel
        assert isinstance(panel, QWidget)
        used = max(
            child.mapTo(panel, QPoint(0, child.height())).y()
            for child in panel.findChildren(QWidget)
            if child.isVisible() and not child.findChildren(QWidget)
        )
        image = self.frame.grab().toImage()
        ratio = image.devicePixelRatio()
        high = min(image.height(), round((used + 16) * ratio))
        image = image.copy(0, 0, image.width(), high)
        self.frame.close()
        self.frame.deleteLater()
        return image


def lenet() -> Network:
    """A convolutional network on the digits, whose data are always there."""
    return engine.load(NETWORKS / "residual_digits.layerlab")


def summary() -> Stage:
    """Nothing selected: the network as a whole."""
    return Stage(lenet())


def fields() -> Stage:
    """A layer's fields, with one that is wrong and a way out."""
    network = edit.set_field(lenet(), "conv2", "kernel_size", [31, 31])
    stage = Stage(network, "conv2")
    stage.part("fields")
    return stage


def several() -> Stage:
    """Two layers at once."""
    stage = Stage(lenet(), "conv1", "conv4")
    stage.part("fields")
    return stage


def window() -> Stage:
    """The window over a real example."""
    stage = Stage(lenet(), "conv1")
    stage.part("window_part").fetch.click()
    return stage


def sees() -> Stage:
    """The receptive field on a real example."""
    stage = Stage(lenet(), "conv2")
    stage.part("sees").fetch.click()
    return stage


def what_if_strip() -> Stage:
    """Strides side by side."""
    stage = Stage(lenet(), "conv4")
    stage.part("what_if")
    return stage


def activation() -> Stage:
    """A curve, and where real values fall on it."""
    network = edit.set_activation(lenet(), "conv1", Choice("Tanh"))
    stage = Stage(network, "conv1")
    stage.part("activation").fetch.click()
    return stage


def initialisation() -> Stage:
    """A draw beside its law."""
    network = edit.set_init(lenet(), "conv2", "weight", Choice("kaiming_normal", {"nonlinearity": "relu"}))
    stage = Stage(network, "conv2")
    stage.part("init")
    return stage


def binarization() -> Stage:
    """An estimator, forward and backward."""
    network = edit.set_binarize(lenet(), "conv2", "weight", Choice("ste_sign"))
    stage = Stage(network, "conv2")
    stage.part("binarize")
    return stage


STATES = {
    "summary": summary,
    "fields": fields,
    "several": several,
    "window": window,
    "sees": sees,
    "what_if": what_if_strip,
    "activation": activation,
    "initialisation": initialisation,
    "binarization": binarization,
}


def draw() -> Iterator[tuple[str, QImage]]:
    """All states in the theme that is shown."""
    for name, state in STATES.items():
        yield name, state().image()
