"""The window on a screen at 150 %."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

pytestmark = pytest.mark.gui

SCRIPT = """
import sys
from PySide6.QtWidgets import QApplication
import engine
from gui.canvas import Canvas, card, look
from gui.document import Document
from gui.selection import Selection
from gui.theme import theme

application = QApplication([])
theme.install(application, "light")
network = engine.load(sys.argv[1])
canvas = Canvas(Document(network), Selection())
canvas.resize(1000, 560)
canvas.show()
canvas.set_analysis(engine.analyze(network))
canvas.zoom_reset()
picture = canvas.grab()
picture.save(sys.argv[2])
for item in canvas.drawing.nodes.values():
    text = item.text
    if text is None:
        continue
    for words, pixels, bold in ((text.id, 13, True), (text.type, 11, False), (text.fields, 12, False)):
        assert look.metrics(pixels, bold).horizontalAdvance(words) <= card.WIDTH - 16, words
print(picture.devicePixelRatio())
"""


def test_the_canvas_is_as_sharp_as_the_screen_and_texts_stay_in_their_cards(tmp_path):
    root = Path(__file__).parents[1]
    out = tmp_path / "canvas.png"
    environment = {**os.environ, "QT_SCALE_FACTOR": "1.5", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root / "assets/networks/lenet5_mnist.layerlab"), str(out)],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == 1.5
    image = QImage(str(out))
    assert (image.width(), image.height()) == (1500, 840)
