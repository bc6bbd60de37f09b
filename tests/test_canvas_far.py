"""From far away: cards fill with colour little by little, words stay legible, errors are known by shape."""

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF
from PySide6.QtGui import QColor, QImage

from engine import edit, edit_view
from engine.edit_view import Frame, Note
from engine.findings import Analysis, Problem
from engine.network import Choice
from gui.canvas import Mark, card, overlay
from gui.canvas.camera import COARSE_FROM, MIDDLE_FROM, NEAR_FROM
from gui.canvas.captions import LINE
from gui.canvas.distance import CLEAR, DUST
from gui.canvas.levels import COARSE, FAR, MIDDLE, NEAR
from gui.canvas.marks import FrameItem
from gui.canvas.node_item import BELOW
from gui.theme import DARK, LIGHT, theme
from tests import gui_helpers as hands
from tests.benchmarks.canvas import network_of
from tests.canvas_bench import Bench, chain
from tests.test_theme import contrast

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


def wide(count: int = 300, **marks):
    """A network with one card so far aside that one can step back from the others as far as one likes."""
    network = edit.move(network_of(count), {"image": (-90000.0, 0.0)})
    for mark in marks.values():
        network, _ = edit_view.add_mark(network, mark)
    return network


def look(b: Bench, pixels: float, at: str = "add_149") -> None:
    """Look at a card that is so many pixels wide, in the middle of the view."""
    b.canvas.fit()
    b.canvas.zoom(pixels / card.WIDTH / b.canvas.zoom_factor)
    b.canvas.centerOn(b.canvas.drawing.nodes[at].rect.center())
    assert b.canvas.zoom_factor * card.WIDTH == pytest.approx(pixels)


def image_of(b: Bench) -> QImage:
    return b.port.grab().toImage()


def color_at(b: Bench, point: QPointF) -> QColor:
    return image_of(b).pixelColor(b.at(point))


def apart(one: QColor, other: QColor) -> int:
    """How different two colours are: their channels' greatest difference."""
    return max(abs(a - b) for a, b in zip(one.getRgb()[:3], other.getRgb()[:3], strict=True))


# ---------------------------------------------------------------------------- colours


def test_from_so_far_that_a_border_would_hide_a_card_it_has_its_familys_colour(bench):
    b = bench(wide())
    look(b, 0.9 * DUST)
    item = b.canvas.drawing.nodes["conv2d_0"]
    b.canvas.centerOn(item.rect.center())
    tools = b.canvas.drawing.look
    for chosen, color in (((), tools.family(item.card.group)), ((item.id,), tools.accent)):
        b.selection.set(chosen)
        assert color_at(b, item.rect.center()) == color


@pytest.mark.parametrize("chosen", [(), ("add_149",)])
@pytest.mark.parametrize("name", ["light", "dark"])
def test_cards_take_their_colours_little_by_little_as_one_steps_back(bench, qapp, name, chosen):
    theme.choose(name)
    try:
        b = bench(wide())
        b.selection.set(chosen)
        seen = []
        pixels = 0.8 * DUST
        while pixels < CLEAR:
            look(b, pixels)
            seen.append(color_at(b, b.canvas.drawing.nodes["add_149"].rect.center()))
            pixels *= 1.08
        whole = apart(seen[0], seen[-1])
        steps = [apart(one, other) for one, other in pairwise(seen)]
    finally:
        theme.choose("light")
    assert whole > 80, "it does change"
    assert max(steps) < whole / 4, steps


@pytest.mark.parametrize("name", ["light", "dark"])
def test_a_card_is_set_off_from_the_ground_at_every_distance(bench, name):
    theme.choose(name)
    try:
        b = bench(edit.move(network_of(60), {"image": (-900.0, 0.0)}))
        item = b.canvas.drawing.nodes["add_29"]
        for pixels in (166.0, 90.0, 56.0, 34.0, 24.0):  # from all that it says to a block of colour
            b.canvas.zoom(pixels / card.WIDTH / b.canvas.zoom_factor)
            b.canvas.centerOn(item.rect.center())
            b.canvas.sharpen()
            image, edge = image_of(b), b.at(QPointF(item.rect.right(), item.rect.bottom() - 20))
            row = [image.pixelColor(edge.x() + across, edge.y()) for across in range(-3, 4)]
            assert max(apart(color, row[-1]) for color in row) > 20, pixels
    finally:
        theme.choose("light")


