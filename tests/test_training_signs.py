"""What probes tell of binarized weights and inputs is what NumPy says of the same tensors."""

import numpy as np
import pytest
import torch
from torch import nn

import engine
from engine.host.protocol import Observation
from engine.lab_binary import FLIP_FLOP, LOOKS
from engine.network import Node, Recipe
from engine.training import parameters, signs
from engine.training.parameters import Part
from engine.training.probes import Probes
from tests.networks import alone, chain, choice


def followed(*values):
    weight = nn.Parameter(torch.tensor([values]))
    probes = Probes([Part("fc.weight", weight, False, 1.0, True, True)])

    def step(*after):
        weight.grad = torch.zeros_like(weight)
        probes.before()
        with torch.no_grad():
            weight.copy_(torch.tensor([after]))
        return probes.after(1, 0.0).binary_weights["fc.weight"]

    return step


def test_the_flip_rate_is_the_share_of_signs_that_one_step_changed():
    step = followed(0.5, -0.5, 0.0, -0.25)
    # sgn(0) is +1, whatever the zero's own sign.
    assert step(0.5, 0.5, -0.0, -0.25).flip_rate == 0.25
    assert step(-0.5, -0.5, -0.1, -0.25).flip_rate == 0.75
    assert step(-0.4, -0.3, -0.2, -0.1).flip_rate == 0


def test_a_weight_that_flips_at_four_looks_of_sixteen_is_found():
    step = followed(1.0, 1.0, 1.0)
    rng = np.random.default_rng(3)
    path = np.where(rng.random((40, 3)) < [0.0, 0.08, 0.6], -1, 1).cumprod(0)
    for row in path:
        found = step(*row.tolist())
    flips = (np.diff(path, axis=0) != 0)[-LOOKS:].sum(0)
    assert found.per_weight == tuple(np.bincount(flips, minlength=17))
    wanted = sorted(((int(n), i) for i, n in enumerate(flips) if n >= FLIP_FLOP), reverse=True)
    assert found.restless == tuple((i, n) for n, i in wanted)
    assert any(n >= FLIP_FLOP for n in flips)
    assert any(n < FLIP_FLOP for n in flips)


def test_mass_near_zero_and_at_the_clip_is_counted():
    weights = np.array([1.0, -1.0, 0.99, -0.98, 0.05, -0.03, 0.0, 0.4], np.float32)
    found = followed(*weights.tolist())(*weights.tolist())
    size = np.abs(weights)
    assert found.near_zero == pytest.approx((size <= 0.1 * size.mean()).mean())
    assert found.at_clip == pytest.approx((size >= np.float32(0.99)).mean())
    assert found.positive == pytest.approx((weights >= 0).mean())
    assert found.followed == 8


def test_a_large_tensor_is_followed_evenly_and_places_are_those_of_the_whole():
    weight = nn.Parameter(torch.ones(512, 512))
    probes = Probes([Part("fc.weight", weight, False, 1.0, True, True)])
    for look in range(8):
        weight.grad = torch.zeros_like(weight)
        probes.before()
        with torch.no_grad():
            weight[:, 100] *= -1
        found = probes.after(look, 0.0).binary_weights["fc.weight"]
    assert found.followed <= signs.FOLLOWED
    assert found.flip_rate == pytest.approx(1 / 512)
    assert found.restless
    assert {place % 512 for place, _ in found.restless} == {100}


@pytest.mark.parametrize(
    ("estimator", "passes"),
    [
        ("ste_sign", lambda x: np.abs(x) <= 1),
        ("approx_sign", lambda x: np.abs(x) < 1),
        ("identity_ste", lambda x: np.ones_like(x, bool)),
        ("bc_stochastic", lambda x: np.ones_like(x, bool)),
        ("dorefa_input", lambda x: (x >= 0) & (x <= 1)),
    ],
)
def test_the_masked_share_is_that_of_the_gradient_which_the_estimator_stops(estimator, passes):
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(6, 50)) * 1.5, rng.normal(size=(6, 50))
    module = engine.binarizer(estimator).train()
    state = torch.random.get_rng_state()
    lost, whole = signs.blocked(module, torch.tensor(x), torch.tensor(g)).tolist()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert module.training
    assert whole == pytest.approx(np.abs(g).sum(), rel=1e-5)
    assert lost == pytest.approx(np.abs(g)[~passes(x)].sum(), rel=1e-5)


