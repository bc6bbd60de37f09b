"""What does not fit into memory is an error before anything is allocated."""

import msgspec
import pytest
from networks import chain

import engine
from engine.analysis import memory
from engine.network import Network, Node
from engine.problems import NetworkProblem


def _wide(features: int, batch_size: int = 64) -> Network:
    network = chain(("fc", Node("Linear", {"out_features": features})), shape=(1000,))
    recipe = msgspec.structs.replace(network.recipe, batch_size=batch_size)
    return msgspec.structs.replace(network, recipe=recipe)


def test_weights_that_do_not_fit_are_an_error_at_their_node(monkeypatch: pytest.MonkeyPatch) -> None:
    # 1,000 × 500 weights and 500 biases, of four bytes each.
    monkeypatch.setattr(memory, "installed", lambda: 4 * (1000 * 500 + 500))
    assert not [p for p in engine.analyze(_wide(500, 1)).problems if p.code == "too-large"]
    (problem,) = [p for p in engine.analyze(_wide(501)).problems if p.code == "too-large"]
    assert problem.severity == "error"
    assert problem.node == "fc"
    assert "2 MB" in problem.message
    with pytest.raises(NetworkProblem, match="its weights take"):
        engine.build(_wide(501))


def test_a_terabyte_is_refused_without_a_byte_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    network = chain(
        ("a", Node("Linear", {"out_features": 1 << 20})),
        ("b", Node("Linear", {"out_features": 1 << 20})),
        shape=(8,),
    )
    with pytest.raises(NetworkProblem, match=r"b: its weights take 4\.4 TB"):
        engine.build(network)


def test_a_batch_that_does_not_fit_has_a_repair_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    one = engine.analyze(_wide(500)).totals["activation_bytes"]
    monkeypatch.setattr(memory, "installed", lambda: 4_000_000)
    analysis = engine.analyze(_wide(500, 100_000))
    (problem,) = [p for p in analysis.problems if p.code == "too-large"]
    assert problem.field == "recipe.batch_size"
    fitting = problem.repairs[0].changes[0].after
    assert fitting * one <= 4_000_000 < 2 * fitting * one
