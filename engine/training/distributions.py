"""What the values of tensors are like: range, counts, mean, spread, zeros and norm.

Of each tensor a sample is fetched, and looked at on the host: a look at so few values costs calls more than
sums, and NumPy's cost a third of torch's. From a GPU all samples come in one piece.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.host.protocol import Distribution
from engine.training.spaced import spaced

BINS = 64
#: Values of a tensor that are looked at; a histogram of 64 bins gains nothing from more.
SAMPLE = 8192

#: Values on the host, in single or double precision.
Values = NDArray[np.floating]


def sample(tensor: Tensor) -> Tensor:
    """At most 8,192 values of `tensor`, evenly spaced in memory, flat, in at least single precision."""
    chosen = spaced(tensor.detach(), SAMPLE)
    return chosen if chosen.dtype in (torch.float32, torch.float64) else chosen.float()


def samples(tensors: Mapping[str, Tensor]) -> dict[str, Values]:
    """A :func:`sample` of each tensor, on the host; of tensors there it may be a view."""
    chosen = [sample(tensor) for tensor in tensors.values()]
    if all(values.is_cpu for values in chosen):
        return {name: values.numpy() for name, values in zip(tensors, chosen, strict=True)}
    ends = np.cumsum([len(values) for values in chosen])
    return dict(zip(tensors, np.split(torch.cat(chosen).cpu().numpy(), ends[:-1]), strict=True))


def distributions(
    tensors: Mapping[str, Tensor], sampled: Mapping[str, Values] | None = None
) -> dict[str, Distribution]:
    """What the values of each tensor are like; two synchronisations with the device for all together.

    Parameters
    ----------
    tensors
        Any floating tensors of one device, by name.
    sampled
        Their :func:`samples`, where these are at hand.
    """
    if not tensors:
        return {}
    norms = torch._foreach_norm([tensor.detach() for tensor in tensors.values()])
    found = samples(tensors) if sampled is None else sampled
    return {
        name: _distribution(found[name], norm)
        for name, norm in zip(tensors, torch.stack(norms).tolist(), strict=True)
    }


def _distribution(values: Values, norm: float) -> Distribution:
    """What the values of a sample are like, those that are numbers; all is reckoned in double precision."""
    exact = values.astype(np.float64)
    size = len(exact)
    lo, hi = (float(exact.min()), float(exact.max())) if size else (0.0, 0.0)
    if not math.isfinite(lo + hi):  # what is no number passes through the extremes
        exact = exact[np.isfinite(exact)]
        lo, hi = (float(exact.min()), float(exact.max())) if len(exact) else (0.0, 0.0)
    count = len(exact)
    zeros = int(np.count_nonzero(exact == 0)) / count if count else 0.0
    width = hi / BINS - lo / BINS  # of a bin; the range itself may be more than a number can say
    if width < sys.float_info.min:
        # One value alone, or none, or as good as one: no spread, and bins around it.
        middle = tuple(count if bin == BINS // 2 else 0 for bin in range(BINS))
        return Distribution(lo - 0.5, hi + 0.5, middle, lo, 0.0, norm, zeros, size - count)
    # Places among the bins, 0 … 64: no square of them overflows, and of so few values none is lost in the
    # difference that the spread comes from.
    places = (exact - lo) / width if math.isfinite(hi - lo) else exact / width - lo / width
    mean = float(places.sum()) / count
    spread = math.sqrt(max(float(places.dot(places)) / count - mean * mean, 0.0))
    counts = np.bincount(places.astype(np.intp), minlength=BINS + 1).tolist()
    counts[BINS - 1] += counts.pop()  # the highest value belongs to the last bin
    center = lo * (1 - mean / BINS) + hi * (mean / BINS)
    return Distribution(lo, hi, tuple(counts), center, spread * width, norm, zeros, size - count)


def cosines(before: Mapping[str, Values], now: Mapping[str, Values]) -> dict[str, float]:
    """Cosine between samples of the same tensor at two times, of those that there are at both."""
    found = {}
    for name, values in now.items():
        if name in before:
            old, new = before[name].astype(np.float64), values.astype(np.float64)
            size = math.sqrt(float(old.dot(old))) * math.sqrt(float(new.dot(new)))
            cosine = float(old.dot(new)) / size if size else 0.0
            found[name] = cosine if math.isfinite(cosine) else 0.0
    return found
