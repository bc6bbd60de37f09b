"""The window's side of the hosts: analyses, marshals the answers to the GUI thread, keeps the run.

Hosts speak on threads of their own. Their events are put into a :class:`gui.mailbox.Mailbox`; one queued
signal wakes the GUI thread, which empties it in one go, so that a burst costs one turn of the event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeGuard

from PySide6.QtCore import QObject, QStandardPaths, Qt, QTimer, Signal

from engine.catalog import plugins
from engine.findings import Analysis
from engine.host import protocol
from engine.host.client import HostProblem
from engine.host.member import Run
from engine.host.pool import Pool
from engine.host.pulse import Silence
from engine.network import Network
from engine.runs import create, stem
from engine.storage import file
from engine.storage.writer import Writer
from gui.document import Document
from gui.elsewhere import Elsewhere, machine_of
from gui.examples import Examples
from gui.mailbox import Mailbox, Trouble
from gui.meaning import meaning, same_drawing, same_meaning
from gui.questions import Questions
from gui.session import Session

#: An analysis host that has answered before and now says nothing for so long hangs, and is replaced.
PATIENCE_MS = 20_000
#: The drawing rests for so long before the spare host loads its data and tries a step.
PREPARE_MS = 800


def start_hosts() -> tuple[Pool, Mailbox]:
    """Start the hosts, which takes a millisecond; they warm up while the window is being built."""
    mailbox = Mailbox()
    pool = Pool(
        mailbox.put,
        on_trouble=lambda message: mailbox.put(Trouble(message)),
        on_silence=mailbox.put,
    )
    return pool, mailbox


class Workers(Questions, QObject):
    """All that the window has done for it in other processes.

    It analyses by itself whenever the network changes. Of several changes the latest is answered in the end;
    what is found on the way is handed on too, for a gesture may be faster than any analysis.
    """

    #: The :class:`engine.findings.Analysis` of the document as it is.
    analyzed = Signal(object)
    #: The document's Analysis without the ways out of errors, which are still being tried; or that of what
    #: it was a moment ago, with the same nodes, wires and blocks. Newer than any before, and the whole of the
    #: document's own is on its way.
    glimpsed = Signal(object)
    #: The Analysis of what :meth:`try_out` was given; at first, it may be, without ways out of errors.
    tried = Signal(object)
    #: (request number, event): previews, Failed, Evaluated, Predicted.
    answered = Signal(int, object)
    #: The analysis host's :class:`engine.host.protocol.Welcome`, which names the devices.
    welcomed = Signal(object)
    #: The spare host is warm: a run would start at once.
    ready = Signal()
    #: Hosts cannot be kept alive; a sentence for the user.
    host_lost = Signal(str)
    #: A :class:`engine.host.pulse.Silence`: a host stands still, or goes on.
    silence = Signal(object)

    _arrived = Signal()

    def __init__(
        self,
        document: Document,
        parent: QObject | None = None,
        hosts: tuple[Pool, Mailbox] | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self.session = Session(self)
        self.analysis = Analysis()
        #: Whether `analysis` is that of the document as it is now.
        self.current = False
        self.welcome: protocol.Welcome | None = None
        self.pool, self._mailbox = hosts or start_hosts()
        #: The hosts of other machines.
        self.elsewhere = Elsewhere(self._mailbox.put, self._mailbox.put, self.pool.numbers)
        self.examples = Examples()
        #: Where runs go instead of beside the document's file.
        self.runs_folder: Path | None = None
        self._run: Run | None = None
        self._run_number = 0
        self._asked = 0
        #: The requests since the drawing had other nodes, wires or blocks; whether the first is to be sent.
        self._passed: deque[int] = deque(maxlen=1000)
        self._redrawn = True
        self._generation = document.generation
        #: The request whose analysis is shown.
        self._shown = 0
        self._tried = 0
        self._prepared: bytes | None = None
        self._sent: tuple[Network | None, bytes] = (None, b"")
        self._writer = Writer()
        self._closed = False

        #: Of the changes within one turn of the event loop the first is analysed at once, and the last.
        self._analyze_soon = self._timer(0, self._analyze_rest)
        #: Whether there is one after the first.
        self._more = True
        self._prepare_soon = self._timer(PREPARE_MS, self._prepare)
        self._patience = self._timer(PATIENCE_MS, self._replace_analyst)
        document.changed.connect(self._document_changed)
        self._arrived.connect(self._drain, Qt.ConnectionType.QueuedConnection)
        self._mailbox.notify(self._arrived.emit)
        self._analyze_soon.start()

    def _timer(self, milliseconds: int, then: Callable[[], None]) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=milliseconds)
        timer.timeout.connect(then)
        return timer

    # ------------------------------------------------------------------ analysis

    def _document_changed(self, before: Network, after: Network) -> None:
        if not same_meaning(before, after):
            self.current = False
            self._tried = 0
            opened = self._generation != self.document.generation
            self._redrawn |= opened or not same_drawing(before, after)
            self._generation = self.document.generation
            if self._analyze_soon.isActive():
                self._more = True
            else:
                self._analyze()
                self._analyze_soon.start()

    def _analyze_rest(self) -> None:
        if self._more:
            self._more = False
            self._analyze()

    def try_out(self, network: Network) -> None:
        """Analyse what a gesture would make; `tried` brings it, unless the document changes first."""
        asks = self.current and not self._closed  # else the document's own comes first
        self._tried = self.pool.analyze(self._writer.encode(network)) if asks else 0

    def _analyze(self) -> None:
        if not self._closed:
            self._asked = self.pool.analyze(self._document())
            if self._redrawn:
                self._passed.clear()
                self._redrawn = False
            self._passed.append(self._asked)
            if self.welcome is not None:
                self._patience.start()

    def analyze_again(self) -> None:
        """Analyse the document though it is the same: its data have come."""
        self.current = False
        self._more = True
        self._analyze_soon.start()

    def _replace_analyst(self) -> None:
        self.pool.replace_analyst(starting=False)
        self._patience.start()

    def _prepare(self) -> None:
        """Have the spare load the data, once per recipe and drawing that could train."""
        if self._closed or not self.current or self.analysis.errors or self.session.active:
            return
        if not self.document.network.nodes:
            return
        data = file.encode(meaning(self.document.network))
        if data != self._prepared:
            self._prepared = data
            self.pool.prepare(data)

    def _document(self) -> bytes:
        """The document as it is now, to be sent: several panels ask about each of its states."""
        network = self.document.network
        if self._sent[0] is not network:
            self._sent = (network, self._writer.encode(network))
        return self._sent[1]

    # ------------------------------------------------------------------ training

    @property
    def run(self) -> Run | None:
        """The current run's handle."""
        return self._run

    def train(
        self,
        device: str = "auto",
        weights: str | None = None,
        resume: str | None = None,
        paused: bool = False,
    ) -> None:
        """Train the document as it is now; :attr:`session` tells the story.

        `device` is one of this computer's, or ``@`` and the name of another machine. `weights` is a
        safetensors file to start from, `resume` the folder of a run to go on with, where it lies.
        """
        if self.session.active:
            return
        network = self.document.network
        machine = self.elsewhere.machine(resume) if resume else machine_of(device)
        if machine is not None:
            self._train_elsewhere(network, machine, weights, resume, paused)
            return
        device = "auto" if machine_of(device) else device
        parent = self.runs_folder or runs_folder(self.document.path)
        try:
            folder = resume or str(create(parent, network.name).path)
        except OSError as problem:
            self.session.begin(network, "")
            self.session.set_state(
                "failed",
                f"Cannot make a run folder in {parent.parent}: "
                f"{problem.strerror or problem}. Save the network in a folder that you may write to.",
            )
            return
        self._begin(self.pool, network, folder, device, weights, resume is not None, paused)

    def _train_elsewhere(
        self, network: Network, machine: str, weights: str | None, resume: str | None, paused: bool
    ) -> None:
        """Train on another machine, with its files and into a folder of its own."""
        problem = (
            f"The weights to start from lie on this computer, where {machine} cannot read them. Start from a "
            "fresh draw, or train here."
            if weights is not None
            else ""
        )
        folder = resume or f"layerlab-runs/{stem(network.name)}"
        try:
            pool = self.elsewhere.pool(machine)
        except HostProblem as unknown:
            problem = str(unknown)
        if problem:
            self.session.begin(network, "")
            self.session.set_state("failed", problem)
            return
        self.elsewhere.note(folder, machine)
        self._begin(pool, network, folder, "auto", weights, resume is not None, paused)

    def _begin(
        self,
        pool: Pool,
        network: Network,
        folder: str,
        device: str,
        weights: str | None,
        resume: bool,
        paused: bool,
    ) -> None:
        self._run_number += 1
        number = self._run_number
        self.session.begin(network, folder)
        self._run = pool.train(
            file.dumps(network),
            folder,
            lambda event: self._mailbox.put(event, number),
            device=device,
            resume=resume,
            weights=weights,
            paused=paused,
        )

    def control(self, action: str) -> None:
        """ "pause", "resume", "step" or "stop"."""
        if self._run is not None:
            self._run.control(action)

    # ------------------------------------------------------------------ answers

    def _drain(self) -> None:
        events = self._mailbox.take()
        newest = max(
            (_age(event) for run, event in events if not run and self._shows(event)), default=(0, False)
        )
        for run, event in events:
            if self._closed:
                return
            # Of glimpses that come together the newest is shown: each takes a good part of a frame.
            if isinstance(event, protocol.Found) and _age(event) < newest and event.request != self._tried:
                continue
            if run:
                if run == self._run_number:
                    self._take_of_run(event)
            else:
                self._take(event)

    def _take_of_run(self, event: object) -> None:
        self.session.take(event)
        if isinstance(event, protocol.RunState) and not self.session.active:
            self._prepared = None
            self._prepare_soon.start()

    def _take(self, event: object) -> None:
        match event:
            case protocol.Analyzed(request=request, analysis=analysis) if (
                request == self._asked and not self._more
            ):
                self._patience.stop()
                self._shown = request
                self.analysis, self.current = analysis, True
                self.analyzed.emit(analysis)
                self._prepare_soon.start()
            case protocol.Found(request=request, analysis=analysis) if (
                request == self._asked > self._shown and not self._more
            ):
                if self._patience.isActive():
                    self._patience.start()
                self._glimpse(request, analysis)
            case protocol.Found() | protocol.Analyzed() if event.request == self._tried:
                self.tried.emit(event.analysis)
            case protocol.Found() | protocol.Analyzed() if self._on_the_way(event.request):
                self._glimpse(event.request, event.analysis)
            case protocol.Found() | protocol.Analyzed():  # of a drawing that has changed since
                pass
            case protocol.DataProgress(
                request=0
            ):  # the analysis reads data: it is at work, and does not hang
                if self._patience.isActive():
                    self._patience.start()
            case protocol.Welcome():
                self.welcome = event
                plugins.adopt(event.layers)
                self.welcomed.emit(event)
            case protocol.Warm():
                self.ready.emit()
            case Silence():
                self.silence.emit(event)
            case Trouble(message=message):
                self._patience.stop()
                self.host_lost.emit(message)
            case protocol.Failed(request=request, message=message) if request == self._asked:
                self._patience.stop()
                self.host_lost.emit(message)
            case _:
                request = getattr(event, "request", 0)
                self.answered.emit(request, self.examples.told(request, event))

    def _shows(self, event: object) -> TypeGuard[protocol.Found | protocol.Analyzed]:
        """Whether this is to be shown, as things are: of the document as it is, or just was."""
        if not isinstance(event, protocol.Found | protocol.Analyzed):
            return False
        return event.request == self._asked > self._shown or self._on_the_way(event.request)

    def _glimpse(self, request: int, analysis: Analysis) -> None:
        self._shown, self.analysis = request, analysis
        self.glimpsed.emit(analysis)

    def _on_the_way(self, request: int) -> bool:
        """Whether an analysis that is not the newest is newer than what is shown, and fits the drawing."""
        return not self._redrawn and request > self._shown and request in self._passed

    def close(self) -> None:
        """End all hosts; a run makes a checkpoint first. Waits for them, a few seconds at most."""
        if not self._closed:
            self._closed = True
            self._mailbox.notify(None)
            for timer in (self._analyze_soon, self._prepare_soon, self._patience):
                timer.stop()
            self.elsewhere.close()
            self.pool.close()


def _age(event: protocol.Found | protocol.Analyzed) -> tuple[int, bool]:
    """The greater, the newer; the whole of an analysis comes after what is told of it first."""
    return event.request, isinstance(event, protocol.Analyzed)


def runs_folder(path: Path | None) -> Path:
    """Where runs of the document at `path` go: ``NAME.runs/`` beside it.

    A document that was never saved has its runs in the user's data folder.
    """
    if path is not None:
        return path.with_name(f"{path.stem}.runs")
    data = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppLocalDataLocation)
    return Path(data) / "runs"
