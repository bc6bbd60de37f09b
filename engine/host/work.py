"""What a host does with each request: the engine's own functions, called with torch at hand."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from engine.analysis import analyze
from engine.catalog import plugins
from engine.compile.printer import marked_source
from engine.host.previews import preview_activation, preview_binarizer, preview_init
from engine.host.protocol import (
    CANCELLED,
    PROTOCOL_VERSION,
    Analyze,
    Analyzed,
    BinaryLaboratory,
    BinaryMeasured,
    Boundary,
    ChannelProblem,
    DataLooked,
    DataProgress,
    Device,
    Evaluate,
    Evaluated,
    Event,
    Failed,
    Laboratory,
    LookAtData,
    Measured,
    Predict,
    Predicted,
    Prepare,
    PreviewActivation,
    PreviewBinarizer,
    PreviewInit,
    PrintSource,
    Respond,
    SourcePrinted,
    Train,
    Welcome,
    WhatIf,
)
from engine.host.what_if import what_if
from engine.network import Choice, Edge, End, Network, Node
from engine.storage.file import loads
from engine.training.control import Control

#: Batch normalisation is the dear one: on ``meta`` it brings in three hundred modules of torch.
TINY = Network(
    nodes={
        "image": Node("Input", {"shape": [1, 8, 8]}),
        "conv": Node("Conv2d", {"out_channels": 2, "kernel_size": 3}, activation=Choice("ReLU")),
        "norm": Node("BatchNorm2d"),
        "pool": Node("MaxPool2d", {"kernel_size": 2}),
        "flat": Node("Flatten"),
        "fc": Node("Linear", {"out_features": 10}),
        "out": Node("Output"),
    },
    edges=tuple(
        Edge(End(source), End(target))
        for source, target in pairwise(("image", "conv", "norm", "pool", "flat", "fc", "out"))
    ),
)


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
        self._control = Control()
        self._cancelled: set[int] = set()

    def welcome(self) -> Welcome:
        """Who this is, and what it can train on."""
        return Welcome(
            PROTOCOL_VERSION,
            os.getpid(),
            platform.python_version(),
            str(torch.__version__),
            devices(),
            tuple(plugins.described()),
        )

    def warm_up(self) -> None:
        """Analyse something tiny: the first pass on ``meta`` costs a second."""
        analyze(TINY)

    def control(self, action: str) -> None:
        """Steer the run, from another thread; also before it has quite begun."""
        act = {
            "pause": self._control.pause,
            "resume": self._control.resume,
            "step": self._control.step,
            "stop": self._control.stop,
        }.get(action)
        if act is None:
            raise ChannelProblem(f"{action!r} is no way to steer a run: pause, resume, step, stop.")
        act()

    def cancel(self, request: int) -> None:
        """Call a look at data off, from another thread; also before it has begun."""
        self._cancelled.add(request)

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
            case WhatIf():
                emit(what_if(request, loads(request.document)))
            case PrintSource():
                text, lines = marked_source(loads(request.document))
                emit(SourcePrinted(request.request, text, lines))
            case Prepare():
                # Training is imported when it is first asked for: a host that analyses does without.
                from engine.training import warm

                warm(loads(request.document) if request.document else None)
            case Train():
                self._train(request, emit)
            case LookAtData():
                self._look(request, emit)
            case Evaluate():
                from engine.training import evaluate

                emit(Evaluated(request.request, evaluate(request.run, request.device)))
            case Laboratory():
                from engine.training import lab_init

                network = loads(request.document)
                chosen = (
                    lab_init.usual(network) if request.schemes is None else lab_init.parsed(request.schemes)
                )
                report = lab_init.compare(network, chosen)
                raced = lab_init.race(network, chosen, request.race) if request.race else None
                emit(Measured(request.request, report, raced))
            case BinaryLaboratory():
                from engine.training import lab_binary

                network = loads(request.document)
                if request.race:
                    chosen = lab_binary.parsed(request.estimators)
                    raced = lab_binary.race(network, chosen, request.race)
                    emit(BinaryMeasured(request.request, race=raced))
                else:
                    emit(BinaryMeasured(request.request, lab_binary.measure(network, request.run)))
            case Predict():
                from engine.training import predict

                classes, predictions = predict(
                    request.run,
                    split=request.split,
                    first=request.first,
                    count=request.count,
                    file=request.file,
                    pictures=request.pictures,
                )
                emit(Predicted(request.request, classes, predictions))
            case Respond():
                from engine.training.responses import respond

                emit(respond(request, loads(request.document)))
            case Boundary():
                from engine.training.responses import boundary

                emit(boundary(request, loads(request.document)))

    def _look(self, request: LookAtData, emit: Callable[[Event], None]) -> None:
        from engine.data import Cancelled, watched
        from engine.data.guess import guess
        from engine.data.view import view

        def tell(what: str, done: int, total: int) -> None:
            if request.request in self._cancelled:
                raise Cancelled
            emit(DataProgress(request.request, what, done, total))

        recipe = loads(request.document).recipe
        try:
            tell("Looking", 0, 0)
            data, reason = (recipe.data, "") if request.path is None else guess(request.path)
            with watched(tell):
                emit(DataLooked(request.request, view(data, recipe.seed, reason=reason)))
        except Cancelled:
            emit(Failed(request.request, CANCELLED))
        finally:
            self._cancelled.discard(request.request)

    def _train(self, request: Train, emit: Callable[[Event], None]) -> None:
        from engine.training import run

        try:
            run(
                loads(request.document),
                Path(request.run),
                device=request.device,
                resume=request.resume,
                weights=request.weights,
                control=self._control,
                emit=emit,
            )
        finally:
            self._control = Control()
