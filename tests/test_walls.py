"""The walls of the house: the engine runs without Qt, the window without torch.

Read from the imports of every file, and seen in fresh processes.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QT = ("PySide6", "PyQt6", "PyQt5", "PySide2", "shiboken6", "pyqtgraph", "qtawesome", "qtpy")
TORCH = ("torch", "torchvision")
#: Rooms that load torch, so that the window may not enter them.
TORCH_ROOMS = ("engine.analysis", "engine.compile", "engine.data", "engine.training", "engine.exchange")


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Each module that a file imports, anywhere in it but under ``if TYPE_CHECKING``."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        todo.extend(ast.iter_child_nodes(node))


def _within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _offences(folder: str, forbidden: tuple[str, ...], allowed: set[tuple[str, str]]) -> list[str]:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in files
        for line, module in _imports(path)
        if _within(module, forbidden)
        and not any(
            path.relative_to(ROOT).as_posix() == file and _within(module, (package,))
            for file, package in allowed
        )
    ]


def test_the_engine_imports_no_qt_and_no_window_but_for_the_line_that_opens_it() -> None:
    assert _offences("engine", (*QT, "gui"), {("engine/cli.py", "gui")}) == []


def test_the_window_imports_no_torch_and_no_room_that_does() -> None:
    assert _offences("gui", (*TORCH, *TORCH_ROOMS, "engine.host.server"), set()) == []


def test_the_light_rooms_of_the_engine_import_no_torch() -> None:
    heavy = ("analysis", "compile", "data", "training", "exchange")
    allowed = {("engine/doctor.py", "torch")}
    allowed |= {(f"engine/host/{path.name}", "torch") for path in (ROOT / "engine/host").glob("*.py")
                if path.stem not in ("client", "protocol", "pool", "__init__")}  # fmt: skip
    offences = _offences("engine", TORCH, allowed)
    assert [line for line in offences if Path(line).parts[1] not in heavy] == []


def _modules_after(code: str) -> set[str]:
    """The top-level modules that a fresh process has loaded after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('MODULES', *sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    line = next(line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    return {name.partition(".")[0] for name in line.split()[1:]}


@pytest.mark.parametrize(
    "code",
    [
        "import engine",
        "import engine.cli",
        "import engine.network, engine.edit, engine.diff, engine.ports, engine.findings",
        "import engine.catalog, engine.storage, engine.templates, engine.assign",
        "import engine.host.protocol, engine.host.client, engine.runs",
        "from engine.cli import main; main(['catalog'])",
        "from engine.cli import main; main(['templates', '--json'])",
        "from engine.cli import main; main(['check', 'no such file'])",
    ],
)
def test_what_needs_no_torch_loads_neither_torch_nor_qt(code: str) -> None:
    assert _modules_after(code).isdisjoint({*TORCH, *QT, "numpy", "sklearn"})


@pytest.mark.gui
def test_all_the_windows_modules_together_load_no_torch_typer_or_rich() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "gui").rglob("*.py")]
    names = [".".join(path.parts) for path in files if path.stem not in ("__init__", "__main__")]
    loaded = _modules_after(f"import engine.cli, {', '.join(names)}")
    assert "PySide6" in loaded
    assert loaded.isdisjoint({*TORCH, "typer", "rich", "sklearn", "polars"})
