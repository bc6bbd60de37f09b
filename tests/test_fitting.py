"""A batch size that fits, found by trying in a process with little memory or one that the system ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from engine import cli, storage
from engine.network import Recipe
from engine.problems import NetworkProblem
from engine.training import find_batch
from tests.test_training import perceptron, replaced

WIDE = 20_000
#: Bytes of one example's 20,000 values.
ROW = 4 * WIDE


def wide(batch: int):
    """A network whose widest layer dwarfs everything else that a batch needs."""
    return replaced(perceptron(Recipe(batch_size=batch)), "fc1", fields={"out_features": WIDE})


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux's RLIMIT_DATA")
def test_the_largest_half_that_fits_is_found():
    weights = 4 * (64 * WIDE + WIDE + 10 * WIDE)  # of both layers
    # Gradients and two moments of each weight, and room for 96 rows: the layer's output and its gradient.
    limit = 3 * weights + 2 * 96 * ROW + (24 << 20)
    tried: list[int] = []
    found = find_batch(wide(1024), device="cpu", limit=limit, tell=tried.append)
    assert found in (32, 64, 128, 256)
    assert tried[0] == 1024
    assert found * ROW < limit < 1024 * ROW * 2 + 3 * weights
    assert tried[-1] == found


def test_what_fits_is_the_size_itself():
    assert find_batch(perceptron(Recipe(batch_size=64)), device="cpu") == 64


def test_a_child_that_the_system_ends_is_followed_by_one_that_begins_below(tmp_path: Path):
    script = tmp_path / "child.py"
    script.write_text(
        "import os, sys\n"
        "size = int(sys.argv[2])\n"
        "print('trying', size, flush=True)\n"
        "if size > 20: os.kill(os.getpid(), 9)\n"
        "print('fits', size, flush=True)\n"
    )
    tried: list[int] = []
    command = [sys.executable, str(script)]
    assert find_batch(perceptron(Recipe(batch_size=128)), tell=tried.append, command=command) == 16
    assert tried == [128, 64, 32, 16]


def test_nothing_fits_where_every_child_is_ended(tmp_path: Path):
    command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert find_batch(perceptron(Recipe(batch_size=4)), command=command) is None


def test_a_network_that_cannot_train_says_why():
    with pytest.raises(NetworkProblem, match="10 classes"):
        find_batch(replaced(perceptron(), "fc2", fields={"out_features": 3}), device="cpu")


def test_the_command_names_the_size(capfd, tmp_path: Path, monkeypatch):
    network = perceptron(Recipe(batch_size=64))
    storage.write(network, tmp_path / "a.layerlab")
    from engine import training

    monkeypatch.setattr(training, "find_batch", lambda network, **how: 16)
    assert cli.main(["lab", "batch", str(tmp_path / "a.layerlab"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"batch_size": 16, "accumulate": 4}
    assert cli.main(["lab", "batch", str(tmp_path / "a.layerlab")]) == 0
    assert "--set recipe.batch_size=16 --set recipe.accumulate=4" in capfd.readouterr().out
