"""What looking costs: training slowed by it, gaps in the window's event loop, memory of a long run.

`slowed`: seconds of training with observation over seconds without, of runs in turns in this process; and,
since equal runs differ by more than that, what the steps around each look take more than their neighbours. `window`: the digits network trains in the window with every panel torn off and on screen; a
16 ms timer in the window's event loop notes its gaps. `memory`: bytes that a session holds after
observations of 100,000 steps.
"""

from __future__ import annotations

import itertools
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

ROUNDS = 9
SECONDS = 12.0
PANELS = ("curves", "weights", "gradients", "activations", "filters", "health", "responses", "predictions")


def slowed() -> dict[str, Any]:
    """By network: of seconds, and of processor time, which other programs disturb less.

    The machines' clocks drift by more than what is measured, and always to the slow side: compared are the means of
    the fastest third of the runs. Which of two neighbours comes first changes from round to round.
    """
    import torch

    import engine
    from engine import templates
    from engine.host.protocol import Observation

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    figures = {}
    for name, epochs in (("digits_mlp", 200), ("residual_digits", 40)):
        network = templates.template(name).network
        network = replace(network, recipe=replace(network.recipe, epochs=epochs))
        seconds: dict[bool, list[float]] = {True: [], False: []}
        worked: dict[bool, list[float]] = {True: [], False: []}
        looks = 0
        for number in range(2 * ROUNDS):
            observe = number % 4 in (1, 2)
            begun, events = time.process_time(), []
            with tempfile.TemporaryDirectory() as folder:
                result = engine.train(
                    network, device="cpu", run_dir=folder, observe=observe, emit=events.append
                )
            worked[observe].append(time.process_time() - begun)
            seconds[observe].append(result["seconds"])
            looks = max(looks, sum(isinstance(event, Observation) for event in events))
        figures[name] = {
            "observed_s": _fastest(seconds[True]),
            "off_s": _fastest(seconds[False]),
            "ratio": _fastest(seconds[True]) / _fastest(seconds[False]),
            "ratio_of_processor_time": _fastest(worked[True]) / _fastest(worked[False]),
            "slowest_s": max(*seconds[True], *seconds[False]),
            "looks": looks,
        }
    return figures


