"""Channels innermost or outermost: what one step of convolutional networks costs on the processor either way.

Forward, backward and fused Adam, written by hand, both orders in turn in one process; medians of the
thread's own time on one core. The recipe's `channels_last: auto` rests on it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.benchmarks.train_speed import lenet, resnet

#: Seconds per network and order, about; batches.
SECONDS = 2.0
BATCHES = (8, 64)


def plain(channels: Sequence[int], normalised: bool = True) -> nn.Module:
    """Convolution, normalisation, ReLU and pooling for each of `channels`."""
    layers: list[nn.Module] = []
    before = 3
    for count in channels:
        layers.append(nn.Conv2d(before, count, 3, padding=1, bias=not normalised))
        layers += [nn.BatchNorm2d(count)] if normalised else []
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        before = count
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def separable(channels: Sequence[int]) -> nn.Module:
    """A pointwise and a depthwise convolution for each of `channels`."""
    layers: list[nn.Module] = []
    before = 3
    for count in channels:
        layers += [nn.Conv2d(before, count, 1, bias=False), nn.BatchNorm2d(count), nn.ReLU6()]
        layers += [nn.Conv2d(count, count, 3, padding=1, groups=count, bias=False)]
        layers += [nn.BatchNorm2d(count), nn.ReLU6()]
        before = count
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "LeNet-5": (lenet, (1, 28, 28)),
    "16, 32, normalised": (lambda: plain((16, 32)), (3, 32, 32)),
    "32, 64": (lambda: plain((32, 64), normalised=False), (3, 32, 32)),
    "64, 128, normalised": (lambda: plain((64, 128)), (3, 32, 32)),
    "separable 96, 144": (lambda: separable((96, 144)), (3, 32, 32)),
    "ResNet-18": (resnet, (3, 32, 32)),
}


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> float:
    start = time.thread_time()
    loss = functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return time.thread_time() - start


def _both(make: Callable[[], nn.Module], shape: tuple[int, ...], batch: int) -> tuple[float, float]:
    """Milliseconds of a step with channels outermost, and innermost."""
    formats = (torch.contiguous_format, torch.channels_last)
    models = [make().to(memory_format=layout) for layout in formats]  # type: ignore[call-overload]
    optimizers = [torch.optim.Adam(model.parameters(), fused=True) for model in models]
    x, y = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    batches = [x.contiguous(memory_format=layout) for layout in formats]
    turn = [lambda i=i: _step(models[i], optimizers[i], batches[i], y) for i in (0, 1)]
    for one in turn:
        one()
    count = max(5, min(200, int(SECONDS / turn[0]())))
    times = [[one() for one in turn] for _ in range(count)]
    first, last = (statistics.median(row) * 1000 for row in zip(*times, strict=True))
    return first, last


def measure() -> dict[str, Any]:
    """Milliseconds by network and batch, in both orders."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = {
            f"{name}, batch {batch}": _both(make, shape, batch)
            for name, (make, shape) in NETWORKS.items()
            for batch in BATCHES
        }
    finally:
        torch.set_num_threads(threads)
    return {
        "torch": torch.__version__,
        "milliseconds": {
            name: {"outermost": first, "innermost": last, "faster": first / last}
            for name, (first, last) in rows.items()
        },
    }


def table(figures: dict[str, Any]) -> str:
    """For people."""
    lines = [f"{'a step, ms':<34}{'outermost':>10}{'innermost':>10}{'faster':>8}"]
    for name, row in figures["milliseconds"].items():
        lines.append(f"{name:<34}{row['outermost']:>10.2f}{row['innermost']:>10.2f}{row['faster']:>7.2f}×")
    return "\n".join(lines)
