"""What is fastest here, found by trying it on some batches.

One thing after another is varied (threads, layout of images, compilation, CUDA graphs), on a copy
of the model, and what was faster by more than noise stays.
"""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import torch
from torch import Tensor

from engine.catalog import Settings
from engine.training import parameters
from engine.training.compute import Choices, Compute, pictures
from engine.training.direct import DirectStep
from engine.training.feed import Feed
from engine.training.task import Task

#: Seconds that each candidate trains, and by how much it must win.
_SECONDS = 0.3
_LEAD = 1.03


def fastest(
    task: Task, feed: Feed, options: Settings, asked: Choices, *, recording: bool = True
) -> tuple[Choices, Sequence[str]]:
    """The fastest choices, and what was measured, for people; `recording`: CUDA graphs may be among them.

    Compiling is tried on GPUs alone: on processors it takes seconds and was never faster for small
    networks; a recipe may still ask for it.
    """
    with torch.random.fork_rng(devices=[task.device.index] if task.device.type == "cuda" else []):
        return _fastest(task, feed, options, asked, recording)


def _fastest(
    task: Task, feed: Feed, options: Settings, asked: Choices, recording: bool
) -> tuple[Choices, Sequence[str]]:
    cuda = task.device.type == "cuda"
    best, rate = asked, _steps_per_second(task, feed, options, asked)
    told = [f"{rate:,.0f} steps/s as it comes"]
    candidates: list[tuple[str, dict[str, object]]] = []
    if options.threads is None and not cuda:
        most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        counts = sorted({1, 2, most // 2, most} - {0, asked.threads})
        candidates += [(f"{n} thread{'s' * (n > 1)}", {"threads": n}) for n in counts if n <= most]
    if options.channels_last == "auto" and pictures(task.model):
        name = "channels first" if asked.channels_last else "channels last"
        candidates.append((name, {"channels_last": not asked.channels_last}))
    if cuda:
        candidates.append(("compiled", {"compile": True}))
    if cuda and recording:
        candidates += [
            ("CUDA graphs", {"cuda_graphs": True, "compile": False}),
            ("CUDA graphs, compiled", {"cuda_graphs": True, "compile": True}),
        ]
    for name, change in candidates:
        tried = msgspec.structs.replace(best, **change)
        try:
            found = _steps_per_second(task, feed, options, tried)
        except RuntimeError as problem:
            told.append(f"{name} failed: {str(problem).partition(chr(10))[0]}")
            continue
        told.append(f"{found:,.0f} with {name}")
        if found > rate * _LEAD:
            best, rate = tried, found
    return best, (f"fastest: {'; '.join(told)}",)


def _steps_per_second(task: Task, feed: Feed, options: Settings, chosen: Choices) -> float:
    before = torch.get_num_threads()
    torch.set_num_threads(chosen.threads)
    try:
        own = Task(task.network, task.dataset, copy.deepcopy(task.model), task.heads, task.device)
        own.model.train()
        run = Compute(own, own.model, options.precision, chosen)
        parts = parameters.parts(own.network, own.model)
        optimizer, _, _ = parameters.optimizer(own.network.recipe.optimizer, parts, decay=options.decay)
        step = DirectStep(optimizer)
        recorded = run.recorded([part.tensor for part in parts])

        def steps(batches: Iterator[tuple[Tensor, ...]]) -> int:
            count = 0
            for batch in batches:
                if recorded is not None and recorded.takes(batch):
                    recorded(batch)
                else:
                    output, loss = run(batch)
                    run.backward(loss)
                    del output, loss  # a recording must not find the way that led to them
                if run.scaler is None:
                    step()
                else:
                    run.scaler.step(optimizer)
                    run.scaler.update()
                optimizer.zero_grad()
                count += 1
            _wait(task.device)
            return count

        steps(islice(_endless(feed), 5))  # the first ones allocate, compile, record
        count, start = 0, time.perf_counter()
        for piece in _pieces(feed):
            count += steps(islice(piece, 16))
            if time.perf_counter() - start > _SECONDS:
                break
        return count / (time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
        if task.device.type == "cuda":
            torch.cuda.empty_cache()


def _pieces(feed: Feed) -> Iterator[Iterator[tuple[Tensor, ...]]]:
    while True:
        yield from feed.pieces(0)


def _endless(feed: Feed) -> Iterator[tuple[Tensor, ...]]:
    for piece in _pieces(feed):
        yield from piece


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
