"""What is wrong is told at once, the ways out of it as soon as they have been tried."""

from __future__ import annotations

import time
from typing import Any

import pytest
from networks import chain
from window_helpers import PlayedPool

from engine import diff, edit
from engine.analysis import analyze
from engine.analysis.known_repairs import KnownRepairs
from engine.findings import Analysis, NodeReport, Problem
from engine.host.channel import MakeWay
from engine.host.member import Member
from engine.host.pool import Pool
from engine.host.protocol import Analyze, Analyzed, ChannelProblem, Event, Found
from engine.host.work import Work
from engine.network import Choice, End, Network, Node
from engine.storage import file
from engine.storage.reader import Reader
from gui.document import Document
from gui.workers import Workers


def of(classes: int) -> Network:
    """A convolution on pixels in a row, which is an error, and so many outputs."""
    return chain(
        ("flat", Node("Flatten")),
        ("conv", Node("Conv2d", {"out_channels": 4, "kernel_size": 3})),
        ("fc", Node("Linear", {"out_features": classes})),
        shape=(1, 8, 8),
    )


BROKEN = of(10)
SOUND = chain(("flat", Node("Flatten")), ("fc", Node("Linear", {"out_features": 10})), shape=(1, 8, 8))


def answers(*networks: Network, pressing: bool = False) -> list[Event]:
    events: list[Event] = []
    work = Work.__new__(Work)  # without a word to torch about threads
    work._reader, work._repairs = Reader(), KnownRepairs()
    for network in networks:
        try:
            work.answer(Analyze(5, file.encode(network)), events.append, lambda: pressing)
        except MakeWay:
            events.append("made way")  # type: ignore[arg-type]
    return events


def bare(problems: Any) -> list[tuple[Any, ...]]:
    return [(p.severity, p.code, p.message, p.node, p.field) for p in problems]


def test_what_is_found_first_is_the_analysis_but_for_the_ways_out_of_its_errors() -> None:
    whole = analyze(BROKEN)
    first, last = answers(BROKEN)
    assert isinstance(first, Found)
    assert (first.analysis.nodes, first.analysis.totals) == (whole.nodes, whole.totals)
    assert bare(first.analysis.problems) == bare(whole.problems)
    assert whole.errors[0].repairs
    assert not first.analysis.errors[0].repairs, "nothing is offered that was not tried"
    assert isinstance(last, Analyzed)
    assert last.found
    assert last.analysis == Analysis(problems=whole.problems), "what was told is not sent again"


def test_where_nothing_is_to_be_mended_there_is_one_answer() -> None:
    (only,) = answers(SOUND)
    assert isinstance(only, Analyzed)
    assert not only.found
    assert only.analysis == analyze(SOUND)


def test_ways_out_are_not_looked_for_while_a_newer_drawing_waits() -> None:
    first, then = answers(BROKEN, pressing=True)
    assert isinstance(first, Found)
    assert then == "made way"
    # Where nothing would be left out the answer is given.
    assert [type(event) for event in answers(SOUND, pressing=True)] == [Analyzed]


def test_while_one_drags_elsewhere_the_ways_out_of_an_error_stay() -> None:
    before = edit.add_node(BROKEN, "loose", edit.new_node("ReLU"))
    after = edit.set_field(before, "fc", "out_features", 11)
    _, whole, found, _ = answers(before, after)
    repairs = {p.node: p.repairs for p in found.analysis.errors}
    assert repairs["loose"]
    assert repairs == {p.node: p.repairs for p in whole.analysis.errors}


def test_ways_out_of_what_is_no_error_stay_too() -> None:
    before = edit.connect(edit.add_node(SOUND, "idle", edit.new_node("ReLU")), End("flat"), End("idle"))
    before = edit.set_init(before, "fc", "weight", Choice("zeros"))
    _, whole, found, _ = answers(before, edit.set_field(before, "fc", "bias", False))
    offered = {(p.code, p.node): p.repairs for p in found.analysis.problems}
    assert offered["unused", "idle"]
    assert (
        offered["unused", "idle"]
        == {(p.code, p.node): p.repairs for p in whole.analysis.problems}["unused", "idle"]
    )
    assert offered["equal-weights", "fc"], "what needs no search is told at once"


