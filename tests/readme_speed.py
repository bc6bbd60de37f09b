"""``python -m tests.readme_speed`` writes the README's table of speeds from the results of the benchmark."""

from __future__ import annotations

import json
from typing import Any

from tests.pages import ROOT, put

RESULTS = ROOT / "tests" / "benchmarks" / "results" / "train_speed.json"
_NETWORKS = {
    "digits_mlp": "perceptron, digits",
    "lenet5_mnist": "LeNet-5, MNIST",
    "resnet18": "ResNet-18, 32 × 32",
    "lstm": "LSTM",
    "transformer": "small transformer",
}
_PEERS = {
    "tuned": "PyTorch, tuned by hand",
    "idiomatic": "PyTorch, as usually written",
    "lightning": "Lightning",
    "keras": "Keras on torch",
}


def table(figures: dict[str, Any]) -> str:
    """Steps per second with live observation on, as multiples of each other loop's."""
    lines = ["| | " + " | ".join(_PEERS.values()) + " |", "|---|" + "--:|" * len(_PEERS)]
    for name, title in _NETWORKS.items():
        over = figures["networks"][name]["layerlab_over"]
        lines.append(f"| {title} | " + " | ".join(f"{over[peer]:.2f} ×" for peer in _PEERS) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    put(ROOT / "README.md", "speed", table(json.loads(RESULTS.read_text())))
