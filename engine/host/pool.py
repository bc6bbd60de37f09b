"""The hosts of a window: one for analysis, a warm spare, and one per run.

The analysis host lives as long as the pool: when it dies it is replaced and asked again. The spare
has trained something tiny, so that a run that takes it starts at once; another spare follows when
the run is under way. A run whose host dies ends as "interrupted". Callbacks come on threads of the
hosts; no method waits, :meth:`Pool.close` excepted.
"""

from __future__ import annotations

import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.host.asking import Asking
from engine.host.client import Exit, HostProblem, host_command
from engine.host.member import Member, Run
from engine.host.protocol import (
    Analyzed,
    Answer,
    CancelData,
    ChannelProblem,
    DataProgress,
    Event,
    Failed,
    Found,
    Loading,
    LongQuestion,
    LookAtData,
    Metrics,
    Ping,
    Pong,
    Prepare,
    Progress,
    Question,
    RunState,
    Train,
    Warm,
    Welcome,
)
from engine.host.pulse import LOST, SILENT, Pace, Pulse, Silence

#: A host that dies this often in a row without a word is not started again by itself.
TRIES = 3
#: How far the analysis host goes behind the window. Runs and spares go further: what they do takes long, and
#: nobody waits for it in the middle of a gesture.
ANALYST_NICENESS = 2