def test_what_is_read_by_now_is_not_taken_out_as_if_it_were_not() -> None:
    before = edit.add_node(SOUND, "idle", edit.new_node("Flatten"))
    _, whole, found, _ = answers(before, edit.connect(before, End("image"), End("idle")))
    remove = [
        r for p in whole.analysis.problems if p.node == "idle" for r in p.repairs if len(r.changes) == 1
    ]
    assert remove
    assert not set(map(str, remove)) & {str(r) for p in found.analysis.problems for r in p.repairs}


def test_what_is_gone_is_not_offered_to_be_wired() -> None:
    before = edit.with_graph(BROKEN, None, edges=BROKEN.edges[:2] + BROKEN.edges[3:])
    before = edit.add_node(before, "idle", edit.new_node("Flatten"))
    _, whole, found, _ = answers(before, edit.remove(before, ["idle"]))
    wire = [r for p in whole.analysis.errors for r in p.repairs if r.text == "Wire idle to fc"]
    assert wire
    assert not set(map(str, wire)) & {str(r) for p in found.analysis.problems for r in p.repairs}


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(lambda n: edit.set_field(n, "conv", "kernel_size", 5), id="the node that they change"),
        pytest.param(lambda n: edit.remove(n, ["fc"], heal=True), id="the wires that they change"),
        pytest.param(lambda n: edit.add_node(n, "more", edit.new_node("ReLU")), id="the nodes' order"),
    ],
)
def test_a_way_out_that_would_change_what_is_another_now_is_not_told_before_it_is_tried(after: Any) -> None:
    _, whole, found, _ = answers(BROKEN, after(BROKEN))
    assert whole.analysis.errors[0].repairs
    kept = found.analysis.errors[0].repairs
    now = after(BROKEN)
    for repair in kept:  # what is told can be done
        assert diff.changes(now, diff.apply(now, repair.changes)) == repair.changes
    touched = [r for r in whole.analysis.errors[0].repairs if any(len(c.path) == 2 for c in r.changes)]
    assert touched, "some take the layer out"
    assert not set(map(str, touched)) & set(map(str, kept))


@pytest.mark.shares_hosts
def test_over_the_wire_both_come_whole() -> None:
    events: list[Event] = []
    pool = Pool(events.append)
    try:
        number = pool.analyze(file.encode(BROKEN))
        limit = time.monotonic() + 120
        while not any(isinstance(event, Analyzed) for event in events):
            assert time.monotonic() < limit
            time.sleep(0.01)
    finally:
        pool.close()
    first, last = [event for event in events if isinstance(event, Found | Analyzed)]
    assert (first.request, last.request) == (number, number)
    assert last.analysis == analyze(BROKEN)
    assert last.analysis.nodes is first.analysis.nodes


# ---------------------------------------------------------------------------- in the window


@pytest.fixture
def shown(qapp: object) -> Any:
    """A window's workers whose hosts the test plays, and what they say."""
    pool = PlayedPool()
    document = Document(BROKEN)
    workers = Workers(document, hosts=(pool, pool.mailbox))  # type: ignore[arg-type]
    said: list[tuple[str, int]] = []
    for name in ("glimpsed", "analyzed", "tried"):
        signal = getattr(workers, name)
        signal.connect(lambda analysis, name=name: said.append((name, analysis.totals["at"])))
    yield pool, document, workers, said
    workers._closed = True


def find(pool: PlayedPool, which: int, at: int) -> None:
    pool.mailbox.put(Found(pool.analyses[which][0], Analysis({}, (), {"at": at})))


def answer(pool: PlayedPool, which: int, at: int) -> None:
    pool.answer(Analysis({}, (), {"at": at}), which)


@pytest.mark.gui
def test_what_is_found_is_shown_and_the_analysis_is_not_taken_for_complete(shown: Any, qtbot: Any) -> None:
    pool, _, workers, said = shown
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    find(pool, 0, 1)
    qtbot.waitUntil(lambda: said == [("glimpsed", 1)])
    assert workers.analysis.totals == {"at": 1}
    assert not workers.current
    answer(pool, 0, 2)
    qtbot.waitUntil(lambda: said == [("glimpsed", 1), ("analyzed", 2)])
    assert workers.current


