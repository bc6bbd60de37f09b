"""The host: ``layerlab host``. Reads requests from standard input, writes events to standard output.

One thread reads, one writes, the main thread works. What the work is, is in
:mod:`engine.host.work`; here are the order in which it is done and the ways in which it ends: the
host outlives neither its input nor its parent, not even in the middle of training.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from engine.host.channel import Inbox, MakeWay, Outbox, take_channel
from engine.host.protocol import (
    PROTOCOL_VERSION,
    Analyze,
    Boundary,
    CancelData,
    ChannelProblem,
    Control,
    Event,
    Failed,
    Found,
    Hello,
    Ping,
    Pong,
    Prepare,
    PreviewInit,
    PrintSource,
    Request,
    Respond,
    Train,
    Warm,
    Welcome,
    WhatIf,
    decoded_request,
    mismatch,
    read_frame,
)
from engine.problems import DataProblem, FileProblem, NetworkProblem, ran_out

#: A run that is told to stop because its window has gone has this long for its checkpoint.
GRACE = 8.0
#: Seconds between looks at whether the parent still lives.
_PARENT_CHECK = 0.5
#: Seconds for which a search for ways out waits at most until what is wrong is written.
_AHEAD = 0.05
#: What is asked of one example, or of none: no batch is too large for it.
_EXAMPLES = (Respond, Boundary, WhatIf, PreviewInit, Analyze, PrintSource)


class Work(Protocol):
    """What a host can do; :class:`engine.host.work.Work` does it with torch."""

    def welcome(self) -> Welcome:
        """Who this is; the first call, which may import what is heavy."""

    def warm_up(self) -> None:
        """Pay once what the first of everything costs."""

    def answer(self, request: Any, emit: Callable[[Event], None], pressing: Callable[[], bool]) -> None:
        """Do what is asked, emitting the events that answer it; raises what went wrong.

        `pressing` says whether an Analyze waits, for which it may make way (:class:`MakeWay`).
        """

    def control(self, action: str) -> None:
        """Steer the run, from another thread; also before it has quite begun."""

    def cancel(self, request: int) -> None:
        """Call a look at data off, from another thread; also before it has begun."""

    def coming(self, request: Any) -> None:
        """This waits now: told from another thread, so that what is done in advance can make way."""


class Server:
    """Serves one client until it goes.

    Parameters
    ----------
    work
        What is done.
    exit
        How the process ends; does not return.
    """

    def __init__(self, work: Work, *, exit: Callable[[int], NoReturn] = os._exit) -> None:
        self._work = work
        self._exit = exit
        self._incoming, outgoing = take_channel()
        self._inbox = Inbox()
        self._outbox = Outbox(outgoing, lambda: self.shut_down(0))
        # Reentrant: a signal's handler may find its own thread inside.
        self._lock = threading.RLock()
        self._runs = 0  # Train requests that were read and have not ended
        self._ending: int | None = None
        self._welcomed = False

    def serve(self) -> NoReturn:
        """Shake hands, warm up, then do what is asked until the client goes."""
        try:
            body = read_frame(self._incoming)
            first = None if body is None else decoded_request(body)
        except ChannelProblem as error:
            self._refuse(str(error))
        if first is None:
            self._exit(0)
        if not isinstance(first, Hello):
            self._refuse(f"The first message must be Hello, not {type(first).__name__}.")
        problem = mismatch(first.version, "window")
        if problem:
            self._outbox.put(Welcome(PROTOCOL_VERSION, os.getpid(), "", ""))
            self._refuse(problem)
        # From here on reading never waits for work, so that Control, Ping and the end are seen at once.
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._watch_parent, name="parent", daemon=True).start()
        self._outbox.put(self._work.welcome())
        self._welcomed = True
        warm = False
        while True:
            if not warm and self._inbox.idle:  # what is asked for comes before what may be
                self._work.warm_up()
                self._outbox.put(Warm())
                warm = True
            request = self._inbox.get()
            if request is None:
                break
            self._answer(request)
        self._exit(self._ending or 0)

    def shut_down(self, code: int) -> None:
        """End the process: at once, or, where a run is on, when it has stopped with its checkpoint.

        From any thread. The run has :data:`GRACE` seconds.
        """
        with self._lock:
            if self._ending is not None:
                return
            self._ending = code
            running = self._runs > 0
        if not running:
            self._exit(code)
        self._inbox.close()
        timer = threading.Timer(GRACE, self._exit, (code,))
        timer.daemon = True
        timer.start()
        self._work.control("stop")

    # ------------------------------------------------------------------ threads

    def _read(self) -> None:
        try:
            while (body := read_frame(self._incoming)) is not None:
                self._receive(decoded_request(body))
        except ChannelProblem as problem:
            print(f"layerlab host: {problem}", file=sys.stderr, flush=True)
            self._outbox.put(Failed(0, str(problem)))
            self._outbox.flush(1.0)
            self.shut_down(2)
        except Exception:
            traceback.print_exc()
            self.shut_down(2)
        else:
            self.shut_down(0)

    def _receive(self, request: Request) -> None:
        if isinstance(request, Control):
            self._work.control(request.action)
        elif isinstance(request, CancelData):
            self._work.cancel(request.request)
        elif isinstance(request, Ping) and self._welcomed:  # Welcome comes first
            self._outbox.put(Pong(request.request))
        else:
            if isinstance(request, Train):
                with self._lock:
                    self._runs += 1
                if request.paused:  # now, so that a Step that follows it is not lost
                    self._work.control("pause")
            self._inbox.put(request)
            self._work.coming(request)

    def _watch_parent(self) -> None:
        # Needed where another process has inherited our input's other end and so keeps it open.
        # (PR_SET_PDEATHSIG would not do: it fires when the *thread* that started us ends.)
        parent = os.getppid()
        while os.getppid() == parent:
            threading.Event().wait(_PARENT_CHECK)
        self.shut_down(0)

    # ------------------------------------------------------------------ work

    def _answer(self, request: Request) -> None:
        number = getattr(request, "request", 0)
        try:
            if isinstance(request, Ping):
                self._outbox.put(Pong(request.request))
                return
            self._work.answer(request, self._emit, lambda: self._inbox.pressing)
        except MakeWay:
            self._inbox.put_back(request)
        except Exception as error:
            message = explain(error, batches=not isinstance(request, _EXAMPLES))
            if not isinstance(request, Prepare):  # what keeps it from training, Train will say
                self._outbox.put(Failed(number, message))
        finally:
            if isinstance(request, Train):
                with self._lock:
                    self._runs -= 1
                self._outbox.flush(1.0 if self._ending is None else 0.2)
        if isinstance(request, Prepare):
            self._outbox.put(Warm(prepared=True))

    def _emit(self, event: Event) -> None:
        """Queue an event; what is wrong is on its way before the search for ways out of it goes on.

        The thread that writes would else come to it when that search lets it, some milliseconds later.
        """
        self._outbox.put(event)
        if isinstance(event, Found):
            self._outbox.flush(_AHEAD)

    def _refuse(self, message: str) -> NoReturn:
        print(f"layerlab host: {message}", file=sys.stderr, flush=True)
        self._outbox.put(Failed(0, message))
        self._outbox.flush(1.0)
        self._exit(2)


def explain(error: BaseException, *, batches: bool = True) -> str:
    """An exception in words for the user; what nobody foresaw also goes to standard error in full.

    `batches`: whether a smaller batch would have taken less memory.
    """
    if isinstance(error, FileProblem | NetworkProblem | DataProblem | ChannelProblem):
        return str(error)
    traceback.print_exception(error)
    kind = type(error).__name__
    if ran_out(error):
        way = "Lower recipe › batch_size, or make" if batches else "Make"
        return f"Memory ran out. {way} the network smaller, or close other programs."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    said = str(error).strip().splitlines()
    return f"Layerlab met something that it did not foresee: {kind}: {said[0] if said else 'no message'}"


def default_threads() -> int:
    """Threads for torch: all cores but one, which is the window's."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores - 1)


def settle(niceness: int = 10) -> None:
    """Make way for the window: lower this process's priority, and leave Ctrl+C to the parent.

    Where memory runs out, the system shall end this process and not the window (Linux).
    """
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("500")
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(niceness)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def serve(work: Work, *, niceness: int = 10) -> NoReturn:
    """Serve the client at standard input and output with `work`; ends the process."""
    server = Server(work)
    settle(niceness)
    signal.signal(signal.SIGTERM, lambda number, frame: server.shut_down(128 + number))
    try:
        server.serve()
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a host."""
    parser = argparse.ArgumentParser(prog="layerlab host", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=int, default=default_threads(), help="torch's threads")
    parser.add_argument("--nice", type=int, default=10, help="how far to lower the priority")
    chosen = parser.parse_args(arguments)
    if chosen.threads < 1:
        parser.error("--threads: at least 1.")

    from engine.host.work import Work as TorchWork

    serve(TorchWork(threads=chosen.threads), niceness=chosen.nice)


if __name__ == "__main__":
    main()
