"""Steps per second: Layerlab, observed and bare, beside PyTorch written by hand, Lightning and Keras.

Five networks are trained in turn by Layerlab with live observation and its record on disk, by Layerlab
bare, by the loop that people write (a DataLoader over a TensorDataset, default Adam, ``loss.item()``
each step), by the best loop written by hand (batches sliced from pieces that stay in the cache, images with
their channels innermost, fused Adam, nothing waited for), and by Lightning and Keras 3 on torch where they are installed. Same layers,
same batches, same data in memory; validation is left out, and what is counted is the time in the loop.
Contenders take turns; medians over rounds.

On a GPU the data lie on it, the best loop by hand is one CUDA graph of the whole step, and Layerlab's
recipe asks for CUDA graphs; `layerlab_launched` is the recipe without.

LAYERLAB_BENCHMARK_DEVICE says where (cpu, cuda), LAYERLAB_BENCHMARK_THREADS sets torch's threads (its own
choice if unset), LAYERLAB_BENCHMARK_SECONDS how long each trains in a round, LAYERLAB_BENCHMARK_ROUNDS how
many, LAYERLAB_BENCHMARK_NETWORKS which networks, by name.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import engine
from engine.data import load
from engine.network import Choice, Data, Edge, End, Network, Node, Recipe
from engine.problems import DataProblem
from engine.templates import template
from engine.training import Control, train
from tests.benchmarks.train_speed_peers import PEERS

ROUNDS = int(os.environ.get("LAYERLAB_BENCHMARK_ROUNDS", "5"))
DEVICE = os.environ.get("LAYERLAB_BENCHMARK_DEVICE", "cpu")
SECONDS = float(os.environ.get("LAYERLAB_BENCHMARK_SECONDS", "6"))

# ---------------------------------------------------------------------------- the networks, drawn and by hand


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


class _Basic(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inside: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.down = (
            nn.Sequential(nn.Conv2d(inside, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
            if stride != 1 or inside != channels
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + self.down(x))


def resnet() -> nn.Module:
    """ResNet-18 for pictures of 32², by hand."""
    blocks: list[nn.Module] = []
    inside = 64
    for stage, channels in enumerate((64, 128, 256, 512)):
        for number in range(2):
            blocks.append(_Basic(inside, channels, 2 if stage and not number else 1))
            inside = channels
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, 1, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


class _LastOfLstm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 64, batch_first=True)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores from the last state."""
        return self.fc(self.lstm(x)[0][:, -1])


