"""How written files are proved: read back, run, and compared with the model they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.problems import NetworkProblem

#: Examples that two forms are compared on, at most.
COMPARED = 16


class NotTheSame(NetworkProblem):
    """What was written, read back, is not the model that was exported."""


def named(result: Any) -> dict[str, Tensor]:
    """A network's result by output: a lone tensor is called ``output``."""
    return dict(result) if isinstance(result, Mapping) else {"output": result}


def run(model: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
    """The outputs of `model` in evaluation mode, in which nothing is drawn."""
    with torch.inference_mode():
        return named(model.eval()(*batch))


def equal(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    """Whether both hold the same tensors to the last bit, NaN being equal to NaN."""
    return ours.keys() == theirs.keys() and all(
        a.shape == theirs[name].shape
        and a.dtype == theirs[name].dtype
        and torch.allclose(a, theirs[name], rtol=0, atol=0, equal_nan=True)
        for name, a in ours.items()
    )


def difference(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """The largest difference of two results' values; infinite where names or shapes differ."""
    if ours.keys() != theirs.keys() or any(a.shape != theirs[name].shape for name, a in ours.items()):
        return float("inf")
    gaps = [(a.double() - theirs[name].double()).abs() for name, a in ours.items() if a.numel()]
    # Equal infinities, and NaN on both sides, are no difference.
    return max((float(gap.nan_to_num(0.0).max()) for gap in gaps), default=0.0)
