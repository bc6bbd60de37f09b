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
from engine import edit
from engine.host.protocol import Metrics, Progress, RunStarted
from engine.network import Choice, End, Node, Recipe
from engine.problems import NetworkProblem
from engine.runs import RunFolder, owner
from engine.training import Control, replay, train
from tests.test_training import Told, perceptron, weights, with_everything

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


def test_unequal_shares_count_by_their_examples_and_a_node_that_leads_nowhere_does_no_harm(tmp_path):
    # 1,438 = 14 · 101 + 24: every batch is shared as 50 and 51.
    network = edit.add_node(
        perceptron(recipe(epochs=1, batch_size=101)), "stray", Node("Linear", {"out_features": 2})
    )
    network = edit.connect(network, End("fc1"), End("stray"))
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


def test_a_run_of_several_processes_stops_and_goes_on_as_if_it_had_not(tmp_path):
    control = Control()
    told = Told(lambda e: control.stop() if isinstance(e, Progress) and e.step else None)
    network = with_everything(epochs=20)  # each process draws a dropout of its own
    stopped = train(network, run_dir=tmp_path, device="cpu", nproc=2, control=control, emit=told)
    assert stopped["state"] == "stopped"
    assert 0 < stopped["steps"] < 20 * 15
    assert list((tmp_path / stopped["run"] / "checkpoints").glob("*.json"))
    other = msgspec.structs.replace(network, recipe=msgspec.structs.replace(network.recipe, seed=1))
    with pytest.raises(NetworkProblem, match="begun with other recipe"):
        train(other, resume=stopped["run"], device="cpu", nproc=2)
    assert train(resume=stopped["run"], device="cpu", nproc=2)["state"] == "finished"
    again = replay(stopped["run"])  # from the beginning, in two processes
    assert again["same"], again
    assert again["steps"] == 20 * 15


def test_what_cannot_begin_is_said_once_and_leaves_nothing(tmp_path):
    with pytest.raises(NetworkProblem, match="cannot share batches of 2"):
        train(perceptron(recipe(batch_size=2)), run_dir=tmp_path, nproc=3)
    nesterov = recipe(optimizer=Choice("SGD", {"nesterov": True}))
    with pytest.raises(NetworkProblem, match="requires a momentum"):
        train(perceptron(nesterov), run_dir=tmp_path / "new", device="cpu", nproc=2)


# torchrun waits up to 300 seconds for another that has ended before it could tell, which is rare.
@pytest.mark.timeout(900)
def test_torchrun_starts_the_same_on_machines_that_share_no_folder(tmp_path):
    program = "from torch.distributed.run import main; main()"

    def started(*arguments):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        machines = []
        for number, name in enumerate(("one", "two")):
            place = tmp_path / name
            place.mkdir(exist_ok=True)
            engine.save(perceptron(recipe(epochs=1)), place / "a.layerlab")
            command = [
                *(sys.executable, "-c", program, "--nnodes", "2", "--nproc-per-node", "1"),
                *("--node-rank", str(number), "--master-addr", "127.0.0.1", "--master-port", str(port)),
                *("-m", "engine.cli", "train", "a.layerlab", "--device", "cpu", "--json", *arguments),
            ]
            environment = {**os.environ, "PYTHONPATH": str(Path(engine.__file__).parents[1])}
            pipe = subprocess.PIPE
            machines.append(
                subprocess.Popen(command, cwd=place, env=environment, stdout=pipe, stderr=pipe, text=True)
            )
        told = [machine.communicate(timeout=400) for machine in machines]
        assert [machine.returncode for machine in machines] == [0, 0], told
        (said,) = [out for out, _ in told if out]  # one of them speaks for both
        return msgspec.json.decode(said)

    result = started()
    assert (result["state"], result["steps"]) == ("finished", 15)
    (run,) = tmp_path.glob("*/runs/*")  # and the first one writes
    assert RunFolder(run).state() == "finished"
    # The other one has neither the run nor its checkpoints, and goes on all the same.
    more = started("--resume", f"runs/{run.name}", "--set", "recipe.epochs=2")
    assert (more["state"], more["steps"]) == ("finished", 30)
