"""A run is looked at from its beginning to its end, however short it is, and where it pauses."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file

import engine
from engine.host.protocol import Observation, Progress, RunStarted, RunState
from engine.network import Choice
from engine.runs import RunFolder
from engine.training import randomness
from engine.training.control import Control
from engine.training.probes import Probes
from engine.training.task import Task
from engine.training.trainer import Trainer
from tests.diagnosis_table import every_other_step, fewest
from tests.sick_networks import dense, network


def looks(drawn, tmp_path, *, dear=False):
    told = []
    with fewest(dear=dear):
        engine.train(drawn, device="cpu", run_dir=str(tmp_path), emit=told.append)
    return [event for event in told if isinstance(event, Observation)]


def test_a_run_is_seen_at_steps_that_double_and_at_its_last(tmp_path):
    seen = looks(network("short", [dense(16)], epochs=4), tmp_path)  # 4 epochs of 23 steps
    assert [look.step for look in seen] == [2, 4, 8, 16, 32, 64, 92]
    assert all(look.gradients and look.activations and look.cosines for look in seen)


def test_the_weights_that_a_run_begins_with_are_told_before_its_first_step(tmp_path):
    told, drawn = [], network("short", [dense(16)], epochs=1)
    engine.train(drawn, device="cpu", run_dir=str(tmp_path), emit=told.append)
    (begun,) = [event for event in told if isinstance(event, RunStarted)]
    untrained = engine.build(drawn, seed=drawn.recipe.seed).state_dict()
    assert list(begun.weights) == list(untrained)
    for name, weight in untrained.items():
        seen = begun.weights[name]
        assert seen.norm == pytest.approx(float(weight.norm()), rel=1e-6)
        if len(set(weight.flatten().tolist())) > 1:
            assert (seen.lo, seen.hi) == (float(weight.min()), float(weight.max()))
            counts = torch.histc(weight, len(seen.counts), seen.lo, seen.hi)
            assert list(seen.counts) == counts.tolist()


def test_a_run_that_nobody_observes_tells_no_weights(tmp_path):
    told = []
    engine.train(
        network("short", [dense(16)], epochs=1),
        device="cpu",
        run_dir=str(tmp_path),
        emit=told.append,
        observe=False,
    )
    assert [event.weights for event in told if isinstance(event, RunStarted)] == [{}]


def test_where_a_look_is_dear_only_the_second_step_and_the_last_are_sure_of_one(tmp_path):
    seen = looks(network("short", [dense(16)], epochs=4), tmp_path, dear=True)
    assert [look.step for look in seen] == [2, 92]


def test_the_last_step_is_seen_where_gradients_gather_over_batches(tmp_path):
    drawn = network("short", [dense(16)], epochs=2)
    gathers = msgspec.structs.replace(drawn.recipe, options={"accumulate": 4})
    seen = looks(msgspec.structs.replace(drawn, recipe=gathers), tmp_path)
    # Steps of the optimizer end with batches 4, 8, 12, 16, 20, 23 of each epoch.
    assert [look.step for look in seen] == [4, 8, 16, 35, 46]


def test_a_run_that_pauses_shows_the_step_at_which_it_stands(tmp_path):
    control, paused, seen = Control(), [], []

    def emit(event):
        if isinstance(event, Observation):
            seen.append(event.step)
        elif isinstance(event, Progress) and event.step > 16:
            control.pause()
        elif isinstance(event, RunState) and event.state == "paused":
            paused.append(event.step)
            control.stop()

    drawn = network("long", [dense(16)], epochs=400)
    with fewest():
        engine.train(drawn, device="cpu", run_dir=str(tmp_path), emit=emit, control=control)
    assert paused == [seen[-1]]


def test_what_is_left_is_no_matter_of_the_first_step(tmp_path, monkeypatch):
    drawn = network("paced", [dense(16)], epochs=2)
    now = [0.0]

    def clock():
        return now[0]

    class Slow:
        """The first step takes a minute, each other one a second."""

        def before(self, step):
            now[0] += 60.0 if step == 1 else 1.0

        def gradients(self, step):
            pass

        after = gradients

    monkeypatch.setattr("engine.training.trainer.time.perf_counter", clock)
    told = []
    with randomness.seeded(0, torch.device("cpu")):
        task = Task.of(drawn, torch.device("cpu"))
        trainer = Trainer(task, RunFolder(tmp_path), Control(), told.append, observe=False, keeps=False)
        trainer.watch = Slow()
        trainer.run()
    progress = [event for event in told if isinstance(event, Progress)]
    assert (progress[0].step, progress[0].left) == (1, None)
    assert all(event.left == pytest.approx(46 - event.step) for event in progress[1:])
    assert progress[1].step == 2


def test_a_looks_learning_rate_is_the_one_that_its_step_was_made_with(tmp_path):
    drawn = network("cycle", [dense(16)], epochs=2)
    cycles = msgspec.structs.replace(drawn.recipe, schedule=Choice("OneCycleLR", {"max_lr": 0.1}))
    told = []
    with every_other_step():
        recipe = msgspec.structs.replace(drawn, recipe=cycles)
        engine.train(recipe, device="cpu", run_dir=str(tmp_path), emit=told.append)
    curve = {event.step: event.values["lr"] for event in told if "lr" in getattr(event, "values", {})}
    seen = {event.step: event.learning_rate for event in told if isinstance(event, Observation)}
    both = curve.keys() & seen.keys()
    assert len(both) >= 3
    assert {step: seen[step] for step in both} == {step: curve[step] for step in both}


def test_a_pause_is_no_time_in_which_looks_are_earned(tmp_path, monkeypatch):
    control, told, away = Control(), [], [0.0]
    clock, paused = time.perf_counter, Probes.paused
    monkeypatch.setattr("engine.training.trainer.time.perf_counter", lambda: clock() + away[0])
    monkeypatch.setattr(
        Probes, "paused", lambda probes, seconds: told.append(seconds) or paused(probes, seconds)
    )

    def emit(event):
        if isinstance(event, Progress) and not told:
            control.pause()
        elif isinstance(event, RunState) and event.state == "paused":
            away[0] += 600.0
            control.resume()

    engine.train(
        network("long", [dense(16)]), device="cpu", run_dir=str(tmp_path), emit=emit, control=control
    )
    assert told == [pytest.approx(600.0, abs=60.0)]


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_looking_changes_no_bit_of_what_is_learnt_and_leaves_the_threads_as_they_are(tmp_path):
    drawn = network("wide", [dense(256), dense(256)], epochs=2)
    weights = []
    for observe in (False, True):
        with every_other_step():
            result = engine.train(drawn, device="cpu", run_dir=str(tmp_path), observe=observe)
        weights.append(load_file(RunFolder(Path(result["run"])).weights))
        assert torch.get_num_threads() == 3
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


@pytest.mark.usefixtures("three_threads")
def test_a_look_that_breaks_off_leaves_the_threads_as_they_were():
    probes = Probes([])
    probes._watch = object()  # which has no figures
    with pytest.raises(AttributeError):
        probes.before()
    assert torch.get_num_threads() == 3
