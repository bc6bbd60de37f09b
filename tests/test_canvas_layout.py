"""The automatic layout: what it promises of any network."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import ports
from engine.network import Edge, End, Network, Node
from gui.canvas import card, layout


def test_a_chain_reads_from_left_to_right_on_one_line():
    network = Network(
        nodes={id: Node("ReLU") for id in "abcd"},
        edges=tuple(Edge(End(a), End(b)) for a, b in ("ab", "bc", "cd")),
    )
    places = layout.arrange(network)
    xs = [places[id][0] for id in "abcd"]
    assert xs == sorted(xs)
    assert len(set(xs)) == 4
    assert len({places[id][1] for id in "abcd"}) == 1


def test_a_residual_blocks_main_path_is_straight():
    network = Network(
        nodes={"x": Node("ReLU"), "f": Node("ReLU"), "g": Node("ReLU"), "sum": Node("Add")},
        edges=(
            Edge(End("x"), End("f")),
            Edge(End("f"), End("g")),
            Edge(End("g"), End("sum", "input")),
            Edge(End("x"), End("sum", "other")),
        ),
    )
    places = layout.arrange(network)
    plain = card.PORT_Y
    height = {id: places[id][1] + plain for id in "xfg"}
    added = places["sum"][1] + card.card_of(network, "sum", network.nodes["sum"], 2).port_y(0)
    assert max(*height.values(), added) - min(*height.values(), added) <= 1


def test_a_long_chain_is_folded_so_that_it_fits_a_screen():
    ids = [f"n{i}" for i in range(60)]
    network = Network(
        nodes={id: Node("ReLU") for id in ids},
        edges=tuple(Edge(End(a), End(b)) for a, b in pairwise(ids)),
    )
    places = layout.arrange(network)
    width = max(x for x, _ in places.values()) + card.WIDTH
    height = max(y for _, y in places.values()) + 100
    assert 1 < width / height < 3
    # and it is read like lines of text
    order = sorted(ids, key=lambda id: (places[id][1], places[id][0]))
    assert order == ids


def test_an_empty_network_has_no_places():
    assert layout.arrange(Network()) == {}


_TYPES = st.sampled_from(["ReLU", "Conv2d", "Add", "Concat", "Input", "Output", "NoSuchLayer"])


@st.composite
def networks(draw):
    """Any nodes and any wires, circles and dangling ones among them."""
    ids = [f"n{i}" for i in range(draw(st.integers(1, 24)))]
    ends = st.sampled_from([*ids, "ghost"])
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=40, unique=True))
    return Network(
        nodes={id: Node(draw(_TYPES)) for id in ids},
        edges=tuple(Edge(End(a), End(b)) for a, b in pairs),
    )


@settings(deadline=None, max_examples=120)
@given(networks())
def test_every_node_gets_a_place_and_no_cards_overlap(network):
    places = layout.arrange(network)
    assert set(places) == set(network.nodes)
    assert_apart(network, network, places)


def assert_apart(network, graph, places):
    """No two cards of a graph lie on one another."""
    arriving = ports.incoming(graph.edges)
    boxes = [
        (x, y, card.card_of(network, id, graph.nodes[id], len(arriving.get(id, ()))).height)
        for id, (x, y) in places.items()
    ]
    for i, (x, y, height) in enumerate(boxes):
        for other_x, other_y, other_height in boxes[:i]:
            apart = abs(x - other_x) >= card.WIDTH or y >= other_y + other_height or other_y >= y + height
            assert apart


@settings(deadline=None, max_examples=40)
@given(networks())
def test_the_layout_is_a_function_of_the_network(network):
    assert layout.arrange(network) == layout.arrange(network)


REFERENCES = {
    "resnet18": ("resnet18", ["3,32,32"]),
    "unet": ("unet", []),
    "mobilenet_v2": ("mobilenet_v2", ["3,32,32"]),
    "vgg11": ("vgg11", ["3,32,32"]),
    "lstm_classifier": ("lstm_classifier", ["20:int64"]),
    "vit": ("vit", []),
    "gpt": ("gpt", []),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_imported_models_are_drawn_without_overlaps_inside_their_blocks_too(name, tmp_path):
    from engine import storage
    from engine.exchange.importing import import_module

    factory, shapes = REFERENCES[name]
    code = Path(__file__).parent / "reference_models" / f"{name}.py"
    import_module(f"{code}:{factory}", tmp_path / "m.layerlab", shapes)
    network = storage.read(tmp_path / "m.layerlab")
    for block in (None, *network.blocks):
        graph = network.graph(block)
        places = layout.arrange(network, block=block)
        assert set(places) == set(graph.nodes)
        assert_apart(network, graph, places)
