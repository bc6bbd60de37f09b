"""The host's channel, the client and the pool, with real processes whose work is a fake."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.diff import Change
from engine.findings import Analysis, Problem, Repair
from engine.host.client import Exit, Host, HostProblem
from engine.host.member import Run
from engine.host.pool import Pool
from engine.host.protocol import (
    MAX_FRAME,
    Analyze,
    Analyzed,
    Control,
    Evaluated,
    Event,
    Failed,
    Hello,
    Metrics,
    Observation,
    Ping,
    Pong,
    PreviewActivation,
    Progress,
    Responded,
    RunStarted,
    RunState,
    Train,
    Warm,
    Welcome,
    decoded_event,
    frame,
    read_frame,
)

ROOT = Path(__file__).parents[1]
FAKE = [sys.executable, "-P", str(Path(__file__).with_name("host_fake.py"))]
PATIENCE = 30.0


def until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Wait for a condition; its value."""
    limit = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < limit, f"waited {PATIENCE} s for {what}"
        threading.Event().wait(0.01)
    return value


def gone(pid: int) -> bool:
    """Whether no process `pid` runs any more (a zombie that waits for its parent does not run)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


class Collector:
    """What a host says, in order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.exits: queue.Queue[Exit] = queue.Queue()

    def first(self, kind: type, **fields: Any) -> Any:
        def found() -> Any:
            for event in list(self.events):
                if isinstance(event, kind) and all(getattr(event, k) == v for k, v in fields.items()):
                    return event
            return None

        return until(found, f"{kind.__name__} {fields}")

    def all(self, kind: type) -> list[Any]:
        return [event for event in list(self.events) if isinstance(event, kind)]


class Client(Collector):
    """One host with its events collected."""

    def __init__(self, *arguments: str) -> None:
        super().__init__()
        self.host = Host.start(self.events.append, self.exits.put, command=[*FAKE, *arguments])

    def exit(self) -> Exit:
        return self.exits.get(timeout=PATIENCE)


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.host.kill()
    client.host.close()


