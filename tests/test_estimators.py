"""Every estimator's forward and backward against formulas written in NumPy, apart from ours.

`FORWARD[id](x, **fields)` is the value and `BACKWARD[id](x, g, **fields)` the gradient for a gradient g from above,
as in the sources that the catalogue names.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch._inductor.config

import engine
from engine.catalog import BINARIZERS
from tests.networks import alone, choice

Array = np.ndarray

POINTS = np.array(
    [0.0, -0.0, 1.0, -1.0, np.nextafter(1, 2), -np.nextafter(1, 2), np.nextafter(1, 0), 1e-30, -1e-30, 0.05, -0.05,
     0.051, 0.5, -0.5, 0.3, -0.7, 3.0, -3.0, 1e4, -1e4, 1e30, -1e30, np.inf, -np.inf]
)  # fmt: skip
ABOVE = np.resize([0.3, -2.0, 1.5, -0.7, 9.0, -9.0, 5.0, -5.0, 1.0, 0.0], POINTS.shape)


def sgn(x: Array) -> Array:
    return np.where(x >= 0, 1.0, -1.0)


def inside(x: Array, clip: float | None = 1.0) -> Array:
    return np.ones_like(x) if clip is None else (np.abs(x) <= clip).astype(float)


def per_channel(values: Array) -> Array:
    return values.reshape(len(values), -1).mean(1).reshape(-1, *[1] * (values.ndim - 1))


def masked(g: Array, factor: Array) -> Array:
    return np.where(factor == 0, 0.0, g * factor)


def swish(x: Array, beta: float = 5.0) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        u = beta * x
        # 1 + cosh overflows long after the factor has become 0.
        return np.where(np.abs(u) > 700, 0.0, beta * (2 - u * np.tanh(u / 2)) / (1 + np.cosh(u)))


def ede(x: Array, t: float) -> Array:
    return max(1 / t, 1.0) * t * (1 - np.tanh(t * x) ** 2)


def levels(x: Array, k_bit: int) -> Array:
    n = 2**k_bit - 1
    return np.rint(np.clip(x, 0, 1) * n) / n


def dorefa_weight(w: Array, k_bit: int = 1) -> Array:
    if k_bit == 1:
        return np.abs(w).mean() * sgn(w)
    n, bent = 2**k_bit - 1, np.tanh(w)
    return 2 * np.rint((bent / (2 * np.abs(bent).max()) + 0.5) * n) / n - 1


def twn(w: Array, per_channel: bool = False) -> Array:
    rows = w.reshape(len(w), -1) if per_channel else w.reshape(1, -1)
    out = np.empty_like(rows)
    for row, result in zip(rows, out, strict=True):
        size = np.abs(row)
        kept = size > 0.7 * size.mean()
        result[:] = (size[kept].mean() if kept.any() else 0) * np.sign(row) * kept
    return out.reshape(w.shape)


def standardised(w: Array) -> tuple[Array, Array]:
    rows = w.reshape(len(w), -1)
    u = (rows - rows.mean(1, keepdims=True)) / rows.std(1, ddof=1, keepdims=True)
    scale = 2 ** np.rint(np.log2(np.abs(u).mean(1, keepdims=True)))
    return u, scale


def ir_forward(w: Array) -> Array:
    u, scale = standardised(w)
    return (scale * sgn(u)).reshape(w.shape)


def ir_backward(w: Array, g: Array) -> Array:
    """With h = s·g·ede(u): dL/dw = (h − mean h − u·Σ(h·u)/(n − 1))/std, which is the standardisation's Jacobian."""
    u, scale = standardised(w)
    h = scale * g.reshape(u.shape) * ede(u, 0.001)
    std = w.reshape(u.shape).std(1, ddof=1, keepdims=True)
    inner = h - h.mean(1, keepdims=True) - u * (h * u).sum(1, keepdims=True) / (u.shape[1] - 1)
    return (inner / std).reshape(w.shape)


def xnor_backward(w: Array, g: Array) -> Array:
    count = w[0].size
    through = (g * sgn(w)).reshape(len(w), -1).sum(1).reshape(-1, *[1] * (w.ndim - 1))
    return per_channel(np.abs(w)) * masked(g, inside(w)) + np.sign(w) / count * through


