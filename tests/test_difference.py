"""The picture of what leads from one version to another: nothing is left out, and what differs is found."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget

from engine import edit, edit_view
from engine.network import Network, Node
from gui.difference import Picture, compare
from gui.theme import theme
from tests.test_theme import contrast
from tests.window_helpers import template

pytestmark = pytest.mark.gui


def test_the_difference_says_of_each_layer_and_wire_what_became_of_it(qtbot) -> None:
    before = template()
    removed = edit.remove(before, ["fc2"], heal=True)
    after = edit.set_field(removed, "fc1", "out_features", 77)
    after = msgspec.structs.replace(
        after, nodes={**after.nodes, "new": msgspec.structs.replace(after.nodes["fc1"], type="Linear")}
    )
    compared = compare(before, after)
    became = {id: kind for id, kind in compared.nodes.items() if kind != "same"}
    assert became == {"fc1": "changed", "fc2": "removed", "new": "added"}
    assert {kind for edge, kind in compared.edges.items() if "fc2" in str(edge)} == {"removed"}
    picture = Picture(compared)
    assert picture.accessibleName() == "Layers: 1 added, 1 removed, 1 changed"
    qtbot.addWidget(picture)
    assert not picture.grab().toImage().isNull()


def test_frames_and_notes_are_in_the_picture_and_in_the_words(qtbot, light) -> None:
    before, kept = edit_view.add_mark(template(), edit_view.Frame((0.0, -200.0, 700.0, 500.0), "Stem"))
    before, gone = edit_view.add_mark(before, edit_view.Note((0.0, 400.0, 300.0, 120.0), "Old words"))
    after = edit_view.move_marks(before, [kept], (40.0, 0.0))
    after, new = edit_view.add_mark(after, edit_view.Note((400.0, 400.0, 300.0, 120.0), "Try *more*"))
    after = edit_view.remove_marks(after, [gone])
    compared = compare(before, after)
    assert {id: kind for id, (_, kind) in compared.marks.items()} == {kept: "same", gone: "removed"} | {
        new: "added"
    }
    assert compared.words == ("- note: Old words", "+ note: Try *more*")
    for both in ((before, after), (before, edit_view.remove_marks(before, [kept, gone]))):
        picture, bare = (Picture(compare(*two)) for two in (both, (template(), template())))
        for widget in (picture, bare):
            qtbot.addWidget(widget)
            widget.resize(640, 300)
        assert picture.grab().toImage() != bare.grab().toImage()
    titled = Picture(compare(before, before))
    qtbot.addWidget(titled)
    titled.resize(640, 300)
    seen = colors(titled)
    assert theme.tokens.series[0].lower() in seen  # the frame's title stands on its colour


def test_a_frame_without_a_title_and_a_note_without_words_are_said_by_their_kinds(qtbot) -> None:
    after = Network()
    for mark in (edit_view.Frame((0.0, 0.0, 90.0, 90.0), ""), edit_view.Note((0.0, 0.0, 90.0, 90.0), " ")):
        after, _ = edit_view.add_mark(after, mark)
    assert compare(Network(), after).words == ("+ frame", "+ note")


@pytest.mark.parametrize("name", ["light", "dark"])
def test_of_a_thousand_layers_all_are_seen_and_a_changed_one_is_found(qtbot, light, name: str) -> None:
    theme.choose(name)
    ids = [f"conv{number}" for number in range(1000)]
    conv = Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]})
    places = {id: [number % 40 * 230.0, number // 40 * 150.0] for number, id in enumerate(ids)}
    before = Network(name="Large", nodes=dict.fromkeys(ids, conv), view={"positions": places})
    picture = Picture(compare(before, edit.set_field(before, "conv500", "out_channels", 9)))
    qtbot.addWidget(picture)
    picture.resize(640, 300)
    seen, ground = colors(picture), theme.tokens.canvas
    told = sum(count for color, count in seen.items() if contrast(color, ground) >= 4.5)
    assert told > 1000 * 9  # at least 3 × 3 pixels of each
    assert seen[theme.tokens.warning.lower()] >= 30


def colors(widget: QWidget) -> Counter[str]:
    """The colours of a widget's pixels."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    found = Counter(memoryview(image.constBits()).cast("I"))
    return Counter({f"#{pixel & 0xFFFFFF:06x}": count for pixel, count in found.items()})


def test_a_wire_that_is_led_otherwise_is_told_and_drawn_so(qtbot, light) -> None:
    network = template()
    first, second, third, *_ = network.edges
    before = edit_view.set_bends(network, {second: [(10.0, 20.0)], third: [(5.0, 5.0)]})
    led = {first: [(0.0, -90.0)], second: [(10.0, 220.0)], third: []}
    compared = compare(before, edit_view.set_bends(before, led))
    assert compared.words == (
        f"~ wire {second}: bent differently",
        f"~ wire {third}: no longer bent",
        f"~ wire {first}: bent",
    )
    assert {edge for edge, kind in compared.edges.items() if kind == "changed"} == {first, second, third}
    picture, straight = Picture(compared), Picture(compare(network, network))
    for widget in (picture, straight):
        qtbot.addWidget(widget)
        widget.resize(640, 300)
    seen, ground = colors(picture), colors(straight)
    assert seen[theme.tokens.warning.lower()] > ground[theme.tokens.warning.lower()]
    assert picture.bounds.top() < straight.bounds.top()  # it goes through its points


def test_a_wire_that_moved_along_with_its_layer_or_came_anew_is_not_told_as_bent() -> None:
    network = template()
    wire = network.edges[1]
    before = edit_view.set_bends(network, {wire: [(10.0, 20.0), (40.0, 20.0)]})
    for id in wire.source.node, wire.target.node:
        moved = edit.move(before, {id: [value + 30.0 for value in before.positions()[id]]})
        for shift in (0.0, 30.0):
            points = [(10.0 + shift, 20.0 + shift), (40.0 + shift, 20.0 + shift)]
            assert compare(before, edit_view.set_bends(moved, {wire: points})).words == ()
    without = edit.remove(before, [wire.target.node])
    assert not any("bent" in word for word in compare(without, before).words)
    assert not any("bent" in word for word in compare(before, without).words)


def test_a_bent_wire_in_a_block_is_told_with_the_blocks_name() -> None:
    before = template("resnet18")
    name, block = next((name, block) for name, block in before.blocks.items() if block.edges)
    after = edit_view.set_bends(before, {block.edges[0]: [(1.0, 2.0)]}, block=name)
    assert compare(before, after).words == (f"~ wire {name}: {block.edges[0]}: bent",)
