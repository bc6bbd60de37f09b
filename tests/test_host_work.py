"""A real host with torch: what a window asks of it, on real digits."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import engine
from engine import assets
from engine.host.pool import Pool
from engine.host.protocol import (
    Analyzed,
    CurvePreview,
    Evaluated,
    Event,
    Failed,
    InitPreview,
    Loading,
    Metrics,
    Observation,
    Predicted,
    RateFound,
    RunStarted,
    RunState,
    Welcome,
)
from engine.storage import file

pytestmark = pytest.mark.shares_hosts

PATIENCE = 120.0


def until(condition: Callable[[], Any], what: str) -> Any:
    limit = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < limit, f"waited {PATIENCE} s for {what}"
        threading.Event().wait(0.01)
    return value


class Window:
    """A pool with its answers by request number."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.troubles: list[str] = []
        self.pool = Pool(self.events.append, on_trouble=self.troubles.append)

    def answer(self, request: int) -> Any:
        def found() -> Event | None:
            return next((e for e in list(self.events) if getattr(e, "request", None) == request), None)

        return until(found, f"the answer to {request}")


@pytest.fixture(scope="module")
def window() -> Iterator[Window]:
    window = Window()
    yield window
    window.pool.close()
    assert not window.troubles


@pytest.fixture(scope="module")
def digits() -> bytes:
    return assets.path("networks/digits_mlp.layerlab").read_bytes()


def changed(document: bytes, **recipe: Any) -> bytes:
    form = json.loads(document)
    form["recipe"].update(recipe)
    return json.dumps(form).encode()


def train(window: Window, document: bytes, run: Path, **options: Any) -> tuple[Any, list[Event]]:
    events: list[Event] = []
    return window.pool.train(document, str(run), events.append, device="cpu", **options), events


def test_the_host_names_its_torch_and_its_devices(window: Window) -> None:
    welcome = until(lambda: next((e for e in window.events if isinstance(e, Welcome)), None), "Welcome")
    assert welcome.devices[0].id == "cpu"
    assert welcome.torch.split(".")[0].isdigit()


def test_an_analysis_over_the_wire_is_the_analysis_in_process(window: Window, digits: bytes) -> None:
    answer = window.answer(window.pool.analyze(digits))
    assert isinstance(answer, Analyzed)
    assert answer.analysis == engine.analyze(file.loads(digits))


def test_previews_answer(window: Window, digits: bytes) -> None:
    assert isinstance(window.answer(window.pool.preview_init(digits, "fc1", "weight")), InitPreview)
    assert isinstance(window.answer(window.pool.preview_activation("ReLU")), CurvePreview)
    assert isinstance(window.answer(window.pool.preview_binarizer("ste_sign")), CurvePreview)


def test_a_learning_rate_is_found_as_in_process(window: Window, digits: bytes) -> None:
    from engine.training import find_rate

    answer = window.answer(window.pool.find_rate(digits, "cpu"))
    assert isinstance(answer, RateFound)
    here = find_rate(file.loads(digits), device="cpu")
    assert answer.rates[:20] == here.rates[:20]
    assert answer.losses[:20] == pytest.approx(here.losses[:20], rel=1e-3)
    assert answer.suggestion is not None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"not json", "JSON"),
        (b'{"format": "layerlab", "version": 1, "min_reader": 99}', "newer"),
    ],
)
def test_a_document_that_is_no_network_gets_its_message(
    window: Window, document: bytes, message: str
) -> None:
    answer = window.answer(window.pool.analyze(document))
    assert isinstance(answer, Failed)
    assert message in answer.message
    assert "Traceback" not in answer.message


def test_a_run_tells_its_story_and_is_then_evaluated_and_asked(
    window: Window, digits: bytes, tmp_path: Path
) -> None:
    window.pool.prepare(digits)
    run, events = train(window, changed(digits, epochs=3), tmp_path / "run")
    until(lambda: run.ended, "the end of the run")
    assert run.state == "finished", run.log
    assert isinstance(next(event for event in events if not isinstance(event, Loading)), RunStarted)
    assert any(isinstance(event, Observation) for event in events)
    validation = [e for e in events if isinstance(e, Metrics) and e.split == "validation"]
    assert [event.epoch for event in validation] == [1, 2, 3]
    last = events[-1]
    assert isinstance(last, RunState)
    assert last.result == json.loads((tmp_path / "run" / "result.json").read_bytes())
    evaluated = window.answer(window.pool.evaluate(run.folder, "cpu"))
    assert isinstance(evaluated, Evaluated)
    best = max(event.values["accuracy"] for event in validation)
    assert evaluated.splits["validation"]["accuracy"] == pytest.approx(best)
    predicted = window.answer(window.pool.predict(run.folder, count=5))
    assert isinstance(predicted, Predicted)
    assert len(predicted.predictions) == 5
    assert predicted.classes == tuple("0123456789")


def test_a_run_begins_paused_goes_on_by_single_steps_and_stops(
    window: Window, digits: bytes, tmp_path: Path
) -> None:
    run, _ = train(window, digits, tmp_path / "run", paused=True)
    run.control("step")
    run.control("step")
    until(lambda: run.state == "paused" and run.step == 2, "two steps")
    run.control("stop")
    until(lambda: run.ended, "the end of the run")
    assert (run.state, run.step) == ("stopped", 2)


def test_a_network_with_errors_is_refused_with_its_problems(
    window: Window, digits: bytes, tmp_path: Path
) -> None:
    form = json.loads(digits)
    form["edges"] = form["edges"][1:]
    run, events = train(window, json.dumps(form).encode(), tmp_path / "run")
    until(lambda: run.ended, "the refusal")
    assert run.state == "failed"
    last = events[-1]
    assert isinstance(last, RunState)
    assert last.message
    assert "Traceback" not in last.message


def test_killing_the_host_of_a_run_leaves_the_window_and_the_record(
    window: Window, digits: bytes, tmp_path: Path
) -> None:
    run, events = train(window, changed(digits, epochs=100_000), tmp_path / "run")
    until(lambda: run.step > 100, "a hundred steps")
    os.kill(run.pid, signal.SIGKILL)
    until(lambda: run.ended, "the news")
    assert run.state == "interrupted"
    assert isinstance(events[-1], RunState)
    assert file.read(tmp_path / "run" / "network.layerlab").nodes == file.loads(digits).nodes
    assert isinstance(window.answer(window.pool.analyze(digits)), Analyzed)


def test_what_is_no_run_cannot_be_evaluated(window: Window, tmp_path: Path) -> None:
    answer = window.answer(window.pool.evaluate(str(tmp_path / "nothing")))
    assert isinstance(answer, Failed)
    assert "nothing" in answer.message