@pytest.mark.gui
def test_what_was_found_of_a_drawing_that_has_changed_since_is_not_shown(shown: Any, qtbot: Any) -> None:
    pool, document, _, said = shown
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    document.edit(SOUND, "Mend")
    qtbot.waitUntil(lambda: len(pool.analyses) == 2)
    find(pool, 0, 1)
    answer(pool, 0, 1)
    answer(pool, 1, 3)
    qtbot.waitUntil(lambda: said == [("analyzed", 3)])
    find(pool, 1, 2)  # never after the whole
    answer(pool, 1, 3)
    qtbot.waitUntil(lambda: said == [("analyzed", 3)] * 2)


@pytest.mark.gui
def test_of_what_is_found_in_one_go_the_newest_is_shown(shown: Any, qtbot: Any) -> None:
    pool, document, workers, said = shown
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    document.edit(edit.set_field(BROKEN, "fc", "out_features", 11), "A step")
    qtbot.waitUntil(lambda: len(pool.analyses) == 2)
    document.edit(edit.set_field(BROKEN, "fc", "out_features", 12), "Another")
    qtbot.waitUntil(lambda: len(pool.analyses) == 3)
    find(pool, 0, 1)
    find(pool, 1, 2)
    qtbot.waitUntil(lambda: said == [("glimpsed", 2)])
    find(pool, 2, 3)
    answer(pool, 2, 4)
    qtbot.waitUntil(lambda: said == [("glimpsed", 2), ("analyzed", 4)])
    assert workers.current


@pytest.mark.gui
def test_what_a_gesture_tries_is_told_also_where_the_document_is_analysed_again(
    shown: Any, qtbot: Any
) -> None:
    pool, _, workers, said = shown
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    answer(pool, 0, 0)
    qtbot.waitUntil(lambda: workers.current)
    workers.try_out(SOUND)
    workers.analyze_again()
    qtbot.waitUntil(lambda: len(pool.analyses) == 3)
    find(pool, 1, 1)
    find(pool, 2, 2)
    qtbot.waitUntil(lambda: said[1:] == [("tried", 1), ("glimpsed", 2)])


@pytest.mark.gui
def test_what_a_gesture_tries_is_found_first_too_until_the_hand_is_elsewhere(shown: Any, qtbot: Any) -> None:
    pool, document, workers, said = shown
    qtbot.waitUntil(lambda: len(pool.analyses) == 1)
    answer(pool, 0, 0)
    qtbot.waitUntil(lambda: workers.current)
    workers.try_out(SOUND)
    find(pool, 1, 1)
    qtbot.waitUntil(lambda: said[1:] == [("tried", 1)])
    answer(pool, 1, 2)
    qtbot.waitUntil(lambda: said[1:] == [("tried", 1), ("tried", 2)])
    workers.try_out(SOUND)
    document.edit(of(5), "Fewer")
    find(pool, 2, 3)
    answer(pool, 2, 3)
    find(pool, 3, 4)
    qtbot.waitUntil(lambda: said[3:] == [("glimpsed", 4)])
    workers.try_out(SOUND)
    assert len(pool.analyses) == 4, "the document's own comes first"


@pytest.mark.gui
def test_a_reports_object_stays_where_the_problems_alone_are_new() -> None:
    """By it the canvas sees that nothing but badges can have changed."""
    reports = {"conv": NodeReport()}
    problem = Problem("error", "x", "y", "conv")
    found = Found(3, Analysis(reports, (problem,), {}))
    member = Member(print, print)  # type: ignore[arg-type]
    member.found = found
    whole = member.whole(Analyzed(3, Analysis(problems=(problem, problem)), 0.0, found=True))
    assert whole == Analyzed(3, Analysis(reports, (problem, problem), {}), 0.0)
    assert whole.analysis.nodes is reports
    for stray in (Analyzed(3, Analysis(), 0.0, found=True), Analyzed(4, Analysis(), 0.0, found=True)):
        with pytest.raises(ChannelProblem):
            member.whole(stray)
        member.found = found


def test_what_the_data_ask_for_is_told_at_once() -> None:
    """The inspector's button "Take from the data" does not wait for the other ways out."""
    first, last = answers(edit.set_field(SOUND, "image", "shape", [1, 9, 9]))
    for told in (first, last):
        problem = next(p for p in told.analysis.errors if p.code == "data-shape")
        assert [repair.text for repair in problem.repairs][:1] == ["Set shape to [1, 8, 8]"]
