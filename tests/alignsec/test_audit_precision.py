"""The standard error of an audited attack before it runs, and the share that reaches a target."""

import math

import numpy as np
import pytest

from alignsec.audit_precision import (
    ASSUMED,
    SHARES,
    Expectation,
    choose_share,
    compute_audit_variance,
    compute_smallest_error,
    compute_standard_error,
    compute_study_growth,
    count_images,
)
from alignsec.power import SPREAD, estimate_reliability
from alignsec.spec.audit import STRATA
from alignsec.spec.budget import Budget

NEAR_ONLY = Expectation(0.5, {"near": 0.04, "far": 0.0})


def test_without_an_audit_the_error_is_that_of_the_images():
    accuracy = 0.5 * 0.96
    assert compute_smallest_error(1000, [ASSUMED]) == pytest.approx(math.sqrt(accuracy * (1 - accuracy) / 1000))
    assert compute_audit_variance(1000, ASSUMED, Budget.parse("1")) == 0


def test_the_audit_s_variance_is_that_of_random_samples():
    """Draw audits of 500 survivors, 20 of which break, and compare with the spread of the estimate."""
    rng, share, errors = np.random.default_rng(0), Budget.parse("0.2"), []
    sizes = {"near": 63, "far": 437}
    second = {"near": 50 - 12, "far": 50 - 12}
    for _ in range(4000):
        broken = {one: rng.random(sizes[one]) < ASSUMED.broken[one] for one in STRATA}
        pilot = {"near": 12, "far": 12}
        found = sum(
            broken[one][: pilot[one]].sum()
            + (sizes[one] - pilot[one]) * broken[one][pilot[one] : pilot[one] + second[one]].mean()
            for one in STRATA
        )
        errors.append((found - sum(each.sum() for each in broken.values())) / 1000)
    assert compute_audit_variance(1000, ASSUMED, share) == pytest.approx(np.var(errors), rel=0.1)


@pytest.mark.parametrize("precision", ["0.05", "0.02", "0.017"])
def test_the_chosen_share_is_the_smallest_that_suffices(precision):
    share = choose_share(1000, [ASSUMED, NEAR_ONLY], precision)
    assert compute_standard_error(1000, ASSUMED, share) <= float(precision)
    assert all(compute_standard_error(1000, ASSUMED, one) > float(precision) for one in SHARES if one < share)


def test_a_precision_beyond_the_images_has_no_share_but_a_number_of_images():
    """Expect the number to be just enough."""
    needed = count_images([ASSUMED], Budget.parse("0.01"))
    assert choose_share(1000, [ASSUMED], "0.01") is None
    assert choose_share(needed - 3, [ASSUMED], "0.01") is None
    assert choose_share(needed + 3, [ASSUMED], "0.01") is not None


def test_the_precision_of_the_study_bounds_the_growth_of_standard_errors():
    """Expect the attenuation formula, and a growth of at most 5 %."""
    share = choose_share(1000, [ASSUMED], "study")
    growth = compute_study_growth(1000, [ASSUMED], share)
    total = SPREAD**2 / estimate_reliability(1000)
    assert growth == pytest.approx(math.sqrt((total + compute_audit_variance(1000, ASSUMED, share)) / total))
    assert 1 < growth <= 1.05
    assert compute_study_growth(1000, [ASSUMED], SHARES[SHARES.index(share) - 1]) > 1.05
