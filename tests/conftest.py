"""What all tests share: no display is needed, and a test that leaves something behind fails."""

import gc
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before Qt is imported anywhere. A person who wants to watch sets QT_QPA_PLATFORM.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Numbers do not depend on how many cores the machine has, and tests do not crowd each other out.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from engine import doctor

MISSING = doctor.missing_libraries()

#: How long a test's threads and processes may take to end once it is over, in seconds.
PATIENCE = 10.0


def pytest_configure(config: pytest.Config) -> None:
    # As the program does (gui.garbage): a widget that another thread collects brings all tests down.
    gc.disable()
    # pytest-qt imports Qt at once; without Qt's libraries every test would fail on it.
    if MISSING:
        config.pluginmanager.set_blocked("pytest-qt")


def _wants_qt(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return re.search(r"^\s*(from|import) (PySide6|gui)\b", text, re.MULTILINE) is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files that import Qt where that cannot be imported; the others still run."""
    if MISSING and collection_path.suffix == ".py" and collection_path.name != "conftest.py":
        return _wants_qt(collection_path) or None
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if MISSING:
        for item in items:
            if item.get_closest_marker("gui"):
                item.add_marker(pytest.mark.skip(reason="Qt lacks system libraries"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        terminalreporter.section("THE TESTS OF THE WINDOW DID NOT RUN", red=True, bold=True)
        left_out = (path.name for path in Path(__file__).parent.rglob("test_*.py") if _wants_qt(path))
        terminalreporter.line(f"Left out: {', '.join(sorted(left_out))}.")
        for line in doctor.libraries_message(MISSING).splitlines():
            terminalreporter.line(line)


def _children() -> set[int]:
    """The processes that this one has started and that still run. Linux only; elsewhere empty."""
    own = str(os.getpid())
    found = set()
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat") as file:
                    state, parent = file.read().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if parent == own and state != "Z":
                found.add(int(name))
    return found


def _windows() -> set[str]:
    """The windows that are on the screen, if Qt has been started at all."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return set()
    return {
        f"window {type(widget).__name__} {id(widget):x}"
        for widget in widgets.QApplication.topLevelWidgets()
        if widget.isVisible()
    }


def _running() -> set[str]:
    return (
        {f"thread {thread.name}" for thread in threading.enumerate()}
        | {f"process {pid}" for pid in _children()}
        | _windows()
    )


def _widgets() -> list[tuple[str, weakref.ref[object]]]:
    """The widgets of this file that nobody but Python owns, and that still are there."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None:
        return []
    shiboken = sys.modules["shiboken6"]
    core = sys.modules["PySide6.QtCore"]
    core.QCoreApplication.sendPostedEvents(None, core.QEvent.Type.DeferredDelete)
    return [
        (f"{type(thing).__module__}.{type(thing).__qualname__}", weakref.ref(thing))
        for generation in (0, 1)  # older is what other files left
        for thing in gc.get_objects(generation)
        if issubclass(type(thing), widgets.QWidget)
        and shiboken.isValid(thing)
        and shiboken.ownedByPython(thing)
    ]


@pytest.fixture(autouse=True, scope="module")
def _collects() -> Iterator[None]:
    """Cycles are collected here, in the main thread, after each file.

    No living widget may be among them. The collector takes a cycle apart in any order, and Qt's objects
    that know one another then end before those that still use them.
    """
    yield
    widgets = _widgets()
    gc.collect()
    if left := sorted({name for name, widget in widgets if widget() is None}):
        pytest.fail(f"widgets without a parent were left to Python's collector: {', '.join(left)}")


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves threads, processes or windows.

    What a fixture of the module or session holds was there before, and may stay. A pool of hosts
    that a module shares replaces them at will: its tests are marked `shares_hosts`.
    """
    before = _running()
    yield
    if request.node.get_closest_marker("shares_hosts"):
        return
    end = time.monotonic() + PATIENCE
    while left := _running() - before:
        if time.monotonic() > end:
            pytest.fail(f"the test left behind: {', '.join(sorted(left))}")
        time.sleep(0.01)


@pytest.fixture(scope="module")
def light(qapp: object) -> Iterator[None]:
    """The light theme, for tests that look at colours and pictures."""
    from gui.theme import theme

    before = theme.choice
    theme.choose("light")
    yield
    theme.choose(before)