#: Estimators of single values.
FORWARD: dict[str, Callable[..., Array]] = {
    "ste_sign": lambda x, clip_value=1.0: sgn(x),
    "identity_ste": sgn,
    "lbsign": sgn,
    "approx_sign": sgn,
    "swish_sign": lambda x, beta=5.0: sgn(x),
    "ede_tanh": lambda x, **_: sgn(x),
    "ste_heaviside": lambda x, clip_value=1.0: (x > 0).astype(float),
    "ste_tern": lambda x, threshold=0.05, clip_value=1.0: np.sign(x) * (np.abs(x) > threshold),
    "dorefa_input": lambda x, k_bit=2: levels(x, k_bit),
    "rsign": sgn,
}
BACKWARD: dict[str, Callable[..., Array]] = {
    "ste_sign": lambda x, g, clip_value=1.0: masked(g, inside(x, clip_value)),
    "identity_ste": lambda x, g: g,
    "lbsign": lambda x, g: np.clip(g, -1, 1),
    "approx_sign": lambda x, g: masked(g, np.maximum(0, 2 - 2 * np.abs(x))),
    "swish_sign": lambda x, g, beta=5.0: g * swish(x, beta),
    "ede_tanh": lambda x, g, **_: g * ede(x, 0.001),
    "ste_heaviside": lambda x, g, clip_value=1.0: masked(g, inside(x, clip_value)),
    "ste_tern": lambda x, g, threshold=0.05, clip_value=1.0: masked(g, inside(x, clip_value)),
    "dorefa_input": lambda x, g, k_bit=2: masked(g, ((x >= 0) & (x <= 1)).astype(float)),
    "rsign": lambda x, g: masked(g, np.maximum(0, 2 - 2 * np.abs(x))),
}
#: Estimators of whole weights.
WEIGHT_FORWARD: dict[str, Callable[..., Array]] = {
    "magnitude_aware_sign": lambda w, clip_value=1.0: per_channel(np.abs(w)) * sgn(w),
    "bireal_weight": lambda w: per_channel(np.abs(w)) * sgn(w),
    "xnor_scale": lambda w: per_channel(np.abs(w)) * sgn(w),
    "dorefa_weight": dorefa_weight,
    "twn": twn,
    "ir_weight": ir_forward,
    "bc_stochastic": sgn,
}
WEIGHT_BACKWARD: dict[str, Callable[..., Array]] = {
    "magnitude_aware_sign": lambda w, g, clip_value=1.0: (
        per_channel(np.abs(w)) * masked(g, inside(w, clip_value))
    ),
    "bireal_weight": lambda w, g: masked(g, inside(w)),
    "xnor_scale": xnor_backward,
    "dorefa_weight": lambda w, g, k_bit=1: (
        g if k_bit == 1 else g * (1 - np.tanh(w) ** 2) / np.abs(np.tanh(w)).max()
    ),
    "twn": lambda w, g, per_channel=False: g,
    "ir_weight": ir_backward,
    "bc_stochastic": lambda w, g: g,
}
FIELDS: dict[str, list[dict[str, Any]]] = {
    "ste_sign": [{}, {"clip_value": 0.5}, {"clip_value": 3.0}, {"clip_value": None}],
    "swish_sign": [{}, {"beta": 0.5}, {"beta": 20.0}],
    "ste_heaviside": [{}, {"clip_value": 0.3}],
    "ste_tern": [{}, {"threshold": 0.5, "clip_value": 3.0}, {"threshold": 0.0}],
    "dorefa_input": [{}, {"k_bit": 1}, {"k_bit": 3}],
    "magnitude_aware_sign": [{}, {"clip_value": 0.5}],
    "dorefa_weight": [{}, {"k_bit": 2}, {"k_bit": 5}],
    "twn": [{}, {"per_channel": True}],
}
CASES = [(id, fields) for id in FORWARD for fields in FIELDS.get(id, [{}])]
WEIGHT_CASES = [(id, fields) for id in WEIGHT_FORWARD for fields in FIELDS.get(id, [{}])]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 2e-2}


