"""``--set PATH=VALUE``: any value of the file by its path, and what keeps one from being set."""

import pytest

from engine import assets, storage
from engine.assign import AssignProblem, assign, assign_all
from engine.network import Choice, Network


@pytest.fixture
def lenet() -> Network:
    return storage.read(assets.path("networks/lenet5_mnist.layerlab"))


def test_a_nodes_id_stands_for_its_fields(lenet: Network) -> None:
    assert assign(lenet, "conv1.stride=2").nodes["conv1"].fields["stride"] == 2
    assert assign(lenet, "conv1.stride=[2, 1]").nodes["conv1"].fields["stride"] == [2, 1]


def test_the_whole_path_leads_to_the_same_place(lenet: Network) -> None:
    assert assign(lenet, "nodes.conv1.fields.stride=2") == assign(lenet, "conv1.stride=2")
    assert assign(lenet, "recipe.optimizer.fields.lr=0.5") == assign(lenet, "recipe.optimizer.lr=0.5")


def test_a_number_in_the_path_counts_into_a_list(lenet: Network) -> None:
    assert assign(lenet, "conv1.kernel_size.0=7").nodes["conv1"].fields["kernel_size"] == [7, 5]
    assert assign(lenet, "conv1.stride.1=3").nodes["conv1"].fields["stride"] == [1, 3]


def test_the_network_that_was_given_is_as_it_was(lenet: Network) -> None:
    before = storage.dumps(lenet)
    assign_all(lenet, ["conv1.kernel_size.0=7", "view.positions.conv1.0=9", "recipe.epochs=1"])
    assert storage.dumps(lenet) == before


def test_another_scheme_leaves_behind_the_fields_that_it_does_not_have(lenet: Network) -> None:
    node = assign(lenet, "conv1.init.weight.scheme=orthogonal").nodes["conv1"]
    assert node.init["weight"] == Choice("orthogonal")
    assert node.init["bias"] == Choice("zeros")


def test_another_optimizer_keeps_the_learning_rate(lenet: Network) -> None:
    faster = assign(lenet, "recipe.optimizer.lr=0.25")
    assert assign(faster, "recipe.optimizer=SGD").recipe.optimizer == Choice("SGD", {"lr": 0.25})


def test_what_was_absent_is_made(lenet: Network) -> None:
    node = assign(lenet, "fc2.binarize.weight.estimator=ste_sign").nodes["fc2"]
    assert node.binarize == {"weight": Choice("ste_sign")}
    assert assign(lenet, "recipe.data.split.validation=0.3").recipe.data.split == {"validation": 0.3}


def test_null_takes_a_part_away(lenet: Network) -> None:
    assert assign(lenet, "conv1.activation=null").nodes["conv1"].activation is None


def test_a_text_may_look_like_a_number(lenet: Network) -> None:
    assert assign(lenet, "name=12").name == "12"
    assert assign(lenet, "recipe.data.folder=12").recipe.data.fields == {"folder": "12"}


def test_assignments_are_made_in_order(lenet: Network) -> None:
    assert assign_all(lenet, ["recipe.epochs=1", "recipe.epochs=2"]).recipe.epochs == 2


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("conv1.strid=2", "Conv2d has no field 'strid'. Did you mean 'stride'?"),
        ("conv9.stride=2", "no node or section 'conv9'. Did you mean"),
        ("conv1.stride=abc", "'abc' is not one or 2 whole numbers"),
        ("conv1.stride=0", "[0]|0 is out of range|not one or 2|from 1 to 255"),
        ("recipe.epochs=three", "recipe.epochs: expected a whole number, found text"),
        ("recipe.epoch=3", "Did you mean 'epochs'?"),
        ("recipe.optimizer.lr=NaN", "'NaN' is not a number"),
        ("recipe.optimizer.type=Adm", "Did you mean 'Adam'?"),
        ("conv1.init.weight.scheme=orthogonl", "Did you mean 'orthogonal'?"),
        ("conv1.training.frozen=5", "expected true or false"),
        ("conv1", "write PATH=VALUE"),
        ("=3", "write PATH=VALUE"),
        ("conv1..stride=3", "write PATH=VALUE"),
        ("min_reader=9", "no node or section 'min_reader'"),
        ("edges.99=1", "no place in a list of 9"),
        ("conv1.kernel_size.0.0=3", "leads nowhere"),
    ],
)
def test_what_cannot_be_set_is_said_in_one_line(lenet: Network, assignment: str, words: str) -> None:
    with pytest.raises(AssignProblem) as caught:
        assign(lenet, assignment)
    message = str(caught.value)
    assert message.startswith(f"--set {assignment}: ")
    assert any(part in message for part in words.split("|"))
    assert len(message.splitlines()) == 1
