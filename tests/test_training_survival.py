"""What a run survives, and what it says of what it does not: kills, numbers that are none, full memory."""

import errno
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
import torch

import engine
from engine.host.protocol import Metrics, RunState
from engine.network import Choice, Recipe
from engine.runs import RunFolder, read_events
from engine.storage import atomic
from engine.training import replay, task, train, trainer
from engine.training.feed import Feed
from tests.test_training import Told, perceptron, replaced, same, weights, with_everything

# ---------------------------------------------------------------------------- killed at random

PROGRAM = (
    "import sys, engine; from engine.training import trainer;"
    "trainer._CHECKPOINT_EPOCH = 0.0; trainer._CHECKPOINT_WITHIN = 0.05; trainer._TICK = 0.02;"
    "where = sys.argv[2];"
    "engine.train(engine.load(sys.argv[1]), run_dir=where, observe=False, emit=lambda e: print(flush=True))"
    " if sys.argv[3] == 'new' else "
    "engine.train(resume=where, observe=False, emit=lambda e: print(flush=True))"
)


def everything_that_moves(epochs):
    """A recipe with a schedule, an average, dropout, batch normalisation and validation within epochs."""
    return with_everything(
        epochs=epochs,
        schedule=Choice("OneCycleLR", {"max_lr": 0.01}),
        options={"ema_decay": 0.99, "clip_norm": 1.0, "validate_every": 11, "validate_unit": "steps"},
    )


def killed_and_resumed(network, folder, kills, seed):
    """A run that is killed `kills` times, each time some random events after it (re)started; its folder."""
    draw = random.Random(seed)
    engine.save(network, folder / "a.layerlab")
    where, how = folder / "runs", "new"
    for _ in range(kills):
        command = [sys.executable, "-c", PROGRAM, str(folder / "a.layerlab"), str(where), how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for seen, _ in enumerate(child.stdout):
                if seen > 3 + draw.randrange(25):
                    time.sleep(draw.random() * 0.02)  # anywhere within a step or a write
                    child.kill()
        if how == "new":
            (where,) = (folder / "runs").iterdir()
            how = "on"
    return RunFolder(where)


def test_a_run_that_is_killed_at_random_again_and_again_ends_as_if_it_had_not_been(tmp_path):
    network = everything_that_moves(60)
    expected = train(network, run_dir=tmp_path / "whole", observe=False)
    folder = killed_and_resumed(network, tmp_path, kills=3, seed=0)
    told = Told()
    result = train(resume=folder.path, observe=False, emit=told)
    assert result["state"] == "finished"
    for name in ("weights", "best"):
        assert same(weights(result, name), weights(expected, name))
    for key in ("train", "validation", "best_epoch", "steps"):
        assert result[key] == expected[key]

    def curve(run):
        events = read_events(RunFolder(Path(run)).metrics)
        return [(m.step, m.split, dict(m.values)) for m in events if isinstance(m, Metrics)]

    assert curve(folder.path) == curve(expected["run"])


# ---------------------------------------------------------------------------- numbers that are none


class Planted:
    """Makes one node give NaN when one example comes by, forward, backward or in its weight."""

    def __init__(self, monkeypatch, network, kind, node, step):
        self.kind, self.node = kind, node
        split = engine.data.load(network.recipe.data, 0).splits["train"]
        size = network.recipe.batch_size
        order = torch.cat([Feed([split.targets], size, 0, torch.device("cpu")).order(e) for e in range(3)])
        # The first step that sees it, counted from 1: its place in the first epoch.
        self.example = split.inputs["input"][order[(step - 1) * size]]
        self.armed = False
        own = task.build
        monkeypatch.setattr(task, "build", lambda *a, **k: self.into(own(*a, **k)))

    def into(self, model):
        model.register_forward_pre_hook(self.look)
        child = model.get_submodule(self.node)
        if self.kind == "output":
            child.register_forward_hook(lambda m, i, out: self.poison(out) if self.armed else None)
        elif self.kind == "gradient":
            child.register_full_backward_hook(
                lambda m, to, of: (
                    tuple(g if g is None else self.poison(g) for g in to) if self.armed else None
                )
            )
        else:
            parameter = child.weight
            parameter.register_hook(lambda g: self.poison(g) if self.armed else g)
        return model

    def look(self, model, inputs):
        same = inputs[0].flatten(1).eq(self.example.flatten()).all(1)
        self.armed = model.training and bool(same.any())

    @staticmethod
    def poison(tensor):
        # All of it: a single one may meet a ReLU that is shut, which swallows it.
        return tensor + (float("nan") if tensor.dim() == 2 else float("inf"))


NODES = ("conv", "norm", "flat", "drop", "fc")
PLANTS = [
    *(("output", node, step) for node in NODES for step in (2, 14)),
    *(("gradient", node, step) for node in ("norm", "flat", "drop", "fc") for step in (2, 9)),
    *(("weight", node, step) for node in ("conv", "norm", "fc") for step in (2, 15)),
]


@pytest.mark.parametrize(("kind", "node", "step"), PLANTS)
def test_the_first_bad_step_node_and_tensor_are_named(tmp_path, monkeypatch, kind, node, step):
    network = with_everything(epochs=3)
    Planted(monkeypatch, network, kind, node, step)
    monkeypatch.setattr(trainer, "_CHECKPOINT_EPOCH", 0.0)
    told = Told()
    result = train(network, run_dir=tmp_path, emit=told)
    assert result["state"] == told.of(RunState)[-1].state == "diverged"
    tensor = {
        "output": f"output of {node}",
        "gradient": f"gradient of the input of {node}",
        "weight": f"gradient of {node}.weight",
    }[kind]
    assert result["diverged"] == {"step": step, "node": node, "tensor": tensor}
    assert f"It began at step {step}: {tensor} is no number." in result["message"]
    assert not RunFolder(tmp_path / result["run"]).weights.exists()


def test_the_last_good_checkpoint_of_a_diverged_run_is_kept(tmp_path, monkeypatch):
    network = with_everything(epochs=3)
    Planted(monkeypatch, replaced(network, "fc"), "output", "fc", 14)
    monkeypatch.setattr(trainer, "_CHECKPOINT_EPOCH", 0.0)
    monkeypatch.setattr(trainer, "_CHECKPOINT_WITHIN", 0.0)
    monkeypatch.setattr(trainer, "_TICK", 0.0)
    result = train(network, run_dir=tmp_path)
    manifests = sorted((tmp_path / result["run"] / "checkpoints").glob("*.json"))
    # Saved after every step: the newest is from right before the bad one.
    assert [json.loads(path.read_text())["position"]["step"] for path in manifests] == [12, 13]


def test_a_rate_that_overflows_is_named_with_the_step(tmp_path):
    network = perceptron(Recipe(epochs=50, loss=Choice("MSELoss"), optimizer=Choice("SGD", {"lr": 1000.0})))
    result = train(replaced(network, "fc1", activation=None), run_dir=tmp_path)
    assert result["state"] == "diverged"
    assert result["diverged"]["step"] in (result["steps"] - 1, result["steps"])
    assert result["diverged"]["tensor"]
    assert "Lower the learning rate" in result["message"]


# ---------------------------------------------------------------------------- full disk


def test_a_run_on_a_full_disk_goes_on_bit_for_bit_once_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "_CHECKPOINT_EPOCH", 0.0)
    network = everything_that_moves(4)
    expected = train(network, run_dir=tmp_path / "whole")
    full = [False]
    write = atomic._replace

    def replace(target, chunks):
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(target, chunks)

    def fill(event):
        if isinstance(event, Metrics) and event.epoch > 2:
            full[0] = True

    monkeypatch.setattr(atomic, "_replace", replace)
    with pytest.raises(OSError, match="the disk is full"):
        train(network, run_dir=tmp_path / "full", emit=fill)
    full[0] = False
    (folder,) = (tmp_path / "full").iterdir()
    result = train(resume=folder)
    assert result["state"] == "finished"
    for name in ("weights", "best"):
        assert same(weights(result, name), weights(expected, name))
    assert result["validation"] == expected["validation"]


