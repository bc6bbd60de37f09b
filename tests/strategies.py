"""Random networks for hypothesis: sound ones and the edits people make to them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from engine import edit
from engine.catalog import ACTIVATIONS, BINARIZERS, INITIALIZERS, LAYERS
from engine.network import Choice, Edge, End, Network, Node

_TYPES = [
    id for id in ("Linear", "Conv2d", "ReLU", "Add", "Concat", "LSTM", "Dropout", "Output") if id in LAYERS
]

ids = st.from_regex(r"[a-e][0-9]{0,2}", fullmatch=True)
values = st.one_of(
    st.integers(-3, 300),
    st.booleans(),
    st.none(),
    st.text("abc", max_size=3),
    st.lists(st.integers(0, 9), max_size=3),
)


def choices(shelf: dict[str, object]) -> st.SearchStrategy[Choice]:
    """An entry of `shelf` with some fields, right or wrong."""
    return st.builds(
        Choice, st.sampled_from(sorted(shelf)), st.dictionaries(st.sampled_from("abcdef"), values, max_size=2)
    )


nodes = st.builds(
    Node,
    type=st.sampled_from(_TYPES),
    fields=st.dictionaries(st.sampled_from(["out_features", "dim", "p", "kernel_size"]), values, max_size=3),
    activation=st.none() | choices(ACTIVATIONS),
    init=st.dictionaries(st.sampled_from(["weight", "bias"]), choices(INITIALIZERS), max_size=2),
    binarize=st.dictionaries(st.sampled_from(["weight", "input"]), choices(BINARIZERS), max_size=2),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Any document of a few nodes: mostly wrong, always well formed."""
    drawn = draw(st.dictionaries(ids, nodes, max_size=6))
    edges: list[Edge] = []
    if drawn:
        end = st.builds(
            End, st.sampled_from(sorted(drawn)), st.sampled_from([None, "0", "1", "input", "other"])
        )
        edges = draw(st.lists(st.builds(Edge, end, end), max_size=8, unique=True))
    places = {id: [float(i), 0.0] for i, id in enumerate(drawn)}
    return Network(
        name=draw(st.text("xy ", max_size=3)),
        nodes=drawn,
        edges=tuple(edges),
        view={"positions": places} if places else {},
    )


@st.composite
def gestures(draw: st.DrawFn) -> Callable[[Network], Network]:
    """One thing that a person may do to whatever network there is."""
    kind = draw(
        st.sampled_from(["add", "remove", "heal", "connect", "field", "rename", "copy", "activation", "move"])
    )
    a, b, node, value = draw(ids), draw(ids), draw(nodes), draw(values)
    pick = draw(st.integers(0, 99))

    def do(network: Network) -> Network:
        here = list(network.nodes)
        one = here[pick % len(here)] if here else a
        if kind == "add":
            return edit.add_node(network, a, node, (1.0, 2.0))
        if kind in ("remove", "heal"):
            return edit.remove(network, [one], heal=kind == "heal")
        if kind == "connect":
            return edit.connect(network, End(one, "output" if pick % 2 else None), End(b))
        if kind == "field":
            return edit.set_field(network, one, "dim", value)
        if kind == "rename":
            return edit.rename(network, one, b)
        if kind == "copy":
            return edit.paste(network, edit.copy(network, here[: pick % 4]))[0]
        if kind == "activation":
            return edit.set_activation(network, one, None)
        return edit.move(network, {one: (float(pick), 0.0)})

    return do
