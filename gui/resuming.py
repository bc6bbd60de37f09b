"""The run that a document has left from before it was opened: one click goes on with it.

Its window was closed while it was paused, or it was killed, or the window was. Only folders and times are
looked at, a moment after the document is shown, and what was trained where the document has no folder of
its own for runs; the run itself is read when it is gone on with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from engine.network import Network
from engine.problems import FileProblem
from engine.runs import RunFolder, newest
from engine.storage import file
from gui.actions import key_text
from gui.meaning import goes_on
from gui.running import RESUMABLE
from gui.workers import runs_folder

if TYPE_CHECKING:
    from gui.window import Window

#: Milliseconds after which a document's runs are looked for, and looked at again while one of them ends.
SOON_MS, AGAIN_MS = 300, 2000
#: Networks that are read at most to find the run of one that was never saved.
_READ = 16


@dataclass(frozen=True)
class Left:
    """A run that can be gone on with."""

    path: Path
    #: How it ended.
    state: str
    #: The step of its last checkpoint.
    step: int


def left_in(runs: Path, network: Network | None = None) -> tuple[Left | None, bool]:
    """The last run in the folder `runs`, if it can be gone on with; and whether its process is at work yet.

    `network`: the last that can go on with it, of the newest runs of its name. Others may share that.
    """
    for path in newest(runs, None if network is None else network.name)[:_READ]:
        folder = RunFolder(path)
        if network is not None and not _trained(folder, network):
            continue
        state, step = folder.state(), folder.checkpointed()
        left = Left(path, state, step) if state in RESUMABLE and step is not None else None
        return left, state == "running"
    return None, False


def _trained(folder: RunFolder, network: Network) -> bool:
    try:
        return goes_on(file.read(folder.network), network)
    except FileProblem:
        return False


class Resuming(QObject):
    """Looks for the last run of each document that is opened, and lets the window go on with it."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._soon = QTimer(self, singleShot=True)
        self._soon.timeout.connect(self.look)
        window.files.opened.connect(self._opened)
        window.completed.connect(self._look_soon)
        window.session.state_changed.connect(self._look_soon)
        window.running.left_wanted.connect(self.go_on)

    def _opened(self) -> None:
        self._window.running.opened()
        self._look_soon()

    def _look_soon(self) -> None:
        window = self._window
        if window.is_complete and window.document.network.nodes and not window.running.own:
            self._soon.start(SOON_MS)

    def look(self) -> None:
        """Look for a run now."""
        window = self._window
        if window.running.own or window.session.active:
            return
        left, working = self._left()
        if left is not None and left != window.running.left:
            key = key_text(window.running.resume_action)
            window.status.showMessage(
                f"The last run {_was(left.state)} at step {left.step:,}; {key} goes on with it.", 8000
            )
        window.running.set_left(left, "" if left is None else _about(left))
        if working:
            self._soon.start(AGAIN_MS)

    def _left(self) -> tuple[Left | None, bool]:
        document = self._window.document
        if document.path is not None:
            own = self._window.workers.runs_folder or runs_folder(document.path)
            if next(iter(newest(own)), None) is not None:
                return left_in(own)
            return left_in(runs_folder(None), document.network)  # from before it was saved
        # Such runs lie with those of all other documents that were never saved.
        return left_in(self._window.workers.runs_folder or runs_folder(None), document.network)

    def go_on(self) -> None:
        """Show the run that was left, and go on with it."""
        window, left = self._window, self._window.running.left
        if left is None:
            return
        window.menus.past.open(left.path)
        if window.session.run == str(left.path):
            window.running.resume()


def _was(state: str) -> str:
    return "was stopped" if state == "stopped" else "was interrupted"


def _about(left: Left) -> str:
    return f"Go on with the run that {_was(left.state)} at step {left.step:,} ({left.path.name})"