def applied(module: torch.nn.Module, x: Array, g: Array, dtype: torch.dtype) -> tuple[Array, Array]:
    point = torch.tensor(x).to(dtype).requires_grad_()
    above = torch.tensor(g).to(dtype)
    before = above.clone()
    y = module.to(dtype)(point)
    assert y.dtype == dtype
    y.backward(above)
    assert torch.equal(above, before), "the gradient from above is not the estimator's to change"
    assert point.grad is not None
    assert point.grad.dtype == dtype
    return y.detach().double().numpy(), point.grad.double().numpy()


def rounded(x: Array, dtype: torch.dtype) -> Array:
    """`x` as `dtype` holds it: the formula is asked about the same number."""
    return torch.tensor(x).to(dtype).double().numpy()


def test_every_estimator_has_a_formula_here() -> None:
    assert FORWARD.keys() | WEIGHT_FORWARD.keys() == BINARIZERS.keys()
    assert FORWARD.keys() == BACKWARD.keys()
    assert WEIGHT_FORWARD.keys() == WEIGHT_BACKWARD.keys()


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("id", "fields"), CASES)
def test_an_estimator_of_values_is_its_formula_at_every_edge(
    id: str, fields: dict[str, Any], dtype: torch.dtype
) -> None:
    x, g = rounded(POINTS, dtype), rounded(ABOVE, dtype)
    value, gradient = applied(engine.binarizer(id, **fields), x, g, dtype)
    # A bound is compared as the tensor's own type holds it, so that 0.3 lies within ±0.3.
    fields = vars(BINARIZERS[id].settings(fields))
    fields = {k: float(rounded(np.array(v), dtype)) if isinstance(v, float) else v for k, v in fields.items()}
    assert np.allclose(value, FORWARD[id](x, **fields), rtol=TOLERANCE[dtype], atol=0)
    expected = BACKWARD[id](x, g, **fields)
    assert np.allclose(gradient, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 1e-2 + 1e-25), x[
        ~np.isclose(gradient, expected)
    ]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3, 3), (3, 2, 5), (1, 9), (4, 2, 2, 2, 2)])
@pytest.mark.parametrize(("id", "fields"), WEIGHT_CASES)
def test_an_estimator_of_weights_is_its_formula(
    id: str, fields: dict[str, Any], shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    generator = np.random.default_rng(math.prod(shape))
    # Rounding to few levels may fall either way where the dtype is coarse; the values are then kept off the edges.
    w, g = rounded(generator.normal(0, 0.8, shape), dtype), rounded(generator.normal(0, 1, shape), dtype)
    w.flat[:4] = [0.0, -0.0, 1.0, -1.0]
    estimator = engine.binarizer(id, **fields)
    value, gradient = applied(estimator.eval(), w, g, dtype)
    expected, slope = WEIGHT_FORWARD[id](w, **fields), WEIGHT_BACKWARD[id](w, g, **fields)
    coarse = dtype is torch.bfloat16
    near = np.isclose(value, expected, rtol=4 * TOLERANCE[dtype], atol=4 * TOLERANCE[dtype])
    assert near.mean() > (0.9 if coarse else 0.999), (value, expected)
    loose = 20 if coarse else 10
    assert np.allclose(gradient, slope, rtol=loose * TOLERANCE[dtype], atol=loose * TOLERANCE[dtype])


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("id", [id for id in WEIGHT_FORWARD if BINARIZERS[id].context])
def test_a_transposed_convolution_has_a_scale_per_output_channel(id: str, groups: int) -> None:
    """Torch keeps [in, out/groups, …]: the same weight with the channel first must give the same."""
    layer = engine.build(alone("ConvTranspose2d", {"groups": groups}, binarize={"weight": choice(id)}))
    estimator, w = layer.layer__weight, layer.layer.weight.detach()
    inputs, outputs = w.shape[0] // groups, w.shape[1]

    def first(w: torch.Tensor) -> torch.Tensor:
        return w.reshape(groups, inputs, outputs, *w.shape[2:]).transpose(1, 2).flatten(0, 1)

    expected = engine.binarizer(id)(first(w))
    assert torch.allclose(first(estimator(w)), expected, atol=1e-6)


@pytest.mark.parametrize("id", WEIGHT_FORWARD)
@pytest.mark.parametrize("values", ["zeros", "constant", "one"])
def test_weights_without_spread_give_no_nan(id: str, values: str) -> None:
    w = {"zeros": torch.zeros(3, 4), "constant": torch.full((3, 4), 0.3), "one": torch.randn(3, 1)}[values]
    w.requires_grad_()
    y = engine.binarizer(id)(w)
    y.sum().backward()
    assert w.grad is not None
    assert bool(torch.isfinite(y).all())
    assert bool(torch.isfinite(w.grad).all())


@pytest.mark.parametrize("t", [(0, 10), (5, 10), (9, 10), (10, 10)])
@pytest.mark.parametrize("id", ["ede_tanh", "ir_weight"])
def test_the_sharpening_ones_follow_the_run(id: str, t: tuple[int, int]) -> None:
    estimator: Any = engine.binarizer(id)
    before = dict(estimator.state_dict())
    estimator.set_progress(*t)
    share = t[0] / t[1]
    sharpness = 0.001 * 10 ** (share * math.log10(10 / 0.001))
    assert estimator.t == pytest.approx(sharpness)
    assert estimator.k == pytest.approx(max(1 / sharpness, 1))
    assert estimator.state_dict() == before == {}
    if id == "ede_tanh":
        x = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
        estimator(x).sum().backward()
        assert np.allclose(x.grad.numpy(), ede(x.detach().numpy(), sharpness))  # type: ignore[union-attr]


def test_training_tells_them_each_epoch(tmp_path: Any) -> None:
    from engine.network import Node, Recipe
    from tests.networks import chain

    told: list[tuple[int, int]] = []
    network = chain(
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 10}, binarize={"weight": choice("ede_tanh")})),
        shape=(1, 8, 8),
        recipe=Recipe(epochs=3),
    )
    from engine.compile.estimators import EdeTanh

    plain = EdeTanh.set_progress

    def noted(self: EdeTanh, epoch: int, epochs: int) -> None:
        told.append((epoch, epochs))
        plain(self, epoch, epochs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EdeTanh, "set_progress", noted)
        engine.train(network, run_dir=tmp_path)
    assert [pair for pair in told if pair[1] == 3] == [(0, 3), (1, 3), (2, 3)]


