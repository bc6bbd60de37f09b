"""The commands: what they print, where, and how they end."""

import json
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import assets, cli, storage
from engine.commands import app
from engine.network import Block, Edge, End, Network, Node

ROOT = Path(__file__).parents[1]
TEMPLATE = str(assets.path("networks/digits_mlp.layerlab"))


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict:
        """The one JSON object of standard output: nothing may stand before or after it."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@pytest.fixture
def layerlab(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command in this process, in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        code = cli.main(arguments)
        return Done(code, *capfd.readouterr())

    return run


def test_the_words_that_win_over_files_are_exactly_the_commands() -> None:
    named = {found.name for found in (*app.registered_commands, *app.registered_groups)}
    assert named == set(cli.COMMANDS)


def test_help_names_every_command_and_says_what_exit_codes_mean(layerlab) -> None:
    done = layerlab("--help")
    assert done.code == 0
    for command in cli.COMMANDS:
        assert re.search(rf"^. {command} ", done.out, re.MULTILINE)
    assert "Exit codes" in done.out
    assert "--screenshot" in done.out


# ---------------------------------------------------------------------------- looking


def test_check_of_a_sound_network_finds_no_errors(layerlab) -> None:
    done = layerlab("check", TEMPLATE, "--json")
    assert done.code == 0
    assert [p for p in done.json["problems"] if p["severity"] == "error"] == []


def test_summary_counts_lenet_5_as_the_textbook_does(layerlab) -> None:
    """1998's LeNet-5 with full connections: 61,706 weights; 416,520 products are by hand from its shapes."""
    done = layerlab("summary", str(assets.path("networks/lenet5_mnist.layerlab")), "--json")
    assert done.code == 0
    totals = done.json["totals"]
    assert totals["parameters"] == 61_706
    assert totals["macs"] == (6 * 28 * 28 * 25 + 16 * 10 * 10 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10)
    by_id = {row["id"]: row for row in done.json["nodes"]}
    assert by_id["conv2"]["output"] == [16, 10, 10]
    assert by_id["conv2"]["parameters"] == 16 * 6 * 25 + 16
    assert by_id["pool2"]["activation_bytes"] == 16 * 5 * 5 * 4


def test_what_layers_cost_of_which_nothing_is_known_is_no_figure(layerlab, tmp_path: Path) -> None:
    inside = {
        "a": Node("Input"),
        "fc": Node("Linear", {"out_features": 8}),
        "conv": Node("Conv2d", {"out_channels": 2, "kernel_size": 3}),  # of features: nothing comes of it
        "b": Node("Output"),
    }
    wires = tuple(Edge(End(one), End(next)) for one, next in pairwise(inside))
    network = Network(
        nodes={"x": Node("Input", {"shape": [4]}), "use": Node("Block", block="Half"), "y": Node("Output")},
        edges=(Edge(End("x"), End("use")), Edge(End("use"), End("y"))),
        blocks={"Half": Block({}, inside, wires)},
    )
    storage.write(network, tmp_path / "half.layerlab")
    done = layerlab("summary", "half.layerlab")
    assert done.code == 1
    costs = {line.split()[0]: re.split(r"  +", line)[-3:] for line in done.out.splitlines() if "  " in line}
    assert costs["use.fc"] == ["40", "32", "32"]  # 4·8 weights and 8 biases; 8 outputs of 4 bytes
    assert costs["use.conv"] == ["?", "?", "?"]
    assert costs["use"] == ["≥ 40", "≥ 32", "≥ 32"]
    assert "At least 40 parameters" in done.out
    assert ": at least " in done.out
    rows = {row["id"]: row["unknown"] for row in layerlab("summary", "half.layerlab", "--json").json["nodes"]}
    assert (rows["use"], rows["use.fc"], rows["use.conv"]) == (1, 0, 1)


