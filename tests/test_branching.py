"""A run that is paused and edited, gone back to, branched and filmed: in the real window, with real hosts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6")

from PIL import Image
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QGraphicsScene, QGraphicsView, QLabel, QWidget
from window_helpers import close_window, open_window, template

from engine import edit
from engine.host.protocol import Observation
from engine.runs import RunFolder
from engine.training import weights
from gui import film
from gui.film import Film
from gui.session import Session
from gui.theme import theme

pytestmark = pytest.mark.gui

#: Milliseconds that a real host may take, on a slow machine under load.
LONG = 60_000


@pytest.fixture
def paused(qtbot, tmp_path):
    """The digits template in a run that has kept some weights, and is paused."""
    shown = open_window(tmp_path, network=template())
    shown.toolbar.epochs.setValue(100_000)
    qtbot.waitUntil(lambda: shown.workers.current, timeout=LONG)
    QTest.mouseClick(shown.toolbar.train_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(shown.session.kept) >= 3 and bool(shown.session.confusions), timeout=LONG)
    shown.running.pause()
    qtbot.waitUntil(lambda: shown.session.state == "paused", timeout=LONG)
    yield shown
    close_window(shown)


def test_an_edit_of_a_paused_run_shows_what_becomes_of_its_weights_and_a_branch_begins_where_it_is_told(
    paused, qtbot
):
    window, session, document = paused, paused.session, paused.document
    first_run, step = session.run, session.kept[1]
    canvas, network = window.canvas, document.network
    layers = [id for id, node in network.nodes.items() if node.type == "Linear"]
    assert layers == ["fc1", "fc2", "fc3"]
    # One layer goes, one grows, one stays as it is but for what it reads, one is new.
    after = edit.remove(network, ["fc2"], heal=True)
    after = edit.set_field(after, "fc1", "out_features", 24)
    document.edit(after, "Edit while paused")
    qtbot.waitUntil(lambda: window.workers.current, timeout=LONG)
    marks = {id: item.mark.text for id, item in canvas.drawing.nodes.items() if item.mark is not None}
    assert marks == {"fc1": "new", "fc3": "partly"}  # fc3 keeps its bias
    before = theme.tokens.name
    try:
        for name in ("dark", "light"):
            theme.choose(name)
            assert canvas.drawing.nodes["fc1"].mark.color == theme.color("warning").name()
    finally:
        theme.choose(before)
    assert canvas.drawing.ghosts.gone.keys() == {"fc2"}
    assert canvas.drawing.ghosts.gone["fc2"][1] == "dropped, with 2 trained parameters"
    assert all(wire.mark is None for wire in canvas.drawing.wires.values())
    assert session.edits[-1][0] == session.step
    assert "fc2" in session.edits[-1][1]
    assert "1 of its parameters keep their weights" in (window.banners.text("differs") or "")
    # Back to an earlier step: what is looked at is what a branch proposes.
    observation = next(o for o in session.observations if o.step >= step)
    session.seek(observation.step)
    dialog = window.branch()
    qtbot.waitUntil(dialog.isVisible)
    assert dialog.steps.currentData() == session.weights_step() <= observation.step
    assert any("fc2" in dialog.view.words.item(row).text() for row in range(dialog.view.words.count()))
    chosen = dialog.steps.currentData()
    QTest.mouseClick(dialog.train, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: session.run not in (None, first_run) and bool(session.metrics), timeout=LONG)
    assert session.origin.startswith(f"Branched from step {chosen:,}: ")
    assert canvas.drawing.ghosts.gone == {}
    kept = weights.load(RunFolder(Path(first_run)).kept(chosen))
    qtbot.waitUntil(RunFolder(Path(session.run)).start.exists, timeout=LONG)
    begun = weights.load(RunFolder(Path(session.run)).start)
    assert all((kept[name] == begun[name]).all() for name in kept)
    assert session.begun.parameters["fc1.weight"] == (24, 64)


def test_a_measure_colours_cards_and_wires_and_going_back_binds_canvas_matrix_and_film(
    paused, qtbot, tmp_path, monkeypatch
):
    window, session = paused, paused.session
    window.health.chooser.setCurrentText("Update ratio")
    wires = window.canvas.drawing.wires
    qtbot.waitUntil(lambda: any(wire.mark for wire in wires.values()))
    for wire in wires.values():
        mark = wire.source.mark or wire.target.mark
        # A wire of which nothing is known steps back, lest its colour be taken for a figure.
        assert wire.mark == (mark.color if mark else window.canvas.drawing.look.unknown_wire.name())
        if mark is not None and not wire.selected:
            assert wire.pen().color().name() == mark.color
    tips = {id: item.mark.tip for id, item in window.canvas.drawing.nodes.items() if item.mark}
    early = session.observations[0].step
    session.seek(early)
    qtbot.waitUntil(
        lambda: all(
            item.mark.tip.endswith(f"at step {early:,}")
            for item in window.canvas.drawing.nodes.values()
            if item.mark
        )
    )
    assert {id: item.mark.tip for id, item in window.canvas.drawing.nodes.items() if item.mark} != tips
    panel = window.docks["predictions"].widget()
    window.docks.reveal("predictions")
    panel.tabs.setCurrentIndex(1)
    panel.flush()
    # Nothing was validated up to this step, so what came later is not shown: the kept weights are asked.
    kept = max(step for step in session.kept if step <= early)
    assert session.confusions[0].step > early
    assert panel.confusion.counts.sum() == 0
    assert panel.confusion.told == f"Asking the weights of step {kept:,} …"
    qtbot.waitUntil(lambda: panel.model.predicted.weights == f"weights of step {kept:,}", timeout=LONG)
    qtbot.waitUntil(lambda: panel.confusion.counts.sum() == sum(session.confusions[0].counts), timeout=LONG)
    assert panel.confusion.told.endswith(f"weights of step {kept:,}")
    later = next(o.step for o in session.observations if o.step >= session.confusions[0].step)
    session.seek(later)
    panel.flush()
    last = [confused for confused in session.confusions if confused.step <= later][-1]
    assert panel.confusion.counts.ravel().tolist() == list(last.counts)
    assert panel.confusion.told.endswith(f"validation at step {last.step:,}")
    session.seek(None)
    window.docks.reveal("weights")  # what colours the canvas stands behind it
    qtbot.waitUntil(lambda: not window.health.in_view)
    pictured = []

    def picture(image):
        tips = {item.mark.tip for item in window.canvas.drawing.nodes.values() if item.mark}
        pictured.append((session.at, tips))
        return taken(image)

    taken = film._picture
    monkeypatch.setattr(film, "_picture", picture)
    said = []
    target = tmp_path / "run.gif"
    Film(session, window.workbench, window).start(target, said.append)
    qtbot.waitUntil(target.exists, timeout=LONG)
    with Image.open(target) as moving:
        assert moving.n_frames >= 2
        assert moving.width <= 960
    for at, tips in pictured:
        assert tips
        assert all(tip.endswith(f"at step {at:,}") for tip in tips)
    assert "a film of" in said[-1]
    assert session.at is None


def filmed(qtbot, target, colours) -> list[str]:
    """What is said while a session is filmed whose panel shows another colour at each step."""
    session, view, said = Session(), QLabel(), []
    qtbot.addWidget(view)
    view.setFixedSize(101, 67)  # sides that are odd, which H.264 cannot have
    for step in range(len(colours)):
        session.take(Observation(step, step / 10, {}, {}))
    paint = lambda step: view.setStyleSheet(  # noqa: E731
        f"background: {colours[len(colours) - 1 if step is None else step]}"
    )
    session.sought.connect(paint)
    Film(session, view, view).start(target, said.append)
    qtbot.waitUntil(lambda: bool(said) and ": a film of" in said[-1])
    return said


def test_after_a_film_everything_is_painted_anew(qtbot, tmp_path):
    session, view, said = Session(), QWidget(), []
    qtbot.addWidget(view)
    plot = QGraphicsView(QGraphicsScene(view), view)
    line = plot.scene().addLine(0, 0, 0, 50)
    plot.resize(200, 120)
    view.resize(200, 120)
    view.show()
    for step in range(3):
        session.take(Observation(step, step / 10, {}, {}))
    session.sought.connect(lambda step: line.setX(40 * (step or 0)))
    painted = []

    class Eyes(QObject):
        def eventFilter(self, watched, event):
            if said and "a film of" in said[-1] and event.type() == QEvent.Type.Paint:
                painted.append(event.region().boundingRect())
            return False

    eyes = Eyes()
    plot.viewport().installEventFilter(eyes)
    Film(session, view, view).start(tmp_path / "run.gif", said.append)
    qtbot.waitUntil(lambda: plot.viewport().rect() in painted)


def test_an_mp4_has_each_step_s_picture_at_its_time_and_in_its_colours(qtbot, tmp_path):
    av = pytest.importorskip("av", reason="MP4 is written by the optional package av")
    colours = ["#c02020", "#20a030", "#2030c0", "#e0e0e0"]
    said = filmed(qtbot, tmp_path / "run.mp4", colours)
    assert said[-1] == "run.mp4: a film of 4 pictures."
    with av.open(tmp_path / "run.mp4") as moving:
        stream = moving.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.codec_context.colorspace == film.BT709
        frames = list(moving.decode(video=0))
    assert [round(frame.time, 6) for frame in frames] == [round(0.12 * n, 6) for n in range(4 + 9)]
    for number, frame in enumerate(frames):
        wanted = [int(colours[min(number, 3)][i : i + 2], 16) for i in (1, 3, 5)]
        shown = frame.to_ndarray(format="rgb24", src_colorspace="ITU709")
        assert shown.shape == (66, 100, 3)
        assert abs(shown[10:50, 10:90].reshape(-1, 3).mean(axis=0) - wanted).max() < 4


def test_a_pyav_that_was_built_without_h264_is_told_in_words(monkeypatch):
    av = pytest.importorskip("av")

    class Opened:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def add_stream(self, codec, **_):
            raise av.codec.codec.UnknownCodecError(codec)

    monkeypatch.setattr(av, "open", lambda *_, **__: Opened())
    with pytest.raises(ValueError, match=r"cannot write H\.264: pip install av, or choose \.gif"):
        film._written([Image.new("RGB", (4, 4))], ".mp4")


def test_a_film_of_another_kind_or_of_nothing_is_refused_in_words(qtbot, tmp_path, monkeypatch):
    view, said = QLabel("seen"), []
    qtbot.addWidget(view)
    session = Session()
    monkeypatch.setattr(film.importlib.util, "find_spec", lambda name: None)
    for name in ("run.avi", "run.mp4", "run.gif"):
        Film(session, view, view).start(tmp_path / name, said.append)
    qtbot.waitUntil(lambda: len(said) == 3)
    assert said == [
        "Cannot write run.avi: films are .gif, .mp4 or .webp, not .avi.",
        "Cannot write run.mp4: MP4 needs PyAV, which is not installed: pip install av, or choose .gif.",
        "Cannot write run.gif: there is nothing to be seen yet",
    ]
    assert list(tmp_path.iterdir()) == []
