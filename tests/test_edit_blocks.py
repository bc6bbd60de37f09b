"""Blocks made from a selection, unpacked again, and shaped: the network computes the same before and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import diff, edit, edit_blocks, edit_unpack, expression, storage
from engine.edit import EditProblem
from engine.network import Argument, Block, Choice, Network, Node
from tests.test_blocks import expr, images, network, row, wire


def diamond() -> Network:
    """A layer whose result goes two ways that meet again, with a weight that two layers share."""
    return Network(
        nodes={
            "image": Node("Input", {"shape": [6]}),
            "a": Node("Linear", {"out_features": 6}, Choice("Tanh")),
            "b": Node("Linear", {"out_features": 6}, shares={"weight": "a.weight"}),
            "c": Node("Sigmoid"),
            "sum": Node("Subtract"),
            "d": Node("Linear", {"out_features": 6}, shares={"weight": "b2.weight"}),
            "b2": Node("Linear", {"out_features": 6}),
            "out": Node("Output"),
        },
        edges=(
            *row("image", "a", "b", "sum.input"),
            wire("a", "c"),
            wire("c", "sum.other"),
            *row("sum", "d", "b2", "out"),
        ),
        view={
            "positions": {
                id: [220.0 * i, 0.0] for i, id in enumerate(["image", "a", "b", "sum", "d", "b2", "out"])
            }
        },
    )


def computes_the_same(before: Network, after: Network, x: torch.Tensor) -> bool:
    """Whether two drawings compute one function, given the same numbers in the same order of drawing."""
    one, two = engine.build(before), engine.build(after)
    old, new = list(one.parameters()), list(two.parameters())
    assert sorted(p.numel() for p in old) == sorted(p.numel() for p in new)
    with torch.no_grad():
        for parameter in (*old, *new):
            parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
    return torch.equal(one(x), two(x))


X = torch.linspace(-1, 1, 12).view(2, 6)


@pytest.mark.parametrize(
    "chosen", [["b"], ["a", "b", "c"], ["b", "c", "sum"], ["a", "b", "c", "sum", "d", "b2"], ["b", "c"]]
)
def test_a_block_made_of_a_selection_computes_the_same_and_unpacks_into_the_same(chosen: list[str]) -> None:
    made, id = edit_blocks.make_block(diamond(), chosen, "Part")
    assert [p for p in engine.analyze(made).errors if p.code not in ("data-shape", "data-classes")] == []
    assert computes_the_same(diamond(), made, X)
    assert set(made.blocks["Part"].nodes) >= set(chosen)
    back, ids = edit_unpack.unpack(made, id)
    assert set(ids) == set(chosen)
    assert set(back.edges) == set(diamond().edges)
    assert dict(back.nodes) == dict(diamond().nodes)


def test_a_selection_that_a_way_leaves_and_comes_back_to_is_refused() -> None:
    with pytest.raises(EditProblem, match="through b and back to sum"):
        edit_blocks.make_block(diamond(), ["a", "c", "sum"], "Part")


@pytest.mark.parametrize(
    ("chosen", "name", "message"),
    [
        ([], "P", "Select"),
        (["image", "a"], "P", "end of the drawing"),
        (["a"], "class", "keyword"),
        (["a"], "1", "not an id"),
    ],
)
def test_what_cannot_become_a_block_is_refused_in_words(chosen: list[str], name: str, message: str) -> None:
    with pytest.raises(EditProblem, match=message):
        edit_blocks.make_block(diamond(), chosen, name)


def test_a_block_within_a_block_takes_the_arguments_along_that_it_needs() -> None:
    made, id = edit_blocks.make_block(network(), ["conv1", "norm1"], "Front", block="Basic")
    assert made.blocks["Front"].arguments == network().blocks["Basic"].arguments
    assert made.blocks["Basic"].nodes[id].fields == {"channels": expr("channels"), "stride": expr("stride")}
    before, after = engine.analyze(network()), engine.analyze(made)
    assert after.totals == before.totals
    back, _ = edit_unpack.unpack(made, id, block="Basic")
    assert back.blocks["Basic"].nodes == network().blocks["Basic"].nodes


def test_unpacking_puts_the_values_of_the_arguments_in_and_follows_repeats() -> None:
    whole = engine.build(network())
    opened, ids = edit_unpack.unpack(network(), "layer2")
    assert opened.nodes[ids[0]].fields == {"channels": 16, "stride": 2}
    opened, ids = edit_unpack.unpack(opened, "rest")
    assert len(ids) == 2 * 5
    assert opened.nodes["conv1"].fields["out_channels"] == 16
    assert engine.analyze(opened).totals == engine.analyze(network()).totals
    assert sum(p.numel() for p in whole.parameters()) == sum(
        p.numel() for p in engine.build(opened).parameters()
    )


def test_an_argument_that_is_an_expression_itself_is_put_in_whole() -> None:
    opened, _ = edit_unpack.unpack(network(), "first", block="Stage")
    fields = opened.blocks["Stage"].nodes["conv1"].fields
    assert expression.evaluate(fields["out_channels"]["expr"], {"width": 4}) == 8
    assert fields["stride"] == {"expr": "(4 // 2)"}
    assert engine.analyze(opened).totals == engine.analyze(network()).totals


def test_repeat_uses_the_block_again_and_again() -> None:
    once = edit_blocks.set_repeat(network(), "rest", 1, block="Stage")
    assert "layer1.rest.conv1.weight" in engine.build(once).state_dict()
    for repeat, id, block in ((0, "rest", "Stage"), (2, "conv1", "Basic")):
        with pytest.raises(EditProblem):
            edit_blocks.set_repeat(network(), id, repeat, block=block)


def test_renaming_a_block_or_an_argument_changes_no_number() -> None:
    renamed = edit_blocks.rename_block(network(), "Basic", "Residual")
    renamed = edit_blocks.rename_argument(renamed, "Residual", "channels", "width")
    assert renamed.blocks["Residual"].nodes["conv1"].fields["out_channels"] == expr("width")
    assert renamed.blocks["Stage"].nodes["first"].fields["width"] == expr("width * 2")
    assert torch.equal(engine.build(renamed)(images()), engine.build(network())(images()))


def test_a_removed_argument_leaves_its_default() -> None:
    without = edit_blocks.remove_argument(network(), "Basic", "stride")
    assert without.blocks["Basic"].nodes["conv1"].fields["stride"] == 1
    assert "stride" not in without.blocks["Stage"].nodes["first"].fields
    bare = edit_blocks.set_argument(network(), "Basic", "stride", Argument("int"))
    with pytest.raises(EditProblem, match="no default"):
        edit_blocks.remove_argument(bare, "Basic", "stride")


def test_a_block_in_use_is_not_forgotten() -> None:
    with pytest.raises(EditProblem, match="first in Stage"):
        edit_blocks.remove_block(network(), "Basic")
    spare = edit.replace(network(), blocks={**network().blocks, "Spare": Block()})
    assert edit_blocks.remove_block(spare, "Spare").blocks == network().blocks


def test_wires_follow_when_a_port_gets_another_name_or_a_second_one() -> None:
    renamed = edit.rename(network(), "x", "picture", block="Basic")
    assert engine.analyze(renamed).totals == engine.analyze(network()).totals
    two = edit.add_node(network(), "mask", Node("Input"), block="Basic")
    assert wire("a", "first.x") in two.blocks["Stage"].edges
    assert wire("a", "first") in edit.remove(two, ["mask"], block="Basic").blocks["Stage"].edges
    renamed = edit.rename(two, "x", "picture", block="Basic")
    assert wire("a", "first.picture") in renamed.blocks["Stage"].edges


EDITS: list[Callable[[Network], Network]] = [
    lambda n: edit_blocks.make_block(n, ["fc"], "Head")[0],
    lambda n: edit_blocks.make_block(n, ["conv1", "norm1"], "Front", block="Basic")[0],
    lambda n: edit_unpack.unpack(n, "layer2")[0],
    lambda n: edit_unpack.unpack(n, "rest", block="Stage")[0],
    lambda n: edit_blocks.set_repeat(n, "layer1", 3),
    lambda n: edit_blocks.rename_block(n, "Basic", "Residual"),
    lambda n: edit_blocks.set_argument(n, "Basic", "bias", Argument("bool", True, "Offsets.")),
    lambda n: edit_blocks.rename_argument(n, "Basic", "channels", "width"),
    lambda n: edit_blocks.remove_argument(n, "Basic", "stride"),
    lambda n: edit.add_node(n, "mask", Node("Input"), block="Basic"),
    lambda n: edit.rename(n, "x", "picture", block="Basic"),
]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(range(len(EDITS))), min_size=1, max_size=4))
def test_every_edit_goes_there_and_back_as_a_diff_and_through_the_file(picks: list[int]) -> None:
    now = network()
    for pick in picks:
        try:
            after = EDITS[pick](now)
        except (EditProblem, KeyError):  # an edit before renamed what this one names
            continue
        changed = diff.changes(now, after)
        assert diff.apply(now, changed) == after
        assert diff.apply(after, diff.invert(changed)) == now
        now = after
    assert storage.loads(storage.dumps(now)) == now


@settings(max_examples=100, deadline=None)
@given(st.text("ab12 ()+-*/%.index", max_size=14), st.integers(-9, 9))
def test_any_text_is_an_expression_or_a_problem_and_values_are_pythons(text: str, a: int) -> None:
    names = {"a": a, "b": 3, "index": 1}
    try:
        ours = expression.evaluate(text, names)
    except expression.ExpressionProblem:
        return
    assert ours == pytest.approx(eval(text.strip(), {"__builtins__": {}}, names))


def test_the_ends_of_a_selection_inside_keep_their_places_on_the_canvas() -> None:
    made, id = edit_blocks.make_block(diamond(), ["a", "b"], "Part")
    inner = made.positions("Part")
    assert inner["b"][0] - inner["a"][0] == 220.0
    assert inner["input"][0] < inner["a"][0] < inner["output1"][0]
    assert id in made.positions()
    assert "a" not in made.positions()


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("repeat", [10_000, 1 << 20, (1 << 63) - 1])
def test_a_block_that_would_become_more_layers_than_can_be_drawn_is_not_unpacked(
    repeat: int, empty: bool
) -> None:
    nodes = {"in": Node("Input"), "fc": Node("Linear"), "out": Node("Output")}
    block = Block(nodes={} if empty else nodes)
    network = Network(nodes={"use": Node("Block", block="B", repeat=repeat)}, blocks={"B": block})
    with pytest.raises(EditProblem, match=r"at once\. Lower its repeat"):
        edit_unpack.unpack(network, "use")
