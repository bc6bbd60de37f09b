"""The weights while they learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QWidget

from engine.host.protocol import Distribution, Observation
from gui.panels.distributions import DistributionsPanel
from gui.panels.parameters import Measure
from gui.panels.trend import Trend
from gui.selection import Selection
from gui.session import Session


class WeightsPanel(DistributionsPanel):
    """Distribution, norm and standard deviation of every parameter over the run."""

    color = "train"
    measures = (Measure("Norm", "Euclidean norm, logarithmic", "train"),)
    trends = (
        Trend("Norm", lambda observation, name: observation.weights[name].norm, "train"),
        Trend("Std", lambda observation, name: observation.weights[name].std, "train"),
    )
    hint = "Each layer's weights are drawn here as they move away from their first draw."

    def __init__(self, session: Session, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__("Weights", "mdi6.chart-bell-curve", session, selection, parent)

    @staticmethod
    def of(observation: Observation) -> Mapping[str, Distribution]:
        """The weights' distributions."""
        return observation.weights

    def _observations(self) -> list[Observation]:
        initial = self._session.initial
        return [*([] if initial is None else [initial]), *super()._observations()]

    def measured(self, observation: Observation) -> Sequence[Mapping[str, float]]:
        """Norms."""
        return ({name: found.norm for name, found in observation.weights.items()},)
