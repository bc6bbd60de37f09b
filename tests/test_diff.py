"""Changes between any two networks lead there and back, to the order of things."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import diff, edit
from engine.diff import Change
from engine.network import Choice, Network, Node
from engine.storage import form
from tests.strategies import gestures, networks


def text(network: Network) -> bytes:
    """The document to the last byte, so that the order of keys counts."""
    return msgspec.json.encode(form.to_form(network))


@settings(max_examples=150, deadline=None)
@given(networks(), networks())
def test_changes_lead_from_any_network_to_any_other_and_back(before: Network, after: Network) -> None:
    changed = diff.changes(before, after)
    assert text(diff.apply(before, changed)) == text(after)
    assert text(diff.apply(after, diff.invert(changed))) == text(before)


@settings(max_examples=100, deadline=None)
@given(networks(), st.lists(gestures(), max_size=6))
def test_every_gesture_is_undone_by_its_changes(network: Network, done: list) -> None:
    steps = []
    for gesture in done:
        try:
            after = gesture(network)
        except edit.EditProblem:
            continue
        changed = diff.changes(network, after)
        assert text(diff.apply(network, changed)) == text(after)
        steps.append((text(network), changed))
        network = after
    for earlier, changed in reversed(steps):
        network = diff.apply(network, diff.invert(changed))
        assert text(network) == earlier


@settings(max_examples=50, deadline=None)
@given(networks())
def test_changes_travel_as_plain_values(network: Network) -> None:
    changed = diff.changes(Network(), network)
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(changed), type=tuple[Change, ...])
    assert text(diff.apply(Network(), sent)) == text(network)


@settings(max_examples=50, deadline=None)
@given(networks())
def test_a_network_does_not_differ_from_itself(network: Network) -> None:
    assert diff.changes(network, form.from_form(form.to_form(network))) == ()


def test_a_change_of_one_field_names_its_path_and_both_values() -> None:
    before = Network(nodes={"fc": Node("Linear", {"out_features": 3})})
    after = edit.set_field(before, "fc", "out_features", 4)
    assert diff.changes(before, after) == (Change(("nodes", "fc", "fields", "out_features"), 3, 4),)


def test_the_only_entry_of_a_part_may_give_way_to_another() -> None:
    one = Network(nodes={"fc": Node("Linear", binarize={"input": Choice("lbsign")})})
    other = Network(nodes={"fc": Node("Linear", binarize={"weight": Choice("lbsign")})})
    assert text(diff.apply(one, diff.changes(one, other))) == text(other)


def test_true_and_one_are_different_values() -> None:
    before = Network(nodes={"fc": Node("Linear", {"bias": 1})})
    assert len(diff.changes(before, edit.set_field(before, "fc", "bias", True))) == 1
