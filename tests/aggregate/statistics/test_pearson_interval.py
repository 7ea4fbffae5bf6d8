"""Tests of the interval of Pearson's r against a direct computation, and of its coverage."""

import numpy as np
import pytest
from scipy import stats

from aggregate.statistics import pearson_interval
from aggregate.statistics.bootstrap import Interval
from aggregate.statistics.pearson_interval import check_pearson_interval, estimate_pearson_interval


def _studentise_directly(x, y, families):
    """Fisher's z and its standard error from the influence of each model, without moments."""
    u, v = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    r = np.corrcoef(x, y)[0, 1]
    influence = u * v - r / 2 * (u * u + v * v)
    sums = np.bincount(families, weights=influence)
    return np.arctanh(r), np.sqrt((sums**2).sum()) / len(x) / (1 - r * r)


def _draw(rng, *, skewed=False):
    """60 models in 12 families of unequal sizes that resemble each other, with true r 0.5."""
    families = np.repeat(np.arange(12), [16, 10, 8, 6, 5, 4, 3, 3, 2, 1, 1, 1])
    x, z = (np.sqrt(0.3) * rng.normal(size=12)[families] + np.sqrt(0.7) * rng.normal(size=60) for _ in range(2))
    y = 0.5 * x + np.sqrt(0.75) * z
    return (np.exp(2 * x) if skewed else x), y, families


def test_the_interval_is_that_of_a_loop_over_resamples():
    x, y, families = _draw(np.random.default_rng(1))
    z, error = _studentise_directly(x, y, families)
    members = [np.flatnonzero(families == family) for family in range(12)]
    t = []
    for counts in pearson_interval._draw_families(12).astype(int):
        # Each draw of a family is a family of its own within the resample.
        drawn = [(members[family], copy) for family in range(12) for copy in range(counts[family])]
        rows = np.concatenate([rows for rows, _ in drawn])
        labels = np.repeat(np.arange(len(drawn)), [len(rows) for rows, _ in drawn])
        other, its_error = _studentise_directly(x[rows], y[rows], labels)
        t.append(abs(other - z) / its_error)
    margin = np.quantile(t, 0.95) * error
    found = estimate_pearson_interval(x, y, families)
    assert (found.low, found.high) == pytest.approx((np.tanh(z - margin), np.tanh(z + margin)), rel=1e-9)


def test_the_standard_error_without_families_is_that_of_large_samples():
    """For normal values the standard error of z is 1 / sqrt(n)."""
    x, y = np.random.default_rng(2).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=20_000).T
    assert _studentise_directly(x, y, np.arange(20_000))[1] == pytest.approx(1 / np.sqrt(20_000), rel=0.03)


def test_the_interval_covers_the_true_value_when_families_are_alike():
    """Of 200 intervals, 190 are expected to contain 0.5; four standard errors are 12."""
    rng = np.random.default_rng(3)
    found = [estimate_pearson_interval(*_draw(rng)) for _ in range(200)]
    assert 178 <= sum(interval.low <= 0.5 <= interval.high for interval in found) <= 200


def test_the_interval_does_not_depend_on_scale():
    x, y, families = _draw(np.random.default_rng(4))
    a, b = estimate_pearson_interval(x, y, families), estimate_pearson_interval(1e-6 * x + 7, 1e6 * y, families)
    assert (a.low, a.high) == pytest.approx((b.low, b.high), rel=1e-6)


def test_very_skewed_values_few_families_and_a_perfect_line_have_no_interval():
    x, y, families = _draw(np.random.default_rng(5), skewed=True)
    assert stats.skew(x) > pearson_interval.MAX_SKEWNESS
    assert "the score is too skewed" in check_pearson_interval(x, y, families)
    assert estimate_pearson_interval(x, y, families) == Interval()
    x, y, families = _draw(np.random.default_rng(5))
    assert "with 4 families" in check_pearson_interval(x, y, families % 4)
    assert estimate_pearson_interval(x, 2 * x, families) == Interval()
