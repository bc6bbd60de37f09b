"""Sweeps: what is tried, that each run is an ordinary one, and that a sweep goes on where it stopped."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import pytest

from engine import assets, cli, storage
from engine.host.protocol import Metrics
from engine.ranges import Range, RangeProblem, trials
from engine.runs import RunFolder, listed
from engine.training import train
from engine.training.control import Control
from engine.training.sweep import begin, extend, results, sweep

NETWORK = storage.read(assets.path("networks/digits_mlp.layerlab"))
SHORT = ["recipe.epochs=1"]
TRIES = ["recipe.optimizer.lr=0.0001,0.003", "fc1.out_features=8,16"]


def test_lists_ranges_and_ratios_are_read_as_they_are_written():
    assert Range.parse("a=1,x,[2,3],true").grid() == ("1", "x", "[2,3]", "true")
    assert Range.parse("a=3..6").grid() == ("3", "4", "5", "6")
    assert [float(v) for v in Range.parse("a=0.0..1.0/5").grid()] == [0, 0.25, 0.5, 0.75, 1]
    ratios = [float(v) for v in Range.parse("a=log:1e-4..1e-1/4").grid()]
    assert ratios == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1], rel=1e-5)
    assert Range.parse("a=log:8..64/4").grid() == ("8", "16", "32", "64")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr", "write PATH=VALUES"),
        ("a=1,,2", "missing between two commas"),
        ("a=5..2", "not below"),
        ("a=log:0..1/3", "above 0"),
        ("a=1..2/1", "from 2"),
    ],
)
def test_what_cannot_be_read_is_said_with_how_to_write_it(text, said):
    with pytest.raises(RangeProblem, match=said):
        Range.parse(text)


def test_a_grid_is_every_combination_and_has_an_end():
    found = trials([Range.parse("a=1,2"), Range.parse("b=x,y,z")])
    assert [tuple(t.values()) for t in found] == list(itertools.product("12", "xyz"))
    with pytest.raises(RangeProblem, match="how many values"):
        trials([Range.parse("a=0.1..0.5")])
    with pytest.raises(RangeProblem, match="too many"):
        trials([Range.parse("a=1..1000"), Range.parse("b=1..1000")])
    with pytest.raises(RangeProblem, match="twice"):
        trials([Range.parse("a=1"), Range.parse("a=2")])


def test_draws_follow_from_the_seed_and_more_of_them_begin_with_the_same():
    ranges = [Range.parse("lr=log:1e-4..1"), Range.parse("n=4..9"), Range.parse("f=relu,gelu")]
    few, many = trials(ranges, draws=20, seed=3), trials(ranges, draws=400, seed=3)
    assert many[:20] == few
    assert trials(ranges, draws=20, seed=4) != few
    rates = sorted(float(t["lr"]) for t in many)
    assert 1e-4 <= rates[0] < rates[-1] <= 1
    # Evenly spread in the logarithm: the median is the geometric mean, within 4 standard errors.
    assert math.log10(rates[200]) == pytest.approx(-2, abs=4 * 4 * 0.5 / math.sqrt(400))
    assert {t["n"] for t in many} == set("456789")
    assert {t["f"] for t in many} == {"relu", "gelu"}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of four runs, trained to its end."""
    folder = begin(_short(), TRIES, tmp_path_factory.mktemp("sweeps"))
    sweep(folder, device="cpu")
    return folder


def _short():
    from engine.assign import assign_all

    return assign_all(NETWORK, SHORT)


def test_each_run_is_an_ordinary_run_with_its_values(swept, tmp_path):
    from engine.assign import assign_all

    found = results(swept)
    assert [tuple(run["values"].values()) for run in found["runs"]] == [
        (0.0001, 8),
        (0.0001, 16),
        (0.003, 8),
        (0.003, 16),
    ]
    assert {run["state"] for run in found["runs"]} == {"finished"}
    alone = train(
        assign_all(_short(), ["recipe.optimizer.lr=0.003", "fc1.out_features=8"]),
        device="cpu",
        run_dir=tmp_path,
    )
    assert found["runs"][2]["validation"] == alone["validation"]
    assert len(listed(swept.parent)) == 4  # and are found from the folder above


