"""How soon the window is seen: from the interpreter's start to its first paint, and to its last part.

The goal is 0.5 s to the first paint. The hosts start before Qt is imported and warm up meanwhile;
the last part is there when canvas, inspector and panels are.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_REPEATS = 5
_ROOT = Path(__file__).resolve().parents[2]

#: Runs gui.app.run and says when the parent's clock stood where. The clock is the system's, so
#: that the interpreter's own start counts.
_CHILD = """
import json, sys, time
from gui import app
paints = []
def after(window, then):
    def first():
        paints.append(time.time())
        window.completed.connect(done)
        then()
    def done():
        paints.append(time.time())
        window.close()
    genuine(window, first)
genuine, app._after_first_paint = app._after_first_paint, after
app.run(sys.argv[1] if len(sys.argv) > 1 else None)
print(json.dumps({"first_paint": paints[0], "whole": paints[1]}))
"""


def _once(file: str | None, home: str) -> dict[str, float]:
    environment = {**os.environ, "XDG_CONFIG_HOME": home, "PYTHONPATH": str(_ROOT)}
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        environment["QT_QPA_PLATFORM"] = "offscreen"
    command = [sys.executable, "-c", _CHILD, *([file] if file else [])]
    begun = time.time()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {name: at - begun for name, at in times.items()}


def measure() -> dict[str, Any]:
    """Seconds for the welcome and for a window that opens a file: the median and the worst."""
    figures: dict[str, Any] = {"repeats": _REPEATS}
    template = str(_ROOT / "assets" / "networks" / "digits_mlp.layerlab")
    with tempfile.TemporaryDirectory() as home:
        for name, file in (("welcome", None), ("file", template)):
            runs = [_once(file, home) for _ in range(_REPEATS)]
            for key in ("first_paint", "whole"):
                values = [run[key] for run in runs]
                figures[f"{name}_{key}"] = {"median": statistics.median(values), "worst": max(values)}
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    rows = [f"{'':<22}{'median':>9}{'worst':>9}"]
    for name, value in figures.items():
        if isinstance(value, dict) and "median" in value:
            rows.append(f"{name.replace('_', ' '):<22}{value['median']:>7.2f} s{value['worst']:>7.2f} s")
    return "\n".join(rows)
