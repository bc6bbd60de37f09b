"""A repair is made where it still fits, and refused where the drawing has moved on."""

from __future__ import annotations

from typing import Any

import pytest
from networks import chain

from engine import edit
from engine.analysis import analyze
from engine.edit import EditProblem
from engine.findings import Repair
from engine.mending import mended
from engine.network import Edge, End, Network, Node
from gui.canvas import Canvas
from gui.document import Document
from gui.panels.problems import ProblemsPanel
from gui.selection import Selection

BROKEN = chain(
    ("flat", Node("Flatten")),
    ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3})),
    ("fc", Node("Linear", {"out_features": 10})),
    shape=(1, 8, 8),
)


def repair_of(network: Network, text: str) -> Repair:
    return next(r for p in analyze(network).errors for r in p.repairs if r.text == text)


def read_twice(network: Network) -> Network:
    return edit.connect(edit.add_node(network, "relu", Node("ReLU")), End("conv"), End("relu"))


MOVED_ON = [
    pytest.param(lambda n: edit.set_field(n, "conv", "kernel_size", 5), id="what it takes out is another"),
    pytest.param(lambda n: edit.with_graph(n, None, edges=n.edges[1:2]), id="wires are gone"),
    pytest.param(lambda n: edit.remove(n, ["conv"]), id="the node is gone"),
    pytest.param(read_twice, id="a new wire would lead from nothing"),
]


@pytest.mark.parametrize("moved", MOVED_ON)
def test_what_no_longer_fits_is_refused(moved: Any) -> None:
    repair = repair_of(BROKEN, "Take conv out")
    assert not analyze(mended(BROKEN, repair)).errors
    with pytest.raises(EditProblem, match="changed since"):
        mended(moved(BROKEN), repair)


def test_no_second_wire_is_led_to_an_input() -> None:
    cut = edit.with_graph(BROKEN, None, edges=BROKEN.edges[:2] + BROKEN.edges[3:])
    repair = repair_of(cut, "Wire conv to fc")
    assert Edge(End("conv"), End("fc")) in [
        Edge(End(e.source.node), End(e.target.node)) for e in mended(cut, repair).edges
    ]
    meanwhile = edit.connect(cut, End("flat"), End("fc"))
    with pytest.raises(EditProblem):
        mended(meanwhile, repair)


def test_it_fits_where_something_else_has_changed() -> None:
    repair = repair_of(BROKEN, "Take conv out")
    after = mended(edit.set_field(BROKEN, "fc", "out_features", 5), repair)
    assert list(after.nodes) == ["image", "flat", "fc", "out"]
    assert after.nodes["fc"].fields["out_features"] == 5


@pytest.mark.parametrize("laid", [True, False])
def test_it_fits_where_things_were_moved(laid: bool) -> None:
    """Which nobody checks anew."""
    moved = edit.move(BROKEN, {"conv": (7.0, 8.0), "fc": (1.0, 2.0)})
    before, now = (moved, edit.move(moved, {"conv": (9.0, 9.0)})) if laid else (moved, BROKEN)
    after = mended(now, repair_of(before, "Take conv out"))
    assert "conv" not in after.nodes
    assert "conv" not in after.positions()
    assert after == edit.remove(now, ["conv"], heal=True)


@pytest.mark.gui
@pytest.mark.parametrize("moved", MOVED_ON)
def test_pressed_too_late_a_repair_says_so_and_the_drawing_stays(qtbot: Any, moved: Any) -> None:
    document, selection = Document(BROKEN), Selection()
    panel, canvas = ProblemsPanel(document, selection), Canvas(document, selection)
    for widget in (panel, canvas):
        qtbot.addWidget(widget)
        widget.set_analysis(analyze(BROKEN))
    repair = repair_of(BROKEN, "Take conv out")
    document.edit(moved(BROKEN), "Meanwhile")
    panel.buttons[[b.text() for b in panel.buttons].index("Take conv out")].click()
    assert document.network == moved(BROKEN)
    assert "changed since" in panel.message.text()
    canvas.editor.repair(repair)
    assert document.network == moved(BROKEN)


@pytest.mark.gui
def test_a_button_stays_while_the_same_is_found_again(qtbot: Any) -> None:
    """What is rebuilt under the hand takes no click."""
    document = Document(BROKEN)
    panel = ProblemsPanel(document, Selection())
    qtbot.addWidget(panel)
    panel.set_analysis(analyze(BROKEN))
    buttons = list(panel.buttons)
    assert buttons
    after = edit.set_field(BROKEN, "fc", "bias", False)
    panel.set_analysis(analyze(after))
    assert panel.buttons == buttons
    document.edit(edit.set_field(BROKEN, "conv", "kernel_size", 5), "Meanwhile")
    panel.buttons[[b.text() for b in panel.buttons].index("Take conv out")].click()
    assert "changed since" in panel.message.text()
    panel.set_analysis(analyze(BROKEN))
    assert "changed since" not in panel.message.text(), "the next check has come"
