"""What benchmarks add to clean accuracy, on families held out."""

import numpy as np
import pytest

from aggregate.statistics.added_prediction import compare_predictions


def models(effect: float, seed: int, n: int = 144, benchmarks: int = 40, families: int = 40):
    """Clean accuracy explains half of the variance; the mean benchmark `effect` more."""
    rng = np.random.default_rng(seed)
    group = rng.integers(families, size=n)
    ability, common = rng.normal(size=n), rng.normal(size=n)
    x = 0.5 * ability[:, None] + common[:, None] + rng.normal(size=(n, benchmarks))
    y = np.sqrt(0.5) * ability + np.sqrt(effect) * common + np.sqrt(0.5 - effect) * rng.normal(size=n)
    return x, 0.7 + 0.05 * ability, 0.4 + 0.1 * y, np.unique(group, return_inverse=True)[1]


def test_an_effect_is_reported_as_an_improvement():
    """The penalised comparison reported -0.05 where alignment explains 9 % of the variance."""
    added = [compare_predictions(*models(0.09, seed)).added for seed in range(8)]
    assert 0.02 < np.mean(added) < 0.12


def test_nothing_is_added_under_the_null():
    added = [compare_predictions(*models(0.0, seed)).added for seed in range(8)]
    assert -0.03 < np.mean(added) < 0.01


def test_the_interval_holds_the_difference_and_the_two_r2_differ_by_it():
    found = compare_predictions(*models(0.2, 3))
    assert found.low < found.added < found.high
    assert found.r2_both - found.r2_clean == pytest.approx(found.added)
    assert found.low > 0


def test_missing_scores_and_a_benchmark_that_nobody_has_are_allowed():
    x, clean, robust, families = models(0.2, 3)
    x[np.random.default_rng(0).random(x.shape) < 0.3] = np.nan
    x[:, 0] = np.nan
    assert compare_predictions(x, clean, robust, families).added > 0


def test_a_family_that_carries_everything_cannot_predict_the_others():
    """Benchmarks that only mark one family predict nothing when that family is held out."""
    rng = np.random.default_rng(5)
    n = 100
    families = np.repeat(np.arange(20), 5)
    mark = (families == 0).astype(float)
    x = mark[:, None] + 0.01 * rng.normal(size=(n, 5))
    found = compare_predictions(x, rng.normal(size=n), mark + 0.1 * rng.normal(size=n), families)
    assert found.added < 0.05


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x, c, y, f: (x[:19], c[:19], y[:19], f[:19]), "19 models have scores; at least 20 are needed"),
        (lambda x, c, y, f: (x, c, y, f % 4), "4 families; at least 5 are needed to hold some out"),
        (lambda x, c, y, f: (x[:, :0], c, y, f), "no benchmark has a score for half of the models"),
        (lambda x, c, y, f: (x, c * 0, y, f), "an accuracy is the same for all models"),
    ],
)
def test_a_comparison_that_cannot_be_made_has_a_reason(change, note):
    found = compare_predictions(*change(*models(0.1, 1)))
    assert found.note == note
    assert found.added is None
