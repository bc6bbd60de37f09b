"""Training: what a run does, what it tells, how it stops, and how it goes on."""

import hashlib
import json
import math
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import engine
from engine.host.protocol import Metrics, Observation, RunStarted, RunState
from engine.network import Choice, Data, Edge, End, Network, Node, Recipe, Training
from engine.problems import FileProblem, NetworkProblem
from engine.runs import RunFolder, read_events
from engine.training import Control, evaluate, predict, train
from engine.training.feed import Feed, batch_sizes
from engine.training.session import failure


def chain(recipe=None, **nodes):
    """A network of nodes in a row, between the digits' Input and an Output."""
    every = {"image": Node("Input", {"shape": [1, 8, 8]}), **nodes, "out": Node("Output")}
    edges = tuple(Edge(End(a), End(b)) for a, b in pairwise(every))
    return Network("Test", every, edges, recipe=recipe or Recipe(epochs=2, batch_size=64))


def perceptron(recipe=None, **nodes):
    return chain(
        recipe,
        flat=Node("Flatten"),
        fc1=Node("Linear", {"out_features": 16}, activation=Choice("ReLU")),
        **nodes,
        fc2=Node("Linear", {"out_features": 10}),
    )


def with_everything(**recipe):
    """A network whose training draws random numbers and keeps buffers."""
    return chain(
        Recipe(**{"epochs": 3, "batch_size": 100, **recipe}),
        conv=Node("Conv2d", {"out_channels": 4, "kernel_size": 3}),
        norm=Node("BatchNorm2d", activation=Choice("ReLU")),
        flat=Node("Flatten"),
        drop=Node("Dropout", {"p": 0.3}),
        fc=Node("Linear", {"out_features": 10}),
    )


