"""Looking at what nodes give, for the one step that is observed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.compile.plan import Line
from engine.host.protocol import Activation, Distribution
from engine.training.spaced import spaced

#: Examples and features of which the effective rank is taken: its cost grows with their product.
_RANK_EXAMPLES, _RANK_FEATURES = 32, 256
#: Examples of which all units are asked whether they are dead: four wake nearly all that live.
_FIRST = 4
#: A value this near to an end of the range, as a share of it, is saturated: there the slope of the
#: logistic function, and of tanh, is below 4 % of its greatest.
NEAR = 0.01

#: Modules that give features in the last dimension, at every place of a sequence, and those with channels in
#: the second one; all others give what they are given.
_FEATURES_LAST = (nn.Linear, nn.Embedding, nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer)
_CHANNELS = (nn.modules.conv._ConvNd, nn.modules.batchnorm._BatchNorm, nn.GroupNorm)

#: Where a tensor lies, its shape, its strides: of two alike one is the other in another shape.
_Place = tuple[int, tuple[int, ...], tuple[int, ...]]


def bounded_range(module: nn.Module | None) -> tuple[float, float] | None:
    """The range of a bounded activation; None for other modules."""
    match module:
        case nn.Sigmoid() | nn.Hardsigmoid():
            return 0.0, 1.0
        case nn.Tanh() | nn.Softsign():
            return -1.0, 1.0
        case nn.Hardtanh():  # and ReLU6, whose lower end is where it is off
            return None if isinstance(module, nn.ReLU6) else (module.min_val, module.max_val)
    return None


class Watch:
    """Collects the output of every node while a compiled network runs (:meth:`CompiledNetwork.watched`).

    Nothing is copied: what is collected is what the backward pass keeps as well, or one tensor more.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._found: dict[str, tuple[Tensor, tuple[float, float] | None]] = {}
        #: What lies in a slot of the plan: its shape, and the dimension of its units, where that is known.
        self._axes: dict[int, tuple[torch.Size, int | None]] = {}
        self._units: dict[str, int] = {}

    def __call__(self, line: Line, result: Any) -> None:
        """Take in what one line gives; a node's last line gives its output."""
        while isinstance(result, tuple | list) and result:
            result = result[0]
        if isinstance(result, Tensor) and result.is_floating_point() and result.numel():
            if not result.dim():
                result = result.reshape(1)
            module = self._module(line)
            self._found[line.node] = result.detach(), bounded_range(None if line.run is not None else module)
            axis = self._axis(line, module, result)
            self._units[line.node] = axis or 1
            for slot in line.targets:
                self._axes[slot] = result.shape, axis

    def _module(self, line: Line) -> nn.Module:
        module: Any = self._model
        for name in line.child:
            module = module._modules[name]
        found: nn.Module = module
        return found

    def _axis(self, line: Line, module: nn.Module, output: Tensor) -> int | None:
        """In which dimension an output's units are: of what is given in the same shape, where they were."""
        if output.dim() < 3 or isinstance(module, _CHANNELS):
            return 1
        if isinstance(module, _FEATURES_LAST):
            return output.dim() - 1
        given = (self._axes[slot] for slot in line.sources if slot in self._axes)
        return next((axis for shape, axis in given if axis is not None and shape == output.shape), None)

    def outputs(self) -> dict[str, Tensor]:
        """Node -> output, ``[N, …]``, in the order of the plan."""
        return {node: output for node, (output, _) in self._found.items()}

    def figures(
        self, distributions: Callable[[Mapping[str, Tensor]], dict[str, Distribution]]
    ) -> dict[str, Activation]:
        """What the outputs are like; with a few synchronisations with the device for all together."""
        outputs = self.outputs()
        if not outputs:
            return {}
        values = distributions(outputs)
        features = [_features(output) for output in outputs.values()]
        units = [_by_unit(output, self._units[node]) for node, output in outputs.items()]
        dead = _dead(units)
        saturated = _saturated(self._found)
        found = {}
        for (node, output), each, own, silent, (spread, rank) in zip(
            outputs.items(), units, features, dead, _spreads_and_ranks(features), strict=True
        ):
            examples, count = own.shape
            found[node] = Activation(
                values[node],
                each.shape[1],
                silent,
                saturated.get(node),
                rank if len(output) > 1 and math.isfinite(rank) else None,
                min(examples - 1, count),
                spread,
            )
        return found


