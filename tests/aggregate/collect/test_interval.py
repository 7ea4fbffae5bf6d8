"""Tests of Clopper-Pearson intervals against published limits."""

import pytest

from aggregate.collect import table


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # From a table of exact binomial limits, such as Geigy Scientific Tables, 8th ed., vol. 2.
        (0, 10, 0.0, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0),
        (0, 100, 0.0, 0.0362),
        (50, 100, 0.3983, 0.6017),
    ],
)
def test_published_limits(successes, trials, low, high):
    assert table.exact_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_interval_without_images_is_0_to_1():
    assert table.exact_interval(0, 0) == (0.0, 1.0)


def test_more_successes_than_trials_raise():
    with pytest.raises(ValueError, match="11"):
        table.exact_interval(11, 10)
