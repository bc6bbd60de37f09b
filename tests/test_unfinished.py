"""Text in a field that says no value: it counts for nothing, and is not lost without a word."""

from __future__ import annotations

import shutil

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMessageBox
from window_helpers import PlayedPool, answer_next_box, close_window, open_window, template, template_path

from engine import edit
from engine.findings import Analysis, Problem
from engine.network import Choice, Node, Recipe
from engine.runs import owner
from engine.storage import file, journal, recovery
from gui.recovery import RESTORE, Keeper
from gui.window import Window

pytestmark = pytest.mark.gui
BUTTON = QMessageBox.StandardButton


@pytest.fixture
def pool() -> PlayedPool:
    return PlayedPool()


@pytest.fixture
def window(qtbot, tmp_path, pool):
    """A saved document with nothing changed."""
    shown = open_window(tmp_path, pool, template("lenet5_mnist"))
    shown.document.save(tmp_path / "mine.layerlab")
    yield shown
    close_window(shown)


def layer(window: Window, type: str) -> str:
    return next(id for id, node in window.document.network.nodes.items() if node.type == type)


def type_into(line: QLineEdit, text: str) -> None:
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)


def type_wrong(window: Window, text: str = "3 x") -> str:
    """Leave a kernel size unfinished, and look at another layer."""
    conv = layer(window, "Conv2d")
    window.selection.set([conv])
    type_into(window.inspector.panel.fields.form.editor("kernel_size").line, text)
    window.selection.set([layer(window, "Linear")])
    return conv


def test_closing_a_saved_document_asks_and_says_which_field_and_why(window) -> None:
    conv = type_wrong(window)
    assert window.document.clean
    seen: list[str] = []
    answer_next_box(BUTTON.Cancel, seen)
    assert not window.close()
    assert seen == [
        "Close mine.layerlab?\n"
        f"{conv} › kernel_size does not count yet: '3 x' is not one or 2 whole numbers from 1 to 255.\n"
        "No file holds that text."
    ]


def test_cancel_leads_to_the_field_with_the_text_as_it_was_typed(window, qtbot) -> None:
    conv = type_wrong(window)
    window.docks.reveal("recipe")
    answer_next_box(BUTTON.Cancel)
    assert not window.close()
    qtbot.waitUntil(lambda: window.selection.nodes == (conv,))
    line = window.inspector.panel.fields.form.editor("kernel_size").line
    window.activateWindow()  # as a window manager does
    qtbot.waitUntil(line.hasFocus)
    assert line.text() == "3 x"
    assert not line.visibleRegion().isEmpty()


def test_discard_closes(window) -> None:
    type_wrong(window)
    answer_next_box(BUTTON.Discard)
    assert window.close()


def test_with_unsaved_changes_one_question_tells_both(window) -> None:
    type_wrong(window)
    window.document.edit(edit.set_name(window.document.network, "Other"), "Rename")
    seen: list[str] = []
    answer_next_box(BUTTON.Cancel, seen)
    assert not window.close()
    assert "Save the changes to mine.layerlab?" in seen[0]
    assert "kernel_size does not count yet" in seen[0]
    assert "What is not saved is lost." in seen[0]


def test_opening_another_document_asks_too_and_begins_without_the_text(window) -> None:
    conv = type_wrong(window)
    window.selection.set([conv])
    answer_next_box(BUTTON.Cancel)
    assert not window.files.open_path(template_path("lenet5_mnist"))
    answer_next_box(BUTTON.Discard)
    assert window.files.open_path(template_path("lenet5_mnist"))
    assert window.unfinished() == ()
    window.selection.set([conv])
    assert window.inspector.panel.fields.form.editor("kernel_size").line.text() != "3 x"


def test_a_value_that_was_put_right_or_taken_back_is_not_asked_about(window) -> None:
    conv = type_wrong(window)
    window.selection.set([conv])
    line = window.inspector.panel.fields.form.editor("kernel_size").line
    type_into(line, "5")
    assert window.unfinished() == ()
    type_into(line, "5 x")
    assert len(window.unfinished()) == 1
    QTest.keyClick(line, Qt.Key.Key_Escape)
    assert window.unfinished() == ()