def test_the_stochastic_one_draws_plus_one_as_often_as_its_weight_says() -> None:
    w = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]).repeat(20_000, 1)
    torch.manual_seed(0)
    drawn = engine.binarizer("bc_stochastic").train()(w)
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    share = (drawn == 1).double().mean(0)
    expected = ((w[0] + 1) / 2).clamp(0, 1).double()
    # Four standard deviations of 20,000 coin flips.
    assert bool(((share - expected).abs() <= 4 * (expected * (1 - expected) / 20_000).sqrt()).all())


def test_rsigns_threshold_learns_by_the_sum_of_its_inputs_gradients() -> None:
    model = engine.build(alone("Conv2d", binarize={"input": choice("rsign")}))
    sign = model.layer__input
    torch.nn.init.normal_(sign.bias)
    x, g = torch.randn(3, 8, 5, 5), torch.randn(3, 8, 5, 5)
    x.requires_grad_()
    sign(x).backward(g)
    b = sign.bias.detach().view(1, -1, 1, 1).numpy()
    expected = BACKWARD["approx_sign"](x.detach().numpy() + b, g.numpy())
    assert np.allclose(x.grad.numpy(), expected, atol=1e-6)  # type: ignore[union-attr]
    assert np.allclose(sign.bias.grad.flatten().numpy(), expected.sum((0, 2, 3)), atol=1e-4)


@pytest.mark.parametrize("id", FORWARD)
def test_a_skip_connection_gets_both_gradients_and_they_do_not_mix(id: str) -> None:
    h = torch.tensor([0.3, -0.3, 2.0, -0.01], dtype=torch.float64, requires_grad=True)
    g = torch.tensor([5.0, -5.0, 0.5, 2.0], dtype=torch.float64)
    (engine.binarizer(id).double()(h) + h).backward(g)
    expected = BACKWARD[id](h.detach().numpy(), g.numpy()) + g.numpy()
    assert np.allclose(h.grad.numpy(), expected)  # type: ignore[union-attr]


@pytest.mark.parametrize("id", BINARIZERS)
def test_the_output_is_no_view_of_the_input(id: str) -> None:
    x = torch.tensor([[1.0, -1.0], [1.0, 1.0]])
    y = engine.binarizer(id)(x)
    with torch.no_grad():
        y.mul_(7)
    assert x.tolist() == [[1.0, -1.0], [1.0, 1.0]]


