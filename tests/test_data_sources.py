"""What the sources of data give from real files; broken ones are in :mod:`tests.test_data_broken`."""

import gzip
import io
import os
from pathlib import Path

import numpy as np
import polars
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from engine.data import describe, load
from engine.data.guess import guess
from engine.network import Data
from engine.problems import DataProblem
from tests import real_data
from tests.real_data import HEAD, ROWS, idx_bytes


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache folder of the test's own."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    return tmp_path / "cache"


# ---------------------------------------------------------------------------- bundled


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer"])
def test_bundled_tables_are_those_of_scikit_learn(name):
    import sklearn.datasets

    theirs = getattr(sklearn.datasets, f"load_{name}")()
    dataset = load(Data(name, {"standardise": False}, {"validation": 0.0}), 0)
    split = dataset.splits["train"]
    assert np.allclose(split.inputs["input"].numpy(), theirs.data.astype(np.float32))
    assert split.targets.tolist() == theirs.target.tolist()
    assert dataset.description.class_names == tuple(map(str, theirs.target_names))


def test_diabetes_is_that_of_scikit_learn_and_its_values_are_standardised_on_training_examples():
    from sklearn.datasets import load_diabetes

    theirs = load_diabetes(scaled=False)
    dataset = load(Data("diabetes"), 0)
    mean, deviation = (figures[0] for figures in dataset.target_scale)
    own = torch.cat([split.targets for split in dataset.splits.values()]) * deviation + mean
    assert np.allclose(sorted(own.flatten().tolist()), sorted(theirs.target), atol=1e-3)
    train = dataset.splits["train"]
    assert torch.allclose(train.inputs["input"].mean(0), torch.zeros(10), atol=1e-5)
    assert torch.allclose(train.inputs["input"].std(0, correction=0), torch.ones(10), atol=1e-4)
    assert abs(float(dataset.splits["validation"].targets.mean())) > 1e-4  # not measured on these


# ---------------------------------------------------------------------------- drawn


def test_moons_and_circles_without_noise_lie_where_scikit_learn_puts_them():
    from sklearn.datasets import make_circles, make_moons

    for name, theirs in (
        ("moons", make_moons(400, shuffle=False, noise=None)),
        ("circles", make_circles(400, shuffle=False, noise=None, factor=0.5)),
    ):
        split = load(Data(name, {"examples": 400, "noise": 0.0}, {"validation": 0.0}), 0).splits["train"]
        own = torch.cat([split.inputs["input"], split.targets[:, None].float()], 1).numpy()
        wanted = np.column_stack(theirs).astype(np.float32)
        assert np.allclose(own[np.lexsort(own.round(4).T)], wanted[np.lexsort(wanted.round(4).T)], atol=1e-4)


def test_xor_is_the_exclusive_or_of_signs_and_the_curve_is_its_formula():
    xor = load(Data("xor", {"noise": 0.0}), 0).splits["train"]
    signs = xor.inputs["input"] > 0
    assert torch.equal(xor.targets, (signs[:, 0] ^ signs[:, 1]).long())
    curve = load(Data("curve", {"noise": 0.0, "function": "sine"}), 0).splits["train"]
    assert torch.allclose(curve.targets, torch.sin(2 * torch.pi * curve.inputs["input"]), atol=1e-5)


def test_each_arm_of_the_spiral_and_each_cloud_is_a_class():
    assert describe(Data("spirals", {"arms": 5})).classes == 5
    split = load(Data("blobs", {"classes": 4, "noise": 0.01}, {"validation": 0.0}), 0).splits["train"]
    for number in range(4):
        middle = split.inputs["input"][split.targets == number].mean(0)
        assert float(middle.norm()) == pytest.approx(3.0, abs=0.05)


# ---------------------------------------------------------------------------- IDX


@pytest.fixture
def idx(tmp_path) -> dict[str, str]:
    return real_data.idx(tmp_path)


def test_any_idx_files_are_read_with_their_labels(idx, tmp_path):
    assert guess(idx["images"]).data == Data("idx", idx)
    dataset = load(Data("idx", idx), 0)
    assert dataset.description.input_shapes == {"input": (1, 5, 6)}
    assert dataset.description.class_names == ("0", "1", "2", "3")


