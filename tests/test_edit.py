"""Edits: what a person's gestures do to the document, and what they refuse."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings

from engine import edit
from engine.edit import EditProblem
from engine.network import Edge, End, Network, Node, identifier_problem
from engine.storage import form
from tests.networks import chain, choice
from tests.strategies import gestures, networks


def row() -> Network:
    """Image → a → b → out"""
    return chain(("a", Node("Linear", {"out_features": 3})), ("b", Node("ReLU")), shape=(4,))


def wires(network: Network) -> list[str]:
    return [str(edge) for edge in network.edges]


@settings(max_examples=150, deadline=None)
@given(networks(), gestures())
def test_an_edit_never_changes_the_network_it_is_given(network: Network, gesture: object) -> None:
    before = copy.deepcopy(form.to_form(network))
    try:
        after = gesture(network)  # type: ignore[operator]
    except EditProblem:
        pass
    else:
        assert form.from_form(form.to_form(after)) == after
    assert form.to_form(network) == before


def test_removing_with_healing_keeps_a_chain_a_chain() -> None:
    assert wires(edit.remove(row(), ["a", "b"], heal=True)) == ["image → out"]
    assert wires(edit.remove(row(), ["a"])) == ["b → out"]


def test_a_node_dropped_on_a_wire_comes_between_its_ends() -> None:
    network = edit.add_node(row(), "c", Node("Dropout"))
    network = edit.insert_on_edge(network, Edge(End("a"), End("b")), "c")
    assert set(wires(network)) == {"image → a", "a → c", "c → b", "b → out"}


def test_connecting_replaces_what_reached_the_same_input() -> None:
    assert set(wires(edit.connect(row(), End("image"), End("b")))) == {"image → a", "image → b", "b → out"}


def test_a_wire_that_closes_a_circle_is_refused() -> None:
    with pytest.raises(EditProblem, match="circle"):
        edit.connect(row(), End("b"), End("a"))
    with pytest.raises(EditProblem, match="circle"):
        edit.connect(row(), End("a"), End("a"))


def test_ports_must_exist_and_ends_too() -> None:
    with pytest.raises(EditProblem, match="no output"):
        edit.connect(row(), End("out"), End("a"))
    with pytest.raises(EditProblem, match="no input"):
        edit.connect(row(), End("a"), End("image"))
    with pytest.raises(EditProblem, match=r"no node 'imag'.*Did you mean 'image'"):
        edit.connect(row(), End("imag"), End("a"))
    with pytest.raises(EditProblem, match="input, other"):
        edit.connect(edit.add_node(row(), "sum", Node("Add")), End("a"), End("sum"))


def test_gaps_in_the_ports_of_a_concat_close() -> None:
    network = edit.add_node(row(), "cat", Node("Concat"))
    for port, source in enumerate(["image", "a", "b"]):
        network = edit.connect(network, End(source), End("cat", str(port)))
    network = edit.remove(network, edges=[Edge(End("a"), End("cat", "1"))])
    assert [w for w in wires(network) if "cat" in w] == ["image → cat.0", "b → cat.1"]


def test_renaming_takes_wires_position_order_and_shares_along() -> None:
    network = edit.move(row(), {"a": (3.0, 4.0)})
    network = edit.add_node(network, "c", Node("Linear", {"out_features": 3}, shares={"weight": "a.weight"}))
    network = edit.rename(network, "a", "encoder")
    assert list(network.nodes) == ["image", "encoder", "b", "out", "c"]
    assert wires(network) == ["image → encoder", "encoder → b", "b → out"]
    assert network.nodes["c"].shares == {"weight": "encoder.weight"}
    assert network.positions() == {"encoder": [3.0, 4.0]}


@pytest.mark.parametrize("name", ["b", "class", "forward", "1", "a__b", ""])
def test_a_node_cannot_take_a_name_that_is_taken_or_no_id(name: str) -> None:
    with pytest.raises(EditProblem, match=r"id|keyword|attribute"):
        edit.rename(row(), "a", name)


@pytest.mark.parametrize("type", ["Conv2d", "BatchNorm1d", "ReLU", "LSTM", "type", "9", "", "Ünicode"])
def test_a_fresh_id_is_an_id_and_unused(type: str) -> None:
    network = row()
    for _ in range(3):
        id = edit.fresh_id(network, type)
        assert identifier_problem(id) is None
        network = edit.add_node(network, id, Node("ReLU"))


def test_a_copied_piece_comes_back_with_its_wires_under_new_ids() -> None:
    network = edit.move(row(), {"a": (0.0, 0.0), "b": (10.0, 0.0)})
    pasted, ids = edit.paste(network, edit.copy(network, ["a", "b"]), (5.0, 7.0))
    assert len(ids) == 2
    assert [pasted.nodes[id] for id in ids] == [network.nodes["a"], network.nodes["b"]]
    assert f"{ids[0]} → {ids[1]}" in wires(pasted)
    assert [pasted.positions()[id] for id in ids] == [[5.0, 7.0], [15.0, 7.0]]


@pytest.mark.parametrize(
    "clipboard",
    [
        None,
        3,
        "text",
        [],
        {},
        {"format": "layerlab-fragment"},
        {"format": "layerlab-fragment", "nodes": {"a": 3}, "edges": []},
    ],
)
def test_a_clipboard_that_holds_no_layers_is_said_to(clipboard: object) -> None:
    with pytest.raises(EditProblem, match="clipboard"):
        edit.paste(row(), clipboard)


def test_resetting_a_required_field_gives_it_the_palettes_value_back() -> None:
    network = edit.set_field(row(), "a", "out_features", 999)
    assert edit.reset_field(network, "a", "out_features").nodes["a"].fields["out_features"] == 64
    network = edit.set_field(row(), "a", "bias", False)
    assert "bias" not in edit.reset_field(network, "a", "bias").nodes["a"].fields


def test_setting_what_is_already_so_changes_nothing() -> None:
    network = row()
    assert edit.set_field(network, "a", "out_features", 3) is network
    assert edit.rename(network, "a", "a") is network


def test_only_weight_and_input_can_be_binarized() -> None:
    with pytest.raises(EditProblem, match="'weight' or 'input'"):
        edit.set_binarize(row(), "a", "bias", choice("ste_sign"))
    network = edit.set_binarize(row(), "a", "weight", choice("ste_sign"))
    assert edit.set_binarize(network, "a", "weight", None) == row()
