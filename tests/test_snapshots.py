"""Weights that a run keeps of earlier steps, and the confusion matrices of its validations."""

from itertools import pairwise

import pytest
import torch
from sklearn.metrics import confusion_matrix

import engine
from engine.data import load
from engine.host.protocol import Confused, Observation, Respond, RunStarted, WeightsKept
from engine.runs import RunFolder
from engine.training import predict, snapshots, weights
from engine.training.responses import respond
from engine.training.snapshots import Snapshots
from tests.diagnosis_table import every_other_step
from tests.sick_networks import convolutional


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose every observation has its weights kept, up to twelve; its folder and events."""
    events = []
    network = convolutional("c", epochs=2)
    with pytest.MonkeyPatch.context() as patch, every_other_step():
        for name, value in (("_APART", 0.0), ("_SHARE", 1e9), ("MOST", 12)):
            patch.setattr(snapshots, name, value)
        result = engine.train(
            network, device="cpu", run_dir=tmp_path_factory.mktemp("runs"), emit=events.append
        )
    return network, RunFolder(tmp_path_factory.getbasetemp() / result["run"]), events


def test_kept_weights_are_those_of_their_step(run):
    _, folder, events = run
    kept = folder.kept_steps()
    told = next(e for e in reversed(events) if isinstance(e, WeightsKept))
    assert told.steps == tuple(kept)
    assert 6 <= len(kept) <= 12
    observed = {e.step: e for e in events if isinstance(e, Observation)}
    assert kept[0] == min(observed)  # the first ones stay, however long the run
    for step in kept:
        for name, tensor in weights.load(folder.kept(step)).items():
            assert observed[step].weights[name].norm == pytest.approx(tensor.norm().item(), rel=1e-5)


def test_a_step_is_looked_at_with_the_last_weights_up_to_it(run):
    _, folder, _ = run
    first, second = folder.kept_steps()[:2]
    assert folder.weights_at(second - 1) == (folder.kept(first), f"weights of step {first:,}")
    assert folder.weights_at(0) == (folder.kept(first), f"weights of step {first:,}")
    assert folder.weights_at() == (folder.best, "best weights")


def test_predictions_and_responses_of_an_earlier_step_are_those_of_its_weights(run):
    network, folder, _ = run
    step = folder.kept_steps()[3]
    model = engine.build(network, seed=0).eval()
    model.load_state_dict(weights.load(folder.kept(step)))
    image = load(network.recipe.data, network.recipe.seed).splits["validation"].inputs["input"][:1]
    with torch.inference_mode():
        wanted = model(image)[0]
    _, (told,) = predict(folder.path, count=1, step=step)
    assert torch.allclose(torch.tensor(told.outputs), wanted, atol=1e-6)
    seen = respond(Respond(1, b"", str(folder.path), index=0, step=step), network)
    assert torch.allclose(torch.tensor(seen.probabilities), wanted.softmax(0), atol=1e-6)
    assert seen.note == f"weights of step {step:,}"


def test_a_validations_confusion_matrix_is_scikit_learns(run):
    network, folder, events = run
    told = [e for e in events if isinstance(e, Confused)]
    assert len(told) == network.recipe.epochs
    assert told[-1].classes == tuple("0123456789")
    model = engine.build(network, seed=0).eval()
    model.load_state_dict(weights.load(folder.weights))  # the last validation is of the last weights
    split = load(network.recipe.data, network.recipe.seed).splits["validation"]
    with torch.inference_mode():
        answers = model(split.inputs["input"]).argmax(1)
    wanted = confusion_matrix(split.targets, answers, labels=range(10))
    assert told[-1].counts == tuple(wanted.ravel().tolist())


def test_a_new_run_begins_where_kept_weights_are(run, tmp_path):
    network, folder, _ = run
    step = folder.kept_steps()[2]
    result = engine.train(network, epochs=1, device="cpu", run_dir=tmp_path, weights=folder.kept(step))
    assert result["state"] == "finished"
    begun = weights.load(RunFolder(tmp_path / result["run"]).start)
    kept = weights.load(folder.kept(step))
    assert all(torch.equal(begun[name], kept[name]) for name in kept)


def test_resuming_forgets_what_will_be_told_again_and_a_full_disk_ends_no_run(tmp_path, monkeypatch, capsys):
    folder, told = RunFolder(tmp_path), []
    for step in (2, 50, 90):
        folder.kept(step).parent.mkdir(exist_ok=True)
        folder.kept(step).write_bytes(b"")
    keeper = Snapshots(folder, torch.nn.Linear(2, 2), told.append)
    keeper(RunStarted("r", "cpu", 1, 100, 50, {}, 1, 1, 1))
    assert folder.kept_steps() == [2, 50]
    assert told == [WeightsKept((2, 50))]

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.training.snapshots.os.replace", full)
    keeper(Observation(60, 0.6, {}, {}))
    assert "No space left" in capsys.readouterr().err
    assert folder.kept_steps() == [2, 50]


def test_one_that_a_busy_machine_held_up_does_not_keep_the_next_ones_waiting(tmp_path, monkeypatch):
    clock, took = [0.0], [0.001, 0.001, 0.5, 0.001, 0.001]

    def write(state):
        clock[0] += took.pop(0) if took else 0.2  # in the end the folder is a slow one
        return b""

    monkeypatch.setattr(snapshots.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(snapshots, "dumps", write)
    kept = Snapshots(RunFolder(tmp_path), torch.nn.Linear(2, 2), lambda event: None)
    at = []
    while clock[0] < 120:
        clock[0] += 0.05
        before = len(kept.steps)
        kept(Observation(len(at) + round(1000 * clock[0]), 0.0, {}, {}))
        if len(kept.steps) > before:
            at.append(clock[0])
    quick = [after - before for before, after in pairwise(at[:6])]
    assert max(quick) < 0.9  # and not the 100 s of which half a second is the share
    assert at[8] - at[7] >= 0.2 / 0.005 - 1e-6  # what is always slow takes no more than its share


def test_a_network_too_large_to_be_kept_often_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "BYTES", 10)
    keeper = Snapshots(RunFolder(tmp_path), torch.nn.Linear(2, 2), lambda event: None)
    keeper(Observation(1, 0.1, {}, {}))
    assert RunFolder(tmp_path).kept_steps() == []
