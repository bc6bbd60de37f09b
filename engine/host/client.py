"""One host, as the window (or any program) holds it: a child process and three threads.

Callbacks come on the reader thread; a window marshals them. Nothing here imports torch or Qt.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.host.protocol import (
    ChannelProblem,
    Event,
    Hello,
    Question,
    Request,
    Welcome,
    decoded_event,
    frame,
    mismatch,
    read_frame,
)

#: Lines of a host's standard error that are kept for a report.
LOG_LINES = 400
#: What is said of a host that the system has ended.
KILLED = "The engine's process was killed, perhaps because memory ran out."


class HostProblem(Exception):
    """A host that cannot be started; the message is for the user."""


@dataclass(frozen=True)
class Exit:
    """How a host ended."""

    #: Exit code; negative: the signal that ended it.
    code: int
    #: Whether it was asked to end (closed or killed by this side).
    expected: bool
    #: One sentence for the user; empty where it was expected.
    message: str
    #: The last lines of its standard error, for a report.
    log: str


def host_command(*arguments: str) -> list[str]:
    """The command that runs a host of this very engine with this very Python."""
    # -P: a file torch.py in the working folder must not be taken for torch.
    return [sys.executable, "-P", "-m", "engine.host.server", *arguments]


def _environment() -> dict[str, str]:
    """The environment in which the child finds the engine that this process runs."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "PYTHONIOENCODING": "utf-8"}


class Host:
    """A running host.

    Parameters
    ----------
    on_event
        Called with each event, on a thread of this host's own.
    on_exit
        Called once, after the last event, when the process has ended for whatever reason.
    command
        What to run; None: this engine with this Python. ``["ssh", HOST, "layerlab", "host"]`` runs
        the host elsewhere.

    Raises
    ------
    HostProblem
        If the command cannot be started at all.
    """

    def __init__(
        self,
        on_event: Callable[[Event], None],
        on_exit: Callable[[Exit], None],
        *,
        command: Sequence[str] | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_exit = on_exit
        #: What the host said of itself, once it has.
        self.welcome: Welcome | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._asked_to_end = False
        self._trouble = ""
        words = list(host_command() if command is None else command)
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise HostProblem(f"Cannot start {words[0]!r}: {error.strerror or error}.") from error
        self._threads = [
            threading.Thread(target=work, name=f"host {self._process.pid} {name}", daemon=True)
            for name, work in (("reader", self._read), ("writer", self._write), ("log", self._collect_log))
        ]
        self.send(Hello())
        # The reader last: a host that ends at once has it wait for the others.
        for thread in reversed(self._threads):
            thread.start()

    @classmethod
    def start(
        cls,
        on_event: Callable[[Event], None],
        on_exit: Callable[[Exit], None],
        *,
        command: Sequence[str] | None = None,
    ) -> Host:
        """Start a host; see the class."""
        return cls(on_event, on_exit, command=command)

    # ------------------------------------------------------------------ for the owner

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """The last lines of the host's standard error."""
        return "".join(self._log)

    def send(self, request: Request | Question) -> None:
        """Queue a request and return at once. To a dead host it is lost, which `on_exit` tells.

        Raises
        ------
        ChannelProblem
            If the request is too large to send.
        """
        self._outgoing.put(frame(request))

    def close(self, timeout: float | None = 10.0) -> None:
        """Let the host end: its input closes, a run makes a checkpoint and stops.

        Waits up to `timeout` seconds and then kills it; with None it returns at once and leaves
        the host to end by itself, which it does within seconds.
        """
        self._asked_to_end = True
        self._outgoing.put(None)
        if timeout is None:
            return
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(2.0)

    def kill(self) -> None:
        """End the process now."""
        self._asked_to_end = True
        self._process.kill()

    def end_lost(self) -> None:
        """End a process that stands still; that it had to be is told as an accident."""
        self._trouble = self._trouble or "The engine's process stood still, and was ended."
        self._process.kill()

    # ------------------------------------------------------------------ threads

    def _write(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        try:
            while (data := self._outgoing.get()) is not None:
                stream.write(data)
                stream.flush()
        except (OSError, ValueError):
            pass  # it has died; the reader says so
        finally:
            with contextlib.suppress(OSError):  # what could not be flushed is lost with the host
                stream.close()

    def _collect_log(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        with stream:
            # A line without end (a progress bar) must not grow for ever.
            while line := stream.readline(4096):
                self._log.append(line.decode("utf-8", "replace"))

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        with stream:
            try:
                while (body := read_frame(stream)) is not None:  # type: ignore[arg-type]
                    self._receive(decoded_event(body))
            except ChannelProblem as problem:
                self._trouble = str(problem)
                self._process.kill()
        self._finish()

    def _receive(self, event: Event) -> None:
        if isinstance(event, Welcome):
            problem = mismatch(event.version, "host")
            if problem:
                raise ChannelProblem(problem)
            self.welcome = event
        try:
            self._on_event(event)
        except Exception:  # a listener's mistake must not stop the events of a run
            traceback.print_exc()

    def _finish(self) -> None:
        try:
            code = self._process.wait(10.0)
        except subprocess.TimeoutExpired:  # its output is closed, but it hangs on
            self._process.kill()
            code = self._process.wait()
        self._outgoing.put(None)  # lets the writer go
        self._threads[2].join(2.0)
        expected = self._asked_to_end and not self._trouble
        message = "" if expected else self._trouble or self._explain(code)
        try:
            self._on_exit(Exit(code, expected, message, self.log))
        except Exception:
            traceback.print_exc()

    def _explain(self, code: int) -> str:
        """Why it ended, as well as can be told from outside."""
        last = next((line.strip() for line in reversed(self._log) if line.strip()), "")
        if code == -9:
            return KILLED
        if code < 0:
            return f"The engine's process crashed (signal {-code})." + (
                f" It last said: {last}" if last else ""
            )
        return f"The engine's process ended by itself (exit code {code})." + (
            f" It last said: {last}" if last else ""
        )