def test_wires_step_back_before_the_cards_as_one_looks_from_further_away(bench):
    b = bench(wide())
    drawing = b.canvas.drawing
    item = drawing.nodes["conv2d_150"]
    start = item.output_point(0)
    seen = []
    for pixels in (44.0, 22.0, 12.0, 7.0):
        look(b, pixels)
        image, at = image_of(b), b.at(start + QPointF(30.0, 0.0))
        column = [image.pixelColor(at.x(), at.y() + down) for down in (-1, 0, 1)]
        seen.append(max(apart(color, drawing.look.canvas) for color in column))
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < 0.6 * seen[0]


def test_from_afar_a_measure_keeps_its_colours_and_what_it_does_not_measure_has_none(bench):
    b = bench(wide())
    look(b, 20.0)
    drawing, tools = b.canvas.drawing, b.canvas.drawing.look
    b.canvas.set_overlay({"add_149": Mark("#cc3311", "0.1")})
    item, other = drawing.nodes["add_149"], drawing.nodes["batchnorm2d_148"]

    def colors() -> list[str]:
        return [color_at(b, i.rect.center()).name() for i in (item, other)]

    near = colors()
    b.selection.set((item.id,))
    assert colors() == near  # its border says that it is selected
    look(b, 0.9 * DUST)
    for chosen in ((), (item.id,)):
        b.selection.set(chosen)
        measured, unmeasured = colors()
        assert measured == "#cc3311"
        assert unmeasured not in {color.name() for color in tools.families.values()}


@pytest.mark.parametrize("pixels", [0.9 * DUST, 20.0])
@pytest.mark.parametrize("measured", [True, False])
def test_an_error_is_known_by_a_badge_that_no_measures_red_has(bench, pixels, measured):
    b = bench(wide())
    look(b, pixels)
    red = b.canvas.drawing.look.error
    if measured:
        b.canvas.set_overlay(dict.fromkeys(b.network.nodes, Mark(red.name(), "1")))
    corner = b.at(b.canvas.drawing.nodes["add_149"].rect.topRight())

    def around() -> QImage:
        return image_of(b).copy(corner.x() - 6, corner.y() - 6, 12, 12)

    before = around()
    b.canvas.set_analysis(Analysis({}, (Problem("error", "shape", "It does not fit.", "add_149"),)))
    b.canvas.drawing.complete()
    with_error = around()
    assert with_error != before
    assert with_error.pixelColor(6, 4) == b.canvas.drawing.look.surface, "the mark on the badge"
    assert with_error.pixelColor(3, 6) == red
    b.canvas.set_analysis(Analysis())
    b.canvas.drawing.complete()
    assert around() == before


# ---------------------------------------------------------------------------- words


@pytest.mark.parametrize("pixels", [8.0, 20.0, 45.0, 58.0])
def test_a_frames_title_is_written_as_large_from_however_far_and_is_taken_there(bench, pixels):
    around = QRectF(0, 0, 12000, 6000)
    b = bench(wide(frame=Frame(around.getRect(), "Backbone")))
    look(b, pixels)
    b.canvas.centerOn(0, 0)
    image_of(b)
    mark = b.canvas.drawing.marks["frame1"]
    shown = b.canvas.mapFromScene(mark.title.written).boundingRect()
    assert shown.height() == pytest.approx(LINE, abs=2)
    assert shown.bottom() == pytest.approx(b.at(around.topLeft()).y(), abs=2), "above the frame"
    b.canvas.drawing.nodes["conv2d_0"].place(*b.canvas.mapToScene(shown.center()).toTuple())
    hands.click(b.port, shown.center() + QPoint(2, 2))
    assert (b.selection.nodes, b.selection.marks) == ((), ("frame1",)), "the title lies above the card"
    hands.double_click(b.port, shown.center() + QPoint(2, 2))
    assert b.canvas.writer.isVisible()


def test_a_title_is_painted_anew_as_its_frame_is_selected(bench, qapp):
    b = bench(wide(frame=Frame((0, 0, 4000, 2000), "Backbone")))
    look(b, 58.0)
    b.canvas.centerOn(0, 0)
    title = b.canvas.drawing.marks["frame1"].title

    def ground() -> QColor:
        """The plate's colour on the screen, as it was painted last."""
        qapp.processEvents()
        shown = b.canvas.mapFromScene(title.written).boundingRect()
        return (
            b.canvas.screen()
            .grabWindow(b.canvas.winId())
            .toImage()
            .pixelColor(shown.center().x(), shown.y() + 2)
        )

    for chosen in ((), ("frame1",), ()):
        b.selection.set((), (), chosen)
        assert ground() == title.caption_colors[0]