def test_fashion_mnist_has_its_own_classes_and_folder(tmp_path, monkeypatch):
    own = tmp_path / "fashion_mnist"
    own.mkdir()
    real_data.four_idx_files(own)
    for path in list(own.iterdir()):
        (own / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert guess(own).data == Data("fashion_mnist", {"folder": str(own)})
    monkeypatch.setenv("LAYERLAB_DATA", str(tmp_path))
    dataset = load(Data("fashion_mnist"), 0)
    assert dataset.description.counts == {"train": 110, "validation": 10, "test": 20}
    # In the order of the labels 0 … 9 of the data set's README.
    assert dataset.description.class_names == (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
    )  # fmt: skip
    assert dataset.splits["train"].targets[:11].tolist() == [*range(10), 0]
    expected = torch.tensor(real_data.pixels(120, 4, 5)[3]).float() / 255
    assert torch.allclose(dataset.splits["train"].inputs["input"][3, 0], expected)
    with pytest.raises(DataProblem, match="not here yet"):  # MNIST's files bear the same names
        describe(Data("fashion_mnist", {"folder": str(tmp_path / "mnist")}))


def test_emnist_is_set_upright_and_its_letters_count_from_one(tmp_path):
    upright = np.random.default_rng(0).integers(0, 256, (24, 3, 4), dtype=np.uint8)
    for part, count in (("train", 24), ("test", 12)):
        stem = f"emnist-letters-{part}"
        turned = np.ascontiguousarray(upright[:count].swapaxes(1, 2))
        (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(turned)))
        labels = np.arange(count, dtype=np.uint8) % 26 + 1
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    found = guess(tmp_path).data
    assert found.source == "emnist"
    dataset = load(Data("emnist", found.fields, {"kind": "given"}), 0)
    first = dataset.splits["train"].inputs["input"][0, 0]
    assert torch.allclose(first, torch.tensor(upright[0]).float() / 255)
    assert dataset.description.class_names[int(dataset.splits["train"].targets[0])] == "A"
    with pytest.raises(DataProblem, match="emnist-balanced-train-images"):
        describe(Data("emnist", {"folder": str(tmp_path), "part": "balanced"}))


# ---------------------------------------------------------------------------- CIFAR


@pytest.fixture
def cifar(tmp_path) -> Path:
    return Path(real_data.cifar(tmp_path)["folder"])


def test_cifar_records_are_a_label_and_three_planes(cifar):
    assert guess(cifar).data.source == "cifar"
    dataset = load(Data("cifar", {"folder": str(cifar)}), 0)
    assert dataset.description.counts == {"train": 90, "validation": 10, "test": 10}
    raw = np.frombuffer((cifar / "data_batch_1.bin").read_bytes(), np.uint8).reshape(-1, 3073)
    red = dataset.splits["train"].inputs["input"][3, 0] * 255
    assert torch.equal(red.round().byte(), torch.tensor(raw[3, 1:1025].reshape(32, 32)))
    assert dataset.description.class_names[3] == "cat"


# ---------------------------------------------------------------------------- folders of pictures


@pytest.fixture
def pictures(tmp_path) -> Path:
    (tmp_path / "pictures").mkdir()
    return Path(real_data.image_folder(tmp_path / "pictures")["folder"])


def test_a_folder_of_pictures_has_a_class_per_folder(pictures):
    found = guess(pictures)
    assert found.data.source == "image_folder"
    assert "such as bright" in found.reason
    dataset = load(Data("image_folder", {"folder": str(pictures), "size": [12, 10]}), 0)
    assert dataset.description.class_names == ("bright", "dark")
    train = dataset.splits["train"]
    means = [float(train.inputs["input"][train.targets == n].mean()) * 255 for n in (0, 1)]
    assert means == pytest.approx([215, 35], abs=3)


def test_pixels_are_those_that_pillow_reads(pictures):
    dataset = load(
        Data(
            "image_folder", {"folder": str(pictures), "size": [12, 10]}, {"kind": "time", "validation": 0.2}
        ),
        0,
    )
    with Image.open(pictures / "bright" / "00.png") as image:
        expected = torch.tensor(np.asarray(image)).permute(2, 0, 1).float() / 255
    assert torch.allclose(dataset.splits["train"].inputs["input"][0], expected)


