"""What a pool is made of: its hosts with what they owe, and the runs in them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from engine.findings import Analysis
from engine.host.client import Exit, Host
from engine.host.protocol import (
    FINAL_STATES,
    Analyzed,
    ChannelProblem,
    Control,
    Event,
    Failed,
    Found,
    Metrics,
    Progress,
    Question,
    RunStarted,
    RunState,
    supersedes,
)
from engine.host.pulse import Pace


class Run:
    """A run in a host of its own. Made by :meth:`Pool.train`."""

    def __init__(self, request: int, folder: str, on_event: Callable[[Event], None]) -> None:
        self.request = request
        #: The run's folder.
        self.folder = folder
        #: "starting", then as :class:`RunState` has it, "interrupted" where its host died.
        self.state = "starting"
        #: The last step heard of.
        self.step = 0
        self._on_event = on_event
        #: The host that it is in, once it is.
        self.host: Host | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.state in FINAL_STATES

    @property
    def log(self) -> str:
        """The last lines of its host's standard error, for a report."""
        return self.host.log if self.host else ""

    @property
    def pid(self) -> int | None:
        """Its host's process id."""
        return self.host.pid if self.host else None

    def control(self, action: str) -> None:
        """ "pause", "resume", "step" (one batch, then pause) or "stop"."""
        if self.host and not self.ended:
            self.host.send(Control(action))

    def kill(self) -> None:
        """End its process now; the run ends as "interrupted", its last checkpoint stays."""
        if self.host:
            self.host.kill()

    def receive(self, event: Event) -> None:
        """What its host says, or what became of it."""
        if self.ended:
            return
        if isinstance(event, Failed):
            event = RunState("failed", self.step, event.message)
        if isinstance(event, RunState):
            self.state = event.state
        if isinstance(event, RunState | Metrics | Progress | RunStarted):
            self.step = event.step
        try:
            self._on_event(event)
        finally:
            if self.ended and self.host:
                self.host.close(None)


class Member:
    """A host of the pool, and what it owes.

    Parameters
    ----------
    on_event, on_exit
        Get this member and what its host says, or how it ended.
    """

    def __init__(self, on_event: Callable[[Member, Event], None], on_exit: Callable[[Member, Exit], None]):
        #: Request number -> request, and how many hosts have died over it.
        self.pending: dict[int, tuple[Question, int]] = {}
        self.run: Run | None = None
        #: What it found last, whose ways out are to follow.
        self.found: Found | None = None
        #: A spare: that it has tried a step. Else never.
        self.ready = False
        #: When it last said anything, and whether its silence has been told.
        self.heard = time.monotonic()
        self.silent = False
        #: How what it owes gets on.
        self.pace = Pace()
        self._on_event = on_event
        self._on_exit = on_exit
        self.host: Host

    def start(self, command: Sequence[str] | None) -> None:
        """Start its host.

        Raises
        ------
        HostProblem
            It cannot be started.
        """
        self.host = Host.start(
            lambda event: self._on_event(self, event), lambda exit: self._on_exit(self, exit), command=command
        )

    def whole(self, event: Analyzed) -> Analyzed:
        """The end of an analysis with what was told of it before.

        Raises
        ------
        ChannelProblem
            If nothing was.
        """
        found, self.found = self.found, None
        if found is None or found.request != event.request:
            raise ChannelProblem("The engine answered with the rest of an analysis that it had not begun.")
        before = found.analysis
        return Analyzed(
            event.request, Analysis(before.nodes, event.analysis.problems, before.totals), event.seconds
        )

    def ask(self, request: Question, deaths: int = 0) -> None:
        """Send a question and remember it until it is answered.

        Raises
        ------
        ChannelProblem
            It is too large to send.
        """
        # What it supersedes may go unanswered.
        self.pending = {n: p for n, p in self.pending.items() if not supersedes(request, p[0])}
        self.pending[request.request] = (request, deaths)
        self.pace.owes()
        self.host.send(request)
