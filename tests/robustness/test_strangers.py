"""Files from strangers: the short form of the promise's table, and what it would catch."""

import ast

import pytest

import engine
from engine import storage
from engine.network import Network, Node
from tests.networks import chain
from tests.robustness import strangers
from tests.robustness.promise import Row


def test_mutated_files_neither_raise_nor_hang_nor_fill_the_memory_nor_run_anything() -> None:
    row = strangers.measure_mutated(1500)
    assert row.breaches == []
    assert row.tried == 1500


def test_naughty_strings_and_the_json_suite_do_no_harm_wherever_they_stand() -> None:
    row = strangers.measure_naughty(500)
    assert row.breaches == []
    assert row.tried == 500
    row = strangers.measure_suite(2000)
    assert row.breaches == []
    assert row.tried == (2000 if strangers.suite() else 0)


def test_the_watch_sees_what_is_run_and_written(tmp_path) -> None:
    watch = strangers.Watch()
    with watch as heard:
        exec("1 + 1")
        (tmp_path / "file").write_text("x")
    assert len(heard) >= 3  # the compiling, the running, the writing
    with watch as heard:
        storage.loads(strangers.small())
    assert heard == []


def test_a_file_that_raises_hangs_or_fills_the_memory_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Row("")
    monkeypatch.setattr(strangers, "_answer", lambda data, tally: 1 / 0)
    strangers.feed(b"{}", strangers.Tally(row), strangers.Watch())
    assert "ZeroDivisionError" in row.breaches[0]
    monkeypatch.setattr(strangers, "_answer", lambda data, tally: sum(range(10_000_000)))
    monkeypatch.setattr(strangers, "LONGEST", 0.001)
    strangers.feed(b"{}", strangers.Tally(row), strangers.Watch())
    assert "took" in row.breaches[1]
    monkeypatch.setattr(strangers, "LONGEST", 60.0)
    monkeypatch.setattr(strangers, "_answer", lambda data, tally: len(b"x" * 400_000_000))
    strangers.feed(b"{}", strangers.Tally(row), strangers.Watch())
    assert "MB" in row.breaches[2]


@pytest.mark.parametrize(
    "word", ['"""\nimport os\nos.system("x")\n"""', "'); import os #", "{0.__class__}", "\n"]
)
def test_no_text_from_a_file_gets_out_of_its_quotes_in_printed_code(word: str) -> None:
    network = chain(("fc", Node("Linear", {"out_features": 3})), shape=(4,), name=word)
    text = engine.source(network)
    strangers._inspect(ast.parse(text))
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert "os" not in names


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
