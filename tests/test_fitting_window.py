"""What the window offers when a run has filled the memory."""

from __future__ import annotations

import pytest

from engine.host.client import KILLED
from engine.host.protocol import BatchFound, RunState
from gui.window import Window
from tests.window_helpers import PlayedPool, close_window, open_window, template

pytestmark = pytest.mark.gui


@pytest.fixture
def pool() -> PlayedPool:
    return PlayedPool()


@pytest.fixture
def window(qtbot, tmp_path, pool):
    shown = open_window(tmp_path, pool, template())
    shown.running.train()
    yield shown
    close_window(shown)


def _ended(window: Window, pool: PlayedPool, qtbot, state: RunState) -> None:
    pool.runs[0].tell(state)
    qtbot.waitUntil(lambda: window.banners.text("run") is not None)


def test_a_run_that_the_system_ended_is_answered_with_a_size_that_was_found(window, pool, qtbot):
    _ended(window, pool, qtbot, RunState("interrupted", 3, KILLED))
    window.banners.button("run", "Find a batch size that fits").click()
    number = pool.batches[-1]
    assert "Looking" in window.banners.text("memory")
    pool.mailbox.put(BatchFound(number, 8))
    qtbot.waitUntil(lambda: "Batches of 8 fit" in (window.banners.text("memory") or ""))
    before = window.document.network
    assert before.recipe.batch_size == 32
    window.banners.button("memory", "Use batches of 8").click()
    recipe = window.document.network.recipe
    assert (recipe.batch_size, recipe.options["accumulate"]) == (8, 4)
    assert window.banners.text("memory") is None
    window.document.undo_stack.undo()
    assert window.document.network == before


def test_a_run_that_could_say_so_offers_the_size_at_once(window, pool, qtbot):
    result = {"fits": {"batch_size": 16, "accumulate": 2}}
    _ended(window, pool, qtbot, RunState("failed", 3, "Out of memory after 3 steps.", result))
    window.banners.button("run", "Use batches of 16").click()
    recipe = window.document.network.recipe
    assert (recipe.batch_size, recipe.options["accumulate"]) == (16, 2)
    assert window.banners.text("run") is None


def test_when_nothing_fits_that_is_said(window, pool, qtbot):
    _ended(window, pool, qtbot, RunState("interrupted", 3, KILLED))
    window.banners.button("run", "Find a batch size that fits").click()
    pool.mailbox.put(BatchFound(pool.batches[-1], None))
    qtbot.waitUntil(lambda: "Not even one" in (window.banners.text("memory") or ""))


def test_a_run_that_ended_otherwise_offers_nothing_of_the_kind(window, pool, qtbot):
    _ended(window, pool, qtbot, RunState("interrupted", 3, "The engine's process crashed (signal 11)."))
    with pytest.raises(StopIteration):
        window.banners.button("run", "Find a batch size that fits")
