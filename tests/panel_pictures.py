"""``python -m tests.panel_pictures [OUT]``: every panel with a real run's data, light and dark, as PNG.

Without OUT, those in ``assets/pictures`` are drawn anew.

Trains a small convolutional network on the digits (and one on a plane of two moons), feeds the
panels the run's own events, and asks the engine in this process for what a host would answer.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

SIZE = (820, 420)


class Engine:
    """Answers the panels' questions in this process."""

    def __init__(self, document: Any) -> None:
        from PySide6.QtCore import QObject, Signal

        class Signals(QObject):
            answered = Signal(int, object)

        self.signals = Signals()
        self.answered = self.signals.answered
        self.document = document
        self.waiting: list[Any] = []

    def _later(self, make: Any) -> int:
        self.waiting.append(make)
        return len(self.waiting)

    def respond(
        self, run: Any, split: str = "validation", index: int = 0, values: Any = (), step: Any = None
    ) -> int:
        """Ask how every node responds."""
        from engine.host.protocol import Respond
        from engine.training.responses import respond

        return self._later(
            lambda n: respond(Respond(n, b"", run, split, index, tuple(values), step), self.document.network)
        )

    def boundary(self, run: Any, node: Any = None, unit: int = 0, step: Any = None) -> int:
        """Ask what is given on a plane."""
        from engine.host.protocol import Boundary
        from engine.training.responses import boundary

        return self._later(
            lambda n: boundary(Boundary(n, b"", run, node, unit, step=step), self.document.network)
        )

    def predict(
        self, run: str, split: str = "validation", first: int = 0, count: int = 16, **how: Any
    ) -> int:
        """Ask for predictions."""
        from engine.host.protocol import Predicted
        from engine.training import predict

        return self._later(
            lambda n: Predicted(
                n, *predict(run, split=split, first=first, count=count, **how), weights="best weights"
            )
        )

    def evaluate(self, run: str) -> int:
        """Ask for figures."""
        from engine.host.protocol import Evaluated
        from engine.training import evaluate

        return self._later(lambda n: Evaluated(n, evaluate(run)))

    def answer(self) -> None:
        """Answer all that was asked."""
        number = 0
        while number < len(self.waiting):
            number += 1
            self.signals.answered.emit(number, self.waiting[number - 1](number))


def shrink(path: Path) -> None:
    """Write a picture anew with 255 colours, which nobody sees and which takes a third of the bytes."""
    from PIL import Image

    with Image.open(path) as image:
        few = image.convert("RGB").quantize(255, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def draw(out: Path, looks: tuple[str, ...] = ("light", "dark")) -> list[Path]:
    """Draw all pictures into `out`; returns them."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QPointF
    from PySide6.QtWidgets import QApplication

    import engine
    from engine.host.protocol import Confused, Metrics, Observation, RunStarted, RunState, WeightsKept
    from engine.network import Choice, Data
    from gui import panels
    from gui.document import Document
    from gui.selection import Selection
    from gui.session import Session
    from gui.theme import theme
    from tests.diagnosis_table import every_other_step
    from tests.networks import chain
    from tests.sick_networks import convolutional, dense, network

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    kept = (Metrics, Observation, RunStarted, RunState, WeightsKept, Confused)

    def trained(drawn: Any, folder: str) -> tuple[Any, Any, Any]:
        document, session = Document(drawn), Session()
        events: list[Any] = []
        with every_other_step():
            result = engine.train(drawn, device="cpu", run_dir=folder, emit=events.append)
        session.begin(drawn, result["run"])
        for event in events:
            if isinstance(event, kept):
                session.take(event)
        return document, session, Engine(document)

    made: list[Path] = []
    with tempfile.TemporaryDirectory() as folder:
        document, session, host = trained(convolutional("Digits", epochs=8), folder)
        ill = trained(network("Ill", [dense(48, "Sigmoid") for _ in range(10)], epochs=4), folder)
        recipe = engine.network.Recipe(data=Data("moons"), epochs=40, batch_size=32)
        flat = trained(
            chain(("hidden", dense(16, "Tanh")), ("fc", dense(2, None)), shape=(2,), recipe=recipe), folder
        )
        measured = engine.network.Recipe(
            data=Data("diabetes"), loss=Choice("MSELoss"), optimizer=Choice("Adam", {"lr": 0.01}), epochs=20
        )
        values = trained(
            chain(("hidden", dense(16, "Tanh")), ("fc", dense(1, None)), shape=(10,), recipe=measured), folder
        )
        for look in looks:
            theme.install(application, look)
            selection = Selection()
            shown = {
                "curves": panels.CurvesPanel(session),
                "weights": panels.WeightsPanel(session, selection),
                "gradients": panels.GradientsPanel(session, selection),
                "flow": panels.GradientsPanel(session, selection),
                "activations": panels.ActivationsPanel(session, selection),
                "filters": panels.FiltersPanel(session, selection),
                "health": panels.HealthPanel(ill[0], Selection(), ill[1]),
                "responses": panels.ResponsesPanel(document, session, selection, host),
                "drawing": panels.ResponsesPanel(document, session, Selection(), host),
                "plane": panels.ResponsesPanel(flat[0], flat[1], Selection(), flat[2]),
                "predictions": panels.PredictionsPanel(session, host),
                "confusion": panels.PredictionsPanel(session, host),
                "residuals": panels.PredictionsPanel(values[1], values[2]),
            }
            for name, panel in shown.items():
                panel.resize(*SIZE)
                panel.show()
                if name == "flow":
                    panel.through_depth.setChecked(True)
                elif name == "health":
                    panel.chooser.setCurrentIndex(1)
                elif name in ("drawing", "plane"):
                    panel.mode.setCurrentIndex(panel.mode.findData("draw" if name == "drawing" else "plane"))
                    pad = panel.pad.rect()
                    for share in range(12 if name == "drawing" else 0):
                        panel.pad.stroke(QPointF(pad.width() * 0.5, pad.height() * (0.2 + 0.05 * share)))
                if name in ("responses", "drawing", "plane"):
                    panel.ask()
                elif name in ("predictions", "confusion", "residuals"):
                    panel.ask()
                    panel.tabs.setCurrentIndex(0 if name == "predictions" else 1)
                for each in (host, flat[2], values[2]):
                    each.answer()
                application.processEvents()
                panel.flush()
                made.append(out / f"panel_{name}_{look}.png")
                panel.save_picture(made[-1])
                shrink(made[-1])
                panel.close()
    return made


if __name__ == "__main__":
    here = Path(__file__).parents[1] / "assets" / "pictures"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else here
    target.mkdir(parents=True, exist_ok=True)
    for file in draw(target):
        print(file)
