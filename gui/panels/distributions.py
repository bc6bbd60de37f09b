"""How the values of parameters, or of their gradients, are spread, and how that moves.

One panel for both: :class:`WeightsPanel` and :class:`GradientsPanel` say what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAction, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.host.protocol import Distribution, Observation
from gui.actions import local
from gui.narrow import Paragraph
from gui.panels.depth import DepthPlots
from gui.panels.histograms import Heat, spread_out
from gui.panels.panel import Panel
from gui.panels.parameters import Measure, ParameterTable
from gui.panels.plot import Plot, drawable
from gui.panels.ridges import Ridges
from gui.panels.series import Array, figure
from gui.panels.trend import Trend, TrendPlot
from gui.panels.words import Line
from gui.selection import Selection
from gui.session import Session
from gui.theme import SPACE, theme

#: From this width on, list and pictures stand side by side.
WIDE = 560

#: Below this width there is room for one plot only beside another's numbers.
NARROW = 260


class DistributionsPanel(Panel):
    """Parameters in the model's order; for the chosen one, histograms over time and figures."""

    #: What is shown: the observation's mapping.
    of: Callable[[Observation], Mapping[str, Distribution]]
    #: Token of the heat map's and the bars' colour.
    color = "train"
    measures: tuple[Measure, ...] = ()
    trends: tuple[Trend, ...] = ()
    hint = ""
    #: What is listed.
    listed = "Parameter"

    def __init__(
        self, title: str, icon: str, session: Session, selection: Selection, parent: QWidget | None = None
    ) -> None:
        super().__init__(title, icon, parent)
        self._session = session
        self._selection = selection
        self._heat = Heat()
        self._shown: tuple[object, str] | None = None

        self.parameters = ParameterTable(title, self.measures, listed=self.listed)
        self.parameters.setMinimumHeight(100)
        self.note = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.note.setProperty("role", "muted")
        self.note.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        self.note.hide()
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.note)
        column.addWidget(self.parameters, 1)

        self.heading = Line()
        self.heading.setProperty("role", "heading")
        self.figures = Paragraph()
        self.figures.setAccessibleName(f"{title}: figures")
        self.heat_plot = Plot(f"{title}: histograms over time")
        self.heat_plot.setToolTip("Each column is one histogram: the darker, the more values there.")
        self.heat_plot.axes["bottom"].whole = True
        self.image = pg.ImageItem()
        self.image.setZValue(-90)
        self.heat_plot.addItem(self.image, ignoreBounds=True)
        self.ridges = Ridges(self.color)
        self.ridges.hide()
        self.heat_plot.addItem(self.ridges, ignoreBounds=True)
        self.as_ridges = QAction("Ridges instead of a heat map", self, checkable=True)
        local(self.as_ridges, self, "Ctrl+P, R")
        self.through_depth = QToolButton()
        self.through_depth.setText("All layers")
        self.through_depth.setCheckable(True)
        self.through_depth.setToolTip("All layers at once, through the depth of the network")
        self.depth_plots = DepthPlots(self.measures, title)
        self.depth_plots.hide()
        self.depth_plots.chosen.connect(self._choose)
        self.through_depth.toggled.connect(self._depth_toggled)
        self.mean = self.heat_plot.curve("text", 1.0, 0.7)
        self.now_plot = Plot(f"{title}: distribution now")
        self.now_plot.hideAxis("left")
        self.now_plot.axes["bottom"].format = lambda share: f"{share:.3g} %"
        # Not linked by pyqtgraph, which would shift the range by how the two overlap on the screen.
        self.heat_plot.view.sigYRangeChanged.connect(self._follow_heat)
        self.bars = pg.BarGraphItem(x0=[], y0=[], width=[], height=[])
        self.now_plot.addItem(self.bars, ignoreBounds=True)
        self.first = self.now_plot.curve("text", 1.0, 0.8)
        self.trend_plots = [TrendPlot(trend) for trend in self.trends]

        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(left)
        self.split.addWidget(self._details())
        self.split.setStretchFactor(1, 1)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self.split)
        whole = QVBoxLayout(self.content)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._scroll)

        self.as_ridges.toggled.connect(self.request)
        self.parameters.chosen.connect(self.request)
        self.parameters.clicked.connect(lambda index: self._point(self.parameters.list.names[index.row()]))
        self.parameters.found.connect(self._find)
        session.observed.connect(self.request)
        session.sought.connect(self.request)
        session.state_changed.connect(self.request)
        selection.changed.connect(self.request)
        selection.block_changed.connect(self.request)
        self.follow_theme()
        self.flush()

    def _details(self) -> QWidget:
        head = QHBoxLayout()
        head.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        head.addWidget(self.heading, 1)
        head.addWidget(self.through_depth)
        head.addWidget(self.menu_button(self.as_ridges))
        self.figures.setMinimumWidth(1)
        self.figures.setContentsMargins(2 * SPACE, 0, 2 * SPACE, SPACE)
        heat = QHBoxLayout()
        heat.setSpacing(0)
        heat.addWidget(self.heat_plot, 3)
        heat.addWidget(self.now_plot, 1)
        self.heat_plot.setMinimumHeight(110)
        self._trends = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._trends.setSpacing(1)
        for plot in self.trend_plots:
            self._trends.addWidget(plot)
        self._one, details = QWidget(), QWidget()
        one = QVBoxLayout(self._one)
        one.setContentsMargins(0, 0, 0, 0)
        one.setSpacing(0)
        one.addWidget(self.figures)
        one.addLayout(heat, 3)
        one.addLayout(self._trends, 2)
        details.setAutoFillBackground(True)
        details.setBackgroundRole(QPalette.ColorRole.Base)
        column = QVBoxLayout(details)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._one, 1)
        column.addWidget(self.depth_plots, 1)
        return details

    # ------------------------------------------------------------------ what is shown

    def refresh(self) -> Iterator[None]:
        """Draw what has come in: the list, then the histograms, then a trend at a time."""
        observations = self._observations()
        if not observations:
            self._say_empty()
            return
        self.show_content()
        newest = observations[-1]
        self._list(newest)
        self.parameters.list.show_values(self.measured(newest))
        name = self.parameters.name
        if self.through_depth.isChecked():
            yield
            self._draw_depth(observations)
            return
        if name is not None:
            yield
            yield from self._draw(name, [o for o in observations if name in self.of(o)])

    def measured(self, observation: Observation) -> Sequence[Mapping[str, float]]:
        """The figures of each measure, by parameter."""
        raise NotImplementedError

    def _observations(self) -> list[Observation]:
        """Those kept over the run, and the newest, up to the step that is looked at."""
        return [observation for observation in self._session.seen() if self.of(observation)]

    def _say_empty(self) -> None:
        if self._session.active:
            self.show_empty("Waiting for the first look", self.hint)
        else:
            self.show_empty(f"No {self.title.lower()} yet", f"Press Train (F5). {self.hint}")

    def names(self, observation: Observation) -> list[str]:
        """What is listed, in order."""
        begun = self._session.begun
        known = self.of(observation)
        return [name for name in (begun.parameters if begun else known) if name in known]

    def path(self, name: str) -> list[str]:
        """The nodes that lead to what is listed under `name`."""
        return name.split(".")[:-1]

    def _list(self, observation: Observation) -> None:
        """List what belongs to the selected nodes, or all."""
        names = self.names(observation)
        # Through the depth all are seen, whatever is selected.
        chosen = () if self.through_depth.isChecked() else self._selection.nodes
        picked = [n for n in names if within(self.path(n), chosen, self._selection.block)]
        nodes = ", ".join(chosen)
        self.note.setVisible(bool(nodes) and not picked)
        self.note.setText(
            f"{nodes}: nothing to see there. All are listed." if self.note.isVisibleTo(self) else ""
        )
        self.parameters.show_names(picked or names)

    def _draw_depth(self, observations: list[Observation]) -> None:
        """Every measure of everything that is listed, at the newest step and at the first."""
        names = self.parameters.list.names
        first, newest = observations[0], observations[-1]
        steps = f"step {newest.step:,}, faint: step {first.step:,}"
        self.heading.say(f"All {self.listed.lower()}s, from input to output", steps)
        self.depth_plots.show_figures(
            names, self.measured(newest), self.measured(first), self.parameters.name
        )

    def _depth_toggled(self, on: bool) -> None:
        self._one.setVisible(not on)
        self.depth_plots.setVisible(on)
        self.request()

    def _choose(self, name: str) -> None:
        """What was clicked in the plot: choose it, and find its node."""
        self.parameters.choose(name)
        self._point(name)

    def _draw(self, name: str, observations: list[Observation]) -> Iterator[None]:
        # Another run, or another parameter: its columns are not these.
        shown = (self._session.begun, name)
        if self._shown is None or self._shown[0] is not shown[0] or self._shown[1] != name:
            self._shown = shown
            self._heat.clear()
            for plot in (self.heat_plot, self.now_plot, *(t.plot for t in self.trend_plots)):
                plot.held = False
        found = [self.of(observation)[name] for observation in observations]
        steps = [observation.step for observation in observations]
        counts = self._heat.update(steps, found)
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        edges = self._heat.edges
        picture, first, last = spread_out(steps, shares)
        span = (first, last)
        # The square root lets thin tails be seen beside the bulk; a quantile, because one full bin
        # (zeros behind a ReLU) would leave all else in the dark.
        filled = shares[shares > 0]
        level = float(np.sqrt(np.quantile(filled, 0.97))) if len(filled) else 1.0
        self.image.setImage(np.sqrt(picture), autoLevels=False, levels=(0.0, level))
        self.image.setRect(QRectF(first, edges[0], last - first, edges[-1] - edges[0]))
        places = np.array(steps, dtype=np.float64)
        self.image.setVisible(not self.as_ridges.isChecked())
        self.ridges.setVisible(self.as_ridges.isChecked())
        if self.as_ridges.isChecked():
            self.ridges.show_shares(places, shares, edges, span)
        means = np.array([d.mean for d in found])
        self.heat_plot.show_range(span, (edges[0], edges[-1]))
        self.heat_plot.draw(self.mean, places, drawable(means, edges[0], edges[-1]))
        self._say_figures(name, found[-1], observations[-1])
        yield
        self._draw_now(edges, 100 * shares[0], 100 * shares[-1], steps[0], steps[-1])
        for trend in self.trend_plots:
            yield
            values = np.array([trend.trend.of(observation, name) for observation in observations])
            trend.show_values(places, values, span)

    def _follow_heat(self, _view: object, span: tuple[float, float]) -> None:
        self.now_plot.view.setYRange(*span, padding=0)
        self.now_plot.view.updateMatrix()

    def _draw_now(self, edges: Array, first: Array, now: Array, start: int, last: int) -> None:
        height = float(edges[1] - edges[0])
        filled = now > 0
        self.now_plot.setToolTip(f"The distribution at step {last:,} (filled) and at step {start:,} (line).")
        self.bars.setOpts(
            x0=np.zeros(int(filled.sum())), y0=edges[:-1][filled], width=now[filled], height=height
        )
        outline = np.repeat(np.where(first > 0, first, np.nan), 2)
        self.first.setData(outline, np.repeat(edges, 2)[1:-1])
        # One full bin (a bias of zeros) would flatten all else.
        most = max(float(now.max()), min(float(first.max()), 3 * float(now.max())))
        low, high = self.heat_plot.view.viewRange()[1]
        self.now_plot.show_range((0.0, 1.08 * (most or 1.0)), (low, high))

    def words(self, name: str, observation: Observation) -> tuple[str, list[str]]:
        """What stands behind the name, and figures beside the distribution's."""
        begun = self._session.begun
        shape = begun.parameters.get(name, ()) if begun else ()
        return f"   {' × '.join(map(str, shape))}" if shape else "", []

    def _say_figures(self, name: str, now: Distribution, observation: Observation) -> None:
        size, further = self.words(name, observation)
        self.heading.say(name + size)
        self.heading.setToolTip(
            f"{name}{size}\nObserving has cost {100 * observation.cost:.2g} % of training time."
        )
        lo, hi = _ends(now)
        words = [
            f"step {observation.step:,}",
            f"mean {figure(now.mean)}",
            f"std {figure(now.std)}",
            f"norm {figure(now.norm)}",
            f"range {figure(lo)} to {figure(hi)}",
            f"zeros {100 * now.zeros:.3g} %",
            *further,
        ]
        if now.bad:
            words.append(f"NaN or infinite: {now.bad:,}")
        self.figures.setText("   ".join(word.replace(" ", "\u00a0") for word in words))
        # Its lines are not given back: plots that grow and shrink with the words hop, and are all drawn anew.
        high = self.figures.heightForWidth(self.figures.width())
        if high > self.figures.minimumHeight():
            self.figures.setMinimumHeight(high)
        role = "error" if now.bad else None
        if role != self.figures.property("role"):
            self.figures.setProperty("role", role)
            self.figures.style().polish(self.figures)

    # ------------------------------------------------------------------ the rest

    def _node(self, name: str) -> str | None:
        parts = self.path(name)
        if not parts:
            return None
        return (parts[-1] if self._selection.block else parts[0]).split("__")[0]

    def _point(self, name: str) -> None:
        """Show where the parameter's node is on the canvas."""
        if (node := self._node(name)) is not None:
            self._selection.point(node)

    def _find(self, name: str) -> None:
        """Select the parameter's node on the canvas."""
        if (node := self._node(name)) is not None:
            self._selection.set([node])

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Side by side where there is room, else below one another."""
        super().resizeEvent(event)
        self.figures.setMinimumHeight(0)
        wide = self.width() >= WIDE
        orientation = Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical
        if orientation != self.split.orientation() or not event.oldSize().isValid():
            self.split.setOrientation(orientation)
            self.split.setSizes([290, max(self.width() - 290, 300)] if wide else [118, 282])
        # In a narrow dock the trends stand below one another, and a row names one figure.
        narrow = self.width() < NARROW
        across = QBoxLayout.Direction.LeftToRight
        self._trends.setDirection(QBoxLayout.Direction.TopToBottom if narrow else across)
        self.now_plot.setVisible(self.width() >= NARROW)
        if len(self.measures) > 1:
            self.parameters.setColumnHidden(1, narrow)
        self.request()

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for plot in (self.heat_plot, self.now_plot):
            plot.follow_theme()
        for trend in self.trend_plots:
            trend.follow_theme()
        self.depth_plots.follow_theme()
        self.image.setLookupTable(ramp(self.color))
        self.bars.setOpts(brush=theme.color(self.color), pen=pg.mkPen(None))
        self.heat_plot.paint_curve(self.mean, "text", 1.0, 0.7)
        self.now_plot.paint_curve(self.first, "text", 1.0, 0.8)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Every figure of every parameter at every step kept."""
        names = ("step", "epoch", "parameter", "lo", "hi", "mean", "std", "norm", "zeros", "bad", "counts")
        return names, (
            (
                o.step,
                o.epoch,
                name,
                *_ends(d),
                d.mean,
                d.std,
                d.norm,
                d.zeros,
                d.bad,
                " ".join(map(str, d.counts)),
            )
            for o in self._observations()
            for name, d in self.of(o).items()
        )


