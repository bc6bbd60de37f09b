"""Batches of items that look alike: each item in one piece, drawn as it is now."""

from hypothesis import given
from hypothesis import strategies as st

from gui.canvas.batches import Batches

ACTS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["a", "b", None]), st.booleans()), max_size=60)


@given(ACTS, st.integers(1, 5))
def test_each_item_is_drawn_once_with_its_own_look_in_pieces_of_the_size(acts, size):
    says: dict[int, int] = {}
    batches = Batches[int, str, list[tuple[int, int]]](lambda items: [(i, says[i]) for i in items], size)
    looks: dict[int, str] = {}
    for number, (item, look, ask) in enumerate(acts):
        says[item] = number
        assert batches.put(item, look, changed=True) == (looks.get(item) != look)
        looks = {key: value for key, value in {**looks, item: look}.items() if value is not None}
        if ask:
            list(batches.drawn(str))
    drawn = dict(batches.drawn(str))
    assert list(drawn) == sorted(set(looks.values()))
    found = [(item, said, key) for key, pieces in drawn.items() for piece in pieces for item, said in piece]
    assert sorted(found) == sorted((item, says[item], look) for item, look in looks.items())
    assert all(0 < len(piece) <= size for pieces in drawn.values() for piece in pieces)


def test_what_has_not_changed_is_not_made_again():
    made: list[list[int]] = []

    def make(items):
        made.append(list(items))
        return made[-1]

    batches = Batches[int, str, list[int]](make, 2)
    for item in range(6):
        batches.put(item, "a")
    list(batches.drawn(str))
    made.clear()
    assert not batches.put(3, "a")
    list(batches.drawn(str))
    assert made == []
    batches.put(3, "a", changed=True)
    list(batches.drawn(str))
    assert made == [[2, 3]]
