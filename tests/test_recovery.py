"""After a crash, before an overwrite, and back through the saves: what the window offers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from window_helpers import PlayedPool, boxes, close_window, open_window, template

from engine.network import Network
from engine.runs import owner
from engine.storage import file, history, recovery
from gui.recovery import BRING_BACK, DISCARD, LATER, REPLACE, RESTORE, TAKE, Keeper
from gui.versions import Choice
from gui.window import Window

pytestmark = pytest.mark.gui


@pytest.fixture
def window(qtbot, tmp_path: Path) -> Iterator[Window]:
    window = open_window(tmp_path, PlayedPool(), whole=False)
    yield window
    window.closed.emit()
    close_window(window)


@pytest.fixture
def keeper(window: Window, tmp_path: Path) -> Keeper:
    return window.keep_in(tmp_path / "kept")


def opened(window: Window, path: Path, network: Network | None = None) -> None:
    file.write(network or template(), path)
    assert window.files.open_path(path)


def wider(network: Network, features: int = 77) -> Network:
    node = network.nodes["fc1"]
    changed = msgspec.structs.replace(node, fields={**node.fields, "out_features": features})
    return msgspec.structs.replace(network, nodes={**network.nodes, "fc1": changed})


def crash(keeper: Keeper) -> None:
    """Leave what a window leaves whose process has gone: its owner's start is another's."""
    (folder,) = (path for path in (keeper.root / "open").iterdir())
    gone = keeper.root / "open" / "gone"
    shutil.copytree(folder, gone)
    holder = msgspec.json.decode((gone / "owner.json").read_bytes(), type=recovery.Holder)
    dead = recovery.Holder(owner.Owner(holder.owner.pid, "long ago"), holder.path)
    (gone / "owner.json").write_bytes(msgspec.json.encode(dead))


def press(dialog: Choice, name: str) -> None:
    next(button for button in dialog.buttons.buttons() if button.text().replace("&", "") == name).click()
    QApplication.processEvents()


def press_in_next(name: str, seen: list[str]) -> None:
    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, Choice):
            QTimer.singleShot(10, look)
            return
        seen.append(dialog.text.text())
        press(dialog, name)

    QTimer.singleShot(0, look)


# ---------------------------------------------------------------------------- after a crash


def test_edits_that_were_not_saved_are_offered_after_a_crash_with_their_difference(
    window: Window, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    edited = wider(window.document.network)
    window.document.edit(edited, "Widen")
    crash(keeper)
    window.document.replace(Network())
    dialog = keeper.offer()
    assert dialog is not None
    assert "1 edit of net.layerlab not saved" in dialog.text.text()
    words = dialog.view.words  # type: ignore[attr-defined]
    assert [words.item(i).text() for i in range(words.count())] == [
        "~ nodes.fc1.fields.out_features: 256 → 77"
    ]
    press(dialog, RESTORE)
    assert window.document.network == edited
    assert window.document.path == path
    assert not window.document.clean
    # It is in this window's journal now, and not offered again.
    assert keeper.offer() is None
    assert file.read(path) == template()


def test_what_is_asked_later_stays_and_what_is_discarded_goes(window: Window, keeper: Keeper) -> None:
    window.document.edit(template(), "Draw")
    crash(keeper)
    later = keeper.offer()
    assert later is not None
    press(later, LATER)
    again = keeper.offer()
    assert again is not None
    press(again, DISCARD)
    assert keeper.offer() is None


def test_a_crash_right_after_a_save_offers_nothing(window: Window, keeper: Keeper, tmp_path: Path) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    window.document.edit(wider(window.document.network), "Widen")
    assert window.files.save()
    crash(keeper)
    assert keeper.offer() is None


def test_a_journal_that_cannot_be_read_is_said_in_the_offer(window: Window, keeper: Keeper) -> None:
    window.document.edit(template(), "Draw")
    crash(keeper)
    (book,) = (keeper.root / "open" / "gone").glob("*.journal")
    book.write_bytes(b"x" + book.read_bytes()[1:])
    dialog = keeper.offer()
    assert dialog is not None
    assert "cannot be read" in dialog.text.text()
    press(dialog, DISCARD)


def test_closing_the_window_leaves_no_journal(window: Window, keeper: Keeper) -> None:
    window.document.edit(template(), "Draw")
    window.closed.emit()
    assert list((keeper.root / "open").iterdir()) == []


def test_a_second_window_on_the_same_file_says_so(window: Window, keeper: Keeper, tmp_path: Path) -> None:
    path = tmp_path / "net.layerlab"
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        other = keeper.root / "open" / "other"
        other.mkdir()
        started = owner._started(sleeper.pid) or ""
        holder = recovery.Holder(owner.Owner(sleeper.pid, started), str(path))
        (other / "owner.json").write_bytes(msgspec.json.encode(holder))
        opened(window, path)
        assert window.banners.text("elsewhere") == (
            "net.layerlab is open in another window too. Save in one of them only."
        )
    finally:
        sleeper.communicate()


# ---------------------------------------------------------------------------- other programs


def test_what_another_program_wrote_is_shown_before_it_is_overwritten_and_then_kept(
    window: Window, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    mine, theirs = wider(template(), 33), wider(template(), 99)
    window.document.edit(mine, "Mine")
    file.write(theirs, path)
    seen: list[str] = []
    press_in_next("Cancel", seen)
    assert not window.files.save()
    assert "Another program has changed net.layerlab" in seen[0]
    assert file.read(path) == theirs
    press_in_next(REPLACE, seen)
    assert window.files.save()
    assert file.read(path) == mine
    kept = [save.read() for save in history.saves(keeper.root / "history", path)]
    assert kept == [mine, theirs]


def test_the_files_version_can_be_taken_as_one_undo_step(
    window: Window, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    mine, theirs = wider(template(), 33), wider(template(), 99)
    window.document.edit(mine, "Mine")
    file.write(theirs, path)
    press_in_next(TAKE, [])
    assert not window.files.save()
    assert window.document.network == theirs
    window.document.undo_stack.undo()
    assert window.document.network == mine


def test_a_change_by_another_program_is_noticed_while_the_file_is_open(
    window: Window, keeper: Keeper, tmp_path: Path, qtbot
) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    file.write(wider(template()), path)
    qtbot.waitUntil(lambda: window.banners.text("changed") is not None)
    assert window.banners.text("changed") == "Another program has changed net.layerlab."


def test_ones_own_save_is_no_change_by_another_program(
    window: Window, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    for features in (5, 6, 7):
        window.document.edit(wider(window.document.network, features), "Widen")
        assert window.files.save()
    QApplication.processEvents()
    assert window.banners.text("changed") is None


def test_a_file_of_a_newer_format_opens_read_only_with_that_said(
    window: Window, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "net.layerlab"
    text = file.dumps(template()).decode().replace('"version": 1', '"version": 7')
    path.write_text(text)
    assert window.files.open_path(path)
    assert window.document.network.nodes == template().nodes
    assert "format 7" in (window.banners.text("newer") or "")
    window.document.edit(wider(window.document.network), "Widen")
    assert not window.files.save()
    (box,) = boxes(window)
    assert "read-only" in box.text()
    assert path.read_text() == text
    assert window.files._write(tmp_path / "mine.layerlab")
    assert window.banners.text("newer") is None


# ---------------------------------------------------------------------------- history


def test_an_earlier_save_is_brought_back_as_one_undo_step(
    window: Window, keeper: Keeper, tmp_path: Path
) -> None:
    path = tmp_path / "net.layerlab"
    opened(window, path)
    versions = [wider(template(), features) for features in (11, 22, 33)]
    for version in versions:
        window.document.edit(version, "Widen")
        assert window.files.save()
    dialog = keeper.show_history()
    assert dialog.list.count() == 3
    dialog.list.setCurrentRow(2)
    words = dialog.view.words  # type: ignore[attr-defined]
    assert words.item(0).text() == "~ nodes.fc1.fields.out_features: 11 → 33"
    press(dialog, BRING_BACK)
    assert window.document.network == versions[0]
    window.document.undo_stack.undo()
    assert window.document.network == versions[2]


def test_names_from_a_file_are_shown_as_plain_text(window: Window, keeper: Keeper, tmp_path: Path) -> None:
    network = msgspec.structs.replace(template(), name="<b>bold</b><img src='file:///etc/passwd'>")
    window.document.edit(network, "Draw")
    crash(keeper)
    dialog = keeper.offer()
    assert dialog is not None
    assert dialog.text.textFormat() == Qt.TextFormat.PlainText
    assert "<b>bold</b>" in dialog.text.text()
    press(dialog, DISCARD)


# ---------------------------------------------------------------------------- the program itself


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
def test_a_killed_window_leaves_its_edits_and_no_orphan(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from PySide6.QtCore import QStandardPaths, QTimer\n"
        "QStandardPaths.setTestModeEnabled(True)\n"
        "import gui.app as app\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "app._data_folder = lambda: root\n"
        "real = app._catch_exceptions\n"
        "def hook(window):\n"
        "    real(window)\n"
        "    def edited():\n"
        "        from engine.network import Network\n"
        "        window.document.edit(Network('edited'), 'Name')\n"
        "        print(*window.workers.pool.pids, flush=True)\n"
        "    window.completed.connect(lambda: QTimer.singleShot(0, edited))\n"
        "app._catch_exceptions = hook\n"
        "app.run(None)\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "QT_QPA_PLATFORM": "offscreen",
        "HOME": str(tmp_path),
    }
    window = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "kept")], stdout=subprocess.PIPE, env=environment
    )
    assert window.stdout is not None
    hosts = [int(word) for word in window.stdout.readline().split()]
    starts = [owner.Owner(pid, owner._started(pid) or "") for pid in hosts]
    assert hosts
    window.kill()
    window.communicate()
    (left,) = recovery.crashed(tmp_path / "kept" / "open")
    assert left.found is not None
    assert left.found.network.name == "edited"
    _wait_for_the_end_of(starts)


def _wait_for_the_end_of(owners: list[owner.Owner]) -> None:
    end = time.monotonic() + 10.0
    while any(map(owner.is_alive, owners)):
        assert time.monotonic() < end, "hosts outlive their window"
        threading.Event().wait(0.01)