def test_of_two_titles_that_would_hide_one_another_the_larger_frames_is_written(bench):
    outer, inner = Frame((0, 0, 12000, 6000), "Outer"), Frame((80, 80, 4000, 3000), "Inner")
    b = bench(wide(inner=inner, outer=outer))
    look(b, 10.0)
    b.canvas.centerOn(0, 0)
    image_of(b)
    written = {item.mark.title: not item.title.written.isNull() for item in b.canvas.drawing.marks.values()}
    assert written == {"Outer": True, "Inner": False}


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("selected", [True, False])
def test_a_title_stands_out_from_its_plate_in_every_colour(bench, tokens, selected):
    b = bench(chain("Input"))
    b.canvas.drawing.restyle(tokens)
    for color in edit_view.COLORS:
        item = FrameItem(b.canvas.drawing, "frame1", Frame((0, 0, 100, 100), "", color))
        item.selected = selected
        ground, ink = item.title.caption_colors
        assert contrast(ink.name(), ground.name()) >= 4.5, color


def test_a_note_can_be_read_from_afar_as_far_as_it_has_room(bench):
    def ink(text: str, pixels: float) -> int:
        b = bench(wide(note=Note((0, 0, 2000, 500), text)))
        look(b, pixels)
        b.canvas.centerOn(1000, 250)
        image = image_of(b).convertToFormat(QImage.Format.Format_Grayscale8)
        rect = b.canvas.mapFromScene(QRectF(20, 20, 1960, 460)).boundingRect()
        part = image.copy(rect)
        seen = np.frombuffer(part.constBits(), np.uint8).reshape(part.height(), part.bytesPerLine())
        return int((seen[:, : part.width()] < 128).sum())

    for pixels in (14.0, 30.0):
        assert ink("Residual stages, as in the paper", pixels) > ink("", pixels) + 60


