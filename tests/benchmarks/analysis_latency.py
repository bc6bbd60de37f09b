"""How long the window waits for the analysis after an edit, over the wire, by size of the network.

The goal is 100 ms for a network of 60 nodes.
"""

from __future__ import annotations

import queue
import statistics
import sys
import time
from typing import Any

from engine import edit
from engine.host.client import Host
from engine.host.protocol import Analyze, Analyzed, Event, Failed, Warm
from engine.network import Choice, Edge, End, Network, Node
from engine.storage.file import dumps

_EDITS = 30


def residual(nodes: int) -> Network:
    """A residual network of 3×3 convolutions with about `nodes` nodes."""
    found = {
        "image": Node("Input", {"shape": [1, 8, 8]}),
        "stem": Node("Conv2d", {"out_channels": 16, "kernel_size": 3, "padding": 1}),
    }
    edges = [Edge(End("image"), End("stem"))]
    last = "stem"
    for number in range((nodes - 5) // 5):
        conv_a, norm_a, conv_b, norm_b, add = (
            f"{kind}{number}" for kind in ("conv_a", "norm_a", "conv_b", "norm_b", "add")
        )
        for id in (conv_a, conv_b):
            found[id] = Node("Conv2d", {"out_channels": 16, "kernel_size": 3, "padding": 1})
        found[norm_a] = Node("BatchNorm2d", activation=Choice("ReLU"))
        found[norm_b] = Node("BatchNorm2d")
        found[add] = Node("Add", activation=Choice("ReLU"))
        for source, target in ((last, conv_a), (conv_a, norm_a), (norm_a, conv_b), (conv_b, norm_b)):
            edges.append(Edge(End(source), End(target)))
        edges += [Edge(End(last), End(add, "input")), Edge(End(norm_b), End(add, "other"))]
        last = add
    found["flat"], found["fc"] = Node("Flatten"), Node("Linear", {"out_features": 10})
    found["out"] = Node("Output")
    for source, target in ((last, "flat"), ("flat", "fc"), ("fc", "out")):
        edges.append(Edge(End(source), End(target)))
    return Network(nodes=found, edges=tuple(edges))


def measure() -> dict[str, dict[str, float]]:
    """Milliseconds from the edited document to its decoded analysis: medians and the worst."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    host = Host.start(events.put, lambda exit: None)

    def answer(request: int) -> Analyzed:
        while True:
            event = events.get(timeout=120)
            if isinstance(event, Failed):
                raise RuntimeError(event.message)
            if isinstance(event, Analyzed) and event.request == request:
                return event

    def timed(request: int, network: Network) -> float:
        started = time.perf_counter()
        host.send(Analyze(request, dumps(network)))
        answered = answer(request)
        if answered.analysis.errors:
            raise RuntimeError(str(answered.analysis.errors[0]))
        return 1000 * (time.perf_counter() - started)

    figures: dict[str, dict[str, float]] = {}
    request = 0
    try:
        while not isinstance(events.get(timeout=120), Warm):
            pass
        for nodes in (60, 500):
            network = residual(nodes)
            request += 1
            figures[f"{len(network.nodes)} nodes"] = found = {"first analysis, ms": timed(request, network)}
            last = [id for id in network.nodes if id.startswith("norm_b")][-1]
            for name in ("edit of every shape behind the input", "edit of one late layer"):
                times = []
                for number in range(_EDITS):
                    # Each edit is new, so nothing that it changes is remembered.
                    if name == "edit of one late layer":
                        edited = edit.set_field(network, last, "eps", 1e-5 * (2 + number))
                    else:
                        edited = network
                        for id, node in network.nodes.items():
                            if node.type == "Conv2d":
                                edited = edit.set_field(edited, id, "out_channels", 17 + number)
                    request += 1
                    times.append(timed(request, edited))
                found[f"{name}, median ms"] = statistics.median(times)
                found[f"{name}, worst ms"] = max(times)
            print(f"analysis_latency: {nodes} nodes done", file=sys.stderr)
    finally:
        host.kill()
        host.close()
    return figures


def table(figures: dict[str, Any]) -> str:
    """The figures, for people."""
    lines = []
    for group, values in figures.items():
        if group not in ("benchmark", "machine"):
            lines += [group, *(f"  {name:<52} {value:8.1f}" for name, value in values.items())]
    return "\n".join(lines)
