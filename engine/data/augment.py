"""Varying training examples by chance, a whole batch at a time, where the batch lies.

The draws of a batch come from the stream ``(seed, "augment", epoch, batch)``, so that a run that
is resumed sees the same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional

from engine.catalog import AUGMENTATIONS
from engine.catalog.entry import Settings
from engine.data.description import describe
from engine.network import Choice, Recipe
from engine.streams import stream_seed

Batch = tuple[Tensor, ...]


def _draw(like: Tensor, random: Generator) -> Tensor:
    """A number from 0 to 1 for each example, shaped to be multiplied with it."""
    found = torch.rand(len(like), generator=random, device=like.device)
    return found.view(-1, *[1] * (like.dim() - 1))


def _between(like: Tensor, lo: float, hi: float, random: Generator) -> Tensor:
    return lo + (hi - lo) * _draw(like, random)


def _flip(x: Tensor, f: Settings, random: Generator) -> Tensor:
    if f.horizontal:
        x = torch.where(_draw(x, random) < f.horizontal, x.flip(-1), x)
    if f.vertical:
        x = torch.where(_draw(x, random) < f.vertical, x.flip(-2), x)
    return x


def _sampled(x: Tensor, matrix: Tensor) -> Tensor:
    """The pictures through affine maps ``[N, 2, 3]`` in coordinates −1 … 1; zero from beyond the edge."""
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    found: Tensor = functional.grid_sample(x, grid, align_corners=False)
    return found


def _crop(x: Tensor, f: Settings, random: Generator) -> Tensor:
    area = _between(x, f.smallest, 1.0, random).flatten()
    stretch = _between(x, -1.0, 1.0, random).flatten().mul(0.5 * math.log(f.aspect)).exp()
    width = (area.sqrt() * stretch).clamp(max=1.0)
    height = (area.sqrt() / stretch).clamp(max=1.0)
    zero = torch.zeros_like(area)
    across = (2 * torch.rand(len(x), generator=random, device=x.device) - 1) * (1 - width)
    down = (2 * torch.rand(len(x), generator=random, device=x.device) - 1) * (1 - height)
    matrix = torch.stack([torch.stack([width, zero, across], 1), torch.stack([zero, height, down], 1)], 1)
    return _sampled(x, matrix)


def _shift(x: Tensor, f: Settings, random: Generator) -> Tensor:
    count, _, height, width = x.shape
    places = []
    inside = []
    for side in (height, width):
        by = torch.randint(-f.pixels, f.pixels + 1, (count, 1), generator=random, device=x.device)
        place = torch.arange(side, device=x.device) + by
        inside.append((place >= 0) & (place < side))
        if f.mirror and side > 1:  # a mirrored row of mirrors repeats after 2 · side − 2
            place = place.remainder(2 * side - 2)
            place = torch.where(place < side, place, 2 * side - 2 - place)
        places.append(place.clamp(0, side - 1))
    rows = torch.arange(count, device=x.device)[:, None, None]
    moved = x.permute(0, 2, 3, 1)[rows, places[0][:, :, None], places[1][:, None, :]].permute(0, 3, 1, 2)
    if f.mirror:
        return moved.contiguous()
    return moved * (inside[0][:, None, :, None] & inside[1][:, None, None, :])


def _rotate(x: Tensor, f: Settings, random: Generator) -> Tensor:
    angle = _between(x, -f.degrees, f.degrees, random).flatten().deg2rad()
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    ratio = x.shape[-2] / x.shape[-1]
    top = torch.stack([cos, -sin * ratio, zero], 1)
    return _sampled(x, torch.stack([top, torch.stack([sin / ratio, cos, zero], 1)], 1))


def _colour(x: Tensor, f: Settings, random: Generator) -> Tensor:
    if f.brightness:
        x = x * _between(x, 1 - f.brightness, 1 + f.brightness, random)
    if f.contrast:
        mean = x.mean((1, 2, 3), keepdim=True)
        x = torch.lerp(mean, x, _between(x, 1 - f.contrast, 1 + f.contrast, random))
    if f.saturation and x.shape[1] == 3:
        # Luma of ITU-R 601, as Pillow's convert("L") has it.
        weights = torch.tensor([0.299, 0.587, 0.114], device=x.device, dtype=x.dtype).view(1, 3, 1, 1)
        grey = (x * weights).sum(1, keepdim=True)
        x = torch.lerp(grey, x, _between(x, 1 - f.saturation, 1 + f.saturation, random))
    return x


def _cutout(x: Tensor, f: Settings, random: Generator) -> Tensor:
    kept = []
    for dim in (2, 3):
        side = x.shape[dim]
        middle = torch.randint(0, side, (len(x), 1), generator=random, device=x.device)
        start = middle - f.size // 2
        place = torch.arange(side, device=x.device)
        kept.append((place < start) | (place >= start + f.size))
    outside = kept[0][:, None, :, None] | kept[1][:, None, None, :]
    return torch.where(outside, x, torch.zeros_like(x))


def _noise(x: Tensor, f: Settings, random: Generator) -> Tensor:
    noise = torch.randn(x.shape, generator=random, device=x.device, dtype=x.dtype)
    return torch.add(x, noise, alpha=f.std)


#: Those that vary one column, each example by itself.
_FUNCTIONS: dict[str, Callable[[Tensor, Settings, Generator], Tensor]] = {
    "flip": _flip,
    "crop": _crop,
    "shift": _shift,
    "rotate": _rotate,
    "colour": _colour,
    "cutout": _cutout,
    "noise": _noise,
}


def vary(x: Tensor, choices: Sequence[Choice], random: Generator) -> Tensor:
    """A column's batch ``[N, …]`` varied by each of `choices` but mixup, which needs the targets too."""
    if not x.is_floating_point():
        return x
    for choice in choices:
        entry = AUGMENTATIONS[choice.id]
        if choice.id == "mixup" or (entry.reads == ("image",) and x.dim() != 4):
            continue
        settings = entry.settings(choice.fields)
        varied = _FUNCTIONS[choice.id](x, settings, random)
        p = getattr(settings, "p", 1.0)
        x = varied if p == 1 else torch.where(_draw(x, random) < p, varied, x)
    return x


