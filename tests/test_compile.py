"""The compiled network as a torch module, and as source that anyone may read."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import edit
from engine.compile.plan import CompiledNetwork
from engine.compile.resolve import resolve
from engine.network import Edge, End, Network, Node
from tests.networks import chain, choice
from tests.test_compile_layers import from_source, gradients, run, same


def wire(source: str, target: str) -> Edge:
    return Edge(End.parse(source), End.parse(target))


def binarized() -> Network:
    """A network with everything that a node may carry, a skip connection and two outputs."""
    return Network(
        name="Everything",
        nodes={
            "image": Node("Input", {"shape": [2, 6, 6]}),
            "conv": Node(
                "Conv2d",
                {"out_channels": 2, "kernel_size": 3, "padding": 1},
                choice("PReLU"),
                {"weight": choice("kaiming_normal", nonlinearity="relu")},
                {"weight": choice("ste_sign"), "input": choice("ste_sign")},
            ),
            "add": Node("Add"),
            "flat": Node("Flatten"),
            "fc": Node("Linear", {"out_features": 3}, binarize={"weight": choice("lbsign")}),
            "scores": Node("Output"),
            "features": Node("Output"),
        },
        edges=(
            wire("image", "conv"),
            wire("conv", "add.input"),
            wire("image", "add.other"),
            wire("add", "flat"),
            wire("flat", "fc"),
            wire("fc", "scores"),
            wire("flat", "features"),
        ),
    )


def by_hand(model: torch.nn.Module, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """The same network as its definition says, with the model's own parameters."""
    sign = lambda x: torch.where(x >= 0, 1.0, -1.0)  # noqa: E731
    p = dict(model.named_parameters())
    x = torch.conv2d(sign(image), sign(p["conv.weight"]), p["conv.bias"], padding=1)
    x = torch.prelu(x, p["conv__activation.weight"]) + image
    return {"scores": x.flatten(1) @ sign(p["fc.weight"]).T + p["fc.bias"], "features": x.flatten(1)}


def image(batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def test_the_order_inside_a_node_is_input_binarizer_layer_with_binarized_weight_activation() -> None:
    model = engine.build(binarized())
    result, expected = model(image()), by_hand(model, image())
    assert result.keys() == {"scores", "features"}
    for id in expected:
        torch.testing.assert_close(result[id], expected[id])


def test_parameters_bear_the_nodes_names_and_the_latent_weight_stays_the_layers() -> None:
    names = list(engine.build(binarized()).state_dict())
    assert names == ["conv.weight", "conv.bias", "conv__activation.weight", "fc.weight", "fc.bias"]


def test_the_printed_source_is_the_same_model_and_needs_torch_alone() -> None:
    text = engine.source(binarized())
    built, printed = engine.build(binarized()), from_source(text)
    printed.load_state_dict(built.state_dict())
    assert all(same(a, b) for a, b in zip(run(built, [image()]), run(printed, [image()]), strict=True))
    ours, theirs = gradients(built, [image()]), gradients(printed, [image()])
    assert all(same(ours[name], theirs[name]) for name in ours)
    modules = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert {name.partition(".")[0] for name in modules} == {"torch"}


@pytest.mark.parametrize(
    "name",
    [
        '"""\nimport os\n"""',
        "x'); import os #",
        "\\",
        "nn",
        "torch",
        "Tensor",
        "SteSign",
        "123",
        "",
        "é\u2028ü",
        "class",
    ],
)
def test_no_name_in_a_document_can_break_out_of_the_source(name: str) -> None:
    text = engine.source(edit.set_name(binarized(), name))
    assert "\nimport os" not in text
    assert isinstance(from_source(text), torch.nn.Module)


def test_ids_that_are_words_of_the_source_do_no_harm() -> None:
    layers = [
        (id, Node("Linear", {"out_features": 4}))
        for id in ("x", "Tensor", "functional_call", "reset_parameters", "math")
    ]
    network = chain(*layers, shape=(4,))
    built, printed = engine.build(network), from_source(engine.source(network))
    printed.load_state_dict(built.state_dict())
    x = torch.randn(2, 4)
    assert torch.equal(built(x), printed(x))


# ---------------------------------------------------------------------------- as a module


def test_it_deep_copies_into_an_independent_model() -> None:
    model = engine.build(binarized())
    twin = copy.deepcopy(model)
    assert torch.equal(model(image())["scores"], twin(image())["scores"])
    with torch.no_grad():
        twin.fc.bias.add_(1)
    torch.testing.assert_close(model(image())["scores"] + 1, twin(image())["scores"])


def test_it_exports_and_the_program_gives_the_same() -> None:
    model = engine.build(binarized()).eval()
    program = torch.export.export(model, (image(),), strict=False)
    torch.testing.assert_close(program.module()(image()), model(image()))


def test_dynamo_captures_it_whole() -> None:
    model = engine.build(binarized())
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(image()), model(image()))


