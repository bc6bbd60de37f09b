"""Files from strangers: the short form of the promise's table, and what it would catch."""

import ast
import contextlib
import mmap
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import engine
from engine import storage
from engine.network import Edge, End, Network, Node
from tests.networks import chain
from tests.robustness import strangers
from tests.robustness.coverage import Coverage
from tests.robustness.pen import Growth, Mark, PenProblem, penned
from tests.robustness.promise import Row
from tests.robustness.splices import small, suite
from tests.robustness.watch import Watch

ROOT = Path(__file__).parents[2]
forks = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="needs fork")


@forks
def test_mutated_files_neither_raise_nor_hang_nor_fill_the_memory_nor_run_anything() -> None:
    row = strangers.measure_mutated(300)
    assert row.breaches == []
    assert row.tried == 300
    assert row.highest["lines of the engine reached"] > row.highest["of them by the valid files"] > 1000


@forks
def test_naughty_strings_and_the_json_suite_do_no_harm_wherever_they_stand() -> None:
    row = strangers.measure_naughty(300)
    assert row.breaches == []
    assert row.tried == 300
    row = strangers.measure_suite(1000)
    assert row.breaches == []
    assert row.tried == (1000 if suite() else 0)


@forks
@pytest.mark.full
@pytest.mark.gui
def test_mutated_files_are_shown_by_the_real_window_or_refused_in_words() -> None:
    """In a program of its own: a process with a window cannot be forked."""
    script = (
        "from tests.robustness import strangers_window\n"
        "row = strangers_window.measure(40)\n"
        "assert row.tried == 40 and row.counts['shown'] > 5, row\n"
        "assert not row.breaches, row.breaches[0]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


# ---------------------------------------------------------------------------- what these would catch


def test_the_watch_sees_what_is_run_and_written(tmp_path) -> None:
    watch = Watch()
    with watch as heard:
        exec("1 + 1")
        (tmp_path / "file").write_text("x")
    assert len(heard) >= 3  # the compiling, the running, the writing
    with watch as heard:
        storage.loads(small())
    assert heard == []


def test_a_file_that_raises_hangs_or_fills_the_memory_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fed(answer) -> str:
        row = Row("")
        monkeypatch.setattr(strangers, "_answer", lambda data, tally: (repr(answer()), True))
        strangers.feed(b"{}", strangers.Tally(row), Watch())
        return "".join(row.breaches)

    assert "ZeroDivisionError" in fed(lambda: 1 / 0)
    assert fed(lambda: 1) == ""
    monkeypatch.setattr(strangers, "LONGEST", 0.001)
    assert "took" in fed(lambda: sum(range(10_000_000)))
    monkeypatch.setattr(strangers, "LONGEST", 60.0)
    assert "MB" in fed(lambda: len(b"x" * 400_000_000))


@forks
def test_memory_that_is_taken_and_never_touched_counts_as_taken() -> None:
    def work(mark: Mark) -> bytes:
        growth = Growth()
        growth.begin()
        before = growth.most()
        mmap.mmap(-1, 300_000_000).close()  # no page of it is ever used
        return f"{before} {growth.most()}".encode()

    before, after = map(int, penned(work).split())
    assert before < 1e6
    assert 300e6 <= after < 310e6


@forks
def test_a_pen_gives_back_what_was_made_in_it_and_names_the_item_that_hung_or_died() -> None:
    assert penned(lambda mark: b"x" * 3_000_000) == b"x" * 3_000_000

    def sleeps(mark: Mark) -> bytes:
        mark(6)
        time.sleep(1000.0)
        return b""

    def computes(mark: Mark) -> bytes:
        mark(7)
        while True:
            pass

    for work, number in ((sleeps, 6), (computes, 7)):
        with pytest.raises(PenProblem, match="hung") as hung:
            penned(work, hung=0.1)
        assert hung.value.number == number

    def dies(mark: Mark) -> bytes:
        mark(8)
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    with pytest.raises(PenProblem, match=f"signal {int(signal.SIGKILL)}") as died:
        penned(dies)
    assert died.value.number == 8


@forks
def test_a_file_that_kills_its_pen_is_a_breach_and_the_others_are_still_fed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = strangers._answer
    monkeypatch.setattr(
        strangers, "_answer", lambda data, tally: os._exit(3) if data == b"evil" else real(data, tally)
    )
    files = strangers.Listed([lambda: b"{}", lambda: b"evil", small])
    row = strangers._measure(Row(""), files, range(3), strangers.Knowledge())
    assert row.tried == 3
    (breach,) = row.breaches
    assert "b'evil'" in breach


def test_coverage_tells_a_file_that_reaches_new_lines_from_one_that_does_not() -> None:
    coverage = Coverage()

    def fresh(data: bytes) -> int:
        coverage.fresh = 0
        with coverage, contextlib.suppress(engine.FileProblem):
            storage.loads(data)
        return coverage.fresh

    assert fresh(small()) > 0
    assert fresh(small()) == 0
    assert fresh(b'{"a": 1, "a": 1}') > 0  # the refusal of keys that appear twice
    assert fresh(b'{"b": 1, "b": 1}') == 0
    assert {file for file, _ in coverage.lines} > {"storage/strict.py", "storage/form.py"}


@pytest.mark.parametrize(
    "word", ['"""\nimport os\nos.system("x")\n"""', "'); import os #", "{0.__class__}", "\n"]
)
def test_no_text_from_a_file_gets_out_of_its_quotes_in_printed_code(word: str) -> None:
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(4,), name=word)
    text = engine.source(network)
    strangers._inspect(ast.parse(text))
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert "os" not in names


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", "\x1b[31ma", "a\u202eb", "a\rb"])
def test_what_cannot_be_seen_in_a_name_is_spelt_out_in_messages(name: str) -> None:
    network = Network(nodes={"in": Node("Input", {"shape": [4]})}, edges=(Edge(End("in"), End(name)),))
    messages = [problem.message for problem in engine.analyze(network).problems]
    assert any(ascii(name)[1:-1] in message for message in messages)
    assert not any(set(message) & set("\n\r\x1b\u2028\u202e") for message in messages)


# ---------------------------------------------------------------------------- defaults of the network


@pytest.mark.parametrize(
    ("defaults", "said"),
    [
        ({"init": "all"}, "the form is"),
        ({"init": {"all": "weight"}}, "the form is"),
        ({"init": {"Linaer": {}}}, "Did you mean 'Linear'?"),
        ({"init": {"all": {"weight": {}}}}, "'scheme' is missing"),
        ({"init": {"all": {"weight": {"scheme": {}}}}}, "expected text"),
        ({"init": {"all": {"weight": {"scheme": "kaiming"}}}}, "no scheme 'kaiming'"),
        ({"init": {"all": {"weight": {"scheme": "normal", "fields": {"std": "x"}}}}}, "std"),
    ],
)
def test_what_is_wrong_in_the_networks_defaults_is_an_error_with_its_place(defaults, said: str) -> None:
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(4,), defaults=defaults)
    (problem,) = [p for p in engine.analyze(network).problems if p.code == "wrong-default"]
    assert problem.severity == "error"
    assert said in problem.message
    with pytest.raises(engine.NetworkProblem):
        engine.build(network)


def test_sound_defaults_are_no_problem() -> None:
    defaults = {"init": {"all": {"weight": {"scheme": "xavier_normal", "fields": {}}}}}
    network: Network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(4,), defaults=defaults)
    assert not [p for p in engine.analyze(network).problems if p.code == "wrong-default"]
    engine.build(network)
