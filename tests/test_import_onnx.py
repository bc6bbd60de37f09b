"""ONNX files come in as networks: layers, blocks, weights, and the outputs of ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import engine
from engine import templates
from engine.cli import main
from engine.problems import FileProblem
from engine.training import weights
from tests.test_import import REFERENCES, original

onnx = pytest.importorskip("onnx", reason="the optional package onnx is not installed")
helper = onnx.helper
with contextlib.suppress(ImportError):  # torch's exporter shows bars, whose thread would stay
    import tqdm

    tqdm.tqdm.monitor_interval = 0
FLOAT = 1


def bring(path: Path, **more: Any) -> dict[str, Any]:
    from engine.exchange.importing import import_onnx

    return import_onnx(path, path.with_suffix(".layerlab"), **more)


def built(report: dict[str, Any]) -> nn.Module:
    model = engine.build(engine.load(report["file"])).eval()
    model.load_state_dict(weights.load(report["weights"]))
    return model


def written(model: nn.Module, inputs: list[torch.Tensor], path: Path) -> None:
    """`model` by torch's own exporter, for any batch size."""
    pytest.importorskip("onnxscript")
    free = torch.export.Dim("batch")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            tuple(inputs),
            dynamic_shapes=tuple({0: free} for _ in inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    onnx.save(program.model_proto, path)


def graph(
    path: Path,
    nodes: list[Any],
    shape: list[int | str],
    constants: dict[str, np.ndarray] | None = None,
    rank: int | None = None,
) -> Path:
    """A file of these nodes, from input ``x`` to output ``y``."""
    initializers = [onnx.numpy_helper.from_array(v, name) for name, v in (constants or {}).items()]
    made = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, [f"y{i}" for i in range(rank or len(shape))])],
        initializers,
    )
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


# ---------------------------------------------------------------------------- whole models

EXPORTED = ("unet", "lstm_classifier", "vit", "gpt", "gpt_flash")


@pytest.mark.parametrize("name", EXPORTED)
def test_a_reference_model_that_torch_has_exported_comes_back(name: str, tmp_path: Path) -> None:
    factory = REFERENCES[name][0]
    model = original(name.removesuffix("_flash"), factory)
    whole = name in ("lstm_classifier", "gpt", "gpt_flash")
    sizes = {"unet": (1, 64, 64), "vit": (3, 32, 32), "lstm_classifier": (20,)}.get(name, (24,))
    x = torch.randint(0, 90, (2, *sizes)) if whole else torch.rand(2, *sizes)
    written(model, [x], tmp_path / "m.onnx")
    report = bring(tmp_path / "m.onnx")
    assert report["unsupported"] == []
    assert report["comparison"]["same"]
    count = sum(parameter.numel() for parameter in model.parameters())
    if name in ("vit",):  # the others' exporter folds norms into convolutions, or cuts tables
        assert report["parameters"]["network"] == count
    if name in ("vit", "gpt"):
        assert report["blocks"]["Block"] > 1
    with torch.no_grad():
        torch.testing.assert_close(built(report)(x), model(x), rtol=1e-3, atol=1e-4)


def test_tied_weights_stay_one(tmp_path: Path) -> None:
    written(original("gpt", "gpt"), [torch.randint(0, 90, (2, 24))], tmp_path / "g.onnx")
    model: Any = built(bring(tmp_path / "g.onnx"))
    table, head = model.get_submodule("transformer_wte"), model.get_submodule("lm_head")
    assert table.weight is head.weight