def test_a_text_of_a_layer_that_is_gone_is_not_asked_about_until_it_is_back(window) -> None:
    conv = type_wrong(window)
    window.document.edit(edit.remove(window.document.network, [conv]), "Delete")
    assert window.unfinished() == ()
    window.document.undo_stack.undo()
    assert [text.where for text in window.unfinished()] == [f"{conv} › kernel_size"]


def test_a_text_of_a_field_that_the_layer_has_no_more_is_not_asked_about(window) -> None:
    conv = type_wrong(window)
    network = window.document.network
    nodes = {**network.nodes, conv: Node("Flatten")}
    window.document.edit(msgspec.structs.replace(network, nodes=nodes), "Take another version")
    assert window.unfinished() == ()
    window.document.undo_stack.undo()
    assert [text.where for text in window.unfinished()] == [f"{conv} › kernel_size"]


def test_save_and_train_say_in_one_line_what_had_no_part_in_it(window) -> None:
    conv = type_wrong(window)
    said = f"{conv} › kernel_size does not count yet: '3 x' is not one or 2 whole numbers from 1 to 255."
    QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert window.status.currentMessage() == said
    window.status.clearMessage()
    window.docks.reveal("recipe")
    type_into(window.recipe.length.editor("epochs").line, "many")
    QTest.keyClick(window, Qt.Key.Key_F5)
    assert window.session.active
    assert window.status.currentMessage() == f"{said} And 1 more field."


@pytest.mark.parametrize(
    "begin", [lambda w: w.diagnosing.train_on(), lambda w: w.running.train()], ids=["train on", "train"]
)
def test_however_a_run_is_begun_what_has_no_part_in_it_is_said(window, begin) -> None:
    conv = type_wrong(window)
    begin(window)
    assert window.session.active
    assert window.status.currentMessage().startswith(f"{conv} › kernel_size does not count yet")


def test_where_training_is_refused_both_are_said(window, pool, qtbot) -> None:
    qtbot.waitUntil(lambda: bool(pool.analyses))
    pool.answer(Analysis(problems=(Problem("error", "window", "too large", "fc1", "out_features"),)))
    qtbot.waitUntil(lambda: window.workers.current)
    type_wrong(window)
    QTest.keyClick(window, Qt.Key.Key_F5)
    message = window.status.currentMessage()
    assert message.startswith("One error keeps the network from training. ")
    assert "kernel_size does not count yet" in message