def test_the_best_is_the_one_with_the_best_validation_figure(swept):
    found = results(swept)
    assert found["monitor"] == "accuracy"
    best = max(found["runs"], key=lambda run: run["validation"]["accuracy"])
    assert found["best"] == best["run"]


def test_a_sweep_that_was_stopped_goes_on_and_trains_nothing_twice(tmp_path):
    folder = begin(_short(), TRIES, tmp_path)
    control = Control()

    def stop_after_two(row):
        if row["run"].endswith("002"):
            control.stop()

    found = sweep(folder, device="cpu", ended=stop_after_two, control=control)
    assert [run["state"] for run in found["runs"]] == ["finished", "finished", "waiting", "waiting"]
    begun = []
    found = sweep(folder, device="cpu", begun=lambda number, total, values: begun.append(number))
    assert begun == [3, 4]
    assert {run["state"] for run in found["runs"]} == {"finished"}


def test_a_run_stopped_in_its_middle_ends_as_if_it_had_not_been(swept, tmp_path):
    folder = begin(_short(), TRIES, tmp_path)
    control = Control()

    def stop_at_first_figure(event):
        if isinstance(event, Metrics):
            control.stop()

    sweep(folder, device="cpu", emit=stop_at_first_figure, control=control)
    assert RunFolder(folder / "001").state() == "stopped"
    found = sweep(folder, device="cpu")
    assert [r["validation"] for r in found["runs"]] == [r["validation"] for r in results(swept)["runs"]]


def test_what_cannot_be_trained_is_noted_and_the_others_go_on(tmp_path):
    folder = begin(_short(), ["fc3.out_features=9,10"], tmp_path)
    found = sweep(folder, device="cpu")
    assert [run["state"] for run in found["runs"]] == ["failed", "finished"]
    assert "10 classes" in found["runs"][0]["message"]
    assert found["best"] == found["runs"][1]["run"]


def test_draws_can_be_added(tmp_path):
    folder = begin(_short(), ["recipe.optimizer.lr=log:1e-3..1e-2"], tmp_path, draws=1, seed=5)
    first = sweep(folder, device="cpu")["runs"]
    extend(folder, 2)
    both = sweep(folder, device="cpu")["runs"]
    assert len(both) == 2
    assert both[0] == first[0]


@pytest.fixture
def layerlab(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capfd.readouterr()
        return cli.main(arguments), *capfd.readouterr()

    return run


def test_the_command_prints_a_table_with_the_best_first_or_one_object(layerlab):
    file = str(assets.path("networks/digits_mlp.layerlab"))
    code, said, _ = layerlab("sweep", file, "--try", "fc1.out_features=4,32", "--set", "recipe.epochs=1")
    assert code == 0
    rows = [line.split() for line in said.splitlines() if " finished " in line]
    assert [row[1] for row in rows] == ["32", "4"]
    assert "best" in said
    (folder,) = Path("runs").iterdir()
    code, said, _ = layerlab("sweep", "--resume", str(folder), "--json")
    found = json.loads(said)
    assert code == 0
    assert found["best"].endswith("002")
    assert [run["values"] for run in found["runs"]] == [{"fc1.out_features": 4}, {"fc1.out_features": 32}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give a FILE"),
        (("FILE",), "Say what to try"),
        (("FILE", "--try", "fc1.out_features=0.1..0.2"), "how many values"),
        (("FILE", "--try", "fc9.out_features=3,4"), "fc9"),
        (("--resume", "."), "is no sweep"),
        (("--resume", ".", "--try", "a=1"), "leave FILE"),
    ],
)
def test_unusable_arguments_exit_2_with_one_line_and_make_nothing(layerlab, arguments, said):
    file = str(assets.path("networks/digits_mlp.layerlab"))
    code, _, told = layerlab("sweep", *(file if word == "FILE" else word for word in arguments))
    assert code == 2
    assert said in told
    assert "Traceback" not in told
    assert not Path("runs").exists()
