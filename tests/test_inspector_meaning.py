"""Whether a network means the same is told by a number, for answers that are kept: thousands of layers are not compared."""

from __future__ import annotations

from msgspec.structs import replace

from engine import edit
from engine.network import Block, Data
from gui.document import Document
from gui.inspector.subject import Subject
from gui.selection import Selection
from tests.test_inspector import NETWORK


def meanings(*networks) -> list[int]:
    """The numbers as one network after the other is looked at."""
    document = Document(networks[0])
    subject = Subject(document, Selection(), {})
    found = []
    for network in networks:
        document.replace(network)
        found.append(subject.meaning)
    return found


def test_what_is_moved_or_named_otherwise_means_the_same(qapp) -> None:
    moved = edit.move(NETWORK, {"conv1": (5.0, 5.0)})
    assert len(set(meanings(NETWORK, moved, edit.set_name(moved, "Other")))) == 1


def test_what_differs_in_a_layer_a_wire_a_block_a_default_or_the_recipe_means_something_else(qapp) -> None:
    others = [
        edit.set_field(NETWORK, "conv1", "out_channels", 4),
        edit.remove(NETWORK, edges=NETWORK.edges[:1]),
        replace(NETWORK, blocks={"B": Block()}),
        replace(NETWORK, defaults={"init": {"all": {"weight": {"id": "zeros"}}}}),
        replace(NETWORK, recipe=replace(NETWORK.recipe, data=Data("digits"))),
    ]
    found = meanings(NETWORK, *others)
    assert len(set(found)) == 1 + len(others)


def test_an_undo_leads_back_to_the_number_of_before(qapp) -> None:
    edited = edit.set_field(NETWORK, "conv1", "out_channels", 4)
    first, second, again = meanings(NETWORK, edited, NETWORK)
    assert first == again != second


def test_two_subjects_have_no_number_in_common(qapp) -> None:
    assert not set(meanings(NETWORK)) & set(meanings(NETWORK))
