"""Crashes, kills, full disks and rotten bits: the short form of the promise's table."""

import os
import sys
from pathlib import Path

import pytest

from tests.robustness import faults, flips, kills

forks = pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="needs fork")


@forks
@pytest.mark.parametrize("name", ["save", "keep", "edits", "turns"])
def test_whatever_call_of_the_system_fails_the_old_or_the_new_is_whole_and_the_way_out_is_named(
    tmp_path: Path, name: str
) -> None:
    row = faults.measure(tmp_path, (name,))
    assert row.breaches == []
    assert row.tried > 80


@forks
@pytest.mark.full
@pytest.mark.parametrize("name", ["checkpoint", "weights"])
def test_what_a_run_keeps_survives_every_fault(tmp_path: Path, name: str) -> None:
    row = faults.measure(tmp_path, (name,))
    assert row.breaches == []
    assert row.tried > 80


@forks
def test_no_kill_tears_a_file_or_loses_an_acknowledged_edit(tmp_path: Path) -> None:
    row = kills.measure(tmp_path, 100)
    assert row.breaches == []
    assert row.tried == 100


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    row = flips.measure(tmp_path, 900)
    assert row.breaches == []
    assert row.tried == 900
