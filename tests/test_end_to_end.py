"""A person at the window, with real hosts behind it: build, train, look, save, open again; and lose a host."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from tests import gui_helpers as hands

from PySide6.QtCore import QPoint, Qt  # isort: skip
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from window_helpers import boxes, close_window, open_window, template, template_path

from engine import edit
from engine.network import Edge, End
from engine.storage import file
from gui import app
from gui.theme import theme
from gui.window import Window

pytestmark = pytest.mark.gui

#: Milliseconds that a real host may take, on a slow machine under load.
LONG = 60_000


@pytest.fixture
def window(qtbot, tmp_path):
    """An empty window with real hosts."""
    shown = open_window(tmp_path)
    yield shown
    close_window(shown)


@pytest.fixture
def training(qtbot, tmp_path):
    """The digits template, in a run that would go on for long."""
    network = template()
    shown = open_window(tmp_path, network=network)
    shown.toolbar.epochs.setValue(100_000)
    qtbot.waitUntil(lambda: shown.workers.current, timeout=LONG)
    QTest.mouseClick(shown.toolbar.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(shown.session.metrics) > 3, timeout=LONG)
    yield shown
    close_window(shown)


def drop_from_palette(window: Window, words: str, at: QPoint) -> None:
    palette = window.palette_view
    palette.search.setText(words)
    data = palette.layers.mimeData([palette.layers.currentItem()])
    hands.drop(window.canvas.viewport(), data, at)


def draw_wire(window: Window, source: str, target: str) -> None:
    """From the output port to the input port, unless the wire is there already."""
    if Edge(End(source), End(target)) in window.document.network.edges:
        return
    canvas = window.canvas
    start = canvas.mapFromScene(canvas.drawing.nodes[source].output_point(0))
    end = canvas.mapFromScene(canvas.drawing.nodes[target].input_point(0))
    hands.drag(canvas.viewport(), start, end)


def type_into(window: Window, field: str, text: str) -> None:
    """Into the inspector's field of that name."""
    editor = next(
        widget
        for widget in window.inspector.findChildren(QWidget)
        if widget.accessibleName() == field and widget.isVisible()
    )
    editor.setFocus()
    hands.key(editor, Qt.Key.Key_A, hands.CTRL)
    QTest.keyClicks(editor, text)
    hands.key(editor, Qt.Key.Key_Return)


def painted(widget: QWidget, color: str) -> int:
    """How many pixels of `widget`, as it is seen, have just this colour."""
    image = widget.grab().toImage()
    wanted = QColor(color).rgb()
    return sum(image.pixel(x, y) == wanted for y in range(image.height()) for x in range(image.width()))


