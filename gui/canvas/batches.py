"""Items that look alike, drawn together: a few hundred at once, kept between frames until one changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Key = TypeVar("Key")
Drawn = TypeVar("Drawn")


class _Piece(Generic[Item, Key, Drawn]):
    """Some items of one look."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.items: dict[Item, None] = {}
        #: What is drawn of them; None: one of them has changed.
        self.drawn: Drawn | None = None


class Batches(Generic[Item, Key, Drawn]):
    """Items by their looks, in pieces of at most `size`, of which `make` makes what is drawn."""

    def __init__(self, make: Callable[[Iterable[Item]], Drawn], size: int) -> None:
        self._make, self._size = make, size
        self._pieces: dict[Key, list[_Piece[Item, Key, Drawn]]] = {}
        self._homes: dict[Item, _Piece[Item, Key, Drawn]] = {}

    def __contains__(self, item: Item) -> bool:
        return item in self._homes

    def put(self, item: Item, key: Key | None, changed: bool = False) -> bool:
        """Let an item look like those of `key` (None: it is gone); whether it did not before.

        With `changed` what is drawn of it is not what it was, whatever its look.
        """
        home = self._homes.get(item)
        if home is not None:
            if changed:
                home.drawn = None
            if home.key == key:
                return False
            self._take(item, home)
        if key is not None:
            pieces = self._pieces.setdefault(key, [])
            if not pieces or len(pieces[-1].items) >= self._size:
                pieces.append(_Piece(key))
            pieces[-1].items[item] = None
            pieces[-1].drawn = None
            self._homes[item] = pieces[-1]
        return key is not None or home is not None

    def clear(self) -> None:
        """Let all go."""
        self._pieces.clear()
        self._homes.clear()

    def _take(self, item: Item, home: _Piece[Item, Key, Drawn]) -> None:
        del self._homes[item], home.items[item]
        home.drawn = None
        if not home.items:
            pieces = self._pieces[home.key]
            pieces.remove(home)
            if not pieces:
                del self._pieces[home.key]

    def drawn(self, order: Callable[[Key], Any]) -> Iterator[tuple[Key, list[Drawn]]]:
        """What is to be drawn, look by look, the lowest first."""
        for key in sorted(self._pieces, key=order):
            yield key, [self._drawn(piece) for piece in self._pieces[key]]

    def _drawn(self, piece: _Piece[Item, Key, Drawn]) -> Drawn:
        if piece.drawn is None:
            piece.drawn = self._make(piece.items)
        return piece.drawn