class _MeanOfTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(16, 64)
        self.layers = nn.Sequential(
            *(nn.TransformerEncoderLayer(64, 4, 128, 0.1, batch_first=True) for _ in range(2))
        )
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores from the mean over places."""
        return self.fc2(self.layers(self.fc1(x)).mean(1))


def _network(
    name: str, shape: list[int], nodes: dict[str, Node], edges: list[tuple[str, str]], batch: int
) -> Network:
    every = {"image": Node("Input", {"shape": shape}), **nodes, "out": Node("Output")}
    data = Data("random", {"shape": shape, "examples": 4096 if len(shape) < 3 else 512})
    recipe = Recipe(data=data, batch_size=batch, optimizer=Choice("Adam", {"lr": 0.001}))
    wires = edges or list(pairwise(every))
    return Network(name, every, tuple(Edge(End.parse(a), End.parse(b)) for a, b in wires), recipe=recipe)


def _drawn_lstm() -> Network:
    nodes = {
        "lstm": Node("LSTM", {"hidden_size": 64}),
        "last": Node("Select", {"dim": 1, "index": -1}),
        "fc": Node("Linear", {"out_features": 10}),
    }
    wires = [("image", "lstm.input"), ("lstm.output", "last"), ("last", "fc"), ("fc", "out")]
    return _network("LSTM", [32, 16], nodes, wires, 64)


def _drawn_transformer() -> Network:
    fields = {"nhead": 4, "dim_feedforward": 128}
    nodes = {
        "fc1": Node("Linear", {"out_features": 64}),
        "layer1": Node("TransformerEncoderLayer", fields),
        "layer2": Node("TransformerEncoderLayer", fields),
        "mean": Node("Mean", {"dim": [1]}),
        "fc2": Node("Linear", {"out_features": 10}),
    }
    return _network("Transformer", [32, 16], nodes, [], 64)


def _drawn_resnet() -> Network:
    nodes = {
        "conv1": Node("Conv2d", {"out_channels": 64, "kernel_size": 3, "padding": 1, "bias": False}),
        "bn1": Node("BatchNorm2d", activation=Choice("ReLU")),
    }
    wires = [("image", "conv1"), ("conv1", "bn1")]
    last, inside = "bn1", 64
    for stage, channels in enumerate((64, 128, 256, 512), 1):
        for number in (1, 2):
            stride = 2 if stage > 1 and number == 1 else 1
            own = f"s{stage}b{number}"
            conv = {"out_channels": channels, "kernel_size": 3, "padding": 1, "bias": False}
            nodes |= {
                f"{own}c1": Node("Conv2d", {**conv, "stride": stride}),
                f"{own}n1": Node("BatchNorm2d", activation=Choice("ReLU")),
                f"{own}c2": Node("Conv2d", conv),
                f"{own}n2": Node("BatchNorm2d"),
                f"{own}add": Node("Add", activation=Choice("ReLU")),
            }
            path = [last, f"{own}c1", f"{own}n1", f"{own}c2", f"{own}n2"]
            wires += [*pairwise(path), (f"{own}n2", f"{own}add.input")]
            around = last
            if stride != 1 or inside != channels:
                down = {"out_channels": channels, "kernel_size": 1, "stride": stride, "bias": False}
                nodes |= {f"{own}dc": Node("Conv2d", down), f"{own}dn": Node("BatchNorm2d")}
                wires += [(last, f"{own}dc"), (f"{own}dc", f"{own}dn")]
                around = f"{own}dn"
            wires.append((around, f"{own}add.other"))
            last, inside = f"{own}add", channels
    nodes |= {
        "pool": Node("AdaptiveAvgPool2d", {"output_size": 1}),
        "flat": Node("Flatten"),
        "fc": Node("Linear", {"out_features": 10}),
    }
    wires += [(last, "pool"), ("pool", "flat"), ("flat", "fc"), ("fc", "out")]
    return _network("ResNet-18", [3, 32, 32], nodes, wires, 32)


NETWORKS: dict[str, tuple[Callable[[], Network], Callable[[], nn.Module]]] = {
    "digits_mlp": (lambda: template("digits_mlp").network, perceptron),
    "lenet5_mnist": (lambda: template("lenet5_mnist").network, lenet),
    "resnet18": (_drawn_resnet, resnet),
    "lstm": (_drawn_lstm, _LastOfLstm),
    "transformer": (_drawn_transformer, _MeanOfTransformer),
}

# ---------------------------------------------------------------------------- the contenders


def idiomatic(
    inputs: Tensor, targets: Tensor, batch: int, rate: float, model: nn.Module, seconds: float
) -> float:
    """Steps per second of the loop that people write."""
    loader = DataLoader(TensorDataset(inputs, targets), batch, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    loss_of = nn.CrossEntropyLoss()
    model.to(DEVICE).train()
    steps, total = 0, 0.0
    start = time.perf_counter()
    while True:
        for x, y in loader:
            x, y = x.to(DEVICE), y.to(DEVICE)
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
            steps += 1
            if time.perf_counter() - start > seconds:
                return steps / (time.perf_counter() - start)


def tuned(
    inputs: Tensor, targets: Tensor, batch: int, rate: float, model: nn.Module, seconds: float
) -> float:
    """Steps per second of the best loop written by hand."""
    pictures = inputs.dim() == 4
    if pictures:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
    loss_of = nn.functional.cross_entropy
    model.train()
    steps = 0
    total = torch.zeros(())
    start = time.perf_counter()
    # So many batches are gathered at once as stay in the cache: of small data all, of pictures a few.
    size = inputs[:batch].numel() * inputs.element_size()
    together = batch * max(1, min(64, (4 << 20) // size))
    while True:
        for chosen in torch.randperm(len(inputs)).split(together):
            xs, ys = inputs.index_select(0, chosen), targets.index_select(0, chosen)
            if pictures:
                xs = xs.contiguous(memory_format=torch.channels_last)
            for x, y in zip(xs.split(batch), ys.split(batch), strict=True):
                loss = loss_of(model(x), y)
                loss.backward()
                optimizer.step()
                for parameter in parameters:
                    parameter.grad = None
                total += loss.detach()
                steps += 1
                if time.perf_counter() - start > seconds:
                    return steps / (time.perf_counter() - start)


class _Clock(Control):
    """Stops a run when its time is over."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = 0.0
        super().__init__()

    def tell(self, event: object) -> None:
        """Look at the clock with every event, from the first one on."""
        now = time.perf_counter()
        self._end = self._end or now + self._seconds
        if now > self._end:
            self.stop()


def tuned_gpu(
    inputs: Tensor, targets: Tensor, batch: int, rate: float, model: nn.Module, seconds: float
) -> float:
    """Steps per second of the best loop written by hand for a GPU: a step is one graph, data lie there."""
    inputs, targets, model = inputs.cuda(), targets.cuda(), model.cuda().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True, capturable=True)
    x, y = inputs[:batch].clone(), targets[:batch].clone()
    total = torch.zeros((), device="cuda")

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total.add_(loss.detach())

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=side):
        step()
    torch.cuda.synchronize()
    steps, start = 0, time.perf_counter()
    while True:
        for chosen in torch.randperm(len(inputs), device="cuda").split(64 * batch):
            xs, ys = inputs.index_select(0, chosen), targets.index_select(0, chosen)
            for own, right in zip(xs.split(batch), ys.split(batch), strict=True):
                if len(own) == batch:
                    x.copy_(own)
                    y.copy_(right)
                    graph.replay()
                    steps += 1
            torch.cuda.synchronize()  # looks at the clock, as ours does a few times a second
            if time.perf_counter() - start > seconds:
                return steps / (time.perf_counter() - start)


