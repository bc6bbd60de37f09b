"""Estimators learn MNIST as well as they are known to: the quick gate, 784-3×256-10 for three epochs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.ste.packing import packed_and_compared
from tests.ste.rows import FAST, Row, estimators, train

DATA = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[2] / "shared" / "data")
SMALL = {f"fc{layer}.out_features": 256 for layer in (1, 2, 3)}

pytestmark = pytest.mark.skipif(
    not (DATA / "mnist").is_dir(), reason="MNIST is not there: set LAYERLAB_DATA to a folder with mnist in it"
)


def accuracy(row: Row, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> float:
    """Test accuracy in percent."""
    monkeypatch.setenv("LAYERLAB_DATA", str(DATA))
    # Threads that wait for each other are slow where tests share a machine.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return 100 * float(train(row, folder, **more)["test"]["accuracy"])


@pytest.mark.parametrize(
    ("row", "low", "high"),
    [
        # Measured with PyTorch by hand, one to three seeds, and 0.6 points to either side.
        pytest.param(Row("real", "mnist_real", SMALL), 98.0 - 0.6, 98.1 + 0.6, id="real"),
        pytest.param(Row("ste_sign", "mnist_binarized", SMALL | FAST), 96.5 - 0.6, 97.0 + 0.6, id="ste_sign"),
        pytest.param(
            Row("lbsign", "mnist_binarized", SMALL | FAST | estimators("lbsign", "lbsign")),
            92.8 - 0.6,
            93.0 + 0.6,
            id="lbsign",
        ),
        pytest.param(
            Row("twn", "mnist_binarized", SMALL | FAST | estimators("twn")), 97.0 - 0.6, 97.0 + 0.6, id="twn"
        ),
    ],
)
def test_a_small_network_comes_to_the_known_accuracy(
    row: Row, low: float, high: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert low <= accuracy(row, tmp_path, monkeypatch) <= high


def test_packed_it_predicts_all_10_000_test_images_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERLAB_DATA", str(DATA))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    row = Row("ste_sign", "mnist_binarized", SMALL | FAST)
    run = train(row, tmp_path, recipe__epochs=1)["run"]
    figures = packed_and_compared(Path(run), tmp_path / "network.safetensors")
    assert figures["same predictions"] == figures["images"] == 10_000
    assert figures["size"]["binarized_ratio"] >= 25
    assert figures["accuracy"]["packed"] == figures["accuracy"]["torch"] > 0.9


@pytest.mark.full
def test_a_binarized_convolutional_network_comes_to_98_5_percent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert accuracy(Row("small CNN", "mnist_binarized_cnn"), tmp_path, monkeypatch) >= 98.5
