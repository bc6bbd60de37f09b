"""Edits of networks of thousands of layers: nothing is asked twice, and what stays is the same object."""

from __future__ import annotations

import pytest

from engine import diff, edit, edit_blocks
from engine.network import Network, Node
from engine.storage import form
from tests.benchmarks.canvas import network_of


@pytest.fixture(scope="module")
def large() -> Network:
    return network_of(400)


def test_a_block_is_made_of_ids_that_can_be_walked_but_once(large: Network) -> None:
    ids = list(large.nodes)[1:31]
    once, _ = edit_blocks.make_block(large, iter(ids), "Stage")
    assert once == edit_blocks.make_block(large, ids, "Stage")[0]
    assert len(once.nodes) == len(large.nodes) - len(ids) + 1


def test_making_a_block_leaves_the_places_of_the_others_as_they_are(large: Network) -> None:
    ids = list(large.nodes)[1:31]
    after, _ = edit_blocks.make_block(large, ids, "Stage")
    before, places = large.positions(), after.positions()
    assert all(places[id] is before[id] for id in large.nodes if id not in ids)


def test_of_a_pasted_piece_what_is_alike_is_read_once(large: Network, monkeypatch) -> None:
    ids = list(large.nodes)[1:301]
    piece = edit.copy(large, ids)
    read: list[object] = []
    one = form.node_from_form
    monkeypatch.setattr(form, "node_from_form", lambda value, where: read.append(value) or one(value, where))
    after, made = edit.paste(large, piece)
    kinds = {str(form.node_to_form(large.nodes[id])) for id in ids}
    assert len(read) == len(kinds)
    assert [after.nodes[new] for new in made] == [large.nodes[id] for id in ids]


def test_what_only_goes_on_behind_the_old_is_compared_without_a_search(large: Network, monkeypatch) -> None:
    after, made = edit.paste(large, edit.copy(large, list(large.nodes)[:50]), (10.0, 10.0))
    searched: list[object] = []
    one = diff._gone
    monkeypatch.setattr(diff, "_gone", lambda a, b: searched.append(a) or one(a, b))
    changed = diff._compared(large, after)
    assert max(map(len, searched), default=0) < len(large.nodes)
    assert {change.path for change in changed if change.path[0] == "nodes"} == {("nodes", id) for id in made}
    assert diff.apply(large, changed) == after


@pytest.mark.parametrize("values", [(None, float("inf")), (True, 1), (1, 1.0)])
def test_layers_that_are_nearly_alike_are_pasted_as_they_are(values: tuple[object, object]) -> None:
    nodes = {f"relu{n}": Node("ReLU", {"inplace": value}) for n, value in enumerate(values)}
    after, made = edit.paste(Network(), edit.copy(Network(nodes=nodes), nodes))
    found = [after.nodes[id].fields["inplace"] for id in made]
    assert [(type(value), value) for value in found] == [(type(value), value) for value in values]