@dataclass
class Told:
    """Collects events; `when` may act on one."""

    when: object = None
    events: list = field(default_factory=list)

    def __call__(self, event):
        self.events.append(event)
        if self.when is not None:
            self.when(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def curve(self):
        return [(m.step, m.split, dict(m.values)) for m in self.of(Metrics)]


def replaced(network, id, **parts):
    nodes = {**network.nodes, id: msgspec.structs.replace(network.nodes[id], **parts)}
    return msgspec.structs.replace(network, nodes=nodes)


def weights(result, name="weights"):
    return load_file(f"{result['run']}/{name}.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---------------------------------------------------------------------------- learning


def test_a_perceptron_learns_the_digits(tmp_path):
    network = perceptron(Recipe(epochs=15, batch_size=32, optimizer=Choice("Adam", {"lr": 0.005})))
    result = train(network, run_dir=tmp_path, device="cpu")
    assert result["state"] == "finished"
    assert result["validation"]["accuracy"] > 0.9
    assert (result["epochs"], result["steps"]) == (15, 15 * 45)
    assert json.loads((tmp_path / result["run"] / "result.json").read_text()) == result


def test_one_epoch_equals_the_loop_a_person_would_write(tmp_path):
    network = perceptron(Recipe(epochs=1, batch_size=128, optimizer=Choice("Adam", {"lr": 0.01})))
    result = train(network, run_dir=tmp_path, device="cpu")
    split = engine.data.load(network.recipe.data, 0).splits["train"]
    model = engine.build(network, seed=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    order = Feed([split.targets], 128, 0, torch.device("cpu")).order(0)
    total = right = 0.0
    for chosen in order.split(128):
        output = model(split.inputs["input"][chosen])
        loss = nn.CrossEntropyLoss()(output, split.targets[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chosen)
        right += (output.argmax(1) == split.targets[chosen]).sum().item()
    assert result["train"]["loss"] == pytest.approx(total / len(order), rel=1e-4)
    assert result["train"]["accuracy"] == pytest.approx(right / len(order), abs=2 / len(order))
    for name, tensor in model.state_dict().items():
        assert torch.allclose(weights(result)[name], tensor, atol=1e-4), name


def test_mean_squared_error_compares_with_one_hot_classes(tmp_path):
    network = perceptron(Recipe(epochs=1, batch_size=2000, loss=Choice("MSELoss")))
    result = train(network, run_dir=tmp_path)
    split = engine.data.load(network.recipe.data, 0).splits["train"]
    with torch.no_grad():
        output = engine.build(network, seed=0)(split.inputs["input"])
    expected = nn.functional.mse_loss(output, nn.functional.one_hot(split.targets).float())
    assert result["train"]["loss"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW"])
def test_same_seed_same_curve_and_another_seed_another(tmp_path, optimizer):
    first, again, other = Told(), Told(), Told()
    for told, seed in ((first, 4), (again, 4), (other, 5)):
        torch.rand(3)  # what was drawn before does not matter
        recipe = {"seed": seed, "epochs": 2, "optimizer": Choice(optimizer)}
        train(with_everything(**recipe), run_dir=tmp_path, emit=told, observe=told is first)
    assert first.curve() == again.curve()
    assert first.curve() != other.curve()


def test_training_leaves_torchs_own_generator_as_it_was(tmp_path):
    before = torch.get_rng_state()
    train(with_everything(epochs=1), run_dir=tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_order_of_examples_is_a_new_permutation_each_epoch():
    feed = Feed([torch.arange(50)], 8, 0, torch.device("cpu"))
    orders = [torch.cat([b[0].clone() for piece in feed.pieces(e) for b in piece]) for e in (0, 1)]
    assert all(sorted(order.tolist()) == list(range(50)) for order in orders)
    assert not torch.equal(*orders)


def test_batches_are_the_same_from_the_middle_of_an_epoch():
    feed = Feed([torch.arange(5000)], 7, 3, torch.device("cpu"))
    whole = [b[0].tolist() for piece in feed.pieces(2) for b in piece]
    assert len(whole) == feed.steps == 715
    for first in (1, 64, 100, 714):
        assert [b[0].tolist() for piece in feed.pieces(2, first) for b in piece] == whole[first:]


def test_a_last_batch_of_one_is_merged_where_it_must_be():
    assert batch_sizes(65, 32, at_least=2) == (2, 33)
    assert batch_sizes(65, 32) == (3, 1)
    assert batch_sizes(64, 32, at_least=2) == (2, 32)
    assert batch_sizes(1, 32, at_least=2) == (1, 1)
    assert batch_sizes(66, 32, at_least=3) == (2, 34)


def test_batch_normalisation_survives_a_last_batch_of_one(tmp_path):
    # 1,438 training examples: 1,437 and one.
    network = perceptron(Recipe(epochs=1, batch_size=1437), norm=Node("BatchNorm1d"))
    result = train(network, run_dir=tmp_path)
    assert result["state"] == "finished"
    assert result["steps"] == 1


# ---------------------------------------------------------------------------- which weights move


def test_frozen_nodes_do_not_move(tmp_path):
    network = with_everything(epochs=1)
    for id in ("conv", "norm"):
        network = replaced(network, id, training=Training(frozen=True))
    result = train(network, run_dir=tmp_path)
    start, end = engine.build(network, seed=0).state_dict(), weights(result)
    moved = {name.partition(".")[0] for name in start if not torch.equal(start[name], end[name])}
    assert moved == {"fc"}


def test_a_learning_rate_multiplier_scales_the_step(tmp_path):
    recipe = Recipe(epochs=1, batch_size=2000, optimizer=Choice("SGD", {"lr": 0.1}))
    ends = []
    for multiplier in (1.0, 0.25):
        network = replaced(perceptron(recipe), "fc2", training=Training(lr_multiplier=multiplier))
        ends.append(weights(train(network, run_dir=tmp_path)))
    start = engine.build(perceptron(recipe), seed=0).state_dict()
    full, quarter = (end["fc2.weight"] - start["fc2.weight"] for end in ends)
    assert torch.allclose(quarter, full / 4, atol=1e-6)
    assert torch.equal(ends[0]["fc1.weight"], ends[1]["fc1.weight"])


@pytest.mark.parametrize(("clip", "extra"), [(True, {}), (False, {"clip_latent": False})])
def test_latent_weights_stay_within_one_unless_told_otherwise(tmp_path, clip, extra):
    network = perceptron(Recipe(epochs=2, batch_size=64, optimizer=Choice("SGD", {"lr": 30.0})))
    network = replaced(network, "fc1", binarize={"weight": Choice("lbsign", {}, extra)})
    end = weights(train(network, run_dir=tmp_path))
    assert (end["fc1.weight"].abs().max().item() <= 1.0) == clip
    assert end["fc2.weight"].abs().max() > 1


# ---------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("stop_at", [1, 17, 30])
@pytest.mark.parametrize("optimizer", [Choice("Adam"), Choice("SGD", {"momentum": 0.9}), Choice("SGD")])
def test_a_stopped_run_goes_on_bit_for_bit_as_if_it_had_not_stopped(tmp_path, stop_at, optimizer):
    network = with_everything(optimizer=optimizer)
    whole = Told()
    expected = train(network, run_dir=tmp_path, emit=whole)
    control = Control(paused=True)
    for _ in range(stop_at):
        control.step()

    def stop(event):
        if isinstance(event, RunState) and event.state == "paused":
            control.stop()

    first, second = Told(stop), Told()
    stopped = train(network, run_dir=tmp_path, emit=first, control=control)
    assert (stopped["state"], stopped["steps"]) == ("stopped", stop_at)
    result = train(resume=stopped["run"], emit=second)
    assert result["run"] == stopped["run"]
    assert first.curve() + second.curve() == whole.curve()
    for name in ("weights", "best"):
        assert same(weights(result, name), weights(expected, name))
    for key in ("train", "validation", "best_epoch", "steps"):
        assert result[key] == expected[key]


def test_a_finished_run_goes_on_for_more_epochs_as_one_run_of_all(tmp_path):
    expected = train(with_everything(epochs=4), run_dir=tmp_path)
    short = train(with_everything(epochs=2), run_dir=tmp_path)
    result = train(with_everything(epochs=4), resume=short["run"])
    assert same(weights(result), weights(expected))


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path):
    first = train(with_everything(epochs=1), run_dir=tmp_path)
    train(with_everything(epochs=2), resume=first["run"])
    files = sorted((tmp_path / first["run"] / "checkpoints").iterdir())
    assert [file.suffix for file in files] == [".json", ".safetensors"] * 2
    assert json.loads(files[2].read_text())["sha256"] == hashlib.sha256(files[3].read_bytes()).hexdigest()
    data = bytearray(files[3].read_bytes())
    data[-5] ^= 4
    files[3].write_bytes(data)
    told = Told()
    result = train(with_everything(epochs=2), resume=first["run"], emit=told)
    assert told.of(RunStarted)[0].step == first["steps"]
    assert same(weights(result), weights(train(with_everything(epochs=2), run_dir=tmp_path)))
    files[1].write_bytes(b"")
    files[3].write_bytes(b"")
    for left in (tmp_path / first["run"] / "checkpoints").glob("*.safetensors"):
        left.write_bytes(b"")
    with pytest.raises(FileProblem, match="checkpoints are damaged"):
        train(resume=first["run"])
    assert json.loads((tmp_path / first["run"] / "result.json").read_text()) == result


def test_a_killed_run_is_interrupted_and_goes_on_to_the_same_end(tmp_path):
    network = with_everything(epochs=40)
    expected = train(network, run_dir=tmp_path, observe=False)
    engine.save(network, tmp_path / "a.layerlab")
    program = (
        "import sys, engine; from engine.training import trainer; trainer._CHECKPOINT_EPOCH = 0.0;"
        "engine.train(engine.load(sys.argv[1]), run_dir=sys.argv[2], observe=False,"
        "             emit=lambda event: print(getattr(event, 'step', 0), flush=True))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.layerlab"), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            if int(line) > 100:
                child.kill()
    (folder,) = map(RunFolder, (tmp_path / "killed").iterdir())
    assert folder.state() == "interrupted"
    told = Told()
    result = train(resume=folder.path, emit=told, observe=False)
    assert 0 < told.of(RunStarted)[0].step < expected["steps"]
    for name in ("weights", "best"):
        assert same(weights(result, name), weights(expected, name))
    whole = [
        e.step for e in read_events(folder.metrics) if isinstance(e, Metrics) and e.split == "validation"
    ]
    assert whole == [15 * epoch for epoch in range(1, 41)]


def test_what_is_trained_is_written_behind_the_first_figures_and_before_anything_that_it_explains(tmp_path):
    there = []

    def look(event):
        (folder,) = map(RunFolder, tmp_path.iterdir())
        there.append((type(event), folder.network.exists(), folder.facts.exists()))

    result = train(perceptron(), run_dir=tmp_path, emit=look)
    first = [kind for kind, _, _ in there].index(Metrics)
    # The first step waits for no disk.
    assert not any(network or facts for _, network, facts in there[: first + 1])
    assert all(network and facts for _, network, facts in there[first + 1 :])
    assert engine.load(RunFolder(tmp_path / result["run"]).network) == perceptron()


def test_control_c_stops_a_run_in_good_order(tmp_path):
    told = Told(lambda e: signal.raise_signal(signal.SIGINT) if isinstance(e, Metrics) else None)
    before = signal.getsignal(signal.SIGINT)
    result = train(perceptron(), run_dir=tmp_path, emit=told)
    assert (result["state"], result["steps"]) == ("stopped", 1)
    assert len(list((tmp_path / result["run"] / "checkpoints").iterdir())) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_is_not_resumed_with_another_network(tmp_path):
    run = train(perceptron(), run_dir=tmp_path)["run"]
    with pytest.raises(NetworkProblem, match=r"begun with other nodes"):
        train(replaced(perceptron(), "fc1", fields={"out_features": 20}), resume=run)
    assert json.loads((tmp_path / run / "result.json").read_text())["state"] == "finished"


# ---------------------------------------------------------------------------- control


def test_paused_runs_take_single_steps_and_then_run_on(tmp_path):
    control, told, paused = Control(paused=True), Told(), threading.Semaphore(0)
    told.when = lambda e: paused.release() if isinstance(e, RunState) and e.state == "paused" else None
    results = []
    work = threading.Thread(
        target=lambda: results.append(train(perceptron(), run_dir=tmp_path, emit=told, control=control))
    )
    work.start()
    for _ in range(3):
        assert paused.acquire(timeout=60)
        control.step()
    assert paused.acquire(timeout=60)
    assert [e.step for e in told.of(RunState) if e.state == "paused"] == [0, 1, 2, 3]
    assert [e.step for e in told.of(Observation)] == [1, 2, 3]
    control.resume()
    work.join(60)
    assert results[0]["state"] == "finished"
    assert [e.state for e in told.of(RunState)][-2:] == ["running", "finished"]


def test_a_run_that_is_stopped_while_paused_stops(tmp_path):
    control = Control(paused=True)
    told = Told(lambda e: control.stop() if isinstance(e, RunState) and e.state == "paused" else None)
    result = train(perceptron(), run_dir=tmp_path, emit=told, control=control)
    assert (result["state"], result["steps"], result["train"]) == ("stopped", 0, None)
    assert told.of(RunState)[-1].result == result


# ---------------------------------------------------------------------------- going wrong


def test_a_run_whose_loss_is_no_number_has_diverged_and_says_at_which_step(tmp_path):
    network = perceptron(Recipe(epochs=50, loss=Choice("MSELoss"), optimizer=Choice("SGD", {"lr": 1000.0})))
    told = Told()
    result = train(replaced(network, "fc1", activation=None), run_dir=tmp_path, emit=told)
    assert result["state"] == told.of(RunState)[-1].state == "diverged"
    assert f"at step {result['steps']}" in result["message"]
    assert "Lower the learning rate" in result["message"]
    # Every figure told before is a number, and no weights that are none are left behind.
    assert all(math.isfinite(m.values["loss"]) for m in told.of(Metrics))
    assert not (tmp_path / result["run"] / "weights.safetensors").exists()


def test_what_does_not_fit_the_data_is_refused_before_a_run_begins(tmp_path):
    small = replaced(perceptron(), "fc2", fields={"out_features": 4})
    with pytest.raises(NetworkProblem, match="10 classes"):
        train(small, run_dir=tmp_path)
    with pytest.raises(NetworkProblem, match="shape"):
        train(replaced(perceptron(), "image", fields={"shape": [1, 9, 9]}), run_dir=tmp_path)
    frozen = perceptron()
    for id in ("fc1", "fc2"):
        frozen = replaced(frozen, id, training=Training(frozen=True))
    with pytest.raises(NetworkProblem, match="nothing to train"):
        train(frozen, run_dir=tmp_path)
    nesterov = Recipe(optimizer=Choice("SGD", {"nesterov": True}))
    with pytest.raises(NetworkProblem, match="requires a momentum"):
        train(perceptron(nesterov), run_dir=tmp_path)
    with pytest.raises(NetworkProblem, match="no device"):
        train(perceptron(), run_dir=tmp_path, device="abacus")
    with pytest.raises(TypeError, match="Did you mean 'batch_size'"):
        train(perceptron(), run_dir=tmp_path, batch_sise=3)
    assert list(tmp_path.iterdir()) == []


def test_a_full_memory_is_said_with_the_way_out():
    assert "Lower recipe.batch_size" in failure(torch.OutOfMemoryError("CUDA out of memory"), 7)
    assert failure(RuntimeError("odd\nstack of things"), 3) == "Training failed after 3 steps: odd"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this computer has a GPU")
def test_a_missing_gpu_is_said(tmp_path):
    with pytest.raises(NetworkProblem, match=r"no cuda on this computer.*Choose auto or cpu"):
        train(perceptron(), run_dir=tmp_path, device="cuda")


# ---------------------------------------------------------------------------- afterwards


def test_evaluating_gives_the_figures_of_the_result(tmp_path):
    network = with_everything(data=Data("digits", {}, {"kind": "random", "validation": 0.2, "test": 0.2}))
    result = train(network, run_dir=tmp_path)
    figures = evaluate(result["run"])
    assert figures.keys() == {"train", "validation", "test"}
    assert figures["validation"] == result["validation"]
    assert figures["test"] == result["test"]


def test_best_weights_are_those_of_the_best_validation_epoch(tmp_path):
    told = Told()
    result = train(with_everything(epochs=4), run_dir=tmp_path, emit=told)
    curve = [m.values for m in told.of(Metrics) if m.split == "validation"]
    best = max(curve, key=lambda v: (v["accuracy"], -v["loss"]))
    assert result["validation"] == best
    assert curve.index(best) + 1 == result["best_epoch"]


def test_predictions_agree_with_evaluation_and_with_softmax(tmp_path):
    result = train(perceptron(), run_dir=tmp_path)
    names, predictions = predict(result["run"], count=10_000)
    assert len(predictions) == 359
    right = sum(p.predicted == p.target for p in predictions)
    assert right / 359 == pytest.approx(result["validation"]["accuracy"])
    assert names == tuple("0123456789")
    one = predictions[5]
    expected = torch.tensor(one.outputs).softmax(0)
    assert torch.allclose(torch.tensor(one.probabilities), expected, atol=1e-6)
    pixels = engine.data.load(Data("digits"), 0).splits["validation"].inputs["input"][5, 0]
    assert one.picture_shape == (8, 8)
    assert list(one.picture) == (pixels * 255).round().int().flatten().tolist()
    assert [p.index for p in predict(result["run"], first=357)[1]] == [357, 358]


def test_a_picture_of_an_example_is_predicted_as_the_example(tmp_path):
    import numpy as np
    from PIL import Image

    run = train(perceptron(), run_dir=tmp_path)["run"]
    (example,) = predict(run, first=3, count=1)[1]
    picture = np.frombuffer(example.picture, np.uint8).reshape(8, 8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", picture[None].astype(np.float32) / 255)
    for name in ("a.png", "a.npy"):
        _, (told,) = predict(run, file=tmp_path / name)
        assert told.outputs == pytest.approx(example.outputs, abs=0.05)
        assert told.target is None
    (tmp_path / "b.png").write_bytes(b"no picture")
    np.save(tmp_path / "b.npy", np.zeros((2, 5)))
    for name, said in (("b.png", "cannot be read"), ("b.npy", "shape"), ("c.png", "no such file")):
        with pytest.raises(FileProblem, match=said):
            predict(run, file=tmp_path / name)


def test_training_starts_from_weights_that_fit_and_says_which(tmp_path):
    first = train(perceptron(), run_dir=tmp_path)
    recipe = Recipe(epochs=1, optimizer=Choice("SGD", {"lr": 0.0}))
    other = perceptron(recipe, fc3=Node("Linear", {"out_features": 16}))
    told = Told()
    second = train(other, run_dir=tmp_path, weights=f"{first['run']}/best.safetensors", emit=told)
    for name in ("fc1.weight", "fc2.weight"):
        assert torch.equal(weights(second)[name], weights(first, "best")[name])
    (note,) = [note for note in told.of(RunStarted)[0].notes if "started from" in note]
    assert "4 of 6 tensors; fresh: fc3.weight, fc3.bias" in note
    with pytest.raises(FileProblem, match="no weights of that name"):
        train(other, run_dir=tmp_path, weights=tmp_path / "none.safetensors")


def test_damaged_weights_are_noticed(tmp_path):
    run = tmp_path / train(perceptron(), run_dir=tmp_path)["run"]
    data = bytearray((run / "best.safetensors").read_bytes())
    data[-9] ^= 1
    (run / "best.safetensors").write_bytes(data)
    with pytest.raises(FileProblem, match="damaged"):
        evaluate(run)
