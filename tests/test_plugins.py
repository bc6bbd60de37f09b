"""A layer of one's own: an installed package whose declaration Layerlab finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from engine import storage
from engine.network import Node
from tests.networks import chain

EXAMPLE = Path(__file__).parent / "plugin_example"
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the example is installed in, laid out as pip lays it out."""
    folder = tmp_path_factory.mktemp("plugins")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copy(EXAMPLE / "layerlab_example.py", folder)
    about = folder / "layerlab_example-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    points = project["entry-points"]["layerlab.layers"]
    lines = [f"{name} = {target}" for name, target in points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[layerlab.layers]", *lines, ""]))
    return folder


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = chain(
        ("flat", Node("Flatten")),
        ("gated", Node("GatedLinear", {"out_features": 12})),
        ("fc", Node("Linear", {"out_features": 10})),
        shape=(1, 8, 8),
    )
    path = tmp_path_factory.mktemp("files") / "gated.layerlab"
    storage.write(network, path)
    return path


def test_without_the_package_its_layer_is_kept_and_named_as_unknown(file: Path) -> None:
    done = python(ROOT, "-m", "engine.cli", "check", str(file), "--json")
    assert done.returncode == 1
    assert [p["code"] for p in json.loads(done.stdout)["problems"]] == ["unknown-type"]


def test_the_command_line_knows_the_layer(installed: Path, file: Path) -> None:
    explained = python(installed, "-m", "engine.cli", "catalog", "GatedLinear", "--json")
    assert json.loads(explained.stdout)["title"] == "Gated linear"
    checked = python(installed, "-m", "engine.cli", "check", str(file), "--json")
    assert (checked.returncode, json.loads(checked.stdout)["problems"]) == (0, [])
    summary = json.loads(python(installed, "-m", "engine.cli", "summary", str(file), "--json").stdout)
    assert next(row for row in summary["nodes"] if row["id"] == "gated")["parameters"] == 2 * (64 * 12 + 12)


def test_it_is_built_and_its_exported_source_needs_torch_alone(
    installed: Path, file: Path, tmp_path: Path
) -> None:
    code = f"""
import engine, torch
network = engine.load({str(file)!r})
model = engine.build(network)
x = torch.rand(3, 1, 8, 8)
torch.save((model.state_dict(), x, model(x)), {str(tmp_path / "model.pt")!r})
open({str(tmp_path / "printed.py")!r}, "w").write(engine.source(network))
"""
    done = python(installed, "-c", code)
    assert done.returncode == 0, done.stderr
    alone = f"""
import sys, torch
sys.path.insert(0, {str(tmp_path)!r})
import printed
state, x, y = torch.load({str(tmp_path / "model.pt")!r})
model = [v for v in vars(printed).values() if isinstance(v, type) and v.__module__ == "printed"][-1]()
model.load_state_dict(state)
assert torch.equal(model(x), y)
assert not {{"engine", "layerlab_example"}} & set(sys.modules)
"""
    done = python(tmp_path, "-c", alone)
    assert done.returncode == 0, done.stderr


def test_the_window_gets_the_declaration_as_data_and_runs_none_of_its_code(installed: Path) -> None:
    describe = "from engine.catalog import plugins; import json; plugins.load(); print(json.dumps(plugins.described()))"
    described = python(installed, "-c", describe).stdout
    adopt = f"""
import json, sys
from engine import edit
from engine.catalog import LAYERS, plugins
assert plugins.adopt(json.loads({described!r}))
assert not plugins.adopt(json.loads({described!r}))
layer = LAYERS["GatedLinear"]
assert edit.new_node("GatedLinear").fields == {{"out_features": 64}}
assert layer.check({{"out_features": 0}}) and not layer.check({{"out_features": 5}})
assert not {{"torch", "layerlab_example"}} & set(sys.modules)
"""
    done = python(ROOT, "-c", adopt)
    assert done.returncode == 0, done.stderr


def test_a_plugin_that_fails_is_named_and_the_rest_works(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken-1.0.dist-info"
    broken.mkdir()
    (broken / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (broken / "entry_points.txt").write_text("[layerlab.layers]\nbad = no_such_module:LAYER\n")
    code = "from engine.catalog import plugins, LAYERS; print(plugins.load()); print('GatedLinear' in LAYERS)"
    done = python(Path(os.pathsep.join([str(tmp_path), str(installed)])), "-c", code)
    assert "no_such_module" in done.stdout
    assert done.stdout.strip().endswith("True")
