"""Bootstrap samples of pictures, and intervals from them."""

import numpy as np
import pytest

from homing.bench.statistics.bootstrap import bootstrap_means, make_interval, resample


def test_samples_of_one_generator_are_paired():
    values = np.random.default_rng(0).random((3, 40))
    first, second = (resample(v, np.random.default_rng(1)) for v in (values, values + 0.25))
    difference = make_interval(
        second.means[0] - first.means[0], second.samples[:, 0] - first.samples[:, 0]
    )
    assert difference.low == pytest.approx(0.25)
    assert difference.high == pytest.approx(0.25)
    mean, samples = first.over(np.array([0, 2]))
    assert mean == pytest.approx(values[[0, 2]].mean())
    assert samples == pytest.approx(first.samples[:, [0, 2]].mean(axis=1))


def test_means_are_those_of_the_rows_and_of_the_counted_rows():
    values = np.array([[1.0, 0.0, 1.0, np.nan], [0.5, 0.5, 0.5, 0.5], [0.0, 0.0, 0.0, 0.0]])
    counted = np.array([True, True, False])
    rows, mean = bootstrap_means(values, counted, np.random.default_rng(0))
    assert [row.mean for row in rows] == pytest.approx([2 / 3, 0.5, 0])
    assert mean.mean == pytest.approx((2 / 3 + 0.5) / 2)
    assert rows[1].low == rows[1].high == 0.5
    assert rows[0].low <= 2 / 3 <= rows[0].high


def test_intervals_are_those_of_a_slow_bootstrap():
    generator = np.random.default_rng(1)
    values = (generator.random((3, 80)) < [[0.9], [0.5], [0.2]]).astype(float)
    counted = np.array([True, False, True])
    rows, mean = bootstrap_means(values, counted, np.random.default_rng(0), draws=4000)
    drawn = generator.integers(80, size=(4000, 80))
    for row, interval in zip(values, rows, strict=True):
        low, high = np.percentile(row[drawn].mean(axis=1), [2.5, 97.5])
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.02)
    both = values[counted].mean(axis=0)
    low, high = np.percentile(both[drawn].mean(axis=1), [2.5, 97.5])
    assert (mean.low, mean.high) == pytest.approx((low, high), abs=0.02)


def test_edits_that_fail_together_widen_the_mean():
    """All rows of a picture are drawn together: ten equal rows weigh no more than one."""
    row = (np.random.default_rng(0).random(100) < 0.5).astype(float)
    counted = np.ones(10, bool)
    _, together = bootstrap_means(np.tile(row, (10, 1)), counted, np.random.default_rng(0))
    assert together.high - together.low > 0.15


def test_a_row_of_nothing_is_left_out():
    values = np.array([[np.nan, np.nan], [1.0, 0.0]])
    rows, mean = bootstrap_means(values, np.array([True, True]), np.random.default_rng(0))
    assert np.isnan(rows[0].mean)
    assert np.isnan(rows[0].low)
    assert mean.mean == 0.5


def test_one_seed_gives_one_interval():
    values = np.random.default_rng(0).random((4, 50))
    counted = np.ones(4, bool)
    first = bootstrap_means(values, counted, np.random.default_rng(3))
    assert bootstrap_means(values, counted, np.random.default_rng(3)) == first
