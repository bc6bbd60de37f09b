"""While data are loaded: how far it is, a way out that leaves nothing, and that changed data are noticed."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import engine
from engine import cli
from engine.data import Cancelled, progress
from engine.host.member import Member, Run
from engine.host.pool import Pool
from engine.host.protocol import (
    CANCELLED,
    Analyze,
    Analyzed,
    DataLooked,
    DataProgress,
    Evaluate,
    Evaluated,
    Failed,
    Loading,
    LookAtData,
    Predict,
    Predicted,
    Prepare,
    RunStarted,
    RunState,
    Train,
)
from engine.host.work import Work
from engine.network import Data, Network, Node, Recipe
from engine.problems import DataChanged
from engine.storage import dumps, write
from engine.training import processes
from engine.training.control import Control
from tests.networks import chain


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.setattr(progress, "_PACE", 0.0)  # every step is told


def write_table(path: Path, seed: int = 0) -> None:
    values = np.random.default_rng(seed).normal(size=(60, 3))
    lines = ["a,b,kind", *(f"{a:.4f},{b:.4f},{'up' if a + b > 0 else 'down'}" for a, b, _ in values)]
    path.write_text("\n".join(lines) + "\n")


def table_network(path: Path, **recipe: object) -> Network:
    data = Data("csv", {"path": str(path)})
    fc = ("fc", Node("Linear", {"out_features": 2}))
    return chain(fc, shape=(2,), recipe=Recipe(data=data, epochs=2, **recipe))  # type: ignore[arg-type]


@pytest.fixture
def table(tmp_path) -> Path:
    write_table(tmp_path / "a.csv")
    return tmp_path / "a.csv"


class StopsWhileLoading(Control):
    """Stops the run as soon as its data begin to be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Loading | RunStarted | RunState] = []

    def __call__(self, event: object) -> None:
        if isinstance(event, Loading | RunStarted | RunState):
            self.heard.append(event)
        if isinstance(event, Loading):
            self.stop()


# ---------------------------------------------------------------------------- how far it is


def test_a_run_tells_how_far_its_data_are_loaded_before_it_begins(table, tmp_path):
    events: list[object] = []
    engine.train(table_network(table), run_dir=tmp_path / "runs", emit=events.append)
    loading = [event for event in events if isinstance(event, Loading)]
    assert {event.what for event in loading} == {"Reading columns", "Checking the data"}
    assert all(0 < event.done <= event.total for event in loading)
    assert events.index(loading[-1]) < next(i for i, e in enumerate(events) if isinstance(e, RunStarted))


def test_every_source_of_files_tells_how_far_it_is(tmp_path):
    """A source that is silent could not be called off either."""
    from engine.catalog import SOURCES
    from engine.data import load, watched
    from tests.real_data import MAKERS, WITHOUT_FILES

    silent = []
    for source in sorted(set(SOURCES) - set(WITHOUT_FILES)):
        folder = tmp_path / source
        folder.mkdir()
        heard: list[tuple[str, int, int]] = []
        with watched(lambda *told, heard=heard: heard.append(told)):
            load(Data(source, MAKERS[source](folder)), 0)
        if not heard:
            silent.append(source)
    assert silent == []


# ---------------------------------------------------------------------------- stopping


def test_a_new_run_that_is_stopped_while_loading_leaves_no_folder(table, tmp_path):
    control = StopsWhileLoading()
    result = engine.train(table_network(table), run_dir=tmp_path / "runs", emit=control, control=control)
    assert (result["state"], result["run"], result["steps"]) == ("stopped", None, 0)
    assert control.heard[-1] == RunState("stopped", 0, result["message"], result)
    assert not any(isinstance(event, RunStarted) for event in control.heard)
    assert not (tmp_path / "runs").exists()


def test_a_resumed_run_that_is_stopped_while_loading_stays_as_it_was(table, tmp_path):
    whole = engine.train(table_network(table), run_dir=tmp_path / "runs")
    folder = Path(whole["run"])
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    write_table(table)
    os.utime(table, ns=(1, 1))  # so that it is read again
    control = StopsWhileLoading()
    result = engine.train(resume=folder, epochs=4, emit=control, control=control)
    assert (result["state"], result["run"]) == ("stopped", str(folder))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_command_line_says_that_nothing_was_trained_and_ends_well(table, tmp_path, capsys, monkeypatch):
    file = tmp_path / "net.layerlab"
    write(table_network(table), file)
    real = progress.Progress.__call__

    def pressed(self: progress.Progress, done: int) -> None:
        import signal

        signal.raise_signal(signal.SIGINT)
        real(self, done)

    monkeypatch.setattr(progress.Progress, "__call__", pressed)
    arguments = ["train", str(file), "--run-dir", str(tmp_path / "runs")]
    assert cli.main(arguments) == 0
    assert "nothing was trained" in capsys.readouterr().out
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "stopped"
    assert not (tmp_path / "runs").exists()


