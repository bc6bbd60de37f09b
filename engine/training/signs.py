"""What binarization does to a model while it trains: signs that flip, gradient that is masked.

For the steps that are observed only. Estimators are hooked for that one step's forward pass, and what
they pass back is asked of them afterwards, with the gradient that really came: so the figures hold for
every estimator, and no number of the training changes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.host.protocol import BinaryInput, BinaryWeight, Distribution
from engine.lab_binary import AT_CLIP, FLIP_FLOP, LOOKS, NEAR_ZERO
from engine.training.parameters import Part

#: Weights of a tensor that are followed one by one, at most; evenly spaced where there are more.
FOLLOWED = 65_536
#: Flip-flopping weights that are named.
NAMED = 16
#: Values that an estimator is asked about: of inputs the first examples, of weights evenly spaced channels.
_VALUES = 32_768


class Signs:
    """Follows the weights and inputs that a model binarizes.

    Parameters
    ----------
    parts
        The model's parameters, of which the binarized ones are followed.
    model
        Whose estimators (children ``NODE__weight`` and ``NODE__input``) are hooked.
    """

    def __init__(self, parts: Sequence[Part], model: nn.Module | None) -> None:
        self._parts = [part for part in parts if part.binarized]
        self._names = {id(part.tensor): part.name for part in self._parts}
        modules = {} if model is None else dict(model.named_modules())
        self._weights = [m for path, m in modules.items() if path.endswith("__weight")]
        self._inputs = {
            path.removesuffix("__input"): m for path, m in modules.items() if path.endswith("__input")
        }
        #: By parameter or node: estimator, what it got, the gradient that came back to what it gave.
        self.heard: dict[str, list[tuple[nn.Module, Tensor, Tensor]]] = {}
        self._masked: dict[str, float] = {}
        self._values: dict[str, Tensor] = {}
        #: Which weights were negative before the step, and at the last look.
        self._before: dict[str, Tensor] = {}
        self._last: dict[str, Tensor] = {}
        #: Share of each parameter's signs that changed since the look before.
        self.flips: dict[str, float] = {}
        self._followed = {part.name: _Followed(part.tensor) for part in self._parts}

    @property
    def hears(self) -> bool:
        """Whether there are estimators to be heard."""
        return bool(self._weights or self._inputs)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within this context estimators are heard, and the gradients that come back to them."""
        self.heard = {}
        handles = [m.register_forward_hook(self._heard_weight) for m in self._weights]
        handles += [m.register_forward_hook(partial(self._heard, n)) for n, m in self._inputs.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _heard_weight(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        name = self._names.get(id(inputs[0]))
        if name is not None:
            self._heard(name, module, inputs, output)

    def _heard(self, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if torch.compiler.is_compiling() or not output.requires_grad:
            return
        found = self.heard.setdefault(name, [])

        def arrived(gradient: Tensor) -> None:
            found.append((module, inputs[0].detach(), gradient))

        output.register_hook(arrived)

    def before(self) -> None:
        """The gradients are there, the step is not made yet: ask each estimator what it lets pass."""
        self._before = {part.name: part.tensor.detach() < 0 for part in self._parts}
        sums: dict[str, Tensor] = {}
        for name, heard in self.heard.items():
            self._values.pop(name, None)
            for estimator, x, gradient in heard:
                x, gradient = _some(estimator, x, gradient, spaced=name not in self._inputs)
                if name in self._inputs:
                    self._values[name] = x
                found = blocked(estimator, x, gradient)
                sums[name] = sums[name] + found if name in sums else found
        self.heard = {}
        rows = torch.stack(list(sums.values())).tolist() if sums else []
        self._masked = {
            name: lost / whole for name, (lost, whole) in zip(sums, rows, strict=True) if whole > 0
        }

    def weights(self) -> dict[str, BinaryWeight]:
        """What the binarized weights are like now that the step has been made."""
        if not self._parts:
            return {}
        rows = []
        for part in self._parts:
            now = part.tensor.detach() < 0
            flips = [_differ(now, known.get(part.name)) for known in (self._before, self._last)]
            rows.append(torch.stack([*flips, *self._followed[part.name].look(part.tensor)]))
            self._last[part.name] = now
        self._before = {}
        told = torch.stack(rows).tolist()
        self.flips = {
            part.name: since
            for part, (_, since, *_) in zip(self._parts, told, strict=True)
            if not math.isnan(since)
        }
        found = {}
        for part, (flip_rate, _, positive, near_zero, at_clip, *counts) in zip(
            self._parts, told, strict=True
        ):
            followed = self._followed[part.name]
            per_weight = tuple(map(int, counts))
            found[part.name] = BinaryWeight(
                flip_rate,
                positive,
                near_zero,
                at_clip,
                self._masked.get(part.name),
                per_weight,
                followed.restless() if sum(per_weight[FLIP_FLOP:]) else (),
                len(followed),
            )
        return found

    def inputs(
        self, distributions: Callable[[Mapping[str, Tensor]], dict[str, Distribution]]
    ) -> dict[str, BinaryInput]:
        """What the binarized inputs of the step were like, before binarization."""
        if not self._values:
            return {}
        told = distributions(self._values)
        shares = torch.stack([(x >= 0).float().mean() for x in self._values.values()]).tolist()
        found = {
            name: BinaryInput(told[name], positive, self._masked.get(name))
            for name, positive in zip(self._values, shares, strict=True)
        }
        self._values = {}
        return found


class _Followed:
    """Some weights of one tensor, or all, with the looks at which each had changed its sign."""

    def __init__(self, tensor: Tensor) -> None:
        self._stride = math.ceil(tensor.numel() / FOLLOWED)
        # As for samples: a spacing that leaves no column out.
        while self._stride > 1 and math.gcd(self._stride, tensor.shape[-1]) > 1:
            self._stride += 1
        self._negative: Tensor | None = None
        self._flips: deque[Tensor] = deque(maxlen=LOOKS)
        self._counts = torch.zeros_like(self._of(tensor), dtype=torch.int8)

    def __len__(self) -> int:
        return len(self._counts)

    def _of(self, tensor: Tensor) -> Tensor:
        return tensor.detach().flatten()[:: self._stride]

    def look(self, tensor: Tensor) -> list[Tensor]:
        """Shares positive, near zero and at the clip; then how many weights flipped at 0, 1 … looks."""
        values = self._of(tensor)
        negative, size = values < 0, values.abs()
        if self._negative is not None:
            flipped = (negative != self._negative).to(torch.int8)
            if len(self._flips) == LOOKS:
                self._counts -= self._flips[0]
            self._flips.append(flipped)
            self._counts += flipped
        self._negative = negative
        shares = torch.stack([~negative, size <= NEAR_ZERO * size.mean(), size >= AT_CLIP]).float().mean(1)
        counts = torch.bincount(self._counts.int(), minlength=LOOKS + 1)
        return [*shares.float(), *counts.float()]

    def restless(self) -> tuple[tuple[int, int], ...]:
        """Places in the flat tensor, and flips, of those that flip-flop most."""
        found = self._counts.topk(min(NAMED, len(self._counts)))
        return tuple(
            (place * self._stride, flips)
            for place, flips in zip(found.indices.tolist(), found.values.tolist(), strict=True)
            if flips >= FLIP_FLOP
        )


def _differ(now: Tensor, before: Tensor | None) -> Tensor:
    """Share of places at which two masks differ; NaN where there is no other."""
    if before is None:
        return torch.full((), math.nan, device=now.device)
    return (now != before).count_nonzero() / now.numel()


def _some(estimator: nn.Module, x: Tensor, gradient: Tensor, *, spaced: bool) -> tuple[Tensor, Tensor]:
    """About :data:`_VALUES` of the values, whole along all dimensions but the first, over which scales go."""
    if x.numel() <= _VALUES or bool(getattr(estimator, "transposed_groups", False)):
        return x, gradient
    count = max(1, _VALUES // x[0].numel())
    some = slice(None, None, len(x) // count) if spaced else slice(count)
    return x[some], gradient[some]


def passed(estimator: nn.Module, x: Tensor, gradient: Tensor) -> Tensor:
    """What an estimator that got `x` makes of the `gradient` of what it gave; both ``[…]``, as the result.

    One that draws at random is asked as in evaluation.
    """
    training = estimator.training
    estimator.training = False
    try:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            output = estimator(x)
            found: Tensor = torch.autograd.grad(output, x, gradient.to(output.dtype))[0]
    finally:
        estimator.training = training
    return found


def blocked(estimator: nn.Module, x: Tensor, gradient: Tensor) -> Tensor:
    """Of the gradient that comes to an estimator, Σ|g| where it passes nothing on, and Σ|g|: ``[2]``."""
    size = gradient.detach().abs().float()
    stopped = passed(estimator, x, gradient) == 0
    return torch.stack([torch.where(stopped, size, 0.0).sum(), size.sum()])
