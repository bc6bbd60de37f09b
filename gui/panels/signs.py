"""The signs of binarized weights while they learn: which flip, which flip-flop, what the estimator masks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from engine.host.protocol import BinaryWeight, Distribution, Observation
from engine.lab_binary import FLIP_FLOP, LOOKS
from gui.panels.distributions import WIDE, DistributionsPanel
from gui.panels.figures import percent
from gui.panels.parameters import Measure
from gui.panels.plot import Plot
from gui.panels.trend import Trend
from gui.selection import Selection
from gui.session import Session
from gui.theme import SPACE, theme

#: What a node's binarized input is listed as.
INPUT = " · input"
#: Looks over which a rate is averaged for the list: one step of a small layer flips a few signs, or none.
_RECENT = 5


def _weight(name: str) -> Callable[[Observation, str], float]:
    def read(observation: Observation, listed: str) -> float:
        found = observation.binary_weights.get(listed)
        return math.nan if found is None else float(getattr(found, name))

    return read


def _masked(observation: Observation, listed: str) -> float:
    found = observation.binary_weights.get(listed) or observation.binary_inputs.get(
        listed.removesuffix(INPUT)
    )
    return math.nan if found is None or found.masked is None else found.masked


class SignsPanel(DistributionsPanel):
    """Latent weights and binarized inputs over time, and how their signs fare."""

    color = "train"
    measures = (
        Measure(
            "Flips an epoch %",
            "Share of signs that change in a step, times the steps of an epoch. "
            "A network that settles on MNIST flips 0.1 to 5 % of its signs in each epoch after the first.",
            "train",
        ),
    )
    trends = (
        Trend("Flips a step", _weight("flip_rate"), "train", format=percent),
        Trend("Masked", _masked, "warning", format=percent),
        Trend("Near zero", _weight("near_zero"), "validation", format=percent),
        Trend("At the clip", _weight("at_clip"), "error", format=percent),
    )
    hint = "The latent weights of binarized layers are drawn here, and the signs that flip."
    listed = "Binarized"

    def __init__(self, session: Session, selection: Selection, parent: QWidget | None = None) -> None:
        self.restless = QListWidget()
        self.flopping = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.per_weight = Plot("Weights by how often they flipped")
        self.counts = pg.BarGraphItem(x=[], height=[], width=0.8)
        super().__init__("Signs", "mdi6.contrast-circle", session, selection, parent)
        self._side = self._flops()
        left = self.parameters.parentWidget()
        column = left.layout() if left is not None else None
        assert isinstance(column, QVBoxLayout)
        column.addWidget(self._side, 1)

    def _flops(self) -> QWidget:
        """Below the list: the flip-flopping weights, and how many flip how often."""
        self.restless.setAccessibleName("Flip-flopping weights")
        self.restless.setToolTip("A click selects the layer on the canvas.")
        self.restless.setFrameShape(QListWidget.Shape.NoFrame)
        self.restless.itemClicked.connect(lambda item: self._find(item.data(Qt.ItemDataRole.UserRole)))
        self.flopping.setProperty("role", "muted")
        self.flopping.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        self.per_weight.addItem(self.counts, ignoreBounds=True)
        self.per_weight.axes["left"].format = lambda place: f"{10**place - 1:,.0f}"
        self.per_weight.axes["left"].whole = True
        self.per_weight.axes["bottom"].whole = True
        self.per_weight.setMinimumHeight(80)
        self.per_weight.setToolTip(
            f"How many weights differed in sign from the look before, at so many of the last {LOOKS} looks. "
            f"From {FLIP_FLOP} on a weight flip-flops."
        )
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.flopping)
        column.addWidget(self.restless, 1)
        column.addWidget(_muted(f"Weights by flips in {LOOKS} looks"))
        column.addWidget(self.per_weight, 1)
        return side

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where list and pictures stand below one another there is no room for the flip-flopping weights."""
        super().resizeEvent(event)
        self._side.setVisible(self.width() >= WIDE)

    def hide_menu(self) -> None:
        """Leave saving and ridges to the panel around."""
        assert self._menu_button is not None
        self._menu_button.hide()
        for action in self._menu_button.menu().actions():
            if action is not self.as_ridges:
                self.removeAction(action)  # two actions with one key would keep each other from it
                action.deleteLater()

    # ------------------------------------------------------------------ what is listed

    @staticmethod
    def of(observation: Observation) -> Mapping[str, Distribution]:
        """Latent weights, then what input binarizers get."""
        found = {n: observation.weights[n] for n in observation.binary_weights if n in observation.weights}
        return found | {node + INPUT: seen.values for node, seen in observation.binary_inputs.items()}

    def names(self, observation: Observation) -> list[str]:
        """Weights in the model's order, each before its node's input."""
        found = list(self.of(observation))
        known = [name for name in found if not name.endswith(INPUT)]
        for name in (name for name in found if name.endswith(INPUT)):
            own = [i for i, other in enumerate(known) if self.path(other) == self.path(name)]
            known.insert(own[-1] + 1 if own else len(known), name)
        return known

    def path(self, name: str) -> list[str]:
        """The nodes that lead there."""
        if name.endswith(INPUT):
            return name.removesuffix(INPUT).split(".")
        return super().path(name)

    def measured(self, observation: Observation) -> Sequence[Mapping[str, float]]:
        """Flips an epoch, over the last looks."""
        begun = self._session.begun
        steps = begun.steps_per_epoch if begun else 1
        recent = [o for o in self._observations() if o.step <= observation.step][-_RECENT:]
        rates: dict[str, list[float]] = {}
        for seen in recent:
            for name, found in seen.binary_weights.items():
                rates.setdefault(name, []).append(found.flip_rate)
        return ({name: 100 * steps * sum(values) / len(values) for name, values in rates.items()},)

    # ------------------------------------------------------------------ what is shown of one

    def words(self, name: str, observation: Observation) -> tuple[str, list[str]]:
        """The shape; flips, signs and mass among the figures."""
        size, _ = super().words(name, observation)
        weight = observation.binary_weights.get(name)
        if weight is None:
            taken = observation.binary_inputs[name.removesuffix(INPUT)]
            told = [f"+1 {percent(taken.positive)}"]
            if taken.masked is not None:
                told.append(f"masked {percent(taken.masked)}")
            return size, told
        told = [f"+1 {percent(weight.positive)}", f"flipped {percent(weight.flip_rate)}"]
        if weight.masked is not None:
            told.append(f"masked {percent(weight.masked)}")
        if weight.at_clip == 1:
            told.append("signs without latent values")  # as Bop keeps them
        return size, told

    def _draw(self, name: str, observations: list[Observation]) -> Iterator[None]:
        yield from super()._draw(name, observations)
        yield
        for trend in self.trend_plots[:1] + self.trend_plots[2:]:
            trend.setVisible(not name.endswith(INPUT))
        self._show_flops(name, observations[-1].binary_weights.get(name))

    def _show_flops(self, name: str, found: BinaryWeight | None) -> None:
        begun = self._session.begun
        shape = begun.parameters.get(name, ()) if begun else ()
        if found is None:
            self.flopping.setText("Inputs change with every example; flips are counted of weights.")
        else:
            count = sum(found.per_weight[FLIP_FLOP:])
            followed = "" if math.prod(shape) <= found.followed else " that are followed"
            self.flopping.setText(
                f"{count:,} of {found.followed:,} weights{followed} flip-flop: their sign differed at "
                f"{FLIP_FLOP} of the last {LOOKS} looks or more."
            )
        rows = () if found is None else found.restless
        texts = [f"{_place(at, shape)}   {flips} of {LOOKS}" for at, flips in rows]
        if texts != [self.restless.item(i).text() for i in range(self.restless.count())]:
            self.restless.clear()
            for text in texts:
                item = QListWidgetItem(text)
                item.setData(Qt.ItemDataRole.UserRole, name)
                self.restless.addItem(item)
        counts = np.array(found.per_weight if found else (), dtype=np.float64)
        height = np.log10(counts + 1)
        self.counts.setOpts(
            x=np.arange(len(counts)),
            height=height,
            brushes=[
                theme.color("warning" if flips >= FLIP_FLOP else "train") for flips in range(len(counts))
            ],
            pen=pg.mkPen(None),
        )
        self.per_weight.show_range((-0.6, LOOKS + 0.6), (0.0, max(1.0, float(height.max(initial=0)) * 1.05)))

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        super().follow_theme()
        self.per_weight.follow_theme()

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Every figure of every binarized weight and input at every step kept."""
        names = "step epoch name flip_rate positive near_zero at_clip masked per_weight followed"
        return names.split(), (row for o in self._observations() for row in _rows(o))


def _rows(o: Observation) -> Iterator[Sequence[object]]:
    for name, w in o.binary_weights.items():
        shares = (w.flip_rate, w.positive, w.near_zero, w.at_clip, w.masked)
        yield (o.step, o.epoch, name, *shares, " ".join(map(str, w.per_weight)), w.followed)
    for node, i in o.binary_inputs.items():
        yield (o.step, o.epoch, node + INPUT, None, i.positive, None, None, i.masked, None, None)


def _place(at: int, shape: Sequence[int]) -> str:
    """Where a weight is: ``[12, 40]``."""
    if not shape:
        return f"[{at}]"
    return f"[{', '.join(str(int(i)) for i in np.unravel_index(at, tuple(shape)))}]"


def _muted(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("role", "muted")
    label.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
    return label
