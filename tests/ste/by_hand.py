"""Rows of the table of estimators in PyTorch written by hand: nothing of Layerlab's but the file reader.

784-3×1024-10, batch normalisation, Adam decayed exponentially to a hundredth over three epochs, batches of
100, torch's default initialisation, all 60,000 training images, the last weights. ``python -m
tests.ste.by_hand ROW [SEED]`` prints the test accuracy of one; without a row it lists them.
"""

from __future__ import annotations

import gzip
import os
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional


class SteSign(Function):
    """Sign forward; backward the gradient where the value is within −1 … 1 (Hubara et al. 2016)."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
        (x,) = ctx.saved_tensors
        return g * (x.abs() <= 1)


class LbSign(Function):
    """Sign forward; backward the gradient clamped to −1 … 1."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:  # type: ignore[no-untyped-def, override]
        return g.clamp(-1, 1)


class Net(nn.Module):
    """Three binarized layers, and a real one on binarized inputs."""

    def __init__(self, sign: type[Function]) -> None:
        super().__init__()
        sizes = [784, 1024, 1024, 1024]
        self.hidden = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.BatchNorm1d(1024) for _ in self.hidden)
        self.last = nn.Linear(1024, 10)
        self.sign = sign.apply

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the ten digits."""
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            x = self.sign(norm(functional.linear(x, self.sign(layer.weight))))
        return self.last(x)


def mnist(name: str) -> np.ndarray:
    """One of the four files."""
    data = gzip.decompress((Path(os.environ["LAYERLAB_DATA"]) / "mnist" / f"{name}.gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=16 if "images" in name else 8)


ROWS = (
    "ste_sign, lr 1e-3",
    "lbsign on weights and inputs",
    "latent weights from U(-1, 1)",
    "L2 1e-4 on latent weights",
    "Bop, threshold 1e-6, gamma 1e-3",
)


def accuracy(row: str, seed: int, epochs: int = 3) -> float:
    """Test accuracy in percent."""
    images = torch.tensor(mnist("train-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / 255)
    labels = torch.tensor(mnist("train-labels-idx1-ubyte").astype(np.int64))
    torch.manual_seed(seed)
    net = Net(LbSign if row.startswith("lbsign") else SteSign)
    if "U(-1, 1)" in row:
        for layer in net.hidden:
            nn.init.uniform_(layer.weight, -1, 1)
    flipping = [layer.weight for layer in net.hidden] if row.startswith("Bop") else []
    real = [p for p in net.parameters() if not any(p is weight for weight in flipping)]
    optimizer = torch.optim.Adam(real, lr=1e-3, weight_decay=1e-4 if row.startswith("L2") else 0.0)
    means = [torch.zeros_like(weight) for weight in flipping]
    steps = epochs * len(images) // 100
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / steps))
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(100):
            loss = functional.cross_entropy(net(images[batch]), labels[batch])
            net.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for weight, mean in zip(flipping, means, strict=True):
                    mean.lerp_(weight.grad, 1e-3)
                    weight[(mean.abs() > 1e-6) & (mean.sign() == weight.sign())] *= -1
                for layer in net.hidden:
                    layer.weight.clamp_(-1, 1)
    net.eval()
    with torch.no_grad():
        scores = net(torch.tensor(mnist("t10k-images-idx3-ubyte").reshape(-1, 784).astype(np.float32) / 255))
    return float(100 * (scores.argmax(1).numpy() == mnist("t10k-labels-idx1-ubyte")).mean())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(*ROWS, sep="\n")
    else:
        seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
        print(f"{sys.argv[1]}: {accuracy(sys.argv[1], seed):.2f} % (seed {seed})")
