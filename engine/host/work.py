"""What a host does with each request: the engine's own functions, called with torch at hand."""

from __future__ import annotations

import gc
import os
import platform
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from engine.analysis import analyze
from engine.analysis.known_repairs import KnownRepairs
from engine.catalog import plugins
from engine.compile.printer import marked_source
from engine.data.progress import Cancelled, watched
from engine.findings import Analysis
from engine.host.channel import MakeWay
from engine.host.previews import preview_activation, preview_binarizer, preview_init
from engine.host.protocol import (
    CANCELLED,
    PROTOCOL_VERSION,
    Analyze,
    Analyzed,
    BatchFound,
    BinaryLaboratory,
    BinaryMeasured,
    Boundary,
    ChannelProblem,
    DataAbsent,
    DataLooked,
    DataProgress,
    Device,
    Evaluate,
    Evaluated,
    Event,
    Failed,
    FindBatch,
    FindRate,
    Found,
    Laboratory,
    LookAtData,
    LookAtEstimator,
    Measured,
    Predict,
    Predicted,
    Prepare,
    PreviewActivation,
    PreviewBinarizer,
    PreviewInit,
    PrintSource,
    RateFound,
    Respond,
    RunState,
    SourcePrinted,
    Train,
    Welcome,
    WhatIf,
)
from engine.host.what_if import what_if
from engine.network import Choice, Data, Edge, End, Network, Node
from engine.problems import DataMissing, FileProblem
from engine.runs import RunFolder
from engine.storage.file import loads
from engine.storage.reader import Reader
from engine.training.control import Control

