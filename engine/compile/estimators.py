"""Straight-through estimators: a few-valued forward, a chosen gradient backward.

Formulas and their sources stand in each class. All need torch alone, so that their source can
stand in exported code as it is. No backward changes the gradient it is given: that tensor may
belong to another branch of the graph. All work in any floating-point dtype, on any device.
"""

from __future__ import annotations

import torch
from torch import nn


def sgn(x: torch.Tensor) -> torch.Tensor:
    """+1 where x ≥ 0 (both zeros included), −1 elsewhere. (`torch.sign` gives 0 at 0.)"""
    return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)


class StraightThrough(torch.autograd.Function):
    """Forward a given value, backward g times a given factor (None: g itself)."""

    @staticmethod
    def forward(  # noqa: D102
        x: torch.Tensor, value: torch.Tensor, factor: torch.Tensor | None
    ) -> torch.Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # noqa: D102
        _, _, factor = inputs
        ctx.masked = factor is not None
        if factor is not None:
            ctx.save_for_backward(factor)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]  # noqa: D102
        if not ctx.masked:
            return gradient, None, None
        (factor,) = ctx.saved_tensors
        return torch.where(factor == 0, 0.0, gradient * factor), None, None


def straight_through(
    x: torch.Tensor, value: torch.Tensor, factor: torch.Tensor | None = None
) -> torch.Tensor:
    """`value` now, and for `x` the gradient g·factor (where the factor is 0: 0, whatever g is)."""
    result: torch.Tensor = StraightThrough.apply(  # type: ignore[no-untyped-call]
        x, value.detach(), None if factor is None else factor.detach()
    )
    return result


class SteSign(nn.Module):
    """Forward sgn(x), backward g·1[|x| ≤ clip_value]: Hubara et al. 2016, arXiv 1602.02830 §1.3.

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
        if self.clip_value is None:
            return straight_through(x, sgn(x))
        return straight_through(x, sgn(x), x.abs() <= self.clip_value)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"clip_value={self.clip_value}"


class IdentitySte(nn.Module):
    """Forward sgn(x), backward g: Courbariaux et al. 2015, arXiv 1511.00363 (BinaryConnect)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`, of any shape."""
        return straight_through(x, sgn(x))


class LBSignFunction(torch.autograd.Function):
    """Forward a given value, backward clamp(g, −1, 1) into a new tensor.

    The value is given, for torch.compile of torch 2.11 loses the gradient of what is computed in here.
    """

    @staticmethod
    def forward(x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]  # noqa: D102
        pass

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]  # noqa: D102
        return gradient.clamp(-1, 1), None


class LBSign(nn.Module):
    """Forward sgn(x), backward clamp(g, −1, 1), wherever x is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`, of any shape."""
        result: torch.Tensor = LBSignFunction.apply(x, sgn(x.detach()))  # type: ignore[no-untyped-call]
        return result


class ApproxSign(nn.Module):
    """Forward sgn(x), backward g·(2 − 2|x|)·1[|x| ≤ 1]: Liu et al. 2018, arXiv 1808.00278 (Bi-Real Net)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`, of any shape."""
        return straight_through(x, sgn(x), (2 - 2 * x.abs()).clamp(min=0))


class SwishSign(nn.Module):
    """Forward sgn(x), backward the derivative of a sign-like swish.

    Darabi et al. 2018, arXiv 1812.11800 (BNN+). The factor is
    β·(2 − βx·tanh(βx/2)) / (1 + cosh βx), which is finite for every x.
    """

    def __init__(self, beta: float = 5.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`, of any shape."""
        # In single precision at least: an exponential doubles a half-precision number's error several times.
        wide = x.detach().to(torch.promote_types(x.dtype, torch.float32))
        # Beyond ±80 the factor is below 1e-30, and cosh would soon overflow.
        u = (self.beta * wide).clamp(-80, 80)
        factor = self.beta * (2 - u * torch.tanh(u / 2)) / (1 + torch.cosh(u))
        return straight_through(x, sgn(x), factor.to(x.dtype))

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"beta={self.beta}"


class EdeTanh(nn.Module):
    """Forward sgn(x), backward g·k·t·(1 − tanh²(t·x)), which sharpens over the run.

    Qin et al. 2020, arXiv 1909.10788 (IR-Net).
    t grows from `t_min` to `t_max` in equal ratios and k = max(1/t, 1), so that the slope at zero
    is never below 1. :meth:`set_progress` moves it; that place is no part of the state_dict.
    """

    def __init__(self, t_min: float = 0.001, t_max: float = 10.0) -> None:
        super().__init__()
        self.t_min, self.t_max = t_min, t_max
        self.set_progress(0, 1)

    def set_progress(self, epoch: float, epochs: float) -> None:
        """Say that `epoch` of `epochs` are over."""
        share = epoch / epochs if epochs else 1.0
        self.t = self.t_min * (self.t_max / self.t_min) ** share
        self.k = max(1 / self.t, 1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`, of any shape."""
        factor = self.k * self.t * (1 - torch.tanh(self.t * x.detach()) ** 2)
        return straight_through(x, sgn(x), factor)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"t_min={self.t_min}, t_max={self.t_max}"


class SteHeaviside(nn.Module):
    """Forward 1[x > 0], backward g·1[|x| ≤ clip_value]: larq SteHeaviside."""

    def __init__(self, clip_value: float = 1.0) -> None:
        super().__init__()
        self.clip_value = clip_value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x`, of any shape, to 0 and 1."""
        return straight_through(x, (x > 0).to(x.dtype), x.abs() <= self.clip_value)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"clip_value={self.clip_value}"


class SteTern(nn.Module):
    """Forward sign(x)·1[|x| > threshold], backward g·1[|x| ≤ clip_value]: larq SteTern."""

    def __init__(self, threshold: float = 0.05, clip_value: float = 1.0) -> None:
        super().__init__()
        self.threshold, self.clip_value = threshold, clip_value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Make `x`, of any shape, −1, 0 and 1."""
        value = torch.where(x.abs() > self.threshold, torch.sign(x), 0.0)
        return straight_through(x, value, x.abs() <= self.clip_value)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"threshold={self.threshold}, clip_value={self.clip_value}"


class DoReFaInput(nn.Module):
    """Forward rint(clip(x, 0, 1)·n)/n with n = 2^k_bit − 1, backward g·1[0 ≤ x ≤ 1].

    Zhou et al. 2016, arXiv 1606.06160 (DoReFa).
    """

    def __init__(self, k_bit: int = 2) -> None:
        super().__init__()
        self.k_bit = k_bit

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Quantise `x`, of any shape, to 2^k_bit levels from 0 to 1; halves go to even."""
        levels = 2**self.k_bit - 1
        value = torch.round(x.clamp(0, 1) * levels) / levels
        return straight_through(x, value, (x >= 0) & (x <= 1))

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"k_bit={self.k_bit}"


class RSign(nn.Module):
    """sgn(x + b) with a learned b per channel, backward as ApproxSign.

    Liu et al. 2020, arXiv 2003.03488 (ReActNet).
    `shape` is that of b, which stretches over the input: [C] for features, [C x 1 x 1] for images.
    """

    def __init__(self, shape: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Binarize `x` about its learned thresholds."""
        moved = x + self.bias
        return straight_through(moved, sgn(moved), (2 - 2 * moved.abs()).clamp(min=0))
