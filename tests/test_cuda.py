"""What only a GPU can show. ``python -m tests.gpu`` runs these and the benchmarks where there is one."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch

import engine
from engine.catalog import AUGMENTATIONS, BINARIZERS, LOSSES, OPTIMIZERS, SCHEDULES
from engine.host.protocol import Metrics, Observation, RunStarted
from engine.network import Choice, Data, Node
from engine.problems import NetworkProblem
from engine.runs import RunFolder, read_events
from engine.training import Control, evaluate, find_batch, find_rate, predict, replay, train
from engine.training.compute import Compute
from engine.training.direct import DirectStep
from engine.training.feed import Feed
from tests.test_training import Told, chain, perceptron, replaced, same, weights, with_everything

if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

DEVICE = "cuda"


def changed(network, **recipe):
    options = {**network.recipe.options, **recipe.pop("options", {})}
    return msgspec.structs.replace(
        network, recipe=msgspec.structs.replace(network.recipe, options=options, **recipe)
    )


def run(network, where, told=None, **more):
    return train(network, run_dir=where, device=DEVICE, emit=told or Told(), **more)


def stopped_after(steps, network, where):
    """The run's result, stopped behind so many batches."""
    control = Control(paused=True)
    for _ in range(steps):
        control.step()
    told = Told(lambda e: control.stop() if getattr(e, "state", "") == "paused" else None)
    return run(network, where, told, control=control, observe=False)


# ---------------------------------------------------------------------------- the same numbers


def test_a_gpu_trains_to_the_same_place_as_the_processor(tmp_path):
    network = changed(perceptron(), epochs=1, optimizer=Choice("SGD", {"lr": 0.01}))
    here, there = (train(network, run_dir=tmp_path, device=device) for device in ("cpu", DEVICE))
    assert there["device"] == "cuda:0"
    assert there["train"]["loss"] == pytest.approx(here["train"]["loss"], rel=1e-3)
    assert evaluate(there["run"])["validation"] == pytest.approx(there["validation"])


EXACT = {
    "plain": {},
    "one cycle, averaged, clipped": {
        "schedule": Choice("OneCycleLR", {"max_lr": 0.01}),
        "options": {"ema_decay": 0.9, "clip_norm": 1.0},
    },
    "accumulating": {"options": {"accumulate": 4, "validate_every": 8, "validate_unit": "steps"}},
    "bfloat16, channels last": {"options": {"precision": "bfloat16", "channels_last": "on"}},
    "float16, scaled": {"options": {"precision": "float16"}},
    "tf32, plateau": {
        "schedule": Choice("ReduceLROnPlateau", {"patience": 0}),
        "options": {"precision": "tf32", "patience": 50},
    },
    "augmented": {"data": Data("digits", augment=(Choice("shift", {"pixels": 1}), Choice("noise")))},
}


