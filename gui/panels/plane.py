"""What a network, or one of its units, gives over the plane of its two inputs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF

from engine.host.protocol import Mapped
from gui.panels.plot import Plot
from gui.panels.series import Array, figure
from gui.theme import theme

#: Tokens of the classes' colours; more classes begin anew.
CLASSES = ("train", "validation", "good", "warning", "accent", "error")


class Plane(Plot):
    """A decision boundary as coloured ground, with the examples on it.

    Of a network with classes the likeliest one's colour, the stronger the surer; of a single unit, or
    of a network that gives values, the first colour where it gives least and the second where most.
    """

    def __init__(self) -> None:
        super().__init__("Decision boundary")
        self.mapped: Mapped | None = None
        self.image = pg.ImageItem()
        self.image.setZValue(-90)
        self.addItem(self.image, ignoreBounds=True)
        self.points = pg.ScatterPlotItem(size=6)
        self.addItem(self.points, ignoreBounds=True)
        self.follow_theme()

    def show_mapped(self, mapped: Mapped | None) -> None:
        """Draw this; None: nothing."""
        self.mapped = mapped
        self.image.setVisible(mapped is not None)
        self.points.setVisible(mapped is not None)
        if mapped is None:
            return
        values = np.asarray(mapped.values).reshape(mapped.size, mapped.size)
        base = np.array([_channels(token) for token in CLASSES])
        points = np.asarray(mapped.points).reshape(-1, 3)
        if mapped.classes:
            paper = np.array(_channels("surface"))
            number = values.astype(int)
            floor = 1 / mapped.classes
            sure = np.clip((values - number - floor) / (1 - floor), 0, 1)[..., None]
            picture = paper + (0.15 + 0.55 * sure) * (base[number % len(base)] - paper)
        else:
            picture = _between(values, values, base)
        targets = points[:, 2]
        counted = bool(len(targets)) and bool(np.all((targets >= 0) & (targets == np.floor(targets))))
        colors = base[targets.astype(int) % len(base)] if counted else _between(targets, values, base)
        self.image.setImage(picture.astype(np.uint8).transpose(1, 0, 2))
        (left, low), (right, high) = mapped.lo, mapped.hi
        self.image.setRect(QRectF(left, low, right - left, high - low))
        brushes = [pg.mkBrush(*(int(channel) for channel in color)) for color in colors]
        self.points.setData(points[:, 0], points[:, 1], brush=brushes)
        self.show_range((left, right), (low, high))

    @property
    def words(self) -> str:
        """Between which values the colours go; nothing where they are classes."""
        if self.mapped is None or self.mapped.classes:
            return ""
        least, most = min(self.mapped.values), max(self.mapped.values)
        return f"blue {figure(least)} … orange {figure(most)}"

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        super().follow_theme()
        if hasattr(self, "points"):
            self.points.setPen(pg.mkPen(theme.color("surface"), width=1))
            self.show_mapped(self.mapped)

    def rows(self) -> Iterator[tuple[float, float, float, float | str]]:
        """Every point of the plane: x, y, the class or the value, and how likely a class is."""
        if (mapped := self.mapped) is None:
            return
        xs = np.linspace(mapped.lo[0], mapped.hi[0], mapped.size)
        ys = np.linspace(mapped.lo[1], mapped.hi[1], mapped.size)
        for number, value in enumerate(mapped.values):
            x, y = float(xs[number % mapped.size]), float(ys[number // mapped.size])
            yield (x, y, int(value), value - int(value)) if mapped.classes else (x, y, value, "")


def _channels(token: str) -> list[float]:
    color = theme.color(token)
    return [float(color.red()), float(color.green()), float(color.blue())]


def _between(values: Array, scale: Array, base: Array) -> Array:
    """Colours between the first and the second, by where `values` are between the ends of `scale`."""
    least, most = float(scale.min()), float(scale.max())
    share = np.clip((values - least) / ((most - least) or 1.0), 0, 1)[..., None]
    return np.asarray(base[0] + share * (base[1] - base[0]))
