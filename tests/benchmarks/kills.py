"""Two hundred runs' worth of SIGKILLs: does a run that is killed again and again end as if it had not been?

One run with everything that moves (one-cycle rate, averaged weights, dropout, batch normalisation,
clipping, validation within epochs) is killed at a random moment, within steps and writes alike, and
resumed from its newest checkpoint, until it comes to its end, and is then compared with one that nobody
killed: weights, best weights, curve and result, bit by bit. Then the next run, until there were KILLS kills.
Processes are forked, so that none has to import torch again; needs an operating system that can.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from engine.host.protocol import Metrics
from engine.network import Choice, Edge, End, Network, Node, Recipe
from engine.runs import RunFolder, read_events
from engine.training import session, trainer, warm

KILLS = 200
EPOCHS = 40


def network() -> Network:
    """A small convolutional network on the digits, with all that moves."""
    nodes = {
        "image": Node("Input", {"shape": [1, 8, 8]}),
        "conv": Node("Conv2d", {"out_channels": 4, "kernel_size": 3}),
        "norm": Node("BatchNorm2d", activation=Choice("ReLU")),
        "flat": Node("Flatten"),
        "drop": Node("Dropout", {"p": 0.3}),
        "fc": Node("Linear", {"out_features": 10}),
        "out": Node("Output"),
    }
    recipe = Recipe(
        epochs=EPOCHS,
        batch_size=100,
        schedule=Choice("OneCycleLR", {"max_lr": 0.01}),
        options={"ema_decay": 0.99, "clip_norm": 1.0, "validate_every": 11, "validate_unit": "steps"},
    )
    edges = tuple(Edge(End(a), End(b)) for a, b in pairwise(nodes))
    return Network("Killed", nodes, edges, recipe=recipe)


def _forked(work: Callable[[], None]) -> int:
    """The process id of a child that does `work`."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
    except BaseException as problem:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _curve(folder: RunFolder) -> list[Any]:
    events = read_events(folder.metrics)
    return [(m.step, m.split, dict(m.values)) for m in events if isinstance(m, Metrics)]


def measure() -> dict[str, Any]:
    """How often it was killed, and whether the end was the same."""
    torch.set_num_threads(1)  # a fork does not take other threads along
    trainer._CHECKPOINT_EPOCH, trainer._CHECKPOINT_WITHIN, trainer._TICK = 0.0, 0.05, 0.02
    draw = random.Random(0)
    base = Path(tempfile.mkdtemp())
    try:
        whole, killed = RunFolder(base / "whole"), RunFolder(base / "killed")

        def run(folder: RunFolder, told: int | None = None) -> None:
            def tell(event: object) -> None:
                if told is not None:
                    os.write(told, b".")

            resume = folder.network.exists()
            session.run(network(), folder.path, device="cpu", resume=resume, emit=tell, observe=False)

        warm(network(), "cpu")  # what a process pays once, the forks need not pay again
        _, status = os.waitpid(_forked(lambda: run(whole)), 0)
        assert status == 0
        expected = whole.read_result()
        assert expected is not None
        kills = ends = equal = 0
        steps: set[int] = set()
        while kills < KILLS:
            reading, writing = os.pipe()
            pid = _forked(lambda: run(killed, writing))  # noqa: B023
            os.close(writing)
            for _ in range(draw.randrange(1, 8)):  # so many events, and a moment: within a step or a write
                if not os.read(reading, 1):
                    break
            os.close(reading)
            time.sleep(draw.random() * 0.03)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            if killed.read_result() is None:
                kills += 1
                names = sorted(killed.checkpoints.glob("*.json")) if killed.checkpoints.exists() else []
                steps.add(int(names[-1].stem.partition("-")[2]) if names else 0)
                if kills % 20 == 0:
                    print(f"kills: {kills}, {ends} runs ended, {equal} of them equal", file=sys.stderr)
            if killed.read_result() is not None or kills == KILLS:
                _, status = os.waitpid(_forked(lambda: run(killed)), 0)
                ends += 1
                equal += status == 0 and _equal(whole, killed)
                shutil.rmtree(killed.path)
        return {
            "kills": kills,
            "steps_of_a_run": expected["steps"],
            "runs": ends,
            "runs_bit_equal": equal,
            "resumed_from_different_steps": len(steps),
            "points_of_the_curve": len(_curve(whole)),
        }
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _equal(whole: RunFolder, killed: RunFolder) -> bool:
    """Whether weights, best weights, curve and result are the same, bit by bit."""
    tensors = all(
        torch.equal(a, b)
        for name in ("weights", "best")
        for a, b in zip(_tensors(whole, name), _tensors(killed, name), strict=True)
    )
    expected, result = whole.read_result() or {}, killed.read_result() or {}
    keys = ("state", "epochs", "steps", "train", "validation", "best_epoch")
    return tensors and _curve(whole) == _curve(killed) and all(result.get(k) == expected[k] for k in keys)


def _tensors(folder: RunFolder, name: str) -> list[torch.Tensor]:
    state = load_file(str(getattr(folder, name)))
    return [state[key] for key in sorted(state)]


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    return "\n".join(
        f"{name:<32} {value}" for name, value in figures.items() if name not in ("benchmark", "machine")
    )
