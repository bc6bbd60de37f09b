"""The estimators against formulas written in numpy."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import engine
from engine.catalog import BINARIZERS
from tests.networks import alone, choice
from tests.test_compile_layers import example_inputs, from_source, gradients, run, same

POINTS = [0.0, -0.0, 1.0, -1.0, 1.0000001, -1.0000001, 0.5, -0.5, 3.0, -3.0, float("inf"), -float("inf")]
ABOVE = [0.3, -2.0, 1.5, -0.7, 9.0, 9.0, 5.0, -5.0, 1.0, 2.0, 4.0, -4.0]


def gradient(estimator: torch.nn.Module, x: list[float], g: list[float]) -> np.ndarray:
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    estimator(point).backward(torch.tensor(g, dtype=torch.float64))
    assert point.grad is not None
    return point.grad.numpy()


SIGNS = ["ste_sign", "lbsign", "identity_ste"]


@pytest.mark.parametrize("id", SIGNS)
class TestEverySign:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
    def test_it_gives_plus_one_at_and_above_zero_and_minus_one_below(
        self, id: str, dtype: torch.dtype
    ) -> None:
        result = engine.binarizer(id)(torch.tensor(POINTS, dtype=dtype))
        assert result.dtype == dtype
        assert result.tolist() == np.where(np.array(POINTS) >= 0, 1.0, -1.0).tolist()

    def test_its_gradient_may_be_expanded_from_one_number(self, id: str) -> None:
        x = torch.zeros(3, requires_grad=True)
        engine.binarizer(id)(x).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("id", BINARIZERS)
class TestEveryEstimator:
    def test_it_leaves_the_gradient_it_is_given_alone(self, id: str) -> None:
        above = torch.tensor([5.0, -5.0, 0.5, 2.0])
        x = torch.tensor([[0.1, -0.2], [2.0, -3.0]], requires_grad=True)
        engine.binarizer(id)(x).backward(above.view(2, 2))
        assert above.tolist() == [5.0, -5.0, 0.5, 2.0]

    def test_it_copies_and_exports(self, id: str) -> None:
        estimator = engine.binarizer(id).eval()
        x = torch.tensor([[-0.5, 0.0], [2.0, -0.1]])
        program = torch.export.export(copy.deepcopy(estimator), (x,))
        assert torch.equal(program.module()(x), estimator(x))

    @pytest.mark.parametrize("type", ["Linear", "Conv2d", "ConvTranspose2d"])
    def test_a_binarized_layer_printed_as_source_is_the_same_model(self, id: str, type: str) -> None:
        places = {"weight": choice(id), "input": choice(id)}
        binarize = {place: c for place, c in places.items() if place in BINARIZERS[id].places}
        network = alone(type, binarize=binarize)
        built, printed = engine.build(network).eval(), from_source(engine.source(network)).eval()
        printed.load_state_dict(built.state_dict())
        inputs = example_inputs(network)
        assert same(run(built, inputs)[0], run(printed, inputs)[0])
        ours, theirs = gradients(built, inputs), gradients(printed, inputs)
        assert ours.keys() == theirs.keys()
        assert all(same(ours[name], theirs[name]) for name in ours)
        assert "weight" not in binarize or "layer.weight" in built.state_dict()

    def test_it_works_under_autocast(self, id: str) -> None:
        layer, estimator = torch.nn.Linear(4, 4), engine.binarizer(id)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = torch.nn.functional.linear(estimator(torch.randn(2, 4)), estimator(layer.weight))
        assert result.dtype == torch.bfloat16
        result.sum().backward()
        assert layer.weight.grad is not None


@pytest.mark.parametrize("clip", [1.0, 0.5, 3.0])
def test_ste_sign_passes_the_gradient_within_its_clip_inclusive(clip: float) -> None:
    x, g = np.array(POINTS), np.array(ABOVE)
    expected = np.where(np.abs(x) <= clip, g, 0.0)
    assert (
        gradient(engine.binarizer("ste_sign", clip_value=clip), POINTS, ABOVE).tolist() == expected.tolist()
    )


def test_ste_sign_without_a_clip_passes_every_gradient() -> None:
    assert gradient(engine.binarizer("ste_sign", clip_value=None), POINTS, ABOVE).tolist() == ABOVE


def test_ste_sign_blocks_even_an_infinite_gradient_outside_its_clip() -> None:
    assert gradient(engine.binarizer("ste_sign"), [2.0, 0.5], [float("inf")] * 2).tolist() == [
        0.0,
        float("inf"),
    ]


def test_lbsign_clamps_the_gradient_wherever_x_is() -> None:
    expected = np.clip(np.array(ABOVE), -1, 1)
    assert gradient(engine.binarizer("lbsign"), POINTS, ABOVE).tolist() == expected.tolist()


def test_lbsign_on_one_branch_spoils_no_skip_connection() -> None:
    # Q(h) + h: the skip carries g, the branch clamp(g, -1, 1); clamping in place would give [2, -2, 1, 2].
    h = torch.tensor([0.3, -0.3, 0.3, 0.3], requires_grad=True)
    (engine.binarizer("lbsign")(h) + h).backward(torch.tensor([5.0, -5.0, 0.5, 2.0]))
    assert h.grad is not None
    assert h.grad.tolist() == [6.0, -6.0, 1.0, 3.0]


def test_an_unknown_estimator_is_named_with_a_near_one() -> None:
    with pytest.raises(ValueError, match=r"ste_sing.*Did you mean 'ste_sign'"):
        engine.binarizer("ste_sing")
    with pytest.raises(ValueError, match="clip_value"):
        engine.binarizer("ste_sign", clip_value=-1.0)