def raw(*frames: bytes) -> subprocess.CompletedProcess[bytes]:
    """What a host says and how it ends when exactly these bytes come in."""
    return subprocess.run(
        FAKE,
        input=b"".join(frames),
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def events_of(data: bytes) -> list[Event]:
    import io

    stream, events = io.BytesIO(data), []
    while (body := read_frame(stream)) is not None:
        events.append(decoded_event(body))
    return events


# ---------------------------------------------------------------------------- one host


def test_a_host_welcomes_warms_up_and_answers(client: Client) -> None:
    client.first(Warm)
    client.host.send(Analyze(7, b"hello"))
    client.host.send(Ping(8))
    assert client.first(Analyzed, request=7).analysis.problems[0].message == "hello"
    client.first(Pong, request=8)
    kinds = [type(event) for event in client.events if not isinstance(event, Pong)]
    assert kinds == [Welcome, Warm, Analyzed]
    assert client.host.welcome is not None
    assert client.host.welcome.pid == client.host.pid


def test_a_ping_is_answered_while_the_host_works(client: Client, tmp_path: Path) -> None:
    client.first(Warm)
    gate = tmp_path / "gate"
    client.host.send(Analyze(1, f"wait {gate}".encode()))
    client.host.send(Ping(2))
    client.first(Pong, request=2)
    assert not client.all(Analyzed)
    gate.touch()
    client.first(Analyzed, request=1)


def test_of_the_analyses_that_wait_only_the_newest_is_done(client: Client, tmp_path: Path) -> None:
    client.first(Warm)
    gate = tmp_path / "gate"
    client.host.send(Analyze(1, f"wait {gate}".encode()))
    for number in range(2, 50):
        client.host.send(Analyze(number, str(number).encode()))
    client.host.send(Ping(50))
    client.first(Pong, request=50)  # all are read now
    gate.touch()
    client.first(Analyzed, request=49)
    answered = {event.request for event in client.all(Analyzed)}
    assert answered <= {1, 49}  # 1 was either in work already or superseded


def test_a_stray_print_goes_to_the_log_and_breaks_no_frame(client: Client) -> None:
    client.first(Warm)
    client.host.send(Analyze(1, b"after"))
    client.first(Analyzed, request=1)
    until(lambda: "a stray print" in client.host.log and "a stray write" in client.host.log)


def test_what_a_user_can_cause_is_answered_with_its_message(client: Client) -> None:
    client.host.send(Analyze(1, b"bad"))
    assert client.first(Failed, request=1).message == "the file: this is not JSON."


def test_what_nobody_foresaw_is_one_line_for_the_user_and_a_traceback_in_the_log(client: Client) -> None:
    client.host.send(PreviewActivation(1, "ReLU"))
    message = client.first(Failed, request=1).message
    assert "a fault of ours" in message
    assert "\n" not in message
    assert "Traceback" not in message
    until(lambda: "Traceback" in client.host.log and "RuntimeError: a fault of ours" in client.host.log)
    client.host.send(Analyze(2, b"still here"))
    client.first(Analyzed, request=2)


def test_closing_ends_the_host_and_is_no_accident(client: Client) -> None:
    client.first(Warm)
    client.host.close()
    ended = client.exit()
    assert (ended.code, ended.expected, ended.message) == (0, True, "")
    assert not client.host.alive


def test_a_killed_host_is_noticed_with_a_reason(client: Client) -> None:
    client.first(Warm)
    os.kill(client.host.pid, signal.SIGKILL)
    ended = client.exit()
    assert not ended.expected
    assert ended.code == -signal.SIGKILL
    assert "killed" in ended.message


def test_a_command_that_does_not_exist_is_said() -> None:
    with pytest.raises(HostProblem, match="no-such-program"):
        Host.start(lambda event: None, lambda exit: None, command=["/no-such-program"])


def test_a_program_that_is_no_host_is_ended_and_said() -> None:
    said = Collector()
    Host.start(said.events.append, said.exits.put, command=[sys.executable, "-c", "print('hello, world')"])
    ended = said.exits.get(timeout=PATIENCE)
    assert not ended.expected
    assert ended.message
    assert not said.events


def test_a_host_of_another_version_is_refused() -> None:
    client = Client("other-version")
    ended = client.exit()
    assert not ended.expected
    assert "version 99" in ended.message
    assert "same version" in ended.message
    assert not client.all(Welcome)


def test_a_problem_with_repairs_of_every_kind_survives_the_wire() -> None:
    path = ("nodes", "conv1", "fields", "stride")
    repairs = tuple(
        Repair("text", (change,))
        for change in (
            Change(path, after=2),
            Change(path, before=[1, 1]),
            Change(path, before=None, after={"a": [1.5, None]}),
            Change(("edges",), before=["a", "b"], index=3),
        )
    )
    event = Analyzed(1, Analysis(problems=(Problem("error", "code", "message", repairs=repairs),)), 0.0)
    assert events_of(frame(event)) == [event]


# ---------------------------------------------------------------------------- nonsense on the wire


def test_a_window_of_another_version_is_refused_with_a_message() -> None:
    ended = raw(frame(Hello(99)))
    assert ended.returncode == 2
    welcome, failed = events_of(ended.stdout)
    assert isinstance(welcome, Welcome)
    assert isinstance(failed, Failed)
    assert "version 99" in failed.message
    assert "Traceback" not in ended.stderr.decode()


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="text"),
        pytest.param((MAX_FRAME + 1).to_bytes(4, "big"), id="an oversized frame"),
        pytest.param((5).to_bytes(4, "big") + b"\xc1\xc1\xc1\xc1\xc1", id="no msgpack"),
        pytest.param((1).to_bytes(4, "big") + b"\x80", id="no request"),
        pytest.param((100).to_bytes(4, "big") + b"short", id="a frame cut off"),
    ],
)
@pytest.mark.parametrize("greeted", [True, False])
def test_nonsense_ends_the_host_with_a_message_and_no_traceback(nonsense: bytes, greeted: bool) -> None:
    ended = raw(frame(Hello()) if greeted else b"", nonsense)
    assert ended.returncode == 2
    failed = [event for event in events_of(ended.stdout) if isinstance(event, Failed)]
    assert len(failed) == 1
    assert failed[0].message in ended.stderr.decode()
    assert "Traceback" not in ended.stderr.decode()


def test_a_first_message_that_is_no_hello_is_refused() -> None:
    ended = raw(frame(Ping(1)))
    assert ended.returncode == 2
    assert "Hello" in ended.stderr.decode()


# ---------------------------------------------------------------------------- a run and its reader


