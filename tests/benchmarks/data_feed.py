"""Examples per second that are fed to training, beside a torch DataLoader over the same files.

Pictures: 4,000 JPEG files of 64 × 64, read through the cache after the first pass, shuffled, as
float32 batches of 64. The DataLoader decodes each file when it is asked for it, as torchvision's
ImageFolder does, in two worker processes (and in none). Memory: 20,000 × 784 float32, beside a
DataLoader over a TensorDataset. CSV: 20,000 rows of 20 numbers, beside a DataLoader that parses
lines in its Dataset. All figures are the best of five passes over all examples, which take turns. The
feeding process has one torch thread (the workers come beside it): several wait for one another where the
machine does other work too, and the figures would be its.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from engine.data import load
from engine.network import Data
from engine.training.feed import Feed

BATCH = 64
PASSES = 5
PICTURES, SIDE = 4000, 64


class _Pictures(Dataset):  # type: ignore[type-arg]
    """Decodes on demand, as torchvision.datasets.ImageFolder does."""

    def __init__(self, root: Path) -> None:
        self.files = sorted(root.rglob("*.jpg"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[index]) as image:
            pixels = np.asarray(image.convert("RGB"))
        return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255), index % 2


class _Lines(Dataset):  # type: ignore[type-arg]
    """Keeps the lines and parses one when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.lines = path.read_text().splitlines()[1:]

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, float]:
        *cells, target = next(csv.reader([self.lines[index]]))
        return torch.tensor([float(cell) for cell in cells]), float(target)


def write_pictures(root: Path, count: int, side: int, suffix: str = "jpg") -> None:
    """`count` pictures of chance in two classes."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
    ground = random.integers(0, 256, (64, side, side, 3), dtype=np.uint8)
    for number in range(count):
        pixels = np.roll(ground[number % 64], number, axis=(number % 2))
        Image.fromarray(pixels).save(root / "ab"[number % 2] / f"{number:06}.{suffix}", quality=80)


def _rates(examples: int, epochs: dict[str, Callable[[], Iterable[Any]]]) -> dict[str, float]:
    """Examples per second of each: the best of some passes, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(PASSES):
        for name, epoch in epochs.items():
            started = time.perf_counter()
            for batch in epoch():
                batch[0].sum()  # the values are there
            times[name].append(time.perf_counter() - started)
    return {name: examples / min(taken) for name, taken in times.items()}


def _ours(data: Data) -> tuple[int, Callable[[], Iterable[Any]]]:
    split = load(data, 0).splits["train"]
    columns = [*split.inputs.values(), split.targets]
    feed = Feed(columns, BATCH, 0, torch.device("cpu"), at_least=1)
    return len(split), lambda: (batch for piece in feed.pieces(0) for batch in piece)


def _loaders(dataset: Any) -> dict[str, Callable[[], Iterable[Any]]]:
    return {
        "DataLoader, 2 workers": _theirs(dataset, 2),
        "DataLoader, no worker": _theirs(dataset, 0),
    }


def _theirs(dataset: Any, workers: int) -> Callable[[], Iterable[Any]]:
    loader = DataLoader(
        dataset, batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: loader


def measure() -> dict[str, Any]:
    """Examples per second by kind and by who feeds them."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        return {"examples_per_second": {**_pictures(folder), **_memory(folder), **_csv(folder)}}


def _pictures(folder: Path) -> dict[str, dict[str, float]]:
    root = folder / "pictures"
    write_pictures(root, PICTURES, SIDE)
    started = time.perf_counter()
    data = Data(
        "image_folder", {"folder": str(root), "size": [SIDE, SIDE]}, {"kind": "random", "validation": 0}
    )
    count, ours = _ours(data)
    first = time.perf_counter() - started
    theirs = _Pictures(root)
    found = _rates(count, {"layerlab": ours, **_loaders(theirs)})
    return {"folder of pictures": {**found, "layerlab, first pass": count / first}}


def _memory(folder: Path) -> dict[str, dict[str, float]]:
    x = np.random.default_rng(0).random((20_000, 784), dtype=np.float32)
    y = np.arange(20_000) % 10
    np.savez(folder / "a.npz", x=x, y=y)
    count, ours = _ours(Data("numpy", {"path": str(folder / "a.npz")}, {"kind": "random", "validation": 0}))
    theirs = TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return {"memory": _rates(count, {"layerlab": ours, **_loaders(theirs)})}


def _csv(folder: Path) -> dict[str, dict[str, float]]:
    table = np.random.default_rng(0).normal(size=(20_000, 21))
    path = folder / "a.csv"
    names = ",".join(f"c{number}" for number in range(21))
    np.savetxt(path, table, "%.5f", ",", header=names, comments="")
    started = time.perf_counter()
    count, ours = _ours(Data("csv", {"path": str(path)}, {"kind": "random", "validation": 0}))
    first = time.perf_counter() - started
    found = _rates(count, {"layerlab": ours, **_loaders(_Lines(path))})
    return {"CSV": {**found, "layerlab, first pass": count / first}}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for kind, rates in figures["examples_per_second"].items():
        lines.append(kind)
        for who, rate in rates.items():
            times = rates["layerlab"] / rate
            beside = "" if who == "layerlab" else f"   layerlab is {times:.1f} ×"
            lines.append(f"  {who:<24} {rate:>12,.0f} examples/s{beside}")
    return "\n".join(lines)
