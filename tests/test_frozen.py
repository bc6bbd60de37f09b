"""A frozen example of every format version opens for ever, to the same network."""

import hashlib
from pathlib import Path

import pytest

import engine
from engine import storage
from engine.network import FORMAT_VERSION, Choice, Edge, End, Node, Training
from engine.problems import FileProblem
from engine.storage import file

FROZEN = Path(__file__).parent / "frozen"
#: Version -> SHA-256 of its example, which nobody ever edits. A new version gets a new example.
EXAMPLES = {1: "2e3875c94f84b06efade402f1e025f2dea483d28b4d477f43bb00a71cad05643"}


def test_every_version_has_its_example_and_none_was_edited() -> None:
    assert sorted(EXAMPLES) == list(range(1, FORMAT_VERSION + 1))
    for version, digest in EXAMPLES.items():
        data = (FROZEN / f"v{version}.layerlab").read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest
        assert f'"version": {version},'.encode() in data


@pytest.mark.parametrize("version", EXAMPLES)
def test_an_example_is_read_without_errors_and_saved_without_loss(version: int) -> None:
    network = engine.load(FROZEN / f"v{version}.layerlab")
    assert engine.analyze(network).errors == ()
    assert storage.loads(storage.dumps(network)) == network
    engine.build(network, seed=0)


def test_version_1_means_what_it_meant() -> None:
    network = engine.load(FROZEN / "v1.layerlab")
    assert network.name == "Frozen: everything that format 1 has — ünïcödé"
    assert network.nodes["conv1"] == Node(
        "Conv2d",
        {"out_channels": 4, "kernel_size": [3, 3], "stride": 1, "padding": [1, 1]},
        Choice("LeakyReLU", {"negative_slope": 0.2}),
        {
            "weight": Choice("kaiming_normal", {"nonlinearity": "leaky_relu", "a": 0.2}),
            "bias": Choice("zeros"),
        },
        {"weight": Choice("ste_sign")},
        Training(False, 0.5),
    )
    assert network.nodes["stage"] == Node("Block", {"channels": 4}, block="Basic", repeat=2)
    assert network.nodes["right"].shares == {"weight": "left.weight"}
    assert network.nodes["fc"].training == Training(True, 1.0)
    assert Edge(End("right"), End("sum", "other")) in network.edges
    block = network.blocks["Basic"]
    assert (block.arguments["channels"].type, block.arguments["channels"].default) == ("int", 64)
    assert block.nodes["conv"].fields["out_channels"] == {"expr": "channels"}
    assert network.defaults == {"init": {"all": {"weight": {"scheme": "xavier_uniform", "fields": {}}}}}
    recipe = network.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.seed, recipe.schedule) == (3, 32, 7, None)
    assert recipe.loss == Choice("CrossEntropyLoss", {"label_smoothing": 0.1})
    assert recipe.data.split == {"kind": "stratified", "validation": 0.2, "test": 0.1}
    assert network.view["comments"] == [{"text": "kept as it is", "at": [0, -80]}]
    assert network.extra == {"x-other-tool": {"kept": [1, 2.5, None, True, "ja"]}}


def test_version_1_has_the_numbers_that_it_had() -> None:
    """Counted by hand: 3·3·4 + 4, twice 3·3·4·4 + 4 + 8, 256·256 shared + 2·256, 256·10 + 10."""
    totals = engine.analyze(engine.load(FROZEN / "v1.layerlab")).totals
    assert totals["parameters"] == 40 + 2 * (148 + 8) + 256 * 256 + 2 * 256 + 2570


def test_a_newer_version_that_this_one_may_read_is_told_from_one_that_it_may_not(tmp_path: Path) -> None:
    text = (FROZEN / "v1.layerlab").read_text(encoding="utf-8")
    path = tmp_path / "newer.layerlab"
    path.write_text(text.replace('"version": 1', '"version": 9'), encoding="utf-8")
    assert file.read(path) == engine.load(FROZEN / "v1.layerlab")
    assert file.newer(path) == 9
    assert file.newer(FROZEN / "v1.layerlab") is None
    path.write_text(text.replace('"min_reader": 1', '"min_reader": 9'), encoding="utf-8")
    with pytest.raises(FileProblem, match="newer Layerlab"):
        file.read(path)
