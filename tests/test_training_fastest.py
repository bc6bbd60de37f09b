"""The setting "fastest": what is tried, what is kept, and what it may not change."""

from __future__ import annotations

import json
import re

import pytest

from engine.host.protocol import RunStarted
from engine.network import Node, Recipe
from engine.runs import RunFolder
from engine.training import fastest, replay, train
from tests.test_training import chain, perceptron


def pictures(**options):
    return chain(
        Recipe(epochs=1, batch_size=200, options={"fastest": True, **options}),
        conv=Node("Conv2d", {"out_channels": 2, "kernel_size": 3}),
        flat=Node("Flatten"),
        fc=Node("Linear", {"out_features": 10}),
    )


def started(network, folder):
    events = []
    result = train(network, device="cpu", run_dir=folder, emit=events.append)
    return next(event for event in events if isinstance(event, RunStarted)), result


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    monkeypatch.setattr(fastest, "_SECONDS", 0.02)


def test_it_says_what_it_measured_of_each_candidate(tmp_path):
    event, _ = started(pictures(), tmp_path)
    (told,) = [note for note in event.notes if note.startswith("fastest: ")]
    assert re.search(r"[\d,]+ steps/s as it comes", told)
    assert re.search(r"[\d,]+ with channels first", told)


def test_the_winner_is_kept_recorded_and_used_again(tmp_path, monkeypatch):
    asked = []

    def measured(task, feed, options, chosen):
        asked.append(chosen)
        return 50.0 if chosen.channels_last else 100.0

    monkeypatch.setattr(fastest, "_steps_per_second", measured)
    _, result = started(pictures(threads=1), tmp_path)
    assert [chosen.channels_last for chosen in asked] == [True, False]
    facts = json.loads(RunFolder(tmp_path / result["run"]).facts.read_text())
    assert facts["choices"]["channels_last"] is False
    asked.clear()
    assert replay(result["run"])["same"]
    assert asked == []  # nothing is measured again: the same numbers need the same choices


def test_what_is_no_faster_than_noise_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(fastest, "_steps_per_second", lambda *_: 50.0)
    _, result = started(pictures(threads=1), tmp_path)
    facts = json.loads(RunFolder(tmp_path / result["run"]).facts.read_text())
    assert facts["choices"]["channels_last"] is True  # as on processors without trying


def test_what_the_recipe_says_is_not_varied(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(fastest, "_steps_per_second", lambda *given: asked.append(given[-1]) or 50.0)
    started(pictures(threads=1, channels_last="on"), tmp_path)
    assert [(chosen.threads, chosen.channels_last) for chosen in asked] == [(1, True)]


def test_a_candidate_that_fails_is_told_and_passed_over(tmp_path, monkeypatch):
    def measured(task, feed, options, chosen):
        if not chosen.channels_last:
            raise RuntimeError("no such layout\nand more")
        return 50.0

    monkeypatch.setattr(fastest, "_steps_per_second", measured)
    event, result = started(pictures(threads=1), tmp_path)
    assert result["state"] == "finished"
    assert any("channels first failed: no such layout" in note for note in event.notes)


def test_trying_moves_no_weight_and_no_random_number(tmp_path):
    network = perceptron(Recipe(epochs=1, options={"threads": 1}))
    plain = train(network, device="cpu", run_dir=tmp_path / "a")
    tried = train(network, device="cpu", run_dir=tmp_path / "b", threads=1, fastest=True)
    assert plain["validation"] == tried["validation"]