def by_steps() -> dict[str, Any]:
    """By network: the work of observed runs over that of the same without what looks cost them.

    Of each run the work of every step is noted. What the step that is looked at, the two before it (gradients are
    compared with the step before) and the two after it (their caches are cold) take beyond the steps around them is
    what the look costs, whatever part of it the run itself can time. A step that ends an epoch, which validates, is
    held against others that do.
    """
    import torch

    import engine
    from engine import templates
    from engine.host.protocol import Observation, RunStarted
    from engine.training.control import Control

    class Noting(Control):
        """Asked before each batch whether anybody interrupts, notes the time."""

        def __init__(self) -> None:
            self.times: list[float] = []
            super().__init__()

        @property
        def interrupted(self) -> bool:
            self.times.append(time.thread_time())
            return False

        @interrupted.setter
        def interrupted(self, value: bool) -> None:
            """Nobody does."""

    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    figures = {}
    for name, epochs in (("digits_mlp", 200), ("residual_digits", 40)):
        network = templates.template(name).network
        network = replace(network, recipe=replace(network.recipe, epochs=epochs))
        ratios, costs, counts = [], [], []
        for number in range(ROUNDS // 2 + 1):
            control, events = Noting(), list[Any]()
            begun = time.thread_time()
            with tempfile.TemporaryDirectory() as folder:
                engine.train(network, device="cpu", run_dir=folder, emit=events.append, control=control)
            if number == 0:
                continue  # a process's first steps take long, looked at or not
            per_epoch = next(event.steps_per_epoch for event in events if isinstance(event, RunStarted))
            looks = [event.step for event in events if isinstance(event, Observation)]
            cost = _excess(np.diff(control.times), looks, per_epoch)
            work = control.times[-1] - begun
            ratios.append(work / (work - cost))
            costs.append(1000 * cost / len(looks))
            counts.append(len(looks))
        figures[name] = {
            "ratio": statistics.median(ratios),
            "most": max(ratios),
            "look_ms": statistics.median(costs),
            "looks": max(counts),
        }
    return figures


def _excess(taken: Any, looks: list[int], per_epoch: int) -> float:
    """Seconds that steps near looks take beyond those that are not; step N is ``taken[N - 1]``."""
    steps = np.arange(1, len(taken) + 1)
    near = np.zeros(len(taken), bool)
    for look in looks:
        near[max(look - 3, 0) : look + 2] = True
    ends = steps % per_epoch == 0
    usual = float(np.median(taken[ends & ~near]))
    found = 0.0
    for step in steps[near]:
        if ends[step - 1]:
            found += taken[step - 1] - usual
        else:
            around = slice(max(step - 31, 0), step + 30)
            found += taken[step - 1] - float(np.median(taken[around][~near[around] & ~ends[around]]))
    return found


def _fastest(found: list[float]) -> float:
    """The mean of the fastest third."""
    return statistics.mean(sorted(found)[: len(found) // 3])


@contextmanager
def training_window(threads: int | None = None, long: bool = False) -> Iterator[Any]:
    """The window while a run trains with every panel shown, all of it settled.

    `threads` is torch's; None: one less than there are cores. With `long` the window believes that the
    run has gone on for long: it holds all the observations that it keeps, and 20,000 figures.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from engine import templates
    from gui.garbage import Garbage
    from gui.theme import theme
    from gui.window import Window

    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    theme.install(application, "light")
    garbage = Garbage(application)
    main = Window()
    main.resize(1400, 900)
    main.complete()
    main.show()
    network = templates.template("residual_digits").network
    more = {**network.recipe.options, **({} if threads is None else {"threads": threads})}
    network = replace(network, recipe=replace(network.recipe, epochs=10_000, options=more))
    main.document.edit(network, "open")

    def wait(seconds: float, until: Any = lambda: False) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end and not until():
            application.processEvents()
            time.sleep(0.001)

    with tempfile.TemporaryDirectory() as folder:
        main.workers.runs_folder = Path(folder)
        wait(60, lambda: main.workers.current and main.workers.pool.ready)
        if long:
            _lengthen(main.session)
        main.running.train()
        main.health.chooser.setCurrentIndex(1)
        for name in PANELS:
            main.docks[name].setFloating(True)
            main.docks[name].resize(560, 360)
            main.docks[name].show()
        wait(30, lambda: len(main.session.observations) > 2)
        wait(3)
        garbage.settle()
        yield main
        main.workers.control("stop")
        wait(10, lambda: not main.session.active)
        main.workers.close()
        main.hide()


def _lengthen(session: Any) -> None:
    """Let a run that begins have a past of 20,000 figures, and of as many looks as are kept."""
    import numpy as np

    from engine.host.protocol import Metrics
    from gui.session import MAX_OBSERVATIONS

    draw = np.random.default_rng(0)

    def begun(_started: object) -> None:
        for step in range(-20_000, 0):
            values = {"loss": float(draw.uniform(0.5, 1)), "accuracy": float(draw.uniform(0.5, 1))}
            session.metrics.append(Metrics(step, step / 20, "train", values, step / 20))

    def seen(observation: Any) -> None:
        session.observed.disconnect(seen)
        steps = range(-20_000, 0, 20_000 // (MAX_OBSERVATIONS - 60))
        session.observations[:0] = [replace(observation, step=step) for step in steps]

    session.started.connect(begun)
    session.observed.connect(seen)


def window(threads: int | None = None, long: bool = False) -> dict[str, Any]:
    """Milliseconds between ticks of a 16 ms timer while a run trains with every panel shown.

    `work` is what the window's thread does between two looks at its timers, in processor time: that
    long a tick can be late by the window's own doing, whatever else the machine does. `late` is how
    late the ticks would be by it alone.
    """
    from PySide6.QtCore import QAbstractEventDispatcher, QEventLoop, Qt, QTimer

    gaps: list[float] = []
    work: list[float] = []
    with training_window(threads, long) as main:
        observations: list[Any] = []
        main.session.observed.connect(observations.append)
        timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=16)
        last = [time.perf_counter(), time.thread_time()]

        def tick() -> None:
            now = time.perf_counter()
            gaps.append(1000 * (now - last[0]))
            last[0] = now

        def looked() -> None:
            now = time.thread_time()
            work.append(1000 * (now - last[1]))
            last[1] = now

        dispatcher = QAbstractEventDispatcher.instance()
        timer.timeout.connect(tick)
        dispatcher.aboutToBlock.connect(looked)
        timer.start()
        # A loop of its own: to quit the application would close the window, which asks about unsaved changes.
        loop = QEventLoop()
        QTimer.singleShot(int(1000 * SECONDS), loop.quit)
        loop.exec()
        timer.stop()
        dispatcher.aboutToBlock.disconnect(looked)
        state, begun = main.session.state, main.session.begun
    return {
        "state": state,
        "threads": begun.threads,
        "ticks": len(gaps),
        "observations": len(observations),
        **{f"gap_{name}_ms": value for name, value in _quantiles(gaps).items()},
        **{f"work_{name}_ms": value for name, value in _quantiles(work).items()},
        "late_p99_ms": _late(work, 0.01),
        "working_share": sum(work) / 1000 / SECONDS,
    }


def _late(work: list[float], share: float) -> float:
    """What `share` of ticks would be late by or more: a tick falls anywhere, and waits for the work's end."""
    ordered = sorted(work, reverse=True)
    wanted = share * 1000 * SECONDS
    behind = 0.0
    for count, (piece, shorter) in enumerate(itertools.pairwise([*ordered, 0.0]), 1):
        behind += piece
        # With `count` pieces longer than x, ticks are late by x or more in behind - count * x of the time.
        if behind - count * shorter >= wanted:
            return max((behind - wanted) / count, 0.0)
    return 0.0


def _quantiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": statistics.median(ordered),
        "p99": ordered[int(0.99 * len(ordered))],
        "most": ordered[-1],
    }


def memory() -> dict[str, Any]:
    """Bytes of what is kept of 100,000 steps, every tenth of them observed and told of."""
    import engine
    from engine.host.protocol import Confused, Metrics, Observation, decode_event, encode
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
        session.take(Metrics(step, step / 1000, "train", {"loss": 1 / step, "accuracy": 0.5}, step / 100))
        session.take(Confused(step, "validation", "", (), tuple(range(100))))
        if step in (10_000, 100_000):
            figures[f"{step:,} steps, MB"] = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    return figures


def measure() -> dict[str, Any]:
    """All three; the window with a core left to it, also late in a long run, and with all cores training."""
    cores = len(os.sched_getaffinity(0))
    left = max(1, cores - 1)
    windows = {f"{left} threads": window(left), f"{left} threads, a long run": window(left, long=True)}
    if cores > left:
        windows[f"{cores} threads"] = window(cores)
    return {"slowed": slowed(), "by_steps": by_steps(), "window": windows, "memory": memory()}


def table(figures: dict[str, Any]) -> str:
    """The figures for people."""
    lines = ["training slowed by observation (goal: 1.03)"]
    for name, row in figures["slowed"].items():
        lines.append(
            f"  {name:<18} {row['observed_s']:.2f} s / {row['off_s']:.2f} s = {row['ratio']:.3f} with {row['looks']} "
            f"looks; processor time {row['ratio_of_processor_time']:.3f}"
        )
    lines.append("the same, told by what the steps around each look take more than others")
    for name, row in figures["by_steps"].items():
        lines.append(
            f"  {name:<18} {row['ratio']:.3f}, at most {row['most']:.3f}, with {row['looks']} looks "
            f"of {row['look_ms']:.1f} ms"
        )
    lines.append("gaps of a 16 ms tick in the window, all panels shown (goal: p99 20 ms with a core left)")
    for name, row in figures["window"].items():
        for what in ("gap", "work"):
            told = ", ".join(f"{q} {row[f'{what}_{q}_ms']:.1f}" for q in ("median", "p99", "most"))
            lines.append(f"  torch {name}, {what}: {told} ms")
        lines.append(
            f"    {row['observations']} observations came in; the window works {100 * row['working_share']:.0f} % of "
            f"the time, which makes ticks late by {row['late_p99_ms']:.1f} ms (p99)"
        )
    lines.append("memory of the observations kept")
    lines += [f"  {name}: {value:.1f}" for name, value in figures["memory"].items()]
    return "\n".join(lines)
