"""The document: undo, redo, merged steps, saving and what counts as changed."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from window_helpers import template

from engine import edit
from engine.network import Choice, End, Network
from engine.problems import FileProblem
from engine.storage import file
from gui.document import Document
from gui.selection import Selection

pytestmark = pytest.mark.gui


@pytest.fixture
def document(qapp) -> Document:
    return Document(template())


def test_undo_brings_back_exactly_what_was(document: Document) -> None:
    before = document.network
    document.edit(edit.remove(before, ["fc1"], heal=True), "Delete fc1")
    assert "fc1" not in document.network.nodes
    document.undo_stack.undo()
    assert document.network == before
    assert list(document.network.nodes) == list(before.nodes)
    assert document.network.edges == before.edges


def test_an_edit_that_changes_nothing_is_no_step(document: Document) -> None:
    network = document.network
    document.edit(edit.set_field(network, "fc1", "out_features", 256), "Same again")
    assert document.undo_stack.count() == 0
    assert document.clean


def test_steps_of_one_gesture_are_undone_together(document: Document) -> None:
    before = document.network
    for width in (100, 101, 102):
        document.edit(edit.set_field(document.network, "fc1", "out_features", width), "Widen", merge="width")
    assert document.undo_stack.count() == 1
    assert document.network.nodes["fc1"].fields["out_features"] == 102
    document.undo_stack.undo()
    assert document.network == before
    document.undo_stack.redo()
    assert document.network.nodes["fc1"].fields["out_features"] == 102


def test_a_gesture_that_ends_where_it_began_leaves_no_step(document: Document) -> None:
    before = document.network
    for width in (100, 256):
        document.edit(edit.set_field(document.network, "fc1", "out_features", width), "Widen", merge="width")
    assert document.network == before
    assert document.undo_stack.count() == 0
    assert document.clean


def test_after_the_end_of_a_gesture_the_next_one_is_its_own_step(document: Document) -> None:
    document.edit(edit.set_field(document.network, "fc1", "out_features", 100), "Widen", merge="width")
    document.end_merge()
    document.edit(edit.set_field(document.network, "fc1", "out_features", 101), "Widen", merge="width")
    assert document.undo_stack.count() == 2
    document.undo_stack.undo()
    assert document.network.nodes["fc1"].fields["out_features"] == 100


def test_gestures_with_different_keys_do_not_merge(document: Document) -> None:
    document.edit(edit.set_field(document.network, "fc1", "out_features", 100), "Widen", merge="fc1")
    document.edit(edit.set_field(document.network, "fc2", "out_features", 100), "Widen", merge="fc2")
    assert document.undo_stack.count() == 2


@pytest.mark.parametrize("seed", range(8))
def test_any_sequence_of_edits_can_be_walked_back_and_forth(qapp, seed: int) -> None:
    """Against an independent record: the networks themselves, kept in a list."""
    chance = random.Random(seed)
    document = Document(template("residual_digits"))
    seen = [document.network]
    for _ in range(40):
        network = document.network
        ids = list(network.nodes)
        id = chance.choice(ids)
        kind = chance.randrange(6)
        try:
            if kind == 0:
                after = edit.remove(network, [id], heal=chance.random() < 0.5)
            elif kind == 1:
                after = edit.rename(network, id, f"n{chance.randrange(10**6)}")
            elif kind == 2:
                after = edit.add_node(
                    network, edit.fresh_id(network, "Linear"), edit.new_node("Linear"), (1.0, 2.0)
                )
            elif kind == 3:
                after = edit.connect(network, End(id), End(chance.choice(ids)))
            elif kind == 4:
                after = edit.set_activation(network, id, Choice(chance.choice(["ReLU", "Tanh"])))
            else:
                after = edit.move(network, {id: (chance.random() * 500, chance.random() * 500)})
        except edit.EditProblem:
            continue
        document.edit(after, f"Step {kind}", merge=chance.choice([None, None, "drag"]))
        if document.undo_stack.count() == len(seen):
            seen.append(document.network)
        else:
            del seen[document.undo_stack.count() :]
            seen.append(document.network)
    for expected in reversed(seen):
        assert document.network == expected
        assert file.dumps(document.network) == file.dumps(expected)
        document.undo_stack.undo()
    for expected in seen[1:]:
        document.undo_stack.redo()
        assert file.dumps(document.network) == file.dumps(expected)


def test_views_hear_of_undo_with_both_networks(document: Document) -> None:
    heard: list[tuple[Network, Network]] = []
    before = document.network
    document.changed.connect(lambda a, b: heard.append((a, b)))
    after = edit.set_name(before, "Other")
    document.edit(after, "Rename")
    document.undo_stack.undo()
    assert heard == [(before, after), (after, before)]


def test_saving_makes_it_clean_and_undo_makes_it_changed_again(document: Document, tmp_path) -> None:
    path = tmp_path / "net.layerlab"
    heard: list[bool] = []
    document.clean_changed.connect(heard.append)
    document.edit(edit.set_name(document.network, "Other"), "Rename")
    assert not document.clean
    document.save(path)
    assert document.clean
    assert document.path == path
    assert file.read(path) == document.network
    document.undo_stack.undo()
    assert not document.clean
    assert heard == [False, True, False]


def test_an_edit_after_saving_never_melts_into_the_saved_step(document: Document, tmp_path) -> None:
    document.edit(edit.set_field(document.network, "fc1", "out_features", 100), "Widen", merge="width")
    document.save(tmp_path / "net.layerlab")
    document.edit(edit.set_field(document.network, "fc1", "out_features", 101), "Widen", merge="width")
    assert not document.clean
    document.undo_stack.undo()
    assert document.clean
    assert document.network == file.read(tmp_path / "net.layerlab")


def test_a_file_that_cannot_be_read_leaves_the_document_alone(document: Document, tmp_path) -> None:
    document.edit(edit.set_name(document.network, "Mine"), "Rename")
    bad = tmp_path / "bad.layerlab"
    bad.write_text("{")
    with pytest.raises(FileProblem):
        document.open(bad)
    assert document.network.name == "Mine"
    assert document.undo_stack.canUndo()


def test_another_network_begins_a_history_of_its_own(document: Document) -> None:
    document.edit(edit.set_name(document.network, "Mine"), "Rename")
    document.replace(Network())
    assert document.clean
    assert not document.undo_stack.canUndo()


def test_a_restored_network_counts_as_unsaved(document: Document) -> None:
    document.replace(template(), clean=False)
    assert not document.clean


def test_the_selection_tells_only_of_changes(qapp) -> None:
    selection = Selection()
    heard: list[tuple[str, ...]] = []
    selection.changed.connect(lambda: heard.append(selection.nodes))
    selection.set(["a", "b", "a"])
    selection.set(["a", "b"])
    assert heard == [("a", "b")]
    assert selection.current == "b"
    selection.show_block("Basic")
    assert selection.current is None


#: The collector meets a step before the document: the document alone hangs on the step at the first collection.
COLLECTED_STEP_FIRST = """
import gc
gc.disable()
from PySide6.QtCore import QCoreApplication
from engine import edit
from engine.network import Network, Node
from gui.document import Document
application = QCoreApplication([])
for _ in range(50):
    document, network = Document(), Network()
    for name in ("a", "b", "c"):
        network = edit.add_node(network, name, Node("ReLU"))
        document.edit(network, name)
    steps = [document.undo_stack.command(number) for number in range(3)]
    del document
    gc.collect()
    del steps
    gc.collect()
print("whole")
"""


def test_a_document_with_steps_may_be_left_to_the_collector_in_any_order() -> None:
    said = subprocess.run(
        [sys.executable, "-c", COLLECTED_STEP_FIRST], capture_output=True, text=True, timeout=60
    )
    assert (said.stdout.strip(), said.returncode) == ("whole", 0), said.stderr
