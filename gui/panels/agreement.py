"""Predicted values against true ones, and by how much they miss them."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from engine.host.protocol import Predicted
from gui.panels.plot import Plot
from gui.panels.series import figure, padded
from gui.panels.words import Line
from gui.theme import SPACE, theme


class Agreement(QWidget):
    """A dot per example: left the predicted value over the true one, right the residual over it.

    On the line prediction and truth agree; a residual is the prediction less the truth.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Predicted against true values, and residuals")
        self._plots = [
            Plot(name, vertical_grid=True) for name in ("Predicted against true values", "Residuals")
        ]
        self._titles = [Line() for _ in self._plots]
        self._lines = [plot.curve("muted") for plot in self._plots]
        self.points, self.residuals = (plot.dots("accent") for plot in self._plots)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(1)
        for title, plot in zip(self._titles, self._plots, strict=True):
            title.setProperty("role", "muted")
            title.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
            column = QVBoxLayout()
            column.setSpacing(0)
            column.addWidget(title)
            column.addWidget(plot, 1)
            row.addLayout(column, 1)

    def show_predicted(self, predicted: Predicted) -> None:
        """Draw every example that has a target and a finite first output."""
        pairs = np.array(
            [(e.target, e.outputs[0]) for e in predicted.predictions if e.target is not None and e.outputs],
            dtype=np.float64,
        ).reshape(-1, 2)
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        missed = pairs[:, 1] - pairs[:, 0]
        self.points.setData(pairs[:, 0], pairs[:, 1])
        self.residuals.setData(pairs[:, 0], missed)
        span = padded(float(pairs.min()), float(pairs.max())) if len(pairs) else (0.0, 1.0)
        furthest = 1.08 * float(np.abs(missed).max(initial=0.0)) or 1.0
        across = np.array(span)
        self._lines[0].setData(across, across)
        self._lines[1].setData(across, np.zeros(2))
        self._plots[0].show_range(span, span)
        self._plots[1].show_range(span, (-furthest, furthest))
        whose = f" · {predicted.weights}" if predicted.weights else ""
        self._titles[0].say(f"Predicted over true value, {len(pairs):,} examples{whose}")
        if len(pairs):
            spread = f"mean {figure(float(missed.mean()))}, std {figure(float(missed.std()))}"
            self._titles[1].say(f"Residual over true value: {spread}")

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        for plot, line in zip(self._plots, self._lines, strict=True):
            plot.follow_theme()
            plot.paint_curve(line, "muted")
        for dots in (self.points, self.residuals):
            dots.setBrush(theme.color("accent"))
