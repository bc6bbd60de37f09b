"""Hosts that are killed, hang, run out of memory or talk nonsense: told at once, and survived."""

import contextlib
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.host.protocol import ChannelProblem, decoded_event, decoded_request
from tests.robustness import hosts
from tests.robustness.nonsense_host import nonsense

posix = pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="POSIX signals")


@pytest.fixture
def held() -> Iterator[hosts.Held]:
    with hosts.Held() as held:
        yield held


@posix
@pytest.mark.parametrize("name", hosts.FAULTS)
def test_a_fault_is_told_and_the_engine_goes_on(held: hosts.Held, tmp_path: Path, name: str) -> None:
    assert hosts.FAULTS[name](held, tmp_path) < float("inf")
    assert held.works()


def test_hosts_that_talk_nonsense_are_given_up_in_words() -> None:
    seconds, said = hosts._nonsense(7)
    assert seconds < float("inf")
    assert said


def test_a_host_that_merely_works_long_is_not_silent(held: hosts.Held, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    number = held.pool.analyze(b"wait " + str(gate).encode())
    beats = []
    real = held.pool._beat
    held.pool._pulse._beat = lambda late: (real(late), beats.append(late))
    assert hosts.until(lambda: len(beats) >= 5)
    assert [silence for silence in held.silences if not silence.answers] == []
    gate.touch()
    assert hosts.until(lambda: any(getattr(event, "request", 0) == number for event in held.events))


@pytest.mark.parametrize("decode", [decoded_event, decoded_request])
def test_no_frame_whatever_does_more_than_raise_a_channel_problem(decode) -> None:
    chance = random.Random(5)
    for _ in range(5000):
        with contextlib.suppress(ChannelProblem):
            decode(nonsense(chance)[4:])
