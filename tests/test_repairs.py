"""Repairs: what is offered first mends what people break."""

from __future__ import annotations

import pytest

from engine import analyze, diff, edit, templates
from engine.catalog import LAYERS
from engine.network import Edge, End, Network, Node
from tests import repair_rate
from tests.networks import chain

SMALL = ("digits_mlp", "lenet5_mnist", "digits_binarized_mlp", "residual_digits")


def test_four_of_five_random_mistakes_are_mended_by_the_first_repair() -> None:
    """The whole table is `python -m tests.repair_rate`."""
    rates = [repair_rate.rate(templates.template(id).network, 8) for id in SMALL]
    assert sum(rate.broken for rate in rates) == 8 * len(SMALL)
    assert sum(rate.mended for rate in rates) >= 0.8 * sum(rate.broken for rate in rates)


@pytest.mark.full
def test_four_of_five_mistakes_are_mended_in_every_template() -> None:
    for template in templates.templates():
        rate = repair_rate.rate(template.network, 30)
        assert rate.mended >= 0.8 * rate.broken, f"{template.id}: {rate}"


def first_repair(network: Network) -> tuple[str, Network]:
    problem = analyze(network).errors[0]
    assert problem.repairs, problem
    return problem.repairs[0].text, diff.apply(network, problem.repairs[0].changes)


def test_a_layer_that_was_deleted_out_of_a_chain_is_bridged() -> None:
    network = templates.template("digits_mlp").network
    cut = edit.remove(network, [list(network.nodes)[2]])
    _, mended = first_repair(cut)
    assert analyze(mended).errors == ()


def test_a_missing_flatten_is_put_back() -> None:
    network = chain(
        ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3})),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )
    text, mended = first_repair(network)
    assert "Flatten" in text
    assert analyze(mended).errors == ()


def test_the_arms_of_a_residual_are_made_alike() -> None:
    network = templates.template("residual_digits").network
    wide = edit.set_field(network, "conv3", "out_channels", 100)
    problem = next(p for p in analyze(wide).errors if p.node == "add1")
    assert problem.repairs
    assert analyze(diff.apply(wide, problem.repairs[0].changes)).errors == ()


def test_every_repair_offered_leaves_fewer_errors_than_there_were() -> None:
    network = templates.template("residual_digits").network
    for broken in (
        edit.set_field(network, "conv3", "kernel_size", [31, 31]),
        edit.set_field(network, "conv4", "stride", [3, 3]),
        edit.remove(network, ["add1"]),
        edit.replace(network, edges=(*network.edges, Edge(End("fc"), End("conv1")))),
    ):
        errors = analyze(broken).errors
        for problem in errors[:3]:
            for repair in problem.repairs:
                after = analyze(diff.apply(broken, repair.changes)).errors
                assert len(after) < len(errors), repair.text


@pytest.mark.parametrize("kernel", [[31, 31], 31])
def test_no_way_out_is_offered_twice_in_other_words(kernel: object) -> None:
    network = edit.set_field(templates.template("residual_digits").network, "conv2", "kernel_size", kernel)
    (problem,) = analyze(network).errors[:1]
    assert len(problem.repairs) >= 3
    ends = [diff.apply(network, repair.changes).nodes for repair in problem.repairs]
    meant = [
        {id: vars(LAYERS[node.type].settings(node.fields)) for id, node in nodes.items()} for nodes in ends
    ]
    assert all(meant[i] != meant[j] for i in range(len(meant)) for j in range(i))
