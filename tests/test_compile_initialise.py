"""Initialisers against torch.nn.init, bit for bit, and the streams of a network."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import init

import engine
from engine import edit
from engine.catalog import INITIALIZERS
from engine.network import Network, Node
from tests.networks import chain, choice


def delta_orthogonal(tensor: torch.Tensor) -> None:
    """Xiao et al. 2018: zero but for the centre, which is orthogonal."""
    centre = init.orthogonal_(torch.empty(tensor.shape[:2]), 1.5)
    tensor.zero_()
    tensor[:, :, 1, 1] = centre


def forget_bias(tensor: torch.Tensor) -> None:
    """Gers et al. 2000; torch's order of gates is input, forget, cell, output."""
    hidden = len(tensor) // 4
    tensor.copy_(torch.cat([torch.zeros(hidden), torch.ones(hidden), torch.zeros(2 * hidden)]))


def orthogonal_gates(tensor: torch.Tensor) -> None:
    """Three square matrices, each drawn by torch."""
    tensor.copy_(torch.cat([init.orthogonal_(torch.empty(8, tensor.shape[1])) for _ in range(3)]))


def by_gate(tensor: torch.Tensor) -> None:
    """LSTM: input and cell by Glorot, forget orthogonal, output zero; each as a matrix of its own."""
    rows = len(tensor) // 4
    parts = [
        init.xavier_uniform_(torch.empty(rows, tensor.shape[1])),
        init.orthogonal_(torch.empty(rows, tensor.shape[1])),
        init.xavier_uniform_(torch.empty(rows, tensor.shape[1])),
        torch.zeros(rows, tensor.shape[1]),
    ]
    tensor.copy_(torch.cat(parts))


CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("zeros", {}, init.zeros_),
    ("ones", {}, init.ones_),
    ("constant", {"val": 0.25}, lambda t: init.constant_(t, 0.25)),
    ("uniform", {}, init.uniform_),
    ("uniform", {"a": -2.0, "b": 3.0}, lambda t: init.uniform_(t, -2.0, 3.0)),
    ("normal", {}, init.normal_),
    ("normal", {"mean": 1.0, "std": 0.1}, lambda t: init.normal_(t, 1.0, 0.1)),
    ("trunc_normal", {}, init.trunc_normal_),
    (
        "trunc_normal",
        {"std": 0.02, "a": -0.03, "b": 0.05},
        lambda t: init.trunc_normal_(t, 0.0, 0.02, -0.03, 0.05),
    ),
    ("xavier_uniform", {"gain": 2.0}, lambda t: init.xavier_uniform_(t, 2.0)),
    ("xavier_normal", {}, init.xavier_normal_),
    ("kaiming_uniform", {"a": math.sqrt(5)}, lambda t: init.kaiming_uniform_(t, math.sqrt(5))),
    (
        "kaiming_normal",
        {"mode": "fan_out", "nonlinearity": "relu"},
        lambda t: init.kaiming_normal_(t, 0, "fan_out", "relu"),
    ),
    ("orthogonal", {"gain": 1.5}, lambda t: init.orthogonal_(t, 1.5)),
    ("sparse", {"sparsity": 0.1}, lambda t: init.sparse_(t, 0.1)),
    ("eye", {}, init.eye_),
    ("dirac", {"groups": 2}, lambda t: init.dirac_(t, 2)),
    ("binary_latent", {"bound": 0.5}, lambda t: init.uniform_(t, -0.5, 0.5)),
    ("lecun_normal", {}, lambda t: init.normal_(t, 0.0, t[0].numel() ** -0.5)),
    ("depth_scaled_normal", {"layers": 8}, lambda t: init.normal_(t, 0.0, 0.02 / 4)),
    ("delta_orthogonal", {"gain": 1.5}, delta_orthogonal),
    ("forget_bias", {"val": 1.0}, forget_bias),
    ("orthogonal_gates", {"gates": 3}, orthogonal_gates),
    ("by_gate", {"gates": 4, "second": "orthogonal", "fourth": "zeros"}, by_gate),
]


def shape_for(id: str) -> tuple[int, ...]:
    return {1: (16,), 2: (24, 10)}.get(INITIALIZERS[id].max_dims, (6, 4, 3, 3))


def test_every_scheme_is_compared_with_torch() -> None:
    lone = {id for id, entry in INITIALIZERS.items() if not entry.needs_network}
    assert {id for id, _, _ in CASES} == lone


