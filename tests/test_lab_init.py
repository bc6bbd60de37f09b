"""The initialisation laboratory: known results about deep networks, found by measuring."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import pytest
import torch

from engine import cli, diff, lab, storage
from engine.analysis import analyze
from engine.compile import build
from engine.lab import SchemeSignal
from engine.network import Choice, Network, Node
from engine.training import lab_init, racing
from tests.networks import chain, choice


def deep(activation: str, depth: int = 20, width: int = 256) -> Network:
    """`depth` linear layers of `width` with `activation`, on digits."""
    layers = [
        (f"fc{i + 1}", Node("Linear", {"out_features": width}, activation=choice(activation)))
        for i in range(depth)
    ]
    return chain(
        ("flat", Node("Flatten")),
        *layers,
        ("head", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )


SCHEMES = (
    "kaiming_normal:nonlinearity=relu,xavier_normal,normal:std=0.01,uniform:a=-1:b=1,constant:val=0.1,zeros"
)


@cache
def measured(activation: str) -> dict[str, SchemeSignal]:
    """The schemes on a deep network of `activation`."""
    report = lab_init.compare(deep(activation), lab_init.parsed(SCHEMES))
    return {scheme.scheme: scheme for scheme in report.schemes}


def last_hidden(scheme: SchemeSignal) -> float:
    return scheme.layers[-2].std / scheme.layers[0].std


class TestKnownResults:
    """He et al. 2015; Glorot and Bengio 2010; Schoenholz et al. 2017 for the exploding tanh."""

    def test_he_keeps_the_spread_of_relu_networks_and_glorot_loses_it(self) -> None:
        found = measured("ReLU")
        he, glorot = found["kaiming_normal"], found["xavier_normal"]
        assert he.verdict == "healthy"
        assert 0.3 < last_hidden(he) < 3
        # Glorot's variance is half of He's, so 19 further layers lose a factor of sqrt(2)^19 = 724.
        assert glorot.verdict == "vanishing"
        assert last_hidden(he) / last_hidden(glorot) == pytest.approx(math.sqrt(2) ** 19, rel=0.5)

    def test_glorot_keeps_the_spread_of_tanh_networks(self) -> None:
        glorot = measured("Tanh")["xavier_normal"]
        assert glorot.verdict == "healthy"
        assert 0.3 < last_hidden(glorot) < 3

    @pytest.mark.parametrize("activation", ["ReLU", "Tanh"])
    def test_small_normal_weights_vanish(self, activation: str) -> None:
        normal = measured(activation)["normal"]
        assert normal.verdict == "vanishing"
        # Each layer multiplies by at most 0.01·sqrt(256) = 0.16.
        assert last_hidden(normal) < 0.2**5

    def test_wide_uniform_weights_explode(self) -> None:
        uniform = measured("ReLU")["uniform"]
        assert uniform.verdict == "exploding"
        # Each layer multiplies by sqrt(256/2 · 1/3) = 6.5.
        assert last_hidden(uniform) ** (1 / 19) == pytest.approx(math.sqrt(256 / 6), rel=0.1)

    def test_wide_uniform_weights_saturate_tanh_and_its_gradients_explode(self) -> None:
        uniform = measured("Tanh")["uniform"]
        assert uniform.verdict == "exploding"
        assert uniform.layers[-2].saturated > 0.5

    @pytest.mark.parametrize("activation", ["ReLU", "Tanh"])
    def test_equal_weights_are_symmetric(self, activation: str) -> None:
        assert measured(activation)["constant"].verdict == "symmetric"

    @pytest.mark.parametrize("activation", ["ReLU", "Tanh"])
    def test_zero_weights_carry_nothing(self, activation: str) -> None:
        zeros = measured(activation)["zeros"]
        assert zeros.verdict == "vanishing"
        assert all(layer.std == 0 for layer in zeros.layers)


class TestNumbers:
    def test_figures_of_a_network_with_dropout_come_again(self) -> None:
        network = chain(
            ("flat", Node("Flatten")),
            ("fc", Node("Linear", {"out_features": 16})),
            ("drop", Node("Dropout", {"p": 0.5})),
            ("head", Node("Linear", {"out_features": 10})),
            shape=(1, 8, 8),
        )
        first, again = lab_init.compare(network, []), lab_init.compare(network, [])
        assert first == again

    def test_spread_dead_share_and_gradient_are_those_of_a_pass_by_hand(self) -> None:
        network = deep("ReLU", depth=2, width=16)
        (current, *_) = lab_init.compare(network, []).schemes
        task = lab_init.Task.of(network, torch.device("cpu"))
        *inputs, target, _ = racing.first_batch(task, 256)
        model = build(network, seed=network.recipe.seed)
        hidden = torch.relu(model.fc1(inputs[0].flatten(1)))
        hidden.retain_grad()
        loss = torch.nn.functional.cross_entropy(model.head(torch.relu(model.fc2(hidden))), target)
        loss.backward()
        assert hidden.grad is not None
        layer = current.layers[0]
        assert current.loss == pytest.approx(loss.item(), rel=1e-6)
        assert layer.mean == pytest.approx(hidden.mean().item(), rel=1e-5)
        assert layer.std == pytest.approx(hidden.var(0, correction=0).mean().sqrt().item(), rel=1e-5)
        assert layer.dead == pytest.approx((hidden == 0).all(0).float().mean().item())
        assert layer.gradient_std == pytest.approx(hidden.grad.std(correction=0).item(), rel=1e-4)
        length = hidden.grad.norm(dim=1).square().mean().sqrt()
        assert layer.gradient_norm == pytest.approx(length.item(), rel=1e-4)

    def test_measuring_changes_neither_network_nor_generator(self) -> None:
        network = deep("ReLU", depth=2, width=8)
        before = torch.random.get_rng_state()
        lab_init.compare(network, lab_init.parsed("orthogonal"))
        assert torch.equal(torch.random.get_rng_state(), before)


class TestAdopting:
    def test_a_scheme_goes_on_every_weight_that_it_fits_and_back_in_one_step(self) -> None:
        network = deep("ReLU", depth=2, width=8)
        adopted, unfit = lab.with_scheme(network, analyze(network), Choice("orthogonal"))
        assert not unfit
        assert {id for id, node in adopted.nodes.items() if node.init.get("weight")} == {"fc1", "fc2", "head"}
        assert diff.apply(adopted, diff.invert(diff.changes(network, adopted))) == network

    def test_what_a_scheme_does_not_fit_is_named(self) -> None:
        network = deep("ReLU", depth=1, width=8)
        adopted, unfit = lab.with_scheme(network, analyze(network), Choice("dirac"))
        assert set(unfit) == {"fc1.weight", "head.weight"}
        assert set(unfit.values()) == {"dirac needs 3 to 5 dimensions, not 2."}
        assert adopted == network

    def test_what_it_does_not_fit_is_told_once_with_where(self) -> None:
        unfit = {"a.weight": "too flat.", "b.weight": "too flat.", "c.weight": "too wide."}
        assert lab.misfits(unfit) == "a.weight, b.weight: too flat. c.weight: too wide."

    @pytest.mark.parametrize(
        ("scheme", "why"),
        [("uniform:a=1:b=-1", "a (1) is above b (-1)"), ("dirac", "dirac needs 3 to 5 dimensions, not 2")],
    )
    def test_a_scheme_that_fits_nothing_is_refused_in_one_line(self, tmp_path, capsys, scheme, why) -> None:
        path = tmp_path / "net.layerlab"
        storage.write(deep("ReLU", depth=1, width=8), path)
        assert cli.main(["lab", "init", str(path), "--schemes", scheme]) == 2
        said = capsys.readouterr().err.strip()
        assert f"--schemes: {scheme.partition(':')[0]} fits no weight of this network: {why}" in said
        assert "\n" not in said


class TestRace:
    def test_all_run_the_same_batches_and_the_current_one_trains_as_training_does(self) -> None:
        network = deep("ReLU", depth=1, width=16)
        raced = lab_init.race(network, lab_init.parsed("kaiming_normal:nonlinearity=relu"), 30)
        assert {len(losses) for losses in raced.losses.values()} == {30}
        again = lab_init.race(network, [], 30)
        assert raced.losses["current"] == again.losses["current"]
        assert raced.losses["kaiming_normal"][-1] < raced.losses["kaiming_normal"][0]


class TestCommand:
    def test_it_prints_one_object(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "deep.layerlab"
        storage.write(deep("ReLU", depth=3, width=16), file)
        code = cli.main(
            ["lab", "init", str(file), "--schemes", "orthogonal,normal:std=0.001", "--race", "5", "--json"]
        )
        shown = json.loads(capsys.readouterr().out)
        assert code == 0
        assert [scheme["scheme"] for scheme in shown["schemes"]] == ["current", "orthogonal", "normal"]
        assert len(shown["race"]["losses"]["orthogonal"]) == 5

    @pytest.mark.parametrize(
        ("schemes", "message"),
        [
            ("kaiming_norml", "Did you mean 'kaiming_normal'?"),
            ("normal:std=-1", "normal › std: -1 is out of range"),
            ("normal:spread=1", "normal has no field 'spread'"),
        ],
    )
    def test_a_wrong_scheme_is_told(
        self, schemes: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "deep.layerlab"
        storage.write(deep("ReLU", depth=1, width=8), file)
        assert cli.main(["lab", "init", str(file), "--schemes", schemes]) == 2
        assert message in capsys.readouterr().err

    def test_a_network_without_weights_says_so(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "flat.layerlab"
        network = chain(
            ("pool", Node("AdaptiveAvgPool2d", {"output_size": [2, 5]})),
            ("flat", Node("Flatten")),
            shape=(1, 8, 8),
        )
        storage.write(network, file)
        assert cli.main(["lab", "init", str(file)]) == 1
        assert "no layer with weights" in capsys.readouterr().err
