"""Some values of a tensor, to be looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from engine.host.protocol import Excerpt

#: Values that are shown of one tensor, and the longest side of a kernel.
_EXCERPT, _SIDE = 1024, 32


def excerpts(tensors: Mapping[str, Tensor]) -> dict[str, Excerpt]:
    """At most 1,024 values of each tensor of two dimensions or more, as it is arranged."""
    shown = {
        name: _shown(tensor.detach()).float()
        for name, tensor in tensors.items()
        if tensor.dim() > 1 and tensor.numel()
    }
    if not shown:
        return {}
    parts = list(shown.values())
    scales = torch.stack(torch._foreach_norm(parts, math.inf)).nan_to_num_(0.0, 0.0, 0.0).tolist()
    scaled = torch._foreach_mul(parts, [127 / scale if scale else 0.0 for scale in scales])
    values = torch.cat([part.flatten() for part in scaled]).nan_to_num_(0.0, 127.0, -127.0)
    data = values.round_().clamp_(-127, 127).to(torch.int8).cpu().numpy().tobytes()
    found, begin = {}, 0
    for (name, part), scale in zip(shown.items(), scales, strict=True):
        end = begin + part.numel()
        found[name] = Excerpt(tuple(part.shape), scale, data[begin:end])
        begin = end
    return found


def _shown(tensor: Tensor) -> Tensor:
    """Whole kernels of the first channels; of a matrix, evenly spaced rows and columns."""
    if tensor.dim() == 2:
        rows, columns = tensor.shape
        wide = min(columns, max(_EXCERPT // min(rows, _SIDE), 1))
        high = min(rows, max(_EXCERPT // wide, 1))
        return tensor[:: -(-rows // high), :: -(-columns // wide)]
    kernels = tensor if tensor.dim() == 4 else tensor.flatten(2).unsqueeze(2)
    _, channels, height, width = kernels.shape
    kernels = kernels[:, :, :_SIDE, :_SIDE]
    room = max(_EXCERPT // (min(height, _SIDE) * min(width, _SIDE)), 1)
    most = min(channels, max(3, int(math.sqrt(room))), room)
    return kernels[: max(room // most, 1), :most]
