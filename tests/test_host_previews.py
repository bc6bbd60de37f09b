"""What previews show, against torch, scipy and formulas."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

import engine
from engine.catalog import ACTIVATIONS, INITIALIZERS
from engine.host.previews import (
    SAMPLE,
    Law,
    law_of,
    preview_activation,
    preview_binarizer,
    preview_init,
)
from engine.host.protocol import frame
from engine.network import Choice, Edge, End, Network, Node, Recipe
from engine.problems import NetworkProblem


def chain(**nodes: Node) -> Network:
    ids = list(nodes)
    edges = tuple(Edge(End(a), End(b)) for a, b in itertools.pairwise(ids))
    return Network(nodes=nodes, edges=edges, recipe=Recipe(seed=7))


def one_layer(inputs: int, outputs: int, scheme: str, **fields: Any) -> Network:
    return chain(
        image=Node("Input", {"shape": [inputs]}),
        fc=Node("Linear", {"out_features": outputs}, init={"weight": Choice(scheme, fields)}),
        out=Node("Output"),
    )


def centres(preview: Any) -> np.ndarray:
    edges = np.array(preview.edges)
    return (edges[:-1] + edges[1:]) / 2


@pytest.mark.parametrize("scheme", ["default", "xavier_uniform", "kaiming_normal", "orthogonal", "zeros"])
def test_a_preview_is_the_very_draw_that_training_starts_from(scheme: str) -> None:
    network = one_layer(64, 128, scheme)
    preview = preview_init(1, network, "fc", "weight")
    weight = engine.build(network, seed=network.recipe.seed).fc.weight.detach().double()
    assert (preview.lo, preview.hi) == (float(weight.min()), float(weight.max()))
    assert preview.mean == pytest.approx(float(weight.mean()))
    assert preview.std == pytest.approx(float(weight.std(unbiased=False)))
    assert preview.shape == (128, 64)
    assert (preview.fan_in, preview.fan_out) == (64, 128)
    assert preview.drawn == sum(preview.counts) == weight.numel()
    assert preview.note == ""
    expected, _ = np.histogram(weight.numpy(), bins=np.array(preview.edges))
    assert np.abs(np.array(preview.counts) - expected).sum() <= 4  # a value on an edge may fall either way


def test_the_bias_that_comes_with_a_default_weight_is_the_trained_one_too() -> None:
    network = one_layer(64, 128, "kaiming_normal")
    preview = preview_init(1, network, "fc", "bias")
    bias = engine.build(network, seed=7).fc.bias.detach()
    assert (preview.lo, preview.hi) == (float(bias.min()), float(bias.max()))
    assert preview.fan_in is None


def test_another_seed_is_another_draw() -> None:
    network = one_layer(8, 8, "normal")
    other = engine.network.Network(nodes=network.nodes, edges=network.edges, recipe=Recipe(seed=8))
    assert preview_init(1, network, "fc", "weight").mean != preview_init(1, other, "fc", "weight").mean


@pytest.mark.parametrize(
    ("scheme", "fields"),
    [
        ("default", {}),
        ("uniform", {"a": -0.5, "b": 1.5}),
        ("normal", {"mean": 1.0, "std": 0.2}),
        ("trunc_normal", {"std": 1.0, "a": -2.0, "b": 2.0}),
        ("xavier_uniform", {"gain": 2.0}),
        ("xavier_normal", {}),
        ("kaiming_uniform", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("kaiming_normal", {"a": 0.3}),
        ("orthogonal", {"gain": 1.4}),
    ],
)
def test_the_density_is_that_of_what_torch_draws(scheme: str, fields: dict[str, Any]) -> None:
    if scheme not in INITIALIZERS:
        pytest.skip(f"the catalogue has no {scheme}")
    preview = preview_init(1, one_layer(200, 300, scheme, **fields), "fc", "weight")
    width = preview.edges[1] - preview.edges[0]
    expected = np.array(preview.density) * width * preview.drawn
    counts = np.array(preview.counts)
    enough = expected > 20
    chi_squared = ((counts - expected)[enough] ** 2 / expected[enough]).sum()
    # The histogram spans the draw itself, so its first and last bins are slightly favoured.
    assert chi_squared < stats.chi2.ppf(1 - 1e-4, enough.sum()) + 10


@pytest.mark.parametrize(
    ("law", "reference"),
    [
        (Law("uniform", lo=-1.0, hi=3.0), stats.uniform(-1, 4)),
        (Law("normal", 1.0, 2.0), stats.norm(1, 2)),
        (Law("truncated", 0.5, 2.0, -1.0, 2.0), stats.truncnorm(-0.75, 0.75, 0.5, 2.0)),
        # A coordinate u of a random unit vector: (u + 1)/2 ~ Beta((n−1)/2, (n−1)/2).
        (Law("sphere", std=2.0, lo=-2.0, hi=2.0, dimensions=9), stats.beta(4, 4, loc=-2, scale=4)),
    ],
)
def test_densities_and_draws_are_those_of_scipy(law: Law, reference: Any) -> None:
    x = np.linspace(-1.9, 1.9, 39)
    assert law.density(torch.from_numpy(x)).numpy() == pytest.approx(reference.pdf(x), abs=1e-9)
    if law.kind != "sphere":  # its coordinates depend on each other, so this test's bound is not theirs
        drawn = law.draw(20_000, torch.Generator().manual_seed(0)).numpy()
        assert stats.kstest(drawn, reference.cdf).statistic <= 2.225 / math.sqrt(len(drawn))


def test_a_constant_has_no_density_and_its_own_bin() -> None:
    preview = preview_init(1, one_layer(4, 4, "constant", val=3.0), "fc", "weight")
    assert preview.density == ()
    assert (preview.lo, preview.hi, preview.std) == (3.0, 3.0, 0.0)
    (index,) = np.nonzero(preview.counts)[0]
    assert preview.edges[index] <= 3.0 <= preview.edges[index + 1]
    assert preview.counts[index] == 16


@pytest.mark.parametrize(
    ("scheme", "std"),
    [
        ("orthogonal", 1 / math.sqrt(25_088)),
        ("kaiming_normal", math.sqrt(2 / 25_088 / (1 + 0.0))),
        ("xavier_uniform", math.sqrt(2 / (25_088 + 4_096))),
        ("default", 1 / math.sqrt(3 * 25_088)),
    ],
)
def test_a_huge_draw_is_sampled_and_says_so(scheme: str, std: float) -> None:
    preview = preview_init(1, one_layer(25_088, 4_096, scheme), "fc", "weight")
    assert preview.drawn <= SAMPLE
    assert preview.note == f"A sample of {preview.drawn:,} of 102,760,448 values."
    assert preview.shape == (4_096, 25_088)
    assert preview.std == pytest.approx(std, rel=0.02)
    assert len(preview.density) == 64


def test_a_sampled_orthogonal_draw_still_has_orthogonal_rows() -> None:
    entry = INITIALIZERS["orthogonal"]
    law = law_of(entry.call(entry.settings({"gain": 3.0})), (4_096, 5_000))
    assert law is not None
    rows = law.draw(SAMPLE, torch.Generator().manual_seed(0)).reshape(-1, 5_000)
    assert torch.allclose(rows @ rows.T, 9.0 * torch.eye(len(rows)), atol=1e-3)


@pytest.mark.parametrize(
    ("node", "parameter", "message"),
    [
        ("fcc", "weight", "no node 'fcc'. Did you mean 'fc'"),
        ("fc", "wieght", "no parameter 'wieght'. Did you mean 'weight'"),
        ("out", "weight", "out has no parameters"),
    ],
)
def test_what_cannot_be_previewed_is_said(node: str, parameter: str, message: str) -> None:
    with pytest.raises(NetworkProblem, match=message.replace("?", r"\?")):
        preview_init(1, one_layer(4, 4, "normal"), node, parameter)


def test_a_parameter_behind_an_error_is_not_known_yet() -> None:
    network = one_layer(4, 4, "normal")
    broken = Network(nodes=network.nodes, edges=network.edges[1:], recipe=network.recipe)
    with pytest.raises(NetworkProblem, match="not known yet"):
        preview_init(1, broken, "fc", "weight")


def test_a_scheme_that_does_not_fit_is_said() -> None:
    network = chain(
        image=Node("Input", {"shape": [4]}),
        fc=Node("Linear", {"out_features": 2}, init={"bias": Choice("orthogonal")}),
        out=Node("Output"),
    )
    with pytest.raises(NetworkProblem, match="2 dimensions"):
        preview_init(1, network, "fc", "bias")


# ---------------------------------------------------------------------------- curves


@pytest.mark.parametrize(
    ("id", "value", "slope"),
    [
        ("Tanh", math.tanh, lambda x: 1 - math.tanh(x) ** 2),
        ("Sigmoid", lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2),
        ("LeakyReLU", lambda x: max(x, 0.01 * x), lambda x: 1.0 if x > 0 else 0.01),
        ("SiLU", lambda x: x / (1 + math.exp(-x)), None),
        # Softmax of (x, 0) is the logistic function.
        ("Softmax", lambda x: 1 / (1 + math.exp(-x)), lambda x: math.exp(-x) / (1 + math.exp(-x)) ** 2),
    ],
)
def test_an_activation_and_its_derivative_follow_their_formulas(id: str, value: Any, slope: Any) -> None:
    preview = preview_activation(1, id, {"dim": 1} if id == "Softmax" else {})
    assert preview.y == pytest.approx([value(x) for x in preview.x], abs=1e-5)
    if slope:
        assert preview.slope == pytest.approx([slope(x) for x in preview.x], abs=1e-5)
    assert bool(preview.note) == (id == "Softmax")


@pytest.mark.parametrize("id", list(ACTIVATIONS))
def test_every_activation_has_a_preview(id: str) -> None:
    entry = ACTIVATIONS[id]
    preview = preview_activation(1, id, entry.start())
    assert len(preview.x) == len(preview.y) == len(preview.slope)
    assert all(map(math.isfinite, (*preview.y, *preview.slope)))
    assert list(preview.x) == sorted(preview.x)


def test_a_field_changes_the_curve_and_a_wrong_one_is_said() -> None:
    preview = preview_activation(1, "LeakyReLU", {"negative_slope": 0.5})
    assert preview.slope[0] == 0.5
    with pytest.raises(NetworkProblem, match="negative_slop"):
        preview_activation(1, "LeakyReLU", {"negative_slop": 0.5})
    with pytest.raises(NetworkProblem, match="Did you mean 'ReLU'"):
        preview_activation(1, "RELU", {})


@pytest.mark.parametrize("clip", [1.0, 0.3, 2.5])
def test_the_straight_through_gradient_falls_upright_at_its_clip_value(clip: float) -> None:
    preview = preview_binarizer(1, "ste_sign", {"clip_value": clip})
    x, y, slope = map(np.array, (preview.x, preview.y, preview.slope))
    assert (y == np.where(x >= 0, 1.0, -1.0)).all()
    near = np.abs(np.abs(x) - clip) < 1e-6  # float32 rounds the clip value itself
    assert (slope[~near] == (np.abs(x) <= clip)[~near]).all()
    for edge in (-clip, clip):
        assert np.diff(x)[np.searchsorted(x, edge) - 2 : np.searchsorted(x, edge) + 2].min() < 1e-5
    steps = np.diff(x)[np.diff(y) != 0]
    assert len(steps) == 1
    assert steps[0] < 1e-5


def test_an_identity_gradient_is_one_everywhere() -> None:
    preview = preview_binarizer(1, "ste_sign", {"clip_value": None})
    assert set(preview.slope) == {1.0}
    assert set(preview_binarizer(1, "lbsign", {}).slope) == {1.0}


def test_a_wrong_estimator_is_said() -> None:
    with pytest.raises(NetworkProblem, match="ste_sign"):
        preview_binarizer(1, "ste_sing", {})


def test_previews_fit_into_frames() -> None:
    assert frame(preview_init(1, one_layer(4, 4, "normal"), "fc", "weight"))
    assert frame(preview_activation(1, "ReLU", {}))


# ---------------------------------------------------------------------------- densities beside draws

#: Layer, parameter and scheme (None: the layer's own), all of which have a density.
DENSE: list[tuple[str, str, Choice | None]] = [
    *((type, name, None) for type in ("Linear", "Conv1d", "ConvTranspose2d") for name in ("weight", "bias")),
    *(("LSTM", name, None) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0")),
    ("GRU", "weight_hh_l0", None),
    ("Embedding", "weight", None),
    ("MultiheadAttention", "in_proj_weight", None),
    ("MultiheadAttention", "out_proj.weight", None),
    ("SelfAttention", "in_proj.weight", None),
    ("SelfAttention", "out_proj.bias", None),
    ("TransformerEncoderLayer", "linear1.weight", None),
    ("TransformerEncoderLayer", "self_attn.in_proj_weight", None),
    ("Linear", "weight", Choice("lsuv")),
    ("Linear", "weight", Choice("lecun_normal")),
    ("Linear", "weight", Choice("depth_scaled_normal", {"layers": 4})),
    ("Linear", "weight", Choice("binary_latent", {"bound": 0.5})),
    ("LSTM", "weight_hh_l0", Choice("orthogonal_gates", {"gates": 4})),
]


@pytest.mark.parametrize(
    ("type", "parameter", "scheme"), DENSE, ids=lambda value: getattr(value, "id", str(value))
)
def test_a_draw_follows_the_density_that_is_drawn_over_it(
    type: str, parameter: str, scheme: Choice | None
) -> None:
    from tests.networks import alone

    network = alone(type, init={} if scheme is None else {parameter: scheme})
    seen = preview_init(1, network, "layer", parameter)
    assert seen.density
    count, width = sum(seen.counts), seen.edges[1] - seen.edges[0]
    expected = torch.tensor(seen.density).cumsum(0) * width
    # The draw spans the bins, so the law outside of them is in none: shift by half of what is missing.
    drawn = torch.tensor(seen.counts).double().cumsum(0) / count
    missing = max(0.0, 1 - float(expected[-1]))
    distance = float((drawn - expected - missing / 2).abs().max())
    # Kolmogorov and Smirnov's bound for p = 1e-4, and half a bin of rounding.
    assert distance <= 2.225 / math.sqrt(count) + max(seen.density) * width


@pytest.mark.parametrize(
    ("type", "scheme", "zeros"),
    [
        ("Linear", Choice("sparse", {"sparsity": 0.25}), 0.25),
        ("Conv2d", Choice("delta_orthogonal"), 8 / 9),
    ],
)
def test_where_some_values_are_zero_the_density_is_that_of_the_others(
    type: str, scheme: Choice, zeros: float
) -> None:
    from tests.networks import alone

    seen = preview_init(1, alone(type, init={"weight": scheme}), "layer", "weight")
    width = seen.edges[1] - seen.edges[0]
    assert sum(seen.density) * width == pytest.approx(1 - zeros, rel=0.03)
    middle = max(seen.counts) / sum(seen.counts)
    assert middle == pytest.approx(zeros, abs=0.05)


@pytest.mark.parametrize(
    ("scheme", "std"),
    [
        pytest.param(Choice("fixup"), 0.0, id="Fixup: the classifier begins at nothing"),
        pytest.param(Choice("xavier_normal", {"gain": "auto"}), 5 / 3 * (2 / 128) ** 0.5, id="gain of tanh"),
    ],
)
def test_what_a_scheme_finds_around_its_layer_is_heeded(scheme, std) -> None:
    after = None if scheme.id == "fixup" else Choice("Tanh")
    fc = Node("Linear", {"out_features": 64}, activation=after, init={"weight": scheme})
    network = chain(x=Node("Input", {"shape": [64]}), fc=fc, out=Node("Output"))
    seen = preview_init(1, network, "fc", "weight")
    assert seen.std == pytest.approx(std, rel=0.05)
