"""Files that put something else where a drawing has its layout: it counts as none, and nothing raises."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine import edit, edit_blocks, edit_unpack, edit_view
from engine.network import Block, Edge, End, Network, Node, is_place
from tests.networks import chain

_NO_PLACES = (
    "x",
    "ab",
    [],
    [1],
    [1, 2, 3],
    ["a", "b"],
    {},
    {"a": 1, "b": 2},
    None,
    True,
    5,
    [1e308, 1],
    [[1], 2],
)


def drawn(view: dict[str, Any]) -> Network:
    inner = chain(("conv", Node("Linear", {"out_features": 4})), shape=(4,))
    network = chain(
        ("use", Node("Block", block="B")), ("fc", Node("Linear", {"out_features": 2})), shape=(4,)
    )
    block = Block(nodes=inner.nodes, edges=inner.edges)
    return msgspec.structs.replace(network, blocks={"B": block}, view=view)


@pytest.mark.parametrize("value", _NO_PLACES, ids=repr)
def test_what_is_no_place_counts_as_none(value: object) -> None:
    assert not is_place(value)
    network = drawn({"positions": {"fc": value, "use": [3.0, 4.0]}})
    assert network.positions() == {"use": [3.0, 4.0]}


@pytest.mark.parametrize("value", [*_NO_PLACES, {"fc": "x"}], ids=repr)
def test_every_edit_works_whatever_stands_where_the_layout_is(value: object) -> None:
    for view in (
        {"positions": value},
        {"positions": {"fc": value, "use": value, "input": [0, 0]}},
        {"blocks": value},
        {"blocks": {"B": value}},
        {"blocks": {"B": {"positions": value}}, "positions": {"use": [0.0, 0.0]}},
    ):
        network = drawn(view)
        edit.move(network, {"fc": (1.0, 2.0)})
        moved = edit.move(network, {"conv": (1.0, 2.0)}, block="B")
        assert moved.positions("B")["conv"] == [1.0, 2.0]
        edit.remove(network, ["fc"], heal=True)
        edit.rename(network, "fc", "last")
        edit.paste(network, edit.copy(network, ["fc", "use"]))
        assert "B" not in edit_unpack.unpack(network, "use")[0].nodes
        assert "C" in edit_blocks.rename_block(network, "B", "C").blocks
        assert edit_blocks.remove_block(edit.remove(network, ["use"]), "B").blocks == {}
        edit_blocks.make_block(network, ["fc"], "New")
        assert edit_view.marks(network, "B") == {}


def test_positions_that_are_all_places_are_handed_on_as_they_stand() -> None:
    network = drawn({"positions": {"fc": [1, 2.5], "use": (3, 4)}})
    assert network.positions() is network.view["positions"]
    assert Edge(End("use"), End("fc")) in network.edges
