"""Blocks: drawn once, used many times, with arguments; laid open they are plain networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

import engine
from engine import diff, edit, edit_blocks, edit_unpack
from engine.network import Argument, Block, Choice, Edge, End, Network, Node, Training
from engine.storage.form import from_form, to_form
from tests.test_compile_layers import from_source, gradients, run, same


def wire(source: str, target: str) -> Edge:
    return Edge(End.parse(source), End.parse(target))


def expr(text: str) -> dict[str, str]:
    return {"expr": text}


def row(*ids: str) -> tuple[Edge, ...]:
    return tuple(wire(a, b) for a, b in pairwise(ids))


BASIC = Block(
    arguments={"channels": Argument(default=4), "stride": Argument(default=1)},
    nodes={
        "x": Node("Input"),
        "conv1": Node(
            "Conv2d",
            {"out_channels": expr("channels"), "kernel_size": 3, "stride": expr("stride"), "padding": 1},
        ),
        "norm1": Node("BatchNorm2d", {}, Choice("ReLU")),
        "conv2": Node(
            "Conv2d",
            {"out_channels": expr("channels"), "kernel_size": [3, 3], "padding": 1},
            init={"weight": Choice("kaiming_normal", {"nonlinearity": "relu"})},
        ),
        "add": Node("Add", {}, Choice("ReLU")),
        "short": Node("Conv2d", {"out_channels": expr("channels"), "kernel_size": 1, "stride": expr("stride")}),
        "y": Node("Output"),
    },
    edges=(*row("x", "conv1", "norm1", "conv2"), wire("conv2", "add.input"), wire("x", "short"),
           wire("short", "add.other"), wire("add", "y")),
)  # fmt: skip

STAGE = Block(
    arguments={"width": Argument(default=4)},
    nodes={
        "a": Node("Input"),
        "first": Node("Block", {"channels": expr("width * 2"), "stride": expr("4 // 2")}, block="Basic"),
        "rest": Node("Block", {"channels": expr("width * 2")}, block="Basic", repeat=2),
        "b": Node("Output"),
    },
    edges=row("a", "first", "rest", "b"),
)


def network(**nodes: Node) -> Network:
    """Two stages behind an image; further keywords replace or add nodes."""
    return Network(
        name="Stages",
        nodes={
            "image": Node("Input", {"shape": [3, 16, 16]}),
            "layer1": Node("Block", {}, block="Stage"),
            "layer2": Node("Block", {"width": 8}, block="Stage"),
            "flat": Node("Flatten"),
            "fc": Node("Linear", {"out_features": 10}),
            "out": Node("Output"),
            **nodes,
        },
        edges=row("image", "layer1", "layer2", "flat", "fc", "out"),
        blocks={"Basic": BASIC, "Stage": STAGE},
    )


class HandBasic(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.short = nn.Conv2d(channels_in, channels, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv2(self.norm1(self.conv1(x)).relu())
        return (y + self.short(x)).relu()


class HandStage(nn.Module):
    def __init__(self, channels_in: int, width: int) -> None:
        super().__init__()
        self.first = HandBasic(channels_in, 2 * width, 2)
        self.rest = nn.Sequential(HandBasic(2 * width, 2 * width), HandBasic(2 * width, 2 * width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rest(self.first(x))


class Hand(nn.Module):
    """The same by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.layer1, self.layer2 = HandStage(3, 4), HandStage(8, 8)
        self.fc = nn.Linear(16 * 16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.layer2(self.layer1(x)).flatten(1))


def images() -> torch.Tensor:
    return torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(4))


def test_it_is_the_network_that_one_writes_by_hand_to_the_keys_and_the_last_bit() -> None:
    built, hand = engine.build(network()), Hand()
    assert set(built.state_dict()) == set(hand.state_dict())
    assert "layer1.rest.0.conv1.weight" in built.state_dict()
    hand.load_state_dict(built.state_dict())
    assert torch.equal(built(images()), hand(images()))
    ours, theirs = gradients(built, [images()]), gradients(hand, [images()])
    assert all(same(ours[name], theirs[name]) for name in theirs)


