"""Files from strangers: nothing in them may raise, hang, fill the memory or run.

Naughty strings and the JSONTestSuite are spliced into every position of valid files; beyond that
files are mutated at random, guided by what is new: a file that reaches a line of the engine, or leads
to a message or a problem, that none has before, is mutated further. All is done in pens.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import random
import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec

import engine
from engine import diff, edit, edit_blocks, edit_unpack, edit_view, storage
from engine.findings import Analysis
from engine.network import Network
from engine.problems import FileProblem, NetworkProblem
from tests.robustness.coverage import Coverage, Line
from tests.robustness.mutations import Mutated
from tests.robustness.pen import Growth, Mark, PenProblem, penned
from tests.robustness.promise import Row
from tests.robustness.splices import seeds, small, with_naughty_strings, with_the_suite
from tests.robustness.watch import Watch

#: Seconds beyond which a file hangs the program.
LONGEST = 1.0
#: Bytes beyond which a file makes the program take too much memory.
MOST = 200e6

#: Files in one pen.
_BATCH = 500
#: Of so many mutated files the lines of one are followed, which takes five times as long.
_FOLLOWED = 32


@dataclass
class Tally:
    """What a lot of files did to the program."""

    row: Row
    #: Every kind of answer there was, and so what counts as new.
    seen: set[str] = field(default_factory=set)


def feed(data: bytes, tally: Tally, watch: Watch, coverage: Coverage | None = None) -> bool:
    """Let the program have one file; whether it opened it, and came where it had not been before."""
    growth, began = Growth(), time.perf_counter()
    growth.begin()
    if coverage is not None:
        coverage.fresh = 0
    opened = False
    with watch as heard:
        try:
            with coverage or contextlib.nullcontext():
                answer, opened = _answer(data, tally)
            breach = ""
        except Exception:
            answer, breach = "traceback", traceback.format_exc(limit=-3)
    seconds, grown = time.perf_counter() - began, growth.most()
    if seconds > LONGEST / 4 and not breach:  # followed, or the machine was busy elsewhere: once more
        began = time.process_time()
        _answer(data, Tally(Row("")))
        seconds = min(seconds, time.process_time() - began)
    if heard:
        breach = breach or f"ran or wrote: {heard[:3]}"
    if seconds > LONGEST:
        breach = breach or f"took {seconds:.1f} s"
    if grown > MOST:
        breach = breach or f"took {grown / 1e6:.0f} MB"
    tally.row.check(not breach, f"{breach}\n{data!r}")
    if not breach:
        tally.row.took("slowest", seconds)
    new = answer not in tally.seen or (coverage is not None and coverage.fresh > 0)
    tally.seen.add(answer)
    return new and opened


def _answer(data: bytes, tally: Tally) -> tuple[str, bool]:
    """What the program makes of a file, as something that can be compared, and whether it opened it."""
    try:
        network = storage.loads(data)
    except FileProblem as problem:
        tally.row.count("refused")
        message = str(problem)
        assert "\n" not in message, "a message of several lines"
        return re.sub(r"\d+|'[^']*'|\"[^\"]*\"", "#", message)[:80], False
    tally.row.count("opened")
    assert storage.loads(storage.dumps(network)) == network, "what is saved does not come back"
    changed = diff.changes(Network(), network)
    assert diff.apply(Network(), changed) == network, "the journal does not bring it back"
    analysis = engine.analyze(network)
    codes = {
        (problem.severity, problem.code, (problem.field or "").partition(".")[0])
        for problem in analysis.problems
    }
    for problem in analysis.problems:
        assert "\n" not in problem.message, f"a problem of several lines: {problem.message!r}"
        assert "alloc" not in problem.message, problem.message
    if not analysis.errors:
        tally.row.count("without errors")
    _print(network, analysis, tally)
    _edit(network)
    return repr(sorted(codes)), True


def _edit(network: Network) -> None:
    """What a person may do to it first: each edit is done, or refused in words."""
    ids = list(network.nodes)
    some = ids[:: 1 + len(ids) % 3]
    edits: list[Callable[[], object]] = [
        lambda: edit.paste(network, edit.copy(network, some)),
        lambda: edit.remove(network, some, heal=True),
        lambda: edit.move(network, dict.fromkeys(some, (1.0, 2.0))),
        lambda: edit_blocks.make_block(network, some, "Brand_new"),
        lambda: (edit_view.marks(network), edit_view.bends(network)),
        *(partial(edit.rename, network, id, "brand_new") for id in ids[:1]),
        *(partial(edit_unpack.unpack, network, id) for id in ids if network.nodes[id].type == "Block"),
        *(partial(edit_blocks.rename_block, network, name, "Brand_new") for name in network.blocks),
    ]
    for do in edits:
        with contextlib.suppress(edit.EditProblem):
            do()


def _print(network: Network, analysis: Analysis, tally: Tally) -> None:
    """Its code, read and not run: names from the file may be nothing but attributes and strings."""
    try:
        text = engine.source(network)
    except NetworkProblem:
        return
    tally.row.count("printed as code")
    _inspect(ast.parse(text))


#: What printed code may call or name: nothing of it runs anything but torch.
_FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "open",
    "getattr",
    "globals",
    "os",
    "sys",
    "subprocess",
}


def _inspect(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            assert all(name.split(".")[0] in ("torch", "math", "__future__") for name in names), names
        if isinstance(node, ast.Name):
            assert node.id not in _FORBIDDEN, f"printed code names {node.id}"


# ---------------------------------------------------------------------------- measuring


class Knowledge(msgspec.Struct):
    """What earlier files have led to; what is new is judged by it."""

    seen: set[str] = set()
    lines: set[Line] = set()
    #: Files worth being mutated further.
    kept: list[bytes] = []
    #: Lines of the engine that the valid files reach.
    valid: int = 0


class Report(msgspec.Struct):
    """What a batch in a pen comes to."""

    row: Row
    knowledge: Knowledge


class Files(Protocol):
    """Makes files."""

    def __call__(self, number: int) -> bytes:
        """The file of that number."""

    def keep(self, data: bytes) -> None:
        """Take in a file that led to something new."""


class Listed:
    """Files that are all known beforehand, in an order of chance."""

    def __init__(self, files: Sequence[Callable[[], bytes]]) -> None:
        self._files = list(files)
        random.Random(0).shuffle(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __call__(self, number: int) -> bytes:
        return self._files[number]()

    def keep(self, data: bytes) -> None:
        """Nothing depends on what came before."""


def _batch(numbers: Sequence[int], files: Files, knowledge: Knowledge, guided: bool, mark: Mark) -> bytes:
    """Feed the files of `numbers`; the encoded report of what is new."""
    tally, watch = Tally(Row(""), set(knowledge.seen)), Watch()
    coverage = Coverage(knowledge.lines) if guided else None
    kept = []
    for number in numbers:
        mark(number)
        data = files(number)
        follow = coverage if number % _FOLLOWED == 0 else None
        if feed(data, tally, watch, follow) and guided:
            files.keep(data)
            kept.append(data)
    lines = coverage.lines - knowledge.lines if coverage is not None else set()
    return msgspec.msgpack.encode(Report(tally.row, Knowledge(tally.seen - knowledge.seen, lines, kept)))


def _measure(row: Row, files: Files, numbers: range, knowledge: Knowledge, guided: bool = False) -> Row:
    """Feed all of `numbers`, batch by batch, each in a pen."""
    _warm(knowledge, guided)
    bad: set[int] = set()
    at = numbers.start
    while at < numbers.stop:
        batch = [number for number in range(at, min(at + _BATCH, numbers.stop)) if number not in bad]
        try:
            data = penned(lambda mark, batch=batch: _batch(batch, files, knowledge, guided, mark))  # type: ignore[misc]
        except PenProblem as problem:
            if problem.number < 0:
                raise
            bad.add(problem.number)
            row.check(False, f"file {problem.number} {problem}\n{files(problem.number)!r}")
            continue
        report = msgspec.msgpack.decode(data, type=Report)
        row.add(report.row)
        knowledge.seen |= report.knowledge.seen
        knowledge.lines |= report.knowledge.lines
        knowledge.kept += report.knowledge.kept
        for kept in report.knowledge.kept:
            files.keep(kept)
        at += _BATCH
    row.reached("kinds of answer", len(knowledge.seen))
    return row


def _warm(knowledge: Knowledge, guided: bool) -> None:
    """Let everything be imported that the work imports when it is first needed; the pens are forked from it."""
    watch, coverage = Watch(), Coverage(knowledge.lines) if guided and not knowledge.valid else None
    for _ in range(2):
        for data in [*seeds(), small()]:
            feed(data, Tally(Row("")), watch, coverage)
    if coverage is not None:
        knowledge.lines = coverage.lines
        knowledge.valid = len(coverage.lines)
    gc.collect()
    gc.freeze()


def _known(kept: Path | None) -> Knowledge:
    if kept is None or not kept.exists():
        return Knowledge()
    return msgspec.msgpack.decode(kept.read_bytes(), type=Knowledge)


def _keep(knowledge: Knowledge, kept: Path | None) -> None:
    if kept is not None:
        kept.write_bytes(msgspec.msgpack.encode(knowledge))


def _measure_listed(row: Row, files: Listed, most: int | None, first: int, kept: Path | None) -> Row:
    knowledge = _known(kept)
    stop = len(files) if most is None else min(len(files), first + most)
    _measure(row, files, range(first, stop), knowledge)
    _keep(knowledge, kept)
    return row


def measure_naughty(most: int | None = None, first: int = 0, kept: Path | None = None) -> Row:
    """Splice naughty strings into every place; `most` of those files, from number `first`."""
    row = Row("Naughty strings as every value and every key of a file")
    return _measure_listed(row, Listed([*with_naughty_strings()]), most, first, kept)


def measure_suite(most: int | None = None, first: int = 0, kept: Path | None = None) -> Row:
    """Splice the JSONTestSuite into every place; its files may be absent, and then nothing is tried."""
    row = Row("The JSONTestSuite spliced into every place of a file")
    return _measure_listed(row, Listed([*with_the_suite()]), most, first, kept)


def measure_mutated(count: int, first: int = 0, kept: Path | None = None) -> Row:
    """Feed `count` mutated files, guided by the lines that they reach; `kept` holds what earlier ones led to."""
    row = Row("Mutated network files, those that reach new lines of the engine mutated further")
    knowledge = _known(kept)
    _measure(row, Mutated(knowledge.kept), range(first, first + count), knowledge, guided=True)
    row.reached("lines of the engine reached", len(knowledge.lines))
    row.reached("of them by the valid files", knowledge.valid)
    _keep(knowledge, kept)
    return row


def again(row: Row) -> Row:
    """`row` with its breaches tried again, after what they found has been mended."""
    _warm(Knowledge(), False)
    tally, watch = Tally(Row("")), Watch()
    for breach in row.breaches:
        feed(ast.literal_eval(breach.rpartition("\n")[2]), tally, watch)
    return replace(row, breaches=tally.row.breaches)
