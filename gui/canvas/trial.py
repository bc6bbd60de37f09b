"""What a gesture would make if it ended now: analysed while it lasts, so that errors show in time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.edit import EditProblem
from engine.findings import Analysis, Problem
from engine.network import Network

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


#: Of larger drawings nothing is tried: to send one takes longer than a frame may.
MOST = 2_500


class Trial(QObject):
    """The edit that hangs on the cursor: the document stays as it is, the cards show what comes of it."""

    #: Analyse this network, and bring what is found to :meth:`show`.
    wanted = Signal(object)

    def __init__(self, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._key: Hashable = None
        self._network: Network | None = None
        self._shown = False
        #: Whether what would be made has an error that the document has not.
        self.wrong = False

    def consider(self, key: Hashable, make: Callable[[], Network] | None = None) -> None:
        """Think about what `make` gives. The same `key` again asks nothing anew; None: there is nothing."""
        if key == self._key:
            return
        self._restore()
        self._key = key
        if key is not None and make is not None and len(self._canvas.network.nodes) <= MOST:
            try:
                self._network = make()
            except EditProblem:
                return  # refused, and the gesture says why
            self.wanted.emit(self._network)

    def again(self) -> None:
        """The document's own analysis has come: what hangs on the cursor is asked for after it."""
        self._shown = self.wrong = False
        if self._network is not None:
            self.wanted.emit(self._network)

    def show(self, analysis: Analysis) -> None:
        """Show what was found, if the hand is still where it was."""
        canvas = self._canvas
        if self._network is None:
            return
        canvas.drawing.set_analysis(analysis, canvas.use, canvas.visible_rect())
        self._shown = True
        fresh = _fresh(canvas.analysis, analysis)
        self.wrong = bool(fresh)
        if fresh:
            canvas.explain(_said(fresh[0], canvas.use))
        if canvas.gesture is not None:
            canvas.gesture.doubt()
        canvas.refresh_far()

    def end(self) -> None:
        """The gesture is over. What it made stays shown as it was found, until its own analysis comes."""
        tried, now = self._network, self._canvas.network
        if tried is not None and (tried.nodes, tried.edges, tried.blocks) == (
            now.nodes,
            now.edges,
            now.blocks,
        ):
            self._shown = False
        self._restore()
        self._key = None

    def _restore(self) -> None:
        canvas = self._canvas
        if self._shown:
            canvas.drawing.set_analysis(canvas.analysis, canvas.use, canvas.visible_rect())
            canvas.refresh_far()
        if self.wrong:
            canvas.explain("")
        self._network, self._shown, self.wrong = None, False, False


def _fresh(before: Analysis, after: Analysis) -> list[Problem]:
    """Errors that were not there; that an input is still open is none."""
    known = {(problem.code, problem.node, problem.message) for problem in before.errors}
    return [
        problem
        for problem in after.errors
        if problem.code != "unconnected" and (problem.code, problem.node, problem.message) not in known
    ]


def _said(problem: Problem, use: str | None) -> str:
    """The problem, and the first way out of it, which Ctrl+. offers once the gesture has ended."""
    node = problem.node if use is None or problem.node is None else problem.node.removeprefix(f"{use}.")
    words = f"{node}: {problem.message}" if node else problem.message
    return f"{words}\nThen Ctrl+. can: {problem.repairs[0].text}." if problem.repairs else words