def test_each_use_draws_its_own_first_values_and_other_uses_change_none_of_them() -> None:
    state = engine.build(network(), seed=3).state_dict()
    assert not torch.equal(state["layer1.rest.0.conv2.weight"], state["layer1.rest.1.conv2.weight"])
    wider = engine.build(network(layer2=Node("Block", {"width": 16}, block="Stage")), seed=3).state_dict()
    assert torch.equal(state["layer1.rest.1.conv2.weight"], wider["layer1.rest.1.conv2.weight"])


def test_reports_stand_under_paths_and_the_block_has_the_sum_of_what_is_in_it() -> None:
    nodes = engine.analyze(network()).nodes
    assert nodes["layer1"].outputs["b"].shape == (8, 8, 8)
    assert nodes["layer1.rest.1.conv2"].outputs["output"].shape == (8, 8, 8)
    assert nodes["layer1.rest.1"].outputs["y"].shape == (8, 8, 8)
    assert nodes["layer2.first.x"].outputs["output"].shape == (8, 8, 8)
    assert nodes["layer1"].parameter_count == sum(p.numel() for p in HandStage(3, 4).parameters())
    assert nodes["layer1"].macs == nodes["layer1.first"].macs + nodes["layer1.rest"].macs > 0
    totals = engine.analyze(network()).totals
    assert totals["parameters"] == sum(p.numel() for p in Hand().parameters())
    assert totals["macs"] == sum(nodes[id].macs for id in ("layer1", "layer2", "fc"))


def test_a_frozen_block_freezes_all_that_is_in_it_and_nothing_else() -> None:
    frozen = network(layer1=Node("Block", {}, block="Stage", training=Training(frozen=True)))
    model = engine.build(frozen)
    assert {name for name, p in model.named_parameters() if p.requires_grad} == {
        name for name, _ in model.named_parameters() if not name.startswith("layer1.")
    }
    report = engine.analyze(frozen).nodes
    assert (report["layer1"].trainable_count, report["layer2"].trainable_count) == (
        0,
        report["layer2"].parameter_count,
    )


def test_several_ports_keep_their_names_and_their_order() -> None:
    swap = Block(
        nodes={"p": Node("Input"), "q": Node("Input"), "r": Node("Output"), "s": Node("Output")},
        edges=(wire("p", "s"), wire("q", "r")),
    )
    nodes = {
        "a": Node("Input", {"shape": [2]}),
        "b": Node("Input", {"shape": [2]}),
        "swap": Node("Block", {}, block="Swap", repeat=3),
        "minus": Node("Subtract"),
        "out": Node("Output"),
    }
    edges = (wire("a", "swap.p"), wire("b", "swap.q"), wire("swap.r", "minus.input"),
             wire("swap.s", "minus.other"), wire("minus", "out"))  # fmt: skip
    model = engine.build(Network(nodes=nodes, edges=edges, blocks={"Swap": swap}))
    one, two = torch.ones(1, 2), torch.full((1, 2), 2.0)
    assert model(one, two).tolist() == [[1.0, 1.0]]  # swapped three times: b − a


def test_index_is_the_number_of_the_repeat() -> None:
    growing = Block(
        nodes={
            "x": Node("Input"),
            "fc": Node("Linear", {"out_features": expr("2 ** (index + 1)")}),
            "y": Node("Output"),
        },
        edges=row("x", "fc", "y"),
    )
    nodes = {
        "image": Node("Input", {"shape": [3]}),
        "grow": Node("Block", block="Grow", repeat=3),
        "out": Node("Output"),
    }
    model = engine.build(Network(nodes=nodes, edges=row("image", "grow", "out"), blocks={"Grow": growing}))
    assert [tuple(p.shape) for n, p in model.named_parameters() if "weight" in n] == [(2, 3), (4, 2), (8, 4)]