def blended(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """``share · values + (1 − share) · partner's values``, for mixup."""
    shape = share.view(-1, *[1] * (values.dim() - 1))
    return torch.lerp(values[partner], values, shape)


def _alpha(choices: Sequence[Choice]) -> float | None:
    """How mixup blends, where it is among `choices`."""
    mixups = [choice for choice in choices if choice.id == "mixup"]
    return float(AUGMENTATIONS["mixup"].settings(mixups[-1].fields).alpha) if mixups else None


def _mixing(count: int, alpha: float, random: Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """How much of itself each example keeps, and whom it is blended with.

    Shares are drawn from Beta(alpha, alpha) by two gammas (their generator is torch's own, on the CPU).
    """
    shapes = torch.full((2, count), alpha)
    seed = int(torch.randint(1 << 62, (1,), generator=random, device=device))
    first, second = torch._standard_gamma(shapes, generator=Generator().manual_seed(seed))
    total = first + second
    share = torch.where(total > 0, first / total, 0.5).to(device)
    return share, torch.randperm(count, generator=random, device=device)


class Variation:
    """Varies the batches of a run. Made by :meth:`of`.

    Parameters
    ----------
    choices
        What to do, in order.
    inputs
        How many of a batch's first tensors are inputs; behind them come targets, then as many labels.
    classes
        How many classes the targets have, for mixup.
    seed
        Of the run.
    device
        Where batches are.
    """

    def __init__(
        self, choices: Sequence[Choice], inputs: int, classes: int | None, seed: int, device: torch.device
    ) -> None:
        self._choices, self._inputs, self._classes, self._seed = choices, inputs, classes, seed
        self._random = Generator(device)
        self._alpha: float | None = _alpha(choices)

    @classmethod
    def of(cls, recipe: Recipe, inputs: int, device: torch.device) -> Variation | None:
        """What `recipe` asks for, or None where it varies nothing."""
        if not recipe.data.augment:
            return None
        return cls(recipe.data.augment, inputs, describe(recipe.data).classes, recipe.seed, device)

    def __call__(self, batch: Batch, epoch: int, number: int) -> Batch:
        """The batch of that number, varied."""
        self._random.manual_seed(stream_seed(self._seed, "augment", epoch, number))
        inputs = [vary(x, self._choices, self._random) for x in batch[: self._inputs]]
        rest = batch[self._inputs :]
        if self._alpha is None:
            return (*inputs, *rest)
        targets, labels = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        device = batch[0].device
        share, partner = _mixing(len(batch[0]), self._alpha, self._random, device)
        mixed = [blended(x, partner, share) if x.is_floating_point() else x for x in inputs]
        return (*mixed, *(self._blend(target, partner, share) for target in targets), *labels)

    def _blend(self, target: Tensor, partner: Tensor, share: Tensor) -> Tensor:
        if not target.is_floating_point():
            target = functional.one_hot(target, self._classes or -1).to(share.dtype)
        return blended(target, partner, share)


class Preview(NamedTuple):
    """Examples as training might see them."""

    #: ``[N, …]``.
    values: Tensor
    #: For mixup: how much of itself each keeps, and the number of the one that it is blended with.
    share: Tensor | None = None
    partner: Tensor | None = None


def preview(x: Tensor, choices: Sequence[Choice], seed: int, *names: Any) -> Preview:
    """Examples ``[N, …]`` as training might see them as one batch, drawn from a stream of their own."""
    random = Generator(x.device).manual_seed(stream_seed(seed, "augment preview", *names))
    varied, alpha = vary(x, choices, random), _alpha(choices)
    if alpha is None or not x.is_floating_point():
        return Preview(varied)
    share, partner = _mixing(len(x), alpha, random, x.device)
    return Preview(blended(varied, partner, share), share, partner)
