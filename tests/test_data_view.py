"""What is told of a data set, from the terminal and by the host; and how examples are varied."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from engine import cli
from engine.analysis import analyze
from engine.catalog import AUGMENTATIONS
from engine.data.augment import Variation, vary
from engine.data.column import Column
from engine.data.view import view
from engine.diff import apply
from engine.host.protocol import CANCELLED, DataLooked, DataProgress, Failed, LookAtData
from engine.host.work import Work
from engine.network import Choice, Data, Network, Node, Recipe
from engine.storage import dumps, loads, write
from engine.streams import stream_seed
from tests.networks import chain


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{i},{'ab'[i % 2]},{7},{'yes' if i % 10 == 0 else 'no'}" for i in range(100)]
    path.write_text("\n".join(["size,kind,same,sold", *rows]) + "\n")
    return path


# ---------------------------------------------------------------------------- the command


def test_the_command_tells_what_a_file_is_and_what_to_beat(table, capsys):
    assert cli.main(["data", str(table), "--json", "--set", "split.validation=0.4"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["source"], told["kind"], told["target"]) == ("csv", "table", "class")
    assert "table" in told["reason"]
    assert told["counts"] == {"train": 60, "validation": 40, "test": 0}
    assert told["inputs"][0]["shape"] == [4]
    assert told["baseline"] == {"says": "always 'no'", "figures": {"accuracy": 0.9}}
    assert sum(a + b for a, b, _ in told["balance"].values()) == 100
    said = " ".join(remark["message"] for remark in told["remarks"])
    assert "Classes are uneven" in said
    assert "Column 'same' is always 7" in said


def test_the_baseline_of_values_is_that_of_the_training_mean(capsys):
    assert cli.main(["data", "diabetes", "--set", "standardise_target=false", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    from engine.data import load

    splits = load(Data("diabetes", {"standardise_target": False}), 0).splits
    error = splits["validation"].targets - splits["train"].targets.mean()
    assert told["baseline"]["figures"]["mae"] == pytest.approx(float(error.abs().mean()), rel=1e-5)
    assert any("standardise_target" in remark["message"] for remark in told["remarks"])


def test_rows_without_a_target_are_left_out_aloud_and_the_baseline_says_its_unit(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["a,b", *(f"{i},{'' if i % 4 == 0 else i / 3}" for i in range(40))]) + "\n")
    assert cli.main(["data", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(told["counts"].values()) == 30
    assert any("10 rows are left out" in remark["message"] for remark in told["remarks"])
    assert "standard deviations" in told["baseline"]["says"]
    assert cli.main(["data", str(path), "--json", "--set", "standardise_target=false"]) == 0
    assert "standard deviations" not in json.loads(capsys.readouterr().out)["baseline"]["says"]


def test_a_network_s_own_data_are_shown_and_text_is_for_people(tmp_path, capsys):
    file = tmp_path / "net.layerlab"
    write(Network(recipe=Recipe(data=Data("iris"))), file)
    assert cli.main(["data", str(file)]) == 0
    told = capsys.readouterr().out
    assert "Iris flowers" in told
    assert "setosa" in told
    assert "always" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["data", "nowhere.csv"], "there is no such file or folder"),
        (["data", "digit"], "Did you mean 'digits'?"),
        (["data", "iris", "--set", "standardse=true"], "Did you mean 'standardise'?"),
        (["data", "digits", "--set", 'augment=["flop"]'], "flop"),
        (["data", "csv"], "Nothing is chosen yet"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_line(arguments, said, capsys):
    assert cli.main(arguments) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""
    assert len(told.err.strip().splitlines()) <= 2


# ---------------------------------------------------------------------------- the host


def test_the_host_answers_with_a_view_and_a_look_can_be_called_off(table):
    work, events = Work(threads=1), []
    document = dumps(Network())
    work.answer(LookAtData(5, document, str(table)), events.append)
    assert isinstance(events[0], DataProgress)
    assert isinstance(events[-1], DataLooked)
    assert events[-1].view.fields == {"path": str(table)}
    work.cancel(6)
    work.answer(LookAtData(6, document, str(table)), events.append)
    assert events[-1] == Failed(6, CANCELLED)


# ---------------------------------------------------------------------------- fitting


def test_shapes_dtype_loss_and_output_are_taken_from_the_data_by_their_repairs(tmp_path):
    (tmp_path / "a.txt").write_text("some text to learn from. " * 20)
    text = Data("text", {"path": str(tmp_path / "a.txt"), "length": 16})
    fc = ("fc", Node("Linear", {"out_features": 3}))
    for data, shape in ((Data("diabetes"), [10]), (Data("wine"), [13])):
        network = chain(fc, shape=(5,), recipe=Recipe(data=data))
        for _ in range(3):
            repairs = [p.repairs[0] for p in analyze(network).problems if p.repairs and p.severity == "error"]
            network = apply(network, [change for repair in repairs for change in repair.changes])
        assert not analyze(network).errors
        assert network.nodes["image"].fields["shape"] == shape
    codes = {p.code for p in analyze(chain(fc, shape=(5,), recipe=Recipe(data=text))).problems}
    assert {"data-shape", "data-dtype"} <= codes


# ---------------------------------------------------------------------------- augmentation


def draw(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


PICTURES = torch.rand(32, 3, 10, 12, generator=draw(7))


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"mixup"}))
def test_each_way_of_varying_keeps_shape_and_follows_its_generator_alone(name):
    first, again, other = (vary(PICTURES, [Choice(name)], draw(n)) for n in (0, 0, 1))
    assert first.shape == PICTURES.shape
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, PICTURES)


def test_flipping_always_is_torch_s_flip():
    flipped = vary(PICTURES, [Choice("flip", {"horizontal": 1.0, "vertical": 0.0})], draw())
    assert torch.equal(flipped, PICTURES.flip(-1))


def test_a_shift_moves_whole_pixels_and_fills_with_zero():
    moved = vary(PICTURES, [Choice("shift", {"pixels": 2})], draw())
    padded = torch.nn.functional.pad(PICTURES, (2, 2, 2, 2))
    for before, after in zip(padded, moved, strict=True):
        places = [before[:, top : top + 10, left : left + 12] for top in range(5) for left in range(5)]
        assert any(torch.equal(after, place) for place in places)


def test_a_quarter_turn_agrees_with_rot90():
    square = torch.rand(1, 1, 9, 9, generator=draw())
    from engine.data.augment import _sampled

    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    turned = _sampled(square, quarter)
    assert torch.allclose(turned, square.rot90(1, (-2, -1)), atol=1e-5) or torch.allclose(
        turned, square.rot90(-1, (-2, -1)), atol=1e-5
    )


def test_cutout_clears_one_square_and_noise_has_its_deviation():
    cut = vary(torch.ones(64, 1, 20, 20), [Choice("cutout", {"size": 6})], draw())
    cleared = (cut == 0).sum((1, 2, 3))
    assert int(cleared.max()) == 36
    assert int(cleared.min()) >= 9  # its middle is inside, so a quarter of it is
    noisy = vary(torch.zeros(100, 1000), [Choice("noise", {"std": 0.3})], draw())
    assert float(noisy.std()) == pytest.approx(0.3, rel=0.02)


def test_mixup_blends_targets_by_the_share_of_the_inputs():
    x = torch.eye(10)[torch.arange(20) % 10]  # the input says the class
    y = torch.arange(20) % 10
    blend = Variation([Choice("mixup", {"alpha": 1.0})], 1, 10, 0, torch.device("cpu"))
    inputs, targets, labels = blend((x, y, y), 3, 4)
    assert torch.allclose(inputs, targets, atol=1e-6)
    assert torch.allclose(targets.sum(1), torch.ones(20), atol=1e-5)
    assert torch.equal(labels, y)
    assert torch.equal(blend((x, y, y), 3, 4)[0], inputs)
    assert not torch.equal(blend((x, y, y), 3, 5)[0], inputs)


def test_a_run_resumed_sees_the_same_varied_pictures(tmp_path):
    import engine

    network = chain(
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(Data("digits", augment=(Choice("shift", {"pixels": 1}), Choice("mixup"))), epochs=4),
    )
    whole = engine.train(network, run_dir=tmp_path / "whole")
    half = engine.train(network, epochs=2, run_dir=tmp_path / "half")
    resumed = engine.train(network, resume=half["run"])
    assert resumed["validation"] == whole["validation"]
    assert whole["validation"]["accuracy"] > 0.3  # a tenth is chance


def test_augmentations_are_kept_in_the_file_and_those_that_do_not_suit_are_problems():
    data = Data("iris", augment=(Choice("flip"), Choice("noise", {"std": 0.1})))
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(4,), recipe=Recipe(data=data))
    assert loads(dumps(network)) == network
    (problem,) = analyze(network).errors
    assert "flip varies image" in problem.message
    mended = apply(network, problem.repairs[0].changes)
    assert [choice.id for choice in mended.recipe.data.augment] == ["noise"]
    assert not analyze(mended).errors


def test_the_view_shows_pictures_before_and_after(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, colour in (("red", "red"), ("blue", "blue")):
        (tmp_path / "p" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (6, 6), colour).save(tmp_path / "p" / name / f"{number}.png")
    data = Data(
        "image_folder",
        {"folder": str(tmp_path / "p"), "size": [6, 6]},
        augment=(Choice("cutout", {"size": 3}),),
    )
    sample = next(sample for sample in view(data).samples if sample.target == "red")
    pixels = np.frombuffer(sample.picture, np.uint8).reshape(sample.picture_shape)
    assert pixels[0, 0].tolist() == [255, 0, 0]
    assert sample.augmented != sample.picture


# ---------------------------------------------------------------------------- columns


def test_a_column_kept_as_bytes_reads_as_the_tensor_that_it_would_be():
    values = torch.randint(0, 256, (50, 3, 4, 4), dtype=torch.uint8, generator=draw())
    rows = torch.arange(10, 40)
    mean, deviation = torch.tensor([[[0.1]], [[0.2]], [[0.3]]]), torch.tensor([[[0.5]], [[0.6]], [[0.7]]])
    column = Column(values, rows, 1 / 255, mean, deviation)
    whole = (values[10:40].float() / 255 - mean) / deviation
    assert torch.allclose(column[5:9], whole[5:9], atol=1e-6)
    chosen = torch.tensor([3, 3, 29, 0])
    out = torch.empty(4, 3, 4, 4)
    assert torch.allclose(column.take(chosen, out), whole[chosen], atol=1e-6)
    assert (len(column), column.shape, column.dtype) == (30, whole.shape, torch.float32)


def test_data_too_large_to_be_kept_scaled_train_to_the_same_end(monkeypatch, tmp_path):
    import engine
    from engine.data import dataset

    network = chain(
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(epochs=2),
    )
    in_memory = engine.train(network, run_dir=tmp_path)
    monkeypatch.setattr(dataset, "IN_MEMORY", 0)
    monkeypatch.setattr(dataset, "_kept", None)
    as_stored = engine.train(network, run_dir=tmp_path)
    assert as_stored["validation"]["loss"] == pytest.approx(in_memory["validation"]["loss"], rel=1e-5)


def test_streams_of_augmentation_are_their_own():
    assert stream_seed(0, "augment", 1, 2) != stream_seed(0, "augment", 12)