@pytest.mark.parametrize("zoom", [1.0, 0.45, 0.25])
def test_names_that_differ_at_their_ends_are_told_apart(bench, zoom):
    names = [f"encoder_layer_normalisation_{number}" for number in (1, 2)]
    network = chain("Input", "ReLU", "ReLU")
    for old, new in zip(("relu1", "relu2"), names, strict=True):
        network = edit.rename(network, old, new)
    b = bench(edit.move(network, dict(zip(names, ((0.0, 0.0), (0.0, 400.0)), strict=True))))
    b.canvas.zoom(zoom / b.canvas.zoom_factor)
    b.canvas.sharpen()
    image = image_of(b)

    def title(id: str) -> QImage:
        shown = b.canvas.mapFromScene(b.canvas.drawing.nodes[id].rect).boundingRect()
        return image.copy(shown.adjusted(6, 3, -6, -shown.height() // 4))

    assert title(names[0]) != title(names[1])


def test_a_measures_figures_can_be_read_wherever_they_are_written(qapp):
    nearest = {NEAR: NEAR_FROM, MIDDLE: MIDDLE_FROM, COARSE: COARSE_FROM}
    for detail, zoom in nearest.items():
        assert overlay.SIZES[detail] * zoom >= 6.0, detail
        assert overlay.SIZES[detail] + 7.0 - 4.0 < BELOW, "within what the card repaints"
        for figure in ("0.00236", "6.36e-4", "-1.23e-10", "99.95 %"):
            words, size = overlay.written(figure, detail)
            assert words == figure
            assert size >= 0.5 * overlay.SIZES[detail], f"{figure} at detail {detail}"


# ---------------------------------------------------------------------------- hands


def test_from_afar_a_press_beside_a_selected_card_drags_all_that_is_selected(bench):
    b = bench(wide())
    look(b, 0.9 * DUST)
    chosen = ("add_149", "conv2d_150", "add_154")
    before = b.network
    beside = b.at(b.canvas.drawing.nodes["add_149"].rect.topRight()) + QPoint(4, -4)
    hands.drag(b.port, beside, beside + QPoint(0, 60))
    assert b.network == before, "nothing was selected"
    b.selection.set(chosen)
    hands.drag(b.port, beside, beside + QPoint(0, 60))
    old, new = before.positions(), b.network.positions()
    moved = {id for id in new if tuple(new[id]) != tuple(old[id])}
    assert moved == set(chosen)
    shifts = {(new[id][0] - old[id][0], new[id][1] - old[id][1]) for id in chosen}
    assert len(shifts) == 1
    b.undo_and_redo(before)
    beside = b.at(b.canvas.drawing.nodes["add_149"].rect.topRight()) + QPoint(4, -4)
    hands.click(b.port, beside)
    assert b.selection.nodes == (), "a click beside it is one on the ground"


@pytest.mark.parametrize("pixels", [0.9 * DUST, 58.0])
def test_the_extent_of_the_whole_is_that_of_its_cards_and_marks_whatever_is_done(bench, pixels):
    b = bench(wide(200, frame=Frame((-95000.0, -9000.0, 600.0, 400.0), "Aside")))
    look(b, pixels)

    def agrees() -> None:
        b.canvas.drawing.complete()
        found = QRectF()
        for kind in (b.canvas.drawing.nodes, b.canvas.drawing.marks):
            for item in kind.values():
                found = found.united(item.rect)
        assert b.canvas.drawing.content() == found

    agrees()
    b.selection.set(("image", "add_149"))
    start = b.node("add_149")
    hands.drag(b.port, start, start + QPoint(0, 90), drop=False)
    agrees()
    hands.release(b.port, start + QPoint(0, 90))
    agrees()
    b.canvas.editor.select_all()
    b.canvas.editor.copy()
    b.canvas.editor.paste(QPointF(50_000.0, 40_000.0))
    agrees()
    b.document.edit(edit.move(b.network, {"conv2d_0": (0.0, 90_000.0)}), "Lowest")
    height = b.canvas.drawing.nodes["conv2d_0"].rect.height()
    b.document.edit(edit.set_activation(b.network, "conv2d_0", Choice("ReLU")), "Taller")
    assert b.canvas.drawing.nodes["conv2d_0"].rect.height() > height
    agrees()
    for _ in range(4):
        b.document.undo_stack.undo()
        agrees()
    b.selection.set(("image",))
    b.canvas.editor.remove_selection()
    agrees()


def test_to_delete_all_and_to_undo_that_leaves_the_view_where_it_is(bench):
    b = bench(network_of(200))
    b.canvas.fit()
    before = b.canvas.zoom_factor, b.canvas.scroll_position()
    b.canvas.editor.select_all()
    b.canvas.editor.remove_selection()
    assert (b.canvas.zoom_factor, b.canvas.scroll_position()) == before
    b.document.undo_stack.undo()
    assert (b.canvas.zoom_factor, b.canvas.scroll_position()) == before


def test_the_first_edit_leaves_the_view_where_it_is_though_it_changes_every_layer(bench):
    b = bench(chain("Linear", "Linear", "Linear"))
    b.canvas.zoom(0.6)
    b.canvas.centerOn(-300, 50)
    before = b.canvas.zoom_factor, b.canvas.scroll_position()
    after = b.network
    for id in b.network.nodes:
        after = edit.set_field(after, id, "bias", False)
    b.document.edit(after, "Without biases")
    assert (b.canvas.zoom_factor, b.canvas.scroll_position()) == before


def test_cards_that_come_one_after_the_other_lie_above_as_they_are_selected(bench, qapp):
    b = bench(wide())
    look(b, 20.0)
    image_of(b)
    b.selection.set(list(b.network.nodes)[:120])
    b.canvas.editor.copy()
    b.canvas.editor.paste(QPointF(3000.0, 2000.0))
    drawing = b.canvas.drawing
    while drawing.arrivals:
        qapp.processEvents()
        b.port.repaint()
    shown = image_of(b)
    drawing.far.touch_choice()
    drawing.far.forget()
    assert image_of(b) == shown, "as if it were made anew"


# ---------------------------------------------------------------------------- themes


def test_another_theme_gives_wires_of_which_a_measure_says_nothing_its_colour(bench):
    b = bench(network_of(30))
    b.canvas.set_overlay({"add_29": Mark("#cc3311", "0.1")})
    wire = b.canvas.drawing.wires[b.network.edges[0]]
    try:
        for name in ("dark", "light"):
            theme.choose(name)
            assert wire.pen().color() == b.canvas.drawing.look.unknown_wire
    finally:
        theme.choose("light")


def test_another_theme_gives_the_drawing_from_afar_its_colours_and_leads_no_wire_anew(bench, qapp):
    b = bench(network_of(1000))
    b.canvas.fit()
    assert b.canvas.drawing.detail == FAR
    light = image_of(b)
    far = b.canvas.drawing.far
    try:
        theme.choose("dark")
        assert not far._touched_wires
        assert not far._touched_cards
        dark = image_of(b)
        far.forget()
        assert image_of(b) == dark, "as if it were made anew"
    finally:
        theme.choose("light")
    assert dark != light
    assert image_of(b) == light
