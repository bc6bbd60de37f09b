"""The rarely needed fields: what unfolds by itself folds with the next layer, what a hand unfolded stays so."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QSettings
from PySide6.QtWidgets import QApplication

from engine.network import Choice, Node
from gui.forms import folding
from tests import gui_helpers as hands
from tests.test_inspector import Bench, chain

pytestmark = pytest.mark.gui

NETWORK = chain(
    image=Node("Input", {"shape": [4, 16, 16]}),
    plain=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]}, activation=Choice("ELU")),
    grouped=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3], "groups": 2}),
    wrong=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3], "groups": 3}),
    pool=Node("MaxPool2d", {"kernel_size": [2, 2]}),
    last=Node("Conv2d", {"out_channels": 8, "kernel_size": [3, 3]}),
)


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch) -> None:
    monkeypatch.setattr(folding, "_open", {})


@pytest.fixture
def bench(qtbot):
    return Bench(qtbot, NETWORK)


def unfolded(bench: Bench) -> bool:
    """Whether the rarely needed fields are seen."""
    form = bench.panel.fields.form
    seen = {form.row(name).isVisible() for name, field in form.fields.items() if field.advanced}
    assert len(seen) == 1
    return seen.pop()


def press_more(bench: Bench) -> None:
    more = bench.panel.fields.form._more
    QApplication.processEvents()  # what is said anew is laid out
    bench.inspector.ensureWidgetVisible(more)
    hands.click(more, more.rect().center())


def test_a_layer_with_a_value_in_a_rarely_needed_field_shows_it_and_the_next_without_folds(bench):
    for _ in range(2):
        for id, expected in (("plain", False), ("grouped", True), ("last", False), ("wrong", True)):
            bench.select(id)
            assert unfolded(bench) is expected, id


def test_what_is_unfolded_by_hand_is_for_every_layer_of_its_type_until_it_is_folded(bench):
    bench.select("plain")
    press_more(bench)
    for id in ("grouped", "last", "plain"):
        bench.select(id)
        assert unfolded(bench), id
    bench.select("plain", "last")
    assert unfolded(bench), "several of its type too"
    bench.select("pool")
    assert not unfolded(bench), "another type has other fields"
    bench.select("last")
    press_more(bench)
    bench.select("plain")
    assert not unfolded(bench)
    bench.select("grouped")
    assert unfolded(bench), "what is set is never hidden from who has not folded it"


def test_what_is_folded_by_hand_stays_so_while_its_layer_is_edited_until_something_new_is_said_there(bench):
    bench.select("grouped")
    press_more(bench)
    assert not unfolded(bench)
    bench.type("out_channels", "6")
    assert not unfolded(bench)
    bench.type("out_channels", "7")  # which two groups cannot share
    assert "groups" in {problem.field for problem in bench.panel.problems._subject.problems}
    assert unfolded(bench)


def test_an_unfinished_text_in_a_rarely_needed_field_is_seen_again(bench):
    bench.select("plain")
    press_more(bench)
    bench.type("groups", "two")
    press_more(bench)
    bench.select("last")
    assert not unfolded(bench)
    bench.select("plain")
    assert unfolded(bench)
    assert bench.panel.fields.form.editor("groups").line.text() == "two"


def test_it_is_remembered_until_the_next_start(bench, monkeypatch, tmp_path):
    path = QSettings.Format.IniFormat, QSettings.Scope.UserScope
    QSettings.setPath(*path, str(tmp_path))
    monkeypatch.setattr(QCoreApplication, "organizationName", staticmethod(lambda: "Test"))
    bench.select("plain")
    press_more(bench)
    folding._open.clear()  # as a program has it that begins
    bench.select("last")
    assert unfolded(bench)
