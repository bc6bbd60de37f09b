"""What a host does with each request: the engine's own functions, called with torch at hand."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch

from engine.analysis import analyze
from engine.compile import build
from engine.host.previews import preview_activation, preview_binarizer, preview_init
from engine.host.protocol import (
    PROTOCOL_VERSION,
    Analyze,
    Analyzed,
    Device,
    Event,
    PreviewActivation,
    PreviewBinarizer,
    PreviewInit,
    Welcome,
)
from engine.network import Choice, Edge, End, Network, Node
from engine.storage.file import loads


def devices() -> tuple[Device, ...]:
    """The devices that can train here, the processor first."""
    found = [Device("cpu", platform.processor() or platform.machine() or "Processor")]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    return tuple(found)


class Work:
    """Does everything with torch.

    Parameters
    ----------
    threads
        How many torch computes with.
    """

    def __init__(self, *, threads: int) -> None:
        torch.set_num_threads(threads)

    def welcome(self) -> Welcome:
        """Who this is, and what it can train on."""
        return Welcome(
            PROTOCOL_VERSION, os.getpid(), platform.python_version(), str(torch.__version__), devices()
        )

    def warm_up(self) -> None:
        """Analyse, build and train something tiny: the first of each costs up to a second."""
        network = Network(
            nodes={
                "image": Node("Input", {"shape": [1, 8, 8]}),
                "conv": Node("Conv2d", {"out_channels": 2, "kernel_size": 3}, activation=Choice("ReLU")),
                "flat": Node("Flatten"),
                "fc": Node("Linear", {"out_features": 2}),
                "out": Node("Output"),
            },
            edges=tuple(
                Edge(End(source), End(target))
                for source, target in pairwise(("image", "conv", "flat", "fc", "out"))
            ),
        )
        analyze(network)
        model = build(network)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        output = model(torch.zeros(2, 1, 8, 8))
        torch.autograd.backward(torch.nn.functional.cross_entropy(output, torch.tensor([0, 1])))
        optimizer.step()

    def control(self, action: str) -> None:
        """Steer the run, from another thread; also before it has quite begun."""

    def answer(self, request: Any, emit: Callable[[Event], None]) -> None:
        """Do what is asked; raises what went wrong."""
        match request:
            case Analyze():
                started = time.perf_counter()
                analysis = analyze(loads(request.document))
                emit(Analyzed(request.request, analysis, time.perf_counter() - started))
            case PreviewInit():
                network = loads(request.document)
                emit(preview_init(request.request, network, request.node, request.parameter))
            case PreviewActivation():
                emit(preview_activation(request.request, request.id, request.fields))
            case PreviewBinarizer():
                emit(preview_binarizer(request.request, request.id, request.fields))