def test_shared_weights_are_found_in_their_own_use_and_in_the_graphs_around() -> None:
    block = Block(
        nodes={
            "x": Node("Input"),
            "a": Node("Linear", {"out_features": 4}),
            "b": Node("Linear", {"out_features": 4}, shares={"weight": "a.weight", "bias": "stem.bias"}),
            "y": Node("Output"),
        },
        edges=row("x", "a", "b", "y"),
    )
    nodes = {
        "image": Node("Input", {"shape": [4]}),
        "stem": Node("Linear", {"out_features": 4}),
        "pair": Node("Block", block="Pair", repeat=2),
        "out": Node("Output"),
    }
    tied = Network(nodes=nodes, edges=row("image", "stem", "pair", "out"), blocks={"Pair": block})
    assert [
        p
        for p in engine.analyze(tied).errors
        if not (p.field or "").startswith("recipe") and p.node not in ("image", "out")
    ] == []
    model = engine.build(tied)
    for index in ("0", "1"):
        assert model.get_submodule(f"pair.{index}.b").weight is model.get_submodule(f"pair.{index}.a").weight
        assert model.get_submodule(f"pair.{index}.b").bias is model.stem.bias
    assert (
        engine.analyze(tied).totals["parameters"] == sum(p.numel() for p in model.parameters()) == 20 + 2 * 20
    )


