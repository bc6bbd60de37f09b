"""Analysis of 1,000 nodes: the first, and after one edit.

Goals: the first within 1 s, after one edit within 30 ms (median).
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from engine import edit
from engine.analysis import analyze, evaluate
from tests.benchmarks.analysis_latency import residual

_EDITS = 31


def measure() -> dict[str, Any]:
    """Milliseconds; torch's first pass on ``meta``, which the host does while it warms up, is paid before."""
    network = residual(1000)
    analyze(residual(20))
    evaluate._REMEMBERED.clear()
    started = time.perf_counter()
    if analyze(network).errors:
        raise RuntimeError("the network has errors")
    first = 1000 * (time.perf_counter() - started)
    evaluate._REMEMBERED.clear()
    # The same network, all of whose layers differ from one another: nothing is remembered from another node.
    varied = network
    for number, (id, node) in enumerate(network.nodes.items()):
        if node.type == "BatchNorm2d":
            varied = edit.set_field(varied, id, "eps", 1e-5 * (1 + number))
    started, busy = time.perf_counter(), time.process_time()
    analyze(varied)
    distinct = 1000 * (time.perf_counter() - started)
    distinct_spent = 1000 * (time.process_time() - busy)
    ids = [id for id, node in network.nodes.items() if node.type == "BatchNorm2d"]
    times, spent = [], []
    for number in range(_EDITS):
        edited = edit.set_field(varied, ids[(37 * number) % len(ids)], "momentum", 0.2 + number / 1000)
        started, busy = time.perf_counter(), time.process_time()
        analyze(edited)
        times.append(1000 * (time.perf_counter() - started))
        spent.append(1000 * (time.process_time() - busy))
    return {
        "nodes": len(network.nodes),
        "first analysis, ms": first,
        "first analysis, 400 layers all different, ms": distinct,
        "first analysis, 400 layers all different, ms of CPU": distinct_spent,
        "after one edit, median ms": statistics.median(times),
        "after one edit, worst ms": max(times),
        "after one edit, median ms of CPU": statistics.median(spent),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    return "\n".join(
        f"{name:<56} {value:8.1f}" for name, value in figures.items() if name not in ("benchmark", "machine")
    )
