"""`layerlab runs`: list, show, compare, remove."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import assets, cli, storage
from engine.assign import assign_all
from engine.runs import RunFolder
from engine.training import Control, train

NETWORK = storage.read(assets.path("networks/digits_mlp.layerlab"))


@pytest.fixture
def layerlab(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return cli.main(arguments), *capfd.readouterr()

    return run


@pytest.fixture
def runs(tmp_path) -> list[Path]:
    """A run of one epoch, and one of two at another rate."""
    return [
        Path(train(assign_all(NETWORK, changes), device="cpu", run_dir=tmp_path / "runs")["run"])
        for changes in (["recipe.epochs=1"], ["recipe.epochs=2", "recipe.optimizer.lr=0.01"])
    ]


def test_runs_are_listed_with_state_and_figures_the_newest_first(layerlab, runs):
    code, said, _ = layerlab("runs")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()[1:]] == [run.name for run in reversed(runs)]
    code, said, _ = layerlab("runs", "list", str(runs[0].parent), "--json")
    listed = json.loads(said)["runs"]
    results = [RunFolder(run).read_result() for run in reversed(runs)]
    assert [run["validation"] for run in listed] == [result["validation"] for result in results]
    assert [run["state"] for run in listed] == ["finished", "finished"]


def test_one_run_is_shown_with_its_recipe_its_curve_and_what_made_it(layerlab, runs):
    code, said, _ = layerlab("runs", "show", str(runs[1]))
    assert code == 0
    assert "Adam at 0.01" in said
    assert "2 epochs" in said
    assert said.count("\nepoch ") == 2
    found = json.loads(layerlab("runs", "show", str(runs[1]), "--json")[1])
    assert found["recipe"]["optimizer"]["fields"]["lr"] == 0.01
    assert len(found["facts"]["data_sha256"]) == 64
    last = [point for point in found["curve"] if point["split"] == "validation"][-1]
    assert last["epoch"] == 2
    assert last["step"] == found["steps"]
    matrix = found["confusion"][-1]
    assert matrix["step"] == last["step"]
    right = sum(matrix["counts"][i][i] for i in range(len(matrix["classes"])))
    assert right / sum(map(sum, matrix["counts"])) == pytest.approx(last["accuracy"])


def test_two_runs_are_compared_by_what_differs_and_what_came_of_it(layerlab, runs):
    code, said, _ = layerlab("runs", "compare", *map(str, runs))
    assert code == 0
    assert "0.01" in said
    assert "validation accuracy" in said
    found = json.loads(layerlab("runs", "compare", *map(str, runs), "--json")[1])
    assert {change["path"].rpartition(".")[2] for change in found["changes"]} == {"epochs", "lr"}
    assert found["facts"] == {}


def test_a_stopped_run_says_how_to_go_on(layerlab, tmp_path):
    control = Control()
    control.stop()
    run = train(NETWORK, device="cpu", run_dir=tmp_path / "runs", control=control)["run"]
    assert f"--resume {run}" in layerlab("runs", "show", run)[1]


def test_runs_are_removed_on_an_explicit_word_alone(layerlab, runs):
    code, _, told = layerlab("runs", "remove", str(runs[0]))
    assert code == 2
    assert "--yes" in told
    assert runs[0].exists()
    assert layerlab("runs", "remove", str(runs[0]), "--yes")[0] == 0
    assert not runs[0].exists()
    assert runs[1].exists()


def test_what_a_person_has_put_into_a_run_is_left(layerlab, runs):
    note = runs[0] / "notes.txt"
    note.write_text("the good one")
    code, said, _ = layerlab("runs", "remove", str(runs[0]), "--yes", "--json")
    assert code == 0
    assert json.loads(said)["left"] == [str(note)]
    assert [path.name for path in runs[0].iterdir()] == ["notes.txt"]


def test_a_run_that_trains_and_what_is_no_run_are_not_removed(layerlab, runs, tmp_path):
    RunFolder(runs[0]).claim({})  # this process trains it
    code, _, told = layerlab("runs", "remove", str(runs[0]), "--yes")
    assert code == 2
    assert "Stop it first" in told
    other = tmp_path / "folder"
    other.mkdir()
    assert layerlab("runs", "remove", str(other), "--yes")[0] == 2
    assert other.exists()
    assert (runs[0] / "weights.safetensors").exists()


@pytest.mark.parametrize("arguments", [("list", "none"), ("show", "none"), ("compare", "none", "none")])
def test_what_is_not_there_is_one_line_and_exit_2(layerlab, arguments):
    code, _, told = layerlab("runs", *arguments)
    assert code == 2
    assert len(told.strip().splitlines()) == 1


def test_a_replay_certifies_a_run_and_refutes_one_that_was_tampered_with(layerlab, runs):
    code, said, _ = layerlab("replay", str(runs[0]))
    assert code == 0
    assert said.startswith("the same: ")
    assert json.loads(layerlab("replay", str(runs[0]), "--json")[1])["same"] is True
    network = storage.read(runs[0] / "network.layerlab")
    storage.write(assign_all(network, ["recipe.seed=7"]), runs[0] / "network.layerlab")
    code, _, told = layerlab("replay", str(runs[0]))
    assert code == 1
    assert "not the same from step 1 (train): recorded {" in told
    code, said, _ = layerlab("replay", str(runs[0]), "--json")
    assert code == 1
    found = json.loads(said)
    assert found["same"] is False
    assert found["first_difference"]["step"] == 1


def test_what_is_no_run_is_not_replayed(layerlab, tmp_path):
    code, _, told = layerlab("replay", str(tmp_path))
    assert code == 2
    assert "is no run" in told
