"""Names from a stranger's file are shown as names: nowhere does Qt take them for rich text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtGui import Qt
from PySide6.QtWidgets import QApplication, QLabel, QMessageBox, QWidget
from window_helpers import PlayedPool, boxes, close_window, open_window, template

import engine
from engine.network import Choice, Edge, End, Network, Node
from gui.window import Window

pytestmark = pytest.mark.gui
EVIL = "<b>bold</b><img src='file:///etc/passwd'>"


def evil_network() -> Network:
    """A drawing with evil words wherever a file may have words."""
    base = template()
    nodes = {
        **base.nodes,
        EVIL: Node(
            EVIL, {EVIL: EVIL}, Choice(EVIL, {EVIL: EVIL}), {EVIL: Choice(EVIL)}, {"weight": Choice(EVIL)}
        ),
        "fc1": msgspec.structs.replace(base.nodes["fc1"], activation=Choice(EVIL), extra={EVIL: EVIL}),
        "used": Node("Block", {EVIL: 1}, block=EVIL),
    }
    edges = (*base.edges, Edge(End(EVIL, EVIL), End("fc1", EVIL)))
    recipe = msgspec.structs.replace(base.recipe, loss=Choice(EVIL), optimizer=Choice("Adam", {EVIL: EVIL}))
    view = {**base.view, "comments": [{"text": EVIL, "at": [0, 0]}]}
    return msgspec.structs.replace(
        base, name=EVIL, nodes=nodes, edges=edges, recipe=recipe, view=view, extra={EVIL: EVIL}
    )


def taken_for_rich(root: QWidget) -> list[str]:
    """Widgets in which Qt would follow the evil words."""
    found = []
    for widget in [root, *root.findChildren(QWidget)]:
        where = f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}"
        if EVIL[:6] in widget.toolTip() and Qt.mightBeRichText(widget.toolTip()):
            found.append(f"tool tip of {where}")
        if isinstance(widget, QLabel) and EVIL[:6] in widget.text() and is_rich(widget):
            found.append(f"text of {where}")
        if isinstance(widget, QMessageBox) and widget.textFormat() != Qt.TextFormat.PlainText:
            found.append(where)
        for action in widget.actions():
            if EVIL[:6] in action.toolTip() and Qt.mightBeRichText(action.toolTip()):
                found.append(f"tool tip of action {action.objectName()}")
    return sorted(set(found))


def is_rich(label: QLabel) -> bool:
    if label.textFormat() == Qt.TextFormat.AutoText:
        return Qt.mightBeRichText(label.text())
    return label.textFormat() != Qt.TextFormat.PlainText


@pytest.fixture
def pool() -> PlayedPool:
    return PlayedPool()


@pytest.fixture
def window(qtbot, tmp_path: Path, pool: PlayedPool) -> Iterator[Window]:
    window = open_window(tmp_path, pool, evil_network())
    yield window
    close_window(window)


def test_no_word_of_a_file_is_taken_for_rich_text_anywhere_in_the_window(
    window: Window, pool: PlayedPool, qtbot
) -> None:
    analysis = engine.analyze(evil_network())
    qtbot.waitUntil(lambda: bool(pool.analyses))
    pool.answer(analysis)
    qtbot.waitUntil(lambda: window.workers.current)
    found: list[str] = []
    for chosen in ([], [EVIL], ["fc1"], ["used"], [EVIL, "fc1"]):
        window.selection.set(chosen)
        QApplication.processEvents()
        found += taken_for_rich(window)
    for name in ("problems", "recipe", "curves", "weights", "gradients", "predictions"):
        window.docks.reveal(name)
        QApplication.processEvents()
        found += taken_for_rich(window)
    assert sorted(set(found)) == []


def test_no_word_of_a_file_is_taken_for_rich_text_in_a_message(window: Window, tmp_path: Path) -> None:
    path = tmp_path / "evil.layerlab"
    path.write_text(json.dumps({"format": "layerlab", "version": 1, "nodes": {EVIL: 1}}))
    window.files.open_path(path)
    (box,) = boxes(window)
    assert EVIL in box.informativeText()
    assert box.textFormat() == Qt.TextFormat.PlainText
