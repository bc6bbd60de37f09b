"""The printed training is the training: same examples, same losses, without the engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace

import engine
from engine import storage, templates
from engine.cli import main
from engine.exchange import python
from engine.exchange.examples import examples
from engine.host.protocol import Event, Metrics
from engine.network import Choice, Data, Edge, End, Network, Node, Recipe, Training
from engine.training import weights
from tests.networks import chain

EPOCHS = 3
MNIST = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[2] / "shared" / "data") / "mnist"
Figures = list[dict[str, float]]


def recorded(network: Network, folder: Path) -> tuple[dict[str, Any], Figures]:
    """A run's result, whose ``train`` is the last epoch's, and its validation figures of each epoch."""
    validation: Figures = []

    def see(event: Event) -> None:
        if isinstance(event, Metrics) and event.split == "validation":
            validation.append(dict(event.values))

    return engine.train(network, run_dir=folder, observe=False, emit=see), validation


def told(text: str) -> tuple[Figures, Figures]:
    """The same as a script prints them."""
    train: Figures = []
    validation: Figures = []
    for line in text.splitlines():
        if line.startswith("epoch"):
            ours, _, theirs = line.partition(":")[2].partition("validation:")
            for place, part in ((train, ours), (validation, theirs)):
                place.append({name: float(value) for name, value in re.findall(r"([\w.]+) ([-\d.]+)", part)})
    return train, validation


def close(ours: Figures, theirs: Figures) -> bool:
    return len(ours) == len(theirs) > 0 and all(
        a.keys() <= b.keys() and all(b[name] == pytest.approx(a[name], abs=2e-5, rel=1e-4) for name in a)
        for a, b in zip(ours, theirs, strict=True)
    )


def script_of(network: Network, folder: Path) -> Path:
    task_model = engine.build(network, seed=network.recipe.seed)
    output = folder / "script.py"
    python.export_training(network, task_model, output, examples(network, 4))
    return output


def test_run_as_a_program_it_goes_through_the_losses_of_the_digits_template(tmp_path: Path) -> None:
    network = templates.template("digits_mlp").network
    network = replace(network, recipe=replace(network.recipe, epochs=EPOCHS))
    file = tmp_path / "net.layerlab"
    storage.write(network, file)
    assert (
        main(["export", str(file), "--to", "python", "--with-training", "-o", str(tmp_path / "net.py")]) == 0
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "net.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    train, validation = told(done.stdout)
    result, theirs = recorded(network, tmp_path / "runs")
    assert close(train[-1:], [result["train"]])
    assert close(validation, theirs)
    text = (tmp_path / "net.py").read_text()
    assert "engine" not in text
    assert "from sklearn.datasets import load_digits" in text


MLP = (("flat", Node("Flatten")), ("fc", Node("Linear", {"out_features": 32}, Choice("ReLU"))))


def digits(*nodes: tuple[str, Node], **recipe: Any) -> Network:
    network = chain(*nodes, ("last", Node("Linear", {"out_features": 10})), shape=(1, 8, 8))
    return replace(network, recipe=Recipe(**{"epochs": EPOCHS, "batch_size": 64, **recipe}))


def points(
    source: str, width: int, out: int, *, fields: dict[str, Any] | None = None, **recipe: Any
) -> Network:
    network = chain(
        ("fc", Node("Linear", {"out_features": 16}, Choice("Tanh"))),
        ("last", Node("Linear", {"out_features": out})),
        shape=(width,),
    )
    given = {"epochs": EPOCHS, "batch_size": 32, "data": Data(source, fields or {}), **recipe}
    return replace(network, recipe=Recipe(**given))


STE = {"weight": Choice("ste_sign")}
NETWORKS: dict[str, Network] = {
    "dropout": digits(*MLP, ("drop", Node("Dropout", {"p": 0.4}))),
    "decay, warm-up, clipping, average, accumulation": digits(
        *MLP,
        optimizer=Choice("AdamW", {"lr": 0.01, "weight_decay": 0.1}),
        schedule=Choice("WarmupCosineLR"),
        options={"clip_norm": 0.5, "ema_decay": 0.9, "accumulate": 3},
    ),
    "rates by layer, frozen layers, plateau, patience": digits(
        *MLP[:1],
        ("fc", Node("Linear", {"out_features": 32}, Choice("ReLU"), training=Training(lr_multiplier=0.1))),
        ("norm", Node("BatchNorm1d", training=Training(frozen=True))),
        optimizer=Choice("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3}),
        schedule=Choice("ReduceLROnPlateau", {"patience": 0, "factor": 0.5}),
        options={"patience": 2, "monitor": "loss", "min_delta": 0.01},
    ),
    "one cycle with rates by layer": digits(
        *MLP[:1],
        ("fc", Node("Linear", {"out_features": 32}, Choice("ReLU"), training=Training(lr_multiplier=0.1))),
        schedule=Choice("OneCycleLR", {"max_lr": 0.02}),
    ),
    "latent weights and a hinge": digits(
        *MLP[:1],
        ("fc", Node("Linear", {"out_features": 32}, Choice("Hardtanh"), binarize=STE)),
        loss=Choice("SquaredHingeLoss"),
        optimizer=Choice("Adam", {"lr": 0.01}),
    ),
    "Bop": digits(
        *MLP[:1],
        ("fc", Node("Linear", {"out_features": 32}, Choice("Hardtanh"), binarize=STE)),
        optimizer=Choice("Bop", {"threshold": 1e-6, "gamma": 1e-2, "real": {"type": "Adam", "fields": {"lr": 0.01}}}),
    ),
    "pictures varied by chance": digits(
        *MLP, data=Data("digits", augment=(Choice("shift", {"pixels": 1}), Choice("noise", {"std": 0.1})))
    ),
    "one-hot targets, another split, a last batch of one": digits(
        *MLP,
        ("norm", Node("BatchNorm1d")),
        loss=Choice("MSELoss"),
        data=Data("digits", split={"kind": "random", "validation": 0.19978, "test": 0.1}),
        batch_size=42,
    ),
    "balanced classes, standardised": points(
        "wine", 13, 3, fields={"standardise": True}, loss=Choice("CrossEntropyLoss", {"balanced": True})
    ),
    "values": points(
        "diabetes", 10, 1, fields={"standardise": True, "standardise_target": True},
        loss=Choice("HuberLoss"), options={"monitor": "r2"},
    ),
    "examples beside the script": points(
        "moons", 2, 2, options={"monitor": "f1", "validate_every": 2}, schedule=Choice("StepLR", {"step_size": 2})
    ),
}  # fmt: skip


def two_outputs() -> Network:
    network = digits(*MLP)
    outputs = {"out": {"target": "target"}, "second": {"target": "target", "loss": "MSELoss", "weight": 0.5}}
    return replace(
        network,
        nodes={**network.nodes, "second": Node("Output")},
        edges=(*network.edges, Edge(End("last"), End("second"))),
        recipe=replace(network.recipe, options={"outputs": outputs}),
    )


NETWORKS["two outputs"] = two_outputs()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_printed_training_goes_through_the_same_losses(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = NETWORKS[name]
    file = script_of(network, tmp_path)
    module = python._module(file.read_text(), file)
    capsys.readouterr()
    with torch.random.fork_rng():
        best = module.train()
    train, validation = told(capsys.readouterr().out)
    result, theirs = recorded(network, tmp_path / "runs")
    assert len(train) == result["epochs"]
    assert close(train[-1:], [result["train"]])
    assert close([figures for figures in validation if figures], theirs)
    # What it keeps is what a run keeps as its best.
    kept = weights.load(Path(result["run"]) / "best.safetensors")
    for key, tensor in best.state_dict().items():
        torch.testing.assert_close(tensor, kept[key], rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not there (LAYERLAB_DATA)")
def test_files_of_mnist_are_read_by_the_script_itself(tmp_path: Path) -> None:
    network = templates.template("lenet5_mnist").network
    data = Data("mnist", {"folder": str(MNIST)})
    network = replace(network, recipe=replace(network.recipe, data=data))
    report = python.export_training(network, engine.build(network), tmp_path / "m.py", examples(network, 2))
    assert report["proof"]["data"] == {"train": 55_000, "validation": 5_000, "test": 10_000}
    assert report["proof"]["data_equal"] == "to the last bit"
    assert not (tmp_path / "m.data.pt").exists()


def test_trained_weights_are_exported_and_training_begins_anew(tmp_path: Path) -> None:
    network = digits(*MLP)
    trained = engine.build(network, seed=5)
    report = python.export_training(network, trained, tmp_path / "a.py", [torch.rand(3, 1, 8, 8)])
    assert report["start_file"] == str(tmp_path / "a.start.pt")
    first, kept = (torch.load(tmp_path / name, weights_only=True) for name in ("a.start.pt", "a.pt"))
    assert torch.equal(first["fc.weight"], engine.build(network, seed=network.recipe.seed).fc.weight)
    assert torch.equal(kept["fc.weight"], trained.fc.weight)


def test_what_is_not_printed_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.layerlab"
    storage.write(digits(*MLP, data=Data("digits", augment=(Choice("mixup"),))), file)
    words = ["export", str(file), "-o", str(tmp_path / "x.py"), "--with-training", "--to"]
    assert main([*words, "python"]) == 1
    assert "mixup" in capsys.readouterr().err
    assert main([*words, "safetensors"]) == 2
    assert "--to python" in capsys.readouterr().err
    assert not (tmp_path / "x.py").exists()


def test_the_report_says_what_was_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.layerlab"
    storage.write(digits(*MLP), file)
    words = ["export", str(file), "--to", "python", "--with-training", "-o", str(tmp_path / "x.py"), "--json"]
    assert main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["proof"]["data"] == {"train": 1438, "validation": 359}
    assert report["needs"] == ["torch", "scikit-learn"]