def test_the_cache_is_used_again_and_a_changed_picture_is_noticed(pictures, cache, monkeypatch):
    from engine.data import image_cache

    data = Data("image_folder", {"folder": str(pictures)})
    before = load(data, 0).sha256
    (made,) = cache.rglob("*.pixels")
    decoded = []
    real = image_cache.decode
    monkeypatch.setattr(image_cache, "decode", lambda *of: decoded.append(of) or real(*of))
    load(data, 1)
    assert decoded == []
    Image.new("RGB", (12, 10), "red").save(pictures / "dark" / "00.png")
    os.utime(pictures / "dark" / "00.png", ns=(1, 1))
    assert load(data, 1).sha256 != before
    assert decoded
    assert list(cache.rglob("making-*")) == []
    assert [path.name for path in cache.rglob("*.pixels")] == [made.name]


def test_folders_of_parts_are_a_given_split(pictures, tmp_path):
    root = tmp_path / "parts"
    for part in ("train", "val", "test"):
        (root / part).parent.mkdir(exist_ok=True)
        os.symlink(pictures, root / part)
    counts = describe(Data("image_folder", {"folder": str(root)})).counts
    assert counts == {"train": 24, "validation": 24, "test": 24}


def test_loading_can_be_called_off_and_leaves_nothing(pictures, cache):
    from engine.data import Cancelled, watched

    def tell(what: str, done: int, total: int) -> None:
        assert total == 24
        if what == "Reading pictures":
            raise Cancelled

    with pytest.raises(Cancelled), watched(tell):
        load(Data("image_folder", {"folder": str(pictures)}), 0)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


# ---------------------------------------------------------------------------- tables


def csv_file(tmp_path, lines: list[str] | str, name: str = "a.csv") -> dict[str, str]:
    path = tmp_path / name
    path.write_text(lines if isinstance(lines, str) else "\n".join(lines) + "\n", "utf-8")
    return {"path": str(path)}


def test_a_table_becomes_numbers_as_pandas_users_expect(tmp_path):
    rows = [*ROWS]
    rows[4] = rows[4].replace("1012", "")
    fields = csv_file(tmp_path, [HEAD, *rows])
    assert guess(fields["path"]).data.source == "csv"
    dataset = load(Data("csv", fields, {"kind": "time", "validation": 0.5}), 0)
    assert dataset.description.class_names == ("no", "yes")
    train = dataset.splits["train"].inputs["input"]
    # age and income as (x − mean) / deviation of the 30 training rows, then Oslo, Rome.
    ages = np.array([20 + i % 40 for i in range(30)], float)
    assert np.allclose(train[:, 0], (ages - ages.mean()) / ages.std(), atol=1e-4)
    assert float(train[4, 1]) == pytest.approx(0, abs=1e-4)  # the empty cell stands at the mean
    assert train[0, 2:].tolist() == [0.0, 1.0]
    assert train[1, 2:].tolist() == [1.0, 0.0]


def test_text_numbers_and_few_whole_numbers_find_their_kind(tmp_path):
    fields = csv_file(tmp_path, [HEAD, *ROWS])
    assert describe(Data("csv", fields)).target == "class"
    assert describe(Data("csv", {**fields, "target": "income"})).target == "value"
    both = describe(Data("csv", {**fields, "target": "income, age"}))
    assert both.target_names == ("income", "age")
    assert describe(Data("csv", {**fields, "target": "age", "learn": "class"})).classes == 40
    assert describe(Data("csv", {**fields, "categorical": "age"})).input_shapes["input"] == (40 + 1 + 2,)


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    fields = csv_file(tmp_path, [line.replace(",", separator) for line in [HEAD, *ROWS]])
    assert describe(Data("csv", fields)).input_shapes["input"] == (4,)


