"""After an edit only what it touches is done again: the result is that of an analysis that remembers nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from networks import chain
from strategies import gestures, networks

from engine import edit
from engine.analysis import analyze, reports, walk
from engine.compile import expand_again as again
from engine.compile.expand import expand
from engine.compile.expand_again import expand_again
from engine.network import Argument, Block, Edge, End, Network, Node
from engine.problems import FileProblem
from engine.storage import file
from engine.storage.reader import Reader
from engine.storage.writer import Writer
from engine.templates import template
from tests import random_edits


def forget() -> None:
    walk._recent = ()
    reports._known = reports._Known()


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    forget()
    yield
    forget()


def afresh(network: Network) -> object:
    """The analysis of one that was never seen before; what is remembered stays."""
    kept = walk._recent, reports._known
    forget()
    try:
        return analyze(network)
    finally:
        walk._recent, reports._known = kept


SMALL = chain(
    ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3})),
    ("norm", Node("BatchNorm2d")),
    ("flat", Node("Flatten")),
    ("fc", Node("Linear", {"out_features": 10})),
    shape=(1, 8, 8),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(), st.lists(gestures(), max_size=6))
def test_any_edits_are_analysed_as_if_nothing_had_been_before(network, done) -> None:
    forget()
    analyze(network)
    for do in done:
        try:
            network = do(network)
        except edit.EditProblem:
            continue
        assert analyze(network) == afresh(network)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["digits_mlp", "lenet5_mnist", "residual_digits", "digits_binarized_mlp"]),
    st.lists(st.tuples(st.integers(0, 999), st.integers(0, 9), st.integers(1, 12)), max_size=4),
)
def test_fields_of_real_networks_are_analysed_as_if_nothing_had_been_before(name, edits) -> None:
    forget()
    network = template(name).network
    analyze(network)
    for place, which, value in edits:
        id = list(network.nodes)[place % len(network.nodes)]
        fields = list(network.nodes[id].fields)
        if fields:
            network = edit.set_field(network, id, fields[which % len(fields)], value)
            assert analyze(network) == afresh(network)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_whatever_hands_do_is_read_and_analysed_as_if_nothing_had_been_before(seed) -> None:
    """More of them: `python -m tests.random_edits 3000`."""
    assert random_edits.compare(seed, 20) >= 10


@pytest.mark.parametrize("value", [True, 1, 1.0])
def test_what_python_takes_for_equal_is_told_apart(value) -> None:
    network = edit.set_field(SMALL, "norm", "momentum", 1)
    analyze(network)
    other = edit.set_field(network, "norm", "momentum", value)
    assert analyze(other) == afresh(other)


def test_of_an_edit_one_step_is_made_anew_and_the_others_are_the_same_objects() -> None:
    expanded = expand(SMALL)
    after = edit.set_field(SMALL, "fc", "out_features", 5)
    found = expand_again(after, SMALL, expanded)
    assert found == expand(after)
    same = [a is b for a, b in zip(found.steps, expanded.steps, strict=True)]
    assert same == [step.path != "fc" for step in expanded.steps]


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(edit.add_node(SMALL, "loose", edit.new_node("Conv2d")), id="a node that nothing feeds"),
        pytest.param(edit.remove(SMALL, ["norm"], heal=True), id="a node taken out"),
        pytest.param(edit.rename(SMALL, "conv", "first"), id="another name"),
        pytest.param(replace(SMALL, edges=SMALL.edges[1:]), id="a wire less"),
        pytest.param(edit.swap(SMALL, "conv", "norm"), id="two swapped"),
        pytest.param(edit.set_field(SMALL, "image", "shape", [2, 9, 9]), id="a field"),
    ],
)
def test_after_another_wiring_only_what_it_touches_is_made_anew(after) -> None:
    reader = Reader()  # by which what is written alike is the same object
    before, after = reader.loads(file.encode(SMALL)), reader.loads(file.encode(after))
    expanded = expand(before)
    found = expand_again(after, before, expanded)
    assert found == expand(after)
    known = {step.path: step for step in expanded.steps}
    kept = {step.path for step in found.steps if step is known.get(step.path)}
    assert "fc" in kept, "the last layer is fed as before by all of these"
    analyze(before)
    assert analyze(after) == afresh(after)


@pytest.mark.parametrize(
    "edges",
    [
        pytest.param((*SMALL.edges, SMALL.edges[1]), id="a wire twice, as one object"),
        pytest.param((*SMALL.edges, Edge(End("fc"), End("norm"))), id="two into one input"),
        pytest.param((*SMALL.edges[1:], Edge(End("fc"), End("conv"))), id="a circle"),
        pytest.param((*SMALL.edges, Edge(End("nowhere"), End("out"))), id="from nowhere"),
        pytest.param((*SMALL.edges[1:], Edge(End("image", "third"), End("conv"))), id="a port that is not"),
    ],
)
def test_wires_that_lead_wrong_are_expanded_anew(edges) -> None:
    after = replace(SMALL, edges=edges)
    assert expand_again(after, SMALL, expand(SMALL)) is None
    assert expand_again(SMALL, after, expand(after)) is None
    analyze(SMALL)
    assert analyze(after) == afresh(after)
    assert analyze(SMALL) == afresh(SMALL)


BLOCKS = Network(
    nodes={
        "image": Node("Input", {"shape": [4]}),
        "block": Node("Block", {"width": 4}, block="Wide"),
        "out": Node("Output"),
    },
    edges=(Edge(End("image"), End("block")), Edge(End("block"), End("out"))),
    blocks={
        "Wide": Block(
            {"width": Argument("int", 4)},
            {
                "a": Node("Input"),
                "fc": Node("Linear", {"out_features": {"expr": "width"}}),
                "b": Node("Output"),
            },
            (Edge(End("a"), End("fc")), Edge(End("fc"), End("b"))),
        )
    },
)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(edit.set_field(BLOCKS, "block", "width", 7), id="an argument"),
        pytest.param(edit.set_field(BLOCKS, "fc", "bias", False, block="Wide"), id="inside a block"),
        pytest.param(edit.set_field(BLOCKS, "image", "shape", {"expr": "width"}), id="an expression"),
        pytest.param(edit.remove(BLOCKS, ["out"]), id="a node less"),
        pytest.param(replace(BLOCKS, edges=BLOCKS.edges[:1]), id="a wire less"),
    ],
)
def test_what_changes_the_drawing_itself_is_expanded_anew(after) -> None:
    assert again.expand_again(after, BLOCKS, expand(BLOCKS)) is None
    analyze(BLOCKS)
    assert analyze(after) == afresh(after)


# ---------------------------------------------------------------------------- reading


def test_what_is_written_as_before_is_the_same_object() -> None:
    reader = Reader()
    first = reader.loads(file.encode(BLOCKS))
    after = edit.set_field(BLOCKS, "image", "shape", [5])
    second = reader.loads(file.encode(after))
    assert (first, second) == (BLOCKS, after)
    assert [second.nodes[id] is first.nodes[id] for id in after.nodes] == [False, True, True]
    assert second.blocks is first.blocks
    third = reader.loads(file.encode(edit.remove(after, ["out"])))  # a wire goes with it
    assert third == edit.remove(after, ["out"])
    assert third.nodes["block"] is first.nodes["block"]
    assert third.blocks is first.blocks


def test_of_other_wires_and_places_only_the_new_ones_are_read() -> None:
    reader = Reader()
    first = reader.loads(file.encode(edit.move(SMALL, {"conv": (1.0, 2.0), "fc": (3.0, 4.0)})))
    flat = Edge(End("norm"), End("flat"))
    added = edit.add_node(first, "relu", Node("ReLU"), (5.0, 6.0))
    after = edit.insert_on_edge(added, flat, "relu")
    second = reader.loads(file.encode(after))
    assert second == after
    assert all(second.nodes[id] is first.nodes[id] for id in first.nodes)
    there = {id(edge) for edge in first.edges}
    assert [str(edge) for edge in second.edges if id(edge) not in there] == ["norm → relu", "relu → flat"]
    assert second.positions()["fc"] is first.positions()["fc"]


@settings(max_examples=60, deadline=None)
@given(networks(), st.lists(gestures(), max_size=5))
def test_any_documents_are_read_as_by_a_reader_that_remembers_nothing(network, done) -> None:
    reader = Reader()
    for do in (lambda network: network, *done):
        try:
            network = do(network)
        except edit.EditProblem:
            continue
        for data in (file.encode(network), file.dumps(network)):
            assert reader.loads(data) == file.loads(data)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"nodes":{', b'"nodes":{"flat":{"type":"ReLU","fields":{}},', "appears twice"),
        (b'"out_features":10', b'"out_features":1e999', "too large"),
        (b'"out_features":10', b'"out_features":10,"out_features":11', "appears twice"),
        (b'"type":"Linear"', b'"type":5', "nodes.fc.type"),
        (b'"out_features":10', b'"out_features":', "line 1"),
        (b'["conv","norm"]', b'["conv","norm","flat"]', "pair of names"),
        (b'["conv","norm"]', b'["conv",1e999]', "too large"),
        (b'"edges":[', b'"edges":5,"more":[', "edges"),
        (b'"view":{}', b'"view":{"positions":{"fc":[1,2],"fc":[1,3]}}', "appears twice"),
        (b'"view":{}', b'"view":{"positions":{"fc":[1,1e999]}}', "too large"),
        (b'"view":{}', b'"view":7', "view"),
        (b'"out_features":10', b'"out_features":' + b"[" * 61 + b"]" * 61, "64 levels"),
    ],
)
def test_a_document_that_a_file_could_not_be_is_refused_with_the_same_words(old, new, said) -> None:
    reader = Reader()
    right = file.encode(SMALL)
    reader.loads(right)
    wrong = right.replace(old, new, 1)
    assert wrong != right
    with pytest.raises(FileProblem, match=said) as alone:
        file.loads(wrong)
    with pytest.raises(FileProblem) as after:
        reader.loads(wrong)
    assert str(after.value) == str(alone.value)
    assert reader.loads(right) == SMALL


@settings(max_examples=60, deadline=None)
@given(networks(), st.lists(gestures(), max_size=5))
def test_any_documents_are_written_as_by_a_writer_that_remembers_nothing(network, done) -> None:
    writer = Writer()
    for do in (lambda network: network, *done):
        try:
            network = do(network)
        except edit.EditProblem:
            continue
        assert writer.encode(network) == file.encode(network)


def test_what_only_the_slow_writer_can_write_is_written_by_it() -> None:
    writer = Writer()
    writer.encode(SMALL)
    for value in (1 << 70, "half a pair \ud800"):
        strange = edit.set_field(SMALL, "fc", "out_features", value)
        assert writer.encode(strange) == file.encode(strange)
    assert writer.encode(strange) == file.dumps(strange)
    assert writer.encode(SMALL) == file.encode(SMALL)
