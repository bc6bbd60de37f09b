"""Runs that have ended, opened again: their story is told to the session as their host once told it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu

from engine.host.protocol import Confused, Observation, RunStarted, RunState, WeightsKept
from engine.problems import FileProblem
from engine.runs import RunFolder, Summary, listed, read_events
from engine.storage import file
from gui.choosing import ask_folder
from gui.files import tell
from gui.meaning import same_meaning
from gui.plain import tip
from gui.running import outcome
from gui.session import Session
from gui.workers import runs_folder

if TYPE_CHECKING:
    from gui.window import Window

#: Runs that the menu lists, the newest first.
LISTED = 12


def recall(session: Session, path: Path) -> None:
    """Let `session` show the run in folder `path`: all that it recorded, its weights and its end.

    Raises
    ------
    FileProblem
        If it is no run, trains at this moment, or has told nothing yet; the session stays as it was.
    """
    folder = RunFolder(path)
    if not folder.network.is_file():
        raise FileProblem(f"{path}: is no run: it has no {folder.network.name}.")
    state = folder.state()
    if state == "running":
        raise FileProblem(f"{path}: trains at this moment. Open it when it has ended.")
    network = file.read(folder.network)
    told = read_events(folder.metrics)
    if not any(isinstance(event, RunStarted) for event in told):
        raise FileProblem(f"{path}: this run ended before its first step.")
    seen = [event for event in read_events(folder.observations) if isinstance(event, Observation | Confused)]
    session.recall(
        network,
        str(path),
        [*(event for event in told if not isinstance(event, RunState)), *seen],
        RunState(state, 0, result=folder.read_result()),
    )
    session.take(WeightsKept(tuple(folder.kept_steps())))


class Past:
    """The menu of runs that can be opened."""

    def __init__(self, window: Window, menu: QMenu) -> None:
        self._window = window
        self.menu = menu.addMenu("Open a &run")
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self.fill)
        self._other = window.commands.add(
            "run.open_folder",
            "A run's &folder…",
            self._choose,
            keys="Ctrl+T, R",
            tip="Open the run that is in a folder",
        )

    def fill(self) -> None:
        """List the newest runs of this document; below them, those of its name from before it was saved."""
        self.menu.clear()
        folder, unsaved = self._folder(), runs_folder(None)
        self._list(folder, listed(folder)[:LISTED])
        document = self._window.document
        before = listed(unsaved, document.network.name)[:LISTED] if document.path is not None else []
        if before and unsaved != folder:
            if not self.menu.isEmpty():
                self.menu.addSeparator()
            self.menu.addAction("Of this name, before there was a file:").setEnabled(False)
            self._list(unsaved, before)
        if not self.menu.isEmpty():
            self.menu.addSeparator()
        self.menu.addAction(self._other)

    def _list(self, folder: Path, runs: list[Summary]) -> None:
        for run in runs:
            said = ", ".join(filter(None, (run.state, outcome(run.result))))
            name = str(run.path.relative_to(folder)).replace("&", "&&")  # a sweep's with the sweep's
            action = self.menu.addAction(f"{name}   {said}")
            action.setToolTip(tip(str(run.path)))
            action.setEnabled(run.state != "running")
            action.triggered.connect(lambda checked=False, path=run.path: self.open(path))

    def _folder(self) -> Path:
        return self._window.workers.runs_folder or runs_folder(self._window.document.path)

    def _choose(self) -> None:
        folder = self._folder()
        chosen = ask_folder(self._window, "Open a run", folder)
        if chosen is not None:
            self.open(chosen)

    def open(self, path: Path) -> None:
        """Show the run in folder `path`; where nothing is drawn, its network too."""
        window, session = self._window, self._window.session
        if session.active:
            tell(window, "A run is under way.", "Stop it first, or open this one in another window.")
            return
        try:
            recall(session, path)
        except (FileProblem, OSError) as problem:
            tell(window, "The run cannot be opened.", str(problem))
            return
        assert session.network is not None
        drawn = window.document.network
        if not drawn.nodes:
            window.notices.bring_back()
        elif not same_meaning(session.network, drawn):
            window.notices.trained_another()
        window.docks.reveal("curves")
