"""The open document: the current network, its undo stack and its file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from engine import diff
from engine.network import Network
from engine.storage import file

#: Undo steps that are kept; far beyond what a person walks back.
UNDO_LIMIT = 1000


class Document(QObject):
    """Holds the network that all views show.

    A gesture makes a new network with :mod:`engine.edit` and hands it to :meth:`edit`; views listen
    to :attr:`changed` and ask :func:`engine.diff.changes` what to repaint.
    """

    #: (before, after), both networks. Also emitted by undo, redo, new and open.
    changed = Signal(object, object)
    #: The file's path or the document's name changed.
    path_changed = Signal()
    #: Whether everything is saved.
    clean_changed = Signal(bool)

    def __init__(self, network: Network | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._network = network or Network()
        self.path: Path | None = None
        #: Counts the documents shown: a new one, an opened one, a restored one.
        self.generation = 0
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(UNDO_LIMIT)
        self.undo_stack.cleanChanged.connect(self.clean_changed)

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
            self.undo_stack.push(_Step(self, label, changed, after, merge))

    def end_merge(self) -> None:
        """Let the next edit be a step of its own, whatever its merge key."""
        top = self.undo_stack.command(self.undo_stack.index() - 1)
        if isinstance(top, _Step):
            top.merge = None

    def replace(self, network: Network, path: Path | None = None, clean: bool = True) -> None:
        """Show another network (new, opened, restored); the undo history begins anew."""
        self.path = path
        self.generation += 1
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

    def _show(self, network: Network) -> None:
        before, self._network = self._network, network
        self.changed.emit(before, network)


class _Step(QUndoCommand):
    """One undo step: a label and the differences, which lead both ways."""

    def __init__(
        self,
        document: Document,
        label: str,
        changed: tuple[diff.Change, ...],
        after: Network,
        merge: str | None,
    ) -> None:
        super().__init__(label)
        self.document = document
        self.changed = changed
        self.merge = merge
        #: The result, at hand for the first redo only, which Qt does on push.
        self.after: Network | None = after

    def id(self) -> int:
        """Equal for steps that may merge; −1: never."""
        return -1 if self.merge is None else hash(self.merge) & 0x3FFFFFFF

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a following step of the same gesture in; the two diffs become one."""
        if not isinstance(other, _Step) or self.merge is None or other.merge != self.merge:
            return False
        before = diff.apply(self.document.network, diff.invert((*self.changed, *other.changed)))
        self.changed = diff.changes(before, self.document.network)
        self.setObsolete(not self.changed)
        return True

    def redo(self) -> None:
        """Go forward."""
        after, self.after = self.after, None
        self.document._show(after or diff.apply(self.document.network, self.changed))

    def undo(self) -> None:
        """Go back."""
        self.document._show(diff.apply(self.document.network, diff.invert(self.changed)))
