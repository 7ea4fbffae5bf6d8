"""Estimates of audited attacks: unbiasedness, intervals, and agreement with the full attack."""

import numpy as np
import pytest
from scipy.stats import hypergeom

from aggregate.collect.table import exact_interval
from aggregate.statistics.audited import bound_broken, estimate_accuracy, pool_strata, pooled_interval
from alignsec.spec.audit_plan import StratumCounts
from alignsec.spec.budget import Budget
from benchmarks.audit import IMAGES, MODELS, simulate_model


def test_a_complete_audit_is_the_full_attack_up_to_the_error_level():
    """Expect the counted accuracy, its binomial variance, and an interval for an error of 0.04."""
    found = estimate_accuracy(100, [StratumCounts(5, 2, 1, 3, 1), StratumCounts(35, 10, 0, 25, 0)])
    assert found.accuracy == pytest.approx(0.38)
    assert found.variance == pytest.approx(0.38 * 0.62 / 100)
    low, high = exact_interval(38, 100)
    assert found.low < low < high < found.high
    assert found.high - found.low < 1.1 * (high - low)


def test_pilot_images_count_for_themselves():
    """Expect 1 + 28 * 2/4 broken images in the far stratum: the pilot has one, and half of the others break."""
    found = estimate_accuracy(100, [StratumCounts(4, 1, 0, 3, 0), StratumCounts(30, 2, 1, 4, 2)])
    assert found.accuracy == pytest.approx((34 - 15) / 100)


def test_no_survivor_gives_an_interval():
    found = estimate_accuracy(50, [StratumCounts(0, 0, 0, 0, 0), StratumCounts(0, 0, 0, 0, 0)])
    assert (found.accuracy, found.low) == (0, 0)
    assert 0 < found.high < 0.1


@pytest.mark.parametrize("broken", [0, 3, 20])
def test_bounds_of_broken_images_cover_every_population(broken):
    """Expect P(interval contains B) >= 1 - error for the hypergeometric counts, summed exactly."""
    counts = np.arange(max(0, broken - 48), min(broken, 12) + 1)
    chances = hypergeom.pmf(counts, 60, broken, 12)
    ends = [bound_broken(60, 12, int(count), 0.05) for count in counts]
    covered = sum(chance for chance, (low, high) in zip(chances, ends, strict=True) if low <= broken <= high)
    assert covered >= 0.95


@pytest.mark.parametrize("p", [0.0, 0.005, 0.04, 0.4])
def test_intervals_cover_and_the_estimate_is_unbiased(p):
    """Expect at least 94 % coverage, and a mean error within four standard errors of 0, guard included."""
    rng = np.random.default_rng(0)
    models = [simulate_model(rng, 0.3, p, 0.125, Budget.parse("0.05")) for _ in range(MODELS)]
    pooled = pool_strata([strata for strata, _ in models])
    found = [estimate_accuracy(IMAGES, strata) for strata, _ in models]
    truth = 0.3 * (1 - p)
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.94
    ends = [pooled_interval(IMAGES, strata, pooled) for strata, _ in models]
    assert np.mean([low <= truth <= high for low, high in ends]) >= 0.94
    errors = np.array([one.accuracy - robust / IMAGES for one, (_, robust) in zip(found, models, strict=True)])
    assert abs(errors.mean()) <= 4 * errors.std() / MODELS**0.5 + 1e-12


def test_the_variance_includes_the_audit():
    """Expect less variance from a larger sample, and no less than that of the images."""
    few, many = (
        estimate_accuracy(1000, [StratumCounts(40, 2, 0, at, 0), StratumCounts(260, 4, 0, at, at // 10)])
        for at in (10, 30)
    )
    assert few.variance > many.variance > many.accuracy * (1 - many.accuracy) / 1000
