"""Deleting layers: the gap is closed where the shapes allow, and stays open with a word where they do not."""

from __future__ import annotations

import pytest

from tests import gui_helpers as hands
from tests.canvas_bench import Bench, chain

from tests.gui_helpers import CTRL  # isort: skip

from PySide6.QtCore import Qt

from engine import edit
from engine.analysis import analyze
from engine.network import End

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


@pytest.mark.parametrize("by", ["delete", "cut"])
@pytest.mark.parametrize(
    ("types", "middle", "closed"),
    [
        (("Input", "Flatten", "Linear"), "flatten1", True),  # a linear layer reads the last dimension of any
        (("Input", "Flatten", "BatchNorm1d"), "flatten1", False),  # takes 2 or 3 dimensions, gets 4
        (("Input", "Flatten", "Unflatten", "Conv2d"), "unflatten1", False),  # takes 4, gets 2
    ],
)
def test_a_gap_is_closed_where_the_shapes_allow(bench, types, middle, closed, by):
    b = bench(chain(*types))
    if middle == "unflatten1":
        b.document.edit(edit.set_field(b.network, middle, "unflattened_size", [4, 4, 4]), "Shape")
    b.canvas.set_analysis(analyze(b.network))
    before = b.network
    b.selection.set((middle,))
    hands.key(b.canvas, Qt.Key.Key_Delete) if by == "delete" else hands.key(b.canvas, Qt.Key.Key_X, CTRL)
    feeds = {id for id in before.nodes if f"{id} → {middle}" in map(str, before.edges)}
    fed = next(str(edge.target) for edge in before.edges if edge.source.node == middle)
    assert ({f"{id} → {fed}" for id in feeds} <= b.edges) == closed
    assert b.messages == (
        [] if closed else [f"The gap stays open: the shape does not fit from {feeds.pop()} to {fed}."]
    )
    b.undo_and_redo(before)


def test_a_gap_before_a_sum_stays_open_where_the_terms_would_not_fit(bench):
    network = edit.add_node(chain("Input", "Conv2d"), "add1", edit.new_node("Add"), (600.0, 0.0))
    network = edit.connect(network, End("conv1"), End("add1", "other"))
    network = edit.add_node(network, "conv2", edit.new_node("Conv2d"), (300.0, 300.0))
    network = edit.connect(network, End("input1"), End("conv2"))
    network = edit.connect(network, End("conv2"), End("add1", "input"))
    b = bench(network)
    b.canvas.set_analysis(analyze(network))
    before = b.network
    b.selection.set(("conv2",))
    hands.key(b.canvas, Qt.Key.Key_Delete)
    # 1 × 8 × 8 and 16 × 6 × 6 cannot be added: 8 against 6.
    assert b.edges == {"input1 → conv1", "conv1 → add1.other"}
    b.undo_and_redo(before)
