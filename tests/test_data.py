"""Data sets: what they hold, how they are split, and what is said when they are broken."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.data import describe, load
from engine.data.idx_sets import FILES
from engine.data.pool import Shape
from engine.data.splits import divide, plan
from engine.network import Data
from engine.problems import DataProblem


def shared_data() -> Path:
    named = os.environ.get("LAYERLAB_DATA")
    return Path(named) if named else Path(__file__).parents[2] / "shared" / "data"


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def mnist(tmp_path):
    """A folder in MNIST's form: 120 training and 20 test images of 4 × 5 pixels."""
    random = np.random.default_rng(0)
    for (images, labels), count in ((FILES[:2], 120), (FILES[2:], 20)):
        (tmp_path / images).write_bytes(idx(random.integers(0, 256, (count, 4, 5), dtype=np.uint8)))
        (tmp_path / labels).write_bytes(idx(np.arange(count, dtype=np.uint8) % 10))
    return tmp_path


def of(folder: Path, **split: object) -> Data:
    return Data("mnist", {"folder": str(folder)}, split)


def message(data: Data) -> str:
    with pytest.raises(DataProblem) as caught:
        load(data, 0)
    return str(caught.value)


# ---------------------------------------------------------------------------- digits


def test_digits_are_those_of_scikit_learn_each_in_exactly_one_split():
    from sklearn.datasets import load_digits

    dataset = load(Data("digits", {}, {"kind": "random", "validation": 0.2, "test": 0.1}), 3)
    own = sorted(
        (int(target), *map(float, image.flatten()))
        for split in dataset.splits.values()
        for image, target in zip(split.inputs["input"], split.targets, strict=True)
    )
    theirs = load_digits()
    assert own == sorted(
        (int(t), *map(float, image.flatten() / 16))
        for image, t in zip(theirs.images, theirs.target, strict=True)
    )


def test_describing_agrees_with_loading():
    for data in (Data("digits"), Data("digits", {}, {"kind": "random", "validation": 0.3, "test": 0.25})):
        told, loaded = describe(data), load(data, 0)
        assert {k: v for k, v in told.counts.items() if v} == {k: len(s) for k, s in loaded.splits.items()}
        for split in loaded.splits.values():
            assert tuple(split.inputs["input"].shape[1:]) == told.input_shapes["input"] == (1, 8, 8)
            assert split.inputs["input"].dtype == torch.float32
            assert split.targets.dtype == torch.int64
            assert split.inputs["input"].is_contiguous()
        assert told.classes == 10


def test_a_stratified_split_has_every_class_in_proportion():
    dataset = load(Data("digits", {}, {"kind": "stratified", "validation": 0.2}), 0)
    all_of = sum(split.targets.bincount() for split in dataset.splits.values())
    assert torch.all((dataset.splits["validation"].targets.bincount() - 0.2 * all_of).abs() <= 1)


def test_the_seed_chooses_the_split_and_nothing_else_does():
    first, again, other = (load(Data("digits"), seed).splits["validation"].targets for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_hash_speaks_of_the_values_and_not_of_the_split(mnist):
    before = load(of(mnist), 0).sha256
    assert load(of(mnist, kind="random", validation=0.5), 4).sha256 == before
    path = mnist / FILES[0]
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    os.utime(path, ns=(1, 1))
    assert load(of(mnist), 0).sha256 != before


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"kind": "given"}, "brings no split of its own"),
        ({"kind": "randm"}, "Did you mean 'random'?"),
        ({"validatoin": 0.1}, "Did you mean 'validation'?"),
        ({"validation": 1.5}, "a share of the examples from 0 to below 1, not 1.5"),
        ({"validation": True}, "not True"),
        ({"validation": 0.6, "test": 0.4}, "leave nothing to train on"),
    ],
)
def test_a_split_that_cannot_be_is_explained(split, said):
    with pytest.raises(DataProblem, match=r"split|share|leave") as caught:
        describe(Data("digits", {}, split))
    assert said in str(caught.value)


def test_an_unknown_source_is_explained():
    with pytest.raises(DataProblem, match=r"no data source 'digit'.*Did you mean 'digits'"):
        describe(Data("digit"))


# ---------------------------------------------------------------------------- MNIST and IDX


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_gives_its_last_twelfth_to_validation_and_its_own_test(mnist, packed):
    images = np.frombuffer((mnist / FILES[0]).read_bytes()[16:], np.uint8).reshape(120, 1, 4, 5)
    if packed:
        for name in FILES:
            (mnist / f"{name}.gz").write_bytes(gzip.compress((mnist / name).read_bytes()))
            (mnist / name).unlink()
    dataset = load(of(mnist), 0)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 110,
        "validation": 10,
        "test": 20,
    }
    expected = torch.tensor(images[110:]).float() / 255
    assert torch.allclose(dataset.splits["validation"].inputs["input"], expected, atol=1e-7)


def test_missing_files_are_named_with_the_place_to_put_them(mnist, tmp_path):
    said = message(of(tmp_path / "nowhere"))
    assert all(name in said for name in FILES)
    assert str(tmp_path / "nowhere") in said
    (mnist / FILES[3]).unlink()
    said = message(of(mnist))
    assert FILES[3] in said
    assert FILES[0] not in said


def test_without_a_folder_the_data_folders_are_searched(mnist, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAYERLAB_DATA", str(mnist))
    assert describe(Data("mnist")).counts["train"] == 110
    monkeypatch.delenv("LAYERLAB_DATA")
    with pytest.raises(DataProblem, match="not here yet") as caught:
        describe(Data("mnist"))
    assert caught.value.field == "folder"


def test_the_real_mnist_is_whole():
    folder = shared_data() / "mnist"
    if not folder.is_dir():
        pytest.skip("the real MNIST files are not here: set LAYERLAB_DATA")
    dataset = load(of(folder), 0)
    assert {k: len(s) for k, s in dataset.splits.items()} == {
        "train": 55000,
        "validation": 5000,
        "test": 10000,
    }
    # Counts of the ten digits as published with the data set.
    assert dataset.splits["test"].targets.bincount().tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
    ]  # fmt: skip
    everything = torch.cat([dataset.splits["train"].targets, dataset.splits["validation"].targets])
    assert everything.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def test_a_plan_divides_without_loss_or_overlap():
    data = Data("digits", {}, {"kind": "stratified", "validation": 0.31, "test": 0.17})
    shape = Shape({"input": (1,)}, 997, class_names=tuple("0123456"))
    parts = divide(plan(data.split, "digits", shape), shape, np.arange(997) % 7, 5)
    assert sorted(np.concatenate(parts).tolist()) == list(range(997))
