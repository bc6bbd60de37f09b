"""Five kinds of data train from the command line and from the window, and beat the best constant answer."""

import json

import pytest

from engine import cli
from engine.data.view import view
from engine.storage import write
from tests.five_kinds import Kind, kinds, shared_data

NAMES = ["CSV regression", "character text", "time series", "5-dimensional arrays", "folders of pictures"]


@pytest.fixture(scope="module")
def five(tmp_path_factory) -> dict[str, Kind]:
    return {kind.name: kind for kind in kinds(tmp_path_factory.mktemp("five"))}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))


def chosen(five: dict[str, Kind], name: str) -> Kind:
    if name not in five:
        pytest.skip(f"CIFAR's pictures are not in {shared_data()}: set LAYERLAB_DATA")
    return five[name]


def beats(kind: Kind, validation: dict[str, float]) -> None:
    """Better than the best constant answer: right a tenth more often, or a fifth less wrong."""
    recipe = kind.network.recipe
    baseline = view(recipe.data, recipe.seed, samples=1).baseline.figures[kind.figure]
    reached = validation[kind.figure]
    print(f"{kind.name}: {kind.figure} {reached:.3f}, the best constant answer {baseline:.3f}")
    if kind.more_is_better:
        assert reached > baseline + 0.1
    else:
        assert reached < 0.8 * baseline


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_more_than_the_best_constant_answer_from_the_command_line(five, name, tmp_path, capsys):
    kind = chosen(five, name)
    file = tmp_path / "net.layerlab"
    write(kind.network, file)
    assert cli.main(["check", str(file)]) == 0
    capsys.readouterr()
    assert cli.main(["train", str(file), "--json", "--run-dir", str(tmp_path / "runs")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["state"] == "finished"
    beats(kind, result["validation"])


@pytest.mark.gui
@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_it_learns_more_than_the_best_constant_answer_from_the_window(five, name, tmp_path, qtbot):
    from gui.settings import Settings
    from gui.window import Window

    kind = chosen(five, name)
    file = tmp_path / "net.layerlab"
    write(kind.network, file)
    window = Window(Settings(tmp_path / "settings.ini"))
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.complete()
    try:
        window.files.open_path(file)
        window.docks.reveal("data")
        qtbot.waitUntil(lambda: window.data.view is not None, timeout=200_000)
        assert window.data.view.baseline is not None
        qtbot.waitUntil(lambda: window.workers.current, timeout=200_000)
        window.workers.train(device="cpu")
        qtbot.waitUntil(lambda: not window.session.active, timeout=200_000)
        assert window.session.state == "finished", window.session.message
        beats(kind, window.session.result["validation"])
    finally:
        window.workers.close()