@pytest.mark.parametrize("id", ["digits_mlp", "residual_digits", "lenet5_mnist", "digits_binarized_mlp"])
def test_our_own_export_comes_back_or_says_what_it_cannot(id: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from engine.exchange.onnx import export_onnx

    network = templates.template(id).network
    model = engine.build(network, seed=0)
    x = torch.rand(4, *network.nodes["image"].fields["shape"])
    export_onnx(network, model, tmp_path / "t.onnx", [x])
    if id == "digits_binarized_mlp":  # a sign is no layer of the catalogue: it stands as a node, named
        report = bring(tmp_path / "t.onnx")
        assert report["unsupported"]
        return
    report = bring(tmp_path / "t.onnx")
    assert report["comparison"]["same"]
    with torch.no_grad():
        torch.testing.assert_close(built(report)(x), model.eval()(x), rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------- single operators


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


WINDOWS: dict[str, tuple[list[Any], dict[str, np.ndarray]]] = {
    "a convolution with uneven padding": (
        [helper.make_node("Conv", ["x", "conv.weight"], ["y"], pads=[0, 1, 2, 1], strides=[2, 1])],
        {"conv.weight": numbers(5, 4, 3, 3)},
    ),
    "padding to the same size": (
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])],
        {"w": numbers(5, 4, 3, 3), "b": numbers(5)},
    ),
    "a transposed convolution": (
        [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1], group=2)],
        {"w": numbers(4, 3, 3, 3)},
    ),
    "a batch norm": (
        [helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=1e-3)],
        {"s": numbers(4), "b": numbers(4), "m": numbers(4), "v": numbers(4) ** 2},
    ),
    "pools": (
        [
            helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
            helper.make_node("AveragePool", ["p"], ["q"], kernel_shape=[2, 2], pads=[1, 0, 1, 0], count_include_pad=1),
            helper.make_node("GlobalAveragePool", ["q"], ["g"]),
            helper.make_node("Flatten", ["g"], ["y"]),
        ],
        {},
    ),
    "resizing": (
        [
            helper.make_node("Resize", ["x", "", "s"], ["a"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
            helper.make_node("Resize", ["a", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="half_pixel"),
        ],
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "activations": (
        [
            helper.make_node("LeakyRelu", ["x"], ["a"], alpha=0.3),
            helper.make_node("Clip", ["a", "low", "high"], ["b"]),
            helper.make_node("PRelu", ["b", "slope"], ["c"]),
            helper.make_node("HardSwish", ["c"], ["d"]),
            helper.make_node("Softmax", ["d"], ["y"], axis=1),
        ],
        {"low": np.array(-1, np.float32), "high": np.array(2, np.float32), "slope": numbers(4, 1, 1)},
    ),
    "a GELU and a SiLU written out": (
        [
            helper.make_node("Div", ["x", "root"], ["a"]),
            helper.make_node("Erf", ["a"], ["b"]),
            helper.make_node("Add", ["b", "one"], ["c"]),
            helper.make_node("Mul", ["x", "c"], ["d"]),
            helper.make_node("Mul", ["d", "half"], ["e"]),
            helper.make_node("Sigmoid", ["e"], ["f"]),
            helper.make_node("Mul", ["e", "f"], ["y"]),
        ],
        {"root": np.array(2**0.5, np.float32), "one": np.array(1, np.float32), "half": np.array(0.5, np.float32)},
    ),
    "slices, splits and joins": (
        [
            helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=1),
            helper.make_node("Slice", ["b", "starts", "ends", "axes"], ["c"]),
            helper.make_node("Concat", ["a", "c"], ["d"], axis=1),
            helper.make_node("ReduceMean", ["d", "axes"], ["y"], keepdims=0),
        ],
        {"sizes": np.array([1, 3]), "starts": np.array([1]), "ends": np.array([(1 << 63) - 1]), "axes": np.array([1])},
    ),
}  # fmt: skip
NAMED = {
    "a GELU and a SiLU written out": ["GELU", "SiLU"],
    "a batch norm": ["BatchNorm2d"],
    "pools": ["MaxPool2d"],
}


@pytest.mark.parametrize("name", WINDOWS)
def test_an_operator_is_the_layer_that_gives_what_the_runtime_gives(name: str, tmp_path: Path) -> None:
    nodes, constants = WINDOWS[name]
    rank = {"pools": 2, "slices, splits and joins": 3}.get(name)
    report = bring(graph(tmp_path / "m.onnx", nodes, ["N", 4, 8, 8], constants, rank))
    assert report["unsupported"] == []
    assert report.get("problems") is None
    assert report["comparison"]["same"]
    types = [node.type for node in engine.load(report["file"]).nodes.values()]
    assert set(NAMED.get(name, [])) <= set(types)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_gates_come_in_torchs_order(kind: str, gates: int, both: bool, tmp_path: Path) -> None:
    direction, count = ("bidirectional", 2) if both else ("forward", 1)
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(kind, ["t", "w", "r", "b"], ["all"], hidden_size=6, direction=direction, **more),
        helper.make_node("Transpose", ["all"], ["u"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["u", "flat"], ["v"]),
        helper.make_node("Transpose", ["v"], ["y"], perm=[1, 0, 2]),
    ]
    constants = {
        "w": numbers(count, gates * 6, 5),
        "r": numbers(count, gates * 6, 6),
        "b": numbers(count, 2 * gates * 6),
        "flat": np.array([0, 0, -1]),
    }
    report = bring(graph(tmp_path / "m.onnx", nodes, ["N", 7, 5], constants))
    assert report["unsupported"] == []
    assert report["comparison"]["same"]
    assert kind in [node.type for node in engine.load(report["file"]).nodes.values()]


# ---------------------------------------------------------------------------- files as they are


def test_a_file_for_one_example_becomes_a_network_for_any_number(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["a"]),
        helper.make_node("Gemm", ["a", "fc.weight", "fc.bias"], ["y"], transB=1),
    ]
    constants = {"shape": np.array([1, 12]), "fc.weight": numbers(2, 12), "fc.bias": numbers(2)}
    report = bring(graph(tmp_path / "m.onnx", nodes, [1, 3, 4], constants, 2))
    assert report["comparison"]["same"]
    x = torch.rand(5, 3, 4)
    expected = x.flatten(1) @ torch.from_numpy(constants["fc.weight"]).T + torch.from_numpy(
        constants["fc.bias"]
    )
    torch.testing.assert_close(built(report)(x).detach(), expected, rtol=1e-4, atol=1e-5)


def test_the_command_imports_a_file_and_asks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = graph(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], ["N", 4])
    assert main(["import", str(path), "-o", str(tmp_path / "n.layerlab"), "--json"]) == 0
    told = capsys.readouterr()
    assert "runs the code" not in told.err
    assert json.loads(told.out)["comparison"]["same"]


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        ([helper.make_node("NonZero", ["x"], ["y"])], ["N", 4], "NonZero"),
        ([helper.make_node("Relu", ["x"], ["y"])], ["N", "width"], "--input"),
        ([helper.make_node("Resize", ["x", "", "s"], ["y"], mode="cubic", coordinate_transformation_mode="asymmetric")],
         ["N", 1, 4, 4], "Resize"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named(nodes: list[Any], shape: list[Any], said: str, tmp_path: Path) -> None:
    constants = {"s": np.array([1, 1, 2, 2], np.float32)} if "Resize" in said else {}
    with pytest.raises(FileProblem, match=said):
        bring(graph(tmp_path / "m.onnx", nodes, shape, constants))


@pytest.mark.parametrize("content", [b"", b"not a graph at all", b"\x08\x09" * 200])
def test_a_file_that_is_no_onnx_is_told_in_a_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(FileProblem) as raised:
        bring(tmp_path / "m.onnx")
    assert "\n" not in str(raised.value)
    with pytest.raises(FileProblem, match="no such file"):
        bring(tmp_path / "none.onnx")
