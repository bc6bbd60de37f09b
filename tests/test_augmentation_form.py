"""Augmentation as forms: added, ordered, set and removed by hand, and seen before and after."""

import pytest
import torch
from PySide6.QtCore import Qt

from engine.analysis import analyze
from engine.data.augment import preview
from engine.data.view import view
from engine.network import Choice, Data, Network, Recipe
from gui.document import Document
from gui.recipe import RecipePanel

pytestmark = pytest.mark.gui


@pytest.fixture
def panel(qtbot):
    document = Document(Network(recipe=Recipe(data=Data("digits"))))
    panel = RecipePanel(document)
    panel.document = document
    qtbot.addWidget(panel)
    panel.resize(320, 900)
    panel.show()
    panel._varying.set_open(True)
    return panel


def augment(panel) -> list[tuple[str, dict]]:
    return [(choice.id, dict(choice.fields)) for choice in panel.document.network.recipe.data.augment]


def add(panel, title: str) -> None:
    menu = panel.augmentation.menu
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if action.text() == title).trigger()


def test_they_are_added_from_a_menu_that_says_which_do_not_suit(panel):
    assert panel.augmentation.none.isVisible()
    add(panel, "Rotate")
    add(panel, "Mixup")
    assert [id for id, _ in augment(panel)] == ["rotate", "mixup"]
    assert not panel.augmentation.none.isVisible()
    recipe = panel.document.network.recipe
    panel._data_chosen(lambda before: Choice("iris"), "")
    panel.augmentation.menu.aboutToShow.emit()
    enabled = {action.text(): action.isEnabled() for action in panel.augmentation.menu.actions()}
    assert (enabled["Flip"], enabled["Noise"], enabled["Mixup"]) == (False, True, True)
    assert recipe.data.augment == panel.document.network.recipe.data.augment, "a choice is never thrown away"


def test_order_is_changed_by_buttons_and_each_step_is_undone_by_itself(panel, qtbot):
    for title in ("Rotate", "Noise", "Mixup"):
        add(panel, title)
    up = panel.augmentation.cards[2].up
    qtbot.mouseClick(up, Qt.MouseButton.LeftButton)
    assert [id for id, _ in augment(panel)] == ["rotate", "mixup", "noise"]
    first, *_, last = panel.augmentation.cards
    assert not first.up.isEnabled()
    assert not last.down.isEnabled()
    qtbot.mouseClick(panel.augmentation.cards[0].remove, Qt.MouseButton.LeftButton)
    assert [id for id, _ in augment(panel)] == ["mixup", "noise"]
    panel.document.undo_stack.undo()
    panel.document.undo_stack.undo()
    assert [id for id, _ in augment(panel)] == ["rotate", "noise", "mixup"]
    assert [card.id for card in panel.augmentation.cards] == ["rotate", "noise", "mixup"]


def test_fields_are_set_in_the_form_and_a_default_is_left_out_of_the_file(panel, qtbot):
    add(panel, "Rotate")
    (card,) = panel.augmentation.cards
    line = card.form.editor("degrees").line
    line.selectAll()
    qtbot.keyClicks(line, "45")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert augment(panel) == [("rotate", {"degrees": 45.0})]
    card.form.row("degrees").reset.click()
    assert augment(panel) == [("rotate", {})]


def test_a_wrong_value_and_one_that_does_not_suit_are_marked_at_their_card(panel):
    data = Data("iris", augment=(Choice("noise", {"std": -1}), Choice("flip")))
    network = panel.document.network
    panel.document.edit(Network(recipe=Recipe(data=data)), "Set the data")
    panel.set_analysis(analyze(panel.document.network))
    noise, flip = panel.augmentation.cards
    assert "std" in noise.message.text()
    assert "flip varies image" in flip.message.text()
    panel.document.edit(network, "Back")
    assert panel.augmentation.cards == []


def test_what_is_unknown_is_kept_and_can_be_removed(panel):
    data = Data("digits", augment=(Choice("flop", {"much": 3}),))
    panel.document.edit(Network(recipe=Recipe(data=data)), "Set the data")
    (card,) = panel.augmentation.cards
    assert card.name.text() == "flop (unknown)"
    assert augment(panel) == [("flop", {"much": 3})]
    card.remove.click()
    assert augment(panel) == []


def test_examples_are_shown_before_and_after_beside_the_forms(panel):
    add(panel, "Rotate")
    told = view(panel.document.network.recipe.data)
    panel.augmentation.show_view(told)
    assert panel.augmentation.preview.isVisible()
    before = panel.augmentation.preview.grab().toImage()
    add(panel, "Noise")
    panel.augmentation.show_view(view(panel.document.network.recipe.data))
    assert panel.augmentation.preview.grab().toImage() != before
    panel.document.edit(Network(recipe=Recipe(data=Data("digits"))), "None")
    assert not panel.augmentation.preview.isVisible()


# ---------------------------------------------------------------------------- what is shown


def test_the_preview_of_mixup_blends_pictures_and_says_of_which_classes():
    x = torch.eye(6)
    shown = preview(x, [Choice("mixup", {"alpha": 1.0})], 0, "a")
    share, partner = shown.share[:, None], shown.partner
    assert torch.allclose(shown.values, share * x + (1 - share) * x[partner], atol=1e-6)
    told = view(Data("digits", augment=(Choice("mixup", {"alpha": 1.0}),)))
    blended = [sample for sample in told.samples if "%" in sample.varied_target]
    assert blended
    for sample in blended:
        mine, other = sample.varied_target.split(", ")
        assert mine.endswith(f" % of {sample.target}")
        assert int(mine.partition(" %")[0]) + int(other.partition(" %")[0]) in (99, 100, 101)
        assert sample.augmented != sample.picture


def test_numbers_and_lines_are_shown_before_and_after_too(tmp_path):
    noise = (Choice("noise", {"std": 1.0}), Choice("mixup"))
    sample = view(Data("iris", augment=noise)).samples[0]
    assert len(sample.varied_values) == len(sample.values) == 4
    assert sample.varied_values != sample.values
    (tmp_path / "a.csv").write_text("t,a\n" + "".join(f"{t},{t % 7}\n" for t in range(200)))
    sample = view(Data("series", {"path": str(tmp_path / "a.csv")}, augment=noise)).samples[0]
    assert sample.varied_lines != sample.lines
    assert sample.varied_target != sample.target, "the value is blended as the window is"
