"""The rows of the table of estimators on MNIST: which network, what is changed in it, what was measured before.

Every row goes the way of a user: a network file beside this one, `--set`, `layerlab train`. The accuracies
to compare with were measured with hand-written PyTorch: 784-3×1024-10, batch normalisation, Adam decayed
exponentially to a hundredth over the run, batches of 100, torch's default initialisation, three epochs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILES = Path(__file__).parent
HIDDEN = ("fc1", "fc2", "fc3")
#: The first layer's input is the picture, which stays real.
BINARY_INPUTS = ("fc2", "fc3", "fc4")


@dataclass(frozen=True)
class Row:
    """A network of the table."""

    name: str
    #: A file of this folder, without its ending.
    file: str
    #: What is set in it, by path.
    changes: Mapping[str, Any] = field(default_factory=dict)
    #: Test accuracy in percent after three epochs, measured with PyTorch written by hand.
    reference: float | None = None


def estimators(
    weight: str | None = None, input: str | None = None, layers: tuple[str, ...] = HIDDEN
) -> dict[str, Any]:
    """`--set` paths that give the hidden layers other estimators than `ste_sign`."""
    changes: dict[str, Any] = {}
    if weight is not None:
        changes |= {f"{layer}.binarize.weight.estimator": weight for layer in layers}
    if input is not None:
        changes |= {f"{layer}.binarize.input.estimator": input for layer in BINARY_INPUTS}
    return changes


def initialised(scheme: str, **fields: Any) -> dict[str, Any]:
    """`--set` paths that start the hidden layers' latent weights by `scheme`."""
    return {f"{layer}.init.weight": {"scheme": scheme, "fields": fields} for layer in HIDDEN}


FAST = {"recipe.optimizer.lr": 0.005}
ALL = (*HIDDEN, "fc4")

ROWS = (
    Row("real, ReLU", "mnist_real", reference=98.5),
    Row("ste_sign, lr 1e-3", "mnist_binarized", reference=97.3),
    Row("ste_sign, lr 5e-3", "mnist_binarized", FAST, reference=97.5),
    Row(
        "weights only",
        "mnist_real",
        {f"{layer}.binarize": {"weight": {"estimator": "ste_sign", "fields": {}}} for layer in HIDDEN},
        reference=98.5,
    ),
    Row("lbsign on weights and inputs", "mnist_binarized", estimators("lbsign", "lbsign"), reference=93.6),
    Row("lbsign on weights", "mnist_binarized", estimators("lbsign"), reference=97.3),
    Row("approx_sign on inputs", "mnist_binarized", estimators(input="approx_sign"), reference=97.4),
    Row("xnor_scale on weights", "mnist_binarized", estimators("xnor_scale"), reference=97.3),
    Row("all layers, squared hinge, ste_sign", "mnist_all_binarized", reference=96.4),
    Row(
        "all layers, squared hinge, lbsign",
        "mnist_all_binarized",
        estimators("lbsign", "lbsign", ALL),
        reference=87.5,
    ),
    Row("latent weights from U(-1, 1)", "mnist_binarized", initialised("uniform", a=-1.0, b=1.0), 87.6),
    Row("no batch norm, fixed 1/√fan_in", "mnist_fixed_scale", reference=96.8),
    Row(
        "L2 1e-4 on latent weights",
        "mnist_binarized",
        {"recipe.optimizer.weight_decay": 1e-4, "recipe.decay": "all"},
        reference=94.7,
    ),
    Row(
        "Bop, threshold 1e-6, gamma 1e-3",
        "mnist_binarized",
        {"recipe.optimizer": {"type": "Bop", "fields": {"threshold": 1e-6, "gamma": 1e-3}}},
        reference=93.2,
    ),
    Row("all weights zero", "mnist_binarized", initialised("zeros"), reference=20.9),
    Row("small CNN, binarized, 5 epochs", "mnist_binarized_cnn"),
)


def train(row: Row, run_dir: Path, **more: Any) -> dict[str, Any]:
    """What `layerlab train --json` prints of `row`, with `more` set on top (`recipe__seed=1`).

    Raises
    ------
    RuntimeError
        When the command fails: with what it said.
    """
    changes = {**row.changes, **{name.replace("__", "."): value for name, value in more.items()}}
    command = [sys.executable, "-m", "engine.cli", "train", str(FILES / f"{row.file}.layerlab"), "--json"]
    command += ["--run-dir", str(run_dir), "--device", "cpu"]
    for path, value in changes.items():
        command += ["--set", f"{path}={json.dumps(value)}"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=FILES.parents[1], env=os.environ.copy(), check=False
    )
    if done.returncode:
        raise RuntimeError(f"{row.name}: {done.stderr.strip() or done.stdout.strip()}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
