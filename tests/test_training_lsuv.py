"""Schemes that look at the whole network: LSUV on a batch, Fixup on the drawing."""

from __future__ import annotations

import math

import pytest
import torch

import engine
from engine.compile.expand import expand
from engine.compile.surroundings import surroundings
from engine.network import Choice, Edge, End, Network, Node
from engine.training import lab_init, lsuv
from engine.training.task import LOOK, Task
from tests.networks import chain, choice

LSUV = {"weight": Choice("lsuv")}


def deep(init: dict[str, Choice]) -> Network:
    layers = [
        (f"fc{i}", Node("Linear", {"out_features": 64}, activation=choice("ReLU"), init=init))
        for i in range(8)
    ]
    return chain(
        ("flat", Node("Flatten")), *layers, ("head", Node("Linear", {"out_features": 10})), shape=(1, 8, 8)
    )


class TestLsuv:
    def test_every_layers_output_has_unit_variance_on_the_batch(self) -> None:
        network = deep(LSUV)
        task = Task.of(network, torch.device("cpu"))
        x = task.inputs(task.dataset.splits["train"])[0][:LOOK].flatten(1)
        with torch.no_grad():
            for i in range(8):
                z = getattr(task.model, f"fc{i}")(x)
                assert float(z.std(correction=0)) == pytest.approx(1, abs=0.1)
                x = torch.relu(z)

    def test_only_the_scale_of_the_orthonormal_draw_changes(self) -> None:
        network = deep(LSUV)
        built = engine.build(network, seed=network.recipe.seed)
        trained = Task.of(network, torch.device("cpu")).model
        weight = built.fc3.weight
        assert torch.allclose(weight @ weight.T, torch.eye(64), atol=1e-5)
        ratio = (trained.fc3.weight / weight).detach()
        assert float(ratio.std()) < 1e-4 * float(ratio.mean())

    def test_what_does_not_ask_for_it_is_left_alone(self) -> None:
        network = deep({})
        built = engine.build(network, seed=network.recipe.seed)
        before = {name: p.clone() for name, p in built.named_parameters()}
        assert lsuv.rescale(network, built, [torch.randn(4, 1, 8, 8)]) == {}
        assert all(torch.equal(p, before[name]) for name, p in built.named_parameters())

    def test_the_laboratory_finds_it_healthy_where_the_default_vanishes(self) -> None:
        report = lab_init.compare(deep({}), [Choice("lsuv")])
        verdicts = {scheme.scheme: scheme.verdict for scheme in report.schemes}
        assert verdicts == {"current": "vanishing", "lsuv": "healthy"}

    def test_a_lone_tensor_is_refused_with_that_said(self) -> None:
        for id in ("lsuv", "fixup"):
            with pytest.raises(ValueError, match="needs the whole network"):
                engine.initializer(id)


def residual(projection: bool) -> Network:
    """Stem → [a → b] + shortcut → fc, in convolutions of 4 channels."""
    fixup = {"weight": Choice("fixup")}

    def conv() -> Node:
        return Node("Conv2d", {"out_channels": 4, "kernel_size": 3, "padding": 1}, init=fixup)

    nodes = {
        "image": Node("Input", {"shape": [1, 8, 8]}),
        "stem": conv(),
        "a": conv(),
        "b": conv(),
        "add": Node("Add"),
        "pool": Node("AdaptiveAvgPool2d", {"output_size": 1}),
        "flat": Node("Flatten"),
        "fc": Node("Linear", {"out_features": 10}, init=fixup),
        "out": Node("Output"),
    }
    wires = "image>stem stem>a a>b b>add.input add>pool pool>flat flat>fc fc>out".split()
    if projection:
        nodes["side"] = conv()
        wires += ["stem>side", "side>add.other"]
    else:
        wires += ["stem>add.other"]
    edges = tuple(Edge(*(End.parse(end) for end in wire.split(">"))) for wire in wires)
    return Network(nodes=nodes, edges=edges)


class TestFixup:
    def test_each_layer_knows_its_role(self) -> None:
        found = surroundings(expand(residual(projection=True)).steps)
        roles = {path: around.role for path, around in found.items()}
        assert roles["stem"] == ""
        assert roles["a"] == "first"
        assert roles["b"] == "last"
        assert roles["side"] == "only"
        assert roles["fc"] == "classifier"
        assert found["a"].branches == 1

    def test_the_last_of_a_branch_and_the_classifier_begin_at_zero(self) -> None:
        model = engine.build(residual(projection=False))
        assert not model.b.weight.any()
        assert not model.fc.weight.any()

    def test_the_first_of_a_branch_shrinks_with_the_number_of_branches(self) -> None:
        from engine.compile.surroundings import Surroundings, fixup

        shape = (64, 32, 3, 3)
        he = math.sqrt(2 / (64 * 9))
        assert fixup(Surroundings(), shape).fields["std"] == pytest.approx(he)
        ninth = fixup(Surroundings(role="first", branches=9), shape)
        assert ninth.fields["std"] == pytest.approx(he / 3)
