"""Tests of the partial rank correlation by hand and by its definition with residuals."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from aggregate.statistics import partial


def test_by_hand():
    """Six models ranked by three values, squared differences of ranks 8, 6 and 10: r = 1 - 6 d / 210.

    r_xy = 27/35, r_xz = 29/35, r_yz = 25/35; r = (27·35 - 29·25) / sqrt((35² - 29²)(35² - 25²)) = 220/480.
    """
    x, y, z = np.array([[1, 2, 3, 4, 5, 6], [3, 1, 2, 4, 6, 5], [2, 1, 4, 3, 6, 5]], dtype=float)
    (_, xy, xz), (_, _, yz), _ = np.corrcoef([x, y, z])
    found = partial.compute_partial(x, y, z)
    assert found.r == pytest.approx((xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))
    assert found.r == pytest.approx(_correlate_residuals(x, y, z))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.r) * np.sqrt(3 / (1 - found.r**2)), 3))


def _correlate_residuals(x, y, z):
    """Return the correlation of the residuals of regressions on the ranks of the third value."""
    x, y, z = (stats.rankdata(values) for values in (x, y, z))
    left = [sm.OLS(values, sm.add_constant(z)).fit().resid for values in (x, y)]
    return stats.pearsonr(*left).statistic


def test_agrees_with_the_correlation_of_residuals():
    for x, y, z in np.random.default_rng(1).normal(size=(10, 3, 25)).round(1):
        assert partial.compute_partial(x + z, y + z, z).r == pytest.approx(_correlate_residuals(x + z, y + z, z))


def test_p_is_uniform_without_a_partial_correlation():
    """x and y depend only on z, so p is below 0.05 in about 5 % of 400 samples."""
    rng = np.random.default_rng(2)
    found = []
    for _ in range(400):
        z = rng.normal(size=40)
        found.append(partial.compute_partial(z + rng.normal(size=40), z + rng.normal(size=40), z).p)
    assert 8 <= sum(p < 0.05 for p in found) <= 36


@pytest.mark.parametrize(
    ("x", "y", "z", "note"),
    [
        ([1, 2, 3, 4, 5], [2, 1, 3, 5, 4], [1, 3, 2, 5, 4], "a partial correlation needs at least 6 models"),
        ([1, 2, 3, 4, 5, 6], [2, 1, 3, 5, 4, 6], [0.5] * 6, "clean accuracy is the same for all 6 models"),
        ([2, 1, 3, 5, 4, 6], [1, 4, 9, 16, 25, 36], [1, 2, 3, 4, 5, 6],
         "robust accuracy and clean accuracy rank the models identically"),
        ([-1, -2, -3, -4, -5, -6], [2, 1, 3, 5, 4, 6], [1, 2, 3, 4, 5, 6],
         "the score and clean accuracy rank the models identically"),
    ],
)  # fmt: skip
def test_a_missing_number_has_a_reason(x, y, z, note):
    assert partial.compute_partial(*np.array([x, y, z], dtype=float)) == partial.PartialCorrelation(note=note)
