"""The networks to start from: each is sound, laid out, and trains."""

import math
import os
from pathlib import Path

import pytest

from engine import analyze, assets, storage, templates, train
from engine.catalog import LAYERS
from engine.network import Network
from engine.problems import FileProblem
from engine.storage import SUFFIX

FOUND = templates.templates()
NETWORKS = {found.id: found.network for found in FOUND}
#: Those whose data come with scikit-learn.
AT_HAND = [id for id, network in NETWORKS.items() if network.recipe.data.source == "digits"]
DATA = Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[2] / "shared" / "data")
MNIST = DATA / "mnist"


def _shortened(network: Network, *assignments: str) -> Network:
    from engine.assign import assign_all

    return assign_all(network, assignments)


def test_every_file_of_the_folder_is_a_template_and_the_simplest_comes_first() -> None:
    files = {path.name.removesuffix(SUFFIX) for path in assets.path("networks").glob(f"*{SUFFIX}")}
    assert set(NETWORKS) == files
    assert {"digits_mlp", "lenet5_mnist", "digits_binarized_mlp", "residual_digits"} <= files
    assert FOUND[0].id == "digits_mlp"


def test_an_unknown_template_is_refused_with_a_near_name() -> None:
    with pytest.raises(FileProblem, match="Did you mean 'lenet5_mnist'"):
        templates.template("lenet_mnist")


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.id)
def test_it_says_what_it_is_and_is_written_as_the_program_writes(found: templates.Template) -> None:
    assert found.title
    assert found.description.endswith(".")
    path = assets.path(f"networks/{found.id}{SUFFIX}")
    assert path.read_bytes() == storage.dumps(found.network)


@pytest.mark.parametrize("id", NETWORKS)
def test_its_drawing_is_whole_and_reads_like_text_without_overlap(id: str) -> None:
    network = NETWORKS[id]
    positions = network.positions()
    assert set(positions) == set(network.nodes)
    places = [tuple(at) for at in positions.values()]
    for i, (x, y) in enumerate(places):
        for other_x, other_y in places[i + 1 :]:
            assert abs(x - other_x) >= 200 or abs(y - other_y) >= 120
    # Rows are read from top to bottom: a wire that runs back to the left leads to a lower row.
    for edge in network.edges:
        (x, y), (next_x, next_y) = positions[edge.source.node], positions[edge.target.node]
        assert next_x > x or next_y > y


@pytest.mark.parametrize("id", NETWORKS)
def test_it_has_no_problem_but_perhaps_missing_data(id: str) -> None:
    problems = analyze(NETWORKS[id]).problems
    assert [str(problem) for problem in problems if problem.code != "data"] == []


def test_the_binarized_one_keeps_the_rules_of_binarization() -> None:
    """Real input first, a real layer last, no bias and batch normalisation behind the binarized ones."""
    network = NETWORKS["digits_binarized_mlp"]
    following = {edge.source.node: edge.target.node for edge in network.edges}
    layers = [id for id, node in network.nodes.items() if LAYERS[node.type].binarizable]
    binarized = [id for id in layers if network.nodes[id].binarize]
    assert "input" not in network.nodes[layers[0]].binarize
    assert layers[-1] not in binarized
    assert any("input" in network.nodes[id].binarize for id in binarized)
    for id in binarized:
        assert network.nodes[id].fields["bias"] is False
        assert network.nodes[following[id]].type == "BatchNorm1d"


@pytest.mark.parametrize("id", AT_HAND)
def test_one_epoch_already_teaches_it_something(id: str, tmp_path: Path) -> None:
    result = train(NETWORKS[id], epochs=1, device="cpu", run_dir=tmp_path)
    assert result["state"] == "finished"
    # Ten classes: guessing is right once in ten, with a loss of ln 10.
    assert result["validation"]["accuracy"] > 0.5
    assert result["train"]["loss"] < math.log(10)


def test_digits_reach_97_percent_of_the_examples_that_were_kept_back(tmp_path: Path) -> None:
    result = train(NETWORKS["digits_mlp"], device="cpu", run_dir=tmp_path)
    assert result["validation"]["accuracy"] >= 0.97


@pytest.mark.full
@pytest.mark.parametrize("id", [id for id in AT_HAND if id != "digits_mlp"])
def test_each_digits_template_reaches_97_percent(id: str, tmp_path: Path) -> None:
    assert train(NETWORKS[id], device="cpu", run_dir=tmp_path)["validation"]["accuracy"] >= 0.97


@pytest.mark.full
@pytest.mark.skipif(not MNIST.is_dir(), reason="the MNIST files are not in LAYERLAB_DATA/mnist")
def test_lenet_5_reaches_98_5_percent_of_mnist_in_three_epochs(tmp_path: Path) -> None:
    network = _shortened(NETWORKS["lenet5_mnist"], f"recipe.data.folder={MNIST}")
    assert network.recipe.epochs == 3
    assert train(network, device="cpu", run_dir=tmp_path)["validation"]["accuracy"] >= 0.985
