"""Straight-through estimators: two-valued forward, a chosen gradient backward.

Each is an autograd function and the module that applies it. They need torch alone, so that their
source can stand in exported code as it is. No backward changes the gradient it is given: that
tensor may belong to another branch of the graph.
"""

from __future__ import annotations

import torch
from torch import nn


def sgn(x: torch.Tensor) -> torch.Tensor:
    """+1 where x ≥ 0 (both zeros included), −1 elsewhere. (`torch.sign` gives 0 at 0.)"""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


class SteSignFunction(torch.autograd.Function):
    """Forward sgn(x), backward g·1[|x| ≤ clip_value]; without a clip_value, g."""

    @staticmethod
    def forward(x: torch.Tensor, clip_value: float | None) -> torch.Tensor:  # noqa: D102
        return sgn(x)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # noqa: D102
        x, ctx.clip_value = inputs
        if ctx.clip_value is not None:
            ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]  # noqa: D102
        if ctx.clip_value is None:
            return gradient, None
        (x,) = ctx.saved_tensors
        return torch.where(x.abs() <= ctx.clip_value, gradient, 0.0), None


class SteSign(nn.Module):
    """Sign with the masked straight-through gradient (Hubara et al. 2016, arXiv 1602.02830 §1.3).

    Parameters
    ----------
    clip_value
        Where the gradient is cut off, inclusive; None: nowhere.

    Shape
    -----
    Any; the output is shaped as the input, of its dtype.
    """

    def __init__(self, clip_value: float | None = 1.0) -> None:
        super().__init__()
        self.clip_value = clip_value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`."""
        return SteSignFunction.apply(x, self.clip_value)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"clip_value={self.clip_value}"


class LBSignFunction(torch.autograd.Function):
    """Forward sgn(x), backward clamp(g, −1, 1) into a new tensor."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return sgn(x)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # noqa: D102
        pass

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]  # noqa: D102
        return gradient.clamp(-1, 1)


class LBSign(nn.Module):
    """Sign whose backward clamps the gradient itself to −1 … 1, wherever x is.

    Shape
    -----
    Any; the output is shaped as the input, of its dtype.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`."""
        return LBSignFunction.apply(x)
