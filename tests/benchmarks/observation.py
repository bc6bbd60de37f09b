"""What looking costs: training slowed by it, gaps in the window's event loop, memory of a long run.

`slowed`: seconds of training with observation over seconds without, of runs in turns in this
process. `window`: the digits network trains in the window with every panel torn off and on screen; a
16 ms timer in the window's event loop notes its gaps. `memory`: bytes that a session holds after
observations of 100,000 steps.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from msgspec.structs import replace

ROUNDS = 5
SECONDS = 12.0
PANELS = ("curves", "weights", "gradients", "activations", "filters", "health", "responses", "predictions")


def slowed() -> dict[str, Any]:
    """Ratio of medians, by network."""
    import torch

    import engine
    from engine import templates

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    figures = {}
    for name, epochs in (("digits_mlp", 60), ("residual_digits", 12)):
        network = templates.template(name).network
        network = replace(network, recipe=replace(network.recipe, epochs=epochs))
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number in range(2 * ROUNDS):
            observe = bool(number % 2)
            with tempfile.TemporaryDirectory() as folder:
                result = engine.train(network, device="cpu", run_dir=folder, observe=observe)
            seconds[observe].append(result["seconds"])
        medians = {observe: statistics.median(found) for observe, found in seconds.items()}
        figures[name] = {
            "observed_s": medians[True],
            "off_s": medians[False],
            "ratio": medians[True] / medians[False],
        }
    return figures


def window() -> dict[str, Any]:
    """Milliseconds between ticks of a 16 ms timer while a run trains with every panel shown."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QEventLoop, Qt, QTimer
    from PySide6.QtWidgets import QApplication

    from engine import templates
    from gui.theme import theme
    from gui.window import Window

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    theme.install(application, "light")
    main = Window()
    main.resize(1400, 900)
    main.complete()
    main.show()
    network = templates.template("residual_digits").network
    network = replace(network, recipe=replace(network.recipe, epochs=10_000))
    main.document.edit(network, "open")
    gaps: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        main.workers.runs_folder = Path(folder)

        def wait(seconds: float, until: Any = lambda: False) -> None:
            end = time.perf_counter() + seconds
            while time.perf_counter() < end and not until():
                application.processEvents()
                time.sleep(0.001)

        wait(60, lambda: main.workers.current and main.workers.pool.ready)
        main.running.train()
        main.health.chooser.setCurrentIndex(1)
        for name in PANELS:
            main.docks[name].setFloating(True)
            main.docks[name].resize(560, 360)
            main.docks[name].show()
        wait(60, lambda: len(main.session.observations) > 2)
        wait(3)
        seen = len(main.session.observations)
        timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=16)
        last = [time.perf_counter()]

        def tick() -> None:
            now = time.perf_counter()
            gaps.append(1000 * (now - last[0]))
            last[0] = now

        timer.timeout.connect(tick)
        timer.start()
        # A loop of its own: to quit the application would close the window, which asks about unsaved changes.
        loop = QEventLoop()
        QTimer.singleShot(int(1000 * SECONDS), loop.quit)
        loop.exec()
        timer.stop()
        observed = len(main.session.observations) - seen
        state = main.session.state
        main.workers.control("stop")
        wait(10, lambda: not main.session.active)
        main.workers.close()
        main.hide()
    ordered = sorted(gaps)
    return {
        "state": state,
        "ticks": len(gaps),
        "observations": observed,
        "median_ms": statistics.median(ordered),
        "p99_ms": ordered[int(0.99 * len(ordered))],
        "most_ms": ordered[-1],
    }


def memory() -> dict[str, Any]:
    """Bytes of what is kept of 100,000 steps, every tenth of them observed."""
    import engine
    from engine.host.protocol import Observation, decode_event, encode
    from engine.network import Network
    from gui.session import Session
    from tests.diagnosis_table import every_other_step
    from tests.sick_networks import convolutional

    events: list[Any] = []
    with tempfile.TemporaryDirectory() as folder, every_other_step():
        engine.train(convolutional("c", epochs=1), device="cpu", run_dir=folder, emit=events.append)
    data = encode(next(e for e in reversed(events) if isinstance(e, Observation)))
    session = Session()
    session.begin(Network(), "none")
    figures = {}
    tracemalloc.start()
    for step in range(10, 100_001, 10):
        session.take(replace(decode_event(data), step=step))
        if step in (10_000, 100_000):
            figures[f"{step:,} steps, MB"] = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    return figures


def measure() -> dict[str, Any]:
    """All three."""
    return {"slowed": slowed(), "window": window(), "memory": memory()}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = ["training slowed by observation (goal: 1.03)"]
    for name, row in figures["slowed"].items():
        lines.append(f"  {name:<18} {row['observed_s']:.2f} s / {row['off_s']:.2f} s = {row['ratio']:.3f}")
    row = figures["window"]
    lines.append("gaps of a 16 ms tick in the window, all panels shown (goal: p99 20 ms)")
    lines.append(
        f"  median {row['median_ms']:.1f}, p99 {row['p99_ms']:.1f}, most {row['most_ms']:.1f} ms; "
        f"{row['observations']} observations came in"
    )
    lines.append("memory of the observations kept")
    lines += [f"  {name}: {value:.1f}" for name, value in figures["memory"].items()]
    return "\n".join(lines)
