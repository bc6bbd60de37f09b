"""Five data sets of five kinds as files, and a small network for each."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.network import Choice, Data, Edge, End, Network, Node, Recipe
from tests.networks import chain


class Kind(NamedTuple):
    """A network with its data."""

    name: str
    network: Network
    #: The figure of validation that is compared with the baseline's, and whether more of it is better.
    figure: str
    more_is_better: bool


def shared_data() -> Path:
    """Where the real data that tests may use lie."""
    named = os.environ.get("LAYERLAB_DATA")
    return Path(named) if named else Path(__file__).parents[2] / "shared" / "data"


def write_diabetes(path: Path) -> None:
    """The diabetes set as CSV with two columns of text and every twentieth cell empty."""
    from engine.data import load

    split = load(Data("diabetes", {"standardise": False, "standardise_target": False}, {"validation": 0}), 0)
    rows, targets = split.splits["train"].inputs["input"][:].numpy(), split.splits["train"].targets
    random = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age group", "sex", "bmi", "bp", *(f"s{n}" for n in range(1, 7)), "progression"])
        for row, target in zip(rows, targets, strict=True):
            age = "young" if row[0] < 40 else "middle" if row[0] < 60 else "old"
            cells = [age, "male" if row[1] == 2 else "female", *(f"{value:g}" for value in row[2:])]
            gaps = random.random(len(cells)) < 0.05
            writer.writerow(
                [*("" if gap else cell for cell, gap in zip(cells, gaps, strict=True)), f"{target[0]:g}"]
            )


def write_series(path: Path, steps: int = 1500) -> None:
    """The Mackey–Glass series, tau 17 (Mackey and Glass 1977), by Euler's method in steps of 0.1."""
    delay = 170
    values = np.full(10 * steps + delay, 1.2)
    for t in range(delay, len(values) - 1):
        late = values[t - delay]
        values[t + 1] = values[t] + 0.1 * (0.2 * late / (1 + late**10) - 0.1 * values[t])
    told = values[delay::10][:steps]
    path.write_text("time,level\n" + "".join(f"{t},{value:.6f}\n" for t, value in enumerate(told)))


def write_videos(path: Path, count: int = 600) -> None:
    """Handwritten digits that move over the picture: 5-dimensional; the class is the way they move."""
    from engine.data import load

    digits = load(Data("digits"), 0).splits["train"].inputs["input"][:].numpy()
    random = np.random.default_rng(0)
    clips = np.zeros((count, 1, 6, 14, 14), np.uint8)
    labels = random.integers(0, 4, count)
    for clip, label in enumerate(labels):
        picture = (digits[random.integers(len(digits)), 0] * 255).astype(np.uint8)
        down, across = ((0, 1), (0, -1), (1, 0), (-1, 0))[label]
        for frame in range(6):
            top = 3 + (frame - 3 if down > 0 else 3 - frame if down < 0 else 0)
            left = 3 + (frame - 3 if across > 0 else 3 - frame if across < 0 else 0)
            clips[clip, 0, frame, top : top + 8, left : left + 8] = picture
    np.savez(path, x=clips, y=labels)


def write_text(path: Path) -> None:
    """The project's own help, some kilobytes of English."""
    root = Path(__file__).parents[1]
    pages = [root / "README.md", *sorted((root / "assets" / "help").glob("*.md"))]
    path.write_text("\n".join(page.read_text("utf-8") for page in pages), "utf-8")


def _linear(size: int, **parts: object) -> Node:
    return Node("Linear", {"out_features": size}, **parts)  # type: ignore[arg-type]


_RELU = Choice("ReLU")


