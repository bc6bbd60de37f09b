"""Other machines: the list in the settings, its test button, and a run on a stand-in machine from the window."""

from __future__ import annotations

import gc
import shlex
import sys
import threading
import weakref
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from engine.host.client import HostProblem
from engine.host.pool import Pool
from engine.host.protocol import Device, Welcome
from engine.runs import RunFolder
from gui.document import Document
from gui.machines import MachinesDialog
from gui.mailbox import Mailbox
from gui.settings import Machine, Settings
from gui.workers import Workers
from tests.test_training import perceptron
from tests.window_helpers import PlayedPool, close_window, open_window

pytestmark = pytest.mark.gui
PATIENCE = 120_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.ini")


@pytest.fixture
def machine(tmp_path: Path) -> tuple[Path, str]:
    """A folder and a command: a host behind a shell in another folder, as ssh would start it."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    root = Path(__file__).parents[1]
    words = ["env", f"PYTHONPATH={root}", sys.executable, "-m", "engine.host.server"]
    inner = f"cd {shlex.quote(str(home))} && exec {shlex.join(words)}"
    return home, f"sh -c {shlex.quote(inner)}"


def _local() -> tuple[Pool, Mailbox]:
    """Hosts of this computer that do nothing, and start at once."""
    mailbox = Mailbox()
    return Pool(mailbox.put, command=[sys.executable, "-m", "tests.host_fake"]), mailbox


@pytest.fixture
def dialog(qtbot: QtBot, settings: Settings) -> MachinesDialog:
    view = MachinesDialog(settings, timeout=100.0)
    qtbot.addWidget(view)
    view.show()
    return view


def test_a_machine_is_added_named_and_kept(
    qtbot: QtBot, dialog: MachinesDialog, settings: Settings, tmp_path
):
    assert not dialog.test.isEnabled()
    qtbot.mouseClick(dialog.add, Qt.MouseButton.LeftButton)
    dialog.name.selectAll()
    qtbot.keyClicks(dialog.name, "gpu1")
    qtbot.keyClicks(dialog.command, "ssh gpu1 layerlab host")
    assert settings.machines == [Machine("gpu1", "ssh gpu1 layerlab host")]
    assert Settings(tmp_path / "settings.ini").machines == settings.machines
    assert dialog.test.isEnabled()
    qtbot.mouseClick(dialog.remove, Qt.MouseButton.LeftButton)
    assert settings.machines == []


def test_two_machines_never_have_one_name(qtbot: QtBot, settings: Settings):
    settings.machines = [Machine("a", "ssh a layerlab host"), Machine("b", "ssh b layerlab host")]
    view = MachinesDialog(settings)
    qtbot.addWidget(view)
    view.list.setCurrentRow(1)
    view.name.selectAll()
    qtbot.keyClicks(view.name, "a")
    assert "another machine called a" in view.told.text()
    assert [m.name for m in settings.machines] == ["a", "b"]


def test_settings_that_were_edited_by_hand_hold_no_machines(settings: Settings, tmp_path: Path):
    settings._store.setValue("machines", "{not json")
    assert settings.machines == []


def test_the_test_button_says_who_answers(qtbot: QtBot, dialog: MachinesDialog, settings, machine):
    settings.machines = [Machine("here", machine[1])]
    dialog._fill(0)
    qtbot.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    assert not dialog.test.isEnabled()
    qtbot.waitUntil(lambda: bool(dialog.told.text()), timeout=PATIENCE)
    assert "It answers: torch" in dialog.told.text()
    assert dialog.test.isEnabled()


def test_the_test_button_says_what_is_wrong(qtbot: QtBot, dialog: MachinesDialog, settings):
    settings.machines = [Machine("gone", "sh -c 'echo no route to host >&2; exit 255'")]
    dialog._fill(0)
    qtbot.mouseClick(dialog.test, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(dialog.told.text()), timeout=PATIENCE)
    assert "no route to host" in dialog.told.text()
    assert dialog.told.property("role") == "error"


def test_a_dialog_that_goes_during_its_test_ends_in_its_own_thread(
    qtbot: QtBot, settings: Settings, monkeypatch
):
    """Qt objects that end in another thread bring the program down, now or later."""
    held, ended = threading.Event(), threading.Event()

    def probe(words: list[str], timeout: float) -> Welcome:
        held.wait(PATIENCE / 1000)
        ended.set()
        raise HostProblem("It was too late.")

    monkeypatch.setattr("gui.machines.remote.probe", probe)
    settings.machines = [Machine("slow", "sh -c 'sleep 60'")]
    view = MachinesDialog(settings)
    view.test.click()
    known = weakref.ref(view)
    view.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    del view
    gc.collect()
    assert known() is None
    held.set()
    assert ended.wait(PATIENCE / 1000)


def test_the_window_trains_there_and_evaluates_there(qtbot: QtBot, settings: Settings, machine):
    home, command = machine
    settings.machines = [Machine("there", command)]
    document = Document()
    workers = Workers(document, hosts=_local())
    workers.elsewhere.command = settings.command
    try:
        document.replace(perceptron())
        workers.train("@there")
        qtbot.waitUntil(lambda: workers.session.state == "finished", timeout=PATIENCE)
        (folder,) = (home / "layerlab-runs").iterdir()
        assert workers.session.run == f"layerlab-runs/{folder.name}"
        assert workers.session.metrics
        result = RunFolder(folder).read_result()
        assert result is not None
        told: dict[int, object] = {}
        workers.answered.connect(lambda number, event: told.setdefault(number, event))
        asked = workers.evaluate(workers.session.run)
        qtbot.waitUntil(lambda: asked in told, timeout=PATIENCE)
        assert told[asked].splits["validation"]["loss"] == pytest.approx(
            result["validation"]["loss"], rel=1e-4
        )  # type: ignore[attr-defined]
    finally:
        workers.close()


def test_what_a_machine_cannot_have_is_said(qtbot: QtBot, settings: Settings, tmp_path: Path):
    workers = Workers(Document(), hosts=_local())
    workers.elsewhere.command = settings.command
    try:
        workers.train("@gone")
        assert "no machine called gone" in workers.session.message
        settings.machines = [Machine("there", "sh -c true")]
        workers.train("@there", weights=str(tmp_path / "w.safetensors"))
        assert "lie on this computer" in workers.session.message
    finally:
        workers.close()


def test_machines_stand_under_device_and_are_remembered(qtbot: QtBot, tmp_path: Path):
    Settings(tmp_path / "settings.ini").machines = [Machine("gpu1", "ssh gpu1 layerlab host")]
    pool = PlayedPool()
    window = open_window(tmp_path, pool)
    pool.mailbox.put(Welcome(1, 1, "3.11", "2.13.0", (Device("cpu", "CPU"),)))
    device = window.toolbar.device
    qtbot.waitUntil(lambda: device.count() == 3)
    assert [device.itemText(row) for row in range(3)] == ["Automatic", "CPU", "gpu1"]
    device.setFocus()
    QTest.keyClick(device, Qt.Key.Key_End)
    assert window.settings.device == "@gpu1"
    window.settings.machines = []
    assert window.settings.device == "auto"  # the list follows, and so does the choice
    close_window(window)
