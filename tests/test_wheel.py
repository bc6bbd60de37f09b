"""A built wheel, installed alone and started from another folder, finds what it shows."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("hatchling", reason="building a wheel needs hatchling, which `make test` installs")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # No isolation and no dependencies: nothing is fetched.
    _python(
        folder,
        "-m",
        "pip",
        "wheel",
        "--no-build-isolation",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        ".",
        str(ROOT),
    )
    (built,) = folder.glob("layerlab-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's packages and its command, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    _python(folder, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", ".", str(wheel))
    return folder


def _python(folder: Path, *arguments: str, path: str = "") -> str:
    import os

    environment = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_both_packages_and_every_asset(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"engine/cli.py", "gui/app.py"} <= names
    assets = {
        path.relative_to(ROOT / "assets").as_posix()
        for path in (ROOT / "assets").rglob("*")
        if path.is_file()
    }
    assert assets
    assert {f"engine/_assets/{name}" for name in assets} <= names


def test_from_any_folder_the_installed_engine_finds_its_templates_and_help(
    installed: Path, tmp_path: Path
) -> None:
    code = (
        "import engine.assets, engine.templates, json; "
        "print(json.dumps({'engine': engine.assets.__file__, 'folder': str(engine.assets.folder()), "
        "'templates': [t.id for t in engine.templates.templates()], "
        "'help': sorted(p.name for p in engine.assets.path('help').glob('*.md'))}))"
    )
    found = json.loads(_python(tmp_path, "-c", code, path=str(installed)))
    assert Path(found["engine"]).is_relative_to(installed)
    assert Path(found["folder"]).is_relative_to(installed)
    assert "digits_mlp" in found["templates"]
    assert found["help"] == sorted(path.name for path in (ROOT / "assets/help").glob("*.md"))


def test_the_installed_command_makes_and_checks_a_network(installed: Path, tmp_path: Path) -> None:
    command = ("-m", "engine.cli")
    _python(tmp_path, *command, "new", "digits_mlp", "-o", "mine.layerlab", path=str(installed))
    checked = json.loads(_python(tmp_path, *command, "check", "mine.layerlab", "--json", path=str(installed)))
    assert checked == {"problems": []}
    scripts = list((installed / "bin").glob("layerlab*")) + list((installed / "Scripts").glob("layerlab*"))
    assert scripts


@pytest.mark.gui
def test_the_installed_window_finds_its_icons_style_and_fonts(installed: Path, tmp_path: Path) -> None:
    picture = tmp_path / "window.png"
    arguments = ("-m", "engine.cli", "--screenshot", str(picture), "--size", "900x600")
    _python(tmp_path, *arguments, path=str(installed))
    assert picture.read_bytes().startswith(b"\x89PNG")
