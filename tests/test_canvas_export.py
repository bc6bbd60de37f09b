"""The drawing as a picture for a paper."""

from __future__ import annotations

import errno
from xml.etree import ElementTree

import pytest
from PySide6.QtGui import QImage

import engine
from engine import edit_view
from engine.edit_view import Frame, Note
from gui.canvas import export
from gui.theme import theme
from tests.canvas_bench import Bench, chain
from tests.pictures import NETWORKS

pytestmark = pytest.mark.gui


@pytest.fixture
def bench(qtbot):
    return lambda network=None: Bench(qtbot, network)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_drawing_is_exported_whole_and_unmarked(bench, tmp_path, suffix):
    b = bench(chain("Input", "Conv2d"))
    b.selection.set(("conv1",))
    b.canvas.set_zoom(0.05)
    path = tmp_path / f"drawing.{suffix}"
    export.save(b.canvas.drawing, path)
    content = path.read_bytes()
    assert content.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    if suffix == "svg":
        assert b"conv1" in content
        assert b.canvas.drawing.look.accent.name().encode() not in content
    assert b.canvas.drawing.nodes["conv1"].selected


def test_the_corners_that_resize_frames_and_notes_are_not_in_the_picture(bench, tmp_path):
    frame, note = Frame((0, 300, 400, 200), "Stem", "green"), Note((500, 300, 200, 120), "Why")
    network = edit_view.set_mark(chain("Input", "Conv2d"), "frame1", frame)
    b = bench(edit_view.set_mark(network, "note1", note))
    path = tmp_path / "x.svg"
    export.save(b.canvas.drawing, path)
    picture = path.read_bytes()
    b.document.edit(edit_view.remove_marks(b.network, ("frame1", "note1")), "Remove")
    export.save(b.canvas.drawing, path)
    # The corner is drawn as two slanting lines: nothing else on a frame or note is a line by itself.
    assert picture.count(b"<polyline") == path.read_bytes().count(b"<polyline")


def test_a_picture_that_cannot_be_written_says_so(bench, tmp_path):
    b = bench(chain("Input"))
    for name in ("no_such_folder/x.svg", "no_such_folder/x.png", "no_such_folder/x.pdf"):
        with pytest.raises(OSError, match="cannot be written"):
            export.save(b.canvas.drawing, tmp_path / name)
    with pytest.raises(ValueError, match="png"):
        export.save(b.canvas.drawing, tmp_path / "x.bmp")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_for_a_paper_the_picture_is_the_same_in_the_dark(bench, tmp_path, qapp, suffix):
    network = edit_view.set_mark(
        chain("Input", "Conv2d"), "frame1", Frame((-40, -60, 520, 200), "Stem", "green")
    )
    b = bench(network)
    before, made = theme.tokens.name, []
    try:
        for choice in ("light", "dark"):
            theme.install(qapp, choice)
            export.save(b.canvas.drawing, tmp_path / f"{choice}.{suffix}")
            made.append((tmp_path / f"{choice}.{suffix}").read_bytes())
            assert b.canvas.drawing.look.tokens is theme.tokens  # on the screen all is as it was
    finally:
        theme.install(qapp, before)
    assert made[0] == made[1]


def test_wires_that_go_back_are_in_the_picture_whole(bench, tmp_path):
    b = bench(engine.load(NETWORKS / "lenet5_mnist.layerlab"))
    path = tmp_path / "x.png"
    export.save(b.canvas.drawing, path)
    image = QImage(str(path))
    edge = {image.pixel(x, y) for x in range(image.width()) for y in (0, image.height() - 1)}
    edge |= {image.pixel(x, y) for x in (0, image.width() - 1) for y in range(image.height())}
    assert edge == {0xFFFFFFFF}


def test_the_svg_has_no_empty_path_and_names_fonts_that_others_have(bench, tmp_path):
    b = bench(chain("Input", "Conv2d"))
    path = tmp_path / "x.svg"
    export.save(b.canvas.drawing, path)
    tree = ElementTree.parse(path)
    paths = [element.get("d") for element in tree.iter("{http://www.w3.org/2000/svg}path")]
    assert paths
    assert all(paths)
    families = {element.get("font-family") for element in tree.iter() if element.get("font-family")}
    assert all("Arial" in family and family.endswith("sans-serif") for family in families)


def test_a_picture_that_fails_leaves_the_old_one(bench, tmp_path, monkeypatch):
    b = bench(chain("Input"))
    path = tmp_path / "x.pdf"
    path.write_bytes(b"older")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.storage.atomic.os.fsync", full)
    with pytest.raises(OSError, match="cannot be written"):
        export.save(b.canvas.drawing, path)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]
