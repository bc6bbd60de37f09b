"""The gesture protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt

if TYPE_CHECKING:
    from gui.canvas.view import Canvas


class Gesture:
    """One movement of the hand, from press to release; at most one undo step.

    The canvas makes it on press, calls :meth:`move` on the way and then either :meth:`finish` or
    :meth:`cancel`. Until it is finished the document is untouched.
    """

    #: What the gesture does, for the undo step and the status bar.
    reason = ""

    def __init__(self, canvas: Canvas, at: QPointF) -> None:
        self.canvas = canvas
        self.scene = canvas.drawing
        self.origin = QPointF(at)

    def move(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The cursor is at `at`, in scene coordinates."""

    def finish(self, at: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        """The button was released."""

    def cancel(self) -> None:
        """Leave everything as it was."""

    def doubt(self) -> None:
        """What would come of it has been found (:class:`~gui.canvas.trial.Trial`): show it."""
