"""Examples that were seen are remembered: their values go along when they are asked about again."""

from __future__ import annotations

import msgspec

from engine.host.protocol import Failed, Responded
from engine.network import Data, Network, Node, Recipe
from gui import examples
from gui.examples import Examples

NETWORK = Network("Test", {"in": Node("Input", {"shape": [2]})})


def _seen(known: Examples, index: int) -> None:
    known.values(NETWORK, "validation", index)
    known.asked(index, "validation", index)
    known.told(index, Responded(index, {}, "", ("cat", "dog"), 1.0, (), (float(index), 2.0)))


def test_an_example_that_was_seen_is_known_and_its_answer_has_its_class_again() -> None:
    known = Examples()
    assert known.values(NETWORK, "validation", 3) == ()
    _seen(known, 3)
    assert known.values(NETWORK, "validation", 3) == (3.0, 2.0)
    assert known.values(NETWORK, "train", 3) == ()
    known.asked(9, "validation", 3)
    answer = known.told(9, Responded(9, {}, "best weights", (), None, (0.4, 0.6)))
    assert answer == Responded(9, {}, "best weights", ("cat", "dog"), 1.0, (0.4, 0.6), (3.0, 2.0))


def test_other_data_another_split_and_another_input_have_other_examples() -> None:
    for other in (
        msgspec.structs.replace(NETWORK, recipe=Recipe(data=Data("csv", {"path": "other.csv"}))),
        msgspec.structs.replace(NETWORK, recipe=Recipe(seed=1)),
        msgspec.structs.replace(NETWORK, nodes={"in": Node("Input", {"shape": [2], "column": "b"})}),
    ):
        known = Examples()
        _seen(known, 3)
        assert known.values(other, "validation", 3) == ()
        assert known.values(NETWORK, "validation", 3) == (), "nor are they mixed up when the first is back"


def test_what_was_asked_of_other_data_or_failed_is_not_remembered() -> None:
    known = Examples()
    known.asked(1, "validation", 3)
    known.values(NETWORK, "validation", 3)
    late = Responded(1, {}, "", (), None, (), (5.0, 6.0))
    assert known.told(1, late) is late
    assert known.values(NETWORK, "validation", 3) == ()
    known.asked(2, "validation", 3)
    failed = Failed(2, "no data")
    assert known.told(2, failed) is failed
    assert known.values(NETWORK, "validation", 3) == ()


def test_those_asked_about_last_are_remembered_and_what_nodes_gave_is_not() -> None:
    known = Examples()
    for index in range(examples._KEPT):
        _seen(known, index)
    _seen(known, 0)  # looked at again
    _seen(known, examples._KEPT)
    assert known.values(NETWORK, "validation", 0) != ()
    assert known.values(NETWORK, "validation", 1) == ()
    assert known.values(NETWORK, "validation", 2) != ()
    assert not any(isinstance(kept, Responded) for kept in known._known.values())