def test_summary_needs_no_data(layerlab, tmp_path: Path) -> None:
    lenet = str(assets.path("networks/lenet5_mnist.layerlab"))
    folder = f"recipe.data.folder={tmp_path / 'nothing'}"
    assert layerlab("summary", lenet, "--set", folder).code == 0
    assert layerlab("check", lenet, "--set", folder).code == 1


def test_summary_for_a_batch_counts_for_the_batch(layerlab) -> None:
    one = layerlab("summary", TEMPLATE, "--json").json["totals"]
    many = layerlab("summary", TEMPLATE, "--batch", "32", "--json").json["totals"]
    assert many["macs"] == 32 * one["macs"]
    assert many["parameters"] == one["parameters"]


def test_set_changes_what_is_looked_at_and_not_the_file(layerlab) -> None:
    before = Path(TEMPLATE).read_bytes()
    done = layerlab("summary", TEMPLATE, "--set", "fc1.out_features=7", "--json")
    assert {row["id"]: row["output"] for row in done.json["nodes"]}["fc1"] == [7]
    assert Path(TEMPLATE).read_bytes() == before


def test_the_catalogue_explains_an_entry_with_its_schema(layerlab) -> None:
    done = layerlab("catalog", "Conv2d", "--json")
    assert done.json["fields"]["required"] == ["out_channels", "kernel_size"]
    assert set(layerlab("catalog", "--json").json) >= {"layers", "initializers", "binarizers", "sources"}
    assert "Slide" in layerlab("catalog", "Conv2d").out
    wrong = layerlab("catalog", "Conv2D ")
    assert (wrong.code, wrong.out) == (2, "")
    assert "Did you mean 'Conv2d'?" in wrong.err


def test_templates_are_listed_and_a_new_file_is_made_from_one(layerlab, tmp_path: Path) -> None:
    ids = [found["id"] for found in layerlab("templates", "--json").json["templates"]]
    assert ids[0] == "digits_mlp"
    for id in ids:
        assert layerlab("new", id, "-o", f"{id}.layerlab").code == 0
        assert storage.read(tmp_path / f"{id}.layerlab").nodes


def test_new_never_overwrites(layerlab, tmp_path: Path) -> None:
    (tmp_path / "mine.layerlab").write_text("precious")
    done = layerlab("new", "digits_mlp", "-o", "mine.layerlab")
    assert done.code == 2
    assert "exists already" in done.err
    assert (tmp_path / "mine.layerlab").read_text() == "precious"


def test_doctor_reports_no_private_path(layerlab) -> None:
    done = layerlab("doctor", "--json")
    checks = {check["name"]: check for check in done.json["checks"]}
    assert checks["torch"]["state"] == "ok"
    assert done.code == (0 if done.json["ok"] else 1)
    for private in (str(Path.home()), str(ROOT), os.getcwd()):
        assert private not in done.out
    assert layerlab("doctor").code == done.code


# ---------------------------------------------------------------------------- bad input


