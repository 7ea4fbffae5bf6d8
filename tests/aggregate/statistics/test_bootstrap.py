"""Tests of bootstrap intervals against `scipy.stats.bootstrap`."""

import numpy as np
import pytest
from scipy import stats

from aggregate.statistics import bootstrap


def _pearson(x, y, axis=-1):
    x, y = (values - values.mean(axis=axis, keepdims=True) for values in (x, y))
    return (x * y).sum(axis=axis) / np.sqrt((x * x).sum(axis=axis) * (y * y).sum(axis=axis))


def _spearman(x, y, axis=-1):
    return _pearson(stats.rankdata(x, axis=axis), stats.rankdata(y, axis=axis), axis=axis)


@pytest.mark.parametrize(("seed", "n", "strength"), [(1, 12, 0.0), (2, 40, 1.0), (3, 40, -3.0)])
def test_intervals_agree_with_scipy_up_to_random_resamples(seed, n, strength):
    """The resamples differ, so the intervals agree only approximately; rounding x creates ties."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n).round(1)
    y = strength * x + rng.normal(size=n)
    found = bootstrap.bootstrap_interval(x, y)
    expected = stats.bootstrap(
        (x, y), _spearman, paired=True, vectorized=True, n_resamples=10_000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.07 * width)
    assert found.high == pytest.approx(expected.high, abs=0.07 * width)


def test_intervals_are_reproducible():
    x, y = np.random.default_rng(4).normal(size=(2, 30))
    assert bootstrap.bootstrap_interval(x, y) == bootstrap.bootstrap_interval(x, y)


def test_few_models_or_a_perfect_order_give_no_interval():
    few = np.arange(7.0)
    assert bootstrap.bootstrap_interval(few, few[::-1]) == bootstrap.Interval()
    many = np.arange(20.0)
    assert bootstrap.bootstrap_interval(many, many**3) == bootstrap.Interval()


def test_one_outlier_among_equal_models_gives_no_interval():
    """A third of the resamples do not contain the outlier and are constant."""
    x, y = np.zeros(20), np.random.default_rng(6).normal(size=20)
    x[0] = 1
    assert bootstrap.bootstrap_interval(x, y) == bootstrap.Interval()


def test_intervals_contain_the_true_value_in_95_percent_of_samples():
    """Bivariate normal, 200 samples of 30: 95 % are 190, and four standard errors are 12."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(200, 30))
    y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=(200, 30))
    true = 6 / np.pi * np.arcsin(0.5 / 2)
    intervals = [bootstrap.bootstrap_interval(*sample) for sample in zip(x, y, strict=True)]
    assert 178 <= sum(interval.low <= true <= interval.high for interval in intervals) <= 198
