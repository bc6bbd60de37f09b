"""PyTorch code comes in as the same model: layers, blocks, weights and outputs."""

from __future__ import annotations

import importlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import engine
from engine.analysis.walk import walk
from engine.catalog import LAYERS
from engine.cli import main
from engine.exchange.importing import import_module
from engine.exchange.python import export_python, instance
from engine.problems import FileProblem
from engine.training import weights

MODELS = Path(__file__).parent / "reference_models"
#: Model -> factory, the shape of an example (small, so that the test is quick), its parameters, where published.
REFERENCES: dict[str, tuple[str, list[str], int | None]] = {
    "resnet18": ("resnet18", ["3,32,32"], 11_689_512),
    "unet": ("unet", [], None),
    "mobilenet_v2": ("mobilenet_v2", ["3,32,32"], 3_504_872),
    "vgg11": ("vgg11", ["3,32,32"], None),
    "vgg16": ("vgg16", ["3,32,32"], 138_357_544),
    "lstm_classifier": ("lstm_classifier", ["20:int64"], None),
    "vit": ("vit", [], None),
    "gpt": ("gpt", [], None),
    "gpt_flash": ("gpt_flash", [], None),
}


def original(name: str, factory: str) -> nn.Module:
    """The hand-written model, with the values that it has when imported."""
    torch.manual_seed(0)
    home = importlib.import_module(f"tests.reference_models.{name}")
    return getattr(home, factory)().eval()


def batch_of(network: engine.Network) -> list[Tensor]:
    torch.manual_seed(7)
    found = []
    for node in network.nodes.values():
        if node.type == "Input":
            shape = (5, *node.fields["shape"])
            whole = node.fields.get("dtype") == "int64"
            found.append(torch.randint(0, 90, shape) if whole else torch.rand(shape))
    return found


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.full] * (name == "vgg16")) for name in REFERENCES]
)
def test_a_hand_written_model_is_imported_analysed_exported_and_run_as_the_same(
    name: str, tmp_path: Path
) -> None:
    factory, shapes, published = REFERENCES[name]
    module = name.removesuffix("_flash")
    report = import_module(f"{MODELS / module}.py:{factory}", tmp_path / "net.layerlab", shapes)
    assert report["unsupported"] == []
    assert report["comparison"]["same"]

    model = original(module, factory)
    network = engine.load(tmp_path / "net.layerlab")
    # What is wrong with the network itself; that the recipe has no data for it yet is another matter.
    assert [str(problem) for problem in walk(network).problems if problem.severity == "error"] == []
    analysis = engine.analyze(network)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert analysis.totals["parameters"] == count
    assert published in (None, count)

    built = engine.build(network).eval()
    built.load_state_dict(weights.load(tmp_path / "net.safetensors"))
    batch = batch_of(network)
    export_python(network, built, tmp_path / "printed.py", batch)
    printed = instance((tmp_path / "printed.py").read_text()).eval()
    printed.load_state_dict(torch.load(tmp_path / "printed.pt", weights_only=True))
    assert sum(parameter.numel() for parameter in printed.parameters()) == count
    with torch.no_grad():
        expected = model(*batch)
        # torch's fused attention sums in an order that depends on where its inputs lie in memory.
        rounding = 1e-5 if name == "gpt_flash" else 0
        torch.testing.assert_close(built(*batch), expected, rtol=rounding, atol=rounding)
        torch.testing.assert_close(printed(*batch), built(*batch), rtol=rounding, atol=rounding)


def test_repeated_modules_become_blocks_whose_differences_are_arguments(tmp_path: Path) -> None:
    import_module(f"{MODELS / 'resnet18'}.py:resnet18", tmp_path / "r.layerlab", ["3,32,32"])
    network = engine.load(tmp_path / "r.layerlab")
    uses = [node for node in network.nodes.values() if node.type == "Block"]
    assert len(uses) == 8  # 2 + 2 + 2 + 2
    plain = network.blocks["BasicBlock"]
    assert list(plain.arguments) == ["out_channels"]
    assert {node.fields.get("out_channels", 64) for node in uses if node.block == "BasicBlock"} == {
        64,
        128,
        256,
        512,
    }
    assert plain.nodes["conv1"].fields["out_channels"] == {"expr": "out_channels"}
    assert "class BasicBlock(nn.Module):" in engine.source(network)


