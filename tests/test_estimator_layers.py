"""Every estimator on every layer that takes one: the layer computes with what the estimator makes of its weight.

Estimators by themselves are held against formulas in test_estimators; here a layer of torch is given their
values as its weights, and must give the same.
"""

from __future__ import annotations

import copy

import pytest
import torch
import torch._inductor.config
from torch import Tensor, nn

import engine
from engine.catalog import BINARIZERS, LAYERS
from engine.compile.resolve import construct
from engine.network import Network
from tests.networks import alone, choice

#: What the catalogue says takes an estimator on its weights.
TYPES = [id for id, layer in LAYERS.items() if layer.binarizable]
WEIGHT = [id for id, entry in BINARIZERS.items() if "weight" in entry.places]
INPUT = [id for id, entry in BINARIZERS.items() if "input" in entry.places]
READING = [id for id in TYPES if "float32" in LAYERS[id].dtypes]


def test_the_layers_are_those_that_the_issue_names() -> None:
    convolutions = {f"Conv{transposed}{dims}d" for transposed in ("", "Transpose") for dims in (1, 2, 3)}
    assert set(TYPES) == {
        "Linear", "Embedding", "RNN", "LSTM", "GRU", "MultiheadAttention", "SelfAttention", *convolutions
    }  # fmt: skip


def example(network: Network, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """A batch of three for every Input."""
    generator = torch.Generator().manual_seed(5)
    ends = [node.fields for node in network.nodes.values() if node.type == "Input"]
    return [
        torch.randint(1000, (3, *fields["shape"]), generator=generator)
        if fields["dtype"] == "int64"
        else torch.randn(3, *fields["shape"], generator=generator).to(dtype)
        for fields in ends
    ]


def first(result: object) -> Tensor:
    while not isinstance(result, Tensor):
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]  # type: ignore[index]
    return result


def names(network: Network, model: nn.Module) -> list[str]:
    """The parameters that the layer binarizes, as far as it has them."""
    node = network.nodes["layer"]
    own = dict(model.layer.named_parameters())  # type: ignore[union-attr, operator]
    return [name for name in LAYERS[node.type].binarizable_names(node.fields) if name in own]


