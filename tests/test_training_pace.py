"""When a run is looked at: for its share of the work, from the first moments on, on busy machines too."""

from __future__ import annotations

import math

import pytest

from engine.training.pace import APART, CREDIT, UNTIMED, Pace

SHARE = 0.02


class Run:
    """Steps on a clock: each takes `step` seconds of work, `busy` times as many on the wall, a look `look` more."""

    def __init__(self, step=0.004, look=0.006, busy=1.0, steps=math.inf, first=None):
        self.wall, self.work, self.step, self.busy = 1000.0, 3.0, step, busy
        self.costs = (look if first is None else first, look)
        self.pace = Pace(SHARE, (0, steps), work=lambda: self.work, now=lambda: self.wall)
        self.number, self.seen, self.at, self.peeked = 0, [], [], False

    def passes(self, work):
        self.work += work
        self.wall += work * self.busy

    def pause(self, seconds):
        """Nothing is done for so long."""
        self.wall += seconds
        self.pace.paused(seconds, worked=False)

    def train(self, seconds=math.inf, steps=math.inf):
        """On, until so many seconds have gone by on the wall or so many steps have been made."""
        while self.wall < 1000.0 + seconds and self.number < steps:
            self.number += 1
            self.passes(self.step)
            if not self.pace.wanted(self.number + 1):
                continue
            if not self.peeked and self.number < self.pace.sure:
                self.peeked = True  # as a trainer does at the step before
            else:
                self.peeked = False
                cost = self.costs[bool(self.seen)]
                self.passes(cost)
                self.pace.paid(self.number, cost)
                self.seen.append(self.number)
                self.at.append(self.wall - 1000.0)
        return self

    @property
    def looked(self):
        """Seconds that looking took."""
        return sum(self.costs[bool(place)] for place in range(len(self.seen)))

    @property
    def slowed(self):
        """What the work is multiplied by, with what no clock sees."""
        looked = UNTIMED * self.looked
        return (self.work - 3.0 + looked - self.looked) / (self.work - 3.0 - self.looked)


def in_second(run, number):
    return sum(number <= at < number + 1 for at in run.at)


@pytest.mark.parametrize(("busy", "apart"), [(1.0, 0.6), (2.0, 1.1)])
@pytest.mark.parametrize(("step", "look"), [(0.0004, 0.0026), (0.004, 0.006), (0.006, 0.004), (0.04, 0.005)])
def test_each_of_the_first_five_seconds_is_seen_with_other_runs_beside_it_too(step, look, busy, apart):
    run = Run(step, look, busy).train(seconds=5)
    assert all(in_second(run, number) for number in range(5)), run.at
    assert max(b - a for a, b in zip(run.at, run.at[1:], strict=False)) <= apart
    assert in_second(run, 0) >= 3


@pytest.mark.parametrize("busy", [3.0, 5.0, 8.0])
def test_a_run_that_gets_little_of_the_machine_is_seen_nearly_every_second_for_twice_the_share(busy):
    run = Run(busy=busy).train(seconds=20)
    apart = [b - a for a, b in zip(run.at, run.at[1:], strict=False)]
    assert max(apart) <= max(1.15, UNTIMED * 0.006 * busy / (2 * SHARE) + 0.2)
    assert run.slowed <= 1 + 2 * SHARE + CREDIT / (run.work - 3.0)


@pytest.mark.parametrize("look", [0.006, 0.03, 0.1])
def test_a_run_that_has_the_machine_to_itself_again_is_none_the_slower_for_others_before(look):
    run = Run(step=0.05, look=look, busy=4.0).train(seconds=600)
    run.busy, known = 1.0, len(run.seen)
    run.train(seconds=700)
    assert UNTIMED * look * (len(run.seen) - known) <= SHARE * 100 + UNTIMED * look


@pytest.mark.parametrize("look", [0.03, 0.08])
def test_looks_that_are_dear_are_no_dearer_for_a_second_without_one(look):
    run = Run(step=0.05, look=look).train(seconds=60)
    assert run.slowed <= 1 + SHARE + (CREDIT + UNTIMED * look) / 60


@pytest.mark.parametrize("look", [0.0003, 0.0026, 0.006, 0.012, 0.025])
def test_a_run_of_five_seconds_is_slowed_by_less_than_three_percent(look):
    assert Run(look=look).train(seconds=5).slowed < 1.03