def test_modules_within_modules_become_blocks_within_blocks(tmp_path: Path) -> None:
    report = import_module(f"{MODELS / 'unet'}.py:unet", tmp_path / "u.layerlab")
    network = engine.load(tmp_path / "u.layerlab")
    # inc, and one in each of Down (3 uses), Up and Up_2: drawn once wherever channels alone differ.
    down = network.blocks["Down"]
    inner = [node for node in down.nodes.values() if node.type == "Block"]
    assert len(inner) == 1
    double = network.blocks[str(inner[0].block)]
    assert [node.type for node in double.nodes.values() if node.type == "Conv2d"] == ["Conv2d"] * 2
    assert "out_channels" in down.arguments
    assert inner[0].fields == {"out_channels": {"expr": "out_channels"}}
    assert report["blocks"]["Down"] == 3
    text = engine.source(network)
    assert text.count("class Down(nn.Module)") == 1
    assert "DoubleConv(" in text.partition("class Down")[2].partition("class ")[0]


def test_torch_export_is_asked_for_a_second_opinion(tmp_path: Path) -> None:
    report = import_module(f"{__name__}:Arithmetic", tmp_path / "a.layerlab", ["6"], opinion=True)
    assert report["torch_export"]["exported"]
    assert report["torch_export"]["batch"]
    assert report["torch_export"]["largest_difference"] < 1e-5
    report = import_module(f"{__name__}:Deciding", tmp_path / "d.layerlab", ["6"], opinion=True)
    assert not report["torch_export"]["exported"]
    assert report["torch_export"]["reason"]


def test_tied_weights_stay_one(tmp_path: Path) -> None:
    import_module(f"{MODELS / 'gpt'}.py:gpt", tmp_path / "g.layerlab")
    built: Any = engine.build(engine.load(tmp_path / "g.layerlab"))
    assert built.lm_head.weight is built.transformer_wte.weight


# ---------------------------------------------------------------------------- how code is written


class SequenceFirst(nn.Module):
    """torch's own default: the sequence before the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.gru, self.out = nn.Embedding(90, 8), nn.GRU(8, 6), nn.Linear(6, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        output, _ = self.gru(self.table(tokens).permute(1, 0, 2))
        return self.out(output[-1])


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lift, self.mix, self.norm = nn.Linear(8, 16), nn.MultiheadAttention(16, 4), nn.LayerNorm(16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lift(x).transpose(0, 1)
        y, _ = self.mix(x, x, x)
        return self.norm((x + y).transpose(0, 1)).max(dim=1)[0]


class Encoder(nn.Module):
    """Raw parameters: positions without a batch, a scale per feature."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(90, 16)
        self.positions = nn.Parameter(torch.randn(12, 16))
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2)
        self.scale = nn.Parameter(torch.rand(16))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens) * 4 + self.positions[: tokens.size(1)]
        return (self.layers(x) * self.scale).mean(1)


class Arithmetic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        y = 1 - y / 2 + 3 * y - (-x) ** 2
        y += x[:, :1] * x[:, -1:]
        return torch.stack([y, 2 / (x + 1)], dim=1).unflatten(2, (2, 3))[..., 0]


class Deciding(nn.Module):
    """A branch on values, which torch.export cannot read."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        return y if float(y.detach().sum()) > -1e9 else -y


class Functional(nn.Module):
    """Weights handed to functions, as old code does."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.weight, self.offset = nn.Parameter(torch.randn(5, 16)), nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> Tensor:
        from torch.nn import functional as F

        x = F.max_pool2d(F.leaky_relu(F.conv2d(x, self.kernel, padding=1), 0.2), 2)
        x = F.adaptive_avg_pool2d(F.interpolate(x, scale_factor=2.0, mode="bilinear"), 2)
        return F.linear(x.reshape(x.shape[0], -1), self.weight, self.offset)


