"""Correlations that allow for families, clean accuracy and image sampling."""

import numpy as np
import pytest
from scipy import stats

from aggregate.statistics.family_correlation import Measured, correlate, correlate_all, normal_scores
from aggregate.statistics.familywise import familywise_p
from aggregate.statistics.image_error import ImageError

SINGLES = np.arange(40)


def values(n: int, seed: int = 3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)


def test_without_error_and_families_it_is_the_partial_correlation():
    """Normal scores of the score, partial correlation by regression residuals."""
    x, y, c = values(40)
    y, x = y + 0.8 * c, x + 0.5 * c
    found, _ = correlate(x, Measured(y, SINGLES, c))
    predictors = np.column_stack([np.ones(40), c])
    rest = [v - predictors @ np.linalg.lstsq(predictors, v, rcond=None)[0] for v in (normal_scores(x), y)]
    assert found.r == pytest.approx(np.corrcoef(*rest)[0, 1], abs=1e-12)
    assert found.families == 40
    assert found.low < found.r < found.high


def test_without_adjustment_it_is_pearsons_r_of_normal_scores():
    x, y, _ = values(40)
    found, sums = correlate(x, Measured(y, SINGLES))
    assert found.r == pytest.approx(stats.pearsonr(normal_scores(x), y).statistic, abs=1e-12)
    assert sums.sum() == pytest.approx(((normal_scores(x) - normal_scores(x).mean()) * (y - y.mean())).sum())


def test_error_of_clean_accuracy_no_longer_leaks_into_the_correlation():
    """x and y depend on clean accuracy alone; with as much error as signal, a plain adjustment leaves r > 0.2."""
    rng = np.random.default_rng(7)
    n = 4000
    c = rng.normal(size=n)
    x, y = c + rng.normal(size=n), c + rng.normal(size=n)
    seen = c + rng.normal(size=n)
    one = np.ones(n)
    groups = np.arange(n) % 500
    plain, _ = correlate(x, Measured(y, groups, seen))
    corrected, _ = correlate(x, Measured(y, groups, seen, ImageError(one, 0 * one, 0 * one)))
    assert plain.r > 0.2
    assert abs(corrected.r) < 0.06
    assert corrected.low < 0 < corrected.high


def test_copies_of_models_give_no_narrower_interval():
    """Forty models, each listed five times in one family: as many effective models as forty, not two hundred."""
    x, y, c = values(40)
    y = y + x
    alone, _ = correlate(x, Measured(y, SINGLES, c))
    copies, _ = correlate(np.repeat(x, 5), Measured(np.repeat(y, 5), np.repeat(SINGLES, 5), np.repeat(c, 5)))
    assert copies.n == 200
    assert copies.effective_models == pytest.approx(alone.effective_models, rel=0.1)
    assert copies.high - copies.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_familywise_p_is_larger_than_the_p_of_one_score_and_small_for_a_clear_one():
    rng = np.random.default_rng(1)
    x, y, _ = values(40)
    many = [correlate(rng.normal(size=40), Measured(y, SINGLES))[1] for _ in range(30)]
    clear = correlate(y + 0.2 * x, Measured(y, SINGLES))[1]
    together = familywise_p(np.stack([clear, *many], axis=1))
    alone = familywise_p(np.stack(many[:1], axis=1))
    assert together[0] < 0.01
    assert together[1] > alone[0]


def test_a_score_that_cannot_be_tested_has_no_p():
    x, y, _ = values(40)
    sums = correlate(x, Measured(y, SINGLES))[1]
    p = familywise_p(np.stack([sums, np.zeros(40)], axis=1))
    assert np.isfinite(p[0])
    assert np.isnan(p[1])


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x, y, f, c: (x[:7], y[:7], f[:7], c[:7]), "7 models have both values; at least 8 are needed"),
        (lambda x, y, f, c: (x, y, f % 4, c), "the 40 models belong to 4 families; at least 5 are needed"),
        (lambda x, y, f, c: (x * 0, y, f, c), "the score is the same for all 40 models"),
        (lambda x, y, f, c: (x, y * 0, f, c), "the robust accuracy is the same for all 40 models"),
        (lambda x, y, f, c: (x, y, f, c * 0), "the clean accuracy is the same for all 40 models"),
        (lambda x, y, f, c: (x, y, np.r_[np.zeros(36, int), 1:5], c), "most models belong to one family"),
    ],
)
def test_a_correlation_that_cannot_be_given_has_a_reason(change, note):
    x, y, c = values(40)
    x, y, families, c = change(x, y, SINGLES, c)
    found, sums = correlate(x, Measured(y, families, c))
    assert found.note == note
    assert found.p is None
    assert not sums.any()


def test_clean_accuracy_that_is_mostly_noise_is_refused():
    x, y, c = values(40)
    error = np.full(40, float(c.var()))
    found, _ = correlate(x, Measured(y, SINGLES, c, ImageError(error, 0 * error, 0 * error)))
    assert found.note == "clean accuracy is too noisy to adjust for; measure it on more images"


def test_models_without_a_score_are_left_out():
    x, y, c = values(40)
    x[:10] = np.nan
    found, _ = correlate(x, Measured(y, SINGLES, c))
    assert found.n == 30
    rest, _ = correlate(x[10:], Measured(y[10:], SINGLES[:30], c[10:]))
    assert found.r == pytest.approx(rest.r, abs=1e-12)
    assert found.p == pytest.approx(rest.p, rel=1e-9)


def test_scores_with_different_gaps_are_correlated_as_one_by_one():
    """Scores of the same models are computed together; each result equals that of the score alone."""
    rng = np.random.default_rng(8)
    families = np.repeat(np.arange(12), 5)
    clean = rng.uniform(0.6, 0.8, size=60)
    scores = clean[:, None] + 0.1 * rng.normal(size=(60, 6))
    scores[:10, 1] = scores[:10, 2] = np.nan
    scores[5:, 3] = np.nan
    scores[:, 4] = 1.0
    robust = 0.5 * clean + 0.02 * scores[:, 0] + 0.05 * rng.normal(size=60)
    error = ImageError(np.full(60, 1e-4), np.full(60, 5e-5), np.full(60, 1e-4))
    for measured in (
        Measured(robust, families, clean, error),
        Measured(robust, families, clean, error, covariates=rng.normal(size=(60, 1))),
        Measured(robust, families, clean, error, within_families=True),
    ):
        together, sums = correlate_all(scores, measured)
        for at in range(6):
            alone, its_sums = correlate(scores[:, at], measured)
            assert together[at].note == alone.note
            assert (together[at].r is None) == (at in {3, 4})
            if alone.r is not None:
                assert (together[at].r, together[at].low, together[at].p) == pytest.approx(
                    (alone.r, alone.low, alone.p), rel=1e-9
                )
            assert sums[:, at] == pytest.approx(its_sums, abs=1e-12)