@pytest.mark.parametrize("id", BINARIZERS)
def test_a_copy_gives_the_same_and_shares_nothing(id: str) -> None:
    estimator = engine.binarizer(id).eval()
    twin = copy.deepcopy(estimator)
    x = torch.randn(4, 6)
    assert torch.equal(twin(x), estimator(x))
    assert all(a is not b for a, b in zip(estimator.parameters(), twin.parameters(), strict=True))


class Smooth(torch.nn.Module):
    """The function whose derivative an estimator's backward claims to be: piecewise, integrated by hand."""

    def __init__(self, id: str) -> None:
        super().__init__()
        self.id = id

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.id == "ste_sign":
            return x.clamp(-1, 1)
        if self.id == "approx_sign":
            c = x.clamp(-1, 1)
            return 2 * c - c * c.abs()
        if self.id == "swish_sign":
            s = torch.sigmoid(5 * x)
            return 2 * s * (1 + 5 * x * (1 - s)) - 1
        return 1000 * torch.tanh(0.001 * x)


@pytest.mark.parametrize("id", ["ste_sign", "approx_sign", "swish_sign", "ede_tanh"])
def test_the_backward_is_the_derivative_of_the_function_it_stands_for(id: str) -> None:
    x = torch.linspace(-0.97, 0.93, 37, dtype=torch.float64, requires_grad=True)
    smooth = Smooth(id)
    assert torch.autograd.gradcheck(smooth, x)
    (expected,) = torch.autograd.grad(smooth(x).sum(), x)
    (found,) = torch.autograd.grad(engine.binarizer(id)(x).sum(), x)
    assert torch.allclose(found, expected, atol=1e-6)


def test_the_scales_gradient_is_that_of_finite_differences() -> None:
    """`xnor_scale` with signs held: sgn(w)·mean|w| is differentiable where no weight crosses zero."""
    w = torch.randn(3, 5, dtype=torch.float64)
    w = (w + 0.2 * w.sign()).requires_grad_()
    held = w.detach().sign()
    (scaled,) = torch.autograd.grad(((w.abs().mean(1, keepdim=True) * held) * held * 3).sum(), w)
    estimator = engine.binarizer("xnor_scale")
    (ours,) = torch.autograd.grad((estimator(w) * held * 3).sum(), w)
    mask = 3 * held * w.detach().abs().mean(1, keepdim=True) * (w.detach().abs() <= 1)
    assert torch.allclose(ours, scaled + mask)
    assert torch.autograd.gradcheck(lambda w: w.abs().mean(1, keepdim=True) * held, w)


@pytest.mark.parametrize("id", BINARIZERS)
def test_it_is_traced_whole_with_the_same_numbers(id: str) -> None:
    """As torch.compile traces it, run without code generation, forward and backward."""
    torch._dynamo.reset()
    estimator = engine.binarizer(id).eval()
    traced = torch.compile(estimator, backend="aot_eager", fullgraph=True)
    x = torch.tensor([[0.0, -0.0, 0.5], [-2.0, 1.0, -1.0]])
    results = []
    for function in (estimator, traced):
        point = x.clone().requires_grad_()
        y = function(point)
        y.backward(torch.tensor([[5.0, -5.0, 0.5], [2.0, 1.0, -1.0]]))
        results.append((y.detach(), point.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.allclose(results[0][1], results[1][1], atol=1e-6)


@pytest.mark.full
@pytest.mark.parametrize("id", BINARIZERS)
def test_compiled_code_gives_the_same_numbers(id: str) -> None:
    torch._dynamo.reset()
    estimator = engine.binarizer(id).eval()
    compiled = torch.compile(estimator, fullgraph=True)
    x = torch.randn(8, 16)
    first, second = x.clone().requires_grad_(), x.clone().requires_grad_()
    # In this process: threads of the compiler's own would outlive the test.
    with torch._inductor.config.patch(compile_threads=1):
        a, b = estimator(first), compiled(second)
        a.backward(x)
        b.backward(x)
    assert torch.allclose(a, b, atol=1e-6)
    assert torch.allclose(first.grad, second.grad, atol=1e-5)  # type: ignore[arg-type]
