"""Kinds of problems from the command line to their figures: several labels, a class at every place, perplexity."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import f1_score

import engine
from engine import cli, storage
from engine.catalog import OPTIMIZERS, SCHEDULES
from engine.network import Choice, Data, Node, Recipe
from tests.networks import chain


def _trained(capfd, network, folder: Path) -> dict:
    storage.write(network, folder / "a.layerlab")
    capfd.readouterr()
    code = cli.main(["train", str(folder / "a.layerlab"), "--json", "--run-dir", str(folder / "runs")])
    found = json.loads(capfd.readouterr().out)
    assert code == 0, found
    return found


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_several_labels_at_once_are_learnt_and_measured_as_scikit_learn_does(capfd, tmp_path, kind):
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(800, 6)).astype(np.float32)
    # Three labels, each on one side of a plane of its own; none, one or all may hold.
    y = (x @ numbers.normal(size=(6, 3)) > np.array([0.0, 0.5, -0.5])).astype(kind)
    np.savez(tmp_path / "labels.npz", x=x, y=y)
    fields = {"path": str(tmp_path / "labels.npz"), "standardise_target": False}
    recipe = Recipe(
        Data("numpy", fields, {"kind": "random", "validation": 0.25}),
        Choice("BCEWithLogitsLoss"),
        Choice("Adam", {"lr": 0.02}),
        epochs=15,
        batch_size=32,
    )
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(6,), recipe=recipe)
    found = _trained(capfd, network, tmp_path)
    assert found["validation"]["accuracy"] > 0.95
    model = engine.build(network)
    model.load_state_dict(load_file(Path(found["run"]) / "best.safetensors"))
    split = engine_split(network)
    with torch.no_grad():
        scores = model(next(iter(split.inputs.values()))[:])
    truth = split.targets.numpy() > 0.5
    guess = (scores > 0).numpy()
    assert found["validation"]["accuracy"] == pytest.approx((guess == truth).mean())
    assert found["validation"]["f1"] == pytest.approx(f1_score(truth, guess, average="macro"))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, torch.tensor(truth).float())
    assert found["validation"]["loss"] == pytest.approx(loss.item(), rel=1e-4)


def test_labels_that_were_standardised_are_refused_with_the_way_out(capfd, tmp_path):
    x, y = np.ones((40, 6), np.float32), (np.arange(120).reshape(40, 3) % 2).astype(np.float32)
    np.savez(tmp_path / "labels.npz", x=x, y=y)
    data = Data("numpy", {"path": str(tmp_path / "labels.npz")}, {"kind": "random", "validation": 0.25})
    recipe = Recipe(data, Choice("BCEWithLogitsLoss"), epochs=1)
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(6,), recipe=recipe)
    storage.write(network, tmp_path / "a.layerlab")
    assert cli.main(["train", str(tmp_path / "a.layerlab")]) == 1
    assert "standardise_target to false" in capfd.readouterr().err


def engine_split(network):
    """The validation examples of a network's data."""
    from engine.data import load

    return load(network.recipe.data, network.recipe.seed).splits["validation"]


def _chain_text(letters: int) -> tuple[str, float]:
    """Text of a Markov chain over four letters, and the entropy of its next letter, in nats."""
    follows = {"a": "bc", "b": "cd", "c": "da", "d": "ab"}
    choice, text = random.Random(0), ["a"]
    while len(text) < letters:
        likely, rare = follows[text[-1]]
        text.append(likely if choice.random() < 0.8 else rare)
    return "".join(text), -0.8 * math.log(0.8) - 0.2 * math.log(0.2)


def test_a_class_at_every_place_reaches_the_perplexity_that_the_text_allows(capfd, tmp_path):
    text, entropy = _chain_text(12_000)
    (tmp_path / "text.txt").write_text(text)
    data = Data("text", {"path": str(tmp_path / "text.txt"), "length": 16, "learn": "each", "stride": 16})
    recipe = Recipe(data, optimizer=Choice("Adam", {"lr": 0.02}), epochs=6, batch_size=16)
    nodes = [
        ("embed", Node("Embedding", {"num_embeddings": 8, "embedding_dim": 8})),
        ("hidden", Node("Linear", {"out_features": 16}, activation=Choice("ReLU"))),
        ("fc", Node("Linear", {"out_features": classes(data)})),
    ]
    network = chain(*nodes, shape=(16,), dtype="int64", recipe=recipe)
    validation = _trained(capfd, network, tmp_path)["validation"]
    assert validation["perplexity"] == pytest.approx(math.exp(validation["loss"]), rel=1e-5)
    # What a letter tells of the next: 4 without it. The sample's own mean is within some percent of it.
    assert validation["perplexity"] == pytest.approx(math.exp(entropy), rel=0.06)
    assert validation["accuracy"] == pytest.approx(0.8, abs=0.04)


def classes(data: Data) -> int:
    """How many classes there are."""
    from engine.data import load

    found = load(data, 0).description.classes
    assert found is not None
    return found


# ---------------------------------------------------------------------------- torch's own, one by one

#: Optimizers of torch that the recipe does not offer, and why.
NO_OPTIMIZER = {
    "LBFGS": "goes through the training set again and again within one step",
    "SparseAdam": "takes sparse gradients alone, which no layer here gives",
    "Muon": "takes matrices alone, and leaves biases and norms to another optimizer",
    "Optimizer": "is the base class",
}
#: Schedules of torch that the recipe does not offer, and why.
NO_SCHEDULE = {
    "LRScheduler": "is the base class",
    "LambdaLR": "takes a function, and a file names no code",
    "MultiplicativeLR": "takes a function, and a file names no code",
    "SequentialLR": "joins other schedules; WarmupCosineLR is the join that people use",
    "ChainedScheduler": "joins other schedules",
    "SWALR": "belongs to averaging from an epoch on; recipe.ema_decay averages instead",
}


def _named(module, base) -> set[str]:
    return {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and not name.startswith("_")
    }


def test_every_optimizer_of_torch_is_there_or_its_absence_is_explained():
    theirs = _named(torch.optim, torch.optim.Optimizer)
    assert theirs - set(OPTIMIZERS) == theirs & set(NO_OPTIMIZER)
    assert not set(NO_OPTIMIZER) & set(OPTIMIZERS)
    assert set(OPTIMIZERS) - theirs == {"Bop"}


def test_every_schedule_of_torch_is_there_or_its_absence_is_explained():
    from torch.optim import lr_scheduler, swa_utils

    theirs = _named(lr_scheduler, lr_scheduler.LRScheduler) | {"ReduceLROnPlateau"}
    theirs |= {name for name in vars(swa_utils) if name == "SWALR"}
    assert theirs - set(SCHEDULES) == theirs & set(NO_SCHEDULE)
    assert not set(NO_SCHEDULE) & set(SCHEDULES)
    assert set(SCHEDULES) - theirs == {"WarmupCosineLR"}