class Shared(nn.Module):
    """One layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc(self.act(self.fc(x))))


WRITTEN: dict[type[nn.Module], list[str]] = {
    SequenceFirst: ["12:int64"],
    Attending: ["5,8"],
    Encoder: ["12:int64"],
    Arithmetic: ["6"],
    Functional: ["3,8,8"],
    Shared: ["4"],
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_people_write_between_layers_is_recorded(kind: type[nn.Module], tmp_path: Path) -> None:
    report = import_module(f"{__name__}:{kind.__name__}", tmp_path / "n.layerlab", WRITTEN[kind])
    assert report["unsupported"] == []
    assert report.get("problems") is None
    torch.manual_seed(0)
    model = kind().eval()
    network = engine.load(tmp_path / "n.layerlab")
    built = engine.build(network).eval()
    built.load_state_dict(weights.load(tmp_path / "n.safetensors"))
    assert sum(p.numel() for p in built.parameters()) == sum(p.numel() for p in model.parameters())
    batch = batch_of(network)
    with torch.no_grad():
        torch.testing.assert_close(built(*batch), model(*batch), rtol=1e-5, atol=1e-6)


class Modules(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)


#: Fields away from their defaults, one layer each.
LAYERS_WRITTEN: dict[str, tuple[nn.Module, str]] = {
    "conv": (nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 2), (1, 1), 2, False, "reflect"), "4,12,12"),
    "same": (nn.Conv1d(4, 6, 3, padding="same", dilation=2), "4,20"),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2), "4,8,8"),
    "pool": (nn.MaxPool2d(3, 2, 1, ceil_mode=True), "4,12,12"),
    "average": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), "4,12,12"),
    "norm": (nn.BatchNorm2d(4, eps=1e-3, momentum=0.01, affine=False), "4,6,6"),
    "group": (nn.GroupNorm(2, 4, eps=1e-3), "4,6,6"),
    "layer norm": (nn.LayerNorm((4, 6), bias=False), "3,4,6"),
    "elu": (nn.ELU(0.5), "7"),
    "prelu": (nn.PReLU(4), "4,6,6"),
    "softmax": (nn.Softmax(dim=-1), "3,7"),
    "lstm": (nn.LSTM(5, 6, 2, batch_first=True, bidirectional=True, proj_size=3), "7,5"),
    "encoder": (
        nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", norm_first=True, batch_first=True),
        "5,8",
    ),
    "upsample": (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), "3,5,5"),
    "pad": (nn.ConstantPad2d((1, 2, 0, 3), 0.5), "3,5,5"),
    "unflatten": (nn.Unflatten(1, (2, 3)), "6"),
    "pixels": (nn.PixelShuffle(2), "8,4,4"),
}
CHOSEN: list[nn.Module] = []


def chosen() -> nn.Module:
    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = CHOSEN[-1]

        def forward(self, x: Tensor) -> Tensor:
            result = self.layer(x)
            return result[0] if isinstance(result, tuple) else result

    return First()


@pytest.mark.parametrize("name", LAYERS_WRITTEN)
def test_a_module_becomes_a_node_with_its_fields(name: str, tmp_path: Path) -> None:
    layer, shape = LAYERS_WRITTEN[name]
    CHOSEN.append(layer)
    report = import_module(f"{__name__}:chosen", tmp_path / "n.layerlab", [shape])
    assert report["unsupported"] == []
    assert report["comparison"]["equal"]
    network = engine.load(tmp_path / "n.layerlab")
    assert type(layer).__name__ == network.nodes["layer"].type
    built = engine.build(network).get_submodule("layer")
    # torch writes 3 where it was given 3, and (3, 3) where it was given that: the same to it.
    pairs = r"\((\d+)(?:, \1)+\)"
    assert re.sub(pairs, r"\1", str(built)) == re.sub(pairs, r"\1", str(layer))


def test_every_layer_that_torch_has_a_class_for_is_known_back() -> None:
    """Each catalogue entry that builds a class of torch.nn finds its fields again in the built module."""
    from engine.exchange.modules import fields_of, layer_of, plain
    from tests.networks import alone

    for id, entry in LAYERS.items():
        if not hasattr(nn, id) or id in ("Parameter", "Block"):
            continue
        built = engine.build(alone(id))
        module = built.get_submodule("layer")
        assert layer_of(module) == id
        found = plain(entry, fields_of(module, entry))
        assert entry.check(found) == [], id
        built_fields = {**entry.start(), **alone(id).nodes["layer"].fields}
        assert vars(entry.settings(found)) == vars(entry.settings(built_fields)), id


# ---------------------------------------------------------------------------- what cannot be done


@pytest.fixture
def code(tmp_path: Path) -> Any:
    def write(text: str) -> str:
        path = tmp_path / "code.py"
        path.write_text("import torch\nfrom torch import nn\n" + text)
        return f"{path}:make"

    return write


NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 8)
    def forward(self, x):
        {}
def make():
    print("loud code")
    return Net()
"""


