"""The gradients while they flow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtWidgets import QWidget

from engine.host.protocol import Distribution, Observation
from gui.panels.distributions import DistributionsPanel
from gui.panels.parameters import HEALTHY, Measure
from gui.panels.trend import Trend
from gui.selection import Selection
from gui.session import Session


class GradientsPanel(DistributionsPanel):
    """Distribution and norm of every gradient, its flow through depth, and how far updates reach."""

    color = "validation"
    measures = (
        Measure("Norm", "Euclidean norm of the gradient, logarithmic, through the depth", "validation"),
        Measure(
            "Update ratio",
            "Norm of the last update over norm of the weight. Healthy: around 0.001.",
            "good",
            HEALTHY,
        ),
    )
    trends = (
        Trend("Norm", lambda observation, name: observation.gradients[name].norm, "validation", log=True),
        Trend(
            "Update ratio",
            lambda observation, name: observation.updates.get(name, math.nan),
            "text",
            log=True,
            band=HEALTHY,
        ),
        Trend(
            "Cosine to the step before",
            lambda observation, name: observation.cosines.get(name, math.nan),
            "train",
        ),
    )
    hint = "Each layer's gradients are drawn here, so that you see where learning stalls."

    def __init__(self, session: Session, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__("Gradients", "mdi6.slope-downhill", session, selection, parent)

    @staticmethod
    def of(observation: Observation) -> Mapping[str, Distribution]:
        """The gradients' distributions."""
        return observation.gradients

    def measured(self, observation: Observation) -> Sequence[Mapping[str, float]]:
        """Norms, and update-to-weight ratios."""
        return (
            {name: found.norm for name, found in observation.gradients.items()},
            dict(observation.updates),
        )

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Every figure of every parameter at every step kept, with how far its update reached."""
        names, rows = super().table()
        more = (
            (o.updates.get(name, ""), o.cosines.get(name, ""))
            for o in self._observations()
            for name in self.of(o)
        )
        return (*names, "update_ratio", "cosine"), (
            (*row, *further) for row, further in zip(rows, more, strict=True)
        )
