"""A window for tests: with hosts that are played, or with real ones."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox

from engine import assets
from engine.findings import Analysis
from engine.host import protocol
from engine.network import Network
from engine.storage import file
from gui.keys import finish_typing
from gui.mailbox import Mailbox
from gui.settings import Settings
from gui.theme import theme
from gui.window import Window


def template(name: str = "digits_mlp") -> Network:
    return file.read(template_path(name))


def template_path(name: str = "digits_mlp") -> Path:
    return assets.path(f"networks/{name}.layerlab")


class PlayedRun:
    """A run whose story the test tells."""

    def __init__(self, document: bytes, folder: str, tell: Callable[[Any], None], **how: Any) -> None:
        self.document, self.folder, self.tell, self.how = document, folder, tell, how
        self.controls: list[str] = []

    def control(self, action: str) -> None:
        self.controls.append(action)


class PlayedPool:
    """Takes the place of :class:`engine.host.pool.Pool`; starts no process, and answers when told to."""

    def __init__(self) -> None:
        self.mailbox = Mailbox()
        self.analyses: list[tuple[int, bytes]] = []
        self.evaluations: list[tuple[int, str]] = []
        self.batches: list[int] = []
        self.prepared: list[bytes] = []
        self.runs: list[PlayedRun] = []
        self.replaced = 0
        self.closed = False
        self.numbers = itertools.count(1)

    def analyze(self, document: bytes) -> int:
        self.analyses.append((next(self.numbers), document))
        return self.analyses[-1][0]

    def answer(self, analysis: Analysis, which: int = -1) -> None:
        self.mailbox.put(protocol.Analyzed(self.analyses[which][0], analysis, 0.001))

    def preview_init(self, document: bytes, node: str, parameter: str) -> int:
        return next(self.numbers)

    def preview_activation(self, id: str, fields: object = None) -> int:
        return next(self.numbers)

    def preview_binarizer(self, id: str, fields: object = None) -> int:
        return next(self.numbers)

    def look_at_estimator(self, document: bytes, node: str, place: str, run: str | None = None) -> int:
        return next(self.numbers)

    def what_if(self, document: bytes, *how: object) -> int:
        return next(self.numbers)

    def evaluate(self, run: str) -> int:
        self.evaluations.append((next(self.numbers), run))
        return self.evaluations[-1][0]

    def find_batch(self, document: bytes, device: str = "auto") -> int:
        self.batches.append(next(self.numbers))
        return self.batches[-1]

    def predict(self, run: str, **how: object) -> int:
        return next(self.numbers)

    def print_source(self, document: bytes) -> int:
        return next(self.numbers)

    def look_at_data(self, document: bytes, path: str | None = None, download: bool = False) -> int:
        return next(self.numbers)

    def cancel_data(self, request: int) -> None:
        pass

    def respond(self, document: bytes, *how: object) -> int:
        return next(self.numbers)

    def boundary(self, document: bytes, *how: object) -> int:
        return next(self.numbers)

    def prepare(self, document: bytes) -> None:
        self.prepared.append(document)

    def train(self, document: bytes, run: str, on_event: Callable[[Any], None], **how: Any) -> PlayedRun:
        self.runs.append(PlayedRun(document, run, on_event, **how))
        return self.runs[-1]

    def replace_analyst(self, *, starting: bool = True) -> None:
        self.replaced += 1

    def close(self, timeout: float = 10.0) -> None:
        self.closed = True


def open_window(
    folder: Path, pool: PlayedPool | None = None, network: Network | None = None, whole: bool = True
) -> Window:
    """A shown window with its settings in `folder`; without a pool it has real hosts.

    Unless `whole`, canvas, inspector and panels are left out, which takes most of the time.
    """
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    if application.style().name() != "fusion":
        theme.install(application, "light")
    hosts: Any = None if pool is None else (pool, pool.mailbox)
    window = Window(Settings(folder / "settings.ini"), hosts)
    window.workers.runs_folder = folder / "runs"
    window.resize(1280, 800)
    if network is not None:
        window.document.replace(network)
        window.files.opened.emit()
    window.show()
    if whole:
        window.complete()
    QApplication.processEvents()
    return window


def close_window(window: Window) -> None:
    """Close without a question, and wait for the hosts."""
    for box in boxes(window):
        box.close()
    finish_typing()  # as closing does, which would then ask
    window.document.undo_stack.setClean()
    window.files.unfinished = tuple
    window.close()
    window.workers.close()
    window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def answer_next_box(button: QMessageBox.StandardButton | str, seen: list[str] | None = None) -> None:
    """Press a button of the question that comes next, as a person would."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(10, press)
            return
        if seen is not None:
            seen.append(f"{box.text()}\n{box.informativeText()}")
        if isinstance(button, str):
            next(b for b in box.buttons() if b.text().replace("&", "") == button).click()
        else:
            box.button(button).click()

    QTimer.singleShot(0, press)


def boxes(window: Window) -> list[QMessageBox]:
    """The messages that are shown."""
    return [box for box in window.findChildren(QMessageBox) if box.isVisible()]
