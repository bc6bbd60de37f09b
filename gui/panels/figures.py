"""A run's figures: how they are called and written, and their curves as they grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.host import protocol
from engine.network import Network
from gui.panels.series import Track, figure

#: Metrics in the order in which they are shown; others follow by name.
ORDER = ("loss", "accuracy")

#: Metrics that are shares, shown in percent and never beyond 0 … 100 %.
SHARES = ("accuracy", "top5")

#: Metrics that are not called by their name with a capital.
TITLES = {"mae": "MAE", "rmse": "RMSE", "r2": "R²", "top5": "Top-5 accuracy"}


def split_color(split: str) -> str:
    """The token of a split's colour."""
    return {"train": "train", "validation": "validation"}.get(split, "good")


def split_title(split: str) -> str:
    """A split as people say it."""
    return {"train": "Training", "validation": "Validation", "test": "Test"}.get(split, split)


def metric_title(name: str) -> str:
    """A metric as people write it."""
    title = name.replace("_", " ")
    return TITLES.get(name, title[:1].upper() + title[1:])


def percent(value: float) -> str:
    """A share as text."""
    return f"{100 * value:.4g} %" if np.isfinite(value) else figure(value)


class History:
    """All curves of one run, by (metric, split), read from the session's list as it grows."""

    def __init__(
        self, metrics: list[protocol.Metrics], network: Network | None, run: str | None = None
    ) -> None:
        self.source = metrics
        #: What the run is called: its folder's name.
        self.run = Path(run or "").name
        self._folder = run
        self._recipe = None if network is None else network.recipe
        self._read = 0
        self.tracks: dict[tuple[str, str], Track] = {}

    def read(self) -> None:
        """Take in what is new."""
        points: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
        for event in self.source[self._read :]:
            for name, value in event.values.items():
                points.setdefault((name, event.split), []).append(
                    (event.step, event.epoch, event.seconds, value)
                )
        for key, found in points.items():
            self.tracks.setdefault(key, Track()).extend(found)
        self._read = len(self.source)

    def compares_with(self, other: History) -> bool:
        """Whether both measure the same: the loss on the same data."""
        mine, theirs = self._recipe, other._recipe
        return mine is None or theirs is None or (mine.data, mine.loss) == (theirs.data, theirs.loss)

    def tells_again(self, other: History) -> bool:
        """Whether this is the run that `other` is of, opened again: all that was told is told here, too."""
        return self._folder == other._folder and self.source[: len(other.source)] == other.source

    @property
    def metrics(self) -> list[str]:
        """The metrics' names in the order of display."""
        names = {name for name, _ in self.tracks}
        return sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))

    def splits(self, metric: str) -> dict[str, Track]:
        """The curves of one metric by split: training first."""
        found = {split: track for (name, split), track in self.tracks.items() if name == metric}
        return {split: found[split] for split in sorted(found, key=_split_order)}


def _split_order(split: str) -> tuple[int, str]:
    order = ("train", "validation", "test")
    return (order.index(split) if split in order else len(order), split)