def _with(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


WHOLE = Path(TEMPLATE).read_text(encoding="utf-8")
CONV = """{"format": "layerlab", "version": 1, "nodes": {
  "image": {"type": "Input", "fields": {"shape": [1, 8, 8]}},
  "conv1": {"type": "Conv2d", "fields": {"out_channels": 4, "kernel_size": [31, 31]}},
  "flat": {"type": "Flatten"}, "fc": {"type": "Linear", "fields": {"out_features": 10}},
  "out": {"type": "Output"}},
  "edges": [["image", "conv1"], ["conv1", "flat"], ["flat", "fc"], ["fc", "out"]]}"""

#: What a person may hand in, the exit code of the contract, and what the message must say.
BAD = {
    "not JSON": ("hello", 2, "line 1, column 1: not JSON"),
    "truncated": (WHOLE[: len(WHOLE) // 2], 2, "cut off"),
    "an empty file": ("", 2, "empty"),
    "a newer format": (_with(WHOLE, '"min_reader": 1', '"min_reader": 9'), 2, "newer Layerlab"),
    "duplicate keys": (_with(WHOLE, '"fc2": {', '"fc1": {'), 2, "'fc1' appears twice"),
    "an unknown layer": (_with(WHOLE, '"Dropout"', '"Dropuot"'), 1, "drop"),
    "a cycle": (_with(WHOLE, '["image", "flat"]', '["fc3", "flat"]'), 1, "circle|cycle"),
    "a dangling edge": (_with(WHOLE, '["image", "flat"]', '["imgae", "flat"]'), 1, "imgae"),
    "a kernel larger than its input": (CONV, 1, r"conv1 › kernel_size: the window \(31\)"),
    "two shapes that do not fit": (
        _with(_with(WHOLE, '"fc3": {', '"sum": {"type": "Add"}, "fc3": {'), '["fc2", "fc3"]',
              '["fc2", "sum.input"], ["fc1", "sum.other"], ["sum", "fc3"]'),
        1, "sum",
    ),
    "a non-number in a field": (_with(WHOLE, '"p": 0.2', '"p": "half"'), 1, "drop › p: 'half' is not a num"),
    "a missing field": (_with(WHOLE, '{"out_features": 10}', "{}"), 1, "fc3 › out_features"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("command", ["check", "summary", "train"])
def test_bad_input_has_one_clear_message_and_the_exit_code_of_the_contract(
    layerlab, tmp_path: Path, what: str, command: str
) -> None:
    text, code, words = BAD[what]
    (tmp_path / "bad.layerlab").write_text(text, encoding="utf-8")
    done = layerlab(command, "bad.layerlab")
    assert done.code == code
    assert "Traceback" not in done.out + done.err
    assert re.search(words, done.out + done.err)
    assert (tmp_path / "bad.layerlab").read_text(encoding="utf-8") == text
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("what", BAD)
def test_bad_input_as_json_is_still_one_object(layerlab, tmp_path: Path, what: str) -> None:
    text, code, words = BAD[what]
    (tmp_path / "bad.layerlab").write_text(text, encoding="utf-8")
    done = layerlab("check", "bad.layerlab", "--json")
    assert done.code == code
    if code == 2:
        assert re.search(words, done.json["error"])
    else:
        errors = [p for p in done.json["problems"] if p["severity"] == "error"]
        assert errors
        assert set(errors[0]) == {"severity", "code", "node", "field", "message", "repairs"}


@pytest.mark.parametrize("command", ["check", "summary", "train"])
def test_a_missing_file_is_one_line_and_exit_2(layerlab, command: str) -> None:
    done = layerlab(command, "none.layerlab")
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert "no file none.layerlab" in done.err


def test_a_missing_data_folder_is_told_with_what_belongs_there(layerlab, tmp_path: Path) -> None:
    lenet = str(assets.path("networks/lenet5_mnist.layerlab"))
    folder = f"recipe.data.folder={tmp_path / 'nothing'}"
    done = layerlab("train", lenet, "--set", folder)
    assert done.code == 1
    assert "nothing" in done.err
    assert "train-images-idx3-ubyte" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", TEMPLATE, "--set", "fc9.out_features=3"), "Did you mean"),
        (("train", TEMPLATE, "--set", "recipe.epochs=many"), "whole number"),
        (("check", TEMPLATE, "--set", "nonsense"), "PATH=VALUE"),
        (("train", TEMPLATE, "--device", "tpu"), "choose auto, cpu"),
        (("train", TEMPLATE, "--device", "cuda:77"), "cuda:77"),
        (("train",), "Give a FILE"),
        (("train", "--resume", "no such run"), "no file"),
        (("train", TEMPLATE, "--epochs", "3"), "No such option"),
        (("summary", TEMPLATE, "--batch", "0"), "--batch"),
        (("evaluate", "no such run"), "no such run"),
        (("predict", "no such run", "validation:0"), "no such run"),
        (("new", "digits_mpl", "-o", "x"), "Did you mean 'digits_mlp'?"),
        (("new", "lenet5", "-o", "x"), "Did you mean 'lenet5_mnist'?"),
        (("new", "digits_mlp", "-o", "no/such/folder/x"), "folder does not exist"),
    ],
)  # fmt: skip
def test_unusable_arguments_exit_2_with_one_line(layerlab, arguments: tuple[str, ...], words: str) -> None:
    done = layerlab(*arguments)
    assert done.code == 2
    assert words in done.err
    assert done.out == ""
    assert len(done.err.splitlines()) == 1


# ---------------------------------------------------------------------------- training


def test_training_prints_one_object_and_the_run_can_be_evaluated_asked_and_resumed(
    layerlab, tmp_path: Path
) -> None:
    done = layerlab("train", TEMPLATE, "--set", "recipe.epochs=2", "--device", "cpu", "--json")
    assert done.code == 0
    result = done.json
    assert (result["state"], result["epochs"], result["device"]) == ("finished", 2, "cpu")
    assert "epoch 2: validation" in done.err
    run = tmp_path / result["run"]
    assert run.parent == tmp_path / "runs"
    assert json.loads((run / "result.json").read_text()) == result
    assert storage.read(run / "network.layerlab").recipe.epochs == 2

    splits = layerlab("evaluate", str(run), "--json").json["splits"]
    assert splits["validation"]["accuracy"] == pytest.approx(result["validation"]["accuracy"])

    answer = layerlab("predict", str(run), "validation:0", "--json").json["predictions"]
    assert len(answer) == 1
    assert sum(answer[0]["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert layerlab("predict", str(run), "validation:99999").code == 2

    more = layerlab("train", "--resume", result["run"], "--set", "recipe.epochs=3", "--json").json
    assert (more["run"], more["epochs"], more["state"]) == (result["run"], 3, "finished")
    assert more["steps"] == result["steps"] // 2 * 3


def test_a_run_for_people_ends_with_its_figures_and_its_folder(layerlab, tmp_path: Path) -> None:
    done = layerlab("train", TEMPLATE, "--set", "recipe.epochs=1", "--run-dir", "elsewhere")
    assert done.code == 0
    assert re.search(r"finished after 1 epoch and \d+ steps", done.out)
    assert re.search(r"validation +loss [\d.]+, accuracy [\d.]+ %", done.out)
    (run,) = (tmp_path / "elsewhere").iterdir()
    assert str(run.relative_to(tmp_path)) in done.out


def test_a_run_that_diverges_says_so_and_exits_1(layerlab) -> None:
    done = layerlab(
        "train", TEMPLATE, "--set", "recipe.epochs=3", "--set", "recipe.optimizer.lr=1000",
        "--set", "recipe.optimizer=SGD", "--json",
    )  # fmt: skip
    assert done.code == 1
    assert done.json["state"] == "diverged"
    assert "NaN" not in done.out


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_ctrl_c_stops_in_good_order_and_the_run_goes_on_later(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engine.cli", "train"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [TEMPLATE, "--set", "recipe.epochs=100000", "--json"]
    process = subprocess.Popen(
        [*command, *arguments], cwd=tmp_path, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 1:"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in err
    result = json.loads(out)
    assert result["state"] == "stopped"
    run = tmp_path / result["run"]
    assert list((run / "checkpoints").iterdir())


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """As in ``layerlab catalog --json | head -1``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.cli", "catalog", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


def test_the_summary_sorts_by_what_is_asked_and_tells_the_memory(layerlab) -> None:
    file = str(assets.path("networks/resnet18.layerlab"))
    found = layerlab("summary", file, "--sort", "parameters", "--json").json
    counts = [row["parameters"] for row in found["nodes"]]
    assert counts == sorted(counts, reverse=True)
    assert found["totals"]["parameters"] == 11_689_512  # not counted again for the blocks
    assert found["totals"]["training_bytes"] > found["totals"]["inference_bytes"] > 4 * 11_689_512
    row = next(row for row in found["nodes"] if row["id"] == "layer1.0.conv1")
    assert (row["type"], row["output"], row["dimensions"]) == ("Conv2d", [64, 56, 56], "C H W")
