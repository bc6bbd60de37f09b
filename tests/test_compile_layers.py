"""Every layer of the catalogue through the same properties, against torch itself."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

import engine
from engine.analysis.walk import walk
from engine.catalog import LAYERS, Call, Inputs, Spec
from engine.compile.resolve import resolve
from engine.network import Network
from tests.networks import alone, choice, example_shape

#: (layer, field) whose default is said in another way: torch has a function here, we its name.
INTENDED = {("TransformerEncoderLayer", "activation"), ("TransformerDecoderLayer", "activation")}

TYPES = [id for id in LAYERS if id not in ("Input", "Output")]


def example_inputs(network: Network, batch: int = 5) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    inputs = []
    for node in network.nodes.values():
        if node.type == "Input":
            shape = (batch, *node.fields["shape"])
            if node.fields.get("dtype") == "int64":
                inputs.append(torch.randint(0, 5, shape, generator=generator))
            else:
                inputs.append(torch.rand(shape, generator=generator) + 0.1)
    return inputs


def run(model: torch.nn.Module, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    torch.manual_seed(3)  # for layers that draw
    result = model(*[x.clone() for x in inputs])
    return list(result.values()) if isinstance(result, dict) else [result]


def gradients(model: torch.nn.Module, inputs: list[torch.Tensor]) -> dict[str, torch.Tensor | None]:
    model.zero_grad()
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
    torch.manual_seed(3)
    result = model(*leaves)
    outputs = list(result.values()) if isinstance(result, dict) else [result]
    total = sum(
        (y * torch.linspace(0.5, 1.5, y.numel()).view_as(y)).sum() for y in outputs if y.requires_grad
    )
    if isinstance(total, torch.Tensor):
        total.backward()
    found = {name: p.grad for name, p in model.named_parameters()}
    return found | {f"input {i}": x.grad for i, x in enumerate(leaves)}


def from_source(text: str) -> torch.nn.Module:
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported.py", "exec"), space)
    classes = [
        value
        for value in space.values()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == "exported"
    ]
    model: torch.nn.Module = classes[-1]()
    return model


def same(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


@pytest.mark.parametrize("type", TYPES)
class TestEveryLayer:
    def test_its_defaults_are_sound(self, type: str) -> None:
        assert [str(p) for p in walk(alone(type)).problems] == []

    def test_shapes_foretold_are_the_shapes_that_come(self, type: str) -> None:
        network = alone(type)
        shapes = engine.analyze(network).shapes
        outputs = run(engine.build(network), example_inputs(network, batch=5))
        ends = [id for id, node in network.nodes.items() if node.type == "Output"]
        assert [tuple(y.shape) for y in outputs] == [(5, *shapes[id]) for id in ends]

    def test_its_parameters_are_foretold_and_named_by_the_node(self, type: str) -> None:
        network = alone(type)
        report = engine.analyze(network).nodes["layer"]
        model = engine.build(network)
        real = {name: tuple(p.shape) for name, p in model.named_parameters()}
        assert real == {f"layer.{name}": shape for name, shape in report.parameters.items()}
        assert report.parameter_count == sum(p.numel() for p in model.parameters())
        assert all(name.startswith("layer.") for name in model.state_dict())
        fields = network.nodes["layer"].fields
        inputs = Inputs({port: Spec((5, *example_shape(type))) for port in LAYERS[type].takes or ("input",)})
        for name in LAYERS[type].parameter_names(fields, inputs):
            # Switched off (bias, affine) it is None.
            assert f"layer.{name}" in real or getattr(model.get_submodule("layer"), name, 0) is None, name

    def test_the_printed_source_is_the_same_model_to_the_last_bit(self, type: str) -> None:
        network = alone(type)
        built, printed = engine.build(network), from_source(engine.source(network))
        assert list(built.state_dict()) == list(printed.state_dict())
        printed.load_state_dict(built.state_dict())
        inputs = example_inputs(network)
        for a, b in zip(run(built, inputs), run(printed, inputs), strict=True):
            assert same(a, b)
        ours, theirs = gradients(built, inputs), gradients(printed, inputs)
        assert ours.keys() == theirs.keys()
        assert all(same(ours[name], theirs[name]) for name in ours)

    def test_one_example_gives_the_same_alone_and_in_a_batch(self, type: str) -> None:
        network = alone(type)
        model = engine.build(network).eval()
        if type.startswith(("FractionalMaxPool",)):
            pytest.skip("draws its windows anew at each call")
        inputs = example_inputs(network)
        whole = run(model, inputs)
        for single, many in zip(run(model, [x[1:2] for x in inputs]), whole, strict=True):
            torch.testing.assert_close(single, many[1:2], rtol=1e-4, atol=1e-5)

    def test_it_gives_the_same_with_channels_innermost(self, type: str) -> None:
        network = alone(type)
        inputs = example_inputs(network)
        if all(x.dim() != 4 for x in inputs):
            pytest.skip("takes no pictures")
        if type.startswith("FractionalMaxPool"):
            pytest.skip("draws its windows anew at each call")
        turned = [x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x for x in inputs]
        model, other = engine.build(network).eval(), engine.build(network).eval()
        other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for a, b in zip(run(model, inputs), run(other, turned), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        ours, theirs = gradients(model, inputs), gradients(other, turned)
        for name, gradient in ours.items():
            torch.testing.assert_close(theirs[name], gradient, rtol=1e-4, atol=1e-4)

    def test_its_help_names_every_field(self, type: str) -> None:
        layer = LAYERS[type]
        missing = [field.name for field in layer.fields if f"`{field.name}`" not in layer.doc]
        assert missing == []

    def test_its_defaults_are_torchs(self, type: str) -> None:
        layer = LAYERS[type]
        shape = (3, *example_shape(type))
        ports = ["0", "1"] if layer.variadic else [port.name for port in layer.inputs if not port.optional]
        network = alone(type)
        call = layer.call(
            layer.settings(network.nodes["layer"].fields), Inputs({port: Spec(shape) for port in ports})
        )
        assert call is not None
        if not isinstance(call, Call) or not call.target.startswith("torch.nn."):
            pytest.skip("torch has no class of this name")
        signature = inspect.signature(resolve(call.target)).parameters
        for field in layer.fields:
            if field.required or field.name not in signature:
                continue
            ours = field.canonical(field.default)
            theirs = signature[field.name].default
            if theirs is inspect.Parameter.empty or (type, field.name) in INTENDED:
                continue
            if isinstance(ours, tuple) and not isinstance(theirs, tuple):
                assert set(ours) == {theirs}, field.name
            else:
                assert ours == theirs, field.name

    def test_a_value_out_of_range_is_a_problem_of_its_field(self, type: str) -> None:
        layer = LAYERS[type]
        start = alone(type).nodes["layer"].fields
        for field in layer.fields:
            problems = walk(alone(type, {**start, field.name: {"not": "a value"}})).problems
            assert [p.field for p in problems if p.node == "layer"] == [field.name]

    def test_the_edges_of_each_field_never_raise(self, type: str) -> None:
        layer = LAYERS[type]
        for field in layer.fields:
            for edge in (getattr(field, "lo", None), getattr(field, "hi", None)):
                if edge is not None and field.check(edge) is None:
                    problems = walk(alone(type, {field.name: edge})).problems
                    assert "wrong-field" not in [p.code for p in problems]
            for option in getattr(field, "options", ()):
                assert "wrong-field" not in [p.code for p in walk(alone(type, {field.name: option})).problems]


@pytest.mark.parametrize(
    ("type", "fields", "init"),
    [
        ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 8}, "weight_hr_l1_reverse"),
        ("GRU", {}, "bias_ih_l0"),
        ("MultiheadAttention", {"add_bias_kv": True}, "in_proj_weight"),
        ("SelfAttention", {}, "out_proj.bias"),
        ("TransformerDecoderLayer", {"dim_feedforward": 32}, "multihead_attn.in_proj_weight"),
    ],
)
def test_layers_of_many_parameters_let_each_be_drawn_and_their_weights_be_binarized(
    type: str, fields: dict[str, Any], init: str
) -> None:
    binarize = {"weight": choice("ste_sign")} if LAYERS[type].binarizable else {}
    network = alone(type, fields, init={init: choice("constant", val=0.25)}, binarize=binarize)
    built, printed = engine.build(network), from_source(engine.source(network))
    assert built.layer.get_parameter(init).unique().tolist() == [0.25]
    assert printed.layer.get_parameter(init).unique().tolist() == [0.25]
    printed.load_state_dict(built.state_dict())
    inputs = example_inputs(network)
    ours, theirs = gradients(built, inputs), gradients(printed, inputs)
    assert all(same(ours[name], theirs[name]) for name in ours)
    plain = engine.build(alone(type, fields))
    plain.load_state_dict(built.state_dict())
    if binarize:
        with torch.no_grad():
            for name in LAYERS[type].binarizable_names({**network.nodes["layer"].fields}, None):
                if name in dict(plain.layer.named_parameters()):
                    weight = plain.layer.get_parameter(name)
                    weight.copy_(torch.where(weight >= 0, 1.0, -1.0))
    built.eval(), plain.eval()
    assert all(same(a, b) for a, b in zip(run(built, inputs), run(plain, inputs), strict=True))
