"""The loss, the optimizer and the activation that binarized networks are trained with."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

import engine
from engine import edit
from engine.analysis import analyze
from engine.catalog import LOSSES, OPTIMIZERS
from engine.compile.resolve import construct
from engine.network import Choice, Network, Node, Recipe
from engine.training import parameters
from engine.training.losses import SquaredHingeLoss
from engine.training.optimizers import Bop
from tests.networks import alone, chain, choice

SIGN = {"weight": choice("ste_sign")}


def binarized_mlp(**recipe: object) -> Network:
    return chain(
        ("flat", Node("Flatten")),
        ("fc1", Node("Linear", {"out_features": 32, "bias": False}, binarize=SIGN)),
        ("norm", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
        recipe=Recipe(epochs=1, **recipe),  # type: ignore[arg-type]
    )


def bop(model: torch.nn.Module, network: Network) -> torch.optim.Optimizer:
    return parameters.optimizer(network.recipe.optimizer, parameters.parts(network, model))[0]


class TestSquaredHinge:
    @pytest.mark.parametrize("shape", [(5, 4), (3, 4, 2, 2)])
    def test_it_is_the_mean_square_of_what_one_class_lacks_against_the_rest(
        self, shape: tuple[int, ...]
    ) -> None:
        generator = np.random.default_rng(0)
        y = generator.normal(size=shape)
        target = generator.integers(0, 4, size=(shape[0], *shape[2:]))
        t = np.where(np.arange(4).reshape(1, 4, *[1] * (len(shape) - 2)) == target[:, None], 1, -1)
        expected = np.maximum(0, 1 - t * y) ** 2
        ours = SquaredHingeLoss()(torch.tensor(y), torch.tensor(target))
        assert ours.item() == pytest.approx(expected.mean())
        total = SquaredHingeLoss("sum")(torch.tensor(y), torch.tensor(target))
        assert total.item() == pytest.approx(expected.mean(1).sum())

    def test_its_gradient_is_that_of_finite_differences(self) -> None:
        y = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda y: SquaredHingeLoss()(y, torch.tensor([0, 2, 1, 1])), y)

    def test_a_network_trains_with_it(self, tmp_path: object) -> None:
        network = binarized_mlp(loss=Choice("SquaredHingeLoss"))
        assert not analyze(network).errors
        result = engine.train(network, run_dir=str(tmp_path), epochs=3)
        assert result["state"] == "finished"
        assert result["validation"]["accuracy"] > 0.7

    def test_the_catalogue_constructs_it(self) -> None:
        entry = LOSSES["SquaredHingeLoss"]
        made = construct(entry.call(entry.settings({"reduction": "sum"})))
        assert isinstance(made, SquaredHingeLoss)
        assert made.reduction == "sum"


class TestBop:
    FIELDS = {"threshold": 1e-3, "gamma": 0.1, "real": {"type": "Adam", "fields": {"lr": 0.01}}}  # noqa: RUF012

    def network(self) -> Network:
        return binarized_mlp(optimizer=Choice("Bop", self.FIELDS))

    def test_it_flips_what_its_formula_flips(self) -> None:
        generator = np.random.default_rng(1)
        w = generator.normal(size=50)
        weight = torch.nn.Parameter(torch.tensor(w))
        optimizer = Bop([{"params": [weight], "binary": True}], 0.05, 0.1, torch.optim.Adam)
        w = np.where(w >= 0, 1.0, -1.0)
        mean = np.zeros(50)
        flips = 0
        for _ in range(30):
            g = generator.normal(size=50)
            weight.grad = torch.tensor(g)
            optimizer.step()
            mean = 0.9 * mean + 0.1 * g
            flipped = (np.abs(mean) > 0.05) & (np.sign(mean) == np.sign(w))
            w = np.where(flipped, -w, w)
            flips += int(flipped.sum())
            assert weight.tolist() == w.tolist()
        assert flips > 50

    def test_weights_begin_as_their_signs_and_zero_as_plus_one(self) -> None:
        weight = torch.nn.Parameter(torch.tensor([0.3, -0.2, 0.0, -0.0]))
        Bop([{"params": [weight], "binary": True}], 1e-8, 1e-4, torch.optim.Adam)
        assert weight.tolist() == [1.0, -1.0, 1.0, 1.0]

    def test_other_parameters_move_as_adam_alone_would_move_them(self) -> None:
        network = self.network()
        model = engine.build(network)
        alone = copy.deepcopy(model)
        optimizer = bop(model, network)
        with torch.no_grad():
            alone.fc1.weight.copy_(model.fc1.weight)
        adam = torch.optim.Adam([p for n, p in alone.named_parameters() if n != "fc1.weight"], lr=0.01)
        x = torch.randn(16, 1, 8, 8)
        for _ in range(4):
            for net, by in ((model, optimizer), (alone, adam)):
                net.zero_grad()
                net(x).square().mean().backward()
                by.step()
            with torch.no_grad():
                alone.fc1.weight.copy_(model.fc1.weight)
        for (name, ours), theirs in zip(model.named_parameters(), alone.parameters(), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-6), name
        assert set(model.fc1.weight.unique().tolist()) == {-1.0, 1.0}

    def test_its_state_comes_back_from_a_state_dict(self) -> None:
        network, x = self.network(), torch.randn(16, 1, 8, 8)

        def steps(model: torch.nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
            for _ in range(count):
                model.zero_grad()
                model(x).square().mean().backward()
                optimizer.step()

        model = engine.build(network)
        optimizer = bop(model, network)
        steps(model, optimizer, 3)
        other = engine.build(network, seed=1)
        resumed = bop(other, network)
        other.load_state_dict(model.state_dict())
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        steps(model, optimizer, 3)
        steps(other, resumed, 3)
        for ours, theirs in zip(model.parameters(), other.parameters(), strict=True):
            assert torch.equal(ours, theirs)

    def test_a_schedule_moves_the_rate_of_its_real_part(self) -> None:
        network = self.network()
        model = engine.build(network)
        optimizer = bop(model, network)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.1)
        for p in model.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
        schedule.step()
        before = model.fc2.bias.detach().clone()
        optimizer.step()
        # Adam's step under a constant gradient is the learning rate: 0.01 · 0.1.
        assert (before - model.fc2.bias).mean().item() == pytest.approx(0.001, rel=1e-3)

    def test_training_with_it_learns_and_keeps_weights_binary(self, tmp_path: object) -> None:
        result = engine.train(self.network(), run_dir=str(tmp_path), epochs=3)
        assert result["validation"]["accuracy"] > 0.8
        weights = engine.training.weights.load(f"{result['run']}/weights.safetensors")
        assert set(weights["fc1.weight"].unique().tolist()) == {-1.0, 1.0}

    @pytest.mark.parametrize(
        ("real", "said"),
        [
            ({"type": "Adm"}, "Did you mean 'Adam'"),
            ({"type": "Bop"}, "no type that may stand here"),
            ({"type": "Adam", "fields": {"lr": -1}}, "Adam › lr"),
            ("Adam", "is not"),
        ],
    )
    def test_a_wrong_inner_optimizer_is_a_problem_that_says_so(self, real: object, said: str) -> None:
        network = binarized_mlp(optimizer=Choice("Bop", {"real": real}))
        (problem,) = [p for p in analyze(network).errors if p.field == "recipe.optimizer.real"]
        assert said in problem.message

    def test_its_defaults_are_larqs(self) -> None:
        settings = OPTIMIZERS["Bop"].settings({})
        assert (settings.threshold, settings.gamma) == (1e-8, 1e-4)


class TestRPReLU:
    def test_it_is_prelu_moved_by_its_parameters(self) -> None:
        model = engine.build(alone("RPReLU")).double()
        layer = model.layer
        generator = np.random.default_rng(2)
        gamma, beta, zeta = (generator.normal(size=8) for _ in range(3))
        for parameter, values in ((layer.shift, gamma), (layer.slope, beta), (layer.offset, zeta)):
            parameter.data = torch.tensor(values).view(parameter.shape)
        x = generator.normal(size=(3, 8, 12, 12))
        u = x - gamma[:, None, None]
        expected = np.where(u > 0, u, beta[:, None, None] * u) + zeta[:, None, None]
        assert np.allclose(model(torch.tensor(x)).detach().numpy(), expected)

    def test_it_begins_as_a_prelu(self) -> None:
        x = torch.randn(4, 8, 12, 12)
        assert torch.equal(engine.build(alone("RPReLU"))(x), torch.nn.PReLU()(x))

    @pytest.mark.parametrize(("type", "channels"), [("Conv2d", 16), ("Linear", 5)])
    def test_inside_a_layer_it_has_the_layers_channels(self, type: str, channels: int) -> None:
        fields = {"out_features": 5} if type == "Linear" else {"out_channels": 16, "kernel_size": 3}
        shape = (7,) if type == "Linear" else (3, 8, 8)
        network = chain(("layer", Node(type, fields, activation=choice("RPReLU"))), shape=shape)
        model = engine.build(network)
        assert model(torch.zeros(2, *shape)).shape[1] == channels
        assert model.layer__activation.shift.numel() == channels


class TestLatentWeights:
    def parts(self, network: Network) -> dict[str, parameters.Part]:
        return {part.name: part for part in parameters.parts(network, engine.build(network))}

    def test_binary_latent_learns_at_binarynets_rate_in_layers_and_blocks(self) -> None:
        latent = {"weight": choice("binary_latent")}
        network = chain(
            ("conv", Node("Conv2d", {"out_channels": 8, "kernel_size": 3}, init=latent, binarize=SIGN)),
            (
                "up",
                Node("ConvTranspose2d", {"out_channels": 4, "kernel_size": 2}, init=latent, binarize=SIGN),
            ),
            ("plain", Node("Conv2d", {"out_channels": 4, "kernel_size": 3}, binarize=SIGN)),
            shape=(2, 12, 12),
        )
        parts = self.parts(network)
        # binary_net.py: W_LR_scale = 1/sqrt(1.5/(inputs + outputs)), each times the window for convolutions.
        assert parts["conv.weight"].lr_multiplier == pytest.approx(1 / np.sqrt(1.5 / ((2 + 8) * 9)))
        assert parts["up.weight"].lr_multiplier == pytest.approx(1 / np.sqrt(1.5 / ((8 + 4) * 4)))
        assert parts["conv.bias"].lr_multiplier == parts["plain.weight"].lr_multiplier == 1
        optimizer, _, multipliers = parameters.optimizer(Choice("Adam", {"lr": 0.01}), list(parts.values()))
        rates = {group["lr"] for group in optimizer.param_groups}
        assert rates == {0.01 * multiplier for multiplier in multipliers}
        assert len(rates) == 3

    def test_the_factor_can_be_left_off_and_goes_with_the_nodes_own(self) -> None:
        from engine.network import Training

        def factor(training: Training | None, **fields: object) -> float:
            init = {"weight": Choice("binary_latent", fields)}
            node = Node("Linear", {"out_features": 4}, init=init, binarize=SIGN, training=training)
            return self.parts(chain(("fc", node), shape=(2,)))["fc.weight"].lr_multiplier

        assert factor(None) == factor(None, bound=0.1) == pytest.approx(2.0)
        assert factor(Training(lr_multiplier=0.5)) == pytest.approx(1.0)
        assert factor(None, scale_rate=False) == 1

    def test_a_default_of_the_network_brings_the_factor_too(self) -> None:
        network = chain(("fc", Node("Linear", {"out_features": 4}, binarize=SIGN)), shape=(2,))
        network = edit.replace(
            network, defaults={"init": {"Linear": {"weight": {"scheme": "binary_latent"}}}}
        )
        assert self.parts(network)["fc.weight"].lr_multiplier == pytest.approx(2.0)

    @pytest.mark.parametrize(
        ("type", "names"),
        [
            ("LSTM", {"weight_ih_l0", "weight_hh_l0"}),
            ("MultiheadAttention", {"in_proj_weight", "out_proj.weight"}),
            ("SelfAttention", {"in_proj.weight", "out_proj.weight"}),
            ("Embedding", {"weight"}),
        ],
    )
    def test_every_binarized_parameter_is_clipped_and_spared_from_decay(
        self, type: str, names: set[str]
    ) -> None:
        parts = self.parts(alone(type, binarize=SIGN))
        assert {name.removeprefix("layer.") for name, part in parts.items() if part.binarized} == names
        assert all(part.clipped for part in parts.values() if part.binarized)
        optimizer = parameters.optimizer(Choice("AdamW", {"weight_decay": 0.1}), list(parts.values()))[0]
        pulled = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
        assert not pulled & {id(part.tensor) for part in parts.values() if part.binarized}
