"""Modules of the catalogue that torch has no class for.

Each stands alone (torch only), because exported code carries its source. None touches the batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence [N x L x C] to itself; `causal` hides the future."""

    def __init__(
        self, features: int, num_heads: int, causal: bool = False, dropout: float = 0.0, bias: bool = True
    ) -> None:
        super().__init__()
        self.num_heads, self.causal, self.dropout = num_heads, causal, dropout
        self.in_proj = nn.Linear(features, 3 * features, bias=bias)
        self.out_proj = nn.Linear(features, features, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Attend: [N x L x C] to [N x L x C]."""
        n, length, features = x.shape
        heads = (n, length, 3, self.num_heads, features // self.num_heads)
        query, key, value = self.in_proj(x).view(heads).permute(2, 0, 3, 1, 4)
        drop = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=drop, is_causal=self.causal)
        result: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(n, length, features))
        return result


class SinusoidalPositions(nn.Module):
    """Adds sin and cos waves to a sequence [N x L x C]: Vaswani et al. 2017, section 3.5."""

    waves: Tensor

    def __init__(self, length: int, features: int, base: float = 10000.0) -> None:
        super().__init__()
        place = torch.arange(length, dtype=torch.float32)[:, None]
        even = torch.arange(0, features, 2, dtype=torch.float32)
        angle = place * base ** (-even / features)
        waves = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :features]
        self.register_buffer("waves", waves, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add the waves."""
        return x + self.waves[: x.shape[1]].to(x.dtype)


class LearnedPositions(nn.Module):
    """Adds a learned vector to each place of a sequence [N x L x C]."""

    def __init__(self, length: int, features: int, std: float = 0.02) -> None:
        super().__init__()
        self.std = std
        self.weight = nn.Parameter(torch.empty(length, features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw N(0, std squared)."""
        nn.init.normal_(self.weight, std=self.std)

    def forward(self, x: Tensor) -> Tensor:
        """Add the positions."""
        return x + self.weight[: x.shape[1]]


class ClassToken(nn.Module):
    """Puts a learned place in front of a sequence: [N x L x C] to [N x L+1 x C]."""

    def __init__(self, features: int, std: float = 0.02) -> None:
        super().__init__()
        self.std = std
        self.weight = nn.Parameter(torch.empty(features))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw N(0, std squared)."""
        nn.init.normal_(self.weight, std=self.std)

    def forward(self, x: Tensor) -> Tensor:
        """Prepend the token."""
        return torch.cat((self.weight.expand(x.shape[0], 1, -1), x), dim=1)


class Slice(nn.Module):
    """Entries from start to before end of one dimension, every step-th."""

    def __init__(self, dim: int, start: int, end: int | None, step: int) -> None:
        super().__init__()
        self.dim, self.window = dim, slice(start, end, step)

    def forward(self, x: Tensor) -> Tensor:
        """Cut."""
        dim = self.dim % x.dim()
        return x[(slice(None),) * dim + (self.window,)]


class Reshape(nn.Module):
    """The same numbers in another shape, which leaves out the batch."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        """Reshape all but the batch."""
        return x.reshape(x.shape[0], *self.shape)


class Scale(nn.Module):
    """Multiplies by a learned tensor that is stretched over the input."""

    def __init__(self, shape: tuple[int, ...] = (), value: float = 1.0) -> None:
        super().__init__()
        self.value = value
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set to the first value."""
        nn.init.constant_(self.weight, self.value)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return x * self.weight


class Parameter(nn.Module):
    """A learned tensor, given as [1 x shape] so that it stretches over any batch."""

    def __init__(self, shape: tuple[int, ...], std: float = 0.02) -> None:
        super().__init__()
        self.std = std
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw N(0, std squared)."""
        nn.init.normal_(self.weight, std=self.std)

    def forward(self) -> Tensor:
        """Give it."""
        return self.weight[None]


class Constant(nn.Module):
    """A fixed tensor, given as [1 x shape] so that it stretches over any batch."""

    value: Tensor

    def __init__(self, shape: tuple[int, ...], value: float = 1.0, dtype: str = "float32") -> None:
        super().__init__()
        self.register_buffer("value", torch.full(shape, value, dtype=getattr(torch, dtype)))

    def forward(self) -> Tensor:
        """Give it."""
        return self.value[None]


class RPReLU(nn.Module):
    """A PReLU whose bend is moved: PReLU_β(x − γ) + ζ, all three learned per channel.

    Liu et al. 2020, arXiv 2003.03488 (ReActNet). `shape` stretches over the input: [C] for
    features, [C x 1 x 1] for images. γ and ζ begin at 0, β at `init`.
    """

    def __init__(self, shape: tuple[int, ...], init: float = 0.25) -> None:
        super().__init__()
        self.init = init
        self.shift = nn.Parameter(torch.empty(shape))
        self.slope = nn.Parameter(torch.empty(shape))
        self.offset = nn.Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin as a PReLU."""
        nn.init.zeros_(self.shift)
        nn.init.constant_(self.slope, self.init)
        nn.init.zeros_(self.offset)

    def forward(self, x: Tensor) -> Tensor:
        """Bend [N x C x …] channel by channel."""
        moved = x - self.shift
        return torch.where(moved > 0, moved, self.slope * moved) + self.offset
