"""Steps per second: Layerlab, observed and bare, beside hand-written PyTorch.

The digits perceptron and LeNet-5 are trained in turn by Layerlab with live observation and its
record on disk, by Layerlab without observation, and by the loop that people write: a DataLoader
over a TensorDataset, default Adam, ``loss.item()`` each step. Same layers, same batches, same data
in memory; validation is left out. What is counted is the time in the loop. Medians over rounds.

LAYERLAB_BENCHMARK_THREADS sets torch's threads (its own choice if unset).
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import msgspec
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import engine
from engine.data import load
from engine.network import Data, Network
from engine.problems import DataProblem
from engine.templates import template
from engine.training import Control, train

ROUNDS = 5
#: Seconds that each contender trains in a round, about.
SECONDS = 4.0


def perceptron() -> nn.Module:
    """The digits template, written by hand."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 256),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def lenet() -> nn.Module:
    """The LeNet-5 template, written by hand."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def idiomatic(network: Network, model: nn.Module, seconds: float) -> float:
    """Steps per second of the loop that people write."""
    split = load(network.recipe.data, network.recipe.seed).splits["train"]
    loader = DataLoader(
        TensorDataset(split.inputs["input"], split.targets), network.recipe.batch_size, shuffle=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=network.recipe.optimizer.fields["lr"])
    loss_of = nn.CrossEntropyLoss()
    model.train()
    steps, total = 0, 0.0
    start = time.perf_counter()
    while True:
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_of(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
            steps += 1
            if time.perf_counter() - start > seconds:
                return steps / (time.perf_counter() - start)


class _Clock(Control):
    """Stops a run when its time is over; asked for before each batch like any control."""

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds
        super().__init__()

    def tell(self, event: object) -> None:
        """Look at the clock with every event."""
        if time.perf_counter() > self._end:
            self.stop()


def layerlab(network: Network, seconds: float, *, observe: bool) -> float:
    """Steps per second of a run of ours."""
    with tempfile.TemporaryDirectory() as folder:
        clock = _Clock(seconds)
        result = train(
            network,
            epochs=1_000_000,
            device="cpu",
            run_dir=folder,
            observe=observe,
            control=clock,
            emit=clock.tell,
        )
    return float(result["steps_per_second"])


def _contenders(network: Network, model: Callable[[], nn.Module]) -> dict[str, Callable[[float], float]]:
    return {
        "layerlab": lambda seconds: layerlab(network, seconds, observe=True),
        "layerlab_bare": lambda seconds: layerlab(network, seconds, observe=False),
        "idiomatic": lambda seconds: idiomatic(network, model(), seconds),
    }


def measure() -> dict[str, Any]:
    """Steps per second of each contender on each network, and ours over theirs."""
    if threads := os.environ.get("LAYERLAB_BENCHMARK_THREADS"):
        torch.set_num_threads(int(threads))
    figures: dict[str, Any] = {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "networks": {},
    }
    for id, model in (("digits_mlp", perceptron), ("lenet5_mnist", lenet)):
        network = template(id).network
        data = Data(
            network.recipe.data.source, network.recipe.data.fields, {"kind": "random", "validation": 0}
        )
        recipe = msgspec.structs.replace(network.recipe, data=data)
        network = msgspec.structs.replace(network, recipe=recipe)
        try:
            load(data, recipe.seed)
        except DataProblem as problem:
            figures["networks"][id] = {"skipped": str(problem)}
            continue
        ours, theirs = engine.build(network), model()
        counts = [sum(p.numel() for p in m.parameters()) for m in (ours, theirs)]
        if counts[0] != counts[1]:
            raise AssertionError(f"{id}: {counts[0]} parameters drawn, {counts[1]} written by hand")
        contenders = _contenders(network, model)
        for run in contenders.values():
            run(0.5)
        speeds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, run in contenders.items():
                speeds[name].append(run(SECONDS))
        medians = {name: statistics.median(values) for name, values in speeds.items()}
        figures["networks"][id] = {
            "steps_per_second": medians,
            "spread": {name: [min(values), max(values)] for name, values in speeds.items()},
            "ratio": medians["layerlab"] / medians["idiomatic"],
            "ratio_bare": medians["layerlab_bare"] / medians["idiomatic"],
        }
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures in rows."""
    machine = figures["machine"]
    rows = [
        f"{machine['cores']} cores, torch {figures['torch']}, {figures['threads']} threads; steps per second"
    ]
    for id, found in figures["networks"].items():
        if "skipped" in found:
            rows.append(f"{id}: skipped: {found['skipped']}")
            continue
        rows.append(id)
        for name, median in found["steps_per_second"].items():
            low, high = found["spread"][name]
            rows.append(f"  {name:<14}{median:>9.1f}   ({low:.1f} … {high:.1f})")
        rows.append(f"  ours over theirs: {found['ratio']:.2f} observed, {found['ratio_bare']:.2f} bare")
    return "\n".join(rows)
