"""Straight-through estimators for weights, which keep a scale beside the signs.

The scale a_c is the mean of |W| over all axes but the output channel's: axis 0, and for transposed
convolutions, whose weights are [in x out/groups x …], axis 1 within each group
(`transposed_groups` > 0).
"""

from __future__ import annotations

import torch
from torch import nn

from engine.compile.estimators import sgn, straight_through


def split_groups(w: torch.Tensor, groups: int) -> torch.Tensor:
    """[in x …] as [groups x in/groups x …]."""
    return w.reshape(groups, -1, *w.shape[1:])


def by_channel(w: torch.Tensor, transposed_groups: int = 0) -> torch.Tensor:
    """View `w` as [channel axes …, rest], and say nothing of how: see :func:`channel_mean`."""
    if transposed_groups:
        return split_groups(w, transposed_groups).transpose(1, 2).flatten(2)
    return w.flatten(1)


def channel_mean(w: torch.Tensor, transposed_groups: int = 0) -> torch.Tensor:
    """The mean of `w` per output channel, stretched so that it multiplies `w`."""
    if not transposed_groups:
        return w.mean(dim=tuple(range(1, w.dim())), keepdim=True)
    grouped = split_groups(w, transposed_groups)
    dims = (1, *range(3, grouped.dim()))
    return grouped.mean(dim=dims, keepdim=True).expand_as(grouped).flatten(0, 1)


class MagnitudeAwareSign(nn.Module):
    """Forward a_c·sgn(w), backward a_c·g·1[|w| ≤ clip_value]; a_c is a constant to the gradient: larq."""

    def __init__(self, clip_value: float = 1.0, transposed_groups: int = 0) -> None:
        super().__init__()
        self.clip_value, self.transposed_groups = clip_value, transposed_groups

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Binarize a weight [out x …]."""
        scale = channel_mean(w.detach().abs(), self.transposed_groups)
        return scale * straight_through(w, sgn(w), w.abs() <= self.clip_value)


class BiRealWeight(nn.Module):
    """Forward a_c·sgn(w), backward g·1[|w| ≤ 1], without a_c: Liu et al. 2018, arXiv 1808.00278."""

    def __init__(self, transposed_groups: int = 0) -> None:
        super().__init__()
        self.transposed_groups = transposed_groups

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Binarize a weight [out x …]."""
        scale = channel_mean(w.detach().abs(), self.transposed_groups)
        return straight_through(w, scale * sgn(w), w.abs() <= 1)


class XnorScale(nn.Module):
    """Forward a_c·sgn(w), with a_c differentiated too: Rastegari et al. 2016, arXiv 1603.05279 (XNOR-Net).

    Backward a_c·g_i·1[|w_i| ≤ 1] + sign(w_i)/n·Σ_j g_j·sgn(w_j). (The paper's own Algorithm 1
    leaves the sum over j out.)
    """

    def __init__(self, transposed_groups: int = 0) -> None:
        super().__init__()
        self.transposed_groups = transposed_groups

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Binarize a weight [out x …]."""
        scale = channel_mean(w.abs(), self.transposed_groups)
        return scale * straight_through(w, sgn(w), w.abs() <= 1)


class DoReFaWeight(nn.Module):
    """Weights of `k_bit` bits: Zhou et al. 2016, arXiv 1606.06160 (DoReFa).

    1 bit: E·sgn(w) with E the mean of |W| over the tensor, backward g. k bits:
    2·rint((tanh w/(2M) + ½)·n)/n − 1 with n = 2^k − 1 and M = max |tanh w|, a constant to the
    gradient; backward g·(1 − tanh² w)/M.
    """

    def __init__(self, k_bit: int = 1) -> None:
        super().__init__()
        self.k_bit = k_bit

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Quantise a weight of any shape."""
        if self.k_bit == 1:
            return straight_through(w, w.detach().abs().mean() * sgn(w))
        bent = torch.tanh(w.detach())
        largest = bent.abs().max().clamp(min=torch.finfo(w.dtype).tiny)
        levels = 2**self.k_bit - 1
        value = 2 * torch.round((bent / (2 * largest) + 0.5) * levels) / levels - 1
        return straight_through(w, value, (1 - bent**2) / largest)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"k_bit={self.k_bit}"


class Twn(nn.Module):
    """Forward a·sign(w)·1[|w| > D], backward g: Li et al. 2016, arXiv 1605.04711 (Ternary Weight Networks).

    D = 0.7·mean |W|, and a is the mean of those |w| that exceed it; over the tensor, or per output
    channel.
    """

    def __init__(self, per_channel: bool = False, transposed_groups: int = 0) -> None:
        super().__init__()
        self.per_channel, self.transposed_groups = per_channel, transposed_groups

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Make a weight [out x …] ternary."""
        size = w.detach().abs()
        if self.per_channel:
            kept = (size > 0.7 * channel_mean(size, self.transposed_groups)).to(w.dtype)
            share = channel_mean(kept, self.transposed_groups)
            scale = channel_mean(size * kept, self.transposed_groups) / share.clamp(min=1e-12)
        else:
            kept = (size > 0.7 * size.mean()).to(w.dtype)
            scale = (size * kept).sum() / kept.sum().clamp(min=1)
        return straight_through(w, scale * torch.sign(w.detach()) * kept)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"per_channel={self.per_channel}"


class IrWeight(nn.Module):
    """Balanced, standardised signs: Qin et al. 2020, arXiv 1909.10788 (IR-Net).

    u = (w − mean_c)/std_c (with n − 1), s_c = 2^rint(log2 mean |u|), forward s_c·sgn(u). Backward
    EdeTanh's factor through the sign, exact through the standardisation, s_c a constant.
    """

    def __init__(self, t_min: float = 0.001, t_max: float = 10.0, transposed_groups: int = 0) -> None:
        super().__init__()
        self.t_min, self.t_max, self.transposed_groups = t_min, t_max, transposed_groups
        self.set_progress(0, 1)

    def set_progress(self, epoch: float, epochs: float) -> None:
        """Say that `epoch` of `epochs` are over."""
        share = epoch / epochs if epochs else 1.0
        self.t = self.t_min * (self.t_max / self.t_min) ** share
        self.k = max(1 / self.t, 1.0)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Binarize a weight [out x …]."""
        groups = self.transposed_groups
        centred = w - channel_mean(w, groups)
        count = by_channel(w, groups).shape[-1]
        variance = channel_mean(centred**2, groups) * (count / max(count - 1, 1))
        # A channel without spread has u = 0; the root's own slope there would be infinite.
        u = centred * variance.clamp(min=torch.finfo(w.dtype).tiny).rsqrt()
        scale = torch.exp2(torch.round(torch.log2(channel_mean(u.detach().abs(), groups))))
        factor = self.k * self.t * (1 - torch.tanh(self.t * u.detach()) ** 2)
        return scale * straight_through(u, sgn(u), factor)

    def extra_repr(self) -> str:
        """The fields, for printing."""
        return f"t_min={self.t_min}, t_max={self.t_max}"


class BcStochastic(nn.Module):
    """While training +1 with probability clip((w + 1)/2, 0, 1), else −1; in evaluation sgn(w). Backward g.

    Courbariaux et al. 2015, arXiv 1511.00363 (BinaryConnect).
    """

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Binarize a weight of any shape."""
        if not self.training:
            return straight_through(w, sgn(w))
        chance = ((w.detach() + 1) / 2).clamp(0, 1)
        value = torch.where(torch.rand_like(chance) < chance, 1.0, -1.0).to(w.dtype)
        return straight_through(w, value)