# ---------------------------------------------------------------------------- full memory


class Hungry(torch.nn.Linear):
    """Has room for batches of up to 40 examples."""

    def forward(self, x):
        if self.training and len(x) > 40:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().forward(x)


def test_a_full_memory_is_survived_and_answered_with_a_batch_size_that_fits(tmp_path, monkeypatch):
    def build(network, seed):
        model = engine.build(network, seed=seed)
        model.fc1.__class__ = Hungry
        return model

    monkeypatch.setattr(task, "build", build)
    network = perceptron(Recipe(epochs=1, batch_size=256))
    result = train(network, run_dir=tmp_path)
    assert result["state"] == "failed"
    assert result["fits"] == {"batch_size": 32, "accumulate": 8}
    assert "Batches of 32 fit: set recipe.batch_size to 32, and recipe.accumulate to 8" in result["message"]
    smaller = msgspec.structs.replace(network.recipe, batch_size=32, options={"accumulate": 8})
    again = train(msgspec.structs.replace(network, recipe=smaller), run_dir=tmp_path)
    assert again["state"] == "finished"


# ---------------------------------------------------------------------------- repeated


def test_a_replay_certifies_a_run_and_refutes_one_that_was_tampered_with(tmp_path):
    first = train(perceptron(), run_dir=tmp_path)
    network = everything_that_moves(2)
    network = msgspec.structs.replace(network, name="Two")
    result = train(network, run_dir=tmp_path)
    told = replay(result["run"])
    assert told["same"]
    assert told["steps"] == 30
    assert told["circumstances"] == {}
    assert replay(first["run"])["same"]
    folder = RunFolder(tmp_path / first["run"])
    other = msgspec.structs.replace(engine.load(folder.network).recipe, seed=1)
    engine.save(msgspec.structs.replace(engine.load(folder.network), recipe=other), folder.network)
    refuted = replay(first["run"])
    assert not refuted["same"]
    assert refuted["first_difference"]["step"] == 1


def test_a_replay_starts_from_the_weights_that_the_run_started_from_though_they_are_gone(tmp_path):
    start = tmp_path / "start.safetensors"
    first = train(perceptron(), run_dir=tmp_path)
    RunFolder(tmp_path / first["run"]).weights.rename(start)
    second = train(perceptron(), run_dir=tmp_path, weights=start)
    start.unlink()
    assert replay(second["run"])["same"]


def test_a_run_that_was_stopped_is_replayed_as_far_as_it_went(tmp_path):
    from engine.training import Control

    control = Control()
    told = Told(lambda e: control.stop() if isinstance(e, Metrics) and e.step > 20 else None)
    result = train(perceptron(Recipe(epochs=9)), run_dir=tmp_path, control=control, emit=told)
    assert result["state"] == "stopped"
    assert replay(result["run"])["same"]
