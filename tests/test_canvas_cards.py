"""What is told of cards without making them is what the cards themselves say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from PySide6.QtCore import QObject
from strategies import networks

from engine import templates
from engine.analysis import analyze
from engine.findings import Analysis, NodeReport, Problem, Tensor
from engine.network import Network, Node
from gui.canvas import card, renewals
from gui.canvas.found import Found


def check_heights(network: Network) -> None:
    for graph in (network, *network.blocks.values()):
        for id, node in graph.nodes.items():
            for wired in (0, 2):
                assert card.height_of(network, node, wired) == card.card_of(network, id, node, wired).height


@pytest.mark.parametrize("name", [template.id for template in templates.templates()])
def test_the_height_of_a_templates_cards_is_told_without_them(name) -> None:
    check_heights(templates.template(name).network)


@settings(max_examples=100, deadline=None)
@given(networks())
def test_the_height_of_any_card_is_told_without_it(network) -> None:
    check_heights(network)


@pytest.mark.parametrize(
    "fields", [{"dim": ""}, {"out_features": ""}, {"out_features": "", "bias": False}, {"": ""}, {}]
)
@pytest.mark.parametrize("type", ["Linear", "Softmax", "Nowhere"])
def test_what_shows_no_words_takes_no_row(type, fields) -> None:
    check_heights(Network(nodes={"a": Node(type, fields)}))


class Stage(QObject):
    """A drawing that counts what is made anew."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: tuple[str, ...] = ()
        self.made: list[str] = []

    def renewed(self) -> None:
        pass


@pytest.mark.gui
def test_cards_that_are_looked_at_are_made_anew_at_once_and_the_others_in_time(qtbot, monkeypatch) -> None:
    monkeypatch.setattr(renewals, "SLICE", 60.0)  # however slow the machine
    stage = Stage()
    waiting = renewals.Renewals(stage, stage.made.extend)  # type: ignore[arg-type]
    ids = [f"n{i}" for i in range(40)]
    waiting.wait(ids, urgent=8)
    assert stage.made == ids[:8]
    waiting.wait(["n30", "wrong"], urgent=1)
    assert stage.made[8:10] == ["n30", "wrong"], "what was asked for last comes first"
    qtbot.waitUntil(lambda: not waiting)
    assert sorted(stage.made) == sorted([*ids, "wrong"])
    del stage.made[:]
    waiting.wait(ids, urgent=0)
    assert not stage.made
    waiting.finish()
    assert stage.made == ids
    assert not waiting


@pytest.mark.gui
def test_without_a_view_all_cards_are_looked_at(qapp, monkeypatch) -> None:
    monkeypatch.setattr(renewals, "SLICE", 60.0)
    stage = Stage()
    waiting = renewals.Renewals(stage, stage.made.extend)  # type: ignore[arg-type]
    waiting.wait(["a", "b"], urgent=0)
    waiting.wait([f"n{i}" for i in range(40)])
    assert stage.made[:40] == [f"n{i}" for i in range(40)]


REPORT = NodeReport(outputs={"output": Tensor((4, 6, 6))}, macs=100)
WRONG = Problem("error", "x", "too wide", "b")


@pytest.mark.parametrize(
    ("after", "changed"),
    [
        (Analysis({"a": REPORT, "b": REPORT}, ()), []),
        (Analysis({"a": replace(REPORT), "b": REPORT}, ()), []),
        (Analysis({"a": replace(REPORT, parameter_count=5), "b": REPORT}, ()), ["a"]),
        (Analysis({"a": REPORT, "b": REPORT}, (WRONG,)), ["b"]),
        (Analysis({"b": REPORT}, ()), ["a"]),
        (Analysis({"a": REPORT, "b": replace(REPORT, macs=200)}, ()), ["a", "b", "c"]),
    ],
)
def test_an_analysis_changes_the_cards_of_which_it_says_something_else(after, changed) -> None:
    before = Analysis({"a": REPORT, "b": REPORT}, ())
    assert Found(after).changed(Found(before), ["a", "b", "c"]) == changed
    assert Found(before).changed(Found(after), ["a", "b", "c"]) == changed


def test_where_the_reports_are_the_same_problems_alone_are_looked_at() -> None:
    network = templates.template("digits_mlp").network
    before = analyze(network)
    after = Analysis(before.nodes, (Problem("hint", "x", "y", "fc1"),), before.totals)
    mended = replace(after, problems=(replace(after.problems[0], lesson="why"),))
    ids = list(network.nodes)
    assert Found(after).changed(Found(before), ids) == ["fc1"]
    assert Found(mended).changed(Found(after), ids) == ["fc1"]
    assert Found(after).changed(Found(after), ids) == []