def test_it_runs_in_double_precision_and_under_autocast() -> None:
    model = engine.build(binarized())
    double = copy.deepcopy(model).double()
    assert double(image().double())["scores"].dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model(image())["scores"].dtype == torch.bfloat16
    assert copy.deepcopy(model).bfloat16()(image().bfloat16())["scores"].dtype == torch.bfloat16


def test_hooks_on_a_binarized_layer_are_called_and_change_nothing() -> None:
    model = engine.build(binarized())
    before = model(image())["scores"]
    seen: list[torch.Size] = []
    for id in ("conv", "fc"):
        model.get_submodule(id).register_forward_hook(lambda m, x, y: seen.append(y.shape))
    assert torch.equal(model(image())["scores"], before)
    assert seen == [(3, 2, 6, 6), (3, 3)]


def test_an_error_while_running_names_the_node() -> None:
    model = engine.build(chain(("fc", Node("Linear", {"out_features": 2})), shape=(4,)))
    with pytest.raises(RuntimeError, match=r"^fc: "):
        model(torch.zeros(1, 5))
    with pytest.raises(TypeError, match=r"takes 1 inputs \(image\), and got 2"):
        model(torch.zeros(1, 4), torch.zeros(1, 4))


def test_a_network_with_errors_is_refused_with_all_of_them() -> None:
    broken = edit.set_field(binarized(), "fc", "out_features", -1)
    broken = edit.set_field(broken, "conv", "stride", 0)
    with pytest.raises(engine.NetworkProblem, match=r"(?s)conv › stride.*fc › out_features"):
        engine.build(broken)


def test_a_shared_weight_is_one_tensor() -> None:
    network = chain(
        ("a", Node("Linear", {"out_features": 4})),
        ("b", Node("Linear", {"out_features": 4}, shares={"weight": "a.weight"})),
        shape=(4,),
    )
    model = engine.build(network)
    assert model.a.weight is model.b.weight
    assert from_source(engine.source(network)).b.weight.shape == (4, 4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.booleans()), min_size=1, max_size=12))
def test_any_wiring_computes_what_its_wires_say(picks: list[tuple[int, int, bool]]) -> None:
    """Slots are reused; here every node's value is recomputed with a dictionary instead."""
    nodes: dict[str, Node] = {"image": Node("Input", {"shape": [3]})}
    edges: list[Edge] = []
    values = {"image": torch.tensor([[0.5, -1.0, 2.0]])}
    for i, (a, b, binarize) in enumerate(picks):
        known = list(nodes)
        left, right = known[a % len(known)], known[b % len(known)]
        nodes[f"n{i}"] = Node("Subtract", binarize={"input": choice("ste_sign")} if binarize else {})
        edges += [wire(left, f"n{i}.input"), wire(right, f"n{i}.other")]
        first = torch.where(values[left] >= 0, 1.0, -1.0) if binarize else values[left]
        values[f"n{i}"] = first - values[right]
    for i, id in enumerate(list(nodes)[1:]):
        nodes[f"out{i}"] = Node("Output")
        edges.append(wire(id, f"out{i}"))
    network = Network(nodes=nodes, edges=tuple(edges))
    result = engine.build(network)(values["image"])
    result = result if isinstance(result, dict) else {"out0": result}
    for i in range(len(picks)):
        assert torch.equal(result[f"out{i}"], values[f"n{i}"])


def test_a_network_keeps_no_public_names_for_itself() -> None:
    own = {name for name in vars(CompiledNetwork([], 0, [], {})) if not name.startswith("_")}
    assert own <= set(vars(torch.nn.Module()))


@pytest.mark.parametrize("target", ["os.system", "torch.nn.Linear.__init__", "builtins.eval", "torch._C", ""])
def test_only_names_of_trusted_modules_resolve(target: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        resolve(target)


def test_importing_the_engine_brings_no_torch() -> None:
    code = "import sys, engine; engine.Network; engine.FileProblem; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there() -> None:
    assert all(getattr(engine, name) is not None for name in engine.__all__)
    with pytest.raises(AttributeError):
        engine.nothing  # noqa: B018
