"""Gain "auto": the number for each activation, and which activation a layer meets."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import integrate
from torch import nn

import engine
from engine.compile.expand import expand
from engine.compile.gain import gain_of
from engine.compile.surroundings import LINEAR, surroundings
from engine.network import Choice, Edge, End, Network, Node
from tests.networks import chain, choice


@pytest.mark.parametrize(
    ("activation", "name", "parameter"),
    [
        ("ReLU", "relu", None),
        ("Tanh", "tanh", None),
        ("Sigmoid", "sigmoid", None),
        ("SELU", "selu", None),
        ("LeakyReLU", "leaky_relu", 0.2),
    ],
)
def test_what_torch_knows_is_torchs(activation: str, name: str, parameter: float | None) -> None:
    fields = {} if parameter is None else {"negative_slope": parameter}
    assert gain_of(Choice(activation, fields)) == nn.init.calculate_gain(name, parameter)


@pytest.mark.parametrize(
    ("activation", "function"),
    [
        ("GELU", nn.functional.gelu),
        ("SiLU", nn.functional.silu),
        ("Mish", nn.functional.mish),
        ("Softplus", nn.functional.softplus),
    ],
)
def test_what_torch_does_not_know_keeps_the_mean_square_of_a_normal_variable(
    activation: str, function: object
) -> None:
    def integrand(z: float) -> float:
        value = function(torch.tensor(z, dtype=torch.float64)).item()  # type: ignore[operator]
        return value**2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    mean_square, _ = integrate.quad(integrand, -12, 12)
    assert gain_of(choice(activation)) == pytest.approx(mean_square**-0.5, rel=1e-5)


def test_the_same_rule_gives_torchs_number_for_relu() -> None:
    assert gain_of(Choice("ReLU6")) == pytest.approx(math.sqrt(2), rel=1e-3)


def test_no_activation_and_softmax_have_none() -> None:
    assert gain_of(LINEAR) == 1
    assert gain_of(Choice("Softmax", {"dim": 1})) == 1


def linear(**parts: object) -> Node:
    return Node("Linear", {"out_features": 8}, **parts)  # type: ignore[arg-type]


def met(network: Network) -> dict[str, str]:
    return {path: found.follower.id for path, found in surroundings(expand(network).steps).items()}


class TestWhichActivation:
    def test_its_own_comes_first(self) -> None:
        network = chain(("fc", linear(activation=choice("Tanh"))), ("act", Node("ReLU")), shape=(4,))
        assert met(network)["fc"] == "Tanh"

    def test_it_is_looked_for_behind_norm_dropout_and_pooling(self) -> None:
        network = chain(
            ("fc", linear()),
            ("norm", Node("BatchNorm1d")),
            ("drop", Node("Dropout")),
            ("act", Node("GELU")),
            shape=(4,),
        )
        assert met(network)["fc"] == "GELU"

    def test_another_layer_with_weights_ends_the_search(self) -> None:
        network = chain(("a", linear()), ("b", linear()), ("act", Node("ReLU")), shape=(4,))
        assert met(network)["a"] == "Identity"
        assert met(network)["b"] == "ReLU"

    def test_both_arms_of_a_residual_meet_what_is_behind_the_sum(self) -> None:
        network = Network(
            nodes={
                "image": Node("Input", {"shape": [8]}),
                "a": linear(),
                "b": linear(),
                "add": Node("Add"),
                "act": Node("SiLU"),
                "out": Node("Output"),
            },
            edges=tuple(
                Edge(End.parse(source), End.parse(target))
                for source, target in (
                    ("image", "a"),
                    ("image", "b"),
                    ("a", "add.input"),
                    ("b", "add.other"),
                    ("add", "act"),
                    ("act", "out"),
                )
            ),
        )
        assert met(network)["a"] == met(network)["b"] == "SiLU"


def weight_of(gain: object) -> torch.Tensor:
    init = {"weight": Choice("orthogonal", {"gain": gain})}
    network = chain(("fc", linear(init=init)), ("act", Node("ReLU")), shape=(4,))
    return engine.build(network, seed=3).fc.weight


def test_the_built_network_has_the_gain_of_what_follows() -> None:
    assert torch.equal(weight_of("auto"), weight_of(math.sqrt(2)))


def test_exported_source_has_the_number() -> None:
    init = {"weight": Choice("xavier_normal", {"gain": "auto"})}
    source = engine.source(chain(("fc", linear(init=init, activation=choice("Tanh"))), shape=(4,)))
    assert "auto" not in source
    assert "gain=1.6666666666666667" in source


def test_a_lone_tensor_has_nothing_behind_it() -> None:
    with pytest.raises(ValueError, match="follows the network's next activation"):
        engine.initializer("xavier_normal", gain="auto")