def test_a_mouse_builds_a_network_trains_it_sees_the_curve_saves_and_opens_it_again(
    window, qtbot, tmp_path, monkeypatch
) -> None:
    QTest.mouseClick(window.welcome.empty_button, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    window.canvas.zoom_reset()
    layers = ["Input", "Flatten", "Linear", "Linear", "Output"]
    for number, words in enumerate(layers):
        window.selection.set()
        drop_from_palette(window, words, QPoint(80 + 130 * number, 60 + 70 * (number % 2)))
    ids = list(window.document.network.nodes)
    assert [node.type for node in window.document.network.nodes.values()] == layers
    window.canvas.fit()
    qtbot.wait(300)  # the canvas glides to its place
    for source, target in pairwise(ids):
        draw_wire(window, source, target)
    assert {(e.source.node, e.target.node) for e in window.document.network.edges} == set(pairwise(ids))

    canvas = window.canvas
    last = ids[3]
    hands.click(canvas.viewport(), canvas.mapFromScene(canvas.drawing.nodes[last].rect.center()))
    assert window.selection.current == last
    type_into(window, "out_features", "10")
    assert window.document.network.nodes[last].fields["out_features"] == 10
    qtbot.waitUntil(lambda: window.workers.current and not window.workers.analysis.problems, timeout=LONG)
    shapes = window.workers.analysis.shapes
    assert shapes == {ids[0]: (1, 8, 8), ids[1]: (64,), ids[2]: (64,), last: (10,), ids[4]: (10,)}

    curves = window.docks["curves"]
    window.toolbar.epochs.setValue(40)
    before = painted(curves.widget(), theme.tokens.validation)
    QTest.mouseClick(window.toolbar.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.state == "finished", timeout=LONG)
    qtbot.waitUntil(lambda: painted(curves.widget(), theme.tokens.validation) > before + 20, timeout=LONG)
    accuracy = [m.values["accuracy"] for m in window.session.metrics if m.split == "validation"]
    assert accuracy[-1] > 0.5, "it has learnt"
    assert len(window.session.observations) >= 1

    path = tmp_path / "mine.layerlab"
    monkeypatch.setattr("gui.choosing.QFileDialog.getSaveFileName", lambda *a: (str(path), ""))
    hands.key(window, Qt.Key.Key_S, hands.CTRL)
    assert window.document.clean
    drawn = window.document.network

    window.menus.save_weights.trigger()
    assert (tmp_path / "mine.safetensors").is_file()

    window.files.new()
    assert not window.document.network.nodes
    assert window.files.open_path(path)
    assert window.document.network == drawn
    assert file.read(path) == drawn
    qtbot.waitUntil(lambda: window.workers.current, timeout=LONG)
    assert window.workers.analysis.shapes == shapes

    qtbot.waitUntil(lambda: window.banners.text("weights") is not None, timeout=LONG)
    assert window.banners.text("weights") == "Trained weights lie beside this file (mine.safetensors)."
    window.banners.button("weights", "Start training from them").click()
    hands.key(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: bool(window.session.metrics), timeout=LONG)
    first = next(m for m in window.session.metrics if m.split == "train")
    assert first.values["accuracy"] > 0.5, "it goes on from what was learnt"
    assert Path(window.session.run or "").parent == tmp_path / "runs"


def test_killing_the_training_host_leaves_the_window_alive_and_the_document_whole(training, qtbot) -> None:
    network = training.document.network
    assert training.workers.run is not None
    assert training.workers.run.pid is not None
    os.kill(training.workers.run.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    qtbot.waitUntil(lambda: training.session.state == "interrupted", timeout=LONG)
    assert training.document.network == network
    assert training.session.metrics, "what was seen of it stays"
    assert "killed" in (training.banners.text("run") or "")
    # The window lives: an edit is analysed, and another run begins.
    training.document.edit(edit.set_field(network, "fc1", "out_features", 32), "Narrow")
    qtbot.waitUntil(lambda: training.workers.current, timeout=LONG)
    assert training.workers.analysis.shapes["fc1"] == (32,)
    hands.key(training, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: training.session.state == "running", timeout=LONG)


def test_killing_the_analysis_host_is_not_noticed_by_the_user(window, qtbot) -> None:
    window.files.open_template(template_path())
    qtbot.waitUntil(lambda: window.workers.current, timeout=LONG)
    window.workers.pool.replace_analyst()
    narrow = edit.set_field(window.document.network, "fc1", "out_features", 32)
    window.document.edit(narrow, "Narrow")
    qtbot.waitUntil(lambda: window.workers.current, timeout=LONG)
    assert window.workers.analysis.shapes["fc1"] == (32,)
    assert window.banners.text("host") is None
    assert boxes(window) == []


def test_pause_step_and_stop_reach_the_run(training, qtbot) -> None:
    QTest.keyClick(training, Qt.Key.Key_F6)
    qtbot.waitUntil(lambda: training.session.state == "paused", timeout=LONG)
    qtbot.waitUntil(lambda: training.session.progress is not None, timeout=LONG)
    step = training.session.progress.step
    QTest.keyClick(training, Qt.Key.Key_F10)
    qtbot.waitUntil(lambda: training.session.progress.step == step + 1, timeout=LONG)
    QTest.keyClick(training, Qt.Key.Key_F5, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: training.session.state == "stopped", timeout=LONG)
    assert training.session.result is not None
    assert training.session.result["state"] == "stopped"


def test_closing_the_window_during_a_run_leaves_no_process(training) -> None:
    pids = training.workers.pool.pids
    assert len(pids) >= 2
    training.document.undo_stack.setClean()
    training.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"type": "Linnear", "fields": {}}, "Linear"),
        ({"type": "Linear", "fields": {"out_features": "many"}}, "out_features"),
        ({"type": "Conv2d", "fields": {"out_channels": 4, "kernel_size": [31, 31]}}, "31"),
    ],
    ids=["an unknown layer", "a non-number in a field", "a kernel larger than its input"],
)
def test_what_is_wrong_is_listed_once_with_its_place_and_train_says_so(
    window, qtbot, tmp_path, changed, words
) -> None:
    import json

    value = json.loads(file.dumps(template()))
    value["nodes"]["fc1"] = changed
    if changed["type"] == "Conv2d":
        value["edges"] = [["image", "fc1"], ["fc1", "flat"], ["flat", "fc2"], ["fc2", "fc3"], ["fc3", "out"]]
        del value["nodes"]["drop"]
    path = tmp_path / "wrong.layerlab"
    path.write_text(json.dumps(value))
    assert window.files.open_path(path)
    qtbot.waitUntil(lambda: window.workers.current, timeout=LONG)
    told = [problem for problem in window.workers.analysis.errors if problem.node == "fc1"]
    assert len(told) == 1
    assert words in str(told[0])
    assert "Traceback" not in str(told[0])
    hands.key(window, Qt.Key.Key_F5)
    assert window.session.state == "idle"
    assert "from training" in window.status.currentMessage()
    assert boxes(window) == []


def test_a_picture_shows_the_network_and_its_training(qapp, tmp_path) -> None:
    out = tmp_path / "out.png"
    assert app.screenshot(out, template_path(), train_seconds=1.0, size=(1280, 800), theme="light") == 0
    from PySide6.QtGui import QImage

    image = QImage(str(out))
    assert (image.width(), image.height()) == (1280, 800)
    below = image.copy(0, 480, 960, 290)
    wanted = QColor(theme.tokens.train).rgb()
    pixels = sum(below.pixel(x, y) == wanted for y in range(below.height()) for x in range(below.width()))
    assert pixels > 200, "curves and histograms"


def test_a_picture_of_a_file_that_is_none_says_why(qapp, tmp_path, capsys) -> None:
    bad = tmp_path / "bad.layerlab"
    bad.write_text("{")
    assert app.screenshot(tmp_path / "out.png", bad) == 2
    assert "cut off" in capsys.readouterr().err
