"""Training through CUDA graphs: the same numbers as without, shown with a stand-in that keeps CUDA's rules."""

import pytest
import torch

from engine.host.protocol import Observation
from engine.network import Choice, Node
from engine.training import graphs, session, task
from engine.training.compute import Choices
from engine.training.graphs import Recorded
from tests.cuda_stand_in import StandIn
from tests.test_training import Told, chain, perceptron, same, weights, with_everything

EAGER, GRAPHS = Choices(threads=1), Choices(threads=1, cuda_graphs=True)


@pytest.fixture
def cuda(monkeypatch):
    found = StandIn(monkeypatch)
    own = task.build
    monkeypatch.setattr(task, "build", lambda *a, **k: found.watches(own(*a, **k)))
    return found


def trained(network, where, chosen, told=None, **more):
    return session.run(network, where, device="cpu", chosen=chosen, emit=told or Told(), **more)


RECIPES = {
    "dropout and running statistics": {},
    "a rate that moves, clipped, averaged": {
        "schedule": Choice("OneCycleLR", {"max_lr": 0.01}),
        "options": {"clip_norm": 0.5, "ema_decay": 0.9},
    },
    "several batches to a step": {
        "optimizer": Choice("SGD", {"lr": 0.05, "momentum": 0.9}),
        "options": {"accumulate": 4},
    },
    "half precision": {"options": {"precision": "bfloat16"}},
    "validated within the epoch": {"options": {"validate_every": 4, "validate_unit": "steps"}},
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recorded_run_is_bit_for_bit_the_run_without(tmp_path, cuda, name):
    network = with_everything(**RECIPES[name])  # 14 batches of 100 and one of 38 an epoch
    plain, recorded = Told(), Told()
    expected = trained(network, tmp_path / "a", EAGER, plain, observe=False)
    assert not cuda.graphs
    found = trained(network, tmp_path / "b", GRAPHS, recorded, observe=False)
    assert found["state"] == "finished", found.get("message")
    assert recorded.curve() == plain.curve()
    for file in ("weights", "best"):
        assert same(weights(found, file), weights(expected, file))
    (graph,) = cuda.graphs
    # Every batch but the first three, and each epoch's last, which is smaller.
    assert graph.replays == 3 * 14 - 3


def test_observed_steps_are_made_without_the_graph_and_change_nothing(tmp_path, cuda, monkeypatch):
    monkeypatch.setattr(graphs, "_BEFORE", 1)  # recorded right behind the second step, which is observed
    network = with_everything()
    expected = trained(network, tmp_path / "a", EAGER, observe=False)
    told = Told()
    found = trained(network, tmp_path / "b", GRAPHS, told)
    assert same(weights(found), weights(expected))
    looks = told.of(Observation)
    assert looks[0].step == 2
    assert looks[0].activations["conv"].units == 4
    assert all(look.gradients["fc.weight"].norm > 0 for look in looks)


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, cuda):
    network = with_everything()
    expected = trained(network, tmp_path / "a", GRAPHS, observe=False)
    control = session.Control(paused=True)
    for _ in range(20):
        control.step()
    told = Told(lambda e: control.stop() if getattr(e, "state", "") == "paused" else None)
    stopped = trained(network, tmp_path / "b", GRAPHS, told, control=control, observe=False)
    assert stopped["state"] == "stopped"
    found = trained(network, tmp_path / "b", GRAPHS, resume=True, observe=False)
    assert same(weights(found), weights(expected))


def test_an_estimator_that_sharpens_is_recorded_anew_in_each_epoch(tmp_path, cuda):
    network = chain(
        with_everything().recipe,
        flat=Node("Flatten"),
        fc=Node("Linear", {"out_features": 10}, binarize={"weight": Choice("ede_tanh")}),
    )
    expected = trained(network, tmp_path / "a", EAGER, observe=False)
    found = trained(network, tmp_path / "b", GRAPHS, observe=False)
    assert same(weights(found), weights(expected))
    assert len(cuda.graphs) == 3


def test_a_full_memory_while_recording_is_a_full_memory(tmp_path, cuda, monkeypatch):
    own = Recorded._record

    def filling(self, batch):
        def forward(given):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

        self._forward = forward
        own(self, batch)

    monkeypatch.setattr(Recorded, "_record", filling)
    found = trained(perceptron(), tmp_path / "a", GRAPHS, observe=False)
    assert found["message"].startswith("Out of memory")
    assert found["fits"]["batch_size"] == 32


def test_a_network_that_looks_at_values_is_refused_with_the_way_out(tmp_path, cuda, monkeypatch):
    own = Recorded._record

    def looking(self, batch):
        forward = self._forward
        self._forward = lambda given: (float(given[0].sum()), forward(given))[1]
        own(self, batch)

    monkeypatch.setattr(Recorded, "_record", looking)
    found = trained(perceptron(), tmp_path / "a", GRAPHS, observe=False)
    assert found["state"] == "failed"
    assert found["message"].partition(": ")[2] == (
        "this network cannot be recorded as a CUDA graph (CUDA error: operation "
        "not permitted when stream is capturing). Set recipe.cuda_graphs to false."
    )
    # The generator would take itself for recorded for ever, and the stream is the one before.
    assert cuda.generator.put_back == 1
    assert torch.cuda.current_stream().device == "default"