def test_what_is_being_typed_and_is_right_is_taken_and_not_spoken_of(window) -> None:
    window.selection.set([layer(window, "Conv2d")])
    line = window.inspector.panel.fields.form.editor("kernel_size").line
    line.setFocus()
    line.selectAll()
    QTest.keyClicks(line, "7")
    QTest.keyClick(line, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert window.document.clean
    assert window.document.network.nodes[layer(window, "Conv2d")].fields["kernel_size"] in (7, [7, 7])
    assert "does not count" not in window.status.currentMessage()


def fields_of_the_recipe(window: Window) -> dict[str, QLineEdit]:
    recipe = window.recipe
    return {
        "recipe › length › epochs": recipe.length.editor("epochs").line,
        "recipe › split › validation": recipe.split.editor("validation").line,
        "recipe › optimizer › lr": recipe.optimizer.form.editor("lr").line,
        "recipe › augmentation 1 › degrees": recipe.augmentation.cards[0].form.editor("degrees").line,
    }


def test_each_field_of_the_recipe_is_told_by_its_place(window) -> None:
    network = window.document.network
    data = edit.set_recipe(
        network,
        Recipe(
            data=type(network.recipe.data)("mnist", augment=(Choice("rotate"),)),
            loss=network.recipe.loss,
            optimizer=Choice("SGD"),
        ),
    )
    window.document.edit(data, "Vary")
    window.docks.reveal("recipe")
    for line in fields_of_the_recipe(window).values():
        type_into(line, "much")
    assert {text.where for text in window.unfinished()} == set(fields_of_the_recipe(window))
    for text in window.unfinished():
        text.show()
        assert QApplication.focusWidget() is fields_of_the_recipe(window)[text.where], text.where


def test_an_id_that_cannot_be_waits_with_its_layer(window, qtbot) -> None:
    conv, linear = layer(window, "Conv2d"), layer(window, "Linear")
    window.selection.set([conv])
    type_into(window.inspector.panel.header.name, linear)
    assert [text.where for text in window.unfinished()] == [f"{conv} › id"]
    window.selection.set([linear])
    assert window.inspector.panel.header.name.text() == linear
    answer_next_box(BUTTON.Cancel)
    assert not window.close()
    name = window.inspector.panel.header.name
    window.activateWindow()  # as a window manager does
    qtbot.waitUntil(name.hasFocus)
    assert name.text() == linear
    QTest.keyClick(name, Qt.Key.Key_Escape)
    assert name.text() == conv
    assert window.unfinished() == ()


def test_a_text_goes_with_its_layer_as_it_is_renamed(window) -> None:
    conv = type_wrong(window)
    window.selection.set([conv])
    type_into(window.inspector.panel.header.name, "first")
    assert [text.where for text in window.unfinished()] == ["first › kernel_size"]
    assert window.inspector.panel.fields.form.editor("kernel_size").line.text() == "3 x"


def test_the_other_parts_of_a_layer_and_the_network_are_told_by_their_names(window) -> None:
    conv = layer(window, "Conv2d")
    network = edit.set_init(window.document.network, conv, "bias", Choice("constant", {"val": 1.0}))
    network = edit.set_activation(network, conv, Choice("LeakyReLU"))
    window.document.edit(network, "Choose")
    window.selection.set([conv])
    panel = window.inspector.panel
    for section in (panel.activation, panel.init, panel.training):
        section.set_open(True)
    type_into(panel.activation.choice.form.editor("negative_slope").line, "steep")
    panel.init.parameters.choose("bias")
    type_into(panel.init.editor.form.editor("val").line, "big")
    type_into(panel.training.form.editor("lr_multiplier").line, "twice")
    panel.init.parameters.choose("weight")
    assert {text.where for text in window.unfinished()} == {
        f"{conv} › activation › negative_slope",
        f"{conv} › initialisation of bias › val",
        f"{conv} › training › lr_multiplier",
    }
    window.selection.set()
    panel.training.set_open(False)
    for text in window.unfinished():
        text.show()
        assert QApplication.focusWidget().text() == text.draft.text
    panel.activation.choice.box.setFocus()
    window.document.undo_stack.undo()  # with the activation goes the field
    assert f"{conv} › activation › negative_slope" not in {text.where for text in window.unfinished()}


# ---------------------------------------------------------------------------- after a crash


def crashed(keeper: Keeper) -> None:
    """Leave what a window leaves whose process has gone."""
    (folder,) = (keeper.root / "open").iterdir()
    gone = keeper.root / "open" / "gone"
    shutil.copytree(folder, gone)
    holder = msgspec.json.decode((gone / "owner.json").read_bytes(), type=recovery.Holder)
    dead = recovery.Holder(owner.Owner(holder.owner.pid, "long ago"), holder.path)
    (gone / "owner.json").write_bytes(msgspec.json.encode(dead))


def restored(window: Window, tmp_path) -> Window:
    """Another window, in which what this one has left is taken back."""
    QApplication.processEvents()
    crashed(window.keeper)
    after = open_window(tmp_path, PlayedPool())
    after.keeper = after.keep_in(tmp_path / "kept")
    dialog = after.keeper.offer()
    after.said = dialog.text.text()
    after.listed = dialog.view.text() if isinstance(dialog.view, QLabel) else ""
    next(b for b in dialog.buttons.buttons() if b.text().replace("&", "") == RESTORE).click()
    QApplication.processEvents()
    return after


@pytest.fixture
def kept(window, tmp_path):
    window.keeper = window.keep_in(tmp_path / "kept")
    yield window
    window.closed.emit()


def test_after_a_crash_texts_stand_in_their_fields_again_marked_as_they_were(kept, tmp_path) -> None:
    conv = type_wrong(kept)
    kept.selection.set([conv])
    type_into(kept.inspector.panel.header.name, layer(kept, "Linear"))
    type_into(kept.recipe.length.editor("epochs").line, "0")  # a number that the recipe refuses
    type_into(kept.recipe.optimizer.form.editor("lr").line, "fast")
    told = {(text.where, text.draft) for text in kept.unfinished()}
    assert len(told) == 4
    after = restored(kept, tmp_path)
    try:
        assert "with 4 unfinished texts of mine.layerlab not saved" in after.said
        assert f"{conv} › kernel_size: '3 x' is not one or 2 whole numbers from 1 to 255." in after.listed
        assert "recipe › length › epochs: " in after.listed
        assert after.document.clean, "but for these the file holds all"
        assert {(text.where, text.draft) for text in after.unfinished()} == told
        after.selection.set([conv])
        form = after.inspector.panel.fields.form
        assert form.editor("kernel_size").line.text() == "3 x"
        assert form.row("kernel_size").message.text() == dict(told)[f"{conv} › kernel_size"].trouble
        assert after.inspector.panel.header.name.text() == layer(after, "Linear")
        assert after.recipe.length.editor("epochs").line.text() == "0"
        assert after.recipe.length.editor("epochs").line.property("invalid") == "true"
        # They are safe in this window too, and what the other had left is gone.
        assert not (tmp_path / "kept" / "open" / "gone").exists()
        assert len(after.keeper._journal.texts) == 4
        type_into(after.recipe.length.editor("epochs").line, "7")
        type_into(form.editor("kernel_size").line, "5")
        QApplication.processEvents()
        assert {text.field for text in after.keeper._journal.texts} == {"id", "lr"}
    finally:
        after.closed.emit()
        close_window(after)


def test_a_text_comes_back_with_the_edits_and_under_its_layers_new_name(kept, tmp_path) -> None:
    conv = type_wrong(kept)
    kept.document.edit(edit.set_name(kept.document.network, "Other"), "Rename the network")
    kept.selection.set([conv])
    type_into(kept.inspector.panel.header.name, "first")
    after = restored(kept, tmp_path)
    try:
        assert "with 2 edits and 1 unfinished text of mine.layerlab" in after.said
        assert not after.document.clean
        assert after.document.network.name == "Other"
        assert [text.where for text in after.unfinished()] == ["first › kernel_size"]
    finally:
        after.closed.emit()
        close_window(after)


def test_a_text_survives_a_save_and_one_that_was_put_right_is_not_offered(kept, tmp_path) -> None:
    conv = type_wrong(kept)
    kept.document.edit(edit.set_name(kept.document.network, "Other"), "Rename the network")
    assert kept.files.save()
    assert [text.text for text in kept.keeper._journal.texts] == ["3 x"]
    assert kept.files._write(tmp_path / "another.layerlab")
    assert [text.text for text in kept.keeper._journal.texts] == ["3 x"]
    assert [text.text for text in journal.read(kept.keeper._journal.folder).texts] == ["3 x"]
    kept.selection.set([conv])
    line = kept.inspector.panel.fields.form.editor("kernel_size").line
    QTest.keyClick(line, Qt.Key.Key_Escape)
    QApplication.processEvents()
    assert journal.read(kept.keeper._journal.folder) is None


def test_a_text_of_a_layer_that_is_back_is_kept_again(kept) -> None:
    conv = type_wrong(kept)
    kept.document.edit(edit.remove(kept.document.network, [conv]), "Delete")
    QApplication.processEvents()
    assert journal.read(kept.keeper._journal.folder).texts == ()
    kept.document.undo_stack.undo()
    QApplication.processEvents()
    assert [text.text for text in journal.read(kept.keeper._journal.folder).texts] == ["3 x"]


def test_a_text_alone_comes_back_into_the_file_as_it_is_now(kept, tmp_path) -> None:
    conv = type_wrong(kept)
    QApplication.processEvents()
    path = kept.document.path
    newer = edit.set_name(kept.document.network, "Put there by another program")
    file.write(newer, path)
    after = restored(kept, tmp_path)
    try:
        assert after.document.network == newer
        assert after.document.clean
        assert [text.where for text in after.unfinished()] == [f"{conv} › kernel_size"]
    finally:
        after.closed.emit()
        close_window(after)


def test_a_text_that_has_no_field_any_more_is_offered_once(kept, tmp_path) -> None:
    conv = type_wrong(kept)
    QApplication.processEvents()
    path = kept.document.path
    file.write(edit.remove(kept.document.network, [conv]), path)
    after = restored(kept, tmp_path)
    try:
        assert after.unfinished() == ()
        assert not (tmp_path / "kept" / "open" / "gone").exists()
    finally:
        after.closed.emit()
        close_window(after)