class Pool(Asking):
    """The hosts of one window.

    Parameters
    ----------
    on_event
        Gets the answers to numbered requests (``Analyzed``, ``InitPreview``, ``CurvePreview``,
        ``Evaluated``, ``Predicted``, ``DataLooked``, ``DataAbsent``, ``Failed``), ``DataProgress`` and
        ``Found`` on the way, the analysis host's ``Welcome`` (which names the
        devices) and ``Warm`` when the spare is ready to train.
    on_trouble
        Gets a sentence for the user when hosts cannot be kept alive.
    on_silence
        Gets a :class:`~engine.host.pulse.Silence` within two seconds when a host stands still, or
        the work of one that answers, and another when it goes on or has ended.
    command
        What a host is; None: this engine with this Python.
    numbers
        Numbers requests; pools that share it never give the same number twice.
    analyses
        Whether there is to be an analysis host; without one there are spares and runs alone.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        *,
        on_trouble: Callable[[str], None] | None = None,
        on_silence: Callable[[Silence], None] | None = None,
        command: Sequence[str] | None = None,
        numbers: Iterator[int] | None = None,
        analyses: bool = True,
    ) -> None:
        super().__init__(numbers)
        self._on_event = on_event
        self._on_silence = on_silence or (lambda silence: None)
        self._on_trouble = on_trouble or (lambda message: None)
        self._command = command
        self._lock = threading.RLock()
        self._analyst: Member | None = None
        self._spare: Member | None = None
        self._running: list[Member] = []
        self._prepare = b""  # asked for while there was no spare
        self._deaths = 0  # in a row, before a host had said anything
        self._closed = False
        if analyses:
            with self._lock:
                self._need_analyst()
        self._pulse = Pulse(self._beat)

    # ------------------------------------------------------------------ runs and data

    def cancel_data(self, request: int) -> None:
        """Call a look at data off; it ends in ``Failed``."""
        with self._lock:
            for member in self._members():
                if request in member.pending:
                    member.host.send(CancelData(request))

    def prepare(self, document: bytes) -> None:
        """Let the spare load this document's data and try a step, so that training starts at once."""
        with self._lock:
            self._prepare = document
            if self._spare is not None:
                self._send_prepare(self._spare)

    def train(
        self,
        document: bytes,
        run: str,
        on_event: Callable[[Event], None],
        *,
        device: str = "auto",
        resume: bool = False,
        weights: str | None = None,
        paused: bool = False,
    ) -> Run:
        """Train `document` into the folder `run`, in the spare, which becomes the run's own host.

        `on_event` gets ``RunStarted``, ``Metrics``, ``Progress``, ``Observation`` and ``RunState``;
        the last is a ``RunState`` of :data:`~engine.host.protocol.FINAL_STATES`, whatever happens.
        """
        handle = Run(next(self.numbers), run, on_event)
        with self._lock:
            member = self._need_spare()
            if member is not None:
                self._spare = None
                self._running.append(member)
                member.pace = Pace()
                member.run = handle
                handle.host = member.host
                request = Train(handle.request, document, run, device, resume, weights, paused)
                try:
                    member.host.send(request)
                except ChannelProblem as problem:
                    handle.receive(RunState("failed", 0, str(problem)))
                return handle
        handle.receive(RunState("failed", 0, "The engine cannot be started, so nothing can be trained."))
        return handle

    def replace_analyst(self, *, starting: bool = True) -> None:
        """Kill an analysis host that no longer answers; another takes its place and its questions.

        With `starting` false one that has not come up yet is left alone: on a busy machine that takes long.
        """
        with self._lock:
            member = self._analyst
        if member is not None and (starting or member.pace.known):
            member.host.kill()

    @property
    def ready(self) -> bool:
        """Whether a warm spare waits, so that training would start at once."""
        spare = self._spare
        return spare is not None and spare.ready

    @property
    def pids(self) -> list[int]:
        """Process ids of all hosts."""
        with self._lock:
            return [member.host.pid for member in self._members()]

    def close(self, timeout: float = 10.0) -> None:
        """End all hosts; runs make a checkpoint first. Those that take longer than `timeout` are killed."""
        self._pulse.close()
        with self._lock:
            self._closed = True
            members = self._members()
        for member in members:
            member.host.close(None)
        waiting = threading.Event()
        deadline = threading.Timer(timeout, waiting.set)
        deadline.daemon = True
        deadline.start()
        for member in members:
            while member.host.alive and not waiting.wait(0.01):
                pass
            member.host.close(0.0)
        deadline.cancel()

    # ------------------------------------------------------------------ members

    def _members(self) -> list[Member]:
        return [m for m in (self._analyst, self._spare, *self._running) if m is not None]

    def _start(self, *arguments: str) -> Member | None:
        """A new host, with `arguments` if it is this engine's; or None, and trouble told."""
        if self._closed:
            return None
        member = Member(self._receive, self._gone)
        try:
            member.start(self._command or host_command(*arguments))
        except HostProblem as problem:
            self._deaths = TRIES
            self._tell(self._on_trouble, str(problem))
            return None
        return member

    def _need_analyst(self) -> Member | None:
        if self._analyst is None:
            self._analyst = self._start("--nice", str(ANALYST_NICENESS))
        return self._analyst

    def _need_spare(self) -> Member | None:
        if self._spare is None:
            self._spare = self._start()
            if self._spare is not None:
                self._send_prepare(self._spare)
        return self._spare

    def _member_for(self, question: Question, light: bool = False) -> Member | None:
        if not isinstance(question, LongQuestion):
            return self._need_analyst()
        analyst = self._analyst
        if light and not self.ready and analyst is not None and analyst.pace.known:
            return analyst
        return self._need_spare()

    def _put(self, question: Question, *, light: bool = False) -> int:
        number, problem = question.request, "The engine cannot be started."
        with self._lock:
            member = self._member_for(question, light)
            if member is not None:
                try:
                    member.ask(question)
                    return number
                except ChannelProblem as refused:
                    member.pending.pop(number, None)
                    problem = str(refused)
        self._tell(self._on_event, Failed(number, problem))
        return number

    def _send_prepare(self, spare: Member) -> None:
        document, self._prepare = self._prepare, b""
        spare.ready = False
        with contextlib.suppress(ChannelProblem):  # too large: Train will say so
            spare.host.send(Prepare(document))

    def _tell(self, listener: Callable[[Any], None], what: Any) -> None:
        try:
            listener(what)
        except Exception:  # a listener's mistake must not take the pool down
            traceback.print_exc()

    # ------------------------------------------------------------------ what hosts say

    def _beat(self, late: float) -> None:
        """Ask every host whether it is there, and tell of those that do not say so."""
        with self._lock:
            members = [] if self._closed else self._members()
        now = time.monotonic()
        for member in members:
            if member.host.welcome is None:  # it is still starting
                member.heard = now
                continue
            member.heard += late
            member.pace.forgive(late)
            silence = now - member.heard
            if silence > SILENT and not member.silent:
                member.silent = True
                self._tell(self._on_silence, Silence(True, member.run))
            elif silence > LOST and member.run is None:
                member.heard = now
                member.host.end_lost()
            if member is not self._spare and not member.silent:
                self._tell_pace(member, member.pace.stands(now))
            member.host.send(Ping(0))

    def _tell_pace(self, member: Member, stands: bool) -> None:
        if stands != member.pace.told:
            member.pace.told = stands
            self._tell(self._on_silence, Silence(stands, member.run, answers=True))

    def _speaks(self, member: Member) -> None:
        member.heard = time.monotonic()
        if member.silent:
            member.silent = False
            self._tell(self._on_silence, Silence(False, member.run))

    def _receive(self, member: Member, event: Event) -> None:
        self._speaks(member)
        if isinstance(event, Pong):
            return
        if isinstance(event, DataProgress):
            self._loads(member, event)
            return
        run = member.run
        if run is not None and not isinstance(event, Welcome | Warm):
            number = event.request if isinstance(event, Answer) else run.request
            if number == run.request:
                self._receive_of_run(member, run, event)
                return
        forward = isinstance(event, Answer) and event.request > 0
        with self._lock:
            if isinstance(event, Found):
                member.found, forward = event, True
                member.pace.brought(bool(member.pending))
            elif isinstance(event, Answer):
                if isinstance(event, Analyzed) and event.found:
                    event = member.whole(event)
                self._deaths = 0
                member.pending.pop(event.request, None)
                member.pace.brought(bool(member.pending))
            elif isinstance(event, Warm):
                member.pace.known = True
                if event.prepared:
                    member.ready = True
                    self._deaths = 0
                    forward = member is self._spare
                elif member is self._analyst:
                    self._deaths = 0
                    # Only now: two hosts that import torch at once would hold each other up.
                    self._need_spare()
            elif isinstance(event, Welcome):
                forward = member is self._analyst
        if forward:
            self._tell(self._on_event, event)

    def _loads(self, member: Member, event: DataProgress) -> None:
        """What a host loads in advance or to look at is what its run, or another look, waits for."""
        if member.run is not None:
            self._tell(member.run.receive, Loading(event.what, event.done, event.total))
        if event.request:
            self._tell(self._on_event, event)
            return
        with self._lock:
            waiting = [n for n, (asked, _) in member.pending.items() if isinstance(asked, LookAtData)]
            analyses = member is self._analyst
        if analyses:  # it is at work: whoever waits may be patient
            self._tell(self._on_event, event)
        for number in waiting:
            self._tell(self._on_event, DataProgress(number, event.what, event.done, event.total))

    def _receive_of_run(self, member: Member, run: Run, event: Event) -> None:
        self._tell(run.receive, event)
        if run.ended or run.state == "paused":
            member.pace.brought(False)
        elif isinstance(event, Progress | Metrics):
            member.pace.stepped()
        if member.pace.told:
            self._tell_pace(member, False)
        if isinstance(event, Metrics | Progress) or run.ended:
            # The next spare comes once this run is under way, so as not to hold up its start.
            with self._lock:
                if self._deaths < TRIES:
                    self._need_spare()

    def _gone(self, member: Member, exit: Exit) -> None:
        """A host has ended: replace it, ask again what it owed, end its run."""
        self._speaks(member)
        self._tell_pace(member, False)
        failed: list[Failed] = []
        trouble, replaced = "", False
        with self._lock:
            was_spare, was_analyst = member is self._spare, member is self._analyst
            if was_analyst:
                self._analyst = None
            if was_spare:
                self._spare = None
            if member in self._running:
                self._running.remove(member)
            if self._closed:
                owed: list[tuple[Question, int]] = []
            else:
                owed = list(member.pending.values())
                if not exit.expected and not member.ready and (was_analyst or was_spare):
                    self._deaths += 1
                if self._deaths >= TRIES:
                    trouble = exit.message
                    failed = [Failed(request.request, exit.message) for request, _ in owed]
                else:
                    if was_analyst:
                        heir = self._need_analyst()
                        replaced = heir is not None and not exit.expected
                        if heir is not None:
                            heir.silent = replaced  # until it speaks
                    failed = self._ask_again(owed, exit)
        if replaced:  # at once: another takes seconds to start
            self._tell(self._on_silence, Silence(True))
        if trouble:
            self._tell(self._on_trouble, trouble)
        for event in failed:
            self._tell(self._on_event, event)
        if member.run is not None:
            message = exit.message or "The run's process was ended."
            self._tell(member.run.receive, RunState("interrupted", member.run.step, message))
        if was_spare and not self._closed and not trouble:
            with self._lock:
                self._need_spare()

    def _ask_again(self, owed: list[tuple[Question, int]], exit: Exit) -> list[Failed]:
        """Hand what a dead host owed to another; what has cost two hosts has failed."""
        failed = []
        for question, deaths in owed:
            member = self._member_for(question) if deaths == 0 else None
            if member is None:
                failed.append(Failed(question.request, exit.message or "The engine was ended."))
            else:
                member.ask(question, deaths + 1)
        return failed