def kinds(folder: Path) -> list[Kind]:
    """The five; their files are written into `folder` first. Without CIFAR's pictures there are four."""
    write_diabetes(folder / "diabetes.csv")
    write_series(folder / "series.csv")
    write_videos(folder / "videos.npz")
    write_text(folder / "help.txt")
    adam = Choice("Adam", {"lr": 0.003})
    found = [
        Kind(
            "CSV regression",
            chain(
                ("fc1", _linear(32, activation=_RELU)),
                ("fc2", _linear(1)),
                shape=(15,),
                recipe=Recipe(
                    Data("csv", {"path": str(folder / "diabetes.csv")}),
                    loss=Choice("MSELoss"),
                    optimizer=Choice("Adam", {"lr": 0.01}),
                    epochs=12,
                    batch_size=32,
                ),
            ),
            "mae",
            False,
        ),
        Kind("character text", _text_model(folder / "help.txt"), "accuracy", True),
        Kind(
            "time series",
            chain(
                ("conv", Node("Conv1d", {"out_channels": 16, "kernel_size": 5}, activation=_RELU)),
                ("flat", Node("Flatten")),
                ("fc", _linear(1)),
                shape=(1, 32),
                recipe=Recipe(
                    Data(
                        "series",
                        {
                            "path": str(folder / "series.csv"),
                            "columns": "level",
                            "horizon": 6,
                            "layout": "channels first",
                        },
                    ),
                    loss=Choice("MSELoss"),
                    optimizer=adam,
                    epochs=10,
                    batch_size=32,
                ),
            ),
            "mae",
            False,
        ),
        Kind(
            "5-dimensional arrays",
            chain(
                ("conv", Node("Conv3d", {"out_channels": 8, "kernel_size": 3}, activation=_RELU)),
                ("pool", Node("MaxPool3d", {"kernel_size": 2})),
                ("flat", Node("Flatten")),
                ("fc", _linear(4)),
                shape=(1, 6, 14, 14),
                recipe=Recipe(
                    Data("numpy", {"path": str(folder / "videos.npz")}),
                    optimizer=adam,
                    epochs=6,
                    batch_size=32,
                ),
            ),
            "accuracy",
            True,
        ),
    ]
    pictures = shared_data() / "cifar10-small"
    if pictures.is_dir():
        found.append(
            Kind(
                "folders of pictures",
                chain(
                    ("conv1", Node("Conv2d", {"out_channels": 16, "kernel_size": 3}, activation=_RELU)),
                    ("pool1", Node("MaxPool2d", {"kernel_size": 2})),
                    ("conv2", Node("Conv2d", {"out_channels": 32, "kernel_size": 3}, activation=_RELU)),
                    ("pool2", Node("MaxPool2d", {"kernel_size": 2})),
                    ("flat", Node("Flatten")),
                    ("fc", _linear(10)),
                    shape=(3, 32, 32),
                    recipe=Recipe(
                        Data(
                            "image_folder",
                            {"folder": str(pictures), "standardise": True},
                            augment=(Choice("flip"), Choice("shift", {"pixels": 2})),
                        ),
                        optimizer=adam,
                        epochs=5,
                        batch_size=64,
                    ),
                ),
                "accuracy",
                True,
            )
        )
    return found


def _text_model(path: Path) -> Network:
    from engine.data import describe

    data = Data("text", {"path": str(path), "length": 32, "stride": 4, "learn": "each"})
    tokens = describe(data).classes or 0
    nodes = {
        "text": Node("Input", {"shape": [32], "dtype": "int64"}),
        "embed": Node("Embedding", {"num_embeddings": tokens, "embedding_dim": 24}),
        "lstm": Node("LSTM", {"hidden_size": 64}),
        "fc": _linear(tokens),
        "out": Node("Output"),
    }
    edges = (
        Edge(End("text"), End("embed")),
        Edge(End("embed"), End("lstm", "input")),
        Edge(End("lstm", "output"), End("fc")),
        Edge(End("fc"), End("out")),
    )
    return Network(
        nodes=nodes,
        edges=edges,
        recipe=Recipe(data, optimizer=Choice("Adam", {"lr": 0.01}), epochs=6, batch_size=32),
    )
