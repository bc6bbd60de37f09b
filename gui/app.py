"""The program: start the hosts, paint the window, then load the rest.

The order is the point. Hosts start first, since they take seconds to import torch; then Qt; then
the window is painted, within half a second of the interpreter's start; then what took too long.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from gui.window import Window

#: A picture waits for the engine at most so long, in seconds.
PATIENCE = 120.0
#: And for a real example in the inspector.
EXAMPLE = 20.0


def run(path: str | None = None, look: str | None = None, size: tuple[int, int] | None = None) -> int:
    """Open the window, with the file at `path` if given; return the exit code.

    `look` ("light" or "dark") and `size` are this start's alone; None: as they were last.
    """
    from gui.workers import start_hosts

    hosts = start_hosts()
    application = _application()
    from gui.garbage import Garbage
    from gui.settings import Settings
    from gui.theme import theme
    from gui.window import Window

    garbage = Garbage(application)
    settings = Settings()
    theme.install(application, look or settings.theme)
    window = Window(settings, hosts)
    if size is not None:
        window.resize(*size)
    _catch_exceptions(window)
    _end_on_signals(application, window)
    if path is not None:
        window.files.open_path(Path(path))
    window.show()

    def ready() -> None:
        keeper = window.keep_in(_data_folder())
        application.aboutToQuit.connect(keeper.leave)
        window.completed.connect(keeper.offer)
        window.completed.connect(garbage.settle)
        window.complete_soon()

    _after_first_paint(window, ready)
    code = application.exec()
    window.workers.close()
    return code


def screenshot(
    out: str | os.PathLike[str],
    file: str | os.PathLike[str] | None = None,
    train_seconds: float = 0.0,
    size: tuple[int, int] = (1280, 800),
    theme: str | None = None,
) -> int:
    """Save a picture of the window, with `file` open and after training for `train_seconds`.

    Works without a display. The user's own settings are neither read nor changed.

    Returns
    -------
    int
        0; 1 if training failed or the picture cannot be written; 2 if `file` cannot be read.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from engine.problems import FileProblem
    from engine.storage import file as storage
    from gui.workers import start_hosts

    try:
        network = storage.read(file) if file is not None else None
    except FileProblem as problem:
        print(problem, file=sys.stderr)
        return 2
    hosts = start_hosts()
    application = _application()
    from gui.settings import Settings
    from gui.theme import theme as look
    from gui.window import Window

    look.install(application, theme)
    with tempfile.TemporaryDirectory(prefix="layerlab-") as folder:
        window = Window(Settings(Path(folder) / "settings.ini"), hosts)
        window.resize(*size)
        try:
            if network is not None and file is not None:
                window.document.replace(network)
                window.files.opened.emit()
            window.show()
            window.complete()
            if network is None and train_seconds:
                print("There is nothing to train: give a FILE.", file=sys.stderr)
                return 2
            trouble = _pose(application, window, train_seconds, Path(folder))
            if trouble:
                print(trouble, file=sys.stderr)
                return 1
            if not window.grab().save(os.fspath(out)):
                print(
                    f"Cannot write {os.fspath(out)}: is its folder there, its ending .png?", file=sys.stderr
                )
                return 1
            return 0
        finally:
            window.workers.close()
            window.close()


def _pose(application: QApplication, window: Window, seconds: float, folder: Path) -> str:
    """Bring the window into the state of the picture; returns what went wrong, or nothing."""

    def wait(until: Callable[[], bool], longest: float = PATIENCE) -> bool:
        end = time.monotonic() + longest
        while not until():
            if time.monotonic() > end:
                return False
            application.processEvents()
            time.sleep(0.005)
        return True

    lost: list[str] = []
    window.workers.host_lost.connect(lost.append)
    if not wait(lambda: window.workers.current or bool(lost)) or lost:
        return lost[0] if lost else "The engine did not answer in time."
    session, network = window.session, window.document.network
    shown = next((id for id, report in window.workers.analysis.nodes.items() if report.parameters), None)
    if shown is not None:
        window.selection.set([shown])
        wait(lambda: not window.inspector.pending, EXAMPLE)
    if seconds:
        window.workers.runs_folder = folder / "runs"
        if not window.running.train():
            return "\n".join(map(str, window.workers.analysis.errors)) or "The network cannot be trained."
        if not wait(lambda: bool(session.observations) or not session.active):
            return "Training did not begin in time."
        wait(lambda: not session.active, seconds)
        if session.state in ("failed", "diverged", "interrupted"):
            return session.message or f"Training {session.state}."
    settled = time.monotonic() + (1.0 if network.nodes else 0.2)
    wait(lambda: time.monotonic() > settled)
    return ""


def _application() -> QApplication:
    from PySide6.QtCore import QCoreApplication
    from PySide6.QtWidgets import QApplication

    QCoreApplication.setApplicationName("layerlab")
    QCoreApplication.setOrganizationName("layerlab")
    QCoreApplication.setApplicationVersion(_version())
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    application = QApplication(sys.argv[:1])
    application.setApplicationDisplayName("Layerlab")
    application.setDesktopFileName("layerlab")
    return application


def _data_folder() -> Path:
    """Where the program keeps what is not a file of the user's own: journals, history."""
    from PySide6.QtCore import QStandardPaths

    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.AppLocalDataLocation))


def _version() -> str:
    try:
        return version("layerlab")
    except PackageNotFoundError:  # a checkout that is not installed
        return "(checkout)"


def _after_first_paint(window: Window, then: Callable[[], None]) -> None:
    """Call `then` once the window is on the screen."""
    from PySide6.QtCore import QEvent, QObject, QTimer

    class Watcher(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint:
                watched.removeEventFilter(self)
                QTimer.singleShot(0, then)
                QTimer.singleShot(0, self.deleteLater)
            return False

    window.stack.installEventFilter(Watcher(window))


def _catch_exceptions(window: Window) -> None:
    """Show a mistake of the program instead of dying of it; the network stays open."""
    from gui.trouble import TroubleBox

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        traceback.print_exception(kind, error, trace)
        TroubleBox.report(window, "".join(traceback.format_exception(kind, error, trace)))

    sys.excepthook = hook


def _end_on_signals(application: QApplication, window: Window) -> None:
    """Let Ctrl+C in the terminal, and a session's end, close the hosts before the program goes."""
    from PySide6.QtCore import QTimer

    def end(number: int, frame: object) -> None:
        window.workers.close()
        application.exit(128 + number)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    # Python runs its signal handlers between two of its own instructions only.
    heartbeat = QTimer(window, interval=250)
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start()
