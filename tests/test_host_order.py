"""In which order a host does what is asked: what someone draws comes first, and what is out of date not at all."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from networks import chain

from engine import assets, edit
from engine.analysis import analyze
from engine.data.progress import Progress
from engine.findings import Analysis
from engine.host.channel import Inbox, MakeWay
from engine.host.client import Host
from engine.host.member import Member
from engine.host.protocol import (
    Analyze,
    Analyzed,
    DataLooked,
    DataProgress,
    Failed,
    Found,
    LookAtData,
    Prepare,
    PreviewActivation,
    PreviewBinarizer,
    PreviewInit,
    PrintSource,
    Request,
    WhatIf,
)
from engine.host.server import Server
from engine.host.what_if import what_if
from engine.host.work import Work
from engine.network import Node

NETWORK = chain(
    ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3})),
    ("flat", Node("Flatten")),
    ("fc", Node("Linear", {"out_features": 10})),
    shape=(1, 8, 8),
)


def strides(number: int) -> WhatIf:
    return WhatIf(number, b"", "conv", None, "conv", "stride", (1, 2, 4))


def taken(inbox: Inbox) -> list[Request]:
    found = []
    while not inbox.idle:
        found.append(inbox.get())
    return found


def test_an_analysis_goes_before_all_that_waits() -> None:
    inbox = Inbox()
    draw, stride, analysis = PreviewInit(1, b"", "conv", "weight"), strides(2), Analyze(3, b"")
    for request in (draw, stride):
        inbox.put(request)
        assert not inbox.pressing
    inbox.put(analysis)
    assert inbox.pressing
    assert taken(inbox) == [analysis, draw, stride]


@pytest.mark.parametrize("curve", [PreviewActivation, PreviewBinarizer])
def test_a_curve_is_not_kept_waiting_by_analyses_that_never_end(curve) -> None:
    inbox = Inbox()
    inbox.put(Analyze(1, b""))
    inbox.put(curve(2, "ReLU"))
    inbox.put(curve(3, "ReLU"))
    done = []
    for number in range(4, 7):
        done.append(inbox.get().request)
        inbox.put(Analyze(number, b""))  # a slider is dragged faster than analyses are made
    assert done == [2, 3, 5]
    assert inbox.pressing


@pytest.mark.parametrize("kind", [lambda n: Analyze(n, b""), strides, lambda n: PrintSource(n, b"")])
def test_a_newer_one_takes_the_place_of_one_that_waits(kind) -> None:
    inbox = Inbox()
    other = PreviewActivation(9, "ReLU")
    for request in (kind(1), other, kind(2), kind(3)):
        inbox.put(request)
    assert sorted(request.request for request in taken(inbox)) == [3, 9]


def test_of_draws_those_of_one_parameter_alone_supersede_one_another() -> None:
    inbox, member = Inbox(), member_of_nobody()
    kernel = [PreviewInit(n, b"", "conv", "weight") for n in (1, 3, 5)]
    others = [PreviewInit(2, b"", "conv", "bias"), PreviewInit(4, b"", "fc", "weight")]
    for request in sorted((*kernel, *others), key=lambda request: request.request):
        inbox.put(request)
        member.ask(request)
    assert list(member.pending) == [2, 4, 5]
    assert taken(inbox) == [*others, kernel[-1]]


def test_what_made_way_is_next_behind_the_analysis() -> None:
    inbox = Inbox()
    analysis, draw = Analyze(2, b""), PreviewInit(3, b"", "conv", "weight")
    curve = PreviewActivation(4, "ReLU")
    for request in (draw, analysis, curve):
        inbox.put(request)
    assert inbox.pressing
    inbox.put_back(strides(1))
    assert taken(inbox) == [curve, analysis, strides(1), draw]


def test_what_made_way_is_forgotten_where_a_newer_one_waits() -> None:
    inbox = Inbox()
    inbox.put(strides(4))
    inbox.put_back(strides(1))
    assert taken(inbox) == [strides(4)]


def test_strides_are_not_tried_while_an_analysis_waits() -> None:
    with pytest.raises(MakeWay):
        what_if(strides(1), NETWORK, lambda: True)
    said = iter([False, False, True])
    with pytest.raises(MakeWay):
        what_if(strides(1), NETWORK, lambda: next(said))
    # 8 pixels, window 3: 6 places at stride 1, 3 at 2, 2 at 4
    assert [variant.output for variant in what_if(strides(1), NETWORK).variants] == [
        (4, 6, 6),
        (4, 3, 3),
        (4, 2, 2),
    ]


def test_a_server_does_what_made_way_after_the_analysis() -> None:
    done: list[int] = []

    class Played:
        def answer(self, request, emit, pressing) -> None:
            if isinstance(request, WhatIf) and request.request not in done:
                done.append(request.request)
                server._inbox.put(Analyze(7, b""))  # it comes in the middle
                assert pressing()
                raise MakeWay
            done.append(request.request)

    server = Server.__new__(Server)
    said: list[object] = []
    server._inbox, server._work, server._lock = Inbox(), Played(), threading.RLock()
    server._outbox = SimpleNamespace(put=said.append)
    server._inbox.put(strides(1))
    while not server._inbox.idle:
        server._answer(server._inbox.get())
    assert done == [1, 7, 1]
    assert not said  # nothing has failed


def test_what_is_wrong_is_written_before_the_search_for_ways_out_goes_on() -> None:
    written: list[object] = []

    class Slow:
        """An outbox whose thread comes to nothing unless it is waited for."""

        def __init__(self) -> None:
            self.waiting: list[object] = []

        def put(self, event: object) -> None:
            self.waiting.append(event)

        def flush(self, timeout: float) -> bool:
            assert timeout <= 0.1  # a window that stands still keeps no host from its work
            written.extend(self.waiting)
            self.waiting.clear()
            return True

    class Played:
        def answer(self, request, emit, pressing) -> None:
            emit(Found(request.request, Analysis()))
            assert written == [Found(1, Analysis())]  # and now the search
            emit(Analyzed(request.request, Analysis(), 0.0))

    server = Server.__new__(Server)
    server._inbox, server._work, server._lock, server._outbox = Inbox(), Played(), threading.RLock(), Slow()
    server._answer(Analyze(1, b""))
    assert [type(event) for event in (*written, *server._outbox.waiting)] == [Found, Analyzed]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems say themselves how wide a pipe is")
def test_a_whole_analysis_of_a_thousand_layers_can_be_under_way_to_the_window() -> None:
    import fcntl

    reading, writing = os.pipe()
    try:
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    except OSError:
        pytest.skip("this system allows no pipe so wide")
    finally:
        os.close(reading)
        os.close(writing)
    events: list[object] = []
    host = Host.start(events.append, lambda _: None)
    try:
        assert host._process.stdout is not None
        end = time.monotonic() + 120
        while host.welcome is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert fcntl.fcntl(host._process.stdout, fcntl.F_GETPIPE_SZ) >= 400_000
    finally:
        host.close()


def member_of_nobody() -> Member:
    class Silent:
        def send(self, request: Request) -> None:
            pass

    member = Member(lambda *_: None, lambda *_: None)
    member.host = Silent()
    return member


def test_what_a_newer_question_supersedes_is_no_longer_owed() -> None:
    member = member_of_nobody()
    for request in (strides(1), Analyze(2, b""), PreviewActivation(3, "ReLU"), strides(4), Analyze(5, b"")):
        member.ask(request)
    assert list(member.pending) == [3, 4, 5]


def test_without_repairs_the_problems_are_the_same() -> None:
    wrong = edit.set_field(NETWORK, "conv", "kernel_size", 30)
    quick, whole = analyze(wrong, repairs=False), analyze(wrong)
    assert [str(problem) for problem in quick.problems] == [str(problem) for problem in whole.problems]
    assert (quick.nodes, quick.totals) == (whole.nodes, whole.totals)
    assert any(problem.repairs for problem in whole.errors)


def test_a_look_at_data_that_is_called_off_when_it_has_ended_hinders_nothing_that_follows(
    monkeypatch,
) -> None:
    work, said = Work(threads=torch.get_num_threads()), []
    document = assets.path("networks/digits_mlp.layerlab").read_bytes()
    work.answer(LookAtData(3, document), said.append)
    work.cancel(3)  # it was under way as the answer came
    work.cancel(4)
    work.answer(LookAtData(4, document), said.append)
    assert [type(event) for event in said if not isinstance(event, DataProgress)] == [DataLooked, Failed]
    ready = []

    def warm(network: object) -> None:
        Progress("Reading", 1)(1)
        ready.append(network)

    monkeypatch.setattr("engine.training.warm", warm)
    work.answer(Prepare(document), said.append)
    assert len(ready) == 1
    work.cancel(6)  # one that waits behind the preparing calls it off, to come sooner
    work.answer(Prepare(document), said.append)
    assert len(ready) == 1
