"""A host whose work is a fake, run as a program by the tests of the host: real pipes, real processes."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.findings import Analysis, Problem
from engine.host.protocol import (
    PROTOCOL_VERSION,
    Analyze,
    Analyzed,
    Distribution,
    Evaluate,
    Evaluated,
    Event,
    Metrics,
    Observation,
    Prepare,
    PreviewActivation,
    Progress,
    Respond,
    Responded,
    RunStarted,
    RunState,
    Train,
    Welcome,
)
from engine.host.server import serve
from engine.problems import FileProblem

SPECTRUM = Distribution(0.0, 1.0, tuple(range(64)), 0.5, 0.1, 1.0, 0.0)


class FakeWork:
    """Does what the document says in one word; trains by counting."""

    def __init__(self) -> None:
        self.actions: queue.SimpleQueue[str] = queue.SimpleQueue()

    def welcome(self) -> Welcome:
        if "die-early" in sys.argv:
            print("cannot import torch", file=sys.stderr, flush=True)
            os._exit(3)
        version = 99 if "other-version" in sys.argv else PROTOCOL_VERSION
        return Welcome(version, os.getpid(), "3", "none")

    def warm_up(self) -> None:
        print("a stray print")
        os.write(1, b"a stray write\n")

    def control(self, action: str) -> None:
        self.actions.put(action)

    def coming(self, request: Any) -> None:
        pass

    def answer(self, request: Any, emit: Callable[[Event], None], pressing: Callable[[], bool]) -> None:
        if isinstance(request, Analyze):
            self.analyze(request, emit)
        elif isinstance(request, Evaluate):
            emit(Evaluated(request.request, {"pid": {"pid": float(os.getpid())}}))
        elif isinstance(request, Respond):
            emit(Responded(request.request, {}, str(os.getpid())))
        elif isinstance(request, Prepare):
            self.wait(request.document.decode())
        elif isinstance(request, PreviewActivation):
            raise RuntimeError("a fault of ours")
        elif isinstance(request, Train):
            self.train(request, emit)

    def analyze(self, request: Analyze, emit: Callable[[Event], None]) -> None:
        document = request.document.decode()
        if document == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if document.startswith("crash-once "):
            flag = Path(document.removeprefix("crash-once "))
            if not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        if document == "memory":
            bytearray(1 << 60)  # more than there is anywhere: MemoryError
        if document == "bad":
            raise FileProblem("the file: this is not JSON.")
        self.wait(document)
        problem = Problem("hint", "echo", document)
        emit(Analyzed(request.request, Analysis(problems=(problem,)), 0.0))

    def wait(self, document: str) -> None:
        """Until the test lets go: a file appears."""
        if document.startswith("wait "):
            gate = Path(document.removeprefix("wait "))
            while not gate.exists():
                threading.Event().wait(0.01)

    def train(self, request: Train, emit: Callable[[Event], None]) -> None:
        """Steps until stopped, writing the count into the run's folder; `steps N` ends by itself."""
        folder = Path(request.run)
        folder.mkdir(parents=True, exist_ok=True)
        words = request.document.decode().split()
        steps = int(words[1]) if words[0] == "steps" else None
        emit(RunStarted(request.run, "cpu", 1, steps or 1, 0, {}, 1, 1, 1))
        step = 0
        while steps is None or step < steps:
            step += 1
            emit(Progress(step, steps or 0, 0, 1, 1.0, None, 0.0))
            emit(Observation(step, 0.0, {f"w{i}": SPECTRUM for i in range(50)}, {}))
            if step % 100 == 0:
                emit(Metrics(step, 0.0, "train", {"loss": 1.0 / step}, 0.0))
            try:
                action = self.actions.get(timeout=0.001) if steps is None else self.actions.get_nowait()
            except queue.Empty:
                continue
            if action == "hang":
                (folder / "hanging").touch()
                threading.Event().wait()
            if action == "stop":
                (folder / "checkpoint").write_text(str(step))
                emit(RunState("stopped", step))
                return
        (folder / "done").write_text(str(step))
        emit(RunState("finished", step, "", {"steps": step}))


if __name__ == "__main__":
    serve(FakeWork())
