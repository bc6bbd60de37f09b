"""The open document: the current network, its undo stack and its file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack
from shiboken6 import isValid

from engine import diff
from engine.network import Network
from engine.storage import file
from gui.selection import Chosen, Selection

#: Undo steps that are kept; far beyond what a person walks back.
UNDO_LIMIT = 1000
#: Steps whose networks are kept too, so that going back and forth takes no time. (Of a thousand steps of a
#: network of thousands of layers they would fill the memory.)
AT_HAND = 24


class Document(QObject):
    """Holds the network that all views show.

    A gesture makes a new network with :mod:`engine.edit` and hands it to :meth:`edit`; views listen
    to :attr:`changed` and ask :func:`engine.diff.changes` what to repaint. Undo steps keep what was
    selected, where `selection` is given.
    """

    #: (before, after), both networks. Also emitted by undo, redo, new and open.
    changed = Signal(object, object)
    #: The file's path or the document's name changed.
    path_changed = Signal()
    #: Whether everything is saved.
    clean_changed = Signal(bool)

    def __init__(
        self,
        network: Network | None = None,
        parent: QObject | None = None,
        selection: Selection | None = None,
    ) -> None:
        super().__init__(parent)
        self._selection = selection
        #: While views hear of an undo or redo: what was selected when the document was in that state.
        self.recalled: Chosen | None = None
        #: While views hear that a gesture under way is taken back.
        self.taking_back = False
        self._network = network or Network()
        self.path: Path | None = None
        #: Counts the documents shown: a new one, an opened one, a restored one.
        self.generation = 0
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(UNDO_LIMIT)
        self.undo_stack.cleanChanged.connect(self.clean_changed)
        #: The steps whose networks are kept, the one walked last at the end.
        self._at_hand: dict[_Step, None] = {}

    def __del__(self) -> None:
        # Python's collector takes steps, stack and document apart in any order, and a step that ends before
        # the stack is ended by it once more. This is called before it takes any of them.
        stack = getattr(self, "undo_stack", None)
        if stack is not None and isValid(stack):
            stack.blockSignals(True)
            stack.clear()

    @property
    def network(self) -> Network:
        """The network as it is now."""
        return self._network

    @property
    def clean(self) -> bool:
        """Whether everything is saved."""
        return self.undo_stack.isClean()

    def edit(self, after: Network, label: str, merge: str | None = None) -> None:
        """Make `after` the network, as one undo step called `label`.

        Steps that follow one another with the same `merge` key become one: a drag, a slider.
        :meth:`end_merge` closes such a run.
        """
        changed = diff.changes(self._network, after)
        if changed:
            self.undo_stack.push(_Step(self, label, changed, (self._network, after), merge))

    def end_merge(self) -> None:
        """Let the next edit be a step of its own, whatever its merge key."""
        top = self.undo_stack.command(self.undo_stack.index() - 1)
        if isinstance(top, _Step):
            top.merge = None

    def cancel_merge(self) -> None:
        """Take back the step whose gesture is under way, as if there had been none."""
        top = self.undo_stack.command(self.undo_stack.index() - 1)
        if isinstance(top, _Step) and top.merge is not None:
            self.taking_back = True
            self.undo_stack.undo()
            self.taking_back = False
            self._forget(top)
            top.setObsolete(True)
            self.undo_stack.redo()  # of what is obsolete Qt forgets instead

    def replace(self, network: Network, path: Path | None = None, clean: bool = True) -> None:
        """Show another network (new, opened, restored); the undo history begins anew."""
        self.path = path
        self.generation += 1
        self._at_hand.clear()
        self.undo_stack.clear()
        if not clean:
            self.undo_stack.resetClean()
        self._show(network)
        self.path_changed.emit()

    def open(self, path: Path) -> None:
        """Read `path`.

        Raises
        ------
        engine.problems.FileProblem, OSError
            If it cannot be read; the document stays as it was.
        """
        self.replace(file.read(path), path)

    def save(self, path: Path | None = None) -> None:
        """Write to `path`, or to where the document came from.

        Raises
        ------
        OSError
            If it cannot be written; the old file is whole.
        """
        target = path or self.path
        if target is None:
            raise ValueError("the document has no file yet")
        file.write(self._network, target)
        self.path = target
        self.undo_stack.setClean()
        self.path_changed.emit()

    def _show(self, network: Network, recalled: Chosen | None = None) -> None:
        before, self._network = self._network, network
        self.recalled = recalled
        self.changed.emit(before, network)
        self.recalled = None

    @property
    def _chosen(self) -> Chosen | None:
        return None if self._selection is None else self._selection.chosen

    def _forget(self, step: _Step) -> None:
        """Let go of a step that Qt is about to delete."""
        self._at_hand.pop(step, None)

    def _keep(self, step: _Step) -> None:
        """Keep the networks of the steps that were walked last, and of no others."""
        self._at_hand.pop(step, None)
        self._at_hand[step] = None
        if len(self._at_hand) > AT_HAND:
            oldest = next(iter(self._at_hand))
            del self._at_hand[oldest]
            oldest.ends = None


class _Step(QUndoCommand):
    """One undo step: a label and the differences, which lead both ways."""

    def __init__(
        self,
        document: Document,
        label: str,
        changed: tuple[diff.Change, ...],
        ends: tuple[Network, Network],
        merge: str | None,
    ) -> None:
        super().__init__(label)
        self.document = document
        self.changed = changed
        self.merge = merge
        #: The networks before and after it, while they are at hand.
        self.ends: tuple[Network, Network] | None = ends
        #: What was selected as the step was made, and as it was taken back.
        self.chosen: tuple[Chosen | None, Chosen | None] = (document._chosen, None)

    def id(self) -> int:
        """Equal for steps that may merge; −1: never."""
        return -1 if self.merge is None else hash(self.merge) & 0x3FFFFFFF

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a following step of the same gesture in; the two diffs become one."""
        if not isinstance(other, _Step) or self.merge is None or other.merge != self.merge:
            return False
        after = self.document.network
        before = (
            self.ends[0] if self.ends else diff.apply(after, diff.invert((*self.changed, *other.changed)))
        )
        self.changed, self.ends = diff.changes(before, after), (before, after)
        self.setObsolete(not self.changed)
        self.document._forget(other)
        self.document._keep(self)
        return True

    def redo(self) -> None:
        """Go forward."""
        self._walk(self.changed, 1)

    def undo(self) -> None:
        """Go back."""
        self.chosen = (self.chosen[0], self.document._chosen)
        self._walk(diff.invert(self.changed), 0)

    def _walk(self, changed: tuple[diff.Change, ...], end: int) -> None:
        here = self.document.network
        there = self.ends[end] if self.ends else diff.apply(here, changed)
        self.ends = (here, there) if end else (there, here)
        self.document._keep(self)
        diff.remember(here, there, changed)
        self.document._show(there, self.chosen[end])