@pytest.mark.parametrize("type", TYPES)
class TestWeights:
    @pytest.mark.parametrize("id", WEIGHT)
    def test_the_layer_computes_with_what_the_estimator_makes_of_its_latent_weight(
        self, id: str, type: str
    ) -> None:
        network = alone(type, binarize={"weight": choice(id)})
        model = engine.build(network).double().eval()
        inputs = example(network, torch.float64)
        binarized = names(network, model)
        latent = {name: model.layer.get_parameter(name).detach().clone() for name in binarized}  # type: ignore[union-attr]
        entry = BINARIZERS[id]
        groups = {"transposed_groups": 1} if "Transpose" in type and entry.context else {}
        call = entry.call(entry.settings({}))
        estimator = construct(type_with(call, groups)).eval()
        real = engine.build(alone(type)).double().eval()
        real.load_state_dict(model.state_dict(), strict=True)
        with torch.no_grad():
            for name, weight in latent.items():
                real.layer.get_parameter(name).copy_(estimator(weight))  # type: ignore[union-attr]
            # In double precision: signs without a scale make recurrent layers chaotic, which float32 shows.
            assert torch.allclose(first(model(*inputs)), first(real(*inputs)), rtol=1e-7, atol=1e-7)
        for name, weight in latent.items():
            assert torch.equal(model.layer.get_parameter(name), weight), "the latent weight stays as it is"  # type: ignore[union-attr]

    def test_every_latent_weight_gets_a_gradient(self, type: str) -> None:
        network = alone(type, binarize={"weight": choice("ste_sign")})
        model = engine.build(network)
        first(model(*example(network))).square().mean().backward()
        for name in names(network, model):
            gradient = model.layer.get_parameter(name).grad  # type: ignore[union-attr]
            assert gradient is not None
            assert bool(gradient.isfinite().all())
            assert float(gradient.abs().sum()) > 0

    def test_its_state_dict_is_that_of_the_real_layer(self, type: str) -> None:
        real, binarized = (
            engine.build(alone(type)),
            engine.build(alone(type, binarize={"weight": choice("ste_sign")})),
        )
        assert list(real.state_dict()) == list(binarized.state_dict())

    def test_a_deep_copy_gives_the_same_and_shares_no_weight(self, type: str) -> None:
        network = alone(type, binarize={"weight": choice("xnor_scale")})
        model = engine.build(network).eval()
        twin, inputs = copy.deepcopy(model), example(network)
        assert torch.equal(first(twin(*inputs)), first(model(*inputs)))
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.neg_()
        assert not any(
            a.data_ptr() == b.data_ptr() for a, b in zip(model.parameters(), twin.parameters(), strict=True)
        )

    def test_it_runs_and_learns_in_bfloat16(self, type: str) -> None:
        network = alone(type, binarize={"weight": choice("ste_sign")})
        model = engine.build(network).bfloat16()
        result = first(model(*example(network, torch.bfloat16)))
        assert result.dtype == torch.bfloat16
        result.float().square().mean().backward()
        assert all(model.layer.get_parameter(name).grad is not None for name in names(network, model))  # type: ignore[union-attr]

    def test_exported_it_gives_the_same(self, type: str) -> None:
        network = alone(type, binarize={"weight": choice("magnitude_aware_sign")})
        model, inputs = engine.build(network).eval(), example(network)
        program = torch.export.export(model, tuple(inputs))
        assert torch.allclose(first(program.module()(*inputs)), first(model(*inputs)), atol=1e-6)

    @pytest.mark.full
    def test_compiled_it_gives_the_same_forward_and_back(self, type: str) -> None:
        torch._dynamo.reset()
        network = alone(type, binarize={"weight": choice("ste_sign")})
        model, inputs = engine.build(network), example(network)
        gradients = []
        for run in (model, torch.compile(model)):
            model.zero_grad()
            # In this process: threads of the compiler's own would outlive the test.
            with torch._inductor.config.patch(compile_threads=1):
                first(run(*inputs)).square().mean().backward()
            gradients.append(
                {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            )
        assert gradients[0].keys() == gradients[1].keys()
        for name, gradient in gradients[0].items():
            assert torch.allclose(gradient, gradients[1][name], rtol=1e-3, atol=1e-5), name


def type_with(call: engine.catalog.Call, more: dict[str, int]) -> engine.catalog.Call:  # type: ignore[name-defined]
    """An estimator's construction, told of a transposed convolution's groups."""
    return type(call)(call.target, *call.args, **{**call.kwargs, **more})


@pytest.mark.parametrize("type", READING)
@pytest.mark.parametrize("id", INPUT)
def test_the_layer_reads_what_the_estimator_makes_of_its_first_input(id: str, type: str) -> None:
    network = alone(type, binarize={"input": choice(id)})
    model = engine.build(network).eval()
    real = engine.build(alone(type)).eval()
    real.load_state_dict({key: value for key, value in model.state_dict().items() if "__" not in key})
    inputs = example(network)
    inputs[0].requires_grad_()
    result = first(model(*inputs))
    with torch.no_grad():
        expected = first(real(model.layer__input(inputs[0]), *inputs[1:]))  # type: ignore[operator]
    assert torch.allclose(result, expected, rtol=1e-5, atol=1e-5)
    result.square().mean().backward()
    assert inputs[0].grad is not None
    assert bool(inputs[0].grad.isfinite().all())


@pytest.mark.parametrize("type", ["Conv1d", "Conv2d", "Conv3d"])
@pytest.mark.parametrize("border", ["replicate", "zeros"])
def test_a_borders_values_are_signs_only_where_it_is_filled_with_them(type: str, border: str) -> None:
    """What the rule on borders says: behind a sign, zeros are a third value."""
    fields = {"padding": 1, "padding_mode": border, "bias": False}
    network = alone(type, fields, binarize={"weight": choice("ste_sign"), "input": choice("ste_sign")})
    model, (x,) = engine.build(network).eval(), example(network)
    terms = model.layer.weight[0].numel()  # type: ignore[union-attr, index]
    sums = first(model(x))
    # A sum of n signs is as odd as n; at the edge zeros leave some of them out.
    odd = (sums - terms).remainder(2) == 0
    assert bool(odd.all()) == (border == "replicate" or (terms % 2 == 0 and bool(odd.all())))
    inner = (slice(None), slice(None), *[slice(1, -1)] * (sums.dim() - 2))
    assert bool(odd[inner].all())
