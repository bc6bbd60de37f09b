"""Windows over a sequence, without copying it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from engine.data.pool import Array


class Cut(NamedTuple):
    """Where windows lie in a sequence."""

    #: Steps of a window, from its end to the target (1: the next step), and from window to window.
    length: int
    horizon: int
    stride: int

    def count(self, steps: int) -> int:
        """How many windows a sequence of `steps` has, each with its target."""
        return max(0, (steps - self.length - self.horizon) // self.stride + 1)

    @property
    def overlap(self) -> int:
        """Windows after the first that share a step with it, its target included."""
        return math.ceil((self.length + self.horizon) / self.stride) - 1

    def inputs(self, sequence: Array) -> Array:
        """``[windows, length, …]``: a view of ``[steps, …]``."""
        count = self.count(len(sequence))
        rolled = np.lib.stride_tricks.sliding_window_view(sequence, self.length, axis=0)
        return np.moveaxis(rolled, -1, 1)[: count * self.stride : self.stride][:count]

    def targets(self, sequence: Array) -> Array:
        """``[windows, …]``: what stands `horizon` behind each window's end."""
        first = self.length + self.horizon - 1
        return sequence[first :: self.stride][: self.count(len(sequence))]
