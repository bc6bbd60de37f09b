"""A drawn network's forward and backward against the hand-written module of the same network.

Both run in one process, in turns, so that what else the machine does hits both. The goal is a ratio of
at most 1.03.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import engine
from engine import templates
from engine.network import Choice, Edge, End, Network, Node
from tests.test_templates_large import resnet18

_ROUNDS = 41


class Mlp(nn.Module):
    """Two hidden layers, as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 256), nn.Linear(256, 256), nn.Linear(256, 10)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Run."""
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


class LeNet(nn.Module):
    """LeNet-5 with ReLU and max pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.flat = nn.Flatten()
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Run."""
        x = self.pool1(self.relu(self.conv1(x)))
        x = self.pool2(self.relu(self.conv2(x)))
        x = self.relu(self.fc1(self.flat(x)))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


class Chain(nn.Module):
    """A thousand layers in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(16, 16) if i % 2 == 0 else nn.ReLU() for i in range(1000)])

    def forward(self, x: Tensor) -> Tensor:
        """Run."""
        for layer in self.layers:
            x = layer(x)
        return x


def _row(shape: list[int], *nodes: tuple[str, Node]) -> Network:
    every = [("image", Node("Input", {"shape": shape})), *nodes, ("out", Node("Output"))]
    ids = [id for id, _ in every]
    edges = tuple(Edge(End(a), End(b)) for a, b in pairwise(ids))
    return Network(nodes=dict(every), edges=edges)


def _cases() -> dict[str, tuple[nn.Module, nn.Module, Tensor]]:
    relu = Choice("ReLU")
    mlp = _row(
        [784],
        ("fc1", Node("Linear", {"out_features": 256}, relu)),
        ("fc2", Node("Linear", {"out_features": 256}, relu)),
        ("fc3", Node("Linear", {"out_features": 10})),
    )
    chain = _row(
        [16],
        *(
            (f"n{i}", Node("Linear", {"out_features": 16}) if i % 2 == 0 else Node("ReLU"))
            for i in range(1000)
        ),
    )
    return {
        "MLP 784-256-256-10, batch 64": (engine.build(mlp), Mlp(), torch.rand(64, 784)),
        "LeNet-5, batch 64": (
            engine.build(templates.template("lenet5_mnist").network),
            LeNet(),
            torch.rand(64, 1, 28, 28),
        ),
        "ResNet-18 at 64 px, batch 4": (
            engine.build(templates.template("resnet18").network),
            resnet18(),
            torch.rand(4, 3, 64, 64),
        ),
        "1,000 layers in a row, batch 16": (engine.build(chain), Chain(), torch.rand(16, 16)),
    }


def _step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    def run() -> None:
        model.zero_grad(set_to_none=True)
        model(x).sum().backward()

    return run


def measure() -> dict[str, Any]:
    """Milliseconds for one forward and backward, medians, and the median of the ratios of neighbouring runs."""
    torch.manual_seed(0)
    figures: dict[str, Any] = {"threads": torch.get_num_threads()}
    for name, (drawn, hand, x) in _cases().items():
        ours, theirs = _step(drawn, x), _step(hand, x)
        pairs = []
        for number in range(_ROUNDS + 3):
            found = {}
            for run in (ours, theirs) if number % 2 else (theirs, ours):
                started = time.process_time()
                run()
                found[run] = time.process_time() - started
            if number >= 3:
                pairs.append((found[ours], found[theirs]))
        figures[name] = {
            "drawn, ms": 1000 * statistics.median(a for a, _ in pairs),
            "by hand, ms": 1000 * statistics.median(b for _, b in pairs),
            "ratio": statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs),
        }
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    lines = [f"{'CPU ms for a forward and backward':<36} {'drawn':>9} {'by hand':>9} {'ratio':>7}"]
    for name, found in figures.items():
        if isinstance(found, dict) and "ratio" in found:
            lines.append(
                f"{name:<36} {found['drawn, ms']:9.2f} {found['by hand, ms']:9.2f} {found['ratio']:7.3f}"
            )
    return "\n".join(lines)
