"""One estimator on one real batch: its figures against a pass by hand, and a plain sign's gradient, which is zero."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional

import engine
from engine import edit
from engine.host.protocol import EstimatorSeen, LookAtEstimator
from engine.network import End, Network, Node
from engine.problems import NetworkProblem
from engine.templates import template
from engine.training import racing
from engine.training.estimator_view import PlainSign, look
from engine.training.task import Task
from tests.networks import chain, choice


def seen(network: Network, node: str, place: str, run: str | None = None) -> EstimatorSeen:
    return look(LookAtEstimator(7, b"", node, place, run), network)


def by_hand(network: Network) -> dict[str, torch.Tensor]:
    """The binarized digits perceptron, written out in torch: what arrives at fc2, and gradients."""
    task = Task.of(network, torch.device("cpu"))
    (x,), (target,), _ = task.parted(racing.first_batch(task, network.recipe.batch_size))
    model = engine.build(network, seed=network.recipe.seed).double().train()

    def sign(x: torch.Tensor) -> torch.Tensor:
        clipped = x.clamp(-1, 1)
        return clipped + (torch.where(x >= 0, 1.0, -1.0) - clipped).detach()

    hidden = model.norm1(functional.linear(x.double().flatten(1), sign(model.fc1.weight)))
    hidden.retain_grad()
    after = functional.relu(model.norm2(functional.linear(sign(hidden), sign(model.fc2.weight))))
    functional.cross_entropy(model.fc3(after), target).backward()
    assert hidden.grad is not None
    return {
        "arrives": hidden.detach(),
        "its gradient": hidden.grad,
        "latent": model.fc2.weight.detach(),
        "gradient": model.fc2.weight.grad,
    }


NETWORK = template("digits_binarized_mlp").network


def test_the_latent_weights_and_their_gradient_are_those_of_a_pass_by_hand() -> None:
    found, hand = seen(NETWORK, "fc2", "weight"), by_hand(NETWORK)
    assert (found.request, found.node, found.place, found.note) == (7, "fc2", "weight", "as first drawn")
    assert found.examples == NETWORK.recipe.batch_size
    assert found.gradient == pytest.approx(float(hand["gradient"].norm()), rel=1e-6)
    assert found.values.lo == pytest.approx(float(hand["latent"].min()), rel=1e-6)
    assert found.values.hi == pytest.approx(float(hand["latent"].max()), rel=1e-6)
    assert found.values.std == pytest.approx(float(hand["latent"].std(correction=0)), rel=1e-6)
    assert found.masked == 0


def test_what_arrives_and_what_the_mask_stops_are_those_of_a_pass_by_hand() -> None:
    found, hand = seen(NETWORK, "fc2", "input"), by_hand(NETWORK)
    assert found.gradient == pytest.approx(float(hand["its gradient"].norm()), rel=1e-6)
    assert found.values.lo == pytest.approx(float(hand["arrives"].min()), rel=1e-6)
    assert found.values.hi == pytest.approx(float(hand["arrives"].max()), rel=1e-6)
    # Unit normal values: a third lies beyond ±1, with gradients like those of the others.
    assert found.masked == pytest.approx(0.317, abs=0.05)


@pytest.mark.parametrize("place", ["weight", "input"])
def test_a_plain_sign_gives_no_gradient_and_only_the_last_layer_would_learn(place: str) -> None:
    found = seen(NETWORK, "fc2", place)
    assert found.plain_gradient == 0
    assert found.learning == ("fc1.weight", "fc2.weight", "fc3.weight")
    assert found.plain_learning == ("fc3.weight",)
    assert found.matrices == 3


def test_the_plain_sign_is_torchs_sign_with_plus_one_at_zero_and_autograds_own_derivative() -> None:
    x = torch.tensor([-2.0, -0.0, 0.0, 3.0], requires_grad=True)
    y = PlainSign()(x)
    assert y.tolist() == [-1, 1, 1, 1]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0, 0, 0]


def test_a_runs_weights_are_taken_where_there_are_some(tmp_path: Path) -> None:
    result = engine.train(NETWORK, run_dir=tmp_path, epochs=1)
    found = seen(NETWORK, "fc2", "weight", str(result["run"]))
    assert found.note == "best weights"
    assert found.values.std > 1.5 * seen(NETWORK, "fc2", "weight").values.std


def test_all_weights_of_a_recurrent_layer_are_looked_at_together() -> None:
    ports = {"rows": End("lstm", "input"), "last": End("lstm", "output")}
    network = chain(
        ("rows", Node("Reshape", {"shape": [8, 8]})),
        ("lstm", Node("LSTM", {"hidden_size": 16}, binarize={"weight": choice("xnor_scale")})),
        ("last", Node("Select", {"dim": 1, "index": -1})),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )
    edges = [
        e._replace(target=ports["rows"]) if e.target.node == "lstm"
        else e._replace(source=ports["last"]) if e.source.node == "lstm" else e
        for e in network.edges
    ]  # fmt: skip
    network = edit.with_graph(network, None, edges=edges)
    found = seen(network, "lstm", "weight")
    assert sum(found.values.counts) == 4 * 16 * 8 + 4 * 16 * 16
    assert found.gradient > 0 == found.plain_gradient
    assert found.plain_learning == ("fc.weight",)


def test_a_place_without_estimator_is_told() -> None:
    with pytest.raises(NetworkProblem, match="fc1 has no estimator on its input"):
        seen(NETWORK, "fc1", "input")
    with pytest.raises(NetworkProblem, match="nowhere has no estimator"):
        seen(NETWORK, "nowhere", "input")


def test_the_host_answers(tmp_path: Path) -> None:
    from engine.host.work import Work
    from engine.storage.file import dumps

    told: list[object] = []
    Work(threads=1).answer(LookAtEstimator(3, dumps(NETWORK), "fc2", "input"), told.append)
    (answer,) = told
    assert isinstance(answer, EstimatorSeen)
    assert (answer.request, answer.plain_gradient) == (3, 0)