@pytest.mark.parametrize(
    ("use", "blocks", "code", "place", "message"),
    [
        (Node("Block"), {}, "unknown-block", ("use", "block"), "names none"),
        (Node("Block", block="Stge"), {}, "unknown-block", ("use", "block"), "Did you mean 'Stage'"),
        (Node("Block", {"widht": 2}, block="Stage"), {}, "unknown-field", ("use", "widht"), "Did you mean 'width'"),
        (Node("Block", {"width": 2.5}, block="Stage"), {}, "wrong-field", ("use", "width"), "whole number"),
        (Node("Block", {}, block="Stage", repeat=0), {}, "wrong-field", ("use", "repeat"), "1 to 10,000"),
        (Node("Block", {}, Choice("ReLU"), block="Stage"), {}, "activation-place", ("use", "activation"), "no activation"),
        (Node("Block", {}, block="Loop"), {"Loop": Block(nodes={"x": Node("Block", block="Loop")})}, "recursive-block",
         ("use", "block"), "Loop → Loop"),
        (Node("Block", {}, block="Loop", repeat=9999), {"Loop": Block(nodes={"i": Node("Input"), "x": Node("Block", block="In", repeat=9999), "o": Node("Output")}),
                                   "In": Block(nodes={"i": Node("Input"), "o": Node("Output")})}, "too-many-nodes", ("use", "repeat"), "50,000"),
        (Node("Block", block="Needs"), {"Needs": Block({"n": Argument()}, {})}, "missing-field", ("use", "n"), "missing"),
        (Node("Block", block="Odd"), {"Odd": Block({"n": Argument("tensor", 1)}, {})}, "bad-argument", ("use", "n"), "tensor"),
        (Node("Block", block="Wrong"), {"Wrong": Block({}, {"fc": Node("Linear", {"out_features": expr("n + ")})})},
         "bad-expression", ("use.fc", "out_features"), "no argument 'n'"),
        (Node("Block", block="Wrong", repeat=2), {"Wrong": Block({}, {"i": Node("Input")})}, "repeat-ports", ("use", "repeat"), "1 and 0"),
        (Node("Block", {"stride": 0}, block="Basic"), {}, "wrong-field", ("use.conv1", "stride"), "0 is out of range"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_block_is_said_at_its_path(
    use: Node, blocks: dict[str, Block], code: str, place: tuple[str, str], message: str
) -> None:
    base = network(use=use)
    broken = engine.Network(
        nodes=base.nodes, edges=(*base.edges, wire("image", "use")), blocks={**base.blocks, **blocks}
    )
    found = [p for p in engine.analyze(broken).problems if p.code == code]
    assert (found[0].node, found[0].field) == place
    assert message in found[0].message
    with pytest.raises(engine.NetworkProblem):
        engine.build(broken)


def test_a_thousand_levels_of_blocks_are_refused_and_break_nothing() -> None:
    blocks = {f"B{i}": Block(nodes={"x": Node("Block", block=f"B{i + 1}")}) for i in range(1000)}
    blocks["B1000"] = Block()
    deep = Network(nodes={"use": Node("Block", block="B0")}, blocks=blocks)
    assert {"too-deep", "too-many-nodes"} & {p.code for p in engine.analyze(deep).problems}
    backwards = Network(nodes=deep.nodes, blocks=dict(reversed(list(blocks.items()))))
    assert {"too-deep", "too-many-nodes"} & {p.code for p in engine.analyze(backwards).problems}


def test_a_repair_inside_a_block_mends_the_block_and_so_every_use() -> None:
    broken = Block(
        nodes={
            "x": Node("Input"),
            "conv": Node("Conv2d", {"out_channels": 4, "kernel_size": 9}),
            "y": Node("Output"),
        },
        edges=row("x", "conv", "y"),
    )
    nodes = {
        "image": Node("Input", {"shape": [3, 6, 6]}),
        "one": Node("Block", block="Broken"),
        "two": Node("Block", block="Broken"),
        "sum": Node("Add"),
        "out": Node("Output"),
    }
    edges = (
        *row("image", "one", "sum.input"),
        wire("image", "two"),
        wire("two", "sum.other"),
        wire("sum", "out"),
    )
    drawn = Network(nodes=nodes, edges=edges, blocks={"Broken": broken})
    problem = next(p for p in engine.analyze(drawn).problems if p.code == "window-fits")
    assert problem.node == "one.conv"
    mended = diff.apply(drawn, problem.repairs[0].changes)
    assert [p for p in engine.analyze(mended).problems if p.code == "window-fits"] == []


def as_source(drawn: Network) -> Any:
    return from_source(engine.source(drawn))


def test_the_source_has_a_class_per_block_and_is_the_same_model() -> None:
    text = engine.source(network())
    assert text.count("class Basic(nn.Module)") == text.count("class Stage(nn.Module)") == 1
    built, printed = engine.build(network()), as_source(network())
    assert list(built.state_dict()) == list(printed.state_dict())
    printed.load_state_dict(built.state_dict())
    assert all(same(a, b) for a, b in zip(run(built, [images()]), run(printed, [images()]), strict=True))
    ours, theirs = gradients(built, [images()]), gradients(printed, [images()])
    assert all(same(ours[name], theirs[name]) for name in ours)


def stages(depth: Any) -> Network:
    """A stage whose length is an argument."""
    stage = Block(
        arguments={"width": Argument(default=4), "depth": Argument(default=2)},
        nodes={
            "a": Node("Input"),
            "rest": Node("Block", {"channels": expr("width")}, block="Basic", repeat_expression="depth * 1"),
            "b": Node("Output"),
        },
        edges=row("a", "rest", "b"),
    )
    base = network(
        layer1=Node("Block", {"depth": depth}, block="Deep"),
        layer2=Node("Block", {"width": 8, "depth": 1}, block="Deep"),
    )
    return Network(nodes=base.nodes, edges=base.edges, blocks={"Basic": BASIC, "Deep": stage})


def test_a_repeat_may_be_an_expression_of_the_arguments_around() -> None:
    drawn = stages(3)
    keys = list(engine.build(drawn).state_dict())
    assert "layer1.rest.2.conv1.weight" in keys
    assert "layer1.rest.3.conv1.weight" not in keys
    assert "layer2.rest.conv1.weight" in keys  # once is no row: the path has no number
    built, printed = engine.build(drawn), as_source(drawn)
    assert list(built.state_dict()) == list(printed.state_dict())
    printed.load_state_dict(built.state_dict())
    assert all(same(a, b) for a, b in zip(run(built, [images()]), run(printed, [images()]), strict=True))
    assert from_form(to_form(drawn)) == drawn
    assert to_form(drawn)["blocks"]["Deep"]["nodes"]["rest"]["repeat"] == {"expr": "depth * 1"}


@pytest.mark.parametrize(("depth", "said"), [(0, "out of range"), (20_000, "10,000")])
def test_a_repeat_that_gives_no_sound_number_is_a_problem_of_the_use(depth: int, said: str) -> None:
    found = [p for p in engine.analyze(stages(depth)).problems if p.field == "repeat"]
    assert found[0].node == "layer1.rest"
    assert said in found[0].message


def test_unpacking_puts_the_number_where_the_expression_stood() -> None:
    opened, _ = edit_unpack.unpack(stages(3), "layer1")
    assert (opened.nodes["rest"].repeat, opened.nodes["rest"].repeat_expression) == (3, "")
    renamed = edit_blocks.rename_argument(stages(3), "Deep", "depth", "length")
    assert renamed.blocks["Deep"].nodes["rest"].repeat_expression == "length * 1"
    with pytest.raises(edit.EditProblem, match="expression"):
        edit_unpack.unpack(stages(3), "rest", block="Deep")