def layerlab(network: Network, seconds: float, *, observe: bool, **options: Any) -> float:
    """Steps per second of a run of ours."""
    with tempfile.TemporaryDirectory() as folder:
        clock = _Clock(seconds)
        result = train(
            network,
            epochs=1_000_000,
            device=DEVICE,
            run_dir=folder,
            observe=observe,
            control=clock,
            emit=clock.tell,
            **options,
        )
    return float(result["steps_per_second"])


def _contenders(network: Network, model: Callable[[], nn.Module]) -> dict[str, Callable[[float], float]]:
    split = load(network.recipe.data, network.recipe.seed).splits["train"]
    (inputs,) = split.inputs.values()
    data = (inputs[:], split.targets, network.recipe.batch_size, network.recipe.optimizer.fields["lr"])
    options = {} if DEVICE == "cpu" else {"cuda_graphs": True}
    best = tuned if DEVICE == "cpu" else tuned_gpu
    found: dict[str, Callable[[float], float]] = {
        "layerlab": lambda seconds: layerlab(network, seconds, observe=True, **options),
        "layerlab_bare": lambda seconds: layerlab(network, seconds, observe=False, **options),
        "tuned": lambda seconds: best(*data, model(), seconds),
        "idiomatic": lambda seconds: idiomatic(*data, model(), seconds),
    }
    if DEVICE != "cpu":
        found["layerlab_launched"] = lambda seconds: layerlab(network, seconds, observe=True)
    for name, peer in PEERS.items():
        found[name] = lambda seconds, peer=peer: peer(*data, model(), seconds)  # type: ignore[misc]
    return found


def _one(id: str) -> dict[str, Any]:
    drawn, model = NETWORKS[id]
    network = drawn()
    split = {"kind": "random", "validation": 0}
    data = msgspec.structs.replace(network.recipe.data, split=split)
    network = msgspec.structs.replace(network, recipe=msgspec.structs.replace(network.recipe, data=data))
    missing = ""
    try:
        load(data, network.recipe.seed)
    except DataProblem as problem:  # how fast it is does not depend on what the pictures show
        shape = next(node.fields["shape"] for node in network.nodes.values() if node.type == "Input")
        data = Data("random", {"shape": shape, "examples": 20_000}, split)
        network = msgspec.structs.replace(network, recipe=msgspec.structs.replace(network.recipe, data=data))
        missing = f"random pictures in the place of the data: {problem}"
    counts = [sum(p.numel() for p in m.parameters()) for m in (engine.build(network), model())]
    if counts[0] != counts[1]:
        raise AssertionError(f"{id}: {counts[0]} parameters drawn, {counts[1]} written by hand")
    contenders = _contenders(network, model)
    skipped = {}
    for name, run in list(contenders.items()):
        try:
            run(0.3)
        except ImportError as problem:
            skipped[name] = f"{problem}"
            del contenders[name]
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            speeds[name].append(run(SECONDS))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    # Neighbours in one round saw the same machine: the ratio of each round, and then the median.
    ratios = {
        name: statistics.median(a / b for a, b in zip(speeds["layerlab"], values, strict=True))
        for name, values in speeds.items()
        if name != "layerlab"
    }
    return {
        "steps_per_second": medians,
        "spread": {name: [min(values), max(values)] for name, values in speeds.items()},
        "layerlab_over": ratios,
        "skipped": skipped,
        **({"data": missing} if missing else {}),
    }


def measure() -> dict[str, Any]:
    """Steps per second of each contender on each network, and ours over theirs."""
    if threads := os.environ.get("LAYERLAB_BENCHMARK_THREADS"):
        torch.set_num_threads(int(threads))
    figures: dict[str, Any] = {
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
        "device": "cpu" if DEVICE == "cpu" else torch.cuda.get_device_name(),
        "settings": {"seconds": SECONDS, "rounds": ROUNDS},
        "networks": {},
    }
    wanted = os.environ.get("LAYERLAB_BENCHMARK_NETWORKS")
    for id in wanted.split(",") if wanted else NETWORKS:
        print(f"train_speed: {id}", file=sys.stderr)
        figures["networks"][id] = _one(id)
        # Told at once: a benchmark of minutes may be cut short.
        print(
            table(
                {"machine": {"cores": os.cpu_count()}, **figures, "networks": {id: figures["networks"][id]}}
            ),
            file=sys.stderr,
        )
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures in rows."""
    machine = figures["machine"]
    rows = [
        f"{machine['cores']} cores, torch {figures['torch']}, {figures['threads']} threads, "
        f"on {figures.get('device', 'cpu')}; steps per second"
    ]
    for id, found in figures["networks"].items():
        rows.append(id)
        rows += [f"  {found['data']}"] if "data" in found else []
        for name, median in found["steps_per_second"].items():
            low, high = found["spread"][name]
            ratio = found["layerlab_over"].get(name)
            over = "" if ratio is None else f"   layerlab {ratio:.2f} ×"
            rows.append(f"  {name:<14}{median:>9.1f}   ({low:.1f} … {high:.1f}){over}")
        rows += [f"  {name:<14}  skipped: {why}" for name, why in found["skipped"].items()]
    return "\n".join(rows)