def _by_unit(output: Tensor, axis: int) -> Tensor:
    """``[N, units, rest]``, of units in dimension `axis`."""
    if output.dim() < 2:
        return output.reshape(-1, 1, 1)
    if axis > 1:
        return output.reshape(output.shape[0], -1, output.shape[axis]).transpose(1, 2)
    return output.reshape(output.shape[0], output.shape[1], -1)


def _features(output: Tensor) -> Tensor:
    """``[examples, features]``: every value of an example is a feature, evenly spaced where they are many."""
    return spaced(output[:_RANK_EXAMPLES], _RANK_FEATURES, kept=1)


def _spreads_and_ranks(features: Sequence[Tensor]) -> list[tuple[float, float]]:
    """Spread and effective rank, of each ``[examples, features]``.

    All of as many examples are reckoned together, narrower ones with features of zero beside their own: what
    they cost is calls, not sums. What a node only hands on in another shape is reckoned once.
    """
    places: list[_Place] = [(each.data_ptr(), tuple(each.shape), each.stride()) for each in features]
    alike: dict[int, dict[_Place, Tensor]] = {}
    for place, each in zip(places, features, strict=True):
        alike.setdefault(len(each), {})[place] = each
    known = {}
    for examples, found in alike.items():
        widths = [each.shape[1] for each in found.values()]
        together = features[0].new_zeros((len(found), examples, max(widths)), dtype=torch.float32)
        for row, each in zip(together, found.values(), strict=True):
            row[:, : each.shape[1]] = each
        # In double: a square of the largest is a number too.
        centred = (together - together.mean(dim=1, keepdim=True)).double()
        # By hand: torch's own deviations, down the columns, take as long as the spectra.
        totals = centred.square().mean(dim=1).sqrt_().sum(dim=1).tolist()
        ranks = effective_rank(centred).tolist()
        for place, total, width, rank in zip(found, totals, widths, ranks, strict=True):
            known[place] = total / width, rank
    return [known[place] for place in places]


def _dead(outputs: Sequence[Tensor]) -> list[float]:
    """The share of units that are zero for all examples, of each ``[N, units, rest]``."""
    if outputs[0].is_cpu:
        return [_dead_on_processor(units) for units in outputs]
    shares: list[float] = torch.stack([_silent(units).float().mean() for units in outputs]).tolist()
    return shares


def _dead_on_processor(units: Tensor) -> float:
    # Most units have something to say of the first examples: only the others are heard to the end.
    silent = _silent(units[:_FIRST]).numpy().nonzero()[0]
    count = len(silent)
    if count and len(units) > _FIRST:
        count = int(_silent(units[_FIRST:, torch.from_numpy(silent)]).count_nonzero())
    return count / units.shape[1]


def _silent(units: Tensor) -> Tensor:
    """Which units of ``[N, units, rest]`` are zero throughout: sums are reckoned fastest."""
    return units.abs().sum(dim=(0, 2)).eq(0)


def _saturated(found: Mapping[str, tuple[Tensor, tuple[float, float] | None]]) -> dict[str, float]:
    """The share of values near an end of the range, of nodes that have one."""
    shares = {}
    for node, (output, ends) in found.items():
        if ends is not None:
            near = NEAR * (ends[1] - ends[0])
            outside = (output < ends[0] + near) | (output > ends[1] - near)  # what is no number is neither
            shares[node] = outside.count_nonzero() / output.numel()
    return dict(zip(shares, torch.stack(list(shares.values())).tolist(), strict=True)) if shares else {}


def effective_rank(centred: Tensor) -> NDArray[np.float64]:
    """Exponential of the entropy of the singular values' shares, of centred ``[…, examples, features]``.

    In double precision. Roy and Vetterli 2007, "The effective rank". Singular values come from the smaller
    Gram matrix: for these sizes several times faster than a singular value decomposition.
    """
    gram = centred @ centred.mT if centred.shape[-2] <= centred.shape[-1] else centred.mT @ centred
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(dim=-1).cpu().numpy()
    spectrum = torch.linalg.eigvalsh(gram.nan_to_num_(0.0, 0.0, 0.0)).cpu().numpy()
    # What rounding leaves of the mean, squared: below this a singular value is none.
    values = np.sqrt(np.where(spectrum > 1e-12 * spectrum[..., -1:], spectrum, 0.0).clip(min=0.0))
    shares = values / np.maximum(values.sum(axis=-1, keepdims=True), 1e-300)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=-1)
    return np.where(np.isfinite(trace), np.exp(entropy), np.nan)
