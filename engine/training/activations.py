"""Looking at what nodes give, for the one step that is observed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from engine.compile.plan import Line
from engine.host.protocol import Activation, Distribution
from engine.training.spaced import as_stored, spacing

#: Examples and features of which the effective rank is taken: its cost grows with their product.
_RANK_EXAMPLES, _RANK_FEATURES = 64, 256
#: Examples of which all units are asked whether they are dead: four wake nearly all that live.
_FIRST = 4
#: A value this near to an end of the range, as a share of it, is saturated: there the slope of the
#: logistic function, and of tanh, is below 4 % of its greatest.
NEAR = 0.01


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

    def __call__(self, line: Line, result: Any) -> None:
        """Take in what one line gives; a node's last line gives its output."""
        while isinstance(result, tuple | list) and result:
            result = result[0]
        if isinstance(result, Tensor) and result.is_floating_point():
            self._found[line.node] = result.detach(), bounded_range(self._module(line))

    def _module(self, line: Line) -> nn.Module | None:
        if line.run is not None:
            return None
        module: Any = self._model
        for name in line.child:
            module = module._modules[name]
        found: nn.Module = module
        return found

    def outputs(self) -> dict[str, Tensor]:
        """Node -> output, ``[N, …]``, in the order of the plan."""
        return {node: output for node, (output, _) in self._found.items()}

    def figures(
        self, distributions: Callable[[Mapping[str, Tensor]], dict[str, Distribution]]
    ) -> dict[str, Activation]:
        """What the outputs are like; with one synchronisation with the device beside the distributions'."""
        if not self._found:
            return {}
        outputs = self.outputs()
        values = distributions(outputs)
        rows = _figures(self._found).tolist()
        found = {}
        for (node, output), (dead, saturated, spread, rank) in zip(outputs.items(), rows, strict=True):
            examples, units = output.shape[0], _by_unit(output).shape[1]
            several = examples > 1 and math.isfinite(rank)
            found[node] = Activation(
                values[node],
                units,
                dead,
                None if self._found[node][1] is None else saturated,
                rank if several else None,
                min(examples, _RANK_EXAMPLES, _features(output).shape[1]),
                spread,
            )
        return found


def _by_unit(output: Tensor) -> Tensor:
    """``[N, units, rest]``."""
    if output.dim() < 2:
        return output.reshape(-1, 1, 1)
    return output.reshape(output.shape[0], output.shape[1], -1)


def _features(output: Tensor) -> Tensor:
    """``[examples, features]``: every value of an example is a feature, evenly spaced where they are many."""
    if output.dim() < 2:
        return output[:_RANK_EXAMPLES].reshape(-1, 1)
    stored = as_stored(output[:_RANK_EXAMPLES], kept=1)
    flat = stored.flatten(1)
    return flat[:, :: spacing(stored.shape[1:], _RANK_FEATURES)]


def _figures(found: Mapping[str, tuple[Tensor, tuple[float, float] | None]]) -> Tensor:
    """Dead share, saturated share, spread and effective rank, shape [nodes, 4].

    Nodes whose features are of one shape are reckoned together: what they cost is calls, not sums.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    features = [_features(output).float() for output, _ in found.values()]
    for number, each in enumerate(features):
        alike.setdefault(tuple(each.shape), []).append(number)
    spreads: dict[int, Tensor] = {}
    ranks: dict[int, Tensor] = {}
    for numbers in alike.values():
        together = torch.stack([features[number] for number in numbers])
        # Deviations by hand: torch's own, down the columns, takes as long as the spectra.
        centred = together - together.mean(dim=1, keepdim=True)
        spread = centred.square_().mean(dim=1).sqrt_().mean(dim=1)
        spreads |= dict(zip(numbers, spread, strict=True))
        ranks |= dict(zip(numbers, effective_rank(together), strict=True))
    rows = []
    for number, (output, ends) in enumerate(found.values()):
        figures = _dead(output), _saturated(output, ends), spreads[number], ranks[number]
        rows.append(torch.stack(figures).float())
    return torch.stack(rows)


def _dead(output: Tensor) -> Tensor:
    """The share of units that are zero for all examples."""
    units = _by_unit(output)
    if output.is_cpu and len(units) > _FIRST:
        # Most units have something to say of the first examples: only the others are heard to the end.
        silent = _silent(units[:_FIRST]).nonzero().flatten()
        still = _silent(units[_FIRST:, silent]) if len(silent) else silent
        return still.count_nonzero() / units.shape[1]
    return _silent(units).float().mean()


def _silent(units: Tensor) -> Tensor:
    """Which units of ``[N, units, rest]`` are zero throughout."""
    return units.abs().amax(dim=(0, 2)).eq(0)


def _saturated(output: Tensor, ends: tuple[float, float] | None) -> Tensor:
    if ends is None:
        return output.new_zeros((), dtype=torch.float32)
    near = NEAR * (ends[1] - ends[0])
    return ((output < ends[0] + near) | (output > ends[1] - near)).count_nonzero() / output.numel()


def effective_rank(features: Tensor) -> Tensor:
    """Exponential of the entropy of the singular values' shares, of centred ``[…, examples, features]``.

    Roy and Vetterli 2007, "The effective rank". Singular values come from the smaller Gram matrix:
    for these sizes several times faster than a singular value decomposition.
    """
    centred = (features - features.mean(dim=-2, keepdim=True)).double()
    wide = centred.shape[-2] <= centred.shape[-1]
    gram = centred @ centred.mT if wide else centred.mT @ centred
    finite = gram.isfinite().flatten(-2).all(dim=-1)
    # What rounding leaves of the mean, squared: below this a singular value is none.
    spectrum = torch.linalg.eigvalsh(gram.nan_to_num(0.0, 0.0, 0.0)).clamp_min(0)
    spectrum = torch.where(spectrum > 1e-12 * spectrum[..., -1:], spectrum, 0).sqrt()
    shares = spectrum / spectrum.sum(dim=-1, keepdim=True).clamp_min(1e-300)
    rank = torch.special.entr(shares).sum(dim=-1).exp()
    return torch.where(finite, rank, math.nan).float()
