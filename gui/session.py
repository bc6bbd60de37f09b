"""The run that the window shows: what has come in from its host so far.

A plain model: :mod:`gui.workers` feeds it events on the GUI thread, panels listen and read.
"""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Signal

from engine.host import protocol
from engine.network import Network

#: States in which a host is at work.
ACTIVE = ("starting", "running", "paused")

#: Observations that are kept for the histograms over time; beyond it every second one is dropped,
#: so that the whole run stays in view in bounded memory.
MAX_OBSERVATIONS = 400


class Session(QObject):
    """One run's story. `state` is "idle" before the first run, else one of ACTIVE or a run's end."""

    #: A run began: everything before it is gone.
    started = Signal(object)
    metrics_added = Signal(object)
    progressed = Signal(object)
    #: The run's data are being loaded: a Loading.
    loaded = Signal(object)
    observed = Signal(object)
    state_changed = Signal(str)
    #: The run keeps the weights of these steps.
    weights_kept = Signal(object)
    #: A :class:`~engine.host.protocol.Confused` has come in.
    confused = Signal(object)
    #: The drawing was changed while the run was under way.
    edited = Signal()
    #: Another step is looked at: its number, or None for the newest.
    sought = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.state = "idle"
        self.message = ""
        self.run: str | None = None
        #: The network as it is trained; the drawing may have moved on.
        self.network: Network | None = None
        self.begun: protocol.RunStarted | None = None
        #: How far its data are loaded, before it has begun.
        self.loading: protocol.Loading | None = None
        self.metrics: list[protocol.Metrics] = []
        self.progress: protocol.Progress | None = None
        self.observations: list[protocol.Observation] = []
        self.newest: protocol.Observation | None = None
        #: The weights before the first step; None where nobody looked at them.
        self.initial: protocol.Observation | None = None
        #: The steps whose weights the run keeps, in order.
        self.kept: tuple[int, ...] = ()
        #: Confusion matrices over the run, thinned like the observations.
        self.confusions: list[protocol.Confused] = []
        #: (step, what) of changes to the drawing while the run was under way.
        self.edits: list[tuple[int, str]] = []
        #: Which run's weights it began from, and with what changes; empty: none.
        self.origin = ""
        #: The step that is looked at; None: the newest.
        self.at: int | None = None
        self._stride = 1
        self._seen = 0
        self.result: dict[str, object] | None = None

    @property
    def active(self) -> bool:
        """Whether a host is at work on it."""
        return self.state in ACTIVE

    def begin(self, network: Network, run: str) -> None:
        """A run of `network` in folder `run` has been asked for."""
        self.clear()
        self.network, self.run = network, run
        self.set_state("starting")

    def recall(self, network: Network, run: str, events: Iterable[object], end: protocol.RunState) -> None:
        """Tell the story of an ended run again; its :attr:`state` is its end's."""
        self.clear()
        self.network, self.run = network, run
        for event in events:
            self.take(event)
        self.take(end)

    def take(self, event: object) -> None:
        """Take in one event of the run."""
        match event:
            case protocol.Loading():
                self.loading = event
                self.loaded.emit(event)
            case protocol.RunStarted():
                self.begun, self.loading = event, None
                if event.weights and self.initial is None and not self.observations:
                    epoch = event.step / max(event.steps_per_epoch, 1)
                    self.initial = protocol.Observation(event.step, epoch, event.weights, {})
                self.started.emit(event)
            case protocol.Metrics():
                self.metrics.append(event)
                self.metrics_added.emit(event)
            case protocol.Progress():
                self.progress = event
                self.progressed.emit(event)
            case protocol.Observation():
                self._keep(event)
                self.observed.emit(event)
            case protocol.WeightsKept():
                self.kept = event.steps
                self.weights_kept.emit(event.steps)
            case protocol.Confused():
                self.confusions.append(event)
                if len(self.confusions) > MAX_OBSERVATIONS:
                    steps = list(dict.fromkeys(confused.step for confused in self.confusions))
                    gone = set(steps[1:-1:2])  # of every output, or of none
                    self.confusions = [c for c in self.confusions if c.step not in gone]
                self.confused.emit(event)
            case protocol.RunState():
                if event.result is not None:
                    self.result = dict(event.result)
                    if self.begun is None and self.result.get("run") is None:
                        self.run = None  # it was stopped before it began, and has left no folder
                self.set_state(event.state, event.message)
            case _:
                raise TypeError(f"not an event of a run: {type(event).__name__}")

    def seen(self) -> list[protocol.Observation]:
        """The observations up to the step that is looked at, the newest among them."""
        kept, newest = self.observations, self.newest
        if newest is not None and kept and newest.step > kept[-1].step:
            kept = [*kept, newest]
        if self.at is None:
            return list(kept)
        return [observation for observation in kept if observation.step <= self.at] or kept[:1]

    def seek(self, step: int | None) -> None:
        """Look at another step; None: the newest, as it comes in."""
        if step != self.at:
            self.at = step
            self.sought.emit(step)

    @property
    def step(self) -> int:
        """The step that the run has reached, as far as it has been told."""
        told = [event.step for event in (self.progress, self.newest, *self.metrics[-1:]) if event is not None]
        return max(told, default=0)

    def confusion(self) -> protocol.Confused | None:
        """The last confusion matrix up to the step that is looked at; None where there was none yet."""
        mine = [c for c in self.confusions if not c.output] or self.confusions
        return next((c for c in reversed(mine) if self.at is None or c.step <= self.at), None)

    def weights_step(self) -> int | None:
        """The kept step whose weights belong to what is looked at; None: the best weights do.

        That is so once a run has ended, and its newest step is looked at.
        """
        if not self.kept or (self.at is None and not self.active):
            return None
        return max((s for s in self.kept if self.at is None or s <= self.at), default=self.kept[0])

    def note_edit(self, what: str) -> None:
        """The drawing has been changed; of no concern to a run that is not under way."""
        if self.state in ("running", "paused"):
            if self.edits and self.edits[-1][0] == self.step:  # several at one step: one mark
                what = f"{self.edits.pop()[1]}; {what}"
            self.edits.append((self.step, what))
            self.edited.emit()

    def _keep(self, observation: protocol.Observation) -> None:
        self.newest = observation
        self._seen += 1
        if (self._seen - 1) % self._stride == 0:
            self.observations.append(observation)
        if len(self.observations) > MAX_OBSERVATIONS:
            del self.observations[1::2]
            self._stride *= 2

    def set_state(self, state: str, message: str = "") -> None:
        """Change the state; `message` is for the user."""
        self.state, self.message = state, message
        self.state_changed.emit(state)
