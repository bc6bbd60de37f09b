"""Train, pause, step, stop: the run's actions and its story in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gui.actions import Actions
from gui.meaning import goes_on
from gui.session import Session
from gui.settings import Settings
from gui.workers import Workers

if TYPE_CHECKING:
    from gui.resuming import Left

#: Ends from which a run can be gone on with.
RESUMABLE = ("stopped", "interrupted")
#: What going on does.
CONTINUE = "Go on from the run's last checkpoint"


class Running(QObject):
    """Starts and steers runs, and knows which of its actions make sense now."""

    #: Training was refused: a sentence for the user.
    refused = Signal(str)
    #: The run that the document has left from before it was opened is to go on.
    left_wanted = Signal()
    #: The run was to go on, but it trained another drawing.
    differs = Signal()

    def __init__(self, workers: Workers, actions: Actions, settings: Settings, parent: QObject) -> None:
        super().__init__(parent)
        self.workers, self.session, self.settings = workers, workers.session, settings
        #: A safetensors file that the next runs start from, and whether they do.
        self.weights: Path | None = None
        #: Whether the run that is shown has begun, or was opened, since the document was.
        self.own = False
        #: The run that the document has left from before, if that can be gone on with.
        self.left: Left | None = None
        add = actions.add
        self.train_action = add(
            "run.train",
            "&Train",
            self.train,
            keys="F5",
            icon="mdi6.play",
            tip="Train the network from the start",
        )
        self.pause_action = add("run.pause", "&Pause", self.pause, keys="F6", icon="mdi6.pause")
        self.step_action = add(
            "run.step",
            "Train &one step",
            self.step,
            keys="F10",
            icon="mdi6.skip-next",
            tip="Train on one batch, then pause",
        )
        self.stop_action = add(
            "run.stop",
            "&Stop",
            lambda: workers.control("stop"),
            keys="Shift+F5",
            icon="mdi6.stop",
            tip="Stop training; a checkpoint is kept",
        )
        self.resume_action = add(
            "run.resume",
            "&Continue the last run",
            self.resume,
            keys="Ctrl+F5",
            icon="mdi6.play-circle-outline",
            tip=CONTINUE,
        )
        self._actions = actions
        self._paused_label: bool | None = None
        self.session.started.connect(self._told)
        self.session.state_changed.connect(self._changed)
        self.update()

    # ------------------------------------------------------------------ doing

    def train(self, paused: bool = False) -> bool:
        """Begin a run; says why not where the network has errors."""
        if self.session.active:
            return False
        if self.workers.current and self.workers.analysis.errors:
            count = len(self.workers.analysis.errors)
            self.refused.emit(
                "One error keeps the network from training."
                if count == 1
                else f"{count} errors keep the network from training."
            )
            return False
        if not self.workers.document.network.nodes:
            self.refused.emit("There is nothing to train yet: add some layers first.")
            return False
        weights = str(self.weights) if self.weights is not None else None
        self.workers.train(self.settings.device, weights=weights, paused=paused)
        return True

    def pause(self) -> None:
        """Pause the run, or let it go on."""
        self.workers.control("resume" if self.session.state == "paused" else "pause")

    def step(self) -> None:
        """One batch: of the paused run, else of a new run that begins paused."""
        if self.session.active or self.train(paused=True):
            self.workers.control("step")

    def resume(self) -> None:
        """Go on with the last run from its last checkpoint."""
        trained = self.session.network
        if self._resumable and (trained is None or goes_on(trained, self.workers.document.network)):
            self.workers.train(self.settings.device, resume=self.session.run)
        elif self._resumable:
            self.differs.emit()
        elif self.left is not None and not self.session.active:
            self.left_wanted.emit()

    @property
    def _resumable(self) -> bool:
        """Whether the run that is shown can be gone on with."""
        return self.own and self.session.state in RESUMABLE and bool(self.session.run)

    # ------------------------------------------------------------------ whose run it is

    def opened(self) -> None:
        """Another document is shown: a run that the window shows yet is not its own."""
        self.own = False
        self.set_left(None)

    def set_left(self, left: Left | None, about: str = "") -> None:
        """Offer to go on with the run that the document has left; None: there is none."""
        self.left = left
        self._actions.describe(self.resume_action, about or CONTINUE)
        self.update()

    def _began(self) -> None:
        self.own = True
        self.set_left(None)

    def _told(self) -> None:
        if not self.session.active:  # it has ended, and was opened; one that trains may be another document's
            self._began()

    def _changed(self, state: str) -> None:
        if state == "starting":
            self._began()
            return
        if not self.session.active and not self.session.run:
            self.own = False  # it has left no folder: the last run is the one before
        self.update()

    # ------------------------------------------------------------------ showing

    def update(self) -> None:
        """Enable what makes sense in the session's state."""
        state, active = self.session.state, self.session.active
        self.train_action.setEnabled(not active)
        self.pause_action.setEnabled(state in ("running", "paused"))
        self.step_action.setEnabled(state != "starting")
        self.stop_action.setEnabled(active)
        self.resume_action.setEnabled(self._resumable or (self.left is not None and not active))
        paused = state == "paused"
        if paused != self._paused_label:
            self._paused_label = paused
            self.pause_action.setText("&Resume" if paused else "&Pause")
            self._actions.set_icon(self.pause_action, "mdi6.play-pause" if paused else "mdi6.pause")
            self._actions.describe(self.pause_action, "Let the run go on" if paused else "Pause the run")


def duration(seconds: float) -> str:
    """``8 s``, ``2 min 05 s``, ``3 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{max(whole, 0)} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def story(session: Session) -> str:
    """Where the run is, in one short line."""
    progress = session.progress
    match session.state:
        case "idle":
            return ""
        case "starting" if session.loading is not None:
            loading = session.loading
            far = f" {loading.done:,} of {loading.total:,}" if loading.total else ""
            return f"{loading.what}{far}…"
        case "starting":
            return "Starting…"
        case "running" if progress is not None:
            parts = [f"Epoch {min(progress.epoch + 1, progress.epochs)} of {progress.epochs}"]
            if progress.steps_per_second > 0:
                parts.append(f"{progress.steps_per_second:,.0f} steps/s")
            if progress.left is not None:
                parts.append(f"{duration(progress.left)} left")
            return " · ".join(parts)
        case "running":
            return "Training…"
        case "paused":
            return f"Paused at step {progress.step:,}" if progress is not None else "Paused"
        case "stopped" if session.run is None:
            return "Stopped before it began"
        case "finished" | "stopped":
            return " · ".join([session.state.capitalize(), *_outcome(session)])
        case "interrupted":
            return "Interrupted"
        case state:
            return state.capitalize()


def outcome(result: Mapping[str, Any] | None, last: Mapping[str, float] | None = None) -> str:
    """What came of a run, and with which weights: "best validation accuracy 97.8 %"; "": nothing is known.

    Those are the best where `result`, what ``train --json`` prints, tells of them, else the `last` ones.
    """
    best = (result or {}).get("validation")
    values, whose = (best, "best") if best else (last or {}, "last")
    if (accuracy := values.get("accuracy")) is not None:
        return f"{whose} validation accuracy {100 * accuracy:.1f} %"
    loss = values.get("loss")
    return f"{whose} validation loss {loss:.4g}" if loss is not None else ""


def _outcome(session: Session) -> list[str]:
    """What came of the run that is shown."""
    last = next((m.values for m in reversed(session.metrics) if m.split == "validation"), None)
    said = outcome(session.result, last)
    return [said] if said else []