@pytest.mark.parametrize(("id", "fields", "torchs"), CASES)
class TestEveryScheme:
    def test_its_numbers_are_torchs_for_the_same_seed(self, id: str, fields: Any, torchs: Any) -> None:
        ours, theirs = torch.empty(shape_for(id)), torch.empty(shape_for(id))
        torch.manual_seed(11)
        result = engine.initializer(id, **fields)(ours)
        after_ours = torch.rand(1)
        torch.manual_seed(11)
        torchs(theirs)
        assert torch.equal(ours, theirs)
        assert torch.equal(after_ours, torch.rand(1))
        assert result is ours

    def test_a_generator_is_all_it_draws_from(self, id: str, fields: Any, torchs: Any) -> None:
        fill = engine.initializer(id, **fields)
        before = torch.get_rng_state()
        first = fill(torch.empty(shape_for(id)), torch.Generator().manual_seed(5))
        torch.rand(3)
        second = fill(torch.empty(shape_for(id)), torch.Generator().manual_seed(5))
        assert torch.equal(first, second)
        torch.set_rng_state(before)
        fill(torch.empty(shape_for(id)), torch.Generator().manual_seed(5))
        assert torch.equal(torch.get_rng_state(), before)

    def test_it_fills_a_parameter_without_autograd(self, id: str, fields: Any, torchs: Any) -> None:
        parameter = torch.nn.Parameter(torch.empty(shape_for(id)))
        filled = engine.initializer(id, **fields)(parameter)
        assert filled is parameter
        assert parameter.grad_fn is None
        assert parameter.is_leaf

    def test_it_refuses_whole_numbers_and_too_few_dimensions(self, id: str, fields: Any, torchs: Any) -> None:
        fill = engine.initializer(id, **fields)
        with pytest.raises(ValueError, match="floating-point"):
            fill(torch.zeros(shape_for(id), dtype=torch.int64))
        if INITIALIZERS[id].min_dims > 1:
            with pytest.raises(ValueError, match="dimensions"):
                fill(torch.empty(4))


def test_sparse_zeroes_the_share_of_each_column_rounded_up() -> None:
    tensor = engine.initializer("sparse", sparsity=0.25)(torch.empty(9, 20), torch.Generator().manual_seed(0))
    assert (tensor == 0).sum(dim=0).tolist() == [math.ceil(0.25 * 9)] * 20


def test_orthogonal_fills_half_precision_on_the_cpu() -> None:
    tensor = engine.initializer("orthogonal")(torch.empty(8, 8, dtype=torch.bfloat16))
    torch.testing.assert_close((tensor.float() @ tensor.float().T), torch.eye(8), atol=0.05, rtol=0)


def test_a_scheme_that_needs_the_network_is_refused_with_that_said() -> None:
    with pytest.raises(ValueError, match="whole network"):
        engine.initializer("default")


def test_an_unknown_scheme_or_field_is_named_with_a_near_one() -> None:
    with pytest.raises(ValueError, match="Did you mean 'orthogonal'"):
        engine.initializer("ortogonal")
    with pytest.raises(ValueError, match="Did you mean 'gain'"):
        engine.initializer("orthogonal", gian=2.0)
    with pytest.raises(ValueError, match="sparsity"):
        engine.initializer("sparse", sparsity=-0.1)


# ---------------------------------------------------------------------------- streams


def two_layers() -> Network:
    return chain(
        (
            "first",
            Node("Linear", {"out_features": 6}, init={"weight": choice("normal"), "bias": choice("uniform")}),
        ),
        ("second", Node("Linear", {"out_features": 4})),
        ("third", Node("Linear", {"out_features": 2})),
        shape=(5,),
    )


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    a, b, c = (engine.build(two_layers(), seed=seed).state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not any(torch.equal(a[key], c[key]) for key in a)


def test_changing_one_layer_changes_no_others_draw() -> None:
    network = two_layers()
    changed = edit.set_init(network, "first", "weight", choice("orthogonal"))
    changed = edit.add_node(changed, "extra", Node("Linear", {"out_features": 9}))
    changed = edit.connect(changed, changed.edges[0].source, type(changed.edges[0].target)("extra"))
    before, after = engine.build(network).state_dict(), engine.build(changed).state_dict()
    differing = {key for key in before if not torch.equal(before[key], after[key])}
    assert differing == {"first.weight"}


def test_building_leaves_the_global_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    engine.build(two_layers())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_default_for_all_applies_where_it_fits_and_a_nodes_own_wins() -> None:
    network = edit.replace(
        two_layers(), defaults={"init": {"all": {"weight": {"scheme": "ones"}, "bias": {"scheme": "zeros"}}}}
    )
    model = engine.build(network)
    assert torch.equal(model.second.weight, torch.ones(4, 6))
    assert torch.equal(model.second.bias, torch.zeros(4))
    assert not torch.equal(model.first.weight, torch.ones(6, 5))
