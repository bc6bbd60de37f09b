"""What layers give while they learn: how it is spread, how much of it is dead or saturated, its rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from PySide6.QtWidgets import QWidget

from engine.host.protocol import Activation, Distribution, Observation
from gui.panels.distributions import DistributionsPanel
from gui.panels.figures import percent
from gui.panels.parameters import Measure
from gui.panels.series import figure
from gui.panels.trend import Trend
from gui.selection import Selection
from gui.session import Session


def _reading(name: str) -> Callable[[Observation, str], float]:
    def read(observation: Observation, node: str) -> float:
        seen = observation.activations.get(node)
        value = None if seen is None else getattr(seen, name)
        return math.nan if value is None else float(value)

    return read


class Outputs(Mapping[str, Distribution]):
    """The distributions of one look by node; of hundreds of looks only one node's are wanted."""

    def __init__(self, seen: Mapping[str, Activation]) -> None:
        self._seen = seen

    def __getitem__(self, node: str) -> Distribution:
        return self._seen[node].values

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)


class ActivationsPanel(DistributionsPanel):
    """Per node: histograms of its output over time, dead and saturated share, effective rank."""

    color = "good"
    measures = (
        Measure("Spread", "Standard deviation over the examples of a batch, logarithmic", "good"),
        Measure("Rank", "Effective rank of the examples' features (Roy and Vetterli 2007)", "train"),
    )
    trends = (
        Trend("Dead units", _reading("dead"), "error"),
        Trend("Saturated", _reading("saturated"), "warning"),
        Trend("Effective rank", _reading("rank"), "train"),
    )
    hint = "Each layer's outputs are drawn here, so that you see where signals die or saturate."
    listed = "Layer"

    def __init__(self, session: Session, selection: Selection, parent: QWidget | None = None) -> None:
        super().__init__("Activations", "mdi6.pulse", session, selection, parent)

    @staticmethod
    def of(observation: Observation) -> Mapping[str, Distribution]:
        """The outputs' distributions."""
        return Outputs(observation.activations)

    def measured(self, observation: Observation) -> Sequence[Mapping[str, float]]:
        """Spread and effective rank."""
        seen = observation.activations
        return (
            {node: found.spread for node, found in seen.items()},
            {node: found.rank for node, found in seen.items() if found.rank is not None},
        )

    def names(self, observation: Observation) -> list[str]:
        """Nodes in the order in which they run."""
        return list(observation.activations)

    def path(self, name: str) -> list[str]:
        """The node itself."""
        return name.split(".")

    def words(self, name: str, observation: Observation) -> tuple[str, list[str]]:
        """Units in the heading; dead, saturated, rank among the figures."""
        seen = observation.activations[name]
        told = [f"dead units {percent(seen.dead)}"]
        if seen.saturated is not None:
            told.append(f"saturated {percent(seen.saturated)}")
        if seen.rank is not None:
            told.append(f"rank {figure(seen.rank)} of {seen.full_rank}")
        return f"   {seen.units} units", told

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
        """Every figure of every node at every step kept."""
        return (
            "step",
            "epoch",
            "node",
            "units",
            "dead",
            "saturated",
            "rank",
            "full_rank",
            "spread",
            "mean",
            "std",
            "lo",
            "hi",
            "counts",
        ), (
            (
                o.step,
                o.epoch,
                node,
                a.units,
                a.dead,
                a.saturated,
                a.rank,
                a.full_rank,
                a.spread,
                a.values.mean,
                a.values.std,
                a.values.lo,
                a.values.hi,
                " ".join(map(str, a.values.counts)),
            )
            for o in self._observations()
            for node, a in o.activations.items()
        )
