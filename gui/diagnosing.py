"""Health on the canvas: cards coloured by a measure, or by what an edit does to trained weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from engine import diff
from engine.carry import drawn_anew
from engine.findings import Analysis
from engine.network import Network
from engine.runs import RunFolder
from gui.meaning import same_meaning
from gui.settings import Settings
from gui.theme import theme
from gui.workers import Workers

if TYPE_CHECKING:
    from gui.canvas import Canvas
    from gui.canvas.overlay import Mark
    from gui.panels.health import HealthPanel


def carried(
    trained: Mapping[str, tuple[int, ...]], drawn: Analysis, anew: Collection[str] = frozenset()
) -> dict[str, tuple[str, ...]]:
    """What becomes of trained parameters in the drawing: "kept", "new", "dropped", "open" -> their names.

    A parameter keeps its values where name and shape are the same, unless it is named in `anew`. Open is
    what becomes of those whose layers have no shapes, for an error before them.
    """
    trained = {name: shape for name, shape in trained.items() if name not in anew}
    now = {
        f"{node}.{name}" if name else node: shape
        for node, report in drawn.nodes.items()
        for name, shape in report.parameters.items()
    }
    shapeless = {node for node, report in drawn.nodes.items() if "." not in node and not report.outputs}
    lost = [name for name, shape in trained.items() if now.get(name) != shape]
    return {
        "kept": tuple(name for name, shape in now.items() if trained.get(name) == shape),
        "new": tuple(name for name, shape in now.items() if trained.get(name) != shape),
        "dropped": tuple(name for name in lost if name.split(".")[0] not in shapeless),
        "open": tuple(name for name in lost if name.split(".")[0] in shapeless),
    }


def said(found: Mapping[str, tuple[str, ...]]) -> str:
    """That in a sentence."""
    parts = [f"{len(found['kept'])} of its parameters keep their weights"]
    if found["new"]:
        parts.append(f"{len(found['new'])} are drawn anew")
    if found["dropped"]:
        parts.append(f"{len(found['dropped'])} are dropped ({', '.join(found['dropped'][:3])}…)")
    if found["open"]:
        parts.append(f"what becomes of {len(found['open'])} shows when the drawing has no errors")
    return ", ".join(parts).replace("…)", ")" if len(found["dropped"]) <= 3 else " …)") + "."


def difference(before: Network | None, after: Network) -> str:
    """What is different that means something, in a few words; empty: nothing."""
    if before is None or same_meaning(before, after):
        return ""
    words = [str(change) for change in diff.changes(before, after) if change.path[0] != "view"]
    return words[0] + (f" and {len(words) - 1} more" if len(words) > 1 else "") if words else ""


class Diagnosing(QObject):
    """Colours the canvas, and trains on from a run's weights after an edit."""

    def __init__(self, workers: Workers, canvas: Canvas, health: HealthPanel, settings: Settings) -> None:
        super().__init__(canvas)
        self._workers, self._canvas, self._settings = workers, canvas, settings
        self._session = workers.session
        self._marks: Mapping[str, Mark] | None = None
        self._waiting = False
        #: Whose weights the next run starts from; None: the newest.
        self._step: int | None = None
        health.marked.connect(self._marked)
        health.tried.connect(lambda: self.train_on())
        workers.analyzed.connect(lambda *_: self.show())
        workers.document.changed.connect(lambda *_: self.show())
        self._session.state_changed.connect(self._state_changed)
        theme.changed.connect(self.show)

    # ------------------------------------------------------------------ colours

    def _marked(self, marks: Mapping[str, tuple[str, str, tuple[float, ...], str]] | None) -> None:
        from gui.canvas.overlay import Mark

        self._marks = None if marks is None else {node: Mark(*mark) for node, mark in marks.items()}
        self.show()

    @property
    def edited(self) -> bool:
        """Whether a paused run's drawing has been edited."""
        trained: Network | None = self._session.network
        return (
            self._session.state == "paused"
            and trained is not None
            and not same_meaning(trained, self._workers.document.network)
        )

    def show(self) -> None:
        """Colour the cards: by what an edit does to a paused run's weights, else by the measure."""
        edited = self.edited
        self._canvas.set_overlay(self._weights_map() if edited else self._marks)
        self._canvas.set_ghosts(self._gone() if edited else {})

    def carried(self) -> dict[str, tuple[str, ...]]:
        """What becomes of the run's parameters in the drawing."""
        begun, trained = self._session.begun, self._session.network
        parameters = begun.parameters if begun else {}
        drawn = self._workers.document.network
        anew = frozenset() if trained is None else drawn_anew(trained, drawn, parameters)
        return carried(parameters, self._workers.analysis, anew)

    def _weights_map(self) -> Mapping[str, Mark]:
        from gui.canvas.overlay import Mark

        found = self.carried()
        marks = {}
        for node in {name.split(".")[0] for name in (*found["kept"], *found["new"])}:
            kept = sum(name.split(".")[0] == node for name in found["kept"])
            new = sum(name.split(".")[0] == node for name in found["new"])
            word, color = (
                ("kept", "good") if not new else ("new", "warning") if not kept else ("partly", "accent")
            )
            tip = f"{kept} parameters keep their weights, {new} are drawn anew"
            marks[node] = Mark(theme.color(color).name(), word, (), tip, wires=False)
        return marks

    def _gone(self) -> dict[str, tuple[tuple[float, float] | None, str]]:
        """The run's nodes that the drawing no longer has: where they were, and what is lost with them."""
        trained = self._session.network
        if trained is None:
            return {}
        dropped = self.carried()["dropped"]
        places = trained.positions()
        found = {}
        for id in trained.nodes.keys() - self._workers.document.network.nodes.keys():
            count = sum(name.split(".")[0] == id for name in dropped)
            words = f"dropped, with {count} trained parameters" if count else "dropped; it had no weights"
            place = places.get(id)
            found[id] = (None if place is None else (float(place[0]), float(place[1])), words)
        return found

    # ------------------------------------------------------------------ training on

    def train_on(self, step: int | None = None) -> None:
        """Train the drawing from the weights that the run has reached; an active run is stopped first.

        With a `step`, from the weights that the run keeps of it.
        """
        self._step = step
        if self._session.active:
            self._waiting = True
            self._workers.control("stop")
        else:
            self._begin()

    def _begin(self) -> None:
        self._waiting = False
        weights = trained_weights(self._session.run, self._step)
        origin = self._origin()
        self._workers.train(self._settings.device, weights=weights)
        self._session.origin = origin

    def _origin(self) -> str:
        """Where the run that begins comes from, for its curves."""
        session = self._session
        step = self._step if self._step is not None else session.step
        told = difference(session.network, self._workers.document.network)
        return f"Branched from step {step:,}" + (f": {told}" if told else "")

    def _state_changed(self, state: str) -> None:
        if self._waiting and not self._session.active:
            self._begin()
        self.show()


def trained_weights(run: str | None, step: int | None = None) -> str | None:
    """The file of a run's newest weights, or of those of a step; None where it has written none yet."""
    if not run:
        return None
    folder = RunFolder(Path(run))
    if not folder.path.exists():  # on the machine that trained it
        return str(folder.weights if step is None else folder.kept(step))
    if step is not None and folder.kept(step).exists():
        return str(folder.kept(step))
    return next((str(file) for file in (folder.weights, folder.best) if file.exists()), None)
