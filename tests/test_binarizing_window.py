"""Binarize from the window: the dialog tells all that changes, and one undo step takes it back."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("PySide6")
from engine.analysis import analyze
from engine.binarize_network import binarize
from engine.templates import template
from gui.binarizing import BinarizeDialog
from gui.difference import Picture, compare
from gui.document import Document
from tests.networks import choice
from tests.window_helpers import PlayedPool, close_window, open_window

pytestmark = pytest.mark.gui


class Bench:
    """A document and the dialog over it."""

    def __init__(self, qtbot: Any, name: str = "residual_digits", **how: Any) -> None:
        self.network = template(name).network
        self.document = Document(self.network)
        self.analysis = analyze(self.network)
        self.dialog = BinarizeDialog(self.document, self.analysis, **how)
        qtbot.addWidget(self.dialog)

    def rows(self) -> dict[str, list[tuple[str, str]]]:
        """What the list shows: heading -> (layer, what becomes of it)."""
        found = {}
        for i in range(self.dialog.list.topLevelItemCount()):
            head = self.dialog.list.topLevelItem(i)
            assert head is not None
            rows = [head.child(j) for j in range(head.childCount())]
            found[head.text(0).partition(" (")[0]] = [(row.text(0), row.text(1)) for row in rows]
        return found


@pytest.fixture
def bench(qtbot: Any) -> Bench:
    return Bench(qtbot)


def test_all_that_changes_is_told_before_anything_does(bench: Bench) -> None:
    expected = binarize(bench.network, bench.analysis)
    rows = bench.rows()
    assert rows["Binarized"] == [(told.where, told.what) for told in expected.layers]
    assert rows["Changed, so that they learn"] == [(told.where, told.what) for told in expected.changes]
    assert rows["Stay real"] == [(told.where, told.why) for told in expected.kept]
    assert bench.document.network is bench.network
    assert bench.dialog.why.text().startswith("Why: ")


def test_the_button_makes_it_one_undo_step(bench: Bench) -> None:
    bench.dialog.do.click()
    assert bench.document.network == binarize(bench.network, bench.analysis).network
    assert bench.document.undo_stack.count() == 1
    assert bench.document.undo_stack.undoText() == "Binarize the network"
    bench.document.undo_stack.undo()
    assert bench.document.network == bench.network


def test_another_estimator_is_planned_at_once(bench: Bench) -> None:
    box = bench.dialog.input.box
    box.setCurrentIndex(box.findData("approx_sign"))
    box.activated.emit(box.currentIndex())
    assert bench.rows()["Binarized"][0] == ("conv2", "weights by ste_sign, input by approx_sign")
    box.setCurrentIndex(0)
    box.activated.emit(0)
    assert bench.rows()["Binarized"][0] == ("conv2", "weights by ste_sign")
    bench.dialog.do.click()
    assert bench.document.network.nodes["conv2"].binarize == {"weight": choice("ste_sign")}


def test_what_cannot_be_done_is_said_and_not_offered(qtbot: Any) -> None:
    bench = Bench(qtbot, nodes=["fc"])
    assert "the last layer's answers need fine steps" in bench.dialog.said.text()
    assert not bench.dialog.do.isEnabled()
    done = Bench(qtbot, "digits_binarized_mlp")
    assert done.dialog.said.text() == "All of this is so already."
    assert not done.dialog.do.isEnabled()


def test_a_selection_is_all_that_is_planned(qtbot: Any) -> None:
    bench = Bench(qtbot, nodes=["conv3"])
    assert bench.dialog.windowTitle() == "Binarize conv3"
    assert [where for where, _ in bench.rows()["Binarized"]] == ["conv3"]


def test_menu_and_command_palette_lead_to_it(qtbot: Any, tmp_path: Any) -> None:
    pool = PlayedPool()
    window = open_window(tmp_path, pool, template("residual_digits").network)
    try:
        qtbot.waitUntil(lambda: bool(pool.analyses))
        pool.answer(analyze(window.document.network))
        qtbot.waitUntil(lambda: bool(window.workers.analysis.nodes))
        assert "Binarize the network" in [command.title for command in window.menus.commands()]
        selected = window.commands["edit.binarize_selected"]
        assert not selected.isEnabled()
        window.selection.set(("conv2",))
        assert selected.isEnabled()
        whole = window.commands["edit.binarize"]
        for action, title in ((whole, "Binarize the network"), (selected, "Binarize conv2")):
            action.trigger()
            (dialog,) = [d for d in window.findChildren(BinarizeDialog) if d.isVisible()]
            assert dialog.windowTitle() == title
            dialog.do.click()
            qtbot.waitUntil(lambda: not [d for d in window.findChildren(BinarizeDialog) if d.isVisible()])
            assert window.document.network.nodes["conv2"].binarize
            assert bool(window.document.network.nodes["conv5"].binarize) == (action is whole)
            window.document.undo_stack.undo()
    finally:
        close_window(window)


def test_the_inspector_leads_to_it_for_its_layer(qtbot: Any) -> None:
    from gui.inspector import Inspector
    from gui.selection import Selection
    from tests.test_inspector import FakeWorkers

    document, selection = Document(template("residual_digits").network), Selection()
    inspector = Inspector(document, selection, FakeWorkers())
    qtbot.addWidget(inspector)
    inspector.set_analysis(analyze(document.network))
    selection.set(("conv4",))
    inspector.show()
    panel = inspector.panel
    panel.binarize.set_open(True)  # type: ignore[union-attr]
    panel.binarize.whole.click()  # type: ignore[union-attr]
    dialog = inspector.findChild(BinarizeDialog)
    assert dialog is not None
    assert dialog.windowTitle() == "Binarize conv4"
    dialog.do.click()
    assert document.network.nodes["conv4"].fields["padding_mode"] == "replicate"
    assert document.undo_stack.count() == 1


def test_a_third_of_the_screen_is_not_lost_and_several_rows_are_seen(bench: Bench, qtbot: Any) -> None:
    screen, dialog = bench.dialog.screen().availableSize(), bench.dialog
    dialog.show()
    assert dialog.height() > min(700, screen.height() * 0.85)
    assert dialog.width() <= screen.width()
    first = dialog.list.topLevelItem(0)
    assert first is not None
    assert dialog.list.viewport().height() >= 4 * dialog.list.visualItemRect(first.child(0)).height()


@pytest.mark.parametrize("name", ["lenet5_mnist", "residual_digits", "resnet50"])
def test_the_picture_of_a_difference_holds_every_wire(qtbot: Any, name: str) -> None:
    picture = Picture(compare(template(name).network, template(name).network))
    qtbot.addWidget(picture)
    picture.resize(680, 300)
    image = picture.grab().toImage()
    edge = {image.pixelColor(x, y).rgb() for x in range(image.width()) for y in (0, image.height() - 1)}
    edge |= {image.pixelColor(x, y).rgb() for x in (0, image.width() - 1) for y in range(image.height())}
    inside = {image.pixelColor(x, image.height() // 2).rgb() for x in range(image.width())}
    assert len(edge) == 1  # the ground alone
    assert len(inside) > 1