def _ends(of: Distribution) -> tuple[float, float]:
    """Its least and greatest value; of one value alone the bins have a width that it has not."""
    return (of.lo, of.hi) if of.std else (of.mean, of.mean)


def owned(parameter: str, nodes: Sequence[str], block: str | None) -> bool:
    """Whether `parameter` (``conv1.weight``, ``layer1.0.conv1.weight``) belongs to one of `nodes`.

    On the top level the path begins with the node; inside a block it passes through it. Helpers
    such as ``fc__activation`` belong to their node.
    """
    return within(parameter.split(".")[:-1], nodes, block)


def within(words: Sequence[str], nodes: Sequence[str], block: str | None) -> bool:
    """Whether a path of nodes leads to, or through, one of `nodes`."""
    path = [word.split("__")[0] for word in words]
    return any(node in (path if block else path[:1]) for node in nodes)


def ramp(color: str) -> np.ndarray:
    """256 colours from the ground to a token's colour, and on to the text's."""
    stops = [theme.color("surface"), theme.color(color), theme.color("text")]
    places = [0.0, 0.75, 1.0]
    channels = [
        np.interp(np.linspace(0, 1, 256), places, [getattr(stop, channel)() for stop in stops])
        for channel in ("red", "green", "blue")
    ]
    return np.stack(channels, axis=1).astype(np.uint8)
