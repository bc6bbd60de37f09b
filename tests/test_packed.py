"""Packed export: bits, thresholds, and the program that runs them with NumPy alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

import engine
from engine import assets, cli
from engine.exchange.packed import export_packed, load_packed
from engine.exchange.packing import _floats, _keys, bisect
from engine.network import Edge, End, Network, Node
from engine.problems import NetworkProblem
from tests.networks import chain, choice

RUNTIME = assets.path("runtime/packed.py")


def both(estimator: str = "ste_sign", input: str = "ste_sign", **fields: Any) -> dict[str, Any]:
    return {"weight": choice(estimator, **fields), "input": choice(input)}


def lively(network: Network, seed: int = 0) -> torch.nn.Module:
    """Built, with normalisations that have seen data, and scales of both signs, some of them zero."""
    model = engine.build(network, seed=seed)
    torch.manual_seed(seed)
    shapes = [node.fields["shape"] for node in network.nodes.values() if node.type == "Input"]
    model.train()
    with torch.no_grad():
        for _ in range(20):
            model(*[torch.randn(32, *shape) for shape in shapes])
        for module in model.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                torch.nn.init.normal_(module.weight)
                torch.nn.init.normal_(module.bias)
                module.weight[0] = 0.0
                module.weight[1], module.bias[1] = 0.0, 1.0
    return model.eval()


def packed(
    network: Network, folder: Path, examples: int = 64
) -> tuple[Any, torch.nn.Module, list[torch.Tensor]]:
    model = lively(network)
    shapes = [node.fields["shape"] for node in network.nodes.values() if node.type == "Input"]
    inputs = [torch.randn(examples, *shape) for shape in shapes]
    export_packed(network, model, folder / "net.safetensors", inputs)
    return load_packed(folder / "net.safetensors", folder / "net.py"), model, inputs


def conv(out: int, **fields: Any) -> Node:
    kinds = fields.pop("binarize", both())
    return Node("Conv2d", {"out_channels": out, "kernel_size": 3, "bias": False, **fields}, binarize=kinds)


NETWORKS = {
    "sums alone": chain(
        ("fc1", Node("Linear", {"out_features": 70, "bias": False}, binarize=both())), shape=(130,)
    ),
    "linear, norm, linear": chain(
        ("fc1", Node("Linear", {"out_features": 70, "bias": False}, binarize=both())),
        ("norm", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 9, "bias": False}, binarize=both())),
        shape=(65,),
    ),
    "convolutions, padded, strided, pooled": chain(
        ("c1", conv(8, padding=1)),
        ("p1", Node("MaxPool2d", {"kernel_size": 2})),
        ("n1", Node("BatchNorm2d")),
        ("c2", conv(12, stride=2, padding=1, dilation=1)),
        ("n2", Node("BatchNorm2d")),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 5, "bias": False}, binarize=both())),
        shape=(3, 12, 10),
    ),
    "groups and dilation": chain(
        ("c1", conv(8, groups=2, dilation=2, padding=2)),
        ("n1", Node("BatchNorm2d")),
        ("c2", conv(8, groups=8, padding="same")),
        shape=(4, 9, 9),
    ),
    "pooling behind the norm": chain(
        ("c1", conv(6)),
        ("n1", Node("BatchNorm2d")),
        ("p1", Node("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1})),
        ("c2", conv(4)),
        shape=(2, 11, 11),
    ),
    "one dimension": chain(
        ("c1", Node("Conv1d", {"out_channels": 6, "kernel_size": 5, "bias": False, "padding": 2}, binarize=both())),
        ("n1", Node("BatchNorm1d")),
        ("c2", Node("Conv1d", {"out_channels": 3, "kernel_size": 3, "bias": False}, binarize=both())),
        shape=(2, 20),
    ),
    "a border of signs": chain(
        ("c1", conv(8, padding=1, padding_mode="replicate")),
        ("n1", Node("BatchNorm2d")),
        ("c2", conv(12, stride=2, padding=[2, 1], padding_mode="replicate")),
        ("n2", Node("BatchNorm2d")),
        ("up", Node("ConstantPad2d", {"padding": [1, 0, 2, 1], "value": 1.0})),
        ("c3", conv(6)),
        ("n3", Node("BatchNorm2d")),
        ("down", Node("ConstantPad2d", {"padding": [1, 1, 1, 1], "value": -1.0})),
        ("c4", conv(6)),
        shape=(3, 9, 10),
    ),
    "three dimensions": chain(
        ("c1", Node("Conv3d", {"out_channels": 4, "kernel_size": 3, "bias": False, "padding": 1}, binarize=both())),
        shape=(2, 5, 6, 7),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_where_both_operands_are_binary_outputs_are_equal_to_the_last_bit(name: str, tmp_path: Path) -> None:
    run, model, inputs = packed(NETWORKS[name], tmp_path)
    with torch.inference_mode():
        expected = model(*inputs).numpy()
    found = run(*[tensor.numpy() for tensor in inputs])
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 2


@pytest.mark.parametrize(
    "estimator",
    ["identity_ste", "lbsign", "approx_sign", "swish_sign", "ede_tanh", "magnitude_aware_sign", "bireal_weight",
     "xnor_scale", "dorefa_weight", "ir_weight", "bc_stochastic", "twn", "ste_tern"],
)  # fmt: skip
def test_every_weight_estimator_packs_and_gives_the_models_outputs(estimator: str, tmp_path: Path) -> None:
    network = chain(
        ("c1", conv(8, padding=1, bias=True, binarize=both(estimator))),
        ("n1", Node("BatchNorm2d")),
        ("c2", conv(6, binarize=both(estimator))),
        ("n2", Node("BatchNorm2d", activation=choice("ReLU"))),
        ("flat", Node("Flatten")),
        ("fc", Node("Linear", {"out_features": 5})),
        shape=(3, 8, 8),
    )
    run, model, inputs = packed(network, tmp_path)
    with torch.inference_mode():
        expected = model(*inputs).numpy()
    assert np.allclose(run(inputs[0].numpy()), expected, atol=1e-4)
    kept = {step["op"] for step in run.steps}
    assert ("binary_conv" in kept) is (estimator not in ("twn", "ste_tern"))


@pytest.mark.parametrize(
    "estimator", ["identity_ste", "lbsign", "approx_sign", "swish_sign", "ede_tanh", "rsign"]
)
def test_every_sign_of_inputs_packs(estimator: str, tmp_path: Path) -> None:
    network = chain(
        ("fc1", Node("Linear", {"out_features": 40, "bias": False}, binarize=both())),
        ("norm", Node("BatchNorm1d")),
        ("fc2", Node("Linear", {"out_features": 9, "bias": False}, binarize=both(input=estimator))),
        shape=(65,),
    )
    model = lively(network)
    if estimator == "rsign":
        torch.nn.init.normal_(model.fc2__input.bias)
    x = torch.randn(50, 65)
    export_packed(network, model, tmp_path / "n.safetensors", [x])
    run = load_packed(tmp_path / "n.safetensors", tmp_path / "n.py")
    with torch.inference_mode():
        assert np.array_equal(run(x.numpy()), model(x).numpy())
    assert "affine" not in {step["op"] for step in run.steps}


def test_a_shortcut_around_a_binarized_convolution_stays_real(tmp_path: Path) -> None:
    nodes = {
        "image": Node("Input", {"shape": [4, 6, 6]}),
        "c1": conv(4, padding=1),
        "n1": Node("BatchNorm2d"),
        "sum": Node("Add", activation=choice("Hardtanh")),
        "c2": conv(4, padding=1, binarize=both("xnor_scale")),
        "out": Node("Output"),
    }
    wires = [("image", "c1"), ("c1", "n1"), ("sum", "c2"), ("c2", "out")]
    edges = [Edge(End(a), End(b)) for a, b in wires]
    edges += [Edge(End("n1"), End("sum", "input")), Edge(End("image"), End("sum", "other"))]
    run, model, inputs = packed(Network(nodes=nodes, edges=tuple(edges)), tmp_path)
    with torch.inference_mode():
        assert np.allclose(run(inputs[0].numpy()), model(*inputs).numpy(), atol=1e-4)


def test_minus_zero_is_plus_one_in_the_packed_network_too(tmp_path: Path) -> None:
    network = chain(("fc", Node("Linear", {"out_features": 3, "bias": False}, binarize=both())), shape=(5,))
    run, model, _ = packed(network, tmp_path)
    x = torch.tensor([[-0.0, 0.0, -0.0, 1.0, -1.0]])
    with torch.inference_mode():
        assert np.array_equal(run(x.numpy()), model(x).numpy())


def test_binarized_weights_take_a_bit_each(tmp_path: Path) -> None:
    network = chain(
        ("fc", Node("Linear", {"out_features": 64, "bias": False}, binarize=both())), shape=(784,)
    )
    model = engine.build(network)
    export_packed(network, model, tmp_path / "n.safetensors", [torch.randn(2, 784)])
    tensors = safetensors.numpy.load_file(tmp_path / "n.safetensors")
    assert tensors["fc.weight"].dtype == np.uint8
    assert tensors["fc.weight"].shape == (64, 98)
    bits = np.unpackbits(tensors["fc.weight"], axis=1).astype(bool)
    assert np.array_equal(bits, model.fc.weight.detach().numpy() >= 0)


class TestTheProgram:
    def test_it_needs_numpy_alone_and_no_folder_of_ours(self, tmp_path: Path) -> None:
        _, model, inputs = packed(NETWORKS["convolutions, padded, strided, pooled"], tmp_path)
        np.save(tmp_path / "x.npy", inputs[0].numpy())
        blocked = "import sys; sys.modules.update(torch=None, safetensors=None, engine=None)"
        code = f"{blocked}; import numpy, net; numpy.save('y.npy', net.PackedNetwork('net.safetensors')(numpy.load('x.npy')))"
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60)
        with torch.inference_mode():
            assert np.array_equal(np.load(tmp_path / "y.npy"), model(*inputs).numpy())

    def test_on_the_command_line_it_names_the_class_of_each_example(self, tmp_path: Path) -> None:
        _, model, inputs = packed(NETWORKS["linear, norm, linear"], tmp_path)
        np.save(tmp_path / "x.npy", inputs[0].numpy()[:3])
        done = subprocess.run(
            [sys.executable, "net.py", "x.npy"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        with torch.inference_mode():
            classes = model(inputs[0][:3]).argmax(1).tolist()
        assert [int(line.split()[2]) for line in done.stdout.splitlines()] == classes

    def test_without_bitwise_count_it_counts_by_table(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, model, inputs = packed(NETWORKS["groups and dilation"], tmp_path)
        monkeypatch.delattr(np, "bitwise_count", raising=False)
        with torch.inference_mode():
            assert np.array_equal(run(inputs[0].numpy()), model(*inputs).numpy())

    def test_a_flipped_bit_is_noticed(self, tmp_path: Path) -> None:
        packed(NETWORKS["sums alone"], tmp_path)
        damaged = bytearray((tmp_path / "net.safetensors").read_bytes())
        damaged[-1] ^= 1
        (tmp_path / "net.safetensors").write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            load_packed(tmp_path / "net.safetensors", tmp_path / "net.py")


class TestBisection:
    def test_it_finds_the_first_whole_number_that_holds(self) -> None:
        bound = torch.tensor([-7, 0, 3, 8])
        _, high, rising = bisect(lambda keys: keys >= bound, 4, 8)
        assert high.tolist() == bound.tolist()
        assert rising.all()

    def test_it_finds_the_last_that_holds_of_a_falling_condition(self) -> None:
        bound = torch.tensor([-8, 0, 7])
        low, _, rising = bisect(lambda keys: keys <= bound, 3, 8)
        assert low.tolist() == bound.tolist()
        assert not rising.any()

    def test_what_always_or_never_holds_is_out_of_reach(self) -> None:
        always = torch.tensor([True, False])
        _, high, rising = bisect(lambda keys: always, 2, 8)
        assert high.tolist() == [-8, 9]
        assert rising.all()

    def test_floats_keep_their_order_as_whole_numbers(self) -> None:
        values = torch.tensor([-1e30, -1.5, -1e-40, 0.0, 1e-40, 1.5, 1e30])
        keys = _keys(values)
        assert bool((keys.diff() > 0).all())
        assert torch.equal(_floats(keys), values)
        assert _floats(_keys(torch.tensor([1.0])) + 1).item() == np.nextafter(np.float32(1), np.float32(2))


@pytest.mark.parametrize(
    ("node", "named"),
    [(Node("GELU"), "GELU"), (Node("Linear", {"out_features": 3}, binarize={"input": choice("dorefa_input")}), "DoReFaInput")],
)  # fmt: skip
def test_what_has_no_packed_form_is_refused_by_name(node: Node, named: str, tmp_path: Path) -> None:
    network = chain(("odd", node), shape=(8,))
    with pytest.raises(NetworkProblem, match=f"^odd: .*{named}"):
        export_packed(network, engine.build(network), tmp_path / "n.safetensors", [torch.zeros(2, 8)])
    assert list(tmp_path.iterdir()) == []


class TestCommand:
    @pytest.fixture
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        return tmp_path

    TEMPLATE = str(assets.path("networks/digits_binarized_mlp.layerlab"))

    def test_a_trained_run_is_exported_and_proved(
        self, here: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["train", self.TEMPLATE, "--set", "recipe.epochs=2", "--json"]) == 0
        run = json.loads(capfd.readouterr().out)["run"]
        arguments = [
            "export",
            self.TEMPLATE,
            "--to",
            "packed",
            "-o",
            "digits.safetensors",
            "--run",
            run,
            "--json",
        ]
        assert cli.main(arguments) == 0
        report = json.loads(capfd.readouterr().out)
        assert report["proof"]["same_predictions"]
        assert report["proof"]["examples"] > 100
        assert report["size"]["binarized_ratio"] > 20
        assert report["weights"].startswith(run)
        assert (here / "digits.py").is_file()

    def test_without_a_run_it_says_that_nothing_is_trained(
        self, here: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["export", self.TEMPLATE, "--to", "packed", "-o", "digits.safetensors"]) == 0
        told = capfd.readouterr().out
        assert "train first" in told
        assert "times smaller" in told

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["--to", "paked", "-o", "x.safetensors"], 2, "Did you mean 'packed'"),
            (["--to", "packed", "-o", "x.safetensors", "--run", "nowhere"], 2, "is no run"),
            (["--to", "packed", "-o", "x.py"], 1, "program gets that name"),
            (["--to", "packed", "-o", "nowhere/x.safetensors"], 2, "nowhere"),
        ],
    )  # fmt: skip
    def test_mistakes_are_told_in_a_line(
        self, here: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
    ) -> None:
        assert cli.main(["export", self.TEMPLATE, *arguments]) == code
        told = capfd.readouterr().err
        assert said in told
        assert "Traceback" not in told