BOTH = {"weight": choice("ste_sign"), "input": choice("ste_sign")}


def network(**binarize):
    return chain(
        ("flat", Node("Flatten")),
        ("norm0", Node("BatchNorm1d")),
        ("fc1", Node("Linear", {"out_features": 24, "bias": False}, binarize=binarize or BOTH)),
        ("norm1", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(epochs=2, optimizer=choice("Adam", lr=0.01)),
    )


def test_an_observed_pass_tells_the_masked_share_of_weights_and_inputs():
    drawn = network()
    model = engine.build(drawn, seed=1)
    with torch.no_grad():
        model.fc1.weight *= 12  # beyond the clip here and there
    probes = Probes(parameters.parts(drawn, model), model)
    x = torch.randn(32, 1, 8, 8, generator=torch.Generator().manual_seed(5)) + 0.3
    with probes.watching():
        loss = model(x).square().mean()
    loss.backward()
    probes.before()
    told = probes.after(1, 0.0)

    # The same pass by hand, the binarized operands as leaves.
    with torch.no_grad():
        inputs, weight = nn.functional.batch_norm(x.flatten(1), None, None, training=True), model.fc1.weight
        one = torch.ones(())
        signed, binary = torch.where(inputs >= 0, one, -one), torch.where(weight >= 0, one, -one)
    signed.requires_grad_()
    binary.requires_grad_()
    hidden = nn.functional.batch_norm(nn.functional.linear(signed, binary), None, None, training=True)
    model.fc2(hidden).square().mean().backward()
    for found, g, latent in (
        (told.binary_weights["fc1.weight"], binary.grad, weight.detach()),
        (told.binary_inputs["fc1"], signed.grad, inputs),
    ):
        g, latent = g.abs().numpy(), latent.numpy()
        share = g[np.abs(latent) > 1].sum() / g.sum()
        assert 0.01 < share < 0.99
        assert found.masked == pytest.approx(share, rel=1e-3)
    assert told.binary_inputs["fc1"].positive == pytest.approx((inputs >= 0).float().mean().item())
    assert told.binary_inputs["fc1"].values.mean == pytest.approx(inputs.mean().item(), abs=1e-6)
    assert not model.fc1__weight._forward_hooks


def test_looking_changes_no_number_of_the_training(tmp_path):
    weights = {}
    for observe in (False, True):
        result = engine.train(network(), run_dir=str(tmp_path), device="cpu", observe=observe)
        weights[observe] = engine.training.weights.load(f"{result['run']}/weights.safetensors")
    for name, tensor in weights[False].items():
        assert torch.equal(tensor, weights[True][name]), name


def test_inputs_are_seen_at_looks_that_leave_activations_out(monkeypatch):
    drawn = network()
    model = engine.build(drawn, seed=1)
    probes = Probes(parameters.parts(drawn, model), model)
    monkeypatch.setattr(probes, "_watched", 1e9)
    assert not probes.pace.early
    with model.bound(), probes.watching():
        loss = model(torch.randn(8, 1, 8, 8)).square().mean()
    loss.backward()
    probes.before()
    told = probes.after(1, 0.0)
    assert not told.activations
    assert told.binary_inputs["fc1"].masked is not None


def test_a_run_records_the_figures_of_every_binarized_parameter(tmp_path):
    events = []
    engine.train(network(), run_dir=str(tmp_path), device="cpu", emit=events.append)
    seen = [event for event in events if isinstance(event, Observation)]
    assert seen
    for observation in seen:
        assert set(observation.binary_weights) == {"fc1.weight"}
        assert set(observation.binary_inputs) == {"fc1"}
        assert sum(observation.binary_weights["fc1.weight"].per_weight) == 24 * 64


@pytest.mark.parametrize(
    ("type", "names"),
    [
        ("SelfAttention", {"in_proj.weight", "out_proj.weight"}),
        ("MultiheadAttention", {"in_proj_weight", "out_proj.weight"}),
        ("LSTM", {"weight_ih_l0", "weight_hh_l0"}),
        ("Embedding", {"weight"}),
    ],
)
def test_all_binarized_parameters_of_a_layer_are_followed(type, names):
    drawn = alone(type, binarize={"weight": choice("ste_sign")})
    found = parameters.parts(drawn, engine.build(drawn))
    assert {part.name.removeprefix("layer.") for part in found if part.binarized} == names
    assert all(part.clipped == part.binarized for part in found)
