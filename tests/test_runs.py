"""Run folders: their names, their states, their records."""

import os
import subprocess
import sys

import msgspec
import pytest

from engine.host.protocol import (
    Confused,
    Distribution,
    Metrics,
    Observation,
    RunStarted,
    RunState,
    frame,
)
from engine.runs import Recorder, create, listed, read_events
from engine.runs.owner import Owner, is_alive, me


def metrics(step):
    return Metrics(step, step / 10, "train", {"loss": 1 / step}, 0.1 * step)


def started(step):
    return RunStarted("run", "cpu", 2, 10, step, {"fc.weight": (2, 3)}, 100, 20, 1)


def observation(step):
    one = Distribution(-1.0, 1.0, (1,) * 64, 0.0, 0.5, 2.0, 0.0)
    return Observation(step, 0.5, {"fc.weight": one}, {"fc.weight": one})


def test_folders_bear_the_networks_name_and_never_collide(tmp_path):
    first, second = (create(tmp_path / "runs", "Größe & LeNet-5!").path for _ in range(2))
    assert first != second
    assert first.is_dir()
    assert "lenet-5" in first.name
    assert first.name.isascii()


def test_a_run_is_running_while_its_process_lives_and_then_interrupted(tmp_path):
    folder = create(tmp_path, "a")
    assert folder.state() == "interrupted"
    folder.claim({})
    assert folder.state() == "running"
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    from engine.runs.owner import _started

    holder = Owner(child.pid, _started(child.pid) or "")
    folder.facts.write_bytes(msgspec.json.encode(holder))
    assert folder.state() == "running"
    child.kill()
    child.wait()
    assert folder.state() == "interrupted"


def test_a_process_that_got_an_old_number_is_another():
    assert is_alive(me())
    assert not is_alive(Owner(os.getpid(), "another time"))


@pytest.mark.parametrize("state", ["finished", "stopped", "diverged", "failed"])
def test_a_result_says_the_state_until_the_run_is_claimed_again(tmp_path, state):
    folder = create(tmp_path, "a")
    folder.claim({})
    folder.result.write_text(f'{{"state": "{state}"}}')
    assert folder.state() == state
    folder.claim({})
    assert folder.state() == "running"


def test_runs_are_listed_newest_first_and_other_folders_not_at_all(tmp_path):
    assert listed(tmp_path / "none") == []
    for number, name in enumerate(("a", "b")):
        folder = create(tmp_path, name)
        folder.network.write_text("{}")
        os.utime(folder.network, (number, number))
    (tmp_path / "notes").mkdir()
    assert [run.path.name[-1] for run in listed(tmp_path)] == ["b", "a"]


def test_a_record_gives_back_what_was_told(tmp_path):
    folder = create(tmp_path, "a")
    told = [started(0), metrics(1), metrics(2), RunState("stopped", 2, "", {"steps": 2})]
    with Recorder(folder) as record:
        for event in (*told, observation(1)):
            record(event)
    assert read_events(folder.metrics) == told
    assert read_events(folder.observations) == [started(0), observation(1)]
    assert read_events(folder.path / "none") == []


def confused(step, output=""):
    return Confused(step, "validation", output, ("no", "yes"), (step, 1, 0, 2))


def test_the_first_and_the_last_validations_matrices_are_kept_of_every_output(tmp_path, monkeypatch):
    folder = create(tmp_path, "a")
    now = [0.0]
    monkeypatch.setattr("engine.runs.record.time.monotonic", lambda: now[0])
    told = [confused(step, output) for step in range(3000) for output in ("a", "b")]
    with Recorder(folder) as record:
        record(started(0))
        for event in told:
            now[0] = event.step * 3.0  # an epoch every three seconds
            record(event)
        record(RunState("stopped", 2999))
        record(RunState("stopped", 2999))
    kept = [event for event in read_events(folder.observations) if isinstance(event, Confused)]
    assert kept[:2] == told[:2]
    assert kept[-2:] == told[-2:]
    assert [(event.step, event.output) for event in kept] == [
        (step, output) for step in sorted({event.step for event in kept}) for output in ("a", "b")
    ]
    assert 2 * 400 < len(kept) < 2 * 1000  # 200 + 200 ln(9000 s / 600 s), of each output


def test_what_a_crash_cut_short_spoils_nothing_before_it(tmp_path):
    folder = create(tmp_path, "a")
    whole = b"".join(map(frame, (metrics(1), metrics(2))))
    for length in range(len(frame(metrics(1))), len(whole)):
        folder.metrics.write_bytes(whole[:length])
        assert read_events(folder.metrics) == [metrics(1)]
    folder.metrics.write_bytes(whole + b"\xff" * 40)
    assert read_events(folder.metrics) == [metrics(1), metrics(2)]


def test_a_resumed_run_tells_again_what_lay_beyond_its_checkpoint(tmp_path):
    folder = create(tmp_path, "a")
    with Recorder(folder) as record:
        for event in (started(0), metrics(1), metrics(5), metrics(9)):
            record(event)
    with Recorder(folder) as record:
        for event in (started(5), metrics(6), metrics(9)):
            record(event)
    assert [e.step for e in read_events(folder.metrics) if isinstance(e, Metrics)] == [1, 5, 6, 9]
    with Recorder(folder) as record:  # no checkpoint was written: from the beginning
        for event in (started(0), metrics(1)):
            record(event)
    assert [e.step for e in read_events(folder.metrics) if isinstance(e, Metrics)] == [1]


def test_a_frame_that_a_crash_cut_short_does_not_swallow_what_is_told_later(tmp_path):
    folder = create(tmp_path, "a")
    with Recorder(folder) as record:
        for event in (started(0), metrics(1), metrics(2)):
            record(event)
    folder.metrics.write_bytes(folder.metrics.read_bytes()[:-7])
    with Recorder(folder) as record:
        for event in (started(1), metrics(2), metrics(3)):
            record(event)
    told = [event.step for event in read_events(folder.metrics) if isinstance(event, Metrics)]
    assert told == [1, 2, 3]
