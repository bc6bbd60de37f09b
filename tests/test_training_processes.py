"""One run in several processes: the same as in one, and clear when one of them dies."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch

import engine
from engine.host.protocol import Metrics, Progress, RunStarted
from engine.network import Choice, Recipe
from engine.problems import NetworkProblem
from engine.runs import RunFolder, owner
from engine.training import Control, train
from tests.test_training import Told, perceptron, weights

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")


def recipe(**parts):
    return Recipe(**{"epochs": 3, "batch_size": 100, "optimizer": Choice("SGD", {"lr": 0.1}), **parts})


def test_two_processes_equal_one_with_the_same_batches(tmp_path):
    # 1,438 examples: the last batch of 38 is shared as 19 and 19, all others as 50 and 50.
    network = perceptron(recipe(options={"clip_norm": 1.0}))
    one, two = Told(), Told()
    alone = train(network, run_dir=tmp_path, device="cpu", emit=one)
    shared = train(network, run_dir=tmp_path, device="cpu", emit=two, nproc=2)
    assert shared["state"] == "finished"
    assert shared["steps"] == alone["steps"] == 45
    for name, tensor in weights(alone).items():
        assert torch.allclose(weights(shared)[name], tensor, atol=1e-5), name
    curves = [[(m.step, m.split, m.values["loss"]) for m in told.of(Metrics)] for told in (one, two)]
    assert [point[:2] for point in curves[0]] == [point[:2] for point in curves[1]]
    for (*_, expected), (*_, found) in zip(*curves, strict=True):
        assert found == pytest.approx(expected, rel=1e-4)
    assert "2 processes" in two.of(RunStarted)[0].notes
    assert shared["validation"]["accuracy"] == alone["validation"]["accuracy"]


def test_unequal_shares_count_by_their_examples(tmp_path):
    # 1,438 = 14 · 101 + 24: every batch is shared as 50 and 51.
    network = perceptron(recipe(epochs=1, batch_size=101))
    alone = train(network, run_dir=tmp_path, device="cpu")
    shared = train(network, run_dir=tmp_path, device="cpu", nproc=2)
    for name, tensor in weights(alone).items():
        assert torch.allclose(weights(shared)[name], tensor, atol=1e-5), name


def test_a_killed_process_is_a_clear_failure_and_the_run_goes_on(tmp_path):
    network = perceptron(recipe(epochs=400))

    def kill(event):
        if isinstance(event, Progress) and event.step > 50:
            (folder,) = map(RunFolder, (tmp_path / "killed").iterdir())
            first = msgspec.json.decode(folder.facts.read_bytes(), type=owner.Owner).pid
            # The other one: a child of this process that trains, and is not the first.
            others = [pid for pid in _children() if pid != first]
            for pid in others:
                os.kill(pid, signal.SIGKILL)

    failed = train(network, run_dir=tmp_path / "killed", device="cpu", nproc=2, emit=Told(kill))
    (folder,) = map(RunFolder, (tmp_path / "killed").iterdir())
    assert failed["state"] == folder.state() == "failed"
    assert "Process 2 of 2 was killed (signal 9)" in failed["message"]
    assert f"layerlab train --resume {folder.path} --nproc 2" in failed["message"]
    short = msgspec.structs.replace(network, recipe=recipe(epochs=20))
    result = train(short, resume=folder.path, device="cpu", nproc=2)
    assert result["state"] == "finished"


def _children():
    """Processes that this one has started and that train."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = status.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and b"engine.training.worker" in command:
            found.append(int(status.parent.name))
    return found


def test_a_run_of_several_processes_stops_in_good_order(tmp_path):
    control = Control()
    told = Told(lambda e: control.stop() if isinstance(e, Progress) and e.step else None)
    result = train(
        perceptron(recipe(epochs=500)), run_dir=tmp_path, device="cpu", nproc=2, control=control, emit=told
    )
    assert result["state"] == "stopped"
    assert 0 < result["steps"] < 500 * 15
    assert list((tmp_path / result["run"] / "checkpoints").glob("*.json"))


def test_what_cannot_begin_is_said_once_and_leaves_nothing(tmp_path):
    with pytest.raises(NetworkProblem, match="cannot share batches of 2"):
        train(perceptron(recipe(batch_size=2)), run_dir=tmp_path, nproc=3)
    nesterov = recipe(optimizer=Choice("SGD", {"nesterov": True}))
    with pytest.raises(NetworkProblem, match="requires a momentum"):
        train(perceptron(nesterov), run_dir=tmp_path / "new", device="cpu", nproc=2)


def test_torchrun_starts_the_same(tmp_path):
    engine.save(perceptron(recipe(epochs=1)), tmp_path / "a.layerlab")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    program = "from torch.distributed.run import main; main()"
    told = subprocess.run(
        [
            *(sys.executable, "-c", program, "--nproc-per-node", "2", "--master-port", str(port)),
            *("-m", "engine.cli", "train", str(tmp_path / "a.layerlab"), "--device", "cpu"),
            *("--run-dir", str(tmp_path / "runs"), "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert told.returncode == 0, told.stderr
    result = msgspec.json.decode(told.stdout)
    assert (result["state"], result["steps"]) == ("finished", 15)
    (run,) = (tmp_path / "runs").iterdir()
    assert RunFolder(run).state() == "finished"
