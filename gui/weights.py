"""Trained weights beside a file: do they fit the drawing?

Only the header of a safetensors file is read here: names and shapes. The host reads the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from engine.findings import Analysis

#: A longer header is nonsense (safetensors has the same limit).
_MAX_HEADER = 100_000_000


def beside(path: Path) -> Path:
    """Where the weights of the network file at `path` lie."""
    return path.with_suffix(".safetensors")


def shapes(path: Path) -> dict[str, tuple[int, ...]] | None:
    """Tensor name -> shape, or None if `path` is no readable safetensors file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= _MAX_HEADER:
                return None
            header: dict[str, Any] = msgspec.json.decode(file.read(length), type=dict[str, Any])
        return {
            name: tuple(int(side) for side in entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (OSError, msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file and the parameters of a drawing go together."""

    #: Names that are in both with the same shape.
    fitting: frozenset[str]
    #: Names of the drawing that the file lacks or has in another shape.
    missing: frozenset[str]

    @property
    def whole(self) -> bool:
        """Whether every parameter has its value in the file."""
        return bool(self.fitting) and not self.missing


def fit(found: dict[str, tuple[int, ...]], analysis: Analysis) -> Fit:
    """Compare tensors of a file with the parameters of an analysed network."""
    wanted = {
        f"{id}.{name}": tuple(shape)
        for id, report in analysis.nodes.items()
        for name, shape in report.parameters.items()
    }
    fitting = frozenset(name for name, shape in wanted.items() if found.get(name) == shape)
    return Fit(fitting, frozenset(wanted) - fitting)
