"""Which pieces of work keep the window's thread while it trains with every panel shown.

Processor time, event by event, as Qt hands them out: a piece is what lies between two looks at the
timers. The goal is that none takes more than 4 ms, so that a tick of 16 ms comes within 20.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from typing import Any

SECONDS = 20.0
#: Milliseconds from which an event is named, and how many kinds of pieces are told.
NAMED, TOLD = 0.25, 12


def _watched() -> tuple[Any, list[tuple[int, str, float]]]:
    """An application that notes what takes its time: (depth, what, milliseconds)."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QEvent, QObject
    from PySide6.QtWidgets import QApplication, QWidget

    noted: list[tuple[int, str, float]] = []

    class Application(QApplication):
        depth = 0

        def notify(self, receiver: QObject, event: QEvent) -> bool:
            kind, begun = event.type(), time.thread_time()
            Application.depth += 1
            try:
                return super().notify(receiver, event)
            finally:
                Application.depth -= 1
                taken = 1000 * (time.thread_time() - begun)
                if taken >= NAMED:
                    noted.append((Application.depth, f"{_name(receiver)} {kind.name}", taken))

    def _name(receiver: QObject) -> str:
        try:
            words = type(receiver).__name__
            if words in ("QTimer", "QWidget", "QLabel") and receiver.parent() is not None:
                words += f" of {type(receiver.parent()).__name__}"
            if isinstance(receiver, QWidget):
                words += f" {receiver.accessibleName() or receiver.objectName()}"
            return words.strip()
        except RuntimeError:  # it is gone
            return "?"

    return Application([]), noted


def measure() -> dict[str, Any]:
    """The longest pieces early and late in a run, and what they consist of."""
    from PySide6.QtCore import QAbstractEventDispatcher, QEventLoop, QTimer

    from tests.benchmarks.observation import training_window

    application, noted = _watched()
    figures: dict[str, Any] = {}
    for name, long in (("early", False), ("a long run", True)):
        pieces: list[tuple[float, str]] = []
        with training_window(None, long):
            noted.clear()
            last = [time.thread_time()]

            def looked(pieces: list[tuple[float, str]] = pieces, last: list[float] = last) -> None:
                now = time.thread_time()
                parts = [f"{what} {taken:.1f}" for depth, what, taken in noted if depth == 0]
                pieces.append((1000 * (now - last[0]), "; ".join(parts)))
                noted.clear()
                last[0] = now

            dispatcher = QAbstractEventDispatcher.instance()
            dispatcher.aboutToBlock.connect(looked)
            loop = QEventLoop()
            QTimer.singleShot(int(1000 * SECONDS), loop.quit)
            loop.exec()
            dispatcher.aboutToBlock.disconnect(looked)
        shares: dict[int, float] = defaultdict(float)
        for taken, _ in pieces:
            for limit in (2, 4, 8):
                shares[limit] += taken > limit
        figures[name] = {
            "pieces": len(pieces),
            "longer": {f"{limit} ms": int(count) for limit, count in shares.items()},
            "longest": [
                {"ms": taken, "of": words} for taken, words in sorted(pieces, key=lambda p: -p[0])[:TOLD]
            ],
        }
    application.quit()
    return {"slices": figures}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = []
    for name, row in figures["slices"].items():
        longer = ", ".join(f"{count} over {limit}" for limit, count in row["longer"].items())
        lines.append(f"{name}: {row['pieces']} pieces of work, {longer}; the longest (ms of processor time):")
        lines += [f"  {piece['ms']:6.1f}  {piece['of']}" for piece in row["longest"]]
    return "\n".join(lines)