def test_rows_with_gaps_can_be_dropped_or_filled_with_the_median(tmp_path):
    rows = ["1,5,a", ",6,b", "3,7,a", "100,8,b", "2,9,a", "4,1,b"]
    fields = {**csv_file(tmp_path, ["x,z,y", *rows]), "standardise": False}
    kept = load(Data("csv", {**fields, "missing": "drop"}, {"kind": "time", "validation": 0.2}), 0)
    assert sum(kept.description.counts.values()) == 5
    filled = load(Data("csv", {**fields, "missing": "median"}, {"kind": "time", "validation": 0.2}), 0)
    assert float(filled.splits["train"].inputs["input"][1, 0]) == np.median([1, 3, 100, 2])


@pytest.fixture
def parquet(tmp_path) -> Path:
    return Path(real_data.parquet(tmp_path)["path"])


def test_parquet_gives_what_the_same_csv_gives(parquet, tmp_path):
    polars.read_parquet(parquet).write_csv(tmp_path / "a.csv")
    own = load(Data("parquet", {"path": str(parquet)}), 0).splits["train"]
    same = load(Data("csv", {"path": str(tmp_path / "a.csv")}), 0).splits["train"]
    assert torch.equal(own.inputs["input"], same.inputs["input"])
    assert torch.equal(own.targets, same.targets)
    assert guess(parquet).data.source == "parquet"


# ---------------------------------------------------------------------------- arrays


def test_arrays_of_five_dimensions_keep_their_shape_and_bytes_are_scaled(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (30, 3, 4, 8, 6), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(30) % 3)
    dataset = load(Data("numpy", {"path": str(tmp_path / "a.npz")}, {"kind": "time"}), 0)
    assert dataset.description.input_shapes == {"input": (3, 4, 8, 6)}
    assert torch.allclose(dataset.splits["train"].inputs["input"][5], torch.tensor(x[5]).float() / 255)


def test_several_arrays_are_several_columns(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones((20, 3)), b=np.ones((20, 2, 2)), y=np.linspace(0, 1, 20))
    told = describe(Data("numpy", {"path": str(tmp_path / "a.npz"), "inputs": "a, b"}))
    assert told.input_shapes == {"a": (3,), "b": (2, 2)}
    assert told.target == "value"


def test_a_file_as_keras_keeps_mnist_brings_its_own_test_examples(tmp_path):
    """The names are those of keras.datasets.mnist's mnist.npz."""
    made = {"x_train": real_data.pixels(40, 6, 5), "x_test": real_data.pixels(10, 6, 5)}
    labels = {"y_train": np.arange(40) % 4, "y_test": np.arange(10) % 5}
    np.savez(tmp_path / "mnist.npz", **made, **labels)
    data = guess(tmp_path / "mnist.npz").data
    dataset = load(data, 0)
    assert dataset.description.counts == {"train": 32, "validation": 8, "test": 10}
    assert dataset.description.classes == 5, "a class of the test examples is a class"
    test = dataset.splits["test"]
    assert torch.allclose(test.inputs["input"], torch.tensor(made["x_test"]).float() / 255)
    assert test.targets.tolist() == labels["y_test"].tolist()
    values = {name: np.linspace(0, 9, len(y)) for name, y in labels.items()}
    np.savez(tmp_path / "values.npz", **made, **values)
    dataset = load(Data("numpy", {"path": str(tmp_path / "values.npz")}), 0)
    (mean,), (deviation,) = dataset.target_scale
    own = dataset.splits["test"].targets.flatten() * deviation + mean
    assert np.allclose(own, values["y_test"], atol=1e-4)


def test_an_npy_file_finds_its_targets_beside_it(tmp_path):
    np.save(tmp_path / "x_all.npy", np.ones((20, 3), np.float32))
    np.save(tmp_path / "y_all.npy", np.arange(20) % 2)
    found = guess(tmp_path / "x_all.npy")
    assert "y_all.npy" in found.reason
    assert describe(found.data).classes == 2


def test_a_lone_array_of_examples_is_no_series_and_asks_for_its_targets(tmp_path):
    np.save(tmp_path / "films.npy", np.ones((20, 3, 4, 5, 6), np.float32))
    found = guess(tmp_path / "films.npy").data
    assert found.source == "numpy"
    with pytest.raises(DataProblem, match="targets_path"):
        describe(found)
    np.save(tmp_path / "steps.npy", np.ones((200, 3), np.float32))
    assert guess(tmp_path / "steps.npy").data.source == "series"


