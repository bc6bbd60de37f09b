"""Cycles of objects are collected in the window's thread alone."""

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication

from gui.garbage import MANY, PACE, STILL, Garbage

pytestmark = pytest.mark.gui


@pytest.fixture
def collecting() -> Iterator[list[int]]:
    """The threads in which Python has collected since."""
    threads: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            threads.append(threading.get_ident())

    gc.callbacks.append(note)
    yield threads
    gc.callbacks.remove(note)


@pytest.fixture
def clocks(monkeypatch: Any) -> list[float]:
    """What the clock on the wall says, and how long this thread has worked."""
    said = [100.0, 10.0]
    monkeypatch.setattr("gui.garbage.time.monotonic", lambda: said[0])
    monkeypatch.setattr("gui.garbage.time.thread_time", lambda: said[1])
    return said


def make_cycles(count: int = 20_000) -> None:
    for _ in range(count):
        cycle: list[Any] = []
        cycle.append(cycle)


def in_a_thread() -> int:
    thread = threading.Thread(target=make_cycles)
    thread.start()
    thread.join()
    assert thread.ident is not None
    return thread.ident


#: In a process of its own: what other tests have left of Qt must not end in a thread of this one.
COLLECTS_ANYWHERE = """
import gc, threading
threads = set()
gc.callbacks.append(lambda phase, info: threads.add(threading.get_ident()))
thread = threading.Thread(target=lambda: [[] for _ in range(20_000)])
thread.start()
thread.join()
print(thread.ident in threads)
"""


def test_python_by_itself_collects_in_any_thread() -> None:
    said = subprocess.run(
        [sys.executable, "-c", COLLECTS_ANYWHERE], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "True"


def test_with_a_window_only_its_own_thread_collects(collecting: list[int], qtbot: Any) -> None:
    parent = QObject()
    gc.enable()
    garbage = Garbage(parent)
    assert not gc.isenabled()
    collecting.clear()  # what was due while Python might collect
    other = in_a_thread()
    assert gc.get_count()[0] > gc.get_threshold()[0]
    qtbot.waitUntil(lambda: bool(collecting))
    assert set(collecting) == {threading.get_ident()} != {other}
    assert gc.get_count()[0] < gc.get_threshold()[0]
    garbage.deleteLater()


def test_a_look_takes_the_oldest_generation_that_is_due(
    collecting: list[int], qtbot: Any, clocks: list[float]
) -> None:
    parent = QObject()
    garbage = Garbage(parent)
    before = gc.get_stats()[1]["collections"]
    for _ in range(gc.get_threshold()[1] + 2):
        make_cycles(gc.get_threshold()[0] + 100)
        clocks[0] += 0.25
        garbage.look()
    assert gc.get_stats()[1]["collections"] == before + 1
    assert gc.get_stats()[1]["uncollectable"] == 0
    garbage.deleteLater()


@pytest.mark.parametrize(
    ("worked", "waited", "due"), [(0.1, 0.25, True), (0.8, 0.25, False), (0.8, 11, True)]
)
def test_who_is_at_work_is_not_held_up_for_long(
    collecting: list[int], clocks: list[float], worked: float, waited: float, due: bool
) -> None:
    parent = QObject()
    garbage = Garbage(parent)
    gc.collect()
    clocks[0] += 100
    garbage.look()  # nothing was due until now
    make_cycles()
    collecting.clear()
    for pause in (0.25, waited):
        clocks[0] += pause
        clocks[1] += worked * pause
        garbage.look()
    assert bool(collecting) == due
    garbage.deleteLater()


@pytest.mark.parametrize("what", ["many", "oldest"])
def test_what_takes_long_to_collect_waits_until_nothing_at_all_is_done(
    collecting: list[int], clocks: list[float], monkeypatch: Any, what: str
) -> None:
    """Within a quarter of a second that was calm somebody may just have clicked."""
    parent = QObject()
    garbage = Garbage(parent)
    gc.collect()
    clocks[0] += 100
    garbage.look()
    if what == "many":
        make_cycles(MANY + 5000)
    else:
        monkeypatch.setattr("gui.garbage.gc.get_count", lambda: (0, 0, gc.get_threshold()[2] + 1))
    collecting.clear()

    def look(pause: float, worked: float) -> None:
        clocks[0] += pause
        clocks[1] += worked
        garbage.look()

    look(0.25, 0.01)  # calm
    assert not collecting
    assert garbage._timer.interval() == STILL
    look(STILL / 1000, 0.002)  # a click has been answered meanwhile
    assert not collecting
    assert garbage._timer.interval() == PACE
    look(0.25, 0.01)
    look(STILL / 1000, 0.0)
    assert collecting
    assert garbage._timer.interval() == PACE
    garbage.deleteLater()


def test_what_takes_long_to_collect_does_not_wait_for_ever(
    collecting: list[int], clocks: list[float]
) -> None:
    parent = QObject()
    garbage = Garbage(parent)
    gc.collect()
    clocks[0] += 100
    garbage.look()
    make_cycles(MANY + 5000)
    collecting.clear()
    for _ in range(44):  # something moves all the time
        clocks[0] += 0.25
        clocks[1] += 0.05
        garbage.look()
    assert collecting
    garbage.deleteLater()


def test_nothing_is_collected_while_a_button_is_held(
    collecting: list[int], monkeypatch: Any, clocks: list[float]
) -> None:
    parent = QObject()
    garbage = Garbage(parent)
    collecting.clear()
    make_cycles()
    clocks[0] += 0.25
    with monkeypatch.context() as patch:
        patch.setattr(QGuiApplication, "mouseButtons", lambda: Qt.MouseButton.LeftButton)
        garbage.look()
        assert not collecting
    clocks[0] += 0.25
    garbage.look()
    assert collecting
    garbage.deleteLater()