@pytest.mark.parametrize("look", [0.0026, 0.006, 0.05, 0.3])
@pytest.mark.parametrize("busy", [1.0, 4.0])
def test_over_a_long_run_looking_takes_its_share_of_the_work(look, busy):
    run = Run(look=look, busy=busy).train(seconds=300)
    spent = UNTIMED * look * len(run.seen)
    earned = SHARE * (run.work - 3.0 - run.looked)
    most = earned if busy == 1 else 2 * earned  # who is seldom seen earns twice as much
    of_use = UNTIMED * look * (run.wall - 1000.0) / (APART + 2 * run.step * busy)
    assert spent <= most + CREDIT + UNTIMED * look
    assert spent >= 0.95 * min(earned, of_use) - UNTIMED * look


def test_a_short_run_is_seen_at_steps_that_double_and_at_its_last():
    assert Run(step=0.001, look=0.002, steps=92).train(steps=92).seen == [2, 4, 8, 16, 32, 64, 92]


def test_the_second_step_and_the_last_are_seen_however_dear_a_look_is():
    assert Run(step=0.001, look=5.0, steps=92).train(steps=92).seen == [2, 92]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_are_seen_at_their_last_step(steps):
    assert Run(steps=steps).train(steps=steps).seen[-1] == steps


def test_a_first_look_that_warms_up_holds_up_none_that_follow():
    run = Run(first=0.3).train(seconds=60)
    assert in_second(run, 1) + in_second(run, 2) >= 1
    cold = len(run.seen) - len(Run().train(seconds=60).seen)
    assert cold >= -math.ceil(CREDIT / 0.006)


def test_looks_that_cost_nothing_are_a_fifth_of_a_second_apart_once_steps_double_no_more():
    run = Run(look=0.0).train(seconds=20)
    apart = [b - a for a, b in zip(run.at, run.at[1:], strict=False) if a > 10]
    assert min(apart) >= APART - 1e-9 or run.seen[-1] == 2 ** round(math.log2(run.seen[-1]))
    assert len(run.seen) <= 20 / APART + math.log2(run.number) + 1


def test_after_a_pause_a_run_is_seen_as_before():
    run = Run().train(seconds=20)
    known = len(run.seen)
    run.pause(600.0)
    before = run.wall - 1000.0
    run.train(seconds=before + 5)
    after = [at - before for at in run.at[known:]]
    assert after[0] <= 0.4
    usual = 5 * SHARE / (UNTIMED * 0.006)
    assert len(after) == pytest.approx(usual, abs=2)


@pytest.mark.parametrize("look", [0.006, 0.03, 0.1, 0.3])
@pytest.mark.parametrize("on_wall", [False, True])
def test_a_pause_earns_nothing(look, on_wall):
    run = Run(step=0.05, look=look)
    if on_wall:  # as beside a GPU, whose work is timed on the wall
        run.pace = Pace(SHARE, (0, math.inf), work=lambda: run.wall, now=lambda: run.wall)
    run.train(seconds=100)
    known = len(run.seen)
    run.wall += 600.0
    run.pace.paused(600.0, worked=on_wall)
    run.train(seconds=800)
    assert UNTIMED * look * (len(run.seen) - known) <= SHARE * 100 + UNTIMED * look


def test_without_a_share_only_the_beginning_and_the_end_are_seen():
    clock = Run()
    clock.pace = Pace(0.0, (0, 5000), work=lambda: clock.work, now=lambda: clock.wall)
    clock.train(steps=5000)
    assert clock.seen[0] == 2
    assert clock.seen[-1] == 5000
    assert len(clock.seen) <= CREDIT / 0.006 + 2


def test_a_first_look_that_was_dear_for_good_is_paid_when_the_second_has_shown_it():
    # 0.175 seconds each, as of 11 million parameters whose weights are kept: two looks, and then none until
    # both are earned.
    run = Run(step=1.0, look=0.175).train(seconds=25)
    assert len(run.seen) == 2
    assert run.slowed < 1.025
    # Where only the first was dear, the others do not wait for what a process takes once.
    assert len(Run(step=0.004, look=0.006, first=0.175).train(seconds=5).seen) >= 9
