"""Every initialiser against its own distribution: bounds, moments, Kolmogorov and Smirnov's distance.

The bound 2.225/√n on the distance is that of torch's own tests (p = 1e-4). Formulas and fans are
written out here, apart from the program's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import stats

import engine
from engine.network import Choice, Edge, End, Network, Node

#: Ranks 1 to 5, and odd ones: 1×1, 1×n, n×1, a grouped convolution's, a transposed one's.
SHAPES = [
    (4096,),
    (64, 128),
    (1, 4096),
    (4096, 1),
    (1, 1),
    (32, 16, 9),
    (32, 16, 3, 3),
    (64, 1, 3, 3),
    (16, 32, 2, 2),
    (8, 8, 3, 3, 3),
]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def normal(std: Callable[[int, int], float]) -> Callable[[tuple[int, ...]], Any]:
    return lambda shape: stats.norm(0, std(*fans(shape)))


def uniform(bound: Callable[[int, int], float]) -> Callable[[tuple[int, ...]], Any]:
    def law(shape: tuple[int, ...]) -> Any:
        b = bound(*fans(shape))
        return stats.uniform(-b, 2 * b)

    return law


LAWS: list[tuple[str, dict[str, Any], Callable[[tuple[int, ...]], Any]]] = [
    ("uniform", {"a": -2.0, "b": 3.0}, lambda shape: stats.uniform(-2, 5)),
    ("normal", {"mean": 1.0, "std": 0.5}, lambda shape: stats.norm(1, 0.5)),
    ("trunc_normal", {}, lambda shape: stats.truncnorm(-2, 2)),
    (
        "trunc_normal",
        {"mean": 0.5, "std": 0.5, "a": 0.0, "b": 2.0},
        lambda s: stats.truncnorm(-1, 3, 0.5, 0.5),
    ),
    ("xavier_uniform", {"gain": 2.0}, uniform(lambda i, o: 2 * math.sqrt(6 / (i + o)))),
    ("xavier_normal", {}, normal(lambda i, o: math.sqrt(2 / (i + o)))),
    ("kaiming_uniform", {"nonlinearity": "relu"}, uniform(lambda i, o: math.sqrt(6 / i))),
    ("kaiming_uniform", {"a": math.sqrt(5)}, uniform(lambda i, o: math.sqrt(1 / i))),
    ("kaiming_normal", {"nonlinearity": "tanh"}, normal(lambda i, o: 5 / 3 / math.sqrt(i))),
    ("kaiming_normal", {"mode": "fan_out", "nonlinearity": "relu"}, normal(lambda i, o: math.sqrt(2 / o))),
    ("lecun_normal", {}, normal(lambda i, o: 1 / math.sqrt(i))),
    ("depth_scaled_normal", {"layers": 8}, lambda shape: stats.norm(0, 0.02 / math.sqrt(16))),
    ("binary_latent", {"bound": 0.5}, lambda shape: stats.uniform(-0.5, 1)),
]
NEEDS_FANS = ("xavier", "kaiming", "lecun")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("id", "fields", "law"), LAWS, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_its_values_follow_its_law(id: str, fields: dict[str, Any], law: Any, shape: tuple[int, ...]) -> None:
    fill = engine.initializer(id, **fields)
    generator = torch.Generator().manual_seed(20)
    if id.startswith(NEEDS_FANS) and len(shape) < 2:
        with pytest.raises(ValueError, match="at least 2 dimensions"):
            fill(torch.empty(shape), generator)
        return
    values = fill(torch.empty(shape, dtype=torch.float64), generator).flatten().numpy()
    expected = law(shape)
    distance = stats.kstest(values, expected.cdf).statistic
    assert distance <= 2.225 / math.sqrt(len(values))
    low, high = expected.support()
    assert values.min() >= low - 1e-12
    assert values.max() <= high + 1e-12
    # Five standard errors of the mean; the spread's own error is about std/√(2n), more for flat laws less.
    assert abs(values.mean() - expected.mean()) <= 5 * expected.std() / math.sqrt(len(values))
    if len(values) > 1000:
        assert values.std() == pytest.approx(expected.std(), rel=0.1)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if len(shape) >= 2], ids=str)
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal_rows_or_columns_have_length_gain_and_right_angles(
    shape: tuple[int, ...], gain: float
) -> None:
    matrix = engine.initializer("orthogonal", gain=gain)(torch.empty(shape, dtype=torch.float64)).flatten(1)
    smaller = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert torch.allclose(smaller, gain**2 * torch.eye(len(smaller), dtype=torch.float64), atol=1e-10)


@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 4, 3, 3), (6, 4, 3, 3, 3), (4, 4, 5, 1)], ids=str)
def test_delta_orthogonal_turns_channels_at_the_centre_and_does_nothing_else(shape: tuple[int, ...]) -> None:
    weight = engine.initializer("delta_orthogonal", gain=1.5)(torch.empty(shape, dtype=torch.float64))
    centre = weight[(slice(None), slice(None), *(size // 2 for size in shape[2:]))]
    assert torch.allclose(centre.T @ centre, 2.25 * torch.eye(shape[1], dtype=torch.float64), atol=1e-10)
    assert torch.count_nonzero(weight) == torch.count_nonzero(centre)


@pytest.mark.parametrize(
    ("sparsity", "rows", "zeros"), [(0.1, 10, 1), (0.25, 10, 3), (0.07, 100, 8), (1.0, 4, 4)]
)
def test_sparse_has_exactly_its_zeros_in_every_column(sparsity: float, rows: int, zeros: int) -> None:
    # 0.07·100 is 7.000000000000001 in floating point, and torch's ceil makes it 8.
    weight = engine.initializer("sparse", sparsity=sparsity)(
        torch.empty(rows, 7), torch.Generator().manual_seed(1)
    )
    assert ((weight == 0).sum(0) == zeros).all()


@pytest.mark.parametrize(("shape", "groups"), [((4, 4, 3), 1), ((6, 2, 3, 3), 3), ((4, 2, 3, 3, 3), 2)])
def test_dirac_hands_each_channel_of_a_group_on(shape: tuple[int, ...], groups: int) -> None:
    weight = engine.initializer("dirac", groups=groups)(torch.empty(shape))
    assert float(weight.sum()) == groups * min(shape[0] // groups, shape[1])
    centre = weight[(slice(None), slice(None), *(size // 2 for size in shape[2:]))]
    per_group = shape[0] // groups
    for group in range(groups):
        block = centre[group * per_group : (group + 1) * per_group]
        assert torch.equal(block, torch.eye(*block.shape))


@pytest.mark.parametrize(
    ("id", "fields", "shape", "message"),
    [
        ("eye", {}, (4, 4, 4), "exactly 2 dimensions"),
        ("sparse", {"sparsity": 0.1}, (4,), "exactly 2 dimensions"),
        ("dirac", {}, (4, 4), "at least 3 dimensions"),
        ("dirac", {"groups": 3}, (4, 4, 3), "that groups \\(3\\) divides"),
        ("orthogonal", {}, (4,), "at least 2 dimensions"),
        ("delta_orthogonal", {}, (2, 4, 3), "at least as many outputs"),
        ("uniform", {"a": 1.0, "b": 0.0}, (4, 3), r"a \(1\) is above b \(0\)"),
        ("uniform", {"a": -1e300}, (4, 3), r"a \(-1e\+300\) is more than float32 holds"),
        ("normal", {"mean": 1e39}, (4, 3), "more than float32 holds"),
        ("constant", {"val": 1e39}, (4,), "more than float32 holds"),
        ("trunc_normal", {"a": 1.0, "b": 1.0}, (4, 3), "must be below b"),
        ("trunc_normal", {"std": 0.1, "a": 5.0, "b": 6.0}, (4, 3), "50 spreads away from the mean"),
        ("xavier_uniform", {}, (4,), "at least 2 dimensions"),
        ("xavier_normal", {}, (), "at least 2 dimensions"),
        ("kaiming_uniform", {}, (4,), "at least 2 dimensions"),
        ("kaiming_normal", {}, (4,), "at least 2 dimensions"),
        ("lecun_normal", {}, (4,), "at least 2 dimensions"),
        ("delta_orthogonal", {}, (4, 4), "at least 3 dimensions"),
        ("delta_orthogonal", {}, (4, 4, 1, 1, 1, 1), "at most 5 dimensions"),
        ("dirac", {}, (4, 4, 1, 1, 1, 1), "at most 5 dimensions"),
        ("eye", {}, (4,), "exactly 2 dimensions"),
        ("sparse", {"sparsity": 0.1}, (4, 4, 3, 3), "exactly 2 dimensions"),
        ("forget_bias", {}, (4, 4), "exactly 1 dimension"),
        ("orthogonal_gates", {"gates": 4}, (8,), "exactly 2 dimensions"),
        ("by_gate", {"gates": 4}, (6, 3), "no multiple of gates"),
        ("by_gate", {"gates": 4}, (8,), "needs a matrix per gate"),
        ("forget_bias", {}, (6,), "no multiple of 4"),
        ("orthogonal_gates", {"gates": 4}, (6, 3), "no multiple of gates"),
    ],
)
def test_a_tensor_that_does_not_fit_is_told_and_left_alone(
    id: str, fields: dict[str, Any], shape: tuple[int, ...], message: str
) -> None:
    tensor = torch.full(shape, 7.0)
    with pytest.raises(ValueError, match=message):
        engine.initializer(id, **fields)(tensor)
    assert bool((tensor == 7).all())


@pytest.mark.parametrize(
    ("parameter", "id", "fields", "message"),
    [
        ("bias", "xavier_normal", {}, "at least 2 dimensions"),
        ("weight", "eye", {}, "exactly 2 dimensions"),
        ("weight", "dirac", {"groups": 3}, "groups (3)"),
        ("weight", "uniform", {"a": 1.0, "b": 0.0}, "a (1) is above b (0)"),
        ("weight", "trunc_normal", {"a": 3.0, "b": 2.0}, "must be below b"),
        ("weight", "normal", {"mean": 1e300}, "more than float32 holds"),
        ("weight", "sparse", {"sparsity": -0.1}, "out of range"),
    ],
)
def test_a_scheme_that_does_not_fit_its_parameter_is_an_error_of_the_drawing(
    parameter: str, id: str, fields: dict[str, Any], message: str
) -> None:
    conv = Node("Conv2d", {"out_channels": 4, "kernel_size": 3}, init={parameter: Choice(id, fields)})
    network = Network(
        nodes={"image": Node("Input", {"shape": [1, 8, 8]}), "conv": conv, "out": Node("Output")},
        edges=(Edge(End("image"), End("conv")), Edge(End("conv"), End("out"))),
    )
    (problem,) = [p for p in engine.analyze(network).errors if p.node == "conv"]
    assert problem.field is not None
    assert problem.field.startswith(f"init.{parameter}")
    assert message in problem.message


@pytest.mark.parametrize(
    ("id", "fields", "message"),
    [
        ("sparse", {"sparsity": -0.1}, "out of range"),
        ("sparse", {"sparsity": 1.1}, "out of range"),
        ("trunc_normal", {"std": 0.0}, "out of range"),
        ("xavier_normal", {"gain": 0.0}, "out of range"),
        ("kaiming_normal", {"nonlinearity": "gelu"}, "is not one of"),
        ("xavier_norml", {}, "Did you mean 'xavier_normal'"),
    ],
)
def test_a_field_that_torch_would_swallow_is_told(id: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine.initializer(id, **fields)


def test_half_precision_and_whole_numbers() -> None:
    half = engine.initializer("orthogonal")(torch.empty(8, 8, dtype=torch.bfloat16))
    assert torch.allclose(half.float() @ half.float().T, torch.eye(8), atol=0.05)
    with pytest.raises(ValueError, match="floating-point"):
        engine.initializer("zeros")(torch.empty(3, dtype=torch.int64))


def test_a_recurrent_layers_gates_begin_as_told() -> None:
    init = {
        "bias_ih_l0": Choice("forget_bias"),
        "weight_hh_l0": Choice("orthogonal_gates", {"gates": 4}),
    }
    network = Network(
        nodes={
            "words": Node("Input", {"shape": [7, 3]}),
            "lstm": Node("LSTM", {"hidden_size": 5}, init=init),
            "out": Node("Output"),
        },
        edges=(Edge(End("words"), End("lstm", "input")), Edge(End("lstm", "output"), End("out"))),
    )
    lstm = engine.build(network).lstm
    assert lstm.bias_ih_l0.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    for gate in lstm.weight_hh_l0.detach().chunk(4):
        assert torch.allclose(gate @ gate.T, torch.eye(5), atol=1e-6)


# ---------------------------------------------------------------------------- torch's own numbers, shape by shape

#: Schemes of torch.nn.init with fields that are not the defaults.
OF_TORCH: list[tuple[str, dict[str, Any]]] = [
    ("uniform", {"a": -2.0, "b": 3.0}),
    ("normal", {"mean": 1.0, "std": 0.1}),
    ("trunc_normal", {"std": 0.02, "a": -0.03, "b": 0.05}),
    ("constant", {"val": 0.25}),
    ("ones", {}),
    ("zeros", {}),
    ("eye", {}),
    ("dirac", {"groups": 1}),
    ("xavier_uniform", {"gain": 2.0}),
    ("xavier_normal", {"gain": 0.5}),
    ("kaiming_uniform", {"a": 0.3, "mode": "fan_out"}),
    ("kaiming_normal", {"nonlinearity": "tanh"}),
    ("orthogonal", {"gain": 1.5}),
    ("sparse", {"sparsity": 0.3}),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [*SHAPES, (1, 7), (6, 4), (6, 2, 3, 3), (4, 3, 2)], ids=str)
@pytest.mark.parametrize(("id", "fields"), OF_TORCH, ids=[id for id, _ in OF_TORCH])
def test_every_shape_gets_torchs_numbers_or_an_error_where_torch_has_one(
    id: str, fields: dict[str, Any], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    function = getattr(torch.nn.init, f"{id}_")
    torch.manual_seed(31)
    try:
        expected = function(torch.empty(shape, dtype=dtype), **fields)
    except ValueError:
        with pytest.raises(ValueError, match=r"dimensions|divides"):
            engine.initializer(id, **fields)(torch.empty(shape, dtype=dtype))
        return
    torch.manual_seed(31)
    assert torch.equal(engine.initializer(id, **fields)(torch.empty(shape, dtype=dtype)), expected)


def test_the_catalogue_has_every_scheme_of_torch() -> None:
    of_torch = {
        name.removesuffix("_")
        for name in vars(torch.nn.init)
        if name.endswith("_") and not name.startswith("_")
    }
    assert of_torch == {id for id, _ in OF_TORCH}


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("type", ["Conv2d", "ConvTranspose2d"])
@pytest.mark.parametrize("id", ["kaiming_normal", "xavier_uniform", "orthogonal"])
def test_in_a_network_grouped_and_transposed_layers_get_torchs_numbers_too(
    id: str, type: str, groups: int
) -> None:
    from engine.streams import stream_seed
    from tests.networks import alone

    network = alone(type, {"groups": groups}, init={"weight": Choice(id)})
    weight = engine.build(network, seed=9).layer.weight.detach()
    generator = torch.Generator().manual_seed(stream_seed(9, "layer", "weight"))
    fields = {"nonlinearity": "leaky_relu"} if id.startswith("kaiming") else {}
    expected = getattr(torch.nn.init, f"{id}_")(torch.empty(weight.shape), generator=generator, **fields)
    assert torch.equal(weight, expected)


@pytest.mark.parametrize(("type", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_a_recurrent_weight_is_drawn_gate_by_gate_with_each_gates_own_fans(type: str, gates: int) -> None:
    from tests.networks import alone

    schemes = {
        "weight_ih_l0": Choice("by_gate", {"gates": gates}),
        "weight_hh_l0": Choice("by_gate", {"gates": gates, "first": "orthogonal"}),
        "bias_ih_l0": Choice(
            "by_gate",
            {"gates": gates, "first": "ones", "second": "zeros", "third": "ones", "fourth": "zeros"},
        ),
    }
    layer = engine.build(alone(type, {"hidden_size": 64}, init=schemes)).layer
    for gate in layer.weight_ih_l0.detach().chunk(gates):
        assert float(gate.abs().max()) == pytest.approx(math.sqrt(6 / (64 + gate.shape[1])), rel=0.02)
    first = layer.weight_hh_l0.detach().chunk(gates)[0]
    assert torch.allclose(first @ first.T, torch.eye(64), atol=1e-5)
    expected = [1.0, 0.0, 1.0, 0.0][:gates]
    assert [float(part.mean()) for part in layer.bias_ih_l0.detach().chunk(gates)] == expected


def test_every_parameter_of_every_layer_can_be_drawn() -> None:
    """Weights, biases, norms, recurrent and attention parameters: what torch has is what the catalogue names."""
    from engine.catalog import LAYERS
    from tests.networks import alone

    for type, layer in LAYERS.items():
        if type in ("Input", "Output") or not layer.parameters:
            continue
        plain = engine.build(alone(type)).layer
        own = [name for name, _ in plain.named_parameters()]
        names = [name for name in layer.parameter_names(layer.start()) if name in own]
        assert set(names) == set(own), type
        drawn = engine.build(
            alone(type, init={name: Choice("constant", {"val": 0.125}) for name in names})
        ).layer
        for name, parameter in drawn.named_parameters():
            assert bool((parameter == 0.125).all()), f"{type}.{name}"