def test_arrays_cut_short_or_of_objects_are_told_in_words(tmp_path):
    whole = tmp_path / "steps.npy"
    np.save(whole, np.ones((200, 3), np.float32))
    (tmp_path / "short.npy").write_bytes(whole.read_bytes()[:500])
    np.save(tmp_path / "objects.npy", np.array([{}, 1], object), allow_pickle=True)
    for name, said in (("short", "is cut short"), ("objects", "holds Python objects")):
        with pytest.raises(DataProblem, match=said):
            describe(guess(tmp_path / f"{name}.npy").data)


def test_safetensors_gives_what_the_library_wrote(tmp_path):
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    save_file({"x": x, "y": np.arange(20) % 2}, tmp_path / "a.safetensors")
    dataset = load(Data("safetensors", {"path": str(tmp_path / "a.safetensors")}, {"kind": "time"}), 0)
    assert torch.equal(dataset.splits["train"].inputs["input"], torch.tensor(x[:16]))


# ---------------------------------------------------------------------------- text and series


def test_text_is_windows_and_the_character_that_follows(tmp_path):
    text = "hello world, this is a text. " * 8
    (tmp_path / "a.txt").write_text(text)
    dataset = load(Data("text", {"path": str(tmp_path / "a.txt"), "length": 5}), 0)
    names = dataset.description.class_names
    assert "".join(names) == "".join(sorted(set(text)))
    train, held = dataset.splits["train"], dataset.splits["validation"]
    assert "".join(names[i] for i in train.inputs["input"][3]) == text[3:8]
    assert names[int(train.targets[3])] == text[8]
    # The end of the text validates, and no character of it, nor of a target, was trained on.
    seen = len(train) - 1 + 5
    first = held.inputs["input"][0]
    start = len(text) - len(held) - 5
    assert "".join(names[i] for i in first) == text[start : start + 5]
    assert start > seen


def test_each_place_of_a_text_can_be_learned(tmp_path):
    (tmp_path / "a.txt").write_text("abcdefgh" * 20)
    split = load(Data("text", {"path": str(tmp_path / "a.txt"), "length": 5, "learn": "each"}), 0).splits[
        "train"
    ]
    assert torch.equal(split.inputs["input"][0][1:], split.targets[0][:-1])


def test_words_beyond_the_vocabulary_are_one_unknown_word(tmp_path):
    (tmp_path / "a.txt").write_text("a a a b b c d " * 10)
    fields = {"path": str(tmp_path / "a.txt"), "level": "word", "length": 2, "vocabulary": 3}
    assert describe(Data("text", fields)).class_names == ("a", "b", "�")


def test_a_series_is_windows_and_the_value_behind_them(tmp_path):
    lines = ["time,a,b", *(f"{t},{t * 2},{t * t}" for t in range(100))]
    fields = csv_file(tmp_path, lines)
    found = guess(fields["path"])
    assert (found.data.source, found.data.fields["columns"]) == ("series", "a,b")
    told = Data("series", {**fields, "columns": "a,b", "window": 4, "horizon": 3, "standardise": False})
    split = load(told, 0).splits["train"]
    assert split.inputs["input"][10].tolist() == [[2.0 * t, 1.0 * t * t] for t in range(10, 14)]
    assert split.targets[10].tolist() == [2.0 * 16]
    first = Data("series", {**told.fields, "layout": "channels first"})
    assert torch.equal(load(first, 0).splits["train"].inputs["input"][10], split.inputs["input"][10].T)


# ---------------------------------------------------------------------------- guesses


def test_what_is_no_data_is_said(tmp_path):
    with pytest.raises(DataProblem, match="there is no such file or folder"):
        guess(tmp_path / "nowhere")
    with pytest.raises(DataProblem, match="is no data set that is known"):
        guess(tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    (tmp_path / "one.png").write_bytes(buffer.getvalue())
    (tmp_path / "wide.csv").write_text("a,b\n1,2\n", encoding="utf-16")
    with pytest.raises(DataProblem, match="UTF-16"):
        guess(tmp_path / "wide.csv")
    with pytest.raises(DataProblem, match="Pictures come in a folder"):
        guess(tmp_path / "one.png")
