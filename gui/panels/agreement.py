"""Predicted values against true ones."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QWidget

from engine.host.protocol import Predicted
from gui.panels.plot import Plot
from gui.panels.series import padded
from gui.theme import theme


class Agreement(Plot):
    """A dot per example, true value across and predicted value up; the line is where both agree."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Predicted against true values", parent, vertical_grid=True)
        self.setToolTip("Across: the true value. Up: the predicted one. On the line both agree.")
        self._line = self.curve("muted")
        self.points = self.dots("accent")

    def show_predicted(self, predicted: Predicted) -> None:
        """Draw every example that has a target and a finite first output."""
        pairs = np.array(
            [(e.target, e.outputs[0]) for e in predicted.predictions if e.target is not None and e.outputs],
            dtype=np.float64,
        ).reshape(-1, 2)
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        self.points.setData(pairs[:, 0], pairs[:, 1])
        span = padded(float(pairs.min()), float(pairs.max())) if len(pairs) else (0.0, 1.0)
        self._line.setData(np.array(span), np.array(span))
        self.show_range(span, span)

    def follow_theme(self) -> None:
        """Take on the theme's colours."""
        super().follow_theme()
        self.paint_curve(self._line, "muted")
        self.points.setBrush(theme.color("accent"))