@pytest.mark.parametrize("graphs", [False, True], ids=["launched", "recorded"])
@pytest.mark.parametrize("name", EXACT)
def test_in_deterministic_mode_a_stopped_run_goes_on_bit_for_bit(tmp_path, name, graphs):
    network = changed(with_everything(), **EXACT[name])
    network = changed(network, options={"deterministic": True, "cuda_graphs": graphs})
    whole = Told()
    expected = run(network, tmp_path, whole, observe=False)
    assert expected["state"] == "finished", expected
    stopped = stopped_after(20 // network.recipe.options.get("accumulate", 1), network, tmp_path)
    assert stopped["state"] == "stopped", stopped
    found = train(resume=stopped["run"], device=DEVICE, observe=False)
    for file in ("weights", "best"):
        assert same(weights(found, file), weights(expected, file)), file


@pytest.mark.parametrize("name", EXACT)
def test_a_recorded_run_is_the_launched_one(tmp_path, name):
    network = changed(changed(with_everything(), **EXACT[name]), options={"deterministic": True})
    curves = []
    for graphs in (False, True):
        told = Told()
        result = run(changed(network, options={"cuda_graphs": graphs}), tmp_path, told)  # observed, too
        assert result["state"] == "finished", result
        curves.append([(m.step, m.split, m.values["loss"]) for m in told.of(Metrics)])
        assert told.of(Observation)
    assert [point[:2] for point in curves[0]] == [point[:2] for point in curves[1]]
    for (*_, launched), (*_, recorded) in zip(*curves, strict=True):
        assert recorded == pytest.approx(launched, rel=1e-3)


def test_a_killed_run_ends_as_if_it_had_not_been_killed(tmp_path):
    network = changed(with_everything(), epochs=60, options={"deterministic": True, "ema_decay": 0.99})
    expected = run(network, tmp_path / "whole", observe=False)
    engine.save(network, tmp_path / "a.layerlab")
    program = (
        "import sys, engine; from engine.training import trainer;"
        "trainer._CHECKPOINT_EPOCH = 0.0; trainer._CHECKPOINT_WITHIN = 0.05; trainer._TICK = 0.02;"
        "more = {'run_dir': sys.argv[2]} if sys.argv[3] == 'new' else {'resume': sys.argv[2]};"
        "network = engine.load(sys.argv[1]) if sys.argv[3] == 'new' else None;"
        f"engine.train(network, device={DEVICE!r}, observe=False, emit=lambda e: print(flush=True), **more)"
    )
    where, how, draw = tmp_path / "runs", "new", random.Random(0)
    for _ in range(3):
        command = [sys.executable, "-c", program, str(tmp_path / "a.layerlab"), str(where), how]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for seen, _ in enumerate(child.stdout):
                if seen > 10 + draw.randrange(25):
                    child.send_signal(signal.SIGKILL)
        if how == "new":
            (where,) = (tmp_path / "runs").iterdir()
            how = "on"
    found = train(resume=where, device=DEVICE, observe=False)
    assert found["state"] == "finished"
    assert same(weights(found), weights(expected))


def test_a_run_is_replayed_to_the_last_bit(tmp_path):
    result = run(changed(with_everything(), options={"deterministic": True}), tmp_path)
    told = replay(result["run"])
    assert told["same"], told
    facts = json.loads(RunFolder(Path(result["run"])).facts.read_text())
    assert {"cuda", "cudnn", "device_name"} <= facts.keys()


def test_data_that_do_not_fit_come_over_in_pieces_with_the_same_numbers(tmp_path, monkeypatch):
    network = changed(with_everything(), options={"deterministic": True})
    resident = run(network, tmp_path, observe=False)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (0, 0))
    monkeypatch.setattr("engine.training.feed._PIECE_BYTES_GPU", 100 * 64 * 4 * 3)  # pieces of three batches
    told = Told()
    streamed = run(network, tmp_path, told, observe=False)
    assert "data on the device" not in told.of(RunStarted)[0].notes
    assert same(weights(streamed), weights(resident))


def test_a_run_of_the_gpu_goes_on_on_the_processor(tmp_path):
    network = changed(with_everything(), options={"cuda_graphs": True})
    stopped = stopped_after(10, network, tmp_path)
    with pytest.raises(NetworkProblem, match="CUDA graphs is for GPUs"):
        train(resume=stopped["run"], device="cpu")
    plain = stopped_after(10, with_everything(), tmp_path)
    assert train(resume=plain["run"], device="cpu")["state"] == "finished"


# ---------------------------------------------------------------------------- speed


def test_nothing_in_a_step_waits_for_the_gpu(tmp_path, monkeypatch):
    def strictly(own):
        def strict(*given):
            torch.cuda.set_sync_debug_mode("error")
            try:
                return own(*given)
            finally:
                torch.cuda.set_sync_debug_mode("default")

        return strict

    for kind, name in ((Compute, "__call__"), (Compute, "backward"), (DirectStep, "__call__")):
        monkeypatch.setattr(kind, name, strictly(getattr(kind, name)))
    monkeypatch.setattr(DirectStep, "_bind", lambda self: None)  # which compares counters, once
    for precision in ("float32", "bfloat16"):
        result = run(with_everything(options={"precision": precision}), tmp_path, observe=False)
        assert result["state"] == "finished", result