def test_a_reader_that_stalls_does_not_stall_the_run_and_loses_no_metrics(tmp_path: Path) -> None:
    steps = 20_000
    host = subprocess.Popen(
        FAKE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert host.stdin is not None
    assert host.stdout is not None
    try:
        host.stdin.write(frame(Hello()) + frame(Train(1, f"steps {steps}".encode(), str(tmp_path / "run"))))
        host.stdin.flush()
        # Nothing is read, yet the run comes to its end: a pipe holds 64 KiB, an observation is 10 KiB.
        until((tmp_path / "run" / "done").exists, "the end of the run")
        events: list[Event] = []
        while not (events and isinstance(events[-1], RunState)):
            body = read_frame(host.stdout)  # type: ignore[arg-type]
            assert body is not None
            events.append(decoded_event(body))
        metrics = [event.step for event in events if isinstance(event, Metrics)]
        assert metrics == list(range(100, steps + 1, 100))
        assert sum(isinstance(event, Observation) for event in events) < steps / 10
        assert [e.step for e in events if isinstance(e, Progress)][-1] == steps
        assert events[-1].state == "finished"  # type: ignore[union-attr]
    finally:
        host.kill()
        host.communicate()


def test_closing_in_the_middle_of_a_run_leaves_its_checkpoint(client: Client, tmp_path: Path) -> None:
    client.host.send(Train(1, b"endless", str(tmp_path / "run")))
    client.first(Progress)
    client.host.close()
    assert client.exit().code == 0
    assert int((tmp_path / "run" / "checkpoint").read_text()) > 0


def test_a_stop_that_overtakes_its_run_is_not_lost(client: Client, tmp_path: Path) -> None:
    client.host.send(Train(1, b"endless", str(tmp_path / "run")))
    client.host.send(Control("stop"))
    assert client.first(RunState).state == "stopped"


ORPHANAGE = """
import sys, threading, time
from engine.host.pool import Pool
fake, folder = sys.argv[1:]
pool = Pool(lambda event: None, command=[sys.executable, "-P", fake])
run = pool.train(b"endless", folder, lambda event: None)
while len(pool.pids) < 3 or not run.step:
    time.sleep(0.01)
if "hang" in folder:
    run.control("hang")
print(*pool.pids, flush=True)
threading.Event().wait()
"""


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks processes up in /proc")
@pytest.mark.parametrize("name", ["run", "hang"])
def test_a_window_that_is_killed_leaves_no_orphan(tmp_path: Path, name: str) -> None:
    window = subprocess.Popen(
        [sys.executable, "-P", "-c", ORPHANAGE, FAKE[-1], str(tmp_path / name)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert window.stdout is not None
    pids = [int(word) for word in window.stdout.readline().split()]
    assert len(pids) == 3
    assert not any(gone(pid) for pid in pids)
    if name == "hang":
        until((tmp_path / name / "hanging").exists)
    window.kill()
    window.communicate()
    until(lambda: all(gone(pid) for pid in pids), "the hosts' end")
    if name == "run":
        assert (tmp_path / name / "checkpoint").exists()


# ---------------------------------------------------------------------------- the pool


class Window(Collector):
    """A pool with its events collected."""

    def __init__(self, *arguments: str, command: list[str] | None = None) -> None:
        super().__init__()
        self.troubles: list[str] = []
        self.pool = Pool(
            self.events.append, on_trouble=self.troubles.append, command=command or [*FAKE, *arguments]
        )

    def train(self, document: bytes, folder: Path) -> tuple[Run, list[Event]]:
        events: list[Event] = []
        return self.pool.train(document, str(folder), events.append), events


@pytest.fixture
def window() -> Iterator[Window]:
    window = Window()
    yield window
    pids = window.pool.pids
    window.pool.close(2.0)
    assert all(gone(pid) for pid in pids)


def test_the_pool_answers_and_gets_a_spare_ready(window: Window) -> None:
    number = window.pool.analyze(b"one")
    assert window.first(Analyzed, request=number).analysis.problems[0].message == "one"
    until(lambda: window.pool.ready, "a warm spare")
    assert len(window.pool.pids) == 2
    assert len(window.all(Welcome)) == 1


def test_a_killed_analysis_host_is_replaced_and_asked_again(window: Window, tmp_path: Path) -> None:
    window.first(Welcome)  # a host that is killed at once may not have got round to it
    number = window.pool.analyze(f"crash-once {tmp_path / 'flag'}".encode())
    window.first(Analyzed, request=number)
    assert (tmp_path / "flag").exists()
    assert len(window.all(Welcome)) == 2
    assert not window.all(Failed)


def test_an_analysis_host_that_still_starts_is_given_its_time(window: Window) -> None:
    window.pool.analyze(b"one")
    (starting,) = window.pool.pids
    window.pool.replace_analyst(starting=False)
    until(lambda: window.pool.ready, "the analyst, and then the spare")
    assert starting in window.pool.pids
    window.pool.replace_analyst(starting=False)  # now it has come up, and would be one that hangs
    until(lambda: starting not in window.pool.pids)


def test_a_document_that_kills_two_hosts_has_failed_and_the_pool_lives(window: Window) -> None:
    number = window.pool.analyze(b"crash")
    assert "killed" in window.first(Failed, request=number).message
    after = window.pool.analyze(b"after")
    window.first(Analyzed, request=after)


def test_a_run_has_a_host_of_its_own_and_a_new_spare_follows(window: Window, tmp_path: Path) -> None:
    until(lambda: window.pool.ready)
    spare = window.pool.pids[1]
    run, events = window.train(b"endless", tmp_path / "run")
    assert run.pid == spare
    until(lambda: len(window.pool.pids) == 3 and window.pool.ready)
    assert spare in window.pool.pids
    run.control("stop")
    until(lambda: run.ended)
    assert run.state == "stopped"
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunState)
    assert events[-1].step == run.step
    until(lambda: gone(spare), "the end of the run's host")


def test_a_run_whose_host_is_killed_ends_as_interrupted(window: Window, tmp_path: Path) -> None:
    run, events = window.train(b"endless", tmp_path / "run")
    until(lambda: run.step > 0)
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: run.ended)
    last = events[-1]
    assert isinstance(last, RunState)
    assert (last.state, last.step) == ("interrupted", run.step)
    assert "killed" in last.message
    number = window.pool.analyze(b"the window lives")
    window.first(Analyzed, request=number)


def test_two_runs_at_once_keep_their_events_apart(window: Window, tmp_path: Path) -> None:
    one, events_of_one = window.train(b"endless", tmp_path / "one")
    two, events_of_two = window.train(b"steps 300", tmp_path / "two")
    until(lambda: two.ended and one.step > 0)
    assert not one.ended
    assert {e.run for e in events_of_one if isinstance(e, RunStarted)} == {one.folder}
    assert {e.run for e in events_of_two if isinstance(e, RunStarted)} == {two.folder}
    one.control("stop")
    until(lambda: one.ended)


def test_the_spare_evaluates_and_is_replaced_when_it_dies(window: Window) -> None:
    first = window.first(Evaluated, request=window.pool.evaluate("run")).splits["pid"]["pid"]
    assert int(first) in window.pool.pids
    os.kill(int(first), signal.SIGKILL)
    until(lambda: int(first) not in window.pool.pids and len(window.pool.pids) == 2)
    second = window.first(Evaluated, request=window.pool.evaluate("run")).splits["pid"]["pid"]
    assert second != first


def test_what_is_light_need_not_wait_for_a_spare_that_is_made_ready(window: Window, tmp_path: Path) -> None:
    def says(number: int) -> str:
        return window.first(Responded, request=number).note

    until(lambda: window.pool.ready, "a warm spare")
    analyst, spare = map(str, window.pool.pids)
    gate = tmp_path / "gate"
    window.pool.prepare(f"wait {gate}".encode())
    heavy = window.pool.respond(b"", values=(1.0,))
    example = window.pool.respond(b"", light=True)  # which has data read
    assert says(window.pool.respond(b"", values=(1.0,), light=True)) == analyst
    assert says(window.pool.respond(b"", light=True, known=(1.0,))) == analyst
    large = window.pool.respond(b"", known=(1.0,))  # of a network that takes long
    assert not [event for event in window.all(Responded) if event.request in (heavy, example, large)]
    gate.touch()
    assert says(heavy) == says(example) == says(large) == spare
    until(lambda: window.pool.ready, "the spare")
    assert says(window.pool.respond(b"", values=(1.0,), light=True)) == spare
    assert says(window.pool.respond(b"", light=True, known=(1.0,))) == spare


def test_closing_the_pool_stops_runs_with_their_checkpoint(tmp_path: Path) -> None:
    window = Window()
    run, _ = window.train(b"endless", tmp_path / "run")
    until(lambda: run.step > 0)
    pids = window.pool.pids
    window.pool.close()
    assert all(gone(pid) for pid in pids)
    assert (tmp_path / "run" / "checkpoint").exists()
    assert not window.troubles


def test_hosts_that_die_at_once_are_given_up_with_their_last_words() -> None:
    window = Window("die-early")
    number = window.pool.analyze(b"anything")
    failed = window.first(Failed, request=number)
    assert "cannot import torch" in failed.message
    until(lambda: window.troubles)
    assert "cannot import torch" in window.troubles[0]
    assert window.pool.pids == []
    window.pool.close()


def test_an_engine_that_cannot_start_fails_what_is_asked(tmp_path: Path) -> None:
    window = Window(command=["/no-such-program"])
    number = window.pool.analyze(b"anything")
    window.first(Failed, request=number)
    run, events = window.train(b"endless", tmp_path / "run")
    assert run.state == "failed"
    assert isinstance(events[-1], RunState)
    assert window.troubles
    window.pool.close()