def test_what_is_no_layer_is_named_and_stands_in_the_drawing(
    code: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = code(NET.format('return torch.einsum("bi,bi->b", self.fc(x), self.fc(x)).unsqueeze(1)'))
    assert main(["import", source, "--yes", "-o", str(tmp_path / "n.layerlab")]) == 1
    told = capsys.readouterr()
    assert "einsum" in told.out
    assert "runs the code" in told.err
    network = engine.load(tmp_path / "n.layerlab")
    assert "einsum" in {node.type for node in network.nodes.values()}
    assert any(problem.node == "einsum" for problem in engine.analyze(network).errors)


def test_a_branch_on_values_is_caught_by_the_comparison(
    code: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = code(NET.format("return self.fc(x) if len(x) == 3 else 2 * self.fc(x)"))
    assert main(["import", source, "--yes", "-o", str(tmp_path / "n.layerlab")]) == 1
    assert "DIFFER" in capsys.readouterr().out


def test_json_is_one_object_however_loud_the_code_is(
    code: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = code(NET.format("return self.fc(x).relu()"))
    assert main(["import", source, "--yes", "-o", str(tmp_path / "n.layerlab"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["comparison"]["equal"]
    assert report["parameters"] == {"module": 40, "network": 40}
    assert main(["import", source, "--yes", "-o", str(tmp_path / "n.layerlab")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_code_is_not_run_where_nobody_can_be_asked(
    code: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    source = code(f"open({str(ran)!r}, 'w').close()\ndef make(): return nn.Linear(4, 2)\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert main(["import", source, "-o", str(tmp_path / "n.layerlab")]) == 2
    assert "--yes" in capsys.readouterr().err
    assert not ran.exists()


def test_what_the_forward_does_not_use_is_named(
    code: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unused = "self.fc = nn.Linear(4, 8)\n        self.spare = nn.Linear(2, 3)"
    source = code(NET.format("return self.fc(x)").replace("self.fc = nn.Linear(4, 8)", unused))
    assert main(["import", source, "--yes", "-o", str(tmp_path / "n.layerlab")]) == 0
    told = capsys.readouterr().out
    assert "40 of the module's 49" in told
    assert "does not use it: spare (Linear)." in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def make(): return 3", "gives a int"),
        ("def make(): return 1 / 0", "ZeroDivisionError"),
        ("def make(: pass", "SyntaxError"),
        ("def mack(): pass", "Did you mean 'mack'"),
        (NET.format("raise ValueError('no')"), "--input"),
    ],
)
def test_code_that_fails_is_told_in_a_line(code: Any, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FileProblem, match=said) as raised:
        import_module(code(text), tmp_path / "n.layerlab")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "n.layerlab").exists()


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="no such file"):
        import_module(f"{tmp_path}/none.py:make", tmp_path / "n.layerlab")
    with pytest.raises(FileProblem, match="factory behind a colon"):
        import_module("model.py", tmp_path / "n.layerlab")


def test_modules_of_torch_are_left_as_they_were(tmp_path: Path) -> None:
    before = nn.Module.__call__
    import_module(f"{__name__}:Shared", tmp_path / "n.layerlab", ["4"])
    assert nn.Module.__call__ is before