def test_the_fastest_way_is_found_and_told(tmp_path):
    told = Told()
    result = run(changed(with_everything(), options={"fastest": True}), tmp_path, told)
    assert result["state"] == "finished", result
    (note,) = [note for note in told.of(RunStarted)[0].notes if note.startswith("fastest: ")]
    assert "with CUDA graphs" in note
    assert "CUDA graphs failed" not in note
    facts = json.loads(RunFolder(Path(result["run"])).facts.read_text())
    assert replay(result["run"])["compared"] > 0
    assert facts["choices"]["cuda_graphs"] in (True, False)


def test_looking_keeps_to_its_budget(tmp_path):
    told = Told()
    result = run(changed(perceptron(), epochs=2000), tmp_path, told)
    looks = told.of(Observation)
    assert result["seconds"] < 3 or looks[-1].cost < 0.03, (result["seconds"], looks[-1].cost)
    assert {"fc1.weight", "fc2.weight"} <= looks[-1].weights.keys()


def test_a_run_gives_its_memory_back(tmp_path):
    run(with_everything(options={"cuda_graphs": True}), tmp_path)
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        run(with_everything(options={"cuda_graphs": True}), tmp_path)
    assert torch.cuda.memory_allocated() <= before + (1 << 20)


# ---------------------------------------------------------------------------- what goes wrong


def test_numbers_that_are_none_are_named(tmp_path):
    network = replaced(perceptron(), "fc1", activation=None)  # a ReLU would die of such a rate
    network = changed(network, optimizer=Choice("SGD", {"lr": 1000}))
    for options in ({}, {"cuda_graphs": True}, {"precision": "float16"}):
        result = run(changed(network, options=options), tmp_path)
        assert result["state"] == "diverged", (options, result)
        assert result["diverged"]["step"] <= 20, (options, result)


def test_a_full_memory_is_survived_and_answered_with_a_batch_size_that_fits(tmp_path):
    # A megabyte and more to an example: the batch of a thousand does not fit into what is left.
    network = changed(
        chain(
            flat=Node("Flatten"),
            wide=Node("Linear", {"out_features": 300_000}, activation=Choice("ReLU")),
            fc=Node("Linear", {"out_features": 10}),
        ),
        epochs=1,
        batch_size=1024,
    )
    torch.cuda.empty_cache()
    room = torch.cuda.memory_reserved() + 2_000_000_000
    torch.cuda.set_per_process_memory_fraction(room / torch.cuda.mem_get_info()[1])
    try:
        result = run(network, tmp_path)
        assert result["state"] == "failed", result
        assert "Out of memory" in result["message"]
        fits = result["fits"]["batch_size"]
        assert fits < 1024
        again = run(changed(network, batch_size=fits), tmp_path)
        assert again["state"] == "finished", again
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert find_batch(changed(perceptron(), batch_size=32), device=DEVICE) == 32


# ---------------------------------------------------------------------------- everything there is


@pytest.mark.parametrize("graphs", [False, True], ids=["launched", "recorded"])
@pytest.mark.parametrize("id", OPTIMIZERS)
def test_every_optimizer_trains(tmp_path, id, graphs):
    options = {"cuda_graphs": graphs}
    network = changed(perceptron(), epochs=2, optimizer=Choice(id, {}), options=options)
    if id == "Bop":
        network = replaced(network, "fc1", binarize={"weight": Choice("ste_sign")})
    result = run(network, tmp_path)
    assert result["state"] == "finished", result


@pytest.mark.parametrize("id", LOSSES)
def test_every_loss_trains(tmp_path, id):
    last = {"BCELoss": "Sigmoid", "NLLLoss": "LogSoftmax", "KLDivLoss": "LogSoftmax"}.get(id)
    network = perceptron()
    if last is not None:
        fields = {} if last == "Sigmoid" else {"dim": 1}
        network = replaced(network, "fc2", activation=Choice(last, fields))
    for options in ({}, {"cuda_graphs": True}):
        result = run(changed(network, epochs=1, loss=Choice(id, {}), options=options), tmp_path)
        assert result["state"] == "finished", result


