"""Initialisation schemes beyond torch.nn.init. Like torch's, each fills a tensor in place.

They need torch alone, because exported code carries their source.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def lecun_normal_(tensor: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """N(0, 1/fan_in): LeCun et al. 1998; for SELU, Klambauer et al. 2017, arXiv 1706.02515."""
    return nn.init.kaiming_normal_(tensor, nonlinearity="linear", generator=generator)


def depth_scaled_normal_(
    tensor: Tensor, layers: int, std: float = 0.02, generator: torch.Generator | None = None
) -> Tensor:
    """N(0, std²/(2·layers)): Radford et al. 2019 (GPT-2), section 2.3."""
    return nn.init.normal_(tensor, 0.0, std / math.sqrt(2 * layers), generator=generator)


def delta_orthogonal_(tensor: Tensor, gain: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Zero but for the kernel's centre, which is orthogonal: Xiao et al. 2018, arXiv 1806.05393.

    Parameters
    ----------
    tensor
        A convolution's weight [out x in x …] of 3 to 5 dimensions, out ≥ in.
    gain
        Length of each column of the centre.

    Raises
    ------
    ValueError
        If it has fewer outputs than inputs: then no such matrix keeps lengths.
    """
    if tensor.shape[0] < tensor.shape[1]:
        raise ValueError(
            f"delta_orthogonal needs at least as many outputs ({tensor.shape[0]}) as inputs "
            f"({tensor.shape[1]})."
        )
    centre = nn.init.orthogonal_(torch.empty(tensor.shape[:2], dtype=tensor.dtype), gain, generator=generator)
    with torch.no_grad():
        tensor.zero_()
        middle = tensor
        for size in tensor.shape[2:]:
            middle = middle.select(2, size // 2)
        middle.copy_(centre)
    return tensor


def forget_bias_(tensor: Tensor, val: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Zero but for the second of four gates, an LSTM's forget gate: Jozefowicz et al. 2015.

    `tensor` is [4·hidden], in torch's order of gates: input, forget, cell, output.
    """
    hidden = tensor.shape[0] // 4
    with torch.no_grad():
        tensor.zero_()
        tensor[hidden : 2 * hidden] = val
    return tensor


def orthogonal_gates_(
    tensor: Tensor, gates: int, gain: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """Orthogonal for each of the `gates` matrices stacked in `tensor` [gates·hidden x features]."""
    with torch.no_grad():
        for gate in tensor.chunk(gates):
            gate.copy_(nn.init.orthogonal_(torch.empty_like(gate), gain, generator=generator))
    return tensor


def by_gate_(
    tensor: Tensor,
    gates: int,
    first: str,
    second: str,
    third: str,
    fourth: str,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Each of the `gates` parts stacked in `tensor` [gates·hidden …] by a scheme and with fans of its own.

    A scheme is the name of a function of torch.nn.init without its underscore.
    """
    with torch.no_grad():
        for scheme, gate in zip((first, second, third, fourth), tensor.chunk(gates), strict=False):
            if scheme in ("zeros", "ones"):
                gate.fill_(float(scheme == "ones"))
            else:
                gate.copy_(getattr(nn.init, f"{scheme}_")(torch.empty_like(gate), generator=generator))
    return tensor
