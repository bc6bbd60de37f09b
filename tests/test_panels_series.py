"""The arithmetic below the panels, against plain loops, NumPy and conservation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from engine.host.protocol import Distribution
from gui.panels.histograms import Heat, extent, limits, resample, resampled, spread_out
from gui.panels.series import Track, bounds, exponential_average, figure, thin


def distribution(values: np.ndarray, bins: int = 64) -> Distribution:
    lo, hi = float(values.min()), float(values.max())
    # NumPy refuses bins that are no wider than a float's step; the probe counts such values as equal.
    wide = hi > lo and np.all(np.diff(np.linspace(lo, hi, bins + 1)) > 0)
    counts = np.histogram(values, bins, (lo, hi))[0] if wide else [values.size] + [0] * (bins - 1)
    return Distribution(
        lo,
        hi,
        tuple(int(count) for count in counts),
        float(values.mean()),
        float(values.std()),
        float(np.linalg.norm(values)),
        float((values == 0).mean()),
    )


def loop_average(values: list[float], decay: float) -> list[float]:
    total = weight = 0.0
    found = []
    for value in values:
        total, weight = decay * total, decay * weight
        if np.isfinite(value):
            total, weight = total + value, weight + 1
        found.append(total / weight if np.isfinite(value) else np.nan)
    return found


@given(
    hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e6, 1e6) | st.just(float("nan"))),
    st.floats(0.01, 0.99),
)
def test_the_average_is_that_of_the_plain_recurrence(values: np.ndarray, decay: float) -> None:
    found, _ = exponential_average(values, decay)
    np.testing.assert_allclose(found, loop_average(list(values), decay), rtol=1e-9, atol=1e-6)


def test_a_curve_smoothed_as_it_grows_is_the_curve_smoothed_at_once() -> None:
    values = np.random.default_rng(0).normal(size=1000)
    track = Track()
    for step, value in enumerate(values):
        track.extend([(step, step / 10, step / 100, value)])
        if step % 37 == 0:
            track.smoothed(0.9)
    np.testing.assert_allclose(track.smoothed(0.9), loop_average(list(values), 0.9), rtol=1e-9)


def test_another_smoothing_begins_anew() -> None:
    values = np.random.default_rng(1).normal(size=200)
    track = Track()
    track.extend([(step, 0, 0, value) for step, value in enumerate(values)])
    track.smoothed(0.9)
    np.testing.assert_allclose(track.smoothed(0.5), loop_average(list(values), 0.5), rtol=1e-9)


def test_a_thinned_curve_keeps_the_least_and_greatest_of_every_pixel() -> None:
    x = np.arange(100_000.0)
    y = np.random.default_rng(2).normal(size=len(x))
    width = 500
    thin_x, thin_y = thin(x, y, x[0], x[-1], width)
    assert len(thin_x) <= 2 * (width + 2)
    assert np.all(np.diff(thin_x) >= 0)
    edges = np.linspace(x[0], x[-1], width + 1)
    for left, right in itertools.pairwise(edges):
        ours, theirs = thin_y[(thin_x >= left) & (thin_x < right)], y[(x >= left) & (x < right)]
        assert (ours.min(), ours.max()) == (theirs.min(), theirs.max())


def test_thinning_keeps_one_point_either_side_of_what_is_seen() -> None:
    x = np.arange(100.0)
    thin_x, _ = thin(x, x, 20.5, 30.5, 1000)
    assert thin_x.tolist() == list(range(20, 32))


def test_a_spike_does_not_set_the_range_and_nan_is_no_value() -> None:
    calm = [1.0, 2.0, *[1.5] * 18]
    assert bounds([np.array([*calm, np.nan, 1e38, np.inf])]) == (1.0, 2.0)
    assert bounds([np.array([np.nan])]) is None
    assert bounds([np.array([-1.0, 0.0, 0.5, 2.0])], log=True) == (0.5, 2.0)


def test_the_high_loss_of_the_first_steps_stays_in_the_range() -> None:
    loss = 2.3 * np.exp(-np.arange(10_000) / 50) + 0.02
    assert bounds([loss]) == pytest.approx((loss.min(), loss.max()))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1"), (0.12345, "0.1235"), (1234.0, "1,234"), (4e-4, "4e-4"), (-1.25e7, "-1.25e7")],
)
def test_figures_are_short(value: float, text: str) -> None:
    assert figure(value) == text


# ---------------------------------------------------------------------------- histograms


@given(
    hnp.arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e3, 1e3)),
    st.floats(-1500, 1500),
    st.floats(1e-3, 3000),
)
def test_resampling_conserves_counts_whatever_the_axis(values: np.ndarray, left: float, width: float) -> None:
    found = resample(distribution(values), np.linspace(left, left + width, 33))
    assert found.sum() == pytest.approx(values.size)
    assert (found >= -1e-9).all()


def test_resampling_onto_its_own_bins_changes_nothing() -> None:
    found = distribution(np.random.default_rng(3).normal(size=5000))
    np.testing.assert_allclose(resample(found, np.linspace(found.lo, found.hi, 65)), found.counts, atol=1e-9)


def test_resampling_onto_bins_of_twice_the_width_adds_pairs() -> None:
    values = np.random.default_rng(4).normal(size=5000)
    coarse = np.histogram(values, 32, (values.min(), values.max()))[0]
    found = resample(distribution(values), np.linspace(values.min(), values.max(), 33))
    np.testing.assert_allclose(found, coarse, atol=1e-9)


def test_equal_values_fall_into_the_one_bin_that_holds_them() -> None:
    found = resample(distribution(np.zeros(10)), np.linspace(-1, 1, 10))
    assert found.tolist() == [0, 0, 0, 0, 10, 0, 0, 0, 0]


def test_the_picture_holds_every_observation_while_the_axis_grows() -> None:
    rng = np.random.default_rng(5)
    heat = Heat()
    found = []
    for step in range(30):
        found.append(distribution(rng.normal(scale=1 + step, size=2000)))
        counts = heat.update(list(range(step + 1)), found)
        np.testing.assert_allclose(counts.sum(axis=1), 2000)
    np.testing.assert_allclose(counts, [resample(one, heat.edges) for one in found])


def test_many_are_resampled_at_once_as_they_are_one_by_one() -> None:
    rng = np.random.default_rng(8)
    found = [distribution(rng.normal(size=500, scale=10.0**k)) for k in range(-3, 4)]
    found += [
        distribution(np.full(10, 0.25)),
        Distribution(float("nan"), float("nan"), (0,) * 64, 0, 0, 0, 0, 9),
    ]
    edges = np.linspace(-2, 3, 41)
    np.testing.assert_allclose(resampled(found, edges), [resample(one, edges) for one in found], atol=1e-9)
    assert resampled([], edges) == []


def test_a_step_observed_twice_is_no_trouble() -> None:
    one = distribution(np.random.default_rng(7).normal(size=100))
    counts = Heat().update([0, 5, 5], [one, one, one])
    assert spread_out([0, 5, 5], counts)[0].sum(axis=1) == pytest.approx(100)


def test_one_far_value_does_not_stretch_the_axis() -> None:
    rng = np.random.default_rng(6)
    calm = [distribution(rng.normal(size=4000)) for _ in range(30)]
    wild = distribution(np.append(rng.normal(size=4000), 1e6))
    lo, hi = extent(np.array([limits(one) for one in (*calm, wild)]))
    assert -20 < lo < -2
    assert 2 < hi < 20


def test_nan_bounds_and_empty_histograms_are_passed_over() -> None:
    empty = Distribution(float("nan"), float("nan"), (0,) * 64, 0, 0, 0, 0, 100)
    assert extent(limits(empty)[None]) == (-1.0, 1.0)
    assert Heat().update([0], [empty]).sum() == 0


def test_columns_of_the_picture_show_the_newest_histogram_up_to_there() -> None:
    matrix = np.array([[1.0], [2.0], [3.0]])
    picture, first, last = spread_out([0, 10, 40], matrix, columns=60)
    assert (first, last) == (0, 60)
    assert picture[:, 0].tolist() == [1] * 10 + [2] * 30 + [3] * 20