NEEDED = {
    "ExponentialLR": {"gamma": 0.9},
    "StepLR": {"step_size": 5},
    "MultiStepLR": {"milestones": [4, 9]},
    "CosineAnnealingWarmRestarts": {"T_0": 7},
    "OneCycleLR": {"max_lr": 0.01},
    "CyclicLR": {"base_lr": 0.001, "max_lr": 0.01},
}


@pytest.mark.parametrize("id", SCHEDULES)
def test_every_schedule_moves_the_rate_of_recorded_steps(tmp_path, id):
    schedule = Choice(id, NEEDED.get(id, {}))
    network = changed(perceptron(), optimizer=Choice("SGD", {"lr": 0.01, "momentum": 0.9}), schedule=schedule)
    found = []
    for graphs in (False, True):
        options = {"cuda_graphs": graphs, "deterministic": True}
        result = run(changed(network, options=options), tmp_path, observe=False)
        assert result["state"] == "finished", result
        found.append(weights(result))
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-4) for name in found[0])


@pytest.mark.parametrize("id", AUGMENTATIONS)
def test_every_augmentation_varies_on_the_device(tmp_path, id):
    network = with_everything(epochs=1, data=Data("digits", augment=(Choice(id),)))
    result = run(network, tmp_path)
    assert result["state"] == "finished", result


@pytest.mark.parametrize("graphs", [False, True], ids=["launched", "recorded"])
@pytest.mark.parametrize("id", BINARIZERS)
def test_every_estimator_trains_and_is_seen(tmp_path, id, graphs):
    place = "input" if id in ("dorefa_input", "ste_heaviside", "rsign") else "weight"
    network = changed(with_everything(epochs=2), options={"cuda_graphs": graphs})
    network = replaced(network, "conv", binarize={place: Choice(id)})
    told = Told()
    result = run(network, tmp_path, told)
    assert result["state"] == "finished", result
    assert told.of(Observation)


def test_evaluating_predicting_and_the_rate_finder_run_there(tmp_path):
    result = run(with_everything(epochs=1), tmp_path)
    assert evaluate(result["run"], DEVICE)["validation"] == pytest.approx(result["validation"], rel=1e-4)
    _, predictions = predict(result["run"], count=3, device=DEVICE)
    assert len(predictions) == 3
    for precision in ("float32", "float16"):
        network = changed(perceptron(), options={"precision": precision})
        assert len(find_rate(network, steps=30, device=DEVICE).rates) > 10


# ---------------------------------------------------------------------------- several GPUs


@pytest.mark.skipif(torch.cuda.device_count() > 1, reason="this computer has several GPUs")
def test_more_processes_than_gpus_are_refused(tmp_path):
    with pytest.raises(NetworkProblem, match=r"2 processes need a GPU each, and this computer has 1"):
        run(perceptron(), tmp_path, nproc=2)
    shared = train(changed(perceptron(), epochs=1), run_dir=tmp_path, device="cpu", nproc=2)
    assert shared["state"] == "finished"


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_equal_one_and_go_on_after_a_stop(tmp_path):
    network = changed(perceptron(), batch_size=100, optimizer=Choice("SGD", {"lr": 0.1}))
    alone = run(network, tmp_path)
    shared = run(network, tmp_path, nproc=2)
    assert all(torch.allclose(weights(shared)[n], t, atol=1e-4) for n, t in weights(alone).items())
    control = Control()
    told = Told(lambda e: control.stop() if getattr(e, "steps_per_second", 0) else None)
    stopped = run(changed(network, epochs=200), tmp_path, told, control=control, nproc=2)
    assert stopped["state"] == "stopped"
    assert train(resume=stopped["run"], device=DEVICE, nproc=2)["state"] == "finished"
    assert [e for e in read_events(RunFolder(Path(stopped["run"])).metrics) if isinstance(e, Metrics)]


def test_the_feeds_batches_lie_on_the_device():
    feed = Feed([torch.arange(1000.0)], 64, 0, torch.device(DEVICE, 0))
    (piece,) = feed.pieces(0)
    seen = torch.cat([batch[0] for batch in piece])
    assert seen.device.type == DEVICE
    assert torch.equal(seen.cpu(), torch.arange(1000.0)[feed.order(0)])
