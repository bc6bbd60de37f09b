"""What layers give for one example, and what a network gives on a plane, against the model itself."""

import numpy as np
import pytest
import torch

from engine import build
from engine.data import load
from engine.host.protocol import Boundary, Respond
from engine.network import Data
from engine.problems import DataProblem
from engine.training.responses import boundary, respond
from tests.networks import chain, choice
from tests.sick_networks import convolutional


def values(excerpt):
    return np.frombuffer(excerpt.values, np.int8).reshape(excerpt.shape) / 127 * excerpt.scale


def test_before_training_every_node_shows_what_the_first_draw_gives():
    network = convolutional("c")
    told = respond(Respond(1, b"", index=3), network)
    model = build(network, seed=network.recipe.seed).eval()
    image = load(network.recipe.data, 0).splits["validation"].inputs["input"][3:4]
    with torch.no_grad():
        first = torch.relu(model.conv1(image))
        scores = model(image)[0]
    assert list(told.nodes) == ["image", "conv1", "pool", "conv2", "flat", "fc"]
    seen = told.nodes["conv1"]
    assert seen.shape == (12, 8, 8)
    assert np.abs(values(seen.seen)[:, 0] - first[0].numpy()).max() <= seen.seen.scale / 254 + 1e-6
    assert told.probabilities == pytest.approx(scores.softmax(0).tolist(), rel=1e-5)
    assert told.note == "as first drawn"
    assert told.target == load(network.recipe.data, 0).splits["validation"].targets[3]


def test_what_is_drawn_by_hand_is_what_the_network_reads():
    network = convolutional("c")
    pixels = torch.rand(64, generator=torch.Generator().manual_seed(0))
    told = respond(Respond(1, b"", values=tuple(pixels.tolist())), network)
    with torch.no_grad():
        scores = build(network, seed=0).eval()(pixels.reshape(1, 1, 8, 8))[0]
    assert told.probabilities == pytest.approx(scores.softmax(0).tolist(), rel=1e-5)
    with pytest.raises(DataProblem, match=r"\[1, 8, 8\]"):
        respond(Respond(1, b"", values=(1.0, 2.0)), network)
    with pytest.raises(DataProblem, match="no example 9999999"):
        respond(Respond(1, b"", index=9_999_999), network)


def test_a_plane_is_what_the_model_gives_at_its_points():
    network = chain(("hidden", linear(5, "Tanh")), ("fc", linear(2)), shape=(2,), recipe=plane())
    told = boundary(Boundary(1, b"", size=16), network)
    x = torch.linspace(told.lo[0], told.hi[0], 16)
    y = torch.linspace(told.lo[1], told.hi[1], 16)
    points = torch.stack([x.repeat(16), y.repeat_interleave(16)], dim=1)
    model = build(network, seed=0).eval()
    with torch.no_grad():
        likely = model(points).softmax(1)
        hidden = torch.tanh(model.hidden(points))[:, 3]
    shown = np.asarray(told.values)
    assert told.classes == 2
    assert np.floor(shown).astype(int).tolist() == likely.argmax(1).tolist()
    assert shown - np.floor(shown) == pytest.approx(likely.amax(1).clamp_max(0.999).numpy(), abs=1e-5)
    unit = boundary(Boundary(1, b"", node="hidden", unit=3, size=16), network)
    assert unit.values == pytest.approx(hidden.tolist(), abs=1e-5)
    with pytest.raises(DataProblem, match="5 units"):
        boundary(Boundary(1, b"", node="hidden", unit=5), network)
    with pytest.raises(DataProblem, match="two numbers"):
        boundary(Boundary(1, b""), convolutional("c"))


def linear(width, activation=None):
    from engine.network import Node

    return Node(
        "Linear", {"out_features": width}, activation=None if activation is None else choice(activation)
    )


def plane():
    from engine.network import Recipe

    return Recipe(data=Data("moons"))


def test_an_example_that_is_handed_out_gives_the_same_without_its_data(monkeypatch):
    network = convolutional("c")
    split = load(network.recipe.data, network.recipe.seed).splits["validation"]
    told = respond(Respond(1, b"", index=3), network)
    assert list(told.values) == split.inputs["input"][3].flatten().tolist()
    monkeypatch.setattr("engine.training.responses.load", None)
    again = respond(Respond(2, b"", values=told.values), network)
    assert again.nodes == told.nodes
    assert again.probabilities == told.probabilities
    assert again.values == ()


def test_an_example_of_many_numbers_is_not_handed_out():
    from engine.network import Node, Recipe

    def told(side):
        nodes = (("pool", Node("MaxPool2d", {"kernel_size": side})), ("flat", Node("Flatten")))
        data = Data("random", {"shape": [1, side, side], "examples": 20})
        network = chain(*nodes, ("fc", linear(10)), shape=(1, side, side), recipe=Recipe(data=data))
        return respond(Respond(1, b""), network).values

    assert len(told(64)) == 4096
    assert told(65) == ()