#: Seconds after which a host that analyses lets its other thread go on: the one that reads what is asked
#: next. (A host that trains has no such haste, and keeps Python's own.)
_SWITCH = 0.001
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
        #: Looks at data that are called off and have not ended; and the last one that has ended. (They are
        #: numbered in the order in which they are done.)
        self._cancelled: set[int] = set()
        self._looked = 0
        self._looks = threading.Lock()
        self._reader = Reader()
        self._repairs = KnownRepairs()
        #: The data that are loaded in advance now, and whether that is to make way for others.
        self._ahead: Data | None = None
        self._make_way = False

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
        # Torch and all that belongs to it stays to the end. To walk through it takes the collector a tenth of
        # a second, which it would choose while somebody waits for an answer.
        gc.freeze()

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
        """Call a look at data off, from another thread: one that goes on, or is yet to begin."""
        with self._looks:
            if request > self._looked:
                self._cancelled.add(request)

    def coming(self, request: Any) -> None:
        """Let go of data that are loaded in advance where others are wanted; from another thread."""
        ahead = self._ahead
        if ahead is None or not isinstance(request, Prepare | Train | LookAtData):
            return
        other = isinstance(request, LookAtData) and request.path is not None
        if not other:
            try:
                wanted = loads(request.document).recipe.data
            except FileProblem:  # it will be told when its turn comes
                return
            other = (wanted.source, wanted.fields) != (ahead.source, ahead.fields)
        if other:
            self._make_way = True

    def answer(
        self, request: Any, emit: Callable[[Event], None], pressing: Callable[[], bool] = lambda: False
    ) -> None:
        """Do what is asked; raises what went wrong."""
        match request:
            case Analyze():
                self._analyze(request, emit, pressing)
            case PreviewInit():
                network = self._reader.loads(request.document)
                emit(preview_init(request.request, network, request.node, request.parameter))
            case PreviewActivation():
                emit(preview_activation(request.request, request.id, request.fields))
            case PreviewBinarizer():
                emit(preview_binarizer(request.request, request.id, request.fields))
            case WhatIf():
                emit(what_if(request, self._reader.loads(request.document), pressing))
            case PrintSource():
                text, lines = marked_source(self._reader.loads(request.document))
                emit(SourcePrinted(request.request, text, lines))
            case Prepare():
                self._prepare(request, emit)
            case Train():
                self._train(request, emit)
            case LookAtData():
                self._look(request, emit)
            case Evaluate():
                from engine.training import evaluate

                said: list[str] = []
                splits = evaluate(request.run, request.device, warn=said.append)
                emit(Evaluated(request.request, splits, " ".join(said)))
            case Laboratory():
                from engine.training import lab_init

                network = loads(request.document)
                chosen = (
                    lab_init.usual(network) if request.schemes is None else lab_init.parsed(request.schemes)
                )
                report = lab_init.compare(network, chosen)
                raced = lab_init.race(network, chosen, request.race) if request.race else None
                emit(Measured(request.request, report, raced))
            case FindBatch():
                from engine.training import find_batch

                fits = find_batch(loads(request.document), device=request.device)
                emit(BatchFound(request.request, fits))
            case FindRate():
                from engine.training import find_rate

                curve = find_rate(loads(request.document), device=request.device, steps=request.steps)
                emit(RateFound(request.request, curve.rates, curve.losses, curve.suggestion))
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

                said = []
                classes, predictions = predict(
                    request.run,
                    split=request.split,
                    first=request.first,
                    count=request.count,
                    file=request.file,
                    pictures=request.pictures,
                    warn=said.append,
                    step=request.step,
                )
                found = RunFolder(Path(request.run)).weights_at(request.step)
                which = found[1] if found else ""
                emit(Predicted(request.request, classes, predictions, " ".join(said), which))
            case Respond():
                from engine.training.responses import respond

                emit(respond(request, loads(request.document)))
            case LookAtEstimator():
                from engine.training.estimator_view import look

                emit(look(request, loads(request.document)))
            case Boundary():
                from engine.training.responses import boundary

                emit(boundary(request, loads(request.document)))

    def _analyze(self, request: Analyze, emit: Callable[[Event], None], pressing: Callable[[], bool]) -> None:
        """Tell what is wrong, and then how to mend it, if nothing newer has come by then."""
        sys.setswitchinterval(_SWITCH)
        started = time.perf_counter()
        told = False

        def tell(analysis: Analysis) -> None:
            nonlocal told
            told = True
            emit(Found(request.request, self._repairs.recall(network, analysis)))

        def make_way() -> None:
            if told and pressing():
                raise MakeWay

        with watched(lambda what, done, total: emit(DataProgress(0, what, done, total))):
            network = self._reader.loads(request.document)
            analysis = analyze(network, found=tell, between=make_way)
        self._repairs.learn(network, analysis)
        if told:
            analysis = Analysis(problems=analysis.problems)
        emit(Analyzed(request.request, analysis, time.perf_counter() - started, found=told))

    def _prepare(self, request: Prepare, emit: Callable[[Event], None]) -> None:
        # Training is imported when it is first asked for: a host that analyses does without.
        from engine.training import warm

        def tell(what: str, done: int, total: int) -> None:
            if self._make_way or self._cancelled or self._control.stopping:
                raise Cancelled
            if network is not None:  # something tiny is nothing that anybody waits for
                emit(DataProgress(0, what, done, total))

        network = loads(request.document) if request.document else None
        self._make_way = False
        self._ahead = None if network is None else network.recipe.data
        try:
            with watched(tell):
                warm(network)
        except Cancelled:
            pass
        finally:
            self._ahead = None

    def _look(self, request: LookAtData, emit: Callable[[Event], None]) -> None:
        from engine.data.description import fields
        from engine.data.download import download, offer
        from engine.data.guess import guess
        from engine.data.view import view

        def tell(what: str, done: int, total: int) -> None:
            if request.request in self._cancelled or self._control.stopping:  # of a run that waits behind it
                raise Cancelled
            emit(DataProgress(request.request, what, done, total))

        recipe = loads(request.document).recipe
        try:
            tell("Looking", 0, 0)
            data, reason = (recipe.data, "") if request.path is None else guess(request.path)
            with watched(tell):
                if request.download:
                    download(data.source, fields(data))
                emit(DataLooked(request.request, view(data, recipe.seed, reason=reason)))
        except Cancelled:
            emit(Failed(request.request, CANCELLED))
        except DataMissing as problem:
            found = offer(problem.source, recipe.data.fields)
            assert found is not None
            emit(DataAbsent(request.request, problem.message, found))
        finally:
            with self._looks:
                self._looked = max(self._looked, request.request)
                self._cancelled = {number for number in self._cancelled if number > self._looked}

    def _train(self, request: Train, emit: Callable[[Event], None]) -> None:
        from engine.training import run
        from engine.training.memory import release
        from engine.training.session import called_off

        folder = Path(request.run)
        try:
            run(
                loads(request.document),
                folder,
                device=request.device,
                resume=request.resume,
                weights=request.weights,
                control=self._control,
                emit=emit,
            )
        except Cancelled:
            result = called_off(folder if request.resume else None, request.device)
            emit(RunState("stopped", 0, result["message"], result))
        finally:
            self._control = Control()
            release()
            with suppress(OSError):  # not there, or not empty: what a run has written is kept
                folder.rmdir()
