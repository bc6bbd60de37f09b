"""What is selected, and which graph is shown: shared by canvas, inspector and panels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from engine.network import Edge


class Chosen(NamedTuple):
    """What was selected at a time, and in which graph."""

    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    marks: tuple[str, ...]
    block: str | None


class Selection(QObject):
    """Selected nodes, edges, frames and notes of the graph that is shown."""

    changed = Signal()
    #: Look here: a node of the graph that is shown, which is not selected by that.
    pointed = Signal(str)
    #: Another graph is shown: the name of a block, or None for the top level.
    block_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        #: Ids in the order in which they were selected; the last is the current one.
        self.nodes: tuple[str, ...] = ()
        self.edges: tuple[Edge, ...] = ()
        #: Ids of frames and notes.
        self.marks: tuple[str, ...] = ()
        self.block: str | None = None

    @property
    def current(self) -> str | None:
        """The node that the inspector shows."""
        return self.nodes[-1] if self.nodes else None

    @property
    def chosen(self) -> Chosen:
        """What is selected now."""
        return Chosen(self.nodes, self.edges, self.marks, self.block)

    def set(self, nodes: Iterable[str] = (), edges: Iterable[Edge] = (), marks: Iterable[str] = ()) -> None:
        """Select these and nothing else."""
        chosen = tuple(dict.fromkeys(nodes)), tuple(dict.fromkeys(edges)), tuple(dict.fromkeys(marks))
        if chosen != (self.nodes, self.edges, self.marks):
            self.nodes, self.edges, self.marks = chosen
            self.changed.emit()

    def point(self, node: str) -> None:
        """Show where a node is, without selecting it."""
        self.pointed.emit(node)

    def show_block(self, block: str | None) -> None:
        """Show the inside of `block`, or the top level."""
        if block != self.block:
            self.set()
            self.block = block
            self.block_changed.emit(block)
