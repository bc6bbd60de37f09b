"""Histograms over time as ridges, one behind the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPainter, QPen, QPolygonF

from gui.panels.plot import mixed
from gui.panels.series import Array

#: Most ridges drawn; those are spread evenly over the run.
MOST = 40

#: How far a ridge reaches over its neighbours, in distances between two.
REACH = 3.0


class Ridges(pg.GraphicsObject):  # type: ignore[misc]
    """One painted item for all ridges: as items of their own, 60 cost ten times as much.

    Each stands upright at its step, the values along the vertical axis as in the heat map, and
    swells to the right where many values are.
    """

    def __init__(self, color: str) -> None:
        super().__init__()
        self._color = color
        self._bounds = QRectF()
        self.polygons: list[QPolygonF] = []
        self.setZValue(-80)

    def show_shares(self, steps: Array, shares: Array, edges: Array, span: tuple[float, float]) -> None:
        """Draw these: `shares` has a row per step, shape [steps, bins]."""
        self.prepareGeometryChange()
        picked = np.unique(np.linspace(0, len(steps) - 1, min(MOST, len(steps))).round().astype(int))
        distance = (span[1] - span[0]) / max(len(picked), 1)
        # By a high quantile, so that one full bin (a bias of zeros) does not flatten the others.
        height = float(np.quantile(shares[picked].max(axis=1), 0.9)) or 1.0
        reach = distance * min(REACH, len(picked))
        centres = (edges[:-1] + edges[1:]) / 2
        self.polygons = []
        for row in picked:
            swell = steps[row] + reach * np.minimum(shares[row] / height, 1.0)
            points = [QPointF(x, y) for x, y in zip(swell, centres, strict=True)]
            base = float(steps[row])
            self.polygons.append(QPolygonF([QPointF(base, edges[0]), *points, QPointF(base, edges[-1])]))
        self._bounds = QRectF(span[0], edges[0], span[1] - span[0] + reach, edges[-1] - edges[0])
        self.update()

    def boundingRect(self) -> QRectF:
        """All ridges."""
        return self._bounds

    def paint(self, painter: QPainter, *options: Any) -> None:
        """Draw the late ones first, so that each stands before its follower."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(mixed("surface", 1.0), 0))
        count = max(len(self.polygons) - 1, 1)
        for index, polygon in reversed(list(enumerate(self.polygons))):
            painter.setBrush(mixed(self._color, 0.35 + 0.65 * index / count))
            painter.drawPolygon(polygon)