def test_several_processes_that_are_stopped_while_loading_end_together(table, tmp_path, monkeypatch):
    class Told:
        """The first of the processes, as it tells that it was called off."""

        def __init__(self, command: list[str], **how: object) -> None:
            import io

            from engine.host.protocol import frame

            self.stdout, self.returncode = io.BytesIO(frame(Failed(0, CANCELLED))), 3

        def wait(self, timeout: float | None = None) -> int:
            return 3

        def poll(self) -> int:
            return 3

        def terminate(self) -> None:
            pass

    monkeypatch.setattr(processes.subprocess, "Popen", Told)
    result = engine.train(table_network(table), run_dir=tmp_path / "runs", nproc=2)
    assert (result["state"], result["run"]) == ("stopped", None)
    assert not (tmp_path / "runs").exists()


# ---------------------------------------------------------------------------- the host


def test_a_host_stops_a_run_that_loads_and_removes_its_empty_folder(table, tmp_path):
    work, events = Work(threads=1), []
    run = tmp_path / "run"
    run.mkdir()

    def emit(event: object) -> None:
        events.append(event)
        if isinstance(event, Loading):
            work.control("stop")

    work.answer(Train(1, dumps(table_network(table)), str(run)), emit)
    assert isinstance(events[-1], RunState)
    assert (events[-1].state, events[-1].result["run"]) == ("stopped", None)
    assert not run.exists()
    events.clear()
    work.answer(Train(2, dumps(table_network(table)), str(run)), events.append)
    assert events[-1].state == "finished", "the stop was that run's alone"


def test_a_run_that_cannot_begin_leaves_no_empty_folder(tmp_path):
    work, run = Work(threads=1), tmp_path / "run"
    run.mkdir()
    with pytest.raises(engine.NetworkProblem):
        work.answer(Train(1, dumps(Network()), str(run)), lambda event: None)
    assert not run.exists()


@pytest.mark.parametrize(
    ("other", "goes_on"),
    [
        (lambda doc, path: Train(2, doc, "nowhere"), True),
        (lambda doc, path: LookAtData(2, doc), True),
        (lambda doc, path: LookAtData(2, doc, str(path)), False),
        (lambda doc, path: Prepare(dumps(Network(recipe=Recipe(data=Data("iris"))))), False),
    ],
)
def test_what_is_loaded_ahead_makes_way_for_other_data_and_for_these_goes_on(table, other, goes_on):
    from engine.data import dataset

    work, events = Work(threads=1), []
    document = dumps(table_network(table))

    def emit(event: object) -> None:
        if not events:
            work.coming(other(document, table))
        events.append(event)

    dataset._kept = None
    work.answer(Prepare(document), emit)
    assert all(isinstance(event, DataProgress) and event.request == 0 for event in events)
    assert (dataset._kept is not None) == goes_on


def test_a_run_that_waits_for_what_is_loaded_ahead_hears_of_it_and_so_does_a_look():
    """Told by the pool, which knows who waits; the host does not."""
    pool = object.__new__(Pool)
    told, heard = [], []
    pool._on_event = told.append
    pool._lock, pool._analyst = threading.RLock(), None
    member = object.__new__(Member)
    member.run = Run(1, "run", heard.append)
    member.pending = {7: (LookAtData(7, b""), 0), 8: (Evaluate(8, "run"), 0)}
    pool._loads(member, DataProgress(0, "Reading pictures", 3, 9))
    assert heard == [Loading("Reading pictures", 3, 9)]
    assert told == [DataProgress(7, "Reading pictures", 3, 9)]
    pool._loads(member, DataProgress(7, "Reading pictures", 4, 9))
    assert heard[1:] == [Loading("Reading pictures", 4, 9)], "it waits behind the look too"
    assert told[1:] == [DataProgress(7, "Reading pictures", 4, 9)]


