"""Losses that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SquaredHingeLoss(nn.Module):
    """Mean over examples and classes of max(0, 1 − t·y)², with t = +1 at the right class and −1 elsewhere.

    One class against the rest, as Courbariaux et al. 2015, arXiv 1511.00363 (BinaryConnect) and
    Hubara et al. 2016, arXiv 1602.02830 train binarized networks.

    Parameters
    ----------
    reduction
        "mean", or "sum" of the examples' means over classes.

    Shape
    -----
    output [N x C x …], target [N x …] of class numbers; a number comes out.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Compare scores with class numbers."""
        right = functional.one_hot(target, output.shape[1]).movedim(-1, 1)
        signs = torch.where(right == 1, 1.0, -1.0).to(output.dtype)
        loss = functional.relu(1 - signs * output).square().mean(1)
        return loss.sum() if self.reduction == "sum" else loss.mean()

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"reduction={self.reduction!r}"
