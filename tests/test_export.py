"""Networks written in other forms are the same networks."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import safetensors.torch
import torch

import engine
from engine import edit, storage, templates
from engine.cli import main
from engine.exchange import python
from engine.exchange.proof import NotTheSame
from engine.network import Choice, Node
from tests.networks import chain

with contextlib.suppress(ImportError):  # torch's exporter shows bars, whose thread would stay
    import tqdm

    tqdm.tqdm.monitor_interval = 0

TEMPLATES = ("digits_mlp", "digits_binarized_mlp", "residual_digits")


@pytest.fixture
def file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "net.layerlab"
    storage.write(templates.template(getattr(request, "param", "residual_digits")).network, path)
    return path


def exported(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict:
    assert main(["export", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("file", TEMPLATES, indirect=True)
def test_the_python_file_runs_with_torch_alone_and_gives_the_networks_outputs(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = exported(capsys, file, "--to", "python", "-o", tmp_path / "printed.py")
    assert report["proof"]["outputs"] == "equal to the last bit"
    model = engine.build(engine.load(file)).eval()
    x = torch.rand(4, 1, 8, 8)
    torch.save(x, tmp_path / "x.pt")
    torch.save(model.state_dict(), tmp_path / "state.pt")
    # In a process of its own, which sees neither the engine nor this folder's conftest.
    script = (
        "import sys, torch; sys.path.insert(0, '.'); import printed\n"
        f"model = printed.{report['class']}().eval()\n"
        "model.load_state_dict(torch.load('printed.pt')); model.load_state_dict(torch.load('state.pt'))\n"
        "torch.save(model(torch.load('x.pt')), 'y.pt')\n"
        "assert not any(name.split('.')[0] in ('engine', 'msgspec', 'safetensors') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", script], cwd=tmp_path, check=True, timeout=120)
    assert torch.equal(torch.load(tmp_path / "y.pt"), model(x))


def test_the_exported_weights_are_those_of_the_run(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = engine.train(engine.load(file), epochs=1, run_dir=tmp_path / "runs")
    best = safetensors.torch.load_file(Path(result["run"]) / "best.safetensors")
    report = exported(capsys, file, "--to", "python", "-o", tmp_path / "a.py", "--run", result["run"])
    assert report["weights"].endswith("best.safetensors")
    written = torch.load(tmp_path / "a.pt", weights_only=True)
    assert written.keys() == best.keys()
    assert all(torch.equal(written[name], best[name]) for name in best)
    exported(capsys, file, "--to", "safetensors", "-o", tmp_path / "a.safetensors", "--run", result["run"])
    loaded = safetensors.torch.load_file(tmp_path / "a.safetensors")
    assert loaded.keys() == best.keys()
    assert all(torch.equal(loaded[name], best[name]) for name in best)


def test_safetensors_hold_exactly_the_state_dict(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = exported(capsys, file, "--to", "safetensors", "-o", tmp_path / "w.safetensors")
    state = engine.build(engine.load(file), seed=engine.load(file).recipe.seed).state_dict()
    loaded = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert report["tensors"] == len(state)


def test_a_person_is_told_what_was_compared(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(file), "--to", "python", "-o", str(tmp_path / "p.py")]) == 0
    told = capsys.readouterr().out
    assert "needs torch alone" in told
    assert "equal to the last bit" in told
    assert "first values of seed" in told


def test_several_outputs_are_compared_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = chain(
        ("fc", Node("Linear", {"out_features": 6}, init={"weight": Choice("orthogonal")})),
        ("parts", Node("Chunk", {"chunks": 2})),
        shape=(5,),
    )
    nodes = {**network.nodes, "second": Node("Output")}
    from engine.network import Edge

    edges = [edge for edge in network.edges if edge.source.node != "parts"]
    edges += [
        Edge(*map(engine.network.End.parse, pair)) for pair in (("parts.0", "out"), ("parts.1", "second"))
    ]
    path = tmp_path / "two.layerlab"
    storage.write(msgspec.structs.replace(network, nodes=nodes, edges=tuple(edges)), path)
    exported(capsys, path, "--to", "python", "-o", tmp_path / "two.py")
    twin = python.instance((tmp_path / "two.py").read_text())
    assert set(twin(torch.rand(2, 5))) == {"out", "second"}


def test_a_printed_model_that_is_another_is_not_passed_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof can fail: a source that scales its result is caught by its outputs."""
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(4,))
    true = engine.source(network)
    monkeypatch.setattr(python, "source", lambda network: true.replace("return x", "return 2 * x").replace(
        "return fc", "return 2 * fc"))  # fmt: skip
    with pytest.raises(NotTheSame, match="outputs are not those"):
        python.export_python(network, engine.build(network), tmp_path / "m.py", [torch.rand(2, 4)])


