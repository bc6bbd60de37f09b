"""``python -m tests.lab_pictures OUT``: the binarization laboratory after a real run, light and dark, as PNG.

Trains the binarized digits template for some epochs, measures its estimators and races them, and feeds
the panel what a host would have sent. Every other step is looked at, so that a short run shows a long one's pictures.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

SIZE = (1140, 600)
PAGES = ("signs", "estimators", "size", "race")


def draw(out: Path, looks: tuple[str, ...] = ("light", "dark"), epochs: int = 12) -> list[Path]:
    """Draw all pages into `out`; returns the pictures."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QObject, Signal
    from PySide6.QtWidgets import QApplication

    import engine
    from engine import assets
    from engine.analysis import analyze
    from engine.host.protocol import BinaryMeasured, Metrics, Observation, RunStarted, RunState
    from engine.training import lab_binary
    from gui import panels
    from gui.document import Document
    from gui.selection import Selection
    from gui.session import Session
    from gui.theme import theme
    from tests.diagnosis_table import every_other_step

    class Hosts(QObject):
        answered = Signal(int, object)

        def binary_laboratory(self, *_: Any) -> int:
            return 1

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    network = engine.load(assets.path("networks/digits_binarized_mlp.layerlab"))
    made: list[Path] = []
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        events: list[Any] = []
        with every_other_step():
            result = engine.train(network, epochs=epochs, device="cpu", run_dir=folder, emit=events.append)
        session = Session()
        session.begin(network, result["run"])
        for event in events:
            if isinstance(event, Metrics | Observation | RunStarted | RunState):
                session.take(event)
        report = lab_binary.measure(network, result["run"])
        raced = lab_binary.race(network, lab_binary.parsed(None), 100)
        for look in looks:
            theme.install(application, look)
            hosts = Hosts()
            panel = panels.BinaryLabPanel(Document(network), Selection(), session, hosts)
            panel.resize(*SIZE)
            panel.set_analysis(analyze(network))
            panel.show()
            panel.ask()
            hosts.answered.emit(1, BinaryMeasured(1, report=report))
            panel.race.asked.emit("", 100)
            hosts.answered.emit(1, BinaryMeasured(1, race=raced))
            for number, page in enumerate(PAGES):
                panel.tabs.setCurrentIndex(number)
                application.processEvents()
                panel.signs.flush()
                made.append(out / f"lab_{page}_{look}.png")
                panel.save_picture(made[-1])
            panel.close()
    return made


if __name__ == "__main__":
    for picture in draw(Path(sys.argv[1])):
        print(picture)