def test_a_run_that_is_stopped_while_it_waits_behind_a_look_calls_that_off(table, tmp_path):
    work, events = Work(threads=1), []
    document = dumps(table_network(table))
    work.control("stop")
    work.answer(LookAtData(5, document), events.append)
    assert events == [Failed(5, CANCELLED)]
    work.answer(Train(6, document, str(tmp_path / "run")), events.append)
    assert events[-1].state == "stopped"
    work.answer(LookAtData(7, document), events.append)
    assert isinstance(events[-1], DataLooked), "the stop was that run's alone"


def test_an_analysis_that_reads_data_says_that_it_is_at_work(table):
    """So that a large table is not taken for a host that hangs, and read again and again."""
    from engine.data import tables

    work, events = Work(threads=1), []
    tables._kept = None
    os.utime(table, ns=(9, 9))
    work.answer(Analyze(3, dumps(table_network(table))), events.append)
    assert isinstance(events[0], DataProgress)
    assert isinstance(events[-1], Analyzed)
    pool, told = object.__new__(Pool), []
    pool._on_event, pool._lock, pool._analyst = told.append, threading.RLock(), object.__new__(Member)
    pool._analyst.pending, pool._analyst.run = {}, None
    pool._loads(pool._analyst, events[0])
    assert told == [events[0]]


def test_a_look_is_called_off_while_its_data_are_loaded_ahead(table):
    work, events = Work(threads=1), []
    document = dumps(table_network(table))
    work.cancel(5)
    work.answer(Prepare(document), events.append)
    assert events == []
    work.answer(LookAtData(5, document), events.append)
    assert events == [Failed(5, CANCELLED)]
    work.answer(LookAtData(6, document), events.append)
    assert isinstance(events[-1], DataLooked)


def test_cancelled_is_what_a_listener_raises():
    from engine.data import watched

    def refuse(what: str, done: int, total: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled), watched(refuse):
        progress.Progress("Reading", 1)(1)


# ---------------------------------------------------------------------------- changed data


@pytest.fixture
def trained(table, tmp_path) -> str:
    """A run; behind it, its table has other rows."""
    run = engine.train(table_network(table), run_dir=tmp_path / "runs")["run"]
    write_table(table, seed=1)
    os.utime(table, ns=(1, 1))
    return run


def test_resuming_on_changed_data_is_said_and_goes_on(trained, tmp_path, capsys):
    events: list[object] = []
    result = engine.train(resume=trained, epochs=3, emit=events.append)
    assert result["state"] == "finished"
    (begun,) = [event for event in events if isinstance(event, RunStarted)]
    (said,) = begun.warnings
    assert "The data have changed since this run began" in said
    again: list[object] = []
    engine.train(resume=trained, epochs=4, emit=again.append)
    (begun,) = [event for event in again if isinstance(event, RunStarted)]
    assert begun.warnings == (), "the run has gone on with these data since"


def test_resuming_on_the_same_data_says_nothing(table, tmp_path):
    run = engine.train(table_network(table), run_dir=tmp_path / "runs")["run"]
    os.utime(table, ns=(5, 5))  # touched, and the same
    events: list[object] = []
    engine.train(resume=run, epochs=3, emit=events.append)
    (begun,) = [event for event in events if isinstance(event, RunStarted)]
    assert begun.warnings == ()


def test_the_commands_warn_of_changed_data_and_answer(trained, capsys):
    assert cli.main(["evaluate", trained]) == 0
    told = capsys.readouterr()
    assert "validation" in told.out
    assert "warning: The data have changed" in told.err.replace("\n", " ")
    assert cli.main(["evaluate", trained, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1
    assert cli.main(["predict", trained, "validation:0", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["warnings"]) == 1
    assert cli.main(["train", "--resume", trained, "--set", "recipe.epochs=3"]) == 0
    assert "warning: The data have changed" in capsys.readouterr().err.replace("\n", " ")


def test_from_python_changed_data_are_a_warning(trained):
    from engine.training import evaluate, predict

    with pytest.warns(DataChanged, match="have changed"):
        evaluate(trained)
    with pytest.warns(DataChanged, match="have changed"):
        predict(trained)


def test_the_host_says_it_with_its_answers(trained):
    work, events = Work(threads=1), []
    work.answer(Evaluate(1, trained), events.append)
    work.answer(Predict(2, trained), events.append)
    assert isinstance(events[0], Evaluated)
    assert isinstance(events[1], Predicted)
    assert all("have changed" in event.note for event in events)