def test_attention_alone_may_differ_by_rounding_and_the_proof_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(*layers: tuple[str, Node], shape: tuple[int, ...], by: float) -> dict:
        network = chain(*layers, shape=shape)
        true = engine.source(network)
        lines = true.rstrip().split("\n")
        assert lines[-1].lstrip().startswith("return")
        lines[-1] = lines[-1].replace("return ", f"return (1 + {by}) * ")
        monkeypatch.setattr(python, "source", lambda network: "\n".join(lines) + "\n")
        return python.export_python(
            network, engine.build(network), tmp_path / "m.py", [torch.rand(2, *shape)]
        )

    attention = ("mix", Node("SelfAttention", {"num_heads": 2}))
    proof = report(attention, shape=(5, 8), by=1e-6)["proof"]
    assert "rounding of fused attention" in proof["outputs"]
    with pytest.raises(NotTheSame):
        report(attention, shape=(5, 8), by=1e-3)
    with pytest.raises(NotTheSame):
        report(("fc", Node("Linear", {"out_features": 3})), shape=(4,), by=1e-6)


def test_a_network_with_errors_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.layerlab"
    storage.write(
        chain(("conv", Node("Conv2d", {"out_channels": 3, "kernel_size": 31})), shape=(1, 8, 8)), path
    )
    assert main(["export", str(path), "--to", "python", "-o", str(tmp_path / "bad.py")]) == 1
    assert "conv" in capsys.readouterr().err
    assert not (tmp_path / "bad.py").exists()


@pytest.mark.skipif(importlib.util.find_spec("onnx") is not None, reason="the optional packages are there")
def test_onnx_without_its_packages_says_what_to_install(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(file), "--to", "onnx", "-o", str(tmp_path / "m.onnx")]) == 2
    assert "layerlab[onnx]" in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("file", TEMPLATES, indirect=True)
def test_onnx_runtime_gives_the_networks_outputs_at_any_batch_size(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    exported(capsys, file, "--to", "onnx", "-o", tmp_path / "m.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "net.layerlab"]
    session = runtime.InferenceSession(tmp_path / "m.onnx")
    network = engine.load(file)
    model = engine.build(network, seed=network.recipe.seed).eval()
    for batch in (1, 7):
        x = torch.rand(batch, 1, 8, 8)
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        torch.testing.assert_close(torch.from_numpy(y), model(x).detach(), rtol=1e-3, atol=1e-4)


LARGE = ("resnet34", "resnet50", "mobilenet_v2", "vgg16")


@pytest.mark.parametrize(
    "id", [pytest.param(t.id, marks=[pytest.mark.full] * (t.id in LARGE)) for t in templates.templates()]
)
def test_every_template_is_the_same_in_onnx_runtime(id: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from engine.exchange.onnx import export_onnx

    network = templates.template(id).network
    node = network.nodes["image"]
    if node.fields["shape"][-1] > 64:  # smaller pictures: the same layers in less time
        small = msgspec.structs.replace(node, fields={"shape": [3, 64, 64]})
        network = msgspec.structs.replace(network, nodes={**network.nodes, "image": small})
    examples = [torch.rand(4, *network.nodes["image"].fields["shape"])]
    report = export_onnx(network, engine.build(network, seed=0), tmp_path / "m.onnx", examples)
    assert report["proof"]["runtime"]
    assert report["proof"]["largest_difference"] < 1e-2


NAUGHTY = (
    Path(os.environ.get("LAYERLAB_DATA") or Path(__file__).parents[2] / "shared" / "data")
    / "naughty-strings.json"
)


def bare(text: str) -> str:
    """The code without what is prose: docstrings, and the class's name."""
    tree = ast.parse(text)
    for part in ast.walk(tree):
        if (
            isinstance(part, ast.Module | ast.ClassDef | ast.FunctionDef)
            and ast.get_docstring(part) is not None
        ):
            part.body = part.body[1:]
        if isinstance(part, ast.ClassDef):
            part.name = "Model"
    return ast.dump(tree)


@pytest.mark.skipif(not NAUGHTY.is_file(), reason="naughty-strings.json is not there (LAYERLAB_DATA)")
def test_no_naughty_name_changes_what_the_code_does() -> None:
    network = chain(("fc", Node("Linear", {"out_features": 2})), shape=(3,))
    expected = bare(engine.source(network))
    names = [*json.loads(NAUGHTY.read_text(encoding="utf-8")), '"""\nimport os', "\\", "\0", "\x0c\rx = 1"]
    assert len(names) > 400
    for name in names:
        assert bare(engine.source(edit.set_name(network, name))) == expected, repr(name)
