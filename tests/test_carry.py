"""Which trained weights go over into an edited drawing, and which are drawn anew."""

from __future__ import annotations

from pathlib import Path

import torch
from msgspec.structs import replace

import engine
from engine import templates
from engine.carry import drawn_anew, trained_in
from engine.network import Choice, Network
from engine.runs import RunFolder
from engine.training import weights
from tests.sick_networks import dense, network

HE = Choice("kaiming_normal")


def with_init(drawn: Network, node: str, **init: Choice) -> Network:
    return replace(drawn, nodes={**drawn.nodes, node: replace(drawn.nodes[node], init=init)})


def test_a_weight_whose_scheme_is_another_is_drawn_anew_whatever_level_it_stands_on() -> None:
    drawn = network("n", [dense(8), dense(8)])
    shapes = {"h1.weight": (8, 64), "h1.bias": (8,), "h2.weight": (8, 8), "h2.bias": (8,)}
    assert drawn_anew(drawn, drawn, shapes) == frozenset()
    assert drawn_anew(drawn, with_init(drawn, "h2", weight=HE), shapes) == {"h2.weight"}
    everywhere = replace(drawn, defaults={"init": {"all": {"weight": {"scheme": "kaiming_normal"}}}})
    assert drawn_anew(drawn, everywhere, shapes) == {"h1.weight", "h2.weight"}
    # Another activation, another place on the canvas: the weight is drawn as before.
    relit = replace(drawn, nodes={**drawn.nodes, "h1": replace(drawn.nodes["h1"], activation=Choice("Tanh"))})
    assert drawn_anew(drawn, relit, shapes) == frozenset()


def test_a_weight_inside_a_repeated_block_is_found_by_its_path() -> None:
    drawn = next(t.network for t in templates.templates() if t.id == "resnet18")
    path = "layer1.0.conv1.weight"
    node = drawn.at("layer1.0.conv1")
    assert node is not None
    use = drawn.nodes["layer1"].block or ""
    block = drawn.blocks[use]
    edited = replace(
        block, nodes={**block.nodes, "conv1": replace(node, init={"weight": Choice("orthogonal")})}
    )
    after = replace(drawn, blocks={**drawn.blocks, use: edited})
    assert path in drawn_anew(drawn, after, {path: (64, 64, 3, 3), "conv1.weight": (64, 3, 7, 7)})
    assert "conv1.weight" not in drawn_anew(drawn, after, {"conv1.weight": (64, 3, 7, 7)})


def test_a_run_from_anothers_weights_draws_what_is_initialised_otherwise_and_starts_so_again(
    tmp_path: Path,
) -> None:
    drawn = network("n", [dense(8), dense(8)], epochs=1)
    first = RunFolder(Path(engine.train(drawn, device="cpu", run_dir=str(tmp_path))["run"]))
    after = with_init(drawn, "h1", weight=Choice("constant", {"val": 0.25}))
    assert trained_in(first.best) == drawn
    second = RunFolder(
        Path(engine.train(after, device="cpu", run_dir=str(tmp_path), weights=first.best)["run"])
    )
    start, best = weights.load(second.start), weights.load(first.best)
    assert "h1.weight" not in start
    assert all(torch.equal(start[name], best[name]) for name in best if name != "h1.weight")
    # What it starts from is what it would start from again: its own file leads to the same end.
    third = RunFolder(
        Path(engine.train(after, device="cpu", run_dir=str(tmp_path), weights=second.start)["run"])
    )
    ends = [weights.load(run.weights) for run in (second, third)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
