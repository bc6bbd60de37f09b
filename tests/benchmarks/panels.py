"""What a frame of the panels costs: curves of 100,000 points, histograms of 400 observations.

Off screen, 1200 × 400 pixels. `update` brings the panel up to date after new figures have come in,
`paint` draws all of it. The curves are the worst case: pure noise, raw and smoothed, in two plots.
The goal is a frame (both together) within 16 ms.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

POINTS = 100_000
OBSERVATIONS = 400
FRAMES = 30
SHAPES = {f"conv{layer}.weight": (64, 32, 3, 3) for layer in range(20)}


def _frame(panel: Any, feed: Callable[[], None]) -> dict[str, float]:
    update, paint = [], []
    for _ in range(FRAMES):
        feed()
        begun = time.perf_counter()
        panel.flush()
        shown = time.perf_counter()
        panel.grab()
        update.append(1e3 * (shown - begun))
        paint.append(1e3 * (time.perf_counter() - shown))
    return {"update_ms": statistics.median(update), "paint_ms": statistics.median(paint)}


def measure() -> dict[str, Any]:
    """Milliseconds per frame, medians of 30."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from engine.host.protocol import Distribution, Metrics, Observation, RunStarted
    from engine.network import Network
    from gui.panels import CurvesPanel, GradientsPanel, WeightsPanel
    from gui.selection import Selection
    from gui.session import Session
    from gui.theme import theme

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    theme.install(application, "light")
    rng = np.random.default_rng(0)
    session = Session()
    session.begin(Network(), "none")
    session.take(RunStarted("none", "cpu", 10, POINTS // 10, 0, SHAPES, 1, 1, 1))
    session.set_state("running")

    def metric(step: int) -> Metrics:
        values = {"loss": float(rng.uniform(0.5, 1)), "accuracy": float(rng.uniform(0.5, 1))}
        return Metrics(step, step / 1000, "train", values, step / 100)

    def distribution() -> Distribution:
        values = rng.normal(size=4096)
        lo, hi = float(values.min()), float(values.max())
        counts = tuple(int(count) for count in np.histogram(values, 64, (lo, hi))[0])
        norm = float(np.linalg.norm(values))
        return Distribution(lo, hi, counts, float(values.mean()), float(values.std()), norm, 0.0)

    def observation(step: int) -> Observation:
        weights = {name: distribution() for name in SHAPES}
        return Observation(step, step / 1000, weights, weights, dict.fromkeys(SHAPES, 1e-3))

    def show(panel: Any) -> Any:
        panel.resize(1200, 400)
        panel.show()
        application.processEvents()
        panel.flush()
        return panel

    session.metrics += [metric(step) for step in range(POINTS)]
    figures: dict[str, Any] = {}
    curves = show(CurvesPanel(session))
    for name, smoothing in (("curves, raw", 0), ("curves, smoothed", 90)):
        curves.smoothing.setValue(smoothing)
        figures[name] = _frame(curves, lambda: session.take(metric(session.metrics[-1].step + 1)))
    curves.close()
    for step in range(OBSERVATIONS):
        session.take(observation(step * 10))
    steps = itertools.count(OBSERVATIONS * 10)
    for title, panel in (("weights", WeightsPanel), ("gradients", GradientsPanel)):
        shown = show(panel(session, Selection()))
        figures[title] = _frame(shown, lambda: session.take(observation(next(steps))))
        shown.close()
    return {"frames": figures}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = [f"{'':<18} {'update':>8} {'paint':>8} {'frame':>8}   (ms, goal: 16)"]
    for name, frame in figures["frames"].items():
        update, paint = frame["update_ms"], frame["paint_ms"]
        lines.append(f"{name:<18} {update:8.1f} {paint:8.1f} {update + paint:8.1f}")
    return "\n".join(lines)
